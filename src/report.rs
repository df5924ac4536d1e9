//! What happened, as one value, and its renderings: text, Markdown, HTML and JSON.
//!
//! A [`Report`] is a function of the bundle, what verification found and what the import did: no
//! clock, no environment, so the same run gives the same report. Its JSON form is `report.json`,
//! versioned by [`FORMAT`]; the members are the fields below, and [`SCHEMA`] is its JSON Schema.
//! Markdown and HTML show the same sections, HTML with drawings; `junit.xml` has a test case a rule and
//! `findings.csv` a line a finding.

pub mod figures;
mod filled;
mod gather;
mod noted;
mod sections;
mod samples;
mod text;
mod markdown;
mod html;
mod junit;
mod findings;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::bundle::{
    Bundle, Equation, Existing, LeftBehind, LinkEquation, LinksMeta, Lost, Named, Quarantined,
    Refs, Repair,
};
use crate::contract::Contract;
use crate::document::Document;
use crate::error::{Error, Result, printable};
use crate::import;
use crate::reconcile::SchemaPlan;
use crate::snapshot::{SourceMeta, Unmapped};
use crate::storage;
use crate::target::{Check, Counts};
use crate::verify::{Rule, Verification};

pub use figures::Figures;
pub use filled::measured;
pub use findings::findings;
pub use html::html;
pub use junit::junit;
pub use markdown::markdown;
pub use text::text;

/// Version of the report's format.
pub const FORMAT: u32 = 3;

/// The JSON Schema (draft 2020-12) of `report.json`.
pub const SCHEMA: &str = include_str!("report/report.schema.json");

/// All that a report says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// [`FORMAT`].
    pub report_format: u32,
    /// What came out, in short.
    pub verdict: Verdict,
    /// Program and version that made the bundle.
    pub program: String,
    /// The bundle's folder name and digest.
    pub bundle: Named,
    /// The snapshot's name and digest.
    pub snapshot: Named,
    /// The contract's name and digest.
    pub contract: Named,
    /// What the contract covers, in its own words.
    pub scope: String,
    /// What the snapshot was taken from.
    pub source: SourceMeta,
    /// Sums over all tables.
    pub totals: Totals,
    /// Legacy tables: `rows = migrated + merged + quarantined + dropped`.
    pub equations: Vec<Equation>,
    /// Target tables that had rows before: `rows = carried + merged`.
    pub existing: Vec<Existing>,
    /// Target tables.
    pub tables: Vec<TargetTable>,
    /// Link files of the bundle.
    pub link_tables: Vec<LinksMeta>,
    /// Legacy links: `values = migrated + merged + quarantined + dropped + dropped_rows`.
    pub links: Vec<LinkEquation>,
    /// Attributes that hold ids of other rows: `values = there + quarantined + dropped`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refs: Vec<Refs>,
    /// Values of links and ids of other rows that lead to no row of the target, by reason; empty for a
    /// bundle before format 3.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<Lost>,
    /// Every rule of the verification; empty when there was none.
    pub rules: Vec<Rule>,
    /// What the last import did; absent when there was none.
    pub import: Option<Imported>,
    /// Values that did not come from the first source of their rule.
    pub repairs: Vec<Repair>,
    /// Quarantined rows by legacy entity and rule.
    pub quarantine: Vec<Reason>,
    /// How many ids were no UUID and were mapped, by legacy entity.
    pub mapped_ids: Vec<(String, u64)>,
    /// Attributes without a home: legacy entity, attribute, rows that have one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped_values: Vec<(String, String, u64)>,
    /// What the contract does not name.
    pub unmapped: Unmapped,
    /// What verification notes: counted, and no reason to fail.
    pub notes: Vec<Noted>,
    /// What the source has and the target does not get.
    pub left_behind: Vec<LeftBehind>,
    /// What is to be said of the files themselves, as an earlier format: sentences.
    pub remarks: Vec<String>,
    /// Blanks of the contract, as `release.to`.
    pub blanks: Vec<String>,
    /// Limits of the contract on the data.
    pub limits: Vec<LimitState>,
    /// Path and SHA-256 of the sealed files, up to 500.
    pub files: Vec<(String, String)>,
    /// What to do next, in order.
    pub next: Vec<String>,
    /// What is drawn: rows over time, values, payload sizes. Absent until a verification measured them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub figures: Option<Figures>,
    /// The steps from the app's schema to the target's, where they were reconciled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema_plan: Option<SchemaPlan>,
    /// The contract as the document it is, filled in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<Document>,
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    /// Whether the bundle is what the contract demands.
    pub state: State,
    /// Whether a target holds it.
    pub imported: bool,
    /// Both, in a few words.
    pub title: String,
    /// Both, in one sentence with numbers.
    pub sentence: String,
}

/// Whether a bundle is what its contract demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Every rule was evaluated and holds.
    Verified,
    /// Some rule is violated or was not evaluated.
    Findings,
    /// Nobody has looked yet.
    NotVerified,
}

