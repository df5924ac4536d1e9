//! The lines of a JSONL file, and the digest of what one says.

use std::io::{BufRead as _, BufReader};
use std::path::Path;

use super::content::Column;
use crate::digest::{RowDigest, Value, micros_text};
use crate::error::Result;
use crate::json;
use crate::schema::Type;
use crate::storage;

/// What a row has beside its declared columns.
pub(super) struct Beside<'a> {
    pub(super) created: Option<i64>,
    /// The milliseconds of its required dates: one may stand for the store's time.
    pub(super) dates: Vec<i64>,
    pub(super) extra: Option<&'a str>,
}

/// The digest of a line `{"entity":{…},"createdAt":ms}`; `None` when it is no such line, or says
/// more than the row. A line that is no UTF-8 is none.
pub(super) fn line_digest(
    digest: &mut RowDigest,
    declared: &[Column],
    line: &[u8],
    expected: &Beside<'_>,
) -> Option<u128> {
    let line = std::str::from_utf8(line).ok()?;
    let members = json::members(line).ok()?;
    let (mut entity, mut created) = (None, None);
    for (name, value) in &members {
        match name.as_ref() {
            "entity" if entity.is_none() => entity = Some(*value),
            "createdAt" if created.is_none() => created = Some(value.parse::<i64>().ok()?),
            _ => return None,
        }
    }
    let is_right = match (expected.created, created) {
        (None, Some(created)) => expected.dates.contains(&created),
        (wanted, found) => wanted == found,
    };
    if !is_right {
        return None;
    }
    let fields = json::members(entity?).ok()?;
    let extra = expected.extra.map_or(Some(Vec::new()), |extra| json::members(extra).ok())?;
    let mut found: Vec<(&str, Given<'_>)> = Vec::new();
    for (name, value) in &fields {
        match declared.iter().find(|(column, _)| column.as_str() == name.as_ref()) {
            Some((column, _)) if found.iter().any(|(other, _)| other == column) => return None,
            Some((column, ty)) => found.push((column, given(value, *ty)?)),
            // What the columns do not hold stands in `_extra`, as it is but on one line.
            None => {
                let is_it = |text: &str| text.replace(['\n', '\r'], " ") == **value;
                extra.iter().find(|(known, text)| known == name && is_it(text))?;
            }
        }
    }
    // And nothing stands there that the line lacks; a declared name is the column's business.
    let is_declared = |name: &str| declared.iter().any(|(column, _)| column == name);
    let is_written = |name: &str| fields.iter().any(|(field, _)| field == name);
    if extra.iter().any(|(name, _)| !is_declared(name) && !is_written(name)) {
        return None;
    }
    Some(digest.of(found.iter().map(|(name, given)| (*name, given.value()))))
}

/// A value out of a line.
pub(super) enum Given<'a> {
    Text(std::borrow::Cow<'a, str>),
    Plain(Value<'a>),
}

impl Given<'_> {
    pub(super) fn value(&self) -> Value<'_> {
        match self {
            Given::Text(text) => Value::Text(text),
            Given::Plain(value) => *value,
        }
    }
}

/// A member of a line as a contract's type has it; `None` when it does not fit.
pub(super) fn given(text: &str, ty: Type) -> Option<Given<'_>> {
    if text == "null" {
        return Some(Given::Plain(Value::Absent));
    }
    Some(match ty {
        Type::String => Given::Text(json::string(text)?),
        Type::Any => Given::Plain(Value::Json(text)),
        Type::Number => Given::Plain(Value::Number(text.parse().ok()?)),
        Type::Boolean => Given::Plain(Value::Boolean(text.parse().ok()?)),
        Type::Date => Given::Plain(Value::Date(match json::string(text) {
            Some(text) => moment(&text)?,
            None => millis(text)?,
        })),
    })
}

/// The microseconds of a number of milliseconds, which may have three decimals.
fn millis(text: &str) -> Option<i64> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "000"));
    let decimals = Some(decimals).filter(|digits| digits.len() == 3)?.parse::<u32>().ok()?;
    let micros = whole.parse::<i64>().ok()?.checked_mul(1000)?;
    let sign = if whole.starts_with('-') { -1 } else { 1 };
    micros.checked_add(sign * i64::from(decimals))
}

