//! Ids, presence, uniqueness, listed values, types.

use arrow::array::{Array as _, ArrayRef, AsArray as _};
use arrow::datatypes::TimestampMicrosecondType;

use super::Look;
use super::columns::{self, text};
use crate::contract::{Pick, Values};
use crate::digest::micros_text;
use crate::document::Invariant;
use crate::document::words::{code, counted};
use crate::error::{Result, grouped};
use crate::schema::{Attr, Type};

impl Look<'_> {
    /// What the values of the table's own columns show.
    pub(super) fn values(&self, out: &mut Vec<Invariant>) -> Result<()> {
        out.push(self.unique("id", "every row has an id of its own")?);
        for attr in self.required() {
            out.push(self.present(attr)?);
        }
        for attr in self.firsts(|target, _| target.unique) {
            let says = format!("no two rows share a {}", code(&attr.name));
            out.push(self.unique(&attr.name, &says)?);
        }
        for attr in self.firsts(|_, values| values.is_some()) {
            if attr.ty == Type::String {
                out.push(self.listed(attr)?);
            }
        }
        out.push(self.fitting());
        Ok(())
    }

    pub(super) fn scan(&self, names: &[&str], visit: &mut columns::Visit<'_>) -> Result<()> {
        columns::scan(&self.snapshot.path(&self.table.file), names, visit)
    }

    pub(super) fn found(
        &self,
        says: impl Into<String>,
        evidence: String,
        (evaluated, broken): (u64, u64),
    ) -> Invariant {
        let (entity, says) = (self.entity.name.clone(), says.into());
        Invariant { entity, says, evidence, evaluated, broken }
    }

    /// The attributes that are the first source of target attributes of a kind, as declared.
    fn firsts(&self, wanted: impl Fn(&Attr, Option<&Values>) -> bool) -> Vec<&Attr> {
        let mut names = Vec::new();
        for transform in self.contract.transforms_of(&self.entity.name) {
            let target = self.contract.after.schema.entity(&transform.target);
            for rule in &transform.attrs {
                let attr = target.and_then(|target| target.attr(&rule.attr));
                if let (Some(Pick::Attr(name)), Some(attr)) = (rule.from.first(), attr)
                    && wanted(attr, rule.values.as_ref())
                {
                    names.push(name.as_str());
                }
            }
        }
        self.entity.attrs.iter().filter(|attr| names.contains(&attr.name.as_str())).collect()
    }

    /// The attributes that the legacy model requires, and those that a required one is filled from.
    fn required(&self) -> Vec<&Attr> {
        let firsts = self.firsts(|target, _| target.required);
        let is_one = |attr: &&Attr| attr.required || firsts.iter().any(|it| it.name == attr.name);
        self.entity.attrs.iter().filter(is_one).collect()
    }

    fn present(&self, attr: &Attr) -> Result<Invariant> {
        let (mut rows, mut absent) = (0, 0);
        let mut span: Option<(i64, i64)> = None;
        self.scan(&[&attr.name], &mut |columns| {
            rows += columns[0].len() as u64;
            absent += columns[0].null_count() as u64;
            if attr.ty == Type::Date {
                span = wider(span, &columns[0]);
            }
        })?;
        let mut evidence = format!("in {} of {}", grouped(rows - absent), of_rows(rows));
        if let Some((first, last)) = span {
            let [first, last] = [first, last].map(micros_text);
            evidence.push_str(&format!(", from `{first}` to `{last}`"));
        }
        let why = if attr.required { "" } else { ", first source of what the target requires" };
        Ok(self.found(format!("{} is there{why}", code(&attr.name)), evidence, (rows, absent)))
    }

    /// Whether values are there once each. Ids must be there; other values may be absent.
    fn unique(&self, name: &str, says: &str) -> Result<Invariant> {
        let is_id = name == "id";
        let (mut rows, mut uuids) = (0, 0);
        let mut keys: Vec<u128> = Vec::new();
        self.scan(&[name], &mut |columns| {
            let column = &columns[0];
            rows += column.len() as u64;
            for row in 0..column.len() {
                if is_id && let Some(id) = text(column, row) {
                    let (key, is_uuid) = columns::key(id);
                    uuids += u64::from(is_uuid);
                    keys.push(key);
                } else if !is_id && let Some(value) = bytes(column, row) {
                    keys.push(columns::hash(&value));
                }
            }
        })?;
        let there = keys.len() as u64;
        keys.sort_unstable();
        keys.dedup();
        let (absent, twice) = (rows - there, there - keys.len() as u64);
        let what = if is_id { "ids" } else { "values" };
        let mut evidence = format!(
            "{} different {what} in {}",
            grouped(keys.len() as u64),
            of_rows(if is_id { rows } else { there })
        );
        if is_id {
            evidence.push_str(&format!(", {} of them UUIDs", grouped(uuids)));
        }
        if absent > 0 {
            evidence.push_str(&format!("; {} without one", of_rows(absent)));
        }
        let broken = if is_id { twice + absent } else { twice };
        Ok(self.found(says, evidence, (if is_id { rows } else { there }, broken)))
    }

    /// Whether every value is one that the rules know what to do with.
    fn listed(&self, attr: &Attr) -> Result<Invariant> {
        let rules = self.contract.transforms_of(&self.entity.name).flat_map(|it| &it.attrs);
        let ours =
            |first: Option<&Pick>| matches!(first, Some(Pick::Attr(name)) if *name == attr.name);
        let maps: Vec<&Values> = rules
            .filter(|rule| ours(rule.from.first()))
            .filter_map(|rule| rule.values.as_ref())
            .collect();
        let is_listed = |text: &str| maps.iter().all(|values| lists(values, text));
        let (mut there, mut other) = (0, 0);
        self.scan(&[&attr.name], &mut |columns| {
            let Some(texts) = columns[0].as_string_opt::<i32>() else { return };
            for text in texts.iter().flatten() {
                there += 1;
                other += u64::from(!is_listed(text));
            }
        })?;
        let says = format!("{} is a value that the contract lists", code(&attr.name));
        let evidence = format!(
            "{} of {}; {} without one",
            grouped(there - other),
            counted(there, "value", "values"),
            of_rows(self.table.rows.saturating_sub(there))
        );
        Ok(self.found(says, evidence, (there, other)))
    }

    /// Whether values are of the types that the legacy model declares; the export has counted it.
    fn fitting(&self) -> Invariant {
        let broken = self.table.invalid.iter().map(|(_, rows)| rows).sum();
        let named = |(attr, rows): &(String, u64)| format!("{} in {}", code(attr), of_rows(*rows));
        let evidence = match &self.table.invalid[..] {
            [] => format!("{} typed, none set apart", of_rows(self.table.rows)),
            invalid => {
                let said: Vec<String> = invalid.iter().map(named).collect();
                format!("other types: {}", said.join(", "))
            }
        };
        self.found("values are of their declared types", evidence, (self.table.rows, broken))
    }
}

