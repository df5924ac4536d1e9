//! Which tables there are, and what columns they have.

use std::collections::BTreeSet;

use postgres::types::Type;

use super::WHAT;
use super::columns::{Column, Form};
use crate::contract::Contract;
use crate::error::{Error, Result};
use crate::pg::{self, Client, Place, quoted};

/// A table that an entity is looked for in.
#[derive(Debug)]
pub(super) struct Wish {
    entity: String,
    schema: String,
    table: String,
    /// Whether its absence is an error.
    needed: bool,
    /// What the contract calls its attributes and links.
    names: BTreeSet<String>,
}

/// A table that is there.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) entity: String,
    schema: String,
    name: String,
    pub(super) columns: Vec<Column>,
    order: Vec<String>,
    /// Columns that only tables have that inherit from it: its rows are among theirs, without them.
    more: Vec<String>,
    /// Rows in the snapshot.
    pub(super) rows: u64,
}

impl Table {
    /// Its name for messages.
    pub(super) fn shown(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }

    pub(super) fn quoted(&self) -> String {
        format!("{}.{}", quoted(&self.schema), quoted(&self.name))
    }

    /// The statement that streams its rows in their order.
    pub(super) fn select(&self) -> String {
        let columns = self.columns.iter().map(Column::select).collect::<Vec<_>>().join(", ");
        let order = if self.order.is_empty() {
            String::new()
        } else {
            format!(" ORDER BY {}", self.order.join(", "))
        };
        let table = self.quoted();
        format!("COPY (SELECT {columns} FROM {table} AS t{order}) TO STDOUT (FORMAT BINARY)")
    }
}

/// What to look for: every entity of the contract, legacy ones first.
pub(super) fn wishes(
    tables: &[(String, String)],
    schema: &str,
    contract: &Contract,
) -> Result<Vec<Wish>> {
    let mut wishes: Vec<Wish> = Vec::new();
    let sides = [(&contract.before.schema, true), (&contract.after.schema, false)];
    for (side, is_legacy) in sides {
        for entity in &side.entities {
            let given = tables.iter().find(|(name, _)| *name == entity.name);
            let (schema, table) = match given {
                Some((_, table)) => split(table, schema)?,
                None => (schema.to_owned(), entity.name.clone()),
            };
            let links = side.links_on(&entity.name);
            let labels = links.flat_map(|link| std::iter::once(&link.label).chain(&link.also));
            let attrs = entity.attrs.iter().map(|attr| &attr.name);
            wishes.push(Wish {
                names: attrs.chain(labels).cloned().chain(["id".to_owned()]).collect(),
                needed: given.is_some() || (is_legacy && !entity.optional),
                entity: entity.name.clone(),
                schema,
                table,
            });
        }
    }
    for (at, (entity, _)) in tables.iter().enumerate() {
        if !wishes.iter().any(|wish| wish.entity == *entity) {
            return Err(Error::usage(format!("`{entity}` is no entity of the contract"))
                .help("write `--table ENTITY=SCHEMA.TABLE` with an entity that it names"));
        }
        if tables[..at].iter().any(|(other, _)| other == entity) {
            return Err(Error::usage(format!("`{entity}` is given two tables"))
                .help("name one: a view can unite several"));
        }
    }
    Ok(wishes)
}

/// `SCHEMA.TABLE` or `TABLE`; a name in double quotes may hold dots.
fn split(text: &str, schema: &str) -> Result<(String, String)> {
    let mut parts = vec![String::new()];
    let (mut quotes, mut chars) = (false, text.chars().peekable());
    while let Some(c) = chars.next() {
        match c {
            '"' if quotes && chars.peek() == Some(&'"') => {
                chars.next();
                parts.last_mut().into_iter().for_each(|part| part.push('"'));
            }
            '"' => quotes = !quotes,
            '.' if !quotes => parts.push(String::new()),
            c => parts.last_mut().into_iter().for_each(|part| part.push(c)),
        }
    }
    match (quotes || parts.iter().any(String::is_empty), parts.as_slice()) {
        (false, [table]) => Ok((schema.to_owned(), table.clone())),
        (false, [schema, table]) => Ok((schema.clone(), table.clone())),
        _ => Err(Error::usage(format!("`{text}` names no table"))
            .help("write `SCHEMA.TABLE`, with double quotes around a name that holds a dot")),
    }
}

