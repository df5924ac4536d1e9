//! A verified bundle into a target: rehearsed, written, read back and compared; gone on with after a
//! kill; undone.
//!
//! What happens to a target is in the bundle's folder, beside the seal, under `import/<target>/`:
//!
//! ```text
//! journal.jsonl            what was done, step by step
//! before-<run>.jsonl       what the target held under the bundle's keys before a run
//! in-the-way-<run>.jsonl   rows of the target that are not ours, when they stopped a run
//! outcome.json             what the last import did
//! dry-run.json             what the last dry run found it would do
//! ```

mod desk;
mod gate;
mod outcome;
mod status;
mod undo;

use std::path::{Path, PathBuf};

use crate::bundle::Bundle;
use crate::error::{Error, Kind, Result, grouped};
use crate::progress::Progress;
use crate::resources::Resources;
use crate::storage;
use crate::target::{
    BeforeWriter, Check, Event, Job, Journal, Manner, Mode, OnConflict, Plan, ReadBack, Standing,
    Target,
};
use crate::verify::VerifiedBundle;
use desk::Desk;

pub use outcome::{FORMAT, Outcome, TableOutcome};
pub use status::{Status, status};
pub use undo::{Undone, rollback};

/// How an import or its undoing is to be done.
#[derive(Clone, Copy)]
#[allow(missing_debug_implementations, reason = "a clock has no debug form")]
pub struct Order<'a> {
    /// Act; without it, everything but the commit.
    pub execute: bool,
    /// What becomes of rows that are not ours.
    pub on_conflict: OnConflict,
    /// The target stands in the bundle's own folder: nothing of anybody else's can be there, so no
    /// dry run is asked for.
    pub embedded: bool,
    /// Microseconds since 1970 UTC.
    pub clock: &'a dyn Fn() -> i64,
    /// Bytes of memory that the import may have at its peak.
    pub memory: Option<u64>,
}

/// Bytes that an import takes whatever the number of rows: batches on their way, and the store's cache.
const MEMORY: u64 = 256 << 20;

/// Brings a verified bundle into a target, or rehearses it: compares, writes every table, reads it
/// back, compares, commits.
///
/// A run that was stopped on its way goes on where it was. Importing again changes nothing. The
/// outcome is also written beside the bundle's seal.
///
/// # Errors
/// [`Kind::Busy`] when another import into the target is at work, [`Kind::Refused`] when a gate is shut or
/// what the target holds is in the way, [`Kind::Findings`] when what it returns is not what the bundle holds, or it fails. A target of
/// [`Manner::Transaction`] or [`Manner::File`] is then as it was.
pub fn import(
    verified: &VerifiedBundle,
    target: &mut dyn Target,
    order: &Order<'_>,
    progress: &dyn Progress,
) -> Result<Outcome> {
    let resources = Resources { memory: order.memory, ..Resources::default() };
    resources.buffers("import", MEMORY, u64::MAX)?;
    let plan = Plan::new(verified.bundle(), verified.contract());
    let desk = Desk::open(&plan, target, order)?;
    let mut journal = Journal::open(desk.folder(), order.clock, progress)?;
    gate::check(&journal, &plan, target, verified.contract(), order)?;
    gate::warn(verified.contract(), order, progress);
    let mode = if order.execute { Mode::Import } else { Mode::DryRun };
    let job = desk.begin(&mut journal, &plan, target, (mode, order.on_conflict))?;
    let mut run = Run { plan: &plan, desk: &desk, job: &job, target, progress };
    let outcome = desk::ended(run.bring(&mut journal), &mut journal);
    if outcome.is_err() || !order.execute {
        target.abandon();
    }
    let outcome = outcome?;
    progress.reached("before the outcome is written");
    desk.write(if order.execute { OUTCOME } else { "dry-run.json" }, &outcome)?;
    progress.reached("after the outcome is written");
    Ok(outcome)
}

const OUTCOME: &str = "outcome.json";

/// One import on its way.
struct Run<'r> {
    plan: &'r Plan,
    desk: &'r Desk,
    job: &'r Job,
    target: &'r mut dyn Target,
    progress: &'r dyn Progress,
}

