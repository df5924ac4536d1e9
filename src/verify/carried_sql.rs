//! The queries that reproduce the rules of links that are no column.

use super::carried::{Group, Held};
use super::facts::Audit;
use super::sql::{self, text};
use super::{files_sql, link_sql};

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
pub(super) fn resolved(audit: &Audit<'_>, held: &[Held<'_>]) -> String {
    let parts: Vec<String> = held
        .iter()
        .map(|held| {
            let links = held.links;
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
            // A row without an id is no end.
            let from = format!("CASE WHEN {} THEN {from} END", link_sql::present("p.\"from\""));
            let (f, t) = held.turn((from, to));
            format!(
                "SELECT {f} AS f, {t} AS t, p.\"from\", p.\"to\", {} AS entity, {} AS label FROM {} \
                 p{from_join}{to_join}",
                text(&links.entity),
                text(&links.label),
                sql::source(audit, &links.file)
            )
        })
        .collect();
    if parts.is_empty() {
        return "SELECT NULL::VARCHAR AS f, NULL::VARCHAR AS t, NULL::VARCHAR AS \"from\", \
                NULL::VARCHAR AS \"to\", NULL::VARCHAR AS entity, NULL::VARCHAR AS label WHERE false"
            .to_owned();
    }
    parts.join(" UNION ALL ")
}

/// Pairs that lost an end and are not listed, or are listed and did not.
pub(super) fn dropped(audit: &Audit<'_>, group: &Group<'_>) -> String {
    format!(
        "WITH x AS ({}), d AS (SELECT DISTINCT entity, label, {} AS f, {} AS t, true AS listed FROM {}) \
         SELECT count(*) FROM x LEFT JOIN d ON d.entity = x.entity AND d.label = x.label AND d.f IS NOT \
         DISTINCT FROM coalesce({}, '') AND d.t = {} WHERE (d.listed IS NOT NULL) = (x.f IS NOT NULL AND x.t IS NOT \
         NULL)",
        resolved(audit, &group.held),
        sql::id("\"from\""),
        sql::id("\"to\""),
        files_sql::dropped_side(audit),
        sql::id("x.\"from\""),
        sql::id("x.\"to\""),
    )
}

fn side(audit: &Audit<'_>, group: &Group<'_>) -> String {
    sql::side(audit, &group.file, &["from", "to"])
}

/// Pairs that stand there twice, that the source has not, or that are missing.
pub(super) fn pairs(audit: &Audit<'_>, group: &Group<'_>) -> String {
    format!(
        "WITH x AS (SELECT DISTINCT f, t FROM ({}) WHERE f IS NOT NULL AND t IS NOT NULL), g AS \
         (SELECT \"from\" AS f, \"to\" AS t, count(*) AS n FROM {} GROUP BY 1, 2) SELECT (SELECT \
         coalesce(sum(n - 1), 0) FROM g) + (SELECT count(*) FROM g ANTI JOIN x USING (f, t)) + \
         (SELECT count(*) FROM x ANTI JOIN g USING (f, t))",
        resolved(audit, &group.held),
        side(audit, group),
    )
}

/// What bundle.json says of a link file, as `l`.
fn described(audit: &Audit<'_>, group: &Group<'_>) -> String {
    format!(
        "SELECT l FROM (SELECT unnest(links::JSON[]) AS l FROM read_json({}, columns = {{links: \
         'JSON'}})) WHERE (l ->> '$.entity') = {} AND (l ->> '$.label') = {}",
        sql::path(audit, "data/bundle.json"),
        text(&group.entity),
        text(&group.label),
    )
}

/// Whether bundle.json gives other rows than the file has, or another digest than was recomputed:
/// SQL has no canonical JSON.
pub(super) fn said(audit: &Audit<'_>, group: &Group<'_>, digest: &str) -> String {
    let found = format!("(SELECT count(*) FROM {})", side(audit, group));
    // Without a row there is no digest to compare with.
    let digest = match audit.views {
        Some(_) => String::new(),
        None => format!(" OR (l ->> '$.digest') <> {}", text(digest)),
    };
    format!(
        "SELECT coalesce((SELECT any_value(((l ->> '$.rows')::BIGINT <> {found}{digest})::INT) FROM \
         ({})), ({found} > 0)::INT)",
        described(audit, group),
    )
}

