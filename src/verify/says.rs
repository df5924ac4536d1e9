//! Whether a line says what its row says, told by the bytes alone: no parsing where it is written as
//! lines usually are.

use std::io::Write as _;

use super::lines::Beside;
use crate::digest::{Value, micros_text};
use crate::json;
use crate::schema::Type;

/// The moments that have an ISO form of four digits for the year: years 1 to 9999.
const PLAIN_DATES: std::ops::Range<i64> = -62_135_596_800_000_000..253_402_300_800_000_000;

/// Compares lines with rows; keeps its buffer from line to line.
pub(super) struct Says {
    /// Every column as a member begins: `"<name>":`.
    names: Vec<Vec<u8>>,
    types: Vec<Type>,
    text: Vec<u8>,
}

impl Says {
    pub(super) fn new<'a>(columns: impl Iterator<Item = (&'a str, Type)>) -> Self {
        let mut says = Self { names: Vec::new(), types: Vec::new(), text: Vec::new() };
        for (name, ty) in columns {
            let mut member = Vec::new();
            json::write_string(name, &mut member);
            member.push(b':');
            says.names.push(member);
            says.types.push(ty);
        }
        says
    }

    /// Whether a line is `{"entity":{…},"createdAt":ms}` with the members of the row in the order of
    /// the columns, each as its value is commonly written. JSON values must be known to be JSON.
    /// False says nothing: the line may say the same in other words.
    pub(super) fn is_plainly<'a>(
        &mut self,
        line: &[u8],
        values: impl Iterator<Item = Value<'a>>,
        expected: &Beside<'_>,
    ) -> bool {
        expected.extra.is_none() && self.rest(line, values, expected).is_some()
    }

    fn rest<'a>(
        &mut self,
        line: &[u8],
        values: impl Iterator<Item = Value<'a>>,
        expected: &Beside<'_>,
    ) -> Option<()> {
        let mut rest = line.strip_prefix(b"{\"entity\":{")?;
        let mut first = true;
        for (at, value) in values.enumerate().filter(|(_, value)| *value != Value::Absent) {
            if !std::mem::take(&mut first) {
                rest = rest.strip_prefix(b",")?;
            }
            rest = rest.strip_prefix(self.names[at].as_slice())?;
            rest = self.value(rest, (self.types[at], value))?;
        }
        rest = rest.strip_prefix(b"}")?;
        if rest == b"}" {
            return expected.created.is_none().then_some(());
        }
        rest = rest.strip_prefix(b",\"createdAt\":")?.strip_suffix(b"}")?;
        let mut is_it = |millis: &i64| {
            self.text.clear();
            // Writing to a `Vec` cannot fail.
            let _ = write!(self.text, "{millis}");
            self.text == rest
        };
        let is_right = match &expected.created {
            Some(created) => is_it(created),
            None => expected.dates.iter().any(is_it),
        };
        is_right.then_some(())
    }

    /// What follows a value.
    fn value<'a>(&mut self, line: &'a [u8], (ty, value): (Type, Value<'_>)) -> Option<&'a [u8]> {
        match (ty, value) {
            (Type::String, Value::Text(text)) if is_plain(text) => {
                let line = line.strip_prefix(b"\"")?.strip_prefix(text.as_bytes())?;
                return line.strip_prefix(b"\"");
            }
            // Blanks around a value, or a line break in it, are not written as they are.
            (Type::Any, Value::Json(text)) => {
                let is_bare = |byte: Option<&u8>| byte.is_some_and(|byte| *byte > b' ');
                let bytes = text.as_bytes();
                let is_plain = is_bare(bytes.first())
                    && is_bare(bytes.last())
                    && memchr::memchr2(b'\n', b'\r', bytes).is_none();
                return line.strip_prefix(bytes).filter(|_| is_plain);
            }
            _ => {}
        }
        self.text.clear();
        match (ty, value) {
            (Type::String, Value::Text(text)) => json::write_string(text, &mut self.text),
            (Type::Number, Value::Number(number)) if number.is_finite() => {
                let _ = write!(self.text, "{number}");
            }
            (Type::Boolean, Value::Boolean(value)) => {
                let _ = write!(self.text, "{value}");
            }
            (Type::Date, Value::Date(micros)) if PLAIN_DATES.contains(&micros) => {
                let text = micros_text(micros);
                let millis = text.strip_suffix("000Z");
                let _ = match millis {
                    Some(millis) => write!(self.text, "\"{millis}Z\""),
                    None => write!(self.text, "\"{text}\""),
                };
            }
            _ => return None,
        }
        let rest = line.strip_prefix(self.text.as_slice())?;
        // A number goes on as long as there are digits.
        let ends = !matches!(ty, Type::Number) || matches!(rest.first(), Some(b',' | b'}'));
        ends.then_some(rest)
    }
}

