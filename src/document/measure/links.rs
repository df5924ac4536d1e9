//! Whether links lead to rows.

use arrow::array::Array as _;

use super::Look;
use super::columns::{self, key, text};
use super::values::of_rows;
use crate::document::Invariant;
use crate::document::words::{code, counted};
use crate::error::{Result, grouped};
use crate::schema::{Has, Link};

/// How many values a link has, and how many lead to no row.
#[derive(Default)]
struct Seen {
    there: u64,
    lost: u64,
}

impl Look<'_> {
    /// Every link of the table leads to a row.
    pub(super) fn links(&self, out: &mut Vec<Invariant>) -> Result<()> {
        let schema = &self.contract.before.schema;
        for link in schema.links_on(&self.entity.name) {
            let own = self.own(link)?;
            let held = self.held(link)?;
            let (there, lost) = (own.there + held.there, own.lost + held.lost);
            let mut evidence = format!(
                "{} of {} lead to a row",
                grouped(there - lost),
                counted(there, "value", "values")
            );
            if held.there > 0 {
                let held = grouped(held.there);
                evidence.push_str(&format!(", {held} of them held by the other side or by lists"));
            } else if link.has == Has::One {
                let none = self.table.rows.saturating_sub(own.there);
                evidence.push_str(&format!("; {} without one", of_rows(none)));
            }
            let says = format!("{} leads to a row of {}", code(&link.label), code(&link.to));
            out.push(self.found(says, evidence, (there, lost)));
        }
        Ok(())
    }

    /// The columns that may hold a link, in the order they are tried.
    pub(super) fn holders<'l>(&self, link: &'l Link) -> Vec<&'l str> {
        let own = (link.has == Has::One).then_some(link.label.as_str());
        let also = link.also.iter().map(String::as_str);
        own.into_iter().chain(also.filter(|name| self.entity.attr(name).is_some())).collect()
    }

    /// What the table's own columns name.
    fn own(&self, link: &Link) -> Result<Seen> {
        let mut seen = Seen::default();
        let holders = self.holders(link);
        if holders.is_empty() {
            return Ok(seen);
        }
        self.scan(&holders, &mut |columns| {
            for row in 0..columns[0].len() {
                if let Some(id) = columns.iter().find_map(|column| text(column, row)) {
                    seen.there += 1;
                    seen.lost += u64::from(self.ids.place(&link.to, key(id).0).is_none());
                }
            }
        })?;
        Ok(seen)
    }

    /// What link files name: lists, and what the other side holds.
    fn held(&self, link: &Link) -> Result<Seen> {
        let mut seen = Seen::default();
        for held in self.snapshot.meta().links.iter().filter(|held| held.role == "declared") {
            let is_own = held.entity == link.on && held.label == link.label;
            let is_reverse = held.is_back_of(link);
            if held.rows == 0 || !(is_own || is_reverse) {
                continue;
            }
            let to = if is_own { &link.to } else { &link.on };
            columns::scan(&self.snapshot.path(&held.file), &["to"], &mut |columns| {
                for row in 0..columns[0].len() {
                    let id = text(&columns[0], row).map(|id| key(id).0);
                    seen.there += 1;
                    let found = id.and_then(|id| self.ids.place(to, id));
                    seen.lost += u64::from(found.is_none());
                }
            })?;
        }
        Ok(seen)
    }
}
