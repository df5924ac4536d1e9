//! The archive of an InstantDB app, as a self-hosted server restores it.
//!
//! One zip: `config.json`, `entities/*.jsonl` by name, `files/*`. The rows of the target model come
//! from the bundle; everything else of the source archive is carried over, byte for byte. Where the
//! source has no app around its rows, the archive holds the target model alone.
//!
//! - The schema is the app's with the contract's model in it (`model`); `counts` and `tripleCount`
//!   are what the lines add up to (`tally`).
//! - Links with other entities of the app stand on the target's rows (`routes`).
//! - What the server's restore would fail on is refused before a byte is written (`rules`,
//!   `rows`).
//!
//! The archive is made in a hidden file beside its place, read back by the program's own exporter,
//! and appears by one rename. Another file that stands there is never replaced.

mod app;
mod back;
mod content;
mod lines;
mod links;
mod model;
mod record;
mod routes;
mod rows;
mod rules;
mod same;
mod schema_text;
mod tally;
mod write;

use std::fs::OpenOptions;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use self::app::App;
use self::back::Back;
use self::content::Content;
use self::record::{FOUND, LABELS, MADE};
use self::routes::Route;
use self::same::Same;
use super::{
    Before, BeforeWriter, Check, Held, Job, Journal, Manner, Plan, ReadBack, Standing, Table,
    Target, Undoing,
};
use crate::bag;
use crate::contract::Contract;
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::storage::{self, StagedFile};

/// What an archive is to hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Leave the legacy entities out, and every link that touches them.
    pub drop_legacy: bool,
}

/// An InstantDB archive at a path.
#[allow(missing_debug_implementations, reason = "an open zip has no debug form")]
pub struct Archive {
    place: PathBuf,
    source: Option<PathBuf>,
    options: Options,
    open: Option<Open>,
    told: Vec<String>,
}

/// An archive during a job.
struct Open {
    job: Job,
    contract: Contract,
    app: Option<App>,
    content: Option<Content>,
    staged: Option<StagedFile>,
    back: Option<Back>,
    /// The file that the import made stands there as it was made.
    made: bool,
    /// The file goes at the commit.
    removing: bool,
}

impl Archive {
    /// The archive at `place`, which need not exist yet. `source` is the archive that the snapshot was
    /// taken from, when it was taken from one.
    pub fn new(place: impl Into<PathBuf>, source: Option<PathBuf>, options: Options) -> Self {
        let place = place.into();
        Self { place, source, options, open: None, told: Vec::new() }
    }

    /// Where it stands.
    pub fn place(&self) -> &Path {
        &self.place
    }

    fn job(&mut self) -> Result<&mut Open> {
        self.open.as_mut().ok_or_else(|| Error::bug("the archive is not open for a job"))
    }

    /// The source archive, opened and proved to be the snapshot's.
    fn app(&self, plan: &Plan, contract: &Contract) -> Result<Option<App>> {
        let meta = &plan.meta.source;
        match &self.source {
            Some(source) => App::open(source, meta, contract).map(Some),
            None if !meta.kind.starts_with("archive") => Ok(None),
            None => Err(Error::usage(
                "the archive is made out of the one that the snapshot was taken from",
            )
            .at(format!("`{}`, SHA-256 {}", meta.name, meta.sha256))
            .help("name that file with `--source FILE`")),
        }
    }

    /// What the archive holds of a table; it is exported once for all of them.
    fn back(&mut self, plan: &Plan, table: &Table, progress: &dyn Progress) -> Result<ReadBack> {
        let place = self.place.clone();
        let open = self.job()?;
        let routes = open.routes();
        if open.back.is_none() {
            let archive = open.staged.as_ref().map_or(&*place, StagedFile::path);
            open.back = Some(Back::take(archive, &place, &open.contract)?);
        }
        match &open.back {
            Some(back) => back.table(plan, table, (&routes, progress)),
            None => Err(Error::bug("the archive was not read back")),
        }
    }
}

impl Open {
    /// Where the bundle's link files stand.
    fn routes(&self) -> Vec<Route> {
        self.content.as_ref().map(|content| content.model.routes.clone()).unwrap_or_default()
    }
}

