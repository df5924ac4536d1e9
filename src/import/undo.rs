//! Undoing an import: what it created goes, what it changed becomes what it was, and the target is
//! proved to be as before.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::Order;
use super::desk::{self, Desk};
use crate::bundle::Bundle;
use crate::contract::Contract;
use crate::error::{Error, Kind, Result, grouped};
use crate::progress::Progress;
use crate::target::{
    Before, BeforeWriter, Event, Held, Image, Job, Journal, Manner, Mode, Plan, Standing, Target,
    Undoing,
};

/// What undoing an import did, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Undone {
    /// What kind of store.
    pub target: String,
    /// Which one.
    pub name: String,
    /// Whether it was done.
    pub executed: bool,
    /// Table by table.
    pub tables: Vec<Undoing>,
}

impl Undone {
    /// What happened, in one line.
    pub fn sentence(&self) -> String {
        let sum = |of: fn(&Undoing) -> u64| grouped(self.tables.iter().map(of).sum());
        let (removed, restored) = (sum(|table| table.removed), sum(|table| table.restored));
        let (left, name) = (sum(|table| table.left), &self.name);
        if self.tables.iter().all(|table| table.removed + table.restored + table.left == 0) {
            return format!("nothing is left to undo in `{name}`");
        }
        if self.executed {
            return format!(
                "{removed} rows removed from `{name}`, {restored} restored, {left} left as they \
                 were; it holds what it held before the import"
            );
        }
        format!(
            "dry run: {removed} rows would be removed from `{name}`, {restored} restored, {left} left \
             as they are; nothing was changed"
        )
    }
}

/// Undoes the import of a bundle into a target, or rehearses it.
///
/// # Errors
/// [`Kind::Busy`] when another run is at work on the target, [`Kind::Usage`] when the journal knows no import
/// to undo, [`Kind::Refused`] when rows are no longer as the import left them, [`Kind::Findings`] when the
/// target does not come to hold what it held before, or it fails.
pub fn rollback(
    bundle: &Bundle,
    contract: &Contract,
    target: &mut dyn Target,
    (order, progress): (&Order<'_>, &dyn Progress),
) -> Result<Undone> {
    let plan = Plan::new(bundle, contract);
    let desk = Desk::open(&plan, target, order)?;
    let mut journal = Journal::open(desk.folder(), order.clock, progress)?;
    let Some((undoes, ask)) = standing(&journal, target.manner()) else {
        return if is_undone(&journal) {
            Ok(nothing_left(&plan, target))
        } else {
            Err(nothing(target))
        };
    };
    let before = images(&desk, &journal, &undoes, progress)?;
    let was = desk::compared(&journal, &undoes).unwrap_or_default();
    let mode = if order.execute { Mode::Rollback } else { Mode::DryRollback };
    let job = desk.begin(&mut journal, &plan, target, (mode, order.on_conflict))?;
    let job = Job { undoes: Some(undoes), ..job };
    let (before, was) = (&before, &was);
    let mut run = Run { plan: &plan, job: &job, before, was, ask, target, progress };
    let undone = desk::ended(run.undo(&mut journal), &mut journal);
    if undone.is_err() || !order.execute {
        target.abandon();
    }
    undone
}

fn nothing(target: &dyn Target) -> Error {
    Error::usage(format!("no import of this bundle into `{}` is on record", target.name()))
        .help("`rethread status` lists the imports; name the bundle and the target of one")
}

/// What the target held before the import that is undone: what the first run wrote down, and the images
/// of rows that only later runs of the bundle changed.
fn images(
    desk: &Desk,
    journal: &Journal<'_>,
    first: &str,
    progress: &dyn Progress,
) -> Result<Before> {
    let before = Before::open(desk.folder(), first)?;
    let since = journal.entries().iter().skip_while(|entry| entry.run != first);
    let wrote = since.filter(|entry| entry.run != first && entry.event == Event::Committed);
    let mut changed: BTreeMap<(String, Vec<String>), Image> = BTreeMap::new();
    for entry in wrote {
        Before::open(desk.folder(), &entry.run)?.each(&mut |row| {
            if let Some(image) = row.was {
                changed.entry((row.table, row.key)).or_insert(image);
            }
            Ok(())
        })?;
    }
    if changed.is_empty() {
        return Ok(before);
    }
    let together = format!("{first}-and-later");
    let mut writer = BeforeWriter::begin(desk.folder(), &together, true, progress)?;
    before.each(&mut |row| {
        let (table, key) = (row.table, row.key);
        match row.was.or_else(|| changed.remove(&(table.clone(), key.clone()))) {
            Some(image) => writer.changes(&table, &key, image),
            None if row.kept => writer.kept(&table, &key),
            None => writer.unchanged(&table, &key),
        }
    })?;
    writer.finish()?;
    Before::open(desk.folder(), &together)
}

/// Whether the last run that acted was a rollback that came to its end.
fn is_undone(journal: &Journal<'_>) -> bool {
    let acted = journal.entries().iter().rev().find(|entry| {
        matches!(entry.event, Event::RolledBack)
            || matches!(entry.event, Event::Begun { mode, .. } if mode.acts())
    });
    acted.is_some_and(|entry| entry.event == Event::RolledBack)
}

/// What undoing does when it was done before.
fn nothing_left(plan: &Plan, target: &dyn Target) -> Undone {
    let tables = plan.tables.iter();
    let tables = tables.map(|table| Undoing { table: table.name.clone(), ..Undoing::default() });
    let (target, name) = (target.kind().to_owned(), target.name());
    Undone { target, name, executed: true, tables: tables.collect() }
}

/// The import whose undoing brings the target back: the first one since the last rollback that
/// wrote, for what was there before it is what comes back. A store of [`Manner::Steps`] was written
/// to as soon as the comparison stood; any other one only by the commit, which a kill may have kept
/// from the journal: then `true`, and the store must be asked.
fn standing(journal: &Journal<'_>, manner: Manner) -> Option<(String, bool)> {
    let mut found: Option<(String, bool)> = None;
    let mut imports: BTreeSet<&str> = BTreeSet::new();
    for entry in journal.entries() {
        let is_open = found.as_ref().is_some_and(|(_, open)| *open);
        let is_import = imports.contains(entry.run.as_str());
        match &entry.event {
            Event::Begun { mode: Mode::Import, .. } => {
                imports.insert(&entry.run);
                if is_open {
                    found = None;
                }
            }
            Event::Compared(_) if found.is_none() && is_import => {
                found = Some((entry.run.clone(), manner != Manner::Steps));
            }
            Event::Committed if is_import => {
                let first = found.take().map_or_else(|| entry.run.clone(), |(run, _)| run);
                found = Some((first, false));
            }
            Event::RolledBack => found = None,
            _ => {}
        }
    }
    found
}

struct Run<'r> {
    plan: &'r Plan,
    job: &'r Job,
    before: &'r Before,
    was: &'r [Standing],
    ask: bool,
    target: &'r mut dyn Target,
    progress: &'r dyn Progress,
}

