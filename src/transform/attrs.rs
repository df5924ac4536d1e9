//! Attribute rules: the value, and the place in its rule it came from.

use std::collections::{BTreeMap, BTreeSet};

use polars::prelude::*;

use super::codes::number;
use super::frame::{self, Run};
use super::links;
use super::names;
use super::plan::{Decided, SourcePlan, TargetPlan, picks_of};
use super::{codes, refs, udf};
use crate::contract::{Constant, LinkPick, OrderKey, Pick, Piece};
use crate::error::{Error, Result};
use crate::schema::{Schema, Type};
use crate::snapshot::Extra;

/// The column that holds one place of a rule, as a value of the target's type.
pub(super) fn place(pick: &Pick, ty: Type) -> String {
    match pick {
        Pick::Attr(name) => format!("attr:{name}:{}", ty.name()),
        Pick::Path { attr, keys } => format!("attr:{attr}.{}:{}", keys.join("."), ty.name()),
        Pick::Server => "attr:$server".to_owned(),
        Pick::Linked { link, attr } => links::over(link, attr),
    }
}

/// The places of decided rules, as they are read from a legacy table: plain columns, JSON paths and
/// row times. Those over links are added by [`links::reach`], those that few rows need by [`spare`].
pub(super) fn columns(run: &Run<'_>, source: &SourcePlan) -> Vec<Expr> {
    let mut found: BTreeMap<String, Expr> = BTreeMap::new();
    let schema = &run.plan.before;
    let spared = unless_found(source);
    for decided in source.targets.iter().flat_map(|target| &target.decided) {
        for pick in &decided.rule.from {
            if spared.contains_key(&place(pick, decided.ty)) {
                continue;
            }
            if let Some(expr) = read(schema, &source.entity, pick, decided.ty) {
                found.insert(place(pick, decided.ty), expr);
            }
        }
    }
    for attr in exported(run, &source.entity) {
        if let Some(ty) = schema.entity(&source.entity).and_then(|e| e.attr(&attr)).map(|a| a.ty) {
            let pick = Pick::Attr(attr);
            if let Some(expr) = read(schema, &source.entity, &pick, ty) {
                found.insert(place(&pick, ty), expr);
            }
        }
    }
    found.into_iter().map(|(name, expr)| expr.alias(name)).collect()
}

/// The columns that rules of other tables read of this one.
pub(super) fn exported_places(run: &Run<'_>, source: &SourcePlan) -> Vec<String> {
    let entity = run.plan.before.entity(&source.entity);
    let typed = |name: String| Some((entity?.attr(&name)?.ty, name));
    let found = exported(run, &source.entity).into_iter().filter_map(typed);
    found.map(|(ty, name)| place(&Pick::Attr(name), ty)).collect()
}

/// The column of such an attribute.
pub(super) fn exported_place(run: &Run<'_>, entity: &str, name: &str) -> String {
    let ty = run.plan.before.entity(entity).and_then(|entity| entity.attr(name));
    place(&Pick::Attr(name.to_owned()), ty.map_or(Type::String, |attr| attr.ty))
}

/// Attributes of a legacy entity that rules elsewhere read: over a link, as a key, or as an order.
fn exported(run: &Run<'_>, entity: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for key in run.plan.contract.order_keys_of(entity) {
        if let OrderKey::Attr(name) = key {
            found.insert(name.to_owned());
        }
    }
    for transform in &run.plan.contract.transforms {
        let leads_here = |link: &str| {
            run.plan.before.link(&transform.source, link).is_some_and(|link| link.to == entity)
        };
        let picks = transform.attrs.iter().flat_map(|rule| &rule.from);
        found.extend(picks.filter_map(|pick| match pick {
            Pick::Linked { link, attr } if leads_here(link) => Some(attr.clone()),
            _ => None,
        }));
        for pick in transform.links.iter().flat_map(picks_of) {
            let LinkPick::Key { attr, entity: other, key } = pick else { continue };
            found.extend((other == entity).then(|| key.clone()));
            found.extend((transform.source == entity).then(|| attr.clone()));
        }
    }
    found
}

