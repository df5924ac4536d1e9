//! The legacy tables of a snapshot, and where their rows went.

use std::path::PathBuf;
use std::sync::OnceLock;

use super::bits::Bits;
use super::cases::Cases;
use super::facts::{Audit, Heir};
use super::index::Index;
use super::key::{self, NONE};
use super::only_links;
use super::onto::Onto;
use super::own_ids::{OddIds, OwnId};
use super::read;
use super::table::{NO_ROW, Table, narrow, place, shown};
use crate::contract::Transform;
use crate::error::Result;
use crate::snapshot::{Extra, Snapshot};

/// A legacy table of the snapshot, and where its rows went.
pub(super) struct Legacy {
    pub(super) entity: String,
    /// Where its file stands, when the source has the entity.
    pub(super) path: Option<PathBuf>,
    /// The file from the snapshot's root, as the contract's name gives it when there is none.
    pub(super) file: String,
    pub(super) rows: usize,
    /// Key of every row's id.
    pub(super) ids: Vec<u128>,
    /// The rows whose id is no UUID.
    pub(super) odd: Bits,
    /// The rows whose id is a UUID in upper case.
    pub(super) upper: Bits,
    index: OnceLock<Index>,
    /// The ids that are no UUID, read when an order goes by them.
    odd_ids: OnceLock<OddIds>,
    /// One for each transform out of this entity.
    pub(super) onto: Vec<Onto>,
    /// The rows of `data/merged`, as they stand.
    pub(super) merged: Vec<Merged>,
    /// How often a row is merged.
    pub(super) merged_times: Vec<u8>,
    /// How often a row is quarantined.
    pub(super) quarantined: Vec<u8>,
    /// How often a row is listed as dropped by a rule; empty where no rule drops any.
    dropped: Vec<u8>,
    /// Rows that are only links.
    pub(super) only_links: Vec<usize>,
    /// Rows whose `_row` is not their place.
    pub(super) misplaced: u64,
    /// Rows of the side files that name no row of the snapshot, with the rows there are.
    pub(super) strays: (u64, u64),
}

/// A legacy row that another row stands for.
pub(super) struct Merged {
    pub(super) row: usize,
    pub(super) winner: Option<usize>,
    /// Key of the existing target row that stands for it.
    pub(super) id: u128,
    /// The entity of that row.
    pub(super) entity: Option<String>,
}

impl Legacy {
    /// Reads the ids of a table.
    pub(super) fn read(snapshot: &Snapshot, entity: &str) -> Result<Self> {
        let table = snapshot.table(entity);
        let path = table.map(|table| snapshot.path(&table.file)).filter(|path| path.exists());
        let file = format!("data/tables/{entity}.parquet");
        let mut legacy = Self {
            entity: entity.to_owned(),
            file: table.map_or(file, |table| table.file.clone()),
            rows: 0,
            ids: Vec::new(),
            odd: Bits::default(),
            upper: Bits::default(),
            index: OnceLock::new(),
            odd_ids: OnceLock::new(),
            onto: Vec::new(),
            merged: Vec::new(),
            merged_times: Vec::new(),
            quarantined: Vec::new(),
            dropped: Vec::new(),
            only_links: Vec::new(),
            misplaced: 0,
            strays: (0, 0),
            path,
        };
        legacy.read_ids()?;
        Ok(legacy)
    }

    /// Reads where the rows went.
    pub(super) fn read_fates(&mut self, audit: &Audit<'_>) -> Result<()> {
        for transform in audit.contract.transforms_of(&self.entity.clone()) {
            let onto = self.read_onto(audit, transform)?;
            self.onto.push(onto);
        }
        let declared = audit.contract.before.schema.entity(&self.entity);
        let ids = self.ids.iter().copied();
        self.only_links = only_links::rows(self.path.as_deref(), declared, ids)?;
        self.read_merged(audit)?;
        self.merged.sort_by_key(|merged| merged.row);
        self.read_quarantined(audit)?;
        self.read_dropped(audit)
    }

