//! JSON as the text it is: the members of one object, a value at a path, and a canonical form.
//!
//! Payloads are hostile: any Unicode, lone surrogates, numbers past 2^53, thousands of levels.
//! Nothing here recurses, and nothing rebuilds a payload that is carried on.

mod canonical;
mod object;
mod scan;

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer as _;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

pub use canonical::{NotCanonical, canonical, write_number};
pub use object::{Object, has_content, is_object};
pub use scan::{Member, Scan};

/// The deepest nesting a value may have: InstantDB's own reader stops there (`INSTANTDB` limits).
pub const MAX_DEPTH: usize = 1000;

/// The members of a JSON object in their order: decoded key, value as the text it is.
///
/// # Errors
/// The text is no JSON object, or a key holds a lone surrogate.
pub fn members(text: &str) -> Result<Vec<(Cow<'_, str>, &str)>, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let members = reader.deserialize_map(Members)?;
    reader.end()?;
    Ok(members)
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(Cow<'de, str>, &'de str)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(key) = map.next_key_seed(Key)? {
            let value: &'de RawValue = map.next_value()?;
            members.push((key, value.get()));
        }
        Ok(members)
    }
}

struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}

/// Whether the text is one JSON value and nothing else (of any depth, lone surrogates allowed).
pub fn is_json(text: &str) -> bool {
    let mut reader = serde_json::Deserializer::from_str(text);
    reader.deserialize_ignored_any(IgnoredAny).is_ok() && reader.end().is_ok()
}

/// The elements of a JSON array as the texts they are.
///
/// # Errors
/// The text is no JSON array.
pub fn elements(text: &str) -> Result<Vec<&str>, serde_json::Error> {
    let values: Vec<&RawValue> = serde_json::from_str(text)?;
    Ok(values.into_iter().map(RawValue::get).collect())
}

/// A decoded JSON string; `None` for any other value and for one that is no UTF-8 text.
pub fn string(text: &str) -> Option<Cow<'_, str>> {
    let plain = text.strip_prefix('"')?.strip_suffix('"')?;
    if !plain.contains('\\') {
        return Some(Cow::Borrowed(plain));
    }
    serde_json::from_str::<String>(text).ok().map(Cow::Owned)
}

/// What escapes in the strings of a JSON text stand for, beyond what every store holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Escapes {
    /// U+0000.
    pub nul: bool,
    /// Half a surrogate pair.
    pub lone_surrogate: bool,
}

/// Looks through the escapes of a JSON text.
pub fn escapes(text: &str) -> Escapes {
    let bytes = text.as_bytes();
    let mut found = Escapes::default();
    let (mut from, mut high) = (0, None);
    while let Some(at) = memchr::memchr(b'\\', &bytes[from..]).map(|at| from + at) {
        let code = if bytes.get(at + 1) == Some(&b'u') { hex4(bytes, at + 2) } else { None };
        let follows = high.take() == Some(at);
        match code {
            Some(0) => found.nul = true,
            Some(0xdc00..=0xdfff) if follows => {
                from = at + 6;
                continue;
            }
            Some(0xdc00..=0xdfff) => found.lone_surrogate = true,
            Some(0xd800..=0xdbff) => high = Some(at + 6),
            _ => {}
        }
        // A high half that nothing followed is seen when the next escape, or the end, is reached.
        found.lone_surrogate |= follows;
        from = (at + if code.is_some() { 6 } else { 2 }).min(bytes.len());
        if high.is_some_and(|next| !bytes[next.min(bytes.len())..].starts_with(b"\\u")) {
            found.lone_surrogate = true;
            high = None;
        }
    }
    found
}

/// What becomes of a number in a store that keeps decimals as doubles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsDouble {
    /// The same: a whole number is kept as it is.
    Same,
    /// Digits are lost.
    Rounded,
    /// It is larger than any double.
    Beyond,
}

/// What becomes of a number, as JSON writes it, in a store that keeps decimals as doubles.
pub fn as_double(token: &str) -> AsDouble {
    if !token.contains(['.', 'e', 'E']) {
        return AsDouble::Same;
    }
    match token.parse::<f64>() {
        Ok(number) if !number.is_finite() => AsDouble::Beyond,
        Ok(number) if decimal(token) == decimal(&format!("{number:e}")) => AsDouble::Same,
        _ => AsDouble::Rounded,
    }
}

/// The digits of a number without zeros at either end, and the power of ten of the last one.
fn decimal(token: &str) -> (String, i64) {
    let (digits, power) = token.split_once(['e', 'E']).unwrap_or((token, "0"));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let digits: String = [whole, fraction].concat().chars().filter(char::is_ascii_digit).collect();
    let kept = digits.trim_end_matches('0');
    let power = power.trim_start_matches('+').parse::<i64>().unwrap_or(i64::MAX / 2);
    let places = |count: usize| i64::try_from(count).unwrap_or(i64::MAX / 4);
    let power = power - places(fraction.len()) + places(digits.len() - kept.len());
    let kept = kept.trim_start_matches('0');
    if kept.is_empty() { (String::new(), 0) } else { (kept.to_owned(), power) }
}

