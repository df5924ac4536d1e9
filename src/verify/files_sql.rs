//! The queries that reproduce the rules of dropped links and of link files.

use super::facts::Audit;
use super::legacy::Legacy;
use super::link_sql;
use super::sql::{self, name, text};
use crate::bundle::Reason;
use crate::schema::Link;
use crate::snapshot::LinksMeta;

const DROPPED: [&str; 6] = ["entity", "label", "_row", "from", "to", "reason"];

fn dropped_side(audit: &Audit<'_>) -> String {
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

/// What the ids of an entity are in the target: `old`, `id`; `None` when they stay.
fn ends(audit: &Audit<'_>, entity: &str) -> Option<String> {
    if audit.legacy.contains_key(entity) {
        let target =
            audit.contract.id_transform(entity).map_or(entity, |found| found.target.as_str());
        return Some(sql::heirs(audit, entity, target));
    }
    audit.tables.get(entity).map(|_| {
        format!("(SELECT {} AS old, id FROM {})", sql::id("id"), sql::target(audit, entity))
    })
}

/// The pairs of snapshot files with their ends in the target: `f`, `t`, and as they were.
pub(super) fn resolved(audit: &Audit<'_>, links: &[&LinksMeta]) -> String {
    let parts: Vec<String> = links
        .iter()
        .map(|links| {
            let join = |side: &str, alias: &str, entity: &str| match ends(audit, entity) {
                Some(ends) => (
                    format!("{alias}.id"),
                    format!(
                        " LEFT JOIN {ends} {alias} ON {alias}.old = {}",
                        sql::id(&format!("p.\"{side}\""))
                    ),
                ),
                None => (format!("p.\"{side}\""), String::new()),
            };
            let (from, from_join) = join("from", "a", &links.entity);
            let (to, to_join) = join("to", "b", &links.target);
            format!(
                "SELECT {from} AS f, {to} AS t, p.\"from\", p.\"to\", {} AS entity FROM {} \
                 p{from_join}{to_join}",
                text(&links.entity),
                sql::source(audit, &links.file)
            )
        })
        .collect();
    if parts.is_empty() {
        return "SELECT NULL::VARCHAR AS f, NULL::VARCHAR AS t, NULL::VARCHAR AS \"from\", \
                NULL::VARCHAR AS \"to\", NULL::VARCHAR AS entity WHERE false"
            .to_owned();
    }
    parts.join(" UNION ALL ")
}

/// Pairs that lost an end and are not listed, or are listed and did not.
pub(super) fn dropped(audit: &Audit<'_>, links: &[&LinksMeta]) -> String {
    let label = links.first().map_or("", |links| links.label.as_str());
    format!(
        "WITH x AS ({}), d AS (SELECT DISTINCT entity, {} AS f, {} AS t FROM \
         {} WHERE label = {}) SELECT count(*) FROM x LEFT JOIN d ON d.entity = x.entity AND d.f = {} AND d.t = {} \
         WHERE (d.f IS NOT NULL) = (x.f IS NOT NULL AND \
         x.t IS NOT NULL)",
        resolved(audit, links),
        sql::id("\"from\""),
        sql::id("\"to\""),
        dropped_side(audit),
        text(label),
        sql::id("x.\"from\""),
        sql::id("x.\"to\""),
    )
}

/// Pairs that stand there twice, that the source has not, or that are missing.
pub(super) fn pairs(audit: &Audit<'_>, file: &str, links: &[&LinksMeta]) -> String {
    let side = sql::side(audit, file, &["from", "to"]);
    format!(
        "WITH x AS (SELECT DISTINCT f, t FROM ({}) WHERE f IS NOT NULL AND t IS NOT NULL), g AS \
         (SELECT \"from\" AS f, \"to\" AS t, count(*) AS n FROM {side} GROUP BY 1, 2) SELECT (SELECT \
         coalesce(sum(n - 1), 0) FROM g) + (SELECT count(*) FROM g ANTI JOIN x USING (f, t)) + \
         (SELECT count(*) FROM x ANTI JOIN g USING (f, t))",
        resolved(audit, links),
    )
}

/// Whether bundle.json gives other rows than the file has, or another digest than was recomputed:
/// SQL has no canonical JSON.
pub(super) fn said(
    audit: &Audit<'_>,
    (entity, label): (&str, &str),
    (file, digest): (&str, &str),
) -> String {
    let side = sql::side(audit, file, &["from", "to"]);
    let found = format!("(SELECT count(*) FROM {side})");
    // Without a row there is no digest to compare with.
    let digest = match audit.views {
        Some(_) => String::new(),
        None => format!(" OR (l ->> '$.digest') <> {}", text(digest)),
    };
    format!(
        "SELECT coalesce((SELECT any_value(((l ->> '$.rows')::BIGINT <> {found}{digest})::INT) FROM \
         (SELECT unnest(links::JSON[]) AS l FROM read_json({}, columns = {{links: 'JSON'}})) WHERE \
         (l ->> '$.entity') = {} AND (l ->> '$.label') = {}), ({found} > 0)::INT)",
        sql::path(audit, "data/bundle.json"),
        text(entity),
        text(label),
    )
}
