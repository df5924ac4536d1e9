//! Rows of the target that the app has already, in the way of the rows that a legacy row becomes.

use std::path::Path;

use polars::prelude::*;

use super::{Table, late, lines, object};
use crate::contract::Explode;
use crate::error::{Error, Result};
use crate::schema::Type;
use crate::snapshot::Extra;
use crate::transform::duplicates::{Claim, Claims};
use crate::transform::existing::{attr_type, by_value, carried_digests, compared, ours, theirs};
use crate::transform::frame::{self, Run};
use crate::transform::plan::{self, SourcePlan, TargetPlan};
use crate::transform::{names, state, udf};

/// Settles the claims of legacy rows on ids and unique values that existing rows have: a row all of
/// whose target rows are there and say the same is merged, any other is refused whole.
pub(in crate::transform) fn existing(
    run: &Run<'_>,
    (source, target): (&SourcePlan, &TargetPlan),
    facts: &Path,
    claims: &mut Claims,
) -> Result<()> {
    let (Some(existing), Some(split)) = (run.existing(&target.entity)?, &target.split) else {
        return Ok(());
    };
    let claimed: Vec<i64> = claims.rows.keys().copied().collect();
    let claimed = DataFrame::new_infer_height(vec![Column::new("_claimed".into(), claimed)]);
    let standing = frame::scan(facts)?.filter(state::stands(source));
    let claimed = claimed.map_err(frame::failed)?.lazy();
    let standing = frame::not_in(standing, claimed, (col(names::ROW), col("_claimed")));
    let rows = run.checkpoint(standing, &format!("standing.{}", target.entity))?;
    let file = run.path(&format!("claims.{}", target.entity));
    lines::write(run, (target, split), (&rows, &claims.starts), &file)?;
    for attr in plan::unique_attrs(&run.plan.contract, &target.entity) {
        let has = |rule: &crate::contract::AttrRule| rule.attr == attr;
        if !target.transform.attrs.iter().any(has) {
            continue;
        }
        let reject = run.plan.reject(&plan::existing_rule(&target.entity, &attr))?;
        for row in taken(target, &file, existing.clone(), &attr)? {
            claims.rows.entry(row).or_insert_with(|| Claim::refused(reject));
        }
    }
    let reject = run.plan.reject(&plan::existing_rule(&target.entity, "id"))?;
    for (row, whole) in same(run, (source, target, split), &file, &existing)? {
        let claim = if whole { Claim::stands_in(&target.entity) } else { Claim::refused(reject) };
        claims.rows.entry(row).or_insert(claim);
    }
    Ok(())
}

/// Rows one of whose lines has a unique value that an existing row has under another id.
fn taken(target: &TargetPlan, lines: &Path, existing: LazyFrame, attr: &str) -> Result<Vec<i64>> {
    let value = names::value(&target.entity, attr);
    let id = names::value(&target.entity, "id");
    let right = existing
        .filter(col(value.as_str()).is_not_null())
        .group_by([col(value.as_str()).alias("_value")])
        .agg([col(names::ID).min().alias("_holder")]);
    let left = frame::scan(lines)?.select([col(names::ROW), col(value.as_str()), col(id.as_str())]);
    let found = frame::look_up(left, right, (col(value), col("_value")));
    let found = found.filter(col("_holder").neq(col(id))).select([col(names::ROW)]);
    rows(&frame::collect(found)?, names::ROW)
}

fn rows(found: &DataFrame, name: &str) -> Result<Vec<i64>> {
    let rows = found.column(name).and_then(|column| column.i64().cloned());
    Ok(rows.map_err(frame::failed)?.iter().flatten().collect())
}

