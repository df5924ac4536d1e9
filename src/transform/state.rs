//! What is known of a legacy table once its rows are decided, kept for the tables that hang on it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use polars::prelude::*;

use super::duplicates::Claims;
use super::frame::{self, Run};
use super::names;
use super::plan::SourcePlan;
use super::{Outcome, codes};
use crate::error::{Error, Result};

/// What is known of a legacy table: the facts about its rows, and the claims that were settled.
#[derive(Debug, Clone)]
pub(super) struct State {
    facts: PathBuf,
    /// What was settled of rows that share a value; `None` where there are none.
    claims: Option<DataFrame>,
    /// One line per id, where rows share one.
    by_id: Option<PathBuf>,
    /// Whether a rule may drop rows: then the facts say how many rows each becomes.
    drops: bool,
    /// The number before the first of the rows that each becomes, where they are numbered.
    starts: Vec<u32>,
}

/// Whether a row stands in the target, by itself or by the one it was merged into.
pub(super) fn is_there() -> Expr {
    col(names::OUTCOME).lt(lit(Outcome::Quarantined as i32))
}

/// Whether no rule refuses a row of the facts, and none drops it.
pub(super) fn stands(source: &SourcePlan) -> Expr {
    let stands = col(names::REJECT).is_null();
    let Some(_) = source.split() else { return stands };
    stands.and(col(names::RESULTS).gt(lit(0)))
}

impl State {
    /// The number before the first of the rows that each row becomes.
    pub(super) fn starts(&self) -> &[u32] {
        &self.starts
    }

    /// Whether rows share an id.
    pub(super) fn shares_ids(&self) -> bool {
        self.by_id.is_some()
    }

    /// The file of the facts.
    pub(super) fn facts(&self) -> &Path {
        &self.facts
    }

    /// All rows with all decided values and their outcome, in `_row` order.
    pub(super) fn all(&self) -> Result<LazyFrame> {
        let facts = frame::scan(&self.facts)?;
        let refused = when(col(names::REJECT).is_not_null())
            .then(lit(Outcome::Quarantined as i32))
            .when(if self.drops { col(names::RESULTS).eq(lit(0)) } else { lit(false) })
            .then(lit(Outcome::Dropped as i32))
            .otherwise(lit(Outcome::Migrated as i32));
        let Some(claims) = self.claims.clone() else {
            return Ok(facts.with_columns([
                refused.alias(names::OUTCOME),
                lit(NULL).cast(DataType::Int64).alias(names::WINNER),
                lit(NULL).cast(DataType::String).alias(names::WINNER_IN),
            ]));
        };
        let frame = frame::look_up(facts, claims.lazy(), (col(names::ROW), col("_claim")));
        let frame = frame.with_columns([
            coalesce(&[col("_outcome"), refused]).alias(names::OUTCOME),
            coalesce(&[col(names::REJECT), col("_reject")]).alias(names::REJECT),
        ]);
        Ok(frame.drop(cols(["_outcome", "_reject"])))
    }

    /// One line per id: the row that counts for it.
    pub(super) fn by_id(&self) -> Result<LazyFrame> {
        self.by_id.as_ref().map_or_else(|| self.all(), |path| frame::scan(path))
    }
}

