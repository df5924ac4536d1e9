//! Where a bundle stands with its targets.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::Result;
use crate::storage;
use crate::target::{Entry, Event, Journal, Mode, State};

/// Where a bundle stands with one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// What kind of store.
    pub target: String,
    /// Which one.
    pub name: String,
    /// Where it stands.
    pub state: State,
    /// When it came there, in UTC.
    pub at: String,
    /// The last failure, when the state is one.
    pub failure: Option<String>,
    /// The folder with its journal.
    pub folder: PathBuf,
}

impl State {
    /// Whether the bundle's rows are in the store.
    pub fn stands(self) -> bool {
        matches!(self, State::AppliedUnverified | State::MigratedVerified)
    }
}

/// Where the bundle in a folder stands with every target it was ever imported into, the embedded one
/// first. `digest` is the SHA-256 of its manifest.
///
/// # Errors
/// A journal cannot be read.
pub fn status(root: &Path, digest: &str) -> Result<Vec<Status>> {
    let imports = root.join("import");
    let Ok(entries) = fs::read_dir(&imports) else { return Ok(Vec::new()) };
    let mut folders = Vec::new();
    for entry in entries {
        folders.push(entry.map_err(|error| storage::failed(&imports, error))?.path());
    }
    folders.sort();
    let mut found = Vec::new();
    for folder in folders {
        found.extend(of(&folder, &Journal::read(&folder)?, digest));
    }
    Ok(found)
}

/// The last word of a journal about a bundle.
fn of(folder: &Path, entries: &[Entry], bundle: &str) -> Option<Status> {
    let mut found: Option<Status> = None;
    let mut modes: BTreeMap<&str, Mode> = BTreeMap::new();
    // Where it stood when the run began: a run that fails leaves it so.
    let mut rested = State::Planned;
    for entry in entries {
        if let Event::Begun { bundle: of, target, name, mode: begun, .. } = &entry.event
            && of == bundle
        {
            modes.insert(&entry.run, *begun);
            let state = found.as_ref().map_or(State::Planned, |found| found.state);
            rested = state;
            let failure = found.as_ref().and_then(|found| found.failure.clone());
            let at = found.map_or_else(|| entry.at.clone(), |found| found.at);
            let (target, name) = (target.clone(), name.clone());
            found = Some(Status { target, name, state, at, failure, folder: folder.to_owned() });
        }
        if let (Some(mode), Some(found)) = (modes.get(entry.run.as_str()), &mut found)
            && let Some((state, failure)) = after((found.state, rested), *mode, &entry.event)
        {
            *found = Status { state, failure, at: entry.at.clone(), ..found.clone() };
        }
    }
    found
}

/// The state after an event, when it changes it.
fn after(
    (state, rested): (State, State),
    mode: Mode,
    event: &Event,
) -> Option<(State, Option<String>)> {
    let stopped = || Some("it was stopped on its way; the same command goes on".to_owned());
    match event {
        // Until it ends otherwise, a run that acts counts as stopped.
        Event::Begun { .. } | Event::Resumed if mode.acts() => Some((State::Failed, stopped())),
        Event::Rehearsed if mode == Mode::DryRun && !state.stands() => {
            Some((State::DryRunOk, None))
        }
        Event::Committed if mode == Mode::Import => Some((State::AppliedUnverified, None)),
        Event::Verified => Some((State::MigratedVerified, None)),
        Event::RolledBack => Some((State::RolledBack, None)),
        Event::Failed(why) if rested.stands() && mode.acts() && !state.stands() => {
            Some((rested, Some(why.clone())))
        }
        // What was committed stands, whatever fails after it.
        Event::Failed(why) if !state.stands() => Some((State::Failed, Some(why.clone()))),
        _ => None,
    }
}
