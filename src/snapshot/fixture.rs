//! What the tests of sources and snapshots share: small exports of one app in every form.

use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::{Snapshot, scan, take};
use crate::contract::{BUILT_IN, Contract, Overrides, load};
use crate::error::{Error, Result};
use crate::progress::Silent;
use crate::resources::Resources;
use crate::source;
use crate::storage;

pub(crate) fn contract() -> Contract {
    load(BUILT_IN, "story-to-thread.toml", &Overrides::default()).unwrap()
}

/// Rows by entity, as JSON texts.
pub(crate) type Rows = Vec<(&'static str, Vec<String>)>;

/// Every legacy entity without a row, then the rows given.
pub(crate) fn rows(given: &[(&'static str, &[&str])]) -> Rows {
    let legacy =
        ["context_contexts", "context_events", "story_executions", "story_steps", "story_parts"];
    let mut rows: Rows = legacy.into_iter().map(|entity| (entity, Vec::new())).collect();
    for (entity, given) in given {
        rows.retain(|(name, _)| name != entity);
        rows.push((entity, given.iter().map(|row| (*row).to_owned()).collect()));
    }
    rows
}

pub(crate) fn config(rows: &Rows, schema: &str) -> String {
    let counts: Vec<String> =
        rows.iter().map(|(entity, rows)| format!("\"{entity}\":{}", rows.len())).collect();
    format!(
        r#"{{"counts":{{{}}},"schema":{schema},"title":"App","appId":"a1","backupAt":"2026-08-20T00:00:00Z","rules":{{}}}}"#,
        counts.join(",")
    )
}

pub(crate) fn lines(rows: &[String]) -> String {
    let line = |row: &String| format!("{{\"entity\":{row},\"createdAt\":1700000000000}}\n");
    rows.iter().map(line).collect::<Vec<_>>().concat()
}

/// The entries of a backup archive.
pub(crate) fn entries(rows: &Rows, schema: &str) -> Vec<(String, Vec<u8>)> {
    let tables = rows
        .iter()
        .map(|(entity, rows)| (format!("entities/{entity}.jsonl"), lines(rows).into_bytes()));
    let files = ("files/f1".to_owned(), b"\x00\x01".to_vec());
    let config = ("config.json".to_owned(), config(rows, schema).into_bytes());
    std::iter::once(config).chain(tables).chain([files]).collect()
}

pub(crate) fn zip(entries: &[(String, Vec<u8>)], method: CompressionMethod) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        let options = SimpleFileOptions::default().compression_method(method).large_file(true);
        zip.start_file(name.as_str(), options).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

pub(crate) fn dataset(rows: &Rows) -> String {
    let tables: Vec<String> =
        rows.iter().map(|(entity, rows)| format!("\"{entity}\":[{}]", rows.join(",\n"))).collect();
    format!(r#"{{"version":1,"payload":{{"data":{{{}}}}},"note":[1]}}"#, tables.join(","))
}

pub(crate) fn put(path: &Path, content: impl AsRef<[u8]>) -> PathBuf {
    storage::write_new(path, content.as_ref()).unwrap();
    path.to_owned()
}

/// Takes a snapshot of what stands at a path.
pub(crate) fn export(path: &Path, place: &Path) -> Result<Snapshot> {
    take(source::open(path)?.as_mut(), &contract(), place, &Resources::default(), &Silent)
}

/// The snapshot of a dataset of these rows.
pub(crate) fn of_dataset(folder: &Path, rows: &Rows) -> Result<Snapshot> {
    let path = put(&folder.join("data.json"), dataset(rows));
    export(&path, &folder.join("snapshot"))
}

/// The snapshot of an archive of these rows.
pub(crate) fn of_archive(folder: &Path, rows: &Rows, schema: &str) -> Result<Snapshot> {
    let bytes = zip(&entries(rows, schema), CompressionMethod::Deflated);
    let path = put(&folder.join("backup.zip"), bytes);
    export(&path, &folder.join("snapshot"))
}

/// An error as a person reads it, without the folder the test works in.
pub(crate) fn told(error: &Error, folder: &Path) -> String {
    let prefix = format!("{}/", folder.display());
    let said = format!("{:?}: {error}", error.kind);
    let places = error.at.iter().map(|place| format!("  --> {}", place.replace(&prefix, "")));
    let help = error.help.iter().map(|help| format!("help: {help}"));
    std::iter::once(said).chain(places).chain(help).collect::<Vec<_>>().join("\n")
}

/// The rows of a Parquet file, a line each: `column=value` of what is not null, `_digest` left out.
pub(crate) fn shown(snapshot: &Snapshot, file: &str) -> String {
    let mut out = String::new();
    for batch in scan(&snapshot.path(file)).unwrap().build().unwrap() {
        let batch = batch.unwrap();
        for row in 0..batch.num_rows() {
            let columns = batch.schema().fields().clone();
            let cells = columns.iter().zip(batch.columns());
            let cells =
                cells.filter(|(field, cell)| field.name() != "_digest" && !cell.is_null(row));
            let texts =
                cells.map(|(field, cell)| format!("{}={}", field.name(), cell_text(cell, row)));
            out += &texts.collect::<Vec<_>>().join(" ");
            out.push('\n');
        }
    }
    out
}

fn cell_text(cell: &dyn Array, row: usize) -> String {
    use arrow::datatypes::{DataType, Float64Type, Int64Type, TimestampMicrosecondType};
    match cell.data_type() {
        DataType::Utf8 => cell.as_string::<i32>().value(row).escape_debug().to_string(),
        DataType::Int64 => cell.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::Float64 => cell.as_primitive::<Float64Type>().value(row).to_string(),
        DataType::Boolean => cell.as_boolean().value(row).to_string(),
        _ => {
            let micros = cell.as_primitive::<TimestampMicrosecondType>().value(row);
            crate::digest::micros_text(micros)
        }
    }
}
