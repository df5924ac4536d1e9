//! The queries that reproduce the link rules.

use super::facts::Audit;
use super::legacy::Legacy;
use super::link::is_over_optional;
use super::naming::type_of;
use super::row_order_sql;
use super::sql;
use crate::bundle::Reason;
use crate::contract::{Hop, Latest, LinkHow, LinkPick, LinkRule, OrderKey, Required, Transform};
use crate::schema::{Has, Link, Type};

/// Links that are not the id of a row.
pub(super) fn ends(audit: &Audit<'_>, link: &Link) -> String {
    let label = sql::name(&link.label);
    format!(
        "SELECT {} FROM {} t ANTI JOIN {} o ON o.id = t.{label} WHERE t.{label} IS NOT NULL",
        sql::found(audit, "t.id"),
        sql::target(audit, &link.on),
        sql::target(audit, &link.to)
    )
}

/// Migrated rows that lack a required link.
pub(super) fn required(
    audit: &Audit<'_>,
    link: &Link,
    rule: &LinkRule,
    transform: &Transform,
) -> String {
    let table = sql::target(audit, &link.on);
    let null = format!("t._origin = 'migrated' AND t.{} IS NULL", sql::name(&link.label));
    let found = sql::found(audit, "t.id");
    match (&rule.how, rule.required) {
        (LinkHow::From { .. }, Required::WhenSourceExists) => format!(
            "{} SELECT {found} FROM {table} t SEMI JOIN m ON m.r = t._source_row WHERE {null}",
            chosen(audit, link, &rule.how, transform)
        ),
        (LinkHow::Via { link: via, .. }, Required::WhenSourceExists) => {
            let first = transform.links.iter().find(|rule| rule.label == *via);
            let over = audit.contract.after.schema.link(&link.on, via);
            let first = first.filter(|first| is_over_optional(audit, rule, first)).zip(over);
            let (with, or) = match first {
                Some((first, over)) => (
                    format!("{} ", chosen(audit, over, &first.how, transform)),
                    " OR t._source_row IN (SELECT r FROM m)",
                ),
                None => (String::new(), ""),
            };
            format!(
                "{with}SELECT {found} FROM {table} t WHERE {null} AND (t.{} IS NOT NULL{or})",
                sql::name(via)
            )
        }
        _ => format!("SELECT {found} FROM {table} t WHERE {null}"),
    }
}

/// Migrated rows whose link is not the one their source names.
pub(super) fn right(
    audit: &Audit<'_>,
    link: &Link,
    rule: Option<&LinkRule>,
    transform: &Transform,
) -> String {
    let (table, label) = (sql::target(audit, &link.on), sql::name(&link.label));
    let migrated = "t._origin = 'migrated'";
    let found = sql::found(audit, "t.id");
    let Some(rule) = rule else {
        return format!("SELECT {found} FROM {table} t WHERE {migrated} AND t.{label} IS NOT NULL");
    };
    match &rule.how {
        LinkHow::From { .. } => {
            let chosen = chosen(audit, link, &rule.how, transform);
            let first = sql::found(audit, "id");
            format!("{chosen}, {} SELECT {first} FROM x", wrong(audit, link, transform))
        }
        LinkHow::SameRow { target } => {
            let stands = audit
                .legacy
                .get(&transform.source)
                .map(|legacy| sql::stands(audit, legacy, target))
                .unwrap_or_default();
            format!(
                "SELECT {found} FROM {table} t LEFT JOIN {stands} o ON o.r = t._source_row WHERE \
                 {migrated} AND t.{label} IS DISTINCT FROM o.id"
            )
        }
        LinkHow::Via { link: via, take } => {
            let over = audit.contract.after.schema.link(&link.on, via);
            let other = over.map(|over| sql::target(audit, &over.to)).unwrap_or_default();
            format!(
                "SELECT {found} FROM {table} t LEFT JOIN {other} o ON o.id = t.{} WHERE {migrated} \
                 AND t.{label} IS DISTINCT FROM o.{}",
                sql::name(via),
                sql::name(take)
            )
        }
    }
}

