//! Where the rows flow: legacy tables, target tables, and what went beside.

use super::clip;
use crate::report::{Report, dropped};

/// How many tables of each side are drawn.
const MOST: usize = 16;

/// Rows from legacy tables to target tables.
#[derive(Debug)]
pub(in crate::report) struct Flow {
    pub(in crate::report) sources: Vec<Source>,
    pub(in crate::report) targets: Vec<Target>,
}

/// A legacy table.
#[derive(Debug)]
pub(in crate::report) struct Source {
    pub(in crate::report) name: String,
    pub(in crate::report) rows: u64,
    /// Migrated, merged, quarantined, dropped by rule.
    pub(in crate::report) parts: [u64; 4],
}

/// A target table.
#[derive(Debug)]
pub(in crate::report) struct Target {
    pub(in crate::report) name: String,
    /// The legacy table that fills it.
    pub(in crate::report) source: Option<usize>,
    /// Rows made from legacy rows, or that legacy rows stand on.
    pub(in crate::report) filled: u64,
    /// All its rows.
    pub(in crate::report) rows: u64,
}

/// The flow of a report; none when there is no row.
pub(in crate::report) fn flow(report: &Report) -> Option<Flow> {
    let sources: Vec<Source> = report
        .equations
        .iter()
        .take(MOST)
        .map(|it| Source {
            name: clip(&it.source, 80),
            rows: it.rows,
            parts: [it.migrated, it.merged, it.quarantined, dropped(it)],
        })
        .collect();
    let place = |name: &str| report.equations.iter().take(MOST).position(|it| it.source == name);
    let targets = report.tables.iter().take(MOST).map(|table| Target {
        name: clip(&table.entity, 80),
        source: table.source.as_deref().and_then(place),
        filled: table.migrated + table.adopted,
        rows: table.rows,
    });
    let targets: Vec<Target> = targets.collect();
    (report.totals.legacy + report.totals.target > 0).then_some(Flow { sources, targets })
}
