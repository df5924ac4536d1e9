//! What the values of a target row must be, told as one number for the whole row.
//!
//! The hashes of all values that the rules derive from a legacy row, and of the repairs that they
//! are, are added up; so are those of the values the bundle has and of the repairs it lists. Where
//! the two sums are alike in every row, every rule holds in every row. Where they are not, the rules
//! look at the values one by one ([`super::value`]) and name the places. A sum of hashes that
//! differ is the same by accident once in 2^64.

use super::bits::Bits;
use super::derive::{self, BLANKS, Found, HOWS, Sources, UNSURE};
use super::facts::Audit;
use super::key::{self, ABSENT};
use super::naming::type_of;
use super::onto::Onto;
use super::read::{self, Batch, Row};
use super::repair::Places;
use super::rows::Counted;
use super::share::{self, Shared};
use super::slots::Slots;
use super::split::Split;
use super::table::Table;
use super::value::{same_as, spelled, value_text};
use crate::contract::{AttrRule, Pick, Piece, Transform};
use crate::digest::Value;
use crate::error::Result;
use crate::schema::{Attr, Type};

/// What the values of every row of a legacy table must sum up to in the target.
pub(super) struct Whole<'a> {
    audit: &'a Audit<'a>,
    transform: &'a Transform,
    attrs: &'a [Attr],
    /// How many legacy rows there are.
    rows: usize,
    templates: Vec<Option<&'a AttrRule>>,
    /// By attribute: the attributes whose values a `same` rule takes as they are.
    same: Vec<usize>,
    /// By legacy row; by slot where one becomes several.
    sums: Vec<u64>,
    /// By attribute: the rows whose value cannot be known.
    unsure: Vec<Bits>,
    /// By attribute: the rows whose value is what the template gives.
    templated: Vec<Bits>,
    /// By attribute: the rows in which a key has blanks alone, where a template may stand in.
    blank: Vec<Bits>,
    /// By `same` rule: the rows in which a listed repair may stand in.
    stands_in: Vec<Bits>,
}

/// Places of the parts of a sum: the values, then their repairs, then what must be the same.
const REPAIR: usize = 1 << 16;
const SAME: usize = 1 << 17;

/// What is wanted of the rows of a batch.
struct Part {
    /// The first legacy row, or the first of its slots.
    start: usize,
    sums: Vec<u64>,
    /// Rows with a kind and a place: rare.
    marks: Vec<(Mark, usize, usize)>,
}

#[derive(Clone, Copy)]
enum Mark {
    Unsure,
    Templated,
    Blank,
    StandsIn,
}

/// One attribute under its rule.
struct Ruled<'a> {
    rule: &'a AttrRule,
    ty: Type,
    sources: Sources<'a>,
    same: Vec<Sources<'a>>,
}

impl<'a> Whole<'a> {
    /// Derives every attribute of every row; `None` when a look at whole rows cannot tell.
    pub(super) fn read(
        audit: &'a Audit<'a>,
        transform: &'a Transform,
        rules: &'a [(AttrRule, Vec<AttrRule>)],
    ) -> Result<Option<Self>> {
        let (table, legacy) = (audit.table(&transform.target)?, audit.legacy(&transform.source)?);
        let slots = audit.slots(&transform.target);
        let is_once = match slots {
            Some(slots) => slots.is_once(table, legacy.rows),
            None => legacy.onto(&table.entity).is_some_and(Onto::is_once),
        };
        let schema = audit.contract.after.schema.entity(&transform.target);
        let (Some(schema), true) = (schema, is_once) else { return Ok(None) };
        let same: usize = rules.iter().map(|(_, same)| same.len()).sum();
        let bits = |count: usize| vec![Bits::new(legacy.rows); count];
        let mut whole = Self {
            audit,
            transform,
            attrs: &schema.attrs,
            rows: legacy.rows,
            templates: rules
                .iter()
                .map(|(rule, _)| Some(rule).filter(|r| r.template.is_some()))
                .collect(),
            same: rules
                .iter()
                .enumerate()
                .flat_map(|(at, (_, same))| same.iter().map(move |_| at))
                .collect(),
            sums: vec![0; slots.map_or(legacy.rows, Slots::len)],
            unsure: bits(rules.len()),
            templated: bits(rules.len()),
            blank: bits(rules.len()),
            stands_in: bits(same),
        };
        if !whole.take_listed()? {
            return Ok(None);
        }
        let Some(path) = &legacy.path else { return Ok(Some(whole)) };
        let mut columns = Vec::new();
        let mut ruled = Vec::new();
        for ((rule, same), attr) in rules.iter().zip(&schema.attrs) {
            let sources = Sources::read(audit, transform, rule, &mut columns)?;
            let raw = |rule| Sources::read(audit, transform, rule, &mut columns);
            let same = same.iter().map(raw).collect::<Result<_>>()?;
            ruled.push(Ruled { rule, ty: attr.ty, sources, same });
        }
        let split = slots.map(|slots| Split::new(audit, transform, slots, &mut columns));
        if columns.is_empty() {
            columns.push("id");
        }
        let shared = Shared {
            beside: |_| Ok(()),
            work: |batch: &Batch, ()| Ok(part((&ruled, split.as_ref()), batch)),
            take: |part: Part| {
                whole.take(&part);
                Ok(())
            },
        };
        share::share(path, &columns, audit.threads, shared)?;
        Ok(Some(whole))
    }

