//! Values on their way into SQLite and back.

use chrono::NaiveDateTime;
use rusqlite::Statement;
use rusqlite::types::{Null, Type, ValueRef};

use crate::digest::micros_text;
use crate::target::{ColumnKind, Value};

/// Binds a value to a parameter, counted from 1.
pub(super) fn bind(into: &mut Statement<'_>, at: usize, value: Value<'_>) -> rusqlite::Result<()> {
    match value {
        Value::Null => into.raw_bind_parameter(at, Null),
        Value::Text(text) | Value::Json(text) => into.raw_bind_parameter(at, text),
        Value::Number(number) => into.raw_bind_parameter(at, number),
        Value::Boolean(value) => into.raw_bind_parameter(at, value),
        Value::Date(micros) => into.raw_bind_parameter(at, micros_text(micros)),
        Value::Whole(number) => into.raw_bind_parameter(at, number),
    }
}

/// A value as text, for an image that [`bind_text`] brings back.
pub(super) fn as_text(held: ValueRef<'_>) -> Option<String> {
    match held {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number.to_string()),
        // The shortest text that is read as the same double.
        ValueRef::Real(number) => Some(format!("{number:?}")),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            Some(String::from_utf8_lossy(bytes).into_owned())
        }
    }
}

/// Binds a value of an image.
pub(super) fn bind_text(
    into: &mut Statement<'_>,
    at: usize,
    text: Option<&str>,
    kind: ColumnKind,
) -> rusqlite::Result<()> {
    let Some(text) = text else { return into.raw_bind_parameter(at, Null) };
    match kind {
        ColumnKind::Text | ColumnKind::Json | ColumnKind::Date => into.raw_bind_parameter(at, text),
        ColumnKind::Number => into.raw_bind_parameter(at, text.parse::<f64>().ok()),
        ColumnKind::Boolean | ColumnKind::Whole => {
            into.raw_bind_parameter(at, text.parse::<i64>().ok())
        }
    }
}

/// Reads a value back by what its column holds; `None` when it is nothing this program writes.
pub(super) fn read(held: ValueRef<'_>, kind: ColumnKind) -> Option<Value<'_>> {
    if held.data_type() == Type::Null {
        return Some(Value::Null);
    }
    let value = match kind {
        ColumnKind::Text => Value::Text(held.as_str().ok()?),
        ColumnKind::Json => Value::Json(held.as_str().ok()?),
        ColumnKind::Number => Value::Number(held.as_f64().ok()?),
        ColumnKind::Whole => Value::Whole(held.as_i64().ok()?),
        ColumnKind::Boolean => match held.as_i64().ok()? {
            0 => Value::Boolean(false),
            1 => Value::Boolean(true),
            _ => return None,
        },
        ColumnKind::Date => Value::Date(micros(held.as_str().ok()?)?),
    };
    Some(value)
}

/// The moment of a text that [`micros_text`] wrote.
fn micros(text: &str) -> Option<i64> {
    let moment = match text.strip_suffix("us") {
        Some(number) => number.parse().ok()?,
        None => near(text.as_bytes()).or_else(|| far(text))?,
    };
    (micros_text(moment) == text).then_some(moment)
}

/// The moment of a text with a year of four digits; only for the right form the right moment.
fn near(text: &[u8]) -> Option<i64> {
    if text.len() != 27 {
        return None;
    }
    let number = |from: usize, to: usize| {
        text[from..to].iter().try_fold(0_i64, |number, digit| {
            digit.is_ascii_digit().then(|| number * 10 + i64::from(digit - b'0'))
        })
    };
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let seconds = number(11, 13)? * 3600 + number(14, 16)? * 60 + number(17, 19)?;
    Some((days(year, month, day) * 86_400 + seconds) * 1_000_000 + number(20, 26)?)
}

/// Days since 1970-01-01 (Hinnant's `days_from_civil`).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn far(text: &str) -> Option<i64> {
    let moment = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.6fZ").ok()?;
    Some(moment.and_utc().timestamp_micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_comes_back_as_it_went_in() {
        let year = 31_556_952_000_000_i64;
        for moment in
            [0, -1, 1, 1_714_979_289_123_456, -3000 * year, 9000 * year, i64::MIN, i64::MAX]
        {
            assert_eq!(micros(&micros_text(moment)), Some(moment), "{}", micros_text(moment));
        }
        for day in (-719_000..2_900_000).step_by(37) {
            let moment = day * 86_400_000_000 + day;
            assert_eq!(near(micros_text(moment).as_bytes()), Some(moment), "{day}");
        }
        for other in [
            "2024-02-30T00:00:00.000000Z",
            "2024-05-06T24:00:00.000000Z",
            "2024-05-06",
            "2024-05-06T07:08:09Z",
            "2024-05-06 07:08:09.000000Z",
            "+1us",
        ] {
            assert_eq!(micros(other), None, "{other}");
        }
    }
}
