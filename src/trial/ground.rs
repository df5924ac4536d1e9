//! What faults are planted in: the tables of a bundle, each fault beginning at another one.

use std::path::Path;

use super::cell::{Cell, Row, Seen};
use super::fault::{Changes, Fault, Told, numbered, shown};
use super::table::Table;
use crate::bundle::{Bundle, Origin};
use crate::contract::{Contract, Transform};
use crate::error::Result;
use crate::snapshot::Snapshot;

/// The columns that say what a target row is.
pub(super) const OWN: [&str; 3] = ["id", Origin::ORIGIN, Origin::SOURCE_ROW];

/// A bundle, and whose turn it is.
pub(super) struct Ground<'a> {
    pub(super) bundle: &'a Bundle,
    pub(super) snapshot: &'a Snapshot,
    pub(super) contract: &'a Contract,
    /// The number of the fault: it decides where the search begins.
    pub(super) turn: usize,
}

/// A target table that a transform fills.
pub(super) struct Target<'a> {
    pub(super) transform: &'a Transform,
    pub(super) table: Table,
}

impl<'a> Ground<'a> {
    pub(super) fn new(
        bundle: &'a Bundle,
        snapshot: &'a Snapshot,
        contract: &'a Contract,
        turn: usize,
    ) -> Self {
        Self { bundle, snapshot, contract, turn }
    }

    /// Whether the rules since format 3 hold of the bundle.
    pub(super) fn is_judged_by_source(&self) -> bool {
        self.bundle.meta().is_judged_by_source()
    }

    pub(super) fn root(&self) -> &Path {
        self.bundle.root()
    }

    /// The target tables that have rows, from the one whose turn it is.
    pub(super) fn targets(&self) -> Result<Vec<Target<'a>>> {
        let mut targets = Vec::new();
        for transform in self.turned(&self.contract.transforms) {
            if let Some(table) = self.target(&transform.target)? {
                targets.push(Target { transform, table });
            }
        }
        Ok(targets)
    }

    /// The table of a target entity, when it has rows.
    pub(super) fn target(&self, entity: &str) -> Result<Option<Table>> {
        Table::open(self.root(), &format!("data/parquet/{entity}.parquet"))
    }

    /// The legacy entities, from the one whose turn it is.
    pub(super) fn legacy(&self) -> Vec<&'a str> {
        let entities = self.turned(&self.contract.before.schema.entities);
        entities.into_iter().map(|entity| entity.name.as_str()).collect()
    }

    /// Some things, from the one whose turn it is.
    pub(super) fn turned<'b, T>(&self, things: &'b [T]) -> Vec<&'b T> {
        let from = if things.is_empty() { 0 } else { self.turn % things.len() };
        things[from..].iter().chain(&things[..from]).collect()
    }

    /// Where the search in a table begins.
    pub(super) fn start(&self, rows: usize) -> usize {
        rows * ((self.turn * 37 + 11) % 97) / 97
    }
}

impl Target<'_> {
    pub(super) fn entity(&self) -> &str {
        &self.transform.target
    }

    /// What a rule may call a row that was made from a legacy row: its id, its place, or that row.
    pub(super) fn names(&self, row: Seen<'_>) -> Vec<String> {
        let source = row.whole(Origin::SOURCE_ROW).unwrap_or(-1);
        vec![
            shown(row),
            numbered(self.entity(), row.number),
            numbered(&self.transform.source, source),
        ]
    }

    /// A row for people.
    pub(super) fn place(&self, row: Seen<'_>) -> String {
        format!("{} row {} ({})", self.entity(), row.number, shown(row))
    }

    /// The fault of another value in one column of a row.
    pub(super) fn value(&self, at: usize, (column, value): (&str, &Cell<'_>)) -> Result<Fault> {
        let row = self.table.row(at)?;
        let place = format!("{}, `{column}`", self.place(row.at(at)));
        Ok(Fault {
            told: Told::Row(self.names(row.at(at))),
            ..self.fault(place, vec![(at, vec![row.with(column, value)?])])
        })
    }

    /// The fault of these rows in place of some; what must be named is to be said.
    pub(super) fn fault(&self, place: String, edits: Vec<(usize, Vec<Row>)>) -> Fault {
        let put = |changes: Changes, (at, rows)| changes.put(&self.table.file, at, rows);
        let changes = edits.into_iter().fold(Changes::default(), put);
        Fault { changes, place, told: Told::Row(Vec::new()) }
    }

    /// A migrated row for which this holds, with all its columns.
    pub(super) fn pick(
        &self,
        start: usize,
        columns: &[&str],
        holds: &mut dyn FnMut(Seen<'_>) -> bool,
    ) -> Result<Option<(usize, Row)>> {
        let columns = [&OWN[..], columns].concat();
        let found = self.table.find(&columns, start, &mut |row| {
            (is_migrated(row) && holds(row)).then_some(row.number)
        })?;
        found.map(|at| Ok((at, self.table.row(at)?))).transpose()
    }
}

/// Whether a row was made from a legacy row.
pub(super) fn is_migrated(row: Seen<'_>) -> bool {
    row.text(Origin::ORIGIN) == Some(Origin::MIGRATED)
}
