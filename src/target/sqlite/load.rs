//! Rows on their way in: into the tables of a new database, or into temporary ones beside those of
//! an existing one.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, Statement};

use super::fail::{self, Fails};
use super::schema::{DIGEST, IMPORTS, quoted};
use super::values;
use crate::digest::row_hex;
use crate::error::Result;
use crate::progress::Progress;
use crate::target::{Plan, Rows, Table};

/// Inserts every row of the bundle into the tables that `named` gives.
pub(super) fn insert_all(
    db: &Connection,
    plan: &Plan,
    named: fn(&Table) -> String,
    (place, progress): (&Path, &dyn Progress),
) -> Result<()> {
    for table in &plan.tables {
        let mut insert = db.prepare(&insert_sql(table, &named(table))).fails(place)?;
        plan.scan_digested(table, progress, &mut |rows| {
            for row in 0..rows.len() {
                insert_row(&mut insert, table, rows, row)
                    .map_err(|error| fail::row(&error, &row_name(table, rows, row), place))?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

fn insert_row(
    insert: &mut Statement<'_>,
    table: &Table,
    rows: &Rows<'_>,
    row: usize,
) -> rusqlite::Result<()> {
    for column in 0..table.columns.len() {
        values::bind(insert, column + 1, rows.value(column, row))?;
    }
    insert.raw_bind_parameter(table.columns.len() + 1, row_hex(rows.digest(row)))?;
    insert.raw_execute().map(drop)
}

/// Whether an import of this bundle is on record.
pub(super) fn is_recorded(db: &Connection, plan: &Plan) -> rusqlite::Result<bool> {
    let sql = format!("SELECT count(*) FROM {} WHERE bundle = ?1", quoted(IMPORTS));
    db.query_row(&sql, [&plan.bundle], |row| row.get(0))
}

/// Notes which run wrote which bundle.
pub(super) fn record(db: &Connection, plan: &Plan, run: &str) -> rusqlite::Result<()> {
    let counts: BTreeMap<&str, u64> =
        plan.tables.iter().map(|table| (table.name.as_str(), table.rows)).collect();
    // A map of names to counts always has a JSON form.
    let counts = serde_json::to_string(&counts).unwrap_or_default();
    let sql = format!("INSERT OR REPLACE INTO {} VALUES (?1, ?2, ?3, ?4, ?5)", quoted(IMPORTS));
    db.execute(&sql, (run, &plan.bundle, &plan.contract, &plan.program, counts)).map(drop)
}

fn insert_sql(table: &Table, into: &str) -> String {
    let names = all_columns(table).join(", ");
    let places: Vec<String> = (1..=table.columns.len() + 1).map(|at| format!("?{at}")).collect();
    format!("INSERT INTO {into} ({names}) VALUES ({})", places.join(", "))
}

/// Every column of a table, the digest last.
pub(super) fn all_columns(table: &Table) -> Vec<String> {
    let names = table.columns.iter().map(|column| quoted(&column.name));
    names.chain([quoted(DIGEST)]).collect()
}

fn row_name(table: &Table, rows: &Rows<'_>, row: usize) -> String {
    format!("`{}` {}", table.name, rows.key(table, row).join(" -> "))
}
