//! One row of a source as typed cells, with everything that no cell can say.

use std::borrow::Cow;

use super::Extra;
use super::labels::{Meaning, Meanings};
use super::types::{self, Cell, Fit};
use crate::digest::{RowDigest, Value};
use crate::json;

/// A typed row.
#[derive(Debug)]
pub(super) struct TypedRow<'a> {
    /// The declared columns.
    pub(super) cells: Vec<Cell<'a>>,
    /// Creation time in the store that the row itself carries.
    pub(super) server: Option<i64>,
    /// What goes to `_extra`: name, value as it was, whether the contract names it.
    pub(super) extra: Vec<(Cow<'a, str>, &'a str, bool)>,
    /// What goes to `_invalid`.
    pub(super) invalid: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// Links that no column holds: label, place of the file, ids.
    pub(super) pairs: Vec<Pairs<'a>>,
}

/// The ids of one link that no column holds.
#[derive(Debug)]
pub(super) struct Pairs<'a> {
    /// The label.
    pub(super) label: Cow<'a, str>,
    /// The place of its file.
    pub(super) file: usize,
    /// The ids, in their order.
    pub(super) ids: Vec<Cow<'a, str>>,
}

/// Which links a row of an entity may hold, and how many columns its table has.
#[derive(Clone, Copy)]
pub(super) struct Shape<'p> {
    /// The labels of the entity.
    pub(super) meanings: &'p Meanings,
    /// The number of declared columns; 0 for an entity that has no table.
    pub(super) columns: usize,
    /// By place of the link file: whether a row holds at most one.
    pub(super) has_one: &'p [bool],
}

impl<'a> TypedRow<'a> {
    /// Types a JSON object.
    ///
    /// # Errors
    /// The text is no JSON object.
    pub(super) fn new(shape: Shape<'_>, object: &'a str) -> Result<Self, serde_json::Error> {
        let mut members = json::members(object)?;
        // The order of keys in a row means nothing; the same row always gives the same bytes.
        members.sort_by(|a, b| a.0.cmp(&b.0));
        let mut row = Self {
            cells: vec![Cell::Null; shape.columns],
            server: None,
            extra: Vec::new(),
            invalid: Vec::new(),
            pairs: Vec::new(),
        };
        let mut members = members.into_iter().peekable();
        while let Some((key, raw)) = members.next() {
            if members.peek().is_none_or(|(next, _)| *next != key) {
                row.place(shape, key, raw);
                continue;
            }
            let mut values = format!("[{raw}");
            while let Some((_, raw)) = members.next_if(|(next, _)| *next == key) {
                values.push(',');
                values.push_str(raw);
            }
            values.push(']');
            row.invalid.push((key, Cow::Owned(values)));
        }
        Ok(row)
    }

    fn place(&mut self, shape: Shape<'_>, key: Cow<'a, str>, raw: &'a str) {
        let (column, (cell, fit)) = match shape.meanings.of(&key) {
            Some(Meaning::Attr(column, ty)) => (column, types::attribute(ty, raw)),
            Some(Meaning::Id) if shape.columns > 0 => (0, types::id(raw)),
            Some(Meaning::Link(column)) => (column, types::link(raw)),
            Some(Meaning::Pairs(file)) => return self.place_pairs(shape, file, key, raw),
            _ if key == Extra::SERVER && raw.parse::<i64>().is_ok() => {
                self.server = raw.parse().ok();
                return;
            }
            // As with a declared attribute, null says no more than absence.
            _ if raw == "null" => return,
            _ if key == "id" && shape.columns == 0 => return self.cells.push(types::id(raw).0),
            _ => return self.extra.push((key, raw, false)),
        };
        self.cells[column] = cell;
        self.set_aside(key, raw, fit);
    }

    fn place_pairs(&mut self, shape: Shape<'_>, file: usize, key: Cow<'a, str>, raw: &'a str) {
        let (ids, fit) = types::linked(raw, shape.has_one[file]);
        // A row that has no table keeps nothing aside: what ids there are count.
        let fits = fit != Fit::Misfit || shape.columns == 0;
        if fits && !ids.is_empty() {
            self.pairs.push(Pairs { label: key.clone(), file, ids });
        }
        self.set_aside(key, raw, fit);
    }

    fn set_aside(&mut self, key: Cow<'a, str>, raw: &'a str, fit: Fit) {
        match fit {
            Fit::Whole => {}
            Fit::Reshaped => self.extra.push((key, raw, true)),
            Fit::Misfit => self.invalid.push((key, Cow::Borrowed(raw))),
        }
    }

    /// The row's id.
    pub(super) fn id(&self) -> Option<&str> {
        match self.cells.first() {
            Some(Cell::Text(id)) => Some(id),
            _ => None,
        }
    }

    /// The digest of all of the row, under the names of its columns.
    pub(super) fn digest(&self, names: &[String], digest: &mut RowDigest) -> u128 {
        let extra = self.extra.iter().map(|(name, raw, _)| named(Extra::EXTRA, name, raw));
        let invalid = self.invalid.iter().map(|(name, raw)| named(Extra::INVALID, name, raw));
        let pairs = self.pairs.iter().map(|pairs| (pairs.label.to_string(), id_set(&pairs.ids)));
        let aside: Vec<(String, Cow<'_, str>)> =
            extra.chain(invalid).chain(pairs.map(|(name, ids)| (name, Cow::Owned(ids)))).collect();
        let cells = names.iter().zip(&self.cells).map(|(name, cell)| (name.as_str(), value(cell)));
        let aside = aside.iter().map(|(name, raw)| (name.as_str(), Value::Json(raw)));
        digest.of(cells.chain(aside))
    }
}

fn named<'r>(column: &str, name: &str, raw: &'r str) -> (String, Cow<'r, str>) {
    (format!("{column}.{name}"), Cow::Borrowed(raw))
}

fn value<'c>(cell: &'c Cell<'_>) -> Value<'c> {
    match cell {
        Cell::Null => Value::Absent,
        Cell::Text(text) => Value::Text(text),
        Cell::Number(number) => Value::Number(*number),
        Cell::Boolean(value) => Value::Boolean(*value),
        Cell::Date(micros) => Value::Date(*micros),
        Cell::Json(raw) => Value::Json(raw),
    }
}

/// Ids as a sorted JSON array.
fn id_set(ids: &[Cow<'_, str>]) -> String {
    let mut sorted: Vec<&str> = ids.iter().map(AsRef::as_ref).collect();
    sorted.sort_unstable();
    let mut out = vec![b'['];
    for (at, id) in sorted.into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        json::write_string(id, &mut out);
    }
    out.push(b']');
    String::from_utf8_lossy(&out).into_owned()
}

/// Some members as a JSON object.
pub(super) fn write_object<'m>(
    members: impl IntoIterator<Item = (&'m str, &'m str)>,
    out: &mut Vec<u8>,
) {
    out.clear();
    out.push(b'{');
    for (key, raw) in members {
        if out.len() > 1 {
            out.push(b',');
        }
        json::write_string(key, out);
        out.push(b':');
        out.extend_from_slice(raw.as_bytes());
    }
    out.push(b'}');
}
