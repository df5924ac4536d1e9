//! What verification keeps of every row: ids as 128-bit keys, row numbers, fates. Never payload.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::key::{self, NONE};
use super::read;
use crate::bundle::{Bundle, Origin};
use crate::contract::{Contract, Transform};
use crate::error::{Error, Result};
use crate::snapshot::{Extra, Snapshot};

/// No row.
const NO_ROW: u32 = u32::MAX;

/// Everything the rules look at.
pub(super) struct Audit<'a> {
    pub(super) bundle: &'a Bundle,
    pub(super) snapshot: &'a Snapshot,
    pub(super) contract: &'a Contract,
    /// The bundle's target tables, by entity.
    pub(super) tables: BTreeMap<String, Table>,
    /// The snapshot's legacy tables, by entity.
    pub(super) legacy: BTreeMap<String, Legacy>,
}

/// A target table of the bundle, in the order of its file.
pub(super) struct Table {
    pub(super) entity: String,
    pub(super) path: PathBuf,
    /// Key of every row's id.
    pub(super) ids: Vec<u128>,
    from: Vec<From>,
    sorted: OnceCell<Vec<u32>>,
}

/// Where a target row came from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum From {
    Migrated(u32),
    Existing(u32),
    Nowhere,
}

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
    sorted: OnceCell<Vec<u32>>,
    /// One for each transform out of this entity.
    pub(super) onto: Vec<Onto>,
    /// The rows of `data/merged`, as they stand.
    pub(super) merged: Vec<Merged>,
    /// How often a row is merged.
    pub(super) merged_times: Vec<u8>,
    /// How often a row is quarantined.
    pub(super) quarantined: Vec<u8>,
    /// Rows whose `_row` is not their place.
    pub(super) misplaced: u64,
    /// Rows of the side files that name no row of the snapshot, with the rows there are.
    pub(super) strays: (u64, u64),
}

/// Which target rows the rows of a legacy table became.
pub(super) struct Onto {
    pub(super) target: String,
    /// How often a legacy row was migrated.
    pub(super) seen: Vec<u8>,
    at: Vec<u32>,
    /// Legacy rows that stand on an existing row, by row: (row, id).
    pub(super) adopted: Vec<(u32, u128)>,
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

/// What an id of the source leads to in a target table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heir {
    /// The source has no such row.
    Unknown,
    /// The source has it; the target has not.
    Dead,
    /// The target row of this id.
    Alive(u128),
}

impl<'a> Audit<'a> {
    /// Reads the narrow columns of every table once.
    pub(super) fn read(
        bundle: &'a Bundle,
        snapshot: &'a Snapshot,
        contract: &'a Contract,
    ) -> Result<Self> {
        let mut tables = BTreeMap::new();
        for entity in &contract.after.schema.entities {
            tables.insert(entity.name.clone(), Table::read(bundle, &entity.name)?);
        }
        let mut audit = Self { bundle, snapshot, contract, tables, legacy: BTreeMap::new() };
        for entity in &contract.before.schema.entities {
            let legacy = Legacy::read(&audit, &entity.name)?;
            audit.legacy.insert(entity.name.clone(), legacy);
        }
        Ok(audit)
    }

    /// A target table; the contract names it, so it is there.
    pub(super) fn table(&self, entity: &str) -> Result<&Table> {
        self.tables.get(entity).ok_or_else(|| unknown(entity))
    }

    /// A legacy table; the contract names it, so it is there.
    pub(super) fn legacy(&self, entity: &str) -> Result<&Legacy> {
        self.legacy.get(entity).ok_or_else(|| unknown(entity))
    }

    /// What an id of a row of `entity` leads to in the table of `target`. An id of an entity that
    /// is a target one itself leads to the row that existed.
    pub(super) fn heir(&self, entity: &str, target: &str, id: u128) -> Heir {
        let Some(table) = self.tables.get(target) else { return Heir::Unknown };
        match self.legacy.get(entity) {
            Some(legacy) => legacy.heir(table, id),
            None => match table.find(id).filter(|row| table.existing(*row).is_some()) {
                Some(_) => Heir::Alive(id),
                None => Heir::Unknown,
            },
        }
    }

