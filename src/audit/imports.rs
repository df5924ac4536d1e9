//! What is kept of the imports: journals, images, outcomes.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Points, Sealed, first};
use crate::bundle::Bundle;
use crate::error::{Kind, Result, grouped};
use crate::import::{self, Outcome, Status};
use crate::storage;
use crate::target::{Before, Entry, Event, Journal, Mode, Plan, State};

/// Looks at every folder under `import/`.
pub(super) fn every(all: &Sealed<'_>, points: &mut Points) -> Result<()> {
    let root = all.bundle.path("import");
    let mut folders: Vec<PathBuf> = Vec::new();
    if root.is_dir() {
        for entry in fs::read_dir(&root).map_err(|error| storage::failed(&root, error))? {
            folders.push(entry.map_err(|error| storage::failed(&root, error))?.path());
        }
    }
    folders.retain(|folder| folder.is_dir());
    folders.sort();
    if folders.is_empty() {
        points.not_there("imports", "no import is on record beside this bundle");
        return Ok(());
    }
    let plan = Plan::new(all.bundle, all.contract);
    for folder in folders {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let point = format!("import {name}");
        let Some(entries) = points.take(&point, Journal::read(&folder))? else { continue };
        let found = look(all.bundle, &plan, (&folder, &entries));
        let Some((said, wrong)) = points.take(&point, found)? else { continue };
        points.found(&point, said, &first(wrong));
    }
    Ok(())
}

/// What a folder says in short, and what is wrong with it.
fn look(
    bundle: &Bundle,
    plan: &Plan,
    (folder, entries): (&Path, &[Entry]),
) -> Result<(String, Vec<String>)> {
    let mut wrong = Vec::new();
    if entries.is_empty() {
        wrong.push("there is no journal".to_owned());
        return Ok((String::new(), wrong));
    }
    strangers(bundle, entries, &mut wrong);
    let rows = images(plan, (folder, entries), &mut wrong)?;
    let state = import::status(bundle.root(), bundle.digest())?;
    let state = state.into_iter().find(|status| status.folder == folder);
    match &state {
        Some(status) => ended(status, &mut wrong),
        None => wrong.push("no run of this bundle is on record".to_owned()),
    }
    let stands = state.as_ref().is_some_and(|status| status.state.stands());
    outcome(plan, folder, stands, &mut wrong)?;
    let state = state.map_or("unknown", |status| status.state.name());
    let (lines, rows) = (grouped(entries.len() as u64), grouped(rows));
    let good = format!(
        "{state}: {lines} journal entries, images of {rows} rows and the outcomes fit the bundle"
    );
    Ok((good, wrong))
}

/// Runs of other bundles, and entries of no run.
fn strangers(bundle: &Bundle, entries: &[Entry], wrong: &mut Vec<String>) {
    let mut runs: BTreeSet<&str> = BTreeSet::new();
    for (at, entry) in entries.iter().enumerate() {
        match &entry.event {
            Event::Begun { bundle: of, .. } => {
                runs.insert(&entry.run);
                if of != bundle.digest() {
                    wrong.push(format!("line {}: a run of the bundle {of}", at + 1));
                }
            }
            _ if !runs.contains(entry.run.as_str()) => {
                wrong.push(format!("line {}: the run {} never began", at + 1, entry.run));
            }
            _ => {}
        }
    }
}

fn ended(status: &Status, wrong: &mut Vec<String>) {
    let why = status.failure.as_deref().unwrap_or("it was not read back");
    match status.state {
        State::Failed | State::AppliedUnverified => {
            wrong.push(format!("the last run did not come to its end: {why}"));
        }
        State::Planned | State::DryRunOk | State::MigratedVerified | State::RolledBack => {}
    }
}

/// Reads the images of every run that wrote, and counts their rows.
fn images(
    plan: &Plan,
    (folder, entries): (&Path, &[Entry]),
    wrong: &mut Vec<String>,
) -> Result<u64> {
    let begun = |run: &str| {
        entries.iter().any(|entry| {
            let acts = matches!(entry.event, Event::Begun { mode: Mode::Import, .. });
            entry.run == run && acts
        })
    };
    let wrote = entries.iter().filter(|entry| matches!(entry.event, Event::Compared(_)));
    let runs: BTreeSet<&str> = wrote.map(|entry| entry.run.as_str()).collect();
    let mut rows = 0;
    for run in runs.into_iter().filter(|run| begun(run)) {
        let read = Before::open(folder, run).and_then(|before| {
            before.each(&mut |row| {
                rows += 1;
                if !plan.tables.iter().any(|table| table.name == row.table) {
                    wrong.push(format!("before-{run}.jsonl: the bundle has no `{}`", row.table));
                }
                Ok(())
            })
        });
        match read {
            Err(error) if error.kind == Kind::System => return Err(error),
            Err(error) => wrong.push(format!("{}: {}", error.at.join(", "), error.message)),
            Ok(()) => {}
        }
    }
    Ok(rows)
}

/// Compares an outcome with the bundle's tables.
fn outcome(plan: &Plan, folder: &Path, stands: bool, wrong: &mut Vec<String>) -> Result<()> {
    for (name, must) in [("outcome.json", stands), ("dry-run.json", false)] {
        let path = folder.join(name);
        if !path.exists() {
            wrong.extend(must.then(|| format!("{name} is not there")));
            continue;
        }
        let found: Outcome = match serde_json::from_str(&storage::read_text(&path)?) {
            Ok(found) => found,
            Err(error) => {
                wrong.push(format!("{name} cannot be read: {error}"));
                continue;
            }
        };
        if found.bundle_digest != plan.bundle {
            wrong.push(format!("{name} is of the bundle {}", found.bundle_digest));
        }
        for table in &plan.tables {
            let Some(told) = found.tables.iter().find(|told| told.table == table.name) else {
                wrong.push(format!("{name} does not name `{}`", table.name));
                continue;
            };
            let is_its = told.rows == table.rows && told.digest == table.digest;
            if (must && !told.equal) || told.equal != is_its && told.equal {
                wrong.push(format!("{name}: `{}` is not what the bundle holds", table.name));
            }
        }
    }
    Ok(())
}
