//! Triples in the order of their key, folded into rows: one id at a time.

use std::ops::Range;

use super::app::Attr;
use crate::error::{Error, Result};
use crate::json;
use crate::pg::copy::Cells;
use crate::schema::Has;
use crate::source::rows::{LONGEST_ROW, too_long};

/// One row.
pub(super) struct Folded<'f> {
    pub(super) entity: &'f str,
    pub(super) id: uuid::Uuid,
    pub(super) object: &'f str,
    /// 0 where the id has no `id` triple, as in a backup.
    pub(super) created_at: i64,
    /// Whether the entity has an `id` triple: without one it is values and links of a row that is not
    /// there (INSTANTDB §5.1, and what was added).
    pub(super) has_id: bool,
}

/// Collects the triples of one id; an id may be a row of several entities.
pub(super) struct Fold<'a> {
    attrs: &'a [Attr],
    /// Keys of attributes and where they stand in `attrs`, sorted.
    places: Vec<([u8; 16], usize)>,
    id: Option<[u8; 16]>,
    triples: Vec<Triple>,
    values: String,
    object: Vec<u8>,
}

struct Triple {
    attr: usize,
    value: Range<usize>,
    created_at: i64,
}

impl<'a> Fold<'a> {
    pub(super) fn new(attrs: &'a [Attr]) -> Self {
        let mut places: Vec<_> =
            attrs.iter().enumerate().map(|(at, attr)| (attr.key, at)).collect();
        places.sort_unstable();
        let (values, object) = (String::new(), Vec::new());
        Self { attrs, places, id: None, triples: Vec::new(), values, object }
    }

    /// Takes the next triple; the rows of the id before it are passed on when another begins.
    pub(super) fn take(
        &mut self,
        cells: Cells<'_>,
        each: &mut dyn FnMut(Folded<'_>) -> Result<()>,
    ) -> Result<()> {
        let key = |at: usize| cells.get(at).and_then(|cell| <[u8; 16]>::try_from(cell).ok());
        let (Some(id), Some(attr)) = (key(0), key(1)) else {
            return Err(Error::damaged("a triple has no UUID as its entity or its attribute"));
        };
        let value = match (cells.get(2), cells.text(2)) {
            (None, _) => "null",
            (Some(_), Some(text)) => text,
            (Some(_), None) => {
                return Err(
                    Error::damaged("the value is no UTF-8 text").at(uuid::Uuid::from_bytes(id))
                );
            }
        };
        if self.id != Some(id) {
            self.finish(each)?;
            self.id = Some(id);
        }
        let Ok(at) = self.places.binary_search_by(|(key, _)| key.cmp(&attr)) else {
            return Ok(());
        };
        let from = self.values.len();
        if (from + value.len()) as u64 > LONGEST_ROW {
            return Err(too_long(uuid::Uuid::from_bytes(id)));
        }
        self.values.push_str(value);
        let created_at = cells.get(3).and_then(|cell| cell.try_into().ok());
        self.triples.push(Triple {
            attr: self.places[at].1,
            value: from..self.values.len(),
            created_at: created_at.map_or(0, i64::from_be_bytes),
        });
        Ok(())
    }

    /// Passes the rows of the last id on.
    pub(super) fn finish(&mut self, each: &mut dyn FnMut(Folded<'_>) -> Result<()>) -> Result<()> {
        let Some(id) = self.id.take() else { return Ok(()) };
        let id = uuid::Uuid::from_bytes(id);
        let values = &self.values;
        let text = |triple: &Triple| &values[triple.value.clone()];
        self.triples
            .sort_by(|a, b| (a.attr, a.created_at, text(a)).cmp(&(b.attr, b.created_at, text(b))));
        let entity = |triple: &Triple| self.attrs[triple.attr].entity.as_str();
        for row in self.triples.chunk_by(|a, b| entity(a) == entity(b)) {
            let first = &row[0];
            let has_id = self.attrs[first.attr].is_id();
            self.object.clear();
            write_object(self.attrs, values, row, &mut self.object).map_err(|label| {
                let said = format!("`{label}` has several values, and may have one");
                Error::damaged(said).at(format!("`{}` {id}", entity(first)))
            })?;
            let object = std::str::from_utf8(&self.object)
                .map_err(|error| Error::bug("a row is no UTF-8 text").because(error))?;
            let created_at = if has_id { first.created_at } else { 0 };
            each(Folded { entity: entity(first), id, object, created_at, has_id })?;
        }
        self.triples.clear();
        self.values.clear();
        Ok(())
    }
}

/// Appends the triples of one row as a JSON object; the label of an attribute that has too many
/// values is the error.
fn write_object<'a>(
    attrs: &'a [Attr],
    values: &str,
    row: &[Triple],
    out: &mut Vec<u8>,
) -> Result<(), &'a str> {
    out.push(b'{');
    for (at, triples) in row.chunk_by(|a, b| a.attr == b.attr).enumerate() {
        if at > 0 {
            out.push(b',');
        }
        let attr = &attrs[triples[0].attr];
        json::write_string(&attr.label, out);
        out.push(b':');
        match triples {
            _ if attr.has == Has::Many => {
                for (at, triple) in triples.iter().enumerate() {
                    out.push(if at == 0 { b'[' } else { b',' });
                    out.extend_from_slice(values[triple.value.clone()].as_bytes());
                }
                out.push(b']');
            }
            [triple] => out.extend_from_slice(values[triple.value.clone()].as_bytes()),
            _ => return Err(&attr.label),
        }
    }
    out.push(b'}');
    Ok(())
}