/// Sums over all tables.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Totals {
    /// Rows of legacy tables.
    pub legacy: u64,
    /// Of them, rows that became target rows.
    pub migrated: u64,
    /// Of them, rows that another row stands for.
    pub merged: u64,
    /// Of them, rows set aside.
    pub quarantined: u64,
    /// Of them, rows dropped by rule.
    #[serde(default)]
    pub dropped: u64,
    /// Rows of target tables.
    pub target: u64,
    /// Repaired values.
    pub repaired: u64,
}

/// One target table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetTable {
    /// The entity.
    pub entity: String,
    /// The legacy entity it is filled from; absent when no transform fills it.
    pub source: Option<String>,
    /// Its rows.
    pub rows: u64,
    /// Of them, from legacy rows.
    pub migrated: u64,
    /// Of them, carried as they were.
    pub existing: u64,
    /// Legacy rows that stand on an existing row of it.
    pub adopted: u64,
    /// Logical digest.
    pub digest: String,
}

/// What the last import did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Imported {
    /// What kind of store: `sqlite`.
    pub target: String,
    /// Which one, without the folders above it.
    pub name: String,
    /// What it did in all tables.
    pub counts: Counts,
    /// Table by table.
    pub tables: Vec<import::TableOutcome>,
    /// What the store itself checked.
    pub checks: Vec<Check>,
}

/// Something that verification notes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Noted {
    /// What is counted, in the number of the count, as `items in no conversation`; or the rule in words.
    pub what: String,
    /// Whether that is a noun, which the count can stand before.
    pub is_noun: bool,
    /// How many.
    pub count: u64,
    /// The first of them.
    pub samples: Vec<String>,
}

/// Rows that one rule set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// The legacy entity, the rule, how many rows.
    pub count: Quarantined,
    /// The first of them.
    pub samples: Vec<Sample>,
}

/// One quarantined row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// Its id, when it has one.
    pub id: Option<String>,
    /// Where it stood in the source's table, from 0.
    pub row: Option<i64>,
    /// Why it was set aside.
    pub reason: String,
    /// The row whose quarantine led here.
    pub cause: Option<String>,
}

/// A limit of the contract and what the data has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitState {
    /// Its name in the contract.
    pub name: String,
    /// What it allows, as `0 rows`, `0.1%` or `any`.
    pub allows: String,
    /// What the data has.
    pub count: u64,
    /// Whether that is within the limit.
    pub holds: bool,
}

impl Report {
    /// Gathers all that is known about a bundle.
    ///
    /// A verification or an outcome of another bundle counts as none.
    pub fn new(
        bundle: &Bundle,
        contract: &Contract,
        verification: Option<&Verification>,
        outcome: Option<&import::Outcome>,
    ) -> Self {
        let verification = verification.filter(|found| found.bundle_digest == bundle.digest());
        let outcome = outcome.filter(|outcome| outcome.bundle_digest == bundle.digest());
        gather::report(bundle, contract, verification, outcome)
    }

    /// What came out.
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// The JSON form.
    ///
    /// # Errors
    /// None that data can cause.
    pub fn json(&self) -> Result<String> {
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| Error::bug("the report has no JSON form").because(error))?;
        Ok(inert(&text) + "\n")
    }
}

/// Writes all forms of the report into a bundle's folder, beside its seal, and says where they are.
///
/// # Errors
/// The disk refuses.
pub fn write(report: &Report, bundle_root: &Path) -> Result<Vec<PathBuf>> {
    let folder = bundle_root.join("report");
    storage::create_folder(&folder)?;
    let forms = [
        ("report.json", report.json()?),
        ("report.schema.json", SCHEMA.to_owned()),
        ("report.md", markdown(report)),
        ("report.html", html(report)),
        ("junit.xml", junit(report)?),
        ("findings.csv", findings(report)),
    ];
    let mut places = Vec::new();
    for (name, text) in forms {
        let place = folder.join(name);
        storage::replace(&place, text.as_bytes())?;
        places.push(place);
    }
    Ok(places)
}

/// The same JSON without a character that could steer a terminal or turn the direction of a text.
fn inert(json: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        // Those below U+0020 are escaped already, but for the line ends between members.
        if c == '\n' || printable(c.encode_utf8(&mut [0; 4])).starts_with(c) {
            out.push(c);
        } else {
            // All of them have four digits; writing to a `String` cannot fail.
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        }
    }
    out
}

/// Why values of links lead to no row of the target, each with how many.
fn lost(report: &Report) -> Vec<(&str, u64)> {
    let mut reasons: Vec<(&str, u64)> = Vec::new();
    for lost in &report.lost {
        match reasons.iter_mut().find(|(reason, _)| *reason == lost.reason) {
            Some((_, rows)) => *rows += lost.rows,
            None => reasons.push((&lost.reason, lost.rows)),
        }
    }
    reasons.sort_by_key(|(_, rows)| std::cmp::Reverse(*rows));
    reasons
}

/// The reason of a bundle that does not say why a link leads to no row.
const UNTOLD: &str = "they lead to no row";

/// Rows of a legacy table that were dropped by rule.
fn dropped(equation: &Equation) -> u64 {
    equation.dropped
}

#[cfg(test)]
mod tests;
