//! `ref` values: ids of rows of another legacy table that an attribute holds. Of several places the
//! first whose row is there counts; what leads to no row is listed as a lost link is.

use std::collections::BTreeSet;

use super::Rule;
use super::bits::Bits;
use super::facts::{Audit, Heir};
use super::files::Dropped;
use super::firsts::Firsts;
use super::key::{self, NONE};
use super::legacy::Legacy;
use super::read::{self, Row};
use super::refs_sql;
use super::repair::Listed;
use super::rule::Tally;
use super::table::Table;
use crate::bundle::Refs as Said;
use crate::contract::{AttrRule, Pick, Transform};
use crate::error::{Result, grouped};
use crate::json::{self, PathValue};

/// The rows that the values of a `ref` attribute may name.
pub(super) struct Referred<'a> {
    audit: &'a Audit<'a>,
    legacy: &'a Legacy,
    /// The entity that the rows become.
    target: &'a str,
    table: &'a Table,
}

impl<'a> Referred<'a> {
    fn read(audit: &'a Audit<'a>, entity: &str) -> Result<Self> {
        let legacy = audit.legacy(entity)?;
        let target = audit.contract.id_transform(entity);
        let target = target.map_or(legacy.entity.as_str(), |found| found.target.as_str());
        Ok(Self { audit, legacy, target, table: audit.table(target)? })
    }

    /// The target id that follows from an id of the source, which is this text when it is no UUID.
    fn mapped(&self, id: u128, odd: Option<&str>) -> u128 {
        odd.map_or(id, |text| key::derived(&self.audit.space, self.target, text))
    }

    /// The id of the target row that an id leads to: what the legacy row became, or a row that is there
    /// whatever it came from.
    fn there(&self, id: u128, odd: Option<&str>) -> Option<u128> {
        if let Heir::Alive(id) = self.legacy.heir(self.table, id) {
            return Some(id);
        }
        let mapped = self.mapped(id, odd);
        self.table.find(mapped).map(|_| mapped)
    }

    /// Whether the source has a row of an id, be it a legacy one or one of the target.
    fn is_in_source(&self, id: u128, odd: Option<&str>) -> bool {
        let existing = |row: usize| self.table.existing(row).is_some();
        self.legacy.find(id).next().is_some()
            || self.table.find(self.mapped(id, odd)).is_some_and(existing)
    }
}

/// The places of a `ref` rule, to be asked row by row.
pub(super) struct Places<'a> {
    referred: Referred<'a>,
    is_by_source: bool,
    in_order: Vec<Place<'a>>,
}

enum Place<'a> {
    Column(usize),
    Path(usize, &'a [String]),
    /// The row that a link names.
    Link(&'a Firsts),
    /// What the row that a link names has.
    Over(&'a Legacy, &'a Firsts, Over<'a>),
}

/// What another row has: the row that its link names, or the id in an attribute by row.
enum Over<'a> {
    Link(&'a Firsts),
    Attr(Vec<Option<Box<str>>>),
}

/// What a place gives.
#[derive(PartialEq, Eq)]
enum Given<'r> {
    Nothing,
    /// The key of an id, and its text when it is no UUID.
    Id(u128, Option<&'r str>),
    /// One of several rows decides it.
    Unsure,
}

impl<'a> Places<'a> {
    /// Adds the columns that have to be read.
    pub(super) fn read(
        audit: &'a Audit<'a>,
        transform: &Transform,
        (rule, entity): (&'a AttrRule, &str),
        columns: &mut Vec<&'a str>,
    ) -> Result<Self> {
        let places = rule.from.iter().map(|pick| place(audit, &transform.source, pick, columns));
        let order = audit.contract.decision_order();
        Ok(Self {
            referred: Referred::read(audit, entity)?,
            is_by_source: order.is_by_source(&transform.target, &rule.attr),
            in_order: places.collect::<Result<_>>()?,
        })
    }

    /// The target id of a row, and the place in the rule it is from; [`NONE`] where it cannot be known.
    /// `None` when no place has one.
    pub(super) fn of(&self, row: Row<'_>) -> Option<(u128, usize)> {
        let referred = &self.referred;
        let mut first = None;
        for (at, place) in self.in_order.iter().enumerate() {
            let mut text = String::new();
            let (id, odd) = match place.given(referred.audit, row, &mut text) {
                Given::Nothing => continue,
                Given::Unsure => return Some((NONE, at)),
                Given::Id(id, odd) => (id, odd),
            };
            let there = referred.there(id, odd);
            let mapped = || referred.mapped(id, odd);
            if self.is_by_source && self.in_order.len() > 1 {
                if referred.is_in_source(id, odd) {
                    return Some((there.unwrap_or_else(mapped), at));
                }
            } else if let Some(id) = there {
                return Some((id, at));
            }
            first = first.or_else(|| Some((mapped(), at)));
        }
        first
    }
}

fn place<'a>(
    audit: &'a Audit<'a>,
    source: &str,
    pick: &'a Pick,
    columns: &mut Vec<&'a str>,
) -> Result<Place<'a>> {
    let mut column = |name: &'a str| {
        let known = columns.iter().position(|column| *column == name);
        known.unwrap_or_else(|| {
            columns.push(name);
            columns.len() - 1
        })
    };
    Ok(match pick {
        Pick::Attr(name) => Place::Column(column(name)),
        Pick::Path { attr, keys } => Place::Path(column(attr), keys),
        // A time is no id: the contract is not read with one here.
        Pick::Server => Place::Column(column(crate::snapshot::Extra::SERVER)),
        Pick::Linked { link, attr } => {
            let firsts = audit.firsts(source, link)?;
            if attr == "id" {
                return Ok(Place::Link(firsts));
            }
            let other = audit.legacy(&firsts.to)?;
            let schema = &audit.contract.before.schema;
            let is_attr = schema.entity(&firsts.to).is_some_and(|to| to.attr(attr).is_some());
            let over = match schema.link(&firsts.to, attr).filter(|_| !is_attr) {
                Some(_) => Over::Link(audit.firsts(&firsts.to, attr)?),
                None => Over::Attr(texts(other, attr)?),
            };
            Place::Over(other, firsts, over)
        }
    })
}

