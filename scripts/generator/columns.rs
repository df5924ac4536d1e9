//! Rows as flat Parquet tables: payloads as JSON text, dates as ISO text, has-many links as lists.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::builder::{ListBuilder, StringBuilder};
use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::Options;
use super::key::create;
use super::schema::{self, SERVER, Ty};
use super::sink::Sink;
use super::value::{Row, Value, date_text};

const BATCH_ROWS: usize = 4096;
const BATCH_BYTES: usize = 16 << 20;
const GROUP_ROWS: usize = 32_768;

/// A folder of `<entity>.parquet`.
pub(crate) struct Folder {
    options: Options,
    out: PathBuf,
    columns: Vec<(&'static str, Ty)>,
    schema: SchemaRef,
    writer: Option<ArrowWriter<BufWriter<File>>>,
    rows: Vec<Row>,
    bytes: usize,
}

impl Folder {
    /// Begins the folder.
    pub(crate) fn create(options: &Options) -> io::Result<Self> {
        std::fs::create_dir_all(&options.out)?;
        Ok(Self {
            options: options.clone(),
            out: options.out.clone(),
            columns: Vec::new(),
            schema: Arc::new(Schema::empty()),
            writer: None,
            rows: Vec::new(),
            bytes: 0,
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        if !self.rows.is_empty() {
            let arrays = self.columns.iter().map(|(name, ty)| array(&self.rows, name, *ty));
            let batch = RecordBatch::try_new(self.schema.clone(), arrays.collect())
                .map_err(io::Error::other)?;
            writer.write(&batch)?;
        }
        self.rows.clear();
        self.bytes = 0;
        Ok(())
    }
}

impl Sink for Folder {
    fn begin(&mut self, table: &'static str) -> io::Result<()> {
        self.columns = schema::columns(table, &self.options);
        let fields = self.columns.iter().map(|(name, ty)| Field::new(*name, data_type(*ty), true));
        self.schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let level = ZstdLevel::try_new(1).map_err(io::Error::other)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_dictionary_enabled(false)
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .build();
        let file = create(&self.out.join(format!("{table}.parquet")))?;
        self.writer = Some(ArrowWriter::try_new(file, self.schema.clone(), Some(properties))?);
        Ok(())
    }

    fn row(&mut self, mut row: Row) -> io::Result<()> {
        let unknown = |name: &str| !self.columns.iter().any(|(column, _)| *column == name);
        if let Some((name, _)) = row.members.iter().find(|(name, _)| unknown(name)) {
            return Err(io::Error::other(format!("the table has no column `{name}`")));
        }
        row.put(SERVER, Value::Whole(row.created));
        self.bytes += row.members.iter().map(|(_, value)| size(value)).sum::<usize>();
        self.rows.push(row);
        let full = self.rows.len() >= BATCH_ROWS || self.bytes >= BATCH_BYTES;
        if full { self.flush() } else { Ok(()) }
    }

    fn end(&mut self) -> io::Result<()> {
        self.flush()?;
        if let Some(writer) = self.writer.take() {
            writer.close()?;
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn size(value: &Value) -> usize {
    match value {
        Value::Text(text) | Value::Json(text) | Value::Raw(text) => text.len(),
        Value::Many(ids) => ids.len() * 36,
        _ => 8,
    }
}

fn data_type(ty: Ty) -> DataType {
    match ty {
        Ty::Text | Ty::Date | Ty::Json => DataType::Utf8,
        Ty::Number => DataType::Int64,
        Ty::Flag => DataType::Boolean,
        Ty::Many => DataType::List(Arc::new(Field::new("item", DataType::Utf8, true))),
    }
}

fn array(rows: &[Row], name: &str, ty: Ty) -> ArrayRef {
    let values = rows.iter().map(|row| row.get(name));
    match ty {
        Ty::Text | Ty::Date | Ty::Json => Arc::new(values.map(text).collect::<StringArray>()),
        Ty::Number => Arc::new(values.map(number).collect::<Int64Array>()),
        Ty::Flag => Arc::new(values.map(flag).collect::<BooleanArray>()),
        Ty::Many => {
            let mut lists = ListBuilder::new(StringBuilder::new());
            for value in values {
                match value {
                    Some(Value::Many(ids)) => lists.append_value(ids.iter().map(Some)),
                    _ => lists.append_null(),
                }
            }
            Arc::new(lists.finish())
        }
    }
}

fn text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::Text(text) | Value::Json(text) | Value::Raw(text) => Some(text.clone()),
        Value::Date(ms, form) => Some(date_text(*ms, *form)),
        _ => None,
    }
}

fn number(value: Option<&Value>) -> Option<i64> {
    match value? {
        Value::Whole(number) => Some(*number),
        _ => None,
    }
}

fn flag(value: Option<&Value>) -> Option<bool> {
    match value? {
        Value::Flag(flag) => Some(*flag),
        _ => None,
    }
}
