//! Rebuilt rows beside those of the snapshot, value by value.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::kernels::cmp::distinct;
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::SchemaRef;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;

use super::Wrong;
use crate::bundle::read;
use crate::error::{Result, printable};
use crate::snapshot::{Extra, Snapshot};

/// A table of the snapshot, walked beside the rebuilt one.
pub(super) struct Same {
    reader: ParquetRecordBatchReader,
    path: PathBuf,
    columns: SchemaRef,
    /// What was read and is not done with; it begins with the row `start`.
    held: Vec<RecordBatch>,
    start: i64,
    end: i64,
}

impl Same {
    /// Opens the table; `None` when the snapshot has none.
    pub(super) fn open(
        snapshot: &Snapshot,
        entity: &str,
        columns: SchemaRef,
    ) -> Result<Option<Self>> {
        let Some(table) = snapshot.table(entity) else { return Ok(None) };
        let path = snapshot.path(&table.file);
        let names: Vec<String> =
            columns.fields().iter().map(|field| field.name().clone()).collect();
        let reader = read::columns(&path, Some(&names), None)?;
        Ok(Some(Self { reader, path, columns, held: Vec::new(), start: 0, end: 0 }))
    }

    /// Compares rows, which come in their order; notes those that differ.
    pub(super) fn compare(&mut self, rebuilt: &RecordBatch, wrong: &mut Wrong) -> Result<()> {
        let rows = read::whole(rebuilt, Extra::ROW)?;
        let (Some(first), Some(last)) = (rows.values().first(), rows.values().last()) else {
            return Ok(());
        };
        let theirs = self.rows(*first, *last)?;
        let Some(theirs) = theirs else {
            (0..rows.len())
                .for_each(|at| wrong.add(|| format!("row {}: is no row", rows.value(at))));
            return Ok(());
        };
        let start = self.start;
        let at = |row: &i64| u32::try_from(row - start).ok();
        let at: UInt32Array = rows.values().iter().map(at).collect();
        let theirs = take_record_batch(&theirs, &at).map_err(read::arrow_failed)?;
        let mut differing: Vec<(usize, &str)> = Vec::new();
        for (at, field) in self.columns.fields().iter().enumerate() {
            let theirs = read::column(&theirs, field.name(), field.data_type())?;
            let found: BooleanArray =
                distinct(rebuilt.column(at), &theirs).map_err(read::arrow_failed)?;
            if found.true_count() > 0 {
                let rows = (0..found.len()).filter(|row| found.value(*row));
                differing.extend(rows.map(|row| (row, field.name().as_str())));
            }
        }
        differing.sort_by_key(|(row, _)| *row);
        differing.dedup_by_key(|(row, _)| *row);
        let ids = rebuilt.column_by_name("id").and_then(|ids| ids.as_string_opt::<i32>());
        for (row, column) in differing {
            let id = ids.filter(|ids| ids.is_valid(row)).map_or("no id", |ids| ids.value(row));
            let (place, id) = (rows.value(row), printable(id));
            wrong.add(|| format!("row {place} ({id}): `{column}` is not as it was"));
        }
        Ok(())
    }

    /// The rows from one to another, the first of them the row `self.start`.
    fn rows(&mut self, first: i64, last: i64) -> Result<Option<RecordBatch>> {
        while self.end <= last {
            let Some(batch) = read::next(&mut self.reader, &self.path)? else { return Ok(None) };
            self.end += i64::try_from(batch.num_rows()).unwrap_or(i64::MAX);
            self.held.push(batch);
        }
        while let Some(batch) = self.held.first() {
            let rows = i64::try_from(batch.num_rows()).unwrap_or(i64::MAX);
            if self.start + rows > first {
                break;
            }
            self.start += rows;
            self.held.remove(0);
        }
        let Some(schema) = self.held.first().map(RecordBatch::schema) else { return Ok(None) };
        concat_batches(&Arc::clone(&schema), &self.held).map(Some).map_err(read::arrow_failed)
    }
}
