//! Parquet files of a bundle: one writer with one set of properties, hashed while it is written.

use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, SchemaRef, TimestampMicrosecondType};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use crate::digest::{RowDigest, TableDigest, Value};
use crate::error::{Error, Result};
use crate::schema::{Schema, Type};
use crate::storage::{self, HashingFile, Written};

/// Rows of a row group at most.
const GROUP_ROWS: usize = 65_536;
/// Bytes of a row group, encoded, at which it is closed.
const GROUP_BYTES: usize = 32 << 20;

/// A Parquet file that is being written.
pub(super) struct Table {
    writer: ArrowWriter<HashingFile>,
}

impl Table {
    /// Begins a file.
    pub(super) fn create(path: &Path, schema: SchemaRef) -> Result<Self> {
        Self::with_payload(path, schema, &[])
    }

    /// Begins a file some of whose columns are payload: nearly every value is wide and its own.
    pub(super) fn with_payload(path: &Path, schema: SchemaRef, payload: &[String]) -> Result<Self> {
        let level = ZstdLevel::try_new(1).map_err(failed)?;
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_max_row_group_row_count(Some(GROUP_ROWS));
        for field in schema.fields() {
            let column = || ColumnPath::from(field.name().as_str());
            let is_payload = payload.contains(field.name());
            if is_payload {
                properties =
                    properties.set_column_statistics_enabled(column(), EnabledStatistics::None);
            }
            if is_payload || field.name() == "id" {
                properties = properties.set_column_dictionary_enabled(column(), false);
            }
        }
        let file = HashingFile::create(path)?;
        let writer =
            ArrowWriter::try_new(file, schema, Some(properties.build())).map_err(failed)?;
        Ok(Self { writer })
    }

    /// Appends rows.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.writer.write(batch).map_err(failed)?;
        if self.writer.in_progress_size() >= GROUP_BYTES {
            self.writer.flush().map_err(failed)?;
        }
        Ok(())
    }

    /// Ends the file and says what was written.
    pub(super) fn finish(self) -> Result<Written> {
        self.writer.into_inner().map_err(failed)?.finish()
    }
}

/// Writes a small table whole.
pub(super) fn write_once(path: &Path, batch: &RecordBatch) -> Result<Written> {
    let mut table = Table::create(path, batch.schema())?;
    table.write(batch)?;
    table.finish()
}

fn failed(error: ParquetError) -> Error {
    if let ParquetError::External(inner) = error {
        return match inner.downcast::<std::io::Error>() {
            Ok(error) => storage::failed(Path::new("the bundle"), *error),
            Err(error) => Error::system("a table could not be written").because(error),
        };
    }
    Error::system("a table could not be written").because(error)
}

/// Adds the logical digests of rows of a target table.
pub(super) struct Digests {
    columns: Vec<(String, Type)>,
    row: RowDigest,
    /// The sum so far.
    pub(super) table: TableDigest,
}

impl Digests {
    /// Digests over `id`, attributes and has-one links of an entity.
    pub(super) fn new(schema: &Schema, entity: &str) -> Self {
        let attrs = schema.entity(entity).map(|entity| &entity.attrs[..]).unwrap_or_default();
        let mut columns = vec![("id".to_owned(), Type::String)];
        columns.extend(attrs.iter().map(|attr| (attr.name.clone(), attr.ty)));
        columns.extend(schema.columns_of(entity).map(|link| (link.label.clone(), Type::String)));
        Self { columns, row: RowDigest::default(), table: TableDigest::default() }
    }

    /// Takes the rows of a batch in.
    pub(super) fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let missing = || Error::bug("a column is not in the batch");
        let mut columns = Vec::new();
        for (name, ty) in &self.columns {
            columns.push((name.as_str(), batch.column_by_name(name).ok_or_else(missing)?, *ty));
        }
        for row in 0..batch.num_rows() {
            let values = columns.iter().map(|(name, values, ty)| (*name, value(values, row, *ty)));
            let digest = self.row.of(values);
            self.table.add(digest);
        }
        Ok(())
    }
}

/// The value of a row as a logical digest takes it.
pub(crate) fn value(values: &dyn Array, row: usize, ty: Type) -> Value<'_> {
    if values.is_null(row) {
        return Value::Absent;
    }
    match ty {
        Type::String => Value::Text(values.as_string::<i32>().value(row)),
        Type::Any => Value::Json(values.as_string::<i32>().value(row)),
        Type::Number => Value::Number(values.as_primitive::<Float64Type>().value(row)),
        Type::Boolean => Value::Boolean(values.as_boolean().value(row)),
        Type::Date => Value::Date(values.as_primitive::<TimestampMicrosecondType>().value(row)),
    }
}
