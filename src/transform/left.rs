//! Link values between rows that are both in the target, and that nothing takes there.

use polars::prelude::*;

use super::frame::{self, Run};
use super::names;
use super::plan::SourcePlan;
use super::{Decisions, Outcome, carried, links};
use crate::error::Result;
use crate::schema::{Has, Link};
use crate::snapshot::LinksMeta;

/// How many values are named.
const FIRST: u32 = 3;

/// Values of one link that stay behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftLink {
    /// The entity whose rows hold the link in the source.
    pub entity: String,
    /// Its label.
    pub label: String,
    /// How many values.
    pub values: u64,
    /// The first of them: the ids of both ends, as the target has them.
    pub first: Vec<(String, String)>,
}

/// Finds the links of link files that do not follow their rows, and those of the legacy model that no
/// rule takes up.
pub(super) fn find(run: &Run<'_>, decisions: &Decisions) -> Result<Vec<LeftLink>> {
    let mut found = Vec::new();
    let taken = carried::taken(run);
    for (at, links) in run.snapshot.meta().links.iter().enumerate() {
        if !taken.contains(&at) && !is_read(run, links) {
            let pairs = carried::reached(run, links, decisions)?;
            found.push(left(run, (&links.entity, &links.label), pairs)?);
        }
    }
    for source in &run.plan.sources {
        for link in source.links.iter().filter(|link| !run.plan.contract.takes_up(link)) {
            let pairs = named(run, source, link)?;
            found.push(left(run, (&source.entity, &link.label), pairs)?);
        }
    }
    found.retain(|links| links.values > 0);
    Ok(found)
}

/// Whether a link file is read as the other side of a link.
fn is_read(run: &Run<'_>, file: &LinksMeta) -> bool {
    let before = run.plan.before.links.iter().filter(|link| link.has == Has::One);
    let mut links = before.chain(&run.plan.after.links);
    links.any(|link| links::is_held(file, link))
}

/// The ends in the target of the values that migrated rows have of a has-one link.
fn named(run: &Run<'_>, source: &SourcePlan, link: &Link) -> Result<LazyFrame> {
    let migrated = col(names::OUTCOME).eq(lit(Outcome::Migrated as i32));
    let has_one = col(names::link(&link.label)).is_not_null();
    let rows = run.all(&source.entity)?.filter(migrated.and(has_one));
    let target = run.plan.main_target(&source.entity).map(|target| target.entity.clone());
    let id = names::value(&target.unwrap_or_default(), "id");
    Ok(links::reach(run, rows, link, &[])?.select([
        col(id).alias("from"),
        when(col(links::ok(link))).then(col(links::end(link))).otherwise(lit(NULL)).alias("to"),
    ]))
}

fn left(run: &Run<'_>, (entity, label): (&str, &str), pairs: LazyFrame) -> Result<LeftLink> {
    let whole = pairs.filter(col("from").is_not_null().and(col("to").is_not_null()));
    let whole = whole.select([col("from"), col("to")]);
    let whole = frame::scan(&run.checkpoint(whole, &format!("left.{entity}.{label}"))?)?;
    let values = frame::collect(whole.clone().select([len().alias("_rows")]))?;
    let values = values.column("_rows").and_then(|column| column.get(0)?.try_extract::<u64>());
    let first = frame::collect(whole.limit(FIRST))?;
    let column = |name: &str| -> Result<Vec<String>> {
        let texts = first.column(name).and_then(|column| column.str().cloned());
        let texts = texts.map_err(frame::failed)?;
        Ok(texts.iter().map(|text| text.unwrap_or_default().to_owned()).collect())
    };
    Ok(LeftLink {
        entity: entity.to_owned(),
        label: label.to_owned(),
        values: values.map_err(frame::failed)?,
        first: column("from")?.into_iter().zip(column("to")?).collect(),
    })
}
