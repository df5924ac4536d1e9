//! Legacy links: which id a row names, from whichever side or scalar holds it, and whether that row
//! is there.

use polars::prelude::*;

use super::codes::number;
use super::frame::{self, Run};
use super::names;
use super::plan::SourcePlan;
use super::udf;
use crate::error::Result;
use crate::schema::Link;
use crate::snapshot::LinksMeta;

/// The columns of a legacy table that its links need, as they are read.
pub(super) fn columns(source: &SourcePlan) -> Vec<Expr> {
    let mut found = Vec::new();
    for link in &source.links {
        found.push(udf::id(col(link.label.as_str())).alias(own(link)));
        for (at, scalar) in link.also.iter().enumerate() {
            found.push(udf::id(col(scalar.as_str())).alias(also(link, at)));
        }
    }
    found
}

/// Adds the id each link names, and where it was found. A row that several rows of the other side
/// hold, where the link allows one, names none: it is marked as [`ambiguous`].
pub(super) fn resolve(run: &Run<'_>, source: &SourcePlan, frame: LazyFrame) -> Result<LazyFrame> {
    let mut frame = frame;
    for link in &source.links {
        frame = match held_by_other_side(run, link)? {
            Some(pairs) => frame::look_up(frame, pairs, (col(names::ID), col("_held_to"))),
            None => frame.with_columns([
                lit(NULL).cast(DataType::String).alias(held(link)),
                lit(false).alias(ambiguous(link)),
            ]),
        };
        let own = || col(own(link));
        let held = || col(held(link));
        let scalars = || (0..link.also.len()).map(|at| col(also(link, at)));
        let mut places: Vec<Expr> = vec![own(), held()];
        places.extend(scalars());
        let hows = scalars().enumerate().map(|(at, scalar)| {
            when(scalar.is_not_null()).then(lit(number(at + 1))).otherwise(lit(NULL))
        });
        let first = when(own().is_not_null().or(held().is_not_null())).then(lit(0));
        let mut how = vec![first.otherwise(lit(NULL)).cast(DataType::Int32)];
        how.extend(hows.map(|how| how.cast(DataType::Int32)));
        frame = frame.with_columns([
            coalesce(&places).alias(names::link(&link.label)),
            coalesce(&how).alias(names::link_how(&link.label)),
            own().is_null().and(col(ambiguous(link)).fill_null(lit(false))).alias(ambiguous(link)),
        ]);
    }
    Ok(frame)
}

/// Whether a link file of the snapshot holds a link from its reverse side.
pub fn is_held(links: &LinksMeta, link: &Link) -> bool {
    links.is_back_of(link) && links.rows > 0
}

/// The ids that rows of the other side hold, one line per row of this side: `_held_to`, the holder,
/// and whether there is more than one.
fn held_by_other_side(run: &Run<'_>, link: &Link) -> Result<Option<LazyFrame>> {
    let files = run.snapshot.meta().links.iter().filter(|links| is_held(links, link));
    let mut frames = Vec::new();
    for links in files {
        frames.push(frame::scan(&run.snapshot.path(&links.file))?.select([
            udf::id(col("from")).alias(held(link)),
            udf::id(col("to")).alias("_held_to"),
        ]));
    }
    if frames.is_empty() {
        return Ok(None);
    }
    let pairs = concat(frames, UnionArgs::default()).map_err(frame::failed)?;
    let pairs = pairs.filter(col(held(link)).is_not_null());
    let holders = || col(held(link));
    Ok(Some(
        pairs.group_by([col("_held_to")]).agg([
            when(holders().n_unique().eq(lit(1)))
                .then(holders().min())
                .otherwise(lit(NULL))
                .alias(held(link)),
            holders().n_unique().gt(lit(1)).alias(ambiguous(link)),
        ]),
    ))
}

