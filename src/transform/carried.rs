//! Links that no rule of the contract makes: has-many ones of its model, and the app's own that follow
//! the rows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use polars::prelude::*;

use super::frame::{self, Run};
use super::names;
use super::{Decisions, Outcome, ends, udf};
use crate::error::Result;
use crate::reconcile::{CarriedLink, Fit};
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
    /// A `carried` one as the target has it, with what holds in every row.
    pub link: Option<CarriedLink>,
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

/// Resolves every link file that goes into the bundle; pairs that lost an end are listed in `dropped`.
pub(super) fn resolve(
    run: &Run<'_>,
    decisions: &Decisions,
    dropped: &mut Vec<PathBuf>,
) -> Result<Vec<CarriedLinks>> {
    let mut found = Vec::new();
    for mut group in groups(run) {
        let mut frames = Vec::new();
        for (at, is_turned) in &group.files {
            let links = &run.snapshot.meta().links[*at];
            let file = piece(run, links, (*at, *is_turned), decisions, dropped)?;
            frames.push(frame::scan(&file)?);
            group.links.pieces.push(counts(links, &file)?);
        }
        let all = concat(frames, UnionArgs::default()).map_err(frame::failed)?;
        let once = all
            .group_by([col("from"), col("to")])
            .agg([col(names::ORIGIN).max()])
            .sort(["from", "to"], SortMultipleOptions::default());
        group.links.file = run.checkpoint(once, &format!("links.{}", found.len()))?;
        if let Some(carried) = &mut group.links.link {
            // The rows of another entity, and with them what they hold, stay as the app has them.
            if run.plan.after.entity(&carried.link.on).is_some() {
                let fit = fit(run, &group.links.file, carried, decisions)?;
                carried.fit(fit);
            }
        }
        found.push(group.links);
    }
    Ok(found)
}

/// The link files of one link: their places, and whether they are turned.
struct Group {
    links: CarriedLinks,
    files: Vec<(usize, bool)>,
}

/// The places of the link files that go into the bundle.
pub(super) fn taken(run: &Run<'_>) -> BTreeSet<usize> {
    groups(run).into_iter().flat_map(|group| group.files).map(|(at, _)| at).collect()
}

/// The has-many links of the model, then the carried ones, by entity and label.
fn groups(run: &Run<'_>) -> Vec<Group> {
    let group = |(entity, label, target): (&str, &str, &str), link: Option<&CarriedLink>| Group {
        links: CarriedLinks {
            entity: entity.to_owned(),
            label: label.to_owned(),
            target: target.to_owned(),
            role: if link.is_some() { "carried" } else { "declared" }.to_owned(),
            link: link.cloned(),
            file: PathBuf::new(),
            pieces: Vec::new(),
        },
        files: Vec::new(),
    };
    let mut found = BTreeMap::new();
    for (at, links) in run.snapshot.meta().links.iter().enumerate() {
        let many = run.plan.after.link(&links.entity, &links.label);
        if links.role == "carried" || many.is_none_or(|link| link.has == Has::One) {
            continue;
        }
        let names = (links.entity.as_str(), links.label.as_str());
        let group =
            found.entry(names).or_insert_with(|| group((names.0, names.1, &links.target), None));
        group.files.push((at, false));
    }
    for carried in &run.plan.carried {
        let link = &carried.link;
        let new = || group((&link.on, &link.label, &link.to), Some(carried));
        let group = found.entry(link.ahead()).or_insert_with(new);
        group.files.extend(carried.files.iter().map(|file| (file.at, file.is_turned)));
    }
    found.into_values().collect()
}

/// What holds of the pairs of a link in every row of the target.
fn fit(run: &Run<'_>, file: &Path, carried: &CarriedLink, decisions: &Decisions) -> Result<Fit> {
    let once = |end: &str| -> Result<bool> {
        let ends = frame::scan(file)?.group_by([col(end)]).agg([len().alias("_rows")]);
        Ok(frame::count(ends.filter(col("_rows").gt(lit(1))))? == 0)
    };
    let whole = || -> Result<bool> {
        // polars 0.55 panics where it counts the rows of several files put together.
        let there = ends::there(run, &carried.link.on, decisions)?;
        let rows = frame::count(frame::scan(&run.checkpoint(there, "there")?)?)?;
        Ok(rows == frame::count(frame::scan(file)?.group_by([col("from")]).agg([len()]))?)
    };
    Ok(Fit {
        one: carried.link.has == Has::Many || once("from")?,
        reverse_one: carried.link.reverse_has == Has::Many || once("to")?,
        whole: !carried.link.rules.required || whole()?,
    })
}