/// The microseconds of an ISO moment in UTC.
fn moment(text: &str) -> Option<i64> {
    let form = "%Y-%m-%dT%H:%M:%S%.fZ";
    let moment = chrono::NaiveDateTime::parse_from_str(text, form).ok()?;
    let micros = moment.and_utc().timestamp_micros();
    // Nothing may hide below a microsecond.
    let exact = moment.and_utc().timestamp_subsec_nanos().is_multiple_of(1000);
    (exact && (micros_text(micros) == text || !text.contains('+'))).then_some(micros)
}

/// The lines of a file, some in memory at a time.
pub(super) struct Lines {
    reader: Option<BufReader<std::fs::File>>,
    path: std::path::PathBuf,
}

impl Lines {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = if path.exists() { Some(storage::open(path)?) } else { None };
        let reader = file.map(|file| BufReader::with_capacity(1 << 18, file));
        Ok(Self { reader, path: path.to_owned() })
    }

    /// The next lines, as many as are left of so many.
    pub(super) fn next(&mut self, count: usize) -> Result<Block> {
        let mut block = Block::default();
        let Some(reader) = &mut self.reader else { return Ok(block) };
        for _ in 0..count {
            let read = reader
                .read_until(b'\n', &mut block.bytes)
                .map_err(|error| storage::failed(&self.path, error))?;
            if read == 0 {
                break;
            }
            block.ends.push(block.bytes.len());
        }
        Ok(block)
    }

    /// How many lines are left.
    pub(super) fn rest(&mut self) -> Result<u64> {
        let mut lines = 0;
        loop {
            match self.next(1)?.ends.len() {
                0 => return Ok(lines),
                _ => lines += 1,
            }
        }
    }
}

/// Lines that follow each other.
#[derive(Default)]
pub(super) struct Block {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Block {
    /// A line without its end.
    pub(super) fn line(&self, at: usize) -> Option<&[u8]> {
        let end = *self.ends.get(at)?;
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        let line = &self.bytes[start..end];
        Some(line.strip_suffix(b"\n").unwrap_or(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_to_the_microsecond() {
        let cases = [
            ("1970-01-01T00:00:00.000001Z", Some(1)),
            ("1970-01-01T00:00:00.001Z", Some(1000)),
            ("1970-01-01T00:00:01Z", Some(1_000_000)),
            ("1969-12-31T23:59:59.999999Z", Some(-1)),
            ("1970-01-01T00:00:00.0000001Z", None),
            ("1970-01-01", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(moment(text), expected, "{text}");
        }
    }

    #[test]
    fn a_line_says_what_its_row_says() {
        let declared = vec![
            ("id".to_owned(), Type::String),
            ("n".to_owned(), Type::Number),
            ("at".to_owned(), Type::Date),
        ];
        let mut digest = RowDigest::default();
        let row = digest.of([
            ("id", Value::Text("x")),
            ("n", Value::Number(1.0)),
            ("at", Value::Date(1000)),
        ]);
        let beside = Beside { created: Some(7), dates: Vec::new(), extra: Some(r#"{"z":[1]}"#) };
        let mut check = |line: &str, same: bool| {
            let found = line_digest(&mut digest, &declared, line.as_bytes(), &beside);
            assert_eq!(found == Some(row), same, "{line}");
        };
        check(
            r#"{"entity":{"id":"x","n":1,"at":"1970-01-01T00:00:00.001000Z","z":[1]},"createdAt":7}"#,
            true,
        );
        check(r#"{"entity":{"id":"x","n":1.0,"at":1.000,"z":[1]},"createdAt":7}"#, true);
        check(r#"{"entity":{"id":"x","n":1.0,"at":1},"createdAt":7}"#, false);
        check(r#"{"entity":{"id":"x","n":1.0,"at":1,"z":[1]},"createdAt":7}"#, true);
        check(r#"{"entity":{"id":"x","n":1,"at":1},"createdAt":8}"#, false);
        check(r#"{"entity":{"id":"x","n":1,"at":2},"createdAt":7}"#, false);
        check(r#"{"entity":{"id":"x","n":1,"at":1,"y":2},"createdAt":7}"#, false);
        check(r#"{"entity":{"id":"x","n":1,"at":1,"n":1},"createdAt":7}"#, false);
        check(r#"{"entity":{"id":"x","n":"1","at":1},"createdAt":7}"#, false);
        check(r#"{"entity":{"id":"x","at":1},"createdAt":7}"#, false);
        check("", false);
    }
}
