//! The queries that reproduce what is left behind.

use super::carried::{Held, groups, renamed};
use super::carried_sql;
use super::facts::Audit;
use super::files_sql;
use super::left;
use super::sql::{self, text};
use crate::bundle::{LeftKind, SCHEMA_PLAN};
use crate::snapshot::{LinksMeta, OTHER_NAMES};

/// Things of a kind that bundle.json counts otherwise than the snapshot has them.
pub(super) fn described(audit: &Audit<'_>, kind: LeftKind) -> String {
    let (name, found) = match kind {
        LeftKind::Attribute => ("attribute", attributes(audit)),
        LeftKind::Entity => ("entity", unmapped(audit, "entities", ("''", "$[1]"))),
        LeftKind::Link => ("link", links(audit)),
        LeftKind::SchemaRule => ("schema_rule", schema_rules(audit)),
    };
    format!(
        "WITH f AS ({found}), b AS (SELECT l ->> '$.entity' AS entity, coalesce(l ->> '$.name', '') AS \
         name, (l ->> '$.count')::BIGINT AS n FROM (SELECT unnest(left_behind::JSON[]) AS l FROM \
         read_json({}, columns = {{left_behind: 'JSON'}})) WHERE (l ->> '$.kind') = {}) SELECT \
         count(*) FROM f FULL JOIN b ON b.entity = f.entity AND b.name = f.name WHERE f.n IS DISTINCT \
         FROM b.n",
        sql::path(audit, "data/bundle.json"),
        text(name),
    )
}

/// How many link values are left behind.
pub(super) fn counted(audit: &Audit<'_>) -> String {
    format!("(SELECT coalesce(sum(n), 0) FROM ({}))", links(audit))
}

/// That bundle.json lists no file which has the pairs of a link file of the snapshot.
fn unlisted(audit: &Audit<'_>, file: &LinksMeta) -> String {
    format!(
        " AND NOT EXISTS (WITH l AS (SELECT unnest(links::JSON[]) AS l FROM read_json({}, columns = \
         {{links: 'JSON'}})) SELECT 1 FROM (SELECT l ->> '$.entity' AS entity, l ->> '$.label' AS label, \
         false AS named FROM l WHERE (l -> '$.declared') IS NULL UNION ALL SELECT o ->> '$.entity', o ->> \
         '$.label', true FROM (SELECT unnest((l -> '$.declared.of')::JSON[]) AS o FROM l)) WHERE label = {} \
         AND entity = CASE WHEN named THEN {} ELSE {} END)",
        sql::path(audit, "data/bundle.json"),
        text(&file.label),
        text(&file.entity),
        text(&renamed(audit, &file.entity)),
    )
}

/// The rules of the app's schema that data/plan.json says are lost, by attribute or link.
fn schema_rules(audit: &Audit<'_>) -> String {
    format!(
        "SELECT r ->> '$.entity' AS entity, r ->> '$.label' AS name, count(*) AS n FROM (SELECT \
         unnest(rules_left::JSON[]) AS r FROM read_json({}, columns = {{rules_left: 'JSON'}})) GROUP BY ALL",
        sql::path(audit, SCHEMA_PLAN),
    )
}

fn nothing() -> String {
    "SELECT NULL::VARCHAR AS entity, NULL::VARCHAR AS name, NULL::BIGINT AS n WHERE false"
        .to_owned()
}

/// What snapshot.json counts: `entity`, `name`, `n`.
fn unmapped(audit: &Audit<'_>, member: &str, (name, count): (&str, &str)) -> String {
    format!(
        "SELECT u ->> '$[0]' AS entity, {name} AS name, (u ->> '{count}')::BIGINT AS n FROM (SELECT \
         unnest((unmapped -> '$.{member}')::JSON[]) AS u FROM read_json({}, columns = {{unmapped: \
         'JSON'}}))",
        sql::source_path(audit, "data/snapshot.json"),
    )
}

/// The attributes that snapshot.json names, and how many rows have each in `_extra`.
fn attributes(audit: &Audit<'_>) -> String {
    let tables = audit.legacy.values().map(|legacy| {
        format!(
            "SELECT {} AS entity, k AS name, count(*) AS n FROM (SELECT unnest(json_keys({})) AS k FROM \
             {} WHERE _extra IS NOT NULL) GROUP BY k",
            text(&legacy.entity),
            sql::halves("_extra"),
            sql::legacy(audit, legacy),
        )
    });
    let entities: Vec<String> = audit.legacy.keys().map(|entity| text(entity)).collect();
    format!(
        "SELECT s.entity, s.name, CASE WHEN s.name = {} THEN s.n ELSE coalesce(x.n, 0) END AS n FROM \
         ({}) s LEFT JOIN ({}) x ON x.entity = s.entity AND x.name = s.name WHERE s.entity IN ({})",
        text(OTHER_NAMES),
        unmapped(audit, "attrs", ("u ->> '$[1]'", "$[2]")),
        tables.collect::<Vec<_>>().join(" UNION ALL "),
        entities.join(", "),
    )
}

/// Link values between rows of the target that it does not have: `entity`, `name`, `n`.
fn links(audit: &Audit<'_>) -> String {
    let files = audit.snapshot.meta().links.iter().filter(|file| !left::is_read(audit, file));
    let groups = groups(audit);
    let files = files.map(|links| {
        let mut held = groups.iter().flat_map(|group| &group.held);
        let carried = held.find(|held| held.links.file == links.file).copied();
        let file = carried.unwrap_or(Held { links, is_turned: false });
        format!(
            "SELECT {} AS entity, {} AS name, count(*) AS n FROM ({}) WHERE f IS NOT NULL AND t IS NOT \
             NULL{}",
            text(&links.entity),
            text(&links.label),
            carried_sql::resolved(audit, &[file]),
            carried.map(|_| unlisted(audit, links)).unwrap_or_default(),
        )
    });
    let named = left::untaken(audit).filter_map(|link| {
        let legacy = audit.legacy.get(&link.on)?;
        let rows = legacy.onto.iter();
        let rows = rows
            .map(|onto| format!("SELECT r FROM {}", sql::stands(audit, legacy, &onto.target)));
        Some(format!(
            "SELECT {} AS entity, {} AS name, count(*) AS n FROM ({}) v SEMI JOIN ({}) m ON m.r = v.r \
             JOIN {} h ON h.old = v.old AND h.id IS NOT NULL",
            text(&link.on),
            text(&link.label),
            files_sql::named(audit, link),
            rows.collect::<Vec<_>>().join(" UNION ALL "),
            sql::heirs(audit, &link.to, &renamed(audit, &link.to)),
        ))
    });
    let mut parts: Vec<String> = files.chain(named).collect();
    parts.push(nothing());
    format!(
        "SELECT entity, name, sum(n) AS n FROM ({}) WHERE n > 0 GROUP BY ALL",
        parts.join(" UNION ALL ")
    )
}