/// Keeps the facts about every row beside what was settled.
pub(super) fn keep(
    run: &mut Run<'_>,
    source: &SourcePlan,
    facts: PathBuf,
    mut claims: Claims,
) -> Result<()> {
    let shared_ids = claims.shared_ids;
    let (drops, starts) = (source.split().is_some(), std::mem::take(&mut claims.starts));
    let claims = if claims.rows.is_empty() { None } else { Some(claims) };
    let claims = claims.map(claimed).transpose().map_err(frame::failed)?;
    let mut state = State { facts, claims, by_id: None, drops, starts };
    if shared_ids {
        state.by_id = Some(one_per_id(run, source, &state)?);
    }
    run.keep_state(&source.entity, state);
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
fn one_per_id(run: &Run<'_>, source: &SourcePlan, state: &State) -> Result<PathBuf> {
    let best = state
        .all()?
        .filter(col(names::ID).is_not_null())
        .group_by([col(names::ID).alias("_best_id")])
        .agg([col(names::ROW)
            .sort_by(
                [col(names::OUTCOME), col(names::DIGEST), col(names::ROW)],
                SortMultipleOptions::default(),
            )
            .first()
            .alias("_best")]);
    let frame = frame::look_up(state.all()?, best, (col(names::ID), col("_best_id")));
    let frame = frame.filter(col("_best").eq(col(names::ROW))).drop(cols(["_best"]));
    run.checkpoint(frame, &format!("by-id.{}", source.entity))
}

/// What became of the rows of a legacy table, counted.
#[derive(Debug, Clone, Default)]
pub struct Fates {
    /// Rows by [`Outcome`].
    pub rows: [u64; 4],
    /// By link: the rows that name one, by outcome.
    pub links: BTreeMap<String, [u64; 4]>,
    /// The rows that are not simply migrated: merged, quarantined, or standing on an existing row.
    /// Columns of [`names`].
    pub aside: PathBuf,
}

/// Counts the outcomes of a legacy table, and lists the rows that were set aside.
pub(super) fn fates(run: &Run<'_>, source: &SourcePlan) -> Result<Fates> {
    let mut fates = counts(run, source)?;
    let mut wanted = [
        names::ROW,
        names::ID,
        names::DIGEST,
        names::OUTCOME,
        names::REJECT,
        names::CAUSE,
        names::WINNER,
        names::WINNER_IN,
    ]
    .map(str::to_owned)
    .to_vec();
    let mut is_aside = col(names::OUTCOME).neq(lit(Outcome::Migrated as i32));
    for target in &source.targets {
        let how = names::how(&target.entity, "id");
        let adopted = col(how.as_str()).eq(lit(codes::ID_ADOPTED)).fill_null(lit(false));
        is_aside = is_aside.or(adopted);
        wanted.extend([names::value(&target.entity, "id"), how]);
    }
    wanted.extend(source.split().map(|_| names::CASE.to_owned()));
    let wanted: Vec<Expr> = wanted.iter().map(|name| col(name.as_str())).collect();
    let aside = run.all(&source.entity)?.filter(is_aside).select(wanted);
    fates.aside = run.checkpoint(aside, &format!("aside.{}", source.entity))?;
    Ok(fates)
}

fn counts(run: &Run<'_>, source: &SourcePlan) -> Result<Fates> {
    let names_one = |label: &str| {
        let named = col(names::link(label)).is_not_null().cast(DataType::Int64);
        named.sum().alias(names::link(label))
    };
    let mut sums = vec![len().cast(DataType::Int64).alias("_rows")];
    sums.extend(source.links.iter().map(|link| names_one(&link.label)));
    let grouped = run.all(&source.entity)?.group_by([col(names::OUTCOME)]).agg(sums);
    let grouped = frame::collect(grouped)?;
    let column = |name: &str| -> Result<Vec<u64>> {
        let counts = grouped.column(name).and_then(|column| column.i64().cloned());
        let counts = counts.map_err(frame::failed)?;
        Ok(counts
            .iter()
            .map(|count| count.and_then(|n| u64::try_from(n).ok()).unwrap_or(0))
            .collect())
    };
    let outcomes = grouped.column(names::OUTCOME).and_then(|column| column.i32().cloned());
    let outcomes: Vec<Option<i32>> = outcomes.map_err(frame::failed)?.iter().collect();
    let by_outcome = |counts: Vec<u64>| -> Result<[u64; 4]> {
        let mut found = [0; 4];
        for (outcome, count) in outcomes.iter().zip(counts) {
            let place = outcome.and_then(|outcome| usize::try_from(outcome).ok());
            let place = place.and_then(|place| found.get_mut(place));
            *place.ok_or_else(|| Error::bug("a row has no outcome"))? = count;
        }
        Ok(found)
    };
    let mut fates = Fates { rows: by_outcome(column("_rows")?)?, ..Fates::default() };
    for link in &source.links {
        let counts = by_outcome(column(&names::link(&link.label))?)?;
        fates.links.insert(link.label.clone(), counts);
    }
    Ok(fates)
}
