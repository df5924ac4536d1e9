//! The ids that the rows of a legacy table have in the source.

use std::cmp::Ordering;
use std::path::Path;

use super::bits::Bits;
use super::key;
use super::read;
use super::table::narrow;
use crate::error::Result;

/// The texts of the ids that are no UUID, one after another: of such a row its text and 12 bytes.
#[derive(Debug, Default)]
pub(super) struct OddIds {
    rows: Vec<u32>,
    ends: Vec<usize>,
    text: String,
}

impl OddIds {
    /// Reads the texts of the rows that are marked; blank ones are none.
    pub(super) fn read(path: Option<&Path>, odd: &Bits) -> Result<Self> {
        let mut ids = Self::default();
        let Some(path) = path.filter(|_| !odd.is_clear()) else { return Ok(ids) };
        read::scan(path, &["id"], &mut |row| {
            let id = row.text(0).filter(|id| odd.get(row.number) && !key::is_blank(id));
            if let Some(id) = id {
                ids.rows.push(narrow(row.number)?);
                ids.text.push_str(id);
                ids.ends.push(ids.text.len());
            }
            Ok(())
        })?;
        Ok(ids)
    }

    /// The text of a row's id, when it is no UUID.
    pub(super) fn of(&self, row: usize) -> Option<&str> {
        let at = self.rows.binary_search_by_key(&row, |row| *row as usize).ok()?;
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        Some(&self.text[start..self.ends[at]])
    }
}

/// An id as the source has it; ids sort as their texts do, a UUID as in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OwnId<'a> {
    Uuid(u128),
    Text(&'a str),
}

impl Ord for OwnId<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        match (*self, *other) {
            (OwnId::Uuid(a), OwnId::Uuid(b)) => a.cmp(&b),
            (OwnId::Text(a), OwnId::Text(b)) => a.cmp(b),
            (OwnId::Uuid(a), OwnId::Text(b)) => key::uuid_text(a).as_str().cmp(b),
            (OwnId::Text(a), OwnId::Uuid(b)) => a.cmp(key::uuid_text(b).as_str()),
        }
    }
}

impl PartialOrd for OwnId<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