    /// Takes the repairs that are listed out of the sums; false when one is of no migrated row.
    fn take_listed(&mut self) -> Result<bool> {
        let (legacy, attrs) = (self.audit.legacy(&self.transform.source)?, self.attrs);
        let onto = legacy.onto(&self.transform.target);
        let (path, _) = self.audit.file(&format!("data/repairs/{}.parquet", self.transform.target));
        let places = Places::read(self.audit, &self.transform.target)?;
        let (sums, mut is_whole) = (&mut self.sums, true);
        read::scan_if_there(&path, &["_source_row", "attr", "how", "id"], &mut |row| {
            let attr = row.text(1).unwrap_or_default();
            let Some(at) = attrs.iter().position(|known| known.name == attr) else { return Ok(()) };
            let source = row.row(0).filter(|source| *source < legacy.rows);
            let source = source.filter(|row| onto.is_some_and(|onto| onto.at(*row).is_some()));
            match source.and_then(|_| places.of(row)) {
                Some(place) => {
                    let how = repair(at, row.text(2).unwrap_or_default());
                    sums[place] = sums[place].wrapping_sub(how);
                }
                None => is_whole = false,
            }
            Ok(())
        })?;
        Ok(is_whole)
    }

    fn take(&mut self, part: &Part) {
        for (sum, more) in self.sums[part.start..].iter_mut().zip(&part.sums) {
            *sum = sum.wrapping_add(*more);
        }
        for (mark, at, row) in &part.marks {
            let bits = match mark {
                Mark::Unsure => &mut self.unsure,
                Mark::Templated => &mut self.templated,
                Mark::Blank => &mut self.blank,
                Mark::StandsIn => &mut self.stands_in,
            };
            bits[*at].set(*row);
        }
    }

    /// Whether the values of a target row, with these hashes, are what they must be.
    pub(super) fn holds(
        &self,
        table: &Table,
        row: Row<'_>,
        (hashes, counted): (&[u64], &mut Counted),
    ) -> bool {
        let source = table.migrated(row.number).filter(|source| *source < self.rows);
        // A row from nowhere is told by the account.
        let Some(source) = source else { return true };
        let place = self.audit.slot(&table.entity, row.number, source);
        let Some(place) = place else { return false };
        counted.rows += 1;
        let mut sum = self.sums[place];
        for (at, found) in hashes.iter().enumerate() {
            if self.unsure[at].get(source) {
                counted.unsure[at] += 1;
                continue;
            }
            sum = sum.wrapping_sub(key::folded(at, *found));
            if self.templated[at].get(source) {
                let wanted = self.templates[at].and_then(|rule| self.template(rule, row));
                let (hash, how) = match &wanted {
                    Some(text) => (key::value_hash(Value::Text(text)), "template"),
                    None => match constant(self.templates[at], self.attrs[at].ty) {
                        (hash, "") if self.blank[at].get(source) => (hash, BLANKS),
                        found => found,
                    },
                };
                let is_repair = self.templates[at].is_some_and(|rule| !rule.from.is_empty());
                sum = sum.wrapping_add(key::folded(at, hash));
                if is_repair && !how.is_empty() {
                    sum = sum.wrapping_add(repair(at, how));
                }
            }
        }
        for (at, attr) in self.same.iter().enumerate() {
            if !self.stands_in[at].get(source) {
                sum = sum.wrapping_sub(key::folded(SAME + at, hashes[*attr]));
            }
        }
        sum == 0
    }

    /// The text a template gives of the attributes beside it.
    fn template(&self, rule: &AttrRule, row: Row<'_>) -> Option<String> {
        let schema = &self.audit.contract.after.schema;
        let mut text = String::new();
        for piece in &rule.template.as_ref()?.pieces {
            match piece {
                Piece::Text(piece) => text.push_str(piece),
                Piece::Attr(name) => {
                    // Attributes follow the id in the projection.
                    let at = self.attrs.iter().position(|attr| attr.name == *name)? + 1;
                    let ty = type_of(schema, &self.transform.target, name);
                    text.push_str(&value_text(row.value(at, ty))?);
                }
            }
        }
        Some(text)
    }
}

