//! Folders: an unzipped backup archive, and `<entity>.jsonl` files.

use std::path::{Path, PathBuf};

use super::archive::config_text;
use super::config::Config;
use super::lines::{self, Lines};
use super::rows::{Tally, files, folder_meta};
use super::{Head, Source, SourceMeta, Visit};
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
        let mut meta = self.identify(progress)?;
        let mut tally = Tally::begin(visit, progress, Some(config.total()));
        read_files(&tables, Lines::Backup, &mut tally)?;
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
        let meta = self.identify(progress)?;
        let mut tally = Tally::begin(visit, progress, None);
        read_files(&tables, Lines::BackupOrBare, &mut tally)?;
        Ok((meta, tally.finish()))
    }
}

fn read_files(tables: &[(String, PathBuf)], lines: Lines, tally: &mut Tally<'_, '_>) -> Result<()> {
    for (entity, path) in tables {
        tally.entity(entity);
        let failed = |error| storage::failed(path, error);
        lines::read(storage::open(path)?, &path.display().to_string(), lines, tally, &failed)?;
    }
    Ok(())
}
