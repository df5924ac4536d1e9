//! The source archive that everything but the target model is carried over from.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};

use zip::result::ZipError;
use zip::{ZipArchive, ZipWriter};

use super::lines;
use super::model;
use super::write::{CONFIG, entity_of, options};
use crate::app::Rules;
use crate::contract::Contract;
use crate::error::{Error, Result};
use crate::progress::Silent;
use crate::snapshot::SourceMeta;
use crate::{source, storage};

/// The largest `config.json` that is read, in bytes: the exporter's own limit.
const LARGEST: u64 = 64 << 20;

/// A source archive, as a zip or as its unzipped folder.
pub(super) struct App {
    place: PathBuf,
    /// Its schema.
    pub(super) schema: model::App,
    /// Its permission rules.
    pub(super) rules: Rules,
    /// Text of its `config.json`.
    pub(super) config: String,
    /// Its row counts, by entity.
    pub(super) counts: Vec<(String, u64)>,
    /// Its files in their order, `config.json` and folders left out.
    pub(super) files: Vec<Carried>,
    zip: Option<ZipArchive<BufReader<File>>>,
}

/// One file of a source archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Carried {
    /// Its name in the archive.
    pub(super) name: String,
    /// Its size in bytes.
    pub(super) size: u64,
    index: usize,
}

impl App {
    /// Opens the very archive that a snapshot was taken from.
    ///
    /// # Errors
    /// It cannot be read, or is another one.
    pub(super) fn open(place: &Path, meta: &SourceMeta, contract: &Contract) -> Result<Self> {
        let mut from = source::open(place)?;
        let found = from.identify(&Silent)?;
        if found.sha256 != meta.sha256 {
            return Err(Error::refused("this is not the archive that the snapshot was taken from")
                .at(format!("{}: SHA-256 {}", place.display(), found.sha256))
                .at(format!("the snapshot's `{}`: SHA-256 {}", meta.name, meta.sha256))
                .help("name the archive as it was exported, with `--source FILE`"));
        }
        let head = from.head(contract)?;
        let zip = if place.is_dir() { None } else { Some(open_zip(place)?) };
        let mut app = Self {
            place: place.to_owned(),
            schema: model::App {
                text: head.schema_text.unwrap_or_default(),
                schema: head.schema.unwrap_or_default(),
            },
            rules: head.app.rules,
            config: String::new(),
            counts: head.counts.unwrap_or_default(),
            files: Vec::new(),
            zip,
        };
        let mut files = app.list()?;
        let config = files.iter().position(|file| file.name == CONFIG);
        let config = config
            .map(|at| files.remove(at))
            .ok_or_else(|| Error::damaged("`config.json` is missing").at(place.display()))?;
        app.config = app.text(&config)?;
        app.files = files;
        Ok(app)
    }

    fn list(&mut self) -> Result<Vec<Carried>> {
        let Some(zip) = &self.zip else { return list_folder(&self.place) };
        let mut files = Vec::new();
        for index in 0..zip.len() {
            let entry = zip.by_index_data(index).map_err(|error| damaged(&self.place, error))?;
            let name = entry.name().map_err(|error| damaged(&self.place, error))?.into_owned();
            if entry.encrypted() {
                return Err(Error::refused("a file of the source archive is encrypted")
                    .at(format!("{}: {name}", self.place.display()))
                    .help("name a backup archive as InstantDB writes it"));
            }
            if !name.ends_with('/') {
                files.push((entry.header_start(), Carried { name, size: entry.size(), index }));
            }
        }
        files.sort_by_key(|(start, _)| *start);
        Ok(files.into_iter().map(|(_, file)| file).collect())
    }

    fn text(&mut self, file: &Carried) -> Result<String> {
        let place = self.at(file);
        let mut text = String::new();
        self.read(file, &mut |input| {
            input.take(LARGEST).read_to_string(&mut text).map_err(|error| broken(&place, error))?;
            Ok(())
        })?;
        Ok(text)
    }

    /// Where a file stands, for messages.
    pub(super) fn at(&self, file: &Carried) -> String {
        format!("{}: {}", self.place.display(), file.name)
    }