fn texts(legacy: &Legacy, attr: &str) -> Result<Vec<Option<Box<str>>>> {
    let mut texts = Vec::with_capacity(legacy.rows);
    if let Some(path) = &legacy.path {
        read::scan(path, &[attr], &mut |row| {
            texts.push(row.text(0).map(Box::from));
            Ok(())
        })?;
    }
    Ok(texts)
}

impl Place<'_> {
    /// What the place gives of a row; `text` holds a text that is made for it.
    fn given<'r>(&'r self, audit: &Audit<'_>, row: Row<'r>, text: &'r mut String) -> Given<'r> {
        match self {
            Place::Column(at) => given(row.text(*at)),
            Place::Path(at, keys) => match row.text(*at).map(|text| json::at_path(text, keys)) {
                Some(PathValue::Text(found)) => {
                    *text = found;
                    given(Some(text))
                }
                _ => Given::Nothing,
            },
            Place::Link(firsts) => named(audit, firsts, row.number),
            Place::Over(other, firsts, over) => {
                let Some(first) = firsts.row(row.number) else { return Given::Nothing };
                let mut rows: Vec<usize> = other.alike(first).collect();
                let counts = rows.iter().find(|row| audit.counts(other, **row)).copied();
                rows = counts.map_or(rows, |row| vec![row]);
                over.given(audit, &rows)
            }
        }
    }
}

impl Over<'_> {
    /// What these rows of one id have: of several, what they all have.
    fn given(&self, audit: &Audit<'_>, rows: &[usize]) -> Given<'_> {
        let Some((first, others)) = rows.split_first() else { return Given::Nothing };
        let of = |row: usize| match self {
            Over::Link(next) => named(audit, next, row),
            Over::Attr(texts) => given(texts[row].as_deref()),
        };
        let first = of(*first);
        if others.iter().all(|row| of(*row) == first) { first } else { Given::Unsure }
    }
}

fn given(text: Option<&str>) -> Given<'_> {
    match text.map(|text| (key::link_key(Some(text)), text)) {
        None | Some((NONE, _)) => Given::Nothing,
        Some((id, text)) => Given::Id(id, Some(text).filter(|text| key::uuid(text).is_none())),
    }
}

fn named<'r>(audit: &Audit<'_>, firsts: &'r Firsts, row: usize) -> Given<'r> {
    match firsts.id(audit, row) {
        NONE => Given::Nothing,
        id => Given::Id(id, firsts.odd_text(id)),
    }
}

/// The rules of the `ref` attributes that a legacy table fills: every value leads to a row or is listed,
/// and bundle.json gives their equations.
pub(super) fn rules(
    audit: &Audit<'_>,
    legacy: &Legacy,
    dropped: &Dropped,
    out: &mut Vec<Rule>,
) -> Result<()> {
    if !audit.is_judged_by_source() {
        return Ok(());
    }
    for transform in audit.contract.transforms_of(&legacy.entity) {
        for rule in transform.attrs.iter().filter(|rule| rule.is_ref()) {
            let Some(entity) = &rule.refers else { continue };
            let referred = Referred::read(audit, entity)?;
            Checked { audit, legacy, transform, rule, referred }.run(dropped, out)?;
        }
    }
    Ok(())
}

/// A `ref` attribute of a target table.
struct Checked<'a> {
    audit: &'a Audit<'a>,
    legacy: &'a Legacy,
    transform: &'a Transform,
    rule: &'a AttrRule,
    referred: Referred<'a>,
}

/// What became of the values of a `ref` attribute, by legacy row.
struct Counted {
    values: Bits,
    quarantined: u64,
    dropped: u64,
    /// The lines that list them: the legacy row and the id.
    lines: BTreeSet<(usize, u128)>,
}

