//! An SQLite database: the embedded default target.
//!
//! A new database is made in a hidden file beside its place, without a journal, and appears there
//! by one rename once it was read back. An existing one takes an import in one transaction.
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
//! - `rethread_imports`: which bundles were imported, made by what.

mod check;
mod fail;
mod load;
mod schema;
mod values;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::{Check, Counts, Plan, ReadBack, Rows, Table, Target};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::storage::StagedFile;
use fail::Fails;

/// An SQLite database at a path.
#[derive(Debug)]
pub struct Sqlite {
    place: PathBuf,
    open: Option<Open>,
}

/// A database during an import.
#[derive(Debug)]
struct Open {
    db: Connection,
    /// The hidden file of a new database; `None` for an existing one.
    staged: Option<StagedFile>,
    /// What stood in the way so far, by table.
    in_the_way: BTreeMap<String, load::InTheWay>,
    /// What the writes did so far, by table.
    counts: BTreeMap<String, Counts>,
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

    fn open(&mut self) -> Result<&mut Open> {
        self.open.as_mut().ok_or_else(|| Error::bug("the database is not open for an import"))
    }
}

impl Target for Sqlite {
    fn kind(&self) -> &'static str {
        "sqlite"
    }

    fn name(&self) -> String {
        let name = self.place.file_name().unwrap_or(self.place.as_os_str());
        name.to_string_lossy().into_owned()
    }

    fn begin(&mut self, plan: &Plan) -> Result<()> {
        schema::check_names(plan)?;
        let open = if is_new(&self.place)? { create(&self.place)? } else { reopen(&self.place)? };
        let started = if open.staged.is_some() {
            schema::create_tables(&open.db, plan).fails(&self.place)
        } else {
            schema::check_is_ours(&open.db, plan, &self.place)
        };
        // Kept even when it is refused, so that `abandon` closes it.
        self.open = Some(open);
        started
    }

    fn write(&mut self, table: &Table, rows: &Rows<'_>) -> Result<Counts> {
        let place = self.place.clone();
        let open = self.open()?;
        let counts = if open.staged.is_some() {
            load::insert_all(&open.db, table, rows, &place)?
        } else {
            let in_the_way = open.in_the_way.entry(table.name.clone()).or_default();
            load::insert_absent(&open.db, table, rows, (in_the_way, &place))?
        };
        open.counts.entry(table.name.clone()).or_default().add(counts);
        Ok(counts)
    }

    fn settle(&mut self, plan: &Plan) -> Result<()> {
        let place = self.place.clone();
        let open = self.open()?;
        if open.staged.is_some() {
            schema::create_indexes(&open.db, plan).map_err(|error| fail::index(&error, &place))?;
        } else {
            load::find_foreign(&open.db, plan, &mut open.in_the_way).fails(&place)?;
            load::refuse(&open.in_the_way, &place)?;
        }
        if open.staged.is_some() || open.counts.values().any(|counts| counts.created > 0) {
            load::record(&open.db, plan).fails(&place)?;
        }
        if open.staged.is_some() {
            open.db.execute_batch("COMMIT").fails(&place)?;
            schema::reload(&open.db).fails(&place)?;
        }
        Ok(())
    }

    fn read_back(&mut self, table: &Table, progress: &dyn Progress) -> Result<ReadBack> {
        let place = self.place.clone();
        check::read_back(&self.open()?.db, table, progress).map_err(|error| match error {
            check::Unreadable::Store(error) => fail::of(&error, &place),
            check::Unreadable::Value(error) => error.at(place.display()),
        })
    }

    fn check(&mut self, plan: &Plan) -> Result<Vec<Check>> {
        let place = self.place.clone();
        check::run(&self.open()?.db, plan).fails(&place)
    }

    fn commit(&mut self) -> Result<()> {
        let open = self.open.take().ok_or_else(|| Error::bug("there is no import to commit"))?;
        let Some(staged) = open.staged else {
            return open.db.execute_batch("COMMIT").fails(&self.place);
        };
        open.db.close().map_err(|(_, error)| error).fails(&self.place)?;
        if !is_new(&self.place)? {
            return Err(Error::refused("another program made a database here in the meantime")
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
}

/// Whether there is no database at a place yet; an empty file is none.
fn is_new(place: &Path) -> Result<bool> {
    match place.metadata() {
        Ok(meta) if meta.is_dir() => Err(Error::usage("a folder stands where the database goes")
            .at(place.display())
            .help("name a file")),
        Ok(meta) => Ok(meta.len() == 0),
        Err(_) => Ok(true),
    }
}

fn create(place: &Path) -> Result<Open> {
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
    Ok(Open { db, staged: Some(staged), in_the_way: BTreeMap::new(), counts: BTreeMap::new() })
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

fn reopen(place: &Path) -> Result<Open> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(place, flags).fails(place)?;
    db.busy_timeout(Duration::from_secs(2)).fails(place)?;
    db.execute_batch(
        "PRAGMA foreign_keys = OFF; PRAGMA cache_size = -131072; PRAGMA synchronous = FULL;
         PRAGMA trusted_schema = OFF; BEGIN IMMEDIATE;",
    )
    .fails(place)?;
    Ok(Open { db, staged: None, in_the_way: BTreeMap::new(), counts: BTreeMap::new() })
}

#[cfg(test)]
mod tests;
