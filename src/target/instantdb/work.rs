//! One batch into the app: halved, bisected, settled, until it is done or its bad rows are known.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::ask::{self, Theirs};
use super::normal;
use super::shape::Shape;
use super::wire::{Goal, Unit};
use crate::error::{Result, printable};
use crate::instantdb::{Class, Client, Failure, TRIES};

/// A row that the server refuses.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Aside {
    pub(super) table: String,
    /// Its id, or both ends of a link.
    pub(super) key: Vec<String>,
    /// What the server said, cut and without the token.
    pub(super) reason: String,
}

/// Units of one table that go in one transaction.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) number: u64,
    /// The table's number in the plan.
    pub(super) table: usize,
    pub(super) units: Vec<Unit>,
    /// A part of it may be done already: the app is asked before anything is sent.
    pub(super) settle: bool,
    /// Of its content, as it was before anything was left out.
    pub(super) digest: String,
}

/// Rows that are set aside for failures that may be the server's own, at most in one batch.
const MOST_POISON: u32 = 5;

/// Brings a batch into the app; gives the rows that the server refuses.
pub(super) fn bring(client: &Client, shape: &Shape, batch: Batch) -> Result<Vec<Aside>> {
    let mut work = Work { client, shape, open: Vec::new(), aside: Vec::new(), poison: 0 };
    let mut units = batch.units;
    if batch.settle {
        units = missing(client, shape, units)?;
    }
    work.push(units, 0);
    while let Some((units, tried)) = work.open.pop() {
        work.send(units, tried)?;
    }
    Ok(work.aside)
}

struct Work<'a> {
    client: &'a Client,
    shape: &'a Shape,
    /// Units that are still to be sent, and how often they were tried without a word.
    open: Vec<(Vec<Unit>, u32)>,
    aside: Vec<Aside>,
    poison: u32,
}

impl Work<'_> {
    fn push(&mut self, units: Vec<Unit>, tried: u32) {
        if !units.is_empty() {
            self.open.push((units, tried));
        }
    }

    fn send(&mut self, units: Vec<Unit>, tried: u32) -> Result<()> {
        let steps: Vec<&str> = units.iter().map(|unit| unit.steps.as_str()).collect();
        let Err(failure) = self.client.transact(&format!("[{}]", steps.join(","))) else {
            return Ok(());
        };
        match &failure.class {
            Class::Fatal(_) | Class::Retry(_) => Err(failure.into_error()),
            Class::Halve if units.len() > 1 => {
                self.halve(units, 0);
                Ok(())
            }
            Class::Halve => self.once_more(units, tried, failure),
            Class::BadRows => {
                self.bisect(units, &failure);
                Ok(())
            }
            Class::Ambiguous => {
                let units = missing(self.client, self.shape, units)?;
                self.once_more(units, tried, failure)
            }
        }
    }

    fn halve(&mut self, mut units: Vec<Unit>, tried: u32) {
        let second = units.split_off(units.len() / 2);
        self.push(second, tried);
        self.push(units, tried);
    }

    /// Finds the rows that do not fit: by the server's word, or half by half.
    fn bisect(&mut self, mut units: Vec<Unit>, failure: &Failure) {
        if units.len() == 1 {
            self.set_aside(units, failure);
            return;
        }
        let named = failure.told.entity_id.as_deref().and_then(normal::id);
        let at = named.and_then(|id| {
            units
                .iter()
                .position(|unit| unit.key.iter().any(|key| normal::id(key).as_ref() == Some(&id)))
        });
        match at {
            None => self.halve(units, 0),
            Some(at) => {
                let blamed = units.remove(at);
                self.push(units, 0);
                self.push(vec![blamed], 0);
            }
        }
    }

    /// Tries what is still missing again, until there were tries enough.
    fn once_more(&mut self, units: Vec<Unit>, tried: u32, mut failure: Failure) -> Result<()> {
        if units.is_empty() {
            return Ok(());
        }
        failure.told.tries = tried + 1;
        if self.client.back_off(tried + 1) {
            self.push(units, tried + 1);
            return Ok(());
        }
        // What fails the same way again and again may be one row's doing.
        let is_servers =
            failure.told.http.is_none_or(|http| http != 500 && http != 413 && http != 400);
        if is_servers || self.poison >= MOST_POISON {
            return Err(failure.into_error());
        }
        if units.len() > 1 {
            self.halve(units, TRIES - 1);
            return Ok(());
        }
        self.poison += 1;
        self.set_aside(units, &failure);
        Ok(())
    }

    fn set_aside(&mut self, units: Vec<Unit>, failure: &Failure) {
        let kind = failure.told.kind.as_ref().map_or_else(String::new, |kind| format!("{kind}: "));
        let at =
            failure.told.attribute.as_ref().map_or_else(String::new, |name| format!(" (`{name}`)"));
        let reason = printable(&format!("{kind}{}{at}", failure.told.message));
        let table = &self.shape.table;
        self.aside.extend(units.into_iter().map(|unit| Aside {
            table: table.clone(),
            key: unit.key,
            reason: reason.clone(),
        }));
    }
}

/// Those units whose goal the app has not reached.
pub(super) fn missing(client: &Client, shape: &Shape, units: Vec<Unit>) -> Result<Vec<Unit>> {
    let ids: BTreeSet<String> = units.iter().filter_map(|unit| normal::id(&unit.key[0])).collect();
    let ids: Vec<String> = ids.into_iter().collect();
    let id = |unit: &Unit, end: usize| {
        unit.key.get(end).and_then(|key| normal::id(key)).unwrap_or_default()
    };
    if let Some(side) = &shape.side {
        let mut links = std::collections::BTreeMap::new();
        for ids in ids.chunks(PAGE) {
            links.extend(ask::links(client, shape, side, ids)?);
        }
        let is_there =
            |unit: &Unit| links.get(&id(unit, 0)).is_some_and(|to| to.contains(&id(unit, 1)));
        let open = |unit: &Unit| unit.goal != Goal::Linked(is_there(unit));
        return Ok(units.into_iter().filter(open).collect());
    }
    let mut found = ask::Found::new();
    for ids in ids.chunks(PAGE) {
        found.extend(ask::rows(client, &shape.etype, ids, (&[], false))?);
    }
    let open = |unit: &Unit| {
        let row = found.get(&id(unit, 0));
        !match (&unit.goal, row) {
            (Goal::Gone | Goal::HoldsIfThere(_), None) => true,
            (Goal::Holds(goal) | Goal::HoldsIfThere(goal), Some(row)) => holds(shape, row, goal),
            _ => false,
        }
    };
    Ok(units.into_iter().filter(open).collect())
}

/// Rows that are asked for at once when a batch is settled.
const PAGE: usize = 500;

fn holds(shape: &Shape, row: &str, goal: &[(usize, u128)]) -> bool {
    let theirs = Theirs::of(shape, row);
    goal.iter().all(|(at, digest)| theirs.values[*at].digest() == *digest)
}
