//! What all sources share while they are read: counting, places, and the hash of a folder.

use std::fmt;
use std::path::{Path, PathBuf};

use super::{Row, SourceMeta, Visit};
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
pub(super) enum Place<'a> {
    /// Line of a file.
    Line(&'a str, u64),
    /// Row of a Parquet file.
    TableRow(&'a str, u64),
    /// File, entity, element of the entity's list, byte offset.
    Element(&'a str, &'a str, u64, u64),
    /// Byte offset in a file.
    Byte(&'a str, u64),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Place::Line(file, line) => write!(f, "{file}, line {}", grouped(line)),
            Place::TableRow(file, row) => write!(f, "{file}, row {}", grouped(row)),
            Place::Element(file, entity, element, at) => {
                let (element, at) = (grouped(element), grouped(at));
                write!(f, "{file}, element {element} of `{entity}`, byte {at}")
            }
            Place::Byte(file, at) => write!(f, "{file}, byte {}", grouped(at)),
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
        object: &str,
        server_created_at: Option<i64>,
        place: Place<'_>,
    ) -> Result<()> {
        let Some((entity, rows)) = self.entities.last_mut() else { return Ok(()) };
        *rows += 1;
        (self.visit)(Row { entity, object, server_created_at, at: &place })?;
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
    Ok(SourceMeta { kind: kind.to_owned(), name: name_of(path), sha256, ..SourceMeta::default() })
}

/// Describes a source that is a folder, hashing the files that are read (paths from the folder).
pub(super) fn folder_meta(
    kind: &str,
    folder: &Path,
    files: &[String],
    progress: &dyn Progress,
) -> Result<SourceMeta> {
    let mut sorted: Vec<&String> = files.iter().collect();
    sorted.sort();
    progress.begin("hash the source", Some(sorted.len() as u64));
    let mut lines = String::new();
    for file in sorted {
        let written = bag::sha256_of(&folder.join(file))?;
        lines.extend([written.sha256.as_str(), "  ", file, "\n"]);
        progress.advance(1);
    }
    progress.done(&format!("{} files", grouped(files.len() as u64)));
    let sha256 = bag::sha256_hex(lines.as_bytes());
    Ok(SourceMeta { kind: kind.to_owned(), name: name_of(folder), sha256, ..SourceMeta::default() })
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
