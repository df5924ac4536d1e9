//! The schema delta from an app's schema to the contract's target, as the steps of a schema push.

use serde::{Deserialize, Serialize};

/// The steps that lead from the app's schema to the contract's target, and what is to be said of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SchemaPlan {
    /// Whether the steps were given (a server's own plan) or computed from the two schemas.
    pub given: bool,
    /// The steps, in the order a push takes them.
    pub steps: Vec<Step>,
    /// What does not fit together, or would fail.
    pub findings: Vec<Finding>,
}

/// One step of a schema push.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Its kind, as `add-attr`.
    pub kind: String,
    /// The entity and the attribute or label, as `entity.attr`.
    pub what: String,
    /// What it does, in a sentence.
    pub description: String,
    /// How much care it wants.
    pub class: Class,
    /// The transforms that need it, by target entity.
    pub needed_by: Vec<String>,
    /// What the data says about it before any push, in a sentence; empty when nothing is to say.
    pub data: String,
    /// Rows whose data would make it fail.
    pub fails: u64,
    /// Ids of the first of them.
    pub samples: Vec<String>,
}

/// How much care a step wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// It only adds.
    Safe,
    /// It can fail, or slows writes down.
    Warning,
    /// It can lose data, or break a running app.
    Critical,
}

/// What does not fit together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// The entity and the attribute or label it is about.
    pub what: String,
    /// What is wrong, in a sentence.
    pub said: String,
    /// What to do, in a sentence.
    pub help: String,
}
