//! A fault: what it changes, and what must be named of it.

use std::collections::BTreeMap;

use super::cell::{Row, Seen};
use super::edit::{Lines, Rows};
use crate::bundle::Meta;
use crate::error::printable;

/// What a fault changes.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Changes {
    /// By Parquet file.
    pub(super) rows: BTreeMap<String, Rows>,
    /// By file of lines.
    pub(super) lines: BTreeMap<String, Lines>,
    /// What `bundle.json` says in place of what it said.
    pub(super) meta: Option<Box<Meta>>,
}

impl Changes {
    /// Puts rows in place of one.
    pub(super) fn put(mut self, file: &str, row: usize, instead: Vec<Row>) -> Self {
        self.rows.entry(file.to_owned()).or_default().insert(row, instead);
        self
    }

    /// Puts lines in place of one.
    pub(super) fn put_lines(mut self, file: &str, line: usize, instead: Vec<Vec<u8>>) -> Self {
        self.lines.entry(file.to_owned()).or_default().insert(line, instead);
        self
    }
}

/// What a rule that fails must say for a fault to be caught.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    /// One of these names of a row; by a rule that compares no digests and no lines.
    Row(Vec<String>),
    /// The same, by a rule of this kind alone.
    By(&'static str, Vec<String>),
    /// One of these names of a line's row, by any rule.
    Line(Vec<String>),
    /// One of these figures of `bundle.json`, by a rule about this entity.
    Figure(String, Vec<String>),
    /// One of these names of a row, by a note on this entity and column: it need not fail, it must count
    /// more than before.
    Noted(String, String, Vec<String>),
}

impl Told {
    /// The same names, by a rule of one kind alone.
    pub(super) fn by(self, kind: &'static str) -> Self {
        match self {
            Told::Row(names) => Told::By(kind, names),
            told => told,
        }
    }
}

/// A fault that can be planted.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fault {
    pub(super) changes: Changes,
    /// Where it is, for people.
    pub(super) place: String,
    pub(super) told: Told,
}

/// A row as verification names it: `items row 3 (`, whatever its id.
pub(super) fn numbered(entity: &str, row: impl std::fmt::Display) -> String {
    format!("{entity} row {row} (")
}

/// The id of a row as verification shows it.
pub(super) fn shown(row: Seen<'_>) -> String {
    short(row.text("id").unwrap_or("no id"))
}

/// An id as verification shows it.
pub(super) fn short(id: &str) -> String {
    match id.char_indices().nth(64) {
        Some((end, _)) => format!("{}…", printable(&id[..end])),
        None => printable(id),
    }
}
