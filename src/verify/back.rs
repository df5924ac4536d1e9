//! Rows that are found from the other side: by the row their link names.

use super::facts::Audit;
use super::row_order::{Absent, RowOrder};
use super::table::narrow;
use crate::contract::OrderKey;
use crate::error::Result;

/// Rows of an entity by the row their link names, in an order.
pub(super) struct Back<'a> {
    /// The first row with the id that is named, and the row that names it.
    rows: Vec<(u32, u32)>,
    order: RowOrder<'a>,
}

impl<'a> Back<'a> {
    /// Reads the rows of `entity` whose link `label` names a row, in an order by these keys.
    pub(super) fn read(
        audit: &'a Audit<'_>,
        (entity, label): (&str, &str),
        keys: &[OrderKey<'_>],
    ) -> Result<Self> {
        let (legacy, firsts) = (audit.legacy(entity)?, audit.firsts(entity, label)?);
        let target = audit.contract.id_transform(entity).map(|rules| rules.target.as_str());
        let order = RowOrder::read(audit, legacy, (target, keys), Absent::First)?;
        let mut rows = Vec::new();
        for row in 0..legacy.rows {
            if let Some(to) = firsts.row(row) {
                rows.push((narrow(to)?, narrow(row)?));
            }
        }
        rows.sort_unstable_by(|a, b| {
            let order = || order.compare(a.1 as usize, b.1 as usize);
            a.0.cmp(&b.0).then_with(order).then(a.1.cmp(&b.1))
        });
        Ok(Self { rows, order })
    }

    /// Gives the rows that name a row, first ones first or last ones first: each with its rank. Rows
    /// that nothing tells apart have the same one. Of rows with one id, `to` is the first.
    pub(super) fn of(&self, to: usize, last: bool) -> Vec<(usize, usize)> {
        let from = self.rows.partition_point(|(named, _)| (*named as usize) < to);
        let rows = self.rows[from..].iter().take_while(|(named, _)| *named as usize == to);
        let mut rows: Vec<usize> = rows.map(|(_, row)| *row as usize).collect();
        if last {
            rows.reverse();
        }
        if rows.iter().any(|row| self.order.is_unsure(*row)) {
            return rows.into_iter().map(|row| (row, 0)).collect();
        }
        let (mut ranked, mut rank) = (Vec::with_capacity(rows.len()), 0);
        for (at, row) in rows.iter().enumerate() {
            if at > 0 && self.order.compare(rows[at - 1], *row).is_ne() {
                rank = at;
            }
            ranked.push((*row, rank));
        }
        ranked
    }
}
