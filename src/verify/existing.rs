//! Rows that existed before: carried as they are.

mod before;

use std::hash::{DefaultHasher, Hasher as _};

use self::before::Before;
use super::Rule;
use super::facts::Audit;
use super::files::Dropped;
use super::key::{self, NONE};
use super::naming::Naming;
use super::only_links;
use super::read::{self, Row};
use super::rule::Tally;
use super::sql;
use super::table::Table;
use crate::bundle::Origin;
use crate::error::{Result, grouped};
use crate::json;
use crate::schema::{Link, Type};
use crate::snapshot::Extra;

/// The rules of the existing rows of a target table.
pub(super) fn rules(
    audit: &Audit<'_>,
    table: &Table,
    dropped: &Dropped,
    out: &mut Vec<Rule>,
) -> Result<()> {
    let before = Before::read(audit, table)?;
    out.push(carried(audit, table, (&before, dropped))?);
    out.push(equation(audit, table, &before));
    let declared = audit.contract.after.schema.entity(&table.entity);
    let rows = (before.rows, before.only_links.as_slice());
    let there = (table.entity.as_str(), sql::existing(audit, &table.entity));
    out.push(only_links::noted(there, declared, rows, |row| before.place(&table.entity, row)));
    out.push(unchanged(audit, table, &before)?);
    for link in audit.contract.after.schema.columns_of(&table.entity) {
        out.push(links(audit, (table, link), (&before, dropped))?);
    }
    Ok(())
}

fn carried(
    audit: &Audit<'_>,
    table: &Table,
    (before, dropped): (&Before, &Dropped),
) -> Result<Rule> {
    let entity = &table.entity;
    let mut tally = Tally::new("account", entity, "")
        .says(format!(
            "every {entity} row that existed is carried once, or equals one that is, or is only links, \
             which are listed as dropped"
        ))
        .query(carried_sql(audit, table));
    let merged = before.merged();
    let lost = before.lost_links(audit, table, dropped)?;
    for (row, (times, is_merged)) in before.times.iter().zip(merged).enumerate() {
        let is_left_out = *times == 0 && lost.binary_search(&row).is_ok();
        tally.check(*times == 1 || is_merged || is_left_out, || {
            format!("{}: {times} times", before.place(entity, row))
        });
    }
    Ok(tally.finish())
}

fn carried_sql(audit: &Audit<'_>, table: &Table) -> String {
    let entity = &table.entity;
    let dropped = sql::side(audit, "data/quarantine/links.parquet", &["entity", "label", "_row"]);
    let links = audit.contract.after.schema.columns_of(entity).map(|link| {
        format!(
            "(NOT coalesce({}, false) OR s._row IN (SELECT _row FROM {dropped} WHERE entity = {} AND \
             label = {}))",
            super::link_sql::present(&format!("s.{}", sql::name(&link.label))),
            sql::text(entity),
            sql::text(&link.label),
        )
    });
    let declared = audit.contract.after.schema.entity(entity);
    let is_left_out = std::iter::once(only_links::condition("s", declared)).chain(links);
    format!(
        "WITH o AS (SELECT s._row FROM {existing} s WHERE {}), n AS (SELECT s._row, lower(s.id) AS id, \
         s._digest, count(t._source_row) AS n FROM {existing} s LEFT JOIN (SELECT _source_row FROM {} \
         WHERE _origin = 'existing') t ON t._source_row = s._row GROUP BY 1, 2, 3) SELECT count(*) FROM \
         n LEFT JOIN (SELECT DISTINCT id, _digest FROM n WHERE n > 0) c USING (id, _digest) WHERE n.n > \
         1 OR (n.n = 0 AND c.id IS NULL AND n._row NOT IN (FROM o))",
        is_left_out.collect::<Vec<_>>().join(" AND "),
        sql::target(audit, entity),
        existing = sql::existing(audit, entity),
    )
}

