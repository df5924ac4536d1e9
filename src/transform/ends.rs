//! Target links, once the outcome of every row is known; and the links whose other end is absent.

use std::path::PathBuf;

use polars::prelude::*;

use super::frame::{self, Run};
use super::links;
use super::names;
use super::plan::{self, SourcePlan, TargetPlan};
use super::{Decisions, Moves, Outcome, attrs, codes, refs, rejects, split, state, udf};
use crate::contract::{Latest, LinkHow, LinkPick, LinkRule, OrderKey, Required};
use crate::error::Result;
use crate::schema::{Has, Link};

/// Writes the decided rows of a target table: every migrated row of its source that needs a new
/// row. Links of these rows that lead nowhere are listed in `dropped`.
pub(super) fn resolve(
    run: &Run<'_>,
    source: &SourcePlan,
    target: &TargetPlan,
    (dropped, given): (&mut Vec<PathBuf>, &mut Vec<(String, String, u64)>),
) -> Result<Moves> {
    let migrated = || col(names::OUTCOME).eq(lit(Outcome::Migrated as i32));
    let is_new = || col(names::how(&target.entity, "id")).neq(lit(codes::ID_ADOPTED));
    let mut frame = run.all(&source.entity)?.filter(migrated());
    let optional = || target.transform.links.iter().filter(|rule| rule.required == Required::No);
    for link in source.links.iter().filter(|link| optional().any(|rule| picks(rule, link))) {
        if !rejects::is_needed(source, link) {
            frame = links::reach(run, frame, link, &[])?;
        }
    }
    let late = refs::late(run, target);
    for rule in &late {
        frame = refs::with_late_id(run, target, rule, frame)?;
    }
    let is_settled = optional().next().is_none() && late.is_empty();
    for rule in optional() {
        frame = match &rule.how {
            LinkHow::From { picks, latest } => {
                let frame = from(run, (source, target), rule, (picks, latest.as_ref()), frame)?;
                one_holder(run, (source, target), rule, frame)?
            }
            LinkHow::Via { link, take } => rejects::via(run, target, (rule, link, take), frame)?,
            LinkHow::SameRow { target: other } => frame.with_columns([
                col(names::value(other, "id")).alias(names::value(&target.entity, &rule.label)),
                lit(0).alias(names::how(&target.entity, &rule.label)),
            ]),
        };
    }
    if !is_settled {
        // Joined once, read several times.
        let reached = frame.select(needed(source, target));
        frame = frame::scan(&run.checkpoint(reached, &format!("reached.{}", target.entity))?)?;
    }
    drop_links(run, source, target, &frame, dropped)?;
    given.extend(refs::lose(run, (source, target), &frame, dropped)?);
    if is_settled && target.split.is_none() {
        // The facts say it all; the few rows that do not move are passed over.
        let stays = migrated().and(is_new()).fill_null(lit(false)).not();
        let except =
            frame::collect(run.all(&source.entity)?.filter(stays).select([col(names::ROW)]))?;
        let except = except.column(names::ROW).and_then(|column| column.i64().cloned());
        let mut except: Vec<i64> = except.map_err(frame::failed)?.iter().flatten().collect();
        except.sort_unstable();
        let file = run.facts(&source.entity)?.to_owned();
        return Ok(Moves { file, columns: columns(source, target), except, place: names::ROW });
    }
    if let Some(split) = &target.split {
        return split::spread(run, (source, target, split), frame, &columns(source, target));
    }
    let columns = columns(source, target);
    let rows = frame.filter(is_new()).select(exprs(&columns));
    let file = run.checkpoint(rows, &format!("rows.{}", target.entity))?;
    Ok(Moves { file, columns, except: Vec::new(), place: names::ROW })
}

fn exprs(columns: &[String]) -> Vec<Expr> {
    columns.iter().map(|name| col(name.as_str())).collect()
}

/// The columns that rows and dropped links are made of.
fn needed(source: &SourcePlan, target: &TargetPlan) -> Vec<Expr> {
    let mut found = columns(source, target);
    for link in source.links.iter().filter(|link| lost(source, link).0 == target.entity) {
        found.push(names::link(&link.label));
        if lost(source, link).1.is_some() {
            found.extend([links::at, links::ok, links::by_rule].map(|name| name(link)));
        }
        found.extend(links::places(link).map(|(_, column)| column));
    }
    found.extend(
        target
            .decided
            .iter()
            .filter(|decided| decided.rule.is_ref())
            .map(|decided| names::refers(&target.entity, &decided.rule.attr)),
    );
    found.sort();
    found.dedup();
    exprs(&found)
}

fn picks(rule: &LinkRule, link: &Link) -> bool {
    let LinkHow::From { picks, .. } = &rule.how else { return false };
    picks.contains(&LinkPick::Link(link.label.clone()))
}