impl Run<'_> {
    fn undo(&mut self, journal: &mut Journal<'_>) -> Result<Undone> {
        self.progress.begin("compare", Some(self.plan.rows()));
        self.target.open(self.plan, self.job, journal, self.progress)?;
        let undoes = self.job.undoes.as_deref().unwrap_or_default();
        if self.ask && !self.job.resumed && !self.target.has_run(undoes, journal)? {
            return Err(nothing(self.target));
        }
        let tables = self.target.inspect(self.plan, self.before, self.progress)?;
        self.progress.done(&format!("{} rows", grouped(self.plan.rows())));
        let executed = self.job.mode == Mode::Rollback;
        let (target, name) = (self.target.kind().to_owned(), self.target.name());
        let undone = Undone { target, name, executed, tables };
        if self.job.resumed && self.is_as_before()?.is_empty() {
            // The run that was stopped had come to its commit.
            self.target.abandon();
            journal.append(Event::RolledBack)?;
            return Ok(undone);
        }
        refuse_changed(&undone)?;
        if !executed && self.target.manner() != Manner::Transaction {
            return Ok(undone);
        }
        self.target.revert(self.plan, self.before, journal, self.progress)?;
        let differing = self.is_as_before()?;
        if !differing.is_empty() {
            let said = format!("`{}` does not hold what it held before", undone.name);
            let mut error = Error::new(Kind::Findings, said)
                .help("look at these tables there; the same command tries again");
            error.at = differing;
            return Err(error);
        }
        if executed {
            self.progress.reached("before a commit");
            self.target.commit()?;
            self.progress.reached("after a commit");
            journal.append(Event::RolledBack)?;
        }
        Ok(undone)
    }

    /// Which tables do not hold what they held before the import.
    fn is_as_before(&mut self) -> Result<Vec<String>> {
        let held = self.target.held(self.plan, self.progress)?;
        let same = |held: &Held, was: &Standing| *held == was.before;
        let differing = held.iter().zip(self.was).filter(|(held, was)| !same(held, was));
        let places = differing.map(|(held, was)| {
            format!(
                "`{}`: {} rows with digest {} before, {} with {} now",
                was.table,
                grouped(was.before.rows),
                was.before.digest,
                grouped(held.rows),
                held.digest
            )
        });
        Ok(places.collect())
    }
}

/// Refuses when rows are no longer as the import left them.
fn refuse_changed(undone: &Undone) -> Result<()> {
    let count: u64 = undone.tables.iter().map(|table| table.changed.count).sum();
    if count == 0 {
        return Ok(());
    }
    let (rows, have) = if count == 1 { ("row", "has") } else { ("rows", "have") };
    let said =
        format!("{} {rows} of `{}` {have} changed since the import", grouped(count), undone.name);
    let mut error = Error::refused(said)
        .help("bring these rows back to what was imported, then roll back; nothing was changed");
    for table in undone.tables.iter().filter(|table| table.changed.count > 0) {
        let (count, ids) = (grouped(table.changed.count), table.changed.ids());
        error = error.at(format!("`{}`: {count} ({ids})", table.table));
    }
    Err(error)
}