/// As `x`, the migrated rows whose link is not one that `m` gives: the legacy row as `r`.
fn wrong(audit: &Audit<'_>, link: &Link, transform: &Transform) -> String {
    let (table, label) = (sql::target(audit, &link.on), sql::name(&link.label));
    let n = "n AS (SELECT r, count(DISTINCT id) AS n, any_value(id) AS id, min(p) AS p FROM m GROUP BY 1)";
    let (winners, only) = match link.reverse_has {
        Has::One if audit.bundle.meta().is_judged_by_source() => {
            (holders(audit, link, transform), "CASE WHEN v.r IS NOT NULL THEN n.id END")
        }
        Has::One => (
            format!(
                ", v AS (SELECT r FROM n ANTI JOIN (SELECT _source_row AS r FROM {table} WHERE _origin = \
                 'migrated' AND {label} IS NULL) t USING (r) UNION SELECT r FROM n WHERE id NOT IN (SELECT \
                 {label} FROM {table} WHERE {label} IS NOT NULL))"
            ),
            "CASE WHEN v.r IS NOT NULL THEN n.id END",
        ),
        Has::Many => (", v AS (SELECT r FROM n)".to_owned(), "n.id"),
    };
    format!(
        "{n}{winners}, x AS (SELECT t._source_row AS r, t.id FROM {table} t LEFT JOIN n ON n.r = \
         t._source_row LEFT JOIN v ON v.r = n.r LEFT JOIN (SELECT DISTINCT r, id FROM m WHERE id IS NOT \
         NULL) a ON a.r = t._source_row AND a.id = t.{label} WHERE t._origin = 'migrated' AND CASE WHEN \
         n.n = 1 THEN t.{label} IS DISTINCT FROM {only} ELSE t.{label} IS NOT NULL AND a.id IS NULL \
         END)"
    )
}

/// As `v`, the legacy rows that hold a row which one only may hold: no existing row holds it, and of
/// those that name it the one does whose place in the rule comes first, then the first in the declared
/// order.
fn holders(audit: &Audit<'_>, link: &Link, transform: &Transform) -> String {
    let (table, label) = (sql::target(audit, &link.on), sql::name(&link.label));
    let keys = audit.contract.declared_order(&transform.source);
    let order = row_order_sql::order(audit, &transform.source, ("s", &keys));
    let keys: Vec<String> = order.keys.iter().map(|key| format!("{key} NULLS FIRST")).collect();
    format!(
        ", v AS (SELECT r FROM (SELECT n.r, row_number() OVER (PARTITION BY n.id ORDER BY n.p, {}, t.id) \
         AS k FROM n JOIN {table} t ON t._source_row = n.r AND t._origin = 'migrated' JOIN {} s ON s._row \
         = n.r{} WHERE n.n = 1 AND n.id NOT IN (SELECT {label} FROM {table} WHERE _origin = 'existing' \
         AND {label} IS NOT NULL)) WHERE k = 1)",
        keys.join(", "),
        legacy(audit, &transform.source),
        order.joins,
    )
}

/// Links whose repairs are not those the source gives; links that are none it names are told by the
/// rule on that.
pub(super) fn repaired(audit: &Audit<'_>, link: &Link, transform: &Transform) -> String {
    let rule = transform.links.iter().find(|rule| rule.label == link.label);
    let chosen = rule.map(|rule| chosen(audit, link, &rule.how, transform)).unwrap_or_default();
    let side = sql::side(
        audit,
        &format!("data/repairs/{}.parquet", link.on),
        &["_source_row", "attr", "how", "id"],
    );
    // Where one row becomes several, each has repairs of its own.
    let of = if transform.splits() { "_source_row, id" } else { "_source_row" };
    format!(
        "{chosen}, {}, f AS (SELECT _source_row AS r, how, count(*) OVER (PARTITION BY \
         {of}) AS n FROM {side} f ANTI JOIN x ON x.r = f._source_row WHERE attr = {}), e AS (SELECT t._source_row AS r, \
         list(DISTINCT m.how) AS hows FROM {} t JOIN m ON m.r = t._source_row AND m.id = t.{} WHERE \
         t._origin = 'migrated' GROUP BY 1) SELECT count(DISTINCT coalesce(e.r, f.r)) FROM e FULL \
         JOIN f ON f.r = e.r WHERE CASE WHEN f.r IS NULL THEN NOT list_contains(e.hows, '') WHEN \
         f.n > 1 THEN true ELSE e.r IS NULL OR NOT list_contains(e.hows, f.how) END",
        wrong(audit, link, transform),
        sql::text(&link.label),
        sql::target(audit, &link.on),
        sql::name(&link.label),
    )
}

