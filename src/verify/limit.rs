//! The limits of the contract on what is set aside and what is repaired.

use super::Rule;
use super::facts::Audit;
use super::legacy::Legacy;
use super::read;
use super::rule::Tally;
use super::sql;
use super::{count, count_sql};
use crate::contract::Limit;
use crate::error::{Result, grouped};

/// Quarantined rows and repairs are within the contract's limits.
pub(super) fn rules(audit: &Audit<'_>, out: &mut Vec<Rule>) -> Result<()> {
    let total = total(audit);
    let quarantined = |legacy: &Legacy| {
        let times = legacy.quarantined.iter().map(|times| u64::from(*times));
        times.sum::<u64>().saturating_sub(count::only_links(audit, legacy))
    };
    let quarantined: u64 = audit.legacy.values().map(quarantined).sum();
    let mut repaired = 0;
    for target in audit.tables.keys() {
        let (path, there) = audit.file(&format!("data/repairs/{target}.parquet"));
        if there {
            repaired += read::rows(&path)? as u64;
        }
    }
    let rollout = &audit.contract.rollout;
    let sides = |folder: &str, names: Vec<&String>| {
        let count = |name: &String| {
            let side = sql::side(audit, &format!("data/{folder}/{name}.parquet"), &["_row"]);
            format!("(SELECT count(*) FROM {side})")
        };
        names.into_iter().map(count).collect::<Vec<_>>().join(" + ")
    };
    let limits = [
        ("quarantined rows", rollout.max_quarantined, quarantined, {
            let only = |legacy| format!(" - {}", count_sql::only_links_sql(audit, legacy));
            let only: String = audit.legacy.values().map(only).collect();
            sides("quarantine", audit.legacy.keys().collect()) + &only
        }),
        ("repaired values", rollout.max_repaired, repaired, {
            sides("repairs", audit.tables.keys().collect())
        }),
    ];
    for (what, limit, count, counted) in limits {
        out.push(rule(audit, (what, limit), (count, &counted), || {
            format!("{} of {} legacy rows", grouped(count), grouped(total))
        }));
    }
    Ok(())
}

/// The legacy rows, of which a limit may be a share.
fn total(audit: &Audit<'_>) -> u64 {
    audit.legacy.values().map(|legacy| legacy.rows as u64).sum()
}

/// A count is within a limit; `counted` is the count in SQL.
pub(super) fn rule(
    audit: &Audit<'_>,
    (what, limit): (&str, Limit),
    (count, counted): (u64, &str),
    place: impl FnOnce() -> String,
) -> Rule {
    let rows = || {
        let legacy = audit.legacy.values();
        let rows =
            legacy.map(|legacy| format!("(SELECT count(*) FROM {})", sql::legacy(audit, legacy)));
        rows.collect::<Vec<_>>().join(" + ")
    };
    let (words, sql) = match limit {
        Limit::Any => ("any number".to_owned(), "false".to_owned()),
        Limit::Rows(most) => (grouped(most), format!("n > {most}")),
        Limit::Percent(share) => {
            (format!("{share} % of all legacy rows"), format!("n > ({}) * {share} / 100.0", rows()))
        }
    };
    let mut tally = Tally::new("limit", "", "")
        .says(format!("{what} are within the contract's limit: {words}"))
        .query(format!("SELECT CASE WHEN {sql} THEN n ELSE 0 END FROM (SELECT {counted} AS n)"));
    let total = total(audit);
    let over = if limit.allows(count, total) { 0 } else { count };
    tally.check_all(total, over, place);
    tally.finish()
}
