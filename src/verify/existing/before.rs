//! The rows of a target entity that existed before, as the snapshot has them.

use std::path::PathBuf;

use super::super::facts::Audit;
use super::super::files::Dropped;
use super::super::key::{self, NONE};
use super::super::table::{Table, place};
use super::super::{only_links, read};
use crate::error::Result;
use crate::snapshot::Extra;

/// The table of a target entity in the snapshot.
pub(super) struct Before {
    pub(super) path: Option<PathBuf>,
    pub(super) rows: usize,
    /// Key of the id and of the digest, by row.
    pub(super) keys: Vec<(u128, u128)>,
    /// How often a row is carried.
    pub(super) times: Vec<u8>,
    /// Rows that are only links.
    pub(super) only_links: Vec<usize>,
}

impl Before {
    pub(super) fn read(audit: &Audit<'_>, table: &Table) -> Result<Self> {
        let found = audit.snapshot.table(&table.entity);
        let path = found.map(|found| audit.snapshot.path(&found.file)).filter(|path| path.exists());
        let mut keys = Vec::new();
        if let Some(path) = &path {
            read::scan(path, &["id", Extra::DIGEST], &mut |row| {
                let digest = row.text(1).unwrap_or_default();
                keys.push((key::link_key(row.text(0)), key::hash128(digest.as_bytes())));
                Ok(())
            })?;
        }
        let mut times = vec![0_u8; keys.len()];
        for row in (0..table.rows()).filter_map(|row| table.existing(row)) {
            if let Some(times) = times.get_mut(row) {
                *times = times.saturating_add(1);
            }
        }
        let declared = audit.contract.after.schema.entity(&table.entity);
        let ids = keys.iter().map(|(id, _)| *id);
        let only_links = only_links::rows(path.as_deref(), declared, ids)?;
        Ok(Self { path, rows: keys.len(), keys, times, only_links })
    }

    /// Rows that are only links, all of which are listed as dropped.
    pub(super) fn lost_links(
        &self,
        audit: &Audit<'_>,
        table: &Table,
        dropped: &Dropped,
    ) -> Result<Vec<usize>> {
        let labels = audit.contract.after.schema.columns_of(&table.entity);
        let labels: Vec<&str> = labels.map(|link| link.label.as_str()).collect();
        let mut found = Vec::new();
        let Some(path) = &self.path else { return Ok(found) };
        read::pick(path, &labels, &self.only_links, &mut |row| {
            let number = self.only_links[row.number];
            let is_listed = |(at, label): (usize, &&str)| {
                key::link_key(row.text(at)) == NONE || dropped.has(&table.entity, label, number)
            };
            if labels.iter().enumerate().all(is_listed) {
                found.push(number);
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// A row as a sample names it.
    pub(super) fn place(&self, entity: &str, row: usize) -> String {
        place(&format!("{entity} of the snapshot"), self.path.as_deref(), row)
    }

    /// Rows that are not carried and equal a carried one of the same id.
    pub(super) fn merged(&self) -> Vec<bool> {
        let mut carried: Vec<(u128, u128)> = Vec::new();
        carried.extend(self.keys.iter().zip(&self.times).filter(|(_, t)| **t > 0).map(|(k, _)| *k));
        carried.sort_unstable();
        let is_merged = |(key, times): (&(u128, u128), &u8)| {
            *times == 0 && key.0 != NONE && carried.binary_search(key).is_ok()
        };
        self.keys.iter().zip(&self.times).map(is_merged).collect()
    }
}
