//! The rows of a target table: wide columns of the snapshot, moved by the decisions about them.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray, UInt32Array, new_null_array,
};
use arrow::compute::{interleave, is_not_null, take};
use arrow::datatypes::{DataType, Field, Schema as Columns, SchemaRef};

use super::residue::Home;
use super::{Origin, built, read};
use crate::contract::{AttrRule, Pick};
use crate::error::{Error, Result};
use crate::schema::Type;
use crate::snapshot::{Extra, Snapshot};
use crate::transform::{Decisions, Moves, NO_RANK, Plan, SourcePlan, TargetPlan, names};

/// Where a value came from, beside the value; `how:<attr>` and `mapped:<attr>`.
pub(super) fn how(attr: &str) -> String {
    format!("how:{attr}")
}

/// What a mapping of values did.
pub(super) fn mapped(attr: &str) -> String {
    format!("mapped:{attr}")
}

/// The text that the id of a row was made of: its legacy id, or what the rule takes instead.
pub(super) const LEGACY_ID: &str = "legacy_id";

/// The columns of a target table on their way through the sorter: those of the bundle, then how
/// each value came about.
pub(super) fn columns(plan: &Plan, target: &str) -> SchemaRef {
    let mut fields: Vec<Field> = super::columns(&plan.after, target)
        .fields()
        .iter()
        .map(|field| field.as_ref().clone())
        .collect();
    let mut code = |name: String| fields.push(Field::new(name, DataType::Int32, true));
    if let Some((_, target)) = plan.target(target) {
        code(how("id"));
        for rule in &target.transform.attrs {
            code(how(&rule.attr));
            code(mapped(&rule.attr));
        }
        for rule in &target.transform.links {
            code(how(&rule.label));
        }
        fields.push(Field::new(LEGACY_ID, DataType::Utf8, true));
        let home = Home::of(plan, &target.entity);
        fields.extend(home.iter().flat_map(Home::fields).cloned());
    }
    Arc::new(Columns::new(fields))
}

/// Takes rows with the places they get.
pub(super) type Ranked<'a> = dyn FnMut(RecordBatch, &[u32]) -> Result<()> + 'a;

/// Gives every row of a target table, migrated and existing, with its place.
pub(super) fn push_all(
    plan: &Plan,
    snapshot: &Snapshot,
    decisions: &Decisions,
    target: &str,
    give: &mut Ranked<'_>,
) -> Result<()> {
    let schema = columns(plan, target);
    if let (Some((source, target)), Some(rows)) =
        (plan.target(target), decisions.targets.get(target))
    {
        migrated(plan, snapshot, (source, target), rows, &mut |batch, rows| {
            push(give, &decisions.ranks[&target.entity].migrated, batch, rows)
        })?;
    }
    if let Some(rows) = decisions.existing.get(target) {
        existing(plan, snapshot, (target, rows), &schema, &mut |batch, rows| {
            push(give, &decisions.ranks[target].existing, batch, rows)
        })?;
    }
    Ok(())
}

fn push(give: &mut Ranked<'_>, ranks: &[u32], batch: RecordBatch, rows: &Int64Array) -> Result<()> {
    let rank = |row: &i64| usize::try_from(*row).ok().and_then(|row| ranks.get(row).copied());
    let ranks: Option<Vec<u32>> = rows.values().iter().map(rank).collect();
    match ranks.filter(|ranks| !ranks.contains(&NO_RANK)) {
        Some(ranks) => give(batch, &ranks),
        None => Err(Error::bug("a row to move has no place")),
    }
}

type Take<'a> = dyn FnMut(RecordBatch, &Int64Array) -> Result<()> + 'a;

fn migrated(
    plan: &Plan,
    snapshot: &Snapshot,
    (source, target): (&SourcePlan, &TargetPlan),
    moves: &Moves,
    give: &mut Take<'_>,
) -> Result<()> {
    let wide = carried_columns(plan, target);
    let schema = columns(plan, &target.entity);
    let home = Home::of(plan, &target.entity);
    let decided = read::ByRow::open(&moves.file, Some(&moves.columns), &moves.except)?;
    walk(snapshot, (&source.entity, Some(&wide)), decided, &mut |batch, at, lines| {
        let kept = read::whole(lines, moves.place)?;
        give(assemble((plan, target, home.as_ref()), &schema, (batch, at), lines)?, &kept)
    })
}

/// The columns of a legacy table that a target carries, those that its residue is made of, and the
/// place of each row.
pub(super) fn carried_columns(plan: &Plan, target: &TargetPlan) -> Vec<String> {
    let mut wide: Vec<String> = vec![Extra::ROW.to_owned()];
    wide.extend(target.carried.iter().flat_map(|rule| &rule.from).filter_map(attr_of));
    wide.extend(Home::of(plan, &target.entity).iter().flat_map(Home::reads));
    wide.extend(target.transform.explode.iter().flat_map(built::columns));
    wide
}