    /// The transform whose rows take over the ids of a legacy entity.
    pub(super) fn heir_of(&self, entity: &str) -> Option<&'a Transform> {
        let contract = self.contract;
        let keeps = |transform: &&Transform| transform.id.from.first().is_some_and(|id| id == "id");
        let mut of = contract.transforms.iter().filter(|transform| transform.source == entity);
        of.clone().find(keeps).or_else(|| of.next())
    }

    /// A file of the bundle, and whether it is there.
    pub(super) fn file(&self, file: &str) -> (PathBuf, bool) {
        let path = self.bundle.path(file);
        let there = path.exists();
        (path, there)
    }
}

fn unknown(entity: &str) -> Error {
    Error::bug(format!("the contract has no entity `{entity}`"))
}

fn narrow(row: usize) -> Result<u32> {
    u32::try_from(row)
        .ok()
        .filter(|row| *row != NO_ROW)
        .ok_or_else(|| Error::usage("a table has more than 4,294,967,294 rows"))
}

impl Table {
    fn read(bundle: &Bundle, entity: &str) -> Result<Self> {
        let path = bundle.path(&format!("data/parquet/{entity}.parquet"));
        let (mut ids, mut from) = (Vec::new(), Vec::new());
        let columns = ["id", Origin::ORIGIN, Origin::SOURCE_ROW];
        read::scan_if_there(&path, &columns, &mut |row| {
            ids.push(key::link_key(row.text(0)));
            let source = row.row(2).and_then(|row| u32::try_from(row).ok());
            from.push(match (row.text(1), source.filter(|row| *row != NO_ROW)) {
                (Some(Origin::MIGRATED), Some(row)) => From::Migrated(row),
                (Some(Origin::EXISTING), Some(row)) => From::Existing(row),
                _ => From::Nowhere,
            });
            Ok(())
        })?;
        narrow(ids.len())?;
        Ok(Self { entity: entity.to_owned(), path, ids, from, sorted: OnceCell::new() })
    }

    pub(super) fn rows(&self) -> usize {
        self.ids.len()
    }

    /// The legacy row a row was made from.
    pub(super) fn migrated(&self, row: usize) -> Option<usize> {
        match self.from[row] {
            From::Migrated(source) => Some(source as usize),
            _ => None,
        }
    }

    /// The row of the snapshot's table that a row was carried from.
    pub(super) fn existing(&self, row: usize) -> Option<usize> {
        match self.from[row] {
            From::Existing(source) => Some(source as usize),
            _ => None,
        }
    }

    /// How many rows were made from legacy ones, and how many were carried.
    pub(super) fn counts(&self) -> (u64, u64) {
        let migrated = self.from.iter().filter(|from| matches!(from, From::Migrated(_))).count();
        let existing = self.from.iter().filter(|from| matches!(from, From::Existing(_))).count();
        (migrated as u64, existing as u64)
    }

    /// A row with this id.
    pub(super) fn find(&self, id: u128) -> Option<usize> {
        find(&self.ids, self.sorted(), id).next()
    }

    /// Whether no other row has the id of this one.
    pub(super) fn is_alone(&self, row: usize) -> bool {
        find(&self.ids, self.sorted(), self.ids[row]).all(|other| other == row)
    }

    fn sorted(&self) -> &[u32] {
        self.sorted.get_or_init(|| sorted(&self.ids))
    }

    /// A row as a sample names it.
    pub(super) fn place(&self, row: usize) -> String {
        place(&self.entity, Some(&self.path), row)
    }
}

impl Legacy {
    fn read(audit: &Audit<'_>, entity: &str) -> Result<Self> {
        let table = audit.snapshot.table(entity);
        let path = table.map(|table| audit.snapshot.path(&table.file)).filter(|path| path.exists());
        let file = format!("data/tables/{entity}.parquet");
        let mut legacy = Self {
            entity: entity.to_owned(),
            file: table.map_or(file, |table| table.file.clone()),
            rows: 0,
            ids: Vec::new(),
            sorted: OnceCell::new(),
            onto: Vec::new(),
            merged: Vec::new(),
            merged_times: Vec::new(),
            quarantined: Vec::new(),
            misplaced: 0,
            strays: (0, 0),
            path,
        };
        legacy.read_ids()?;
        for transform in audit.contract.transforms_of(entity) {
            let onto = legacy.read_onto(audit, &transform.target)?;
            legacy.onto.push(onto);
        }
        legacy.read_merged(audit)?;
        legacy.merged.sort_by_key(|merged| merged.row);
        legacy.read_quarantined(audit)?;
        Ok(legacy)
    }

