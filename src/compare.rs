//! Two bundles of one snapshot: which outcomes changed after the contract was edited, by rule.
//!
//! 1. `fates`: legacy rows that were migrated, merged or quarantined otherwise, by rule;
//! 2. `rows`: target rows that only one bundle has, and values that differ, by attribute or link;
//! 3. repairs by rule and links that are no column, by count and digest.
//!
//! Rows go by their id, so that another order is no difference. Of a target row its id and a digest
//! are kept (32 bytes), of a legacy row only whether it was set aside; payloads are read and digested,
//! never kept.

mod fates;
mod rows;
mod text;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::bundle::{Bundle, LinksMeta, Named};
use crate::contract::Contract;
use crate::error::{Error, Result};
use crate::progress::Progress;

pub use text::text;

/// How many ids a change names.
pub const SAMPLES: usize = 5;

/// What changed from one bundle to another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    /// Name and digest of the earlier bundle's contract.
    pub before: Named,
    /// Name and digest of the later bundle's contract.
    pub after: Named,
    /// Legacy rows whose outcome changed.
    pub fates: Vec<Fate>,
    /// Target tables in the order of the later contract, then those that only the earlier one has.
    pub tables: Vec<Table>,
    /// Repairs whose count changed.
    pub repairs: Vec<Repairs>,
    /// Files of links that changed.
    pub links: Vec<Links>,
}

/// Legacy rows with one change of outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fate {
    /// The legacy entity.
    pub source: String,
    /// What became of them in the earlier bundle, as `migrated` or `quarantined: <rule>`.
    pub before: String,
    /// What became of them in the later bundle.
    pub after: String,
    /// How many.
    pub rows: u64,
    /// The first of them by `_row`: the id where one is known, and the row.
    pub samples: Vec<String>,
}

/// What changed in a target table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The entity.
    pub entity: String,
    /// Rows that only the earlier bundle has.
    pub gone: Rows,
    /// Rows that only the later bundle has.
    pub new: Rows,
    /// Rows of both that differ in some value.
    pub changed: Rows,
    /// Of these, how many differ in which attribute or link.
    pub values: Vec<(String, Rows)>,
}

/// Some rows: how many, and the first ids.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rows {
    /// How many.
    pub rows: u64,
    /// The first ids.
    pub samples: Vec<String>,
}

/// How often a rule did not take its first source, before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repairs {
    /// The target entity.
    pub target: String,
    /// The attribute or link; `id` for ids.
    pub attr: String,
    /// What was done.
    pub how: String,
    /// Rows in the earlier bundle.
    pub before: u64,
    /// Rows in the later bundle.
    pub after: u64,
}

/// A file of links before and after; no rows where a bundle has no such file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Links {
    /// The entity that holds the label.
    pub entity: String,
    /// The label.
    pub label: String,
    /// Pairs in the earlier bundle.
    pub before: u64,
    /// Pairs in the later bundle.
    pub after: u64,
}

impl Comparison {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        let same = |table: &Table| table.gone.rows + table.new.rows + table.changed.rows == 0;
        self.fates.is_empty()
            && self.tables.iter().all(same)
            && self.repairs.is_empty()
            && self.links.is_empty()
    }
}

/// Compares two bundles, each with its contract.
///
/// # Errors
/// [`crate::error::Kind::Usage`] when they are not of one snapshot; a file cannot be read.
pub fn compare(
    (before, old): (&Bundle, &Contract),
    (after, new): (&Bundle, &Contract),
    progress: &dyn Progress,
) -> Result<Comparison> {
    if before.meta().snapshot.digest != after.meta().snapshot.digest {
        return Err(Error::usage("the bundles were made from different snapshots")
            .at(format!("{}: {}", before.root().display(), before.meta().snapshot.digest))
            .at(format!("{}: {}", after.root().display(), after.meta().snapshot.digest))
            .help("transform one snapshot by both contracts, and compare these bundles"));
    }
    let mut entities: Vec<&str> = Vec::new();
    for contract in [new, old] {
        for entity in &contract.after.schema.entities {
            if !entities.contains(&entity.name.as_str()) {
                entities.push(&entity.name);
            }
        }
    }
    progress.begin("compare", Some(entities.len() as u64));
    let mut tables = Vec::new();
    for entity in entities {
        tables.push(rows::compare((before, old), (after, new), entity)?);
        progress.advance(1);
    }
    let found = Comparison {
        before: before.meta().contract.clone(),
        after: after.meta().contract.clone(),
        fates: fates::compare(before, after)?,
        tables,
        repairs: repairs(before, after),
        links: links(before, after),
    };
    progress.done(if found.is_empty() { "nothing changed" } else { "changes found" });
    Ok(found)
}

fn repairs(before: &Bundle, after: &Bundle) -> Vec<Repairs> {
    let mut counts: BTreeMap<(&str, &str, &str), [u64; 2]> = BTreeMap::new();
    for (side, bundle) in [before, after].into_iter().enumerate() {
        for repair in &bundle.meta().repairs {
            let rule = (repair.target.as_str(), repair.attr.as_str(), repair.how.as_str());
            counts.entry(rule).or_default()[side] += repair.rows;
        }
    }
    let changed = counts.into_iter().filter(|(_, [before, after])| before != after);
    changed
        .map(|((target, attr, how), [before, after])| Repairs {
            target: target.to_owned(),
            attr: attr.to_owned(),
            how: how.to_owned(),
            before,
            after,
        })
        .collect()
}

fn links(before: &Bundle, after: &Bundle) -> Vec<Links> {
    let mut files: BTreeMap<(&str, &str), [Option<&LinksMeta>; 2]> = BTreeMap::new();
    for (side, bundle) in [before, after].into_iter().enumerate() {
        for links in &bundle.meta().links {
            files.entry((&links.entity, &links.label)).or_default()[side] = Some(links);
        }
    }
    let digest = |links: Option<&LinksMeta>| links.map(|links| links.digest.clone());
    let pairs = |links: Option<&LinksMeta>| links.map_or(0, |links| links.rows);
    let changed = files.into_iter().filter(|(_, [old, new])| digest(*old) != digest(*new));
    changed
        .map(|((entity, label), [old, new])| Links {
            entity: entity.to_owned(),
            label: label.to_owned(),
            before: pairs(old),
            after: pairs(new),
        })
        .collect()
}