/// Rows that do not hold what bundle.json says that the link demands.
pub(super) fn holds(audit: &Audit<'_>, group: &Group<'_>) -> String {
    let second = |end: &str| {
        format!(
            "(SELECT coalesce(sum(n - 1), 0) FROM (SELECT count(*) AS n FROM p GROUP BY {end}))"
        )
    };
    format!(
        "WITH d AS (SELECT l -> '$.declared' AS d FROM ({})), p AS (SELECT DISTINCT \"from\" AS f, \
         \"to\" AS t FROM {}) SELECT CASE WHEN (d ->> '$.has_one')::BOOLEAN THEN {} ELSE 0 END + CASE \
         WHEN (d ->> '$.reverse_has_one')::BOOLEAN THEN {} ELSE 0 END + CASE WHEN coalesce((d ->> \
         '$.rules.required')::BOOLEAN, false) THEN (SELECT count(*) FROM {} x ANTI JOIN p ON p.f = x.id) \
         ELSE 0 END FROM d",
        described(audit, group),
        side(audit, group),
        second("f"),
        second("t"),
        sql::target(audit, &group.entity),
    )
}

/// Files of the snapshot that bundle.json takes for another link, and labels that are the contract's.
pub(super) fn follows(audit: &Audit<'_>, group: &Group<'_>) -> String {
    let value = |value: Option<&str>| value.map_or("NULL".to_owned(), text);
    let files = audit.snapshot.meta().links.iter().filter(|links| links.role == "carried");
    let files: Vec<String> = files
        .map(|links| {
            let renamed = |entity: &str| text(&super::carried::renamed(audit, entity));
            let seen_as = value(links.seen_as.as_deref());
            let ends = (renamed(&links.entity), renamed(&links.target));
            let names = (text(&links.entity), text(&links.label));
            format!("({}, {}, {}, {}, {seen_as})", names.0, names.1, ends.0, ends.1)
        })
        .collect();
    let after = &audit.contract.after.schema;
    let attrs = after.entities.iter().flat_map(|entity| {
        entity.attrs.iter().map(|attr| (entity.name.as_str(), attr.name.as_str()))
    });
    let labels =
        after.links.iter().flat_map(|link| std::iter::once(link.ahead()).chain(link.back()));
    let ours: Vec<String> = attrs
        .chain(labels)
        .map(|(entity, label)| format!("({}, {})", text(entity), text(label)))
        .collect();
    // A label is the original, or that with the other end and at most a number.
    let is_label = |label: &str, original: &str, end: &str| {
        format!(
            "coalesce(starts_with({label}, {original}) AND (substr({label}, len({original}) + 1) = '' OR \
             (starts_with(substr({label}, len({original}) + 1), '_' || {end}) AND \
             regexp_full_match(substr({label}, len({original}) + len({end}) + 2), '(_[0-9]+)?'))), false)"
        )
    };
    let made = "s.label || '_' || s.entity";
    format!(
        "WITH s(entity, label, e, t, o) AS (VALUES {}), k(entity, label) AS (VALUES {}), l AS ({}), b AS \
         (SELECT l ->> '$.entity' AS e, l ->> '$.label' AS label, l ->> '$.target' AS t, l ->> \
         '$.declared.reverse' AS reverse, l -> '$.declared.of' AS files FROM l), o AS (SELECT b.*, u ->> \
         '$.entity' AS se, u ->> '$.label' AS sl, coalesce((u ->> '$.is_turned')::BOOLEAN, false) AS \
         turned FROM b, unnest(files::JSON[]) AS x(u)), j AS (SELECT o.*, s.label IS NOT NULL AS known, CASE \
         WHEN turned THEN s.t ELSE s.e END AS xe, CASE WHEN turned THEN s.e ELSE s.t END AS xt, \
         coalesce(CASE WHEN turned THEN s.o ELSE s.label END, {made}) AS xl, CASE WHEN turned THEN \
         s.label ELSE s.o END AS xr, {made} AS made FROM o LEFT JOIN s ON s.entity = se AND s.label = sl) \
         SELECT (SELECT count(*) FROM j WHERE NOT (known AND e = xe AND t = xt AND {} AND CASE WHEN \
         reverse IS NULL THEN xr IS NULL ELSE {} END)) + (SELECT count(*) FROM k JOIN b ON k.entity = b.e \
         AND k.label = b.label) + (SELECT count(*) FROM k JOIN b ON k.entity = b.t AND k.label = \
         b.reverse)",
        if files.is_empty() {
            "(NULL, NULL, NULL, NULL, NULL)".to_owned()
        } else {
            files.join(", ")
        },
        ours.join(", "),
        described(audit, group),
        is_label("j.label", "xl", "xt"),
        is_label("reverse", "coalesce(xr, made)", "xe"),
    )
}
