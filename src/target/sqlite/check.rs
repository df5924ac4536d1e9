//! What a database holds, asked by SQL alone.

use std::path::Path;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};

use super::schema::{DIGEST, quoted};
use super::{Open, fail, merge, values};
use crate::bundle::Origin;
use crate::digest::{self, RowDigest, TableDigest, row_hex};
use crate::error::{Error, Kind};
use crate::progress::Progress;
use crate::target::{Check, Column, Noted, Plan, ReadBack, Role, Table};

/// Why a table cannot be read back.
#[derive(Debug)]
pub(super) enum Unreadable {
    /// SQLite failed.
    Store(rusqlite::Error),
    /// It returned what this program never writes.
    Value(Error),
}

impl Unreadable {
    /// As an error about the database at a place.
    pub(super) fn told(self, place: &Path) -> Error {
        match self {
            Unreadable::Store(error) => fail::of(&error, place),
            Unreadable::Value(error) => error.at(place.display()),
        }
    }
}

impl From<rusqlite::Error> for Unreadable {
    fn from(error: rusqlite::Error) -> Self {
        Unreadable::Store(error)
    }
}

/// Reads the bundle's rows of a table and digests them: all there are in a new database.
pub(super) fn read_back(
    open: &Open,
    table: &Table,
    progress: &dyn Progress,
) -> Result<ReadBack, Unreadable> {
    let columns: Vec<&Column> = table.logical().map(|(_, column)| column).collect();
    let names = columns.iter().map(|column| quoted(&column.name));
    let names = std::iter::once(quoted(Origin::ORIGIN)).chain(names);
    let names: Vec<String> = names.chain([quoted(DIGEST)]).collect();
    let sql = if open.staged.is_some() {
        format!("SELECT {} FROM {}", names.join(", "), quoted(&table.name))
    } else {
        merge::read_sql(table, &names)
    };
    let mut select = open.db.prepare(&sql)?;
    let mut rows = select.query([])?;
    let (mut digest, mut row_digest, mut migrated) =
        (TableDigest::default(), RowDigest::default(), 0);
    let mut differing = Noted::default();
    while let Some(row) = rows.next()? {
        migrated += u64::from(row.get_ref(0)? == ValueRef::Text(Origin::MIGRATED.as_bytes()));
        let found = row_digest.of(row_values(table, &columns, row)?);
        if row.get_ref(columns.len() + 1)? != ValueRef::Text(row_hex(found).as_bytes()) {
            differing.add(|| merge::key_of(table, &columns, row).join(" -> "));
        }
        digest.add(found);
        if digest.rows.is_multiple_of(STEP) {
            progress.advance(STEP);
        }
    }
    progress.advance(digest.rows % STEP);
    let (rows, migrated) = (digest.rows, Some(migrated));
    Ok(ReadBack { rows, migrated, digest: digest.hex(), differing })
}

/// The logical digest of all rows of a table.
pub(super) fn digest(
    db: &Connection,
    table: &Table,
    progress: &dyn Progress,
) -> Result<TableDigest, Unreadable> {
    let columns: Vec<&Column> = table.logical().map(|(_, column)| column).collect();
    let names: Vec<String> = columns.iter().map(|column| quoted(&column.name)).collect();
    let sql = format!("SELECT 0, {} FROM {}", names.join(", "), quoted(&table.name));
    let mut select = db.prepare(&sql)?;
    let mut rows = select.query([])?;
    let (mut digest, mut row_digest) = (TableDigest::default(), RowDigest::default());
    while let Some(row) = rows.next()? {
        digest.add(row_digest.of(row_values(table, &columns, row)?));
        if digest.rows.is_multiple_of(STEP) {
            progress.advance(STEP);
        }
    }
    progress.advance(digest.rows % STEP);
    Ok(digest)
}

/// Rows between two signs of progress.
const STEP: u64 = 1024;

/// The values of a row, whose first column is something else.
fn row_values<'a>(
    table: &Table,
    columns: &[&'a Column],
    row: &'a Row<'_>,
) -> Result<Vec<(&'a str, digest::Value<'a>)>, Unreadable> {
    let mut read = Vec::with_capacity(columns.len());
    let logical = columns.iter().enumerate().filter(|(_, column)| column.role != Role::Lineage);
    for (at, column) in logical {
        let value = values::read(row.get_ref(at + 1)?, column.kind).ok_or_else(|| {
            let said = format!("`{}` returns a value that was never put there", table.name);
            Unreadable::Value(Error::new(Kind::Findings, said).at(format!("`{}`", column.name)))
        })?;
        read.push((column.name.as_str(), value.logical()));
    }
    Ok(read)
}