/// A place inside a payload that counts only where plain columns before it are empty.
struct Spared {
    pick: Pick,
    ty: Type,
    /// By rule: the columns before it.
    before: Vec<Vec<String>>,
}

/// The JSON paths that need not be read of every row, by place.
fn unless_found(source: &SourcePlan) -> BTreeMap<String, Spared> {
    let mut found: BTreeMap<String, Spared> = BTreeMap::new();
    let mut always = BTreeSet::new();
    for decided in source.targets.iter().flat_map(|target| &target.decided) {
        let rule = &decided.rule;
        for (at, pick) in rule.from.iter().enumerate() {
            let Pick::Path { .. } = pick else { continue };
            let name = place(pick, decided.ty);
            let plain = |pick: &Pick| match pick {
                Pick::Attr(name) if name != "id" => Some(name.clone()),
                _ => None,
            };
            let before: Option<Vec<String>> = rule.from[..at].iter().map(plain).collect();
            // An id or a key of blanks alone is empty too, which a column does not show.
            let is_plain = rule.refers.is_none() && !decided.is_key;
            match before.filter(|before| !before.is_empty() && is_plain) {
                Some(before) => {
                    let (pick, ty) = (pick.clone(), decided.ty);
                    let spared = Spared { pick, ty, before: Vec::new() };
                    found.entry(name).or_insert(spared).before.push(before);
                }
                None => drop(always.insert(name)),
            }
        }
    }
    found.retain(|name, _| !always.contains(name));
    found
}

/// Adds the places inside payloads that only some rows need: payloads of the others are not read.
pub(super) fn spare(run: &Run<'_>, source: &SourcePlan, frame: LazyFrame) -> Result<LazyFrame> {
    let mut frame = frame;
    for (name, spared) in unless_found(source) {
        let empty = |columns: &Vec<String>| {
            let nulls = columns.iter().map(|column| col(column.as_str()).is_null());
            nulls.reduce(Expr::and).unwrap_or(lit(true))
        };
        let needed = spared.before.iter().map(empty).reduce(Expr::or).unwrap_or(lit(true));
        let value = read(&run.plan.before, &source.entity, &spared.pick, spared.ty);
        let value = value.ok_or_else(|| Error::bug("a path is not read"))?.alias(name.as_str());
        let found = run.table(&source.entity)?.filter(needed);
        let found = found.select([col(Extra::ROW).alias("_spared"), value]);
        let found = frame::collect(found)?;
        frame = if found.height() == 0 {
            let ty = found.column(&name).map_err(frame::failed)?.dtype().clone();
            frame.with_columns([lit(NULL).cast(ty).alias(name)])
        } else {
            frame::look_up(frame, found.lazy(), (col(names::ROW), col("_spared")))
        };
    }
    Ok(frame)
}

fn read(schema: &Schema, entity: &str, pick: &Pick, ty: Type) -> Option<Expr> {
    match pick {
        Pick::Attr(name) if name == "id" => Some(col("id")),
        Pick::Attr(name) => {
            let from = schema.entity(entity)?.attr(name)?.ty;
            let value = col(name.as_str());
            Some(if ty == Type::Any && from != Type::Any { as_json(value, from) } else { value })
        }
        Pick::Path { attr, keys } => Some(at_path(col(attr.as_str()), keys, ty)),
        Pick::Server => Some(
            (col(Extra::SERVER) * lit(1000_i64))
                .cast(DataType::Datetime(TimeUnit::Microseconds, Some(TimeZone::UTC))),
        ),
        Pick::Linked { .. } => None,
    }
}

fn at_path(value: Expr, keys: &[String], ty: Type) -> Expr {
    match ty {
        Type::Number => udf::path_whole(value, keys).cast(DataType::Float64),
        Type::Boolean => udf::path_boolean(value, keys).eq(lit("1")),
        Type::Any => udf::json_string(udf::path_text(value, keys)),
        Type::String | Type::Date => udf::path_text(value, keys),
    }
}

