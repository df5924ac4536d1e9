//! The global order of a target table: the place of every row, migrated or existing.

use polars::prelude::*;

use super::Decisions;
use super::frame::{self, Run};
use super::names;
use crate::error::{Error, Result};

/// The place of every row of a target table, from 0; rows that are not in it have none.
#[derive(Debug, Default)]
pub struct Ranks {
    /// By `_row` of the legacy table.
    pub migrated: Vec<u32>,
    /// By `_row` of the existing table.
    pub existing: Vec<u32>,
    /// How many rows the target table has.
    pub rows: u32,
}

/// Marks a row that is not in the table.
pub const NO_RANK: u32 = u32::MAX;

/// Sorts the rows of a target table by the contract's order, nulls first, text by bytes, ties by id.
pub(super) fn rank(run: &Run<'_>, target: &str, decisions: &Decisions) -> Result<Ranks> {
    let plan = run.plan.target(target).map(|(_, plan)| plan);
    let order: Vec<String> = plan.map(|plan| plan.transform.order.clone()).unwrap_or_default();
    let mut frames = Vec::new();
    if let Some(rows) = decisions.targets.get(target) {
        frames.push(keys(frame::scan(rows)?, target, &order, names::value(target, "id"), 0));
    }
    if let Some(rows) = decisions.existing.get(target) {
        frames.push(keys(frame::scan(rows)?, target, &order, names::ID.to_owned(), 1));
    }
    if frames.is_empty() {
        return Ok(Ranks::default());
    }
    let by: Vec<PlSmallStr> = (0..=order.len()).map(|at| key(at).into()).collect();
    let all = concat(frames, UnionArgs::default()).map_err(frame::failed)?;
    let sorted = all
        .sort(by, SortMultipleOptions::default().with_nulls_last(false))
        .select([col("_side"), col(names::ROW)]);
    places(run, target, &frame::collect(sorted)?)
}

fn key(at: usize) -> String {
    format!("_key{at}")
}

fn keys(frame: LazyFrame, target: &str, order: &[String], id: String, side: i32) -> LazyFrame {
    let mut columns = vec![lit(side).alias("_side"), col(names::ROW)];
    for (at, name) in order.iter().enumerate() {
        let value = if name == "id" { col(id.as_str()) } else { col(names::value(target, name)) };
        columns.push(value.alias(key(at)));
    }
    columns.push(col(id).alias(key(order.len())));
    frame.select(columns)
}

fn places(run: &Run<'_>, target: &str, sorted: &DataFrame) -> Result<Ranks> {
    let rows_of = |entity: &str| {
        let rows = run.snapshot.table(entity).map_or(0, |table| table.rows);
        usize::try_from(rows).unwrap_or_default()
    };
    let too_many = || Error::usage("a table has more than 4,294,967,294 rows");
    let source = run.plan.target(target).map_or(0, |(source, _)| rows_of(&source.entity));
    let mut ranks = Ranks {
        migrated: vec![NO_RANK; source],
        existing: vec![NO_RANK; rows_of(target)],
        rows: u32::try_from(sorted.height()).map_err(|_| too_many())?,
    };
    let sides = sorted.column("_side").and_then(|column| column.i32().cloned());
    let rows = sorted.column(names::ROW).and_then(|column| column.i64().cloned());
    let (sides, rows) = (sides.map_err(frame::failed)?, rows.map_err(frame::failed)?);
    for (rank, (side, row)) in (0_u32..).zip(sides.iter().zip(rows.iter())) {
        let place = usize::try_from(row.unwrap_or(-1)).ok();
        let table = if side == Some(0) { &mut ranks.migrated } else { &mut ranks.existing };
        match place.and_then(|row| table.get_mut(row)) {
            Some(place) => *place = rank,
            None => return Err(Error::bug("a decided row is not a row of its table")),
        }
    }
    Ok(ranks)
}