/// Rows one of whose lines has the id of an existing row, and whether all of them are there and say
/// the same.
fn same(
    run: &Run<'_>,
    (source, target, split): Table<'_>,
    lines: &Path,
    existing: &LazyFrame,
) -> Result<Vec<(i64, bool)>> {
    let id = names::value(&target.entity, "id");
    let ids = existing.clone().select([col(names::ID).alias("_id")]);
    let hits = frame::only_in(frame::scan(lines)?, ids, (col(id.as_str()), col("_id")));
    let rivals = frame::collect(
        hits.select([col(names::ROW), col(names::CASE)])
            .unique_stable(Some(cols([names::ROW])), UniqueKeepStrategy::Any),
    )?;
    if rivals.height() == 0 {
        return Ok(Vec::new());
    }
    let few = rivals.clone().lazy().select([col(names::ROW).alias("_few")]);
    let mut left = frame::only_in(frame::scan(lines)?, few, (col(names::ROW), col("_few")));
    if let Some(rule) = &split.explode {
        let (right, most) = built(run, (source, target), rule, rivals.clone())?;
        let key = col(names::ROW) * lit(most) + col(names::NTH).cast(DataType::Int64);
        let keyed = left.with_columns([key.alias("_line")]);
        left = frame::look_up(keyed, right, (col("_line"), col("_built")));
    }
    let carried = carried_digests(run, source, target, rivals)?;
    left = frame::look_up(left, carried, (col(names::ROW), col("_carried_row")));
    let mut ours = ours(target);
    for attr in late(split) {
        ours.push(col(names::value(&target.entity, attr)).alias(format!("ours:{attr}")));
    }
    for attr in target.transform.case_attrs() {
        ours.push(col(format!("ours:{attr}")));
    }
    ours.extend([col(names::ROW), col(names::RESULTS), col(id.as_str())]);
    let both = frame::look_up(left.select(ours), theirs(run, target)?, (col(id), col("_id")));
    let same = compared(target)
        .into_iter()
        .map(|name| col(format!("ours:{name}")).eq_missing(col(format!("theirs:{name}"))))
        .fold(col("_standing").is_not_null(), Expr::and);
    let found = frame::collect(
        both.select([col(names::ROW), same.alias("_same")])
            .group_by([col(names::ROW)])
            .agg([col("_same").all(true)]),
    )?;
    let whole = found.column("_same").and_then(|column| column.bool().cloned());
    let whole = whole.map_err(frame::failed)?;
    let rows = rows(&found, names::ROW)?;
    Ok(rows.into_iter().zip(whole.iter()).map(|(row, whole)| (row, whole == Some(true))).collect())
}

/// What cases fill in the lines of some rows, by value: `ours:<attr>` beside the key `_built`, the
/// row times the most lines of a row, plus the line's place in it.
fn built(
    run: &Run<'_>,
    (source, target): (&SourcePlan, &TargetPlan),
    rule: &Explode,
    rivals: DataFrame,
) -> Result<(LazyFrame, i64)> {
    let most =
        i32::try_from(super::explode::most(rule)).map_err(|_| Error::bug("too many rows"))?;
    let attrs = target.transform.case_attrs();
    let mut columns = vec![col(Extra::ROW).alias("_of"), object(rule).alias("_object")];
    columns.extend(rule.otherwise_by.iter().map(|name| col(name.as_str()).alias("_attr")));
    let cases = rivals.lazy().select([col(names::ROW).alias("_case_of"), col(names::CASE)]);
    let rows = run.table(&source.entity)?.select(columns);
    let rows = frame::look_up(rows, cases, (col("_of"), col("_case_of")));
    let mut made = vec![col("_of")];
    for n in 0..most {
        for attr in &attrs {
            let attr_in = rule.otherwise_by.as_ref().map(|_| col("_attr"));
            let ty = attr_type(run, target, attr);
            let (object, case) = (col("_object"), col(names::CASE));
            let value = udf::built(object, case, attr_in, (rule, attr, n), ty == Type::Any);
            let value = match ty {
                Type::Number => value.cast(DataType::Float64),
                Type::Boolean => value.eq(lit("true")),
                ty => by_value(value, ty),
            };
            made.push(value.alias(format!("ours:{attr}:{n}")));
        }
    }
    let rows = rows.filter(col(names::CASE).is_not_null()).select(made);
    let file = run.checkpoint(rows, &format!("built.{}", target.entity))?;
    let mut frames = Vec::new();
    for n in 0..most {
        let mut columns =
            vec![(col("_of") * lit(i64::from(most)) + lit(i64::from(n))).alias("_built")];
        columns.extend(
            attrs.iter().map(|attr| col(format!("ours:{attr}:{n}")).alias(format!("ours:{attr}"))),
        );
        frames.push(frame::scan(&file)?.select(columns));
    }
    Ok((concat(frames, UnionArgs::default()).map_err(frame::failed)?, i64::from(most)))
}
