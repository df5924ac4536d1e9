//! An app of InstantDB, through its HTTP API.
//!
//! Every transaction is final, so an import goes in steps ([`Manner::Steps`]): the app's schema must
//! fit before anything else is asked; a comparison reads the app's rows under the bundle's ids and
//! finds what would be refused; then batches of `update` and `link` go out, each of them noted in the
//! journal once it is done. A batch whose fate is unknown is settled by reading its rows back: only
//! what is missing is sent. Rows that the server refuses are found by bisection, written down in
//! `aside-<run>.jsonl`, and tried again by the same command.
//!
//! The app keeps what the contract does not name: such attributes are neither compared nor written,
//! except that a new row brings what the bundle has left of them (`_extra`), where the app's schema
//! has room for it. A link table goes to the link of that label, from either side; where the label
//! still leads to a legacy entity, to the one other link between the same two entities.
//!
//! What counts as the same on both sides is told in `normal`.

mod apply;
mod aside;
mod ask;
mod compare;
mod crew;
mod fates;
mod inspect;
mod limits;
mod look;
mod normal;
mod permissions;
mod shape;
mod undo;
mod wire;
mod work;

use std::path::PathBuf;

use serde_json::json;

use super::{
    Before, BeforeWriter, Check, Entry, Event, Held, Job, Journal, Manner, Mode, Plan, ReadBack,
    Standing, Table, Target, Undoing,
};
use crate::error::{Error, Kind, Result};
use crate::instantdb::{CLOUD, Client};
use crate::progress::{Progress, Silent};
use crew::Task;
use look::At;
use shape::Shape;
use work::Aside;

/// How much goes at once. What is larger than the limits of the server is made smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Batches in flight, 1 to [`Options::MOST_WORKERS`].
    pub workers: usize,
    /// Triples of a batch, 2,000 at most.
    pub triples: usize,
    /// Bytes of a batch, 2 MB at most; a larger row goes alone.
    pub bytes: usize,
    /// Rows that are asked for at once, 500 at most.
    pub page: usize,
}

impl Options {
    /// The most batches in flight.
    pub const MOST_WORKERS: usize = 4;

    fn sound(self) -> Self {
        let most = Self::default();
        Self {
            workers: self.workers.clamp(1, Self::MOST_WORKERS),
            triples: self.triples.clamp(1, most.triples),
            bytes: self.bytes.clamp(1, most.bytes),
            page: self.page.clamp(1, most.page),
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self { workers: 3, triples: 2000, bytes: 2 << 20, page: 500 }
    }
}

/// An app of InstantDB.
#[derive(Debug)]
pub struct InstantDb {
    client: Client,
    options: Options,
    open: Option<Open>,
    /// What is to be said of the app.
    notes: Vec<String>,
}

/// An app during a job.
#[derive(Debug)]
struct Open {
    job: Job,
    shapes: Vec<Shape>,
    /// The target's folder, once it is known.
    folder: Option<PathBuf>,
    aside: Vec<Aside>,
    /// Rows read back that are neither the bundle's nor set aside.
    odd: u64,
}

/// Under which key the end of all batches is noted.
const APPLIED: &str = "applied";

impl InstantDb {
    /// The app of a client.
    pub fn new(client: Client, options: Options) -> Self {
        Self { client, options: options.sound(), open: None, notes: Vec::new() }
    }

    fn opened(&self) -> Result<&Open> {
        self.open.as_ref().ok_or_else(not_open)
    }

    fn at<'a>(&'a self, plan: &'a Plan, table: &'a Table) -> Result<At<'a>> {
        let open = self.opened()?;
        let shape = open.shapes.iter().find(|shape| shape.table == table.name);
        let shape = shape.ok_or_else(|| Error::bug("a table has no shape"))?;
        Ok(At { client: &self.client, plan, table, shape, page: self.options.page })
    }

    /// What the comparison of this run wrote down.
    fn before(&self) -> Result<Before> {
        let open = self.opened()?;
        let folder = open.folder.as_ref().ok_or_else(not_open)?;
        Before::open(folder, &open.job.run)
    }

    fn task<'a>(&'a self, open: &'a Open, key: &'static str) -> Task<'a> {
        Task {
            client: &self.client,
            shapes: &open.shapes,
            options: self.options,
            key,
            careful: open.job.undoes.is_some(),
            resumed: open.job.resumed,
        }
    }
}

fn not_open() -> Error {
    Error::bug("the app is not open for a job")
}