fn as_json(value: Expr, from: Type) -> Expr {
    match from {
        Type::Any => value,
        Type::String => udf::json_string(value),
        Type::Number => udf::number_text(value),
        Type::Boolean => when(value.clone().is_null())
            .then(lit(NULL))
            .otherwise(when(value).then(lit("true")).otherwise(lit("false")))
            .cast(DataType::String),
        Type::Date => udf::json_string(value.dt().to_string("%Y-%m-%dT%H:%M:%S%.6fZ")),
    }
}

/// What rules of a legacy table read over one of its links: the column of the other table's state,
/// and the name it gets here.
pub(super) fn over(run: &Run<'_>, source: &SourcePlan, link: &str) -> Vec<(String, String)> {
    let mut found = BTreeSet::new();
    let other = run.plan.before.link(&source.entity, link).map_or("", |link| &link.to);
    for rule in source.targets.iter().flat_map(|target| &target.transform.attrs) {
        for pick in &rule.from {
            let Pick::Linked { link: label, attr } = pick else { continue };
            if label != link || attr == "id" {
                continue;
            }
            let entity = run.plan.before.entity(other);
            let column = match entity.and_then(|entity| entity.attr(attr)) {
                Some(found) => place(&Pick::Attr(attr.clone()), found.ty),
                None => names::link(attr),
            };
            found.insert((column, links::over(label, attr)));
        }
    }
    found.into_iter().collect()
}

/// Adds the decided attributes of a target table, but for templates: the value, which place of the
/// rule it came from, and what the mapping of values made of it.
pub(super) fn decide(
    run: &Run<'_>,
    source: &SourcePlan,
    target: &TargetPlan,
    frame: LazyFrame,
) -> Result<LazyFrame> {
    // The value of a `ref` is an id, and an id of blanks alone is absent.
    let places = |decided: &Decided| -> Vec<Expr> {
        let picks = decided.rule.from.iter();
        picks.map(|pick| udf::id(named(run, source, pick, decided))).collect()
    };
    let frame = refs::choose(run, target, &places, frame)?;
    let values = target.decided.iter().flat_map(|decided| value(run, source, target, decided));
    let frame = frame.with_columns(values.collect::<Vec<_>>());
    let templates = target.decided.iter().filter_map(|decided| template(target, decided));
    let frame = frame.with_columns(templates.flatten().collect::<Vec<_>>());
    let keys = target.decided.iter().filter(|decided| decided.is_key);
    let blanks: Vec<Expr> = keys.map(|decided| blank(run, source, target, decided)).collect();
    Ok(if blanks.is_empty() { frame } else { frame.with_columns(blanks) })
}

fn value(run: &Run<'_>, source: &SourcePlan, target: &TargetPlan, decided: &Decided) -> Vec<Expr> {
    let rule = &decided.rule;
    if rule.built.is_some() {
        let none = |name: String, ty| lit(NULL).cast(ty).alias(name);
        return vec![
            none(names::value(&target.entity, &rule.attr), DataType::String),
            none(names::how(&target.entity, &rule.attr), DataType::Int32),
            none(names::mapped(&target.entity, &rule.attr), DataType::Int32),
        ];
    }
    let place = |pick: &Pick| {
        let value = linked(run, source, pick, decided);
        if decided.is_key { udf::not_blank(value) } else { value }
    };
    let mut how: Vec<Expr> = Vec::new();
    let mut found = match &rule.refers {
        Some(entity) => {
            how.push(col(names::how(&target.entity, &rule.attr)));
            refs::value(run, target, (rule, entity))
        }
        None => {
            let places: Vec<Expr> = rule.from.iter().map(place).collect();
            for (at, place) in places.iter().enumerate() {
                how.push(code(place.clone().is_not_null(), number(at)));
            }
            coalesce(&places)
        }
    };
    let absent = found.clone().is_null();
    let mut mapped = lit(NULL).cast(DataType::Int32);
    if let Some(values) = &rule.values {
        mapped = udf::mapping_code(found.clone(), values);
        found = udf::mapping(found, values);
    }
    if let Some(missing) = &rule.missing {
        how.push(code(lit(true), number(rule.from.len() + 1)));
        found = when(absent).then(constant(missing)).otherwise(found);
    }
    vec![
        found.alias(names::value(&target.entity, &rule.attr)),
        coalesce(&how).alias(names::how(&target.entity, &rule.attr)),
        mapped.alias(names::mapped(&target.entity, &rule.attr)),
    ]
}

