//! What each of the rows is that a legacy row becomes: the number and the built values, beside what all of
//! them have in common.

use super::cases::{Cases, Columns};
use super::facts::Audit;
use super::key::{self, ABSENT};
use super::read::{self, Row};
use super::slots::{self, Slots};
use crate::contract::{Explode, Transform};
use crate::digest::Value;
use crate::error::Result;
use crate::schema::{Attr, Type};

/// What a legacy row that is split adds to the sums of its rows, each on its own.
pub(super) struct Split<'a> {
    pub(super) slots: &'a Slots,
    /// The place of the attribute that is numbered.
    number: Option<usize>,
    cases: Option<(&'a Explode, &'a Cases, Columns)>,
    /// The attributes that cases fill: place, name, whether JSON.
    attrs: Vec<(usize, &'a str, bool)>,
}

impl<'a> Split<'a> {
    /// Adds the columns that have to be read.
    pub(super) fn new(
        audit: &'a Audit<'a>,
        transform: &'a Transform,
        slots: &'a Slots,
        columns: &mut Vec<&'a str>,
    ) -> Self {
        let attrs = audit.contract.after.schema.entity(&transform.target);
        let attrs = attrs.map_or(&[][..], |entity| &entity.attrs);
        let filled = transform.case_attrs();
        let number = transform.number.as_ref();
        let cases = transform.explode.as_ref().zip(slots::cases(audit, transform));
        let attr = |(at, attr): (usize, &'a Attr)| {
            let is_filled = filled.contains(&attr.name.as_str());
            is_filled.then_some((at, attr.name.as_str(), attr.ty == Type::Any))
        };
        Self {
            slots,
            number: number.and_then(|number| attrs.iter().position(|it| it.name == number.attr)),
            cases: cases.map(|(rule, cases)| (rule, cases, Columns::new(rule, columns))),
            attrs: attrs.iter().enumerate().filter_map(attr).collect(),
        }
    }

    /// The sums of the rows that a legacy row becomes, which have `sum` in common.
    pub(super) fn sums(&self, row: Row<'_>, sum: u64) -> Vec<u64> {
        let source = row.number;
        let count = self.slots.count(source);
        let mut sums = vec![sum; count];
        if let Some(at) = self.number {
            for (nth, sum) in sums.iter_mut().enumerate() {
                let number = self.slots.number(source, nth).map_or(Value::Absent, Value::Number);
                *sum = exchange(*sum, at, key::value_hash(number));
            }
        }
        let Some((rule, cases, columns)) = self.cases.as_ref().filter(|_| count > 0) else {
            return sums;
        };
        let Ok(object) = columns.object(rule, row) else { return sums };
        for (nth, sum) in sums.iter_mut().enumerate() {
            for (at, name, is_json) in &self.attrs {
                let build = cases.build(rule, (source, nth), name);
                let hash = build.map_or(ABSENT, |build| object.hash(rule, build, *is_json));
                *sum = exchange(*sum, *at, hash);
            }
        }
        sums
    }
}

/// A sum with a value in the place of the absent one that an attribute without a rule of its own has.
fn exchange(sum: u64, at: usize, hash: u64) -> u64 {
    sum.wrapping_sub(key::folded(at, ABSENT)).wrapping_add(key::folded(at, hash))
}

/// What an attribute is in each row that a legacy row becomes.
pub(super) enum Own<'a> {
    Number(&'a Slots),
    /// The hashes of what the case builds, by slot.
    Built(Vec<u64>),
}

impl<'a> Own<'a> {
    /// The hash of the value in the row of a slot.
    pub(super) fn of(&self, source: usize, slot: usize) -> u64 {
        match self {
            Own::Number(slots) => {
                let number = slots.number(source, slot - slots.start(source));
                key::value_hash(number.map_or(Value::Absent, Value::Number))
            }
            Own::Built(hashes) => hashes[slot],
        }
    }
    /// What an attribute is in each row, where a number or a case gives it.
    pub(super) fn read(
        audit: &'a Audit<'_>,
        transform: &Transform,
        (attr, ty): (&str, Type),
    ) -> Result<Option<Self>> {
        let Some(slots) = audit.slots(&transform.target) else { return Ok(None) };
        if transform.number.as_ref().is_some_and(|number| number.attr == attr) {
            return Ok(Some(Own::Number(slots)));
        }
        let cases = slots::cases(audit, transform);
        let Some((rule, cases)) = transform.explode.as_ref().zip(cases) else { return Ok(None) };
        if !transform.case_attrs().contains(&attr) {
            return Ok(None);
        }
        let mut hashes = vec![ABSENT; slots.len()];
        let (mut names, is_json) = (Vec::new(), ty == Type::Any);
        let columns = Columns::new(rule, &mut names);
        let legacy = audit.legacy(&transform.source)?;
        let path = legacy.path.as_deref().unwrap_or(std::path::Path::new(""));
        read::scan_if_there(path, &names, &mut |row| {
            let Ok(object) = columns.object(rule, row) else { return Ok(()) };
            for nth in 0..slots.count(row.number) {
                if let Some(build) = cases.build(rule, (row.number, nth), attr) {
                    let slot = slots.start(row.number) + nth;
                    hashes[slot] = object.hash(rule, build, is_json);
                }
            }
            Ok(())
        })?;
        Ok(Some(Own::Built(hashes)))
    }
}