/// As `m`, what the first place that names a row of the source names: `r` (source row), `id` (target
/// id, null when that row is not in the target), `how` (what a repair says).
pub(super) fn chosen(
    audit: &Audit<'_>,
    link: &Link,
    how: &LinkHow,
    transform: &Transform,
) -> String {
    let LinkHow::From { picks, latest } = how else { return String::new() };
    let source = &transform.source;
    let mut parts = Vec::new();
    for (at, pick) in picks.iter().enumerate() {
        let said = match at {
            0 => "''".to_owned(),
            _ => sql::text(&format!("from {}", pick.spelled())),
        };
        let of = (source.as_str(), link.to.as_str());
        parts.push(match pick {
            LinkPick::Key { attr, entity, key } => {
                keyed(audit, of, (attr, entity, key), (at, &said))
            }
            LinkPick::Reverse { .. } => {
                let (entity, named) = named(audit, source, (pick, &said));
                pointing(audit, (&entity, &link.to), at, &named)
            }
            LinkPick::Link(_) | LinkPick::Over { .. } => {
                let (entity, named) = named(audit, source, (pick, &said));
                resolved(audit, (&entity, &link.to), at, &named)
            }
        });
    }
    if let Some(latest) = latest {
        let named = latest_named(audit, source, latest);
        parts.push(pointing(audit, (&latest.entity, &link.to), picks.len(), &named));
    }
    format!(
        "WITH c AS ({}), b AS (SELECT r, p, min(k) AS k FROM c GROUP BY 1, 2), d AS (SELECT c.* FROM c \
         JOIN b USING (r, p, k)), w AS (SELECT r, min(p) AS p FROM d WHERE there GROUP BY 1), m AS \
         (SELECT d.* FROM d JOIN w USING (r, p))",
        parts.join(" UNION ALL ")
    )
}

fn resolved(audit: &Audit<'_>, (entity, to): (&str, &str), at: usize, named: &str) -> String {
    let heirs = sql::heirs(audit, entity, to);
    format!(
        "SELECT n.r, {at} AS p, n.k AS k, h.id, h.old IS NOT NULL AS there, n.how FROM ({named}) \
         n LEFT JOIN {heirs} h ON h.old = n.old"
    )
}

/// The same of rows that point here, as `q`, of which only those in the target count.
fn pointing(audit: &Audit<'_>, (entity, to): (&str, &str), at: usize, named: &str) -> String {
    let stands = audit.legacy.get(entity).map(|legacy| sql::counts(audit, legacy, to));
    format!(
        "SELECT n.r, {at} AS p, n.k AS k, h.id, true AS there, n.how FROM ({named}) n JOIN {} h ON h.r = \
         n.q",
        stands.unwrap_or_default()
    )
}

/// `r`, `k`, `old` (id in the source), `how`; and the entity the ids belong to.
pub(super) fn named(
    audit: &Audit<'_>,
    source: &str,
    (pick, how): (&LinkPick, &str),
) -> (String, String) {
    let before = &audit.contract.before.schema;
    match pick {
        LinkPick::Link(label) => {
            let Some(link) = before.link(source, label) else {
                return (String::new(), String::new());
            };
            (link.to.clone(), naming(audit, &legacy(audit, source), link, how))
        }
        LinkPick::Over { by, take } => {
            let middle = match by {
                Hop::Link(label) => before.link(source, label).map_or("", |link| &link.to),
                Hop::Reverse { entity, .. } => entity,
            };
            let to = before.link(middle, take).map_or("", |link| &link.to);
            (to.to_owned(), over(audit, (source, by), (middle, take), how))
        }
        LinkPick::Reverse { entity, label } => {
            let keys = audit.contract.declared_order(entity);
            let order = (&keys[..], "ASC NULLS FIRST", how);
            (entity.clone(), backward(audit, source, (entity, label), order))
        }
        LinkPick::Key { attr, entity, key } => {
            let (own, other) = (legacy(audit, source), legacy(audit, entity));
            let named = format!(
                "SELECT s._row AS r, 0 AS k, {id} AS old, {how} AS how FROM {own} s JOIN {other} e ON \
                 e.{} = s.{}",
                sql::name(key),
                sql::name(attr),
                id = sql::id("e.id"),
            );
            (entity.clone(), named)
        }
    }
}

