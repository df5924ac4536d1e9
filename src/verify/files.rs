//! Legacy links whose other end is absent, and their equations.

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
use crate::bundle::Reason;
use crate::contract::{LinkHow, LinkPick, Transform};
use crate::error::{Result, grouped};
use crate::schema::Link;

/// A link that the bundle lists as dropped: row, from, to.
pub(super) type Lost = (usize, u128, u128);

/// The links and `ref` values that the bundle lists as dropped, by entity and label.
#[derive(Default)]
pub(super) struct Dropped {
    links: BTreeMap<(String, String), Vec<Lost>>,
    /// Of them, those that are said to lead to a quarantined row.
    aside: BTreeMap<(String, String), Vec<Lost>>,
    /// What places of a link hold that do not count, by entity and label or attribute.
    others: BTreeMap<(String, String), Vec<Lost>>,
    /// Ids they lead to that are no UUID, as they stand.
    texts: BTreeMap<u128, String>,
    /// How many there are, by entity, label and reason.
    counts: BTreeMap<[String; 3], u64>,
}

impl Dropped {
    pub(super) fn read(audit: &Audit<'_>) -> Result<Self> {
        let mut found = Self::default();
        let path = audit.bundle.path("data/quarantine/links.parquet");
        let columns = ["entity", "label", "_row", "from", "to", "reason"];
        read::scan_if_there(&path, &columns, &mut |row| {
            let name = |column: usize| row.text(column).unwrap_or_default().to_owned();
            let to = key::link_key(row.text(4));
            let listed = (row.row(2).unwrap_or(usize::MAX), key::link_key(row.text(3)), to);
            *found.counts.entry([name(0), name(1), name(5)]).or_default() += 1;
            // Of a link of the legacy model, such a line is no value of the link.
            let models = [&audit.contract.before.schema, &audit.contract.after.schema];
            let mut links = models.into_iter().flat_map(|schema| &schema.links);
            let is_pair = links.any(|link| link.to == name(0) && link.reverse == Some(name(1)));
            let is_other = row.text(5) == Some(Reason::OTHER_PLACE) && !is_pair;
            let lines = if is_other && audit.is_judged_by_source() {
                &mut found.others
            } else {
                &mut found.links
            };
            lines.entry((name(0), name(1))).or_default().push(listed);
            if row.text(5) == Some(Reason::QUARANTINED) {
                found.aside.entry((name(0), name(1))).or_default().push(listed);
            }
            if let Some(text) = row.text(4).filter(|text| key::uuid(text).is_none()) {
                found.texts.entry(to).or_insert_with(|| text.to_owned());
            }
            Ok(())
        })?;
        let all = found.links.values_mut().chain(found.aside.values_mut());
        all.chain(found.others.values_mut()).for_each(|rows| rows.sort_unstable());
        Ok(found)
    }

    /// How many are listed, by entity, label and reason.
    pub(super) fn counts(&self) -> &BTreeMap<[String; 3], u64> {
        &self.counts
    }

    /// What places of the links of an entity hold that do not count: by label or attribute.
    pub(super) fn others(&self, entity: &str) -> impl Iterator<Item = (&str, &[Lost])> {
        let of = self.others.iter().filter(move |((found, _), _)| found == entity);
        of.map(|((_, label), lines)| (label.as_str(), lines.as_slice()))
    }

    /// Whether a line is said to lead to a quarantined row.
    pub(super) fn is_aside(&self, entity: &str, label: &str, line: &Lost) -> bool {
        let rows = self.aside.get(&(entity.to_owned(), label.to_owned()));
        rows.is_some_and(|rows| rows.binary_search(line).is_ok())
    }

    /// An id that a line leads to, as it stands, when it is no UUID.
    pub(super) fn odd_text(&self, id: u128) -> Option<&str> {
        self.texts.get(&id).map(String::as_str)
    }

    /// The lines of a row.
    pub(super) fn lines(&self, entity: &str, label: &str, row: usize) -> &[Lost] {
        let rows = self.of(entity, label);
        let from = rows.partition_point(|(listed, ..)| *listed < row);
        let to = rows.partition_point(|(listed, ..)| *listed <= row);
        &rows[from..to]
    }

    /// Those of a link.
    pub(super) fn of(&self, entity: &str, label: &str) -> &[Lost] {
        self.links.get(&(entity.to_owned(), label.to_owned())).map_or(&[], Vec::as_slice)
    }

