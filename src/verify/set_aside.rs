//! Lines of the quarantine: each says what its Parquet row says. DuckDB is not asked about them: its reader
//! of JSON refuses what payloads may hold.

use std::collections::BTreeSet;

use super::facts::Audit;
use super::legacy::Legacy;
use super::lines::{Lines, given};
use super::read::{self, Row};
use super::rule::Tally;
use crate::bundle::Quarantine;
use crate::digest::Value;
use crate::error::Result;
use crate::json;
use crate::schema::Type;
use crate::snapshot::{self, Extra};

/// What stands in a line outside its `entity`, by the column it is of.
const OUTSIDE: [(&str, &str); 5] = [
    (Quarantine::RULE, "rule"),
    (Quarantine::REASON, "reason"),
    (Quarantine::CAUSE, "cause"),
    (Extra::ROW, "row"),
    (Extra::SERVER, "createdAt"),
];

/// The columns of a quarantined row that a line has: those outside, then those of `entity`.
fn columns(audit: &Audit<'_>, entity: &str) -> Vec<(String, Type)> {
    let schema = &audit.contract.before.schema;
    let attrs = schema.entity(entity).map_or(&[][..], |entity| &entity.attrs);
    let outside = OUTSIDE.iter().map(|(column, _)| ((*column).to_owned(), Type::String));
    let columns = snapshot::columns(schema, entity);
    let names = columns.fields().iter().map(|field| field.name().clone());
    let inside = names
        .filter(|name| *name != Extra::DIGEST && OUTSIDE.iter().all(|(column, _)| column != name));
    let typed = inside.map(|name| {
        let is_object = [Extra::EXTRA, Extra::INVALID].contains(&name.as_str());
        let ty = attrs.iter().find(|attr| attr.name == name).map_or(Type::String, |attr| attr.ty);
        (name, if is_object { Type::Any } else { ty })
    });
    outside.chain(typed).collect()
}

/// Looks at every line of the quarantine of a legacy table, in the order of its rows.
pub(super) fn lines(audit: &Audit<'_>, legacy: &Legacy, tally: &mut Tally) -> Result<()> {
    let file = |kind: &str| audit.bundle.path(&format!("data/quarantine/{}.{kind}", legacy.entity));
    let columns = columns(audit, &legacy.entity);
    let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
    let at = names.iter().position(|name| *name == Extra::ROW).unwrap_or_default();
    let mut lines = Lines::open(&file("jsonl"))?;
    read::scan_if_there(&file("parquet"), &names, &mut |row| {
        let block = lines.next(1)?;
        let line = block.line(0).and_then(|line| std::str::from_utf8(line).ok());
        if line.is_none_or(|line| says(line, row, &columns).is_none()) {
            let source = row.row(at).unwrap_or(usize::MAX);
            tally.violate(1, || format!("{}: the line is not as it must be", legacy.place(source)));
        }
        Ok(())
    })?;
    let more = lines.rest()?;
    if more > 0 {
        tally.violate(more, || format!("{more} lines after the last row of {}", legacy.entity));
    }
    Ok(())
}

/// Whether a line says what a row says, and nothing else.
fn says(line: &str, row: Row<'_>, columns: &[(String, Type)]) -> Option<()> {
    let outer = json::members(line).ok()?;
    let (mut inner, mut found) = (Vec::new(), 0);
    let mut names = BTreeSet::new();
    for (name, value) in &outer {
        names.insert((false, name.as_ref())).then_some(())?;
        if name == "entity" {
            inner = json::members(value).ok()?;
            continue;
        }
        let at = OUTSIDE.iter().position(|(_, known)| known == name)?;
        let is_it = match row.whole(at) {
            Some(whole) => *value == whole.to_string(),
            None => row.text(at).is_some_and(|text| json::string(value).as_deref() == Some(text)),
        };
        found += 1;
        is_it.then_some(())?;
    }
    for (name, value) in &inner {
        names.insert((true, name.as_ref())).then_some(())?;
        let at = columns.iter().position(|(known, _)| known == name)?;
        let is_it = match row.value(at, columns[at].1) {
            // A line has no line breaks; JSON text may have some between its tokens.
            Value::Json(text) => text.replace(['\n', '\r'], " ") == **value,
            own => given(value, columns[at].1)?.value() == own,
        };
        found += 1;
        is_it.then_some(())?;
    }
    let there =
        |at: &usize| row.whole(*at).is_some() || row.value(*at, columns[*at].1) != Value::Absent;
    ((0..columns.len()).filter(there).count() == found).then_some(())
}
