//! An SQLite database: the embedded default target.
//!
//! A new database is made in a hidden file beside its place, without a journal, and appears there
//! by one rename once it was read back. An existing one takes an import in one transaction: the
//! bundle is staged in temporary tables, compared row by row, and merged.
//!
//! How values stand in it, for analysts:
//!
//! - text, ids and links as `TEXT`, numbers as `REAL`, booleans as `INTEGER` 0 or 1;
//! - dates as `TEXT` in the form `2024-05-06T07:08:09.123456Z`: always UTC, always six digits of a
//!   second, so that text order is time order and `datetime()`, `julianday()`, `strftime()` and the
//!   like take them as they are;
//! - attributes of any type as `TEXT` with the JSON it was, byte for byte. SQLite's JSON functions
//!   read up to 1,000 levels; text that is nested deeper is kept and not looked into;
//! - links with many ends as a table `<entity>.<label>` of (`from`, `to`);
//! - `_origin`, `_source_row`, `_server_created_at` and `_extra` as in the bundle;
//! - `_digest`, the row's logical digest as the import left it: a later import changes only rows that
//!   still have it;
//! - `rethread_imports`: which bundles were imported, made by what.

mod check;
mod fail;
mod load;
mod merge;
mod schema;
mod undo;
mod values;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::{
    Before, BeforeWriter, Check, Counts, Held, Job, Journal, Manner, Mode, Plan, ReadBack,
    Standing, Table, Target, Undoing,
};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::storage::{self, StagedFile};
use fail::Fails;
use schema::quoted;

/// An SQLite database at a path.
#[derive(Debug)]
pub struct Sqlite {
    place: PathBuf,
    open: Option<Open>,
}

/// A database during a job.
#[derive(Debug)]
struct Open {
    db: Connection,
    /// The hidden file of a new database; `None` for an existing one.
    staged: Option<StagedFile>,
    job: Job,
    /// Tables that this job made.
    made: Vec<String>,
    /// Rows that are not there yet or are to be changed.
    changes: u64,
    /// Nothing is left in the file: it goes at the commit.
    is_empty: bool,
}

impl Open {
    fn new(db: Connection, staged: Option<StagedFile>, job: &Job) -> Self {
        let job = job.clone();
        Self { db, staged, job, made: Vec::new(), changes: 0, is_empty: false }
    }
}

impl Sqlite {
    /// The database at `place`, which need not exist yet.
    pub fn new(place: impl Into<PathBuf>) -> Self {
        Self { place: place.into(), open: None }
    }

    /// Where it stands.
    pub fn place(&self) -> &Path {
        &self.place
    }

    fn opened(&mut self) -> Result<&mut Open> {
        self.open.as_mut().ok_or_else(|| Error::bug("the database is not open for a job"))
    }
}

/// Rows and logical digest of every table of a database, which is opened for reading alone.
///
/// # Errors
/// It is no database, lacks a table, or holds what this program never writes.
pub fn digests(place: &Path, plan: &Plan, progress: &dyn Progress) -> Result<Vec<(u64, String)>> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(place, flags).fails(place)?;
    db.execute_batch("PRAGMA trusted_schema = OFF; PRAGMA query_only = ON;").fails(place)?;
    progress.begin("database", Some(plan.rows()));
    let digest = |table| {
        let found = check::digest(&db, table, progress).map_err(|error| error.told(place))?;
        Ok((found.rows, found.hex()))
    };
    let found = plan.tables.iter().map(digest).collect();
    progress.done("every table");
    found
}