type Step<'a> = dyn FnMut(&RecordBatch, &UInt32Array, &RecordBatch) -> Result<()> + 'a;

/// Walks a table of the snapshot beside the decisions about its rows: each step has wide rows, the
/// places of the decided ones among them, and the decisions.
fn walk(
    snapshot: &Snapshot,
    (entity, columns): (&str, Option<&[String]>),
    mut decided: read::ByRow<'_>,
    step: &mut Step<'_>,
) -> Result<()> {
    let table = snapshot.table(entity).ok_or_else(|| Error::bug("a table is gone"))?;
    let path = snapshot.path(&table.file);
    let mut reader = read::columns(&path, columns, None)?;
    while let Some(batch) = read::next(&mut reader, &path)? {
        let places = read::whole(&batch, Extra::ROW)?;
        let Some(last) = places.values().last() else { continue };
        let Some(lines) = decided.below(last + 1)? else { continue };
        let first = places.value(0);
        let place = |row: &i64| u32::try_from(row - first).unwrap_or(u32::MAX);
        let kept = read::whole(&lines, names::ROW)?;
        let at: UInt32Array = kept.values().iter().map(place).collect();
        step(&batch, &at, &lines)?;
    }
    Ok(())
}

fn attr_of(pick: &Pick) -> Option<String> {
    match pick {
        Pick::Attr(name) => Some(name.clone()),
        _ => None,
    }
}

/// One batch of target rows out of the wide rows at some places and the decisions about them.
fn assemble(
    (plan, target, home): (&Plan, &TargetPlan, Option<&Home>),
    schema: &SchemaRef,
    (wide, at): (&RecordBatch, &UInt32Array),
    lines: &RecordBatch,
) -> Result<RecordBatch> {
    let rows = lines.num_rows();
    let mut columns: Vec<ArrayRef> = Vec::new();
    let attrs = plan.after.entity(&target.entity).map_or(&[][..], |entity| &entity.attrs);
    let json = attrs.iter().filter(|attr| attr.ty == Type::Any).map(|attr| attr.name.as_str());
    let json: Vec<&str> = json.collect();
    let carried = target
        .carried
        .iter()
        .map(|rule| Ok((rule.attr.as_str(), carry(rule, wide, at)?)))
        .collect::<Result<Vec<_>>>()?;
    let carried =
        |name: &str| carried.iter().find(|(attr, _)| *attr == name).map(|(_, found)| found);
    let by_case = target.transform.case_attrs();
    let explode =
        |name: &str| target.transform.explode.as_ref().filter(|_| by_case.contains(&name));
    let left = home.map_or(0, |home| home.fields().len());
    for field in schema.fields().iter().take(schema.fields().len() - left) {
        let name = field.name().as_str();
        let ty = field.data_type();
        let decided = |column: String| match lines.column_by_name(&column) {
            Some(_) => read::column(lines, &column, ty),
            None => Ok(new_null_array(ty, rows)),
        };
        let (kind, rest) = name.split_once(':').unwrap_or(("", name));
        let value: ArrayRef = match (kind, rest) {
            ("how", attr) => match carried(attr) {
                Some((_, how)) => how.clone(),
                None => decided(names::how(&target.entity, attr))?,
            },
            ("mapped", attr) => decided(names::mapped(&target.entity, attr))?,
            (_, Origin::ORIGIN) => texts(Origin::MIGRATED, rows),
            (_, Origin::SOURCE_ROW) => read::column(lines, names::ROW, ty)?,
            (_, Origin::SERVER) => read::column(lines, names::SERVER, ty)?,
            (_, LEGACY_ID) => {
                let made_of = names::id_text(&target.entity);
                let is_there = lines.column_by_name(&made_of).is_some();
                read::column(lines, if is_there { &made_of } else { names::ID }, ty)?
            }
            (_, attr) => match (carried(attr), explode(attr)) {
                (Some((value, _)), _) => value.clone(),
                (None, Some(rule)) => {
                    let is_json = json.contains(&attr);
                    built::fill(rule, (attr, ty, is_json), (wide, at), lines)?
                }
                (None, None) => decided(names::value(&target.entity, attr))?,
            },
        };
        columns.push(value);
    }
    if let Some(home) = home {
        let made = |name: &str| {
            let at = schema.index_of(name).map_err(read::arrow_failed)?;
            Ok(columns[at].clone())
        };
        let legacy = |name: &str| taken(of_batch(wide, name)?, at);
        let left = home.residue(rows, legacy, made)?;
        columns.extend(left);
    }
    RecordBatch::try_new(schema.clone(), columns).map_err(read::arrow_failed)
}

