//! Columns: how they are selected, and how their cells become JSON.

use crate::digest;
use crate::json;
use crate::pg::copy::{Cells, Moment};
use crate::pg::quoted;

/// One column of a table.
#[derive(Debug)]
pub(super) struct Column {
    /// Its name in the table.
    pub(super) name: String,
    /// The attribute it becomes.
    pub(super) attr: String,
    pub(super) form: Form,
}

/// What the cells of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Text as it is.
    Text,
    /// A type whose text form is that of its output function.
    Shown,
    /// Digits, or a word such as `NaN`.
    Number,
    /// `true` or `false`.
    Boolean,
    /// JSON text.
    Json,
    /// A list of texts, numbers or booleans.
    List,
    /// A moment; UTC where the type has no zone.
    Moment,
}

impl Form {
    /// The form of a type, by its number in `pg_type`, what kind it is, and the same of its
    /// elements when it is an array.
    pub(super) fn of(ty: u32, kind: &str, element: Option<(u32, &str)>) -> Self {
        match ty {
            16 => Form::Boolean,
            20 | 21 | 23 | 700 | 701 | 1700 => Form::Number,
            114 | 3802 => Form::Json,
            1114 | 1184 => Form::Moment,
            19 | 25 | 1042 | 1043 | 1082 | 2950 => Form::Text,
            _ if kind == "e" => Form::Text,
            _ => match element {
                Some((16 | 19 | 20 | 21 | 23 | 25 | 1042 | 1043 | 2950, _) | (_, "e")) => {
                    Form::List
                }
                _ => Form::Shown,
            },
        }
    }
}

impl Column {
    /// The expression that selects it.
    pub(super) fn select(&self) -> String {
        let name = quoted(&self.name);
        match self.form {
            Form::Text | Form::Number | Form::Boolean | Form::Json => {
                format!("{name}::pg_catalog.text")
            }
            Form::Shown => format!(
                "CASE WHEN pg_catalog.num_nulls({name}) = 0 THEN pg_catalog.format('%s', {name}) END"
            ),
            Form::List => format!("pg_catalog.array_to_json({name})::pg_catalog.text"),
            // Both have the same bytes; a cast to the other type keeps them in a session of UTC.
            Form::Moment => format!("{name}::pg_catalog.timestamptz"),
        }
    }
}

/// Appends a row as a JSON object.
pub(super) fn write_object(columns: &[Column], cells: Cells<'_>, out: &mut Vec<u8>) {
    out.push(b'{');
    for (at, column) in columns.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        json::write_string(&column.attr, out);
        out.push(b':');
        match cells.get(at) {
            None => out.extend_from_slice(b"null"),
            Some(cell) => write_cell(column.form, cell, out),
        }
    }
    out.push(b'}');
}

fn write_cell(form: Form, cell: &[u8], out: &mut Vec<u8>) {
    match form {
        Form::Text | Form::Shown => write_text(cell, out),
        Form::Number => match cell {
            [b'0'..=b'9', ..] | [b'-', b'0'..=b'9', ..] => out.extend_from_slice(cell),
            _ => write_text(cell, out),
        },
        Form::Boolean | Form::Json | Form::List => out.extend_from_slice(cell),
        Form::Moment => match Moment::read(cell) {
            Some(Moment::At(micros)) => json::write_string(&digest::micros_text(micros), out),
            Some(Moment::Before) => out.extend_from_slice(b"\"-infinity\""),
            Some(Moment::After) | None => out.extend_from_slice(b"\"infinity\""),
        },
    }
}

/// Bytes that are no UTF-8 are left as they are: the whole row is checked behind.
fn write_text(cell: &[u8], out: &mut Vec<u8>) {
    match std::str::from_utf8(cell) {
        Ok(text) => json::write_string(text, out),
        Err(_) => out.extend_from_slice(cell),
    }
}
