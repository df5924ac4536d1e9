//! Contract × snapshot -> decisions: what becomes of every legacy row, on narrow columns alone.
//!
//! [`plan()`] resolves the contract against a snapshot into plain data: which table after which, which
//! attribute is decided here and which is only carried, which rule rejects. [`decide`] runs that
//! plan with polars, table by table, each after those it hangs on:
//!
//! 1. `links`: every has-one legacy link of a row, from whichever side or scalar holds it;
//! 2. `attrs`, `ids`: every decided value, with the place in its rule it came from;
//! 3. `rejects`: the first rule that refuses the row, refusals of the rows it hangs on included;
//! 4. `duplicates`, `existing`: rows that claim the same id or unique value;
//! 5. `ends`: links that may lead anywhere, once every row's outcome is known;
//! 6. `order`: the place of every target row.
//!
//! Where a row becomes several ones, `explode` finds its case and `split` numbers and spreads the
//! lines of its results; no other table is gone through once more for it.
//!
//! Payload columns are not read, but for the JSON paths a rule names. The outcome stands in Parquet
//! files of narrow columns in a working folder; [`crate::bundle`] moves the wide rows by them.

mod plan;
mod frame;
pub mod names;
pub mod codes;
mod udf;
pub mod explode;
mod split;
mod links;
mod refs;
mod attrs;
mod ids;
mod rejects;
mod duplicates;
mod existing;
mod state;
mod ends;
mod order;
mod carried;
mod left;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::progress::Progress;
use crate::snapshot::Snapshot;

pub use carried::{CarriedLinks, Piece};
pub use left::LeftLink;
pub use links::is_held;
pub use order::{NO_RANK, Ranks};
pub use plan::{Decided, Plan, Reject, SourcePlan, Split, TargetPlan, plan};
pub use state::Fates;

/// What became of a legacy row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It became target rows.
    Migrated = 0,
    /// Another row stands for it.
    Merged = 1,
    /// It was set aside.
    Quarantined = 2,
    /// A rule makes no target row of it.
    Dropped = 3,
}

/// The decisions about a snapshot: narrow Parquet files in a working folder, in `_row` order.
#[derive(Debug)]
pub struct Decisions {
    /// Per legacy entity: what became of its rows.
    pub sources: BTreeMap<String, Fates>,
    /// Per target entity: decided values of the migrated rows that need a new row.
    pub targets: BTreeMap<String, Moves>,
    /// Per target entity: ids and links of the rows that exist already.
    pub existing: BTreeMap<String, PathBuf>,
    /// Per target entity: the place of every row.
    pub ranks: BTreeMap<String, Ranks>,
    /// Links and `ref` values of migrated rows whose other end is absent.
    pub dropped: Vec<PathBuf>,
    /// By target entity and `ref` attribute: the migrated rows whose places give an id.
    pub refs: Vec<(String, String, u64)>,
    /// Links that no rule makes.
    pub carried: Vec<CarriedLinks>,
    /// Links that could be in the target and are not.
    pub left: Vec<LeftLink>,
    /// By target entity: existing rows that are left out, for they are only links.
    pub only_links: BTreeMap<String, u64>,
}

/// Bytes that deciding takes at its peak beside buffers, as far as it grows with rows: the places of
/// all rows, one table being put in order, and the ids of the tables that others lead to.
pub fn memory(plan: &Plan, snapshot: &Snapshot) -> u64 {
    let rows = |entity: &str| snapshot.table(entity).map_or(0, |table| table.rows);
    let mut places = 0;
    let mut widest = 0;
    for source in &plan.sources {
        let most = source.split().map_or(1, |(_, split)| split.most().max(1) as u64);
        places += 4 * rows(&source.entity) * most * source.targets.len() as u64;
        // The numbers of a table, and how many rows each of its rows becomes.
        places += if source.split().is_some() { 8 * rows(&source.entity) } else { 0 };
        widest = widest.max(most * rows(&source.entity));
    }
    let is_linked = |entity: &&String| plan.before.links.iter().any(|link| link.to == **entity);
    let entities = plan.sources.iter().map(|source| &source.entity);
    let linked = entities.filter(is_linked).map(|entity| rows(entity)).max().unwrap_or(0);
    POLARS + places + widest * order::ROW_BYTES.max(duplicates::ROW_BYTES) + linked * JOIN_BYTES
}

/// Bytes that polars takes whatever the number of rows: row groups that are read, joined and written.
const POLARS: u64 = 256 << 20;

/// Bytes that a row takes while a join looks it up by its id.
const JOIN_BYTES: u64 = 256;

/// A file of decisions about target rows, in `_row` order; a row that becomes several has a line for
/// each.
#[derive(Debug)]
pub struct Moves {
    /// The file.
    pub file: PathBuf,
    /// The columns of it that count.
    pub columns: Vec<String>,
    /// The `_row`s in it that become no row of the target, ascending.
    pub except: Vec<i64>,
    /// The column that says where a line has its place among [`Ranks::migrated`]: [`names::ROW`], or
    /// [`names::LINE`] where a row has several lines.
    pub place: &'static str,
}

/// Runs a plan. The files it leaves in `work` belong to the caller.
///
/// # Errors
/// The snapshot cannot be read, existing rows contradict each other, or the disk fails.
pub fn decide(
    plan: &Plan,
    snapshot: &Snapshot,
    work: &Path,
    progress: &dyn Progress,
) -> Result<Decisions> {
    let mut run = frame::Run::new(plan, snapshot, work);
    progress.begin("decide", Some(2 * plan.sources.len() as u64));
    let mut dropped = Vec::new();
    let only_links = existing::read(&mut run, &mut dropped)?;
    for source in &plan.sources {
        let facts = rejects::facts(&run, source)?;
        let claims = duplicates::settle(&run, source, &facts)?;
        state::keep(&mut run, source, facts, claims)?;
        progress.advance(1);
    }
    let mut decisions = Decisions {
        sources: BTreeMap::new(),
        targets: BTreeMap::new(),
        existing: BTreeMap::new(),
        ranks: BTreeMap::new(),
        dropped: Vec::new(),
        refs: Vec::new(),
        carried: Vec::new(),
        left: Vec::new(),
        only_links,
    };
    for source in &plan.sources {
        decisions.sources.insert(source.entity.clone(), state::fates(&run, source)?);
        for target in &source.targets {
            let rows = ends::resolve(&run, source, target, (&mut dropped, &mut decisions.refs))?;
            decisions.targets.insert(target.entity.clone(), rows);
        }
        progress.advance(1);
    }
    for target in &plan.targets {
        let rows = ends::existing(&run, target, &decisions, &mut dropped)?;
        decisions.existing.extend(rows.map(|rows| (target.clone(), rows)));
    }
    for target in &plan.targets {
        decisions.ranks.insert(target.clone(), order::rank(&run, target, &decisions)?);
    }
    decisions.carried = carried::resolve(&run, &decisions, &mut dropped)?;
    decisions.left = left::find(&run, &decisions)?;
    decisions.dropped = dropped;
    progress.done("every row decided");
    Ok(decisions)
}
