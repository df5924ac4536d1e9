//! What a value must be for InstantDB's restore to take it (INSTANTDB §1.7, §2.4 to §2.6).
//!
//! Everything looks at the JSON text that goes into the archive, once, without recursion.

use uuid::Uuid;

use crate::json::{self, AsDouble};
use crate::schema::{Attr, Type};
use crate::snapshot::parse_date;

/// The longest indexed or unique string: `pg_column_size(jsonb) <= 1024`, of which 12 are its own.
pub(super) const INDEXED: usize = crate::instantdb::MOST_INDEXED;
/// The most bytes an indexed JSON value may have as `jsonb`.
const INDEXED_JSONB: usize = 1024;
/// The most characters a string may have: Jackson's limit, in UTF-16 units.
const LONGEST: usize = 20_000_000;
/// The deepest a line may be nested: Jackson's limit.
const DEEPEST: usize = 1000;
/// The levels of a line above a value: the line itself and its `entity`.
const ABOVE: usize = 2;

/// An id as the server takes it: 36 characters that are a UUID.
pub(super) fn uuid(text: &str) -> Option<u128> {
    (text.len() == 36).then(|| Uuid::try_parse(text).ok()).flatten().map(|id| id.as_u128())
}

/// What is wrong with the text of a value, whatever its attribute.
pub(super) fn text_fault(raw: &str) -> Option<&'static str> {
    Scan::default().run(raw.as_bytes())
}

/// What is wrong with a value of an attribute.
pub(super) fn attr_fault(attr: &Attr, raw: &str) -> Option<&'static str> {
    if raw == "null" {
        return attr.required.then_some("a required value is missing");
    }
    if !is_of(attr.ty, raw) {
        return Some("the value is not of the attribute's type");
    }
    if !(attr.indexed || attr.unique) {
        return None;
    }
    match json::string(raw) {
        Some(text) if text.len() > INDEXED => {
            Some("an indexed or unique text is longer than 1,012 bytes")
        }
        None if jsonb_size(raw) > INDEXED_JSONB => {
            Some("an indexed or unique JSON value is larger than 1,024 bytes")
        }
        _ => None,
    }
}

fn is_of(ty: Type, raw: &str) -> bool {
    let is_number = || raw.starts_with(|c: char| c == '-' || c.is_ascii_digit());
    match ty {
        Type::Any => true,
        Type::String => raw.starts_with('"'),
        Type::Boolean => matches!(raw, "true" | "false"),
        // PostgreSQL's calendar has no year 0.
        Type::Date if raw.starts_with('"') => json::string(raw)
            .is_some_and(|text| !text.starts_with("0000-") && parse_date(&text).is_some()),
        Type::Number | Type::Date => is_number(),
    }
}

/// The bytes of a JSON value as `PostgreSQL`'s `jsonb`, counted from above: a header a container and
/// a scalar, alignment, and two bytes every four digits. Exact for a string.
fn jsonb_size(raw: &str) -> usize {
    let bytes = raw.as_bytes();
    let (mut at, mut size) = (0, 8);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                let end = string_end(bytes, at);
                size += 4 + json::string(&raw[at..end]).map_or(end - at, |text| text.len());
                at = end;
            }
            b'{' | b'[' => {
                size += 4 + 4 + 3;
                at += 1;
            }
            b't' | b'f' | b'n' => {
                size += 4;
                at += if bytes[at] == b'f' { 5 } else { 4 };
            }
            b'-' | b'0'..=b'9' => {
                let rest = &bytes[at..];
                let is_end = |byte: &u8| matches!(byte, b',' | b']' | b'}' | b' ' | b'\t');
                let end = rest.iter().position(is_end).unwrap_or(rest.len());
                size += 4 + 3 + 8 + 2 * (end / 4 + 2);
                at += end;
            }
            _ => at += 1,
        }
    }
    size
}

/// The byte behind a string that begins at `start`.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(found) = memchr::memchr2(b'"', b'\\', &bytes[at..]) {
        at += found + 1;
        if bytes[at - 1] == b'"' {
            return at;
        }
        at += 1;
        if at >= bytes.len() {
            break;
        }
    }
    bytes.len()
}

/// One look over the text of a JSON value.
#[derive(Debug, Default)]
struct Scan {
    depth: usize,
}

impl Scan {
    fn run(mut self, bytes: &[u8]) -> Option<&'static str> {
        let mut at = 0;
        while at < bytes.len() {
            match bytes[at] {
                b'"' => {
                    let end = string_end(bytes, at);
                    if let Some(fault) = string_fault(&bytes[at + 1..end.max(at + 2) - 1]) {
                        return Some(fault);
                    }
                    at = end;
                    continue;
                }
                b'{' | b'[' => self.depth += 1,
                b'-' | b'0'..=b'9' => {
                    let token = json::number_at(&bytes[at..]);
                    if json::as_double(token) == AsDouble::Beyond {
                        return Some("the JSON holds a number beyond any double");
                    }
                    at += token.len();
                    continue;
                }
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
            if self.depth + ABOVE > DEEPEST {
                return Some("the JSON is nested deeper than 1,000 levels");
            }
            at += 1;
        }
        None
    }
}

