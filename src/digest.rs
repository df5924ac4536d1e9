//! Logical digests: what rows say, whatever store holds them.
//!
//! The digest of a row is the first 16 bytes of the SHA-256 of its canonical JSON object: keys
//! sorted by bytes, absent and null alike left out, numbers by value, dates as
//! `"YYYY-MM-DDThh:mm:ss.ffffffZ"`, payload JSON in the form of [`crate::json::canonical`]. The
//! digest of a table is the sum of its rows' digests modulo 2^128, so the order of rows does not
//! matter and a row more, less or changed does.

use std::io::Write as _;

use sha2::{Digest as _, Sha256};

use crate::json;

/// A value as it takes part in a digest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// Absent or null.
    Absent,
    /// Text; an id or a link too.
    Text(&'a str),
    /// A double.
    Number(f64),
    /// True or false.
    Boolean(bool),
    /// Microseconds since 1970-01-01 UTC.
    Date(i64),
    /// JSON text. What has no canonical form takes part as the text it is.
    Json(&'a str),
}

/// Builds row digests; keeps its buffers from row to row.
#[derive(Debug, Default)]
pub struct RowDigest {
    members: Vec<(usize, usize, usize)>,
    bytes: Vec<u8>,
    sorted: Vec<u8>,
}

impl RowDigest {
    /// The digest of a row of named values, in any order.
    pub fn of<'a>(&mut self, values: impl IntoIterator<Item = (&'a str, Value<'a>)>) -> u128 {
        self.members.clear();
        self.bytes.clear();
        for (name, value) in values {
            if value == Value::Absent || matches!(value, Value::Json("null")) {
                continue;
            }
            let start = self.bytes.len();
            json::write_string(name, &mut self.bytes);
            let key = self.bytes.len();
            self.bytes.push(b':');
            write_value(value, &mut self.bytes);
            self.members.push((start, key, self.bytes.len()));
        }
        let bytes = &self.bytes;
        self.members.sort_by(|a, b| bytes[a.0..a.1].cmp(&bytes[b.0..b.1]));
        self.sorted.clear();
        self.sorted.push(b'{');
        for (at, (start, _, end)) in self.members.iter().enumerate() {
            if at > 0 {
                self.sorted.push(b',');
            }
            self.sorted.extend_from_slice(&bytes[*start..*end]);
        }
        self.sorted.push(b'}');
        short_sha256(&self.sorted)
    }
}

/// The digest of a row whose canonical JSON object this is.
pub fn of_canonical(object: &[u8]) -> u128 {
    short_sha256(object)
}

fn short_sha256(bytes: &[u8]) -> u128 {
    let hash = Sha256::digest(bytes);
    hash[..16].iter().fold(0, |sum, byte| sum << 8 | u128::from(*byte))
}

/// Appends the canonical form of a value; of an absent one, nothing.
pub fn write_value(value: Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Absent => {}
        Value::Text(text) => json::write_string(text, out),
        Value::Number(number) => write_double(number, out),
        Value::Boolean(value) => out.extend_from_slice(if value { b"true" } else { b"false" }),
        Value::Date(micros) => {
            out.push(b'"');
            write_micros(micros, out);
            out.push(b'"');
        }
        Value::Json(text) => {
            let start = out.len();
            if json::canonical(text, out).is_err() {
                out.truncate(start);
                out.push(b'!');
                out.extend_from_slice(text.as_bytes());
            }
        }
    }
}

fn write_double(number: f64, out: &mut Vec<u8>) {
    if number.fract() == 0.0 && number.abs() < 1e15 {
        // Whole numbers of so few digits read as they are; writing to a `Vec` cannot fail.
        #[allow(clippy::cast_possible_truncation, reason = "whole, and less than 2^53")]
        let _ = write!(out, "{}", number as i64);
        return;
    }
    if json::write_number(format!("{number:e}").as_bytes(), out).is_none() {
        out.extend_from_slice(format!("!{number}").as_bytes());
    }
}

/// A moment as `YYYY-MM-DDThh:mm:ss.ffffffZ`.
pub fn micros_text(micros: i64) -> String {
    let mut text = Vec::with_capacity(27);
    write_micros(micros, &mut text);
    String::from_utf8(text).unwrap_or_default()
}

/// Appends a moment as [`micros_text`].
///
/// Every date of every row comes through here, so the years of four digits are written directly.
fn write_micros(micros: i64, out: &mut Vec<u8>) {
    let days = micros.div_euclid(DAY);
    let in_day = micros.rem_euclid(DAY);
    let (year, month, day) = civil(days);
    if !(0..=9999).contains(&year) {
        out.extend_from_slice(far_text(micros).as_bytes());
        return;
    }
    let (second, fraction) = (in_day / 1_000_000, in_day % 1_000_000);
    let mut text = *b"YYYY-MM-DDThh:mm:ss.ffffffZ";
    let places = [
        (0, 4, year),
        (5, 7, month),
        (8, 10, day),
        (11, 13, second / 3600),
        (14, 16, second / 60 % 60),
        (17, 19, second % 60),
        (20, 26, fraction),
    ];
    for (start, end, mut number) in places {
        for digit in text[start..end].iter_mut().rev() {
            // One decimal digit.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0..=9")]
            let low = (number % 10) as u8;
            *digit = b'0' + low;
            number /= 10;
        }
    }
    out.extend_from_slice(&text);
}

