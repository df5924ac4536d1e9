//! A PostgreSQL database.
//!
//! One transaction holds everything: tables are made from the contract where they are missing and
//! checked where they are not (never altered), rows are copied in, compared, merged, read back. In a
//! schema without any of the tables they are loaded first and indexed after; else the bundle is staged
//! in temporary tables and merged by `INSERT … ON CONFLICT`.
//!
//! How values stand in it:
//!
//! - ids and links as `uuid` with deferrable foreign keys, text as `text`, numbers as
//!   `double precision`, booleans as `boolean`, dates as `timestamptz` (microseconds);
//! - attributes of any type as `jsonb`, which keeps values but not the order of keys, white space, or
//!   the first of two equal keys; or, by [`Payloads::Text`], as `text` byte for byte, checked to be
//!   JSON;
//! - links with many ends as a table `<entity>.<label>` of (`from`, `to`);
//! - `_origin`, `_source_row`, `_server_created_at`, `_extra` as in the bundle, and `_digest`: the row's
//!   logical digest as the import left it. Tables that others made may lack these five;
//! - `rethread_imports`: which runs wrote which bundles.

mod check;
mod fits;
mod load;
mod merge;
mod names;
mod schema;
mod undo;
mod values;

use ::postgres::Client;

use super::{
    Before, BeforeWriter, Check, Held, Job, Journal, Manner, Plan, ReadBack, Standing, Table,
    Target, Undoing,
};
use crate::bag;
use crate::error::{Error, Result};
use crate::pg::{self, Access, Login, Place};
use crate::progress::Progress;
use schema::Made;

/// How attributes of any type stand in the database.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Payloads {
    /// As `jsonb`.
    #[default]
    Jsonb,
    /// As `text` with a check that it is JSON.
    Text,
}

impl Payloads {
    const ALL: [Self; 2] = [Payloads::Jsonb, Payloads::Text];

    /// Its name in a journal: the type's.
    fn name(self) -> &'static str {
        match self {
            Payloads::Jsonb => "jsonb",
            Payloads::Text => "text",
        }
    }
}

/// What is asked of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The schema its tables stand in; made when it is missing.
    pub schema: String,
    /// How attributes of any type stand.
    pub payloads: Payloads,
}

impl Default for Options {
    fn default() -> Self {
        Self { schema: "public".to_owned(), payloads: Payloads::Jsonb }
    }
}

/// A PostgreSQL database and a schema in it.
pub struct Postgres {
    place: Place,
    login: Login,
    options: Options,
    open: Option<Open>,
}

#[allow(clippy::missing_fields_in_debug, reason = "a connection has nothing to show")]
impl std::fmt::Debug for Postgres {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Postgres").field("place", &self.place.shown()).finish()
    }
}

/// A connection during a job, in its transaction.
struct Open {
    client: Client,
    place: Place,
    options: Options,
    job: Job,
    /// What this job made in the database.
    made: Made,
    /// None of the tables was there: the rows go straight into them.
    fresh: bool,
    /// Rows that are not there yet or are to be changed.
    changes: u64,
}

impl Postgres {
    /// The database of a URL; nothing is connected yet.
    pub fn new(place: Place, login: Login, options: Options) -> Self {
        Self { place, login, options, open: None }
    }

    fn opened(&mut self) -> Result<&mut Open> {
        self.open.as_mut().ok_or_else(|| Error::bug("the database is not open for a job"))
    }
}

/// How often the lock is asked for, a fifth of a second apart.
const PATIENCE: u32 = 15;

impl Open {
    /// Runs statements; `what` is what could not be done if they fail.
    fn run(&mut self, sql: &str, what: &str) -> Result<()> {
        self.client.batch_execute(sql).map_err(|error| pg::failed(&error, &self.place, what))
    }

    /// One number.
    fn count(&mut self, sql: &str, what: &str) -> Result<u64> {
        let row = self.client.query_typed_one(sql, &[]);
        let row = row.map_err(|error| pg::failed(&error, &self.place, what))?;
        Ok(row.get::<_, i64>(0).unsigned_abs())
    }

    /// The first column of every row, as text.
    fn texts(&mut self, sql: &str, what: &str) -> Result<Vec<String>> {
        let rows = self.client.query_typed(sql, &[]);
        let rows = rows.map_err(|error| pg::failed(&error, &self.place, what))?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// A database of another encoding cannot hold every text.
    fn encoding(&mut self) -> Result<()> {
        let sql = "SELECT pg_catalog.current_setting('server_encoding')";
        let found = self.texts(sql, "the database's encoding cannot be read")?;
        match found.first().map(String::as_str) {
            Some("UTF8") => Ok(()),
            found => Err(Error::refused(format!(
                "the database's encoding is {}; the target must be UTF8",
                found.unwrap_or("unknown")
            ))
            .at(self.place.shown())
            .help(
                "name another database: `CREATE DATABASE name ENCODING 'UTF8' TEMPLATE template0`",
            )),
        }
    }

    /// Two imports into one schema exclude each other; the lock goes with the transaction.
    fn lock(&mut self) -> Result<()> {
        let name = format!("rethread {}", self.options.schema);
        let digest = bag::sha256_hex(name.as_bytes());
        let key = i64::from_str_radix(&digest[..15], 16).unwrap_or_default();
        let sql = format!("SELECT count(*) WHERE pg_try_advisory_xact_lock({key})");
        // The server may still be at the end of a run that was killed.
        for _ in 0..PATIENCE {
            if self.count(&sql, "the import cannot be locked")? == 1 {
                return Ok(());
            }
            std::thread::sleep(std::time::Duration::from_millis(200));
        }
        Err(Error::busy("another import into this schema is at work")
            .at(format!("{}, schema `{}`", self.place.shown(), self.options.schema))
            .help("wait for it to end; the lock of a run that was killed goes with its connection"))
    }
}

impl Target for Postgres {
    fn kind(&self) -> &'static str {
        "postgres"
    }

