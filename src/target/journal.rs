//! The journal of a bundle's imports into one target: what was done, step by step.
//!
//! `import/<target>/journal.jsonl` in the bundle's folder, beside the seal. A line is
//! `{"at":"<time>","run":"<run>","event":{"<name>":{…}}}`; it is on disk before the next step
//! begins, and a line that a kill cut off counts as not written.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{OnConflict, Standing};
use crate::digest::micros_text;
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::storage::{self, Log};

/// What a run is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Everything but the commit.
    DryRun,
    /// To write the bundle.
    Import,
    /// To undo an import.
    Rollback,
    /// To undo an import, everything but the commit.
    DryRollback,
}

impl Mode {
    /// Whether it changes the store.
    pub fn acts(self) -> bool {
        matches!(self, Mode::Import | Mode::Rollback)
    }
}

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// When, in UTC.
    pub at: String,
    /// The run it is about: `<first 16 digits of the bundle's digest>-<number>`.
    pub run: String,
    /// What happened.
    pub event: Event,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Event {
    /// A run began.
    Begun {
        /// SHA-256 of the bundle's manifest.
        bundle: String,
        /// What kind of store.
        target: String,
        /// Which one, for people.
        name: String,
        /// Which one, for machines.
        identity: String,
        /// What for.
        mode: Mode,
        /// What becomes of rows that are not ours.
        on_conflict: OnConflict,
        /// Program and version.
        program: String,
    },
    /// A run that was stopped goes on.
    Resumed,
    /// The images of whatever will be changed are on disk; this will be done.
    Compared(Vec<Standing>),
    /// What a target notes for itself, to go on after a kill.
    Note {
        /// What it is.
        key: String,
        /// Its value.
        value: serde_json::Value,
    },
    /// The store has it for good.
    Committed,
    /// What the store returns is what the bundle holds.
    Verified,
    /// A dry run passed.
    Rehearsed,
    /// The store is as it was before the import.
    RolledBack,
    /// A run failed; the message says why.
    Failed(String),
}

/// Where a bundle stands with one target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nothing was done yet.
    Planned,
    /// A dry run passed.
    DryRunOk,
    /// The store has the rows; they were not read back yet, or not all of them equal.
    AppliedUnverified,
    /// The store has the rows, read back and equal.
    MigratedVerified,
    /// The last run failed, or was stopped on its way.
    Failed,
    /// The store is as it was before.
    RolledBack,
}

impl State {
    /// Its name in reports: `migrated_verified`.
    pub fn name(self) -> &'static str {
        match self {
            State::Planned => "planned",
            State::DryRunOk => "dry_run_ok",
            State::AppliedUnverified => "applied_unverified",
            State::MigratedVerified => "migrated_verified",
            State::Failed => "failed",
            State::RolledBack => "rolled_back",
        }
    }
}

/// The journal of one bundle at one target.
#[allow(missing_debug_implementations, reason = "a clock and a progress have no debug form")]
pub struct Journal<'a> {
    folder: PathBuf,
    log: Option<Log>,
    entries: Vec<Entry>,
    run: String,
    clock: &'a dyn Fn() -> i64,
    progress: &'a dyn Progress,
}

/// The journal's file in a target's folder.
pub(crate) const FILE: &str = "journal.jsonl";

impl<'a> Journal<'a> {
    /// Opens the journal in a folder, or starts one. `clock` gives microseconds since 1970 UTC.
    ///
    /// # Errors
    /// It cannot be read, or a line in its middle is none of ours.
    pub fn open(
        folder: &Path,
        clock: &'a dyn Fn() -> i64,
        progress: &'a dyn Progress,
    ) -> Result<Self> {
        let path = folder.join(FILE);
        storage::create_folder(folder)?;
        let (log, text) = Log::open(&path)?;
        let entries = parse(&text, &path)?;
        let run = entries.last().map(|entry| entry.run.clone()).unwrap_or_default();
        let folder = folder.to_owned();
        Ok(Self { folder, log: Some(log), entries, run, clock, progress })
    }

    /// Reads the entries of a journal without opening it for writing; none when there is none.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(folder: &Path) -> Result<Vec<Entry>> {
        let path = folder.join(FILE);
        if !path.exists() {
            return Ok(Vec::new());
        }
        parse(&Log::read(&path)?, &path)
    }

    /// The folder it stands in.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Everything so far.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The run that entries are now written for.
    pub fn run(&self) -> &str {
        &self.run
    }

    /// Microseconds since 1970 UTC.
    pub fn now(&self) -> i64 {
        (self.clock)()
    }

    /// Goes over to a run: entries from here on are its.
    pub fn enter(&mut self, run: impl Into<String>) {
        self.run = run.into();
    }

    /// Appends what happened and waits until it is on disk.
    ///
    /// # Errors
    /// The disk fails.
    pub fn append(&mut self, event: Event) -> Result<()> {
        let entry = Entry { at: micros_text(self.now()), run: self.run.clone(), event };
        let mut line = serde_json::to_vec(&entry)
            .map_err(|error| Error::bug("a journal entry has no JSON form").because(error))?;
        line.push(b'\n');
        self.progress.reached("before a journal entry");
        if let Some(log) = &mut self.log {
            log.append(&line)?;
        }
        self.progress.reached("after a journal entry");
        self.entries.push(entry);
        Ok(())
    }

    /// Notes something a target needs to go on after a kill.
    ///
    /// # Errors
    /// The disk fails.
    pub fn note(&mut self, key: &str, value: impl Into<serde_json::Value>) -> Result<()> {
        self.append(Event::Note { key: key.to_owned(), value: value.into() })
    }

    /// What was noted under a key by a run, in order.
    pub fn notes<'s>(
        &'s self,
        run: &'s str,
        key: &'s str,
    ) -> impl Iterator<Item = &'s serde_json::Value> {
        self.entries.iter().filter(move |entry| entry.run == run).filter_map(move |entry| {
            match &entry.event {
                Event::Note { key: noted, value } if noted == key => Some(value),
                _ => None,
            }
        })
    }
}

fn parse(text: &str, path: &Path) -> Result<Vec<Entry>> {
    let entries = text.lines().enumerate().map(|(at, line)| {
        serde_json::from_str(line).map_err(|error| {
            Error::damaged("a line of the journal cannot be read")
                .at(format!("{}:{}", path.display(), at + 1))
                .help("bring the file back from a copy; without it no import can be undone")
                .because(error)
        })
    });
    entries.collect()
}
