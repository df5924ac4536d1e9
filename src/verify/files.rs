//! Links that are no column, and links whose other end is absent.

use std::collections::{BTreeMap, BTreeSet};

use super::Rule;
use super::facts::{Audit, Heir};
use super::files_sql;
use super::firsts::Firsts;
use super::key;
use super::legacy::Legacy;
use super::link;
use super::read;
use super::rule::Tally;
use crate::contract::{LinkHow, LinkPick, Transform};
use crate::digest::{RowDigest, TableDigest, Value};
use crate::error::{Result, grouped};
use crate::schema::{Has, Link};
use crate::snapshot::LinksMeta;

/// A link that the bundle lists as dropped: row, from, to.
type Lost = (usize, u128, u128);

/// The links that the bundle lists as dropped, by entity and label.
#[derive(Default)]
pub(super) struct Dropped {
    links: BTreeMap<(String, String), Vec<Lost>>,
}

impl Dropped {
    pub(super) fn read(audit: &Audit<'_>) -> Result<Self> {
        let mut links: BTreeMap<(String, String), Vec<Lost>> = BTreeMap::new();
        let path = audit.bundle.path("data/quarantine/links.parquet");
        read::scan_if_there(&path, &["entity", "label", "_row", "from", "to"], &mut |row| {
            let name = |column: usize| row.text(column).unwrap_or_default().to_owned();
            let listed = (
                row.row(2).unwrap_or(usize::MAX),
                key::link_key(row.text(3)),
                key::link_key(row.text(4)),
            );
            links.entry((name(0), name(1))).or_default().push(listed);
            Ok(())
        })?;
        for rows in links.values_mut() {
            rows.sort_unstable();
        }
        Ok(Self { links })
    }

    fn of(&self, entity: &str, label: &str) -> &[Lost] {
        self.links.get(&(entity.to_owned(), label.to_owned())).map_or(&[], Vec::as_slice)
    }

    /// Whether a link of a row is listed.
    pub(super) fn has(&self, entity: &str, label: &str, row: usize) -> bool {
        let rows = self.of(entity, label);
        let at = rows.partition_point(|(listed, ..)| *listed < row);
        rows.get(at).is_some_and(|(listed, ..)| *listed == row)
    }
}

/// The rules of a legacy link: of what was dropped, and of its equation.
pub(super) fn rules(
    audit: &Audit<'_>,
    link: &Link,
    dropped: &Dropped,
    out: &mut Vec<Rule>,
) -> Result<()> {
    conserved(audit, (audit.legacy(&link.on)?, link), dropped, out)
}

/// The rules of link files.
pub(super) fn carried_rules(
    audit: &Audit<'_>,
    dropped: &Dropped,
    out: &mut Vec<Rule>,
) -> Result<()> {
    let mut groups: BTreeMap<(String, String), Vec<&LinksMeta>> = BTreeMap::new();
    for links in audit.snapshot.meta().links.iter().filter(|links| is_carried(audit, links)) {
        let entity = renamed(audit, &links.entity);
        groups.entry((entity, links.label.clone())).or_default().push(links);
    }
    for links in &audit.bundle.meta().links {
        groups.entry((links.entity.clone(), links.label.clone())).or_default();
    }
    for ((entity, label), links) in &groups {
        carried(audit, (entity, label), links, (dropped, out))?;
    }
    Ok(())
}

/// What takes up the values of a legacy link.
enum Taker<'a> {
    /// The id of a target row.
    Id(&'a Transform),
    /// A link of a target row.
    Link(&'a Transform, &'a Link),
}

fn taker<'a>(audit: &Audit<'a>, link: &Link) -> Option<Taker<'a>> {
    let contract = audit.contract;
    for transform in contract.transforms.iter().filter(|found| found.source == link.on) {
        if transform.id.from.contains(&link.label) {
            return Some(Taker::Id(transform));
        }
        let rule = transform.links.iter().find(|rule| match &rule.how {
            LinkHow::From { picks, .. } => picks.contains(&LinkPick::Link(link.label.clone())),
            _ => false,
        });
        if let Some(rule) = rule {
            let link = contract.after.schema.link(&transform.target, &rule.label)?;
            return Some(Taker::Link(transform, link));
        }
    }
    None
}

