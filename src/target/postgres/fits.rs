//! Whether the tables that are there take rows as they are given.

use std::collections::BTreeMap;

use super::Open;
use super::schema::{DIGEST, IMPORTS, columns, is_payload, named, type_of};
use crate::error::{Error, Result};
use crate::pg::{self, literal};
use crate::target::{Role, Table};

/// What could not be done when the server fails.
const WHAT: &str = "the table cannot be looked at";

/// Checks the tables that are there already, and keeps other writers out of them.
///
/// # Errors
/// Whatever does not fit is listed.
pub(super) fn check(open: &mut Open, tables: &[&Table], has_imports: bool) -> Result<()> {
    let mut wrong = Vec::new();
    for table in tables {
        if let Some(other) = other_kind(open, &table.name)? {
            wrong.push(format!("`{}` is {other}, not a table", table.name));
            continue;
        }
        let on = named(&open.options, &table.name);
        let sql = format!("LOCK TABLE {on} IN SHARE ROW EXCLUSIVE MODE");
        open.run(&sql, "the table cannot be locked")?;
        wrong.extend(misfits(open, table)?);
    }
    if has_imports {
        match other_kind(open, IMPORTS)? {
            Some(other) => wrong.push(format!("`{IMPORTS}` is {other}, not a table")),
            None => wrong.extend(acting(open, IMPORTS)?),
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    let more = wrong.len().saturating_sub(10);
    wrong.truncate(10);
    if more > 0 {
        wrong.push(format!("and {more} more"));
    }
    let mut error = Error::refused("the schema has tables that do not fit the contract")
        .at(format!("{}, schema `{}`", open.place.shown(), open.options.schema))
        .help(
            "name another schema with `--schema`, or change these tables; they are never altered",
        );
    error.at.extend(wrong);
    Err(error)
}

/// What goes by the name of a table and is none.
fn other_kind(open: &mut Open, name: &str) -> Result<Option<String>> {
    let schema = literal(&open.options.schema);
    let name = literal(name);
    let sql = format!(
        "SELECT CASE c.relkind WHEN 'v' THEN 'a view' WHEN 'm' THEN 'a materialized view'
                WHEN 'f' THEN 'a foreign table' WHEN 'S' THEN 'a sequence'
                WHEN 'c' THEN 'a type' ELSE 'an index' END
           FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE n.nspname = {schema} AND c.relname = {name} AND c.relkind NOT IN ('r', 'p')
         UNION ALL
         SELECT 'a type' FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
          WHERE n.nspname = {schema} AND t.typname = {name} AND t.typrelid = 0 AND t.typcategory <> 'A'"
    );
    Ok(open.texts(&sql, WHAT)?.pop())
}

/// How a table that is there differs from what the contract wants.
fn misfits(open: &mut Open, table: &Table) -> Result<Vec<String>> {
    let on = literal(&named(&open.options, &table.name));
    let sql = format!(
        "SELECT attname::text, format_type(atttypid, atttypmod), attnotnull AND NOT atthasdef AND attidentity = '',
                attgenerated <> '' OR attidentity = 'a'
         FROM pg_attribute WHERE attrelid = {on}::regclass AND attnum > 0 AND NOT attisdropped"
    );
    let rows = open.client.query_typed(&sql, &[]);
    let rows = rows.map_err(|error| pg::failed(&error, &open.place, WHAT))?;
    let found: BTreeMap<String, Found> = rows
        .iter()
        .map(|row| {
            let found = Found { ty: row.get(1), is_needed: row.get(2), is_made: row.get(3) };
            (row.get(0), found)
        })
        .collect();
    let mut wrong = Vec::new();
    for column in table.columns.iter().filter(|column| column.role != Role::Lineage) {
        let wanted = type_of(column, &open.options);
        match found.get(&column.name) {
            None => wrong.push(format!("`{}.{}` is missing", table.name, column.name)),
            Some(Found { ty, .. }) if ty != wanted => {
                let asked = if is_payload(column) { ", as `--json-as` has it" } else { "" };
                let name = format!("`{}.{}`", table.name, column.name);
                wrong.push(format!("{name} is {ty}, not {wanted}{asked}"));
            }
            Some(_) => {}
        }
    }
    let lineage = table.columns.iter().filter(|column| column.role == Role::Lineage);
    let fits = |name: &str, ty: &str| found.get(name).is_some_and(|found| found.ty == ty);
    let mut lineage = lineage.map(|column| fits(&column.name, type_of(column, &open.options)));
    if !lineage.all(|fits| fits) || !fits(DIGEST, "uuid") {
        open.made.bare.push(table.name.clone());
    }
    let ours: Vec<&str> = columns(open, table).map(|(_, column)| column.name.as_str()).collect();
    let digest = open.made.has_lineage(table);
    for (name, found) in &found {
        let is_ours = ours.contains(&name.as_str()) || (digest && name == DIGEST);
        if is_ours && found.is_made {
            wrong.push(format!("`{}.{name}` is generated and takes no value", table.name));
        } else if !is_ours && found.is_needed {
            wrong.push(format!("`{}.{name}` wants a value that no bundle has", table.name));
        }
    }
    wrong.extend(acting(open, &table.name)?);
    wrong.extend(below(open, table, &on)?);
    wrong.extend(unkeyed(open, table, &on)?);
    Ok(wrong)
}

/// A column that is there.
struct Found {
    ty: String,
    /// It wants a value and has no default.
    is_needed: bool,
    /// The database makes its values.
    is_made: bool,
}

/// What acts on a table beside us: on its partitions too, where a row may go.
fn acting(open: &mut Open, table: &str) -> Result<Vec<String>> {
    let on = literal(&named(&open.options, table));
    let sql = format!(
        "SELECT DISTINCT tgname::text FROM pg_trigger
          WHERE tgrelid IN (SELECT {on}::regclass UNION ALL SELECT relid FROM pg_partition_tree({on}::regclass))
            AND NOT tgisinternal AND tgenabled <> 'D' ORDER BY 1"
    );
    let triggers = open.texts(&sql, WHAT)?.into_iter();
    let mut wrong: Vec<String> =
        triggers.map(|name| format!("trigger `{name}` acts on `{table}`")).collect();
    let sql = format!(
        "SELECT rulename::text FROM pg_rewrite WHERE ev_class = {on}::regclass AND ev_enabled <> 'D' ORDER BY 1"
    );
    let rules = open.texts(&sql, WHAT)?.into_iter();
    wrong.extend(rules.map(|name| format!("rule `{name}` acts on `{table}`")));
    let sql =
        format!("SELECT count(*) FROM pg_class WHERE oid = {on}::regclass AND relrowsecurity");
    if open.count(&sql, WHAT)? > 0 {
        wrong.push(format!("row security hides rows of `{table}`"));
    }
    Ok(wrong)
}

/// Tables whose rows show among those of a table without being its own.
fn below(open: &mut Open, table: &Table, on: &str) -> Result<Vec<String>> {
    let sql = format!(
        "SELECT c.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
          WHERE i.inhparent = {on}::regclass AND NOT c.relispartition ORDER BY 1"
    );
    let names = open.texts(&sql, WHAT)?.into_iter();
    Ok(names.map(|name| format!("`{name}` inherits from `{}`", table.name)).collect())
}

/// Whether the key of a table is not unique.
fn unkeyed(open: &mut Open, table: &Table, on: &str) -> Result<Option<String>> {
    let keys: Vec<String> = table.keys().map(|(_, column)| literal(&column.name)).collect();
    let sql = format!(
        "SELECT count(*) FROM pg_index i WHERE i.indrelid = {on}::regclass AND i.indisunique
         AND i.indisvalid AND i.indpred IS NULL AND i.indimmediate AND i.indnkeyatts = {}
         AND (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = i.indrelid
              AND a.attnum = ANY (i.indkey::int2[]) AND a.attname IN ({})) = {}",
        keys.len(),
        keys.join(", "),
        keys.len()
    );
    if open.count(&sql, WHAT)? > 0 {
        return Ok(None);
    }
    let keys: Vec<String> = table.keys().map(|(_, column)| format!("`{}`", column.name)).collect();
    Ok(Some(format!("`{}` has no unique index on {}", table.name, keys.join(", "))))
}
