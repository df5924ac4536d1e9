//! Links that are no column: the pairs of the bundle's link files are those of the snapshot's.

mod declared;
mod sources;

use std::collections::BTreeMap;

use super::Rule;
use super::carried_sql;
use super::facts::{Audit, Heir};
use super::files::{Dropped, Lost};
use super::key::{self, NONE};
use super::only_links;
use super::read;
use super::rule::Tally;
use crate::digest::{RowDigest, TableDigest, Value};
use crate::error::{Result, grouped};
use crate::snapshot::{Extra, LinksMeta};
pub(super) use sources::{Group, Held, groups};

/// The rules of link files.
pub(super) fn rules(audit: &Audit<'_>, dropped: &Dropped, out: &mut Vec<Rule>) -> Result<()> {
    for group in &groups(audit) {
        carried(audit, group, (dropped, out))?;
    }
    Ok(())
}

/// The name the rows of an entity go by in the target.
pub(super) fn renamed(audit: &Audit<'_>, entity: &str) -> String {
    let rules = audit.contract.id_transform(entity);
    rules.map_or_else(|| entity.to_owned(), |found| found.target.clone())
}

/// The id of an end of a carried link in the target; `None` when the row is not there, or has no id.
pub(super) fn end(audit: &Audit<'_>, entity: &str, id: u128) -> Option<u128> {
    if id == NONE {
        return None;
    }
    if audit.legacy.contains_key(entity) {
        return match audit.heir(entity, &renamed(audit, entity), id) {
            Heir::Alive(id) => Some(id),
            _ => None,
        };
    }
    match audit.tables.get(entity) {
        Some(table) => table.find(id).map(|_| id),
        None => Some(id),
    }
}

/// A link file holds the pairs of the snapshot, each once, and no other; pairs that lost an end are
/// listed as dropped.
fn carried(
    audit: &Audit<'_>,
    group: &Group<'_>,
    (dropped, out): (&Dropped, &mut Vec<Rule>),
) -> Result<()> {
    let (entity, label) = (group.entity.as_str(), group.label.as_str());
    let mut wanted: Vec<Pair> = Vec::new();
    let mut wrong = Vec::new();
    let mut tally = Tally::new("account", entity, label)
        .says(format!("every pair of {entity}.{label} is carried or listed as dropped"))
        .query(carried_sql::dropped(audit, group));
    for held in &group.held {
        let links = held.links;
        let mut listed: BTreeMap<Lost, u64> = BTreeMap::new();
        for lost in dropped.of(&links.entity, &links.label) {
            *listed.entry(*lost).or_default() += 1;
        }
        let before = wanted.len();
        let mut rows = 0;
        let columns = ["from", "to", Extra::ROW];
        read::scan_if_there(&audit.snapshot.path(&links.file), &columns, &mut |row| {
            let pair = (key::link_key(row.text(0)), key::link_key(row.text(1)));
            let ends = (end(audit, &links.entity, pair.0), end(audit, &links.target, pair.1));
            rows += 1;
            let line = (row.row(2).unwrap_or(usize::MAX), pair.0, pair.1);
            let right = if let (Some(from), Some(to)) = ends {
                wanted.push(held.turn((from, to)));
                !listed.contains_key(&line)
            } else {
                listed.get_mut(&line).filter(|left| **left > 0).map(|left| *left -= 1).is_some()
            };
            tally.check(right, || place(links, row.number));
            Ok(())
        })?;
        // Lines that no pair of the file accounts for.
        for ((row, ..), left) in listed {
            let holder = audit.legacy.get(&links.entity).filter(|legacy| row < legacy.rows);
            tally.check_all(left, left, || {
                let other = || format!("{} row {row} (of {})", links.entity, links.file);
                holder.map_or_else(other, |legacy| legacy.place(row))
            });
        }
        let taken = &mut wanted[before..];
        taken.sort_unstable();
        let again = taken.windows(2).filter(|pair| pair[0] == pair[1]).count() as u64;
        wrong.extend(misstated(audit, links, (rows, taken.len() as u64, again)));
    }
    out.push(tally.finish());
    for held in &group.held {
        let links = held.links;
        let has_table = audit.snapshot.table(&links.entity).is_some();
        if !has_table {
            let names = (links.entity.as_str(), links.label.as_str(), links.file.as_str());
            out.push(only_links::noted_pairs(audit, names)?);
        }
    }
    wanted.sort_unstable();
    wanted.dedup();
    out.extend(declared::follows(audit, group));
    pairs(audit, group, (&wanted, &wrong), out)
}

/// What bundle.json says otherwise of the pairs of a link file: how many there are, how many are taken
/// up, and how many of those stand there again.
fn misstated(
    audit: &Audit<'_>,
    links: &LinksMeta,
    (rows, taken, again): (u64, u64, u64),
) -> Vec<String> {
    let (source, label) = (&links.entity, &links.label);
    let said = audit.bundle.meta().link_equations.iter();
    let said = said.into_iter().find(|said| said.source == *source && said.label == *label);
    let figures = said.map(|said| {
        [
            ("values", said.values, rows),
            ("migrated", said.migrated, taken - again),
            ("merged", said.merged, again),
            ("quarantined", said.quarantined, 0),
            ("dropped", said.dropped, rows - taken),
        ]
    });
    let wrong = figures.into_iter().flatten().filter(|(_, said, found)| said != found);
    let told = wrong.map(|(what, said, found)| {
        let (said, found) = (grouped(said), grouped(found));
        format!("{source}.{label} {what}: bundle.json says {said}, there are {found}")
    });
    told.collect()
}