/// Every value of a legacy link is taken up by its migrated row, or listed as dropped, and
/// bundle.json gives the equation of the link.
fn conserved(
    audit: &Audit<'_>,
    (legacy, link): (&Legacy, &Link),
    dropped: &Dropped,
    out: &mut Vec<Rule>,
) -> Result<()> {
    let (entity, label) = (&link.on, &link.label);
    let named = audit.firsts(entity, label)?;
    let Some(use_of) = taker(audit, link) else { return Ok(()) };
    let (transform, target, links) = match &use_of {
        Taker::Id(transform) => (*transform, transform.target.clone(), None),
        Taker::Link(transform, taken) => {
            let table = audit.table(&transform.target)?;
            (*transform, taken.to.clone(), Some(link::held_by(table, &taken.label)?))
        }
    };
    let onto = legacy.onto(&transform.target);
    let mut tally = Tally::new("account", entity, label)
        .says(format!("every {entity}.{label} of a migrated row is taken up or listed as dropped"))
        .query(files_sql::conserved(
            audit,
            link,
            (&transform.target, &target),
            match &use_of {
                Taker::Id(_) => None,
                Taker::Link(_, taken) => Some(&taken.label),
            },
        ));
    let mut seen = 0;
    for row in (0..legacy.rows).filter(|row| legacy.is_migrated(*row)) {
        let at = onto.and_then(|onto| onto.at(row));
        let is_alive = matches!(named.heir(audit, &target, row), Heir::Alive(_));
        let is_taken = match (&links, at) {
            (None, _) => is_alive,
            (Some(links), Some(at)) => is_alive && links.get(at),
            // The row stands on an existing one, whose links are its own.
            (Some(_), None) => is_alive && !dropped.has(entity, label, row),
        };
        let is_listed = dropped.has(entity, label, row);
        seen += u64::from(is_listed);
        let right = if named.names(row) { is_taken != is_listed } else { !is_listed };
        tally.check(right, || legacy.place(row));
    }
    let strays = (dropped.of(entity, label).len() as u64).saturating_sub(seen);
    if strays > 0 {
        tally.violate(strays, || format!("{} listed that are not so", grouped(strays)));
    }
    out.push(tally.finish());
    out.push(equation(audit, (legacy, link), named, dropped));
    Ok(())
}

fn equation(
    audit: &Audit<'_>,
    (legacy, link): (&Legacy, &Link),
    named: &Firsts,
    dropped: &Dropped,
) -> Rule {
    let (entity, label) = (&link.on, &link.label);
    let count = |of: &dyn Fn(usize) -> bool| {
        (0..legacy.rows).filter(|row| named.names(*row) && of(*row)).count() as u64
    };
    let values = count(&|_| true);
    let merged = count(&|row| legacy.merged_times[row] > 0);
    let quarantined = count(&|row| legacy.quarantined[row] > 0 && legacy.merged_times[row] == 0);
    let lost = dropped.of(entity, label).len() as u64;
    let dropped_rows = count(&|row| legacy.dropped_times(row) > 0);
    let found = [
        ("values", values),
        ("merged", merged),
        ("quarantined", quarantined),
        ("dropped", lost),
        ("dropped_rows", dropped_rows),
        ("migrated", values.saturating_sub(merged + quarantined + lost + dropped_rows)),
    ];
    let mut tally = Tally::new("count", entity, label)
        .says(format!("bundle.json gives the equation of {entity}.{label} as the files do"))
        .query(files_sql::equation(audit, legacy, link));
    let said = audit.bundle.meta().link_equations.iter();
    let said = said.into_iter().find(|said| said.source == *entity && said.label == *label);
    for (what, found) in found {
        let said = said.map_or(0, |said| match what {
            "values" => said.values,
            "merged" => said.merged,
            "quarantined" => said.quarantined,
            "dropped" => said.dropped,
            "dropped_rows" => said.dropped_rows,
            _ => said.migrated,
        });
        tally.check(said == found, || {
            format!("{what}: bundle.json says {}, there are {}", grouped(said), grouped(found))
        });
    }
    tally.finish()
}

