//! Where everything went: rows, links, repairs, quarantine.

use super::{Block, Cell, Detail, Section, Table, clip, counted};
use crate::bundle::Equation;
use crate::report::{Reason, Report, Sample, dropped};

/// Legacy rows: migrated, merged, quarantined.
#[allow(clippy::unnecessary_wraps, reason = "every section may be absent; this one never is")]
pub(super) fn counts(report: &Report, detail: Detail) -> Option<Section> {
    let columns = [
        ("legacy table", false),
        ("rows", true),
        ("migrated", true),
        ("merged", true),
        ("quarantined", true),
    ];
    let mut columns = columns.to_vec();
    let drops = report.totals.dropped > 0;
    columns.extend(drops.then_some(("dropped by rule", true)));
    columns.extend([("share", false), ("equation", false)]);
    let table = Table::new("Every legacy row and where it went", &columns);
    let table = table.fill(detail, report.equations.iter(), |equation| {
        let dropped = dropped(equation);
        let mut row = vec![
            Cell::name(&equation.source),
            Cell::Count(equation.rows),
            Cell::Count(equation.migrated),
            Cell::Count(equation.merged),
            Cell::Count(equation.quarantined),
        ];
        row.extend(drops.then_some(Cell::Count(dropped)));
        let shares = [equation.migrated, equation.merged, equation.quarantined, dropped];
        row.extend([Cell::Shares(shares), Cell::holds(equation.holds())]);
        row
    });
    let mut blocks = vec![Block::Table(table)];
    blocks.extend(split(report, detail));
    if !report.existing.is_empty() {
        let columns =
            [("target table", false), ("rows before", true), ("carried", true), ("merged", true)];
        let table = Table::new("Rows the app had in the target model already", &columns);
        blocks.push(Block::Table(table.fill(detail, report.existing.iter(), |existing| {
            vec![
                Cell::name(&existing.entity),
                Cell::Count(existing.rows),
                Cell::Count(existing.carried),
                Cell::Count(existing.merged),
            ]
        })));
    }
    Some(Section {
        id: "counts",
        title: "Where every row went",
        lead: format!(
            "For every legacy table: rows = migrated + merged + quarantined{}. A merged row says \
                 the same as another row that stands for it.",
            if report.totals.dropped > 0 { " + dropped by rule" } else { "" }
        ),
        blocks,
    })
}

/// Rows that became several.
fn split(report: &Report, detail: Detail) -> Option<Block> {
    let of = |equation: &'_ Equation| {
        let name = equation.source.clone();
        let lines = equation.split.iter();
        lines
            .map(move |(target, rows, made)| (name.clone(), target.clone(), *rows, *made))
            .collect::<Vec<_>>()
    };
    let all: Vec<_> = report.equations.iter().flat_map(of).collect();
    let columns =
        [("legacy table", false), ("target table", false), ("rows", true), ("rows made", true)];
    let table = Table::new("Rows that became several", &columns);
    let table = table.fill(detail, all.iter(), |(source, target, rows, made)| {
        vec![Cell::name(source), Cell::name(target), Cell::Count(*rows), Cell::Count(*made)]
    });
    (!all.is_empty()).then_some(Block::Table(table))
}