impl Checked<'_> {
    fn run(&self, dropped: &Dropped, out: &mut Vec<Rule>) -> Result<()> {
        let (target, attr) = (&self.transform.target, &self.rule.attr);
        let words = format!(
            "every {target}.{attr} is the id of a {} row, or is listed as leading to none",
            self.referred.target
        );
        let mut tally = Tally::new("link", target, attr).says(words).query(refs_sql::leads(
            self.audit,
            (self.transform, self.rule),
            self.referred.target,
        ));
        let counted = self.values(dropped, &mut tally)?;
        let lines = dropped.of(&self.legacy.entity, &self.label());
        // A line that stands there twice is one too many.
        let twice = lines.windows(2).filter(|two| two[0] == two[1]).map(|two| &two[0]);
        let strays = lines.iter().filter(|(row, _, to)| !counted.lines.contains(&(*row, *to)));
        for (row, ..) in strays.chain(twice) {
            tally.violate(1, || format!("{}: listed and not so", self.legacy.place(*row)));
        }
        out.push(tally.finish());
        out.push(self.equation(&counted));
        Ok(())
    }

    /// What `data/quarantine/links.parquet` calls the values.
    fn label(&self) -> String {
        format!("{}.{}", self.transform.target, self.rule.attr)
    }

    fn values(&self, dropped: &Dropped, tally: &mut Tally) -> Result<Counted> {
        let (audit, rows) = (self.audit, self.legacy.rows);
        let (target, attr) = (&self.transform.target, &self.rule.attr);
        let table = audit.table(target)?;
        let (entity, label) = (&self.legacy.entity, self.label());
        let made = self.made()?;
        let mut counted =
            Counted { values: Bits::new(rows), quarantined: 0, dropped: 0, lines: BTreeSet::new() };
        read::scan_if_there(&table.path, &[attr], &mut |row| {
            let source = table.migrated(row.number).filter(|source| *source < rows);
            let (Some(source), Some(text)) = (source, row.text(0)) else { return Ok(()) };
            let slot = audit.slot(target, row.number, source);
            if slot.is_none_or(|slot| made.as_ref().is_some_and(|made| is_made(made, attr, slot))) {
                return Ok(());
            }
            let value = key::link_key(Some(text));
            let named = |(_, _, to): &&(usize, u128, u128)| {
                self.referred.mapped(*to, dropped.odd_text(*to)) == value
            };
            let line = dropped.lines(entity, &label, source).iter().find(named);
            let is_there = self.referred.table.find(value).is_some();
            let is_aside = line.is_some_and(|(_, _, to)| self.is_aside(*to));
            let is_told =
                line.is_none_or(|line| dropped.is_aside(entity, &label, line) == is_aside);
            let place = || self.legacy.place(source);
            tally.check(is_there != line.is_some() && is_told, place);
            counted.lines.extend(line.map(|(row, _, to)| (*row, *to)));
            if !counted.values.get(source) {
                counted.values.set(source);
                counted.quarantined += u64::from(line.is_some() && is_aside);
                counted.dropped += u64::from(line.is_some() && !is_aside);
            }
            Ok(())
        })?;
        Ok(counted)
    }

    /// Whether the row of an id, which leads to no row, was quarantined.
    fn is_aside(&self, id: u128) -> bool {
        let legacy = self.referred.legacy;
        legacy.find(id).any(|row| legacy.quarantined[row] > 0)
    }

    /// The repairs of the attribute, where a value may be made that is no id.
    fn made(&self) -> Result<Option<Listed>> {
        let may_make = self.rule.template.is_some() || self.rule.missing.is_some();
        let listed = may_make
            .then(|| Listed::read_of(self.audit, &self.transform.target, Some(&self.rule.attr)));
        listed.transpose()
    }

    fn equation(&self, counted: &Counted) -> Rule {
        let (target, attr) = (&self.transform.target, &self.rule.attr);
        let mut tally = Tally::new("count", target, attr)
            .says(format!("bundle.json gives the equation of {target}.{attr} as the files do"))
            .query(refs_sql::equation(self.audit, (self.transform, self.rule)));
        let none = Said {
            target: target.clone(),
            attr: attr.clone(),
            values: 0,
            there: 0,
            quarantined: 0,
            dropped: 0,
        };
        let said = self.audit.bundle.meta().refs.iter();
        let said = said.into_iter().find(|said| said.target == *target && said.attr == *attr);
        let said = said.unwrap_or(&none);
        let values = counted.values.count();
        let lost = counted.quarantined + counted.dropped;
        for (what, said, found) in [
            ("values", said.values, values),
            ("there", said.there, values - lost),
            ("quarantined", said.quarantined, counted.quarantined),
            ("dropped", said.dropped, counted.dropped),
        ] {
            tally.check(said == found, || {
                let (said, found) = (grouped(said), grouped(found));
                format!("{target}.{attr} {what}: bundle.json says {said}, there are {found}")
            });
        }
        tally.finish()
    }
}

/// Whether the value of a row is none that a place gives, but one that the rule makes.
fn is_made(listed: &Listed, attr: &str, slot: usize) -> bool {
    listed.of(attr, slot).any(|how| how == "template" || how == "missing")
}
