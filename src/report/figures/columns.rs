//! Reads some columns of a Parquet file, a batch of bounded bytes at a time.

use std::path::Path;

use arrow::array::{
    Array as _, ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};

use crate::error::{Error, Result};
use crate::snapshot;
use crate::storage;

/// A column of a batch. One that is not there reads as null.
pub(super) enum Column {
    Text(StringArray),
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
        if let Some(array) = any.downcast_ref::<TimestampMicrosecondArray>() {
            return Column::Date(array.clone());
        }
        match any.downcast_ref::<Int64Array>() {
            Some(array) => Column::Whole(array.clone()),
            None => Column::Missing,
        }
    }

    /// The text of a row.
    pub(super) fn text(&self, row: usize) -> Option<&str> {
        match self {
            Column::Text(array) if array.is_valid(row) => Some(array.value(row)),
            _ => None,
        }
    }

    /// How many bytes the text of a row has.
    pub(super) fn length(&self, row: usize) -> Option<u64> {
        match self {
            Column::Text(array) if array.is_valid(row) => {
                u64::try_from(array.value_length(row)).ok()
            }
            _ => None,
        }
    }

    /// The whole number of a row.
    pub(super) fn whole(&self, row: usize) -> Option<i64> {
        match self {
            Column::Whole(array) if array.is_valid(row) => Some(array.value(row)),
            _ => None,
        }
    }

    /// The moment of a row in microseconds; a whole number is one in milliseconds.
    pub(super) fn moment(&self, row: usize) -> Option<i64> {
        match self {
            Column::Date(array) if array.is_valid(row) => Some(array.value(row)),
            Column::Whole(_) => self.whole(row)?.checked_mul(1000),
            _ => None,
        }
    }
}

/// Takes the columns of a batch, in the order they were named, and how many rows it has.
pub(super) type Visit<'a> = dyn FnMut(&[Column], usize) -> Result<()> + 'a;

/// Reads the named columns of a file.
pub(super) fn scan(path: &Path, names: &[&str], visit: &mut Visit<'_>) -> Result<()> {
    let unreadable = || Error::damaged("the table is no readable Parquet file").at(path.display());
    // By the file's own types: what a writer noted about other ones (views, large texts) does not matter.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let file = ParquetRecordBatchReaderBuilder::try_new_with_options(storage::open(path)?, options);
    let file = file.map_err(|error| unreadable().because(error))?;
    let roots = file.schema().fields().iter().enumerate();
    let roots = roots.filter(|(_, field)| names.contains(&field.name().as_str()));
    let roots: Vec<usize> = roots.map(|(at, _)| at).collect();
    let mask = ProjectionMask::roots(file.parquet_schema(), roots);
    let rows = snapshot::batch_rows(file.metadata(), &mask);
    let reader = file.with_projection(mask).with_batch_size(rows).build();
    for batch in reader.map_err(|error| unreadable().because(error))? {
        let batch: RecordBatch = batch.map_err(|error| unreadable().because(error))?;
        let column = |name: &&str| batch.column_by_name(name).map_or(Column::Missing, Column::of);
        let columns: Vec<Column> = names.iter().map(column).collect();
        visit(&columns, batch.num_rows())?;
    }
    Ok(())
}
