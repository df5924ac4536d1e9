//! One row and its values, and their JSON text.

use std::fmt::Write as _;

/// A row of any table.
#[derive(Debug, Clone, Default)]
pub(crate) struct Row {
    /// Its members in order, `id` first.
    pub(crate) members: Vec<(&'static str, Value)>,
    /// When the store created it, epoch milliseconds.
    pub(crate) created: i64,
}

/// A value of a row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// An attribute of which the store says that it was never set.
    Null,
    /// A text or an id.
    Text(String),
    /// A payload, as the JSON text it is.
    Json(String),
    /// A whole number.
    Whole(i64),
    /// True or false.
    Flag(bool),
    /// A moment in epoch milliseconds.
    Date(i64, DateForm),
    /// A link to some rows.
    Many(Vec<String>),
    /// JSON that does not fit the attribute's type, or a link in another form.
    Raw(String),
}

/// How a moment is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DateForm {
    /// `2024-05-06T07:08:09.123Z`.
    Iso,
    /// `2024-05-06T07:08:09.123456Z`; always the same last three digits.
    Micros,
    /// `1714979289123`.
    Number,
}

impl Row {
    /// Adds a member.
    pub(crate) fn put(&mut self, name: &'static str, value: Value) {
        self.members.push((name, value));
    }

    /// The value of a member.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.members.iter().find(|(member, _)| *member == name).map(|(_, value)| value)
    }

    /// Gives a member another value, or adds it.
    pub(crate) fn set(&mut self, name: &'static str, value: Value) {
        match self.members.iter_mut().find(|(member, _)| *member == name) {
            Some((_, old)) => *old = value,
            None => self.put(name, value),
        }
    }

    /// Takes a member out.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        let at = self.members.iter().position(|(member, _)| *member == name)?;
        Some(self.members.remove(at).1)
    }

    /// Appends its members as JSON, without braces.
    pub(crate) fn write_members(&self, out: &mut String) {
        for (at, (name, value)) in self.members.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            out.push('"');
            out.push_str(name);
            out.push_str("\":");
            value.write(out);
        }
    }
}

impl Value {
    /// Appends it as JSON.
    pub(crate) fn write(&self, out: &mut String) {
        match self {
            Value::Null => out.push_str("null"),
            Value::Text(text) => write_text(text, out),
            Value::Json(text) | Value::Raw(text) => out.push_str(text),
            Value::Whole(number) => push(out, format_args!("{number}")),
            Value::Flag(flag) => push(out, format_args!("{flag}")),
            Value::Date(ms, DateForm::Number) => push(out, format_args!("{ms}")),
            Value::Date(ms, form) => push(out, format_args!("\"{}\"", date_text(*ms, *form))),
            Value::Many(ids) => {
                for (at, id) in ids.iter().enumerate() {
                    out.push_str(if at == 0 { "[\"" } else { ",\"" });
                    out.push_str(id);
                    out.push('"');
                }
                out.push_str(if ids.is_empty() { "[]" } else { "]" });
            }
        }
    }
}

/// Appends formatted text.
pub(crate) fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a String takes every text");
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    if text.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
        out.push_str(text);
    } else {
        for letter in text.chars() {
            match letter {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                letter if letter < ' ' => push(out, format_args!("\\u{:04x}", u32::from(letter))),
                letter => out.push(letter),
            }
        }
    }
    out.push('"');
}

/// A moment as text; one in numbers becomes ISO with milliseconds.
pub(crate) fn date_text(ms: i64, form: DateForm) -> String {
    let (days, rest) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000));
    let (year, month, day) = civil(days);
    let (hour, minute) = (rest / 3_600_000, rest / 60_000 % 60);
    let (second, milli) = (rest / 1000 % 60, rest % 1000);
    let mut text = String::with_capacity(27);
    for (number, digits, after) in [
        (year, 4, '-'),
        (month, 2, '-'),
        (day, 2, 'T'),
        (hour, 2, ':'),
        (minute, 2, ':'),
        (second, 2, '.'),
    ] {
        push_digits(number, digits, &mut text);
        text.push(after);
    }
    push_digits(milli, 3, &mut text);
    text.push_str(if form == DateForm::Micros { "456Z" } else { "Z" });
    text
}

fn push_digits(number: i64, digits: u32, text: &mut String) {
    for digit in (0..digits).rev() {
        let value = number / 10_i64.pow(digit) % 10;
        text.push(char::from(b"0123456789"[usize::try_from(value).unwrap_or(0)]));
    }
}

/// Year, month and day of a day since 1970-01-01 (Howard Hinnant, `chrono`-compatible low-level
/// date algorithms).
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::{DateForm, Value, date_text};

    fn check(value: &Value, expect: &str) {
        let mut out = String::new();
        value.write(&mut out);
        assert_eq!(out, expect);
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date_text(951_782_400_000, DateForm::Iso), "2000-02-29T00:00:00.000Z");
        assert_eq!(date_text(-1, DateForm::Micros), "1969-12-31T23:59:59.999456Z");
        assert_eq!(date_text(1_735_689_599_999, DateForm::Number), "2024-12-31T23:59:59.999Z");
    }

    #[test]
    fn values_are_json() {
        check(&Value::Text("a\"\\\n😀".to_owned()), r#""a\"\\\u000a😀""#);
        check(&Value::Many(vec![]), "[]");
        check(&Value::Many(vec!["a".to_owned(), "b".to_owned()]), r#"["a","b"]"#);
        check(&Value::Date(5, DateForm::Number), "5");
        check(&Value::Date(5, DateForm::Iso), "\"1970-01-01T00:00:00.005Z\"");
    }
}
