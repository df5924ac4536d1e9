//! The queries that reproduce the rules of legacy links whose other end is absent.

use super::facts::Audit;
use super::legacy::Legacy;
use super::link_sql;
use super::sql::{self, name, text};
use crate::bundle::Reason;
use crate::schema::Link;

/// The columns of the list of dropped links.
pub(super) const DROPPED: [&str; 6] = ["entity", "label", "_row", "from", "to", "reason"];

/// The list of dropped links.
pub(super) fn dropped_side(audit: &Audit<'_>) -> String {
    sql::side(audit, "data/quarantine/links.parquet", &DROPPED)
}

/// Links, with a reason, of which bundle.json counts others than are listed.
pub(super) fn counted(audit: &Audit<'_>) -> String {
    let columns = ["entity", "label", "reason"];
    format!(
        "SELECT count(*) FROM (SELECT entity, label, reason, count(*) AS n FROM {} GROUP BY ALL) f FULL \
         JOIN (SELECT (l ->> '$.source') AS entity, (l ->> '$.label') AS label, (l ->> '$.reason') AS \
         reason, sum((l ->> '$.rows')::BIGINT) AS n FROM (SELECT unnest(lost::JSON[]) AS l FROM \
         read_json({}, columns = {{lost: 'JSON'}})) GROUP BY ALL) b USING (entity, label, reason) WHERE \
         f.n IS DISTINCT FROM b.n",
        sql::side(audit, "data/quarantine/links.parquet", &columns),
        sql::path(audit, "data/bundle.json"),
    )
}

/// What the rows of a legacy table name by a link: `r`, `old`.
pub(super) fn named(audit: &Audit<'_>, link: &Link) -> String {
    let table =
        audit.legacy.get(&link.on).map(|legacy| sql::legacy(audit, legacy)).unwrap_or_default();
    let naming = link_sql::naming(audit, &table, link, "''");
    format!("SELECT r, arg_min(old, k) AS old FROM ({naming}) GROUP BY 1")
}

/// The ids of the quarantined rows that a link may name.
fn quarantined(audit: &Audit<'_>, link: &Link) -> String {
    let side = sql::side(audit, &format!("data/quarantine/{}.parquet", link.to), &["id"]);
    format!("(SELECT {} FROM {side} WHERE id IS NOT NULL)", sql::id("id"))
}

/// Values of migrated rows that are neither taken up nor listed, or both; since format 3 also those that
/// are listed for another reason.
pub(super) fn conserved(
    audit: &Audit<'_>,
    link: &Link,
    (target, to): (&str, &str),
    label: Option<&String>,
) -> String {
    let Some(_) = audit.legacy.get(&link.on) else { return String::new() };
    let taken = label.map_or("true".to_owned(), |label| format!("t.{} IS NOT NULL", name(label)));
    let is_told = if audit.is_judged_by_source() {
        format!(
            " OR listed AND aside <> (NOT there AND coalesce(old IN {}, false))",
            quarantined(audit, link)
        )
    } else {
        String::new()
    };
    format!(
        "WITH n AS ({}), d AS (SELECT _row AS r, count(*) AS c, bool_or(reason = {}) AS aside FROM {} \
         WHERE entity = {} AND label = {} AND reason <> {other} GROUP BY 1), m AS (SELECT DISTINCT r FROM ({})), x AS (SELECT \
         m.r, n.old, h.id IS NOT NULL AS there, h.id IS NOT NULL AND coalesce({taken}, d.r IS NULL) AS \
         taken, d.r IS NOT NULL AS listed, d.aside FROM m LEFT JOIN \
         n ON n.r = m.r LEFT JOIN {} h ON h.old = n.old LEFT JOIN d ON d.r = m.r LEFT JOIN (SELECT * \
         FROM {} WHERE _origin = 'migrated') t ON t._source_row = m.r) SELECT (SELECT count(*) FROM x \
         WHERE CASE WHEN old IS NULL THEN listed ELSE taken = listed END{is_told}) + (SELECT \
         coalesce(sum(c), 0) FROM d) - (SELECT count(*) FROM x WHERE listed)",
        named(audit, link),
        text(Reason::QUARANTINED),
        dropped_side(audit),
        text(&link.on),
        text(&link.label),
        sql::migrated(audit, &link.on),
        sql::heirs(audit, &link.to, to),
        sql::target(audit, target),
        other = text(Reason::OTHER_PLACE),
    )
}

/// Numbers of a link's equation that bundle.json gives otherwise.
pub(super) fn equation(audit: &Audit<'_>, legacy: &Legacy, (link, to): (&Link, &str)) -> String {
    let side =
        |kind: &str| sql::side(audit, &format!("data/{kind}/{}.parquet", legacy.entity), &["_row"]);
    // Since format 3 a value that leads to a quarantined row counts as quarantined.
    let aside = if audit.is_judged_by_source() {
        format!(
            "(SELECT count(*) FROM l JOIN n ON n.r = l.r LEFT JOIN {} h ON h.old = n.old WHERE h.id IS \
             NULL AND n.old IN {})",
            sql::heirs(audit, &link.to, to),
            quarantined(audit, link)
        )
    } else {
        "0".to_owned()
    };
    format!(
        "WITH n AS ({}), l AS (SELECT _row AS r FROM {} WHERE entity = {entity} AND label = {label} \
         AND reason <> {other}), e \
         AS (SELECT (SELECT count(*) FROM n) AS v, (SELECT count(*) FROM n SEMI JOIN {} m ON m._row = \
         n.r) AS m, (SELECT count(*) FROM n SEMI JOIN {} q ON q._row = n.r) + {aside} AS q, (SELECT \
         count(*) FROM n SEMI JOIN {} x ON x._row = n.r) AS x, (SELECT count(*) FROM l) - {aside} AS d), \
         b AS (SELECT \
         q FROM (SELECT unnest(link_equations::JSON[]) AS q FROM read_json({json}, columns = {{link_equations: 'JSON'}})) WHERE (q ->> '$.source') = {entity} AND (q ->> \
         '$.label') = {label}) SELECT (coalesce((b.q ->> '$.values')::BIGINT, 0) <> e.v)::INT + \
         (coalesce((b.q ->> '$.merged')::BIGINT, 0) <> e.m)::INT + (coalesce((b.q ->> \
         '$.quarantined')::BIGINT, 0) <> e.q)::INT + (coalesce((b.q ->> '$.dropped')::BIGINT, 0) <> \
         e.d)::INT + (coalesce((b.q ->> '$.dropped_rows')::BIGINT, 0) <> e.x)::INT + (coalesce((b.q \
         ->> '$.migrated')::BIGINT, 0) <> e.v - e.m - e.q - e.d - e.x)::INT \
         FROM e LEFT JOIN b ON true",
        named(audit, link),
        dropped_side(audit),
        side("merged"),
        side("quarantine"),
        side("dropped"),
        json = sql::path(audit, "data/bundle.json"),
        entity = text(&link.on),
        label = text(&link.label),
        other = text(Reason::OTHER_PLACE),
    )
}