/// Adds to every row whether the row its link names is in the source ([`at`]), whether it is there to
/// link to ([`ok`]), the id it has there ([`end`]), and what rules read of
/// it (`over:<label>.<name>`).
pub(super) fn reach(
    run: &Run<'_>,
    frame: LazyFrame,
    link: &Link,
    over: &[(String, String)],
) -> Result<LazyFrame> {
    let named = names::link(&link.label);
    if run.plan.before.entity(&link.to).is_none() {
        return reach_existing(run, frame, link, &named);
    }
    let mut wanted = vec![
        col(names::ID).alias("_end"),
        lit(true).alias(at(link)),
        super::state::is_there().alias(ok(link)),
    ];
    wanted.extend(over.iter().map(|(column, name)| col(column.as_str()).alias(name.as_str())));
    let main = run.plan.contract.id_transform(&link.to);
    let target = main.map_or("", |rules| rules.target.as_str());
    let is_own = main.is_none_or(|rules| rules.id.is_own());
    if !is_own {
        wanted.push(col(names::value(target, "id")).alias(end(link)));
    }
    let right = run.by_id(&link.to)?.filter(col(names::ID).is_not_null()).select(wanted);
    let mut frame = frame::look_up(frame, right, (col(named.as_str()), col("_end")));
    if is_own {
        // Made of the id that is named: cheaper than to look it up.
        let space = &run.plan.contract.namespace;
        frame = frame.with_columns([udf::target_id(col(named), space, target).alias(end(link))]);
    }
    let there = |name: String| col(name.as_str()).fill_null(lit(false)).alias(name);
    Ok(frame.with_columns([there(at(link)), there(ok(link))]))
}

fn reach_existing(run: &Run<'_>, frame: LazyFrame, link: &Link, named: &str) -> Result<LazyFrame> {
    let frame = frame.with_columns([col(named).alias(end(link))]);
    let Some(existing) = run.existing(&link.to)? else {
        return Ok(frame.with_columns([lit(false).alias(at(link)), lit(false).alias(ok(link))]));
    };
    let right = existing.select([col(names::ID).alias("_end"), lit(true).alias(ok(link))]);
    let frame = frame::look_up(frame, right, (col(named), col("_end")));
    let there = || col(ok(link)).fill_null(lit(false));
    Ok(frame.with_columns([there().alias(at(link)), there().alias(ok(link))]))
}

/// Whether the named row is in the source.
pub(super) fn at(link: &Link) -> String {
    format!("at:{}", link.label)
}

/// Whether the named row can be linked to.
pub(super) fn ok(link: &Link) -> String {
    format!("ok:{}", link.label)
}

/// The target id of the named row.
pub(super) fn end(link: &Link) -> String {
    format!("end:{}", link.label)
}

/// Whether several rows of the other side hold this one.
pub(super) fn ambiguous(link: &Link) -> String {
    format!("ambiguous:{}", link.label)
}

/// What a rule reads over a link.
pub(super) fn over(link: &str, attr: &str) -> String {
    format!("over:{link}.{attr}")
}

fn own(link: &Link) -> String {
    format!("own:{}", link.label)
}

fn held(link: &Link) -> String {
    format!("held:{}", link.label)
}

/// The id a scalar holds.
pub(super) fn also(link: &Link, at: usize) -> String {
    format!("also:{}:{at}", link.label)
}

/// The id a scalar holds, where it is another one than the link's.
pub(super) fn other(link: &Link, at: usize) -> Expr {
    let named = col(also(link, at));
    let is_other = named.clone().neq(col(names::link(&link.label))).fill_null(lit(false));
    when(is_other).then(named).otherwise(lit(NULL)).alias(also(link, at))
}

/// One place of a link rule: when it names a row, and the target id of that row if it is there.
pub(super) struct Place {
    at: usize,
    names: Expr,
    end: Expr,
}

impl Place {
    /// A place that only ever names rows that are there.
    pub(super) fn row(at: usize, end: Expr) -> Self {
        Self { at, names: end.clone().is_not_null(), end }
    }
}

/// The place that a legacy link of this row is.
pub(super) fn place(source: &SourcePlan, label: &str, at: usize) -> Option<Place> {
    let link = source.links.iter().find(|link| link.label == label)?;
    let end = when(col(ok(link))).then(col(end(link))).otherwise(lit(NULL));
    Some(Place { at, names: col(self::at(link)), end: end.cast(DataType::String) })
}

/// The target link by the first place that names a row of the source, and which place that was.
/// A row that is named and was refused is no reason to look further: the link stays empty.
pub(super) fn first_named(places: Vec<Place>, target: &str, label: &str) -> [Expr; 2] {
    let mut value = lit(NULL).cast(DataType::String);
    let mut how = lit(NULL).cast(DataType::Int32);
    for place in places.into_iter().rev() {
        let code = when(place.end.clone().is_not_null()).then(lit(number(place.at)));
        let code = code.otherwise(lit(NULL)).cast(DataType::Int32);
        value = when(place.names.clone()).then(place.end).otherwise(value);
        how = when(place.names).then(code).otherwise(how);
    }
    [value.alias(names::value(target, label)), how.alias(names::how(target, label))]
}