impl Target for Archive {
    fn kind(&self) -> &'static str {
        "archive"
    }

    fn name(&self) -> String {
        let name = self.place.file_name().unwrap_or(self.place.as_os_str());
        name.to_string_lossy().into_owned()
    }

    fn identity(&self) -> String {
        storage::full_path(&self.place).to_string_lossy().into_owned()
    }

    fn manner(&self) -> Manner {
        Manner::File
    }

    fn open(
        &mut self,
        plan: &Plan,
        job: &Job,
        _journal: &Journal<'_>,
        _progress: &dyn Progress,
    ) -> Result<()> {
        if self.place.is_dir() {
            return Err(Error::usage("a folder stands where the archive goes")
                .at(self.place.display())
                .help("name a file"));
        }
        let same = |source: &PathBuf| storage::full_path(source) == storage::full_path(&self.place);
        if self.source.as_ref().is_some_and(same) {
            return Err(Error::usage("the archive would take the place of its source")
                .at(self.place.display())
                .help("name another file"));
        }
        let contract = plan.contract()?;
        let mut open = Open {
            job: job.clone(),
            contract,
            app: None,
            content: None,
            staged: None,
            back: None,
            made: false,
            removing: false,
        };
        if job.undoes.is_none() {
            open.app = self.app(plan, &open.contract)?;
        }
        self.open = Some(open);
        Ok(())
    }

    fn has_run(&mut self, run: &str, journal: &Journal<'_>) -> Result<bool> {
        record::stands(&self.place, record::noted(journal.entries(), run, MADE))
    }

    fn compare(
        &mut self,
        plan: &Plan,
        before: &mut BeforeWriter<'_>,
        progress: &dyn Progress,
    ) -> Result<Vec<Standing>> {
        let (place, looked) = (self.place.clone(), (self.options.drop_legacy, progress));
        let open = self.job()?;
        let content = Content::new(open.app.take(), plan, &open.contract, looked)?;
        let content = open.content.insert(content);
        let told =
            content.model.told.iter().cloned().chain(content.permissions.remarks(&content.rules));
        let told = told.collect();
        if place.exists() {
            let same = write::write(Same::with(&place)?, &place, content, (plan, back::QUIET))?;
            if !same.is_same() {
                return Err(Error::refused("another file stands where the archive goes")
                    .at(place.display())
                    .help("name another file, or move this one away; it is left as it is"));
            }
        }
        self.told = told;
        record::standings(&place, plan, before)
    }

    fn apply(
        &mut self,
        plan: &Plan,
        journal: &mut Journal<'_>,
        progress: &dyn Progress,
    ) -> Result<()> {
        if self.place.exists() {
            return journal.note(FOUND, bag::sha256_of(&self.place)?.sha256);
        }
        let staged = StagedFile::begin(&self.place)?;
        let path = staged.path().to_owned();
        let open = self.job()?;
        open.staged = Some(staged);
        let content = open.content.as_mut();
        let content = content.ok_or_else(|| Error::bug("the archive was not looked through"))?;
        let failed = |error| storage::failed(&path, error);
        let file = OpenOptions::new().write(true).open(&path).map_err(failed)?;
        let file = BufWriter::with_capacity(1 << 18, file);
        let mut file = write::write(file, &path, content, (plan, progress))?;
        file.flush().map_err(failed)?;
        progress.reached("after the archive is written");
        if !content.model.told.is_empty() {
            journal.note(LABELS, content.model.told.clone())?;
        }
        // Known before the rename: a kill right after it is recognised by the file.
        journal.note(MADE, bag::sha256_of(&path)?.sha256)
    }

    fn read_back(
        &mut self,
        plan: &Plan,
        table: &Table,
        progress: &dyn Progress,
    ) -> Result<ReadBack> {
        self.back(plan, table, progress)
    }

    fn check(&mut self, plan: &Plan, _progress: &dyn Progress) -> Result<Vec<Check>> {
        let place = self.place.clone();
        let open = self.job()?;
        let archive = open.staged.as_ref().map_or(&*place, StagedFile::path);
        let Some(content) = &open.content else { return Ok(Vec::new()) };
        let mut checks = back::check_archive(archive, content, (plan, &open.contract))?;
        checks.extend(back::check_links(content, plan));
        if let Some(back) = &open.back {
            checks.push(back.check_links(plan, &content.model.routes)?);
        }
        Ok(checks)
    }

    fn commit(&mut self) -> Result<()> {
        let open = self.open.take().ok_or_else(|| Error::bug("there is no job to commit"))?;
        drop(open.back);
        if open.removing {
            return storage::remove_if_there(&self.place);
        }
        let Some(staged) = open.staged else { return Ok(()) };
        if self.place.exists() {
            return Err(Error::busy("another program made a file here in the meantime")
                .at(self.place.display())
                .help("import again, or name another file"));
        }
        staged.commit()
    }

    fn abandon(&mut self) {
        self.open = None;
    }

    fn notes(&self) -> Vec<String> {
        self.told.clone()
    }

    fn inspect(
        &mut self,
        plan: &Plan,
        before: &Before,
        _progress: &dyn Progress,
    ) -> Result<Vec<Undoing>> {
        let place = self.place.clone();
        let open = self.job()?;
        let undoes = open.job.undoes.clone().unwrap_or_default();
        let entries = Journal::read(before.folder())?;
        let (made, found) =
            (record::noted(&entries, &undoes, MADE), record::noted(&entries, &undoes, FOUND));
        open.made = record::stands(&place, made)?;
        let is_gone = open.job.resumed && !place.exists();
        if !(open.made || is_gone || record::stands(&place, found)?) {
            return Err(Error::refused("the archive is no longer as the import left it")
                .at(place.display())
                .help("bring back what was imported, or remove it yourself; it is left as it is"));
        }
        let undoing = |table: &Table| {
            let (removed, left) = if open.made { (table.rows, 0) } else { (0, table.rows) };
            Undoing { table: table.name.clone(), removed, left, ..Undoing::default() }
        };
        Ok(plan.tables.iter().map(undoing).collect())
    }

    fn revert(
        &mut self,
        _plan: &Plan,
        _before: &Before,
        _journal: &mut Journal<'_>,
        progress: &dyn Progress,
    ) -> Result<()> {
        progress.reached("before the archive is marked to go");
        let open = self.job()?;
        open.removing = open.made;
        Ok(())
    }

    fn held(&mut self, plan: &Plan, _progress: &dyn Progress) -> Result<Vec<Held>> {
        let place = self.place.clone();
        let open = self.job()?;
        if open.removing || !place.exists() {
            return Ok(plan.tables.iter().map(|_| record::nothing()).collect());
        }
        // Its SHA-256 was looked at: it is what the import made or found, which was read back.
        let held = |table: &Table| Held { rows: table.rows, digest: table.digest.clone() };
        Ok(plan.tables.iter().map(held).collect())
    }
}
