//! Rows of the target that the app has already: carried as they are, and in the way of migrated rows
//! that claim their ids or unique values.

mod standing;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use polars::prelude::*;

use super::duplicates::Claim;
use super::frame::{self, Run};
use super::names;
use super::plan::{self, SourcePlan, TargetPlan};
use super::{codes, udf};
use crate::contract::Pick;
use crate::error::{Error, Result};
use crate::schema::{Link, Type};
use crate::snapshot::Extra;

/// Reads the existing rows of every target table: ids, links, unique and ordering attributes. Rows that
/// are only links are left out and counted, and their links listed in `dropped`.
pub(super) fn read(run: &mut Run<'_>, dropped: &mut Vec<PathBuf>) -> Result<BTreeMap<String, u64>> {
    let mut left_out = BTreeMap::new();
    for target in &run.plan.targets {
        let rows = run.snapshot.table(target).map_or(0, |table| table.rows);
        if rows == 0 {
            continue;
        }
        let frame = rows_of(run, target)?;
        let path = run.checkpoint(frame, &format!("existing.{target}"))?;
        let only_links = standing::only_links(run, target, &path)?;
        let path = standing::without(run, target, path, &only_links)?;
        let path = standing::without_twins(run, target, path)?;
        if !only_links.is_empty() {
            left_out.insert(target.clone(), only_links.len() as u64);
            standing::lose_links(run, target, &only_links, dropped)?;
        }
        run.keep_existing(target, path);
    }
    Ok(left_out)
}

fn rows_of(run: &Run<'_>, target: &str) -> Result<LazyFrame> {
    let links: Vec<Link> = run.plan.after.columns_of(target).cloned().collect();
    let mut columns = vec![
        col(Extra::ROW).alias(names::ROW),
        col(Extra::SERVER).alias(names::SERVER),
        col(Extra::DIGEST).alias(names::DIGEST),
        udf::id(col("id")).alias(names::ID),
    ];
    columns.extend(
        needed_attrs(run, target)
            .into_iter()
            .map(|attr| col(attr.as_str()).alias(names::value(target, &attr))),
    );
    columns.extend(
        links
            .iter()
            .map(|link| udf::id(col(link.label.as_str())).alias(names::value(target, &link.label))),
    );
    let mut frame = run.table(target)?.select(columns);
    for link in &links {
        if let Some(pairs) = held(run, link)? {
            let name = names::value(target, &link.label);
            frame = frame::look_up(frame, pairs, (col(names::ID), col("_to")));
            let both = coalesce(&[col(name.as_str()), col("_from")]).alias(name.as_str());
            frame = frame.with_columns([both]).drop(cols(["_from"]));
        }
    }
    Ok(frame)
}

/// Attributes that decisions look at: unique ones and those that order the table.
fn needed_attrs(run: &Run<'_>, target: &str) -> Vec<String> {
    let order = run.plan.target(target).map(|(_, plan)| plan.transform.order.clone());
    let mut needed: Vec<String> =
        order.unwrap_or_default().into_iter().filter(|name| name != "id").collect();
    needed.extend(plan::unique_attrs(&run.plan.contract, target));
    needed.sort();
    needed.dedup();
    needed
}

fn held(run: &Run<'_>, link: &Link) -> Result<Option<LazyFrame>> {
    let mut frames = Vec::new();
    for links in &run.snapshot.meta().links {
        if super::links::is_held(links, link) {
            frames.push(
                frame::scan(&run.snapshot.path(&links.file))?
                    .select([udf::id(col("from")).alias("_from"), udf::id(col("to")).alias("_to")]),
            );
        }
    }
    if frames.is_empty() {
        return Ok(None);
    }
    let pairs = concat(frames, UnionArgs::default()).map_err(frame::failed)?;
    Ok(Some(pairs.group_by([col("_to")]).agg([col("_from").min()])))
}

