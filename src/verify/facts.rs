//! What verification keeps of every row: ids as 128-bit keys, row numbers, fates. Never payload.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::legacy::Legacy;
use super::table::Table;
use crate::bundle::Bundle;
use crate::contract::{Contract, Transform};
use crate::error::{Error, Result};
use crate::snapshot::Snapshot;

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
