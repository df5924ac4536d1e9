//! Logical digests: what rows say, whatever store holds them.
//!
//! The digest of a row is the first 16 bytes of the SHA-256 of its canonical JSON object: keys
//! sorted by bytes, absent and null alike left out, numbers by value, dates as
//! `"YYYY-MM-DDThh:mm:ss.ffffffZ"`, payload JSON in the form of [`crate::json::canonical`]. The
//! digest of a table is the sum of its rows' digests modulo 2^128, so the order of rows does not
//! matter and a row more, less or changed does.

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

fn short_sha256(bytes: &[u8]) -> u128 {
    let hash = Sha256::digest(bytes);
    hash[..16].iter().fold(0, |sum, byte| sum << 8 | u128::from(*byte))
}

fn write_value(value: Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Absent => {}
        Value::Text(text) => json::write_string(text, out),
        Value::Number(number) => write_double(number, out),
        Value::Boolean(value) => out.extend_from_slice(if value { b"true" } else { b"false" }),
        Value::Date(micros) => json::write_string(&micros_text(micros), out),
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
    if json::write_number(format!("{number:e}").as_bytes(), out).is_none() {
        out.extend_from_slice(format!("!{number}").as_bytes());
    }
}

/// A moment as `YYYY-MM-DDThh:mm:ss.ffffffZ`.
///
/// Every date of every row comes through here, so the years of four digits are written directly.
pub fn micros_text(micros: i64) -> String {
    let days = micros.div_euclid(DAY);
    let in_day = micros.rem_euclid(DAY);
    let (year, month, day) = civil(days);
    if !(0..=9999).contains(&year) {
        return far_text(micros);
    }
    let (second, fraction) = (in_day / 1_000_000, in_day % 1_000_000);
    let mut text = String::with_capacity(27);
    let places = [
        (year, 4, '-'),
        (month, 2, '-'),
        (day, 2, 'T'),
        (second / 3600, 2, ':'),
        (second / 60 % 60, 2, ':'),
        (second % 60, 2, '.'),
        (fraction, 6, 'Z'),
    ];
    for (number, digits, end) in places {
        for place in (0..digits).rev() {
            // One decimal digit.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0..=9")]
            text.push(char::from(b'0' + (number / 10_i64.pow(place) % 10) as u8));
        }
        text.push(end);
    }
    text
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
    format!("{digest:032x}")
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