/// The number that bytes of a JSON text begin with.
pub fn number_at(bytes: &[u8]) -> &str {
    let is_part = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
    let length = bytes.iter().take_while(is_part).count();
    std::str::from_utf8(&bytes[..length]).unwrap_or_default()
}

fn hex4(bytes: &[u8], at: usize) -> Option<u32> {
    let digits = std::str::from_utf8(bytes.get(at..at + 4)?).ok()?;
    u32::from_str_radix(digits, 16).ok()
}

/// Appends a text as a JSON string.
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    loop {
        let length = scan::plain(rest);
        out.extend_from_slice(&rest[..length]);
        let Some(byte) = rest.get(length) else { break };
        write_escape(u32::from(*byte), out);
        rest = &rest[length + 1..];
    }
    out.push(b'"');
}

fn write_escape(code: u32, out: &mut Vec<u8>) {
    match code {
        0x22 => out.extend_from_slice(b"\\\""),
        0x5c => out.extend_from_slice(b"\\\\"),
        _ => {
            out.extend_from_slice(b"\\u");
            let digits =
                [12, 8, 4, 0].map(|shift| b"0123456789abcdef"[(code >> shift) as usize & 15]);
            out.extend_from_slice(&digits);
        }
    }
}

/// What stands at a path: only what means the same to every engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathValue {
    /// Nothing, null, a value of another kind, or an object with the key twice.
    Absent,
    /// A text.
    Text(String),
    /// A whole number.
    Whole(i64),
    /// True or false.
    Boolean(bool),
}

/// The value at a path of object keys.
pub fn at_path(text: &str, keys: &[String]) -> PathValue {
    let mut value = text;
    for key in keys {
        let Ok(found) = members(value) else { return PathValue::Absent };
        let mut hits = found.iter().filter(|(name, _)| name == key);
        let (Some((_, hit)), None) = (hits.next(), hits.next()) else { return PathValue::Absent };
        value = hit;
    }
    let value = value.trim_matches([' ', '\t', '\r', '\n']);
    match value {
        "true" => PathValue::Boolean(true),
        "false" => PathValue::Boolean(false),
        _ => match string(value) {
            Some(text) => PathValue::Text(text.into_owned()),
            None => value.parse().map_or(PathValue::Absent, PathValue::Whole),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_yields_scalars_under_unique_keys_only() {
        let title = ["title".to_owned()];
        let cases = [
            (r#"{"title":"a\u00e9"}"#, PathValue::Text("aé".into())),
            (r#"{"title": 7 }"#, PathValue::Whole(7)),
            (r#"{"title":true}"#, PathValue::Boolean(true)),
            (r#"{"title":1.5}"#, PathValue::Absent),
            (r#"{"title":null}"#, PathValue::Absent),
            (r#"{"title":"a","title":"b"}"#, PathValue::Absent),
            (r#"{"title":"\ud800"}"#, PathValue::Absent),
            ("[1]", PathValue::Absent),
            ("nonsense", PathValue::Absent),
        ];
        for (text, expected) in cases {
            assert_eq!(at_path(text, &title), expected, "{text}");
        }
    }

    #[test]
    fn decimals_that_a_double_does_not_hold_are_told() {
        for (token, expected) in [
            ("0", AsDouble::Same),
            ("123456789012345678901234567890", AsDouble::Same),
            ("0.1", AsDouble::Same),
            ("-12.50", AsDouble::Same),
            ("1E3", AsDouble::Same),
            ("100.0e-2", AsDouble::Same),
            ("0.000", AsDouble::Same),
            ("1.7976931348623157e308", AsDouble::Same),
            ("0.1234567890123456789", AsDouble::Rounded),
            ("12345678901234567890.5", AsDouble::Rounded),
            ("1e-400", AsDouble::Rounded),
            ("1e309", AsDouble::Beyond),
            ("-1e999999999999999999999", AsDouble::Beyond),
        ] {
            assert_eq!(as_double(token), expected, "{token}");
        }
        assert_eq!(number_at(b"-1.5e+3,"), "-1.5e+3");
    }

    #[test]
    fn escapes_are_told_from_escaped_backslashes() {
        let check = |text: &str, nul, lone_surrogate| {
            assert_eq!(escapes(text), Escapes { nul, lone_surrogate }, "{text}");
        };
        check(r#""plain \n \\ \" é""#, false, false);
        check(r#""\u0000""#, true, false);
        check(r#""\\u0000""#, false, false);
        check(r#""\\\u0000""#, true, false);
        check(r#""\ud83d\ude00""#, false, false);
        check(r#""\ud83d""#, false, true);
        check(r#""\ude00""#, false, true);
        check(r#""\ud83d\ud83d\ude00""#, false, true);
        check(r#""\ud83dx\ude00""#, false, true);
        check(r#""\ud83d\n""#, false, true);
        check(r#""\uD83D\uDE00\u0000""#, true, false);
        check(r#""\ud83d\u0041""#, false, true);
    }
}
