//! InstantDB's backup archive as the zip it is downloaded as.

use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::config::{self, Config};
use super::hashed::Hashed;
use super::lines;
use super::rows::{Tally, described, file_meta};
use super::{Form, Head, Source, SourceMeta, Visit};
use crate::contract::Contract;
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::storage;

const CONFIG: &str = "config.json";
const DOWNLOAD: &str = "name a backup archive as InstantDB writes it, or download it again";

/// A `.zip` with `config.json`, `entities/<entity>.jsonl` and `files/*`.
#[derive(Debug)]
pub(super) struct Archive {
    path: PathBuf,
}

type Zip = ZipArchive<BufReader<Hashed>>;

/// What is read of the file at a time.
const CHUNK: usize = 1 << 17;

impl Archive {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    fn open(&self) -> Result<(Zip, Entries)> {
        let file = Hashed::open(&self.path)?;
        let in_order = file.in_order();
        let file = BufReader::with_capacity(CHUNK, file);
        let mut zip = ZipArchive::new(file).map_err(|error| self.no_zip(error))?;
        let entries = self.entries(&mut zip)?;
        // The table of contents stands last; what is read from now on comes as it stands.
        in_order.set(true);
        Ok((zip, entries))
    }

    fn no_zip(&self, error: ZipError) -> Error {
        match error {
            ZipError::Io(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
                storage::failed(&self.path, error)
            }
            error => Error::damaged("the archive is no zip file, or is cut off")
                .at(self.path.display())
                .help("download the backup again")
                .because(error),
        }
    }

    /// Checks the archive's table of contents and finds the entries that are read.
    fn entries(&self, zip: &mut Zip) -> Result<Entries> {
        if zip.has_duplicate_names() {
            return Err(self.refused("an entry's name stands twice"));
        }
        let (mut config, mut tables, mut first) = (None, Vec::new(), u64::MAX);
        for index in 0..zip.len() {
            let entry = zip.by_index_data(index).map_err(|error| self.no_zip(error))?;
            let name = entry.name().map_err(|error| self.no_zip(error))?.into_owned();
            first = first.min(entry.header_start());
            let entity = name.strip_prefix("entities/").filter(|rest| !rest.is_empty());
            if !is_plain(&name) {
                return Err(self.refused_entry("an entry's name leads out of the archive", &name));
            }
            if name != CONFIG && entity.is_none() {
                continue;
            }
            if entry.encrypted() {
                return Err(self.refused_entry("an entry is encrypted", &name));
            }
            let method = entry.compression();
            if !matches!(method, CompressionMethod::Stored | CompressionMethod::Deflated) {
                let said = format!("an entry is compressed by {method}, which is not read");
                return Err(self.refused_entry(&said, &name));
            }
            match entity {
                None => config = Some((index, entry.header_start())),
                Some(entity) => match entity.strip_suffix(".jsonl") {
                    Some(entity) => tables.push((entry.header_start(), index, entity.to_owned())),
                    None => return Err(self.refused_entry("an entry is no `.jsonl` file", &name)),
                },
            }
        }
        let Some((config, at)) = config else {
            return Err(self.refused("`config.json` is missing"));
        };
        if at != first {
            return Err(self.refused("`config.json` is not the archive's first entry"));
        }
        tables.sort();
        Ok(Entries { config, tables })
    }

    fn refused(&self, said: &str) -> Error {
        Error::damaged(said).at(self.path.display()).help(DOWNLOAD)
    }

    fn refused_entry(&self, said: &str, entry: &str) -> Error {
        Error::damaged(said).at(format!("{}: {entry}", self.path.display())).help(DOWNLOAD)
    }

    fn config(&self, zip: &mut Zip, entries: &Entries) -> Result<Config> {
        let place = format!("{}: {CONFIG}", self.path.display());
        let entry = zip.by_index(entries.config).map_err(|error| self.no_zip(error))?;
        let text = config_text(entry, &place, &|error| self.damaged(error, CONFIG))?;
        Config::parse(&text, &place)
    }

    /// A failing read of an entry: its bytes are wrong, or the disk fails.
    fn damaged(&self, error: io::Error, entry: &str) -> Error {
        match error.kind() {
            io::ErrorKind::InvalidData
            | io::ErrorKind::InvalidInput
            | io::ErrorKind::UnexpectedEof
            | io::ErrorKind::Other => Error::damaged("an entry of the archive is damaged")
                .at(format!("{}: {entry}", self.path.display()))
                .help("download the backup again")
                .because(error),
            _ => storage::failed(&self.path, error),
        }
    }
}

struct Entries {
    config: usize,
    /// Where an entry stands, its number, its entity; in the order of the file.
    tables: Vec<(u64, usize, String)>,
}

/// Reads a `config.json` of a size that fits the memory.
pub(super) fn config_text(
    input: impl Read,
    place: &str,
    failed: &dyn Fn(io::Error) -> Error,
) -> Result<String> {
    let mut bytes = Vec::new();
    let read = input.take(config::LARGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
    if read as u64 > config::LARGEST {
        return Err(Error::damaged("`config.json` is larger than 64 MiB").at(place));
    }
    String::from_utf8(bytes)
        .map_err(|error| Error::damaged("`config.json` is no UTF-8 text").at(place).because(error))
}

fn is_plain(name: &str) -> bool {
    !name.starts_with('/')
        && !name.contains(['\\', '\0'])
        && name.split('/').all(|part| part != ".." && part != ".")
        && !name.split('/').next().is_some_and(|part| part.ends_with(':'))
}

impl Source for Archive {
    fn identify(&self, progress: &dyn Progress) -> Result<SourceMeta> {
        file_meta("archive", &self.path, progress)
    }

    fn head(&mut self, _contract: &Contract) -> Result<Head> {
        let (mut zip, entries) = self.open()?;
        Ok(self.config(&mut zip, &entries)?.head)
    }

    fn read(
        &mut self,
        _contract: &Contract,
        visit: &mut Visit<'_>,
        progress: &dyn Progress,
    ) -> Result<(SourceMeta, Vec<(String, u64)>)> {
        let (mut zip, entries) = self.open()?;
        let config = self.config(&mut zip, &entries)?;
        let mut tally = Tally::begin(visit, progress, Some(config.total()));
        for (_, index, entity) in &entries.tables {
            let name = format!("{}: entities/{entity}.jsonl", self.path.display());
            let entry = zip.by_index(*index).map_err(|error| self.no_zip(error))?;
            tally.entity(entity);
            let failed = |error| self.damaged(error, &format!("entities/{entity}.jsonl"));
            lines::read(entry, &name, Form::Line, &mut tally, &failed)?;
        }
        let read = config.reconcile(tally.finish(), &self.path.display().to_string())?;
        let sha256 = zip.into_inner().into_inner().finish()?;
        let mut meta = described("archive", &self.path, sha256);
        config.describe(&mut meta);
        Ok((meta, read))
    }
}
