//! Undoing an import in an existing database.

use std::path::Path;

use rusqlite::Connection;

use super::Open;
use super::check::digest_of;
use super::fail::Fails;
use super::merge::{self, both, key_of, same_key, staged};
use super::schema::{self, DIGEST, quoted};
use super::values;
use crate::digest::{RowDigest, TableDigest, row_hex};
use crate::error::{Error, Result, grouped};
use crate::target::{
    Before, Column, ColumnKind, Held, Image, Journal, Plan, Role, Table, Undoing, later_import,
};

/// Notes of an import in the journal: it made the file; it made these tables.
pub(super) const FILE_MADE: &str = "file made";
pub(super) const TABLES_MADE: &str = "tables made";

/// What undoing does with a staged row.
const REMOVED: i64 = 0;
const LEFT: i64 = 1;
const RESTORED: i64 = 2;

/// What a table that is not there holds.
pub(super) fn nothing() -> Held {
    let none = TableDigest::default();
    Held { rows: none.rows, digest: none.hex() }
}

/// Says what undoing would do, and decides about every staged row.
pub(super) fn inspect(
    open: &Open,
    plan: &Plan,
    before: &Before,
    place: &Path,
) -> Result<Vec<Undoing>> {
    refuse_later(&open.db, plan, place)?;
    mark(&open.db, plan, before, place)?;
    plan.tables.iter().map(|table| look(&open.db, table, place)).collect()
}

/// Refuses while a later import of another bundle stands on this one.
fn refuse_later(db: &Connection, plan: &Plan, place: &Path) -> Result<()> {
    let imports = quoted(schema::IMPORTS);
    let sql = format!(
        "SELECT bundle FROM {imports} WHERE bundle <> ?1 AND _rowid_ >
         (SELECT min(_rowid_) FROM {imports} WHERE bundle = ?1) ORDER BY _rowid_ DESC"
    );
    let mut later = db.prepare(&sql).fails(place)?;
    let mut later = later.query([&plan.bundle]).fails(place)?;
    match later.next().fails(place)? {
        None => Ok(()),
        Some(row) => Err(later_import(&row.get::<_, String>(0).fails(place)?).at(place.display())),
    }
}

/// Marks the staged rows that were there before the import.
fn mark(db: &Connection, plan: &Plan, before: &Before, place: &Path) -> Result<()> {
    let mut marks = Vec::new();
    for table in &plan.tables {
        let keys: Vec<String> = table
            .keys()
            .enumerate()
            .map(|(at, (_, key))| format!("{} = ?{}", quoted(&key.name), at + 2))
            .collect();
        let sql =
            format!("UPDATE {} SET \"_fate\" = ?1 WHERE {}", staged(table), keys.join(" AND "));
        marks.push((&table.name, db.prepare(&sql).fails(place)?));
    }
    before.each(&mut |row| {
        let Some((_, mark)) = marks.iter_mut().find(|(name, _)| **name == row.table) else {
            return Ok(());
        };
        let fate = if row.was.is_some() { RESTORED } else { LEFT };
        mark.raw_bind_parameter(1, fate).fails(place)?;
        for (at, key) in row.key.iter().enumerate() {
            mark.raw_bind_parameter(at + 2, key).fails(place)?;
        }
        mark.raw_execute().fails(place).map(drop)
    })
}

fn look(db: &Connection, table: &Table, place: &Path) -> Result<Undoing> {
    let mut undoing = Undoing { table: table.name.clone(), ..Undoing::default() };
    let count = |fate: i64| {
        let sql = format!("SELECT count(*) FROM {} WHERE \"_fate\" = {fate}", staged(table));
        db.query_row(&sql, [], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs).fails(place)
    };
    undoing.removed = count(REMOVED)?;
    undoing.left = count(LEFT)?;
    undoing.restored = count(RESTORED)?;
    find_gone(db, table, &mut undoing, place)?;
    let both = both(table);
    let sql = format!("{} ", both.sql).replacen(" ORDER BY 1", &touched(), 1);
    let mut select = db.prepare(&sql).fails(place)?;
    let mut rows = select.query([]).fails(place)?;
    let mut digest = RowDigest::default();
    while let Some(row) = rows.next().fails(place)? {
        let found =
            digest_of(table, &both.columns, row, &mut digest).map_err(|error| error.told(place))?;
        let found = row_hex(found);
        let wanted: String = row.get(both.columns.len() + 2).fails(place)?;
        if found != wanted {
            undoing.changed.add(|| key_of(table, &both.columns, row).join(" -> "));
        }
    }
    Ok(undoing)
}

