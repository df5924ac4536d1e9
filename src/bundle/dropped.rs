//! What a rule drops: rows that become none, and values of attributes without a home.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, RecordBatch, StringArray, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Int32Type, Schema as Columns, SchemaRef};

use super::read;
use super::table::Table;
use super::write::Writing;
use crate::contract::Explode;
use crate::error::{Error, Result};
use crate::transform::{Outcome, SourcePlan, explode, names};

/// The rows of a legacy table that a rule drops, on their way into a file of their own: `_row`, the
/// `id` their target row would have, and `_rule`; in the order of `_row`.
pub(super) struct DroppedRows {
    file: String,
    schema: SchemaRef,
    table: Table,
    target: String,
    rule: Explode,
}

impl DroppedRows {
    /// Begins the file of a legacy table whose rows may be dropped.
    pub(super) fn begin(writing: &Writing<'_>, source: &SourcePlan) -> Result<Option<Self>> {
        let Some((target, split)) = source.split() else { return Ok(None) };
        let Some(rule) = split.explode.clone() else { return Ok(None) };
        let file = format!("data/dropped/{}.parquet", source.entity);
        let schema = Arc::new(Columns::new(vec![
            Field::new("_row", DataType::Int64, false),
            Field::new("id", DataType::Utf8, true),
            Field::new("_rule", DataType::Utf8, false),
        ]));
        let table = Table::create(&writing.root.join(&file), schema.clone())?;
        Ok(Some(Self { file, schema, table, target: target.entity.clone(), rule }))
    }

    /// Takes the dropped ones of some rows that were set aside.
    pub(super) fn take(&mut self, batch: &RecordBatch, outcomes: &Int32Array) -> Result<()> {
        let is_dropped = |row: &u32| outcomes.value(*row as usize) == Outcome::Dropped as i32;
        let count =
            u32::try_from(batch.num_rows()).map_err(|_| Error::bug("a batch is too long"))?;
        let here: UInt32Array = (0..count).filter(is_dropped).collect::<Vec<_>>().into();
        if here.is_empty() {
            return Ok(());
        }
        let of = |values: &dyn Array| take(values, &here, None).map_err(read::arrow_failed);
        let rows = of(&read::whole(batch, names::ROW)?)?;
        let ids = of(&read::text(batch, &names::value(&self.target, "id"))?)?;
        let cases = of(&*read::column(batch, names::CASE, &DataType::Int32)?)?;
        let mut said: BTreeMap<i32, String> = BTreeMap::new();
        for case in cases.as_primitive::<Int32Type>().values() {
            let name = || explode::drop_rule(&self.rule, &self.target, *case);
            said.entry(*case).or_insert_with(name);
        }
        let cases = cases.as_primitive::<Int32Type>().values().iter();
        let rules: StringArray = cases.map(|case| said.get(case).map(String::as_str)).collect();
        let columns: Vec<ArrayRef> = vec![rows, ids, Arc::new(rules)];
        let batch = RecordBatch::try_new(self.schema.clone(), columns);
        self.table.write(&batch.map_err(read::arrow_failed)?)
    }

    /// Ends the file.
    pub(super) fn finish(self, writing: &mut Writing<'_>) -> Result<()> {
        let written = self.table.finish()?;
        writing.payload.insert(self.file, written);
        Ok(())
    }
}

/// How many rows of the snapshot have a value of each attribute without a home.
pub(super) fn values(
    writing: &Writing<'_>,
    source: &SourcePlan,
) -> Result<Vec<(String, String, u64)>> {
    let mut names: Vec<String> =
        source.targets.iter().flat_map(|target| target.transform.drop.clone()).collect();
    names.sort();
    names.dedup();
    let table = writing.snapshot.table(&source.entity).filter(|_| !names.is_empty());
    let Some(table) = table else { return Ok(Vec::new()) };
    let path = writing.snapshot.path(&table.file);
    let mut reader = read::columns(&path, Some(&names), None)?;
    let mut counts = vec![0_u64; names.len()];
    while let Some(batch) = read::next(&mut reader, &path)? {
        for (name, count) in names.iter().zip(&mut counts) {
            let missing = || Error::bug(format!("column `{name}` is not in the file"));
            let values = batch.column_by_name(name).ok_or_else(missing)?;
            *count += (values.len() - values.null_count()) as u64;
        }
    }
    let named = names.into_iter().zip(counts);
    Ok(named.map(|(name, rows)| (source.entity.clone(), name, rows)).collect())
}

/// By path, how many rows have a value that the case which makes rows of them leaves behind.
pub(super) fn paths(
    writing: &Writing<'_>,
    source: &SourcePlan,
) -> Result<Vec<(String, String, u64)>> {
    let rule = source.split().and_then(|(_, split)| split.explode.as_ref());
    let table = writing.snapshot.table(&source.entity);
    let (Some(rule), Some(table)) = (rule.filter(|rule| rule.takes_all), table) else {
        return Ok(Vec::new());
    };
    let path = writing.snapshot.path(&table.file);
    let columns: Vec<String> = super::built::columns(rule).collect();
    let mut reader = read::columns(&path, Some(&columns), None)?;
    let dropped = rule.dropped();
    let mut counts = vec![0_u64; dropped.len()];
    while let Some(batch) = read::next(&mut reader, &path)? {
        let text = |name: &String| read::text(&batch, name);
        let of: Vec<StringArray> = rule.of.iter().map(text).collect::<Result<_>>()?;
        let beside = rule.otherwise_by.as_ref().map(text).transpose()?;
        for row in 0..batch.num_rows() {
            let value = |texts: &'_ StringArray| texts.is_valid(row).then_some(row);
            let values: Vec<Option<&str>> =
                of.iter().map(|texts| value(texts).map(|row| texts.value(row))).collect();
            let beside = beside.as_ref().and_then(|texts| Some(texts.value(value(texts)?)));
            for at in explode::left(rule, &dropped, &values, beside) {
                counts[at] += 1;
            }
        }
    }
    let named = dropped.iter().map(|path| rule.named(path)).zip(counts);
    let named = named.filter(|(_, rows)| *rows > 0);
    Ok(named.map(|(name, rows)| (source.entity.clone(), name, rows)).collect())
}
