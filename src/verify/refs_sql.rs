//! The queries that reproduce the rules of `ref` values.

use super::facts::Audit;
use super::sql::{self, name, text};
use crate::bundle::Reason;
use crate::contract::{AttrRule, Transform};

/// A rule and its transform.
type Of<'a> = (&'a Transform, &'a AttrRule);

/// As `v`, the values of migrated rows that are ids: the legacy row `r` and the value `id`; as `d`, the
/// lines that list them: `r`, the target id `id`, the id as it stands `old`, and whether it is said to
/// be that of a quarantined row.
fn values(audit: &Audit<'_>, (transform, rule): Of<'_>) -> String {
    let attr = name(&rule.attr);
    let made = if rule.template.is_some() || rule.missing.is_some() {
        let file = format!("data/repairs/{}.parquet", transform.target);
        format!(
            " AND (_source_row, id) NOT IN (SELECT (_source_row, id) FROM {} WHERE attr = {} AND how IN \
             ('template', 'missing'))",
            sql::side(audit, &file, &["_source_row", "id", "attr", "how"]),
            text(&rule.attr)
        )
    } else {
        String::new()
    };
    let columns = ["entity", "label", "_row", "to", "reason"];
    let main = rule.refers.as_ref().and_then(|entity| audit.contract.id_transform(entity));
    let main = main.map_or("", |main| main.target.as_str());
    format!(
        "v AS (SELECT _source_row AS r, {attr} AS id FROM {} WHERE _origin = 'migrated' AND {attr} IS NOT \
         NULL{made}), d AS (SELECT _row AS r, {} AS id, {} AS old, reason = {} AS aside FROM {} WHERE \
         entity = {} AND label = {})",
        sql::target(audit, &transform.target),
        sql::target_id("\"to\"", &audit.contract.namespace, main),
        sql::id("\"to\""),
        text(Reason::QUARANTINED),
        sql::side(audit, "data/quarantine/links.parquet", &columns),
        text(&transform.source),
        text(&format!("{}.{}", transform.target, rule.attr)),
    )
}

/// The ids of quarantined rows that a `ref` may name.
fn quarantined(audit: &Audit<'_>, rule: &AttrRule) -> String {
    let entity = rule.refers.as_deref().unwrap_or_default();
    let side = sql::side(audit, &format!("data/quarantine/{entity}.parquet"), &["id"]);
    format!("(SELECT {} FROM {side} WHERE id IS NOT NULL)", sql::id("id"))
}

/// Values that lead to no row and are not listed, or are listed and lead to one; lines of no value, and
/// those that give another reason.
pub(super) fn leads(audit: &Audit<'_>, (transform, rule): Of<'_>, main: &str) -> String {
    format!(
        "WITH {} SELECT (SELECT count(*) FROM v LEFT JOIN {} e ON e.id = v.id LEFT JOIN (SELECT DISTINCT \
         r, id FROM d) l ON l.r = v.r AND l.id = v.id WHERE (e.id IS NULL) <> (l.r IS NOT NULL)) + \
         (SELECT count(*) FROM d ANTI JOIN v ON v.r = d.r AND v.id = d.id) + (SELECT count(*) - \
         count(DISTINCT (r, id)) FROM d) + (SELECT count(*) FROM d WHERE \
         aside <> (old IN {}))",
        values(audit, (transform, rule)),
        sql::target(audit, main),
        quarantined(audit, rule),
    )
}

/// Numbers of the equation that bundle.json gives otherwise.
pub(super) fn equation(audit: &Audit<'_>, (transform, rule): Of<'_>) -> String {
    let number = |what: &str| format!("coalesce((b.q ->> '$.{what}')::BIGINT, 0)");
    format!(
        "WITH {}, e AS (SELECT (SELECT count(DISTINCT r) FROM v) AS v, (SELECT count(DISTINCT r) FROM d \
         WHERE old IN {quarantined}) AS q, (SELECT count(DISTINCT r) FROM d WHERE old NOT IN \
         {quarantined}) AS d), b AS (SELECT q FROM (SELECT unnest(refs::JSON[]) AS q FROM read_json({}, \
         columns = {{refs: 'JSON'}})) WHERE (q ->> '$.target') = {} AND (q ->> '$.attr') = {}) SELECT \
         ({} <> e.v)::INT + ({} <> e.v - e.q - e.d)::INT + ({} <> e.q)::INT + ({} <> e.d)::INT FROM e \
         LEFT JOIN b ON true",
        values(audit, (transform, rule)),
        sql::path(audit, "data/bundle.json"),
        text(&transform.target),
        text(&rule.attr),
        number("values"),
        number("there"),
        number("quarantined"),
        number("dropped"),
        quarantined = quarantined(audit, rule),
    )
}
