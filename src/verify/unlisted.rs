//! Values that no mapping lists: which they are, and where.

use std::collections::BTreeMap;

use super::Rule;
use super::facts::Audit;
use super::key;
use super::note;
use super::read;
use super::sql;
use crate::contract::{AttrRule, Limit, Otherwise, Pick, Transform};
use crate::error::{Result, printable};

/// The words by which a bundle lists such a value among the repairs.
const HOWS: [&str; 2] = ["value kept", "value otherwise"];
/// How many characters of a value are shown.
const SHOWN: usize = 40;
/// How many values a rule shows.
const SAMPLES: usize = 5;

/// What is listed of one attribute: how many values, and the id and the legacy row of the first.
#[derive(Default)]
struct Found {
    count: u64,
    first: Vec<(String, Option<usize>)>,
}

/// One rule for every attribute whose mapping takes values that it does not list.
pub(super) fn rules(audit: &Audit<'_>, transform: &Transform, out: &mut Vec<Rule>) -> Result<()> {
    let target = transform.target.as_str();
    let file = format!("data/repairs/{target}.parquet");
    let mut found: BTreeMap<String, Found> = BTreeMap::new();
    let columns = ["attr", "how", "id", "_source_row"];
    read::scan_if_there(&audit.file(&file).0, &columns, &mut |row| {
        let attr = row.text(0).filter(|_| HOWS.contains(&row.text(1).unwrap_or_default()));
        let Some(attr) = attr else { return Ok(()) };
        if !found.contains_key(attr) {
            found.insert(attr.to_owned(), Found::default());
        }
        let Some(found) = found.get_mut(attr) else { return Ok(()) };
        found.count += 1;
        if found.first.len() < SAMPLES {
            found.first.push((key::shown(row.text(2)), row.row(3)));
        }
        Ok(())
    })?;
    let side = sql::side(audit, &file, &columns);
    let migrated = audit.table(target)?.counts().0;
    for rule in &transform.attrs {
        let Some(values) = &rule.values else { continue };
        let becomes = match values.otherwise {
            Otherwise::Keep => "kept as it is",
            Otherwise::Value(_) => "replaced",
            Otherwise::Quarantine => continue,
        };
        let attr = &rule.attr;
        let none = Found::default();
        let found = found.get(attr).unwrap_or(&none);
        let mut tally = note::begin(audit, (target, attr), Limit::Any)
            .says(format!("{target}.{attr}: values that no mapping lists"))
            .noun(
                format!("value of {target}.{attr} that no mapping lists, {becomes}"),
                format!("values of {target}.{attr} that no mapping lists, {becomes}"),
            )
            .query(format!(
                "SELECT {} FROM {side} WHERE attr = {} AND how IN ({})",
                sql::found(audit, "id"),
                sql::text(attr),
                HOWS.map(sql::text).join(", ")
            ));
        tally.check_all(migrated.max(found.count), 0, String::new);
        for (id, row) in &found.first {
            let value = row.map(|row| value_of(audit, (transform, rule), row)).transpose()?;
            tally.violate(1, || match value.flatten() {
                Some(value) => format!("“{value}” in {id}"),
                None => id.clone(),
            });
        }
        let more = found.count - found.first.len() as u64;
        if more > 0 {
            tally.violate(more, String::new);
        }
        out.push(tally.finish());
    }
    Ok(())
}

/// The value that a legacy row has for a rule, as a sample shows it; none where it is that of another
/// row, or of a payload.
fn value_of(
    audit: &Audit<'_>,
    (transform, rule): (&Transform, &AttrRule),
    row: usize,
) -> Result<Option<String>> {
    let legacy = audit.legacy(&transform.source)?;
    let Some(path) = &legacy.path else { return Ok(None) };
    let columns = rule.from.iter().map_while(|pick| match pick {
        Pick::Attr(name) => Some(name.as_str()),
        Pick::Path { .. } | Pick::Server | Pick::Linked { .. } => None,
    });
    let columns: Vec<&str> = columns.collect();
    let mut found = None;
    read::pick(path, &columns, &[row], &mut |row| {
        found = (0..columns.len()).find_map(|at| row.text(at)).map(shown);
        Ok(())
    })?;
    Ok(found)
}

/// A value on one line, escaped and not long.
fn shown(value: &str) -> String {
    let start: String = value.chars().take(SHOWN + 1).collect();
    let escaped = printable(&start.replace('\n', "\\n"));
    let mut shown: String = escaped.chars().take(SHOWN).collect();
    if escaped.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}
