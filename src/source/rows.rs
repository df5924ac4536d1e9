//! What all sources share while they are read: counting, places, and the hash of a folder.

use std::fmt;
use std::path::{Path, PathBuf};

use super::{Form, Row, SourceMeta, Visit};
use crate::bag;
use crate::error::{Error, Result, grouped};
use crate::progress::Progress;
use crate::storage;

/// The longest row that is read, in bytes.
pub(super) const LONGEST_ROW: u64 = 1 << 30;

/// A row is longer than [`LONGEST_ROW`].
pub(super) fn too_long(place: impl fmt::Display) -> Error {
    Error::damaged("a row is longer than 1 GiB")
        .at(place)
        .help("no app writes such a row: take the source again")
}

/// A place in a source, for messages; all counts but those of bytes begin at 1.
#[derive(Debug, Clone, Copy)]
pub enum At<'a> {
    /// Line of a file.
    Line(&'a str, u64),
    /// Row of a Parquet file.
    TableRow(&'a str, u64),
    /// File, entity, element of the entity's list, byte offset.
    Element(&'a str, &'a str, u64, u64),
    /// Byte offset in a file.
    Byte(&'a str, u64),
    /// What a database calls the row.
    Named(&'a str),
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            At::Line(file, line) => write!(f, "{file}, line {}", grouped(line)),
            At::TableRow(file, row) => write!(f, "{file}, row {}", grouped(row)),
            At::Element(file, entity, element, at) => {
                let (element, at) = (grouped(element), grouped(at));
                write!(f, "{file}, element {element} of `{entity}`, byte {at}")
            }
            At::Byte(file, at) => write!(f, "{file}, byte {}", grouped(at)),
            At::Named(name) => f.write_str(name),
        }
    }
}

/// Passes rows on and counts them, by entity in the order they come.
pub(super) struct Tally<'a, 'v> {
    visit: &'a mut Visit<'v>,
    progress: &'a dyn Progress,
    entities: Vec<(String, u64)>,
    unsaid: u64,
}

impl<'a, 'v> Tally<'a, 'v> {
    /// Begins the step; `total` rows are expected when the source says so.
    pub(super) fn begin(
        visit: &'a mut Visit<'v>,
        progress: &'a dyn Progress,
        total: Option<u64>,
    ) -> Self {
        progress.begin("export", total);
        Self { visit, progress, entities: Vec::new(), unsaid: 0 }
    }

    /// The rows that come now are of this entity.
    pub(super) fn entity(&mut self, entity: &str) {
        self.entities.push((entity.to_owned(), 0));
    }

    /// The entity that came last was none after all.
    pub(super) fn forget(&mut self) {
        self.entities.pop();
    }

    /// Passes the next row of the entity that came last.
    pub(super) fn row(
        &mut self,
        text: &str,
        form: Form,
        server_created_at: Option<i64>,
        at: At<'_>,
    ) -> Result<()> {
        let Some((entity, rows)) = self.entities.last_mut() else { return Ok(()) };
        *rows += 1;
        (self.visit)(Row { entity, text, form, server_created_at, at })?;
        self.unsaid += 1;
        if self.unsaid == 1000 {
            self.progress.advance(self.unsaid);
            self.unsaid = 0;
        }
        Ok(())
    }

    /// Ends the step: the entities and their rows.
    pub(super) fn finish(self) -> Vec<(String, u64)> {
        self.progress.advance(self.unsaid);
        let rows: u64 = self.entities.iter().map(|(_, rows)| rows).sum();
        let entities = grouped(self.entities.len() as u64);
        self.progress.done(&format!("{} rows of {entities} entities", grouped(rows)));
        self.entities
    }
}

/// The name of a file or folder without its folders.
fn name_of(path: &Path) -> String {
    let full = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let named = path.file_name().or_else(|| full.file_name());
    named.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Describes a source that is one file, hashing it.
pub(super) fn file_meta(kind: &str, path: &Path, progress: &dyn Progress) -> Result<SourceMeta> {
    progress.begin("hash the source", Some(1));
    let sha256 = bag::sha256_of(path)?.sha256;
    progress.advance(1);
    progress.done("1 file");
    Ok(described(kind, path, sha256))
}

/// Describes a source by its path and hash.
pub(super) fn described(kind: &str, path: &Path, sha256: String) -> SourceMeta {
    SourceMeta { kind: kind.to_owned(), name: name_of(path), sha256, ..SourceMeta::default() }
}

/// Describes a source that is a folder, hashing the files that are read (paths from the folder).
pub(super) fn folder_meta(
    kind: &str,
    folder: &Path,
    files: &[String],
    progress: &dyn Progress,
) -> Result<SourceMeta> {
    progress.begin("hash the source", Some(files.len() as u64));
    let mut hashes = Vec::with_capacity(files.len());
    for file in files {
        hashes.push((file.clone(), bag::sha256_of(&folder.join(file))?.sha256));
        progress.advance(1);
    }
    progress.done(&format!("{} files", grouped(files.len() as u64)));
    Ok(hashes_meta(kind, folder, hashes))
}

/// Describes a source that is a folder by the paths and SHA-256s of its files.
pub(super) fn hashes_meta(
    kind: &str,
    folder: &Path,
    mut hashes: Vec<(String, String)>,
) -> SourceMeta {
    hashes.sort();
    let lines: String = hashes.iter().map(|(file, hash)| format!("{hash}  {file}\n")).collect();
    described(kind, folder, bag::sha256_hex(lines.as_bytes()))
}

/// The plain files of a folder whose name ends with `.<extension>`: stem and path, by name.
pub(super) fn files(folder: &Path, extension: &str) -> Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| storage::failed(folder, error))? {
        let path = entry.map_err(|error| storage::failed(folder, error))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            return Err(Error::usage("a file's name is no UTF-8 text").at(path.display()));
        };
        let stem = name.strip_suffix(extension).and_then(|stem| stem.strip_suffix('.'));
        let stem = stem.filter(|stem| !stem.is_empty() && !stem.starts_with('.'));
        if let Some(stem) = stem.filter(|_| path.is_file()) {
            found.push((stem.to_owned(), path.clone()));
        }
    }
    found.sort();
    Ok(found)
}
