//! InstantDB's date forms, as its server and its client read them.
//!
//! A value that stands for a moment everywhere is taken; one whose meaning depends on a clock, a
//! locale or a guess (`now`, two-digit years, days that roll over) is not.

use super::zones;
use crate::json;

/// A parsed date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParsedDate {
    /// Microseconds since 1970-01-01 UTC, cut toward the past.
    pub micros: i64,
    /// Whether nothing was cut.
    pub exact: bool,
}

/// Longer texts are no dates; they are not even looked through.
const LONGEST: usize = 256;

/// Parses a date as InstantDB does: as it is, then JSON-unquoted, then trimmed.
pub fn parse_date(text: &str) -> Option<ParsedDate> {
    if text.len() > LONGEST {
        return None;
    }
    if text == "epoch" {
        return Some(ParsedDate { micros: 0, exact: true });
    }
    let trimmed = text.trim();
    form(text)
        .or_else(|| form(&json::string(trimmed)?))
        .or_else(|| if trimmed.len() < text.len() { form(trimmed) } else { None })
}

/// Reads a JSON number as epoch milliseconds, by its decimal digits and not by way of a double.
pub(crate) fn number_date(text: &str) -> Option<ParsedDate> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [whole, fraction].concat();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return Some(ParsedDate { micros: 0, exact: true });
    }
    // Milliseconds to microseconds: three more places before the point.
    let places = i64::try_from(digits.len()).ok()?;
    let before = places
        .checked_add(exponent)?
        .checked_sub(i64::try_from(fraction.len()).ok()?)?
        .checked_add(3)?;
    let (kept, cut) = digits.split_at(usize::try_from(before.clamp(0, places)).ok()?);
    let zeros = u32::try_from(before.saturating_sub(places).max(0)).ok()?;
    if before > 19 {
        return None;
    }
    let value: i128 = if kept.is_empty() { 0 } else { kept.parse().ok()? };
    let value = value.checked_mul(10_i128.checked_pow(zeros)?)?;
    let exact = cut.bytes().all(|byte| byte == b'0');
    let value = if negative { -value - i128::from(!exact) } else { value };
    Some(ParsedDate { micros: i64::try_from(value).ok()?, exact })
}

fn form(text: &str) -> Option<ParsedDate> {
    match text.as_bytes().first()? {
        b'0'..=b'9' | b'+' => iso(Scan(text.as_bytes()))
            .or_else(|| day_alone(Scan(text.as_bytes())))
            .or_else(|| local(Scan(text.as_bytes())))
            .or_else(|| rfc_1123(Scan(text.as_bytes()))),
        _ => spelled(Scan(text.as_bytes())).or_else(|| rfc_1123(Scan(text.as_bytes()))),
    }
}

/// `2024-01-02T03:04:05.678901+02:00`; the zone, the fraction and the seconds may be missing.
fn iso(mut scan: Scan<'_>) -> Option<ParsedDate> {
    let mut moment = Moment { year: scan.year()?, ..Moment::default() };
    scan.take(b"-")?;
    moment.month = scan.digits(1, 2)?;
    scan.take(b"-")?;
    moment.day = scan.digits(1, 2)?;
    scan.take(b"T").or_else(|| scan.take(b" ")).or_else(|| scan.take(b"t"))?;
    moment.hour = scan.digits(1, 2)?;
    scan.take(b":")?;
    moment.minute = scan.digits(1, 2)?;
    if scan.take(b":").is_some() {
        moment.second = scan.digits(1, 2)?;
        moment.nanos = scan.fraction()?;
    }
    if !scan.0.is_empty() {
        moment.offset = scan.zone()?;
    }
    moment.finish(&scan)
}

/// `2024-01-02`, `01-02-2024` (month first); also with `/` or `.`.
fn day_alone(mut scan: Scan<'_>) -> Option<ParsedDate> {
    let year_first = scan.0.iter().take_while(|byte| byte.is_ascii_digit()).count() > 3;
    let mut moment = Moment::default();
    if year_first || scan.0.first() == Some(&b'+') {
        moment.year = scan.year()?;
    } else {
        moment.month = scan.digits(1, 2)?;
    }
    let separator = [*scan.0.first().filter(|byte| b"-/.".contains(byte))?];
    scan.take(&separator)?;
    if moment.year == 0 {
        moment.day = scan.digits(1, 2)?;
        scan.take(&separator)?;
        moment.year = scan.year()?;
    } else {
        moment.month = scan.digits(1, 2)?;
        scan.take(&separator)?;
        moment.day = scan.digits(1, 2)?;
    }
    moment.finish(&scan)
}

/// `1/2/2024, 3:04:05 PM`, as a browser writes it in the United States.
fn local(mut scan: Scan<'_>) -> Option<ParsedDate> {
    let mut moment = Moment { month: scan.digits(1, 2)?, ..Moment::default() };
    scan.take(b"/")?;
    moment.day = scan.digits(1, 2)?;
    scan.take(b"/")?;
    moment.year = scan.year()?;
    scan.take(b", ")?;
    let hour = scan.digits(1, 2).filter(|hour| (1..=12).contains(hour))?;
    scan.clock_after_hour(&mut moment)?;
    // Newer browsers put a narrow no-break space here.
    scan.take(b" ").or_else(|| scan.take("\u{202f}".as_bytes()))?;
    let afternoon = scan.name(&["AM", "PM"])?;
    moment.hour = hour % 12 + if afternoon == 1 { 12 } else { 0 };
    moment.finish(&scan)
}

