//! The rows that the rows of a legacy table name first by a link, told once for all rules: of several
//! places that hold it, the first that counts.

use std::collections::BTreeMap;

use super::facts::{Audit, Heir};
use super::key::{self, NONE};
use super::naming::{Named, Naming, PAIR};
use super::read;
use super::table::{LOST, NO_ROW, narrow};
use super::upper::Upper;
use crate::error::Result;
use crate::schema::Link;

/// The first row that every row of a legacy table names by a link.
pub(super) struct Firsts {
    /// The entity it leads to.
    pub(super) to: String,
    /// The first row of that entity with the named id, of a legacy table or else of a target one;
    /// [`NO_ROW`] where nothing is named, [`LOST`] where no such row is there.
    rows: Vec<u32>,
    /// The ids that lead nowhere, by row.
    lost: Vec<(u32, u128)>,
    /// Ids that are no UUID, as they stand.
    texts: BTreeMap<u128, String>,
    /// Which attribute names it in place of the link, from 1; empty when none does.
    hows: Vec<u8>,
    /// The ids of rows that name several alike.
    several: BTreeMap<u32, Vec<u128>>,
    /// The UUIDs in upper case by which migrated rows name one.
    pub(super) upper: Upper,
    /// The ids that the column of the link (0) and its attributes (from 1) hold beside those, by row.
    others: Vec<(u32, u8, u128)>,
}

impl Firsts {
    pub(super) fn read(audit: &Audit<'_>, link: &Link) -> Result<Self> {
        let legacy = audit.legacy(&link.on)?;
        let naming = Naming::read(audit, link)?;
        let mut firsts = Self {
            to: link.to.clone(),
            rows: vec![NO_ROW; legacy.rows],
            lost: Vec::new(),
            texts: BTreeMap::new(),
            hows: Vec::new(),
            several: BTreeMap::new(),
            upper: Upper::default(),
            others: Vec::new(),
        };
        let Some(path) = &legacy.path else { return Ok(firsts) };
        let mut columns: Vec<&str> = naming.columns.iter().map(String::as_str).collect();
        if columns.is_empty() {
            columns.push("id");
        }
        let (mut named, mut last) = (Vec::new(), (NONE, NO_ROW));
        read::scan(path, &columns, &mut |row| {
            named.clear();
            naming.of(row, 0, legacy.ids[row.number], &mut named);
            let is_upper = named.iter().any(|named| named.is_upper);
            let texts = (0..naming.columns.len()).filter_map(|column| row.text(column));
            firsts.upper.see(named.len(), texts, || is_upper && legacy.is_migrated(row.number));
            let Some(first) = firsts.first(audit, &named) else { return Ok(()) };
            // Rows that follow each other often name the same one.
            if last.0 != first.id {
                last = (first.id, firsts.find(audit, first.id)?);
            }
            let at = narrow(row.number)?;
            firsts.rows[row.number] = last.1;
            if last.1 == LOST {
                firsts.lost.push((at, first.id));
            }
            let others = named.iter().filter(|other| other.id != first.id && other.rank != PAIR);
            firsts.others.extend(others.map(|other| (at, other.how, other.id)));
            if first.how > 0 {
                firsts.hows.resize(legacy.rows, 0);
                firsts.hows[row.number] = first.how;
            }
            let alike = named.iter().filter(|named| named.rank == first.rank);
            if alike.clone().nth(1).is_some() {
                firsts.several.insert(at, alike.map(|named| named.id).collect());
            }
            if !first.is_uuid
                && let Some(text) = naming.odd_text(row, 0, first.id)
            {
                firsts.texts.entry(first.id).or_insert_with(|| text.to_owned());
            }
            Ok(())
        })?;
        Ok(firsts)
    }

    /// What counts of all that a row names: since format 3 the best whose row is in the source, else the
    /// best.
    fn first(&self, audit: &Audit<'_>, named: &[Named]) -> Option<Named> {
        let best = named.first().copied()?;
        let is_alone = named.iter().all(|other| other.id == best.id);
        if is_alone || !audit.is_judged_by_source() {
            return Some(best);
        }
        named.iter().find(|named| self.is_in_source(audit, named.id)).copied().or(Some(best))
    }

