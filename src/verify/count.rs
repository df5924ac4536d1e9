//! Conservation: rows in = migrated + merged + quarantined + dropped, counted from the files and row by row.

use std::fmt::Write as _;

use super::Rule;
use super::facts::Audit;
use super::legacy::Legacy;
use super::rule::Tally;
use super::split_sql;
use super::sql;
use crate::bundle::Equation;
use crate::error::grouped;

/// One equation, one comparison with the bundle's own, and one account row by row for a legacy
/// entity.
pub(super) fn rules(audit: &Audit<'_>, legacy: &Legacy, out: &mut Vec<Rule>) {
    out.push(equation(audit, legacy));
    out.push(described(audit, legacy));
    out.push(account(audit, legacy));
    out.push(strays(audit, legacy));
}

/// What the files say.
struct Counted {
    rows: u64,
    migrated: u64,
    merged: u64,
    quarantined: u64,
    dropped: u64,
}

fn counted(legacy: &Legacy) -> Counted {
    let times = |times: &[u8]| times.iter().map(|times| u64::from(*times)).sum();
    Counted {
        rows: legacy.rows as u64,
        migrated: (0..legacy.rows).filter(|row| legacy.is_migrated(*row)).count() as u64,
        merged: legacy.merged.len() as u64,
        quarantined: times(&legacy.quarantined),
        dropped: (0..legacy.rows).map(|row| u64::from(legacy.dropped_times(row))).sum(),
    }
}

fn equation(audit: &Audit<'_>, legacy: &Legacy) -> Rule {
    let entity = &legacy.entity;
    let Counted { rows, migrated, merged, quarantined, dropped } = counted(legacy);
    let or_dropped = places(legacy);
    let words = format!("every {entity} row is migrated, {or_dropped}: the counts add up");
    let mut tally = Tally::new("count", entity, "").says(words).query(format!(
        "SELECT abs({} - {} - {} - {} - {})",
        rows_sql(audit, legacy),
        migrated_sql(audit, legacy),
        merged_sql(audit, legacy),
        quarantined_sql(audit, legacy),
        inside_sql(audit, legacy, "dropped"),
    ));
    tally.check_all(rows, rows.abs_diff(migrated + merged + quarantined + dropped), || {
        format!(
            "{} rows, {} migrated, {} merged, {} quarantined, {} dropped",
            grouped(rows),
            grouped(migrated),
            grouped(merged),
            grouped(quarantined),
            grouped(dropped)
        )
    });
    tally.finish()
}

/// Where a row may be that was not migrated.
fn places(legacy: &Legacy) -> &'static str {
    let may_drop = legacy.onto.iter().any(|onto| onto.cases.is_some());
    if may_drop { "merged, quarantined or dropped by rule" } else { "merged or quarantined" }
}

fn described(audit: &Audit<'_>, legacy: &Legacy) -> Rule {
    let entity = &legacy.entity;
    let Counted { rows, migrated, merged, quarantined, dropped } = counted(legacy);
    let said = audit.bundle.meta().equations.iter().find(|said| said.source == *entity);
    let words = format!("bundle.json gives the equation of {entity} as the files do");
    let mut tally = Tally::new("count", entity, "").says(words).query(described_sql(audit, legacy));
    let none = Equation {
        source: entity.clone(),
        rows: u64::MAX,
        migrated: u64::MAX,
        merged: u64::MAX,
        quarantined: u64::MAX,
        dropped: u64::MAX,
        adopted: Vec::new(),
        split: Vec::new(),
    };
    let said = said.unwrap_or(&none);
    for (what, said, found) in [
        ("rows", said.rows, rows),
        ("migrated", said.migrated, migrated),
        ("merged", said.merged, merged),
        ("quarantined", said.quarantined, quarantined),
        ("dropped", said.dropped, dropped),
    ] {
        tally.check(said == found, || {
            format!("{what}: bundle.json says {}, there are {}", grouped(said), grouped(found))
        });
    }
    for onto in legacy.onto.iter().filter(|onto| onto.cases.is_some()) {
        let split = said.split.iter().find(|(target, ..)| *target == onto.target);
        let (said_of, said_made) = split.map_or((0, 0), |(_, of, made)| (*of, *made));
        let made = onto.seen.iter().map(|seen| u64::from(*seen)).sum();
        for (what, said, found) in [("split", said_of, migrated), ("made", said_made, made)] {
            tally.check(said == found, || {
                format!("{what}: bundle.json says {}, there are {}", grouped(said), grouped(found))
            });
        }
    }
    for onto in &legacy.onto {
        let target = &onto.target;
        let adopted = said.adopted.iter().filter(|(entity, _)| entity == target);
        let (said, found) = (adopted.map(|(_, rows)| *rows).sum(), onto.adopted.len() as u64);
        tally.check(said == found, || {
            format!(
                "adopted by {target}: bundle.json says {}, there are {}",
                grouped(said),
                grouped(found)
            )
        });
    }
    tally.finish()
}