/// The columns that rows of a target table are made of.
fn columns(source: &SourcePlan, target: &TargetPlan) -> Vec<String> {
    let mut found = vec![names::ROW.to_owned(), names::SERVER.to_owned(), names::ID.to_owned()];
    let pair = |attr: &str| [names::value(&target.entity, attr), names::how(&target.entity, attr)];
    found.extend(pair("id"));
    found.extend(target.takes_other_ids(source).then(|| names::id_text(&target.entity)));
    if target.split.is_some() {
        found.extend([names::CASE, names::RESULTS].map(str::to_owned));
    }
    for decided in &target.decided {
        found.extend(pair(&decided.rule.attr));
        found.push(names::mapped(&target.entity, &decided.rule.attr));
    }
    for rule in &target.transform.links {
        found.extend(pair(&rule.label));
    }
    found.sort();
    found.dedup();
    found
}

fn from(
    run: &Run<'_>,
    (source, target): (&SourcePlan, &TargetPlan),
    rule: &LinkRule,
    (picks, latest): (&[LinkPick], Option<&Latest>),
    frame: LazyFrame,
) -> Result<LazyFrame> {
    let mut frame = frame;
    let mut places = Vec::new();
    for (at, pick) in picks.iter().enumerate() {
        if let LinkPick::Reverse { entity, label } = pick {
            let column = format!("pick:{}:{}:{at}", target.entity, rule.label);
            let order = run.plan.contract.declared_order(entity);
            let right = pointing(run, (entity, label), &order, &column, Expr::first)?;
            frame = frame::look_up(frame, right, (col(names::ID), col("_here")));
            places.push(links::Place::row(at, col(column)));
        }
        let before = &run.plan.before;
        let Some(link) = plan::named_by(before, (source, target), rule, (at, pick)) else {
            continue;
        };
        frame = rejects::named(run, source, (pick, &link), frame)?;
        places.push(links::Place::link(at, &link));
    }
    if let Some(latest) = latest {
        let column = format!("pick:{}:{}:latest", target.entity, rule.label);
        let order = run.plan.contract.order_by(&latest.entity, &latest.by);
        let of = (latest.entity.as_str(), latest.of.as_str());
        let right = pointing(run, of, &order, &column, Expr::last)?;
        frame = frame::look_up(frame, right, (col(names::ID), col("_here")));
        places.push(links::Place::row(picks.len(), col(column)));
    }
    Ok(frame.with_columns(links::first_named(places, &target.entity, &rule.label)))
}

/// For every row that rows of another table point at which are in the target, be it by a row that was
/// there before: one of them, by an order.
fn pointing(
    run: &Run<'_>,
    (entity, label): (&str, &str),
    order: &[OrderKey<'_>],
    column: &str,
    pick: fn(Expr) -> Expr,
) -> Result<LazyFrame> {
    let target = run.plan.main_target(entity).map(|target| target.entity.clone());
    let id = names::value(&target.unwrap_or_default(), "id");
    let named = names::link(label);
    // Rows without an id of their own are told apart by the one they are given.
    let order = order_exprs(run, entity, order).chain([col(id.as_str())]).collect::<Vec<_>>();
    let ids = col(id).sort_by(order, SortMultipleOptions::default());
    Ok(run
        .all(entity)?
        .filter(state::is_there().and(col(named.as_str()).is_not_null()))
        .group_by([col(named).alias("_here")])
        .agg([pick(ids).alias(column)]))
}

/// The columns of the facts about a legacy table that an order is made of.
fn order_exprs<'a>(
    run: &'a Run<'_>,
    entity: &'a str,
    order: &'a [OrderKey<'_>],
) -> impl Iterator<Item = Expr> + 'a {
    let target = run.plan.main_target(entity).map_or("", |target| &target.entity);
    order.iter().map(move |key| match key {
        OrderKey::Id => udf::id_order(col(names::ID)),
        OrderKey::Rule(rule) => col(names::value(target, &rule.attr)),
        OrderKey::Attr(name) => col(attrs::exported_place(run, entity, name)),
    })
}

