//! Values as the server keeps them: both sides are compared in this form.
//!
//! What is made alike on both sides, since the server stores it so (`INSTANTDB` §2.4, §2.5):
//!
//! - absent and null;
//! - numbers by value; decimals within JSON as the double they become;
//! - dates by moment, whether they stand as text or as a number;
//! - objects: their order, blanks, and of a key that stands twice the last one;
//! - texts that look like a UUID, wherever they stand as a value: in lower case;
//! - links as ids in lower case.

use std::borrow::Cow;

use crate::digest::{self, RowDigest};
use crate::json;
use crate::snapshot;
use crate::target::{ColumnKind, Value};

/// A value as the server keeps it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Normal<'a> {
    Absent,
    Text(Cow<'a, str>),
    Number(f64),
    Boolean(bool),
    Date(i64),
    Json(Cow<'a, str>),
}

impl Normal<'_> {
    pub(super) fn logical(&self) -> digest::Value<'_> {
        match self {
            Normal::Absent => digest::Value::Absent,
            Normal::Text(text) => digest::Value::Text(text),
            Normal::Number(number) => digest::Value::Number(*number),
            Normal::Boolean(value) => digest::Value::Boolean(*value),
            Normal::Date(micros) => digest::Value::Date(*micros),
            Normal::Json(text) => digest::Value::Json(text),
        }
    }

    /// The digest of the value alone.
    pub(super) fn digest(&self) -> u128 {
        RowDigest::default().of([("", self.logical())])
    }
}

/// A value of the bundle.
pub(super) fn ours(value: Value<'_>) -> Normal<'_> {
    match value {
        Value::Null | Value::Whole(_) | Value::Json("null") => Normal::Absent,
        Value::Text(text) => Normal::Text(lower(text)),
        Value::Number(number) => Normal::Number(number),
        Value::Boolean(value) => Normal::Boolean(value),
        Value::Date(micros) => Normal::Date(micros),
        Value::Json(text) => Normal::Json(json_normal(text)),
    }
}

/// A value of the app, by what its column holds; one of another kind is the JSON it is.
pub(super) fn theirs(raw: &str, kind: ColumnKind) -> Normal<'_> {
    let raw = raw.trim_matches([' ', '\t', '\r', '\n']);
    if raw == "null" {
        return Normal::Absent;
    }
    let exact = |date: snapshot::ParsedDate| date.exact.then_some(Normal::Date(date.micros));
    let known = match kind {
        ColumnKind::Text => json::string(raw).map(|text| match text {
            Cow::Borrowed(text) => Normal::Text(lower(text)),
            Cow::Owned(text) => Normal::Text(Cow::Owned(lower(&text).into_owned())),
        }),
        ColumnKind::Number if !raw.starts_with('"') => raw.parse().ok().map(Normal::Number),
        ColumnKind::Boolean => raw.parse().ok().map(Normal::Boolean),
        ColumnKind::Date => match json::string(raw) {
            Some(text) => snapshot::parse_date(&text).and_then(exact),
            None => snapshot::number_date(raw).and_then(exact),
        },
        _ => None,
    };
    known.unwrap_or_else(|| Normal::Json(json_normal(raw)))
}

/// A text that looks like a UUID in lower case; any other one as it is.
pub(super) fn lower(text: &str) -> Cow<'_, str> {
    let is_upper = text.len() == 36 && text.bytes().any(|byte| byte.is_ascii_uppercase());
    if is_upper && uuid::Uuid::try_parse(text).is_ok() {
        return Cow::Owned(text.to_ascii_lowercase());
    }
    Cow::Borrowed(text)
}

/// An id as the server takes it: 36 characters, in lower case.
pub(super) fn id(text: &str) -> Option<String> {
    let is_id = text.len() == 36 && uuid::Uuid::try_parse(text).is_ok();
    is_id.then(|| text.to_ascii_lowercase())
}

/// JSON as the server keeps it; what has no canonical form as it is.
fn json_normal(text: &str) -> Cow<'_, str> {
    let doubled = with_doubles(text);
    let mut out = Vec::with_capacity(text.len());
    if json::canonical(&doubled, &mut out).is_err() {
        return Cow::Borrowed(text);
    }
    let kept = String::from_utf8(out).map(|canonical| as_kept(&canonical));
    kept.map_or(Cow::Borrowed(text), Cow::Owned)
}

/// The end of the string that begins at a quote: the place of its closing quote.
pub(super) fn string_end(bytes: &[u8], quote: usize) -> usize {
    let mut at = quote + 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at.min(bytes.len())
}

/// Every decimal number as the double it becomes.
fn with_doubles(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let (mut out, mut plain, mut at) = (String::new(), 0, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => at = string_end(bytes, at) + 1,
            b'-' | b'0'..=b'9' => {
                let is_part =
                    |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
                let length = bytes[at..].iter().take_while(|byte| is_part(byte)).count();
                let token = &text[at..at + length];
                let number = token.contains(['.', 'e', 'E']).then(|| token.parse::<f64>());
                if let Some(Ok(number)) = number.filter(|n| n.as_ref().is_ok_and(|n| n.is_finite()))
                {
                    out.push_str(&text[plain..at]);
                    out.push_str(&format!("{number:e}"));
                    plain = at + length;
                }
                at += length;
            }
            _ => at += 1,
        }
    }
    if plain == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[plain..]);
    Cow::Owned(out)
}

