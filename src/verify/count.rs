//! Conservation: rows in = migrated + merged + quarantined + dropped, counted from the files and row by row.

use super::Rule;
use super::count_sql;
use super::facts::Audit;
use super::legacy::Legacy;
use super::only_links;
use super::rule::Tally;
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
    let declared = audit.contract.before.schema.entity(&legacy.entity);
    let table = (legacy.entity.as_str(), sql::legacy(audit, legacy));
    let rows = (legacy.rows, legacy.only_links.as_slice());
    out.push(only_links::noted(table, declared, rows, |row| legacy.place(row)));
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
        count_sql::rows_sql(audit, legacy),
        count_sql::migrated_sql(audit, legacy),
        count_sql::merged_sql(audit, legacy),
        count_sql::quarantined_sql(audit, legacy),
        count_sql::inside_sql(audit, legacy, "dropped"),
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
    let mut tally =
        Tally::new("count", entity, "").says(words).query(count_sql::described_sql(audit, legacy));
    let none = Equation {
        source: entity.clone(),
        rows: u64::MAX,
        migrated: u64::MAX,
        merged: u64::MAX,
        quarantined: u64::MAX,
        only_links: u64::MAX,
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
        ("only_links", said.only_links, only_links(audit, legacy)),
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

/// How many quarantined rows no limit counts; bundles before format 3 count all.
pub(super) fn only_links(audit: &Audit<'_>, legacy: &Legacy) -> u64 {
    if audit.bundle.meta().is_judged_by_source() { legacy.quarantined_links() } else { 0 }
}

fn account(audit: &Audit<'_>, legacy: &Legacy) -> Rule {
    let entity = &legacy.entity;
    let targets: Vec<&str> = legacy.onto.iter().map(|onto| onto.target.as_str()).collect();
    let words = format!(
        "every {entity} row is in exactly one place: migrated ({}), {}",
        targets.join(" and "),
        places(legacy)
    );
    let mut tally =
        Tally::new("account", entity, "").says(words).query(count_sql::account_sql(audit, legacy));
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
    let misplaced = if sql::in_snapshot(audit, &legacy.file) {
        format!(
            "(SELECT count(*) FROM {} WHERE _row IS DISTINCT FROM file_row_number)",
            sql::numbered(audit, &table)
        )
    } else {
        "0".to_owned()
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
