//! What stands beside the rows: mapped ids, legacy links, what has no place in the target.

use super::{Block, Cell, Detail, Section, Table};
use crate::report::Report;

/// Ids that were no UUID.
pub(super) fn ids(report: &Report, detail: Detail) -> Option<Section> {
    if report.mapped_ids.is_empty() {
        return None;
    }
    let table = Table::new("Ids that are no UUID", &[("legacy table", false), ("ids", true)]);
    let table = table.fill(detail, report.mapped_ids.iter(), |(entity, ids)| {
        vec![Cell::name(entity), Cell::Count(*ids)]
    });
    Some(Section {
        id: "ids",
        title: "Mapped ids",
        lead: "The target takes only UUIDs. Any other id became one that is computed from it; \
               `data/ids.parquet` lists every pair."
            .to_owned(),
        blocks: vec![Block::Table(table)],
    })
}

/// Legacy link values and where they went.
pub(super) fn legacy_links(report: &Report, detail: Detail) -> Option<Section> {
    if report.links.is_empty() {
        return None;
    }
    let columns = [
        ("legacy link", false),
        ("values", true),
        ("migrated", true),
        ("merged", true),
        ("quarantined", true),
        ("dropped", true),
    ];
    let mut columns = columns.to_vec();
    let drops = report.links.iter().any(|link| link.dropped_rows > 0);
    columns.extend(drops.then_some(("of dropped rows", true)));
    let table = Table::new("Every legacy link value and where it went", &columns);
    let table = table.fill(detail, report.links.iter(), |link| {
        let mut row = vec![
            Cell::name(&format!("{}.{}", link.source, link.label)),
            Cell::Count(link.values),
            Cell::Count(link.migrated),
            Cell::Count(link.merged),
            Cell::Count(link.quarantined),
            Cell::Count(link.dropped),
        ];
        row.extend(drops.then_some(Cell::Count(link.dropped_rows)));
        row
    });
    Some(Section {
        id: "legacy-links",
        title: "Where every link went",
        lead:
            "Values = migrated + merged + quarantined + dropped. Merged and quarantined values are \
               those of such rows; a dropped value led to no row and is listed in \
               `data/quarantine/links.parquet`."
                .to_owned(),
        blocks: vec![Block::Table(table)],
    })
}

/// What the contract does not name.
pub(super) fn unmapped(report: &Report, detail: Detail) -> Option<Section> {
    let unmapped = &report.unmapped;
    let mut blocks = Vec::new();
    if !report.dropped_values.is_empty() {
        let columns = [("table", false), ("attribute", false), ("rows", true)];
        let table = Table::new("Attributes that a rule drops", &columns);
        blocks.push(Block::Table(table.fill(
            detail,
            report.dropped_values.iter(),
            |(entity, attr, rows)| vec![Cell::name(entity), Cell::name(attr), Cell::Count(*rows)],
        )));
    }
    if !unmapped.attrs.is_empty() {
        let columns = [("table", false), ("attribute", false), ("rows", true)];
        let table = Table::new("Attributes no rule names", &columns);
        blocks.push(Block::Table(table.fill(
            detail,
            unmapped.attrs.iter(),
            |(entity, attr, rows)| vec![Cell::name(entity), Cell::name(attr), Cell::Count(*rows)],
        )));
    }
    if !unmapped.entities.is_empty() {
        let table = Table::new("Entities no rule names", &[("entity", false), ("rows", true)]);
        blocks.push(Block::Folded(table.fill(detail, unmapped.entities.iter(), |(name, rows)| {
            vec![Cell::name(name), Cell::Count(*rows)]
        })));
    }
    if blocks.is_empty() {
        return None;
    }
    Some(Section {
        id: "unmapped",
        title: "What has no place in the target",
        lead: "Nothing of this is lost: attributes that a rule drops are columns of the snapshot, unnamed ones stand in its \
               `_extra` column, other \
               entities in the source."
            .to_owned(),
        blocks,
    })
}
