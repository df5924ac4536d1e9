//! Legacy rows whose outcome changed.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Fate, SAMPLES};
use crate::bundle::{Bundle, Quarantine};
use crate::error::Result;
use crate::scan;

/// What became of a row that was not simply migrated, and its id where the bundle holds one.
struct Aside {
    fate: String,
    id: Option<String>,
}

const MIGRATED: &str = "migrated";

/// The legacy rows that one bundle set aside and the other did not, or by another rule.
pub(super) fn compare(before: &Bundle, after: &Bundle) -> Result<Vec<Fate>> {
    let mut found = Vec::new();
    for equation in &before.meta().equations {
        let old = aside(before, &equation.source)?;
        let new = aside(after, &equation.source)?;
        found.extend(changes(&equation.source, &old, &new));
    }
    Ok(found)
}

/// Rows with their ids, by what became of them before and after.
type Changes<'a> = BTreeMap<(&'a str, &'a str), Vec<(i64, Option<&'a str>)>>;

/// Takes a row, its id, and the column that says why.
type Give<'a> = dyn FnMut(i64, Option<String>, Option<&str>) + 'a;

fn changes<'a>(
    source: &str,
    old: &'a BTreeMap<i64, Aside>,
    new: &'a BTreeMap<i64, Aside>,
) -> Vec<Fate> {
    let mut changes = Changes::new();
    let mut rows: Vec<i64> = old.keys().chain(new.keys()).copied().collect();
    rows.sort_unstable();
    rows.dedup();
    for row in rows {
        let (before, after) = (old.get(&row), new.get(&row));
        let fate = |side: Option<&'a Aside>| side.map_or(MIGRATED, |side| side.fate.as_str());
        if fate(before) != fate(after) {
            let id = [before, after].into_iter().flatten().find_map(|side| side.id.as_deref());
            changes.entry((fate(before), fate(after))).or_default().push((row, id));
        }
    }
    let named = |(row, id): &(i64, Option<&str>)| match id {
        Some(id) => format!("{id} (row {row})"),
        None => format!("row {row}"),
    };
    changes
        .into_iter()
        .map(|((before, after), rows)| Fate {
            source: source.to_owned(),
            before: before.to_owned(),
            after: after.to_owned(),
            rows: rows.len() as u64,
            samples: rows.iter().take(SAMPLES).map(named).collect(),
        })
        .collect()
}

/// The rows of a legacy table that a bundle set aside, by `_row`.
fn aside(bundle: &Bundle, entity: &str) -> Result<BTreeMap<i64, Aside>> {
    let mut rows = BTreeMap::new();
    let mut read = |file: String, columns: [&str; 3], fate: &dyn Fn(Option<&str>) -> String| {
        let path = bundle.path(&file);
        take(&path, columns, &mut |row, id, why| {
            rows.insert(row, Aside { fate: fate(why), id });
        })
    };
    let quarantined = |rule: Option<&str>| format!("quarantined: {}", rule.unwrap_or_default());
    let merged = |other: Option<&str>| match other {
        Some(entity) => format!("merged into a row of `{entity}`"),
        None => "merged into another row".to_owned(),
    };
    let dropped = |_: Option<&str>| "dropped by rule".to_owned();
    let rule = ["_row", "id", Quarantine::RULE];
    read(format!("data/quarantine/{entity}.parquet"), rule, &quarantined)?;
    read(format!("data/merged/{entity}.parquet"), ["_row", "id", "_entity"], &merged)?;
    read(format!("data/dropped/{entity}.parquet"), rule, &dropped)?;
    Ok(rows)
}

fn take(path: &Path, columns: [&str; 3], give: &mut Give<'_>) -> Result<()> {
    scan::scan_if_there(path, &columns, &mut |row| {
        if let Some(place) = row.whole(0) {
            give(place, row.text(1).map(str::to_owned), row.text(2));
        }
        Ok(())
    })
}
