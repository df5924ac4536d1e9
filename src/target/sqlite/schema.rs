//! Tables and indexes, and whether an existing database has them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use rusqlite::Connection;

use super::fail::Fails;
use crate::error::{Error, Result};
use crate::target::{Column, ColumnKind, Plan, Role, Table};

/// The table of imports.
pub(super) const IMPORTS: &str = "rethread_imports";

const IMPORTS_SQL: &str = "CREATE TABLE \"rethread_imports\" (
  \"run\" TEXT PRIMARY KEY NOT NULL,
  \"bundle\" TEXT NOT NULL,
  \"contract\" TEXT NOT NULL,
  \"program\" TEXT NOT NULL,
  \"counts\" TEXT NOT NULL CHECK (json_valid(\"counts\"))
) STRICT";

/// The logical digest of a row as an import left it: one that still holds it is ours to change.
pub(super) const DIGEST: &str = "_digest";

/// A name as SQL takes it, whatever is in it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A table, or index, and the statement that makes it.
struct Object {
    name: String,
    /// The table it stands on, or is.
    table: String,
    sql: String,
}

fn tables(plan: &Plan) -> Vec<Object> {
    let ours = plan.tables.iter().map(|table| {
        let sql = table_sql(table, PrimaryKey::Declared);
        Object { name: table.name.clone(), table: table.name.clone(), sql }
    });
    ours.chain([imports()]).collect()
}

fn imports() -> Object {
    Object { name: IMPORTS.to_owned(), table: IMPORTS.to_owned(), sql: IMPORTS_SQL.to_owned() }
}

/// Whether a table's statement declares its primary key.
#[derive(Clone, Copy, PartialEq)]
enum PrimaryKey {
    Declared,
    Later,
}

fn table_sql(table: &Table, primary: PrimaryKey) -> String {
    let mut sql = format!("CREATE TABLE {} (\n", quoted(&table.name));
    let declared = primary == PrimaryKey::Declared;
    let only = declared && table.keys().count() == 1;
    for column in &table.columns {
        // Writing to a `String` cannot fail.
        let _ = writeln!(sql, "  {},", column_sql(column, only));
    }
    let _ = writeln!(sql, "  {} TEXT NOT NULL,", quoted(DIGEST));
    if declared && !only {
        let _ = writeln!(sql, "  PRIMARY KEY ({}),", key_columns(table));
    }
    sql.truncate(sql.len() - ",\n".len());
    sql.push_str("\n) STRICT");
    sql
}

fn key_columns(table: &Table) -> String {
    let keys: Vec<String> = table.keys().map(|(_, column)| quoted(&column.name)).collect();
    keys.join(", ")
}

fn column_sql(column: &Column, is_only_key: bool) -> String {
    let name = quoted(&column.name);
    let mut sql = match column.kind {
        ColumnKind::Text | ColumnKind::Date | ColumnKind::Json => format!("{name} TEXT"),
        ColumnKind::Number => format!("{name} REAL"),
        ColumnKind::Boolean | ColumnKind::Whole => format!("{name} INTEGER"),
    };
    if column.role == Role::Key && is_only_key {
        sql.push_str(" PRIMARY KEY");
    }
    if column.required {
        sql.push_str(" NOT NULL");
    }
    match column.kind {
        ColumnKind::Boolean => {
            let rule = quoted(&format!("{} is 0 or 1", column.name));
            let _ = write!(sql, " CONSTRAINT {rule} CHECK ({name} IN (0, 1))");
        }
        // What is nested deeper than SQLite reads has more than 1,000 opening brackets.
        ColumnKind::Json => {
            let _ = write!(
                sql,
                " CONSTRAINT {} CHECK (json_valid({name}) OR length({name}) - \
                 length(replace(replace({name}, '[', ''), '{{', '')) > 1000)",
                quoted(&format!("{} is JSON", column.name))
            );
        }
        _ => {}
    }
    if let Some(other) = &column.leads_to {
        let _ = write!(sql, " REFERENCES {} (\"id\") DEFERRABLE INITIALLY DEFERRED", quoted(other));
    }
    sql
}

fn indexes(plan: &Plan) -> Vec<Object> {
    let all = plan.tables.iter().flat_map(|table| table.columns.iter().map(move |c| (table, c)));
    let wanted = all.filter(|(_, column)| column.unique || column.indexed);
    wanted
        .map(|(table, column)| {
            let name = format!("{}.{}.index", table.name, column.name);
            let unique = if column.unique { "UNIQUE INDEX" } else { "INDEX" };
            let (index, on) = (quoted(&name), quoted(&table.name));
            let sql = format!("CREATE {unique} {index} ON {on} ({})", quoted(&column.name));
            Object { name, table: table.name.clone(), sql }
        })
        .collect()
}

/// Refuses names that SQLite cannot tell apart: it folds ASCII case, and tables and indexes share
/// one space.
pub(super) fn check_names(plan: &Plan) -> Result<()> {
    let mut objects = BTreeMap::new();
    let objects_of_ours = tables(plan).into_iter().chain(indexes(plan)).map(|object| object.name);
    for name in objects_of_ours.chain(plan.tables.iter().map(interim)) {
        if name.to_ascii_lowercase().starts_with("sqlite_") || name.contains('\0') {
            return Err(Error::usage(format!("SQLite takes no table of the name `{name}`"))
                .help("name the entity otherwise in the contract"));
        }
        if let Some(other) = objects.insert(name.to_ascii_lowercase(), name.clone()) {
            return Err(alike(&name, &other));
        }
    }
    for table in &plan.tables {
        let digest = DIGEST.to_owned();
        let mut columns =
            BTreeMap::from([("_rowid_".to_owned(), &table.name), (DIGEST.to_owned(), &digest)]);
        for Column { name, .. } in &table.columns {
            if let Some(other) = columns.insert(name.to_ascii_lowercase(), name) {
                return Err(alike(&format!("{}.{name}", table.name), other));
            }
        }
    }
    Ok(())
}

