//! Rows that are found from the other side: by the row their link names, or by a key.

use super::facts::Audit;
use super::key::{self, NONE};
use super::naming::{Named, Naming, no_link, push, type_of};
use super::read;
use crate::digest::Value;
use crate::error::Result;
use crate::schema::Type;

/// Rows of an entity by the row their link names, in an order.
pub(super) struct Back {
    rows: Vec<BackRow>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct BackRow {
    to: u128,
    order: [u128; 2],
    row: usize,
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
        let link = schema.link(entity, label).ok_or_else(|| no_link(entity, label))?;
        let naming = Naming::read(audit, link)?;
        let Some(path) = &audit.legacy(entity)?.path else { return Ok(Self { rows: Vec::new() }) };
        let by: Vec<&str> = by.iter().map(String::as_str).collect();
        let types: Vec<Type> = by.iter().map(|name| type_of(schema, entity, name)).collect();
        let mut columns = vec!["id"];
        columns.extend(&by);
        columns.extend(naming.columns.iter().map(String::as_str));
        let (mut rows, mut named) = (Vec::new(), Vec::new());
        read::scan(path, &columns, &mut |row| {
            let id = key::link_key(row.text(0));
            named.clear();
            naming.of(row, 1 + by.len(), id, &mut named);
            let Some(first) = named.first() else { return Ok(()) };
            let mut found =
                BackRow { to: first.id, order: [0; 2], row: row.number, whole: by.len() <= 2 };
            for (at, ty) in types.iter().enumerate().take(2) {
                let (order, whole) = order_of(row.value(1 + at, *ty));
                found.order[at] = order;
                found.whole &= whole;
            }
            rows.push(found);
            Ok(())
        })?;
        rows.sort_unstable();
        Ok(Self { rows })
    }

    /// Gives the rows that name the row with this id, first ones first or last ones first.
    pub(super) fn of(&self, id: u128, last: bool, out: &mut Vec<Named>) {
        let from = self.rows.partition_point(|row| row.to < id);
        let to = from + self.rows[from..].partition_point(|row| row.to == id);
        let mut rows: Vec<BackRow> = self.rows[from..to].to_vec();
        if last {
            rows.reverse();
        }
        let Some(best) = rows.first().copied() else { return };
        // A row without its own time has the store's in the target: which comes first is unsure.
        let timeless = rows.iter().any(|row| row.order[0] == 0);
        for (at, row) in rows.iter().enumerate() {
            let tie = timeless || row.order[0] == best.order[0] && !(row.whole && best.whole);
            let rank = if tie { 0 } else { at };
            out.push(Named { id, row: Some(row.row), rank, how: 0 });
        }
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

    pub(super) fn of(&self, value: Option<&str>, out: &mut Vec<Named>) {
        let Some(value) = value else { return };
        let hash = key::hash128(value.as_bytes());
        let from = self.rows.partition_point(|(key, _)| *key < hash);
        for (_, id) in self.rows[from..].iter().take_while(|(key, _)| *key == hash) {
            push(out, *id, 0, 0);
        }
    }
}
