//! What cases build: JSON out of the payload of a legacy row, once for each of its target rows.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int32Array, RecordBatch, StringArray,
    StringBuilder, UInt32Array,
};
use arrow::datatypes::{DataType, Int32Type};

use super::read;
use crate::contract::{Build, Constant, Explode};
use crate::error::{Error, Result};
use crate::transform::explode::{self, Source};
use crate::transform::names;

/// The columns of a legacy table that cases read.
pub(super) fn columns(rule: &Explode) -> impl Iterator<Item = String> {
    rule.of.iter().chain(&rule.otherwise_by).cloned()
}

/// The values of an attribute that cases fill, for lines about some rows of a batch.
pub(super) fn fill(
    rule: &Explode,
    (attr, ty, is_json): (&str, &DataType, bool),
    (wide, at): (&RecordBatch, &UInt32Array),
    lines: &RecordBatch,
) -> Result<ArrayRef> {
    let code = |name: &str| -> Result<Int32Array> {
        Ok(read::column(lines, name, &DataType::Int32)?.as_primitive::<Int32Type>().clone())
    };
    let (cases, nths) = (code(names::CASE)?, code(names::NTH)?);
    let rules: Vec<Option<&Build>> = cases
        .values()
        .iter()
        .zip(nths.values())
        .map(|(case, nth)| explode::value(rule, *case, *nth, attr))
        .collect();
    let constants = rules.iter().map(|rule| match rule {
        Some(Build::Constant(value)) => Some(value),
        _ => None,
    });
    Ok(match ty {
        DataType::Float64 => {
            let number = |value: Option<&Constant>| match value {
                Some(Constant::Number(number)) => Some(*number),
                _ => None,
            };
            Arc::new(constants.map(number).collect::<Float64Array>())
        }
        DataType::Boolean => {
            let truth = |value: Option<&Constant>| match value {
                Some(Constant::Boolean(is)) => Some(*is),
                _ => None,
            };
            Arc::new(constants.map(truth).collect::<BooleanArray>())
        }
        _ if !is_json => {
            Arc::new(constants.map(|value| value.map(explode::plain)).collect::<StringArray>())
        }
        _ => Arc::new(json(rule, &rules, (wide, at))?),
    })
}

fn json(
    rule: &Explode,
    rules: &[Option<&Build>],
    (wide, at): (&RecordBatch, &UInt32Array),
) -> Result<StringArray> {
    let objects: Vec<StringArray> =
        rule.of.iter().map(|name| read::text(wide, name)).collect::<Result<_>>()?;
    let attr = rule.otherwise_by.as_ref().map(|name| read::text(wide, name)).transpose()?;
    let value = |texts: &'_ StringArray, row: usize| texts.is_valid(row).then_some(row);
    let mut built = StringBuilder::new();
    let mut source: Option<(usize, Source<'_>)> = None;
    let mut out = Vec::new();
    for (line, rule_of) in rules.iter().enumerate() {
        let Some(build) = rule_of else {
            built.append_null();
            continue;
        };
        let row = at.value(line) as usize;
        if source.as_ref().is_none_or(|(read, _)| *read != row) {
            let text = objects.iter().find_map(|texts| Some(texts.value(value(texts, row)?)));
            let attr = attr.as_ref().and_then(|texts| Some(texts.value(value(texts, row)?)));
            let read = text.and_then(|text| Source::read(rule, text, attr));
            source = Some((row, read.ok_or_else(|| Error::bug("a row with a case is no object"))?));
        }
        let Some((_, source)) = &source else { continue };
        out.clear();
        if source.build(build, &mut out) {
            let text = std::str::from_utf8(&out);
            built.append_value(text.map_err(|_| Error::bug("built JSON is no text"))?);
        } else {
            built.append_null();
        }
    }
    Ok(built.finish())
}