/// Finds the tables.
///
/// # Errors
/// Needed ones are not there: all of them are named, and what is there. Or one cannot be read whole.
pub(super) fn tables(client: &mut Client, place: &Place, wishes: &[Wish]) -> Result<Vec<Table>> {
    let (mut tables, mut missing) = (Vec::new(), Vec::new());
    for wish in wishes {
        match find(client, wish).map_err(|error| pg::failed(&error, place, WHAT))? {
            Some(table) => tables.push(table),
            None if wish.needed => missing.push(wish),
            None => {}
        }
    }
    if missing.is_empty() {
        return match tables.iter().find(|table| !table.more.is_empty()) {
            Some(table) => Err(not_whole(table, place)),
            None => Ok(tables),
        };
    }
    let there = there(client, &missing).map_err(|error| pg::failed(&error, place, WHAT))?;
    let names: Vec<String> =
        missing.iter().map(|wish| format!("`{}.{}`", wish.schema, wish.table)).collect();
    Err(Error::usage(format!("the database has no table {}", names.join(", ")))
        .at(place.shown())
        .help(format!("name tables with `--table ENTITY=SCHEMA.TABLE`; there is {there}")))
}

fn not_whole(table: &Table, place: &Place) -> Error {
    let said = format!(
        "`{}` cannot be read whole: tables that inherit from it have columns of their own",
        table.shown()
    );
    let mut error = Error::usage(said).at(place.shown()).help(
        "name a view that has these columns, or what inherits, with `--table ENTITY=SCHEMA.TABLE`",
    );
    error.at.extend(table.more.iter().map(|column| format!("`{column}`")));
    error
}

fn find(client: &mut Client, wish: &Wish) -> Result<Option<Table>, postgres::Error> {
    let sql = "SELECT c.oid, c.relkind::pg_catalog.text FROM pg_catalog.pg_class c \
               JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
               WHERE n.nspname = $1::pg_catalog.text AND c.relname = $2::pg_catalog.text \
                 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')";
    let Some(row) =
        client.query_typed_opt(sql, &[(&wish.schema, Type::TEXT), (&wish.table, Type::TEXT)])?
    else {
        return Ok(None);
    };
    let (oid, kind): (u32, String) = (row.get(0), row.get(1));
    let more = columns_below(client, oid)?;
    let mut columns = columns(client, oid)?;
    let held: BTreeSet<String> = columns.iter().map(|column| column.name.clone()).collect();
    for column in &mut columns {
        let camel = camel(&column.name);
        let fits = !wish.names.contains(&column.name) && wish.names.contains(&camel);
        if fits && !held.contains(&camel) {
            column.attr = camel;
        }
    }
    Ok(Some(Table {
        entity: wish.entity.clone(),
        schema: wish.schema.clone(),
        name: wish.table.clone(),
        order: order(client, oid, &kind, &held)?,
        columns,
        more,
        rows: 0,
    }))
}

/// The columns of a table, their types without the domains around them.
fn columns(client: &mut Client, table: u32) -> Result<Vec<Column>, postgres::Error> {
    let sql = "WITH RECURSIVE typed AS ( \
                 SELECT a.attnum, a.attname, a.atttypid AS ty FROM pg_catalog.pg_attribute a \
                  WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped \
                 UNION ALL \
                 SELECT c.attnum, c.attname, t.typbasetype FROM typed c \
                   JOIN pg_catalog.pg_type t ON t.oid = c.ty WHERE t.typtype = 'd') \
               SELECT c.attname::pg_catalog.text, t.oid, t.typtype::pg_catalog.text, \
                      e.oid, e.typtype::pg_catalog.text \
                 FROM typed c JOIN pg_catalog.pg_type t ON t.oid = c.ty \
                 LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND t.typcategory = 'A' \
                WHERE t.typtype <> 'd' ORDER BY c.attnum";
    let rows = client.query_typed(sql, &[(&table, Type::OID)])?;
    Ok(rows
        .iter()
        .map(|row| {
            let name: String = row.get(0);
            let element: Option<u32> = row.get(3);
            let kind: Option<String> = row.get(4);
            let element = element.zip(kind.as_deref());
            let form = Form::of(row.get(1), row.get::<_, &str>(2), element);
            Column { attr: name.clone(), name, form }
        })
        .collect())
}

