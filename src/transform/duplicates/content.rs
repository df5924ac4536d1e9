//! What rows say, whatever the layout of their source: which of several is kept is told by it.

use std::collections::BTreeMap;
use std::path::Path;

use polars::prelude::*;

use crate::digest::{RowDigest, Value};
use crate::error::{Error, Result};
use crate::schema::Type;
use crate::snapshot::Extra;
use crate::transform::frame::{self, Run};
use crate::transform::names;
use crate::transform::plan::SourcePlan;

/// What a row says: its dates in declared order, then all of it as one digest. Links take part by the
/// ids they name, from whichever side or attribute holds them; what the contract does not declare takes
/// no part.
#[derive(Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Content {
    dates: Vec<Option<i64>>,
    digest: u128,
}

/// Reads the content of some rows, by `_row`: few of them.
pub(super) fn read(
    run: &Run<'_>,
    source: &SourcePlan,
    facts: &Path,
    rows: &DataFrame,
) -> Result<BTreeMap<i64, Content>> {
    let attrs = attrs(run, source);
    let wanted = rows
        .clone()
        .lazy()
        .select([col(names::ROW).alias("_wanted")])
        .unique(None, UniqueKeepStrategy::Any);
    let few = |frame: LazyFrame, row: &str| {
        frame::only_in(frame, wanted.clone(), (col(row), col("_wanted")))
    };
    let wide = attrs.iter().map(|(name, ty)| {
        let value = col(name.as_str());
        if *ty == Type::Date { value.cast(DataType::Int64) } else { value }
    });
    let wide = few(run.table(&source.entity)?, Extra::ROW)
        .select(wide.chain([col(Extra::ROW).alias(names::ROW)]).collect::<Vec<_>>());
    let links: Vec<&str> = source.links.iter().map(|link| link.label.as_str()).collect();
    let narrow = links
        .iter()
        .map(|label| col(names::link(label)).alias(link_column(label)))
        .chain([col(names::ROW).alias("_linked")]);
    let narrow = few(frame::scan(facts)?, names::ROW).select(narrow.collect::<Vec<_>>());
    let found = frame::collect(frame::look_up(wide, narrow, (col(names::ROW), col("_linked"))))?;
    contents(&found, &attrs, &links)
        .map_err(frame::failed)?
        .ok_or_else(|| Error::bug("a rival row has no number"))
}

fn link_column(label: &str) -> String {
    format!("_names:{label}")
}

/// The declared attributes of a legacy table but those that only spell a link.
pub(super) fn attrs(run: &Run<'_>, source: &SourcePlan) -> Vec<(String, Type)> {
    let attrs = run.plan.before.entity(&source.entity).map_or(&[][..], |entity| &entity.attrs);
    let spells = |name: &String| source.links.iter().any(|link| link.also.contains(name));
    attrs
        .iter()
        .filter(|attr| !spells(&attr.name))
        .map(|attr| (attr.name.clone(), attr.ty))
        .collect()
}

fn contents(
    found: &DataFrame,
    attrs: &[(String, Type)],
    links: &[&str],
) -> PolarsResult<Option<BTreeMap<i64, Content>>> {
    let columns =
        attrs.iter().map(|(name, ty)| Ok((name.as_str(), Cells::read(found.column(name)?, *ty)?)));
    let columns = columns.collect::<PolarsResult<Vec<_>>>()?;
    let ids = links
        .iter()
        .map(|label| Ok((*label, Cells::Text(found.column(&link_column(label))?.str()?.clone()))));
    let ids = ids.collect::<PolarsResult<Vec<_>>>()?;
    let rows = found.column(names::ROW)?.i64()?;
    let mut digest = RowDigest::default();
    let content = |at: usize| {
        let dates = columns
            .iter()
            .filter_map(|(_, cells)| cells.dates())
            .map(|dates| dates.get(at))
            .collect();
        let cells = columns.iter().chain(&ids).map(|(name, cells)| (*name, cells.at(at)));
        Some((rows.get(at)?, Content { dates, digest: digest.of(cells) }))
    };
    Ok((0..found.height()).map(content).collect())
}

/// The values of a column.
enum Cells {
    Text(StringChunked),
    Json(StringChunked),
    Number(Float64Chunked),
    Boolean(BooleanChunked),
    Date(Int64Chunked),
}

impl Cells {
    fn read(column: &Column, ty: Type) -> PolarsResult<Self> {
        Ok(match ty {
            Type::String => Cells::Text(column.str()?.clone()),
            Type::Any => Cells::Json(column.str()?.clone()),
            Type::Number => Cells::Number(column.f64()?.clone()),
            Type::Boolean => Cells::Boolean(column.bool()?.clone()),
            Type::Date => Cells::Date(column.i64()?.clone()),
        })
    }

    fn at(&self, row: usize) -> Value<'_> {
        match self {
            Cells::Text(texts) => texts.get(row).map_or(Value::Absent, Value::Text),
            Cells::Json(texts) => texts.get(row).map_or(Value::Absent, Value::Json),
            Cells::Number(numbers) => numbers.get(row).map_or(Value::Absent, Value::Number),
            Cells::Boolean(values) => values.get(row).map_or(Value::Absent, Value::Boolean),
            Cells::Date(dates) => dates.get(row).map_or(Value::Absent, Value::Date),
        }
    }

    fn dates(&self) -> Option<&Int64Chunked> {
        if let Cells::Date(dates) = self { Some(dates) } else { None }
    }
}
