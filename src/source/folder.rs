//! Folders: an unzipped backup archive, and `<entity>.jsonl` files.

use std::path::{Path, PathBuf};

use super::archive::config_text;
use super::config::Config;
use super::hashed::Hashed;
use super::lines;
use super::rows::{Tally, files, folder_meta, hashes_meta};
use super::{Form, Head, Source, SourceMeta, Visit};
use crate::bag;
use crate::contract::Contract;
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::storage;

/// A folder with `config.json` and `entities/<entity>.jsonl`.
#[derive(Debug)]
pub(super) struct ArchiveFolder {
    folder: PathBuf,
}

impl ArchiveFolder {
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    fn config(&self) -> Result<Config> {
        let path = self.folder.join("config.json");
        if !path.is_file() {
            return Err(Error::damaged("`config.json` is missing")
                .at(self.folder.display())
                .help("name the folder of a whole unzipped backup archive"));
        }
        let place = path.display().to_string();
        let failed = |error| storage::failed(&path, error);
        Config::parse(&config_text(storage::open(&path)?, &place, &failed)?, &place)
    }
}

impl Source for ArchiveFolder {
    fn identify(&self, progress: &dyn Progress) -> Result<SourceMeta> {
        let tables = files(&self.folder.join("entities"), "jsonl")?;
        let names = tables.iter().map(|(entity, _)| format!("entities/{entity}.jsonl"));
        let names: Vec<String> = names.chain(["config.json".to_owned()]).collect();
        folder_meta("archive-folder", &self.folder, &names, progress)
    }

    fn head(&mut self, _contract: &Contract) -> Result<Head> {
        Ok(self.config()?.head)
    }

    fn read(
        &mut self,
        _contract: &Contract,
        visit: &mut Visit<'_>,
        progress: &dyn Progress,
    ) -> Result<(SourceMeta, Vec<(String, u64)>)> {
        let config = self.config()?;
        let tables = files(&self.folder.join("entities"), "jsonl")?;
        let mut tally = Tally::begin(visit, progress, Some(config.total()));
        let mut hashes = read_files(&tables, Form::Line, &mut tally)?;
        for (file, _) in &mut hashes {
            file.insert_str(0, "entities/");
        }
        let whole = bag::sha256_of(&self.folder.join("config.json"))?.sha256;
        hashes.push(("config.json".to_owned(), whole));
        let mut meta = hashes_meta("archive-folder", &self.folder, hashes);
        let read = config.reconcile(tally.finish(), &self.folder.display().to_string())?;
        config.describe(&mut meta);
        Ok((meta, read))
    }
}

/// A folder with `<entity>.jsonl`.
#[derive(Debug)]
pub(super) struct JsonlFolder {
    folder: PathBuf,
}

impl JsonlFolder {
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }
}

impl Source for JsonlFolder {
    fn identify(&self, progress: &dyn Progress) -> Result<SourceMeta> {
        let tables = files(&self.folder, "jsonl")?;
        let names: Vec<String> =
            tables.iter().map(|(entity, _)| format!("{entity}.jsonl")).collect();
        folder_meta("jsonl-folder", &self.folder, &names, progress)
    }

    fn head(&mut self, _contract: &Contract) -> Result<Head> {
        Ok(Head::default())
    }

    fn read(
        &mut self,
        _contract: &Contract,
        visit: &mut Visit<'_>,
        progress: &dyn Progress,
    ) -> Result<(SourceMeta, Vec<(String, u64)>)> {
        let tables = files(&self.folder, "jsonl")?;
        let mut tally = Tally::begin(visit, progress, None);
        let hashes = read_files(&tables, Form::LineOrObject, &mut tally)?;
        let read = tally.finish();
        Ok((hashes_meta("jsonl-folder", &self.folder, hashes), read))
    }
}

/// Passes the rows of every file on; gives the files' names and SHA-256s.
fn read_files(
    tables: &[(String, PathBuf)],
    form: Form,
    tally: &mut Tally<'_, '_>,
) -> Result<Vec<(String, String)>> {
    let mut hashes = Vec::with_capacity(tables.len());
    for (entity, path) in tables {
        tally.entity(entity);
        let failed = |error| storage::failed(path, error);
        let mut file = Hashed::open(path)?;
        lines::read(&mut file, &path.display().to_string(), form, tally, &failed)?;
        hashes.push((format!("{entity}.jsonl"), file.finish()?));
    }
    Ok(hashes)
}
