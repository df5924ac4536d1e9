//! Rows into tables: all of them into a new database, the absent ones into an existing one.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, ErrorCode, Statement};

use super::fail::{self, Fails};
use super::schema::{IMPORTS, quoted};
use super::values;
use crate::error::{Error, Result, grouped, printable};
use crate::target::{Counts, Plan, Rows, Table, Value};

/// Rows of a table that stand in the way of an import.
#[derive(Debug, Default)]
pub(super) struct InTheWay {
    /// Rows of ours that hold something else, or whose unique value another row holds.
    other: Some5,
    /// Rows that the bundle does not have.
    foreign: Some5,
}

/// A count, and the first five of what was counted.
#[derive(Debug, Default)]
struct Some5 {
    count: u64,
    first: Vec<String>,
}

impl Some5 {
    fn add(&mut self, id: impl FnOnce() -> String) {
        self.count += 1;
        if self.first.len() < 5 {
            self.first.push(printable(&id()));
        }
    }

    fn ids(&self) -> String {
        let more = self.count - self.first.len() as u64;
        let first = self.first.join(", ");
        if more == 0 { first } else { format!("{first} and {} more", grouped(more)) }
    }
}

/// Inserts every row into a new table.
pub(super) fn insert_all(
    db: &Connection,
    table: &Table,
    rows: &Rows<'_>,
    place: &Path,
) -> Result<Counts> {
    let mut insert = db.prepare_cached(&insert_sql(table)).fails(place)?;
    for row in 0..rows.len() {
        insert_row(&mut insert, table, rows, row)
            .map_err(|error| fail::row(&error, &row_name(table, rows, row), place))?;
    }
    Ok(Counts { created: rows.len() as u64, ..Counts::default() })
}

/// Inserts the rows that an existing table lacks and compares the others.
///
/// A row that differs is only noted, so that all of them can be named at once.
pub(super) fn insert_absent(
    db: &Connection,
    table: &Table,
    rows: &Rows<'_>,
    (in_the_way, place): (&mut InTheWay, &Path),
) -> Result<Counts> {
    db.execute_batch(&seen_sql(table)).fails(place)?;
    let mut find = db.prepare_cached(&find_sql(table)).fails(place)?;
    let mut insert = db.prepare_cached(&insert_sql(table)).fails(place)?;
    let see = format!("INSERT OR IGNORE INTO temp.{} VALUES (?1)", quoted(&seen(table)));
    let mut see = db.prepare_cached(&see).fails(place)?;
    let mut counts = Counts::default();
    for row in 0..rows.len() {
        let rowid = match compare(&mut find, table, rows, row).fails(place)? {
            Held::Same(rowid) => {
                counts.unchanged += 1;
                rowid
            }
            Held::Other(rowid) => {
                in_the_way.other.add(|| id_of(table, rows, row));
                rowid
            }
            Held::Absent => match insert_row(&mut insert, table, rows, row) {
                Ok(()) => {
                    counts.created += 1;
                    db.last_insert_rowid()
                }
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
                    in_the_way.other.add(|| id_of(table, rows, row));
                    continue;
                }
                Err(error) => {
                    return Err(fail::row(&error, &row_name(table, rows, row), place));
                }
            },
        };
        see.execute([rowid]).fails(place)?;
    }
    Ok(counts)
}

enum Held {
    Same(i64),
    Other(i64),
    Absent,
}

fn compare(
    find: &mut Statement<'_>,
    table: &Table,
    rows: &Rows<'_>,
    row: usize,
) -> rusqlite::Result<Held> {
    for (at, (column, _)) in table.keys().enumerate() {
        values::bind(find, at + 1, rows.value(column, row))?;
    }
    let mut found = find.raw_query();
    let Some(held) = found.next()? else { return Ok(Held::Absent) };
    let rowid = held.get(0)?;
    for column in 0..table.columns.len() {
        if !values::is_same(held.get_ref(column + 1)?, rows.value(column, row)) {
            return Ok(Held::Other(rowid));
        }
    }
    Ok(Held::Same(rowid))
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
    insert.raw_execute().map(drop)
}