/// An open container of a canonical text.
struct Open<'t> {
    is_object: bool,
    /// The last key, and where its member begins in what was written.
    key: Option<&'t str>,
    start: usize,
    awaits_key: bool,
}

/// A canonical text with the last of members with the same key, and UUIDs in lower case.
fn as_kept(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    let mut open: Vec<Open<'_>> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        if byte == b'"' {
            let end = string_end(bytes, at) + 1;
            put_string(&text[at..end], &mut open, &mut out);
            at = end;
            continue;
        }
        match byte {
            b'{' | b'[' => {
                let is_object = byte == b'{';
                let start = out.len() + 1;
                open.push(Open { is_object, key: None, start, awaits_key: is_object });
            }
            b'}' | b']' => drop(open.pop()),
            b',' => {
                if let Some(last) = open.last_mut() {
                    last.awaits_key = last.is_object;
                }
            }
            _ => {}
        }
        // Outside of strings, canonical JSON is ASCII.
        out.push(char::from(byte));
        at += 1;
    }
    out
}

fn put_string<'t>(quoted: &'t str, open: &mut [Open<'t>], out: &mut String) {
    let Some(object) = open.last_mut().filter(|open| open.awaits_key) else {
        let inner = &quoted[1..quoted.len() - 1];
        out.push('"');
        out.push_str(&lower(inner));
        out.push('"');
        return;
    };
    if object.key == Some(quoted) {
        out.truncate(object.start);
    } else {
        object.start = out.len();
        object.key = Some(quoted);
    }
    object.awaits_key = false;
    out.push_str(quoted);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ours_: Value<'_>, raw: &str, kind: ColumnKind, same: bool) {
        let (a, b) = (ours(ours_).digest(), theirs(raw, kind).digest());
        assert_eq!(a == b, same, "{ours_:?} {raw}");
    }

    #[test]
    fn both_sides_are_alike_where_the_server_makes_them_so() {
        use ColumnKind::{Boolean, Date, Json, Number, Text};
        let upper = "ABCDEF00-0000-4000-8000-00000000000A";
        check(Value::Null, "null", Text, true);
        check(Value::Text(""), "null", Text, false);
        check(Value::Text(upper), "\"abcdef00-0000-4000-8000-00000000000a\"", Text, true);
        check(Value::Text("ABC"), "\"abc\"", Text, false);
        check(Value::Text("1"), "1", Text, false);
        check(Value::Number(1.0), "1.0", Number, true);
        check(Value::Number(1e10), "10000000000", Number, true);
        check(Value::Number(1.0), "\"1\"", Number, false);
        check(Value::Boolean(true), "true", Boolean, true);
        check(Value::Date(1500), "1.5", Date, true);
        check(Value::Date(1500), "\"1970-01-01T00:00:00.001500Z\"", Date, true);
        check(Value::Date(1500), "\"1970-01-01T02:00:00.0015+02:00\"", Date, true);
        check(Value::Date(1500), "\"1970-01-01T00:00:00.0015001Z\"", Date, false);
        check(Value::Date(1500), "\"soon\"", Date, false);
        check(Value::Json("null"), "null", Json, true);
        check(Value::Json("{\"b\":1,\"a\":[1.0,{}]}"), "{\"a\":[1,{}],\"b\":1}", Json, true);
        check(Value::Json("{\"a\":1,\"b\":[2],\"a\":3}"), "{\"a\":3,\"b\":[2]}", Json, true);
        check(
            Value::Json("{\"a\":{\"x\":1,\"x\":[]},\"a\":{\"y\":1,\"y\":{}},\"c\":0}"),
            "{\"a\":{\"y\":{}},\"c\":0}",
            Json,
            true,
        );
        check(Value::Json("0.1000000000000000055"), "0.1", Json, true);
        check(Value::Json("123456789012345678901"), "123456789012345678902", Json, false);
        let nested = format!("{{\"k\":[\"{upper}\"]}}");
        check(Value::Json(&nested), &nested.to_lowercase(), Json, true);
        check(Value::Json("[\"\\u0041\"]"), "[\"A\"]", Json, true);
        check(Value::Json("[]"), "{}", Json, false);
    }

    #[test]
    fn hostile_texts_are_no_trouble() {
        for text in ["\"\\", "{\"a\":", "[[[", "\"\\ud800\"", "-", "1e999", "{\"a\":1,\"a\"}"] {
            ours(Value::Json(text)).digest();
            theirs(text, ColumnKind::Json).digest();
        }
        let deep = "[".repeat(100_000);
        ours(Value::Json(&deep)).digest();
    }
}