    /// Passes the content of a file; its checksum is checked when it is read to its end.
    ///
    /// # Errors
    /// It cannot be read, or what `visit` says.
    pub(super) fn read(
        &mut self,
        file: &Carried,
        visit: &mut dyn FnMut(&mut dyn Read) -> Result<()>,
    ) -> Result<()> {
        match &mut self.zip {
            Some(zip) => {
                let entry = zip.by_index(file.index);
                visit(&mut entry.map_err(|error| damaged(&self.place, error))?)
            }
            None => visit(&mut BufReader::new(storage::open(&self.place.join(&file.name))?)),
        }
    }

    /// Reads every byte of a file, for its checksum alone.
    ///
    /// # Errors
    /// It is damaged.
    pub(super) fn check(&mut self, file: &Carried) -> Result<()> {
        let place = self.at(file);
        self.read(file, &mut |input| {
            io::copy(input, &mut io::sink()).map_err(|error| broken(&place, error)).map(drop)
        })
    }

    /// Passes every line of an entity's file.
    ///
    /// # Errors
    /// It cannot be read, or what `visit` says.
    pub(super) fn lines(
        &mut self,
        file: &Carried,
        visit: &mut dyn FnMut(&str) -> Result<()>,
    ) -> Result<()> {
        let place = self.at(file);
        self.read(file, &mut |input| lines::each(input, &place, visit))
    }

    /// Copies a file into another archive: the bytes it is compressed to, where it is compressed.
    ///
    /// # Errors
    /// The disk fails.
    pub(super) fn copy<W: Write + Seek>(
        &mut self,
        file: &Carried,
        out: &mut ZipWriter<W>,
        failed: &dyn Fn(ZipError) -> Error,
    ) -> Result<()> {
        if let Some(zip) = &mut self.zip {
            let entry = zip.by_index_raw(file.index);
            let entry = entry.map_err(|error| damaged(&self.place, error))?;
            return out.raw_copy_file(entry).map_err(failed);
        }
        out.start_file(&file.name, options(file.size)).map_err(failed)?;
        let path = self.place.join(&file.name);
        let mut input = BufReader::new(storage::open(&path)?);
        io::copy(&mut input, out).map_err(|error| failed(ZipError::Io(error))).map(drop)
    }

    /// The files with rows, by entity.
    pub(super) fn entities(&self) -> Vec<(String, Carried)> {
        let files = self.files.iter();
        let mut found: Vec<_> = files
            .filter_map(|file| Some((entity_of(&file.name)?.to_owned(), file.clone())))
            .collect();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        found
    }
}

fn open_zip(place: &Path) -> Result<ZipArchive<BufReader<File>>> {
    let file = BufReader::with_capacity(1 << 18, storage::open(place)?);
    ZipArchive::new(file).map_err(|error| damaged(place, error))
}

fn list_folder(root: &Path) -> Result<Vec<Carried>> {
    let mut folders = vec![root.to_owned()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(|error| storage::failed(&folder, error))? {
            let path = entry.map_err(|error| storage::failed(&folder, error))?.path();
            let meta = path.metadata().map_err(|error| storage::failed(&path, error))?;
            if meta.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(root).unwrap_or(&path);
            let parts = name.components().map(|part| part.as_os_str().to_str());
            let parts: Option<Vec<&str>> = parts.collect();
            let name = parts
                .map(|parts| parts.join("/"))
                .ok_or_else(|| Error::usage("a file's name is no UTF-8 text").at(path.display()))?;
            files.push(Carried { name, size: meta.len(), index: 0 });
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

/// An archive that is no whole zip.
pub(super) fn damaged(place: &Path, error: ZipError) -> Error {
    match error {
        ZipError::Io(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
            storage::failed(place, error)
        }
        error => Error::damaged("the archive is no zip file, or is damaged")
            .at(place.display())
            .help("take it again")
            .because(error),
    }
}

/// A failing read of a file in an archive.
pub(super) fn broken(place: &str, error: io::Error) -> Error {
    Error::damaged("a file of the archive is damaged")
        .at(place)
        .help("take it again")
        .because(error)
}