fn is_carried(audit: &Audit<'_>, links: &LinksMeta) -> bool {
    if links.role == "carried" {
        return audit.contract.unmapped.carry_links;
    }
    let link = audit.contract.after.schema.link(&links.entity, &links.label);
    link.is_some_and(|link| link.has == Has::Many)
}

/// The name the rows of an entity go by in the target.
fn renamed(audit: &Audit<'_>, entity: &str) -> String {
    audit.heir_of(entity).map_or_else(|| entity.to_owned(), |found| found.target.clone())
}

/// The id of an end of a carried link in the target; `None` when the row is not there.
fn end(audit: &Audit<'_>, entity: &str, id: u128) -> Option<u128> {
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
    (entity, label): (&str, &str),
    links: &[&LinksMeta],
    (dropped, out): (&Dropped, &mut Vec<Rule>),
) -> Result<()> {
    let mut wanted: Vec<(u128, u128)> = Vec::new();
    let mut tally = Tally::new("account", entity, label)
        .says(format!("every pair of {entity}.{label} is carried or listed as dropped"))
        .query(files_sql::dropped(audit, links));
    for links in links {
        let listed: BTreeSet<(u128, u128)> =
            dropped.of(&links.entity, label).iter().map(|(_, from, to)| (*from, *to)).collect();
        read::scan_if_there(&audit.snapshot.path(&links.file), &["from", "to"], &mut |row| {
            let pair = (key::link_key(row.text(0)), key::link_key(row.text(1)));
            let ends = (end(audit, &links.entity, pair.0), end(audit, &links.target, pair.1));
            match ends {
                (Some(from), Some(to)) => {
                    wanted.push((from, to));
                    tally.check(!listed.contains(&pair), || place(links, row.number));
                }
                _ => tally.check(listed.contains(&pair), || place(links, row.number)),
            }
            Ok(())
        })?;
    }
    out.push(tally.finish());
    wanted.sort_unstable();
    wanted.dedup();
    pairs(audit, (entity, label), (links, &wanted), out)
}

fn place(links: &LinksMeta, row: usize) -> String {
    format!("{} row {row}", links.file)
}

/// The pairs of a bundle's link file, against those that must be there.
fn pairs(
    audit: &Audit<'_>,
    (entity, label): (&str, &str),
    (links, wanted): (&[&LinksMeta], &[(u128, u128)]),
    out: &mut Vec<Rule>,
) -> Result<()> {
    let meta = audit.bundle.meta().links.iter();
    let meta = meta.into_iter().find(|links| links.entity == entity && links.label == label);
    let file = format!("data/parquet/links/{entity}.{label}.parquet");
    let file = meta.map_or(file.as_str(), |meta| meta.file.as_str());
    let mut tally = Tally::new("link", entity, label)
        .says(format!("{entity}.{label} has the pairs of the source, each once, and no other"))
        .query(files_sql::pairs(audit, file, links));
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
    let twice = found.windows(2).filter(|pair| pair[0] == pair[1]).count() as u64;
    found.dedup();
    let strange = found.iter().filter(|pair| wanted.binary_search(pair).is_err()).count() as u64;
    let lacking = wanted.iter().filter(|pair| found.binary_search(pair).is_err()).count() as u64;
    tally.check_all(rows.max(wanted.len() as u64), twice + strange + lacking, || {
        format!(
            "{file}: {} stand there twice, {} are not in the source, {} are missing",
            grouped(twice),
            grouped(strange),
            grouped(lacking)
        )
    });
    out.push(tally.finish());
    let mut said = Tally::new("digest", entity, label)
        .says(format!("bundle.json gives the rows and the digest of {entity}.{label}"))
        .query(files_sql::said(audit, (entity, label), (file, &table.hex())));
    let right = meta.map_or(rows == 0, |meta| meta.rows == rows && meta.digest == table.hex());
    said.check_all(rows, u64::from(!right), || format!("{file}: {rows} rows, {}", table.hex()));
    out.push(said.finish());
    Ok(())
}
