//! Quarantined rows, whole: every column of the snapshot, the rule, the reason, the cause.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema as Columns, SchemaRef};
use parquet::arrow::arrow_reader::{RowSelection, RowSelector};

use super::aside::rule;
use super::sort::Sorter;
use super::table::Table;
use super::write::Writing;
use super::{Quarantine, jsonl, read};
use crate::error::{Error, Result};
use crate::schema::Type;
use crate::snapshot::Extra;
use crate::storage::{self, HashingFile};
use crate::transform::{Plan, SourcePlan};

/// A row that was refused.
pub(super) struct Refused {
    pub(super) row: i64,
    pub(super) id: Option<String>,
    pub(super) digest: String,
    /// The place of its rule in the plan.
    pub(super) code: i32,
    pub(super) cause: Option<String>,
}

/// Writes the quarantined rows of a legacy table whole, by id, then content; gives how many of them are
/// only links.
pub(super) fn write(
    writing: &mut Writing<'_>,
    source: &SourcePlan,
    refused: &mut [Refused],
) -> Result<u64> {
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
    let folder = writing.work.join(format!("aside.{}.runs", source.entity));
    let mut sorter = Sorter::new(schema.clone(), folder, writing.room(&path, None)?);
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
    let mut only_links = 0;
    sorter.finish(|batch| {
        only_links +=
            (0..batch.num_rows()).filter(|row| is_only_links(&batch, *row, &types)).count();
        parquet.write(&batch)?;
        buffer.clear();
        write_lines(&batch, &types, &mut buffer)?;
        std::io::Write::write_all(&mut text, &buffer)
            .map_err(|error| storage::failed(&writing.root.join(&lines), error))
    })?;
    writing.payload.insert(file, parquet.finish()?);
    writing.payload.insert(lines, text.finish()?);
    Ok(only_links as u64)
}

/// Whether a row has no id and no value beside its links.
fn is_only_links(batch: &RecordBatch, row: usize, attrs: &[(String, Type)]) -> bool {
    let is_empty = |name: &str| batch.column_by_name(name).is_none_or(|column| column.is_null(row));
    let has_id = read::text(batch, "id").is_ok_and(|ids| {
        ids.is_valid(row) && !ids.value(row).trim_matches([' ', '\t', '\r', '\n']).is_empty()
    });
    let aside = [Extra::EXTRA, Extra::INVALID];
    !has_id && attrs.iter().map(|(name, _)| name.as_str()).chain(aside).all(is_empty)
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