/// What is wrong with the inside of a string.
fn string_fault(inside: &[u8]) -> Option<&'static str> {
    const LONE: &str = "a text holds a lone surrogate";
    let mut at = 0;
    let mut high = false;
    while let Some(found) = memchr::memchr(b'\\', &inside[at..]) {
        if high && found > 0 {
            return Some(LONE);
        }
        at += found;
        let code = unicode_escape(&inside[at..]);
        let is_low = code.is_some_and(|code| (0xdc00..0xe000).contains(&code));
        if high != is_low {
            return Some(LONE);
        }
        if code == Some(0) {
            return Some("a text holds a NUL character");
        }
        high = code.is_some_and(|code| (0xd800..0xdc00).contains(&code));
        at = (at + if code.is_some() { 6 } else { 2 }).min(inside.len());
    }
    if high {
        return Some(LONE);
    }
    let is_long = inside.len() > LONGEST && utf16_units(inside) > LONGEST;
    is_long.then_some("a text is longer than 20,000,000 characters")
}

fn unicode_escape(text: &[u8]) -> Option<u32> {
    let digits = text.strip_prefix(b"\\u")?.get(..4)?;
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// The length of a string's inside in UTF-16 units, as Java counts it; an escape is one.
fn utf16_units(inside: &[u8]) -> usize {
    let (mut units, mut at) = (0, 0);
    while at < inside.len() {
        let (step, more) = match inside[at] {
            b'\\' if inside.get(at + 1) == Some(&b'u') => (6, 1),
            b'\\' => (2, 1),
            0x00..=0x7f => (1, 1),
            0xf0.. => (4, 2),
            0xe0.. => (3, 1),
            _ => (2, 1),
        };
        at += step;
        units += more;
    }
    units
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_uuids_of_36_characters() {
        let id = "00000001-0000-4000-8000-000000000001";
        assert!(uuid(id).is_some());
        assert_eq!(uuid(&id.to_uppercase()), uuid(id));
        for text in ["", "thread_1", &format!("{{{id}}}"), &id.replace('-', ""), &id[..35]] {
            assert_eq!(uuid(text), None, "{text}");
        }
    }

    fn check(raw: &str, expected: Option<&str>) {
        assert_eq!(text_fault(raw), expected, "{}", &raw[..raw.len().min(80)]);
    }

    #[test]
    fn texts_that_the_server_cannot_hold_are_found() {
        let nul = Some("a text holds a NUL character");
        let lone = Some("a text holds a lone surrogate");
        check(r#""a\\u0000\ud83d\ude00\n\"""#, None);
        check(r#"{"a":["\u0000"]}"#, nul);
        check(r#"{"\u0000":1}"#, nul);
        check(r#""\\\u0000""#, nul);
        check(r#""\ud83d""#, lone);
        check(r#""\ud83d \ude00""#, lone);
        check(r#""\ude00""#, lone);
        check(r#""\ud83d\ud83d\ude00""#, lone);
        check(r#""\ud83d\n""#, lone);
        check("[1e309]", Some("the JSON holds a number beyond any double"));
        check("[\"1e309\",-1.5e3]", None);
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        check(&nested(998), None);
        check(&nested(999), Some("the JSON is nested deeper than 1,000 levels"));
        check(&format!("\"{}\"", "[".repeat(5000)), None);
        check(&format!("\"{}\"", "é".repeat(20_000_000)), None);
        let long = Some("a text is longer than 20,000,000 characters");
        check(&format!("\"{}\"", "a".repeat(20_000_001)), long);
        check(&format!("\"{}\"", "😀".repeat(10_000_001)), long);
    }

    fn check_value(flags: &str, ty: Type, raw: &str, expected: Option<&str>) {
        let is = |flag| flags.contains(flag);
        let (required, unique, indexed) = (is('!'), is('*'), is('^'));
        let attr = Attr { name: "a".to_owned(), ty, required, unique, indexed };
        assert_eq!(attr_fault(&attr, raw), expected, "{ty:?} {}", &raw[..raw.len().min(80)]);
    }

    #[test]
    fn values_fit_their_attributes() {
        let wrong = Some("the value is not of the attribute's type");
        let long = Some("an indexed or unique text is longer than 1,012 bytes");
        let large = Some("an indexed or unique JSON value is larger than 1,024 bytes");
        check_value("!", Type::String, "null", Some("a required value is missing"));
        check_value("^", Type::String, "null", None);
        for (ty, good, bad) in [
            (Type::String, "\"1\"", "1"),
            (Type::Number, "-1.5e3", "\"1\""),
            (Type::Boolean, "true", "\"true\""),
            (Type::Date, "\"2024-01-02T03:04:05.000Z\"", "\"tomorrow\""),
            (Type::Date, "1704164645678", "true"),
            (Type::Date, "-1.5", "\"0000-01-01T00:00:00.000Z\""),
        ] {
            check_value("", ty, good, None);
            check_value("", ty, bad, wrong);
        }
        let text = |bytes: usize| format!("\"{}\"", "é".repeat(bytes / 2));
        check_value("^", Type::String, &text(1012), None);
        check_value("^", Type::String, &text(1014), long);
        check_value("*", Type::Any, &text(1014), long);
        check_value("", Type::String, &text(1014), None);
        check_value("^", Type::Any, "{\"a\":[1,null,true]}", None);
        check_value("^", Type::Any, &format!("[{}]", text(1014)), large);
        check_value("^", Type::Any, &format!("[{}1]", "1,".repeat(500)), large);
    }
}
