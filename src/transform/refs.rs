//! `ref` values: ids of rows of another legacy table that an attribute holds. Of several places the
//! first whose row is there counts; what leads to no row is listed as a lost link is.

use std::path::PathBuf;
use std::sync::Arc;

use polars::prelude::*;

use super::codes::number;
use super::frame::{self, Run};
use super::plan::{Decided, SourcePlan, TargetPlan};
use super::{Outcome, codes, names, state, udf};
use crate::contract::AttrRule;
use crate::error::Result;

/// Adds what each `ref` attribute of a target table takes: the id as its place gives it
/// ([`names::refers`]), and which place that is. `places` are the ids of the places of a rule.
pub(super) fn choose(
    run: &Run<'_>,
    target: &TargetPlan,
    places: &dyn Fn(&Decided) -> Vec<Expr>,
    frame: LazyFrame,
) -> Result<LazyFrame> {
    let rules = target.decided.iter();
    let rules: Vec<(&Decided, &String)> =
        rules.filter_map(|decided| Some((decided, decided.rule.refers.as_ref()?))).collect();
    if rules.is_empty() {
        return Ok(frame);
    }
    let raw = |rule: &AttrRule| names::refers(&target.entity, &rule.attr);
    let how = |rule: &AttrRule| names::how(&target.entity, &rule.attr);
    let place = |rule: &AttrRule, at: usize| col(format!("{}:{at}", raw(rule)));
    let (mut all, mut codes, mut taken) = (Vec::new(), Vec::new(), Vec::new());
    for (decided, entity) in &rules {
        let rule = &decided.rule;
        let given = places(decided).into_iter().enumerate();
        all.extend(given.map(|(at, place)| place.alias(format!("{}:{at}", raw(rule)))));
        let count = rule.from.len();
        let code = match count {
            0 => lit(NULL),
            1 => when(place(rule, 0).is_not_null()).then(lit(0)).otherwise(lit(NULL)),
            _ => {
                let is_by_source = run.plan.order.is_by_source(&target.entity, &rule.attr);
                let rows = if is_by_source { Rows::in_source } else { Rows::in_target };
                first_there(rows(run, entity)?, (0..count).map(|at| place(rule, at)))
            }
        };
        codes.push(code.cast(DataType::Int32).alias(how(rule)));
        let value = (0..count).rev().fold(lit(NULL).cast(DataType::String), |rest, at| {
            when(col(how(rule)).eq(lit(number(at)))).then(place(rule, at)).otherwise(rest)
        });
        taken.push(value.alias(raw(rule)));
    }
    let mut frame = frame.with_columns(all).with_columns(codes).with_columns(taken);
    for (decided, entity) in rules {
        if has_real_id(run, target, &decided.rule, entity) {
            frame = with_real_id(run, entity, &raw(&decided.rule), frame)?;
        }
    }
    Ok(frame)
}

/// Whether the target id of what a `ref` attribute takes has to be looked up, and can be by now.
fn has_real_id(run: &Run<'_>, target: &TargetPlan, rule: &AttrRule, entity: &str) -> bool {
    !run.plan.has_own_ids(entity) && !run.plan.order.is_by_source(&target.entity, &rule.attr)
}

/// The target id of what a `ref` attribute takes, by the columns of [`choose`].
pub(super) fn value(run: &Run<'_>, target: &TargetPlan, (rule, entity): (&AttrRule, &str)) -> Expr {
    let raw = names::refers(&target.entity, &rule.attr);
    let mapped = || match run.plan.main_target(entity) {
        Some(main) => udf::target_id(col(raw.as_str()), &run.plan.contract.namespace, &main.entity),
        None => col(raw.as_str()),
    };
    if has_real_id(run, target, rule, entity) {
        return coalesce(&[col(real(&raw)), mapped()]);
    }
    mapped()
}

/// The id as a place gives it, where it is another text than the target id.
pub(super) fn kept(target: &TargetPlan, decided: &Decided) -> Option<Expr> {
    decided.rule.refers.as_ref()?;
    let raw = names::refers(&target.entity, &decided.rule.attr);
    let value = col(names::value(&target.entity, &decided.rule.attr));
    let other = when(col(raw.as_str()).eq_missing(value)).then(lit(NULL)).otherwise(col(&raw));
    Some(other.cast(DataType::String).alias(raw))
}

