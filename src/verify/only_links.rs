//! Rows that are only links: without an id and without a value. InstantDB keeps a link that is set on an
//! id that was never created, and a backup has a row for it. Nothing is lost with them but the link, which
//! is listed or stays in the row that was set aside; no limit counts them.

use std::path::Path;

use super::Rule;
use super::facts::Audit;
use super::key::{self, NONE};
use super::link_sql;
use super::read;
use super::rule::Tally;
use super::sql;
use crate::contract::Limit;
use crate::error::Result;
use crate::schema::Entity;
use crate::snapshot::Extra;

/// What beside its links makes a row a row.
fn columns(entity: Option<&Entity>) -> Vec<&str> {
    let attrs = entity.map_or(&[][..], |entity| &entity.attrs);
    attrs.iter().map(|attr| attr.name.as_str()).chain([Extra::EXTRA, Extra::INVALID]).collect()
}

/// The rows of a table that are only links, by their place; `ids` are the keys of all rows.
pub(super) fn rows(
    path: Option<&Path>,
    entity: Option<&Entity>,
    ids: impl Iterator<Item = u128>,
) -> Result<Vec<usize>> {
    let lacking = ids.enumerate().filter(|(_, id)| *id == NONE).map(|(row, _)| row);
    let lacking: Vec<usize> = lacking.collect();
    let (Some(path), columns) = (path, columns(entity)) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    read::pick(path, &columns, &lacking, &mut |row| {
        if !(0..columns.len()).any(|column| row.is_there(column)) {
            found.push(lacking[row.number]);
        }
        Ok(())
    })?;
    Ok(found)
}

/// Whether a row of a table is only links, as SQL.
pub(super) fn condition(alias: &str, entity: Option<&Entity>) -> String {
    let empty =
        columns(entity).into_iter().map(|name| format!("{alias}.{} IS NULL", sql::name(name)));
    let id = format!("{alias}.id");
    let lacks = format!("NOT coalesce({}, false)", link_sql::present(&id));
    std::iter::once(lacks).chain(empty).collect::<Vec<_>>().join(" AND ")
}

/// What is told of the rows of a table that are only links: they stop nothing.
pub(super) fn noted(
    (entity, table): (&str, String),
    declared: Option<&Entity>,
    (rows, found): (usize, &[usize]),
    place: impl Fn(usize) -> String,
) -> Rule {
    let mut tally = Tally::new("account", entity, "")
        .says(format!("every {entity} row is more than links on an id that was never created"))
        .noun(
            format!("{entity} row that is only links on an id that was never created"),
            format!("{entity} rows that are only links on ids that were never created"),
        )
        .query(format!("SELECT count(*) FROM {table} x WHERE {}", condition("x", declared)))
        .allows(Limit::Any, rows as u64);
    tally.check_all(rows as u64, 0, String::new);
    for row in found {
        tally.violate(1, || place(*row));
    }
    tally.finish()
}

/// The same of rows of other entities, of which a snapshot has the links alone: pairs whose own row has
/// no id.
pub(super) fn noted_pairs(
    audit: &Audit<'_>,
    (entity, label, file): (&str, &str, &str),
) -> Result<Rule> {
    let from = link_sql::present("x.\"from\"");
    let mut tally = Tally::new("account", entity, label)
        .says(format!("every {entity} row that holds {label} has an id"))
        .noun(
            format!("value of {entity}.{label} on an id that was never created"),
            format!("values of {entity}.{label} on ids that were never created"),
        )
        .query(format!(
            "SELECT count(*) FROM {} x WHERE NOT coalesce({from}, false)",
            sql::source(audit, file)
        ))
        .allows(Limit::Any, 0);
    read::scan_if_there(&audit.snapshot.path(file), &["from", Extra::ROW], &mut |row| {
        let has_id = key::link_key(row.text(0)) != NONE;
        tally.check(has_id, || {
            let number = row.row(1).unwrap_or_default();
            format!("{entity} row {number} (no id; {file} row {})", row.number)
        });
        Ok(())
    })?;
    Ok(tally.finish())
}