impl Target for InstantDb {
    fn kind(&self) -> &'static str {
        "instantdb"
    }

    fn name(&self) -> String {
        let (host, app) = (self.client.host(), self.client.app_id());
        if host == CLOUD { app.to_owned() } else { format!("{app} at {host}") }
    }

    fn identity(&self) -> String {
        format!("{}/{}", self.client.host(), self.client.app_id())
    }

    fn manner(&self) -> Manner {
        Manner::Steps
    }

    fn open(
        &mut self,
        plan: &Plan,
        job: &Job,
        _journal: &Journal<'_>,
        _progress: &dyn Progress,
    ) -> Result<()> {
        if job.undoes.is_none() {
            self.notes = permissions::judge(&self.client, plan, &self.name())?;
        }
        let schema = self.client.schema().map_err(crate::instantdb::Failure::into_error)?;
        let shapes = shape::shapes(plan, &schema, &self.name())?;
        self.open =
            Some(Open { job: job.clone(), shapes, folder: None, aside: Vec::new(), odd: 0 });
        Ok(())
    }

    fn has_run(&mut self, run: &str, journal: &Journal<'_>) -> Result<bool> {
        let open = self.open.as_mut().ok_or_else(not_open)?;
        open.folder = Some(journal.folder().to_owned());
        let last = journal.notes(run, APPLIED).last();
        Ok(last.is_some_and(|note| note["aside"] == 0))
    }

    fn compare(
        &mut self,
        plan: &Plan,
        before: &mut BeforeWriter<'_>,
        progress: &dyn Progress,
    ) -> Result<Vec<Standing>> {
        let open = self.opened()?;
        let (client, policy, page) = (&self.client, open.job.on_conflict, self.options.page);
        let how = compare::How { client, policy, page };
        let (standings, notes) = compare::all(how, plan, &open.shapes, (before, progress))?;
        self.notes.extend(notes);
        Ok(standings)
    }

    fn apply(
        &mut self,
        plan: &Plan,
        journal: &mut Journal<'_>,
        progress: &dyn Progress,
    ) -> Result<()> {
        self.open.as_mut().ok_or_else(not_open)?.folder = Some(journal.folder().to_owned());
        let before = self.before()?;
        let open = self.opened()?;
        let task = self.task(open, apply::BATCH);
        let applied = apply::apply(&task, plan, &before, (journal, progress));
        let aside = crew::Noted::of(journal, journal.run(), apply::BATCH).aside();
        aside::write(journal, &aside)?;
        applied?;
        journal.note(APPLIED, json!({ "aside": aside.len() }))?;
        self.open.as_mut().ok_or_else(not_open)?.aside = aside;
        Ok(())
    }

    fn read_back(
        &mut self,
        plan: &Plan,
        table: &Table,
        progress: &dyn Progress,
    ) -> Result<ReadBack> {
        let before = self.before()?;
        let open = self.opened()?;
        let is_aside = |key: &[String]| {
            open.aside.iter().any(|aside| aside.table == table.name && aside.key == key)
        };
        let read = look::read_back(self.at(plan, table)?, &before, &is_aside, progress)?;
        let open = self.open.as_mut().ok_or_else(not_open)?;
        open.odd += read.differing.count;
        Ok(read)
    }

    fn check(&mut self, plan: &Plan, progress: &dyn Progress) -> Result<Vec<Check>> {
        let open = self.opened()?;
        if !open.aside.is_empty() {
            return Err(aside::told(&self.name(), open));
        }
        let before = self.before()?;
        let mut checks = Vec::new();
        for table in &plan.tables {
            checks.extend(look::check(self.at(plan, table)?, &before, progress)?);
        }
        Ok(checks)
    }

    fn commit(&mut self) -> Result<()> {
        Ok(())
    }

    fn abandon(&mut self) {
        self.open = None;
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    fn inspect(
        &mut self,
        plan: &Plan,
        before: &Before,
        progress: &dyn Progress,
    ) -> Result<Vec<Undoing>> {
        let open = self.opened()?;
        let undoes = open.job.undoes.clone().unwrap_or_default();
        let entries = Journal::read(before.folder())?;
        let ours = inspect::Ours::of(plan, before)?;
        let inspect = inspect::Inspect {
            shapes: &open.shapes,
            before,
            ours: &ours,
            halfway: open.job.resumed || is_halfway(&entries, &undoes),
        };
        plan.tables.iter().map(|table| inspect.table(self.at(plan, table)?, progress)).collect()
    }

    fn revert(
        &mut self,
        plan: &Plan,
        before: &Before,
        journal: &mut Journal<'_>,
        progress: &dyn Progress,
    ) -> Result<()> {
        let open = self.opened()?;
        let task = self.task(open, undo::BATCH);
        let aside = undo::revert(&task, plan, before, (journal, progress))?.aside();
        if aside.is_empty() {
            return Ok(());
        }
        let said = format!("{} will not take back every row", self.name());
        Err(aside::listed(Error::new(Kind::Findings, said), &aside)
            .help("see what the server says about these rows, then roll back again"))
    }

    fn held(&mut self, plan: &Plan, _progress: &dyn Progress) -> Result<Vec<Held>> {
        plan.tables.iter().map(|table| look::held(self.at(plan, table)?, &Silent)).collect()
    }
}

/// Whether an import was stopped on its way, or an undoing of it.
fn is_halfway(entries: &[Entry], undoes: &str) -> bool {
    let (mut is_whole, mut is_undone) = (false, false);
    for entry in entries {
        match &entry.event {
            Event::Begun { mode: Mode::Import, .. } => is_undone = false,
            Event::Note { key, .. } if key == undo::BATCH => is_undone = true,
            Event::Note { key, value } if key == APPLIED && entry.run == undoes => {
                is_whole = value["aside"] == 0;
            }
            _ => {}
        }
    }
    is_undone || !is_whole
}
