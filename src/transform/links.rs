//! Legacy links: which id a row names, from whichever side or scalar holds it, and whether that row
//! is there.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use polars::prelude::*;

use super::codes::number;
use super::frame::{self, Run};
use super::names;
use super::plan::SourcePlan;
use super::{Outcome, udf};
use crate::contract::Hop;
use crate::error::Result;
use crate::scan;
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

/// Adds the id each link names: of its column, the other side and its scalars the first whose row is in
/// the source, else the first that gives an id. A row that several rows of the other side hold, where the
/// link allows one, names the first of them and is marked as [`ambiguous`], which refuses it.
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
        let mut places: Vec<Expr> = vec![col(own(link)), col(held(link))];
        places.extend((0..link.also.len()).map(|at| col(also(link, at))));
        let label = names::link(&link.label);
        let counts = |place: String| col(place).eq_missing(col(label.as_str()));
        let is_held = counts(held(link)).and(counts(own(link)).not());
        let several = is_held.and(col(ambiguous(link)).fill_null(lit(false)));
        frame = frame
            .with_columns([named(run, link, &places).alias(label.as_str())])
            .with_columns([several.alias(ambiguous(link))]);
    }
    Ok(frame)
}

/// The first id whose row is in the source, else the first.
fn named(run: &Run<'_>, link: &Link, places: &[Expr]) -> Expr {
    let [first, rest @ ..] = places else { return lit(NULL).cast(DataType::String) };
    let file = run.snapshot.table(&link.to).map(|table| run.snapshot.path(&table.file));
    let rows = Arc::new(InSource { file, ids: OnceLock::new() });
    first.clone().map_many(
        move |columns| {
            let texts =
                columns.iter().map(|column| column.str()).collect::<PolarsResult<Vec<_>>>()?;
            let id = |row: usize| rows.first(texts.iter().filter_map(|texts| texts.get(row)));
            let ids: PolarsResult<StringChunked> = (0..columns[0].len()).map(id).collect();
            Ok(ids?.with_name(columns[0].name().clone()).into_column())
        },
        rest,
        |_, fields| Ok(Field::new(fields[0].name.clone(), DataType::String)),
    )
}

/// The rows of a table of the snapshot by the keys of their ids, read once places name different rows.
struct InSource {
    file: Option<PathBuf>,
    ids: OnceLock<std::result::Result<Vec<u128>, String>>,
}

impl InSource {
    fn first<'a>(
        &self,
        mut given: impl Iterator<Item = &'a str> + Clone,
    ) -> PolarsResult<Option<&'a str>> {
        let all = given.clone();
        let Some(first) = given.next() else { return Ok(None) };
        if given.all(|id| id == first) {
            return Ok(Some(first));
        }
        let ids = self.ids.get_or_init(|| self.read().map_err(|error| error.to_string()));
        let ids = ids.as_ref().map_err(|error| polars_err!(ComputeError: "{error}"))?;
        let is_there = |id: &&str| ids.binary_search(&udf::key128(id)).is_ok();
        Ok(all.clone().find(is_there).or(Some(first)))
    }

    fn read(&self) -> Result<Vec<u128>> {
        let mut ids = Vec::new();
        if let Some(file) = &self.file {
            scan::scan(file, &["id"], &mut |row| {
                ids.extend(row.text(0).map(udf::key128));
                Ok(())
            })?;
        }
        ids.sort_unstable();
        Ok(ids)
    }
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

/// By what the rows of a table are found by: the id that they name by a link. Those that are in the
/// target count, where any is; where they name different rows, none is named.
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
    let is_there = super::state::is_there;
    let counts = is_there().eq(is_there().any(true));
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
fn also(link: &Link, at: usize) -> String {
    format!("also:{}:{at}", link.label)
}

/// The columns of a link and of its scalars, with the label of each.
pub(super) fn places(link: &Link) -> impl Iterator<Item = (&String, String)> {
    let scalars = link.also.iter().enumerate().map(|(at, scalar)| (scalar, also(link, at)));
    std::iter::once((&link.label, own(link))).chain(scalars)
}

/// The ids that places of a link hold, where they are other ones than the link's.
pub(super) fn others(link: &Link) -> impl Iterator<Item = Expr> {
    places(link).map(|(_, column)| {
        let named = col(column.as_str());
        let is_other = named.clone().neq(col(names::link(&link.label))).fill_null(lit(false));
        when(is_other).then(named).otherwise(lit(NULL)).alias(column)
    })
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
