//! Legacy rows: their values, and where their links lead.

use super::cell::{Cell, Record};
use super::files::Files;
use super::table::{Needle, Table};
use crate::contract::Pick;
use crate::error::Result;
use crate::json::{self, PathValue};
use crate::schema::{Has, Link, Type};
use crate::snapshot::Extra;

/// An id that a row names, and the place that names it.
pub(super) struct Named {
    /// As it stands.
    pub(super) id: String,
    /// The link's label, or the attribute that holds the id instead.
    pub(super) by: String,
}

/// What a place of a rule gives.
#[derive(Default)]
pub(super) struct Given {
    pub(super) value: Option<Cell>,
    /// `<entity>:<id>` of the row it is of, when it is another one.
    pub(super) of: Option<String>,
}

/// Reads one row of a legacy table.
pub(super) fn read(files: &Files, entity: &str, row: i64) -> Result<Option<Record>> {
    let Some(table) = files.of_snapshot(entity)? else { return Ok(None) };
    let Ok(row) = usize::try_from(row) else { return Ok(None) };
    Ok(records(files, entity, &table, &[row])?.pop())
}

fn records(files: &Files, entity: &str, table: &Table, rows: &[usize]) -> Result<Vec<Record>> {
    table.records(rows, &|column| files.legacy_type(entity, column))
}

/// The value a place of a rule has in a row.
pub(super) fn given(files: &Files, entity: &str, row: &Record, pick: &Pick) -> Result<Given> {
    let value = match pick {
        Pick::Attr(name) => row.cell(name).clone(),
        Pick::Path { attr, keys } => match row.text(attr).map(|text| json::at_path(text, keys)) {
            Some(PathValue::Text(text)) => Cell::Text(text),
            Some(PathValue::Whole(whole)) => Cell::Whole(whole),
            Some(PathValue::Boolean(value)) => Cell::Boolean(value),
            Some(PathValue::Absent) | None => Cell::Absent,
        },
        Pick::Server => match row.whole(Extra::SERVER).and_then(|ms| ms.checked_mul(1000)) {
            Some(micros) => Cell::Date(micros),
            None => Cell::Absent,
        },
        Pick::Linked { link, attr } => return linked(files, entity, row, (link, attr)),
    };
    Ok(Given { value: Some(value).filter(|value| *value != Cell::Absent), of: None })
}

fn linked(files: &Files, entity: &str, row: &Record, (label, attr): (&str, &str)) -> Result<Given> {
    let Some(link) = files.contract.before.schema.link(entity, label) else {
        return Ok(Given::default());
    };
    let Some(named) = names(files, link, row)? else { return Ok(Given::default()) };
    let of = Some(format!("{}:{}", link.to, named.id));
    if attr == "id" {
        return Ok(Given { value: Some(Cell::Text(named.id)), of });
    }
    let Some(other) = row_of(files, &link.to, &named.id)? else {
        return Ok(Given { value: None, of });
    };
    let own = files.contract.before.schema.link(&link.to, attr);
    let is_attr = files.contract.before.schema.entity(&link.to);
    let is_attr = is_attr.is_some_and(|entity| entity.attr(attr).is_some());
    let value = match own.filter(|_| !is_attr) {
        Some(own) => names(files, own, &other)?.map(|named| Cell::Text(named.id)),
        None => Some(other.cell(attr).clone()).filter(|value| *value != Cell::Absent),
    };
    Ok(Given { value, of })
}

/// The row that a row names by a link: the first of the places that hold it which names a row of
/// the source, else the first.
pub(super) fn names(files: &Files, link: &Link, row: &Record) -> Result<Option<Named>> {
    let mut places: Vec<Named> = Vec::new();
    if link.has == Has::One {
        push(row, &link.label, &mut places);
    }
    for id in from_other_side(files, link, row)? {
        let (to, reverse) = link.back().unwrap_or_default();
        places.push(Named { id, by: format!("{to}.{reverse}") });
    }
    for name in &link.also {
        push(row, name, &mut places);
    }
    for at in 0..places.len() {
        if has_row(files, &link.to, &places[at].id)? {
            return Ok(Some(places.swap_remove(at)));
        }
    }
    Ok(places.into_iter().next())
}

fn push(row: &Record, name: &str, places: &mut Vec<Named>) {
    let text = row.text(name).filter(|text| !is_blank(text));
    places.extend(text.map(|text| Named { id: text.to_owned(), by: name.to_owned() }));
}

/// Whether a text is blanks alone: space, TAB, CR, LF.
fn is_blank(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
}

/// The rows whose own tables name this one by the reverse side of a link.
fn from_other_side(files: &Files, link: &Link, row: &Record) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let (Some((root, meta)), Some(id)) = (&files.snapshot, row.text("id")) else {
        return Ok(found);
    };
    for held in &meta.links {
        let (own, other) = if held.is_back_of(link) {
            ("to", "from")
        } else if held.entity == link.on && held.label == link.label {
            ("from", "to")
        } else {
            continue;
        };
        let Some(table) = Table::open(&root.join(&held.file))? else { continue };
        let rows = table.find(own, &Needle::id(id))?;
        let pairs = table.some(&[other], &rows, &|_| Type::String)?;
        found.extend(pairs.iter().filter_map(|pair| pair.text(other).map(str::to_owned)));
    }
    Ok(found)
}

fn has_row(files: &Files, entity: &str, id: &str) -> Result<bool> {
    match files.of_snapshot(entity)? {
        Some(table) => Ok(!table.find("id", &Needle::id(id))?.is_empty()),
        None => Ok(false),
    }
}

/// A row of a legacy table, by its id.
pub(super) fn row_of(files: &Files, entity: &str, id: &str) -> Result<Option<Record>> {
    let Some(table) = files.of_snapshot(entity)? else { return Ok(None) };
    let Some(row) = table.find("id", &Needle::id(id))?.first().copied() else { return Ok(None) };
    Ok(records(files, entity, &table, &[row])?.pop())
}