impl Run<'_> {
    fn bring(&mut self, journal: &mut Journal<'_>) -> Result<Outcome> {
        self.progress.begin("compare", Some(self.plan.rows()));
        self.target.open(self.plan, self.job, journal, self.progress)?;
        let is_done = self.job.resumed && self.target.has_run(&self.job.run, journal)?;
        if is_done {
            // Whatever is found now, the store has the rows.
            journal.append(Event::Committed)?;
        }
        let standings = self.compare(journal, is_done)?;
        self.progress.done(&format!("{} rows", grouped(self.plan.rows())));
        if self.job.mode == Mode::DryRun && self.target.manner() != Manner::Transaction {
            journal.append(Event::Rehearsed)?;
            return Ok(self.outcome(&standings, None, Vec::new()));
        }
        if !is_done {
            self.progress.begin("import", Some(self.plan.rows()));
            self.target.apply(self.plan, journal, self.progress)?;
            self.progress.done(&format!("{} rows", grouped(self.plan.rows())));
        }
        self.settle(journal, &standings, is_done)
    }

    /// Says what the import will do, once the images of what it changes are on disk.
    fn compare(&mut self, journal: &mut Journal<'_>, is_done: bool) -> Result<Vec<Standing>> {
        let known = desk::compared(journal, &self.job.run);
        if let Some(known) = &known
            && self.job.resumed
            && self.target.manner() == Manner::Steps
        {
            return Ok(known.clone());
        }
        let (folder, run) = (self.desk.folder(), &self.job.run);
        // A dry run leaves nothing to bring back; a run that is done has told it before.
        let keep = self.job.mode == Mode::Import && !is_done;
        let mut before = BeforeWriter::begin(folder, run, keep, self.progress)?;
        let found = self.target.compare(self.plan, &mut before, self.progress)?;
        let listed = before.finish()?;
        match known {
            Some(known) if is_done => Ok(known),
            _ => {
                refuse_in_the_way(&found, listed.as_deref(), &self.target.name())?;
                journal.append(Event::Compared(found.clone()))?;
                Ok(found)
            }
        }
    }

    /// Reads back, compares, commits; a store of steps has committed by then.
    fn settle(
        &mut self,
        journal: &mut Journal<'_>,
        standings: &[Standing],
        is_done: bool,
    ) -> Result<Outcome> {
        let steps = self.target.manner() == Manner::Steps;
        if steps {
            self.commit(journal)?;
        }
        self.progress.begin("read back", Some(self.plan.rows()));
        let tables = self.plan.tables.iter();
        let found: Result<Vec<_>> =
            tables.map(|table| self.target.read_back(self.plan, table, self.progress)).collect();
        let found = found?;
        self.progress.done("every table");
        let checks = self.target.check(self.plan, self.progress)?;
        let differing: Vec<String> = found.iter().map(|read| read.differing.ids()).collect();
        let outcome = self.outcome(standings, Some(found), checks);
        judge(self.plan, &outcome, &differing, steps || is_done)?;
        if self.job.mode == Mode::DryRun {
            journal.append(Event::Rehearsed)?;
            return Ok(outcome);
        }
        if is_done {
            self.target.abandon();
        } else if !steps {
            self.commit(journal)?;
        }
        journal.append(Event::Verified)?;
        Ok(outcome)
    }

    fn commit(&mut self, journal: &mut Journal<'_>) -> Result<()> {
        self.progress.reached("before a commit");
        self.target.commit()?;
        self.progress.reached("after a commit");
        journal.append(Event::Committed)
    }

    fn outcome(
        &self,
        standings: &[Standing],
        found: Option<Vec<ReadBack>>,
        checks: Vec<Check>,
    ) -> Outcome {
        let mut found = found.map(Vec::into_iter);
        let tables = self.plan.tables.iter().zip(standings).map(|(table, standing)| {
            let read = found.as_mut().and_then(Iterator::next);
            let (rows, digest, equal) = match read {
                None => (standing.before.rows, standing.before.digest.clone(), false),
                Some(read) => {
                    // Rows that were there keep the origin they were given then.
                    let is_new = standing.counts.created == table.rows;
                    let origins = table.migrated.zip(read.migrated).filter(|_| is_new);
                    let equal = read.rows == table.rows
                        && read.digest == table.digest
                        && origins.is_none_or(|(ours, theirs)| ours == theirs);
                    (read.rows, read.digest, equal)
                }
            };
            let (link, counts) = (table.link.is_some(), standing.counts);
            TableOutcome { table: table.name.clone(), link, counts, rows, digest, equal }
        });
        Outcome {
            format: FORMAT,
            program: crate::PROGRAM.to_owned(),
            bundle_digest: self.plan.bundle.clone(),
            mode: self.job.mode,
            target: self.target.kind().to_owned(),
            name: self.target.name(),
            tables: tables.collect(),
            checks,
            notes: self.target.notes(),
        }
    }
}

