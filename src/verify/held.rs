//! Links that the row at the other end holds: every pair of such a file is what its row names, or is listed
//! with those that lead nowhere.

use std::collections::BTreeMap;

use super::Rule;
use super::facts::Audit;
use super::files::{Dropped, Lost};
use super::files_sql;
use super::key::{self, NONE};
use super::legacy::Legacy;
use super::read;
use super::rule::Tally;
use super::sql::{self, text};
use crate::error::Result;
use crate::schema::Link;
use crate::snapshot::{Extra, LinksMeta};

/// One rule a link file that holds a has-one link of the legacy model from its reverse side; bundles before
/// format 3 have none.
pub(super) fn rules(
    audit: &Audit<'_>,
    link: &Link,
    dropped: &Dropped,
    out: &mut Vec<Rule>,
) -> Result<()> {
    if !audit.is_judged_by_source() {
        return Ok(());
    }
    let legacy = audit.legacy(&link.on)?;
    let files = audit.snapshot.meta().links.iter().filter(|file| file.is_back_of(link));
    for file in files.filter(|file| file.rows > 0) {
        out.push(rule(audit, (legacy, link), file, dropped)?);
    }
    Ok(())
}

fn rule(
    audit: &Audit<'_>,
    (legacy, link): (&Legacy, &Link),
    file: &LinksMeta,
    dropped: &Dropped,
) -> Result<Rule> {
    let (entity, label) = (&file.entity, &file.label);
    let named = audit.firsts(&link.on, &link.label)?;
    let mut tally = Tally::new("account", entity, label)
        .says(format!(
            "every pair of {entity}.{label} is what {}.{} says, or is listed",
            link.on, link.label
        ))
        .query(query(audit, link, file));
    let mut listed: BTreeMap<Lost, u64> = BTreeMap::new();
    for line in dropped.of(entity, label) {
        *listed.entry(*line).or_default() += 1;
    }
    let path = audit.snapshot.path(&file.file);
    read::scan_if_there(&path, &["from", "to", Extra::ROW], &mut |pair| {
        let (from, to) = (key::link_key(pair.text(0)), key::link_key(pair.text(1)));
        let names = |row: usize| from != NONE && named.id(audit, row) == from;
        // Of several rows of one id either may be the one that was asked.
        let (mut is_taken, mut is_lost) = (false, true);
        for (at, row) in legacy.find(to).filter(|_| to != NONE).enumerate() {
            is_taken |= names(row);
            is_lost = (at > 0 && is_lost) || !names(row);
        }
        let line = (pair.row(2).unwrap_or(usize::MAX), from, to);
        let right = match listed.get_mut(&line).filter(|left| **left > 0) {
            Some(left) if is_lost => {
                *left -= 1;
                true
            }
            Some(_) => false,
            None => is_taken,
        };
        tally.check(right, || format!("{} row {}", file.file, pair.number));
        Ok(())
    })?;
    for ((row, ..), left) in listed {
        tally.check_all(left, left, || format!("{entity} row {row} (of {})", file.file));
    }
    Ok(tally.finish())
}

/// Pairs that are listed and are what their row names, or neither; and lines that no pair accounts for.
fn query(audit: &Audit<'_>, link: &Link, file: &LinksMeta) -> String {
    let Some(legacy) = audit.legacy.get(&link.on) else { return String::new() };
    format!(
        "WITH n AS ({}), w AS (SELECT {} AS id, n.old FROM {} s LEFT JOIN n ON n.r = s._row WHERE s.id IS NOT \
         NULL), p AS (SELECT _row AS r, coalesce({}, '') AS f, {} AS t, count(*) AS c FROM {} GROUP BY ALL), x \
         AS (SELECT p.r, p.f, p.t, any_value(p.c) AS c, coalesce(bool_or(w.old = p.f), false) AS taken, \
         coalesce(bool_or(w.old IS DISTINCT FROM p.f), true) AS lost FROM p LEFT JOIN w ON w.id = p.t GROUP BY \
         ALL), d AS (SELECT _row AS r, {} AS f, {} AS t, count(*) AS n FROM {} WHERE entity = {} AND label = {} \
         GROUP BY ALL) SELECT coalesce(sum(CASE WHEN x.c IS NULL THEN d.n WHEN NOT x.taken THEN abs(x.c - \
         coalesce(d.n, 0)) WHEN NOT x.lost THEN coalesce(d.n, 0) ELSE 0 END), 0) FROM x FULL JOIN d USING (r, f, \
         t)",
        files_sql::named(audit, link),
        sql::id("s.id"),
        sql::legacy(audit, legacy),
        sql::id("\"from\""),
        sql::id("\"to\""),
        sql::source(audit, &file.file),
        sql::id("\"from\""),
        sql::id("\"to\""),
        files_sql::dropped_side(audit),
        text(&file.entity),
        text(&file.label),
    )
}