    fn is_in_source(&self, audit: &Audit<'_>, id: u128) -> bool {
        match (audit.legacy.get(&self.to), audit.tables.get(&self.to)) {
            (Some(legacy), _) => legacy.find(id).next().is_some(),
            (None, Some(table)) => table.find(id).is_some_and(|row| table.existing(row).is_some()),
            (None, None) => false,
        }
    }

    /// The ids that the column of the link (0) and its attributes (from 1) hold beside the one that
    /// counts, by row.
    pub(super) fn others(&self) -> &[(u32, u8, u128)] {
        &self.others
    }

    fn find(&self, audit: &Audit<'_>, id: u128) -> Result<u32> {
        let row = match (audit.legacy.get(&self.to), audit.tables.get(&self.to)) {
            (Some(legacy), _) => legacy.find(id).next(),
            (None, Some(table)) => table.find(id),
            (None, None) => None,
        };
        row.map_or(Ok(LOST), narrow)
    }

    /// Whether a row names any.
    pub(super) fn names(&self, row: usize) -> bool {
        self.rows[row] != NO_ROW
    }

    /// Whether two rows, each of which names one, name the same id first.
    pub(super) fn is_alike(&self, a: usize, b: usize) -> bool {
        let lost = |row: usize| {
            let at = self.lost.binary_search_by_key(&row, |(row, _)| *row as usize);
            at.ok().map(|at| self.lost[at].1)
        };
        self.rows[a] == self.rows[b] && (self.rows[a] != LOST || lost(a) == lost(b))
    }

    /// The row that a row names first, when it is there.
    pub(super) fn row(&self, row: usize) -> Option<usize> {
        Some(self.rows[row]).filter(|named| *named < LOST).map(|named| named as usize)
    }

    /// The key of the id that a row names first, or [`NONE`].
    pub(super) fn id(&self, audit: &Audit<'_>, row: usize) -> u128 {
        let at = match self.rows[row] {
            NO_ROW => return NONE,
            LOST => {
                let lost = self.lost.binary_search_by_key(&row, |(row, _)| *row as usize);
                return lost.map_or(NONE, |at| self.lost[at].1);
            }
            at => at as usize,
        };
        let ids = match (audit.legacy.get(&self.to), audit.tables.get(&self.to)) {
            (Some(legacy), _) => &legacy.ids,
            (None, Some(table)) => &table.ids,
            (None, None) => return NONE,
        };
        ids[at]
    }

    /// What the row that a row names first leads to in the table of a target entity.
    pub(super) fn heir(&self, audit: &Audit<'_>, target: &str, row: usize) -> Heir {
        match (self.row(row), audit.legacy.get(&self.to), audit.tables.get(target)) {
            (None, Some(_), _) | (_, _, None) => Heir::Unknown,
            (Some(named), Some(legacy), Some(table)) => {
                legacy.heir_among(table, legacy.alike(named))
            }
            (_, None, Some(_)) => audit.heir(&self.to, target, self.id(audit, row)),
        }
    }

    /// Whether the row that a row names first is in the source and was quarantined.
    pub(super) fn leads_aside(&self, audit: &Audit<'_>, row: usize) -> bool {
        let Some((named, legacy)) = self.row(row).zip(audit.legacy.get(&self.to)) else {
            return false;
        };
        legacy.alike(named).any(|row| legacy.quarantined[row] > 0)
    }

    /// The ids that a row names alike, when they are several.
    pub(super) fn several(&self, row: usize) -> Option<&[u128]> {
        let row = u32::try_from(row).ok()?;
        self.several.get(&row).map(Vec::as_slice)
    }

    /// Which attribute names the row in place of the link, from 1.
    pub(super) fn how(&self, row: usize) -> u8 {
        self.hows.get(row).copied().unwrap_or_default()
    }

    /// An id as the source writes it, when it is no UUID.
    pub(super) fn odd_text(&self, id: u128) -> Option<&str> {
        self.texts.get(&id).map(String::as_str)
    }

    /// The id that a row names first, as the source writes it; a UUID in lower case.
    pub(super) fn text(&self, audit: &Audit<'_>, row: usize) -> Option<String> {
        let id = Some(self.id(audit, row)).filter(|id| *id != NONE)?;
        Some(self.odd_text(id).map_or_else(|| key::uuid_text(id), str::to_owned))
    }
}
