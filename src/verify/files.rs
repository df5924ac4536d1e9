//! Legacy links whose other end is absent, and their equations.

use std::collections::BTreeMap;

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
use crate::error::{Result, grouped};
use crate::schema::Link;

/// A link that the bundle lists as dropped: row, from, to.
pub(super) type Lost = (usize, u128, u128);

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

    /// Those of a link.
    pub(super) fn of(&self, entity: &str, label: &str) -> &[Lost] {
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
            let (said, found) = (grouped(said), grouped(found));
            format!("{entity}.{label} {what}: bundle.json says {said}, there are {found}")
        });
    }
    tally.finish()
}
