//! The queries that reproduce the id rules.

use std::fmt::Write as _;

use super::facts::Audit;
use super::link_sql;
use super::naming::type_of;
use super::split_sql;
use super::sql::{self, name, text};
use super::value::spelled;
use crate::contract::{Pick, Transform};
use crate::schema::Type;

pub(super) const UUID: &str = "'[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}'";

/// Rows whose id is no UUID in lower case.
pub(super) fn well_formed(audit: &Audit<'_>, entity: &str) -> String {
    let table = sql::target(audit, entity);
    let found = sql::found(audit, "id");
    format!("SELECT {found} FROM {table} WHERE id IS NULL OR NOT regexp_full_match(id, {UUID})")
}

/// Migrated rows whose id is not the one their legacy row gives.
pub(super) fn recomputed(audit: &Audit<'_>, transform: &Transform) -> String {
    if transform.splits() {
        return format!(
            "SELECT {} FROM {} t ANTI JOIN {} x ON x.r = t._source_row AND x.id = t.id WHERE \
             t._origin = 'migrated'",
            sql::found(audit, "t.id"),
            sql::target(audit, &transform.target),
            split_sql::slots(audit, transform)
        );
    }
    format!(
        "SELECT {} FROM {} t LEFT JOIN ({}) m ON m.r = t._source_row WHERE t._origin = 'migrated' \
         AND (t.id IS DISTINCT FROM m.id OR m.adopted)",
        sql::found(audit, "t.id"),
        sql::target(audit, &transform.target),
        made(audit, transform)
    )
}

/// Mapped ids that are not listed, and lines that are no mapped id.
pub(super) fn listed(audit: &Audit<'_>, transform: &Transform) -> String {
    let lines = sql::side(audit, "data/ids.parquet", &["entity", "target", "from", "to"]);
    let quarantine = format!("data/quarantine/{}.parquet", transform.source);
    format!(
        "WITH m AS ({}), f AS (SELECT \"from\", \"to\", count(*) AS n FROM {lines} WHERE entity = {} \
         AND target = {} GROUP BY 1, 2), k AS (SELECT m.* FROM m ANTI JOIN {} q ON q._row = m.r \
         WHERE m.mapped IS NOT NULL) SELECT (SELECT coalesce(sum(n - 1), 0) FROM f) + (SELECT \
         count(*) FROM k SEMI JOIN (SELECT _source_row FROM {} WHERE _origin = 'migrated') t ON \
         t._source_row = k.r ANTI JOIN f ON f.\"from\" = k.mapped AND f.\"to\" = k.id) + (SELECT \
         coalesce(sum(n), 0) FROM f ANTI JOIN k ON f.\"from\" = k.mapped AND f.\"to\" = k.id)",
        made(audit, transform),
        text(&transform.source),
        text(&transform.target),
        sql::side(audit, &quarantine, &["_row"]),
        sql::target(audit, &transform.target),
    )
}

/// Mapped ids of migrated rows that are not listed as repairs, and repairs of ids that are none.
pub(super) fn repaired(audit: &Audit<'_>, transform: &Transform) -> String {
    let file = format!("data/repairs/{}.parquet", transform.target);
    format!(
        "WITH m AS ({}), f AS (SELECT id, how, count(*) AS n FROM {} WHERE attr = 'id' GROUP BY ALL), e \
         AS (SELECT t.id FROM {} t JOIN m ON m.r = t._source_row AND m.id = t.id WHERE t._origin = \
         'migrated' AND m.mapped IS NOT NULL) SELECT (SELECT count(*) FROM e LEFT JOIN f ON f.id = e.id \
         AND f.how = 'mapped' WHERE f.n IS DISTINCT FROM 1) + (SELECT coalesce(sum(n), 0) FROM f LEFT \
         JOIN e ON e.id = f.id WHERE e.id IS NULL OR f.how <> 'mapped')",
        made(audit, transform),
        sql::side(audit, &file, &["id", "attr", "how"]),
        sql::target(audit, &transform.target),
    )
}

/// Adopted rows whose existing row is neither named nor shares a key.
pub(super) fn adopted(audit: &Audit<'_>, transform: &Transform) -> String {
    let side = format!("data/adopted/{}.parquet", transform.source);
    let Some(legacy) = audit.legacy.get(&transform.source) else { return String::new() };
    let keys: Vec<String> = transform
        .adopt
        .iter()
        .filter_map(|attr| {
            let rule = transform.attrs.iter().find(|rule| rule.attr == *attr)?;
            let picks = rule.from.iter().filter(|pick| matches!(pick, Pick::Attr(_)));
            let picks: Vec<String> =
                picks.map(|pick| format!("s.{}", name(&spelled(pick)))).collect();
            Some(format!("coalesce({}, NULL) = e.{}", picks.join(", "), name(attr)))
        })
        .collect();
    let keys = if keys.is_empty() { "false".to_owned() } else { keys.join(" OR ") };
    format!(
        "WITH m AS ({}) SELECT {} FROM {} a LEFT JOIN {} e ON e.id = a.id AND e._origin = \
         'existing' LEFT JOIN {} s ON s._row = a._row LEFT JOIN m ON m.r = a._row WHERE a.entity = \
         {} AND NOT coalesce(CASE WHEN e.id IS NULL THEN false WHEN m.adopted THEN m.id = a.id ELSE \
         {keys} END, false)",
        made(audit, transform),
        sql::found(audit, "a.id"),
        sql::side(audit, &side, &["_row", "entity", "id"]),
        sql::target(audit, &transform.target),
        sql::legacy(audit, legacy),
        text(&transform.target),
    )
}