fn real(raw: &str) -> String {
    format!("{raw}:real")
}

/// Adds the id that the named row has in the target, where that is not known from the one it is named
/// by.
fn with_real_id(run: &Run<'_>, entity: &str, raw: &str, frame: LazyFrame) -> Result<LazyFrame> {
    let main = run.plan.main_target(entity).map(|main| names::value(&main.entity, "id"));
    let right = run.by_id(entity)?.filter(state::is_there().and(col(names::ID).is_not_null()));
    let right = right.select([
        col(names::ID).alias("_named"),
        col(main.unwrap_or_else(|| names::ID.to_owned())).alias(real(raw)),
    ]);
    Ok(frame::look_up(frame, right, (col(raw), col("_named"))))
}

/// The place of the first id whose row is there, else of the first id.
fn first_there(rows: Rows, mut places: impl Iterator<Item = Expr>) -> Expr {
    let Some(first) = places.next() else { return lit(NULL) };
    let rows = Arc::new(rows);
    first.map_many(
        move |columns| {
            let texts =
                columns.iter().map(|column| column.str()).collect::<PolarsResult<Vec<_>>>()?;
            let place = |row: usize| rows.first(texts.iter().map(|texts| texts.get(row)));
            let places: Int32Chunked =
                (0..columns[0].len()).map(|row| place(row).map(number)).collect();
            Ok(places.with_name(columns[0].name().clone()).into_column())
        },
        &places.collect::<Vec<_>>(),
        |_, fields| Ok(Field::new(fields[0].name.clone(), DataType::Int32)),
    )
}

/// The `ref` attributes whose rows have ids of their own that were not known yet.
pub(super) fn late<'a>(run: &Run<'_>, target: &'a TargetPlan) -> Vec<&'a AttrRule> {
    let rules = target.decided.iter().map(|decided| &decided.rule);
    let is_late = |rule: &&AttrRule| {
        let entity = rule.refers.as_ref().filter(|_| rule.is_ref());
        entity.is_some_and(|entity| !run.plan.has_own_ids(entity))
            && run.plan.order.is_by_source(&target.entity, &rule.attr)
    };
    rules.filter(is_late).collect()
}

/// Gives a `ref` attribute the id that the named row has in the target, when every row is decided.
pub(super) fn with_late_id(
    run: &Run<'_>,
    target: &TargetPlan,
    rule: &AttrRule,
    frame: LazyFrame,
) -> Result<LazyFrame> {
    let Some(entity) = &rule.refers else { return Ok(frame) };
    let raw = names::refers(&target.entity, &rule.attr);
    let value = names::value(&target.entity, &rule.attr);
    let given = coalesce(&[col(raw.as_str()), col(value.as_str())]);
    let frame = frame.with_columns([given.alias(raw.as_str())]);
    let frame = with_real_id(run, entity, &raw, frame)?;
    Ok(frame.with_columns([coalesce(&[col(real(&raw)), col(value.as_str())]).alias(value)]))
}

/// Lists the `ref` values of new target rows that lead to no row, when every row is decided; gives how
/// many there are of each attribute.
pub(super) fn lose(
    run: &Run<'_>,
    (source, target): (&SourcePlan, &TargetPlan),
    reached: &LazyFrame,
    lost: &mut Vec<PathBuf>,
) -> Result<Vec<(String, String, u64)>> {
    let mut given = Vec::new();
    let is_new = || col(names::how(&target.entity, "id")).neq(lit(codes::ID_ADOPTED));
    for rule in target.decided.iter().map(|decided| &decided.rule).filter(|rule| rule.is_ref()) {
        let Some(entity) = &rule.refers else { continue };
        let (value, raw) =
            (names::value(&target.entity, &rule.attr), names::refers(&target.entity, &rule.attr));
        let is_given = col(names::how(&target.entity, &rule.attr)).lt(lit(number(rule.from.len())));
        let named = coalesce(&[col(raw), col(value.as_str())]).alias("to");
        let frame = reached.clone().filter(is_new().and(is_given));
        given.push((target.entity.clone(), rule.attr.clone(), frame::count(frame.clone())?));
        let frame = frame.select([
            lit(source.entity.clone()).alias("entity"),
            lit(value.clone()).alias("label"),
            coalesce(&[col(names::ID), col(names::value(&target.entity, "id"))]).alias("from"),
            named,
            col(names::ROW),
        ]);
        let frame = frame.with_columns([Rows::in_target(run, entity)?.reason().alias("reason")]);
        let frame = frame.filter(col("reason").is_not_null());
        let name = format!("dropped.{}.{}", target.entity, rule.attr);
        lost.push(run.checkpoint(frame, &name)?);
    }
    Ok(given)
}

