//! What was set aside: merged rows equal the row that stands for them, quarantined rows are whole.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hasher as _};

use super::Rule;
use super::cause::{self, Ways};
use super::facts::Audit;
use super::key;
use super::legacy::Legacy;
use super::read::{self, Row};
use super::rule::Tally;
use super::set_aside;
use super::spelled;
use super::sql;
use crate::bundle::Quarantine;
use crate::error::{Result, grouped};
use crate::schema::Type;
use crate::snapshot::{self, Extra};

/// The rules of the rows of a legacy table that did not become target rows.
pub(super) fn rules(audit: &Audit<'_>, legacy: &Legacy, out: &mut Vec<Rule>) -> Result<()> {
    out.push(merged(audit, legacy)?);
    out.push(whole(audit, legacy)?);
    out.push(reasons(audit, legacy)?);
    Ok(())
}

/// A merged row equals the migrated row that stands for it, or an existing row of its id does.
fn merged(audit: &Audit<'_>, legacy: &Legacy) -> Result<Rule> {
    let entity = &legacy.entity;
    let mut tally = Tally::new("account", entity, "")
        .says(format!("every merged {entity} row equals the row that stands for it"))
        .query(merged_sql(audit, legacy));
    let digests = if legacy.merged.is_empty() { Vec::new() } else { digests(legacy)? };
    let differs = |row: usize, other: usize| digests.get(row) != digests.get(other);
    let pairs = legacy.merged.iter().filter_map(|merged| Some((merged.row, merged.winner?)));
    let pairs = pairs.filter(|(row, winner)| differs(*row, *winner) && *winner < legacy.rows);
    let spelled: BTreeSet<usize> = pairs.flat_map(|(row, winner)| [row, winner]).collect();
    let said = spelled::read(audit, legacy, spelled)?;
    let says_same = |row: usize, other: usize| {
        !differs(row, other)
            || said.get(&row).is_some_and(|said_by| said.get(&other) == Some(said_by))
    };
    for merged in &legacy.merged {
        let right = match (merged.winner, &merged.entity) {
            (Some(winner), _) => {
                winner != merged.row
                    && legacy.ids.get(winner) == legacy.ids.get(merged.row)
                    && says_same(merged.row, winner)
                    && winner < legacy.rows
                    && (legacy.is_migrated(winner) || legacy.merged_times[winner] > 0)
            }
            (None, Some(target)) => audit.tables.get(target).is_some_and(|table| {
                let row = table.find(merged.id);
                row.is_some_and(|row| table.existing(row).is_some())
            }),
            (None, None) => false,
        };
        tally.check(right, || legacy.place(merged.row));
    }
    Ok(tally.finish())
}

fn digests(legacy: &Legacy) -> Result<Vec<u128>> {
    let mut digests = Vec::with_capacity(legacy.rows);
    if let Some(path) = &legacy.path {
        read::scan(path, &[Extra::DIGEST], &mut |row| {
            digests.push(key::hash128(row.text(0).unwrap_or_default().as_bytes()));
            Ok(())
        })?;
    }
    Ok(digests)
}

fn merged_sql(audit: &Audit<'_>, legacy: &Legacy) -> String {
    let file = format!("data/merged/{}.parquet", legacy.entity);
    let merged = sql::side(audit, &file, &["_row", "_winner_row", "id", "_entity"]);
    let table = sql::legacy(audit, legacy);
    let migrated: Vec<String> = legacy
        .onto
        .iter()
        .map(|onto| format!("SELECT r FROM {}", sql::stands(audit, legacy, &onto.target)))
        .chain([format!("SELECT _row AS r FROM {merged}")])
        .collect();
    let existing: Vec<String> = audit
        .tables
        .keys()
        .map(|target| {
            let (name, table) = (sql::text(target), sql::target(audit, target));
            format!("SELECT {name} AS e, id FROM {table} WHERE _origin = 'existing'")
        })
        .collect();
    format!(
        "SELECT {} FROM {merged} m SEMI JOIN {table} x ON x._row = m._row WHERE NOT \
         coalesce(CASE WHEN m._winner_row IS NOT NULL THEN m._winner_row <> m._row AND m._winner_row \
         IN ({}) AND EXISTS (FROM {table} a JOIN {table} w ON {} IS NOT DISTINCT FROM {} AND \
         (w._digest = a._digest OR ({})) WHERE a._row = m._row AND w._row = m._winner_row) ELSE (m._entity, \
         lower(m.id)) IN (SELECT (e, id) FROM ({})) END, false)",
        sql::found(audit, "m.id"),
        migrated.join(" UNION ALL "),
        sql::id("w.id"),
        sql::id("a.id"),
        spelled::same_sql(audit, &legacy.entity),
        existing.join(" UNION ALL ")
    )
}

