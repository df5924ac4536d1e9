//! Values of rows as they are shown: shortened, and harmless wherever they are printed.

use serde::Serialize;

use crate::bag;
use crate::digest::{Value, micros_text};
use crate::error::{grouped, printable};
use crate::scan::Row;
use crate::schema::Type;

/// Characters of a value that are shown.
const MOST: usize = 80;

/// One value of a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Absent,
    Text(String),
    Json(String),
    Number(f64),
    Whole(i64),
    Boolean(bool),
    Date(i64),
}

impl Cell {
    /// The value in a column of a contract's type.
    pub(super) fn of(row: Row<'_>, column: usize, ty: Type) -> Self {
        match row.value(column, ty) {
            Value::Absent => row.whole(column).map_or(Cell::Absent, Cell::Whole),
            Value::Text(text) => Cell::Text(text.to_owned()),
            Value::Json(text) => Cell::Json(text.to_owned()),
            Value::Number(number) => Cell::Number(number),
            Value::Boolean(value) => Cell::Boolean(value),
            Value::Date(micros) => Cell::Date(micros),
        }
    }

    /// The text of a text.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Cell::Text(text) | Cell::Json(text) => Some(text),
            _ => None,
        }
    }

    /// The value as a person reads it; `None` when it is absent.
    pub(super) fn shown(&self) -> Option<Shown> {
        Some(match self {
            Cell::Absent => return None,
            Cell::Text(text) => Shown::new("string", text),
            Cell::Json(text) => Shown::new("any", text),
            Cell::Number(number) => Shown::new("number", &number.to_string()),
            Cell::Whole(number) => Shown::new("number", &number.to_string()),
            Cell::Boolean(value) => Shown::new("boolean", if *value { "true" } else { "false" }),
            Cell::Date(micros) => Shown::new("date", &micros_text(*micros)),
        })
    }
}

/// A value, cut short and printable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// `string`, `number`, `boolean`, `date` or `any` (JSON text).
    #[serde(rename = "type")]
    pub ty: &'static str,
    /// Its first characters, control and bidirectional ones escaped.
    pub text: String,
    /// Bytes of the whole value.
    pub bytes: u64,
    /// SHA-256 of the whole value, when it was cut.
    pub sha256: Option<String>,
}

impl Shown {
    /// Shows a text.
    pub(super) fn new(ty: &'static str, text: &str) -> Self {
        let cut = text.char_indices().nth(MOST).map(|(at, _)| at);
        Self {
            ty,
            text: on_one_line(&text[..cut.unwrap_or(text.len())]),
            bytes: text.len() as u64,
            sha256: cut.map(|_| bag::sha256_hex(text.as_bytes())),
        }
    }

    /// As a line has it: texts in quotes, what was cut with its length and the start of its hash.
    pub(super) fn line(&self) -> String {
        let quote = if self.ty == "string" { "\"" } else { "" };
        match &self.sha256 {
            None => format!("{quote}{}{quote}", self.text),
            Some(hash) => format!(
                "{quote}{}…{quote} ({} bytes, sha256 {}…)",
                self.text,
                grouped(self.bytes),
                &hash[..12]
            ),
        }
    }
}

/// A text without anything that steers a terminal or breaks a line.
pub(super) fn on_one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in printable(text).chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\u{61c}' | '\u{2028}' | '\u{2029}' | '\u{feff}' => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out
}

/// A row of a table, whole.
#[derive(Debug, Clone)]
pub(super) struct Record {
    /// Which row of the file it is, from 0.
    pub(super) row: usize,
    /// Its columns.
    pub(super) cells: Vec<(String, Cell)>,
}

impl Record {
    /// The value of a column.
    pub(super) fn cell(&self, name: &str) -> &Cell {
        let found = self.cells.iter().find(|(column, _)| column == name);
        found.map_or(&Cell::Absent, |(_, cell)| cell)
    }

    /// The text of a column.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.cell(name).text()
    }

    /// The whole number of a column.
    pub(super) fn whole(&self, name: &str) -> Option<i64> {
        match self.cell(name) {
            Cell::Whole(number) => Some(*number),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_cut_and_harmless() {
        let long = Shown::new("string", &"é".repeat(81));
        assert_eq!((long.text.chars().count(), long.bytes), (80, 162));
        assert_eq!(long.sha256.as_deref().map(str::len), Some(64));
        let hostile = Shown::new("string", "a\u{1b}[31m\u{202e}\n\u{2028}\0b");
        assert_eq!(hostile.text, "a\\u{1b}[31m\\u{202e}\\n\\u{2028}\\u{0}b");
        assert_eq!(hostile.sha256, None);
    }
}
