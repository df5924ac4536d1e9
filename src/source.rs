//! Where legacy rows come from.

mod archive;
mod cells;
mod config;
mod dataset;
mod folder;
mod hashed;
mod instantdb;
mod lines;
mod parquet;
mod postgres;
mod rows;
mod splitter;
mod triples;

#[cfg(test)]
mod tests;

use std::io::Read as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::app::AppSettings;
use crate::contract::Contract;
use crate::error::{Error, Result};
use crate::pg::{Login, Place};
use crate::progress::Progress;
use crate::schema::Schema;
use crate::storage;

pub(crate) use config::schema as app_schema;
pub use instantdb::{Backup, InstantDb, Taking};
pub use rows::At;

/// Where a snapshot came from.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceMeta {
    /// `archive`, `archive-folder`, `dataset`, `jsonl-folder`, `parquet-folder`, `postgres`,
    /// `instantdb-postgres` or `instantdb`.
    pub kind: String,
    /// File or folder name, without its folders; the database's name; the app's id.
    pub name: String,
    /// SHA-256 of the file; of a folder, of its `<sha256>  <path>` lines in path order; of a
    /// database, of every row's text in the order they are read.
    pub sha256: String,
    /// The app's id, when the source knows it.
    pub app_id: Option<String>,
    /// The app's title, when the source knows it.
    pub title: Option<String>,
    /// When the source was taken, as it says it.
    pub taken_at: Option<String>,
}

/// What a source says before its rows.
#[derive(Debug, Clone, Default)]
pub struct Head {
    /// The app's InstantDB schema as the JSON text it is.
    pub schema_text: Option<String>,
    /// The same, parsed.
    pub schema: Option<Schema>,
    /// How many rows each entity has, when the source says it.
    pub counts: Option<Vec<(String, u64)>>,
    /// What it says of the app around them.
    pub app: AppSettings,
}

/// One row of a source, not parsed yet.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// Its entity.
    pub entity: &'a str,
    /// Its text as it is.
    pub text: &'a str,
    /// What that text is.
    pub form: Form,
    /// Creation time in the store, epoch milliseconds, when the source has it beside the text. When
    /// it has none at all, a whole number under `_server_created_at` in the object is it.
    pub server_created_at: Option<i64>,
    /// Where it stands, for messages.
    pub at: At<'a>,
}

/// What the text of a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The row's JSON object.
    Object,
    /// A backup's line: `{"entity":{…},"createdAt":<ms>}` and nothing else.
    Line,
    /// The same, or the row's JSON object.
    LineOrObject,
}

impl<'a> Row<'a> {
    /// Parses the row's JSON object, and gives its creation time in the store.
    ///
    /// # Errors
    /// The text is not what it should be, or `parse` refuses the object.
    pub fn open<T>(
        &self,
        mut parse: impl FnMut(&'a str) -> Result<T, serde_json::Error>,
    ) -> Result<(T, Option<i64>)> {
        if self.form != Form::Object
            && let Some((object, created_at)) = lines::ends(self.text)
            && let Ok(parsed) = parse(object)
        {
            return Ok((parsed, created_at));
        }
        let (object, created_at) = lines::object(self)?;
        let parsed = parse(object).map_err(|error| {
            Error::damaged(format!("a row of `{}` is no JSON object that can be read", self.entity))
                .at(self.at)
                .help("repair the row at its place, or take the source again")
                .because(error)
        })?;
        Ok((parsed, created_at))
    }
}

/// Takes one row; an error stops the reading.
pub type Visit<'a> = dyn FnMut(Row<'_>) -> Result<()> + 'a;

/// A place legacy rows come from. Rows of one entity come in their order; entities in any.
pub trait Source {
    /// What it is, with the hash of all bytes that [`Source::read`] would read: enough to tell
    /// whether a snapshot was taken from it.
    fn identify(&self, progress: &dyn Progress) -> Result<SourceMeta>;
    /// What it says before its rows.
    fn head(&mut self, contract: &Contract) -> Result<Head>;
    /// Pushes every row of every entity once and says what was read: the description with the
    /// hash of all bytes, and the entities that were there with their row counts.
    fn read(
        &mut self,
        contract: &Contract,
        visit: &mut Visit<'_>,
        progress: &dyn Progress,
    ) -> Result<(SourceMeta, Vec<(String, u64)>)>;
    /// An error about one of its rows, told in its own terms.
    fn explain(&self, error: Error) -> Error {
        error
    }
}

