//! Where an import works: its folder beside the seal, its lock, its runs in the journal.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::Order;
use crate::bag;
use crate::error::{Error, Result};
use crate::storage::{self, Lock};
use crate::target::{Entry, Event, Job, Journal, Mode, OnConflict, Plan, Standing, Target};

/// The folder of one target, locked.
#[derive(Debug)]
pub(super) struct Desk {
    folder: PathBuf,
    _lock: Lock,
}

/// `sqlite` for the embedded database, else the kind and 8 digits of what names the store.
pub(super) fn folder_name(target: &dyn Target, embedded: bool) -> String {
    if embedded {
        return target.kind().to_owned();
    }
    let digest = bag::sha256_hex(target.identity().as_bytes());
    format!("{}-{}", target.kind(), &digest[..8])
}

impl Desk {
    /// Takes the place of one target: two imports of it from these bundles exclude each other.
    pub(super) fn open(plan: &Plan, target: &dyn Target, order: &Order<'_>) -> Result<Self> {
        let name = folder_name(target, order.embedded);
        let folder = plan.root.join("import").join(&name);
        let beside = plan.root.parent().filter(|_| !order.embedded);
        let lock = match beside {
            Some(bundles) => bundles.join(format!(".{name}.lock")),
            None => folder.join(".lock"),
        };
        let held = Lock::take(&lock, || {
            Error::busy(format!("another import into `{}` is at work", target.name()))
                .at(lock.display())
                .help("wait for it to end; a lock that a killed run left behind does not hold")
        })?;
        storage::create_folder(&folder)?;
        Ok(Self { folder, _lock: held })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Begins a run, or goes on with the last one that was stopped on its way.
    pub(super) fn begin(
        &self,
        journal: &mut Journal<'_>,
        plan: &Plan,
        target: &dyn Target,
        (mode, on_conflict): (Mode, OnConflict),
    ) -> Result<Job> {
        let job = |run: String, resumed| Job { run, mode, undoes: None, on_conflict, resumed };
        if let Some((run, before)) = stopped(journal.entries(), mode) {
            if before != on_conflict && compared(journal, &run).is_some() {
                return Err(Error::usage("the run that was stopped had another `--on-conflict`")
                    .at(self.folder.display())
                    .help("go on with the same one, or `rethread rollback` first"));
            }
            journal.enter(&run);
            journal.append(Event::Resumed)?;
            return Ok(job(run, true));
        }
        let begun = journal.entries().iter();
        let number = begun.filter(|entry| matches!(entry.event, Event::Begun { .. })).count() + 1;
        let run = format!("{}-{number}", &plan.bundle[..16]);
        let images = self.folder.join(format!("before-{run}.jsonl"));
        if images.exists() {
            return Err(Error::damaged("the journal lacks runs that were there")
                .at(images.display())
                .help(
                    "bring `journal.jsonl` back from a copy: without it no import can be undone",
                ));
        }
        journal.enter(&run);
        journal.append(Event::Begun {
            bundle: plan.bundle.clone(),
            target: target.kind().to_owned(),
            name: target.name(),
            identity: target.identity(),
            mode,
            on_conflict,
            program: crate::PROGRAM.to_owned(),
        })?;
        Ok(job(run, false))
    }

    /// Writes a small JSON file.
    pub(super) fn write(&self, name: &str, value: &impl Serialize) -> Result<()> {
        let mut text = serde_json::to_vec_pretty(value)
            .map_err(|error| Error::bug("the outcome has no JSON form").because(error))?;
        text.push(b'\n');
        storage::replace(&self.folder.join(name), &text)
    }
}

/// The last run that acts, when it is of this mode and came to no good end.
pub(super) fn stopped(entries: &[Entry], mode: Mode) -> Option<(String, OnConflict)> {
    if !mode.acts() {
        return None;
    }
    let begun = entries.iter().rev().find_map(|entry| match &entry.event {
        Event::Begun { mode, on_conflict, .. } if mode.acts() => {
            Some((entry.run.clone(), *mode, *on_conflict))
        }
        _ => None,
    });
    let (run, found, on_conflict) = begun?;
    let is_over = entries.iter().any(|entry| {
        entry.run == run && matches!(entry.event, Event::Verified | Event::RolledBack)
    });
    (found == mode && !is_over).then_some((run, on_conflict))
}

/// What a run said it would do, when it came so far.
pub(super) fn compared(journal: &Journal<'_>, run: &str) -> Option<Vec<Standing>> {
    journal.entries().iter().rev().find_map(|entry| match &entry.event {
        Event::Compared(standings) if entry.run == run => Some(standings.clone()),
        _ => None,
    })
}

/// Notes a failure in the journal.
pub(super) fn ended<T>(ended: Result<T>, journal: &mut Journal<'_>) -> Result<T> {
    if let Err(error) = &ended {
        // The failure itself is what the user hears of; a journal that cannot take it is no news.
        drop(journal.append(Event::Failed(error.to_string())));
    }
    ended
}
