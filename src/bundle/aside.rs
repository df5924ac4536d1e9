//! What was set aside: quarantined rows whole, merged rows with the row that stands for them,
//! adopted rows, and links that lead nowhere.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int32Type, Schema as Columns, SchemaRef};
use parquet::arrow::arrow_reader::{RowSelection, RowSelector};

use super::sort::Sorter;
use super::table::{Table, write_once};
use super::write::Writing;
use super::{Equation, LinkEquation, Quarantine, Quarantined, jsonl, read};
use crate::error::{Error, Result};
use crate::schema::Type;
use crate::snapshot::Extra;
use crate::storage::{self, HashingFile};
use crate::transform::{Outcome, Plan, SourcePlan, codes, names};

/// Dropped links by entity and label.
pub(super) type Dropped = BTreeMap<(String, String), u64>;

/// What became of a legacy table.
pub(super) struct Aside {
    pub(super) equation: Equation,
    refused: BTreeMap<i32, u64>,
    links: BTreeMap<String, [u64; 3]>,
}

impl Aside {
    /// One equation a link.
    pub(super) fn links(&self, source: &SourcePlan, dropped: &Dropped) -> Vec<LinkEquation> {
        let equation = |(label, counts): (&String, &[u64; 3])| {
            let [kept, merged, quarantined] = *counts;
            let key = (source.entity.clone(), label.clone());
            let dropped = dropped.get(&key).copied().unwrap_or_default();
            LinkEquation {
                source: source.entity.clone(),
                label: label.clone(),
                values: kept + merged + quarantined,
                migrated: kept.saturating_sub(dropped),
                merged,
                quarantined,
                dropped,
            }
        };
        self.links.iter().map(equation).collect()
    }

    /// Quarantined rows by rule.
    pub(super) fn refused(&self, plan: &Plan, entity: &str) -> Vec<Quarantined> {
        let mut found: Vec<Quarantined> = self
            .refused
            .iter()
            .map(|(code, rows)| Quarantined {
                source: entity.to_owned(),
                rule: rule(plan, *code).0.to_owned(),
                rows: *rows,
            })
            .collect();
        found.sort();
        found
    }
}

fn rule(plan: &Plan, code: i32) -> (&str, &str) {
    let found = usize::try_from(code).ok().and_then(|at| plan.rejects.get(at));
    found.map_or(("", ""), |reject| (reject.rule.as_str(), reject.reason.as_str()))
}

/// The rows of a legacy table that were set aside, and the counts of all.
#[derive(Default)]
struct Found {
    quarantined: Vec<Refused>,
    merged: Vec<(Option<String>, i64, Option<i64>, Option<String>)>,
    adopted: Vec<(String, String, i64)>,
    adopted_by: BTreeMap<String, u64>,
    outcomes: [u64; 3],
    refused: BTreeMap<i32, u64>,
    links: BTreeMap<String, [u64; 3]>,
}

struct Refused {
    row: i64,
    id: Option<String>,
    digest: String,
    code: i32,
    cause: Option<String>,
}

/// Writes what was set aside of a legacy table.
pub(super) fn write(writing: &mut Writing<'_>, source: &SourcePlan) -> Result<Aside> {
    let state = &writing.decisions.sources[&source.entity];
    let mut found = find(source, state)?;
    quarantine(writing, source, &mut found.quarantined)?;
    found.merged.sort();
    found.adopted.sort();
    merged(writing, source, &found)?;
    adopted(writing, source, &found)?;
    let [migrated, merged, quarantined] = found.outcomes;
    Ok(Aside {
        equation: Equation {
            source: source.entity.clone(),
            rows: writing.snapshot.table(&source.entity).map_or(0, |table| table.rows),
            migrated,
            merged,
            quarantined,
            adopted: found.adopted_by.into_iter().collect(),
        },
        refused: found.refused,
        links: found.links,
    })
}