    fn name(&self) -> String {
        let shown = self.place.shown();
        let shown = shown.split_once('@').map_or(shown.as_str(), |(_, place)| place);
        match self.options.schema.as_str() {
            "public" => shown.to_owned(),
            schema => format!("{shown} {schema}"),
        }
    }

    fn identity(&self) -> String {
        format!("{}?schema={}", self.place.identity(), self.options.schema)
    }

    fn manner(&self) -> Manner {
        Manner::Transaction
    }

    fn open(
        &mut self,
        plan: &Plan,
        job: &Job,
        journal: &Journal<'_>,
        _progress: &dyn Progress,
    ) -> Result<()> {
        names::check(plan)?;
        names::fits(&self.options.schema)?;
        let what = "the import cannot begin";
        let client = pg::begin(&self.place, &self.login, Access::Write, what)?;
        let mut options = self.options.clone();
        if let Some(payloads) = undo::payloads(job, journal) {
            options.payloads = payloads;
        }
        let (place, job) = (self.place.clone(), job.clone());
        let made = Made::default();
        let open = Open { client, place, options, job, made, fresh: false, changes: 0 };
        // Kept even when it is refused, so that `abandon` ends its transaction.
        let open = self.open.insert(open);
        if open.job.undoes.is_none() {
            open.encoding()?;
        }
        open.lock()?;
        schema::prepare(open, plan)
    }

    fn has_run(&mut self, run: &str, _journal: &Journal<'_>) -> Result<bool> {
        let open = self.opened()?;
        let imports = schema::named(&open.options, schema::IMPORTS);
        let sql = format!("SELECT count(*) FROM {imports} WHERE \"run\" = {}", pg::literal(run));
        Ok(open.count(&sql, "the imports cannot be read")? > 0)
    }

    fn compare(
        &mut self,
        plan: &Plan,
        before: &mut BeforeWriter<'_>,
        progress: &dyn Progress,
    ) -> Result<Vec<Standing>> {
        let open = self.opened()?;
        load::copy_all(open, plan, progress)?;
        if open.fresh {
            open.changes = plan.rows();
            return Ok(plan.tables.iter().map(merge::all_new).collect());
        }
        merge::index(open, plan)?;
        let mut found = Vec::new();
        for (at, table) in plan.tables.iter().enumerate() {
            found.push(merge::compare(open, (at, table), before)?);
        }
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
        let open = self.opened()?;
        journal.note(undo::MADE, open.made.names())?;
        journal.note(undo::JSON_AS, open.options.payloads.name())?;
        if open.fresh {
            schema::finish(open, plan)?;
        } else {
            merge::apply(open, plan)?;
        }
        if open.changes > 0 || !load::is_recorded(open, plan)? {
            load::record(open, plan)?;
        }
        open.run("SET CONSTRAINTS ALL IMMEDIATE", "a row breaks the target model")
    }

    fn read_back(
        &mut self,
        plan: &Plan,
        table: &Table,
        progress: &dyn Progress,
    ) -> Result<ReadBack> {
        let at = plan.tables.iter().position(|other| other == table).unwrap_or_default();
        check::read_back(self.opened()?, (at, table), progress)
    }

    fn check(&mut self, plan: &Plan, _progress: &dyn Progress) -> Result<Vec<Check>> {
        check::run(self.opened()?, plan)
    }

    fn commit(&mut self) -> Result<()> {
        let mut open = self.open.take().ok_or_else(|| Error::bug("there is no job to commit"))?;
        // When the answer is lost the commit may stand: the next run asks `has_run`.
        open.run("COMMIT", "the import cannot be committed")
    }

    fn abandon(&mut self) {
        if let Some(mut open) = self.open.take() {
            // Losing the connection rolls back too; this is only sooner.
            drop(open.client.batch_execute("ROLLBACK"));
        }
    }

    fn inspect(
        &mut self,
        plan: &Plan,
        before: &Before,
        progress: &dyn Progress,
    ) -> Result<Vec<Undoing>> {
        let open = self.opened()?;
        load::copy_all(open, plan, progress)?;
        merge::index(open, plan)?;
        undo::inspect(open, plan, before)
    }

    fn revert(
        &mut self,
        plan: &Plan,
        before: &Before,
        journal: &mut Journal<'_>,
        _progress: &dyn Progress,
    ) -> Result<()> {
        undo::revert(self.opened()?, plan, before, journal)
    }

    fn held(&mut self, plan: &Plan, _progress: &dyn Progress) -> Result<Vec<Held>> {
        let open = self.opened()?;
        plan.tables.iter().enumerate().map(|table| merge::held(open, table)).collect()
    }
}
