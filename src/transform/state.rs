//! What is known of a legacy table once its rows are decided, kept for the tables that hang on it.

use std::path::{Path, PathBuf};

use polars::prelude::*;

use super::Outcome;
use super::duplicates::Claims;
use super::frame::{self, Run, State};
use super::names;
use super::plan::SourcePlan;
use crate::error::Result;

/// Keeps the outcome of every row beside its facts.
pub(super) fn keep(
    run: &mut Run<'_>,
    source: &SourcePlan,
    facts: &Path,
    claims: Claims,
) -> Result<()> {
    let shared_ids = claims.shared_ids;
    let refused = when(col(names::REJECT).is_not_null())
        .then(lit(Outcome::Quarantined as i32))
        .otherwise(lit(Outcome::Migrated as i32));
    let claimed = claimed(claims).map_err(frame::failed)?;
    let frame =
        frame::look_up(frame::scan(facts)?, claimed.lazy(), (col(names::ROW), col("_claim")));
    let frame = frame.with_columns([
        coalesce(&[col("_outcome"), refused]).alias(names::OUTCOME),
        coalesce(&[col(names::REJECT), col("_reject")]).alias(names::REJECT),
    ]);
    let frame = frame.drop(cols(["_outcome", "_reject"]));
    let all = run.checkpoint(frame, &format!("state.{}", source.entity))?;
    let by_id = if shared_ids { one_per_id(run, source, &all)? } else { all.clone() };
    run.keep_state(&source.entity, State { all, by_id });
    Ok(())
}

fn claimed(claims: Claims) -> PolarsResult<DataFrame> {
    let (mut rows, mut outcomes, mut rejects) = (Vec::new(), Vec::new(), Vec::new());
    let (mut winners, mut winners_in) = (Vec::new(), Vec::new());
    for (row, claim) in claims.rows {
        rows.push(row);
        outcomes.push(claim.outcome as i32);
        rejects.push(claim.reject);
        winners.push(claim.winner);
        winners_in.push(claim.winner_in);
    }
    DataFrame::new_infer_height(vec![
        Column::new("_claim".into(), rows),
        Column::new("_outcome".into(), outcomes),
        Column::new("_reject".into(), rejects),
        Column::new(names::WINNER.into(), winners),
        Column::new(names::WINNER_IN.into(), winners_in),
    ])
}

/// Of rows that share an id, the one that counts: a migrated one before a merged one before a
/// refused one.
fn one_per_id(run: &Run<'_>, source: &SourcePlan, all: &Path) -> Result<PathBuf> {
    let best = frame::scan(all)?
        .filter(col(names::ID).is_not_null())
        .group_by([col(names::ID).alias("_best_id")])
        .agg([col(names::ROW)
            .sort_by(
                [col(names::OUTCOME), col(names::DIGEST), col(names::ROW)],
                SortMultipleOptions::default(),
            )
            .first()
            .alias("_best")]);
    let frame = frame::look_up(frame::scan(all)?, best, (col(names::ID), col("_best_id")));
    let frame = frame.filter(col("_best").eq(col(names::ROW))).drop(cols(["_best"]));
    run.checkpoint(frame, &format!("by-id.{}", source.entity))
}
