//! The trial of a verification: faults are planted in a copy of a bundle, one a pass, and each must be
//! told with the right row named.
//!
//! A fault is data: what stands in place of some rows, lines or figures, and what has to be named. Where
//! it is planted follows from the contract and the rows there are, by type and role. The copy shares
//! every file that a fault leaves alone and is sealed again, so that no seal catches it; and what the
//! Parquet files say is never counted as caught because a line or a digest differs. The bundle itself is
//! read only.

mod cell;
mod table;
mod edit;
mod fault;
mod ground;
mod copy;
mod letters;
mod tokens;
mod unfit;
mod values;
mod rows;
mod existing;
mod links;
mod refs;
mod aside;
mod split;
mod listed;
mod notes;
mod lines;
mod described;
mod kinds;
mod judge;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::bundle::Bundle;
use crate::contract::Contract;
use crate::error::{Error, Result};
use crate::progress::{Progress, Silent};
use crate::resources::Resources;
use crate::snapshot::Snapshot;
use crate::storage::{self, Staged};
use crate::verify::{self, Verification};
use fault::{Changes, Fault};
use ground::Ground;
use kinds::Kind;

/// What became of a kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// Planted; a rule failed and named the row.
    Caught,
    /// Planted; a rule failed, and none named the row.
    Unnamed,
    /// Planted; no rule failed.
    Missed,
    /// The data has no place for it.
    NotPlanted,
}

/// One kind of fault and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tried {
    /// What was done, in words.
    pub kind: String,
    /// What became of it.
    pub fate: Fate,
    /// Where it was planted: a row, a line or a figure; empty when it was not.
    pub place: String,
    /// The rules that named it; when none did, those that failed.
    pub rules: Vec<String>,
    /// The place as the first of them named it; why it was not planted.
    pub said: String,
}

/// What a trial found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trial {
    /// SHA-256 of the manifest of the bundle that was copied.
    pub bundle_digest: String,
    /// What the rules found in the copy without a fault; when this is not empty, nothing was planted.
    pub findings: Vec<String>,
    /// The faults, in order.
    pub faults: Vec<Tried>,
}

impl Trial {
    /// How many faults came to an end of this kind.
    pub fn count(&self, fate: Fate) -> usize {
        self.faults.iter().filter(|tried| tried.fate == fate).count()
    }

    /// How many faults were planted.
    pub fn planted(&self) -> usize {
        self.faults.len() - self.count(Fate::NotPlanted)
    }

    /// Whether the copy without a fault gave no finding, and every planted fault was caught.
    pub fn passed(&self) -> bool {
        let caught = self.count(Fate::Caught);
        self.findings.is_empty() && caught > 0 && caught == self.planted()
    }
}

/// Plants one fault of every kind, each in a copy of its own, and verifies the copies. They stand beside
/// the bundle, or in the folder for working files, and are gone at the end.
///
/// # Errors
/// A file cannot be read or written. What verification does not catch is no error but the result.
pub fn run(
    bundle: &Bundle,
    snapshot: &Snapshot,
    contract: &Contract,
    resources: &Resources,
    progress: &dyn Progress,
) -> Result<Trial> {
    let kinds = kinds::all();
    progress.begin("self-test", Some(kinds.len() as u64 + 1));
    let work = Staged::begin(&place(bundle, resources)?)?;
    let place = work.path().join("copy");
    let before = judge::Noted::new();
    let mut trying = Trying { bundle, snapshot, contract, resources, work: place, before };
    let clean = trying.verify(&Changes::default())?;
    trying.before = judge::noted(&clean);
    progress.advance(1);
    let findings = judge::findings(&clean);
    let mut trial =
        Trial { bundle_digest: bundle.digest().to_owned(), findings, faults: Vec::new() };
    if trial.findings.is_empty() {
        for (turn, kind) in kinds.iter().enumerate() {
            trial.faults.push(trying.one(turn, kind)?);
            progress.advance(1);
        }
    }
    let (caught, planted) = (trial.count(Fate::Caught), trial.planted());
    progress.done(&format!("{caught} of {planted} faults caught"));
    Ok(trial)
}

/// Where the copies stand: beside the bundle, which may be given as `.`.
fn place(bundle: &Bundle, resources: &Resources) -> Result<PathBuf> {
    let root = storage::full_path(bundle.root());
    let name = root.file_name().map(|name| name.to_string_lossy().into_owned());
    let beside = resources.temp_dir.as_deref().or(root.parent());
    match (beside, name) {
        (Some(folder), Some(name)) => Ok(folder.join(format!("{name}.self-test"))),
        _ => Err(Error::usage("there is no folder beside the bundle for its copies")
            .at(root.display())
            .help("name one with `--temp-dir`")),
    }
}

/// What every pass needs.
struct Trying<'a> {
    bundle: &'a Bundle,
    snapshot: &'a Snapshot,
    contract: &'a Contract,
    resources: &'a Resources,
    work: PathBuf,
    /// What the notes count without a fault.
    before: judge::Noted,
}

impl Trying<'_> {
    fn one(&self, turn: usize, kind: &Kind) -> Result<Tried> {
        let ground = Ground::new(self.bundle, self.snapshot, self.contract, turn);
        let Some(fault) = kind.plant(&ground)? else {
            return Ok(Tried {
                kind: kind.name.to_owned(),
                fate: Fate::NotPlanted,
                place: String::new(),
                rules: Vec::new(),
                said: kind.lack.to_owned(),
            });
        };
        self.tried(kind.name, &fault)
    }

    fn tried(&self, name: &str, fault: &Fault) -> Result<Tried> {
        Ok(judge::tried(name, fault, (&self.verify(&fault.changes)?, &self.before)))
    }

    /// Verifies a copy with these changes, which is sealed anew and then removed.
    fn verify(&self, changes: &Changes) -> Result<Verification> {
        let copy = copy::make(self.bundle, &self.work, changes)?;
        let found = verify::verify(&copy, self.snapshot, self.contract, self.resources, &Silent)?;
        storage::remove_folder(&self.work)?;
        Ok(found)
    }
}
