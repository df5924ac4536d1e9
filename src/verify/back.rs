//! Rows that are found from the other side: by the row their link names, or by a key.

use super::facts::Audit;
use super::key::{self, NONE};
use super::naming::type_of;
use super::read;
use super::table::narrow;
use crate::digest::Value;
use crate::error::Result;
use crate::schema::Type;

/// Rows of an entity by the row their link names, in an order.
pub(super) struct Back {
    rows: Vec<BackRow>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct BackRow {
    /// The first row with the id that is named.
    to: u32,
    order: [u128; 2],
    row: u32,
    /// Whether `order` is all there is to say.
    whole: bool,
}

impl Back {
    /// Reads the rows of `entity` whose link `label` names a row, ordered by these columns.
    pub(super) fn read(
        audit: &Audit<'_>,
        entity: &str,
        label: &str,
        by: &[String],
    ) -> Result<Self> {
        let schema = &audit.contract.before.schema;
        let (firsts, mut rows) = (audit.firsts(entity, label)?, Vec::new());
        let Some(path) = &audit.legacy(entity)?.path else { return Ok(Self { rows }) };
        let by: Vec<&str> = by.iter().map(String::as_str).collect();
        let types: Vec<Type> = by.iter().map(|name| type_of(schema, entity, name)).collect();
        read::scan(path, &by, &mut |row| {
            let Some(to) = firsts.row(row.number) else { return Ok(()) };
            let mut found = BackRow {
                to: narrow(to)?,
                order: [0; 2],
                row: narrow(row.number)?,
                whole: by.len() <= 2,
            };
            for (at, ty) in types.iter().enumerate().take(2) {
                let (order, whole) = order_of(row.value(at, *ty));
                found.order[at] = order;
                found.whole &= whole;
            }
            rows.push(found);
            Ok(())
        })?;
        rows.sort_unstable();
        Ok(Self { rows })
    }

    /// Gives the rows that name a row, first ones first or last ones first: each with its rank.
    /// Of rows with one id, `to` is the first.
    pub(super) fn of(&self, to: usize, last: bool) -> Vec<(usize, usize)> {
        let from = self.rows.partition_point(|row| (row.to as usize) < to);
        let rows = self.rows[from..].iter().take_while(|row| row.to as usize == to);
        let mut rows: Vec<BackRow> = rows.copied().collect();
        if last {
            rows.reverse();
        }
        let Some(best) = rows.first().copied() else { return Vec::new() };
        // A row without its own time has the store's in the target: which comes first is unsure.
        let timeless = rows.iter().any(|row| row.order[0] == 0);
        let rank = |(at, row): (usize, &BackRow)| {
            let tie = timeless || row.order[0] == best.order[0] && !(row.whole && best.whole);
            (row.row as usize, if tie { 0 } else { at })
        };
        rows.iter().enumerate().map(rank).collect()
    }
}

/// A value as a number that sorts as it does, and whether that is all there is to say.
fn order_of(value: Value<'_>) -> (u128, bool) {
    match value {
        Value::Absent => (0, true),
        Value::Number(number) => (1 + u128::from(key::number_order(number)), true),
        Value::Date(micros) => (1 + u128::from(key::whole_order(micros)), true),
        Value::Boolean(value) => (1 + u128::from(value), true),
        Value::Text(text) | Value::Json(text) => match key::uuid(text) {
            Some(number) if key::is_lower_uuid(text) => (number, true),
            _ => (0, false),
        },
    }
}

/// Rows of an entity by the value of an attribute.
pub(super) struct Keyed {
    rows: Vec<(u128, u128)>,
}

impl Keyed {
    pub(super) fn read(audit: &Audit<'_>, entity: &str, attr: &str) -> Result<Self> {
        let mut rows = Vec::new();
        if let Some(path) = &audit.legacy(entity)?.path {
            read::scan(path, &["id", attr], &mut |row| {
                let (id, value) = (key::link_key(row.text(0)), row.text(1));
                if let Some(value) = value.filter(|_| id != NONE) {
                    rows.push((key::hash128(value.as_bytes()), id));
                }
                Ok(())
            })?;
        }
        rows.sort_unstable();
        rows.dedup();
        Ok(Self { rows })
    }

    /// The ids of the rows with a value.
    pub(super) fn of(&self, value: Option<&str>) -> impl Iterator<Item = u128> {
        let hash = value.map_or(NONE, |value| key::hash128(value.as_bytes()));
        let from = self.rows.partition_point(|(key, _)| *key < hash);
        let rows = self.rows[from..].iter().take_while(move |(key, _)| *key == hash);
        rows.filter(move |_| value.is_some()).map(|(_, id)| *id)
    }
}
