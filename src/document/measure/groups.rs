//! Whether rows are numbered from 0 without a gap within what a link leads to.

use std::collections::BTreeSet;

use arrow::array::{Array as _, AsArray as _};
use arrow::datatypes::Float64Type;

use super::Look;
use super::columns::{key, text};
use super::values::of_rows;
use crate::contract::{CheckWhat, LinkHow, LinkPick};
use crate::document::Invariant;
use crate::document::words::{code, counted};
use crate::error::{Result, grouped};
use crate::schema::{Link, Type};

/// The number of a row that has none, or none that counts: no group has so many rows.
const NONE: u32 = u32::MAX;

impl Look<'_> {
    /// The numbers that the contract's sequences go by are dense.
    pub(super) fn groups(&self, out: &mut Vec<Invariant>) -> Result<()> {
        let mut seen = BTreeSet::new();
        for check in &self.contract.checks {
            let CheckWhat::Sequence { source, target, within, by } = &check.what else { continue };
            let Some(number) = by.first().and_then(|name| self.entity.attr(name)) else { continue };
            if *source != self.entity.name || number.ty != Type::Number {
                continue;
            }
            let Some(link) = self.legacy_link(target, within) else { continue };
            if seen.insert((&link.label, &number.name)) {
                out.push(self.dense(link, &number.name)?);
            }
        }
        Ok(())
    }

    /// The legacy link that a target link is filled from first.
    fn legacy_link(&self, target: &str, label: &str) -> Option<&Link> {
        let transform = self.contract.transform_into(target)?;
        let rule = transform.links.iter().find(|rule| rule.label == label)?;
        let LinkHow::From { picks, .. } = &rule.how else { return None };
        let Some(LinkPick::Link(label)) = picks.first() else { return None };
        self.contract.before.schema.link(&self.entity.name, label)
    }

    fn dense(&self, link: &Link, number: &str) -> Result<Invariant> {
        let holders = self.holders(link);
        let names: Vec<&str> = std::iter::once(number).chain(holders).collect();
        // The group in the upper half, the number in the lower: they sort as both.
        let mut rows: Vec<u64> = Vec::new();
        let mut without = 0;
        self.scan(&names, &mut |columns| {
            let numbers = columns[0].as_primitive_opt::<Float64Type>();
            for row in 0..columns[0].len() {
                let id = columns[1..].iter().find_map(|column| text(column, row));
                let group = id.and_then(|id| self.ids.place(&link.to, key(id).0));
                let Some(group) = group.and_then(|group| u32::try_from(group).ok()) else {
                    without += 1;
                    continue;
                };
                let at = numbers.filter(|numbers| numbers.is_valid(row));
                let at = at.and_then(|numbers| whole(numbers.value(row))).unwrap_or(NONE);
                rows.push(u64::from(group) << 32 | u64::from(at));
            }
        })?;
        rows.sort_unstable();
        let groups = rows.chunk_by(|a, b| a >> 32 == b >> 32);
        let (mut all, mut broken) = (0, 0);
        for group in groups {
            all += 1;
            let is_dense = (0..).zip(group).all(|(at, row)| row & u64::from(u32::MAX) == at);
            broken += u64::from(!is_dense);
        }
        let says = format!(
            "{} counts from 0 without a gap or a repeat within {}",
            code(number),
            code(&link.label)
        );
        let mut evidence = format!(
            "in {} of {} with {}",
            grouped(all - broken),
            counted(all, "group", "groups"),
            of_rows(rows.len() as u64)
        );
        if without > 0 {
            evidence.push_str(&format!("; {} in none", of_rows(without)));
        }
        Ok(self.found(says, evidence, (all, broken)))
    }
}

/// A number as a place in a group, when it is one.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is a whole number in the range of the type"
)]
fn whole(number: f64) -> Option<u32> {
    let is_whole = number >= 0.0 && number < f64::from(NONE) && number.fract() == 0.0;
    is_whole.then_some(number as u32)
}