    /// Whether a link of a row is listed.
    pub(super) fn has(&self, entity: &str, label: &str, row: usize) -> bool {
        !self.lines(entity, label, row).is_empty()
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

/// bundle.json counts the values that lead to no row as they are listed; older bundles say nothing of
/// it.
pub(super) fn counted(audit: &Audit<'_>, dropped: &Dropped) -> Option<Rule> {
    audit.is_judged_by_source().then(|| {
        let words = "bundle.json counts the links that lead to no row as they are listed";
        let mut tally = Tally::new("count", "", "").says(words).query(files_sql::counted(audit));
        let mut said: BTreeMap<[String; 3], u64> = BTreeMap::new();
        for lost in &audit.bundle.meta().lost {
            let key = [&lost.source, &lost.label, &lost.reason].map(String::clone);
            *said.entry(key).or_default() += lost.rows;
        }
        let keys: BTreeSet<&[String; 3]> = said.keys().chain(dropped.counts().keys()).collect();
        for key in keys {
            let count = |of: &BTreeMap<[String; 3], u64>| of.get(key).copied().unwrap_or_default();
            let (said, found) = (count(&said), count(dropped.counts()));
            tally.check(said == found, || {
                let [source, label, reason] = key;
                let (said, found) = (grouped(said), grouped(found));
                format!("{source}.{label}, {reason}: bundle.json says {said}, {found} are listed")
            });
        }
        tally.finish()
    })
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
        let lines = dropped.lines(entity, label, row);
        let is_listed = !lines.is_empty();
        seen += u64::from(is_listed);
        let is_told = |line| {
            let is_aside = !is_alive && named.leads_aside(audit, row);
            dropped.is_aside(entity, label, line) == is_aside
        };
        let right = if named.names(row) { is_taken != is_listed } else { !is_listed };
        let right = right && (!audit.is_judged_by_source() || lines.iter().all(is_told));
        tally.check(right, || legacy.place(row));
    }
    let strays = (dropped.of(entity, label).len() as u64).saturating_sub(seen);
    if strays > 0 {
        let is_migrated = |row: usize| row < legacy.rows && legacy.is_migrated(row);
        let mut listed = dropped.of(entity, label).iter().map(|(row, ..)| *row);
        let first = listed.find(|row| !is_migrated(*row));
        tally.violate(strays, || match first {
            Some(row) => {
                format!("{} listed that are not so, as of {}", grouped(strays), legacy.place(row))
            }
            None => format!("{} listed more than once", grouped(strays)),
        });
    }
    out.push(tally.finish());
    out.push(equation(audit, (legacy, link), (named, &target), dropped));
    Ok(())
}

fn equation(
    audit: &Audit<'_>,
    (legacy, link): (&Legacy, &Link),
    (named, target): (&Firsts, &str),
    dropped: &Dropped,
) -> Rule {
    let (entity, label) = (&link.on, &link.label);
    let count = |of: &dyn Fn(usize) -> bool| {
        (0..legacy.rows).filter(|row| named.names(*row) && of(*row)).count() as u64
    };
    let values = count(&|_| true);
    let merged = count(&|row| legacy.merged_times[row] > 0);
    let quarantined = count(&|row| legacy.quarantined[row] > 0 && legacy.merged_times[row] == 0);
    let lines = dropped.of(entity, label);
    // Since format 3 a value that leads to a quarantined row counts as quarantined.
    let leads_aside = |(row, ..): &&Lost| {
        audit.is_judged_by_source()
            && *row < legacy.rows
            && !matches!(named.heir(audit, target, *row), Heir::Alive(_))
            && named.leads_aside(audit, *row)
    };
    let aside = lines.iter().filter(leads_aside).count() as u64;
    let lost = lines.len() as u64 - aside;
    let dropped_rows = count(&|row| legacy.dropped_times(row) > 0);
    let found = [
        ("values", values),
        ("merged", merged),
        ("quarantined", quarantined + aside),
        ("dropped", lost),
        ("dropped_rows", dropped_rows),
        ("migrated", values.saturating_sub(merged + quarantined + aside + lost + dropped_rows)),
    ];
    let mut tally = Tally::new("count", entity, label)
        .says(format!("bundle.json gives the equation of {entity}.{label} as the files do"))
        .query(files_sql::equation(audit, legacy, (link, target)));
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
            let (said, found) = (grouped(said), grouped(found));
            format!("{entity}.{label} {what}: bundle.json says {said}, there are {found}")
        });
    }
    tally.finish()
}
