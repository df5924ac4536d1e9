//! The queries of the counts and the account of legacy tables.

use std::fmt::Write as _;

use super::facts::Audit;
use super::legacy::Legacy;
use super::only_links;
use super::split_sql;
use super::sql;

/// How many rows a legacy table has.
pub(super) fn rows_sql(audit: &Audit<'_>, legacy: &Legacy) -> String {
    format!("(SELECT count(*) FROM {})", sql::legacy(audit, legacy))
}

/// How many of them were migrated.
pub(super) fn migrated_sql(audit: &Audit<'_>, legacy: &Legacy) -> String {
    let table = sql::legacy(audit, legacy);
    let stands: Vec<String> = legacy
        .onto
        .iter()
        .map(|onto| format!("SELECT r FROM {}", sql::stands(audit, legacy, &onto.target)))
        .collect();
    if stands.is_empty() {
        return "0".to_owned();
    }
    let stands = stands.join(" UNION ALL ");
    format!("(SELECT count(DISTINCT x.r) FROM ({stands}) x SEMI JOIN {table} s ON s._row = x.r)")
}

/// How many were merged.
pub(super) fn merged_sql(audit: &Audit<'_>, legacy: &Legacy) -> String {
    inside_sql(audit, legacy, "merged")
}

/// How many were quarantined.
pub(super) fn quarantined_sql(audit: &Audit<'_>, legacy: &Legacy) -> String {
    inside_sql(audit, legacy, "quarantine")
}

/// How many quarantined rows are only links; bundles before format 3 do not tell them apart.
pub(super) fn only_links_sql(audit: &Audit<'_>, legacy: &Legacy) -> String {
    if !audit.bundle.meta().is_judged_by_source() {
        return "0".to_owned();
    }
    let side = sql::side(audit, &format!("data/quarantine/{}.parquet", legacy.entity), &["_row"]);
    let is = only_links::condition("s", audit.contract.before.schema.entity(&legacy.entity));
    let table = sql::legacy(audit, legacy);
    format!("(SELECT count(*) FROM {table} s JOIN {side} q ON q._row = s._row WHERE {is})")
}

/// How many rows of a side file are rows of the table.
pub(super) fn inside_sql(audit: &Audit<'_>, legacy: &Legacy, kind: &str) -> String {
    let side = sql::side(audit, &format!("data/{kind}/{}.parquet", legacy.entity), &["_row"]);
    let table = sql::legacy(audit, legacy);
    format!("(SELECT count(*) FROM {side} x SEMI JOIN {table} s ON s._row = x._row)")
}

/// Numbers that bundle.json gives otherwise.
pub(super) fn described_sql(audit: &Audit<'_>, legacy: &Legacy) -> String {
    let entity = sql::text(&legacy.entity);
    let said = format!(
        "(SELECT to_json(e) FROM (SELECT unnest(equations) AS e FROM \
         read_json({})) WHERE e.source = {entity})",
        sql::path(audit, "data/bundle.json")
    );
    let differs = |what: &str, found: String| {
        format!("(({said} ->> '$.{what}')::UBIGINT IS DISTINCT FROM {found})::INT")
    };
    let mut parts = vec![
        differs("rows", rows_sql(audit, legacy)),
        differs("migrated", migrated_sql(audit, legacy)),
        differs("merged", merged_sql(audit, legacy)),
        differs("quarantined", quarantined_sql(audit, legacy)),
    ];
    parts.push(format!(
        "(coalesce(({said} ->> '$.dropped')::UBIGINT, 0) IS DISTINCT FROM {})::INT",
        inside_sql(audit, legacy, "dropped")
    ));
    parts.push(format!(
        "(coalesce(({said} ->> '$.only_links')::UBIGINT, 0) IS DISTINCT FROM {})::INT",
        only_links_sql(audit, legacy)
    ));
    let adopted = sql::side(
        audit,
        &format!("data/adopted/{}.parquet", legacy.entity),
        &["_row", "entity", "id"],
    );
    for onto in legacy.onto.iter().filter(|onto| onto.cases.is_some()) {
        let made = format!(
            "(SELECT count(*) FROM {} WHERE _origin = 'migrated')",
            sql::target(audit, &onto.target)
        );
        for (at, found) in [(1, migrated_sql(audit, legacy)), (2, made)] {
            parts.push(format!(
                "(coalesce((SELECT sum((a ->> {at})::BIGINT) FROM (SELECT unnest(({said} -> \
                 '$.split')::JSON[]) AS a) WHERE (a ->> 0) = {}), 0) <> {found})::INT",
                sql::text(&onto.target)
            ));
        }
    }
    for onto in &legacy.onto {
        let target = sql::text(&onto.target);
        parts.push(format!(
            "(coalesce((SELECT sum((a ->> 1)::BIGINT) FROM (SELECT unnest(({said} -> \
             '$.adopted')::JSON[]) AS a) WHERE (a ->> 0) = {target}), 0) <> (SELECT count(*) FROM \
             {adopted} WHERE entity = {target}))::INT"
        ));
    }
    format!("SELECT {}", parts.join(" + "))
}

/// Rows that are not in exactly one place.
pub(super) fn account_sql(audit: &Audit<'_>, legacy: &Legacy) -> String {
    let side = |kind: &str| {
        let side = sql::side(audit, &format!("data/{kind}/{}.parquet", legacy.entity), &["_row"]);
        format!("SELECT _row AS r, count(*) AS n FROM {side} GROUP BY 1")
    };
    let mut joins = format!(
        " LEFT JOIN ({}) m ON m.r = s._row LEFT JOIN ({}) q ON q.r = s._row LEFT JOIN ({}) d ON d.r = \
         s._row",
        side("merged"),
        side("quarantine"),
        side("dropped")
    );
    let mut drops = vec!["false".to_owned()];
    let aside = "coalesce(m.n, 0) + coalesce(q.n, 0)";
    let (mut one, mut none) = (vec![format!("{aside} = 0")], vec!["true".to_owned()]);
    for (at, onto) in legacy.onto.iter().enumerate() {
        let stands = sql::stands(audit, legacy, &onto.target);
        let _ = write!(
            joins,
            " LEFT JOIN (SELECT r, count(*) AS n FROM {stands} GROUP BY 1) t{at} ON t{at}.r = \
             s._row"
        );
        let rules = audit.contract.transform_into(&onto.target);
        match rules.and_then(|rules| rules.explode.as_ref()) {
            Some(rule) => {
                let cases = split_sql::cases(audit, legacy, rule);
                let _ = write!(joins, " LEFT JOIN {cases} c{at} ON c{at}.r = s._row");
                one.push(format!("c{at}.results > 0 AND coalesce(t{at}.n, 0) = c{at}.results"));
                let aside = split_sql::ASIDE;
                drops.push(format!("c{at}.kase NOT IN {aside} AND c{at}.results = 0"));
            }
            None => one.push(format!("coalesce(t{at}.n, 0) = 1")),
        }
        none.push(format!("coalesce(t{at}.n, 0) = 0"));
    }
    if legacy.onto.is_empty() {
        one.push("false".to_owned());
    }
    format!(
        "SELECT {} FROM {} s{joins} WHERE NOT CASE WHEN {} THEN coalesce(d.n, 0) = 1 AND {aside} = 0 \
         AND {} ELSE d.n IS NULL AND ({} OR {aside} = 1 AND {}) END",
        sql::found(audit, "s.id"),
        sql::legacy(audit, legacy),
        drops.join(" OR "),
        none.join(" AND "),
        one.join(" AND "),
        none.join(" AND "),
    )
}