/// What rows name by the link `take` of other rows, where these name one and the same; those in the
/// target count, where any is.
fn over(
    audit: &Audit<'_>,
    (source, by): (&str, &Hop),
    (middle, take): (&str, &str),
    how: &str,
) -> String {
    let before = &audit.contract.before.schema;
    let (own, other) = (legacy(audit, source), legacy(audit, middle));
    let first = |entity: &str, label: &str| {
        let table = legacy(audit, entity);
        before.link(entity, label).map_or_else(String::new, |link| {
            format!(
                "(SELECT r, arg_min(old, k) AS old FROM ({}) GROUP BY 1)",
                naming(audit, &table, link, "''")
            )
        })
    };
    let pairs = match by {
        Hop::Link(label) => format!(
            "SELECT n.r, e._row AS q FROM {} n JOIN {other} e ON {} = n.old",
            first(source, label),
            sql::id("e.id")
        ),
        Hop::Reverse { label, .. } => format!(
            "SELECT s._row AS r, n.r AS q FROM {own} s JOIN {} n ON n.old = {}",
            first(middle, label),
            sql::id("s.id")
        ),
    };
    format!(
        "SELECT x.r AS r, 0 AS k, any_value(n.old) AS old, {how} AS how FROM (SELECT p.r, p.q, g.r IS \
         NOT NULL AS g, bool_or(g.r IS NOT NULL) OVER (PARTITION BY p.r) AS has FROM ({pairs}) p LEFT \
         JOIN (SELECT DISTINCT r FROM ({})) g ON g.r = p.q) x JOIN {} n ON n.r = x.q WHERE x.g = \
         x.has GROUP BY 1 HAVING count(DISTINCT n.old) = 1",
        sql::counted(audit, middle),
        first(middle, take),
    )
}

/// The one row of a target that a row finds by a key; a row that was set aside, when no other has it.
fn keyed(
    audit: &Audit<'_>,
    (source, to): (&str, &str),
    (attr, entity, key): (&str, &str, &str),
    (at, how): (usize, &str),
) -> String {
    let stands = audit.legacy.get(entity).map(|legacy| sql::stands_or_merged(audit, legacy, to));
    let is_text = type_of(&audit.contract.before.schema, source, attr) == Type::String;
    let own = format!("s.{}", sql::name(attr));
    let (blank, aside) = if audit.is_judged_by_source() {
        (is_text.then(|| format!(" AND {}", present(&own))), " OR n = 0 AND aside")
    } else {
        (None, "")
    };
    format!(
        "SELECT r, {at} AS p, 0 AS k, id, true AS there, {how} AS how FROM (SELECT s._row AS r, \
         any_value(h.id) AS id, count(DISTINCT h.id) AS n, bool_or({}) AS aside FROM {} s JOIN {} e ON \
         e.{} = {own}{} LEFT JOIN {} h ON h.r = e._row GROUP BY 1) WHERE n = 1{aside}",
        present("e.id"),
        legacy(audit, source),
        legacy(audit, entity),
        sql::name(key),
        blank.unwrap_or_default(),
        stands.unwrap_or_default(),
    )
}

fn latest_named(audit: &Audit<'_>, source: &str, latest: &Latest) -> String {
    let how = sql::text(&format!("from latest {}", latest.entity));
    let of = (latest.entity.as_str(), latest.of.as_str());
    let keys = audit.contract.order_by(&latest.entity, &latest.by);
    backward(audit, source, of, (&keys, "DESC NULLS LAST", &how))
}