    fn read_ids(&mut self) -> Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let (ids, odd, misplaced) = (&mut self.ids, &mut self.odd, &mut self.misplaced);
        let upper = &mut self.upper;
        let rows = read::rows(path)?;
        ids.reserve_exact(rows);
        (*odd, *upper) = (Bits::new(rows), Bits::new(rows));
        read::scan(path, &["id", Extra::ROW], &mut |row| {
            *misplaced += u64::from(row.row(1) != Some(row.number));
            let uuid = row.text(0).and_then(key::uuid_cased).filter(|(id, _)| *id != NONE);
            ids.push(uuid.map_or_else(|| key::link_key(row.text(0)), |(id, _)| id));
            match uuid {
                None => odd.set(row.number),
                Some((_, false)) => upper.set(row.number),
                Some((_, true)) => {}
            }
            Ok(())
        })?;
        self.rows = self.ids.len();
        self.merged_times = vec![0; self.rows];
        self.quarantined = vec![0; self.rows];
        narrow(self.rows).map(|_| ())
    }

    fn read_onto(&mut self, audit: &Audit<'_>, transform: &Transform) -> Result<Onto> {
        let target = transform.target.as_str();
        let (mut seen, mut at) = (vec![0_u8; self.rows], vec![NO_ROW; self.rows]);
        let table = audit.table(target)?;
        for row in 0..table.rows() {
            let Some(source) = table.migrated(row).filter(|source| *source < self.rows) else {
                continue;
            };
            seen[source] = seen[source].saturating_add(1);
            if at[source] == NO_ROW {
                at[source] = narrow(row)?;
            }
        }
        let mut adopted = Vec::new();
        let path = audit.bundle.path(&format!("data/adopted/{}.parquet", self.entity));
        read::scan_if_there(&path, &["_row", "entity", "id"], &mut |row| {
            if row.text(1) != Some(target) {
                return Ok(());
            }
            if let Some(legacy) = self.stray(row.row(0)) {
                adopted.push((narrow(legacy)?, key::link_key(row.text(2))));
            }
            Ok(())
        })?;
        adopted.sort_unstable();
        let cases = transform.explode.as_ref();
        let cases = cases.map(|rule| Cases::read(rule, self.path.as_deref(), self.rows));
        let cases = cases.transpose()?;
        Ok(Onto { target: target.to_owned(), seen, at, adopted, cases })
    }

    fn read_merged(&mut self, audit: &Audit<'_>) -> Result<()> {
        let path = audit.bundle.path(&format!("data/merged/{}.parquet", self.entity));
        let columns = ["_row", "_winner_row", "id", "_entity"];
        read::scan_if_there(&path, &columns, &mut |found| {
            let Some(row) = self.stray(found.row(0)) else { return Ok(()) };
            self.merged_times[row] = self.merged_times[row].saturating_add(1);
            self.merged.push(Merged {
                row,
                winner: found.row(1),
                id: key::link_key(found.text(2)),
                entity: found.text(3).map(str::to_owned),
            });
            Ok(())
        })
    }

    fn read_quarantined(&mut self, audit: &Audit<'_>) -> Result<()> {
        let path = audit.bundle.path(&format!("data/quarantine/{}.parquet", self.entity));
        read::scan_if_there(&path, &[Extra::ROW], &mut |found| {
            if let Some(row) = self.stray(found.row(0)) {
                self.quarantined[row] = self.quarantined[row].saturating_add(1);
            }
            Ok(())
        })
    }

    fn read_dropped(&mut self, audit: &Audit<'_>) -> Result<()> {
        let path = audit.bundle.path(&format!("data/dropped/{}.parquet", self.entity));
        read::scan_if_there(&path, &[Extra::ROW], &mut |found| {
            self.dropped.resize(self.rows, 0);
            if let Some(row) = self.stray(found.row(0)) {
                self.dropped[row] = self.dropped[row].saturating_add(1);
            }
            Ok(())
        })
    }

    /// Counts a row of a side file that names no row of this table.
    fn stray(&mut self, row: Option<usize>) -> Option<usize> {
        let found = row.filter(|row| *row < self.rows);
        self.strays.0 += u64::from(found.is_none());
        self.strays.1 += 1;
        found
    }

    /// Whether a row became a target row or stands on one.
    pub(super) fn is_migrated(&self, row: usize) -> bool {
        self.onto.iter().any(|onto| onto.times(row) > 0)
    }

    /// Whether a row is in the target: migrated, or merged into a row that was there before.
    pub(super) fn is_there(&self, row: usize) -> bool {
        self.is_migrated(row) || self.merged_into(row).any(|merged| merged.entity.is_some())
    }

    fn merged_into(&self, row: usize) -> impl Iterator<Item = &Merged> {
        let from = self.merged.partition_point(|merged| merged.row < row);
        self.merged[from..].iter().take_while(move |merged| merged.row == row)
    }

    /// How many quarantined rows are only links.
    pub(super) fn quarantined_links(&self) -> u64 {
        self.only_links.iter().map(|row| u64::from(self.quarantined[*row])).sum()
    }

    /// How often a row is listed as dropped by a rule.
    pub(super) fn dropped_times(&self, row: usize) -> u8 {
        self.dropped.get(row).copied().unwrap_or_default()
    }

    /// Whether a rule drops a row.
    pub(super) fn is_dropped(&self, row: usize) -> bool {
        let mut cases = self.onto.iter().filter_map(|onto| onto.cases.as_ref());
        cases.any(|cases| cases.is_dropped(row))
    }

    /// Whether a row is in exactly one place: in all its targets as often as it must, merged,
    /// quarantined, or dropped as a rule says.
    pub(super) fn is_accounted(&self, row: usize) -> bool {
        let aside = self.merged_times[row].saturating_add(self.quarantined[row]);
        let mut onto = self.onto.iter();
        match (self.is_dropped(row), self.dropped_times(row), aside) {
            (true, 1, 0) | (false, 0, 1) => onto.all(|onto| onto.times(row) == 0),
            (false, 0, 0) => {
                let is_whole = |onto: &Onto| {
                    (1..).contains(&onto.wanted(row)) && onto.times(row) == onto.wanted(row)
                };
                !self.onto.is_empty() && onto.all(is_whole)
            }
            _ => false,
        }
    }

    /// What went into the target of this name.
    pub(super) fn onto(&self, target: &str) -> Option<&Onto> {
        self.onto.iter().find(|onto| onto.target == target)
    }

    /// The rows with this id.
    pub(super) fn find(&self, id: u128) -> impl Iterator<Item = usize> {
        self.index().find(&self.ids, id)
    }

    /// The rows with the id of this row, which has one; itself, and rarely another.
    pub(super) fn alike(&self, row: usize) -> impl Iterator<Item = usize> {
        let has_twins = self.index().has_twins();
        let others = has_twins.then(|| self.find(self.ids[row]));
        (!has_twins).then_some(row).into_iter().chain(others.into_iter().flatten())
    }

    /// Reads the rows' own ids as far as they are no UUID; [`Legacy::own_id`] then knows them.
    pub(super) fn own_ids(&self, by_value: bool) -> Result<()> {
        if self.odd_ids.get().is_none() {
            let ids = OddIds::read(self.path.as_deref(), &self.odd, by_value)?;
            // Another thread may have read the same.
            drop(self.odd_ids.set(ids));
        }
        Ok(())
    }

    /// The id that a row has in the source, once [`Legacy::own_ids`] has read them.
    pub(super) fn own_id(&self, row: usize) -> Option<OwnId<'_>> {
        let odd = self.odd_ids.get().and_then(|ids| ids.of(row)).map(OwnId::Text);
        odd.or_else(|| Some(self.ids[row]).filter(|id| *id != NONE).map(OwnId::Uuid))
    }

    fn index(&self) -> &Index {
        self.index.get_or_init(|| Index::new(&self.ids))
    }

    /// What an id leads to in a target table.
    pub(super) fn heir(&self, table: &Table, id: u128) -> Heir {
        self.heir_among(table, self.find(id))
    }

    /// What the rows of one id lead to in a target table.
    pub(super) fn heir_among(&self, table: &Table, rows: impl Iterator<Item = usize>) -> Heir {
        let mut heir = Heir::Unknown;
        for row in rows {
            heir = Heir::Dead;
            if let Some(id) = self.stands(table, row) {
                return Heir::Alive(id);
            }
        }
        heir
    }

    /// The id of the target row that a row became, was adopted by or merged into.
    pub(super) fn stands(&self, table: &Table, row: usize) -> Option<u128> {
        let onto = self.onto(&table.entity)?;
        if let Some(at) = onto.at(row) {
            return Some(table.ids[at]);
        }
        onto.adopted(row).or_else(|| {
            self.merged_into(row)
                .filter(|merged| merged.entity.as_deref() == Some(&table.entity))
                .map(|merged| merged.id)
                .find(|id| *id != NONE)
        })
    }

    /// A row as a sample names it.
    pub(super) fn place(&self, row: usize) -> String {
        place(&self.entity, self.path.as_deref(), row)
    }

    /// The id of a row as a sample shows it.
    pub(super) fn shown(&self, row: usize) -> String {
        shown(self.path.as_deref(), row)
    }
}
