//! The time in the store: a migrated row has the one of its legacy row.

use super::Rule;
use super::facts::Audit;
use super::read;
use super::rule::Tally;
use super::sql;
use super::table::Table;
use crate::bundle::Origin;
use crate::contract::Transform;
use crate::error::Result;
use crate::snapshot::Extra;

/// The rule of a target table that has a transform.
pub(super) fn rules(audit: &Audit<'_>, table: &Table, out: &mut Vec<Rule>) -> Result<()> {
    let Some(transform) = audit.contract.transform_into(&table.entity) else { return Ok(()) };
    let legacy = audit.legacy(&transform.source)?;
    let entity = &table.entity;
    let mut tally = Tally::new("value", entity, Origin::SERVER)
        .says(format!(
            "every migrated {entity} row has the time in the store that its source row has"
        ))
        .query(query(audit, transform));
    let mut times = Vec::with_capacity(legacy.rows);
    if let Some(path) = &legacy.path {
        read::scan(path, &[Extra::SERVER], &mut |row| {
            times.push(row.whole(0));
            Ok(())
        })?;
    }
    read::scan_if_there(&table.path, &[Origin::SERVER], &mut |row| {
        let source = table.migrated(row.number);
        // A row from nowhere is told by the account.
        if let Some(time) = source.and_then(|source| times.get(source)) {
            tally.check(row.whole(0) == *time, || table.place(row.number));
        }
        Ok(())
    })?;
    out.push(tally.finish());
    Ok(())
}

fn query(audit: &Audit<'_>, transform: &Transform) -> String {
    let legacy = audit.legacy.get(&transform.source);
    let legacy = legacy.map(|legacy| sql::legacy(audit, legacy)).unwrap_or_default();
    format!(
        "SELECT {} FROM {} t JOIN {legacy} s ON s._row = t._source_row WHERE t._origin = 'migrated' \
         AND t._server_created_at IS DISTINCT FROM s._server_created_at",
        sql::found(audit, "t.id"),
        sql::target(audit, &transform.target),
    )
}
