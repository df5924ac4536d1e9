//! Links between these rows and other entities of the app: they follow the row.

use std::collections::BTreeMap;
use std::path::PathBuf;

use polars::prelude::*;

use super::frame::{self, Run};
use super::names;
use super::{Decisions, ends, udf};
use crate::error::Result;
use crate::schema::Has;
use crate::snapshot::LinksMeta;

/// A link file of the bundle in the making: `from`, `to`, `_origin`, sorted, each pair once.
#[derive(Debug)]
pub struct CarriedLinks {
    /// The entity that holds the label: a target entity, or another one of the app.
    pub entity: String,
    /// The label.
    pub label: String,
    /// The entity it leads to.
    pub target: String,
    /// `carried` or `declared`.
    pub role: String,
    /// The file.
    pub file: PathBuf,
    /// The files of the snapshot it comes from, with their equations' numbers.
    pub pieces: Vec<Piece>,
}

/// What became of one link file of the snapshot.
#[derive(Debug, Clone)]
pub struct Piece {
    /// The entity that held the link.
    pub entity: String,
    /// Its label.
    pub label: String,
    /// Pairs in the snapshot.
    pub values: u64,
    /// Pairs whose rows are there.
    pub there: u64,
    /// Different pairs of them.
    pub different: u64,
}

/// Resolves every carried link file; pairs that lost an end are listed in `dropped`.
pub(super) fn resolve(
    run: &Run<'_>,
    decisions: &Decisions,
    dropped: &mut Vec<PathBuf>,
) -> Result<Vec<CarriedLinks>> {
    let mut groups: BTreeMap<(String, String, String), Vec<(LinksMeta, PathBuf)>> = BTreeMap::new();
    for (at, links) in run.snapshot.meta().links.iter().enumerate() {
        if !is_carried(run, links) {
            continue;
        }
        let file = piece(run, links, at, decisions, dropped)?;
        let key = (renamed(run, &links.entity), links.label.clone(), renamed(run, &links.target));
        groups.entry(key).or_default().push((links.clone(), file));
    }
    let mut found = Vec::new();
    for ((entity, label, target), files) in groups {
        let mut frames = Vec::new();
        let mut pieces = Vec::new();
        for (links, file) in &files {
            frames.push(frame::scan(file)?);
            pieces.push(counts(links, file)?);
        }
        let all = concat(frames, UnionArgs::default()).map_err(frame::failed)?;
        let once = all
            .group_by([col("from"), col("to")])
            .agg([col(names::ORIGIN).max()])
            .sort(["from", "to"], SortMultipleOptions::default());
        let file = run.checkpoint(once, &format!("links.{}", found.len()))?;
        let role = files.first().map_or_else(String::new, |(links, _)| links.role.clone());
        found.push(CarriedLinks { entity, label, target, role, file, pieces });
    }
    Ok(found)
}

pub(super) fn is_carried(run: &Run<'_>, links: &LinksMeta) -> bool {
    let many = run.plan.after.link(&links.entity, &links.label);
    match links.role.as_str() {
        "carried" => run.plan.contract.unmapped.carry_links,
        _ => many.is_some_and(|link| link.has == Has::Many),
    }
}

/// A legacy entity under the name its rows go by in the target.
fn renamed(run: &Run<'_>, entity: &str) -> String {
    run.plan.main_target(entity).map_or_else(|| entity.to_owned(), |target| target.entity.clone())
}

fn piece(
    run: &Run<'_>,
    links: &LinksMeta,
    at: usize,
    decisions: &Decisions,
    dropped: &mut Vec<PathBuf>,
) -> Result<PathBuf> {
    let pairs = reached(run, links, decisions)?;
    let reached = run.checkpoint(pairs, &format!("pairs.{at}"))?;
    let whole = || col("from").is_not_null().and(col("to").is_not_null());
    let lost = frame::scan(&reached)?.filter(whole().not()).select([
        lit(links.entity.clone()).alias("entity"),
        lit(links.label.clone()).alias("label"),
        col("_from").alias("from"),
        col("_to").alias("to"),
        col("_row").alias(names::ROW),
        lit("a row it joins was quarantined or is not there").alias("reason"),
    ]);
    dropped.push(run.checkpoint(lost, &format!("dropped.pairs.{at}"))?);
    let legacy = |entity: &str| run.plan.before.entity(entity).is_some();
    let migrated = legacy(&links.entity) || legacy(&links.target);
    let origin = if migrated { names::MIGRATED } else { names::EXISTING };
    let kept = frame::scan(&reached)?.filter(whole()).select([
        col("from"),
        col("to"),
        lit(origin).alias(names::ORIGIN),
    ]);
    run.checkpoint(kept, &format!("kept.{at}"))
}

/// The pairs of a link file in their order, with both ends as the target has them; null where that row
/// is not there.
pub(super) fn reached(
    run: &Run<'_>,
    links: &LinksMeta,
    decisions: &Decisions,
) -> Result<LazyFrame> {
    let pairs = frame::scan(&run.snapshot.path(&links.file))?.select([
        col("from").alias("_from"),
        col("to").alias("_to"),
        col("_row"),
    ]);
    let pairs = end(run, pairs, &links.entity, ("_from", "from"), decisions)?;
    end(run, pairs, &links.target, ("_to", "to"), decisions)
}

/// Adds the id one end has in the target; null when that row is not there.
fn end(
    run: &Run<'_>,
    pairs: LazyFrame,
    entity: &str,
    (raw, name): (&str, &str),
    decisions: &Decisions,
) -> Result<LazyFrame> {
    if run.plan.before.entity(entity).is_some() {
        let target = renamed(run, entity);
        let is_there = super::state::is_there();
        let right = run.by_id(entity)?.filter(is_there.and(col(names::ID).is_not_null())).select([
            col(names::ID).alias("_legacy"),
            col(names::value(&target, "id")).alias(name),
        ]);
        let pairs = pairs.with_columns([udf::id(col(raw)).alias("_raw")]);
        return Ok(frame::look_up(pairs, right, (col("_raw"), col("_legacy"))).drop(cols(["_raw"])));
    }
    if run.plan.after.entity(entity).is_some() {
        let right = ends::there(run, entity, decisions)?
            .with_columns([col("_there").alias(name)])
            .select([col("_there"), col(name)]);
        let pairs = pairs.with_columns([udf::id(col(raw)).alias("_raw")]);
        return Ok(frame::look_up(pairs, right, (col("_raw"), col("_there"))).drop(cols(["_raw"])));
    }
    Ok(pairs.with_columns([col(raw).alias(name)]))
}

fn counts(links: &LinksMeta, file: &std::path::Path) -> Result<Piece> {
    Ok(Piece {
        entity: links.entity.clone(),
        label: links.label.clone(),
        values: links.rows,
        there: frame::count(frame::scan(file)?)?,
        different: frame::count(
            frame::scan(file)?.group_by([col("from"), col("to")]).agg([len()]),
        )?,
    })
}
