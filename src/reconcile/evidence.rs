//! What the data says about a step before any push.
//!
//! Before a push the data is that of the target rows the app has already; what the migration brings is
//! checked by the bundle's own rules, and only its amount is said here. Every look is a pass over the
//! ids and one narrow column; values are not kept. Looking for shared values takes 16 bytes for each of
//! at most two million rows at a time, and one pass more for every further two million.

mod rows;
mod shared;

use std::collections::BTreeSet;

use arrow::array::{Array, AsArray};

use super::delta::Draft;
use super::kind::Kind;
use crate::contract::Contract;
use crate::error::{Result, grouped};
use crate::instantdb::MOST_INDEXED;
use crate::json;
use crate::schema::Type;
use crate::snapshot::Snapshot;
use rows::Place;

/// How many ids a step names.
const MOST: usize = 5;

/// What the data says about a step.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    /// In a sentence; empty when nothing is to say.
    pub(super) said: String,
    /// Rows that would make it fail.
    pub(super) fails: u64,
    /// Ids of the first of them, by id.
    pub(super) samples: Vec<String>,
}

/// What a step demands of the rows that are there.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "a step may demand any of them")]
struct Demands {
    /// Every row has a value.
    present: bool,
    /// No two rows share one.
    unique: bool,
    /// None is too long for an index.
    short: bool,
    /// Every value is of the type.
    typed: bool,
}

impl Demands {
    fn of(step: &Draft) -> Self {
        let params = &step.params;
        let is = |flag: &str| params[flag] == true;
        let none = Self::default();
        match step.kind {
            Kind::AddAttr if step.label == "id" => none,
            Kind::AddAttr | Kind::UpdateAttr => {
                let is_link = params["value-type"] == "ref";
                let unique = is("unique?");
                Self {
                    present: is("required?"),
                    unique,
                    short: !is_link && (unique || is("index?")),
                    typed: params["checked-data-type"].is_string()
                        || (is_link && params["cardinality"] == "one"),
                }
            }
            Kind::Index => Self { short: true, ..none },
            Kind::Unique => Self { unique: true, short: true, ..none },
            Kind::Required => Self { present: true, ..none },
            Kind::CheckDataType => Self { typed: true, ..none },
            _ => none,
        }
    }
}

/// Looks at the rows that are there, and says how many are to come.
pub(super) fn look(step: &Draft, contract: &Contract, snapshot: &Snapshot) -> Result<Evidence> {
    let demands = Demands::of(step);
    if demands == Demands::default() {
        return Ok(Evidence::default());
    }
    let Some(place) = Place::find(snapshot, &step.entity, &step.label) else {
        return Ok(Evidence::default());
    };
    let mut found = Found::default();
    let ty = contract.after.schema.entity(&step.entity).and_then(|entity| entity.attr(&step.label));
    let ty = ty.map(|attr| attr.ty);
    let asked = step.params["checked-data-type"].as_str().and_then(Type::parse);
    let is_known = asked.is_none() || asked == ty;
    if place.rows > 0 {
        if demands.present {
            found.add(lacking(&place)?, "lack it", "lacks it");
        }
        if demands.typed && is_known {
            found.add(misfits(&place)?, "hold something else", "holds something else");
        }
        if demands.short {
            found.add(
                long(&place, ty)?,
                "hold more than 1,012 bytes",
                "holds more than 1,012 bytes",
            );
        }
        if demands.unique {
            let shared = shared::look(&place, shared::MOST)?;
            let groups = shared.groups.iter().map(|ids| format!("`{}`", ids.join("` and `")));
            let named = groups.collect::<Vec<_>>().join("; ");
            let count = Counted { rows: shared.rows, ids: shared.groups.concat() };
            let said = format!("share a value: {named}");
            found.add(count, &said, &said);
        }
    }
    if !is_known {
        found.said.push(
            "whether every value is of that type is not known, for the contract has another"
                .to_owned(),
        );
    }
    Ok(found.finish(place.rows, &coming(contract, snapshot, &step.entity)))
}

