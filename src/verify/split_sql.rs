//! The queries of the rules on rows that a contract splits, numbers and drops.
//!
//! JSON that is built is compared by what it means: DuckDB does not give the text of a value as it
//! stands.

use std::fmt::Write as _;

use super::answers_sql;
use super::dropped::refusals;
use super::facts::Audit;
use super::id_sql;
use super::legacy::Legacy;
use super::link_sql;
use super::sql::{self, name, text};
use crate::contract::{Build, Case, Constant, Explode, LinkHow, Pattern, Transform, Unlisted};
use crate::schema::Type;

/// The codes of rows without a case.
const DROPPED: i32 = -1;
/// The code of a row that a rule refuses.
const REFUSED: i32 = -2;
/// The code of a row that cases list and none answers for.
const NOT_WHOLE: i32 = -3;
/// The codes of all rows that a rule refuses.
pub(super) const ASIDE: &str = "(-2, -3)";

/// The rules by which rows without a case are quarantined, each with the code of those rows.
pub(super) fn refused_by(transform: &Transform, rule: &Explode) -> String {
    let [listed, object, whole] = refusals(transform, rule).map(|name| text(&name));
    format!(
        "(VALUES ({listed}, {REFUSED}), ({object}, {REFUSED}), ({whole}, {NOT_WHOLE})) v(rule, kase)"
    )
}

/// Rows listed as dropped that no rule drops, or without a rule.
pub(super) fn dropped(
    audit: &Audit<'_>,
    legacy: &Legacy,
    (transform, rule): (&Transform, &Explode),
) -> String {
    let file = format!("data/dropped/{}.parquet", legacy.entity);
    let side = sql::side(audit, &file, &["_row", "_rule"]);
    format!(
        "SELECT {} FROM {side} d JOIN {} c ON c.r = d._row WHERE c.results > 0 OR c.kase IN {ASIDE} \
         OR NOT coalesce(starts_with(d._rule, {}), false)",
        sql::found(audit, "'row ' || d._row"),
        cases(audit, legacy, rule),
        text(&format!("{}.", transform.target)),
    )
}

/// Rows without a case that are migrated or nowhere, and rows quarantined for it that have one.
pub(super) fn listed(
    audit: &Audit<'_>,
    legacy: &Legacy,
    (transform, rule): (&Transform, &Explode),
) -> String {
    let side = |folder: &str, columns: &[&str]| {
        sql::side(audit, &format!("data/{folder}/{}.parquet", legacy.entity), columns)
    };
    format!(
        "WITH c AS (FROM {} x) SELECT (SELECT count(*) FROM c WHERE kase IN {ASIDE} AND (r IN \
         (SELECT r FROM {}) OR r NOT IN (SELECT _row FROM {} UNION ALL SELECT _row FROM {}))) + \
         (SELECT count(*) FROM {} q JOIN c ON c.r = q._row JOIN {} ON v.rule = q._rule WHERE c.kase <> \
         v.kase)",
        cases(audit, legacy, rule),
        sql::stands(audit, legacy, &transform.target),
        side("merged", &["_row"]),
        side("quarantine", &["_row"]),
        side("quarantine", &["_row", "_rule"]),
        refused_by(transform, rule),
    )
}

/// For every legacy row: `r`, `o` (its object), `kind`, `kase` (the place of its case, or why there is
/// none), `results` (how many rows it becomes).
pub(super) fn cases(audit: &Audit<'_>, legacy: &Legacy, rule: &Explode) -> String {
    let table = sql::legacy(audit, legacy);
    let of: Vec<String> = rule.of.iter().map(|name| format!("s.{}", self::name(name))).collect();
    let first = format!("coalesce({}, NULL)", of.join(", "));
    let beside = match &rule.otherwise_by {
        Some(attr) => format!("s.{}", name(attr)),
        None => "NULL::VARCHAR".to_owned(),
    };
    let fate = |unlisted| if unlisted == Unlisted::Drop { DROPPED } else { REFUSED };
    let (mut kases, mut results, mut listed) = (String::new(), String::new(), Vec::new());
    for (at, case) in rule.cases.iter().enumerate() {
        let mut is = condition(case);
        if rule.takes_all {
            listed.push(format!("({is})"));
            is = format!("{is} AND {}", answers_sql::answers(rule, case));
        }
        let _ = write!(kases, " WHEN {is} THEN {at}");
        let _ = write!(results, " WHEN {at} THEN {}", case.rows.len());
    }
    let (mut others, mut says) = ("false".to_owned(), "false".to_owned());
    if rule.takes_all {
        let other = of.iter().map(|column| {
            let json = normal_of(column, "json(j)::VARCHAR", "NULL");
            format!("({column} <> {first} AND {})", answers_sql::content(&json))
        });
        others = other.collect::<Vec<_>>().join(" OR ");
        says = answers_sql::content("json_extract(o, '$')::VARCHAR");
        let _ = write!(kases, " WHEN {} THEN {NOT_WHOLE}", listed.join(" OR "));
    }
    format!(
        "(SELECT r, o, kind, kase, CASE kase{results} ELSE 0 END AS results FROM (SELECT *, CASE WHEN \
         others THEN {NOT_WHOLE} WHEN o IS NULL OR json_type(o) IS DISTINCT FROM 'OBJECT' THEN CASE WHEN \
         {says} THEN {} ELSE {} END WHEN len(json_keys(o)) <> len(list_distinct(json_keys(o))) THEN \
         {}{kases} ELSE {} END AS kase FROM (SELECT r, o, coalesce({}, beside) AS kind, others FROM \
         (SELECT s._row AS r, {} AS o, {beside} AS beside, {others} AS others FROM {table} s))))",
        fate(rule.otherwise),
        fate(rule.no_object),
        fate(rule.otherwise),
        fate(rule.otherwise),
        text_at("o", &rule.by),
        normal_of(&first, "j", "NULL"),
    )
}

