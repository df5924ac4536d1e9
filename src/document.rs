//! The contract as the document it is: seven sections, every blank filled, by the contract or by
//! what was measured.
//!
//! [`measure`] looks at a snapshot; what comes later in the pipeline (a bundle's counts, verification,
//! imports) is handed in as the plain data of [`Measured`]. [`document`] puts both together, without
//! a clock or a disk, and [`markdown`] writes it down.

mod facts;
mod words;
mod measure;
mod release;
mod before;
mod after;
mod transformations;
mod schema;
mod verification;
mod rollout;
mod markdown;

use serde::{Deserialize, Serialize};

use crate::contract::{self, Contract};

pub use facts::{
    BundleFacts, Equation, Import, Invariant, MadeTable, Measured, Repairs, Rule, RuleOutcome,
    SnapshotFacts, Split, TableFacts,
};
pub use markdown::markdown;
pub use measure::measure;

/// The filled-in contract, ready to be written as Markdown or HTML.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// Its title.
    pub title: String,
    /// The seven sections, in order.
    pub sections: Vec<Section>,
    /// Blanks that nobody filled, as `release.to`.
    pub blanks: Vec<String>,
}

/// One of the seven sections.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Section {
    /// From 1.
    pub number: u8,
    /// Its title.
    pub title: String,
    /// What it says, in order.
    pub blocks: Vec<Block>,
}

/// A part of a section. Texts are plain; what stands between backticks is code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Block {
    /// A heading below the section's.
    Heading(String),
    /// A paragraph.
    Text(String),
    /// A list.
    List(Vec<String>),
    /// A table.
    Table {
        /// The heads of its columns.
        columns: Vec<String>,
        /// Its rows, each as long as `columns`.
        rows: Vec<Vec<String>>,
    },
}

/// The filled-in contract: what it says itself, and what was measured.
pub fn document(contract: &Contract, measured: &Measured) -> Document {
    let sections = [
        ("Release scope", release::blocks(contract, measured)),
        ("Before", before::blocks(contract, measured)),
        ("After", after::blocks(contract, measured)),
        ("Required transformations", transformations::blocks(contract, measured)),
        ("Verification rules", verification::blocks(contract, measured)),
        ("Rollout and safety", rollout::blocks(contract, measured)),
        ("Implementation decision", release::decision(contract)),
    ];
    let sections = (1..).zip(sections).map(|(number, (title, blocks))| {
        let title = title.to_owned();
        Section { number, title, blocks }
    });
    Document {
        title: format!("Before/After Migration Contract: {}", words::plain(&contract.name)),
        sections: sections.collect(),
        blanks: contract::blanks(contract),
    }
}