/// `Tue Jan 02 2024` and `Tue Jan 02 2024 03:04:05 GMT+0200`.
fn spelled(mut scan: Scan<'_>) -> Option<ParsedDate> {
    let mut moment = Moment { weekday: Some(scan.name(&WEEKDAYS)?), ..Moment::default() };
    scan.take(b" ")?;
    moment.month = i64::try_from(scan.name(&MONTHS)?).ok()? + 1;
    scan.take(b" ")?;
    moment.day = scan.digits(1, 2)?;
    scan.take(b" ")?;
    moment.year = scan.year()?;
    if scan.take(b" ").is_some() {
        moment.hour = scan.digits(1, 2)?;
        scan.clock_after_hour(&mut moment)?;
        scan.take(b" GMT")?;
        moment.offset = scan.offset()?;
    }
    moment.finish(&scan)
}

/// `Tue, 02 Jan 2024 03:04:05 GMT`; the weekday and the seconds may be missing.
fn rfc_1123(mut scan: Scan<'_>) -> Option<ParsedDate> {
    let mut moment = Moment { weekday: scan.name(&WEEKDAYS), ..Moment::default() };
    if moment.weekday.is_some() {
        scan.take(b", ")?;
    }
    moment.day = scan.digits(1, 2)?;
    scan.take(b" ")?;
    moment.month = i64::try_from(scan.name(&MONTHS)?).ok()? + 1;
    scan.take(b" ")?;
    moment.year = scan.year()?;
    scan.take(b" ")?;
    moment.hour = scan.digits(1, 2)?;
    scan.take(b":")?;
    moment.minute = scan.digits(1, 2)?;
    if scan.take(b":").is_some() {
        moment.second = scan.digits(1, 2)?;
    }
    scan.take(b" ")?;
    if scan.take(b"GMT").is_none() {
        moment.offset = scan.offset()?;
    }
    moment.finish(&scan)
}

const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

#[derive(Default)]
struct Moment {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    nanos: i64,
    /// Seconds east of UTC.
    offset: i64,
    /// From Monday, when the text says it; a wrong one makes the text no date.
    weekday: Option<usize>,
}

impl Moment {
    fn finish(&self, scan: &Scan<'_>) -> Option<ParsedDate> {
        let in_range = (1..=300_000).contains(&self.year)
            && (1..=12).contains(&self.month)
            && (1..=days_in(self.year, self.month)).contains(&self.day)
            && self.hour < 24
            && self.minute < 60
            && self.second < 60;
        if !scan.0.is_empty() || !in_range {
            return None;
        }
        let days = days_since_1970(self.year, self.month, self.day);
        let weekday = usize::try_from((days + 3).rem_euclid(7)).ok()?;
        if self.weekday.is_some_and(|said| said != weekday) {
            return None;
        }
        let seconds =
            days * 86_400 + self.hour * 3600 + self.minute * 60 + self.second - self.offset;
        let micros = i128::from(seconds) * 1_000_000 + i128::from(self.nanos / 1000);
        Some(ParsedDate { micros: i64::try_from(micros).ok()?, exact: self.nanos % 1000 == 0 })
    }
}

fn days_in(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        _ => 31,
    }
}

/// Days in the proleptic Gregorian calendar; years reach further than `chrono`'s.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    // The year begins in March, so that the leap day is its last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

struct Scan<'a>(&'a [u8]);

impl Scan<'_> {
    fn take(&mut self, text: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(text)?;
        Some(())
    }

    fn digits(&mut self, least: usize, most: usize) -> Option<i64> {
        let count = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if count < least || count > most {
            return None;
        }
        let (digits, rest) = self.0.split_at(count);
        self.0 = rest;
        Some(digits.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0')))
    }

    fn year(&mut self) -> Option<i64> {
        let _ = self.take(b"+");
        self.digits(4, 18)
    }

    fn clock_after_hour(&mut self, moment: &mut Moment) -> Option<()> {
        self.take(b":")?;
        moment.minute = self.digits(1, 2)?;
        self.take(b":")?;
        moment.second = self.digits(1, 2)?;
        Some(())
    }

    /// The nanoseconds of a fraction of 1 to 9 digits; 0 when there is none.
    fn fraction(&mut self) -> Option<i64> {
        if self.take(b".").is_none() {
            return Some(0);
        }
        let before = self.0.len();
        let digits = self.digits(1, 9)?;
        let count = u32::try_from(before - self.0.len()).ok()?;
        Some(digits * 10_i64.pow(9 - count))
    }

    fn name(&mut self, names: &[&str]) -> Option<usize> {
        let at = names.iter().position(|name| {
            self.0.get(..name.len()).is_some_and(|text| text.eq_ignore_ascii_case(name.as_bytes()))
        })?;
        self.0 = &self.0[names[at].len()..];
        Some(at)
    }

    fn zone(&mut self) -> Option<i64> {
        let _ = self.take(b" ");
        match self.0.first()? {
            b'+' | b'-' => self.offset(),
            b'Z' | b'z' if self.0.len() == 1 => {
                self.0 = &[];
                Some(0)
            }
            _ => {
                let minutes = zones::minutes_east(std::str::from_utf8(self.0).ok()?)?;
                self.0 = &[];
                Some(minutes * 60)
            }
        }
    }

    /// `+hh`, `+hhmm` or `+hh:mm`, in seconds.
    fn offset(&mut self) -> Option<i64> {
        let sign = if self.take(b"+").is_some() {
            1
        } else {
            self.take(b"-")?;
            -1
        };
        let count = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let digits = self.digits(2, 4)?;
        let (hours, minutes) = match count {
            4 => (digits / 100, digits % 100),
            2 if self.take(b":").is_some() => (digits, self.digits(2, 2)?),
            2 => (digits, 0),
            _ => return None,
        };
        let seconds = hours * 3600 + minutes * 60;
        (minutes < 60 && seconds <= 18 * 3600).then_some(sign * seconds)
    }
}

#[cfg(test)]
mod tests;