/// Opens a source by what stands at a path.
///
/// # Errors
/// Nothing there is a source this program reads.
pub fn open(path: &Path) -> Result<Box<dyn Source>> {
    if path.is_dir() {
        return open_folder(path);
    }
    let mut start = Vec::new();
    storage::open(path)?
        .take(4096)
        .read_to_end(&mut start)
        .map_err(|error| storage::failed(path, error))?;
    let extension = path.extension().map(std::ffi::OsStr::to_ascii_lowercase);
    let is_named = |kind: &str| extension.as_deref().is_some_and(|found| found == kind);
    if start.starts_with(b"PK") || is_named("zip") {
        return Ok(Box::new(archive::Archive::new(path)));
    }
    if is_named("jsonl") || is_named("parquet") {
        return Err(Error::usage("the source is a single table")
            .at(path.display())
            .help("name the folder that holds one such file per entity"));
    }
    let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&start).trim_ascii_start();
    if text.starts_with(b"{") || is_named("json") {
        return Ok(Box::new(dataset::Dataset::new(path)));
    }
    Err(unknown(path))
}

/// Plain tables of a PostgreSQL database.
///
/// `tables` are pairs of an entity and its table, as `SCHEMA.TABLE` or `TABLE`; every other entity
/// of the contract is the table of its name in `schema`. Nothing is connected yet.
///
/// # Errors
/// `tables` names an entity that the contract has not, or no table.
pub fn postgres(
    place: Place,
    login: Login,
    tables: &[(String, String)],
    schema: &str,
    contract: &Contract,
) -> Result<Box<dyn Source>> {
    Ok(Box::new(postgres::Tables::new(place, login, tables, schema, contract)?))
}

/// One app in the database of a self-hosted InstantDB server. Nothing is connected yet.
///
/// # Errors
/// `app` is no UUID.
pub fn triples(place: Place, login: Login, app: &str) -> Result<Box<dyn Source>> {
    Ok(Box::new(triples::Triples::new(place, login, app)?))
}

/// Reads `instantdb+postgres://…?app=APP_ID`: the database and the app's id. `None` when the text is
/// no such URL.
///
/// # Errors
/// The URL is not well-formed, or names no app.
pub fn triples_url(url: &str) -> Option<Result<(Place, String)>> {
    let url = url.strip_prefix("instantdb+").filter(|url| Place::is_url(url))?;
    let (before, query) = url.split_once('?').unwrap_or((url, ""));
    let (app, others): (Vec<&str>, Vec<&str>) =
        query.split('&').filter(|pair| !pair.is_empty()).partition(|pair| pair.starts_with("app="));
    let place = Place::parse(&format!("{before}?{}", others.join("&")));
    let app = match app.as_slice() {
        [app] => Ok(app["app=".len()..].to_owned()),
        _ => Err(Error::usage("the database's URL does not name one app")
            .help("write `instantdb+postgres://USER@HOST/DATABASE?app=APP_ID`")),
    };
    Some(place.and_then(|place| Ok((place, app?))))
}

fn open_folder(path: &Path) -> Result<Box<dyn Source>> {
    if path.join("config.json").is_file() || path.join("entities").is_dir() {
        return Ok(Box::new(folder::ArchiveFolder::new(path)));
    }
    if crate::bag::is_sealed(path) {
        return Err(Error::usage("the source is a sealed snapshot or bundle")
            .at(path.display())
            .help("name `data/tables` in a snapshot to take its tables again"));
    }
    let lines = !rows::files(path, "jsonl")?.is_empty();
    match (lines, !rows::files(path, "parquet")?.is_empty()) {
        (true, false) => Ok(Box::new(folder::JsonlFolder::new(path))),
        (false, true) => Ok(Box::new(parquet::ParquetFolder::new(path))),
        (true, true) => Err(Error::usage("the folder holds `.jsonl` and `.parquet` files")
            .at(path.display())
            .help("keep one kind in it, so that no row is read twice")),
        (false, false) => Err(unknown(path)),
    }
}

fn unknown(path: &Path) -> Error {
    Error::usage("there is no source that can be read").at(path.display()).help(
        "name a backup archive (`.zip`, or its unzipped folder), a dataset (`.json`), or a folder \
         of `<entity>.jsonl` or `<entity>.parquet` files",
    )
}
