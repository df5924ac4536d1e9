//! What was set aside: which rows were refused or merged, which stand on existing rows, and which
//! links lead nowhere.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int32Type, Schema as Columns, SchemaRef};

use super::dropped::DroppedRows;
use super::quarantine::{self, Refused};
use super::table::write_once;
use super::write::Writing;
use super::{Equation, LinkEquation, Lost as LostValues, Quarantined, Reason, read};
use crate::error::{Error, Result};
use crate::transform::{Fates, Outcome, Plan, SourcePlan, codes, names};

/// Links that lead nowhere: how many by entity, label and reason.
#[derive(Default)]
pub(super) struct Dropped(BTreeMap<(String, String), BTreeMap<String, u64>>);

impl Dropped {
    /// How many values of a link lead to a quarantined row, and how many nowhere for any other reason.
    /// What another place of the link holds is no value of it.
    pub(super) fn of(&self, entity: &str, label: &str) -> (u64, u64) {
        self.sums(entity, label, |reason| reason != Reason::OTHER_PLACE)
    }

    /// The same of the pairs of a link file.
    pub(super) fn of_pairs(&self, entity: &str, label: &str) -> (u64, u64) {
        self.sums(entity, label, |_| true)
    }

    fn sums(&self, entity: &str, label: &str, counts: impl Fn(&str) -> bool) -> (u64, u64) {
        let reasons = self.0.get(&(entity.to_owned(), label.to_owned())).into_iter().flatten();
        let reasons = reasons.filter(|(reason, _)| counts(reason));
        reasons.fold((0, 0), |(quarantined, others), (reason, rows)| match reason.as_str() {
            Reason::QUARANTINED => (quarantined + rows, others),
            _ => (quarantined, others + rows),
        })
    }

    /// One line a link and reason.
    pub(super) fn lines(&self) -> Vec<LostValues> {
        let of = |((source, label), reasons): (&(String, String), &BTreeMap<String, u64>)| {
            let (source, label) = (source.clone(), label.clone());
            let line = |(reason, rows): (&String, &u64)| LostValues {
                source: source.clone(),
                label: label.clone(),
                reason: reason.clone(),
                rows: *rows,
            };
            reasons.iter().map(line).collect::<Vec<_>>()
        };
        self.0.iter().flat_map(of).collect()
    }
}

/// What became of a legacy table.
pub(super) struct Aside {
    pub(super) equation: Equation,
    refused: BTreeMap<i32, u64>,
    links: BTreeMap<String, [u64; 4]>,
}

impl Aside {
    /// One equation a link.
    pub(super) fn links(&self, source: &SourcePlan, dropped: &Dropped) -> Vec<LinkEquation> {
        let equation = |(label, counts): (&String, &[u64; 4])| {
            let [kept, merged, quarantined, dropped_rows] = *counts;
            let (aside, dropped) = dropped.of(&source.entity, label);
            LinkEquation {
                source: source.entity.clone(),
                label: label.clone(),
                values: kept + merged + quarantined + dropped_rows,
                migrated: kept.saturating_sub(aside + dropped),
                merged,
                quarantined: quarantined + aside,
                dropped,
                dropped_rows,
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

pub(super) fn rule(plan: &Plan, code: i32) -> (&str, &str) {
    let found = usize::try_from(code).ok().and_then(|at| plan.rejects.get(at));
    found.map_or(("", ""), |reject| (reject.rule.as_str(), reject.reason.as_str()))
}

/// The rows of a legacy table that were set aside, and the counts of all.
#[derive(Default)]
struct Found {
    quarantined: Vec<Refused>,
    merged: Vec<Merged>,
    adopted: Vec<(String, String, i64)>,
    adopted_by: BTreeMap<String, u64>,
    refused: BTreeMap<i32, u64>,
    /// Rows that a rule drops, where one may.
    dropped: Option<DroppedRows>,
}

/// A merged row: its target id, its row, and the row or the target table that stands for it.
type Merged = (Option<String>, i64, Option<i64>, Option<String>);

/// A link that leads nowhere: entity, label, from, to, reason, row.
type Lost = (String, String, String, String, String, i64);

/// Writes what was set aside of a legacy table.
pub(super) fn write(writing: &mut Writing<'_>, source: &SourcePlan) -> Result<Aside> {
    let fates = &writing.decisions.sources[&source.entity];
    let mut found = find(writing, source, fates)?;
    let only_links = quarantine::write(writing, source, &mut found.quarantined)?;
    found.merged.sort();
    found.adopted.sort();
    merged(writing, source, &found)?;
    adopted(writing, source, &found)?;
    if let Some(rows) = found.dropped.take() {
        rows.finish(writing)?;
    }
    let [migrated, merged, quarantined, dropped] = fates.rows;
    let equation = Equation {
        source: source.entity.clone(),
        rows: writing.snapshot.table(&source.entity).map_or(0, |table| table.rows),
        migrated,
        merged,
        quarantined,
        only_links,
        dropped,
        split: Vec::new(),
        adopted: found.adopted_by.into_iter().collect(),
    };
    if !equation.holds() {
        return Err(Error::bug(format!(
            "the rows of `{}` are not all accounted for",
            source.entity
        )));
    }
    Ok(Aside { equation, refused: found.refused, links: fates.links.clone() })
}

fn find(writing: &Writing<'_>, source: &SourcePlan, fates: &Fates) -> Result<Found> {
    let mut reader = read::columns(&fates.aside, None, None)?;
    let dropped = DroppedRows::begin(writing, source)?;
    let mut found = Found { dropped, ..Found::default() };
    while let Some(batch) = read::next(&mut reader, &fates.aside)? {
        take((writing.plan, source), &batch, &mut found)?;
    }
    Ok(found)
}

fn take(
    (plan, source): (&Plan, &SourcePlan),
    batch: &RecordBatch,
    found: &mut Found,
) -> Result<()> {
    let code = |name: &str| -> Result<Int32Array> {
        Ok(read::column(batch, name, &DataType::Int32)?.as_primitive::<Int32Type>().clone())
    };
    let outcomes = code(names::OUTCOME)?;
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
    if let Some(rows) = &mut found.dropped {
        rows.take(batch, &outcomes)?;
    }
    set_aside((plan, source), batch, &outcomes, found)
}

fn set_aside(
    (plan, source): (&Plan, &SourcePlan),
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
    let target = plan.main_target(&source.entity).map(|main| names::value(&main.entity, "id"));
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
    let mut lines: Vec<Lost> = Vec::new();
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
    let mut counts = Dropped::default();
    for line in &lines {
        let reasons = counts.0.entry((line.0.clone(), line.1.clone())).or_default();
        *reasons.entry(line.4.clone()).or_default() += 1;
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
    let texts = |pick: fn(&Lost) -> &String| -> ArrayRef {
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