/// Where a target row may be held by one row only, leaves the link to one holder: an existing row
/// first, then the row whose link came from the earliest place of the rule, then the first in the
/// declared order of the source.
fn one_holder(
    run: &Run<'_>,
    (source, target): (&SourcePlan, &TargetPlan),
    rule: &LinkRule,
    frame: LazyFrame,
) -> Result<LazyFrame> {
    let link = run.plan.after.link(&target.entity, &rule.label);
    if link.is_none_or(|link| link.reverse_has == Has::Many) {
        return Ok(frame);
    }
    let value = names::value(&target.entity, &rule.label);
    let id = names::value(&target.entity, "id");
    let name = format!("held.{}.{}", target.entity, rule.label);
    let held = run.checkpoint(frame, &name)?;
    let how = names::how(&target.entity, &rule.label);
    let declared = run.plan.contract.declared_order(&source.entity);
    let first = std::iter::once(col(how.as_str()));
    let first = first.chain(order_exprs(run, &source.entity, &declared)).chain([col(id.as_str())]);
    let first = first.collect::<Vec<_>>();
    let first = col(id.as_str()).sort_by(first, SortMultipleOptions::default()).first();
    let holders = frame::scan(&held)?
        .filter(col(value.as_str()).is_not_null())
        .group_by([col(value.as_str()).alias("_held")])
        .agg([first.alias("_holder")]);
    let frame = frame::look_up(frame::scan(&held)?, holders, (col(value.as_str()), col("_held")));
    let (frame, taken) = match run.existing(&target.entity)? {
        Some(existing) => {
            let taken = existing
                .filter(col(value.as_str()).is_not_null())
                .group_by([col(value.as_str()).alias("_held")])
                .agg([len().alias("_taken")]);
            let frame = frame::look_up(frame, taken, (col(value.as_str()), col("_held")));
            (frame, col("_taken").is_not_null())
        }
        None => (frame, lit(false)),
    };
    let keeps = col("_holder").eq(col(id)).and(taken.not());
    let keep = |name: &str| {
        let kept = when(keeps.clone()).then(col(name)).otherwise(lit(NULL));
        kept.alias(name)
    };
    Ok(frame.with_columns([keep(&value), keep(&how)]))
}

/// Lists the legacy links of migrated rows that became no target link.
fn drop_links(
    run: &Run<'_>,
    source: &SourcePlan,
    target: &TargetPlan,
    reached: &LazyFrame,
    dropped: &mut Vec<PathBuf>,
) -> Result<()> {
    for link in &source.links {
        let (first, condition) = lost(source, link);
        if first != target.entity {
            continue;
        }
        let reason = if condition.is_some() {
            let absent = || col(links::ok(link)).not();
            when(col(links::by_rule(link)))
                .then(lit(names::BY_RULE))
                .when(col(links::at(link)).and(absent()))
                .then(lit(names::QUARANTINED))
                .when(absent())
                .then(lit(names::NOWHERE))
                .otherwise(lit("another row holds the row it names"))
        } else {
            lit("no rule takes it up")
        };
        let id = names::value(&target.entity, "id");
        let frame = reached
            .clone()
            .filter(col(names::link(&link.label)).is_not_null().and(condition.unwrap_or(lit(true))))
            .select([
                lit(source.entity.clone()).alias("entity"),
                lit(link.label.clone()).alias("label"),
                coalesce(&[col(names::ID), col(id)]).alias("from"),
                col(names::link(&link.label)).alias("to"),
                col(names::ROW),
                reason.alias("reason"),
            ]);
        let name = format!("dropped.{}.{}", source.entity, link.label);
        dropped.push(run.checkpoint(frame, &name)?);
        lose_others(run, source, link, reached, dropped)?;
        let rows = run
            .by_id(&source.entity)?
            .select([col(names::ID).alias("_of"), col(names::link(&link.label)).alias("_link")]);
        lose_pairs(run, link, &rows, dropped)?;
    }
    Ok(())
}

/// Lists the ids that places of a link hold and that are not the one that counts.
fn lose_others(
    run: &Run<'_>,
    source: &SourcePlan,
    link: &Link,
    reached: &LazyFrame,
    dropped: &mut Vec<PathBuf>,
) -> Result<()> {
    for (label, column) in links::places(link) {
        let named = || col(column.as_str());
        let frame = reached.clone().filter(named().is_not_null()).select([
            lit(source.entity.clone()).alias("entity"),
            lit(label.clone()).alias("label"),
            col(names::ID).fill_null(lit("")).alias("from"),
            named().alias("to"),
            col(names::ROW),
            lit(names::OTHER_PLACE).alias("reason"),
        ]);
        let name = format!("dropped.other.{}.{}.{label}", source.entity, link.label);
        dropped.push(run.checkpoint(frame, &name)?);
    }
    Ok(())
}

