//! How many target rows every legacy row becomes where a contract splits them.

use std::path::Path;

use super::object::{DROPPED, NOT_WHOLE, Object, REFUSED};
use super::read::{self, Row};
use crate::contract::{Build, Case, Explode};
use crate::error::Result;

/// The cases of the rows of a legacy table.
pub(super) struct Cases {
    /// By row: the place of its case, [`DROPPED`], [`REFUSED`] or [`NOT_WHOLE`].
    of: Vec<u16>,
    /// By case: how many rows it makes.
    makes: Vec<u16>,
}

impl Cases {
    /// Looks at the object of every row.
    pub(super) fn read(rule: &Explode, path: Option<&Path>, rows: usize) -> Result<Self> {
        let makes =
            rule.cases.iter().map(|case| u16::try_from(case.rows.len()).unwrap_or(u16::MAX));
        let mut cases = Self { of: Vec::with_capacity(rows), makes: makes.collect() };
        let Some(path) = path else { return Ok(cases) };
        let mut names = Vec::new();
        let columns = Columns::new(rule, &mut names);
        read::scan(path, &names, &mut |row| {
            let case = match columns.object(rule, row) {
                Ok(object) => object.case(rule),
                Err(fate) => fate,
            };
            cases.of.push(case);
            Ok(())
        })?;
        Ok(cases)
    }

    /// How many target rows a row becomes, when nothing else is the matter with it.
    pub(super) fn count(&self, row: usize) -> usize {
        self.makes.get(usize::from(self.of[row])).map_or(0, |makes| usize::from(*makes))
    }

    /// The case of a row, when its object is of one.
    pub(super) fn case<'r>(&self, rule: &'r Explode, row: usize) -> Option<&'r Case> {
        rule.cases.get(usize::from(*self.of.get(row)?))
    }

    /// Whether a rule drops a row.
    pub(super) fn is_dropped(&self, row: usize) -> bool {
        self.of[row] == DROPPED || !self.is_refused(row) && self.count(row) == 0
    }

    /// Whether a rule refuses a row.
    pub(super) fn is_refused(&self, row: usize) -> bool {
        self.of[row] == REFUSED || self.is_not_whole(row)
    }

    /// Whether a rule refuses a row because no case answers for all of it.
    pub(super) fn is_not_whole(&self, row: usize) -> bool {
        self.of[row] == NOT_WHOLE
    }

    /// What fills an attribute in one of the rows that a row becomes.
    pub(super) fn build<'r>(
        &self,
        rule: &'r Explode,
        (row, nth): (usize, usize),
        attr: &str,
    ) -> Option<&'r Build> {
        let made = rule.cases.get(usize::from(self.of[row]))?.rows.get(nth)?;
        made.iter().find(|(name, _)| name == attr).map(|(_, build)| build)
    }
}

/// Where the columns that a case needs stand in a projection.
pub(super) struct Columns {
    of: Vec<usize>,
    beside: Option<usize>,
}

impl Columns {
    /// Adds the columns that have to be read.
    pub(super) fn new<'a>(rule: &'a Explode, columns: &mut Vec<&'a str>) -> Self {
        let mut place = |name: &'a String| {
            let known = columns.iter().position(|column| *column == name);
            known.unwrap_or_else(|| {
                columns.push(name);
                columns.len() - 1
            })
        };
        Self {
            of: rule.of.iter().map(&mut place).collect(),
            beside: rule.otherwise_by.as_ref().map(&mut place),
        }
    }

    /// The object of a row, or what becomes of a row without one.
    pub(super) fn object<'t>(
        &self,
        rule: &Explode,
        row: Row<'t>,
    ) -> std::result::Result<Object<'t>, u16> {
        let values: Vec<&str> = self.of.iter().filter_map(|at| row.text(*at)).collect();
        Object::of(rule, &values, self.beside.and_then(|at| row.text(at)))
    }
}
