//! The target tables of a bundle, as verification keeps them.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::bits::Bits;
use super::index::Index;
use super::key;
use super::read;
use crate::bundle::{Bundle, Origin};
use crate::error::{Error, Result};

/// No row.
pub(super) const NO_ROW: u32 = u32::MAX;
/// A row that is named and is not there.
pub(super) const LOST: u32 = NO_ROW - 1;

/// A target table of the bundle, in the order of its file.
pub(super) struct Table {
    pub(super) entity: String,
    pub(super) path: PathBuf,
    /// Key of every row's id.
    pub(super) ids: Vec<u128>,
    /// Whether every id is a UUID in lower case.
    pub(super) is_lower: bool,
    /// The row every row came from, or [`NO_ROW`].
    from: Vec<u32>,
    /// The rows that were carried from the snapshot's table.
    existing: Bits,
    index: OnceLock<Index>,
}

impl Table {
    pub(super) fn read(bundle: &Bundle, entity: &str) -> Result<Self> {
        let path = bundle.path(&format!("data/parquet/{entity}.parquet"));
        let rows = if path.exists() { read::rows(&path)? } else { 0 };
        narrow(rows)?;
        let (mut ids, mut from) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
        let (mut existing, mut is_lower) = (Bits::new(rows), true);
        let columns = ["id", Origin::ORIGIN, Origin::SOURCE_ROW];
        read::scan_if_there(&path, &columns, &mut |row| {
            let lower = row.text(0).and_then(key::lower_uuid).filter(|id| *id != key::NONE);
            is_lower &= lower.is_some();
            ids.push(lower.unwrap_or_else(|| key::link_key(row.text(0))));
            let source = row.row(2).and_then(|row| u32::try_from(row).ok());
            let source = source.filter(|row| *row != NO_ROW);
            from.push(match (row.text(1), source) {
                (Some(Origin::MIGRATED), Some(source)) => source,
                (Some(Origin::EXISTING), Some(source)) => {
                    existing.set(row.number);
                    source
                }
                _ => NO_ROW,
            });
            Ok(())
        })?;
        let index = OnceLock::new();
        Ok(Self { entity: entity.to_owned(), path, ids, is_lower, from, existing, index })
    }

    pub(super) fn rows(&self) -> usize {
        self.ids.len()
    }

    /// The legacy row a row was made from.
    pub(super) fn migrated(&self, row: usize) -> Option<usize> {
        self.source(row).filter(|_| !self.existing.get(row))
    }

    /// The row of the snapshot's table that a row was carried from.
    pub(super) fn existing(&self, row: usize) -> Option<usize> {
        self.source(row).filter(|_| self.existing.get(row))
    }

    fn source(&self, row: usize) -> Option<usize> {
        Some(self.from[row]).filter(|source| *source != NO_ROW).map(|source| source as usize)
    }

    /// How many rows were made from legacy ones, and how many were carried.
    pub(super) fn counts(&self) -> (u64, u64) {
        let known = self.from.iter().filter(|source| **source != NO_ROW).count() as u64;
        let existing = self.existing.count();
        (known - existing, existing)
    }

    /// A row with this id.
    pub(super) fn find(&self, id: u128) -> Option<usize> {
        self.index().find(&self.ids, id).next()
    }

    /// Whether no other row has the id of this one.
    pub(super) fn is_alone(&self, row: usize) -> bool {
        !self.index().has_twins()
            || self.index().find(&self.ids, self.ids[row]).all(|other| other == row)
    }

    /// Whether every row has a UUID in lower case for its id, and no two share one.
    pub(super) fn has_own_ids(&self) -> bool {
        self.is_lower && !self.index().has_twins()
    }

    fn index(&self) -> &Index {
        self.index.get_or_init(|| Index::new(&self.ids))
    }

    /// A row as a sample names it.
    pub(super) fn place(&self, row: usize) -> String {
        place(&self.entity, Some(&self.path), row)
    }

    /// The id of a row as a sample shows it.
    pub(super) fn shown(&self, row: usize) -> String {
        shown(Some(&self.path), row)
    }
}

/// A row number as it is kept.
pub(super) fn narrow(row: usize) -> Result<u32> {
    u32::try_from(row)
        .ok()
        .filter(|row| *row < LOST)
        .ok_or_else(|| Error::usage("a table has more than 4,294,967,293 rows"))
}

/// A row with its id, which is read anew: samples are few.
pub(super) fn place(entity: &str, path: Option<&Path>, row: usize) -> String {
    format!("{entity} row {row} ({})", shown(path, row))
}

/// The id of a row as a sample shows it.
pub(super) fn shown(path: Option<&Path>, row: usize) -> String {
    let mut id = None;
    if let Some(path) = path {
        // A row that cannot be read is named without its id.
        drop(read::pick(path, &["id"], &[row], &mut |found| {
            id = Some(key::shown(found.text(0)));
            Ok(())
        }));
    }
    id.unwrap_or_else(|| "no such row".to_owned())
}