/// Entities whose mapped ids bundle.json counts otherwise, and lines of no transform.
pub(super) fn counted(audit: &Audit<'_>) -> String {
    let lines = sql::side(audit, "data/ids.parquet", &["entity", "target"]);
    let entities = audit.contract.before.schema.entities.iter();
    let entities: Vec<String> =
        entities.map(|entity| format!("({})", text(&entity.name))).collect();
    let known = audit.contract.transforms.iter();
    let known: Vec<String> = known
        .map(|transform| format!("({}, {})", text(&transform.source), text(&transform.target)))
        .collect();
    format!(
        "SELECT (SELECT count(*) FROM (VALUES {}) e(entity) WHERE (SELECT count(*) FROM {lines} l \
         WHERE l.entity = e.entity) <> coalesce((SELECT sum((p ->> 1)::BIGINT) FROM (SELECT \
         unnest(mapped_ids::JSON[]) AS p FROM read_json({}, columns = \
         {{mapped_ids: 'JSON'}})) WHERE (p ->> 0) = e.entity), 0)) + (SELECT count(*) FROM {lines} \
         WHERE (entity, target) NOT IN ({}))",
        entities.join(", "),
        sql::path(audit, "data/bundle.json"),
        known.join(", ")
    )
}

/// For every legacy row: `r`, `id`, whether it is an existing row's, and the text that was mapped.
pub(super) fn made(audit: &Audit<'_>, transform: &Transform) -> String {
    let before = &audit.contract.before.schema;
    let (source, target) = (&transform.source, &transform.target);
    let Some(legacy) = audit.legacy.get(source) else { return String::new() };
    let table = sql::legacy(audit, legacy);
    let namespace = &audit.contract.namespace;
    let (mut joins, mut ids, mut adopted, mut mapped) =
        (String::new(), Vec::new(), vec!["false".to_owned()], Vec::new());
    let named = |joins: &mut String, label: &str, alias: &str| {
        if let Some(link) = before.link(source, label) {
            let naming = link_sql::naming(audit, &table, link, "''");
            let _ = write!(
                joins,
                " LEFT JOIN (SELECT r, arg_min(old, k) AS old FROM ({naming}) GROUP BY 1) {alias} ON \
                 {alias}.r = s._row"
            );
        }
    };
    for (at, from) in transform.id.from.iter().enumerate() {
        if let Some(link) = before.link(source, from).filter(|_| from != "id") {
            named(&mut joins, from, &format!("n{at}"));
            let heirs = sql::heirs(audit, &link.to, target);
            let _ = write!(joins, " LEFT JOIN {heirs} h{at} ON h{at}.old = n{at}.old");
            adopted.push(format!("({} h{at}.id IS NOT NULL)", none_before(&ids)));
            ids.push(format!("h{at}.id"));
        } else {
            let ty = type_of(before, source, from);
            let own = part(&format!("s.{}", name(from)), ty);
            mapped.push(format!(
                "CASE WHEN {} NOT regexp_full_match(lower({own}), {UUID}) THEN {own} END",
                none_before(&ids)
            ));
            ids.push(sql::target_id(&own, namespace, target));
        }
    }
    if let Some(parts) = &transform.id.derive {
        let texts: Vec<String> = parts
            .iter()
            .enumerate()
            .map(|(at, from)| match before.link(source, from).filter(|_| from != "id") {
                Some(_) => {
                    named(&mut joins, from, &format!("d{at}"));
                    format!("d{at}.old")
                }
                None => part(&format!("s.{}", name(from)), type_of(before, source, from)),
            })
            .collect();
        ids.push(sql::uuid5(&format!("({})", texts.join(" || ':' || ")), namespace, target));
    }
    mapped.push("NULL".to_owned());
    format!(
        "SELECT s._row AS r, coalesce({}) AS id, ({}) AS adopted, coalesce({}) AS mapped FROM \
         {table} s{joins}",
        ids.join(", "),
        adopted.join(" OR "),
        mapped.join(", ")
    )
}

/// The condition that no earlier place gives an id.
fn none_before(ids: &[String]) -> String {
    ids.iter().flat_map(|id| [id.as_str(), " IS NULL AND "]).collect()
}

/// A part of an id as text.
fn part(column: &str, ty: Type) -> String {
    match ty {
        Type::Number => sql::number_text(column),
        _ => format!(
            "CASE WHEN {} THEN CASE WHEN regexp_full_match(lower({column}), {UUID}) THEN \
             lower({column}) ELSE {column} END END",
            link_sql::present(column)
        ),
    }
}