fn equation(audit: &Audit<'_>, table: &Table, before: &Before) -> Rule {
    let entity = &table.entity;
    let said = format!(
        "(SELECT to_json(e) FROM (SELECT unnest(existing::JSON[]) AS e FROM \
         read_json({}, columns = {{existing: 'JSON'}})) WHERE (e ->> '$.entity') = {})",
        sql::path(audit, "data/bundle.json"),
        sql::text(entity)
    );
    let all = format!("(SELECT count(*) FROM {})", sql::existing(audit, entity));
    let carried =
        format!("(SELECT count(*) FROM {} WHERE _origin = 'existing')", sql::target(audit, entity));
    let declared = audit.contract.after.schema.entity(entity);
    let is = only_links::condition("s", declared);
    let only = format!("(SELECT count(*) FROM {} s WHERE {is})", sql::existing(audit, entity));
    let differs = |what: &str, found: &str| {
        format!("(coalesce(({said} ->> '$.{what}')::BIGINT, 0) <> {found})::INT")
    };
    let mut tally = Tally::new("count", entity, "")
        .says(format!("bundle.json gives the equation of {entity} rows that existed as it is"))
        .query(format!(
            "SELECT {} + {} + {} + {}",
            differs("rows", &all),
            differs("carried", &carried),
            differs("only_links", &only),
            differs("merged", &format!("{all} - {carried} - {only}"))
        ));
    let meta = audit.bundle.meta().existing.iter().find(|said| said.entity == *entity);
    let (rows, carried) = (before.rows as u64, table.counts().1);
    let only = before.only_links.len() as u64;
    for (what, said, found) in [
        ("rows", meta.map(|meta| meta.rows), rows),
        ("carried", meta.map(|meta| meta.carried), carried),
        ("only_links", meta.map(|meta| meta.only_links), only),
        ("merged", meta.map(|meta| meta.merged), rows.saturating_sub(carried + only)),
    ] {
        // A table that had no row may go without an equation.
        let said = said.unwrap_or_default();
        if rows > 0 || said > 0 || found > 0 {
            tally.check(said == found, || {
                format!("{what}: bundle.json says {}, there are {}", grouped(said), grouped(found))
            });
        }
    }
    tally.finish()
}

/// The attributes, the store's time and what the columns do not hold are as they were.
fn unchanged(audit: &Audit<'_>, table: &Table, before: &Before) -> Result<Rule> {
    let entity = &table.entity;
    let attrs = audit.contract.after.schema.entity(entity).map_or(&[][..], |found| &found.attrs);
    let names: Vec<&str> = attrs.iter().map(|attr| attr.name.as_str()).collect();
    let types: Vec<Type> = attrs.iter().map(|attr| attr.ty).collect();
    let differs: Vec<String> = names
        .iter()
        .map(|name| format!("t.{name} IS DISTINCT FROM s.{name}", name = sql::name(name)))
        .chain(["t._server_created_at IS DISTINCT FROM s._server_created_at".to_owned()])
        .chain(["lower(t.id) IS DISTINCT FROM lower(s.id)".to_owned()])
        .chain([format!("t._extra IS DISTINCT FROM {BESIDE}")])
        .collect();
    let mut tally = Tally::new("value", entity, "")
        .says(format!("every {entity} row that existed is as it was"))
        .query(format!(
            "SELECT {} FROM {} t JOIN {} s ON s._row = t._source_row WHERE t._origin = 'existing' AND \
             ({})",
            sql::found(audit, "t.id"),
            sql::target(audit, entity),
            sql::existing(audit, entity),
            differs.join(" OR ")
        ));
    let rows: Vec<usize> = (0..table.rows())
        .filter(|row| table.existing(*row).is_some_and(|source| source < before.rows))
        .collect();
    let Some(path) = &before.path else { return Ok(tally.finish()) };
    let columns = |beside: &[&'static str]| {
        let mut columns = vec!["id"];
        columns.extend(&names);
        columns.extend(beside);
        columns
    };
    let mut hashes = vec![0; before.rows];
    read::scan(path, &columns(&[Extra::SERVER, Extra::EXTRA, Extra::INVALID]), &mut |row| {
        hashes[row.number] = row_hash(row, &types, 2);
        Ok(())
    })?;
    let mut at = 0;
    read::pick(&table.path, &columns(&[Origin::SERVER, Origin::EXTRA]), &rows, &mut |row| {
        let number = rows[at];
        at += 1;
        let source = table.existing(number).unwrap_or_default();
        tally.check(hashes[source] == row_hash(row, &types, 1), || table.place(number));
        Ok(())
    })?;
    Ok(tally.finish())
}