fn find(source: &SourcePlan, state: &Path) -> Result<Found> {
    let mut wanted: Vec<String> = [
        names::ROW,
        names::ID,
        names::DIGEST,
        names::OUTCOME,
        names::REJECT,
        names::CAUSE,
        names::WINNER,
        names::WINNER_IN,
    ]
    .map(str::to_owned)
    .to_vec();
    for target in &source.targets {
        wanted.extend([names::value(&target.entity, "id"), names::how(&target.entity, "id")]);
    }
    wanted.extend(source.links.iter().map(|link| names::link(&link.label)));
    let mut reader = read::columns(state, Some(&wanted), None)?;
    let mut found = Found::default();
    for link in &source.links {
        found.links.insert(link.label.clone(), [0; 3]);
    }
    while let Some(batch) = read::next(&mut reader, state)? {
        take(source, &batch, &mut found)?;
    }
    Ok(found)
}

fn take(source: &SourcePlan, batch: &RecordBatch, found: &mut Found) -> Result<()> {
    let code = |name: &str| -> Result<Int32Array> {
        Ok(read::column(batch, name, &DataType::Int32)?.as_primitive::<Int32Type>().clone())
    };
    let outcomes = code(names::OUTCOME)?;
    for outcome in outcomes.values() {
        count(&mut found.outcomes, *outcome)?;
    }
    for link in &source.links {
        let values = read::text(batch, &names::link(&link.label))?;
        let counts = found.links.entry(link.label.clone()).or_default();
        for row in (0..values.len()).filter(|row| values.is_valid(*row)) {
            count(counts, outcomes.value(row))?;
        }
    }
    let rows = read::whole(batch, names::ROW)?;
    for target in &source.targets {
        let hows = code(&names::how(&target.entity, "id"))?;
        let is_adopted = |row: &usize| {
            let how = hows.is_valid(*row).then(|| hows.value(*row));
            how == Some(codes::ID_ADOPTED) && outcomes.value(*row) == Outcome::Migrated as i32
        };
        let here: Vec<usize> = (0..hows.len()).filter(is_adopted).collect();
        if here.is_empty() {
            continue;
        }
        *found.adopted_by.entry(target.entity.clone()).or_default() += here.len() as u64;
        let ids = read::text(batch, &names::value(&target.entity, "id"))?;
        let line = |row: usize| (target.entity.clone(), ids.value(row).to_owned(), rows.value(row));
        found.adopted.extend(here.into_iter().map(line));
    }
    if outcomes.values().iter().all(|outcome| *outcome == Outcome::Migrated as i32) {
        return Ok(());
    }
    set_aside(source, batch, &outcomes, found)
}

fn count(counts: &mut [u64; 3], outcome: i32) -> Result<()> {
    let place = usize::try_from(outcome).ok().and_then(|at| counts.get_mut(at));
    *place.ok_or_else(|| Error::bug("a row has no outcome"))? += 1;
    Ok(())
}

fn set_aside(
    source: &SourcePlan,
    batch: &RecordBatch,
    outcomes: &Int32Array,
    found: &mut Found,
) -> Result<()> {
    let rows = read::whole(batch, names::ROW)?;
    let (ids, digests) = (read::text(batch, names::ID)?, read::text(batch, names::DIGEST)?);
    let rejects = read::column(batch, names::REJECT, &DataType::Int32)?;
    let rejects = rejects.as_primitive::<Int32Type>();
    let (causes, winners) = (read::text(batch, names::CAUSE)?, read::whole(batch, names::WINNER)?);
    let winners_in = read::text(batch, names::WINNER_IN)?;
    let target = source.targets.first().map(|target| names::value(&target.entity, "id"));
    let main =
        source.targets.iter().find(|target| target.transform.id.from.contains(&"id".to_owned()));
    let target = main.map(|target| names::value(&target.entity, "id")).or(target);
    let target_ids = read::text(batch, &target.unwrap_or_else(|| names::ID.to_owned()))?;
    let text =
        |texts: &StringArray, row: usize| texts.is_valid(row).then(|| texts.value(row).to_owned());
    for row in 0..batch.num_rows() {
        let at = rows.value(row);
        if outcomes.value(row) == Outcome::Quarantined as i32 {
            let code = if rejects.is_valid(row) { rejects.value(row) } else { -1 };
            *found.refused.entry(code).or_default() += 1;
            let (id, digest) = (text(&ids, row), digests.value(row).to_owned());
            found.quarantined.push(Refused {
                row: at,
                id,
                digest,
                code,
                cause: text(&causes, row),
            });
        } else if outcomes.value(row) == Outcome::Merged as i32 {
            let winner = winners.is_valid(row).then(|| winners.value(row));
            found.merged.push((text(&target_ids, row), at, winner, text(&winners_in, row)));
        }
    }
    Ok(())
}