/// What the mapping of values did, or that a key has blanks alone and nothing else stands in.
fn blank(run: &Run<'_>, source: &SourcePlan, target: &TargetPlan, decided: &Decided) -> Expr {
    let rule = &decided.rule;
    let mapped = names::mapped(&target.entity, &rule.attr);
    let is_blank = rule.from.iter().map(|pick| {
        let value = linked(run, source, pick, decided);
        value.clone().is_not_null().and(udf::not_blank(value).is_null())
    });
    let is_blank = is_blank.reduce(Expr::or).unwrap_or(lit(false));
    let absent = col(names::value(&target.entity, &rule.attr)).is_null();
    let blank = code(absent.and(is_blank), codes::BLANK);
    coalesce(&[col(mapped.as_str()), blank]).alias(mapped)
}

fn code(condition: Expr, code: i32) -> Expr {
    when(condition).then(lit(code)).otherwise(lit(NULL)).cast(DataType::Int32)
}

/// One place of a rule; over a link, ids are those of the target.
fn linked(run: &Run<'_>, source: &SourcePlan, pick: &Pick, decided: &Decided) -> Expr {
    let Pick::Linked { link, attr } = pick else { return col(place(pick, decided.ty)) };
    let Some(link) = run.plan.before.link(&source.entity, link) else {
        return lit(NULL).cast(DataType::String);
    };
    if attr == "id" {
        return when(col(links::ok(link))).then(col(links::end(link))).otherwise(lit(NULL));
    }
    let read = col(links::over(&link.label, attr));
    match run.plan.before.link(&link.to, attr) {
        Some(next) => refer(run, read, &next.to),
        None => read,
    }
}

/// One place of a `ref` rule: over a link, ids are those of the source.
fn named(run: &Run<'_>, source: &SourcePlan, pick: &Pick, decided: &Decided) -> Expr {
    match pick {
        Pick::Linked { link, attr } if attr == "id" => col(names::link(link)),
        Pick::Linked { link, attr } => col(links::over(link, attr)),
        _ => linked(run, source, pick, decided),
    }
}

/// The target id of a legacy row, or the id of a target row.
fn refer(run: &Run<'_>, id: Expr, entity: &str) -> Expr {
    match run.plan.main_target(entity) {
        Some(target) => udf::target_id(udf::id(id), &run.plan.contract.namespace, &target.entity),
        None => udf::id(id),
    }
}

fn constant(constant: &Constant) -> Expr {
    match constant {
        Constant::Text(text) => lit(text.clone()),
        Constant::Number(number) => lit(*number),
        Constant::Boolean(value) => lit(*value),
    }
}

fn template(target: &TargetPlan, decided: &Decided) -> Option<[Expr; 2]> {
    let rule = &decided.rule;
    let pieces: Vec<Expr> = rule
        .template
        .as_ref()
        .or(rule.built.as_ref())?
        .pieces
        .iter()
        .map(|piece| match piece {
            Piece::Text(text) => lit(text.clone()),
            Piece::Attr(name) => text_of(target, name),
        })
        .collect();
    let name = names::value(&target.entity, &rule.attr);
    let how = names::how(&target.entity, &rule.attr);
    let made = concat_str(pieces, "", false);
    let is_repair = lit(rule.built.is_none());
    let is_made = col(name.as_str()).is_null().and(made.clone().is_not_null()).and(is_repair);
    Some([
        col(name.as_str()).fill_null(made).alias(name),
        when(is_made).then(lit(number(rule.from.len()))).otherwise(col(how.as_str())).alias(how),
    ])
}

fn text_of(target: &TargetPlan, name: &str) -> Expr {
    let value = col(names::value(&target.entity, name));
    let ty = target.decided.iter().find(|decided| decided.rule.attr == name).map(|found| found.ty);
    match ty {
        Some(Type::Number) => udf::number_text(value),
        Some(Type::Date) => value.dt().to_string("%Y-%m-%dT%H:%M:%S%.6fZ"),
        _ => value.cast(DataType::String),
    }
}
