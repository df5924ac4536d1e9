//! What a table of the archive adds up to: rows, triples, ids, links.
//!
//! A row is so many triples as the server stores (INSTANTDB §1.5, §2.5, §5): one for every attribute
//! that stands in it, `id` and nulls among them, and one for every id a link leads to.
//!
//! In memory: 16 bytes a row, and 32 bytes a link value that is looked at.

use std::collections::BTreeMap;

use super::lines::Line;
use super::rules::uuid;
use crate::json;

/// The sum of one table.
#[derive(Debug, Default, Clone)]
pub(super) struct Tally {
    /// How many rows.
    pub(super) rows: u64,
    /// How many rows are left out, for they have no id.
    pub(super) left_out: u64,
    /// How many triples.
    pub(super) triples: u64,
    /// How many bytes its file has.
    pub(super) bytes: u64,
    /// The rows' ids; sorted by [`Tally::sort`].
    pub(super) ids: Vec<u128>,
    /// By label: where links lead, and from where.
    pub(super) links: BTreeMap<String, Vec<(u128, u128)>>,
}

impl Tally {
    /// Takes in a row; `is_link` says of a label whether it is a link.
    pub(super) fn add(&mut self, line: &Line<'_>, is_link: impl Fn(&str) -> bool) {
        self.rows += 1;
        self.ids.extend(line.id().and_then(|id| uuid(&id)));
        for (label, raw) in &line.members {
            let ends = if raw.starts_with('[') && is_link(label) {
                json::elements(raw).map_or(0, |ends| ends.len() as u64)
            } else {
                1
            };
            self.triples += ends;
        }
    }

    /// Keeps where a link of a row leads.
    pub(super) fn link(&mut self, label: &str, from: u128, to: u128) {
        if let Some(pairs) = self.links.get_mut(label) {
            pairs.push((to, from));
        } else {
            self.links.insert(label.to_owned(), vec![(to, from)]);
        }
    }

    /// Sorts what is looked things up in.
    pub(super) fn sort(&mut self) {
        self.ids.sort_unstable();
        self.links.values_mut().for_each(|pairs| pairs.sort_unstable());
    }

    /// Whether a row is there.
    pub(super) fn has(&self, id: u128) -> bool {
        self.ids.binary_search(&id).is_ok()
    }
}
