//! How the values and links of a target row came about, and what stands beside it.

use serde::Serialize;

use super::answer::Field;
use super::cell::Shown;

/// How one attribute was filled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AttrStep {
    /// The target attribute.
    pub attr: String,
    /// The contract's rule.
    pub rule: String,
    /// The place of the rule that gave the value; none when no place had one.
    pub from: Option<String>,
    /// The row that place is of, when it is another one: `<entity>:<id>`.
    pub of: Option<String>,
    /// The value there.
    pub input: Option<Shown>,
    /// The value of the target row.
    pub output: Option<Shown>,
    /// The repairs it counts as.
    pub repairs: Vec<String>,
}

/// How one link was filled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LinkStep {
    /// The target link.
    pub label: String,
    /// The contract's rule.
    pub rule: String,
    /// The place of the rule that gave it.
    pub from: Option<String>,
    /// The id as the legacy row names it.
    pub input: Option<String>,
    /// The entity it leads to.
    pub to: String,
    /// The row it leads to.
    pub output: Option<String>,
    /// Whether that row is in the bundle.
    pub is_there: bool,
    /// The repairs it counts as.
    pub repairs: Vec<String>,
}

/// How many rows lead here by one link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LinkedFrom {
    /// The entity of those rows.
    pub entity: String,
    /// Their link.
    pub label: String,
    /// How many they are.
    pub rows: u64,
}

/// Where a row stands among the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Order {
    /// Rows of its table.
    pub rows: u64,
    /// What the table is ordered by.
    pub by: Vec<String>,
    /// The row before.
    pub before: Option<Neighbour>,
    /// The row after.
    pub after: Option<Neighbour>,
    /// Where it stands among the rows that one link leads together.
    pub groups: Vec<Group>,
}

/// A row beside another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Neighbour {
    /// Its id.
    pub id: String,
    /// What it is ordered by.
    pub values: Vec<Field>,
}

/// The rows that one link leads together, and the place among them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    /// The link.
    pub within: String,
    /// The row it leads to.
    pub of: String,
    /// Which of the rows it is, from 0.
    pub row: u64,
    /// How many they are.
    pub rows: u64,
    /// The row before.
    pub before: Option<Neighbour>,
    /// The row after.
    pub after: Option<Neighbour>,
}
