//! Snapshot tables and link files as Parquet.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    ArrayBuilder, ArrayRef, BooleanBuilder, Float64Builder, Int64Builder, StringBuilder,
    TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Field, Schema as Columns, SchemaRef};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

use super::Extra;
use super::row::{Pairs, TypedRow, write_object};
use super::types::Cell;
use crate::digest::{RowDigest, TableDigest, row_hex};
use crate::error::{Error, Result};
use crate::storage::{self, HashingFile, Written};

/// Rows of a batch, at most.
const BATCH_ROWS: usize = 8192;
/// Bytes of a batch after which it is written.
const BATCH_BYTES: usize = 8 << 20;
/// Rows of a row group, at most.
const GROUP_ROWS: usize = 65_536;
/// Encoded bytes of a row group after which it ends.
const GROUP_BYTES: usize = 32 << 20;

/// A Parquet file that is being written; the same rows always give the same bytes.
struct Table {
    writer: ArrowWriter<HashingFile>,
    columns: SchemaRef,
    path: PathBuf,
}

impl Table {
    fn create(path: &Path, columns: SchemaRef) -> Result<Self> {
        let file = HashingFile::create(path)?;
        let properties = properties(&columns);
        let writer = ArrowWriter::try_new(file, columns.clone(), Some(properties))
            .map_err(|error| failed(path, error))?;
        Ok(Self { writer, columns, path: path.to_owned() })
    }

    fn write(&mut self, arrays: Vec<ArrayRef>) -> Result<()> {
        let batch = RecordBatch::try_new(self.columns.clone(), arrays)
            .map_err(|error| Error::bug("a batch does not fit its table").because(error))?;
        let mut written = self.writer.write(&batch);
        if written.is_ok() && self.writer.in_progress_size() > GROUP_BYTES {
            written = self.writer.flush();
        }
        written.map_err(|error| failed(&self.path, error))
    }

