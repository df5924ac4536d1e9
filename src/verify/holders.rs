//! Which row holds a row that one only may hold, as the source says.

use super::facts::Audit;
use super::key::NONE;
use super::link::{Expected, Of, links};
use super::row_order::{Absent, RowOrder};
use super::table::Table;
use crate::error::Result;
use crate::schema::Has;

/// Which of the rows that name a row holds it, where one only may.
pub(super) enum Held<'a> {
    /// Any number of rows may.
    Any,
    /// Some row holds it (bundles before format 3).
    Some(Vec<u128>),
    /// An existing row holds it, or the first of those that name it.
    First(Box<First<'a>>),
}

/// What the rows name that one row only may hold.
pub(super) struct First<'a> {
    /// What existing rows hold, sorted.
    existing: Vec<u128>,
    /// What is named, the place of the rule that names it, and the legacy row: in the order in which
    /// rows come first.
    claims: Vec<(u128, usize, usize)>,
    order: RowOrder<'a>,
    /// What a migrated row was seen to hold.
    taken: Vec<u128>,
}

impl<'a> Held<'a> {
    pub(super) fn read(
        audit: &'a Audit<'_>,
        (link, _, transform): Of<'_>,
        (table, expected): (&Table, &Expected<'_>),
    ) -> Result<Self> {
        if link.reverse_has == Has::Many {
            return Ok(Held::Any);
        }
        let links = links(table, &link.label)?;
        if !audit.bundle.meta().is_judged_by_source() {
            let mut held = links;
            held.retain(|id| *id != NONE);
            held.sort_unstable();
            return Ok(Held::Some(held));
        }
        let legacy = audit.legacy(&transform.source)?;
        let keys = audit.contract.declared_order(&transform.source);
        let order = RowOrder::read(audit, legacy, (None, &keys), Absent::First)?;
        let (mut existing, mut claims) = (Vec::new(), Vec::new());
        for (row, id) in links.iter().enumerate() {
            match table.migrated(row).filter(|source| *source < legacy.rows) {
                Some(source) => {
                    let must = expected.must_be(source);
                    claims.extend(must.map(|(id, place)| (id, place, source)));
                }
                None => existing.push(*id),
            }
        }
        existing.sort_unstable();
        claims.sort_by(|a, b| {
            (a.0, a.1).cmp(&(b.0, b.1)).then_with(|| order.compare(a.2, b.2)).then(a.2.cmp(&b.2))
        });
        Ok(Held::First(Box::new(First { existing, claims, order, taken: Vec::new() })))
    }

    /// Whether a row made from this legacy row may have this link, which is what it must be or null.
    pub(super) fn allows(&mut self, expected: &Expected<'_>, source: usize, link: u128) -> bool {
        let Some((id, place)) = expected.must_be(source) else { return true };
        match self {
            Held::Any => link == id,
            Held::Some(held) => link == id || held.binary_search(&id).is_ok(),
            Held::First(first) => first.allows((id, place, source), link),
        }
    }
}

impl First<'_> {
    fn allows(&mut self, (id, place, source): (u128, usize, usize), link: u128) -> bool {
        if self.existing.binary_search(&id).is_ok() {
            return link == NONE;
        }
        let from = self.claims.partition_point(|(named, ..)| *named < id);
        let all = self.claims[from..].iter().take_while(|(named, ..)| *named == id);
        let is_alike = |claim: &&(u128, usize, usize)| {
            let unsure = self.order.is_unsure(claim.2) || self.order.is_unsure(source);
            claim.1 == place && (unsure || self.order.compare(claim.2, source).is_eq())
        };
        let mut first = all.clone().take(1);
        let may_hold = first.any(|claim| is_alike(&claim));
        let is_only = may_hold && all.filter(is_alike).count() == 1;
        if link == NONE {
            return !is_only;
        }
        // Of rows that nothing tells apart one holds it, whichever.
        let is_taken = self.taken.contains(&id);
        if may_hold && !is_only {
            self.taken.push(id);
        }
        may_hold && !is_taken
    }
}
