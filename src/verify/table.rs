//! The target tables of a bundle, as verification keeps them.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use super::key::{self, NONE};
use super::read;
use crate::bundle::{Bundle, Origin};
use crate::error::{Error, Result};

/// No row.
pub(super) const NO_ROW: u32 = u32::MAX;

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

impl Table {
    pub(super) fn read(bundle: &Bundle, entity: &str) -> Result<Self> {
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

/// A row number as it is kept.
pub(super) fn narrow(row: usize) -> Result<u32> {
    u32::try_from(row)
        .ok()
        .filter(|row| *row != NO_ROW)
        .ok_or_else(|| Error::usage("a table has more than 4,294,967,294 rows"))
}

/// A row with its id, which is read anew: samples are few.
pub(super) fn place(entity: &str, path: Option<&Path>, row: usize) -> String {
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
pub(super) fn sorted(ids: &[u128]) -> Vec<u32> {
    let places = (0_u32..).zip(ids).filter(|(_, id)| **id != NONE);
    let mut places: Vec<u32> = places.map(|(at, _)| at).collect();
    places.sort_by_key(|at| (ids[*at as usize], *at));
    places
}

pub(super) fn find(ids: &[u128], sorted: &[u32], id: u128) -> impl Iterator<Item = usize> {
    let from = sorted.partition_point(|at| ids[*at as usize] < id);
    sorted[from..].iter().map(|at| *at as usize).take_while(move |at| ids[*at] == id)
}
