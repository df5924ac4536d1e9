//! What a document is filled with beside the contract: plain data, all of it optional.

use serde::{Deserialize, Serialize};

use crate::reconcile::SchemaPlan;
use crate::snapshot::{SourceMeta, Unmapped};

/// What was measured, and what came out later in the pipeline.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Measured {
    /// What the snapshot holds.
    pub snapshot: Option<SnapshotFacts>,
    /// The steps of the schema push that the target wants.
    pub schema: Option<SchemaPlan>,
    /// What the bundle counted.
    pub bundle: Option<BundleFacts>,
    /// What the last verification of that bundle found, rule by rule.
    pub verification: Option<Vec<Rule>>,
    /// Where the bundle stands with its targets.
    pub imports: Option<Vec<Import>>,
}

/// What a snapshot holds: see [`super::measure`]. A bundle keeps it as `data/facts.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SnapshotFacts {
    /// SHA-256 of its manifest.
    pub digest: String,
    /// Where its rows came from.
    pub source: SourceMeta,
    /// Its tables, legacy ones first.
    pub tables: Vec<TableFacts>,
    /// What was looked for in the legacy rows.
    pub invariants: Vec<Invariant>,
    /// What the contract does not name.
    pub unmapped: Unmapped,
}

/// How large one table of a snapshot is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableFacts {
    /// The entity.
    pub entity: String,
    /// Whether it is one of the legacy model.
    pub legacy: bool,
    /// Whether the source had it at all.
    pub present: bool,
    /// Its rows.
    pub rows: u64,
    /// Bytes of its file.
    pub file_bytes: u64,
    /// Bytes of its values before compression.
    pub value_bytes: u64,
}

/// Something that should hold today, and whether it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invariant {
    /// The legacy entity.
    pub entity: String,
    /// What should hold, in a sentence.
    pub says: String,
    /// What was counted.
    pub evidence: String,
    /// How many things were looked at; none: there was nothing to look at.
    pub evaluated: u64,
    /// How many of them are otherwise.
    pub broken: u64,
}

/// What a bundle counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleFacts {
    /// The program that made it.
    pub program: String,
    /// Its target tables.
    pub tables: Vec<MadeTable>,
    /// Rows of all legacy tables.
    pub legacy_rows: u64,
    /// Of the quarantined ones, those that are only links, which no limit counts.
    pub only_links: u64,
    /// Where the rows went, by table.
    pub rows: Vec<Equation>,
    /// Rows that became another number of rows.
    pub split: Vec<Split>,
    /// Values that a rule drops: legacy entity, attribute, rows.
    pub dropped_values: Vec<(String, String, u64)>,
    /// Where the values of links went, by link.
    pub links: Vec<Equation>,
    /// Values that did not come from the first source of their rule.
    pub repairs: Vec<Repairs>,
    /// Quarantined rows by legacy entity and rule.
    pub quarantine: Vec<(String, String, u64)>,
    /// Link values that are left behind.
    pub left_links: u64,
}

/// One target table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeTable {
    /// The entity.
    pub entity: String,
    /// Rows made from legacy rows.
    pub migrated: u64,
    /// Rows that were there.
    pub existing: u64,
}

/// Where all of something went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Equation {
    /// The table, or the link as `entity.label`.
    pub of: String,
    /// How many there were.
    pub total: u64,
    /// What became of them, as `migrated`.
    pub parts: Vec<(String, u64)>,
}

impl Equation {
    /// Whether everything is accounted for.
    pub fn holds(&self) -> bool {
        self.total == self.parts.iter().map(|(_, count)| count).sum::<u64>()
    }
}

/// Rows of a legacy table that became another number of target rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// The legacy entity.
    pub source: String,
    /// The target entity.
    pub target: String,
    /// Legacy rows.
    pub rows: u64,
    /// Target rows made of them.
    pub made: u64,
}

/// How often an attribute or a link was repaired in one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repairs {
    /// The target entity.
    pub target: String,
    /// The attribute or link; `id` for ids.
    pub attr: String,
    /// What was done.
    pub how: String,
    /// In how many rows.
    pub rows: u64,
}

/// What verification found about one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its kind, as `link`.
    pub kind: String,
    /// The rule in words.
    pub rule: String,
    /// The entity it is about.
    pub entity: String,
    /// The attribute or link it is about, or empty.
    pub attr: String,
    /// Rows it looked at.
    pub evaluated: u64,
    /// Rows that violate it.
    pub violations: u64,
    /// How it came out.
    pub outcome: RuleOutcome,
}

/// How a rule came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleOutcome {
    /// It looked at every row and found nothing.
    Passed,
    /// It found what people must know of, and what stops nothing.
    Noted,
    /// It found violations.
    Failed,
    /// It looked at no row although there were rows.
    NotEvaluated,
    /// There was no row to look at.
    NothingThere,
}

/// Where a bundle stands with one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// What kind of store.
    pub target: String,
    /// Which one.
    pub name: String,
    /// Where the bundle stands with it, as `migrated_verified`.
    pub state: String,
    /// When it came there, in UTC.
    pub at: String,
    /// What the last import did, or why the last run failed; or empty.
    pub said: String,
}
