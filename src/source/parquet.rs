//! A folder of `<entity>.parquet`, with flat columns.

use std::path::{Path, PathBuf};

use arrow::record_batch::RecordBatch;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::ParquetMetaData;

use super::cells::Cells;
use super::rows::{At, LONGEST_ROW, Tally, files, folder_meta, too_long};
use super::{Form, Head, Source, SourceMeta, Visit};
use crate::contract::Contract;
use crate::error::{Error, Result};
use crate::json;
use crate::progress::Progress;
use crate::schema::{Schema, Type};
use crate::storage;

/// Bytes of a batch, about.
const BATCH_BYTES: u64 = 8 << 20;

/// A folder with `<entity>.parquet`; a snapshot's `data/tables` is one.
#[derive(Debug)]
pub(super) struct ParquetFolder {
    folder: PathBuf,
}

impl ParquetFolder {
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }
}

impl Source for ParquetFolder {
    fn identify(&self, progress: &dyn Progress) -> Result<SourceMeta> {
        let tables = files(&self.folder, "parquet")?;
        let names: Vec<String> =
            tables.iter().map(|(entity, _)| format!("{entity}.parquet")).collect();
        folder_meta("parquet-folder", &self.folder, &names, progress)
    }

    fn head(&mut self, _contract: &Contract) -> Result<Head> {
        Ok(Head::default())
    }

    fn read(
        &mut self,
        contract: &Contract,
        visit: &mut Visit<'_>,
        progress: &dyn Progress,
    ) -> Result<(SourceMeta, Vec<(String, u64)>)> {
        let tables = files(&self.folder, "parquet")?;
        let meta = self.identify(progress)?;
        let mut tally = Tally::begin(visit, progress, None);
        for (entity, path) in &tables {
            tally.entity(entity);
            read_table(contract, entity, path, &mut tally)?;
        }
        Ok((meta, tally.finish()))
    }
}

fn read_table(
    contract: &Contract,
    entity: &str,
    path: &Path,
    tally: &mut Tally<'_, '_>,
) -> Result<()> {
    let unreadable = || {
        Error::damaged("the table is no Parquet file that can be read")
            .at(path.display())
            .help("make the file again, or keep files of other kinds out of the folder")
    };
    let reader = ParquetRecordBatchReaderBuilder::try_new(storage::open(path)?)
        .map_err(|error| unreadable().because(error))?;
    let roles: Vec<Role> =
        reader.schema().fields().iter().map(|field| role(contract, entity, field.name())).collect();
    let rows = batch_rows(reader.metadata());
    let batches =
        reader.with_batch_size(rows).build().map_err(|error| unreadable().because(error))?;
    let name = path.display().to_string();
    let mut number = 0;
    let mut object = Vec::new();
    for batch in batches {
        let batch = batch.map_err(|error| unreadable().because(error))?;
        let columns = columns(&batch, &roles, path)?;
        for row in 0..batch.num_rows() {
            number += 1;
            let place = At::TableRow(&name, number);
            let server = write_row(&columns, row, place, &mut object)?;
            let text = std::str::from_utf8(&object)
                .map_err(|error| Error::bug("a row became no UTF-8 text").because(error))?;
            tally.row(text, Form::Object, server, place)?;
        }
    }
    Ok(())
}

/// Rows of a batch, so that wide ones do not fill the memory.
fn batch_rows(metadata: &ParquetMetaData) -> usize {
    let widths = metadata.row_groups().iter().map(|group| {
        let bytes = u64::try_from(group.total_byte_size()).unwrap_or_default();
        bytes / u64::try_from(group.num_rows()).unwrap_or_default().max(1)
    });
    let rows = BATCH_BYTES / widths.max().unwrap_or_default().max(1);
    usize::try_from(rows.clamp(16, 4096)).unwrap_or(4096)
}

/// What a column is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// A value as it is.
    Plain,
    /// An attribute that holds any JSON: text is JSON text.
    Json,
    /// A link: text that is a JSON list or object is one.
    Link,
    /// `_extra` or `_invalid` of a snapshot: an object whose members belong to the row.
    Aside,
    /// `_server_created_at`.
    Server,
    /// A column of a snapshot that says nothing of the row.
    Ignored,
}

