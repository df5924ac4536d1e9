//! Rows of a table as typed values, out of an arrow batch.

use arrow::array::{
    Array, BooleanArray, Float64Array, Int64Array, LargeStringArray, RecordBatch, StringArray,
    StringViewArray, TimestampMicrosecondArray,
};

use super::{Column, ColumnKind, Table, Value};
use crate::digest;
use crate::error::{Error, Result};

/// Some rows of one table, column by column in the order of [`Table::columns`].
#[derive(Debug)]
pub struct Rows<'a> {
    cells: Vec<Cells<'a>>,
    len: usize,
    digests: &'a [u128],
}

#[derive(Debug)]
enum Cells<'a> {
    Text(Texts<'a>),
    Json(Texts<'a>),
    Number(&'a Float64Array),
    Boolean(&'a BooleanArray),
    Date(&'a TimestampMicrosecondArray),
    Whole(&'a Int64Array),
}

#[derive(Debug)]
enum Texts<'a> {
    Plain(&'a StringArray),
    Large(&'a LargeStringArray),
    View(&'a StringViewArray),
}

impl<'a> Rows<'a> {
    /// Reads a batch by the table's columns.
    ///
    /// # Errors
    /// A column is missing or of another type than the bundle format says.
    pub fn of(table: &Table, batch: &'a RecordBatch) -> Result<Self> {
        let cells = table.columns.iter().map(|column| cells(table, column, batch));
        Ok(Self { cells: cells.collect::<Result<_>>()?, len: batch.num_rows(), digests: &[] })
    }

    /// The same rows with their logical digests, one a row.
    #[must_use]
    pub fn with_digests(mut self, digests: &'a [u128]) -> Self {
        self.digests = digests;
        self
    }

    /// The logical digest of a row; 0 when the rows were read without.
    pub fn digest(&self, row: usize) -> u128 {
        self.digests.get(row).copied().unwrap_or_default()
    }

    /// The values of a row that take part in its logical digest, by name.
    pub fn logical<'t>(
        &self,
        table: &'t Table,
        row: usize,
    ) -> impl Iterator<Item = (&'t str, digest::Value<'a>)> + use<'_, 'a, 't> {
        table
            .logical()
            .map(move |(at, column)| (column.name.as_str(), self.value(at, row).logical()))
    }

    /// The key of a row: its id, or both ends of a link.
    pub fn key(&self, table: &Table, row: usize) -> Vec<String> {
        let text = |(at, _)| match self.value(at, row) {
            Value::Text(id) => id.to_owned(),
            _ => String::new(),
        };
        table.keys().map(text).collect()
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The value in a column of a row.
    pub fn value(&self, column: usize, row: usize) -> Value<'a> {
        match &self.cells[column] {
            Cells::Text(texts) => texts.get(row).map_or(Value::Null, Value::Text),
            Cells::Json(texts) => texts.get(row).map_or(Value::Null, Value::Json),
            Cells::Number(array) if array.is_valid(row) => Value::Number(array.value(row)),
            Cells::Boolean(array) if array.is_valid(row) => Value::Boolean(array.value(row)),
            Cells::Date(array) if array.is_valid(row) => Value::Date(array.value(row)),
            Cells::Whole(array) if array.is_valid(row) => Value::Whole(array.value(row)),
            _ => Value::Null,
        }
    }
}

impl<'a> Texts<'a> {
    fn get(&self, row: usize) -> Option<&'a str> {
        match self {
            Texts::Plain(array) => array.is_valid(row).then(|| array.value(row)),
            Texts::Large(array) => array.is_valid(row).then(|| array.value(row)),
            Texts::View(array) => array.is_valid(row).then(|| array.value(row)),
        }
    }
}

fn cells<'a>(table: &Table, column: &Column, batch: &'a RecordBatch) -> Result<Cells<'a>> {
    let array =
        batch.column_by_name(&column.name).ok_or_else(|| misfit(table, column, "nothing"))?;
    let any = array.as_any();
    let found = match column.kind {
        ColumnKind::Text => texts(array).map(Cells::Text),
        ColumnKind::Json => texts(array).map(Cells::Json),
        ColumnKind::Number => any.downcast_ref().map(Cells::Number),
        ColumnKind::Boolean => any.downcast_ref().map(Cells::Boolean),
        ColumnKind::Date => any.downcast_ref().map(Cells::Date),
        ColumnKind::Whole => any.downcast_ref().map(Cells::Whole),
    };
    found.ok_or_else(|| misfit(table, column, &array.data_type().to_string()))
}

fn texts(array: &dyn Array) -> Option<Texts<'_>> {
    let any = array.as_any();
    any.downcast_ref()
        .map(Texts::Plain)
        .or_else(|| any.downcast_ref().map(Texts::Large))
        .or_else(|| any.downcast_ref().map(Texts::View))
}

fn misfit(table: &Table, column: &Column, found: &str) -> Error {
    Error::damaged(format!(
        "the column `{}` of `{}` is {found}, which is not what its contract declares",
        column.name, table.name
    ))
    .at(&table.file)
    .help("make the bundle again with this version of the program")
}
