//! One value of a table, and rows of which one value is another.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimestampMicrosecondType};

use crate::error::{Error, Result};

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell<'a> {
    Null,
    Text(Cow<'a, str>),
    Number(f64),
    Boolean(bool),
    /// Microseconds since 1970-01-01 UTC.
    Date(i64),
    Whole(i64),
}

impl Cell<'_> {
    /// The same value, held on its own.
    pub(super) fn held(self) -> Cell<'static> {
        match self {
            Cell::Null => Cell::Null,
            Cell::Text(text) => Cell::Text(Cow::Owned(text.into_owned())),
            Cell::Number(number) => Cell::Number(number),
            Cell::Boolean(value) => Cell::Boolean(value),
            Cell::Date(micros) => Cell::Date(micros),
            Cell::Whole(whole) => Cell::Whole(whole),
        }
    }
}

/// A text as a value.
pub(super) fn text(text: impl Into<String>) -> Cell<'static> {
    Cell::Text(Cow::Owned(text.into()))
}

/// A row of a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a> {
    batch: &'a RecordBatch,
    at: usize,
    /// Which row of the file it is, from 0.
    pub(super) number: usize,
}

impl<'a> Seen<'a> {
    /// The row at a place of a batch whose first is this row of the file.
    pub(super) fn new(batch: &'a RecordBatch, at: usize, start: usize) -> Self {
        Self { batch, at, number: start + at }
    }

    /// The value of a column; one that was not read, or is of a type no table has, reads as null.
    pub(super) fn cell(self, column: &str) -> Cell<'a> {
        let Some(values) = self.batch.column_by_name(column) else { return Cell::Null };
        if values.is_null(self.at) {
            return Cell::Null;
        }
        match values.data_type() {
            DataType::Utf8 => Cell::Text(Cow::Borrowed(values.as_string::<i32>().value(self.at))),
            DataType::Float64 => Cell::Number(values.as_primitive::<Float64Type>().value(self.at)),
            DataType::Boolean => Cell::Boolean(values.as_boolean().value(self.at)),
            DataType::Int64 => Cell::Whole(values.as_primitive::<Int64Type>().value(self.at)),
            DataType::Timestamp(..) => {
                Cell::Date(values.as_primitive::<TimestampMicrosecondType>().value(self.at))
            }
            _ => Cell::Null,
        }
    }

    /// The text of a column.
    pub(super) fn text(self, column: &str) -> Option<&'a str> {
        match self.cell(column) {
            Cell::Text(Cow::Borrowed(text)) => Some(text),
            _ => None,
        }
    }

    /// The whole number of a column.
    pub(super) fn whole(self, column: &str) -> Option<i64> {
        match self.cell(column) {
            Cell::Whole(whole) => Some(whole),
            _ => None,
        }
    }
}

/// A row on its own.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row(pub(super) RecordBatch);

impl Row {
    /// The row, to be read as this one of its file.
    pub(super) fn at(&self, number: usize) -> Seen<'_> {
        Seen::new(&self.0, 0, number)
    }

    /// The same row with another value in a column.
    ///
    /// # Errors
    /// There is no such column, or it is of another type.
    pub(super) fn with(&self, column: &str, value: &Cell<'_>) -> Result<Self> {
        let schema = self.0.schema();
        let missing = || Error::bug(format!("the table has no column `{column}`"));
        let at = schema.index_of(column).map_err(|_| missing())?;
        let mut columns = self.0.columns().to_vec();
        columns[at] = array(value, schema.field(at).data_type());
        let changed = RecordBatch::try_new(schema, columns);
        changed.map(Self).map_err(|error| Error::bug("a row cannot be changed").because(error))
    }
}

/// One value as a column; null when it is none of the type.
fn array(value: &Cell<'_>, ty: &DataType) -> ArrayRef {
    match ty {
        DataType::Float64 => Arc::new(Float64Array::from(vec![match value {
            Cell::Number(number) => Some(*number),
            _ => None,
        }])),
        DataType::Boolean => Arc::new(BooleanArray::from(vec![match value {
            Cell::Boolean(value) => Some(*value),
            _ => None,
        }])),
        DataType::Int64 => Arc::new(Int64Array::from(vec![match value {
            Cell::Whole(whole) => Some(*whole),
            _ => None,
        }])),
        DataType::Timestamp(_, zone) => {
            let micros = match value {
                Cell::Date(micros) => Some(*micros),
                _ => None,
            };
            let dates = TimestampMicrosecondArray::from(vec![micros]);
            Arc::new(dates.with_timezone_opt(zone.clone()))
        }
        _ => Arc::new(StringArray::from(vec![match value {
            Cell::Text(text) => Some(text.as_ref()),
            _ => None,
        }])),
    }
}
