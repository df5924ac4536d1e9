//! The independent way: the rules of a contract as plain SQL that an auditor runs with DuckDB over
//! snapshot and bundle, without this program.
//!
//! Every rule of verification carries the query that reproduces what it finds, made from the contract
//! and from which files there are. Here the rules are asked over a bundle without rows, so that they give
//! their queries and look at nothing; the queries name views of the real files.

mod script;
mod readme;
mod aside;

use std::path::Path;

use super::Rule;
use super::facts::{Audit, Views};
use super::sql;
use super::steps;
use crate::bundle::Bundle;
use crate::contract::Contract;
use crate::error::Result;
use crate::progress::Silent;
use crate::snapshot::Snapshot;
use crate::storage::{self, Staged};

/// The file that is run.
pub const SCRIPT: &str = "check.sql";
/// What it is and how it is run.
pub const README: &str = "README.txt";

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// How many rules are queries.
    pub rules: usize,
    /// The rules that SQL cannot decide, in words.
    pub left_out: Vec<String>,
}

/// Writes the rules of a contract as SQL into a new folder. Of bundle and snapshot only the descriptions
/// are read, and which files there are; neither need be intact.
///
/// # Errors
/// The folder exists, a description cannot be read, or the disk refuses.
pub fn emit(bundle: &Path, snapshot: &Path, contract: &Contract, to: &Path) -> Result<Written> {
    let folders = (storage::full_path(bundle), storage::full_path(snapshot));
    let (bundle, snapshot) = (Bundle::outline(bundle)?, Snapshot::outline(snapshot)?);
    let mut audit = Audit::read(&bundle, &snapshot, contract, 1)?;
    audit.views = Some(Views { bundle: &folders.0, snapshot: &folders.1 });
    let mut rules = steps::rules(&audit, &Silent)?;
    rules.extend(aside::rules(&audit));
    let in_sql = |rule: &Rule| !rule.query.is_empty() && !rule.query.starts_with(sql::NO_SQL);
    let (rules, left_out): (Vec<Rule>, Vec<Rule>) = rules.into_iter().partition(in_sql);
    let left_out: Vec<String> = left_out.into_iter().map(|rule| rule.rule).collect();
    let folder = Staged::begin(to)?;
    let script = script::text_of(&audit, &rules);
    storage::write_new(&folder.path().join(SCRIPT), script.as_bytes())?;
    let readme = readme::text(&audit, &rules, &left_out);
    storage::write_new(&folder.path().join(README), readme.as_bytes())?;
    folder.commit()?;
    Ok(Written { rules: rules.len(), left_out })
}