/// Lists pairs held by the other side of a link that no row took up. `rows` has `_of`, the id of a
/// row, and `_link`, what its link names.
fn lose_pairs(
    run: &Run<'_>,
    link: &Link,
    rows: &LazyFrame,
    dropped: &mut Vec<PathBuf>,
) -> Result<()> {
    for (at, links) in run.snapshot.meta().links.iter().enumerate() {
        if !links::is_held(links, link) {
            continue;
        }
        let pairs = frame::scan(&run.snapshot.path(&links.file))?.select([
            udf::id(col("from")).fill_null(lit("")).alias("from"),
            udf::id(col("to")).fill_null(lit("")).alias("to"),
            col("_row").alias(names::ROW),
        ]);
        let both = frame::look_up(pairs, rows.clone(), (col("to"), col("_of")));
        let is_taken = col("_link").eq(col("from")).fill_null(lit(false));
        let reason = when(col("_link").is_null())
            .then(lit("the row it joins is not there"))
            .otherwise(lit(names::OTHER_PLACE));
        let lost = both.filter(is_taken.not()).select([
            lit(links.entity.clone()).alias("entity"),
            lit(links.label.clone()).alias("label"),
            col("from"),
            col("to"),
            col(names::ROW),
            reason.alias("reason"),
        ]);
        let name = format!("dropped.held.{at}.{}", link.name);
        dropped.push(run.checkpoint(lost, &name)?);
    }
    Ok(())
}

/// The first target that reads a link, and when a row's link is lost there; of a link that none
/// reads, the first target and nothing: every one is lost.
fn lost(source: &SourcePlan, link: &Link) -> (String, Option<Expr>) {
    for target in &source.targets {
        let absent = || col(links::ok(link)).not();
        if target.transform.id.from.contains(&link.label) {
            return (target.entity.clone(), Some(absent()));
        }
        if let Some(rule) = target.transform.links.iter().find(|rule| picks(rule, link)) {
            let empty = col(names::value(&target.entity, &rule.label)).is_null();
            return (target.entity.clone(), Some(absent().or(empty)));
        }
    }
    let first = source.targets.first().map(|target| target.entity.clone());
    (first.unwrap_or_default(), None)
}

/// Writes the rows of a target table that exist already, with links whose both ends are there.
pub(super) fn existing(
    run: &Run<'_>,
    target: &str,
    decisions: &Decisions,
    dropped: &mut Vec<PathBuf>,
) -> Result<Option<PathBuf>> {
    let Some(mut frame) = run.existing(target)? else { return Ok(None) };
    let links: Vec<Link> = run.plan.after.columns_of(target).cloned().collect();
    for link in &links {
        let there = there(run, &link.to, decisions)?;
        let there = there.with_columns([lit(true).alias(links::ok(link))]);
        let named = col(names::value(target, &link.label));
        frame = frame::look_up(frame, there, (named, col("_there")));
    }
    let path = run.checkpoint(frame, &format!("carried.{target}"))?;
    let mut kept = Vec::new();
    for link in &links {
        let value = names::value(target, &link.label);
        let is_there = || col(links::ok(link)).fill_null(lit(false));
        let lost = frame::scan(&path)?
            .filter(col(value.as_str()).is_not_null().and(is_there().not()))
            .select([
                lit(target.to_owned()).alias("entity"),
                lit(link.label.clone()).alias("label"),
                col(names::ID).alias("from"),
                col(value.as_str()).alias("to"),
                col(names::ROW),
                lit("the row it names is not there").alias("reason"),
            ]);
        dropped.push(run.checkpoint(lost, &format!("dropped.{target}.{}", link.label))?);
        kept.push(when(is_there()).then(col(value.as_str())).otherwise(lit(NULL)).alias(value));
    }
    for link in &links {
        let rows = frame::scan(&path)?.select([
            col(names::ID).alias("_of"),
            col(names::value(target, &link.label)).alias("_link"),
        ]);
        lose_pairs(run, link, &rows, dropped)?;
    }
    let frame = frame::scan(&path)?.with_columns(kept);
    Ok(Some(run.checkpoint(frame, &format!("existing-rows.{target}"))?))
}

/// The ids a target table has, old and new, as `_there`.
pub(super) fn there(run: &Run<'_>, target: &str, decisions: &Decisions) -> Result<LazyFrame> {
    let mut frames = Vec::new();
    if let Some(moves) = decisions.targets.get(target) {
        let rows = frame::scan(&moves.file)?;
        let except = Column::new("_except".into(), &moves.except);
        let except = DataFrame::new_infer_height(vec![except]).map_err(frame::failed)?;
        let rows = if moves.except.is_empty() {
            rows
        } else {
            frame::not_in(rows, except.lazy(), (col(names::ROW), col("_except")))
        };
        frames.push(rows.select([col(names::value(target, "id")).alias("_there")]));
    }
    if let Some(existing) = run.existing(target)? {
        frames.push(existing.select([udf::id(col(names::ID)).alias("_there")]));
    }
    if frames.is_empty() {
        let none = Column::new_empty("_there".into(), &DataType::String);
        return Ok(DataFrame::new_infer_height(vec![none]).map_err(frame::failed)?.lazy());
    }
    concat(frames, UnionArgs::default()).map_err(frame::failed)
}
