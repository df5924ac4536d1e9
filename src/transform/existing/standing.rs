//! Which of the rows that the app has already stand: each id once.

use std::path::{Path, PathBuf};

use polars::prelude::*;

use super::super::frame::{self, Run};
use super::super::{names, udf};
use super::rows;
use crate::error::{Error, Kind, Result, grouped};
use crate::snapshot::Extra;

/// How many rows a refusal names.
const NAMED: usize = 5;

/// The rows without an id and without a value, by `_row`: links that were set on an id that was never
/// created (INSTANTDB, added). `path` has the ids of all rows.
pub(super) fn only_links(run: &Run<'_>, target: &str, path: &Path) -> Result<Vec<i64>> {
    let lacking = frame::scan(path)?.filter(col(names::ID).is_null()).select([col(names::ROW)]);
    if frame::collect(lacking)?.height() == 0 {
        return Ok(Vec::new());
    }
    let attrs = run.plan.after.entity(target).map_or(&[][..], |entity| &entity.attrs);
    let columns = attrs.iter().map(|attr| attr.name.as_str()).chain([Extra::EXTRA, Extra::INVALID]);
    let is_empty = columns.map(|name| col(name).is_null()).reduce(Expr::and).unwrap_or(lit(true));
    let found = run.table(target)?.filter(udf::id(col("id")).is_null().and(is_empty));
    let found = frame::collect(found.select([col(Extra::ROW).alias(names::ROW)]))?;
    rows(&found).map_err(frame::failed)
}

fn listed(numbers: &[i64]) -> Result<LazyFrame> {
    let column = Column::new("_listed".into(), numbers);
    Ok(DataFrame::new_infer_height(vec![column]).map_err(frame::failed)?.lazy())
}

/// The rows without some of them.
pub(super) fn without(
    run: &Run<'_>,
    target: &str,
    path: PathBuf,
    numbers: &[i64],
) -> Result<PathBuf> {
    if numbers.is_empty() {
        return Ok(path);
    }
    let on = (col(names::ROW), col("_listed"));
    let frame = frame::not_in(frame::scan(&path)?, listed(numbers)?, on);
    run.checkpoint(frame, &format!("existing-with-values.{target}"))
}

/// Lists the has-one links of rows that are left out.
pub(super) fn lose_links(
    run: &Run<'_>,
    target: &str,
    numbers: &[i64],
    dropped: &mut Vec<PathBuf>,
) -> Result<()> {
    for link in run.plan.after.columns_of(target) {
        let label = link.label.as_str();
        let on = (col(Extra::ROW), col("_listed"));
        let rows = frame::only_in(run.table(target)?, listed(numbers)?, on);
        let lost = rows.filter(udf::id(col(label)).is_not_null()).select([
            lit(target.to_owned()).alias("entity"),
            lit(label.to_owned()).alias("label"),
            lit("").alias("from"),
            udf::id(col(label)).alias("to"),
            col(Extra::ROW).alias(names::ROW),
            lit("the row that holds it has no id").alias("reason"),
        ]);
        dropped.push(run.checkpoint(lost, &format!("dropped.only-links.{target}.{label}"))?);
    }
    Ok(())
}

/// Drops rows equal to another one of the same id; rows of one id that differ cannot be carried.
pub(super) fn without_twins(run: &Run<'_>, target: &str, path: PathBuf) -> Result<PathBuf> {
    let twins = frame::collect(
        frame::scan(&path)?
            .group_by([col(names::ID)])
            .agg([
                len().alias("_rows"),
                col(names::DIGEST).n_unique().alias("_contents"),
                col(names::ROW)
                    .sort_by([col(names::SERVER), col(names::ROW)], SortMultipleOptions::default())
                    .first()
                    .alias("_first"),
            ])
            .filter(col("_rows").gt(lit(1)).or(col(names::ID).is_null())),
    )?;
    if twins.height() == 0 {
        return Ok(path);
    }
    let is_bad = col("_contents").gt(lit(1)).or(col(names::ID).is_null());
    let bad = frame::collect(twins.clone().lazy().filter(is_bad).select([col(names::ID)]))?;
    if bad.height() > 0 {
        return Err(refused(run, target, (&path, bad))?);
    }
    let firsts = twins.lazy().select([col(names::ID).alias("_twin"), col("_first")]);
    let frame = frame::look_up(frame::scan(&path)?, firsts, (col(names::ID), col("_twin")));
    let stands = col("_first").is_null().or(col("_first").eq(col(names::ROW)));
    let frame = frame.filter(stands).drop(cols(["_first"]));
    run.checkpoint(frame, &format!("existing-once.{target}"))
}

/// The refusal of rows without an id, and of rows that share one and differ, with the first by their
/// place in the source.
fn refused(run: &Run<'_>, target: &str, (path, bad): (&Path, DataFrame)) -> Result<Error> {
    let ids = bad.lazy().select([col(names::ID).alias("_bad"), lit(true).alias("_is_bad")]);
    let all = frame::look_up(frame::scan(path)?, ids, (col(names::ID), col("_bad")));
    let is_it = col("_is_bad").is_not_null().or(col(names::ID).is_null());
    let all = all.filter(is_it).select([col(names::ROW), col(names::ID)]);
    let found = frame::collect(all.sort([names::ROW], SortMultipleOptions::default()))?;
    let numbers = rows(&found).map_err(frame::failed)?;
    let ids = found.column(names::ID).and_then(|column| column.str().cloned());
    let ids = ids.map_err(frame::failed)?;
    let count = grouped(numbers.len() as u64);
    let said = format!("{count} rows of `{target}` that the app has already cannot be carried");
    let mut error = Error::new(Kind::Findings, said)
        .help("repair these rows in the app and export again: each needs an id of its own");
    for (at, row) in numbers.iter().enumerate().take(NAMED) {
        let why = match ids.get(at) {
            Some(id) => format!("its id {id} stands on another row too, with other content"),
            None => "it has values and no id".to_owned(),
        };
        error = error.at(format!("{}: {why}", place(run, target, *row)));
    }
    if numbers.len() > NAMED {
        error = error.at(format!("and {} more", grouped((numbers.len() - NAMED) as u64)));
    }
    Ok(error)
}

/// A row by its place in the source: a backup has it on a line of the entity's file.
fn place(run: &Run<'_>, target: &str, row: i64) -> String {
    let source = &run.snapshot.meta().source;
    if source.kind.starts_with("archive") {
        return format!("{}: entities/{target}.jsonl, line {}", source.name, row + 1);
    }
    format!("{}: `{target}` row {row}", source.name)
}