fn account(audit: &Audit<'_>, legacy: &Legacy) -> Rule {
    let entity = &legacy.entity;
    let targets: Vec<&str> = legacy.onto.iter().map(|onto| onto.target.as_str()).collect();
    let words = format!(
        "every {entity} row is in exactly one place: migrated ({}), {}",
        targets.join(" and "),
        places(legacy)
    );
    let mut tally = Tally::new("account", entity, "").says(words).query(account_sql(audit, legacy));
    for row in 0..legacy.rows {
        tally.check(legacy.is_accounted(row), || {
            let migrated: usize = legacy.onto.iter().map(|onto| onto.times(row)).sum();
            format!(
                "{}: {migrated} times migrated, {} merged, {} quarantined, {} dropped",
                legacy.place(row),
                legacy.merged_times[row],
                legacy.quarantined[row],
                legacy.dropped_times(row)
            )
        });
    }
    tally.finish()
}

fn strays(audit: &Audit<'_>, legacy: &Legacy) -> Rule {
    let entity = &legacy.entity;
    let (wrong, rows) = legacy.strays;
    let words = format!("{entity} rows stand at their `_row`; what is set aside names such a row");
    let sides = ["merged", "quarantine", "adopted", "dropped"].map(|kind| {
        let side = sql::side(audit, &format!("data/{kind}/{entity}.parquet"), &["_row"]);
        format!("SELECT _row AS r FROM {side}")
    });
    let table = sql::legacy(audit, legacy);
    let misplaced = match sql::in_snapshot(audit, &legacy.file) {
        true => format!(
            "(SELECT count(*) FROM {} WHERE _row IS DISTINCT FROM file_row_number)",
            sql::numbered(audit, &table)
        ),
        false => "0".to_owned(),
    };
    let mut tally = Tally::new("account", entity, "").says(words).query(format!(
        "SELECT {misplaced} + (SELECT count(*) FROM ({}) x ANTI JOIN {table} s ON s._row = x.r)",
        sides.join(" UNION ALL "),
    ));
    tally.check_all(legacy.rows as u64 + rows, legacy.misplaced + wrong, || {
        format!(
            "{} rows not at their `_row`, {} rows set aside that the source has not",
            grouped(legacy.misplaced),
            grouped(wrong)
        )
    });
    tally.finish()
}

fn rows_sql(audit: &Audit<'_>, legacy: &Legacy) -> String {
    format!("(SELECT count(*) FROM {})", sql::legacy(audit, legacy))
}

fn migrated_sql(audit: &Audit<'_>, legacy: &Legacy) -> String {
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

fn merged_sql(audit: &Audit<'_>, legacy: &Legacy) -> String {
    inside_sql(audit, legacy, "merged")
}

fn quarantined_sql(audit: &Audit<'_>, legacy: &Legacy) -> String {
    inside_sql(audit, legacy, "quarantine")
}

/// How many rows of a side file are rows of the table.
fn inside_sql(audit: &Audit<'_>, legacy: &Legacy, kind: &str) -> String {
    let side = sql::side(audit, &format!("data/{kind}/{}.parquet", legacy.entity), &["_row"]);
    let table = sql::legacy(audit, legacy);
    format!("(SELECT count(*) FROM {side} x SEMI JOIN {table} s ON s._row = x._row)")
}

fn described_sql(audit: &Audit<'_>, legacy: &Legacy) -> String {
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

fn account_sql(audit: &Audit<'_>, legacy: &Legacy) -> String {
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
                drops.push(format!("c{at}.kase <> -2 AND c{at}.results = 0"));
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
