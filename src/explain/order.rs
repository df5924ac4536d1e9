//! The rows beside a row, in the order of its table and among the rows of its sequence.

use super::answer::{Group, Neighbour, Order};
use super::cell::Record;
use super::fields;
use super::files::Files;
use super::table::{Needle, Table};
use crate::contract::CheckWhat;
use crate::error::Result;

/// The neighbours of a row of a target table.
pub(super) fn of(files: &Files, entity: &str, table: &Table, row: &Record) -> Result<Order> {
    let by = files.contract.transform_into(entity).map(|rules| rules.order.clone());
    let by = by.unwrap_or_default();
    let beside = Beside { files, entity, table, by: &by };
    let (before, after) = (row.row.checked_sub(1), Some(row.row + 1));
    Ok(Order {
        rows: table.rows() as u64,
        before: beside.at(before)?,
        after: beside.at(after.filter(|after| *after < table.rows()))?,
        groups: beside.groups(row)?,
        by,
    })
}

struct Beside<'a> {
    files: &'a Files,
    entity: &'a str,
    table: &'a Table,
    by: &'a [String],
}

impl Beside<'_> {
    fn at(&self, row: Option<usize>) -> Result<Option<Neighbour>> {
        let Some(row) = row else { return Ok(None) };
        let others = self.by.iter().map(String::as_str).filter(|name| *name != "id");
        let names: Vec<&str> = std::iter::once("id").chain(others).collect();
        let ty = |column: &str| self.files.target_type(self.entity, column);
        let found = self.table.some(&names, &[row], &ty)?.pop();
        Ok(found.map(|row| Neighbour {
            id: row.text("id").unwrap_or_default().to_owned(),
            values: fields(&row, &["id"]),
        }))
    }

    /// The groups whose order a rule of the contract looks at.
    fn groups(&self, row: &Record) -> Result<Vec<Group>> {
        let mut found: Vec<Group> = Vec::new();
        for check in &self.files.contract.checks {
            let CheckWhat::Sequence { target, within, .. } = &check.what else { continue };
            let Some(of) = row.text(within).filter(|_| target == self.entity) else { continue };
            if found.iter().any(|group| group.within == *within) {
                continue;
            }
            let rows = self.table.find(within, &Needle::exact(of))?;
            let Some(at) = rows.iter().position(|found| *found == row.row) else { continue };
            let before = at.checked_sub(1).and_then(|at| rows.get(at)).copied();
            found.push(Group {
                within: within.clone(),
                of: of.to_owned(),
                row: at as u64,
                rows: rows.len() as u64,
                before: self.at(before)?,
                after: self.at(rows.get(at + 1).copied())?,
            });
        }
        Ok(found)
    }
}