/// Columns of the tables that inherit from a table which it has not.
fn columns_below(client: &mut Client, table: u32) -> Result<Vec<String>, postgres::Error> {
    let sql = "WITH RECURSIVE below AS ( \
                 SELECT inhrelid FROM pg_catalog.pg_inherits WHERE inhparent = $1 \
                 UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i \
                         JOIN below b ON b.inhrelid = i.inhparent) \
               SELECT pg_catalog.format('%s.%s.%s', n.nspname, c.relname, a.attname) FROM below b \
                 JOIN pg_catalog.pg_class c ON c.oid = b.inhrelid \
                 JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                 JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid \
                WHERE a.attnum > 0 AND NOT a.attisdropped AND NOT EXISTS ( \
                  SELECT 1 FROM pg_catalog.pg_attribute p WHERE p.attrelid = $1 \
                     AND p.attname = a.attname AND p.attnum > 0 AND NOT p.attisdropped) \
                ORDER BY 1 LIMIT 20";
    let rows = client.query_typed(sql, &[(&table, Type::OID)])?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// What the rows are ordered by: the primary key, else `id` and the place of the row.
fn order(
    client: &mut Client,
    table: u32,
    kind: &str,
    held: &BTreeSet<String>,
) -> Result<Vec<String>, postgres::Error> {
    let sql = "SELECT a.attname::pg_catalog.text FROM pg_catalog.pg_index i \
               CROSS JOIN LATERAL pg_catalog.unnest(i.indkey::pg_catalog.int2[]) \
                 WITH ORDINALITY AS k (attnum, at) \
               JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum \
               WHERE i.indrelid = $1 AND i.indisprimary ORDER BY k.at";
    let rows = client.query_typed(sql, &[(&table, Type::OID)])?;
    let key: Vec<String> = rows.iter().map(|row| of_row(row.get(0))).collect();
    if !key.is_empty() {
        return Ok(key);
    }
    let mut order: Vec<String> = held.get("id").map(|id| of_row(id)).into_iter().collect();
    if matches!(kind, "r" | "p" | "m") {
        order.extend(["t.tableoid".to_owned(), "t.ctid".to_owned()]);
    }
    Ok(order)
}

/// A column of the table: a bare name would mean what is selected under it, which is text.
fn of_row(column: &str) -> String {
    format!("t.{}", quoted(column))
}

/// Tables of the schemas that were looked in, for a message.
fn there(client: &mut Client, missing: &[&Wish]) -> Result<String, postgres::Error> {
    let schemas: BTreeSet<&str> = missing.iter().map(|wish| wish.schema.as_str()).collect();
    let schemas: Vec<&str> = schemas.into_iter().collect();
    let sql = "SELECT n.nspname || '.' || c.relname FROM pg_catalog.pg_class c \
               JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
               WHERE n.nspname = ANY ($1::pg_catalog.text[]) AND c.relkind IN ('r', 'p', 'v', 'm', 'f') \
               ORDER BY 1 LIMIT 21";
    let rows = client.query_typed(sql, &[(&schemas, Type::TEXT_ARRAY)])?;
    let mut names: Vec<String> =
        rows.iter().map(|row| format!("`{}`", row.get::<_, &str>(0))).collect();
    if names.len() > 20 {
        "more".clone_into(&mut names[20]);
    }
    if names.is_empty() {
        return Ok("none in that schema".to_owned());
    }
    Ok(names.join(", "))
}

/// `created_at` as `createdAt`.
fn camel(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut upper = false;
    for c in name.chars() {
        match c {
            '_' if !out.is_empty() => upper = true,
            c if upper => {
                out.push(c.to_ascii_uppercase());
                upper = false;
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_named_with_or_without_its_schema() {
        let named = |text| split(text, "s").map_err(|error| error.to_string());
        assert_eq!(named("t"), Ok(("s".into(), "t".into())));
        assert_eq!(named("a.t"), Ok(("a".into(), "t".into())));
        assert_eq!(named("\"a.b\".\"t\"\"\""), Ok(("a.b".into(), "t\"".into())));
        for text in ["", "a.", ".t", "a.b.c", "\"a"] {
            assert!(named(text).is_err(), "{text}");
        }
    }

    #[test]
    fn snake_case_becomes_camel_case() {
        let cases =
            [("created_at", "createdAt"), ("_row", "_row"), ("a__b_", "aB"), ("idx", "idx")];
        for (name, expected) in cases {
            assert_eq!(camel(name), expected);
        }
    }
}
