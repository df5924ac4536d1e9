//! Legacy links: which id a row names, from whichever side or scalar holds it, and whether that row
//! is there.

use polars::prelude::*;

use super::codes::number;
use super::frame::{self, Run};
use super::names;
use super::plan::SourcePlan;
use super::{Outcome, udf};
use crate::contract::Hop;
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

/// Adds the id each link names. A row that several rows of the other side hold, where the link allows
/// one, names the first of them and is marked as [`ambiguous`], which refuses it.
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
        frame = frame.with_columns([
            coalesce(&places).alias(names::link(&link.label)),
            own().is_null().and(col(ambiguous(link)).fill_null(lit(false))).alias(ambiguous(link)),
        ]);
    }
    Ok(frame)
}

/// Whether a link file of the snapshot holds a link from its reverse side.
pub fn is_held(links: &LinksMeta, link: &Link) -> bool {
    links.entity == link.to
        && links.label == link.reverse
        && links.target == link.on
        && links.role == "declared"
        && links.rows > 0
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
    Ok(Some(pairs.group_by([col("_held_to")]).agg([
        holders().min().alias(held(link)),
        holders().n_unique().gt(lit(1)).alias(ambiguous(link)),
    ])))
}

/// Adds to every row whether the row its link names is in the source ([`at`]), whether it is there to
/// link to ([`ok`]) or a rule drops it ([`by_rule`]), the id it has there ([`end`]), and what rules read of
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
        col(names::OUTCOME).eq(lit(Outcome::Dropped as i32)).alias(by_rule(link)),
    ];
    wanted.extend(over.iter().map(|(column, name)| col(column.as_str()).alias(name.as_str())));
    let main = run.plan.contract.id_transform(&link.to);
    let target = main.map_or("", |rules| rules.target.as_str());
    let is_own = main.is_none() || run.plan.has_own_ids(&link.to);
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
    Ok(frame.with_columns([there(at(link)), there(ok(link)), there(by_rule(link))]))
}

fn reach_existing(run: &Run<'_>, frame: LazyFrame, link: &Link, named: &str) -> Result<LazyFrame> {
    let no = |name: String| lit(false).alias(name);
    let frame = frame.with_columns([col(named).alias(end(link)), no(by_rule(link))]);
    let Some(existing) = run.existing(&link.to)? else {
        return Ok(frame.with_columns([no(at(link)), no(ok(link))]));
    };
    let right = existing.select([col(names::ID).alias("_end"), lit(true).alias(ok(link))]);
    let frame = frame::look_up(frame, right, (col(named), col("_end")));
    let there = || col(ok(link)).fill_null(lit(false));
    Ok(frame.with_columns([there().alias(at(link)), there().alias(ok(link))]))
}

/// Adds what a link over two hops names, as [`resolve`] and [`reach`] do for a link of the row.
pub(super) fn over_hop(
    run: &Run<'_>,
    (source, by, take): (&SourcePlan, &Hop, &str),
    hop: &Link,
    frame: LazyFrame,
) -> Result<LazyFrame> {
    let (entity, found_by, key) = match by {
        Hop::Link(label) => {
            let first = run.plan.before.link(&source.entity, label);
            let entity = first.map(|link| link.to.clone()).unwrap_or_default();
            (entity, names::ID.to_owned(), names::link(label))
        }
        Hop::Reverse { entity, label } => {
            (entity.clone(), names::link(label), names::ID.to_owned())
        }
    };
    let named = taken(run, &entity, (&found_by, take), &names::link(&hop.label))?;
    let reached = reach(run, named, hop, &[])?;
    Ok(frame::look_up(frame, reached, (col(key), col("_middle"))))
}

/// By what the rows of a table are found by: the id that they name by a link. The migrated rows count,
/// where any is; where they name different rows, none is named.
fn taken(
    run: &Run<'_>,
    entity: &str,
    (found_by, take): (&str, &str),
    column: &str,
) -> Result<LazyFrame> {
    let rows = run.all(entity)?.filter(col(found_by).is_not_null());
    let named = col(names::link(take));
    if found_by == names::ID && !run.shares_ids(entity)? {
        return Ok(rows.select([col(found_by).alias("_middle"), named.alias(column)]));
    }
    let migrated = || col(names::OUTCOME).eq(lit(Outcome::Migrated as i32));
    let counts = migrated().eq(migrated().any(true));
    let named = named.filter(counts).drop_nulls();
    let one = when(named.clone().n_unique().eq(lit(1))).then(named.min()).otherwise(lit(NULL));
    Ok(rows.group_by([col(found_by).alias("_middle")]).agg([one.alias(column)]))
}

/// Whether the named row is in the source.
pub(super) fn at(link: &Link) -> String {
    format!("at:{}", link.label)
}

/// Whether the named row can be linked to.
pub(super) fn ok(link: &Link) -> String {
    format!("ok:{}", link.label)
}

/// Whether a rule makes no target row of the named row.
pub(super) fn by_rule(link: &Link) -> String {
    format!("rule:{}", link.label)
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

    /// A place that names the row a link leads to, by the columns that [`reach`] adds.
    pub(super) fn link(at: usize, link: &Link) -> Self {
        let end = when(col(ok(link))).then(col(end(link))).otherwise(lit(NULL));
        Self { at, names: col(self::at(link)), end: end.cast(DataType::String) }
    }
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