/// Which rows of a legacy table an id may lead to; 16 bytes a row.
struct Rows {
    /// Keys of ids of the source whose row is there.
    there: Vec<u128>,
    /// Ids of the target that are there, whatever gave them.
    ids: Vec<u128>,
    quarantined: Vec<u128>,
    dropped: Vec<u128>,
    maker: udf::IdMaker,
}

impl Rows {
    /// The rows that are in the source.
    fn in_source(run: &Run<'_>, entity: &str) -> Result<Self> {
        let ids = run.table(entity)?.select([udf::id(col("id")).alias(names::ID)]);
        Ok(Self { there: keys(ids)?, ..Self::of(run, entity)? })
    }

    /// The rows that are in the target: by themselves, by one they were merged into, or since before.
    fn in_target(run: &Run<'_>, entity: &str) -> Result<Self> {
        let named = |rows: Expr, id: &str| -> Result<Vec<u128>> {
            keys(run.all(entity)?.filter(rows).select([col(id).alias(names::ID)]))
        };
        let is = |outcome: Outcome| col(names::OUTCOME).eq(lit(outcome as i32));
        let mut rows = Self::of(run, entity)?;
        if let Some(main) = run.plan.main_target(entity) {
            rows.ids.extend(named(state::is_there(), &names::value(&main.entity, "id"))?);
            rows.ids.sort_unstable();
        }
        if !run.plan.has_own_ids(entity) {
            rows.there = named(state::is_there(), names::ID)?;
        }
        rows.quarantined = named(is(Outcome::Quarantined), names::ID)?;
        rows.dropped = named(is(Outcome::Dropped), names::ID)?;
        Ok(rows)
    }

    /// The rows that existed before alone.
    fn of(run: &Run<'_>, entity: &str) -> Result<Self> {
        let target = run.plan.main_target(entity).map_or(entity, |main| &main.entity);
        let existing = run.existing(target)?.map(|rows| keys(rows.select([col(names::ID)])));
        Ok(Self {
            there: Vec::new(),
            ids: existing.transpose()?.unwrap_or_default(),
            quarantined: Vec::new(),
            dropped: Vec::new(),
            maker: udf::IdMaker::new(&run.plan.contract.namespace, target),
        })
    }

    fn has(&self, id: &str) -> bool {
        let is = |keys: &[u128], key: u128| keys.binary_search(&key).is_ok();
        is(&self.there, udf::key128(id)) || is(&self.ids, self.maker.key128(id))
    }

    fn first<'a>(&self, ids: impl Iterator<Item = Option<&'a str>>) -> Option<usize> {
        let mut given = None;
        for (at, id) in ids.enumerate() {
            let Some(id) = id else { continue };
            if self.has(id) {
                return Some(at);
            }
            given = given.or(Some(at));
        }
        given
    }

    /// Why the id in the column `to` leads to no row; null where it leads to one.
    fn reason(self) -> Expr {
        udf::words(col("to"), move |id| {
            let is = |keys: &[u128]| keys.binary_search(&udf::key128(id)).is_ok();
            match () {
                () if self.has(id) => None,
                () if is(&self.quarantined) => Some(names::QUARANTINED),
                () if is(&self.dropped) => Some(names::BY_RULE),
                () => Some(names::NOWHERE),
            }
        })
    }
}

/// The keys of the ids of a frame, in order.
fn keys(ids: LazyFrame) -> Result<Vec<u128>> {
    let found = frame::collect(ids)?;
    let found = found.column(names::ID).and_then(|column| column.str().cloned());
    let found = found.map_err(frame::failed)?;
    let mut keys: Vec<u128> = found.iter().flatten().map(udf::key128).collect();
    keys.sort_unstable();
    Ok(keys)
}
