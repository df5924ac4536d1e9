//! What is next to the rows: mapped ids, legacy links, attributes that a rule drops.

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
            "Values = migrated + merged + quarantined + dropped. Merged values are those of merged \
               rows. A quarantined value is one of a quarantined row, or leads to one; a dropped value \
               leads to no row for another reason. `data/quarantine/links.parquet` lists the values of \
               migrated rows that lead to no row."
                .to_owned(),
        blocks: vec![Block::Table(table)],
    })
}

/// Attributes that a rule drops.
pub(super) fn dropped(report: &Report, detail: Detail) -> Option<Section> {
    if report.dropped_values.is_empty() {
        return None;
    }
    let columns = [("table", false), ("attribute", false), ("rows", true)];
    let table = Table::new("Attributes that a rule drops", &columns);
    let table = table.fill(detail, report.dropped_values.iter(), |(entity, attr, rows)| {
        vec![Cell::name(entity), Cell::name(attr), Cell::Count(*rows)]
    });
    Some(Section {
        id: "dropped",
        title: "What has no place in the target",
        lead:
            "The contract drops these by a rule. Nothing of them is lost: they are columns of the \
               snapshot."
                .to_owned(),
        blocks: vec![Block::Table(table)],
    })
}