/// Writes the quarantined rows of a legacy table whole, by id, then content.
fn quarantine(
    writing: &mut Writing<'_>,
    source: &SourcePlan,
    refused: &mut [Refused],
) -> Result<()> {
    let table =
        writing.snapshot.table(&source.entity).ok_or_else(|| Error::bug("a table is gone"))?;
    let path = writing.snapshot.path(&table.file);
    refused.sort_by(|a, b| (&a.id, &a.digest, a.row).cmp(&(&b.id, &b.digest, b.row)));
    let mut by_row: Vec<(i64, u32)> = Vec::with_capacity(refused.len());
    for (rank, refused) in (0_u32..).zip(refused.iter()) {
        by_row.push((refused.row, rank));
    }
    by_row.sort_unstable();
    let schema = quarantine_columns(writing, &source.entity);
    let folder = writing.work.join(format!("aside.{}", source.entity));
    let mut sorter = Sorter::new(schema.clone(), folder);
    let mut reader = read::columns(&path, None, Some(selection(&by_row)))?;
    let mut at = 0;
    while let Some(batch) = read::next(&mut reader, &path)? {
        let lines = &by_row[at..at + batch.num_rows()];
        at += batch.num_rows();
        let ranks: Vec<u32> = lines.iter().map(|(_, rank)| *rank).collect();
        let why: Vec<&Refused> = ranks.iter().map(|rank| &refused[*rank as usize]).collect();
        let batch = with_reasons(writing.plan, &batch, &why, &schema)?;
        sorter.push(batch, &ranks)?;
    }
    if at != refused.len() {
        return Err(Error::bug("a refused row is not in its table"));
    }
    let file = format!("data/quarantine/{}.parquet", source.entity);
    let lines = format!("data/quarantine/{}.jsonl", source.entity);
    let mut parquet = Table::create(&writing.root.join(&file), schema)?;
    let mut text = HashingFile::create(&writing.root.join(&lines))?;
    let types = types(writing, &source.entity);
    let mut buffer = Vec::new();
    sorter.finish(|batch| {
        parquet.write(batch)?;
        buffer.clear();
        write_lines(batch, &types, &mut buffer)?;
        std::io::Write::write_all(&mut text, &buffer)
            .map_err(|error| storage::failed(&writing.root.join(&lines), error))
    })?;
    writing.payload.insert(file, parquet.finish()?);
    writing.payload.insert(lines, text.finish()?);
    Ok(())
}

fn quarantine_columns(writing: &Writing<'_>, entity: &str) -> SchemaRef {
    let columns = crate::snapshot::columns(&writing.plan.before, entity);
    let mut fields: Vec<Field> =
        columns.fields().iter().map(|field| field.as_ref().clone()).collect();
    fields.push(Field::new(Quarantine::RULE, DataType::Utf8, false));
    fields.push(Field::new(Quarantine::REASON, DataType::Utf8, false));
    fields.push(Field::new(Quarantine::CAUSE, DataType::Utf8, true));
    Arc::new(Columns::new(fields))
}

