//! What there is to say about an id: plain data, the same for people and machines.

use serde::Serialize;

use super::cell::Shown;
pub use super::steps::{AttrStep, Group, LinkStep, LinkedFrom, Neighbour, Order};
use crate::bundle::Named;

/// Everything a bundle and its snapshot say about an id.
#[derive(Debug, Clone, Serialize)]
pub struct Answer {
    /// The id that was asked for.
    pub id: String,
    /// Folder and digest of the bundle.
    pub bundle: Named,
    /// Name and digest of the contract.
    pub contract: Named,
    /// Folder of the snapshot; none when it was not there.
    pub snapshot: Option<String>,
    /// What was not checked, and what could not be shown.
    pub notes: Vec<String>,
    /// The legacy rows that have the id, or that the rows of the id came from.
    pub legacy: Vec<Legacy>,
    /// The rows of the id that the app had before.
    pub existing: Vec<Existing>,
    /// Links that name the id.
    pub named_by: Vec<NamedBy>,
    /// How many links name it in all.
    pub named: u64,
    /// What was searched.
    pub searched: Vec<Searched>,
}

impl Answer {
    /// Whether any row has the id.
    pub fn is_known(&self) -> bool {
        !self.legacy.is_empty() || !self.existing.is_empty()
    }
}

/// A file that was searched for the id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Searched {
    /// Path from the root of the snapshot or the bundle.
    pub file: String,
    /// `snapshot` or `bundle`.
    pub of: &'static str,
    /// How many rows it has.
    pub rows: u64,
    /// How many of them have the id.
    pub found: u64,
}

/// A legacy row: where it stood and what became of it.
#[derive(Debug, Clone, Serialize)]
pub struct Legacy {
    /// Its entity.
    pub entity: String,
    /// Its id as the source had it.
    pub id: Option<String>,
    /// Where it stands in the export.
    pub place: Place,
    /// SHA-256s of the files of corrections by which a replay replaced it, first to last.
    pub corrected: Vec<String>,
    /// Its values, when they could be read.
    pub values: Option<Vec<Field>>,
    /// Its attributes that the contract gives no home.
    pub homeless: Vec<String>,
    /// Its attributes that the contract does not declare: they are left behind.
    pub left_behind: Vec<String>,
    /// What became of it.
    pub outcome: Outcome,
    /// Its links whose other end is absent.
    pub dropped_links: Vec<DroppedLink>,
}

/// A name and a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Field {
    /// The attribute, link or column.
    pub name: String,
    /// Its value, cut short.
    pub value: Shown,
}

/// Where a row stands in the export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The source, as the snapshot names it.
    pub source: String,
    /// The row of its entity, from 0.
    pub row: i64,
    /// The file in the source.
    pub file: Option<String>,
    /// The line, row or element there, from 1, and which of these it is.
    pub at: Option<(&'static str, u64)>,
}

/// What became of a legacy row.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "became", rename_all = "snake_case")]
pub enum Outcome {
    /// It became these rows.
    Migrated {
        /// The target rows, in the contract's order.
        rows: Vec<Made>,
    },
    /// Another row stands for it.
    Merged {
        /// That row.
        winner: Winner,
    },
    /// It was set aside whole.
    Quarantined {
        /// The rule that refused it.
        rule: String,
        /// Why.
        reason: String,
        /// The rows whose refusal led here, nearest first; the last one is the root.
        causes: Vec<Cause>,
        /// The row that is kept in its place, where the rule is about rows that share a value.
        kept: Option<Winner>,
    },
    /// A rule of the contract gives it no row.
    Dropped {
        /// The rule.
        rule: String,
    },
    /// Nothing in the bundle says what became of it.
    Unaccounted,
}

impl Outcome {
    /// Its name: `migrated`, `merged`, `quarantined`, `dropped`, `unaccounted`.
    pub fn name(&self) -> &'static str {
        match self {
            Outcome::Migrated { .. } => "migrated",
            Outcome::Merged { .. } => "merged",
            Outcome::Quarantined { .. } => "quarantined",
            Outcome::Dropped { .. } => "dropped",
            Outcome::Unaccounted => "unaccounted",
        }
    }
}

/// The row that stands for another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Winner {
    /// The legacy entity, or the target entity whose existing row it is.
    pub entity: String,
    /// Its row there, when it is known.
    pub row: Option<i64>,
    /// Its id.
    pub id: Option<String>,
    /// Whether it is a row that the app had before.
    pub existed: bool,
}

/// A quarantined row that took others with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// Its entity.
    pub entity: String,
    /// Its id.
    pub id: String,
    /// Its row in the export.
    pub row: Option<i64>,
    /// The rule that refused it.
    pub rule: String,
    /// Why.
    pub reason: String,
}

/// A link of a migrated row whose other end is absent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DroppedLink {
    /// The entity that holds it.
    pub entity: String,
    /// Its label.
    pub label: String,
    /// The id it names.
    pub to: String,
    /// Why it was dropped.
    pub reason: String,
}

/// A target row that a legacy row became.
#[derive(Debug, Clone, Serialize)]
pub struct Made {
    /// Its entity.
    pub entity: String,
    /// Its id.
    pub id: String,
    /// How it came to its id: `kept`, `mapped`, `derived` or `existing`.
    pub id_is: String,
    /// The contract's rule for it.
    pub id_rule: String,
    /// Which row of its table it is, from 0.
    pub row: Option<u64>,
    /// How each attribute was filled; none where an existing row stands in.
    pub attrs: Vec<AttrStep>,
    /// How each link was filled.
    pub links: Vec<LinkStep>,
    /// The links that lead here.
    pub linked_from: Vec<LinkedFrom>,
    /// Its neighbours.
    pub order: Option<Order>,
}

/// A row that the app had before.
#[derive(Debug, Clone, Serialize)]
pub struct Existing {
    /// Its entity.
    pub entity: String,
    /// Its id.
    pub id: String,
    /// Its row in the snapshot's table.
    pub source_row: Option<i64>,
    /// Its row in the bundle's table, from 0.
    pub row: u64,
    /// Its values.
    pub values: Vec<Field>,
    /// The links that lead here.
    pub linked_from: Vec<LinkedFrom>,
    /// Its neighbours.
    pub order: Order,
}

/// A link outside the tables that names the id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NamedBy {
    /// The entity that holds the link.
    pub entity: String,
    /// Its label.
    pub label: String,
    /// The row that holds it.
    pub from: String,
    /// The row that is named.
    pub to: String,
    /// Why it was dropped; none when it is in the bundle.
    pub dropped: Option<String>,
}