fn alike(name: &str, other: &str) -> Error {
    Error::usage(format!("SQLite cannot tell `{name}` from `{other}`"))
        .help("name one of them otherwise in the contract, or import into another target")
}

/// Makes the tables of a new database, yet without their primary keys: a key of random ids that
/// grows with the rows costs half of the load's speed, and more when it outgrows the cache.
pub(super) fn create_tables(db: &Connection, plan: &Plan) -> rusqlite::Result<()> {
    db.execute_batch(IMPORTS_SQL)?;
    plan.tables.iter().try_for_each(|table| db.execute_batch(&table_sql(table, PrimaryKey::Later)))
}

/// Makes primary keys and indexes, once the rows are there.
///
/// A primary key of text is in the file nothing but a unique index of a reserved name without a
/// statement of its own, so one that is made by sorting becomes the primary key by its name. The
/// integrity check that follows reads it as such.
pub(super) fn create_indexes(db: &Connection, plan: &Plan) -> rusqlite::Result<()> {
    for table in &plan.tables {
        let (index, on) = (quoted(&interim(table)), quoted(&table.name));
        db.execute_batch(&format!("CREATE UNIQUE INDEX {index} ON {on} ({})", key_columns(table)))?;
    }
    indexes(plan).iter().try_for_each(|index| db.execute_batch(&index.sql))?;
    db.execute_batch("PRAGMA writable_schema = ON")?;
    for table in &plan.tables {
        let declared = table_sql(table, PrimaryKey::Declared);
        db.execute(
            "UPDATE sqlite_schema SET sql = ?2 WHERE type = 'table' AND name = ?1",
            (&table.name, declared),
        )?;
        db.execute(
            "UPDATE sqlite_schema SET name = 'sqlite_autoindex_' || ?1 || '_1', sql = NULL
             WHERE type = 'index' AND name = ?2",
            (&table.name, interim(table)),
        )?;
    }
    Ok(())
}

/// Takes the schema in as it stands in the file, after the transaction that made it.
pub(super) fn reload(db: &Connection) -> rusqlite::Result<()> {
    db.execute_batch("PRAGMA writable_schema = RESET")
}

/// The name of a primary key until it is one.
fn interim(table: &Table) -> String {
    format!("{}.primary.index", table.name)
}

/// Takes an existing database in: tables of the plan that stand there must be those this program
/// makes for this contract, missing ones are made. Gives the names of those it made.
pub(super) fn adopt(db: &Connection, plan: &Plan, place: &Path) -> Result<Vec<String>> {
    let found = objects(db).fails(place)?;
    let mut wrong = Vec::new();
    let mut made = Vec::new();
    for table in tables(plan) {
        let there = found.get(&("table".to_owned(), table.name.clone()));
        let theirs: Vec<Object> =
            indexes(plan).into_iter().filter(|index| index.table == table.name).collect();
        if there.is_none() {
            let ours = theirs.iter().chain([&table]);
            let taken: Vec<String> =
                ours.filter_map(|ours| in_the_way(&found, &ours.name)).collect();
            if !taken.is_empty() {
                wrong.extend(taken);
                continue;
            }
            db.execute_batch(&table.sql).fails(place)?;
            theirs.iter().try_for_each(|index| db.execute_batch(&index.sql)).fails(place)?;
            made.push(table.name);
            continue;
        }
        for (kind, object) in std::iter::once(("table", table))
            .chain(theirs.into_iter().map(|index| ("index", index)))
        {
            match found.get(&(kind.to_owned(), object.name.clone())) {
                None => wrong.push(format!("{kind} `{}` is missing", object.name)),
                Some(sql) if *sql != object.sql => {
                    wrong.push(format!("{kind} `{}` is another one", object.name));
                }
                Some(_) => {}
            }
        }
    }
    for table in &plan.tables {
        if let Some(trigger) = trigger_on(db, &table.name).fails(place)? {
            wrong.push(format!("trigger `{trigger}` acts on table `{}`", table.name));
        }
    }
    if wrong.is_empty() { Ok(made) } else { Err(another(wrong, place)) }
}

fn another(mut wrong: Vec<String>, place: &Path) -> Error {
    let more = wrong.len().saturating_sub(5);
    wrong.truncate(5);
    if more > 0 {
        wrong.push(format!("and {more} more"));
    }
    let mut error = Error::refused("the database has tables that were not made from this contract")
        .at(place.display())
        .help("name a database that does not exist yet; this one is left as it is");
    error.at.extend(wrong);
    error
}

/// What has a name already that a table or an index is to have: SQLite folds ASCII case.
fn in_the_way(found: &BTreeMap<(String, String), String>, name: &str) -> Option<String> {
    let kinds = found.keys().filter(|(kind, _)| kind != "trigger");
    let mut same = kinds.filter(|(_, other)| other.eq_ignore_ascii_case(name));
    same.next().map(|(kind, other)| format!("{kind} `{other}` has the name of what is to be made"))
}

fn objects(db: &Connection) -> rusqlite::Result<BTreeMap<(String, String), String>> {
    let mut all = db.prepare("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL")?;
    let rows = all.query_map([], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?)))?;
    rows.collect()
}

fn trigger_on(db: &Connection, table: &str) -> rusqlite::Result<Option<String>> {
    let mut triggers = db.prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'trigger'
         AND tbl_name = ?1 COLLATE NOCASE ORDER BY name",
    )?;
    let mut names = triggers.query_map([table], |row| row.get(0))?;
    names.next().transpose()
}
