//! Legacy rows that become several target rows, or numbered ones: how many each becomes, the number
//! before its first, and a line for every one.
//!
//! Everything else about such a row is decided as for any other, once: its first target row has the
//! id of the rule, and all of them share attributes and links.

mod existing;
mod lines;

use std::collections::BTreeMap;
use std::path::Path;

use arrow::array::AsArray;
use arrow::datatypes::Int32Type;
use polars::prelude::*;

use super::duplicates::Claim;
use super::frame::Run;
use super::names;
use super::order;
use super::plan::{SourcePlan, Split, TargetPlan};
use super::{Moves, explode, udf};
use crate::contract::Explode;
use crate::error::{Error, Result};

pub(super) use existing::existing;

/// A table whose rows are split: where from, where to, and how.
type Table<'a> = (&'a SourcePlan, &'a TargetPlan, &'a Split);

/// The columns of a legacy table that its cases and numbers need, as they are read.
pub(super) fn columns(source: &SourcePlan) -> Vec<Expr> {
    let Some((_, split)) = source.split() else { return Vec::new() };
    let case = match &split.explode {
        Some(rule) => {
            let of = rule.of.iter().map(|name| col(name.as_str()));
            udf::case(of.collect(), rule.otherwise_by.as_ref().map(|name| col(name.as_str())), rule)
        }
        None => lit(0).cast(DataType::Int32),
    };
    let by = split.number.iter().flat_map(|number| &number.by).filter(|name| *name != "id");
    let by = by.map(|name| col(name.as_str()).alias(names::number(name)));
    std::iter::once(case.alias(names::CASE)).chain(by).collect()
}

/// The object of a legacy row.
fn object(rule: &Explode) -> Expr {
    coalesce(&rule.of.iter().map(|name| col(name.as_str())).collect::<Vec<_>>())
}

/// The facts that numbers and lines need.
pub(super) fn kept(source: &SourcePlan) -> Vec<String> {
    let Some((_, split)) = source.split() else { return Vec::new() };
    let by = split.number.iter().flat_map(|number| &number.by).map(|name| names::number(name));
    [names::CASE, names::RESULTS].map(str::to_owned).into_iter().chain(by).collect()
}

/// Adds how many target rows each row becomes.
pub(super) fn count(source: &SourcePlan, frame: LazyFrame) -> LazyFrame {
    let Some((_, split)) = source.split() else { return frame };
    let Some(rule) = &split.explode else {
        return frame.with_columns([lit(1).cast(DataType::Int32).alias(names::RESULTS)]);
    };
    let mut results = lit(1);
    let none = [explode::NO_OBJECT, explode::UNLISTED, explode::NOT_WHOLE];
    for case in none.into_iter().chain(places(rule)) {
        let rows = i32::try_from(explode::results(rule, case)).unwrap_or(i32::MAX);
        if rows != 1 {
            results = when(col(names::CASE).eq(lit(case))).then(lit(rows)).otherwise(results);
        }
    }
    frame.with_columns([results.cast(DataType::Int32).alias(names::RESULTS)])
}

fn places(rule: &Explode) -> impl Iterator<Item = i32> {
    (0..rule.cases.len()).filter_map(|at| i32::try_from(at).ok())
}

/// By row, the number before the first of its target rows; empty where they are not numbered.
pub(super) fn number(
    run: &Run<'_>,
    (source, target, split): Table<'_>,
    facts: &Path,
    claims: &BTreeMap<i64, Claim>,
) -> Result<Vec<u32>> {
    let Some(number) = &split.number else { return Ok(Vec::new()) };
    let rows = run.snapshot.table(&source.entity).map_or(0, |table| table.rows);
    let rows = usize::try_from(rows).map_err(|_| Error::bug("a table has too many rows"))?;
    let mut counts: Vec<u32> = Vec::with_capacity(rows);
    order::each((facts, &[]), names::RESULTS, &mut |values| {
        let results = values.as_primitive::<Int32Type>().iter();
        counts.extend(results.map(|count| count.and_then(|n| u32::try_from(n).ok()).unwrap_or(0)));
        Ok(())
    })?;
    let mut row = 0;
    order::each((facts, &[]), names::REJECT, &mut |values| {
        for at in 0..values.len() {
            if !values.is_null(at) {
                counts[row] = 0;
            }
            row += 1;
        }
        Ok(())
    })?;
    for row in claims.keys() {
        let count = usize::try_from(*row).ok().and_then(|row| counts.get_mut(row));
        *count.ok_or_else(|| Error::bug("a claim is no row of its table"))? = 0;
    }
    let by: Vec<String> = number.by.iter().map(|name| names::number(name)).collect();
    let (within, id) =
        (names::value(&target.entity, &number.within), names::value(&target.entity, "id"));
    order::sums(facts, &within, (&by, [names::ID, &id]), &counts)
}

/// Writes a line for every target row that the rows of a frame become.
pub(super) fn spread(
    run: &Run<'_>,
    (source, target, split): Table<'_>,
    frame: LazyFrame,
    columns: &[String],
) -> Result<Moves> {
    let name = &target.entity;
    let wanted: Vec<Expr> = columns.iter().map(|name| col(name.as_str())).collect();
    let rows = run.checkpoint(frame.select(wanted), &format!("unsplit.{name}"))?;
    let file = run.path(&format!("rows.{name}"));
    lines::write(run, (target, split), (&rows, run.starts(&source.entity)?), &file)?;
    let mut columns = columns.to_vec();
    columns.extend([names::LINE, names::NTH].map(str::to_owned));
    columns.extend(late(split).map(|attr| names::value(name, attr)));
    Ok(Moves { file, columns, except: Vec::new(), place: names::LINE })
}

/// The attributes that a line has of its own.
fn late(split: &Split) -> impl Iterator<Item = &String> {
    let number = split.number.iter().map(|number| &number.attr);
    number.chain(split.built.iter().map(|(attr, _)| attr))
}
