//! A bundle beside an existing database: staged in temporary tables, compared row by row, merged.

use std::path::Path;

use rusqlite::{Connection, Row};

use super::Open;
use super::check::digest_of;
use super::fail::{self, Fails};
use super::load::all_columns;
use super::schema::{DIGEST, quoted};
use super::values;
use crate::digest::{RowDigest, TableDigest, row_hex};
use crate::error::Result;
use crate::target::{
    BeforeWriter, Column, ColumnKind, Held, Image, Noted, OnConflict, Plan, Standing, Table,
};

/// The temporary table of a table.
pub(super) fn staged(table: &Table) -> String {
    format!("temp.{}", quoted(&format!("staged {}", table.name)))
}

/// What becomes of a staged row.
const CREATED: i64 = 0;
const UNCHANGED: i64 = 1;
const UPDATED: i64 = 2;
const KEPT: i64 = 3;

/// Makes the temporary tables.
pub(super) fn create(db: &Connection, plan: &Plan) -> rusqlite::Result<()> {
    db.execute_batch("PRAGMA temp_store = FILE")?;
    for table in &plan.tables {
        let (staged, columns) = (staged(table), all_columns(table).join(", "));
        db.execute_batch(&format!(
            "CREATE TEMP TABLE {} ({columns}, \"_fate\" INTEGER NOT NULL DEFAULT {CREATED})",
            staged.trim_start_matches("temp.")
        ))?;
    }
    Ok(())
}

/// Makes the keys of the filled temporary tables.
pub(super) fn index(db: &Connection, plan: &Plan) -> rusqlite::Result<()> {
    for table in &plan.tables {
        let name = quoted(&format!("staged {}", table.name));
        let (index, keys) = (quoted(&format!("staged {} key", table.name)), keys(table, ""));
        db.execute_batch(&format!("CREATE UNIQUE INDEX temp.{index} ON {name} ({keys})"))?;
    }
    Ok(())
}

/// The key columns, as `a."id"`.
fn keys(table: &Table, alias: &str) -> String {
    let keys = table.keys().map(|(_, column)| format!("{alias}{}", quoted(&column.name)));
    keys.collect::<Vec<_>>().join(", ")
}

/// Same key: `s."id" = t."id"`.
pub(super) fn same_key(table: &Table) -> String {
    let keys = table.keys().map(|(_, column)| quoted(&column.name));
    keys.map(|key| format!("s.{key} = t.{key}")).collect::<Vec<_>>().join(" AND ")
}

/// Rows of the database under keys of the bundle: every column, then the digests of both.
pub(super) struct Both<'t> {
    pub(super) columns: Vec<&'t Column>,
    pub(super) sql: String,
}

pub(super) fn both(table: &Table) -> Both<'_> {
    let columns: Vec<&Column> = table.columns.iter().collect();
    let names: Vec<_> =
        columns.iter().map(|column| format!("t.{}", quoted(&column.name))).collect();
    let digest = quoted(DIGEST);
    let sql = format!(
        "SELECT s._rowid_, {}, t.{digest}, s.{digest} FROM {} AS s JOIN main.{} AS t ON {} ORDER BY 1",
        names.join(", "),
        staged(table),
        quoted(&table.name),
        same_key(table)
    );
    Both { columns, sql }
}

/// Compares a table and decides about every staged row.
pub(super) fn compare(
    open: &Open,
    table: &Table,
    before: &mut BeforeWriter<'_>,
    (on_conflict, place): (OnConflict, &Path),
) -> Result<Standing> {
    let db = &open.db;
    let mut standing = Standing { table: table.name.clone(), ..Standing::default() };
    let (mut held, mut digest) = (TableDigest::default(), RowDigest::default());
    let both = both(table);
    let mut select = db.prepare(&both.sql).fails(place)?;
    let sql = format!("UPDATE {} SET \"_fate\" = ?2 WHERE _rowid_ = ?1", staged(table));
    let mut decide = db.prepare(&sql).fails(place)?;
    let mut rows = select.query([]).fails(place)?;
    while let Some(row) = rows.next().fails(place)? {
        let found =
            digest_of(table, &both.columns, row, &mut digest).map_err(|error| error.told(place))?;
        held.add(found);
        let met = Met { table, columns: &both.columns, row, found: row_hex(found) };
        let fate = met
            .fate(on_conflict, &mut standing, before)
            .map_err(|error| error.at(place.display()))?;
        decide.execute((row.get::<_, i64>(0).fails(place)?, fate)).fails(place)?;
    }
    drop(rows);
    find_taken(db, table, (before, &mut standing.in_the_way), place)?;
    standing.counts.created = table.rows - held.rows;
    standing.before = Held { rows: held.rows, digest: held.hex() };
    Ok(standing)
}

/// A row of the database under a key of the bundle.
struct Met<'r> {
    table: &'r Table,
    columns: &'r [&'r Column],
    row: &'r Row<'r>,
    found: String,
}