/// A column of a batch by its name.
fn of_batch<'b>(batch: &'b RecordBatch, name: &str) -> Result<&'b ArrayRef> {
    let gone = || Error::bug(format!("column `{name}` is not in the file"));
    batch.column_by_name(name).ok_or_else(gone)
}

/// The values at some places; without a copy where they are all of them.
fn taken(values: &ArrayRef, at: &UInt32Array) -> Result<ArrayRef> {
    let is_all = at.len() == values.len() && (0..).zip(at.values()).all(|(row, at)| row == *at);
    if is_all { Ok(values.clone()) } else { take(values, at, None).map_err(read::arrow_failed) }
}

fn texts(text: &str, rows: usize) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(std::iter::repeat_n(text, rows)))
}

/// The first present value of plain columns, and the place it came from.
fn carry(rule: &AttrRule, wide: &RecordBatch, at: &UInt32Array) -> Result<(ArrayRef, ArrayRef)> {
    let mut places: Vec<ArrayRef> = Vec::new();
    for name in rule.from.iter().filter_map(attr_of) {
        places.push(taken(of_batch(wide, &name)?, at)?);
    }
    let present: Vec<_> = places
        .iter()
        .map(|place| is_not_null(place))
        .collect::<Result<_, _>>()
        .map_err(read::arrow_failed)?;
    let first = |row: usize| present.iter().position(|present| present.value(row));
    let hows: Vec<Option<usize>> = (0..at.len()).map(first).collect();
    let how: Int32Array =
        hows.iter().map(|how| how.and_then(|how| i32::try_from(how).ok())).collect();
    let values = if hows.iter().all(|how| how.unwrap_or(0) == 0) {
        places.swap_remove(0)
    } else {
        let arrays: Vec<&dyn Array> = places.iter().map(AsRef::as_ref).collect();
        let picked: Vec<(usize, usize)> =
            hows.iter().enumerate().map(|(row, how)| (how.unwrap_or(0), row)).collect();
        interleave(&arrays, &picked).map_err(read::arrow_failed)?
    };
    Ok((values, Arc::new(how)))
}

fn existing(
    plan: &Plan,
    snapshot: &Snapshot,
    (target, rows): (&str, &Path),
    schema: &SchemaRef,
    give: &mut Take<'_>,
) -> Result<()> {
    let is_link = |name: &str| plan.after.link(target, name).is_some();
    let decided = read::ByRow::open(rows, None, &[])?;
    walk(snapshot, (target, None), decided, &mut |batch, at, lines| {
        let kept = read::whole(lines, names::ROW)?;
        let wide = |name: &str| -> Result<ArrayRef> {
            let found = batch.column_by_name(name);
            let found = found.ok_or_else(|| Error::bug(format!("column `{name}` is gone")))?;
            taken(found, at)
        };
        let mut columns = Vec::new();
        for field in schema.fields() {
            let (name, ty) = (field.name().as_str(), field.data_type());
            columns.push(match name {
                "id" => read::column(lines, names::ID, ty)?,
                Origin::ORIGIN => texts(Origin::EXISTING, kept.len()),
                Origin::SOURCE_ROW => Arc::new(kept.clone()),
                Origin::SERVER => wide(Extra::SERVER)?,
                Origin::EXTRA => both(&wide(Extra::EXTRA)?, &wide(Extra::INVALID)?)?,
                name if name.contains(':') || name == LEGACY_ID => new_null_array(ty, kept.len()),
                label if is_link(label) => read::column(lines, &names::value(target, label), ty)?,
                attr => wide(attr)?,
            });
        }
        give(RecordBatch::try_new(schema.clone(), columns).map_err(read::arrow_failed)?, &kept)
    })
}

/// Two columns of JSON objects as one: nothing of an existing row is left behind.
fn both(extra: &ArrayRef, invalid: &ArrayRef) -> Result<ArrayRef> {
    use arrow::array::AsArray;
    if invalid.null_count() == invalid.len() {
        return Ok(extra.clone());
    }
    let text = |found: &ArrayRef| -> Result<StringArray> {
        let failed = || Error::bug("a column of objects is no text");
        found.as_string_opt::<i32>().cloned().ok_or_else(failed)
    };
    let inner = |object: &str| -> String {
        let object = object.trim();
        object.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or("").to_owned()
    };
    let (extra, invalid) = (text(extra)?, text(invalid)?);
    let joined: StringArray = extra
        .iter()
        .zip(&invalid)
        .map(|pair| match pair {
            (None, None) => None,
            (Some(one), None) | (None, Some(one)) => Some(one.to_owned()),
            (Some(one), Some(two)) => Some(format!("{{{},{}}}", inner(one), inner(two))),
        })
        .collect();
    Ok(Arc::new(joined))
}