fn place(links: &LinksMeta, row: usize) -> String {
    format!("{} row {row}", links.file)
}

/// A pair, by the keys of its ends.
type Pair = (u128, u128);

/// How many pairs there are of a kind, and the first.
struct Found {
    count: u64,
    first: Option<Pair>,
}

impl Found {
    fn of(pairs: impl Iterator<Item = Pair>) -> Self {
        pairs.fold(Self { count: 0, first: None }, |found, pair| Self {
            count: found.count + 1,
            first: found.first.or(Some(pair)),
        })
    }
}

/// A pair as a sample names it: `<from> - <to>`, as it stands in the bundle's file, or else in the
/// source's, where an id of a legacy row is the one it has in the target.
fn named(audit: &Audit<'_>, file: &str, (held, pair): (&[Held<'_>], Pair)) -> String {
    let mut name = None;
    let mut take = |row: read::Row<'_>, ends: (Option<u128>, Option<u128>), texts: [String; 2]| {
        if name.is_none() && ends == (Some(pair.0), Some(pair.1)) {
            name = Some(format!("{} - {} (row {})", texts[0], texts[1], row.number));
        }
    };
    // A file that cannot be read again leaves the pair without a name.
    drop(read::scan_if_there(&audit.bundle.path(file), &["from", "to"], &mut |row| {
        let ends = (Some(key::link_key(row.text(0))), Some(key::link_key(row.text(1))));
        take(row, ends, [key::shown(row.text(0)), key::shown(row.text(1))]);
        Ok(())
    }));
    for held in held {
        let links = held.links;
        drop(read::scan(&audit.snapshot.path(&links.file), &["from", "to"], &mut |row| {
            let text = |entity: &str, at: usize| {
                let id = end(audit, entity, key::link_key(row.text(at)));
                let target = id.filter(|_| audit.legacy.contains_key(entity)).map(key::uuid_text);
                (id, target.unwrap_or_else(|| key::shown(row.text(at))))
            };
            let (from, to) = held.turn((text(&links.entity, 0), text(&links.target, 1)));
            take(row, (from.0, to.0), [from.1, to.1]);
            Ok(())
        }));
    }
    name.unwrap_or_else(|| "a pair".to_owned())
}

/// The pairs of a bundle's link file, against those that must be there.
fn pairs(
    audit: &Audit<'_>,
    group: &Group<'_>,
    (wanted, wrong): (&[Pair], &[String]),
    out: &mut Vec<Rule>,
) -> Result<()> {
    let (entity, label, file) = (group.entity.as_str(), group.label.as_str(), group.file.as_str());
    let mut tally = Tally::new("link", entity, label)
        .says(format!("{entity}.{label} has the pairs of the source, each once, and no other"))
        .query(carried_sql::pairs(audit, group));
    let mut found = Vec::new();
    let (mut table, mut digest) = (TableDigest::default(), RowDigest::default());
    read::scan_if_there(&audit.bundle.path(file), &["from", "to"], &mut |row| {
        let text = |column: usize| row.text(column).map_or(Value::Absent, Value::Text);
        table.add(digest.of([("from", text(0)), ("to", text(1))]));
        found.push((key::link_key(row.text(0)), key::link_key(row.text(1))));
        Ok(())
    })?;
    let rows = found.len() as u64;
    found.sort_unstable();
    tally.check_all(rows.max(wanted.len() as u64), 0, String::new);
    let pairs = found.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]);
    let twice = Found::of(pairs);
    found.dedup();
    let is_known = |pairs: &[Pair], pair: &Pair| pairs.binary_search(pair).is_ok();
    let strange = Found::of(found.iter().filter(|pair| !is_known(wanted, pair)).copied());
    let lacking = Found::of(wanted.iter().filter(|pair| !is_known(&found, pair)).copied());
    for (what, pairs) in
        [("stands there again", twice), ("is not in the source", strange), ("is missing", lacking)]
    {
        if let Some(first) = pairs.first {
            let named = || named(audit, file, (&group.held, first));
            tally.violate(pairs.count, || format!("{file}: {} {what}", named()));
        }
    }
    out.push(tally.finish());
    out.extend(declared::holds(audit, group, &found));
    let mut said = Tally::new("digest", entity, label)
        .says(format!("bundle.json gives the rows, equation and digest of {entity}.{label}"))
        .query(carried_sql::said(audit, group, &table.hex()));
    let right =
        group.meta.map_or(rows == 0, |meta| meta.rows == rows && meta.digest == table.hex());
    said.check_all(rows, u64::from(!right), || format!("{file}: {rows} rows, {}", table.hex()));
    for told in wrong {
        said.violate(1, || told.clone());
    }
    out.push(said.finish());
    Ok(())
}