/// Whether a text stands in a JSON string as it is.
fn is_plain(text: &str) -> bool {
    // Every byte is looked at, many at a time: no early end.
    let is_special = |byte| u8::from(matches!(byte, 0..b' ' | b'"' | b'\\'));
    text.bytes().fold(0, |found, byte| found | is_special(byte)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_compared_by_its_bytes() {
        let columns = [
            ("id", Type::String),
            ("n", Type::Number),
            ("at", Type::Date),
            ("any", Type::Any),
            ("is", Type::Boolean),
        ];
        let mut says = Says::new(columns.into_iter());
        let beside =
            |created, dates: &[i64]| Beside { created, dates: dates.to_vec(), extra: None };
        let mut check =
            |line: &str, values: [Value<'_>; 5], beside: &Beside<'_>, expected: bool| {
                let found = says.is_plainly(line.as_bytes(), values.into_iter(), beside);
                assert_eq!(found, expected, "{line}");
            };
        let row = [
            Value::Text("a\"é\n"),
            Value::Number(1.5),
            Value::Date(1_001_000),
            Value::Json("{\"b\": [1]}"),
            Value::Boolean(true),
        ];
        let line = r#"{"entity":{"id":"a\"é\u000a","n":1.5,"at":"1970-01-01T00:00:01.001Z","any":{"b": [1]},"is":true},"createdAt":7}"#;
        check(line, row, &beside(Some(7), &[]), true);
        check(line, row, &beside(Some(8), &[7]), false);
        check(line, row, &beside(None, &[6, 7]), true);
        check(line, row, &beside(None, &[]), false);
        for (from, to) in [
            ("1.5", "1.50"),
            ("01.001Z", "01.002Z"),
            ("[1]", "[2]"),
            ("true", "false"),
            ("true}", "true} "),
            ("\"is\"", "\"n\":1.5,\"is\""),
            ("7}", "7}}"),
        ] {
            let changed = line.replace(from, to);
            assert_ne!(changed, line, "{from}");
            check(&changed, row, &beside(Some(7), &[]), false);
        }
        let absent = [Value::Absent; 5];
        check(r#"{"entity":{}}"#, absent, &beside(None, &[]), true);
        check(r#"{"entity":{"n":null}}"#, absent, &beside(None, &[]), false);
        let mut number = absent;
        number[1] = Value::Number(1.0);
        check(r#"{"entity":{"n":1}}"#, number, &beside(None, &[]), true);
        check(r#"{"entity":{"n":10}}"#, number, &beside(None, &[]), false);
        // What may be written otherwise is left to the long way.
        for odd in [Value::Json(" 1"), Value::Json("[1,\n2]"), Value::Text("1"), Value::Json("1 ")]
        {
            let mut values = absent;
            values[3] = odd;
            let (Value::Json(text) | Value::Text(text)) = odd else { continue };
            check(&format!("{{\"entity\":{{\"any\":{text}}}}}"), values, &beside(None, &[]), false);
        }
        let mut far = absent;
        far[2] = Value::Date(i64::MAX);
        check(r#"{"entity":{"at":9223372036854775.807}}"#, far, &beside(None, &[]), false);
    }
}