/// A repair as a part of a sum.
fn repair(attr: usize, how: &str) -> u64 {
    key::folded(REPAIR + attr, key::value_hash(Value::Text(how)))
}

/// What an attribute is when no source has a value, and what the repairs say of it.
fn constant(rule: Option<&AttrRule>, ty: Type) -> (u64, &'static str) {
    match rule.and_then(|rule| rule.missing.as_ref()) {
        Some(constant) => (derive::constant_hash(constant, ty), "missing"),
        None => (ABSENT, ""),
    }
}

fn part((ruled, split): (&[Ruled<'_>], Option<&Split<'_>>), batch: &Batch) -> Part {
    let mut part = Part { start: 0, sums: Vec::with_capacity(batch.count), marks: Vec::new() };
    for (number, row) in batch.rows().enumerate() {
        if number == 0 {
            part.start = split.map_or(row.number, |split| split.slots.start(row.number));
        }
        let (mut sum, mut same) = (0_u64, 0);
        for (at, one) in ruled.iter().enumerate() {
            let (more, is_repaired) = one.sum(at, row, &mut part.marks);
            sum = sum.wrapping_add(more);
            for raw in &one.same {
                let hash = match raw.of(row) {
                    Found::Value(hash, ..) => hash,
                    Found::Nothing(_) => ABSENT,
                };
                // Where the source is null a listed repair may stand in for it.
                if hash == ABSENT && is_repaired {
                    part.marks.push((Mark::StandsIn, same, row.number));
                } else {
                    sum = sum.wrapping_add(key::folded(SAME + same, hash));
                }
                same += 1;
            }
        }
        match split {
            Some(split) => part.sums.extend(split.sums(row, sum)),
            None => part.sums.push(sum),
        }
    }
    part
}

impl Ruled<'_> {
    /// What the attribute adds to the sum of a row, and whether it is a repair.
    fn sum(&self, at: usize, row: Row<'_>, marks: &mut Vec<(Mark, usize, usize)>) -> (u64, bool) {
        let is_repair = !self.rule.from.is_empty();
        let (hash, from, mapped) = match self.sources.of(row) {
            Found::Value(hash, from, mapped) => (hash, from, mapped),
            Found::Nothing(is_blank) => return self.nothing(at, row, (is_repair, is_blank), marks),
        };
        let mut sum = 0_u64;
        if hash == UNSURE {
            marks.push((Mark::Unsure, at, row.number));
        } else {
            sum = key::folded(at, hash);
        }
        if from > 0 {
            let how = format!("from {}", spelled(&self.rule.from[from]));
            sum = sum.wrapping_add(repair(at, &how));
        }
        if mapped > 0 {
            sum = sum.wrapping_add(repair(at, HOWS[usize::from(mapped)]));
        }
        (sum, from > 0 || mapped > 0)
    }

    /// The same where no source has a value.
    fn nothing(
        &self,
        at: usize,
        row: Row<'_>,
        (is_repair, is_blank): (bool, bool),
        marks: &mut Vec<(Mark, usize, usize)>,
    ) -> (u64, bool) {
        if self.rule.template.is_some() {
            marks.push((Mark::Templated, at, row.number));
            marks.extend(is_blank.then_some((Mark::Blank, at, row.number)));
            return (0, is_repair);
        }
        let (hash, how) = match constant(Some(self.rule), self.ty) {
            (hash, "") if is_blank => (hash, BLANKS),
            found => found,
        };
        let is_repaired = is_repair && !how.is_empty();
        let how = if is_repaired { repair(at, how) } else { 0 };
        (key::folded(at, hash).wrapping_add(how), is_repaired)
    }
}

/// The rule of every attribute of a target entity, and what must be the same as it is.
pub(super) fn rules_of(audit: &Audit<'_>, transform: &Transform) -> Vec<(AttrRule, Vec<AttrRule>)> {
    let attrs = audit.contract.after.schema.entity(&transform.target);
    let attrs = attrs.map_or(&[][..], |entity| &entity.attrs);
    let rule = |attr: &Attr| {
        let found = transform.attrs.iter().find(|rule| rule.attr == attr.name);
        let plain = |from: Vec<Pick>| AttrRule {
            built: None,
            attr: attr.name.clone(),
            from,
            template: None,
            missing: None,
            values: None,
            refers: None,
        };
        let same = same_as(audit, transform, &attr.name);
        let same = same.map(|(_, source)| plain(vec![Pick::Attr(source.clone())])).collect();
        let mut rule = found.cloned().unwrap_or_else(|| plain(Vec::new()));
        if rule.built.is_some() {
            // It is filled as by a template without a source before it, which is no repair.
            rule.template = rule.built.take();
        }
        (rule, same)
    };
    attrs.iter().map(rule).collect()
}
