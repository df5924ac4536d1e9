//! The repairs a bundle lists, and whether they are those the snapshot gives.

use std::collections::BTreeMap;

use super::Rule;
use super::facts::Audit;
use super::key;
use super::made::Made;
use super::read::{self, Row};
use super::rule::Tally;
use super::sql;
use crate::contract::Transform;
use crate::error::{Result, grouped};

/// The repairs listed for one target table: by attribute, the legacy rows (where one becomes several, the
/// slots) and what was done.
#[derive(Default)]
pub(super) struct Listed {
    hows: Vec<String>,
    rows: BTreeMap<String, Vec<(u32, u16)>>,
}

impl Listed {
    pub(super) fn read(audit: &Audit<'_>, target: &str) -> Result<Self> {
        Self::read_of(audit, target, None)
    }

    /// Those of one attribute, or of all.
    pub(super) fn read_of(audit: &Audit<'_>, target: &str, wanted: Option<&str>) -> Result<Self> {
        let mut listed = Self::default();
        let (path, _) = audit.file(&format!("data/repairs/{target}.parquet"));
        let places = Places::read(audit, target)?;
        read::scan_if_there(&path, &["_source_row", "attr", "how", "id"], &mut |row| {
            let place = places.of(row);
            let source = place.and_then(|row| u32::try_from(row).ok()).unwrap_or(u32::MAX);
            let attr = row.text(1).unwrap_or_default();
            if wanted.is_some_and(|wanted| wanted != attr) {
                return Ok(());
            }
            let how = listed.code(row.text(2).unwrap_or_default());
            match listed.rows.get_mut(attr) {
                Some(rows) => rows.push((source, how)),
                None => drop(listed.rows.insert(attr.to_owned(), vec![(source, how)])),
            }
            Ok(())
        })?;
        for rows in listed.rows.values_mut() {
            rows.sort_unstable();
        }
        Ok(listed)
    }

    fn code(&mut self, how: &str) -> u16 {
        let at = self.hows.iter().position(|known| known == how).unwrap_or_else(|| {
            self.hows.push(how.to_owned());
            self.hows.len() - 1
        });
        u16::try_from(at).unwrap_or(u16::MAX)
    }

    /// What is listed for an attribute in a row made from this legacy row.
    pub(super) fn of(&self, attr: &str, source: usize) -> impl Iterator<Item = &str> {
        let rows = self.rows.get(attr).map_or(&[][..], Vec::as_slice);
        let from = rows.partition_point(|(row, _)| (*row as usize) < source);
        rows[from..]
            .iter()
            .take_while(move |(row, _)| *row as usize == source)
            .map(|(_, how)| self.hows.get(usize::from(*how)).map_or("", String::as_str))
    }

    /// How many are listed, by attribute and what was done.
    fn counts(&self) -> BTreeMap<(&str, &str), u64> {
        let mut counts = BTreeMap::new();
        for (attr, rows) in &self.rows {
            for (_, how) in rows {
                let how = self.hows.get(usize::from(*how)).map_or("", String::as_str);
                *counts.entry((attr.as_str(), how)).or_default() += 1;
            }
        }
        counts
    }

    /// How many are listed for an attribute.
    pub(super) fn total(&self, attr: &str) -> usize {
        self.rows.get(attr).map_or(0, Vec::len)
    }
}

/// Tells which target row a listed repair is of.
pub(super) struct Places<'a> {
    split: Option<(&'a Audit<'a>, &'a Transform, Made<'a>)>,
}

impl<'a> Places<'a> {
    pub(super) fn read(audit: &'a Audit<'_>, target: &str) -> Result<Self> {
        let transform = audit.contract.transform_into(target).filter(|rules| rules.splits());
        let split = match transform {
            Some(transform) => Some((audit, transform, Made::read(audit, transform)?)),
            None => None,
        };
        Ok(Self { split })
    }

    /// The legacy row or slot of a line that gives `_source_row` first and `id` last of four columns.
    pub(super) fn of(&self, line: Row<'_>) -> Option<usize> {
        let source = line.row(0)?;
        let Some((audit, transform, made)) = &self.split else { return Some(source) };
        let slots = audit.slots(&transform.target)?;
        made.of(source)?;
        slots.with_id(audit, transform, (made, source, key::link_key(line.text(3))))
    }
}

/// bundle.json counts the repairs of a target table as `data/repairs` lists them, and no attribute
/// has any that the contract has no rule for.
pub(super) fn rules(audit: &Audit<'_>, target: &str, out: &mut Vec<Rule>) -> Result<()> {
    let listed = Listed::read(audit, target)?;
    let file = format!("data/repairs/{target}.parquet");
    let side = sql::side(audit, &file, &["id", "_source_row", "attr", "how"]);
    let entity = sql::text(target);
    let words = format!("bundle.json counts the repairs of {target} as they are listed");
    let mut tally = Tally::new("repair", target, "").says(words).query(format!(
        "SELECT count(*) FROM (SELECT attr, how, count(*) AS n FROM {side} GROUP BY 1, 2) f \
         FULL JOIN (SELECT r.attr AS attr, r.how AS how, r.\"rows\" AS n FROM (SELECT \
         unnest(from_json(repairs, '[{{\"target\":\"VARCHAR\",\"attr\":\"VARCHAR\",\
         \"how\":\"VARCHAR\",\"rows\":\"UBIGINT\"}}]')) AS r FROM \
         read_json({}, columns = {{repairs: 'JSON'}})) WHERE r.target = \
         {entity}) b ON b.attr = f.attr AND b.how = f.how WHERE f.n IS DISTINCT FROM b.n",
        sql::path(audit, "data/bundle.json")
    ));
    let mut said: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for repair in audit.bundle.meta().repairs.iter().filter(|said| said.target == *target) {
        *said.entry((&repair.attr, &repair.how)).or_default() += repair.rows;
    }
    let found = listed.counts();
    let keys: std::collections::BTreeSet<_> = said.keys().chain(found.keys()).collect();
    for key in keys {
        let (said, found) = (said.get(key).unwrap_or(&0), found.get(key).unwrap_or(&0));
        tally.check(said == found, || {
            let (said, found) = (grouped(*said), grouped(*found));
            format!("{} {}: bundle.json says {said}, {found} are listed", key.0, key.1)
        });
    }
    out.push(tally.finish());
    Ok(())
}

/// Whether what is listed for a row is one of what may be.
pub(super) fn is_listed_as(listed: &Listed, attr: &str, source: usize, may: &[&str]) -> bool {
    let mut found = listed.of(attr, source);
    match (found.next(), found.next()) {
        (None, _) => may.contains(&""),
        (Some(how), None) => may.contains(&how),
        _ => false,
    }
}
