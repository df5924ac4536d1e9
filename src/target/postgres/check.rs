//! What the database holds, asked by SQL alone.

use super::load::asked;
use super::schema::{DIGEST, named};
use super::{Open, merge, values};
use crate::bundle::Origin;
use crate::digest::{RowDigest, TableDigest};
use crate::error::Result;
use crate::pg::quoted;
use crate::progress::Progress;
use crate::target::{Check, Column, Noted, Plan, ReadBack, Role, Table};

/// Reads the bundle's rows of a table back and digests them.
pub(super) fn read_back(
    open: &mut Open,
    (at, table): (usize, &Table),
    progress: &dyn Progress,
) -> Result<ReadBack> {
    let logical: Vec<&Column> = table.logical().map(|(_, column)| column).collect();
    let keys: Vec<&Column> = table.keys().map(|(_, column)| column).collect();
    let has_lineage = open.fresh || open.made.has_lineage(table);
    let own = if open.fresh { "t" } else { "s" };
    let list = |alias: &str| {
        let origin = if has_lineage {
            format!("{alias}.{}::text", quoted(Origin::ORIGIN))
        } else {
            "NULL::text".to_owned()
        };
        let digest = format!("{own}.{}", quoted(DIGEST));
        let keys = keys.iter().map(|column| asked(column, alias));
        let logical = logical.iter().map(|column| asked(column, alias));
        [origin, digest].into_iter().chain(keys).chain(logical).collect::<Vec<_>>().join(", ")
    };
    let sql = merge::read_sql(open, (at, table), &list);
    let (mut digest, mut row_digest) = (TableDigest::default(), RowDigest::default());
    let (mut migrated, mut differing) = (0, Noted::default());
    let fields = 2 + keys.len() + logical.len();
    merge::each(open, (&sql, fields), "the rows cannot be read back", &mut |cells| {
        migrated += u64::from(cells.text(0) == Some(Origin::MIGRATED));
        let found = values::digest_of(cells, 2 + keys.len(), &logical, &mut row_digest);
        if values::stored(cells, 1) != Some(found) {
            differing.add(|| values::key_of(cells, 2, keys.len()).join(" -> "));
        }
        digest.add(found);
        progress.advance(1);
        Ok(())
    })?;
    let (rows, migrated) = (digest.rows, has_lineage.then_some(migrated));
    Ok(ReadBack { rows, migrated, digest: digest.hex(), differing })
}

/// Checks every link by a join.
pub(super) fn run(open: &mut Open, plan: &Plan) -> Result<Vec<Check>> {
    let mut checks = Vec::new();
    for table in &plan.tables {
        for column in &table.columns {
            if let Some(other) = &column.leads_to {
                checks.push(link(open, table, column, other)?);
            }
        }
    }
    Ok(checks)
}

fn link(open: &mut Open, table: &Table, column: &Column, to: &str) -> Result<Check> {
    let what = "the links cannot be checked";
    let (on, other) = (named(&open.options, &table.name), named(&open.options, to));
    let label = quoted(&column.name);
    let evaluated = open.count(&format!("SELECT count({label}) FROM {on}"), what)?;
    let missing = format!(
        "FROM {on} a LEFT JOIN {other} b ON b.\"id\" = a.{label}
         WHERE a.{label} IS NOT NULL AND b.\"id\" IS NULL"
    );
    let id = if column.role == Role::Key { label } else { "\"id\"".to_owned() };
    let violations = open.count(&format!("SELECT count(*) {missing}"), what)?;
    let samples = open.texts(&format!("SELECT a.{id}::text {missing} ORDER BY 1 LIMIT 5"), what)?;
    let name = format!("`{}.{}` leads to a row of `{to}`", table.name, column.name);
    Ok(Check { name, evaluated, violations, samples })
}
