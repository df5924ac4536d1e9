//! What the source has and the target does not get.

use std::collections::BTreeMap;

use super::write::Writing;
use super::{LeftBehind, LeftKind};
use crate::error::Result;
use crate::json;
use crate::reconcile::SchemaPlan;
use crate::scan::{self, Batch};
use crate::snapshot::{Extra, Snapshot, TableMeta};

/// The list of a bundle, by kind, entity and name.
pub(super) fn list(writing: &Writing<'_>, plan: &SchemaPlan) -> Result<Vec<LeftBehind>> {
    let snapshot = writing.snapshot;
    let mut found = Vec::new();
    for table in snapshot.meta().tables.iter().filter(|table| table.side == "legacy") {
        found.extend(attributes(snapshot, table)?);
    }
    let entities = snapshot.meta().unmapped.entities.iter();
    found.extend(entities.map(|(entity, rows)| LeftBehind {
        kind: LeftKind::Entity,
        entity: entity.clone(),
        name: String::new(),
        count: *rows,
        samples: Vec::new(),
    }));
    found.extend(writing.decisions.left.iter().map(|links| {
        let ends = links.first.iter().map(|(from, to)| {
            let [from, to] = [from, to].map(|id| LeftBehind::sample(Some(id)));
            format!("{from} - {to}")
        });
        LeftBehind {
            kind: LeftKind::Link,
            entity: links.entity.clone(),
            name: links.label.clone(),
            count: links.values,
            samples: ends.collect(),
        }
    }));
    found.extend(schema_rules(plan));
    found.sort();
    Ok(found)
}

/// The attributes of a legacy table that the contract does not declare, with the first rows that have
/// each.
fn attributes(snapshot: &Snapshot, table: &TableMeta) -> Result<Vec<LeftBehind>> {
    let attrs = snapshot.meta().unmapped.attrs.iter();
    let ours = attrs.filter(|(entity, ..)| *entity == table.entity).map(|(entity, name, rows)| {
        let (kind, samples) = (LeftKind::Attribute, Vec::new());
        let (entity, count) = (entity.clone(), *rows);
        (name.as_str(), LeftBehind { kind, entity, name: name.clone(), count, samples })
    });
    let mut found: BTreeMap<&str, LeftBehind> = ours.collect();
    let most = LeftBehind::SAMPLES as u64;
    let mut open: u64 = found.values().map(|attr| attr.count.min(most)).sum();
    let path = snapshot.path(&table.file);
    let columns = ["id", Extra::EXTRA];
    let mut batches = if open > 0 { Some(scan::reader(&path, &columns, None)?) } else { None };
    while let Some(batch) = batches.as_mut().filter(|_| open > 0).and_then(Iterator::next) {
        let batch = batch.map_err(|error| scan::unreadable(&path).because(error))?;
        for row in Batch::of(&batch, &columns, 0).rows() {
            let members = row.text(1).map(json::members);
            let Some(Ok(members)) = members else { continue };
            for (name, _) in members {
                let Some(attr) = found.get_mut(name.as_ref()) else { continue };
                if attr.samples.len() < LeftBehind::SAMPLES {
                    attr.samples.push(LeftBehind::sample(row.text(0)));
                    open = open.saturating_sub(1);
                }
            }
        }
    }
    Ok(found.into_values().collect())
}

/// The rules of the app's schema that the target does not have, by attribute or link.
fn schema_rules(plan: &SchemaPlan) -> Vec<LeftBehind> {
    let mut found: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for rule in &plan.rules_left {
        found.entry((&rule.entity, &rule.label)).or_default().push(&rule.lost);
    }
    let rules = found.into_iter().map(|((entity, name), lost)| LeftBehind {
        kind: LeftKind::SchemaRule,
        entity: entity.to_owned(),
        name: name.to_owned(),
        count: lost.len() as u64,
        samples: lost.into_iter().take(LeftBehind::SAMPLES).map(str::to_owned).collect(),
    });
    rules.collect()
}