fn condition(case: &Case) -> String {
    let is = patterns("kind", &case.is);
    match &case.when {
        Some(when) => format!("{is} AND {}", patterns(&text_at("o", &when.path), &when.is)),
        None => is,
    }
}

fn patterns(value: &str, patterns: &[Pattern]) -> String {
    let fits = |pattern: &Pattern| match pattern {
        Pattern::Exact(whole) => format!("{value} = {}", text(whole)),
        Pattern::Begins(start) => format!("starts_with({value}, {})", text(start)),
    };
    format!("({})", patterns.iter().map(fits).collect::<Vec<_>>().join(" OR "))
}

/// A path of keys as SQL quotes it.
pub(super) fn path(keys: &[String]) -> String {
    let keys: Vec<String> =
        keys.iter().map(|key| format!(".\"{}\"", key.replace('"', "\\\""))).collect();
    text(&format!("${}", keys.concat()))
}

/// The text at a path of an object.
pub(super) fn text_at(object: &str, keys: &[String]) -> String {
    let path = path(keys);
    format!("CASE WHEN json_type({object}, {path}) = 'VARCHAR' THEN {object} ->> {path} END")
}

/// For every row that a legacy row must become: `r`, `nth`, `id`; and `number` where rows are numbered.
pub(super) fn slots(audit: &Audit<'_>, transform: &Transform) -> String {
    let Some(legacy) = audit.legacy.get(&transform.source) else { return String::new() };
    let all = match &transform.explode {
        Some(rule) => format!("(SELECT r, results FROM {})", cases(audit, legacy, rule)),
        None => format!("(SELECT _row AS r, 1 AS results FROM {})", sql::legacy(audit, legacy)),
    };
    let derived = sql::uuid5("m.id || ':' || nth", &audit.contract.namespace, &transform.target);
    let first = numbers(audit, transform, legacy, &all);
    format!(
        "(SELECT c.r, nth, CASE WHEN nth = 0 THEN m.id ELSE {derived} END AS id, n.first + nth AS \
         number FROM (SELECT r, unnest(range(results)) AS nth FROM {all}) c JOIN ({}) m ON m.r = c.r \
         LEFT JOIN {first} n ON n.r = c.r)",
        id_sql::made(audit, transform),
    )
}

/// By legacy row, the number before the first of its rows.
fn numbers(audit: &Audit<'_>, transform: &Transform, legacy: &Legacy, all: &str) -> String {
    let Some(number) = &transform.number else {
        return "(SELECT NULL::BIGINT AS r, NULL::BIGINT AS first WHERE false)".to_owned();
    };
    let by_source = audit.bundle.meta().is_judged_by_source();
    let own = if by_source { sql::ordered_id("s.id") } else { sql::id("s.id") };
    let key = |by: &String| {
        let column = if by == "id" { own.clone() } else { format!("s.{}", name(by)) };
        format!("{column} ASC NULLS LAST")
    };
    let tie = by_source.then(|| format!("{own} NULLS FIRST"));
    let ties = tie.into_iter().chain(["m.id".to_owned()]);
    let order: Vec<String> = number.by.iter().map(key).chain(ties).collect();
    let table = sql::target(audit, &transform.target);
    let within = name(&number.within);
    let side = |folder: &str, columns: &[&str]| {
        sql::side(audit, &format!("data/{folder}/{}.parquet", legacy.entity), columns)
    };
    let link = audit.contract.after.schema.link(&transform.target, &number.within);
    let rule = transform.links.iter().find(|rule| rule.label == number.within);
    // Rows that are in the target already keep their numbers: what they link to is found anew.
    let there = match (link, rule.map(|rule| &rule.how)) {
        (Some(link), Some(how @ LinkHow::From { .. })) => format!(
            " UNION ALL SELECT r, any_value(id) AS g FROM ({} SELECT r, id FROM m) WHERE id IS NOT \
             NULL AND r IN (SELECT _row FROM {} WHERE _rule LIKE '% not taken' UNION ALL SELECT _row \
             FROM {} WHERE _winner_row IS NULL) GROUP BY 1",
            link_sql::chosen(audit, link, how, transform),
            side("quarantine", &["_row", "_rule"]),
            side("merged", &["_row", "_winner_row"]),
        ),
        _ => String::new(),
    };
    format!(
        "(SELECT g.r, coalesce(sum(c.results) OVER (PARTITION BY g.g ORDER BY {} ROWS BETWEEN \
         UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS first FROM (SELECT _source_row AS r, \
         any_value({within}) AS g FROM {table} WHERE _origin = 'migrated' AND {within} IS NOT NULL \
         GROUP BY 1{there}) g JOIN {all} c ON c.r = g.r AND c.results > 0 JOIN {} s ON s._row = g.r \
         JOIN ({}) m ON m.r = g.r)",
        order.join(", "),
        sql::legacy(audit, legacy),
        id_sql::made(audit, transform),
    )
}

