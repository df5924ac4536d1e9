//! Ids and values as small keys of a fixed size.

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
    uuid_cased(text).map(|(number, _)| number)
}

/// The number of a UUID in lower case.
pub(super) fn lower_uuid(text: &str) -> Option<u128> {
    uuid_cased(text).filter(|(_, is_lower)| *is_lower).map(|(number, _)| number)
}

/// The number of a UUID, and whether it is in lower case.
pub(super) fn uuid_cased(text: &str) -> Option<(u128, bool)> {
    let b: &[u8; 36] = text.as_bytes().try_into().ok()?;
    if [b[8], b[13], b[18], b[23]] != *b"----" {
        return None;
    }
    let words = [
        hex8([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]])?,
        hex8([b[9], b[10], b[11], b[12], b[14], b[15], b[16], b[17]])?,
        hex8([b[19], b[20], b[21], b[22], b[24], b[25], b[26], b[27]])?,
        hex8([b[28], b[29], b[30], b[31], b[32], b[33], b[34], b[35]])?,
    ];
    let number = words.iter().fold(0, |number, (word, _)| number << 32 | u128::from(*word));
    Some((number, words.iter().all(|(_, is_lower)| *is_lower)))
}

/// The number that eight hexadecimal digits write, and whether they are in lower case.
fn hex8(digits: [u8; 8]) -> Option<(u32, bool)> {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let digits = u64::from_be_bytes(digits);
    // Letters have bit 6, and stand for nine more than their low half.
    let letters = digits >> 6 & EACH;
    let values = (digits & (0x0f * EACH)) + letters * 9;
    // Any other character is not what its value would be written as.
    let tens = (values + 6 * EACH) >> 4 & EACH;
    let written = values + 0x30 * EACH + tens * 39;
    if values & (0xf0 * EACH) != 0 || written != digits | letters << 5 {
        return None;
    }
    let pairs = (values | values >> 4) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs | pairs >> 8) & 0x0000_ffff_0000_ffff;
    let number = u32::try_from((fours | fours >> 16) & 0xffff_ffff).ok()?;
    Some((number, letters << 5 & !digits == 0))
}

/// Whether a text is a UUID in lower case.
pub(super) fn is_lower_uuid(text: &str) -> bool {
    lower_uuid(text).is_some()
}

/// A UUID's number as its 36 characters.
pub(super) fn uuid_text(number: u128) -> String {
    Uuid::from_u128(number).hyphenated().to_string()
}

/// The hash of a UUID's number as the text it is written as.
pub(super) fn uuid_hash(number: u128) -> u64 {
    let mut text = [0; 36];
    value_hash(Value::Text(Uuid::from_u128(number).hyphenated().encode_lower(&mut text)))
}

/// `uuid5(NAMESPACE_URL, namespace)`: what ids are derived in.
pub(super) fn space(namespace: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_URL, namespace.as_bytes())
}

/// `uuid5(space, "<target>:<name>")`.
pub(super) fn derived(space: &Uuid, target: &str, name: &str) -> u128 {
    Uuid::new_v5(space, format!("{target}:{name}").as_bytes()).as_u128()
}

/// Whether a text is blanks alone: space, TAB, CR, LF.
pub(super) fn is_blank(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
}

/// A 128-bit hash of some bytes.
pub(super) fn hash128(bytes: &[u8]) -> u128 {
    u128::from(hash64(1, bytes)) << 64 | u128::from(hash64(2, bytes))
}

/// Odd numbers without a pattern: digits of pi.
const PI: [u64; 4] =
    [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7345, 0xa409_3822_299f_31d1, 0x082e_fa98_ec4e_6c89];

/// A 64-bit hash of some bytes: 16 of them in one wide multiplication, folded.
///
/// It is fixed, so that the same bytes hash alike on every machine and thread. Two values that are
/// compared by it and differ by accident are taken for equal once in 2^64; where values of many
/// rows are told apart ([`value_hash128`], ids that are no UUID), 128 bits are.
fn hash64(seed: u8, bytes: &[u8]) -> u64 {
    let mut state = PI[0].wrapping_mul(u64::from(seed) * 2 + 1);
    let (blocks, rest) = bytes.as_chunks::<16>();
    for block in blocks {
        state = block_mix(state, block);
    }
    let mut last = [0; 16];
    last[..rest.len()].copy_from_slice(rest);
    state = block_mix(state, &last);
    mix(state ^ PI[2], bytes.len() as u64 ^ PI[3])
}

fn block_mix(state: u64, block: &[u8; 16]) -> u64 {
    let block = u128::from_le_bytes(*block);
    let (low, high) = (low_half(block), low_half(block >> 64));
    // What stood before stays in it whatever the block is.
    mix(low ^ PI[1], high ^ state) ^ state.rotate_left(23)
}

/// Both halves of a product, folded: every bit of it depends on all bits of both numbers.
pub(super) fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    low_half(product) ^ low_half(product >> 64)
}

/// The low half of a wide number.
#[allow(clippy::cast_possible_truncation, reason = "the low half is what is asked for")]
pub(super) fn low_half(number: u128) -> u64 {
    number as u64
}

/// A number that spreads a key evenly: what rows are put into buckets by.
pub(super) fn spread(key: u128) -> u64 {
    mix(low_half(key) ^ PI[1], low_half(key >> 64) ^ PI[2])
}

/// A hash of a value as one of several that are added up for a whole row: `place` tells which.
pub(super) fn folded(place: usize, hash: u64) -> u64 {
    mix(hash ^ PI[3], PI[0].wrapping_add((place as u64 + 1).wrapping_mul(PI[2])))
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

/// The whole number that sorts as this one: the other way of [`whole_order`].
pub(super) fn whole(order: u64) -> i64 {
    (order ^ 1 << 63).cast_signed()
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
    fn a_digit_of_a_uuid_is_a_hexadecimal_one() {
        let plain = "0123abcd-89ab-4def-9876-0123456789ab";
        for at in 0..36 {
            for byte in 0..128_u8 {
                let mut bytes = plain.as_bytes().to_vec();
                bytes[at] = byte;
                let text = String::from_utf8(bytes).unwrap();
                let is_right = match at {
                    8 | 13 | 18 | 23 => byte == b'-',
                    _ => byte.is_ascii_hexdigit(),
                };
                let number = text.replace('-', "");
                let number = u128::from_str_radix(&number, 16).ok().filter(|_| is_right);
                assert_eq!(uuid(&text), number, "{text:?}");
            }
        }
    }

    #[test]
    fn every_byte_and_the_length_take_part_in_a_hash() {
        let bytes: Vec<u8> = (0..100).collect();
        let mut seen = std::collections::BTreeSet::new();
        for length in 0..=bytes.len() {
            assert!(seen.insert(hash64(3, &bytes[..length])));
            assert!(seen.insert(hash64(4, &bytes[..length])));
        }
        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 0x80;
            assert!(seen.insert(hash64(3, &other)));
        }
        let zeros = [0; 64];
        for length in 2..=64 {
            assert!(seen.insert(hash64(3, &zeros[..length])));
        }
    }

    #[test]
    fn derived_ids_can_be_computed_with_standard_tools() {
        // python: uuid5(uuid5(NAMESPACE_URL, "rethread:story-to-thread"), "thread_threads:x")
        let id = uuid_text(derived(&space("rethread:story-to-thread"), "thread_threads", "x"));
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
