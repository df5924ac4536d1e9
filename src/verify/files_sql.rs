//! The queries that reproduce the rules of legacy links whose other end is absent.

use super::facts::Audit;
use super::legacy::Legacy;
use super::link_sql;
use super::sql::{self, name, text};
use crate::schema::Link;

/// The columns of the list of dropped links.
pub(super) const DROPPED: [&str; 5] = ["entity", "label", "_row", "from", "to"];

/// The list of dropped links.
pub(super) fn dropped_side(audit: &Audit<'_>) -> String {
    sql::side(audit, "data/quarantine/links.parquet", &DROPPED)
}

/// What the rows of a legacy table name by a link: `r`, `old`.
pub(super) fn named(audit: &Audit<'_>, link: &Link) -> String {
    let table =
        audit.legacy.get(&link.on).map(|legacy| sql::legacy(audit, legacy)).unwrap_or_default();
    let naming = link_sql::naming(audit, &table, link, "''");
    format!("SELECT r, arg_min(old, k) AS old FROM ({naming}) GROUP BY 1")
}

/// Values of migrated rows that are neither taken up nor listed, or both.
pub(super) fn conserved(
    audit: &Audit<'_>,
    link: &Link,
    (target, to): (&str, &str),
    label: Option<&String>,
) -> String {
    let Some(legacy) = audit.legacy.get(&link.on) else { return String::new() };
    let migrated: Vec<String> = legacy
        .onto
        .iter()
        .map(|onto| format!("SELECT r FROM {}", sql::stands(audit, legacy, &onto.target)))
        .collect();
    let taken = label.map_or("true".to_owned(), |label| format!("t.{} IS NOT NULL", name(label)));
    format!(
        "WITH n AS ({}), d AS (SELECT _row AS r, count(*) AS c FROM {} WHERE entity = {} AND label = \
         {} GROUP BY 1), m AS (SELECT DISTINCT r FROM ({})), x AS (SELECT m.r, n.old, h.id IS NOT \
         NULL AND coalesce({taken}, d.r IS NULL) AS taken, d.r IS NOT NULL AS listed FROM m LEFT JOIN \
         n ON n.r = m.r LEFT JOIN {} h ON h.old = n.old LEFT JOIN d ON d.r = m.r LEFT JOIN (SELECT * \
         FROM {} WHERE _origin = 'migrated') t ON t._source_row = m.r) SELECT (SELECT count(*) FROM x \
         WHERE CASE WHEN old IS NULL THEN listed ELSE taken = listed END) + (SELECT \
         coalesce(sum(c), 0) FROM d) - (SELECT count(*) FROM x WHERE listed)",
        named(audit, link),
        dropped_side(audit),
        text(&link.on),
        text(&link.label),
        migrated.join(" UNION ALL "),
        sql::heirs(audit, &link.to, to),
        sql::target(audit, target),
    )
}

/// Numbers of a link's equation that bundle.json gives otherwise.
pub(super) fn equation(audit: &Audit<'_>, legacy: &Legacy, link: &Link) -> String {
    let side =
        |kind: &str| sql::side(audit, &format!("data/{kind}/{}.parquet", legacy.entity), &["_row"]);
    format!(
        "WITH n AS ({}), e AS (SELECT (SELECT count(*) FROM n) AS v, (SELECT count(*) FROM n SEMI \
         JOIN {} m ON m._row = n.r) AS m, (SELECT count(*) FROM n SEMI JOIN {} q ON q._row = n.r) AS \
         q, (SELECT count(*) FROM n SEMI JOIN {} x ON x._row = n.r) AS x, (SELECT count(*) FROM {} WHERE \
         entity = {entity} AND label = {label}) AS d), b AS (SELECT \
         q FROM (SELECT unnest(link_equations::JSON[]) AS q FROM read_json({json}, columns = {{link_equations: 'JSON'}})) WHERE (q ->> '$.source') = {entity} AND (q ->> \
         '$.label') = {label}) SELECT (coalesce((b.q ->> '$.values')::BIGINT, 0) <> e.v)::INT + \
         (coalesce((b.q ->> '$.merged')::BIGINT, 0) <> e.m)::INT + (coalesce((b.q ->> \
         '$.quarantined')::BIGINT, 0) <> e.q)::INT + (coalesce((b.q ->> '$.dropped')::BIGINT, 0) <> \
         e.d)::INT + (coalesce((b.q ->> '$.dropped_rows')::BIGINT, 0) <> e.x)::INT + (coalesce((b.q \
         ->> '$.migrated')::BIGINT, 0) <> e.v - e.m - e.q - e.d - e.x)::INT \
         FROM e LEFT JOIN b ON true",
        named(audit, link),
        side("merged"),
        side("quarantine"),
        side("dropped"),
        dropped_side(audit),
        json = sql::path(audit, "data/bundle.json"),
        entity = text(&link.on),
        label = text(&link.label),
    )
}
