//! Ids and values as small keys of a fixed size.

use std::hash::{DefaultHasher, Hasher as _};

use uuid::Uuid;

use crate::digest::Value;
use crate::error::printable;

/// The key of no id.
pub(super) const NONE: u128 = 0;

/// The key of an id: a UUID is its own number, any other text a 128-bit hash. Never [`NONE`].
pub(super) fn id_key(text: &str) -> u128 {
    uuid(text).filter(|key| *key != NONE).unwrap_or_else(|| hash128(text.as_bytes()) | 1)
}

/// The key of an id that may be absent; one of blanks alone is.
pub(super) fn link_key(text: Option<&str>) -> u128 {
    text.filter(|text| !is_blank(text)).map_or(NONE, id_key)
}

/// The number of a UUID of 36 characters, in either case.
pub(super) fn uuid(text: &str) -> Option<u128> {
    let bytes = text.as_bytes();
    if bytes.len() != 36 {
        return None;
    }
    let mut number = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 8 | 13 | 18 | 23) {
            if *byte != b'-' {
                return None;
            }
            continue;
        }
        number = number << 4 | u128::from(char::from(*byte).to_digit(16)?);
    }
    Some(number)
}

/// Whether a text is a UUID in lower case.
pub(super) fn is_lower_uuid(text: &str) -> bool {
    uuid(text).is_some() && !text.bytes().any(|byte| byte.is_ascii_uppercase())
}

/// A UUID's number as its 36 characters.
pub(super) fn uuid_text(number: u128) -> String {
    Uuid::from_u128(number).hyphenated().to_string()
}

/// `uuid5(uuid5(NAMESPACE_URL, namespace), "<target>:<name>")`.
pub(super) fn derived(namespace: &str, target: &str, name: &str) -> u128 {
    let space = Uuid::new_v5(&Uuid::NAMESPACE_URL, namespace.as_bytes());
    Uuid::new_v5(&space, format!("{target}:{name}").as_bytes()).as_u128()
}

/// Whether a text is blanks alone: space, TAB, CR, LF.
pub(super) fn is_blank(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
}

/// A 128-bit hash of some bytes.
pub(super) fn hash128(bytes: &[u8]) -> u128 {
    u128::from(hash64(1, bytes)) << 64 | u128::from(hash64(2, bytes))
}

fn hash64(seed: u8, bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write_u8(seed);
    hasher.write(bytes);
    hasher.finish()
}

/// The hash of an absent value.
pub(super) const ABSENT: u64 = 0;

/// A value as a 64-bit hash to compare with another value of the same row: text and JSON by their
/// bytes, numbers and moments exactly. Only an absent value (or a JSON `null`) is [`ABSENT`].
pub(super) fn value_hash(value: Value<'_>) -> u64 {
    let hash = match value {
        Value::Absent | Value::Json("null") => return ABSENT,
        Value::Text(text) | Value::Json(text) => hash64(3, text.as_bytes()),
        Value::Number(number) => hash64(4, &(number + 0.0).to_bits().to_le_bytes()),
        Value::Boolean(value) => hash64(5, &[u8::from(value)]),
        Value::Date(micros) => hash64(6, &micros.to_le_bytes()),
    };
    hash.max(1)
}

/// As [`value_hash`], with 128 other bits.
pub(super) fn value_hash128(value: Value<'_>) -> u128 {
    match value {
        Value::Absent => NONE,
        Value::Text(text) | Value::Json(text) => hash128(text.as_bytes()),
        Value::Number(number) => hash128(&(number + 0.0).to_bits().to_le_bytes()),
        Value::Boolean(value) => hash128(&[u8::from(value)]),
        Value::Date(micros) => hash128(&micros.to_le_bytes()),
    }
}

/// A double as a number that sorts as it does.
pub(super) fn number_order(number: f64) -> u64 {
    let bits = (number + 0.0).to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

/// A whole number as one that sorts as it does and is not negative.
pub(super) fn whole_order(whole: i64) -> u64 {
    whole.cast_unsigned() ^ 1 << 63
}

/// A number as text, without a fraction when it is whole.
pub(super) fn number_text(number: f64) -> String {
    format!("{}", number + 0.0)
}

/// An id as a sample may show it.
pub(super) fn shown(id: Option<&str>) -> String {
    match id {
        None => "no id".to_owned(),
        Some(id) if id.chars().nth(64).is_some() => {
            format!("{}…", printable(&id.chars().take(64).collect::<String>()))
        }
        Some(id) => printable(id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_uuid_of_36_characters_or_a_text() {
        let lower = "0190a5b0-0000-7000-8000-00000000000a";
        assert_eq!(uuid(lower), Some(0x0190_a5b0_0000_7000_8000_0000_0000_000a));
        assert_eq!(id_key(lower), id_key(&lower.to_uppercase()));
        assert!(is_lower_uuid(lower) && !is_lower_uuid(&lower.to_uppercase()));
        assert_eq!(uuid_text(id_key(lower)), lower);
        for text in ["", "x", "0190a5b0000070008000000000000000000a", &format!("{{{lower}}}")] {
            assert_eq!(uuid(text), None, "{text}");
        }
        assert_ne!(id_key("00000000-0000-0000-0000-000000000000"), NONE);
    }

    #[test]
    fn derived_ids_can_be_computed_with_standard_tools() {
        // python: uuid5(uuid5(NAMESPACE_URL, "rethread:story-to-thread"), "thread_threads:x")
        let id = uuid_text(derived("rethread:story-to-thread", "thread_threads", "x"));
        assert_eq!(id, "b6b548b6-bfa8-52c8-9a04-4636e5ca281a");
    }

    #[test]
    fn hashes_tell_values_apart() {
        let values = [
            Value::Absent,
            Value::Text(""),
            Value::Text(" "),
            Value::Text("a"),
            Value::Number(1.0),
            Value::Boolean(true),
            Value::Date(1),
            Value::Date(1001),
        ];
        for (at, a) in values.iter().enumerate() {
            for b in &values[at + 1..] {
                assert_ne!(value_hash(*a), value_hash(*b), "{a:?} {b:?}");
            }
        }
        assert_eq!(value_hash(Value::Number(0.0)), value_hash(Value::Number(-0.0)));
        assert_eq!(value_hash(Value::Json("null")), ABSENT);
    }

    #[test]
    fn order_keys_sort_as_their_values_do() {
        let numbers = [f64::MIN, -1.5, -0.0, 0.5, 1.0, 1e300];
        assert!(numbers.windows(2).all(|pair| number_order(pair[0]) < number_order(pair[1])));
        let wholes = [i64::MIN, -1, 0, 1, i64::MAX];
        assert!(wholes.windows(2).all(|pair| whole_order(pair[0]) < whole_order(pair[1])));
    }
}