fn touched() -> String {
    format!(" WHERE s.\"_fate\" <> {LEFT} ORDER BY 1")
}

/// Counts rows of the import that are no longer there as changed.
fn find_gone(db: &Connection, table: &Table, undoing: &mut Undoing, place: &Path) -> Result<()> {
    let keys: Vec<String> =
        table.keys().map(|(_, key)| format!("s.{}", quoted(&key.name))).collect();
    let mut select = db
        .prepare(&format!(
            "SELECT {} FROM {} AS s WHERE s.\"_fate\" <> {LEFT}
             AND NOT EXISTS (SELECT 1 FROM main.{} AS t WHERE {}) ORDER BY 1",
            keys.join(" || ' -> ' || "),
            staged(table),
            quoted(&table.name),
            same_key(table)
        ))
        .fails(place)?;
    let mut rows = select.query([]).fails(place)?;
    while let Some(row) = rows.next().fails(place)? {
        let key: String = row.get(0).fails(place)?;
        undoing.changed.add(|| format!("{key} is gone"));
    }
    Ok(())
}

/// Removes and restores rows, and drops what the import made and nobody else uses.
pub(super) fn revert(
    open: &mut Open,
    plan: &Plan,
    (before, journal): (&Before, &Journal<'_>),
    place: &Path,
) -> Result<()> {
    for table in plan.tables.iter().rev() {
        let sql = format!(
            "DELETE FROM main.{} AS t WHERE EXISTS (SELECT 1 FROM {} AS s WHERE {} AND s.\"_fate\" = {REMOVED})",
            quoted(&table.name),
            staged(table),
            same_key(table)
        );
        open.db.execute_batch(&sql).fails(place)?;
    }
    merge::free_unique(&open.db, plan, place)?;
    before.each(&mut |row| match (&row.was, plan.tables.iter().find(|t| t.name == row.table)) {
        (Some(image), Some(table)) => restore(&open.db, table, (&row.key, image), place),
        _ => Ok(()),
    })?;
    refuse_hanging(&open.db, plan, place)?;
    let run = open.job.undoes.clone().unwrap_or_default();
    let sql = format!("DELETE FROM {} WHERE bundle = ?1", quoted(schema::IMPORTS));
    open.db.execute(&sql, [&plan.bundle]).fails(place)?;
    drop_made(open, plan, (journal, &run), place)
}

fn restore(
    db: &Connection,
    table: &Table,
    (key, image): (&[String], &Image),
    place: &Path,
) -> Result<()> {
    let columns: Vec<&Column> =
        table.columns.iter().filter(|column| column.role != Role::Key).collect();
    let names = columns.iter().map(|column| column.name.as_str()).chain([DIGEST]);
    let set: Vec<String> =
        names.enumerate().map(|(at, name)| format!("{} = ?{}", quoted(name), at + 1)).collect();
    let first = set.len() + 1;
    let keys: Vec<String> = table
        .keys()
        .enumerate()
        .map(|(at, (_, key))| format!("{} = ?{}", quoted(&key.name), first + at))
        .collect();
    let on = quoted(&table.name);
    let sql = format!("UPDATE main.{on} SET {} WHERE {}", set.join(", "), keys.join(" AND "));
    let mut update = db.prepare_cached(&sql).fails(place)?;
    let text = |name: &str| image.get(name).and_then(Option::as_deref);
    for (at, column) in columns.iter().enumerate() {
        let value = text(&column.name);
        values::bind_text(&mut update, at + 1, value, column.kind).fails(place)?;
    }
    values::bind_text(&mut update, columns.len() + 1, text(DIGEST), ColumnKind::Text)
        .fails(place)?;
    for (at, key) in key.iter().enumerate() {
        update.raw_bind_parameter(first + at, key).fails(place)?;
    }
    update.raw_execute().fails(place).map(drop)
}

/// Refuses when rows that are not ours lead to rows that are gone now.
fn refuse_hanging(db: &Connection, plan: &Plan, place: &Path) -> Result<()> {
    let mut found = db.prepare("PRAGMA foreign_key_check").fails(place)?;
    let mut rows = found.query([]).fails(place)?;
    let (mut count, mut first) = (0, Vec::new());
    while let Some(row) = rows.next().fails(place)? {
        let parent: String = row.get(2).fails(place)?;
        if !plan.tables.iter().any(|table| table.name.eq_ignore_ascii_case(&parent)) {
            continue;
        }
        count += 1;
        if first.len() < 5 {
            let table: String = row.get(0).fails(place)?;
            let number: Option<i64> = row.get(1).fails(place)?;
            first.push(format!("`{table}` row {}", number.unwrap_or_default()));
        }
    }
    if count == 0 {
        return Ok(());
    }
    let rows =
        if count == 1 { "row that is not ours leads" } else { "rows that are not ours lead" };
    let said = format!("{} {rows} to rows of the import", grouped(count));
    let mut error = Error::refused(said)
        .at(place.display())
        .help("let them lead elsewhere, or remove them, then roll back; nothing was changed");
    error.at.extend(first);
    Err(error)
}

/// Drops the tables that the import made, when nothing is left in them.
fn drop_made(
    open: &mut Open,
    plan: &Plan,
    (journal, run): (&Journal<'_>, &str),
    place: &Path,
) -> Result<()> {
    let made_file = journal.notes(run, FILE_MADE).next().is_some();
    let notes = journal.notes(run, TABLES_MADE).filter_map(serde_json::Value::as_array).flatten();
    let made: Vec<&str> = notes
        .filter_map(serde_json::Value::as_str)
        .chain(open.made.iter().map(String::as_str))
        .collect();
    let names = plan.tables.iter().rev().map(|table| table.name.as_str()).chain([schema::IMPORTS]);
    for name in names.filter(|name| made_file || made.contains(name)) {
        let sql = format!("SELECT count(*) FROM main.{}", quoted(name));
        if open.db.query_row(&sql, [], |row| row.get::<_, i64>(0)).fails(place)? == 0 {
            open.db.execute_batch(&format!("DROP TABLE main.{}", quoted(name))).fails(place)?;
        }
    }
    let left =
        "SELECT count(*) FROM main.sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
    let left: i64 = open.db.query_row(left, [], |row| row.get(0)).fails(place)?;
    open.is_empty = made_file && left == 0;
    Ok(())
}

/// What the database holds of the bundle's keys in a table.
pub(super) fn held(db: &Connection, table: &Table, place: &Path) -> Result<Held> {
    let there = "SELECT count(*) FROM main.sqlite_schema WHERE type = 'table' AND name = ?1";
    let there: i64 = db.query_row(there, [&table.name], |row| row.get(0)).fails(place)?;
    if there == 0 {
        return Ok(nothing());
    }
    let both = merge::both(table);
    let mut select = db.prepare(&both.sql).fails(place)?;
    let mut rows = select.query([]).fails(place)?;
    let (mut held, mut digest) = (TableDigest::default(), RowDigest::default());
    while let Some(row) = rows.next().fails(place)? {
        let found = digest_of(table, &both.columns, row, &mut digest);
        held.add(found.map_err(|error| error.told(place))?);
    }
    Ok(Held { rows: held.rows, digest: held.hex() })
}
