//! Ids of target rows: kept, mapped, derived, or those of existing rows.

use polars::prelude::*;

use super::codes::{ID_ADOPTED, ID_DERIVED, number};
use super::frame::{self, Run};
use super::links;
use super::names;
use super::plan::{SourcePlan, TargetPlan};
use super::udf;
use crate::error::Result;
use crate::schema::Type;

/// Adds the id of the target row, and how it came about. The decided attributes are there.
pub(super) fn decide(
    run: &Run<'_>,
    source: &SourcePlan,
    target: &TargetPlan,
    frame: LazyFrame,
) -> Result<LazyFrame> {
    let (frame, adopted) = adopt(run, target, frame)?;
    let mut ids = Vec::new();
    let mut hows = Vec::new();
    let mut texts = Vec::new();
    let mut take = |id: Expr, how: Expr, text: Expr| {
        hows.push(
            when(id.clone().is_not_null()).then(how).otherwise(lit(NULL)).cast(DataType::Int32),
        );
        texts.push(when(id.clone().is_not_null()).then(text).otherwise(lit(NULL)));
        ids.push(id);
    };
    let none = || lit(NULL).cast(DataType::String);
    for from in &target.transform.id.from {
        match source.links.iter().find(|link| link.label == *from) {
            Some(link) => {
                let id = when(col(links::ok(link))).then(col(links::end(link)));
                take(id.otherwise(lit(NULL)), lit(ID_ADOPTED), none());
            }
            None => {
                let text = || id_text(run, source, from);
                let space = &run.plan.contract.namespace;
                let id = udf::target_id(text(), space, &target.entity);
                take(id, udf::is_mapped(text()), text());
            }
        }
    }
    for column in &adopted {
        take(col(column.as_str()), lit(ID_ADOPTED), none());
    }
    if let Some(key) = derive_key(run, source, target) {
        let id = udf::derived_id(key, &run.plan.contract.namespace, &target.entity);
        take(id, lit(ID_DERIVED), none());
    }
    let mut columns = vec![
        coalesce(&ids).alias(names::value(&target.entity, "id")),
        coalesce(&hows).alias(names::how(&target.entity, "id")),
    ];
    if target.takes_other_ids(source) {
        columns.push(coalesce(&texts).alias(names::id_text(&target.entity)));
    }
    Ok(frame.with_columns(columns))
}

fn id_text(run: &Run<'_>, source: &SourcePlan, name: &str) -> Expr {
    if name == "id" {
        return col(names::ID);
    }
    let ty = run.plan.before.entity(&source.entity).and_then(|entity| entity.attr(name));
    let value = col(key_column(name));
    match ty.map(|attr| attr.ty) {
        Some(Type::Number) => udf::number_text(value),
        _ => udf::id(value.cast(DataType::String)),
    }
}

/// Columns of a legacy table that ids are made of, as they are read.
pub(super) fn columns(source: &SourcePlan) -> Vec<Expr> {
    let mut names: Vec<&String> = Vec::new();
    for target in &source.targets {
        let rule = &target.transform.id;
        names.extend(rule.from.iter().chain(rule.derive.iter().flatten()));
    }
    names.sort();
    names.dedup();
    let is_link = |name: &str| source.links.iter().any(|link| link.label == name);
    let plain = names.into_iter().filter(|name| *name != "id" && !is_link(name));
    plain.map(|name| col(name.as_str()).alias(key_column(name))).collect()
}

fn key_column(name: &str) -> String {
    format!("key:{name}")
}

/// The text an id is derived from: the parts joined by `:`, absent when one of them is.
fn derive_key(run: &Run<'_>, source: &SourcePlan, target: &TargetPlan) -> Option<Expr> {
    let parts = target.transform.id.derive.as_ref()?.iter().map(|name| {
        match source.links.iter().find(|link| link.label == *name) {
            Some(link) => col(names::link(&link.label)),
            None => id_text(run, source, name),
        }
    });
    Some(concat_str(parts.collect::<Vec<_>>(), ":", false))
}

/// Looks up existing rows that share a unique value: adds their ids, one column an attribute.
fn adopt(run: &Run<'_>, target: &TargetPlan, frame: LazyFrame) -> Result<(LazyFrame, Vec<String>)> {
    let mut frame = frame;
    let mut columns = Vec::new();
    let Some(existing) = run.existing(&target.entity)? else { return Ok((frame, columns)) };
    for (at, attr) in target.transform.adopt.iter().enumerate() {
        let column = format!("adopt:{}:{}", target.entity, number(at));
        let value = names::value(&target.entity, attr);
        let right = existing
            .clone()
            .filter(col(value.as_str()).is_not_null())
            .group_by([col(value.as_str()).alias("_key")])
            .agg([col(names::ID).min().alias(column.as_str())]);
        frame = frame::look_up(frame, right, (col(value), col("_key")));
        columns.push(column);
    }
    Ok((frame, columns))
}
