//! A Parquet file of a bundle, to find a row in and to take one out.

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection,
};

use super::cell::{Row, Seen};
use crate::error::{Error, Result};
use crate::snapshot;
use crate::storage;

/// A table.
#[derive(Debug, Clone)]
pub(super) struct Table {
    /// Path from the bundle's root.
    pub(super) file: String,
    path: PathBuf,
    /// How many rows.
    pub(super) rows: usize,
    pub(super) schema: SchemaRef,
}

impl Table {
    /// Opens a file that has rows; `None` when it is not there or has none.
    pub(super) fn open(root: &Path, file: &str) -> Result<Option<Self>> {
        let path = root.join(file);
        if !path.exists() {
            return Ok(None);
        }
        let builder = open(&path)?;
        let rows = builder.metadata().file_metadata().num_rows();
        let rows = usize::try_from(rows).map_err(|_| unreadable(&path))?;
        let table = Self { file: file.to_owned(), path, rows, schema: builder.schema().clone() };
        Ok(Some(table).filter(|table| table.rows > 0))
    }

    /// What `seek` gives of a row: of the first one from `start` on for which it gives anything, else of
    /// the first of all. Every row is shown in the order of the file, from the beginning.
    pub(super) fn find<T>(
        &self,
        columns: &[&str],
        start: usize,
        seek: &mut dyn FnMut(Seen<'_>) -> Option<T>,
    ) -> Result<Option<T>> {
        let mut first = None;
        let mut read = 0;
        for batch in self.reader(Some(columns), None)? {
            let batch = batch.map_err(|error| unreadable(&self.path).because(error))?;
            for at in 0..batch.num_rows() {
                let Some(found) = seek(Seen::new(&batch, at, read)) else { continue };
                if read + at >= start {
                    return Ok(Some(found));
                }
                first.get_or_insert(found);
            }
            read += batch.num_rows();
        }
        Ok(first)
    }

    /// A row with all its columns.
    ///
    /// # Errors
    /// The table has no such row, or cannot be read.
    pub(super) fn row(&self, at: usize) -> Result<Row> {
        let one = std::iter::once(at..at + 1);
        let selection = RowSelection::from_consecutive_ranges(one, self.rows);
        let mut reader = self.reader(None, Some(selection))?;
        let missing = || Error::bug(format!("`{}` has no row {at}", self.file));
        let batch = reader.next().ok_or_else(missing)?;
        batch.map(Row).map_err(|error| unreadable(&self.path).because(error))
    }

    fn reader(
        &self,
        columns: Option<&[&str]>,
        selection: Option<RowSelection>,
    ) -> Result<ParquetRecordBatchReader> {
        let builder = open(&self.path)?;
        let mask = match columns {
            None => ProjectionMask::all(),
            Some(names) => {
                let places = names.iter().filter_map(|name| self.schema.index_of(name).ok());
                ProjectionMask::roots(builder.parquet_schema(), places)
            }
        };
        let rows = snapshot::batch_rows(builder.metadata(), &mask);
        let mut builder = builder.with_projection(mask).with_batch_size(rows);
        if let Some(selection) = selection {
            builder = builder.with_row_selection(selection);
        }
        builder.build().map_err(|error| unreadable(&self.path).because(error))
    }
}

/// Opens a file by its own types, whatever a writer noted about other ones.
pub(super) fn open(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<File>> {
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    ParquetRecordBatchReaderBuilder::try_new_with_options(storage::open(path)?, options)
        .map_err(|error| unreadable(path).because(error))
}

/// The rows of a file, all columns of some at a time.
pub(super) fn batches(
    path: &Path,
) -> Result<(SchemaRef, impl Iterator<Item = Result<RecordBatch>> + use<>)> {
    let builder = open(path)?;
    let rows = snapshot::batch_rows(builder.metadata(), &ProjectionMask::all());
    let schema = builder.schema().clone();
    let reader = builder.with_batch_size(rows).build();
    let reader = reader.map_err(|error| unreadable(path).because(error))?;
    let path = path.to_owned();
    Ok((schema, reader.map(move |batch| batch.map_err(|error| unreadable(&path).because(error)))))
}

fn unreadable(path: &Path) -> Error {
    Error::damaged("the table is no readable Parquet file").at(path.display())
}
