//! What the report draws: rows a day, values and payload sizes, before and after.
//!
//! [`measure`] reads each table of the snapshot and of the bundle once, only the columns it needs, and
//! keeps counts. What it found stands in `report/figures.json` beside the seal, with the digest of the
//! bundle it is of; a report without it has no such figures.

mod columns;
mod count;
mod days;
mod fates;
mod plan;
mod sizes;
mod values;

use serde::{Deserialize, Serialize};

use crate::bundle::Bundle;
use crate::contract::Contract;
use crate::error::{Error, Result};
use crate::snapshot::Snapshot;
use crate::storage;
use crate::threads::side_by_side;
use count::{Job, Side};

pub use days::{Point, Series, Unit};
pub use sizes::{Bin, Sizes};
pub use values::{After, Before, Values};

/// Where the figures stand in a bundle's folder.
const PLACE: &str = "report/figures.json";

/// Rows a day, values and payload sizes, before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figures {
    /// SHA-256 of the manifest of the bundle they are of.
    pub bundle_digest: String,
    /// Rows a day, week, month or year; those whose order the contract demands come first.
    pub series: Vec<Series>,
    /// Values that a rule maps.
    pub values: Vec<Values>,
    /// Sizes of JSON payloads.
    pub sizes: Vec<Sizes>,
}

/// Rows there were, where they went, and rows there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moved {
    /// Legacy rows.
    pub before: u64,
    /// Of them, rows that another row stands for.
    pub merged: u64,
    /// Of them, rows set aside.
    pub quarantined: u64,
    /// Of them, rows dropped by rule.
    pub dropped: u64,
    /// Of them, rows that stand on an existing target row.
    pub adopted: u64,
    /// Target rows made from legacy rows.
    pub after: u64,
}

impl Moved {
    /// Whether the difference between before and after is rows that went elsewhere.
    pub fn is_explained(&self) -> bool {
        self.before == self.aside() + self.after
    }

    /// Legacy rows that became no row of the target table.
    pub fn aside(&self) -> u64 {
        self.merged + self.quarantined + self.dropped + self.adopted
    }

    fn add(&mut self, other: &Self) {
        self.before += other.before;
        self.merged += other.merged;
        self.quarantined += other.quarantined;
        self.dropped += other.dropped;
        self.adopted += other.adopted;
        self.after += other.after;
    }
}

/// Measures a bundle and the snapshot it was made from.
///
/// Memory: a batch of rows a thread, the counts, and a bit a legacy row for each fate.
///
/// # Errors
/// A file cannot be read.
pub fn measure(
    bundle: &Bundle,
    snapshot: &Snapshot,
    contract: &Contract,
    threads: usize,
) -> Result<Figures> {
    let plans = plan::figures(contract);
    let mut jobs = Vec::new();
    for table in &snapshot.meta().tables {
        jobs.push(Job::new(Side::Before, &table.entity, table.rows, snapshot.path(&table.file)));
    }
    for table in &bundle.meta().tables {
        jobs.push(Job::new(Side::After, &table.entity, table.rows, bundle.path(&table.file)));
    }
    let rows: Vec<u64> = jobs.iter().map(|job| job.rows).collect();
    let found = side_by_side(threads, &rows, |at| jobs[at].count(bundle, &plans))?;
    let mut counts: Vec<count::Counts> = plans.iter().map(|_| count::Counts::default()).collect();
    for (plan, found) in found.into_iter().flatten() {
        counts[plan].add(found);
    }
    let mut figures = Figures {
        bundle_digest: bundle.digest().to_owned(),
        series: Vec::new(),
        values: Vec::new(),
        sizes: Vec::new(),
    };
    for (plan, counts) in plans.iter().zip(counts) {
        let comparable = is_row_for_row(bundle, plan);
        match &plan.what {
            plan::What::Days { rule } => {
                figures.series.extend(days::series(plan, rule.as_deref(), &counts, comparable));
            }
            plan::What::Values(rule) => {
                figures.values.extend(values::values(plan, rule, &counts, comparable));
            }
            plan::What::Sizes => figures.sizes.extend(sizes::sizes(plan, &counts, comparable)),
        }
    }
    figures.series.sort_by_key(|series| series.rule.is_none());
    Ok(figures)
}

/// Whether each migrated row became one row: else before and after cannot be set against each other.
fn is_row_for_row(bundle: &Bundle, plan: &plan::Figure<'_>) -> bool {
    let meta = bundle.meta();
    let Some(equation) = meta.equations.iter().find(|it| it.source == plan.source) else {
        return false;
    };
    let adopted = equation.adopted.iter().filter(|(name, _)| name == plan.target);
    let adopted: u64 = adopted.map(|(_, rows)| rows).sum();
    let table = meta.tables.iter().find(|table| table.entity == plan.target);
    table.is_some_and(|table| table.migrated + adopted == equation.migrated)
}

/// Keeps figures beside the seal of their bundle.
///
/// # Errors
/// The disk refuses.
pub fn keep(figures: &Figures, bundle: &Bundle) -> Result<()> {
    let text = serde_json::to_string(figures)
        .map_err(|error| Error::bug("the figures have no JSON form").because(error))?;
    storage::create_folder(&bundle.path("report"))?;
    storage::replace(&bundle.path(PLACE), format!("{text}\n").as_bytes())
}

/// The figures that stand beside the seal of this very bundle. What cannot be read counts as none:
/// a verification makes them again.
pub fn kept(bundle: &Bundle) -> Option<Figures> {
    let text = storage::read_text(&bundle.path(PLACE)).ok()?;
    let figures: Figures = serde_json::from_str(&text).ok()?;
    Some(figures).filter(|figures| figures.bundle_digest == bundle.digest())
}

#[cfg(test)]
mod tests;
