//! Reads Parquet by projection, row by row out of batches of bounded bytes.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use arrow::array::{
    Array as _, ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection,
};

use crate::digest::Value;
use crate::error::{Error, Result};
use crate::schema::Type;
use crate::storage;

/// About how many bytes a batch may hold.
const BATCH_BYTES: i64 = 2 << 20;
/// How many rows a batch holds at most.
const BATCH_ROWS: i64 = 8192;

/// A column of a batch. One that is missing or of another kind than any a table has reads as null.
#[derive(Debug)]
enum Column {
    Text(StringArray),
    Number(Float64Array),
    Boolean(BooleanArray),
    Date(TimestampMicrosecondArray),
    Whole(Int64Array),
    Missing,
}

impl Column {
    fn of(array: &ArrayRef) -> Self {
        let any = array.as_any();
        if let Some(array) = any.downcast_ref::<StringArray>() {
            return Column::Text(array.clone());
        }
        if let Some(array) = any.downcast_ref::<Float64Array>() {
            return Column::Number(array.clone());
        }
        if let Some(array) = any.downcast_ref::<BooleanArray>() {
            return Column::Boolean(array.clone());
        }
        if let Some(array) = any.downcast_ref::<TimestampMicrosecondArray>() {
            return Column::Date(array.clone());
        }
        match any.downcast_ref::<Int64Array>() {
            Some(array) => Column::Whole(array.clone()),
            None => Column::Missing,
        }
    }
}

/// One row of a scan; columns go by their place in the projection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'a> {
    columns: &'a [Column],
    at: usize,
    /// Which row of the file it is (of a selection: which row of the selection), from 0.
    pub(crate) number: usize,
}

impl<'a> Row<'a> {
    /// The text in a column.
    pub(crate) fn text(self, column: usize) -> Option<&'a str> {
        match &self.columns[column] {
            Column::Text(array) if array.is_valid(self.at) => Some(array.value(self.at)),
            _ => None,
        }
    }

    /// Whether a column has a value.
    pub(crate) fn is_there(self, column: usize) -> bool {
        match &self.columns[column] {
            Column::Text(array) => array.is_valid(self.at),
            Column::Number(array) => array.is_valid(self.at),
            Column::Boolean(array) => array.is_valid(self.at),
            Column::Date(array) => array.is_valid(self.at),
            Column::Whole(array) => array.is_valid(self.at),
            Column::Missing => false,
        }
    }

    /// The whole number in a column.
    pub(crate) fn whole(self, column: usize) -> Option<i64> {
        match &self.columns[column] {
            Column::Whole(array) if array.is_valid(self.at) => Some(array.value(self.at)),
            _ => None,
        }
    }

    /// The row number in a column.
    pub(crate) fn row(self, column: usize) -> Option<usize> {
        self.whole(column).and_then(|row| usize::try_from(row).ok())
    }

    /// The value in a column of a contract's type; a text column of another type is text.
    pub(crate) fn value(self, column: usize, ty: Type) -> Value<'a> {
        let at = self.at;
        match &self.columns[column] {
            Column::Text(array) if array.is_valid(at) && ty == Type::Any => {
                Value::Json(array.value(at))
            }
            Column::Text(array) if array.is_valid(at) => Value::Text(array.value(at)),
            Column::Number(array) if array.is_valid(at) => Value::Number(array.value(at)),
            Column::Boolean(array) if array.is_valid(at) => Value::Boolean(array.value(at)),
            Column::Date(array) if array.is_valid(at) => Value::Date(array.value(at)),
            _ => Value::Absent,
        }
    }
}

/// Takes one row; an error stops the reading.
pub(crate) type Visit<'a> = dyn FnMut(Row<'_>) -> Result<()> + 'a;

/// Reads the named columns of every row, in the order of the file.
pub(crate) fn scan(path: &Path, columns: &[&str], visit: &mut Visit<'_>) -> Result<()> {
    read(path, columns, None, visit)
}

/// Reads the named columns of the rows at these places, which ascend.
pub(crate) fn pick(
    path: &Path,
    columns: &[&str],
    rows: &[usize],
    visit: &mut Visit<'_>,
) -> Result<()> {
    if rows.is_empty() { Ok(()) } else { read(path, columns, Some(rows), visit) }
}