/// Target tables: migrated and existing rows, and what the target holds.
#[allow(clippy::unnecessary_wraps, reason = "every section may be absent; this one never is")]
pub(super) fn targets(report: &Report, detail: Detail) -> Option<Section> {
    let mut columns = vec![
        ("target table", false),
        ("rows", true),
        ("migrated", true),
        ("existing", true),
        ("adopted", true),
    ];
    if report.import.is_some() {
        columns.extend([("created", true), ("unchanged", true), ("read back", false)]);
    }
    let table = Table::new("Rows of every table", &columns);
    let table = table.fill(detail, report.tables.iter(), |target| {
        let mut row = vec![
            Cell::name(&target.entity),
            Cell::Count(target.rows),
            Cell::Count(target.migrated),
            Cell::Count(target.existing),
            Cell::Count(target.adopted),
        ];
        row.extend(imported(report, &target.entity));
        row
    });
    let mut blocks = vec![Block::Table(table)];
    if !report.link_tables.is_empty() {
        let mut columns =
            vec![("link", false), ("leads to", false), ("what", false), ("pairs", true)];
        if report.import.is_some() {
            columns.extend([("created", true), ("unchanged", true), ("read back", false)]);
        }
        let table = Table::new("Links that are tables of their own", &columns);
        blocks.push(Block::Table(table.fill(detail, report.link_tables.iter(), |links| {
            let name = format!("{}.{}", links.entity, links.label);
            let mut row = vec![
                Cell::name(&name),
                Cell::name(&links.target),
                Cell::words(&links.role),
                Cell::Count(links.rows),
            ];
            row.extend(imported(report, &name));
            row
        })));
    }
    Some(Section {
        id: "targets",
        title: "The target's tables",
        lead:
            "Rows = migrated + existing: existing rows were in the app before and are carried as \
               they are. Adopted: legacy rows that stand on an existing row."
                .to_owned(),
        blocks,
    })
}

fn imported(report: &Report, table: &str) -> Vec<Cell> {
    let Some(import) = &report.import else { return Vec::new() };
    match import.tables.iter().find(|found| found.table == table) {
        Some(found) => vec![
            Cell::Count(found.counts.created),
            Cell::Count(found.counts.unchanged),
            if found.equal {
                Cell::Mark(super::Mark::Good, "equal")
            } else {
                Cell::Mark(super::Mark::Bad, "differs")
            },
        ],
        None => vec![Cell::Empty, Cell::Empty, Cell::Empty],
    }
}

/// Quarantined rows by reason, with samples.
pub(super) fn quarantine(report: &Report, detail: Detail) -> Option<Section> {
    if report.quarantine.is_empty() {
        return None;
    }
    let columns = [("legacy table", false), ("rule", false), ("rows", true), ("first rows", false)];
    let table = Table::new("Quarantined rows by the rule that refused them", &columns);
    let table = table.fill(detail, report.quarantine.iter(), |Reason { count, samples }| {
        let samples: Vec<String> = samples.iter().map(sample).collect();
        vec![
            Cell::name(&count.source),
            Cell::words(&count.rule),
            Cell::Count(count.rows),
            Cell::Lines(samples),
        ]
    });
    Some(Section {
        id: "quarantine",
        title: "Quarantine",
        lead: format!(
            "{} could not satisfy the contract and stand aside whole, with the rule and the reason, \
             in `data/quarantine/`.",
            counted(report.totals.quarantined, "legacy row", "legacy rows")
        ),
        blocks: vec![Block::Table(table)],
    })
}

fn sample(sample: &Sample) -> String {
    let id = sample.id.as_deref().map_or_else(|| "a row without id".to_owned(), |id| clip(id, 60));
    let row = sample.row.map(|row| format!(" (row {row})")).unwrap_or_default();
    let cause = sample
        .cause
        .as_deref()
        .map(|cause| format!(", after {}", clip(cause, 100)))
        .unwrap_or_default();
    format!("{id}{row}: {}{cause}", clip(&sample.reason, 160))
}

/// Repaired values by rule.
pub(super) fn repairs(report: &Report, detail: Detail) -> Option<Section> {
    if report.repairs.is_empty() {
        return None;
    }
    let columns =
        [("target table", false), ("attribute", false), ("what was done", false), ("rows", true)];
    let table = Table::new("Values that did not come from their first source", &columns);
    let table = table.fill(detail, report.repairs.iter(), |repair| {
        vec![
            Cell::name(&repair.target),
            Cell::name(&repair.attr),
            Cell::words(&repair.how),
            Cell::Count(repair.rows),
        ]
    });
    Some(Section {
        id: "repairs",
        title: "Repairs",
        lead: format!(
            "{} not come from the rule's first source. Each is listed in `data/repairs/`.",
            counted(report.totals.repaired, "value did", "values did")
        ),
        blocks: vec![Block::Table(table)],
    })
}
