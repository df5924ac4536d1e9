//! The query of the rule that no built value lost its content.

use super::answers_sql::content;
use super::facts::Audit;
use super::kept;
use super::split_sql::{self, normal_of, path, text_at};
use super::sql::{self, name, text};
use crate::contract::{Explode, Path, Pattern, Transform};

/// The texts, numbers and truth values of JSON as DuckDB writes it.
fn leaves(json: &str) -> String {
    format!(
        "list_filter(regexp_extract_all({json}, '\"(?:[^\"\\\\]|\\\\.)*\":?|[-+0-9.eE]+|true|false'), \
         lambda t: NOT ends_with(t, ':') AND t <> '\"\"')"
    )
}

/// Legacy rows of which something is said more often than it is found in their rows.
pub(super) fn query(audit: &Audit<'_>, transform: &Transform, rule: &Explode) -> String {
    let Some(legacy) = audit.legacy.get(&transform.source) else { return String::new() };
    let table = sql::target(audit, &transform.target);
    let built = kept::built(&audit.contract.after.schema, transform);
    let built = built.iter().map(|attr| {
        let json = normal_of(&name(attr), "json_extract(j, '$')::VARCHAR", "NULL");
        format!(
            "SELECT _source_row AS r, unnest({}) AS t FROM {table} WHERE _origin = 'migrated'",
            leaves(&json)
        )
    });
    let built: Vec<String> = built.collect();
    let left: Vec<String> = left(rule)
        .into_iter()
        .map(|(path, kases)| {
            format!(
                " UNION ALL SELECT r, unnest({}), -1 FROM c WHERE kase IN ({kases})",
                leaves(&format!("json_extract(o, {})::VARCHAR", self::path(path)))
            )
        })
        .collect();
    let rests: Vec<String> = rests(rule)
        .into_iter()
        .map(|(condition, ends)| {
            format!(
                " UNION SELECT r FROM c LEFT JOIN (SELECT r, list(t) AS ts FROM b GROUP BY 1) USING (r) \
                 WHERE {condition} AND NOT coalesce(list_has_any(ts, [{}]), false)",
                ends.join(", ")
            )
        })
        .collect();
    format!(
        "WITH b AS ({}), c AS (SELECT r, o, kind, kase FROM {} WHERE results > 0 AND r IN (SELECT \
         _source_row FROM {table} WHERE _origin = 'migrated')), s AS (SELECT r, unnest({}) AS t, 1 AS n \
         FROM c{} UNION ALL SELECT r, t, -1 FROM b) SELECT {} FROM (SELECT r FROM (SELECT r FROM s GROUP \
         BY r, t HAVING sum(n) > 0){})",
        built.join(" UNION ALL "),
        split_sql::cases(audit, legacy, rule),
        leaves("json_extract(o, '$')::VARCHAR"),
        left.concat(),
        sql::found(audit, "'row ' || r"),
        if rests.is_empty() { " GROUP BY r".to_owned() } else { rests.concat() },
    )
}

/// The paths that cases leave behind or are picked by, each with the places of those cases.
fn left(rule: &Explode) -> Vec<(&Path, String)> {
    let mut found: Vec<(&Path, String)> = Vec::new();
    for (at, case) in rule.cases.iter().enumerate().filter(|(_, case)| !case.rows.is_empty()) {
        let when = case.when.iter().map(|when| &when.path);
        let paths = rule.drop.iter().chain(&case.drop).chain([&rule.by]).chain(when);
        let mut paths: Vec<&Path> = paths.collect();
        paths.sort();
        paths.dedup();
        for path in paths {
            match found.iter_mut().find(|(known, _)| *known == path) {
                Some((_, kases)) => *kases += &format!(", {at}"),
                None => found.push((path, at.to_string())),
            }
        }
    }
    found
}

/// For every beginning in the texts that pick a case: when what follows it must be there, and what may
/// stand for it.
fn rests(rule: &Explode) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    for (at, case) in rule.cases.iter().enumerate().filter(|(_, case)| !case.rows.is_empty()) {
        let when = case.when.as_ref().map(|when| (&when.path, &when.is));
        for (path, is) in [(&rule.by, &case.is)].into_iter().chain(when) {
            let own = if *path == rule.by { "kind".to_owned() } else { text_at("o", path) };
            let exact = is.iter().filter_map(|it| match it {
                Pattern::Exact(whole) => Some(format!(" AND {own} <> {}", text(whole))),
                Pattern::Begins(_) => None,
            });
            let exact: String = exact.collect();
            let starts = is.iter().filter_map(|it| match it {
                Pattern::Begins(start) => Some(start.chars().count()),
                Pattern::Exact(_) => None,
            });
            if let Some(start) = starts.max().filter(|_| !rule.drops(case, path)) {
                let end = |from: usize| format!("to_json(substr({own}, {}))::VARCHAR", from + 1);
                let condition = format!("kase = {at} AND length({own}) > {start}{exact}");
                found.push((condition, (0..=start).map(end).collect()));
            }
        }
    }
    found
}

/// By path, how many rows have a value that a case leaves behind: `name`, `n`.
pub(super) fn dropped(audit: &Audit<'_>, transform: &Transform, rule: &Explode) -> String {
    let Some(legacy) = audit.legacy.get(&transform.source) else { return String::new() };
    let counts = rule.dropped().into_iter().map(|dropped| {
        let cases = rule.cases.iter().enumerate();
        let cases = cases.filter(|(_, case)| !case.rows.is_empty() && rule.drops(case, dropped));
        let kases: Vec<String> = cases.map(|(at, _)| at.to_string()).collect();
        format!(
            "SELECT {} AS name, count(*) AS n FROM c WHERE kase IN ({}) AND {}",
            text(&rule.named(dropped)),
            kases.join(", "),
            content(&format!("json_extract(o, {})::VARCHAR", path(dropped)))
        )
    });
    format!(
        "WITH c AS (FROM {} x), f AS (SELECT name, n FROM ({}) WHERE n > 0), s AS (SELECT v ->> 1 AS name, \
         (v ->> 2)::BIGINT AS n FROM (SELECT unnest(dropped_values::JSON[]) AS v FROM read_json({}, \
         columns = {{dropped_values: 'JSON'}})) WHERE (v ->> 0) = {} AND starts_with(v ->> 1, {})) SELECT \
         count(*) FROM f FULL JOIN s USING (name) WHERE f.n IS DISTINCT FROM s.n",
        split_sql::cases(audit, legacy, rule),
        counts.collect::<Vec<_>>().join(" UNION ALL "),
        sql::path(audit, "data/bundle.json"),
        text(&legacy.entity),
        text(&rule.named(&Path::new())),
    )
}