impl Target for Sqlite {
    fn kind(&self) -> &'static str {
        "sqlite"
    }

    fn name(&self) -> String {
        let name = self.place.file_name().unwrap_or(self.place.as_os_str());
        name.to_string_lossy().into_owned()
    }

    fn identity(&self) -> String {
        storage::full_path(&self.place).to_string_lossy().into_owned()
    }

    fn manner(&self) -> Manner {
        Manner::Transaction
    }

    fn open(
        &mut self,
        plan: &Plan,
        job: &Job,
        _journal: &Journal<'_>,
        _progress: &dyn Progress,
    ) -> Result<()> {
        schema::check_names(plan)?;
        self.place = storage::place_of_file(&self.place)?;
        let is_new = is_new(&self.place);
        let undoes = job.undoes.is_some();
        if is_new && undoes && !job.resumed {
            return Err(Error::usage("the database is not there").at(self.place.display()));
        }
        let open = if is_new {
            create(&stage(&self.place, plan, job), job)?
        } else {
            reopen(&self.place, job)?
        };
        // Kept even when it is refused, so that `abandon` closes it.
        let open = self.open.insert(open);
        if open.staged.is_some() {
            schema::create_tables(&open.db, plan).fails(&self.place)?;
            // A rollback that was stopped after it took the file away finds an empty one.
            if undoes { merge::create(&open.db, plan).fails(&self.place) } else { Ok(()) }
        } else {
            open.made = schema::adopt(&open.db, plan, &self.place)?;
            merge::create(&open.db, plan).fails(&self.place)
        }
    }

    fn has_run(&mut self, run: &str, _journal: &Journal<'_>) -> Result<bool> {
        let place = self.place.clone();
        let sql = format!("SELECT count(*) FROM {} WHERE run = ?1", quoted(schema::IMPORTS));
        self.opened()?.db.query_row(&sql, [run], |row| row.get(0)).fails(&place)
    }

    fn compare(
        &mut self,
        plan: &Plan,
        before: &mut BeforeWriter<'_>,
        progress: &dyn Progress,
    ) -> Result<Vec<Standing>> {
        let place = self.place.clone();
        let open = self.opened()?;
        if open.staged.is_some() {
            load::insert_all(&open.db, plan, |table| quoted(&table.name), (&place, progress))?;
            open.changes = plan.rows();
            return Ok(plan.tables.iter().map(all_new).collect());
        }
        load::insert_all(&open.db, plan, merge::staged, (&place, progress))?;
        merge::index(&open.db, plan).fails(&place)?;
        let found: Result<Vec<Standing>> = plan
            .tables
            .iter()
            .map(|table| merge::compare(open, table, before, (open.job.on_conflict, &place)))
            .collect();
        let found = found?;
        let changes = |standing: &Standing| standing.counts.created + standing.counts.updated;
        open.changes = found.iter().map(changes).sum();
        Ok(found)
    }

    fn apply(
        &mut self,
        plan: &Plan,
        journal: &mut Journal<'_>,
        _progress: &dyn Progress,
    ) -> Result<()> {
        let place = self.place.clone();
        let open = self.opened()?;
        if open.staged.is_some() {
            journal.note(undo::FILE_MADE, true)?;
            schema::create_indexes(&open.db, plan).map_err(|error| fail::index(&error, &place))?;
            load::record(&open.db, plan, &open.job.run).fails(&place)?;
            open.db.execute_batch("COMMIT").fails(&place)?;
            if let Some(staged) = open.staged.as_mut().filter(|_| open.job.mode != Mode::DryRun) {
                staged.sync_beside()?;
            }
            return schema::reload(&open.db).fails(&place);
        }
        journal.note(undo::TABLES_MADE, open.made.clone())?;
        merge::apply(&open.db, plan, &place)?;
        if open.changes > 0 || !load::is_recorded(&open.db, plan).fails(&place)? {
            load::record(&open.db, plan, &open.job.run).fails(&place)?;
        }
        Ok(())
    }

    fn read_back(
        &mut self,
        _plan: &Plan,
        table: &Table,
        progress: &dyn Progress,
    ) -> Result<ReadBack> {
        let place = self.place.clone();
        check::read_back(self.opened()?, table, progress).map_err(|error| error.told(&place))
    }

    fn check(&mut self, plan: &Plan, _progress: &dyn Progress) -> Result<Vec<Check>> {
        let place = self.place.clone();
        check::run(&self.opened()?.db, plan).fails(&place)
    }

    fn commit(&mut self) -> Result<()> {
        let open = self.open.take().ok_or_else(|| Error::bug("there is no job to commit"))?;
        let Some(staged) = open.staged else {
            open.db.execute_batch("COMMIT").fails(&self.place)?;
            open.db.close().map_err(|(_, error)| error).fails(&self.place)?;
            return if open.is_empty { storage::remove_if_there(&self.place) } else { Ok(()) };
        };
        open.db.close().map_err(|(_, error)| error).fails(&self.place)?;
        if !is_new(&self.place) {
            return Err(Error::busy("another program made a database here in the meantime")
                .at(self.place.display())
                .help("import again, or name another database"));
        }
        staged.commit()
    }

    fn abandon(&mut self) {
        if let Some(open) = self.open.take()
            && open.staged.is_none()
        {
            // Closing rolls back too; this is only sooner.
            drop(open.db.execute_batch("ROLLBACK"));
        }
    }

    fn inspect(
        &mut self,
        plan: &Plan,
        before: &Before,
        progress: &dyn Progress,
    ) -> Result<Vec<Undoing>> {
        let place = self.place.clone();
        let open = self.opened()?;
        load::insert_all(&open.db, plan, merge::staged, (&place, progress))?;
        merge::index(&open.db, plan).fails(&place)?;
        undo::inspect(open, plan, before, &place)
    }

    fn revert(
        &mut self,
        plan: &Plan,
        before: &Before,
        journal: &mut Journal<'_>,
        _progress: &dyn Progress,
    ) -> Result<()> {
        let place = self.place.clone();
        undo::revert(self.opened()?, plan, (before, journal), &place)
    }

    fn held(&mut self, plan: &Plan, _progress: &dyn Progress) -> Result<Vec<Held>> {
        let place = self.place.clone();
        let open = self.opened()?;
        plan.tables.iter().map(|table| undo::held(&open.db, table, &place)).collect()
    }
}

