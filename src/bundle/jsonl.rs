//! InstantDB's own line for a row: `{"entity":{…},"createdAt":<ms>}`.

use std::io::Write as _;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimestampMicrosecondType};

use super::Origin;
use crate::error::{Error, Result};
use crate::json;
use crate::schema::{Schema, Type};

/// Writes rows of one target table as lines.
#[derive(Debug)]
pub(super) struct Lines {
    columns: Vec<(String, Kind)>,
    created: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Text,
    Json,
    Number,
    Boolean,
    Date,
}

impl Lines {
    /// Lines of an entity: `id`, attributes, has-one links, in the order of its columns. The row's
    /// time is that of the store, or else its first required date.
    pub(super) fn new(schema: &Schema, entity: &str) -> Self {
        let attrs = schema.entity(entity).map(|entity| &entity.attrs[..]).unwrap_or_default();
        let mut columns = vec![("id".to_owned(), Kind::Text)];
        columns.extend(attrs.iter().map(|attr| (attr.name.clone(), kind(attr.ty))));
        columns.extend(schema.columns_of(entity).map(|link| (link.label.clone(), Kind::Text)));
        let created = attrs.iter().find(|attr| attr.ty == Type::Date && attr.required);
        Self { columns, created: created.map(|attr| attr.name.clone()) }
    }

    /// Appends the lines of a batch.
    pub(super) fn write(&self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<()> {
        let column = |name: &str| {
            let missing = || Error::bug(format!("column `{name}` is not in the batch"));
            batch.column_by_name(name).ok_or_else(missing)
        };
        let columns: Vec<_> =
            self.columns.iter().map(|(name, _)| column(name)).collect::<Result<_>>()?;
        let names: Vec<Vec<u8>> = self.columns.iter().map(|(name, _)| member(name)).collect();
        let server = column(Origin::SERVER)?.as_primitive::<Int64Type>();
        let extra = column(Origin::EXTRA)?.as_string::<i32>();
        let created = self.created.as_deref().map(column).transpose()?;
        for row in 0..batch.num_rows() {
            out.extend_from_slice(b"{\"entity\":{");
            let mut first = true;
            for ((name, (_, kind)), values) in names.iter().zip(&self.columns).zip(&columns) {
                if values.is_null(row) {
                    continue;
                }
                if !std::mem::take(&mut first) {
                    out.push(b',');
                }
                out.extend_from_slice(name);
                write_value(*kind, values, row, out);
            }
            let extra = extra.is_valid(row).then(|| extra.value(row));
            write_extra(extra, &self.columns, first, out);
            out.push(b'}');
            let date = created.filter(|dates| dates.is_valid(row)).map(|dates| {
                dates.as_primitive::<TimestampMicrosecondType>().value(row).div_euclid(1000)
            });
            let time = if server.is_valid(row) { Some(server.value(row)) } else { date };
            if let Some(time) = time {
                let _ = write!(out, ",\"createdAt\":{time}");
            }
            out.extend_from_slice(b"}\n");
        }
        Ok(())
    }
}

fn kind(ty: Type) -> Kind {
    match ty {
        Type::String => Kind::Text,
        Type::Number => Kind::Number,
        Type::Boolean => Kind::Boolean,
        Type::Date => Kind::Date,
        Type::Any => Kind::Json,
    }
}

fn member(name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    json::write_string(name, &mut out);
    out.push(b':');
    out
}

/// Appends what is not declared. What a declared column could not hold stays in the Parquet file's
/// `_extra` alone: a line has values of the declared type.
fn write_extra(extra: Option<&str>, declared: &[(String, Kind)], first: bool, out: &mut Vec<u8>) {
    let members = extra.and_then(|text| json::members(text).ok()).unwrap_or_default();
    let is_declared = |name: &str| declared.iter().any(|(label, _)| label == name);
    let mut first = first;
    for (name, raw) in members.iter().filter(|(name, _)| !is_declared(name)) {
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
        out.extend_from_slice(&member(name));
        one_line(raw, out);
    }
}

fn write_value(kind: Kind, values: &dyn Array, row: usize, out: &mut Vec<u8>) {
    match kind {
        Kind::Text => json::write_string(values.as_string::<i32>().value(row), out),
        // A line ends at a line break, and JSON text may hold some between its tokens.
        Kind::Json => one_line(values.as_string::<i32>().value(row), out),
        Kind::Number => {
            let number = values.as_primitive::<Float64Type>().value(row);
            let _ = write!(out, "{number}");
        }
        Kind::Boolean => {
            let value = values.as_boolean().value(row);
            out.extend_from_slice(if value { b"true" } else { b"false" });
        }
        Kind::Date => {
            let micros = values.as_primitive::<TimestampMicrosecondType>().value(row);
            write_date(micros, out);
        }
    }
}

/// JSON text on one line: a line break between tokens becomes a blank; inside a string there is none.
fn one_line(text: &str, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(text.as_bytes());
    let line = &mut out[start..];
    let mut from = 0;
    while let Some(at) = memchr::memchr2(b'\n', b'\r', &line[from..]) {
        line[from + at] = b' ';
        from += at + 1;
    }
}

/// A moment as ISO 8601 in UTC, with milliseconds, or microseconds where there are some; outside the
/// years 0 to 9999, whose ISO form every reader takes, as a number of milliseconds.
pub(crate) fn write_date(micros: i64, out: &mut Vec<u8>) {
    const YEAR_0: i64 = -62_167_219_200_000_000;
    const YEAR_10000: i64 = 253_402_300_800_000_000;
    if (YEAR_0..YEAR_10000).contains(&micros) {
        let text = crate::digest::micros_text(micros);
        out.push(b'"');
        match text.strip_suffix("000Z") {
            Some(millis) => {
                out.extend_from_slice(millis.as_bytes());
                out.push(b'Z');
            }
            None => out.extend_from_slice(text.as_bytes()),
        }
        return out.push(b'"');
    }
    let sign = if micros < 0 { "-" } else { "" };
    let (millis, rest) = (micros.unsigned_abs() / 1000, micros.unsigned_abs() % 1000);
    let decimals = if rest == 0 { String::new() } else { format!(".{rest:03}") };
    out.extend_from_slice(format!("{sign}{millis}{decimals}").as_bytes());
}

/// Writes one value of a snapshot's table as JSON; for rows that are set aside whole.
pub(super) fn write_column(
    name: &str,
    values: &dyn Array,
    row: usize,
    ty: Type,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(&member(name));
    match (values.data_type(), ty) {
        (DataType::Utf8, Type::Any) => write_value(Kind::Json, values, row, out),
        (DataType::Utf8, _) => write_value(Kind::Text, values, row, out),
        (DataType::Boolean, _) => write_value(Kind::Boolean, values, row, out),
        (DataType::Float64, _) => write_value(Kind::Number, values, row, out),
        (DataType::Timestamp(..), _) => write_value(Kind::Date, values, row, out),
        _ => out.extend_from_slice(b"null"),
    }
}