/// Settles the claims of legacy rows on ids and unique values that existing rows have.
pub(super) fn settle(
    run: &Run<'_>,
    source: &SourcePlan,
    facts: &Path,
    claims: &mut BTreeMap<i64, Claim>,
) -> Result<()> {
    let mut equal: BTreeMap<i64, Vec<(String, bool)>> = BTreeMap::new();
    for target in &source.targets {
        let Some(existing) = run.existing(&target.entity)? else { continue };
        for (row, same) in same_ids(run, source, target, facts, &existing)? {
            equal.entry(row).or_default().push((target.entity.clone(), same));
        }
        for attr in plan::unique_attrs(&run.plan.contract, &target.entity) {
            let reject = run.plan.reject(&plan::existing_rule(&target.entity, &attr))?;
            for row in taken(target, facts, existing.clone(), &attr)? {
                claims.entry(row).or_insert_with(|| Claim::refused(reject));
            }
        }
    }
    let main = run.plan.main_target(&source.entity).map(|main| &main.entity);
    for (row, found) in equal {
        // A row merges only when everything it would become is there already, and says the same.
        let there = found.iter().find(|(target, _)| Some(target) == main);
        let whole = there.is_some() && found.iter().all(|(_, same)| *same);
        let Some((target, _)) = there.or(found.first()) else { continue };
        let claim = if whole {
            Claim::stands_in(target)
        } else {
            Claim::refused(run.plan.reject(&plan::existing_rule(target, "id"))?)
        };
        claims.entry(row).or_insert(claim);
    }
    Ok(())
}

fn standing(target: &TargetPlan, facts: &Path) -> Result<LazyFrame> {
    let is_new = col(names::how(&target.entity, "id")).neq(lit(codes::ID_ADOPTED));
    Ok(frame::scan(facts)?.filter(col(names::REJECT).is_null().and(is_new)))
}

/// Rows whose unique value an existing row has under another id.
fn taken(target: &TargetPlan, facts: &Path, existing: LazyFrame, attr: &str) -> Result<Vec<i64>> {
    let value = names::value(&target.entity, attr);
    let id = names::value(&target.entity, "id");
    let right = existing
        .filter(col(value.as_str()).is_not_null())
        .group_by([col(value.as_str()).alias("_value")])
        .agg([col(names::ID).min().alias("_holder")]);
    let left =
        standing(target, facts)?.select([col(names::ROW), col(value.as_str()), col(id.as_str())]);
    let found = frame::look_up(left, right, (col(value), col("_value")));
    let found =
        frame::collect(found.filter(col("_holder").neq(col(id))).select([col(names::ROW)]))?;
    rows(&found).map_err(frame::failed)
}

fn rows(found: &DataFrame) -> PolarsResult<Vec<i64>> {
    Ok(found.column(names::ROW)?.i64()?.iter().flatten().collect())
}

/// Rows whose id an existing row has, and whether both say the same.
fn same_ids(
    run: &Run<'_>,
    source: &SourcePlan,
    target: &TargetPlan,
    facts: &Path,
    existing: &LazyFrame,
) -> Result<Vec<(i64, bool)>> {
    let id = names::value(&target.entity, "id");
    let ids = || existing.clone().select([col(names::ID).alias("_id")]);
    let left = standing(target, facts)?;
    let left = frame::only_in(left, ids(), (col(id.as_str()), col("_id")));
    let rivals = frame::collect(left.clone().select([col(names::ROW)]))?;
    if rivals.height() == 0 {
        return Ok(Vec::new());
    }
    let carried = carried_digests(run, source, target, rivals)?;
    let left = frame::look_up(left, carried, (col(names::ROW), col("_carried_row")));
    let ours = ours(target);
    let left = left
        .select([col(names::ROW), col(id.as_str())].into_iter().chain(ours).collect::<Vec<_>>());
    let theirs = theirs(run, target)?;
    let both = frame::look_up(left, theirs, (col(id), col("_id")));
    let same = compared(target)
        .into_iter()
        .map(|name| col(format!("ours:{name}")).eq_missing(col(format!("theirs:{name}"))))
        .reduce(Expr::and)
        .unwrap_or(lit(true));
    let found = frame::collect(both.select([col(names::ROW), same.alias("_same")]))?;
    let same = found.column("_same").and_then(|column| column.bool().cloned());
    let same = same.map_err(frame::failed)?;
    let rows = rows(&found).map_err(frame::failed)?;
    Ok(rows.into_iter().enumerate().map(|(at, row)| (row, same.get(at) == Some(true))).collect())
}