/// Every quarantined row has all columns of its snapshot row as they are.
fn whole(audit: &Audit<'_>, legacy: &Legacy) -> Result<Rule> {
    let entity = &legacy.entity;
    let columns = snapshot::columns(&audit.contract.before.schema, entity);
    let names: Vec<&str> = columns.fields().iter().map(|field| field.name().as_str()).collect();
    let file = format!("data/quarantine/{entity}.parquet");
    let differs: Vec<String> = names
        .iter()
        .map(|name| format!("q.{name} IS DISTINCT FROM s.{name}", name = sql::name(name)))
        .collect();
    let mut tally = Tally::new("account", entity, "")
        .says(format!(
            "every quarantined {entity} row is whole, as it stood in the source, and so is its line"
        ))
        .query(format!(
            "SELECT {} FROM {} q JOIN {} s ON s._row = q._row WHERE {}",
            sql::found(audit, "s.id"),
            sql::side(audit, &file, &names),
            sql::legacy(audit, legacy),
            differs.join(" OR ")
        ));
    let Some(path) = &legacy.path else { return Ok(tally.finish()) };
    let at = names.iter().position(|name| *name == Extra::ROW).unwrap_or_default();
    let mut set_aside: Vec<(usize, u64)> = Vec::new();
    read::scan_if_there(&audit.bundle.path(&file), &names, &mut |row| {
        if let Some(number) = row.row(at).filter(|number| *number < legacy.rows) {
            set_aside.push((number, row_hash(row, names.len())));
        }
        Ok(())
    })?;
    set_aside.sort_unstable();
    let mut rows: Vec<usize> = set_aside.iter().map(|(row, _)| *row).collect();
    rows.dedup();
    read::pick(path, &names, &rows, &mut |row| {
        let (number, hash) = (rows[row.number], row_hash(row, names.len()));
        let from = set_aside.partition_point(|(at, _)| *at < number);
        for (_, found) in set_aside[from..].iter().take_while(|(at, _)| *at == number) {
            tally.check(*found == hash, || legacy.place(number));
        }
        Ok(())
    })?;
    set_aside::lines(audit, legacy, &mut tally)?;
    Ok(tally.finish())
}

/// The hash of all columns of a row.
fn row_hash(row: Row<'_>, columns: usize) -> u64 {
    let mut hasher = DefaultHasher::new();
    for column in 0..columns {
        hasher.write_u64(key::value_hash(row.value(column, Type::String)));
        hasher.write_i64(row.whole(column).unwrap_or(i64::MIN));
    }
    hasher.finish()
}

/// Every quarantined row names its rule and reason, and bundle.json counts them by rule.
fn reasons(audit: &Audit<'_>, legacy: &Legacy) -> Result<Rule> {
    let entity = &legacy.entity;
    let file = format!("data/quarantine/{entity}.parquet");
    let side = sql::side(audit, &file, &[Quarantine::RULE, Quarantine::REASON]);
    let mut tally = Tally::new("count", entity, "")
        .says(format!(
            "every quarantined {entity} row has a rule, a reason and the cause it had, and bundle.json \
             counts them"
        ))
        .query(format!(
            "SELECT {} + (SELECT count(*) FROM {side} WHERE coalesce(_rule, '') = '' OR \
             coalesce(_reason, '') = '') + (SELECT count(*) FROM (SELECT coalesce(_rule, '') AS rule, count(*) AS n \
             FROM {side} GROUP BY 1) f FULL JOIN (SELECT (q ->> '$.rule') AS rule, sum((q ->> \
             '$.rows')::BIGINT) AS n FROM (SELECT unnest(quarantine::JSON[]) AS q FROM \
             read_json({}, columns = {{quarantine: 'JSON'}})) WHERE (q ->> \
             '$.source') = {} GROUP BY 1) b USING (rule) WHERE f.n IS DISTINCT FROM b.n)",
            cause::wrong_sql(audit, legacy),
            sql::path(audit, "data/bundle.json"),
            sql::text(entity)
        ));
    let mut found: BTreeMap<String, u64> = BTreeMap::new();
    let (path, _) = audit.file(&file);
    let ways = Ways::read(audit, legacy)?;
    let mut columns = vec![Quarantine::RULE, Quarantine::REASON, Quarantine::CAUSE, Extra::ROW];
    let own = columns.len();
    columns.extend(ways.columns());
    read::scan_if_there(&path, &columns, &mut |row| {
        let (rule, reason) = (row.text(0).unwrap_or_default(), row.text(1).unwrap_or_default());
        let source = row.row(3).unwrap_or(usize::MAX);
        let is_told = !rule.is_empty() && !reason.is_empty();
        let why = (rule, row.text(2));
        let right = is_told && cause::is_right(audit, (legacy, source), why, (&ways, row, own))?;
        tally.check(right, || legacy.place(source));
        match found.get_mut(rule) {
            Some(rows) => *rows += 1,
            None => drop(found.insert(rule.to_owned(), 1)),
        }
        Ok(())
    })?;
    let mut said: BTreeMap<&str, u64> = BTreeMap::new();
    for quarantined in audit.bundle.meta().quarantine.iter().filter(|said| said.source == *entity) {
        *said.entry(&quarantined.rule).or_default() += quarantined.rows;
    }
    let rules: std::collections::BTreeSet<&str> =
        said.keys().copied().chain(found.keys().map(String::as_str)).collect();
    for rule in rules {
        let (said, found) = (said.get(rule).copied(), found.get(rule).copied());
        tally.check(said == found, || {
            let (said, found) = (grouped(said.unwrap_or(0)), grouped(found.unwrap_or(0)));
            format!("{rule}: bundle.json says {said}, there are {found}")
        });
    }
    Ok(tally.finish())
}