/// The logical digest of a row that may be somebody else's: one with values that this program never
/// writes is digested by their texts, which no row of ours equals.
pub(super) fn digest_of(
    table: &Table,
    columns: &[&Column],
    row: &Row<'_>,
    digest: &mut RowDigest,
) -> Result<u128, Unreadable> {
    match row_values(table, columns, row) {
        Ok(values) => Ok(digest.of(values)),
        Err(Unreadable::Value(_)) => {
            let mut texts = vec![(String::new(), Some("not ours".to_owned()))];
            let all = columns.iter().enumerate();
            for (at, column) in all.filter(|(_, column)| column.role != Role::Lineage) {
                texts.push((column.name.clone(), values::as_text(row.get_ref(at + 1)?)));
            }
            let values = texts.iter().map(|(name, text)| {
                (name.as_str(), text.as_deref().map_or(digest::Value::Absent, digest::Value::Text))
            });
            Ok(digest.of(values))
        }
        Err(error) => Err(error),
    }
}

/// Rows above which only the quick integrity check runs: the full one reads every index again.
const BIG: u64 = 2_000_000;

/// Checks every link by a join, the foreign keys, and the file's integrity.
pub(super) fn run(db: &Connection, plan: &Plan) -> rusqlite::Result<Vec<Check>> {
    let mut checks = Vec::new();
    for table in &plan.tables {
        for column in &table.columns {
            if let Some(other) = &column.leads_to {
                checks.push(link(db, table, column, other)?);
            }
        }
    }
    checks.push(foreign_keys(db, plan)?);
    checks.push(integrity(db, plan)?);
    Ok(checks)
}

fn link(db: &Connection, table: &Table, column: &Column, to: &str) -> rusqlite::Result<Check> {
    let (on, label, other) = (quoted(&table.name), quoted(&column.name), quoted(to));
    let evaluated = count(db, &format!("SELECT count({label}) FROM {on}"))?;
    let missing = format!(
        "FROM {on} AS a LEFT JOIN {other} AS b ON b.\"id\" = a.{label}
         WHERE a.{label} IS NOT NULL AND b.\"id\" IS NULL"
    );
    let mut check = Check {
        name: format!("`{}.{}` leads to a row of `{to}`", table.name, column.name),
        evaluated,
        violations: count(db, &format!("SELECT count(*) {missing}"))?,
        samples: Vec::new(),
    };
    if check.violations > 0 {
        let id = if column.role == Role::Key { label.clone() } else { "\"id\"".to_owned() };
        let mut some = db.prepare(&format!("SELECT a.{id} {missing} ORDER BY 1 LIMIT 5"))?;
        let samples = some.query_map([], |row| Ok(lossy(row.get_ref(0)?)))?;
        check.samples = samples.collect::<Result<_, _>>()?;
    }
    Ok(check)
}

fn foreign_keys(db: &Connection, plan: &Plan) -> rusqlite::Result<Check> {
    let mut check = Check {
        name: "foreign keys hold".to_owned(),
        evaluated: plan.rows(),
        violations: 0,
        samples: Vec::new(),
    };
    for table in &plan.tables {
        let mut found =
            db.prepare(&format!("PRAGMA foreign_key_check({})", quoted(&table.name)))?;
        let mut rows = found.query([])?;
        while let Some(row) = rows.next()? {
            check.violations += 1;
            if check.samples.len() < 5 {
                let rowid: Option<i64> = row.get(1)?;
                check.samples.push(format!("`{}` row {}", table.name, rowid.unwrap_or_default()));
            }
        }
    }
    Ok(check)
}

fn integrity(db: &Connection, plan: &Plan) -> rusqlite::Result<Check> {
    let rows = plan.rows();
    let pragma = if rows > BIG { "quick_check" } else { "integrity_check" };
    let mut found = db.prepare(&format!("PRAGMA {pragma}(5)"))?;
    let said = found.query_map([], |row| Ok(lossy(row.get_ref(0)?)))?;
    let said: Vec<String> = said.collect::<Result<_, _>>()?;
    let samples: Vec<String> = said.into_iter().filter(|line| line != "ok").collect();
    Ok(Check {
        name: format!("SQLite's {pragma} finds nothing"),
        evaluated: rows,
        violations: samples.len() as u64,
        samples,
    })
}

fn count(db: &Connection, sql: &str) -> rusqlite::Result<u64> {
    db.query_row(sql, [], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs)
}

fn lossy(value: ValueRef<'_>) -> String {
    String::from_utf8_lossy(value.as_bytes().unwrap_or_default()).into_owned()
}
