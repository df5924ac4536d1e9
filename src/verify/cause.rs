//! Causes: a row that is in quarantine because of another names the one that it links to.

use super::facts::Audit;
use super::key;
use super::legacy::Legacy;
use super::link_sql;
use super::sql;
use crate::bundle::Quarantine;
use crate::error::Result;

/// What a rule's name ends with when it sets a row aside because another one was.
const BECAUSE: &str = " migrated";

/// Whether a quarantined row names a cause when its rule asks for one, and the cause is a row that it
/// links to and that is in quarantine itself.
pub(super) fn is_right(
    audit: &Audit<'_>,
    (legacy, row): (&Legacy, usize),
    rule: &str,
    cause: Option<&str>,
) -> Result<bool> {
    let Some(cause) = cause else { return Ok(!rule.ends_with(BECAUSE)) };
    let Some((entity, id)) = cause.split_once(':') else { return Ok(false) };
    let Some(other) = audit.legacy.get(entity) else { return Ok(false) };
    let id = key::link_key(Some(id));
    if !other.find(id).any(|row| other.quarantined[row] > 0) || row >= legacy.rows {
        return Ok(false);
    }
    let links = audit.contract.before.schema.links_on(&legacy.entity);
    for link in links.filter(|link| link.to == entity) {
        let firsts = audit.firsts(&legacy.entity, &link.label)?;
        let several = firsts.several(row).is_some_and(|several| several.contains(&id));
        if several || firsts.id(audit, row) == id {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A count of the rows whose cause is none.
pub(super) fn wrong_sql(audit: &Audit<'_>, legacy: &Legacy) -> String {
    let side = |entity: &str, columns: &[&str]| {
        sql::side(audit, &format!("data/quarantine/{entity}.parquet"), columns)
    };
    let rows = side(&legacy.entity, &["_row", Quarantine::RULE, Quarantine::CAUSE]);
    let table = sql::legacy(audit, legacy);
    let named: Vec<String> = audit
        .contract
        .before
        .schema
        .links_on(&legacy.entity)
        .filter(|link| audit.legacy.contains_key(&link.to))
        .map(|link| (link, link_sql::naming(audit, &table, link, "''")))
        .filter(|(_, named)| !named.is_empty())
        .map(|(link, named)| {
            let cause = format!("{} || ':' || lower(n.old)", sql::text(&link.to));
            let refused = side(&link.to, &["id"]);
            format!(
                "SELECT n.r AS r, {cause} AS c FROM ({named}) n SEMI JOIN {refused} o ON lower(o.id) = \
                 lower(n.old)"
            )
        })
        .chain(["SELECT -1 AS r, '' AS c".to_owned()])
        .collect();
    format!(
        "(SELECT count(*) FROM {rows} q WHERE CASE WHEN q._cause IS NULL THEN q._rule LIKE '%{BECAUSE}' \
         ELSE (q._row, lower(q._cause)) NOT IN (SELECT (r, c) FROM ({})) END)",
        named.join(" UNION ALL ")
    )
}
