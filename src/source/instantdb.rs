//! InstantDB's HTTP API as a source: a backup of the app, or its rows page by page.
//!
//! Both ways end in a folder of the form of an unzipped backup archive, which the source of that form
//! reads; the folder is gone when the source is.

mod backup;
mod pages;

use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use super::folder::ArchiveFolder;
use super::{Head, Source, SourceMeta, Visit};
use crate::contract::Contract;
use crate::error::{Error, Result};
use crate::instantdb::{Client, Failure};
use crate::progress::{Progress, Silent};
use crate::storage::Staged;

/// Which backup of the app is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backup {
    /// The newest there is.
    Newest,
    /// One that is made now.
    Fresh,
    /// None: the rows are read page by page.
    No,
}

/// How an app is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taking {
    /// Which backup is taken.
    pub backup: Backup,
    /// Whether the rows are read page by page where the server has no backup and makes none.
    pub fall_back: bool,
    /// How many rows a page has at most.
    pub page: usize,
}

impl Default for Taking {
    fn default() -> Self {
        Self { backup: Backup::Newest, fall_back: false, page: 500 }
    }
}

/// An app of an InstantDB server.
///
/// A backup is one consistent state of the app. Pages are not: rows that come or go meanwhile are
/// noticed and end the reading, values that change meanwhile are not seen, and the creation time of
/// rows is not told. The app should then be read-only.
#[derive(Debug)]
pub struct InstantDb {
    client: Client,
    scratch: PathBuf,
    taking: Taking,
    fetched: OnceCell<Staged>,
}

impl InstantDb {
    /// The app of a client. What is fetched stands in a hidden folder beside `scratch` while the
    /// source lives; nothing appears at `scratch` itself.
    pub fn new(client: Client, scratch: &Path, taking: Taking) -> Self {
        Self { client, scratch: scratch.to_owned(), taking, fetched: OnceCell::new() }
    }

    /// Fetches the app, unless that was done: the other calls do it too, but [`Source::head`] without
    /// a word about its progress.
    ///
    /// # Errors
    /// The server cannot be reached or refuses, what it sends is damaged, or the disk fails; nothing
    /// is then left.
    pub fn fetch(&self, progress: &dyn Progress) -> Result<()> {
        self.folder(progress).map(drop)
    }

    fn folder(&self, progress: &dyn Progress) -> Result<ArchiveFolder> {
        let staged = match self.fetched.get() {
            Some(staged) => staged,
            None => {
                let staged = self.download(progress)?;
                self.fetched.get_or_init(|| staged)
            }
        };
        Ok(ArchiveFolder::new(staged.path()))
    }

    /// Fetches by the way that was asked for, or the one that is left.
    fn download(&self, progress: &dyn Progress) -> Result<Staged> {
        let found = match self.taking.backup {
            Backup::Newest => backup::newest(&self.client, progress),
            Backup::Fresh => backup::fresh(&self.client, progress),
            Backup::No => Ok(None),
        };
        let id = match found {
            Ok(Some(id)) => Some(id),
            Ok(None) if self.taking.backup == Backup::No || self.taking.fall_back => None,
            Err(failure) if self.taking.fall_back && failure.is_refusal() => None,
            Ok(None) => return Err(self.no_backup()),
            Err(failure) => return Err(refused(failure)),
        };
        // The folder is made once the server was found willing.
        let schema = match id {
            Some(_) => None,
            None => Some(self.client.schema().map_err(Failure::into_error)?),
        };
        let staged = Staged::begin(&self.scratch)?;
        let fetched = match (id, schema) {
            (Some(id), _) => backup::fetch(&self.client, &id, staged.path(), progress),
            (None, Some(schema)) => {
                let pages = pages::Pages::new(&self.client, &schema, self.taking.page);
                pages.fetch(staged.path(), progress)
            }
            (None, None) => Err(Error::bug("there is neither a backup nor a schema")),
        };
        fetched.map_err(|error| self.named(error, staged.path()))?;
        Ok(staged)
    }

    fn no_backup(&self) -> Error {
        Error::refused("the app has no backup")
            .at(self.name())
            .help("let one be made (`--fresh`), or read it page by page (`--by-query`)")
    }

    fn name(&self) -> String {
        format!("instantdb://{}", self.client.app_id())
    }

    /// An error that names the app where it named the hidden folder.
    fn named(&self, mut error: Error, folder: &Path) -> Error {
        let folder = folder.display().to_string();
        for at in &mut error.at {
            *at = at.replace(&folder, &self.name());
        }
        error
    }

    fn describe(&self, meta: SourceMeta) -> SourceMeta {
        let app_id = self.client.app_id().to_owned();
        SourceMeta {
            kind: "instantdb".to_owned(),
            name: app_id.clone(),
            app_id: Some(app_id),
            ..meta
        }
    }

    /// Does something with the folder and names the app in what fails.
    fn with<T>(
        &self,
        progress: &dyn Progress,
        work: impl FnOnce(&mut ArchiveFolder) -> Result<T>,
    ) -> Result<T> {
        let mut folder = self.folder(progress)?;
        let path = self.fetched.get().map(|staged| staged.path().to_owned()).unwrap_or_default();
        work(&mut folder).map_err(|error| self.named(error, &path))
    }
}

/// A refused backup, with the way that is left.
fn refused(failure: Failure) -> Error {
    let refusal = failure.is_refusal();
    let error = failure.into_error();
    if !refusal {
        return error;
    }
    error.help("take a backup from the app's dashboard, or read it page by page (`--by-query`)")
}

impl Source for InstantDb {
    fn identify(&self, progress: &dyn Progress) -> Result<SourceMeta> {
        self.with(progress, |folder| folder.identify(progress)).map(|meta| self.describe(meta))
    }

    fn head(&mut self, contract: &Contract) -> Result<Head> {
        self.with(&Silent, |folder| folder.head(contract))
    }

    fn read(
        &mut self,
        contract: &Contract,
        visit: &mut Visit<'_>,
        progress: &dyn Progress,
    ) -> Result<(SourceMeta, Vec<(String, u64)>)> {
        let read = self.with(progress, |folder| folder.read(contract, visit, progress));
        read.map(|(meta, entities)| (self.describe(meta), entities))
    }

    fn explain(&self, error: Error) -> Error {
        match self.fetched.get() {
            Some(staged) => self.named(error, staged.path()),
            None => error,
        }
    }
}

/// Whether an entity's name can be a file's.
fn is_plain(entity: &str) -> bool {
    !entity.is_empty()
        && entity.len() < 200
        && !entity.starts_with('.')
        && !entity.contains(|c: char| matches!(c, '/' | '\\' | ':') || c.is_control())
}