fn selection(by_row: &[(i64, u32)]) -> RowSelection {
    let mut selectors = Vec::new();
    let mut next = 0;
    for (row, _) in by_row {
        let skipped = usize::try_from(row - next).unwrap_or_default();
        if skipped > 0 {
            selectors.push(RowSelector::skip(skipped));
        }
        selectors.push(RowSelector::select(1));
        next = row + 1;
    }
    RowSelection::from(selectors)
}

fn with_reasons(
    plan: &Plan,
    batch: &RecordBatch,
    why: &[&Refused],
    schema: &SchemaRef,
) -> Result<RecordBatch> {
    let rules: StringArray = why.iter().map(|found| Some(rule(plan, found.code).0)).collect();
    let reasons: StringArray = why.iter().map(|found| Some(rule(plan, found.code).1)).collect();
    let causes: StringArray = why.iter().map(|found| found.cause.as_deref()).collect();
    let mut columns: Vec<ArrayRef> = Vec::new();
    for field in schema.fields() {
        columns.push(match field.name().as_str() {
            Quarantine::RULE => Arc::new(rules.clone()),
            Quarantine::REASON => Arc::new(reasons.clone()),
            Quarantine::CAUSE => Arc::new(causes.clone()),
            name => read::column(batch, name, field.data_type())?,
        });
    }
    RecordBatch::try_new(schema.clone(), columns).map_err(read::arrow_failed)
}

fn types(writing: &Writing<'_>, entity: &str) -> Vec<(String, Type)> {
    let found = writing.plan.before.entity(entity).map(|entity| &entity.attrs[..]);
    found.unwrap_or_default().iter().map(|attr| (attr.name.clone(), attr.ty)).collect()
}

/// One line a row: the rule, the reason, and the row as the snapshot holds it.
fn write_lines(batch: &RecordBatch, types: &[(String, Type)], out: &mut Vec<u8>) -> Result<()> {
    let (rules, reasons) =
        (read::text(batch, Quarantine::RULE)?, read::text(batch, Quarantine::REASON)?);
    let (causes, rows) = (read::text(batch, Quarantine::CAUSE)?, read::whole(batch, Extra::ROW)?);
    let server = read::whole(batch, Extra::SERVER)?;
    let ours = [Quarantine::RULE, Quarantine::REASON, Quarantine::CAUSE, Extra::ROW, Extra::SERVER];
    let string = |text: &str, out: &mut Vec<u8>| crate::json::write_string(text, out);
    for row in 0..batch.num_rows() {
        out.extend_from_slice(b"{\"rule\":");
        string(rules.value(row), out);
        out.extend_from_slice(b",\"reason\":");
        string(reasons.value(row), out);
        if causes.is_valid(row) {
            out.extend_from_slice(b",\"cause\":");
            string(causes.value(row), out);
        }
        out.extend_from_slice(format!(",\"row\":{},\"entity\":{{", rows.value(row)).as_bytes());
        let mut first = true;
        for (field, values) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            let name = field.name().as_str();
            if ours.contains(&name) || name == Extra::DIGEST || values.is_null(row) {
                continue;
            }
            if !std::mem::take(&mut first) {
                out.push(b',');
            }
            let is_object = [Extra::EXTRA, Extra::INVALID].contains(&name);
            let ty = types.iter().find(|(attr, _)| attr == name).map(|(_, ty)| *ty);
            let ty = if is_object { Type::Any } else { ty.unwrap_or(Type::String) };
            jsonl::write_column(name, values, row, ty, out);
        }
        out.push(b'}');
        if server.is_valid(row) {
            out.extend_from_slice(format!(",\"createdAt\":{}", server.value(row)).as_bytes());
        }
        out.extend_from_slice(b"}\n");
    }
    Ok(())
}