/// What some checks found.
#[derive(Debug, Default)]
struct Found {
    said: Vec<String>,
    fails: u64,
    ids: BTreeSet<String>,
}

/// Rows, and ids of the first of them.
#[derive(Debug, Default)]
struct Counted {
    rows: u64,
    ids: Vec<String>,
}

impl Counted {
    fn add(&mut self, id: String) {
        self.rows += 1;
        self.ids.push(id);
        if self.ids.len() > 64 {
            self.trim();
        }
    }

    /// The first ids by id, whatever the order of the rows.
    fn trim(&mut self) {
        self.ids.sort_unstable();
        self.ids.truncate(MOST);
    }
}

impl Found {
    fn add(&mut self, mut count: Counted, many: &str, one: &str) {
        if count.rows == 0 {
            return;
        }
        count.trim();
        self.fails += count.rows;
        self.ids.extend(count.ids);
        self.said.push(match count.rows {
            1 => format!("1 row {one}"),
            rows => format!("{} rows {many}", grouped(rows)),
        });
    }

    fn finish(self, rows: u64, coming: &str) -> Evidence {
        let there = match (self.said.is_empty(), rows) {
            (_, 0) => "no row is there yet".to_owned(),
            (true, 1) => "the one row there fits".to_owned(),
            (true, _) => format!("all {} rows there fit", grouped(rows)),
            (false, 1) => format!("of the one row there, {}", self.said.join(", ")),
            (false, _) => format!("of {} rows there, {}", grouped(rows), self.said.join(", ")),
        };
        let samples = self.ids.into_iter().take(MOST).collect();
        Evidence { said: format!("{there}{coming}"), fails: self.fails, samples }
    }
}

/// How many rows the migration brings at most.
fn coming(contract: &Contract, snapshot: &Snapshot, entity: &str) -> String {
    let sources = contract.transforms.iter().filter(|rules| rules.target == entity);
    let counts: Vec<(u64, &str)> = sources
        .filter_map(|rules| Some((snapshot.table(&rules.source)?.rows, rules.source.as_str())))
        .filter(|(rows, _)| *rows > 0)
        .collect();
    let told = counts.iter().map(|(rows, source)| match rows {
        1 => format!("1 row of `{source}`"),
        rows => format!("{} rows of `{source}`", grouped(*rows)),
    });
    match told.collect::<Vec<_>>().join(" and ") {
        none if none.is_empty() => String::new(),
        told => format!("; {told} to come, checked before any import"),
    }
}

/// Rows without a value; one that does not fit its type is a value.
fn lacking(place: &Place<'_>) -> Result<Counted> {
    let mut found = Counted::default();
    rows::each(place, true, &mut |row| {
        if row.value.is_null(row.at) && !row.misfits() {
            found.add(row.name());
        }
    })?;
    Ok(found)
}

/// Rows whose value does not fit its type.
fn misfits(place: &Place<'_>) -> Result<Counted> {
    let mut found = Counted::default();
    if !place.has_misfits {
        return Ok(found);
    }
    rows::each(place, true, &mut |row| {
        if row.misfits() {
            found.add(row.name());
        }
    })?;
    Ok(found)
}

/// Rows whose value is too long for an index.
fn long(place: &Place<'_>, ty: Option<Type>) -> Result<Counted> {
    let mut found = Counted::default();
    rows::each(place, false, &mut |row| {
        let Some(texts) = row.value.as_string_opt::<i32>() else { return };
        if texts.is_null(row.at) {
            return;
        }
        let text = texts.value(row.at);
        let bytes = match ty {
            Some(Type::Any) => json::string(text).map_or(text.len(), |text| text.len()),
            _ => text.len(),
        };
        if bytes > MOST_INDEXED {
            found.add(row.name());
        }
    })?;
    Ok(found)
}