/// Attributes and required links by which two target rows are compared.
pub(super) fn compared(target: &TargetPlan) -> Vec<String> {
    filled(target).chain(compared_links(target)).collect()
}

/// The attributes that a rule, a number or a case fills.
fn filled(target: &TargetPlan) -> impl Iterator<Item = String> {
    let rules = &target.transform;
    let by_rule = rules.attrs.iter().map(|rule| rule.attr.clone());
    let by_number = rules.number.iter().map(|number| number.attr.clone());
    by_rule.chain(by_number).chain(rules.case_attrs().into_iter().map(str::to_owned))
}

fn compared_links(target: &TargetPlan) -> impl Iterator<Item = String> {
    let required = target.transform.links.iter();
    let required = required.filter(|rule| rule.required != crate::contract::Required::No);
    required.map(|rule| rule.label.clone())
}

pub(super) fn ours(target: &TargetPlan) -> Vec<Expr> {
    let decided = target.decided.iter().map(|decided| {
        let value = col(names::value(&target.entity, &decided.rule.attr));
        by_value(value, decided.ty).alias(format!("ours:{}", decided.rule.attr))
    });
    let carried = target.carried.iter().map(|rule| col(format!("ours:{}", rule.attr)));
    let links = compared_links(target)
        .map(|label| col(names::value(&target.entity, &label)).alias(format!("ours:{label}")));
    decided.chain(carried).chain(links).collect()
}

/// A value as it is compared: JSON by value, any other as it is.
pub(super) fn by_value(value: Expr, ty: Type) -> Expr {
    if ty == Type::Any { udf::json_digest(value) } else { value }
}

pub(super) fn carried_digests(
    run: &Run<'_>,
    source: &SourcePlan,
    target: &TargetPlan,
    rivals: DataFrame,
) -> Result<LazyFrame> {
    let rows = rivals.lazy().select([col(names::ROW).alias("_rival")]);
    let table = run.table(&source.entity)?;
    let few = frame::only_in(table, rows, (col(Extra::ROW), col("_rival")));
    let mut columns = vec![col(Extra::ROW).alias("_carried_row")];
    for rule in &target.carried {
        let ty = attr_type(run, target, &rule.attr);
        let places: Vec<Expr> = rule
            .from
            .iter()
            .filter_map(|pick| match pick {
                Pick::Attr(name) => Some(col(name.as_str())),
                _ => None,
            })
            .collect();
        columns.push(by_value(coalesce(&places), ty).alias(format!("ours:{}", rule.attr)));
    }
    Ok(few.select(columns))
}

pub(super) fn theirs(run: &Run<'_>, target: &TargetPlan) -> Result<LazyFrame> {
    let mut columns = vec![udf::id(col("id")).alias("_id"), col(Extra::ROW).alias("_their_row")];
    for attr in filled(target) {
        let value = by_value(col(attr.as_str()), attr_type(run, target, &attr));
        columns.push(value.alias(format!("theirs:{attr}")));
    }
    let table = run.table(&target.entity)?.select(columns);
    let mut links = vec![col(names::ROW).alias("_standing")];
    links.extend(
        compared_links(target).map(|label| {
            col(names::value(&target.entity, &label)).alias(format!("theirs:{label}"))
        }),
    );
    // Of twins one row stands; its links are there from whichever side holds them.
    let standing = run.existing(&target.entity)?.map(|rows| rows.select(links));
    let standing = standing.ok_or_else(|| Error::bug("there are no existing rows"))?;
    let both = frame::look_up(standing, table, (col("_standing"), col("_their_row")));
    Ok(both)
}

pub(super) fn attr_type(run: &Run<'_>, target: &TargetPlan, name: &str) -> Type {
    let attr = run.plan.after.entity(&target.entity).and_then(|entity| entity.attr(name));
    attr.map_or(Type::String, |attr| attr.ty)
}
