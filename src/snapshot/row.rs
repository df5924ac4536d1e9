//! One row of a source as typed cells, with everything that no cell can say.

use std::borrow::Cow;

use super::Extra;
use super::batch::Scratch;
use super::labels::{Meaning, Meanings};
use super::layout::TableLayout;
use super::types::{self, Cell, Fit};
use crate::digest::{RowDigest, Value, of_canonical, write_value};
use crate::json::{self, Scan};
use crate::schema::Type;

/// A cell without a canonical form at hand.
const NO_FORM: (usize, usize) = (0, 0);

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
    /// The canonical forms of cells that have one, in the [`Scan`] that read the row: of declared
    /// columns the texts and JSON values that are as the source has them.
    forms: Vec<(usize, usize)>,
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
    /// By place of the link file: how many a row holds.
    pub(super) holds: &'p [types::Holds],
}

/// Reads ordinary objects, and knows what their keys mean as long as they are the same ones.
#[derive(Default)]
pub(super) struct Reader {
    scan: Scan,
    meanings: Vec<Option<Meaning>>,
    known: bool,
}

impl Reader {
    /// Forgets what keys mean: the rows that come are of another entity.
    pub(super) fn forget(&mut self) {
        self.known = false;
    }

    fn read(&mut self, shape: Shape<'_>, object: &str) -> bool {
        if !self.scan.read(object) {
            self.known = false;
            return false;
        }
        if !self.known || !self.scan.repeats() {
            let keys = self.scan.members().iter().map(|member| &object[member.key.0..member.key.1]);
            self.meanings.clear();
            self.meanings.extend(keys.map(|key| shape.meanings.of(key)));
            self.known = true;
        }
        true
    }
}

impl<'a> TypedRow<'a> {
    /// Types a JSON object.
    ///
    /// # Errors
    /// The text is no JSON object.
    pub(super) fn new(
        shape: Shape<'_>,
        object: &'a str,
        reader: &mut Reader,
    ) -> Result<Self, serde_json::Error> {
        let mut row = Self {
            cells: vec![Cell::Null; shape.columns],
            server: None,
            extra: Vec::new(),
            invalid: Vec::new(),
            pairs: Vec::new(),
            forms: Vec::new(),
        };
        if !reader.read(shape, object) {
            return row.read(shape, object);
        }
        row.forms.resize(shape.columns, NO_FORM);
        for (member, meaning) in reader.scan.members().iter().zip(&reader.meanings) {
            let key = Cow::Borrowed(&object[member.key.0..member.key.1]);
            let raw = &object[member.raw.0..member.raw.1];
            row.place(shape, (key, *meaning), raw, Some(member.form));
        }
        Ok(row)
    }

    /// Types any JSON object: keys may have escapes or stand twice.
    fn read(mut self, shape: Shape<'_>, object: &'a str) -> Result<Self, serde_json::Error> {
        let mut members = json::members(object)?;
        // The order of keys in a row means nothing; the same row always gives the same bytes.
        members.sort_by(|a, b| a.0.cmp(&b.0));
        let mut members = members.into_iter().peekable();
        while let Some((key, raw)) = members.next() {
            if members.peek().is_none_or(|(next, _)| *next != key) {
                let meaning = shape.meanings.of(&key);
                self.place(shape, (key, meaning), raw, None);
                continue;
            }
            let mut values = format!("[{raw}");
            while let Some((_, raw)) = members.next_if(|(next, _)| *next == key) {
                values.push(',');
                values.push_str(raw);
            }
            values.push(']');
            self.invalid.push((key, Cow::Owned(values)));
        }
        Ok(self)
    }

    /// Puts a member where it belongs; `form` is the canonical form of an ordinary one.
    fn place(
        &mut self,
        shape: Shape<'_>,
        (key, meaning): (Cow<'a, str>, Option<Meaning>),
        raw: &'a str,
        form: Option<(usize, usize)>,
    ) {
        let (column, (cell, fit)) = match meaning {
            // An ordinary value is not too deep.
            Some(Meaning::Attr(column, Type::Any)) if form.is_some() && raw != "null" => {
                (column, (Cell::Json(raw), Fit::Whole))
            }
            Some(Meaning::Attr(column, ty)) => (column, types::attribute(ty, raw)),
            Some(Meaning::Scalar(column)) => (column, types::scalar(raw)),
            Some(Meaning::Ref(column)) => (column, types::reference(raw)),
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
        if let (Some(form), Fit::Whole, Cell::Text(_) | Cell::Json(_)) = (form, fit, &cell) {
            self.forms[column] = form;
        }
        self.cells[column] = cell;
        self.set_aside(key, raw, fit);
    }

    fn place_pairs(&mut self, shape: Shape<'_>, file: usize, key: Cow<'a, str>, raw: &'a str) {
        let (ids, fit) = types::linked(raw, shape.holds[file]);
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

    /// The digest of all of the row, under the names of its columns, in the table's order of them.
    pub(super) fn digest(&self, table: &TableLayout, scratch: &mut Scratch) -> u128 {
        if !self.extra.is_empty() || !self.invalid.is_empty() || !self.pairs.is_empty() {
            return self.digest_of_all(table, &mut scratch.digest);
        }
        let out = &mut scratch.text;
        out.clear();
        for (column, key) in &table.keys {
            let cell = &self.cells[*column];
            if *cell == Cell::Null {
                continue;
            }
            out.push(if out.is_empty() { b'{' } else { b',' });
            out.extend_from_slice(key);
            match self.forms.get(*column).filter(|form| **form != NO_FORM) {
                Some(form) => out.extend_from_slice(scratch.reader.scan.form(*form)),
                None => write_value(value(cell), out),
            }
        }
        if out.is_empty() {
            out.push(b'{');
        }
        out.push(b'}');
        of_canonical(out)
    }

    fn digest_of_all(&self, table: &TableLayout, digest: &mut RowDigest) -> u128 {
        let extra = self.extra.iter().map(|(name, raw, _)| named(Extra::EXTRA, name, raw));
        let invalid = self.invalid.iter().map(|(name, raw)| named(Extra::INVALID, name, raw));
        let pairs = self.pairs.iter().map(|pairs| (pairs.label.to_string(), id_set(&pairs.ids)));
        let aside: Vec<(String, Cow<'_, str>)> =
            extra.chain(invalid).chain(pairs.map(|(name, ids)| (name, Cow::Owned(ids)))).collect();
        let cells = table.names.iter().zip(&self.cells);
        let cells = cells.map(|(name, cell)| (name.as_str(), value(cell)));
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
