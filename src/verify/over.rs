//! Rows that are named over another legacy row: by a link of the row that a row names, or of those
//! that name it.

use super::facts::Audit;
use super::firsts::Firsts;
use super::key::NONE;
use super::legacy::Legacy;
use super::naming::no_link;
use super::table::narrow;
use crate::contract::Hop;
use crate::error::Result;

/// The way over other rows to the rows that their links name.
pub(super) struct Over<'a> {
    audit: &'a Audit<'a>,
    way: Way<'a>,
    middle: &'a Legacy,
    next: &'a Firsts,
    /// The entity of the rows at its end.
    pub(super) to: &'a str,
}

enum Way<'a> {
    /// To the row that this link names.
    Link(&'a Firsts),
    /// To the rows that name a row of this table: the first row with the named id, and the row that
    /// names it.
    Reverse(&'a Legacy, Vec<(u32, u32)>),
}

/// What a row names over others.
pub(super) enum Named {
    Nothing,
    /// What this row of the other table names.
    By(usize),
    /// One of these ids: a row on the way is held by several rows.
    OneOf(Vec<u128>),
}

impl<'a> Over<'a> {
    pub(super) fn read(
        audit: &'a Audit<'a>,
        source: &str,
        (by, take): (&Hop, &str),
    ) -> Result<Self> {
        let (way, middle) = match by {
            Hop::Link(label) => {
                let firsts = audit.firsts(source, label)?;
                (Way::Link(firsts), audit.legacy(&firsts.to)?)
            }
            Hop::Reverse { entity, label } => {
                let (firsts, middle) = (audit.firsts(entity, label)?, audit.legacy(entity)?);
                let mut rows = Vec::new();
                for row in 0..middle.rows {
                    if let Some(named) = firsts.row(row) {
                        rows.push((narrow(named)?, narrow(row)?));
                    }
                }
                rows.sort_unstable();
                (Way::Reverse(audit.legacy(source)?, rows), middle)
            }
        };
        let next = audit.firsts(&middle.entity, take)?;
        let link = audit.contract.before.schema.link(&middle.entity, take);
        let to = &link.ok_or_else(|| no_link(&middle.entity, take))?.to;
        Ok(Self { audit, way, middle, next, to })
    }

    /// What the rows on the way name by their link, told by one of them: those in the target count,
    /// where any is; where they name different rows, none is named.
    pub(super) fn of(&self, row: usize) -> Named {
        let mut rows = self.middles(row);
        let counts = |row: &usize| self.audit.counts(self.middle, *row);
        if rows.iter().any(counts) {
            rows.retain(counts);
        }
        if rows.iter().any(|row| self.next.several(*row).is_some()) {
            let several = rows.iter().filter_map(|row| self.next.several(*row));
            return Named::OneOf(several.flatten().copied().collect());
        }
        let mut named = rows.iter().filter(|row| self.next.names(**row));
        let Some(first) = named.next().copied() else { return Named::Nothing };
        let is_same = |row: &usize| self.next.is_alike(first, *row);
        if named.all(is_same) { Named::By(first) } else { Named::Nothing }
    }

    /// The link that the rows on the way have.
    pub(super) fn next(&self) -> &'a Firsts {
        self.next
    }

    fn middles(&self, row: usize) -> Vec<usize> {
        match &self.way {
            Way::Link(firsts) => match firsts.row(row) {
                Some(named) => self.middle.alike(named).collect(),
                None => Vec::new(),
            },
            Way::Reverse(own, rows) => {
                let first = Some(own.ids[row]).filter(|id| *id != NONE);
                let first = first.and_then(|_| own.alike(row).next());
                let Some(first) = first else { return Vec::new() };
                let from = rows.partition_point(|(to, _)| (*to as usize) < first);
                let rows = rows[from..].iter().take_while(|(to, _)| *to as usize == first);
                rows.map(|(_, row)| *row as usize).collect()
            }
        }
    }
}
