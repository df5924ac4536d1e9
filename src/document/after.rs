//! Section 3: the target model, and what it will hold.

use super::before::{attrs, links, rows_and_size, surface};
use super::words::{NOT_MEASURED, code, heading, table};
use super::{Block, BundleFacts, Measured, SnapshotFacts};
use crate::contract::Contract;
use crate::error::grouped;
use crate::schema::Entity;

/// The section.
pub(super) fn blocks(contract: &Contract, measured: &Measured) -> Vec<Block> {
    let side = &contract.after;
    let (facts, bundle) = (measured.snapshot.as_ref(), measured.bundle.as_ref());
    let rows = side.schema.entities.iter().map(|entity| row(entity, facts, bundle));
    vec![
        surface("after", side),
        heading("Entities"),
        table(["Entity", "Rows today", "Rows after", "Attributes"], rows),
        heading("Links"),
        links(&side.schema),
    ]
}

fn row(
    entity: &Entity,
    facts: Option<&SnapshotFacts>,
    bundle: Option<&BundleFacts>,
) -> [String; 4] {
    let [today, _] = rows_and_size(&entity.name, facts);
    let made = bundle.map(|bundle| bundle.tables.iter().find(|made| made.entity == entity.name));
    let after = match made {
        None => NOT_MEASURED.to_owned(),
        Some(None) => "0".to_owned(),
        Some(Some(made)) => {
            let [all, new, old] =
                [made.migrated + made.existing, made.migrated, made.existing].map(grouped);
            format!("{all} ({new} migrated, {old} that were there)")
        }
    };
    [code(&entity.name), today, after, attrs(entity)]
}