fn merged(writing: &mut Writing<'_>, source: &SourcePlan, found: &Found) -> Result<()> {
    let rows: Int64Array = found.merged.iter().map(|(_, row, ..)| Some(*row)).collect();
    let winners: Int64Array = found.merged.iter().map(|(_, _, winner, _)| *winner).collect();
    let ids: StringArray = found.merged.iter().map(|(id, ..)| id.as_deref()).collect();
    let entities: StringArray = found.merged.iter().map(|(.., entity)| entity.as_deref()).collect();
    let schema = Arc::new(Columns::new(vec![
        Field::new("_row", DataType::Int64, false),
        Field::new("_winner_row", DataType::Int64, true),
        Field::new("id", DataType::Utf8, true),
        Field::new("_entity", DataType::Utf8, true),
    ]));
    let columns: Vec<ArrayRef> =
        vec![Arc::new(rows), Arc::new(winners), Arc::new(ids), Arc::new(entities)];
    let file = format!("data/merged/{}.parquet", source.entity);
    put(writing, file, schema, columns)
}

fn adopted(writing: &mut Writing<'_>, source: &SourcePlan, found: &Found) -> Result<()> {
    let rows: Int64Array = found.adopted.iter().map(|(.., row)| Some(*row)).collect();
    let entities: StringArray =
        found.adopted.iter().map(|(name, ..)| Some(name.as_str())).collect();
    let ids: StringArray = found.adopted.iter().map(|(_, id, _)| Some(id.as_str())).collect();
    let schema = Arc::new(Columns::new(vec![
        Field::new("_row", DataType::Int64, false),
        Field::new("entity", DataType::Utf8, false),
        Field::new("id", DataType::Utf8, false),
    ]));
    let columns: Vec<ArrayRef> = vec![Arc::new(rows), Arc::new(entities), Arc::new(ids)];
    let file = format!("data/adopted/{}.parquet", source.entity);
    put(writing, file, schema, columns)
}

fn put(
    writing: &mut Writing<'_>,
    file: String,
    schema: SchemaRef,
    columns: Vec<ArrayRef>,
) -> Result<()> {
    let batch = RecordBatch::try_new(schema, columns).map_err(read::arrow_failed)?;
    let written = write_once(&writing.root.join(&file), &batch)?;
    writing.payload.insert(file, written);
    Ok(())
}

/// Writes the links that lead nowhere, sorted, and counts them by link.
pub(super) fn dropped(writing: &mut Writing<'_>) -> Result<Dropped> {
    let mut lines: Vec<(String, String, String, String, String, i64)> = Vec::new();
    for path in &writing.decisions.dropped {
        let mut reader = read::columns(path, None, None)?;
        while let Some(batch) = read::next(&mut reader, path)? {
            let text = |name: &str| read::text(&batch, name);
            let (entity, label, from) = (text("entity")?, text("label")?, text("from")?);
            let (to, reason, rows) =
                (text("to")?, text("reason")?, read::whole(&batch, names::ROW)?);
            for row in 0..batch.num_rows() {
                let value = |texts: &StringArray| texts.value(row).to_owned();
                let line = (value(&entity), value(&label), value(&from), value(&to));
                lines.push((line.0, line.1, line.2, line.3, value(&reason), rows.value(row)));
            }
        }
    }
    lines.sort();
    let mut counts = Dropped::new();
    for line in &lines {
        *counts.entry((line.0.clone(), line.1.clone())).or_default() += 1;
    }
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    let schema = Arc::new(Columns::new(vec![
        text("entity"),
        text("label"),
        text("from"),
        text("to"),
        Field::new("_row", DataType::Int64, false),
        text("reason"),
    ]));
    let texts = |pick: fn(&(String, String, String, String, String, i64)) -> &String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(lines.iter().map(pick)))
    };
    let rows: Int64Array = lines.iter().map(|line| Some(line.5)).collect();
    let columns = vec![
        texts(|line| &line.0),
        texts(|line| &line.1),
        texts(|line| &line.2),
        texts(|line| &line.3),
        Arc::new(rows),
        texts(|line| &line.4),
    ];
    put(writing, "data/quarantine/links.parquet".to_owned(), schema, columns)?;
    Ok(counts)
}
