//! Reads Parquet files batch by batch, in batches of bounded bytes, with texts as `Utf8`.

use std::fs::File;
use std::path::Path;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::{cast, concat_batches, filter_record_batch};
use arrow::datatypes::{DataType, Int64Type};
use arrow::error::ArrowError;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection,
};
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};

use crate::error::{Error, Result};
use crate::snapshot;
use crate::storage;

/// Opens a file for some of its columns; `None` for all of them.
pub(crate) fn columns(
    path: &Path,
    names: Option<&[String]>,
    selection: Option<RowSelection>,
) -> Result<ParquetRecordBatchReader> {
    let builder = open(path)?;
    let metadata = builder.metadata().clone();
    let mask = match names {
        None => ProjectionMask::all(),
        Some(names) => {
            let wanted = |(_, name): &(usize, String)| names.contains(name);
            let roots = builder.schema().fields().iter().map(|field| field.name().clone());
            let roots = roots.enumerate().filter(wanted).map(|(at, _)| at);
            ProjectionMask::roots(builder.parquet_schema(), roots)
        }
    };
    let rows = snapshot::batch_rows(&metadata, &mask);
    let mut builder = builder.with_projection(mask).with_batch_size(rows);
    if let Some(selection) = selection {
        builder = builder.with_row_selection(selection);
    }
    builder.build().map_err(|error| broken(path).because(error))
}

/// About how many bytes some columns of a file take in memory; all of them for `None`.
pub(crate) fn decoded_bytes(path: &Path, names: Option<&[String]>) -> Result<u64> {
    let builder = snapshot::scan(path)?;
    let is_wanted = |name: &str| names.is_none_or(|names| names.iter().any(|found| found == name));
    let groups = builder.metadata().row_groups().iter();
    let columns = groups.flat_map(RowGroupMetaData::columns);
    let wanted = columns.filter(|column| is_wanted(column.column_path().string().as_str()));
    let bytes: i64 = wanted.map(ColumnChunkMetaData::uncompressed_size).sum();
    Ok(u64::try_from(bytes).unwrap_or_default())
}

fn broken(path: &Path) -> Error {
    Error::damaged("the table cannot be read").at(path.display())
}

/// Opens a file by its own types: polars notes other ones for texts, which would only be cast again.
fn open(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<File>> {
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    ParquetRecordBatchReaderBuilder::try_new_with_options(storage::open(path)?, options)
        .map_err(|error| broken(path).because(error))
}

/// The next batch of a reader.
pub(crate) fn next(
    reader: &mut ParquetRecordBatchReader,
    path: &Path,
) -> Result<Option<RecordBatch>> {
    reader.next().transpose().map_err(|error| broken(path).because(error))
}

/// A column by name, as a type.
pub(crate) fn column(batch: &RecordBatch, name: &str, ty: &DataType) -> Result<ArrayRef> {
    let found = batch.column_by_name(name);
    let found = found.ok_or_else(|| Error::bug(format!("column `{name}` is not in the file")))?;
    if found.data_type() == ty { Ok(found.clone()) } else { cast(found, ty).map_err(arrow_failed) }
}

/// A column of whole numbers by name.
pub(crate) fn whole(batch: &RecordBatch, name: &str) -> Result<arrow::array::Int64Array> {
    Ok(column(batch, name, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
}

/// A column of texts by name.
pub(crate) fn text(batch: &RecordBatch, name: &str) -> Result<arrow::array::StringArray> {
    Ok(column(batch, name, &DataType::Utf8)?.as_string::<i32>().clone())
}

/// A failure of arrow on data that was checked before.
pub(crate) fn arrow_failed(error: ArrowError) -> Error {
    Error::bug("rows could not be moved").because(error)
}

/// Walks a file that stands in `_row` order, giving the lines of a range of rows.
pub(super) struct ByRow<'a> {
    reader: ParquetRecordBatchReader,
    path: std::path::PathBuf,
    except: &'a [i64],
    rest: Option<RecordBatch>,
}

impl<'a> ByRow<'a> {
    /// Opens some columns of a file of decisions, all of them for `None`; the lines of `except`, which
    /// ascend, are passed over.
    pub(super) fn open(path: &Path, names: Option<&[String]>, except: &'a [i64]) -> Result<Self> {
        let reader = columns(path, names, None)?;
        Ok(Self { reader, path: path.to_owned(), except, rest: None })
    }

    fn next(&mut self) -> Result<Option<RecordBatch>> {
        let Some(batch) = next(&mut self.reader, &self.path)? else { return Ok(None) };
        let rows = whole(&batch, crate::transform::names::ROW)?;
        let (first, last) = (rows.values().first(), rows.values().last());
        let from = self.except.partition_point(|row| Some(row) < first);
        if self.except.get(from).is_none_or(|row| Some(row) > last) {
            return Ok(Some(batch));
        }
        let counts: BooleanArray =
            rows.values().iter().map(|row| Some(self.except.binary_search(row).is_err())).collect();
        filter_record_batch(&batch, &counts).map(Some).map_err(arrow_failed)
    }

    /// The lines whose `_row` is below `end`, after those given before; `None` where there are none.
    pub(super) fn below(&mut self, end: i64) -> Result<Option<RecordBatch>> {
        let mut found = Vec::new();
        loop {
            let batch = match self.rest.take() {
                Some(batch) => batch,
                None => match self.next()? {
                    Some(batch) if batch.num_rows() == 0 => continue,
                    Some(batch) => batch,
                    None => break,
                },
            };
            let rows = whole(&batch, crate::transform::names::ROW)?;
            let cut = rows.values().partition_point(|row| *row < end);
            if cut > 0 {
                found.push(batch.slice(0, cut));
            }
            if cut < batch.num_rows() {
                self.rest = Some(batch.slice(cut, batch.num_rows() - cut));
                break;
            }
        }
        match found.first().map(RecordBatch::schema) {
            Some(schema) => concat_batches(&schema, &found).map(Some).map_err(arrow_failed),
            None => Ok(None),
        }
    }
}