/// What an existing row has beside its columns, as SQL has it of the snapshot: both objects as one.
const BESIDE: &str = "CASE WHEN s._invalid IS NULL THEN s._extra WHEN s._extra IS NULL THEN s._invalid \
                      ELSE '{' || trim(s._extra)[2:-2] || ',' || trim(s._invalid)[2:-2] || '}' END";

/// The hash of `id`, attributes, the store's time and the members of so many objects after it, as they
/// stand in a projection.
fn row_hash(row: Row<'_>, types: &[Type], objects: usize) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write_u128(key::link_key(row.text(0)));
    for (at, ty) in types.iter().enumerate() {
        hasher.write_u64(key::value_hash(row.value(at + 1, *ty)));
    }
    hasher.write_i64(row.whole(types.len() + 1).unwrap_or(i64::MIN));
    for text in (0..objects).filter_map(|at| row.text(types.len() + 2 + at)) {
        match json::members(text) {
            Ok(members) => members.iter().for_each(|(name, value)| {
                hasher.write_u128(key::hash128(name.as_bytes()));
                hasher.write_u128(key::hash128(value.as_bytes()));
            }),
            Err(_) => hasher.write_u128(key::hash128(text.as_bytes())),
        }
    }
    hasher.finish()
}

/// A link of an existing row is the one it had, or listed as dropped.
fn links(
    audit: &Audit<'_>,
    (table, link): (&Table, &Link),
    (before, dropped): (&Before, &Dropped),
) -> Result<Rule> {
    let (entity, label) = (&table.entity, &link.label);
    let mut tally = Tally::new("link", entity, label)
        .says(format!("every {entity} row that existed has the {label} it had"))
        .query(links_sql(audit, link));
    let Some(path) = &before.path else { return Ok(tally.finish()) };
    let naming = Naming::read(audit, link)?;
    let mut columns = vec!["id"];
    columns.extend(naming.columns.iter().map(String::as_str));
    if before.rows == 0 {
        return Ok(tally.finish());
    }
    let mut named: Vec<Vec<u128>> = vec![Vec::new(); before.rows];
    let mut found = Vec::new();
    read::scan(path, &columns, &mut |row| {
        found.clear();
        naming.of(row, 1, key::link_key(row.text(0)), &mut found);
        let first = found.first().map(|first| first.rank);
        let best = found.iter().filter(|found| Some(found.rank) == first);
        named[row.number] = best.map(|found| found.id).collect();
        Ok(())
    })?;
    read::scan_if_there(&table.path, &[label], &mut |row| {
        let source = table.existing(row.number).filter(|source| *source < before.rows);
        let Some(source) = source else { return Ok(()) };
        let value = key::link_key(row.text(0));
        let right = match value {
            NONE => named[source].is_empty() || dropped.has(entity, label, source),
            value => named[source].contains(&value),
        };
        tally.check(right, || table.place(row.number));
        Ok(())
    })?;
    Ok(tally.finish())
}

fn links_sql(audit: &Audit<'_>, link: &Link) -> String {
    let naming = super::link_sql::naming(audit, &sql::existing(audit, &link.on), link, "''");
    let dropped = sql::side(audit, "data/quarantine/links.parquet", &["entity", "label", "_row"]);
    format!(
        "WITH n AS ({naming}), b AS (SELECT r, old FROM n WHERE k = (SELECT min(k) FROM n m WHERE \
         m.r = n.r)) SELECT {} FROM {} t WHERE t._origin = 'existing' AND CASE WHEN t.{label} \
         IS NULL THEN t._source_row IN (SELECT r FROM b) AND t._source_row NOT IN (SELECT _row FROM \
         {dropped} WHERE entity = {} AND label = {}) ELSE (t._source_row, t.{label}) NOT IN (SELECT \
         (r, old) FROM b) END",
        sql::found(audit, "t.id"),
        sql::target(audit, &link.on),
        sql::text(&link.on),
        sql::text(&link.label),
        label = sql::name(&link.label)
    )
}