/// Notes the rows of an existing database that the bundle does not have.
pub(super) fn find_foreign(
    db: &Connection,
    plan: &Plan,
    in_the_way: &mut BTreeMap<String, InTheWay>,
) -> rusqlite::Result<()> {
    for table in &plan.tables {
        db.execute_batch(&seen_sql(table))?;
        let keys: Vec<String> = table.keys().map(|(_, column)| quoted(&column.name)).collect();
        let mut foreign = db.prepare(&format!(
            "SELECT {} FROM {} WHERE _rowid_ NOT IN (SELECT row FROM temp.{}) ORDER BY _rowid_",
            keys.join(" || ' -> ' || "),
            quoted(&table.name),
            quoted(&seen(table))
        ))?;
        let mut rows = foreign.query([])?;
        while let Some(row) = rows.next()? {
            let id = row.get_ref(0)?.as_bytes().unwrap_or_default();
            let noted = &mut in_the_way.entry(table.name.clone()).or_default().foreign;
            noted.add(|| String::from_utf8_lossy(id).into_owned());
        }
    }
    Ok(())
}

/// Refuses the import when anything was noted.
pub(super) fn refuse(in_the_way: &BTreeMap<String, InTheWay>, place: &Path) -> Result<()> {
    let mut places = Vec::new();
    let mut count = 0;
    for (table, InTheWay { other, foreign }) in in_the_way {
        count += other.count + foreign.count;
        if other.count > 0 {
            let (rows, ids) = (rows_text(other.count), other.ids());
            places.push(format!("`{table}`: {rows} with other content ({ids})"));
        }
        if foreign.count > 0 {
            let (rows, ids) = (rows_text(foreign.count), foreign.ids());
            places.push(format!("`{table}`: {rows} that the bundle does not have ({ids})"));
        }
    }
    if count == 0 {
        return Ok(());
    }
    let verb = if count == 1 { "is" } else { "are" };
    let said = format!("{} in the database {verb} not this bundle's", rows_text(count));
    let mut error = Error::refused(said)
        .at(place.display())
        .help("name another database, or remove these rows; nothing was changed");
    error.at.extend(places);
    Err(error)
}

fn rows_text(count: u64) -> String {
    if count == 1 { "1 row".to_owned() } else { format!("{} rows", grouped(count)) }
}

/// Notes which bundle the rows came from.
pub(super) fn record(db: &Connection, plan: &Plan) -> rusqlite::Result<()> {
    let counts: BTreeMap<&str, u64> =
        plan.tables.iter().map(|table| (table.name.as_str(), table.rows)).collect();
    // A map of names to counts always has a JSON form.
    let counts = serde_json::to_string(&counts).unwrap_or_default();
    let sql = format!("INSERT OR IGNORE INTO {} VALUES (?1, ?2, ?3, ?4)", quoted(IMPORTS));
    db.execute(&sql, (&plan.bundle, &plan.contract, &plan.program, counts)).map(drop)
}

fn insert_sql(table: &Table) -> String {
    let columns: Vec<String> = table.columns.iter().map(|column| quoted(&column.name)).collect();
    let places: Vec<String> = (1..=columns.len()).map(|at| format!("?{at}")).collect();
    let (table, columns) = (quoted(&table.name), columns.join(", "));
    format!("INSERT INTO {table} ({columns}) VALUES ({})", places.join(", "))
}

fn find_sql(table: &Table) -> String {
    let columns: Vec<String> = table.columns.iter().map(|column| quoted(&column.name)).collect();
    let keys = table.keys().enumerate();
    let keys: Vec<String> =
        keys.map(|(at, (_, column))| format!("{} = ?{}", quoted(&column.name), at + 1)).collect();
    let (columns, keys) = (columns.join(", "), keys.join(" AND "));
    format!("SELECT _rowid_, {columns} FROM {} WHERE {keys}", quoted(&table.name))
}

/// The rows of a table that are the bundle's, outside the database file.
fn seen(table: &Table) -> String {
    format!("seen {}", table.name)
}

fn seen_sql(table: &Table) -> String {
    format!("CREATE TEMP TABLE IF NOT EXISTS {} (row INTEGER PRIMARY KEY)", quoted(&seen(table)))
}

fn id_of(table: &Table, rows: &Rows<'_>, row: usize) -> String {
    let ids = table.keys().map(|(column, _)| match rows.value(column, row) {
        Value::Text(id) => id.to_owned(),
        _ => "?".to_owned(),
    });
    ids.collect::<Vec<_>>().join(" -> ")
}

fn row_name(table: &Table, rows: &Rows<'_>, row: usize) -> String {
    format!("`{}` {}", table.name, id_of(table, rows, row))
}