/// The rows of an entity whose link names a row, as `q`, in an order.
fn backward(
    audit: &Audit<'_>,
    source: &str,
    (entity, label): (&str, &str),
    (keys, way, how): (&[OrderKey<'_>], &str, &str),
) -> String {
    let Some(link) = audit.contract.before.schema.link(entity, label) else {
        return String::new();
    };
    let other = legacy(audit, entity);
    let order = row_order_sql::order(audit, entity, ("e", keys));
    let keys: Vec<String> = order.keys.iter().map(|key| format!("{key} {way}")).collect();
    format!(
        "SELECT s._row AS r, e._row AS q, row_number() OVER (PARTITION BY s._row ORDER BY {}) AS k, {id} \
         AS old, {how} AS how FROM {} s JOIN (SELECT r, arg_min(old, k) AS old FROM ({}) GROUP BY \
         1) n ON n.old = {own} JOIN {other} e ON e._row = n.r{joins}",
        keys.join(", "),
        legacy(audit, source),
        naming(audit, &other, link, "''"),
        id = sql::id("e.id"),
        own = sql::id("s.id"),
        joins = order.joins,
    )
}

/// The places that hold one has-one link.
pub(super) fn naming(audit: &Audit<'_>, table: &str, link: &Link, how: &str) -> String {
    let column = |name: &str, k: usize, how: &str| {
        let name = format!("s.{}", sql::name(name));
        format!(
            "SELECT s._row AS r, {k} AS k, {} AS old, {how} AS how FROM {table} s WHERE {}",
            sql::id(&name),
            present(&name)
        )
    };
    let mut parts = Vec::new();
    if link.has == Has::One {
        parts.push(column(&link.label, 0, how));
    }
    for file in &audit.snapshot.meta().links {
        let ahead = file.entity == link.on && file.label == link.label;
        let back = file.is_back_of(link);
        let (on, to) = if ahead { ("\"from\"", "\"to\"") } else { ("\"to\"", "\"from\"") };
        if ahead || back {
            parts.push(format!(
                "SELECT s._row, 1, {}, {how} FROM {table} s JOIN {} p ON {} = {}",
                sql::id(&format!("p.{to}")),
                sql::source(audit, &file.file),
                sql::id(&format!("p.{on}")),
                sql::id("s.id")
            ));
        }
    }
    for (at, also) in link.also.iter().enumerate() {
        // Since format 3 another spelling of the link says no more than the link.
        let said = sql::text(&format!("from {also}"));
        parts.push(column(also, at + 2, if audit.is_judged_by_source() { how } else { &said }));
    }
    let is_legacy = audit.legacy.contains_key(&link.on);
    if parts.len() < 2 || !is_legacy || !audit.is_judged_by_source() {
        return parts.join(" UNION ALL ");
    }
    // Since format 3 places whose row is in the source count before the others.
    format!(
        "SELECT x.r, x.k + CASE WHEN i.old IS NULL THEN 1000 ELSE 0 END AS k, x.old, x.how FROM ({}) x \
         LEFT JOIN (SELECT DISTINCT {} AS old FROM {}) i ON i.old = x.old",
        parts.join(" UNION ALL "),
        sql::id("id"),
        match audit.legacy.get(&link.to) {
            Some(to) => sql::legacy(audit, to),
            None => sql::existing(audit, &link.to),
        },
    )
}

/// Ids that places of links hold beside the one that counts and that are not listed, and lines of none.
pub(super) fn other_places(audit: &Audit<'_>, legacy: &Legacy) -> String {
    let table = sql::legacy(audit, legacy);
    let mut held = Vec::new();
    for link in audit.contract.before.schema.columns_of(&legacy.entity) {
        let first = format!(
            "(SELECT r, arg_min(old, k) AS old FROM ({}) GROUP BY 1)",
            naming(audit, &table, link, "''")
        );
        for label in std::iter::once(&link.label).chain(&link.also) {
            let column = format!("s.{}", sql::name(label));
            held.push(format!(
                "SELECT s._row AS r, {} AS label, {id} AS old FROM {table} s JOIN {first} n ON n.r = s._row \
                 WHERE {} AND {id} <> n.old",
                sql::text(label),
                present(&column),
                id = sql::id(&column)
            ));
        }
    }
    held.push("SELECT -1 AS r, '' AS label, '' AS old WHERE false".to_owned());
    let columns = ["entity", "label", "_row", "to", "reason"];
    let reverse = audit.contract.before.schema.links.iter();
    let reverse = reverse.filter(|link| link.to == legacy.entity);
    let pairs: Vec<String> = reverse
        .filter_map(|link| link.reverse.as_deref())
        .map(sql::text)
        .chain(["''".to_owned()])
        .collect();
    format!(
        "WITH h AS (SELECT h.r, h.label, h.old, count(*) AS n FROM ({}) h SEMI JOIN ({}) m ON m.r = h.r \
         GROUP BY ALL), d AS (SELECT _row AS r, label, {} AS old, count(*) AS n FROM {} WHERE entity = {} \
         AND reason = {} AND label NOT IN ({}) GROUP BY ALL) SELECT count(*) FROM h FULL JOIN d USING (r, \
         label, old) WHERE h.n IS DISTINCT FROM d.n",
        held.join(" UNION ALL "),
        sql::migrated(audit, &legacy.entity),
        sql::id("\"to\""),
        sql::side(audit, "data/quarantine/links.parquet", &columns),
        sql::text(&legacy.entity),
        sql::text(Reason::OTHER_PLACE),
        pairs.join(", "),
    )
}

/// Whether a text is there and not blanks alone.
pub(super) fn present(expression: &str) -> String {
    format!("trim({expression}, E' \\t\\r\\n') <> ''")
}

fn legacy(audit: &Audit<'_>, entity: &str) -> String {
    audit.legacy.get(entity).map(|legacy| sql::legacy(audit, legacy)).unwrap_or_default()
}
