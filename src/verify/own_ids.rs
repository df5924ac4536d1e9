//! The ids that the rows of a legacy table have in the source, as they are put in order.

use std::cmp::Ordering;
use std::path::Path;

use super::bits::Bits;
use super::key;
use super::read;
use super::table::narrow;
use crate::contract::ID_DIGITS;
use crate::error::Result;

/// The texts by which ids are put in order that are no UUID, one after another: of such a row its text
/// and 12 bytes. Of a whole number its value comes first ([`crate::contract::OrderKey::Id`]).
#[derive(Debug, Default)]
pub(super) struct OddIds {
    rows: Vec<u32>,
    ends: Vec<usize>,
    text: String,
}

impl OddIds {
    /// Reads the texts of the rows that are marked; blank ones are none. In bundles before format 3
    /// numbers are texts as any other.
    pub(super) fn read(path: Option<&Path>, odd: &Bits, by_value: bool) -> Result<Self> {
        let mut ids = Self::default();
        let Some(path) = path.filter(|_| !odd.is_clear()) else { return Ok(ids) };
        read::scan(path, &["id"], &mut |row| {
            let id = row.text(0).filter(|id| odd.get(row.number) && !key::is_blank(id));
            if let Some(id) = id {
                ids.rows.push(narrow(row.number)?);
                let is_whole = || id.bytes().all(|byte| byte.is_ascii_digit());
                if by_value && id.len() <= ID_DIGITS && is_whole() {
                    ids.text.extend(std::iter::repeat_n('0', ID_DIGITS - id.len()));
                    ids.text.push_str(id);
                    ids.text.push(' ');
                }
                ids.text.push_str(id);
                ids.ends.push(ids.text.len());
            }
            Ok(())
        })?;
        Ok(ids)
    }

    /// The text of a row, when its id is no UUID.
    pub(super) fn of(&self, row: usize) -> Option<&str> {
        let at = self.rows.binary_search_by_key(&row, |row| *row as usize).ok()?;
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        Some(&self.text[start..self.ends[at]])
    }
}

/// What puts a row's id in order: ids sort as these texts do, a UUID as in lower case.
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
