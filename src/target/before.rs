//! What a store held before an import: `import/<target>/before-<run>.jsonl`.
//!
//! A line for every row of the store whose key the bundle has: `{"table":…,"key":[…]}`, with
//! `"was":{column:text or null}` when the import changes it, and `"kept":true` when it stays although
//! the bundle has another content. A row of the bundle without a line was not there.
//! Rows that are in the way are listed in `in-the-way-<run>.jsonl`, in the same form.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::storage::{self, HashingFile};

/// The columns of a row as the store's own texts.
pub type Image = BTreeMap<String, Option<String>>;

/// A row of the store before an import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Was {
    /// The table.
    pub table: String,
    /// Its id, or both ends of a link.
    pub key: Vec<String>,
    /// What it held, when the import changes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<Image>,
    /// It stays although the bundle has another content.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub kept: bool,
}

/// Writes down what a store held; a file appears whole or not at all.
#[allow(missing_debug_implementations, reason = "a progress has no debug form")]
pub struct BeforeWriter<'a> {
    place: Option<PathBuf>,
    way: PathBuf,
    file: Option<HashingFile>,
    in_the_way: Option<HashingFile>,
    progress: &'a dyn Progress,
}

impl<'a> BeforeWriter<'a> {
    /// Begins the file of a run in a target's folder. Without `keep`, an earlier run's file is the
    /// one that counts, and only rows in the way are written down.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn begin(folder: &Path, run: &str, keep: bool, progress: &'a dyn Progress) -> Result<Self> {
        let place = folder.join(format!("before-{run}.jsonl"));
        let way = folder.join(format!("in-the-way-{run}.jsonl"));
        for old in [partial(&place), partial(&way), way.clone()] {
            storage::remove_if_there(&old)?;
        }
        let file = keep.then(|| HashingFile::create(&partial(&place))).transpose()?;
        Ok(Self { place: keep.then_some(place), way, file, in_the_way: None, progress })
    }

    /// A row that is there and has the bundle's content.
    ///
    /// # Errors
    /// The disk refuses; so for the next ones.
    pub fn unchanged(&mut self, table: &str, key: &[String]) -> Result<()> {
        self.put(&was(table, key, None))
    }

    /// A row that stays although the bundle has another content.
    ///
    /// # Errors
    /// As [`BeforeWriter::unchanged`].
    pub fn kept(&mut self, table: &str, key: &[String]) -> Result<()> {
        self.put(&Was { kept: true, ..was(table, key, None) })
    }

    /// A row that the import changes.
    ///
    /// # Errors
    /// As [`BeforeWriter::unchanged`].
    pub fn changes(&mut self, table: &str, key: &[String], image: Image) -> Result<()> {
        self.put(&was(table, key, Some(image)))
    }

    /// A row that is in the way.
    ///
    /// # Errors
    /// As [`BeforeWriter::unchanged`].
    pub fn in_the_way(&mut self, table: &str, key: &[String]) -> Result<()> {
        if self.in_the_way.is_none() {
            self.in_the_way = Some(HashingFile::create(&partial(&self.way))?);
        }
        put(self.in_the_way.as_mut(), &was(table, key, None), &self.way)
    }

    fn put(&mut self, row: &Was) -> Result<()> {
        put(self.file.as_mut(), row, &self.way)
    }

    /// Puts the files in their places; says where rows in the way are listed.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn finish(self) -> Result<Option<PathBuf>> {
        self.progress.reached("before the images are in place");
        if let (Some(file), Some(place)) = (self.file, self.place) {
            file.finish()?;
            storage::rename(&partial(&place), &place)?;
        }
        let Some(file) = self.in_the_way else { return Ok(None) };
        file.finish()?;
        storage::rename(&partial(&self.way), &self.way)?;
        Ok(Some(self.way))
    }
}

fn partial(place: &Path) -> PathBuf {
    let name = place.file_name().map(|name| name.to_string_lossy().into_owned());
    place.with_file_name(format!(".{}.partial", name.unwrap_or_default()))
}

fn was(table: &str, key: &[String], was: Option<Image>) -> Was {
    Was { table: table.to_owned(), key: key.to_vec(), was, kept: false }
}

fn put(file: Option<&mut HashingFile>, row: &Was, place: &Path) -> Result<()> {
    let Some(file) = file else { return Ok(()) };
    let mut line = serde_json::to_vec(row)
        .map_err(|error| Error::bug("a row's image has no JSON form").because(error))?;
    line.push(b'\n');
    file.write_all(&line).map_err(|error| storage::failed(place, error))
}

/// What a store held before a run.
#[derive(Debug, Clone)]
pub struct Before {
    place: PathBuf,
}

impl Before {
    /// What a run wrote down.
    ///
    /// # Errors
    /// It is not there: without it nothing can be undone.
    pub fn open(folder: &Path, run: &str) -> Result<Self> {
        let place = folder.join(format!("before-{run}.jsonl"));
        if place.is_file() {
            return Ok(Self { place });
        }
        Err(Error::damaged("what the target held before the import is not on record")
            .at(place.display())
            .help("bring the file back from a copy of the bundle's folder"))
    }

    /// The folder it stands in.
    pub fn folder(&self) -> &Path {
        self.place.parent().unwrap_or(&self.place)
    }

    /// Every row, in the order of the tables, one after the other.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn rows(&self) -> Result<BeforeRows> {
        let file = BufReader::with_capacity(1 << 18, storage::open(&self.place)?);
        Ok(BeforeRows { file, place: self.place.clone(), line: Vec::new(), number: 0 })
    }

    /// Every row, in the order of the tables.
    ///
    /// # Errors
    /// The file cannot be read, or what `visit` says.
    pub fn each(&self, visit: &mut dyn FnMut(Was) -> Result<()>) -> Result<()> {
        self.rows()?.try_for_each(|row| visit(row?))
    }
}

/// Reads what a store held, row by row.
#[derive(Debug)]
pub struct BeforeRows {
    file: BufReader<std::fs::File>,
    place: PathBuf,
    line: Vec<u8>,
    number: u64,
}

impl Iterator for BeforeRows {
    type Item = Result<Was>;

    fn next(&mut self) -> Option<Self::Item> {
        self.line.clear();
        match self.file.read_until(b'\n', &mut self.line) {
            Ok(0) => return None,
            Ok(_) => self.number += 1,
            Err(error) => return Some(Err(storage::failed(&self.place, error))),
        }
        Some(serde_json::from_slice(&self.line).map_err(|error| {
            Error::damaged("a row of what the target held before cannot be read")
                .at(format!("{}:{}", self.place.display(), self.number))
                .help("bring the file back from a copy of the bundle's folder")
                .because(error)
        }))
    }
}
