//! Rows that are found by a key: the value of an attribute.

use super::facts::{Audit, Heir};
use super::key::{self, NONE};
use super::naming::type_of;
use super::read;
use super::table::narrow;
use crate::digest::Value;
use crate::error::Result;

/// Rows of an entity by the value of an attribute.
pub(super) struct Keyed {
    entity: String,
    rows: Vec<(u128, u32)>,
    /// Whether a key leads to rows that were set aside too, and one of blanks alone to none.
    is_by_source: bool,
}

impl Keyed {
    pub(super) fn read(audit: &Audit<'_>, entity: &str, attr: &str) -> Result<Self> {
        let is_by_source = audit.is_judged_by_source();
        let mut keyed = Self { entity: entity.to_owned(), rows: Vec::new(), is_by_source };
        let legacy = audit.legacy(entity)?;
        let ty = type_of(&audit.contract.before.schema, entity, attr);
        if let Some(path) = &legacy.path {
            read::scan(path, &[attr], &mut |row| {
                let key = keyed.key(row.value(0, ty));
                if key != NONE {
                    keyed.rows.push((key, narrow(row.number)?));
                }
                Ok(())
            })?;
        }
        keyed.rows.sort_unstable();
        Ok(keyed)
    }

    /// A value as a key; [`NONE`] when it is none.
    pub(super) fn key(&self, value: Value<'_>) -> u128 {
        match value {
            Value::Text(text) if self.is_by_source && key::is_blank(text) => NONE,
            value => key::value_hash128(value),
        }
    }

    /// What the rows with a key lead to in a target: the one row of it, when one of them is there;
    /// nothing, when several are, or no row has the key; else a row that was set aside.
    pub(super) fn heir(&self, audit: &Audit<'_>, to: &str, key: u128) -> Heir {
        let (Some(legacy), Some(table)) = (audit.legacy.get(&self.entity), audit.tables.get(to))
        else {
            return Heir::Unknown;
        };
        let mut ids: Vec<u128> = self.of(key).filter_map(|row| legacy.stands(table, row)).collect();
        ids.sort_unstable();
        ids.dedup();
        let mut aside = self.of(key).filter(|row| legacy.ids[*row] != NONE);
        match ids[..] {
            [id] => Heir::Alive(id),
            [] if self.is_by_source && aside.next().is_some() => Heir::Dead,
            _ => Heir::Unknown,
        }
    }

    /// The rows with a key.
    pub(super) fn of(&self, key: u128) -> impl Iterator<Item = usize> {
        let from = self.rows.partition_point(|(found, _)| *found < key);
        let rows = self.rows[from..].iter().take_while(move |(found, _)| *found == key);
        rows.filter(move |_| key != NONE).map(|(_, row)| *row as usize)
    }
}
