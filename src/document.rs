//! The contract as the document it is: seven sections, every blank filled, by the contract or by
//! what was measured.

use serde::{Deserialize, Serialize};

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