    fn finish(self) -> Result<Written> {
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

fn properties(columns: &Columns) -> WriterProperties {
    let start = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_statistics_enabled(EnabledStatistics::Chunk);
    columns.fields().iter().fold(start, |builder, field| column(builder, field)).build()
}

/// Few values repeat in ids, numbers and digests; what does repeat (status, type, links) keeps the
/// dictionary, which gives way by itself where it does not pay.
fn column(builder: WriterPropertiesBuilder, field: &Field) -> WriterPropertiesBuilder {
    let path = || ColumnPath::from(field.name().as_str());
    match field.data_type() {
        DataType::Int64 | DataType::Timestamp(..) => builder
            .set_column_dictionary_enabled(path(), false)
            .set_column_encoding(path(), Encoding::DELTA_BINARY_PACKED),
        _ if matches!(field.name().as_str(), "id" | Extra::DIGEST) => {
            builder.set_column_dictionary_enabled(path(), false)
        }
        _ => builder,
    }
}

enum Builder {
    Text(StringBuilder),
    Number(Float64Builder),
    Boolean(BooleanBuilder),
    Date(TimestampMicrosecondBuilder),
}

impl Builder {
    fn new(field: &Field) -> Self {
        match field.data_type() {
            DataType::Float64 => Builder::Number(Float64Builder::new()),
            DataType::Boolean => Builder::Boolean(BooleanBuilder::new()),
            DataType::Timestamp(..) => {
                Builder::Date(TimestampMicrosecondBuilder::new().with_timezone("UTC"))
            }
            _ => Builder::Text(StringBuilder::new()),
        }
    }

    /// Appends a cell and says how many bytes it takes.
    fn push(&mut self, cell: &Cell<'_>) -> usize {
        match (self, cell) {
            (Builder::Text(column), Cell::Text(text)) => {
                column.append_value(text);
                return text.len();
            }
            (Builder::Text(column), Cell::Json(text)) => {
                column.append_value(text);
                return text.len();
            }
            (Builder::Number(column), Cell::Number(number)) => column.append_value(*number),
            (Builder::Boolean(column), Cell::Boolean(value)) => column.append_value(*value),
            (Builder::Date(column), Cell::Date(micros)) => column.append_value(*micros),
            (Builder::Text(column), _) => column.append_null(),
            (Builder::Number(column), _) => column.append_null(),
            (Builder::Boolean(column), _) => column.append_null(),
            (Builder::Date(column), _) => column.append_null(),
        }
        8
    }

    fn take(&mut self) -> ArrayRef {
        match self {
            Builder::Text(column) => Arc::new(column.finish()),
            Builder::Number(column) => Arc::new(column.finish()),
            Builder::Boolean(column) => Arc::new(column.finish()),
            Builder::Date(column) => Arc::new(column.finish()),
        }
    }
}

/// Writes the table of one entity.
pub(super) struct TableWriter {
    table: Table,
    names: Vec<String>,
    declared: Vec<Builder>,
    row: Int64Builder,
    server: Int64Builder,
    extra: StringBuilder,
    invalid: StringBuilder,
    digest: StringBuilder,
    bytes: usize,
    rows: TableDigest,
    digests: RowDigest,
    text: Vec<u8>,
}

impl TableWriter {
    /// Begins a table with the columns of [`super::columns`], of which `declared` are the
    /// entity's own.
    pub(super) fn create(path: &Path, columns: Columns, declared: usize) -> Result<Self> {
        let own = &columns.fields()[..declared];
        Ok(Self {
            names: own.iter().map(|field| field.name().clone()).collect(),
            declared: own.iter().map(|field| Builder::new(field)).collect(),
            table: Table::create(path, Arc::new(columns))?,
            row: Int64Builder::new(),
            server: Int64Builder::new(),
            extra: StringBuilder::new(),
            invalid: StringBuilder::new(),
            digest: StringBuilder::new(),
            bytes: 0,
            rows: TableDigest::default(),
            digests: RowDigest::default(),
            text: Vec::new(),
        })
    }

    /// How many declared columns it has.
    pub(super) fn columns(&self) -> usize {
        self.declared.len()
    }

    /// Appends the next row; `server` is its creation time in the store.
    pub(super) fn push(&mut self, row: &TypedRow<'_>, server: Option<i64>) -> Result<()> {
        for (column, cell) in self.declared.iter_mut().zip(&row.cells) {
            self.bytes += column.push(cell);
        }
        self.row.append_value(i64::try_from(self.rows.rows).unwrap_or(i64::MAX));
        self.server.append_option(server);
        let extra = row.extra.iter().map(|(name, raw, _)| (name.as_ref(), *raw));
        self.bytes += push_object(&mut self.extra, extra, &mut self.text);
        let invalid = row.invalid.iter().map(|(name, raw)| (name.as_ref(), raw.as_ref()));
        self.bytes += push_object(&mut self.invalid, invalid, &mut self.text);
        let digest = row.digest(&self.names, &mut self.digests);
        self.digest.append_value(row_hex(digest));
        self.rows.add(digest);
        self.bytes += 48;
        if self.bytes >= BATCH_BYTES || self.row.len() >= BATCH_ROWS {
            self.flush()
        } else {
            Ok(())
        }
    }

    fn flush(&mut self) -> Result<()> {
        self.bytes = 0;
        let mut arrays: Vec<ArrayRef> = self.declared.iter_mut().map(Builder::take).collect();
        arrays.push(Arc::new(self.row.finish()));
        arrays.push(Arc::new(self.server.finish()));
        arrays.push(Arc::new(self.extra.finish()));
        arrays.push(Arc::new(self.invalid.finish()));
        arrays.push(Arc::new(self.digest.finish()));
        self.table.write(arrays)
    }

    /// Ends the table.
    pub(super) fn finish(mut self) -> Result<(Written, TableDigest)> {
        self.flush()?;
        Ok((self.table.finish()?, self.rows))
    }
}

fn push_object<'m>(
    column: &mut StringBuilder,
    members: impl ExactSizeIterator<Item = (&'m str, &'m str)>,
    text: &mut Vec<u8>,
) -> usize {
    if members.len() == 0 {
        column.append_null();
        return 0;
    }
    write_object(members, text);
    column.append_value(String::from_utf8_lossy(text));
    text.len()
}

/// Writes the pairs of one link.
pub(super) struct LinksWriter {
    table: Table,
    from: StringBuilder,
    to: StringBuilder,
    row: Int64Builder,
    index: Int64Builder,
    bytes: usize,
    rows: u64,
}

impl LinksWriter {
    /// Begins a link file.
    pub(super) fn create(path: &Path) -> Result<Self> {
        let columns = Columns::new(vec![
            Field::new("from", DataType::Utf8, true),
            Field::new("to", DataType::Utf8, false),
            Field::new(Extra::ROW, DataType::Int64, false),
            Field::new("_index", DataType::Int64, false),
        ]);
        Ok(Self {
            table: Table::create(path, Arc::new(columns))?,
            from: StringBuilder::new(),
            to: StringBuilder::new(),
            row: Int64Builder::new(),
            index: Int64Builder::new(),
            bytes: 0,
            rows: 0,
        })
    }

    /// Appends the pairs of the row `at`, whose id is `from`.
    pub(super) fn push(&mut self, from: Option<&str>, at: i64, pairs: &Pairs<'_>) -> Result<()> {
        for (index, to) in (0..).zip(&pairs.ids) {
            self.from.append_option(from);
            self.to.append_value(to);
            self.row.append_value(at);
            self.index.append_value(index);
            self.bytes += from.map_or(0, str::len) + to.len() + 16;
            self.rows += 1;
            if self.bytes >= BATCH_BYTES || self.row.len() >= GROUP_ROWS {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.bytes = 0;
        self.table.write(vec![
            Arc::new(self.from.finish()),
            Arc::new(self.to.finish()),
            Arc::new(self.row.finish()),
            Arc::new(self.index.finish()),
        ])
    }

    /// Ends the file and says how many pairs it has.
    pub(super) fn finish(mut self) -> Result<(Written, u64)> {
        self.flush()?;
        Ok((self.table.finish()?, self.rows))
    }
}
