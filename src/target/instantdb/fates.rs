//! What becomes of the bundle's rows, as the comparison wrote it down.

use std::iter::Peekable;

use crate::error::{Error, Result};
use crate::target::{Before, BeforeRows, Image, Table, Was};

/// What the import does with a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    Created,
    Unchanged,
    Kept,
    Updated(Image),
}

/// The fates of a table's rows, in the bundle's order: the order in which they were written down.
#[derive(Debug)]
pub(super) struct Fates<'t> {
    table: &'t str,
    rows: Peekable<BeforeRows>,
}

impl<'t> Fates<'t> {
    pub(super) fn of(before: &Before, table: &'t Table) -> Result<Self> {
        let mut rows = before.rows()?.peekable();
        while rows.next_if(|row| row.as_ref().is_ok_and(|row| row.table != table.name)).is_some() {}
        Ok(Self { table: &table.name, rows })
    }

    /// The fate of the next row of the bundle.
    pub(super) fn next(&mut self, key: &[String]) -> Result<Fate> {
        let ours = |row: &Result<Was>| match row {
            Ok(row) => row.table == self.table && row.key == key,
            Err(_) => true,
        };
        let Some(row) = self.rows.next_if(ours) else { return Ok(Fate::Created) };
        let row = row?;
        Ok(match (row.was, row.kept) {
            (Some(image), _) => Fate::Updated(image),
            (None, true) => Fate::Kept,
            (None, false) => Fate::Unchanged,
        })
    }

    /// Checks that every row that was written down was met.
    pub(super) fn end(mut self) -> Result<()> {
        match self.rows.peek() {
            Some(Ok(row)) if row.table == self.table => {
                Err(Error::damaged("what the app held before is not about this bundle's rows")
                    .at(format!("`{}` {}", row.table, row.key.join(" -> ")))
                    .help("bring the bundle's folder back from a copy"))
            }
            _ => Ok(()),
        }
    }
}
