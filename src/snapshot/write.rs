//! Snapshot tables and link files as Parquet.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema as Columns, SchemaRef};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

use super::Extra;
use super::batch::Made;
use crate::error::{Error, Result};
use crate::storage::{self, HashingFile, Written};

/// Rows of a row group, at most.
const GROUP_ROWS: usize = 65_536;
/// Bytes of values after which a row group ends, whatever they are encoded to: a reader of whole row
/// groups needs so much.
const GROUP_BYTES: usize = 32 << 20;

/// Bytes of a page, about, and of a dictionary: more distinct values are none that repeat. Small ones
/// leave small holes in the memory when they go.
const PAGE_BYTES: usize = 256 << 10;

/// A Parquet file that is being written; the same rows always give the same bytes.
pub(crate) struct Table {
    writer: ArrowWriter<HashingFile>,
    columns: SchemaRef,
    path: PathBuf,
    /// Rows of the row group that is open.
    open_rows: usize,
    /// Bytes of their values.
    open_bytes: usize,
}

impl Table {
    /// Begins a file; the values of `wide` columns hardly repeat.
    pub(crate) fn create(path: &Path, columns: SchemaRef, wide: &[String]) -> Result<Self> {
        let file = HashingFile::create(path)?;
        let properties = properties(&columns, wide);
        let writer = ArrowWriter::try_new(file, columns.clone(), Some(properties))
            .map_err(|error| failed(path, error))?;
        Ok(Self { writer, columns, path: path.to_owned(), open_rows: 0, open_bytes: 0 })
    }

    /// Begins a link file.
    pub(super) fn links(path: &Path) -> Result<Self> {
        let columns = Columns::new(vec![
            Field::new("from", DataType::Utf8, true),
            Field::new("to", DataType::Utf8, false),
            Field::new(Extra::ROW, DataType::Int64, false),
            Field::new("_index", DataType::Int64, false),
        ]);
        Self::create(path, Arc::new(columns), &[])
    }

    /// Bytes of values in the row group that is open.
    pub(super) fn open_bytes(&self) -> usize {
        self.open_bytes
    }

    /// Appends rows.
    pub(super) fn write(&mut self, made: Made) -> Result<()> {
        let rows = RecordBatch::try_new(self.columns.clone(), made.arrays)
            .map_err(|error| Error::bug("a batch does not fit its table").because(error))?;
        self.append(rows, made.bytes)
    }

    /// Appends rows whose values take so many bytes.
    pub(crate) fn append(&mut self, rows: RecordBatch, bytes: usize) -> Result<()> {
        let mut rest = rows;
        let width = bytes / rest.num_rows().max(1);
        while rest.num_rows() > 0 {
            let rows = rest.num_rows().min(GROUP_ROWS - self.open_rows);
            let part = rest.slice(0, rows);
            rest = rest.slice(rows, rest.num_rows() - rows);
            self.writer.write(&part).map_err(|error| failed(&self.path, error))?;
            self.open_rows += rows;
            self.open_bytes += width * rows;
            if self.open_rows == GROUP_ROWS || self.open_bytes >= GROUP_BYTES {
                self.end_group()?;
            }
        }
        Ok(())
    }

    /// Ends the row group that is open.
    pub(super) fn end_group(&mut self) -> Result<()> {
        (self.open_rows, self.open_bytes) = (0, 0);
        self.writer.flush().map_err(|error| failed(&self.path, error))
    }

    /// Ends the file.
    pub(crate) fn finish(self) -> Result<Written> {
        self.writer.into_inner().map_err(|error| failed(&self.path, error))?.finish()
    }
}

fn failed(path: &Path, error: ParquetError) -> Error {
    let unwritten = || Error::system("the table cannot be written").at(path.display());
    match error {
        ParquetError::External(cause) => match cause.downcast::<std::io::Error>() {
            Ok(error) => storage::failed(path, *error),
            Err(cause) => unwritten().because(cause),
        },
        other => unwritten().because(other),
    }
}

fn properties(columns: &Columns, wide: &[String]) -> WriterProperties {
    let start = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_data_page_size_limit(PAGE_BYTES)
        .set_dictionary_page_size_limit(PAGE_BYTES)
        .set_statistics_enabled(EnabledStatistics::Chunk);
    columns.fields().iter().fold(start, |builder, field| column(builder, field, wide)).build()
}

/// What repeats (status, type, links) keeps the dictionary, which gives way by itself where it does
/// not pay; numbers and wide columns have none. The least and the greatest of texts help nobody.
fn column(
    builder: WriterPropertiesBuilder,
    field: &Field,
    wide: &[String],
) -> WriterPropertiesBuilder {
    let path = || ColumnPath::from(field.name().as_str());
    match field.data_type() {
        DataType::Int64 | DataType::Timestamp(..) => builder
            .set_column_dictionary_enabled(path(), false)
            .set_column_encoding(path(), Encoding::DELTA_BINARY_PACKED),
        DataType::Utf8 => builder
            .set_column_dictionary_enabled(path(), !wide.contains(field.name()))
            .set_column_statistics_enabled(path(), EnabledStatistics::None),
        _ => builder,
    }
}
