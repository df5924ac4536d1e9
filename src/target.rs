//! The stores a bundle goes to.
//!
//! [`crate::import`] drives every target by the same steps. An import: [`Target::open`],
//! [`Target::compare`] (what would be created, changed, left; what is in the way; the image of
//! whatever will be changed), [`Target::apply`], [`Target::read_back`] and [`Target::check`],
//! [`Target::commit`]. Its undoing: [`Target::open`], [`Target::inspect`], [`Target::revert`],
//! [`Target::held`], [`Target::commit`]. After any failure, and at the end of a dry run,
//! [`Target::abandon`].
//!
//! Stores differ in what can be taken back, see [`Manner`]; the driver does the rest.

pub mod archive;
mod before;
mod cells;
mod faults;
pub mod instantdb;
mod journal;
mod plan;
mod scan;
pub mod postgres;
pub mod sqlite;
#[cfg(test)]
pub(crate) mod sample;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, grouped, printable};
use crate::progress::Progress;

pub use before::{Before, BeforeRows, BeforeWriter, Image, Was};
pub use cells::Rows;
pub use journal::{Entry, Event, Journal, Mode, State};
pub use plan::{Column, ColumnKind, Plan, Role, Table, Value};

/// A store that takes a bundle.
pub trait Target {
    /// What kind of store it is, as reports and folders name it: `sqlite`.
    fn kind(&self) -> &'static str;

    /// Which one it is, for people: `thread.sqlite`, `db.example:5432/app`. Never with a secret.
    fn name(&self) -> String;

    /// Which one it is, for machines: two texts are equal exactly when they mean the same store.
    /// Never with a secret.
    fn identity(&self) -> String;

    /// What can be taken back.
    fn manner(&self) -> Manner;

    /// Opens the store for one job and refuses one that is not fit for it.
    ///
    /// # Errors
    /// The store cannot be reached, or is not fit; nothing in it has changed.
    fn open(
        &mut self,
        plan: &Plan,
        job: &Job,
        journal: &Journal<'_>,
        progress: &dyn Progress,
    ) -> Result<()>;

    /// Whether the writes of this run are in the store for good: it was killed between its commit
    /// and the journal's word of it.
    ///
    /// # Errors
    /// The store fails.
    fn has_run(&mut self, run: &str, journal: &Journal<'_>) -> Result<bool>;

    /// Reads every row of the bundle and says what the store makes of it, table by table in the
    /// plan's order. Every row that is in the store already is told to `before`: with its image
    /// when it will be changed. What is in the way is counted in the [`Standing`], not an error.
    ///
    /// # Errors
    /// The store fails, or a row can never be held by it: named with its table and id.
    fn compare(
        &mut self,
        plan: &Plan,
        before: &mut BeforeWriter<'_>,
        progress: &dyn Progress,
    ) -> Result<Vec<Standing>>;

    /// Makes the changes that [`Target::compare`] told of. In a store of [`Manner::Steps`] they are
    /// visible and durable one after the other; what is done is noted in the journal, so that a
    /// killed run goes on there.
    ///
    /// # Errors
    /// The store refuses a row, or fails.
    fn apply(
        &mut self,
        plan: &Plan,
        journal: &mut Journal<'_>,
        progress: &dyn Progress,
    ) -> Result<()>;

    /// Reads the bundle's rows of a table back out of the store and says what it holds. A row that
    /// was kept as the store had it counts as the bundle has it.
    ///
    /// # Errors
    /// The store fails, or returns what no row of ours can be.
    fn read_back(
        &mut self,
        plan: &Plan,
        table: &Table,
        progress: &dyn Progress,
    ) -> Result<ReadBack>;

    /// Checks links and integrity by the store's own means.
    ///
    /// # Errors
    /// The store fails. What the checks find is no error but the result.
    fn check(&mut self, plan: &Plan, progress: &dyn Progress) -> Result<Vec<Check>>;

    /// Makes the job visible and durable.
    ///
    /// # Errors
    /// The store fails; it is then as it was.
    fn commit(&mut self) -> Result<()>;

    /// Leaves the store as it was, or as far as its steps went. Never fails: what it cannot undo
    /// now, the next run finds.
    fn abandon(&mut self);

    /// What people must know of it that stops nothing, in sentences; known once the target was compared.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// Reads the bundle's rows in the store and says, table by table, what undoing an import would
    /// do, and which rows are not as the import left them.
    ///
    /// # Errors
    /// The store fails.
    fn inspect(
        &mut self,
        plan: &Plan,
        before: &Before,
        progress: &dyn Progress,
    ) -> Result<Vec<Undoing>>;

    /// Removes what the import created and restores what it changed. Done twice it changes nothing
    /// more.
    ///
    /// # Errors
    /// The store fails, or rows that are not ours hang on rows that would go.
    fn revert(
        &mut self,
        plan: &Plan,
        before: &Before,
        journal: &mut Journal<'_>,
        progress: &dyn Progress,
    ) -> Result<()>;

    /// What the store holds of the bundle's keys now, table by table in the plan's order.
    ///
    /// # Errors
    /// The store fails.
    fn held(&mut self, plan: &Plan, progress: &dyn Progress) -> Result<Vec<Held>>;
}

/// What a store can take back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Everything until the commit, and it can be read back before: a dry run is an import that
    /// abandons.
    Transaction,
    /// Everything until the commit, which puts one new file in its place: a dry run compares and
    /// writes nothing.
    File,
    /// Nothing: every step is final. A dry run compares; a killed run goes on where it was.
    Steps,
}

