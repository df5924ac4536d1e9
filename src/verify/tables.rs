//! Target tables as a whole: every row stands on a row of the snapshot, and bundle.json counts them.

use super::Rule;
use super::facts::Audit;
use super::read;
use super::rule::Tally;
use super::sql;
use super::table::Table;
use crate::error::{Result, grouped};

/// The rules of a target table as a whole.
pub(super) fn rules(audit: &Audit<'_>, table: &Table, out: &mut Vec<Rule>) -> Result<()> {
    out.push(stands(audit, table)?);
    out.push(counted(audit, table));
    Ok(())
}

fn stands(audit: &Audit<'_>, table: &Table) -> Result<Rule> {
    let entity = &table.entity;
    let legacy = audit
        .contract
        .transform_into(entity)
        .and_then(|transform| audit.legacy.get(&transform.source));
    let source = legacy.map_or_else(
        || "(SELECT NULL::BIGINT AS _row WHERE false)".to_owned(),
        |legacy| sql::legacy(audit, legacy),
    );
    let mut tally = Tally::new("account", entity, "")
        .says(format!("every {entity} row stands on a row of the snapshot"))
        .query(format!(
            "SELECT {} FROM {} t LEFT JOIN {source} s ON s._row = t._source_row LEFT JOIN {} e \
             ON e._row = t._source_row WHERE NOT coalesce(CASE t._origin WHEN 'migrated' THEN s._row \
             IS NOT NULL WHEN 'existing' THEN e._row IS NOT NULL END, false)",
            sql::found(audit, "t.id"),
            sql::target(audit, entity),
            sql::existing(audit, entity)
        ));
    let rows = legacy.map_or(0, |legacy| legacy.rows);
    let before = audit.snapshot.table(entity).map(|found| audit.snapshot.path(&found.file));
    let before = match before.filter(|path| path.exists()) {
        Some(path) => read::rows(&path)?,
        None => 0,
    };
    for row in 0..table.rows() {
        let right = match (table.migrated(row), table.existing(row)) {
            (Some(source), _) => source < rows,
            (_, Some(source)) => source < before,
            _ => false,
        };
        tally.check(right, || table.place(row));
    }
    Ok(tally.finish())
}

/// bundle.json gives the rows of a table as they are.
fn counted(audit: &Audit<'_>, table: &Table) -> Rule {
    let entity = &table.entity;
    let (name, target) = (sql::text(entity), sql::target(audit, entity));
    let said = format!(
        "(SELECT to_json(t) FROM (SELECT unnest(tables) AS t FROM read_json({})) WHERE t.entity = ",
        sql::path(audit, "data/bundle.json")
    );
    let differs = |what: &str, condition: &str| {
        format!(
            "(({said}{name}) ->> '$.{what}')::UBIGINT IS DISTINCT FROM (SELECT count(*) FROM \
             {target}{condition}))::INT"
        )
    };
    let mut tally = Tally::new("count", entity, "")
        .says(format!("bundle.json counts the rows of {entity} as they are"))
        .query(format!(
            "SELECT {} + {} + {}",
            differs("rows", ""),
            differs("migrated", " WHERE _origin = 'migrated'"),
            differs("existing", " WHERE _origin = 'existing'")
        ));
    let meta = audit.bundle.meta().tables.iter().find(|said| said.entity == *entity);
    let (migrated, existing) = table.counts();
    for (what, said, found) in [
        ("rows", meta.map(|meta| meta.rows), table.rows() as u64),
        ("migrated", meta.map(|meta| meta.migrated), migrated),
        ("existing", meta.map(|meta| meta.existing), existing),
    ] {
        tally.check(said == Some(found), || {
            let said = said.map_or_else(|| "nothing".to_owned(), grouped);
            format!("{what}: bundle.json says {said}, there are {}", grouped(found))
        });
    }
    tally.finish()
}