/// The standing of a table in a database that is not there yet.
fn all_new(table: &Table) -> Standing {
    let counts = Counts { created: table.rows, ..Counts::default() };
    Standing { table: table.name.clone(), counts, before: undo::nothing(), ..Standing::default() }
}

/// Whether there is no database at a place yet; an empty file is none.
fn is_new(place: &Path) -> bool {
    !place.metadata().is_ok_and(|meta| meta.len() > 0)
}

/// Where a new database is made: beside its place, but in a dry run, which makes no folder, with the
/// bundle.
fn stage(place: &Path, plan: &Plan, job: &Job) -> PathBuf {
    let is_there =
        place.parent().is_none_or(|folder| folder.as_os_str().is_empty() || folder.is_dir());
    if is_there || job.mode != Mode::DryRun {
        return place.to_owned();
    }
    plan.root.join("import").join("dry-run.sqlite")
}

fn create(place: &Path, job: &Job) -> Result<Open> {
    check_no_leftover(place)?;
    let staged = StagedFile::begin(place)?;
    let db = Connection::open(staged.path()).fails(place)?;
    // Without a journal a killed load leaves a useless file, but a hidden one that is made anew.
    db.execute_batch(
        "PRAGMA page_size = 16384;
         PRAGMA journal_mode = OFF;
         PRAGMA synchronous = OFF;
         PRAGMA locking_mode = EXCLUSIVE;
         PRAGMA cache_size = -131072;
         PRAGMA foreign_keys = OFF;
         BEGIN EXCLUSIVE;",
    )
    .fails(place)?;
    Ok(Open::new(db, Some(staged), job))
}

/// Refuses a journal without its database: SQLite would play it into the new one.
fn check_no_leftover(place: &Path) -> Result<()> {
    for suffix in ["-journal", "-wal"] {
        let mut name = place.as_os_str().to_owned();
        name.push(suffix);
        let leftover = PathBuf::from(name);
        if leftover.exists() {
            return Err(Error::refused(
                "the journal of another database stands beside the new one",
            )
            .at(leftover.display())
            .help("bring its database back, or remove it, or name another database"));
        }
    }
    Ok(())
}

fn reopen(place: &Path, job: &Job) -> Result<Open> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(place, flags).fails(place)?;
    db.busy_timeout(Duration::from_secs(2)).fails(place)?;
    db.execute_batch(
        "PRAGMA foreign_keys = OFF; PRAGMA cache_size = -131072; PRAGMA synchronous = FULL;
         PRAGMA trusted_schema = OFF; BEGIN IMMEDIATE;",
    )
    .fails(place)?;
    Ok(Open::new(db, None, job))
}

#[cfg(test)]
mod tests;