fn role(contract: &Contract, entity: &str, column: &str) -> Role {
    let sides = [&contract.before.schema, &contract.after.schema];
    let attr = |schema: &&Schema| schema.entity(entity)?.attr(column).map(|attr| attr.ty);
    let is_link = |schema: &&Schema| schema.links.iter().any(|link| link.is_under(entity, column));
    match (column, sides.iter().find_map(attr)) {
        (_, Some(Type::Any)) => Role::Json,
        (_, Some(_)) => Role::Plain,
        ("_extra" | "_invalid", _) => Role::Aside,
        ("_server_created_at", _) => Role::Server,
        ("_row" | "_digest", _) => Role::Ignored,
        _ if sides.iter().any(is_link) => Role::Link,
        _ => Role::Plain,
    }
}

struct Column {
    name: String,
    /// `"name":`
    key: Vec<u8>,
    role: Role,
    cells: Cells,
}

/// The columns of a batch; those that change what others say come first.
fn columns(batch: &RecordBatch, roles: &[Role], path: &Path) -> Result<Vec<Column>> {
    let schema = batch.schema();
    let mut columns = Vec::new();
    for ((field, array), role) in schema.fields().iter().zip(batch.columns()).zip(roles) {
        if *role == Role::Ignored {
            continue;
        }
        let cells = Cells::new(array).ok_or_else(|| {
            let said = format!("the column `{}` has the type {}", field.name(), field.data_type());
            Error::usage(said + ", which has no place in a row")
                .at(path.display())
                .help("write flat columns: text, numbers, booleans, dates, lists of ids, JSON text")
        })?;
        let mut key = Vec::new();
        json::write_string(field.name(), &mut key);
        key.push(b':');
        columns.push(Column { name: field.name().clone(), key, role: *role, cells });
    }
    columns.sort_by_key(|column| column.role != Role::Aside);
    Ok(columns)
}

/// Writes a row as a JSON object, and gives its creation time in the store.
fn write_row(
    columns: &[Column],
    row: usize,
    place: At<'_>,
    out: &mut Vec<u8>,
) -> Result<Option<i64>> {
    out.clear();
    out.push(b'{');
    let mut server = None;
    let mut aside = Vec::new();
    for column in columns.iter().filter(|column| !column.cells.is_null(row)) {
        match column.role {
            Role::Aside => write_aside(column, row, place, (&mut aside, out))?,
            Role::Server if column.cells.milliseconds(row).is_some() => {
                server = column.cells.milliseconds(row);
            }
            // What stands aside is the value as it was; the column has another form of it.
            _ if aside.contains(&column.name) => {}
            _ => {
                separate(out);
                out.extend_from_slice(&column.key);
                write_value(column, row, out);
            }
        }
        if out.len() as u64 > LONGEST_ROW {
            return Err(too_long(place));
        }
    }
    out.push(b'}');
    Ok(server)
}

fn separate(out: &mut Vec<u8>) {
    if out.len() > 1 {
        out.push(b',');
    }
}

fn write_value(column: &Column, row: usize, out: &mut Vec<u8>) {
    let text = column.cells.text(row).unwrap_or_default();
    let as_json = match column.role {
        Role::Json => json::is_json(text),
        Role::Link => text.trim_start().starts_with(['[', '{']) && json::is_json(text),
        _ => false,
    };
    if as_json {
        out.extend_from_slice(text.as_bytes());
    } else {
        column.cells.write(row, out);
    }
}

fn write_aside(
    column: &Column,
    row: usize,
    place: At<'_>,
    (names, out): (&mut Vec<String>, &mut Vec<u8>),
) -> Result<()> {
    let members = json::members(column.cells.text(row).unwrap_or_default()).map_err(|error| {
        Error::damaged(format!("`{}` is no JSON object", column.name))
            .at(place)
            .help("these columns are a snapshot's own: take it from an intact one")
            .because(error)
    })?;
    for (name, raw) in members {
        separate(out);
        json::write_string(&name, out);
        out.push(b':');
        out.extend_from_slice(raw.as_bytes());
        names.push(name.into_owned());
    }
    Ok(())
}
