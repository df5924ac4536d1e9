//! Attributes: of the contract's type, present where required, unique where unique.

use arrow::datatypes::DataType;

use super::Rule;
use super::facts::Audit;
use super::key::{self, ABSENT};
use super::read;
use super::rows::Looked;
use super::rule::{Seen, Tally};
use super::sql;
use super::table::Table;
use crate::error::Result;
use crate::schema::{Attr, Has, Type};
use crate::snapshot;

/// The rules of every attribute of a target table, and of its links where the other side holds one.
pub(super) fn rules(
    audit: &Audit<'_>,
    table: &Table,
    looked: &Looked,
    out: &mut Vec<Rule>,
) -> Result<()> {
    let there = table.path.exists();
    let types = if there { read::types(&table.path)? } else { std::collections::BTreeMap::new() };
    let schema = &audit.contract.after.schema;
    let attrs = schema.entity(&table.entity).map_or(&[][..], |entity| &entity.attrs);
    for (at, attr) in attrs.iter().enumerate() {
        let ty = there.then_some(types.get(&attr.name));
        let seen = (&looked.types[at], &looked.presence[at]);
        attribute(audit, table, (attr, ty, seen), out)?;
    }
    out.push(unique(audit, table, "id", Type::String)?);
    for link in schema.columns_of(&table.entity) {
        if link.reverse_has == Has::One {
            out.push(unique(audit, table, &link.label, Type::String)?);
        }
    }
    Ok(())
}

/// An attribute, the type its column has in the file that is there, and what was seen of its types
/// and presence.
type Found<'a> = (&'a Attr, Option<Option<&'a DataType>>, (&'a Seen, &'a Seen));

fn attribute(
    audit: &Audit<'_>,
    table: &Table,
    (attr, ty, seen): Found<'_>,
    out: &mut Vec<Rule>,
) -> Result<()> {
    let (entity, name) = (&table.entity, &attr.name);
    let mut types = Tally::new("type", entity, name)
        .says(format!("every {entity}.{name} is {}", words(attr.ty)))
        .query(type_sql(audit, entity, attr));
    let wanted = snapshot::data_type(attr.ty);
    if ty.is_some_and(|ty| ty != Some(&wanted)) {
        types.violate(1, || format!("the column is not there as {}", attr.ty.name()));
    }
    types.add(seen.0, |row, _| table.place(row));
    out.push(types.finish());
    if attr.required {
        let mut presence = Tally::new("presence", entity, name)
            .says(format!("every {entity} row has {name}"))
            .query(format!(
                "SELECT {} FROM {} WHERE {} IS NULL",
                sql::found(audit, "id"),
                sql::target(audit, entity),
                sql::name(name)
            ));
        presence.add(seen.1, |row, _| table.place(row));
        out.push(presence.finish());
    }
    if attr.unique {
        out.push(unique(audit, table, name, attr.ty)?);
    }
    Ok(())
}

fn words(ty: Type) -> &'static str {
    match ty {
        Type::String => "text",
        Type::Number => "a finite number",
        Type::Boolean => "true or false",
        Type::Date => "a moment in microseconds UTC",
        Type::Any => "JSON text",
    }
}

fn type_sql(audit: &Audit<'_>, entity: &str, attr: &Attr) -> String {
    let (table, name) = (sql::target(audit, entity), sql::name(&attr.name));
    let (ty, bad) = match attr.ty {
        Type::String => ("VARCHAR", "false".to_owned()),
        Type::Number => ("DOUBLE", format!("NOT isfinite({name})")),
        Type::Boolean => ("BOOLEAN", "false".to_owned()),
        Type::Date => ("TIMESTAMP WITH TIME ZONE", "false".to_owned()),
        Type::Any => ("VARCHAR", format!("NOT json_valid({})", sql::halves(&name))),
    };
    format!(
        "SELECT (SELECT count(*) FROM {table} WHERE {bad}) + (SELECT count(*) FROM (DESCRIBE SELECT \
         {name} FROM {table}) WHERE column_type <> '{ty}')"
    )
}

/// No two rows share a value: by a 64-bit hash first, then by 128 other bits of those that share it.
fn unique(audit: &Audit<'_>, table: &Table, name: &str, ty: Type) -> Result<Rule> {
    let entity = &table.entity;
    let mut tally = Tally::new("unique", entity, name)
        .says(format!("no two {entity} rows have the same {name}"))
        .query(format!(
            "SELECT count({column}) - count(DISTINCT {column}) FROM {}",
            sql::target(audit, entity),
            column = sql::name(name)
        ));
    if name == "id" && table.has_own_ids() {
        tally.check_all(table.rows() as u64, 0, String::new);
        return Ok(tally.finish());
    }
    let mut hashes = Vec::with_capacity(table.rows());
    read::scan_if_there(&table.path, &[name], &mut |row| {
        let hash = key::value_hash(row.value(0, ty));
        if hash != ABSENT {
            hashes.push(hash);
        }
        tally.check(true, String::new);
        Ok(())
    })?;
    hashes.sort_unstable();
    let mut shared: Vec<u64> =
        hashes.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
    drop(hashes);
    shared.dedup();
    if shared.is_empty() {
        return Ok(tally.finish());
    }
    let mut rivals = Vec::new();
    read::scan(&table.path, &[name], &mut |row| {
        let value = row.value(0, ty);
        if shared.binary_search(&key::value_hash(value)).is_ok() {
            rivals.push((key::value_hash128(value), row.number));
        }
        Ok(())
    })?;
    rivals.sort_unstable();
    for pair in rivals.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
        tally.violate(1, || {
            format!(
                "{} as in row {}",
                table.place(pair[1].1),
                crate::error::grouped(pair[0].1 as u64)
            )
        });
    }
    Ok(tally.finish())
}