/// As [`scan`] of a file that may not be there.
pub(crate) fn scan_if_there(path: &Path, columns: &[&str], visit: &mut Visit<'_>) -> Result<()> {
    if path.exists() { scan(path, columns, visit) } else { Ok(()) }
}

/// The columns of a file and what the file itself says they are.
pub(crate) fn types(path: &Path) -> Result<BTreeMap<String, DataType>> {
    let fields = open(path)?.schema().fields().clone();
    Ok(fields.iter().map(|field| (field.name().clone(), field.data_type().clone())).collect())
}

/// How many rows a file has.
pub(crate) fn rows(path: &Path) -> Result<usize> {
    let rows = open(path)?.metadata().file_metadata().num_rows();
    usize::try_from(rows).map_err(|_| unreadable(path))
}

fn read(
    path: &Path,
    columns: &[&str],
    rows: Option<&[usize]>,
    visit: &mut Visit<'_>,
) -> Result<()> {
    let mut start = 0;
    for batch in reader(path, columns, rows)? {
        let batch = batch.map_err(|error| unreadable(path).because(error))?;
        let batch = Batch::of(&batch, columns, start);
        for row in batch.rows() {
            visit(row)?;
        }
        start += batch.count;
    }
    Ok(())
}

/// Reads the named columns of every row, or of those at these places, batch by batch.
pub(crate) fn reader(
    path: &Path,
    columns: &[&str],
    rows: Option<&[usize]>,
) -> Result<ParquetRecordBatchReader> {
    let builder = open(path)?;
    let schema = builder.schema().clone();
    let places = columns.iter().filter_map(|name| schema.index_of(name).ok());
    let mask = ProjectionMask::roots(builder.parquet_schema(), places);
    let batch_rows = batch_rows(&builder, &mask);
    let total = builder.metadata().file_metadata().num_rows();
    let mut builder = builder.with_projection(mask).with_batch_size(batch_rows);
    if let Some(rows) = rows {
        let total = usize::try_from(total).map_err(|_| unreadable(path))?;
        let ranges = rows.iter().filter(|row| **row < total).map(|row| *row..*row + 1);
        builder = builder.with_row_selection(RowSelection::from_consecutive_ranges(ranges, total));
    }
    builder.build().map_err(|error| unreadable(path).because(error))
}

/// Some rows that follow each other.
pub(crate) struct Batch {
    columns: Vec<Column>,
    start: usize,
    /// How many they are.
    pub(crate) count: usize,
}

impl Batch {
    /// The rows of a batch, of which the first is this row of the file.
    pub(crate) fn of(batch: &RecordBatch, names: &[&str], start: usize) -> Self {
        let column = |name: &&str| batch.column_by_name(name).map_or(Column::Missing, Column::of);
        Self { columns: names.iter().map(column).collect(), start, count: batch.num_rows() }
    }

    /// The rows in their order.
    pub(crate) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        let row = |at| Row { columns: &self.columns, at, number: self.start + at };
        (0..self.count).map(row)
    }
}

/// Opens a file by its own types: what a writer noted about other ones (large or view texts) does
/// not matter.
fn open(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<File>> {
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    ParquetRecordBatchReaderBuilder::try_new_with_options(storage::open(path)?, options)
        .map_err(|error| unreadable(path).because(error))
}

/// How many rows of the projected columns are about [`BATCH_BYTES`].
fn batch_rows(builder: &ParquetRecordBatchReaderBuilder<File>, mask: &ProjectionMask) -> usize {
    let mut widest = 1;
    for group in builder.metadata().row_groups() {
        let bytes: i64 = (0..group.num_columns())
            .filter(|leaf| mask.leaf_included(*leaf))
            .map(|leaf| group.column(leaf).uncompressed_size())
            .sum();
        widest = widest.max(bytes / group.num_rows().max(1));
    }
    usize::try_from((BATCH_BYTES / widest).clamp(1, BATCH_ROWS)).unwrap_or(1)
}

pub(crate) fn unreadable(path: &Path) -> Error {
    Error::damaged("the table is no readable Parquet file").at(path.display())
}
