//! What became of a legacy row.

use std::collections::BTreeSet;

use super::answer::{Cause, DroppedLink, Legacy, Outcome, Winner};
use super::cell::{Cell, Record};
use super::files::Files;
use super::table::Needle;
use super::{fields, legacy, made, place};
use crate::bundle::Quarantine;
use crate::contract::Pick;
use crate::error::Result;
use crate::json;
use crate::schema::Type;
use crate::snapshot::Extra;

/// A row of a table of the account, whose columns are texts and whole numbers.
pub(super) fn plain(_: &str) -> Type {
    Type::String
}

/// Tells what became of a row of a legacy table.
pub(super) fn of(files: &Files, entity: &str, row: i64) -> Result<Legacy> {
    let mut record = legacy::read(files, entity, row)?;
    let aside =
        aside(files, ("quarantine", entity), row, &|column| files.legacy_type(entity, column))?;
    let outcome = match aside {
        Some(refused) => {
            let outcome = quarantined(files, entity, &refused)?;
            record = record.or(Some(refused));
            outcome
        }
        None => match aside_plain(files, ("merged", entity), row)? {
            Some(merged) => Outcome::Merged { winner: winner(files, entity, &merged)? },
            None => match aside_plain(files, ("dropped", entity), row)? {
                Some(dropped) => {
                    let rule = dropped.text(Quarantine::RULE).unwrap_or_default().to_owned();
                    Outcome::Dropped { rule }
                }
                None => migrated(files, entity, row, record.as_ref())?,
            },
        },
    };
    let id = match &record {
        Some(record) => record.text("id").map(str::to_owned),
        None => made::legacy_id(files, entity, &outcome)?,
    };
    Ok(Legacy {
        place: place::of(&files.meta.source, entity, row),
        corrected: corrected(files, entity, row),
        homeless: record.as_ref().map(|row| homeless(files, entity, row)).unwrap_or_default(),
        left_behind: record.as_ref().map(|row| left_behind(files, entity, row)).unwrap_or_default(),
        values: record.as_ref().map(|record| fields(record, &OURS)),
        dropped_links: dropped_links(files, entity, row)?,
        entity: entity.to_owned(),
        id,
        outcome,
    })
}

/// The attributes of a row that the contract drops.
fn homeless(files: &Files, entity: &str, row: &Record) -> Vec<String> {
    let dropped = files.contract.transforms_of(entity).flat_map(|rules| &rules.drop);
    dropped.filter(|name| *row.cell(name) != Cell::Absent).cloned().collect()
}

/// The attributes of a row that the contract does not declare.
fn left_behind(files: &Files, entity: &str, row: &Record) -> Vec<String> {
    let Cell::Json(extra) = row.cell(Extra::EXTRA) else { return Vec::new() };
    let undeclared = |name: &str| {
        let mut attrs = files.meta.unmapped.attrs.iter();
        attrs.any(|(of, attr, _)| of == entity && attr == name)
    };
    let members = json::members(extra).unwrap_or_default();
    let names = members.into_iter().map(|(name, _)| name.into_owned());
    names.filter(|name| undeclared(name)).collect()
}

/// The files of corrections that replaced a row, by the snapshot's ledger.
fn corrected(files: &Files, entity: &str, row: i64) -> Vec<String> {
    let replays = files.snapshot.iter().flat_map(|(_, meta)| &meta.replays);
    let replaced = replays.filter(|replay| {
        replay.rows.iter().any(|it| it.entity == entity && i64::try_from(it.row) == Ok(row))
    });
    replaced.map(|replay| replay.fixes.clone()).collect()
}

/// Columns that say nothing of the row itself.
const OURS: [&str; 6] =
    ["id", Extra::ROW, Extra::DIGEST, Quarantine::RULE, Quarantine::REASON, Quarantine::CAUSE];

fn migrated(files: &Files, entity: &str, row: i64, record: Option<&Record>) -> Result<Outcome> {
    let rows = made::of(files, entity, row, record)?;
    Ok(if rows.is_empty() { Outcome::Unaccounted } else { Outcome::Migrated { rows } })
}

/// The line about a row in a folder of the account.
fn aside(
    files: &Files,
    (folder, entity): (&str, &str),
    row: i64,
    ty: &dyn Fn(&str) -> Type,
) -> Result<Option<Record>> {
    let Some(table) = files.of_bundle(&format!("data/{folder}/{entity}.parquet"))? else {
        return Ok(None);
    };
    let rows = table.find_number(Extra::ROW, row)?;
    Ok(table.records(&rows, ty)?.into_iter().next())
}

fn aside_plain(files: &Files, place: (&str, &str), row: i64) -> Result<Option<Record>> {
    aside(files, place, row, &plain)
}

fn winner(files: &Files, entity: &str, merged: &Record) -> Result<Winner> {
    let id = merged.text("id").map(str::to_owned);
    if let Some(existing) = merged.text("_entity") {
        return Ok(Winner { entity: existing.to_owned(), row: None, id, existed: true });
    }
    let row = merged.whole("_winner_row");
    let record = row.map(|row| legacy::read(files, entity, row)).transpose()?.flatten();
    let id = record.and_then(|record| record.text("id").map(str::to_owned)).or(id);
    Ok(Winner { entity: entity.to_owned(), row, id, existed: false })
}

