//! What verification keeps of every row: ids as 128-bit keys, row numbers, fates. Never payload.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::firsts::Firsts;
use super::key;
use super::legacy::Legacy;
use super::naming::no_link;
use super::slots::Slots;
use super::table::Table;
use crate::bundle::Bundle;
use crate::contract::Contract;
use crate::error::{Error, Result};
use crate::schema::{Entity, Link};
use crate::snapshot::Snapshot;
use crate::threads::side_by_side;

/// Everything the rules look at.
pub(super) struct Audit<'a> {
    pub(super) bundle: &'a Bundle,
    pub(super) snapshot: &'a Snapshot,
    pub(super) contract: &'a Contract,
    /// The bundle's target tables, by entity.
    pub(super) tables: BTreeMap<String, Table>,
    /// The snapshot's legacy tables, by entity.
    pub(super) legacy: BTreeMap<String, Legacy>,
    /// What the legacy rows name by each link, by entity and label.
    firsts: BTreeMap<(String, String), Firsts>,
    /// The places of the rows of target tables whose rows are split or numbered.
    slots: BTreeMap<String, Slots>,
    /// What ids are derived in.
    pub(super) space: Uuid,
    /// How many threads may work.
    pub(super) threads: usize,
    /// The folders whose files queries name by views, when it is queries alone that are wanted.
    pub(super) views: Option<Views<'a>>,
}

/// The folders of a bundle and its snapshot, whose files queries name by views.
#[derive(Debug, Clone, Copy)]
pub(super) struct Views<'a> {
    pub(super) bundle: &'a Path,
    pub(super) snapshot: &'a Path,
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
        threads: usize,
    ) -> Result<Self> {
        let names = |entities: &'a [Entity]| entities.iter().map(|entity| entity.name.as_str());
        let after: Vec<&str> = names(&contract.after.schema.entities).collect();
        let before: Vec<&str> = names(&contract.before.schema.entities).collect();
        let rows = |entity: &str| snapshot.table(entity).map_or(0, |table| table.rows);
        let sizes: Vec<u64> = before.iter().map(|entity| rows(entity)).collect();
        let tables = side_by_side(threads, &vec![1; after.len()], |at| {
            Ok((after[at].to_owned(), Table::read(bundle, after[at])?))
        })?;
        let legacy = side_by_side(threads, &sizes, |at| Legacy::read(snapshot, before[at]))?;
        let mut audit = Self {
            bundle,
            snapshot,
            contract,
            tables: tables.into_iter().collect(),
            legacy: BTreeMap::new(),
            firsts: BTreeMap::new(),
            slots: BTreeMap::new(),
            space: key::space(&contract.namespace),
            threads,
            views: None,
        };
        for (entity, mut legacy) in before.into_iter().zip(legacy) {
            legacy.read_fates(&audit)?;
            audit.legacy.insert(entity.to_owned(), legacy);
        }
        audit.firsts = audit.read_firsts()?;
        for transform in contract.transforms.iter().filter(|transform| transform.splits()) {
            let slots = Slots::read(&audit, transform)?;
            audit.slots.insert(transform.target.clone(), slots);
        }
        Ok(audit)
    }

    fn read_firsts(&self) -> Result<BTreeMap<(String, String), Firsts>> {
        let links = self.contract.before.schema.links.iter();
        let links: Vec<&Link> = links.filter(|link| self.legacy.contains_key(&link.on)).collect();
        let rows = |link: &&Link| self.legacy.get(&link.on).map_or(0, |legacy| legacy.rows as u64);
        let sizes: Vec<u64> = links.iter().map(rows).collect();
        let found = side_by_side(self.threads, &sizes, |at| {
            let link = links[at];
            Ok(((link.on.clone(), link.label.clone()), Firsts::read(self, link)?))
        })?;
        Ok(found.into_iter().collect())
    }

    /// Whether the bundle keeps to the rules since format 3: see [`crate::bundle::Meta`].
    pub(super) fn is_judged_by_source(&self) -> bool {
        self.bundle.meta().is_judged_by_source()
    }

    /// Whether a legacy row counts where one of several is to be found: it is in the target, be it by a
    /// row that was there before. In bundles before format 3 only migrated rows count.
    pub(super) fn counts(&self, legacy: &Legacy, row: usize) -> bool {
        if self.is_judged_by_source() { legacy.is_there(row) } else { legacy.is_migrated(row) }
    }

    /// What the rows of a legacy table name by a link.
    pub(super) fn firsts(&self, entity: &str, label: &str) -> Result<&Firsts> {
        let name = (entity.to_owned(), label.to_owned());
        self.firsts.get(&name).ok_or_else(|| no_link(entity, label))
    }

    /// The places of the rows of a target table, where a contract splits or numbers them.
    pub(super) fn slots(&self, target: &str) -> Option<&Slots> {
        self.slots.get(target)
    }

    /// What stands for a target row made from this legacy row in what is kept by row: the legacy row
    /// itself or, where one becomes several, the slot; `None` when the row's id is none that it gives.
    pub(super) fn slot(&self, target: &str, row: usize, source: usize) -> Option<usize> {
        self.slots(target).map_or(Some(source), |slots| slots.of(row, source))
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

    /// How many legacy rows the snapshot has: what shares in limits are of.
    pub(super) fn legacy_rows(&self) -> u64 {
        let tables = self.snapshot.meta().tables.iter();
        let legacy = tables.filter(|table| self.legacy.contains_key(&table.entity));
        legacy.map(|table| table.rows).sum()
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
