//! What the server can never hold, found before anything is sent (`INSTANTDB` §1.7, §2.4, §2.5).

use super::normal;
use crate::instantdb::MOST_INDEXED;
use crate::json::{self, AsDouble};
use crate::target::Value;

/// The most characters of a text.
const LONGEST: usize = 20_000_000;
/// The deepest a value may be nested: the server reads 1,000 levels of a whole request, in which a
/// value stands four levels deep.
const DEEPEST: usize = 996;
/// The most bytes of one row.
pub(super) const ROW_BYTES: usize = 128 << 20;
/// The most triples of one row.
pub(super) const ROW_TRIPLES: usize = 13_000;

/// Why the server cannot hold a value; `None` when nothing is known against it.
pub(super) fn refused(value: Value<'_>, is_indexed: bool) -> Option<&'static str> {
    let (text, looked) = match value {
        Value::Text(text) => (text, look_text(text)),
        Value::Json(text) => (text, look(text)),
        _ => return None,
    };
    match looked {
        _ if is_indexed && long(value, text) => {
            Some("has more than 1,012 bytes, and the attribute is indexed or unique")
        }
        Looked { has_nul: true, .. } => Some("holds a NUL character"),
        Looked { lone: true, .. } => Some("holds half of a surrogate pair"),
        Looked { is_beyond: true, .. } => Some("holds a number beyond any double"),
        Looked { depth, .. } if depth > DEEPEST => Some("is nested deeper than 996 levels"),
        Looked { longest, .. } if longest > LONGEST => {
            Some("holds a text of more than 20,000,000 characters")
        }
        _ => None,
    }
}

/// Whether a value is kept with fewer digits than it has.
pub(super) fn is_rounded(value: Value<'_>) -> bool {
    matches!(value, Value::Json(text) if look(text).is_rounded)
}

fn long(value: Value<'_>, text: &str) -> bool {
    match value {
        Value::Json(raw) => {
            crate::json::string(raw).map_or(raw.len(), |text| text.len()) > MOST_INDEXED
        }
        _ => text.len() > MOST_INDEXED,
    }
}

/// What a value holds that the server minds.
#[derive(Debug, Default, PartialEq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a thing of its own")]
struct Looked {
    depth: usize,
    longest: usize,
    has_nul: bool,
    lone: bool,
    /// A number is larger than any double.
    is_beyond: bool,
    /// A decimal has digits that no double holds.
    is_rounded: bool,
}

fn look_text(text: &str) -> Looked {
    let longest = if text.len() > LONGEST { text.chars().count() } else { text.len() };
    Looked { longest, has_nul: text.contains('\0'), ..Looked::default() }
}

fn look(text: &str) -> Looked {
    let bytes = text.as_bytes();
    let (mut looked, mut depth, mut at) = (Looked::default(), 0_usize, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => {
                let end = normal::string_end(bytes, at);
                look_string(&bytes[at + 1..end.max(at + 1)], &mut looked);
                at = end;
            }
            b'-' | b'0'..=b'9' => {
                let token = json::number_at(&bytes[at..]);
                match json::as_double(token) {
                    AsDouble::Same => {}
                    AsDouble::Rounded => looked.is_rounded = true,
                    AsDouble::Beyond => looked.is_beyond = true,
                }
                at += token.len() - 1;
            }
            _ => {}
        }
        looked.depth = looked.depth.max(depth);
        at += 1;
    }
    looked
}

fn look_string(inner: &[u8], looked: &mut Looked) {
    let length = if inner.len() > LONGEST {
        inner.iter().filter(|byte| **byte & 0xc0 != 0x80).count()
    } else {
        inner.len()
    };
    looked.longest = looked.longest.max(length);
    let mut rest = inner;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        rest = &rest[at..];
        let Some(code) = escape(rest) else {
            rest = rest.get(2..).unwrap_or_default();
            continue;
        };
        rest = &rest[6..];
        match code {
            0 => looked.has_nul = true,
            0xd800..0xdc00 if matches!(escape(rest), Some(0xdc00..0xe000)) => rest = &rest[6..],
            0xd800..0xe000 => looked.lone = true,
            _ => {}
        }
    }
}

/// The code of a `\u` escape that the bytes begin with.
fn escape(bytes: &[u8]) -> Option<u32> {
    let digits = bytes.strip_prefix(b"\\u")?.get(..4)?;
    digits
        .iter()
        .try_fold(0, |code, digit| char::from(*digit).to_digit(16).map(|value| code * 16 + value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: Value<'_>, is_indexed: bool, expect: &str) {
        let found = refused(value, is_indexed).unwrap_or("fine");
        assert!(found.contains(expect), "{found} / {expect}");
    }

    #[test]
    fn limits() {
        check(Value::Text(&"é".repeat(506)), true, "fine");
        check(Value::Text(&"é".repeat(507)), true, "1,012");
        check(Value::Text(&"é".repeat(507)), false, "fine");
        check(Value::Text("a\0b"), false, "NUL");
        check(Value::Json("{\"\\u0000\":1}"), false, "NUL");
        check(Value::Json("\"\\\\u0000\""), false, "fine");
        check(Value::Json("[\"\\ud83d\\ude00\"]"), false, "fine");
        check(Value::Json("[\"\\ud83d\"]"), false, "surrogate");
        check(Value::Json("[\"\\ude00\\ud83d\"]"), false, "surrogate");
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        check(Value::Json(&nested(996)), false, "fine");
        check(Value::Json(&nested(997)), false, "levels");
        check(Value::Json("[1e309]"), false, "double");
        check(Value::Json("{\"a\":[-1e308,\"1e309\"]}"), false, "fine");
        assert!(is_rounded(Value::Json("[0.1234567890123456789]")));
        assert!(!is_rounded(Value::Json("[0.1,\"0.1234567890123456789\"]")));
        check(Value::Text(&"a".repeat(20_000_000)), false, "fine");
        check(Value::Json(&format!("\"{}\"", "a".repeat(20_000_001))), false, "characters");
        check(Value::Json("\"\\"), false, "fine");
    }
}