fn quarantined(files: &Files, entity: &str, refused: &Record) -> Result<Outcome> {
    let text = |name: &str| refused.text(name).unwrap_or_default().to_owned();
    let rule = text(Quarantine::RULE);
    Ok(Outcome::Quarantined {
        reason: text(Quarantine::REASON),
        causes: causes(files, refused.text(Quarantine::CAUSE))?,
        kept: kept(files, entity, refused, &rule)?,
        rule,
    })
}

/// Follows the cause of a cascade from row to row, to its root.
fn causes(files: &Files, first: Option<&str>) -> Result<Vec<Cause>> {
    let mut found: Vec<Cause> = Vec::new();
    let mut seen = BTreeSet::new();
    let mut next = first.map(str::to_owned);
    while let Some((entity, id)) = next.as_deref().and_then(|cause| split(files, cause)) {
        if !seen.insert((entity.clone(), id.clone())) {
            break;
        }
        let file = format!("data/quarantine/{entity}.parquet");
        let table = files.of_bundle(&file)?;
        let rows = match &table {
            Some(table) => table.find("id", &Needle::id(&id))?,
            None => Vec::new(),
        };
        let first = rows.first().copied();
        let names = [Extra::ROW, Quarantine::RULE, Quarantine::REASON, Quarantine::CAUSE];
        let line = match (&table, first) {
            (Some(table), Some(row)) => table.some(&names, &[row], &plain)?.pop(),
            _ => None,
        };
        let text = |name: &str| {
            line.as_ref().and_then(|line| line.text(name)).unwrap_or_default().to_owned()
        };
        found.push(Cause {
            row: line.as_ref().and_then(|line| line.whole(Extra::ROW)),
            rule: text(Quarantine::RULE),
            reason: text(Quarantine::REASON),
            entity,
            id,
        });
        next = line.and_then(|line| line.text(Quarantine::CAUSE).map(str::to_owned));
    }
    Ok(found)
}

/// Entity and id of a cause; an entity's name may hold the colon too.
fn split(files: &Files, cause: &str) -> Option<(String, String)> {
    let entities = files.contract.before.schema.entities.iter().map(|entity| &entity.name);
    let named = entities.filter_map(|name| {
        let id = cause.strip_prefix(name.as_str())?.strip_prefix(':')?;
        Some((name.clone(), id.to_owned()))
    });
    named.max_by_key(|(name, _)| name.len())
}

/// The row that has what a refused row wanted for itself: the rules `<target>.<name> unique` and
/// `<target>.<name> not taken`.
fn kept(files: &Files, entity: &str, refused: &Record, rule: &str) -> Result<Option<Winner>> {
    let Some(wanted) = rule.strip_suffix(" unique").or_else(|| rule.strip_suffix(" not taken"))
    else {
        return Ok(None);
    };
    for transform in files.contract.transforms_of(entity) {
        let target = &transform.target;
        let name = wanted.strip_prefix(target.as_str()).and_then(|rest| rest.strip_prefix('.'));
        let (Some(name), Some(table)) = (name, files.target(target)?) else { continue };
        let needle = match name {
            "id" => refused.text("id").map(|id| Needle::exact(&files.target_id(target, id))),
            name => {
                let rule = transform.attrs.iter().find(|rule| rule.attr == name);
                let picks: &[Pick] = rule.map_or(&[], |rule| &rule.from);
                first_text(files, entity, refused, picks)?.map(|text| Needle::exact(&text))
            }
        };
        let Some(needle) = needle else { continue };
        let rows = table.find(name, &needle)?;
        let names = ["id", crate::bundle::Origin::ORIGIN, crate::bundle::Origin::SOURCE_ROW];
        let found = table.some(&names, &rows, &plain)?;
        return Ok(found.first().map(|row| by_row(entity, target, row)));
    }
    Ok(None)
}

fn by_row(entity: &str, target: &str, row: &Record) -> Winner {
    use crate::bundle::Origin;
    let existed = row.text(Origin::ORIGIN) == Some(Origin::EXISTING);
    Winner {
        entity: if existed { target } else { entity }.to_owned(),
        row: row.whole(Origin::SOURCE_ROW),
        id: row.text("id").map(str::to_owned),
        existed,
    }
}

fn first_text(files: &Files, entity: &str, row: &Record, picks: &[Pick]) -> Result<Option<String>> {
    for pick in picks {
        if let Some(Cell::Text(text)) = legacy::given(files, entity, row, pick)?.value {
            return Ok(Some(text));
        }
    }
    Ok(None)
}

fn dropped_links(files: &Files, entity: &str, row: i64) -> Result<Vec<DroppedLink>> {
    let Some(table) = files.of_bundle("data/quarantine/links.parquet")? else {
        return Ok(Vec::new());
    };
    let rows: Vec<usize> = table.find_number(Extra::ROW, row)?;
    let lines = table.some(&["entity", "label", "to", "reason"], &rows, &plain)?;
    let of_this = lines.iter().filter(|line| line.text("entity") == Some(entity));
    let text = |line: &Record, name: &str| line.text(name).unwrap_or_default().to_owned();
    let link = |line: &Record| DroppedLink {
        entity: entity.to_owned(),
        label: text(line, "label"),
        to: text(line, "to"),
        reason: text(line, "reason"),
    };
    Ok(of_this.map(link).collect())
}