    fn read_ids(&mut self) -> Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let (ids, misplaced) = (&mut self.ids, &mut self.misplaced);
        read::scan(path, &["id", Extra::ROW], &mut |row| {
            *misplaced += u64::from(row.row(1) != Some(row.number));
            ids.push(key::link_key(row.text(0)));
            Ok(())
        })?;
        self.rows = self.ids.len();
        self.merged_times = vec![0; self.rows];
        self.quarantined = vec![0; self.rows];
        narrow(self.rows).map(|_| ())
    }

    fn read_onto(&mut self, audit: &Audit<'_>, target: &str) -> Result<Onto> {
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
            match self.stray(row.row(0)) {
                Some(legacy) => adopted.push((narrow(legacy)?, key::link_key(row.text(2)))),
                None => {}
            }
            Ok(())
        })?;
        adopted.sort_unstable();
        Ok(Onto { target: target.to_owned(), seen, at, adopted })
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

    /// Whether a row is in exactly one place: in all its targets, merged, or quarantined.
    pub(super) fn is_accounted(&self, row: usize) -> bool {
        let aside = self.merged_times[row].saturating_add(self.quarantined[row]);
        let mut onto = self.onto.iter();
        match aside {
            0 => !self.onto.is_empty() && onto.all(|onto| onto.times(row) == 1),
            1 => onto.all(|onto| onto.times(row) == 0),
            _ => false,
        }
    }

    /// What went into the target of this name.
    pub(super) fn onto(&self, target: &str) -> Option<&Onto> {
        self.onto.iter().find(|onto| onto.target == target)
    }

    /// The rows with this id.
    pub(super) fn find(&self, id: u128) -> impl Iterator<Item = usize> {
        find(&self.ids, self.sorted.get_or_init(|| sorted(&self.ids)), id)
    }

    fn heir(&self, table: &Table, id: u128) -> Heir {
        let mut heir = Heir::Unknown;
        for row in self.find(id) {
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
            let from = self.merged.partition_point(|merged| merged.row < row);
            let merged = self.merged[from..].iter().take_while(|merged| merged.row == row);
            merged
                .filter(|merged| merged.entity.as_deref() == Some(&table.entity))
                .map(|merged| merged.id)
                .find(|id| *id != NONE)
        })
    }

    /// A row as a sample names it.
    pub(super) fn place(&self, row: usize) -> String {
        place(&self.entity, self.path.as_deref(), row)
    }
}

impl Onto {
    /// The target row a legacy row became.
    pub(super) fn at(&self, row: usize) -> Option<usize> {
        Some(self.at[row]).filter(|at| *at != NO_ROW).map(|at| at as usize)
    }

    /// The id of the existing row a legacy row stands on.
    pub(super) fn adopted(&self, row: usize) -> Option<u128> {
        let from = self.adopted.partition_point(|(at, _)| (*at as usize) < row);
        self.adopted.get(from).filter(|(at, _)| *at as usize == row).map(|(_, id)| *id)
    }

    /// How often a legacy row became a target row or stands on one.
    pub(super) fn times(&self, row: usize) -> usize {
        let from = self.adopted.partition_point(|(at, _)| (*at as usize) < row);
        let adopted = self.adopted[from..].iter().take_while(|(at, _)| *at as usize == row);
        usize::from(self.seen[row]) + adopted.count()
    }
}

/// A row with its id, which is read anew: samples are few.
fn place(entity: &str, path: Option<&Path>, row: usize) -> String {
    let mut id = None;
    if let Some(path) = path {
        // A row that cannot be read is named without its id.
        drop(read::pick(path, &["id"], &[row], &mut |found| {
            id = Some(key::shown(found.text(0)));
            Ok(())
        }));
    }
    format!("{entity} row {row} ({})", id.as_deref().unwrap_or("no such row"))
}

/// The places of all keys but [`NONE`], in the order of the keys.
fn sorted(ids: &[u128]) -> Vec<u32> {
    let places = (0_u32..).zip(ids).filter(|(_, id)| **id != NONE);
    let mut places: Vec<u32> = places.map(|(at, _)| at).collect();
    places.sort_by_key(|at| (ids[*at as usize], *at));
    places
}

fn find(ids: &[u128], sorted: &[u32], id: u128) -> impl Iterator<Item = usize> {
    let from = sorted.partition_point(|at| ids[*at as usize] < id);
    sorted[from..].iter().map(|at| *at as usize).take_while(move |at| ids[*at] == id)
}