/// Refuses the import when rows that are not ours would be touched.
fn refuse_in_the_way(found: &[Standing], listed: Option<&Path>, name: &str) -> Result<()> {
    let count: u64 = found.iter().map(|standing| standing.in_the_way.count).sum();
    if count == 0 {
        return Ok(());
    }
    let (rows, are) = if count == 1 { ("row", "is") } else { ("rows", "are") };
    let mut error = Error::refused(format!(
        "{} {rows} of `{name}` {are} in the way",
        grouped(count)
    ))
    .help(
        "look at them; then remove them, or say `--on-conflict keep` or `--on-conflict replace` \
             (a unique value under another id must go); nothing was changed",
    );
    for standing in found.iter().filter(|standing| standing.in_the_way.count > 0) {
        let (count, ids) = (grouped(standing.in_the_way.count), standing.in_the_way.ids());
        error = error.at(format!("`{}`: {count} ({ids})", standing.table));
    }
    Err(listed.into_iter().fold(error, |error, place| error.at(place.display())))
}

/// Compares what the target holds with what the bundle holds.
fn judge(plan: &Plan, outcome: &Outcome, differing: &[String], is_written: bool) -> Result<()> {
    let tables = plan.tables.iter().zip(&outcome.tables).zip(differing);
    let places = tables.filter(|((_, found), _)| !found.equal).map(|((table, found), ids)| {
        let ids = if ids.is_empty() { String::new() } else { format!(" ({ids})") };
        format!(
            "`{}`: the bundle has {} rows with digest {}, the target returns {} with {}{ids}",
            table.name,
            grouped(table.rows),
            table.digest,
            grouped(found.rows),
            found.digest
        )
    });
    let broken = outcome.checks.iter().filter(|check| check.violations > 0).map(|check| {
        let (count, ids) = (grouped(check.violations), check.samples.join(", "));
        format!("{}: {count} of {} do not ({ids})", check.name, grouped(check.evaluated))
    });
    let places: Vec<String> = places.chain(broken).collect();
    if places.is_empty() {
        return Ok(());
    }
    let (then, help) = if is_written {
        (
            "",
            "look at these rows there; the same command compares again, `rethread rollback` undoes",
        )
    } else {
        (
            "; nothing was imported",
            "run `rethread verify` on the bundle; if it passes, the target is at fault",
        )
    };
    let said = format!("`{}` does not hold what the bundle holds{then}", outcome.name);
    let help = if outcome.target == "postgres" {
        format!("{help}; JSON with one key twice is kept whole only by `--json-as text`")
    } else {
        help.to_owned()
    };
    let mut error = Error::new(Kind::Findings, said).help(help);
    error.at = places;
    Err(error)
}

/// Where an import into a target keeps its files, in the bundle's folder.
pub fn folder(bundle_root: &Path, target: &dyn Target, embedded: bool) -> PathBuf {
    bundle_root.join("import").join(desk::folder_name(target, embedded))
}

/// The outcome of the last import of a bundle that stands. One that was undone, names another bundle,
/// or cannot be read, is none.
///
/// # Errors
/// The disk fails.
pub fn last_outcome(bundle: &Bundle) -> Result<Option<Outcome>> {
    let mut standing = status(bundle.root(), bundle.digest())?;
    standing.retain(|found| found.state.stands());
    standing.sort_by(|a, b| b.at.cmp(&a.at));
    for found in standing {
        let path = found.folder.join(OUTCOME);
        if !path.exists() {
            continue;
        }
        let outcome: Option<Outcome> = serde_json::from_str(&storage::read_text(&path)?).ok();
        let ours = outcome.filter(|outcome| outcome.bundle_digest == bundle.digest());
        if ours.is_some() {
            return Ok(ours);
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