/// A count of rows and its noun.
pub(super) fn of_rows(count: u64) -> String {
    counted(count, "row", "rows")
}

fn lists(values: &Values, text: &str) -> bool {
    values
        .map
        .iter()
        .any(|(from, _)| from == text || (values.fold_case && from.eq_ignore_ascii_case(text)))
}

/// A value that should be unique, as bytes that tell it from any other of its type.
fn bytes(column: &ArrayRef, row: usize) -> Option<Vec<u8>> {
    if column.is_null(row) {
        return None;
    }
    if let Some(texts) = column.as_string_opt::<i32>() {
        return Some(texts.value(row).as_bytes().to_vec());
    }
    if let Some(numbers) = column.as_primitive_opt::<arrow::datatypes::Float64Type>() {
        // The two zeros are one number.
        return Some((numbers.value(row) + 0.0).to_le_bytes().to_vec());
    }
    if let Some(dates) = column.as_primitive_opt::<TimestampMicrosecondType>() {
        return Some(dates.value(row).to_le_bytes().to_vec());
    }
    column.as_boolean_opt().map(|values| vec![u8::from(values.value(row))])
}

fn wider(span: Option<(i64, i64)>, column: &ArrayRef) -> Option<(i64, i64)> {
    let Some(dates) = column.as_primitive_opt::<TimestampMicrosecondType>() else { return span };
    dates.iter().flatten().fold(span, |span, at| {
        let (first, last) = span.unwrap_or((at, at));
        Some((first.min(at), last.max(at)))
    })
}