impl Met<'_> {
    fn fate(
        &self,
        on_conflict: OnConflict,
        standing: &mut Standing,
        before: &mut BeforeWriter<'_>,
    ) -> Result<i64> {
        let at = self.columns.len() + 1;
        let text = |at| self.row.get::<_, String>(at).unwrap_or_default();
        let (left, wanted) = (text(at), text(at + 1));
        let (name, key) = (&self.table.name, key_of(self.table, self.columns, self.row));
        if self.found == wanted {
            standing.counts.unchanged += 1;
            before.unchanged(name, &key)?;
            return Ok(UNCHANGED);
        }
        let is_ours = self.found == left;
        match on_conflict {
            OnConflict::Refuse if !is_ours => {
                standing.in_the_way.add(|| key.join(" -> "));
                before.in_the_way(name, &key)?;
                Ok(UPDATED)
            }
            OnConflict::Keep if !is_ours => {
                standing.counts.kept += 1;
                before.kept(name, &key)?;
                Ok(KEPT)
            }
            _ => {
                standing.counts.updated += 1;
                before.changes(name, &key, self.image(left)?)?;
                Ok(UPDATED)
            }
        }
    }

    fn image(&self, left: String) -> Result<Image> {
        let mut image = Image::new();
        for (at, column) in self.columns.iter().enumerate() {
            let held = self.row.get_ref(at + 1).map_err(|error| {
                crate::error::Error::bug("a column that was read is gone").because(error)
            })?;
            image.insert(column.name.clone(), values::as_text(held));
        }
        image.insert(DIGEST.to_owned(), Some(left));
        Ok(image)
    }
}

/// The key of a row whose columns begin after its first value.
pub(super) fn key_of(table: &Table, columns: &[&Column], row: &Row<'_>) -> Vec<String> {
    let place = |key: &Column| columns.iter().position(|column| column.name == key.name);
    let keys = table.keys().map(|(_, key)| {
        let held = place(key).and_then(|at| row.get_ref(at + 1).ok());
        held.and_then(values::as_text).unwrap_or_default()
    });
    keys.collect()
}

/// Notes rows of the database that hold a unique value of the bundle's under another key.
fn find_taken(
    db: &Connection,
    table: &Table,
    (before, noted): (&mut BeforeWriter<'_>, &mut Noted),
    place: &Path,
) -> Result<()> {
    for column in table.columns.iter().filter(|column| column.unique) {
        let name = quoted(&column.name);
        let mut select = db
            .prepare(&format!(
                "SELECT t.\"id\" FROM {staged} AS s JOIN main.{on} AS t ON t.{name} = s.{name}
                 WHERE s.\"_fate\" IN ({CREATED}, {UPDATED}) AND s.\"id\" <> t.\"id\"
                 AND NOT EXISTS (SELECT 1 FROM {staged} AS o
                                 WHERE o.\"id\" = t.\"id\" AND o.\"_fate\" = {UPDATED})
                 ORDER BY 1",
                staged = staged(table),
                on = quoted(&table.name)
            ))
            .fails(place)?;
        let mut rows = select.query([]).fails(place)?;
        while let Some(row) = rows.next().fails(place)? {
            let id: String = row.get(0).fails(place)?;
            noted.add(|| format!("{id} holds a `{}` of the bundle's", column.name));
            before.in_the_way(&table.name, &[id])?;
        }
    }
    Ok(())
}

/// Takes the unique values away from the rows that will be changed, so that rows may pass them on.
pub(super) fn free_unique(db: &Connection, plan: &Plan, place: &Path) -> Result<()> {
    for table in &plan.tables {
        for column in table.columns.iter().filter(|column| column.unique) {
            let value = match (column.required, column.kind) {
                (false, _) => "NULL",
                (true, ColumnKind::Text) => "'rethread ' || t.\"id\"",
                // Such a value stays; when it is passed on the database refuses.
                (true, _) => continue,
            };
            let sql = format!(
                "UPDATE main.{} AS t SET {} = {value} FROM {} AS s WHERE {} AND s.\"_fate\" = {UPDATED}",
                quoted(&table.name),
                quoted(&column.name),
                staged(table),
                same_key(table)
            );
            db.execute_batch(&sql).fails(place)?;
        }
    }
    Ok(())
}

/// Brings the staged rows into their tables.
pub(super) fn apply(db: &Connection, plan: &Plan, place: &Path) -> Result<()> {
    free_unique(db, plan, place)?;
    for table in &plan.tables {
        let (on, staged, names) = (quoted(&table.name), staged(table), all_columns(table));
        let set: Vec<String> = names.iter().map(|name| format!("{name} = s.{name}")).collect();
        let columns = names.join(", ");
        let broken = |error| fail::row(&error, &format!("`{}`", table.name), place);
        db.execute_batch(&format!(
            "UPDATE main.{on} AS t SET {} FROM {staged} AS s WHERE {} AND s.\"_fate\" = {UPDATED};
             INSERT INTO main.{on} ({columns}) SELECT {columns} FROM {staged}
             WHERE \"_fate\" = {CREATED} ORDER BY _rowid_",
            set.join(", "),
            same_key(table)
        ))
        .map_err(broken)?;
    }
    Ok(())
}

/// What reads the bundle's rows of a table back: from the database, kept ones as they were staged.
pub(super) fn read_sql(table: &Table, columns: &[String]) -> String {
    let (on, staged, same) = (quoted(&table.name), staged(table), same_key(table));
    let names = |alias: &str| {
        columns.iter().map(|name| format!("{alias}.{name}")).collect::<Vec<_>>().join(", ")
    };
    format!(
        "SELECT {} FROM {staged} AS s JOIN main.{on} AS t ON {same} WHERE s.\"_fate\" <> {KEPT}
         UNION ALL SELECT {} FROM {staged} AS s WHERE s.\"_fate\" = {KEPT}",
        names("t"),
        names("s")
    )
}