/// One job at a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The run's name in the journal, and in the store where that keeps records.
    pub run: String,
    /// What is to be done.
    pub mode: Mode,
    /// The bundle's own run that is to be undone, for [`Mode::Rollback`].
    pub undoes: Option<String>,
    /// What becomes of rows that are not ours and would be changed.
    pub on_conflict: OnConflict,
    /// A run before this one was stopped on its way; what it did may be found in the store.
    pub resumed: bool,
}

/// What becomes of a row in the store that has the key of a row of the bundle, another content, and
/// was not left so by an import.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnConflict {
    /// The import is refused and names them.
    #[default]
    Refuse,
    /// The store's row stays.
    Keep,
    /// The bundle's row takes its place; its image is kept for a rollback.
    Replace,
}

/// What a write does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Rows that were not there.
    pub created: u64,
    /// Rows that were there with other content.
    pub updated: u64,
    /// Rows that were there as they are.
    pub unchanged: u64,
    /// Rows that were there with other content, and stay so.
    #[serde(default)]
    pub kept: u64,
}

impl Counts {
    /// Adds up two writes.
    pub fn add(&mut self, more: Counts) {
        self.created += more.created;
        self.updated += more.updated;
        self.unchanged += more.unchanged;
        self.kept += more.kept;
    }
}

/// What a store makes of one table of a bundle.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standing {
    /// The table.
    pub table: String,
    /// What the import does with its rows.
    pub counts: Counts,
    /// Rows of the store that are in the way: other content under a key of the bundle's, or a
    /// unique value of the bundle's under another key.
    pub in_the_way: Noted,
    /// What the store holds of the bundle's keys before anything is changed.
    pub before: Held,
}

/// What undoing an import does in one table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Undoing {
    /// The table.
    pub table: String,
    /// Rows that the import created and that go.
    pub removed: u64,
    /// Rows that the import changed and that become what they were.
    pub restored: u64,
    /// Rows that were there before and stay.
    pub left: u64,
    /// Rows that are no longer as the import left them.
    pub changed: Noted,
}

/// Rows of a store, by what they say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    /// How many.
    pub rows: u64,
    /// Their logical digest.
    pub digest: String,
}

/// A count, and the first of what was counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Noted {
    /// How many.
    pub count: u64,
    /// The first [`Noted::MOST`], by id.
    pub first: Vec<String>,
}

impl Noted {
    /// How many are named.
    pub const MOST: usize = 5;

    /// Counts one.
    pub fn add(&mut self, id: impl FnOnce() -> String) {
        self.count += 1;
        if self.first.len() < Self::MOST {
            self.first.push(printable(&id()));
        }
    }

    /// The first ones, and how many more there are.
    pub fn ids(&self) -> String {
        let more = self.count - self.first.len() as u64;
        let first = self.first.join(", ");
        if more == 0 { first } else { format!("{first} and {} more", grouped(more)) }
    }
}

/// Why an import cannot be undone yet: another one came after it.
fn later_import(bundle: &str) -> Error {
    Error::refused("a later import of another bundle stands on this one")
        .at(format!("the bundle with the digest {bundle}"))
        .help("roll that one back first; nothing was changed")
}

/// What a store holds of a table after an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadBack {
    /// How many rows of the bundle's.
    pub rows: u64,
    /// Of them, with the origin [`crate::bundle::Origin::MIGRATED`]; unknown where the store keeps
    /// no lineage.
    pub migrated: Option<u64>,
    /// The logical digest, computed from what the store returns.
    pub digest: String,
    /// Rows that do not say what the bundle's say, as far as the store can tell them.
    pub differing: Noted,
}

/// One check by the store's own means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// What is checked, as `items.context leads to contexts`.
    pub name: String,
    /// How many values or rows it looked at.
    pub evaluated: u64,
    /// How many violate it.
    pub violations: u64,
    /// Up to 5 of them, by id.
    pub samples: Vec<String>,
}