const DAY: i64 = 86_400_000_000;

/// Year, month and day of a count of days since 1970-01-01 (Hinnant's `civil_from_days`).
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

fn far_text(micros: i64) -> String {
    match chrono::DateTime::from_timestamp_micros(micros) {
        Some(moment) => moment.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(),
        None => format!("{micros}us"),
    }
}

/// The digest of a table: rows, and the sum of their digests modulo 2^128.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TableDigest {
    /// How many rows.
    pub rows: u64,
    sum: u128,
}

impl TableDigest {
    /// Takes a row in.
    pub fn add(&mut self, row: u128) {
        self.rows += 1;
        self.sum = self.sum.wrapping_add(row);
    }

    /// Takes the rows of another digest in.
    pub fn join(&mut self, other: Self) {
        self.rows += other.rows;
        self.sum = self.sum.wrapping_add(other.sum);
    }

    /// The sum as 32 hexadecimal digits.
    pub fn hex(&self) -> String {
        row_hex(self.sum)
    }
}

/// A row digest as 32 hexadecimal digits.
pub fn row_hex(digest: u128) -> String {
    String::from_utf8_lossy(&hex_digits(digest)).into_owned()
}

/// The 32 hexadecimal digits of a row digest.
pub fn hex_digits(digest: u128) -> [u8; 32] {
    let mut digits = [0; 32];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(digest.to_be_bytes()) {
        for (digit, half) in pair.iter_mut().zip([byte >> 4, byte & 15]) {
            *digit = b"0123456789abcdef"[usize::from(half)];
        }
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[(&str, Value<'_>)]) -> u128 {
        RowDigest::default().of(values.iter().copied())
    }

    #[test]
    fn a_row_digest_is_by_value() {
        let a = of(&[
            ("n", Value::Number(1.0)),
            ("a", Value::Absent),
            ("j", Value::Json("{\"b\":1,\"a\":2}")),
        ]);
        let b = of(&[("j", Value::Json("{ \"a\": 2.0, \"b\": 1 }")), ("n", Value::Number(1.0))]);
        assert_eq!(a, b);
        assert_ne!(of(&[("a", Value::Text(""))]), of(&[("a", Value::Absent)]));
        assert_ne!(of(&[("a", Value::Text("1"))]), of(&[("a", Value::Number(1.0))]));
        assert_ne!(of(&[("d", Value::Date(1))]), of(&[("d", Value::Date(2))]));
    }

    #[test]
    fn the_digest_can_be_computed_with_standard_tools() {
        // printf '%s' '{"d":"1970-01-01T00:00:00.001000Z","id":"x"}' | sha256sum | cut -c1-32
        let digest = of(&[("id", Value::Text("x")), ("d", Value::Date(1000))]);
        assert_eq!(row_hex(digest), "400a69a5faceea09318bdcef36797369");
    }

    #[test]
    fn a_moment_reads_as_the_calendar_has_it() {
        assert_eq!(micros_text(1_709_164_799_999_999), "2024-02-28T23:59:59.999999Z");
        // Every 40 days and odd microseconds over years 0 to 9999 and beyond both ends.
        let step = 40 * DAY + 12_345_678_901;
        let mut moment = -62_200_000_000_000_000;
        while moment < 253_500_000_000_000_000 {
            assert_eq!(micros_text(moment), far_text(moment));
            moment += step;
        }
    }

    #[test]
    fn a_digest_reads_as_a_number_does() {
        for digest in [0, 1, 0x0123_4567_89ab_cdef, u128::MAX, 1 << 100] {
            assert_eq!(row_hex(digest), format!("{digest:032x}"));
        }
    }

    #[test]
    fn whole_numbers_read_as_all_do() {
        for number in [0.0, -0.0, 1.0, -1.0, 100.0, 999_999_999_999_999.0, -120_340.0, 1e15, 1e16] {
            let (mut short, mut all) = (Vec::new(), Vec::new());
            write_double(number, &mut short);
            json::write_number(format!("{number:e}").as_bytes(), &mut all).unwrap();
            assert_eq!(short, all, "{number}");
        }
    }

    #[test]
    fn a_table_digest_ignores_order_only() {
        let (mut a, mut b) = (TableDigest::default(), TableDigest::default());
        for row in [1, 2, u128::MAX] {
            a.add(row);
        }
        for row in [u128::MAX, 1, 2] {
            b.add(row);
        }
        assert_eq!(a, b);
        b.add(0);
        assert_ne!(a, b);
    }
}