/// What an attribute must be where a number or a case gives it: rows where it is not.
pub(super) fn value(
    audit: &Audit<'_>,
    transform: &Transform,
    (attr, ty): (&str, Type),
) -> Option<String> {
    let table = sql::target(audit, &transform.target);
    let column = format!("t.{}", name(attr));
    let found = sql::found(audit, "t.id");
    if transform.number.as_ref().is_some_and(|number| number.attr == attr) {
        return Some(format!(
            "SELECT {found} FROM {table} t JOIN {} x ON x.r = t._source_row AND x.id = t.id WHERE \
             t._origin = 'migrated' AND {column} IS DISTINCT FROM x.number",
            slots(audit, transform)
        ));
    }
    let rule = transform.explode.as_ref()?;
    if !transform.case_attrs().contains(&attr) {
        return None;
    }
    let legacy = audit.legacy.get(&transform.source)?;
    let mut built = String::new();
    for (kase, case) in rule.cases.iter().enumerate() {
        for (nth, row) in case.rows.iter().enumerate() {
            if let Some((_, build)) = row.iter().find(|(name, _)| name == attr) {
                let value = match (build, ty) {
                    (Build::Constant(value), ty) if ty != Type::Any => constant(value),
                    (build, _) => json(rule, build),
                };
                let _ = write!(built, " WHEN c.kase = {kase} AND x.nth = {nth} THEN {value}");
            }
        }
    }
    let (column, built) = match ty {
        Type::Any => (normal(&column), normal(&format!("CASE{built} END"))),
        _ => (column, format!("CASE{built} END")),
    };
    Some(format!(
        "SELECT {found} FROM {table} t JOIN {} x ON x.r = t._source_row AND x.id = t.id JOIN {} c ON \
         c.r = t._source_row WHERE t._origin = 'migrated' AND {column} IS DISTINCT FROM {built}",
        slots(audit, transform),
        cases(audit, legacy, rule),
    ))
}

/// JSON as DuckDB writes it: two texts that mean the same are alike.
fn normal(json: &str) -> String {
    normal_of(json, "json(j)::VARCHAR", "j")
}

/// The same, of what is no JSON something else.
pub(super) fn normal_of(json: &str, valid: &str, other: &str) -> String {
    format!(
        "list_transform(list_transform([{json}], lambda h: {}), lambda j: CASE WHEN json_valid(j) THEN \
         {valid} ELSE {other} END)[1]",
        sql::halves("h")
    )
}

fn constant(value: &Constant) -> String {
    match value {
        Constant::Text(value) => text(value),
        Constant::Number(value) => format!("{value}::DOUBLE"),
        Constant::Boolean(value) => value.to_string(),
    }
}

/// What a rule builds out of the object `c.o`, as JSON; NULL for nothing.
fn json(rule: &Explode, build: &Build) -> String {
    match build {
        Build::Constant(value) => format!("to_json({})::VARCHAR", constant(value)),
        Build::Path { of, demand } => {
            let json = format!("json_extract(c.o, {})::VARCHAR", path(of));
            match answers_sql::fits("c.o", (demand.must_be, of)) {
                Some(fits) => format!("CASE WHEN {fits} THEN {json} END"),
                None => json,
            }
        }
        Build::Whole => "c.o".to_owned(),
        Build::After { mark, of, .. } => {
            let from = if *of == rule.by { "c.kind".to_owned() } else { text_at("c.o", of) };
            format!("to_json({})::VARCHAR", after(&from, mark))
        }
        Build::Object(members) => {
            let member = |(key, build): &(String, Build)| {
                format!("to_json({})::VARCHAR || ':' || {}", text(key), json(rule, build))
            };
            let members: Vec<String> = members.iter().map(member).collect();
            format!("'{{' || concat_ws(',', {}) || '}}'", or_null(&members))
        }
        Build::Array(items) => {
            let items: Vec<String> = items.iter().map(|build| json(rule, build)).collect();
            format!("'[' || concat_ws(',', {}) || ']'", or_null(&items))
        }
    }
}

/// What follows the first mark in a text; NULL where it is not there.
pub(super) fn after(from: &str, mark: &str) -> String {
    let mark = text(mark);
    format!(
        "CASE WHEN contains({from}, {mark}) THEN substr({from}, strpos({from}, {mark}) + \
         length({mark})) END"
    )
}

fn or_null(parts: &[String]) -> String {
    if parts.is_empty() {
        return "NULL".to_owned();
    }
    parts.iter().map(|part| format!("({part})")).collect::<Vec<_>>().join(", ")
}