fn piece(
    run: &Run<'_>,
    links: &LinksMeta,
    (at, is_turned): (usize, bool),
    decisions: &Decisions,
    dropped: &mut Vec<PathBuf>,
) -> Result<PathBuf> {
    let pairs = reached(run, links, decisions)?;
    let reached = run.checkpoint(pairs, &format!("pairs.{at}"))?;
    let whole = || col("from").is_not_null().and(col("to").is_not_null());
    let is = |outcome: Outcome| {
        let code = outcome as i32;
        col("from:is").eq(lit(code)).or(col("to:is").eq(lit(code))).fill_null(lit(false))
    };
    let reason = when(col("_from").is_null())
        .then(lit("the row that holds it has no id"))
        .when(is(Outcome::Quarantined))
        .then(lit("a row it joins was quarantined"))
        .when(is(Outcome::Dropped))
        .then(lit("a row it joins is dropped by a rule"))
        .otherwise(lit("a row it joins is not there"));
    let lost = frame::scan(&reached)?.filter(whole().not()).select([
        lit(links.entity.clone()).alias("entity"),
        lit(links.label.clone()).alias("label"),
        col("_from").alias("from"),
        col("_to").alias("to"),
        col("_row").alias(names::ROW),
        reason.alias("reason"),
    ]);
    dropped.push(run.checkpoint(lost, &format!("dropped.pairs.{at}"))?);
    let legacy = |entity: &str| run.plan.before.entity(entity).is_some();
    let migrated = legacy(&links.entity) || legacy(&links.target);
    let origin = if migrated { names::MIGRATED } else { names::EXISTING };
    let (from, to) = if is_turned { ("to", "from") } else { ("from", "to") };
    let kept = frame::scan(&reached)?.filter(whole()).select([
        col(from).alias("from"),
        col(to).alias("to"),
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

/// Adds the id one end has in the target, null when that row is not there, and the outcome of a legacy
/// row that is in the source.
fn end(
    run: &Run<'_>,
    pairs: LazyFrame,
    entity: &str,
    (raw, name): (&str, &str),
    decisions: &Decisions,
) -> Result<LazyFrame> {
    let outcome = format!("{name}:is");
    let none = || lit(NULL).cast(DataType::Int32).alias(outcome.as_str());
    let keyed = |pairs: LazyFrame| pairs.with_columns([udf::id(col(raw)).alias("_raw")]);
    if run.plan.before.entity(entity).is_some() {
        let target = run.plan.main_target(entity).map(|target| target.entity.as_str());
        let id = names::value(target.unwrap_or_default(), "id");
        let there = when(super::state::is_there()).then(col(id)).otherwise(lit(NULL));
        let right = run.by_id(entity)?.filter(col(names::ID).is_not_null()).select([
            col(names::ID).alias("_legacy"),
            there.alias(name),
            col(names::OUTCOME).alias(outcome.as_str()),
        ]);
        let pairs = frame::look_up(keyed(pairs), right, (col("_raw"), col("_legacy")));
        return Ok(pairs.drop(cols(["_raw"])));
    }
    if run.plan.after.entity(entity).is_some() {
        let right = ends::there(run, entity, decisions)?
            .with_columns([col("_there").alias(name)])
            .select([col("_there"), col(name)]);
        let pairs = frame::look_up(keyed(pairs), right, (col("_raw"), col("_there")));
        return Ok(pairs.drop(cols(["_raw"])).with_columns([none()]));
    }
    Ok(pairs.with_columns([col(raw).alias(name), none()]))
}

fn counts(links: &LinksMeta, file: &Path) -> Result<Piece> {
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
