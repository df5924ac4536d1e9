//! Notes: what the contract counts in migrated rows and shows.

use super::Rule;
use super::content::Column;
use super::facts::Audit;
use super::key::{self, ABSENT, NONE};
use super::naming::{no_link, type_of};
use super::note_sql;
use super::read::{self, Row};
use super::rows::Looked;
use super::rule::Tally;
use super::table::Table;
use super::value::value_text;
use crate::contract::{Contract, Limit, Note, NoteWhat, Piece, noted_words};
use crate::digest::Value;
use crate::error::{Error, Result};
use crate::schema::{Schema, Type};

/// A note that whole rows are looked at for, and where its columns are in the projection.
pub(super) struct InRow {
    pub(super) what: NoteWhat,
    column: usize,
    /// The text built of the row, for [`NoteWhat::Unlike`].
    pieces: Vec<BuiltOf>,
}

/// A piece of a text built of a row.
enum BuiltOf {
    Text(String),
    Column(usize),
}

/// The notes on a target table that are decided row by row.
pub(super) fn in_rows(contract: &Contract, entity: &str, declared: &[Column]) -> Vec<InRow> {
    let singles = contract.notes.iter().flat_map(|note| note.what.single());
    singles.filter_map(|what| InRow::of(what, entity, declared)).collect()
}

impl InRow {
    fn of(what: NoteWhat, entity: &str, declared: &[Column]) -> Option<Self> {
        let at = |name: &str| declared.iter().position(|(known, _)| known == name);
        let (column, pieces) = match &what {
            NoteWhat::Null(columns) | NoteWhat::Text(columns) => (columns.first()?, &[][..]),
            NoteWhat::Unlike { column, template } => (column, &template.pieces[..]),
            NoteWhat::Shared { .. } | NoteWhat::Differ { .. } => return None,
        };
        let column = Some(column).filter(|(of, _)| of == entity).and_then(|(_, name)| at(name))?;
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => Some(BuiltOf::Text(text.clone())),
            Piece::Attr(name) => at(name).map(BuiltOf::Column),
        };
        let pieces = pieces.iter().map(piece).collect::<Option<_>>()?;
        Some(Self { what, column, pieces })
    }

    /// Whether a row is not one to be noted; `None` when the note does not look at it.
    pub(super) fn holds(&self, declared: &[Column], row: Row<'_>) -> Option<bool> {
        let value = |at: usize| row.value(at, declared[at].1);
        let found = value(self.column);
        match self.what {
            NoteWhat::Null(_) => Some(key::value_hash(found) != ABSENT),
            NoteWhat::Text(_) => Some(!is_json_text(found)),
            _ => self.is_built(found, value),
        }
    }

    /// Whether a text is the one built of its row.
    fn is_built<'r>(&self, found: Value<'r>, value: impl Fn(usize) -> Value<'r>) -> Option<bool> {
        let Value::Text(found) = found else { return None };
        let mut rest = Some(found);
        for piece in &self.pieces {
            rest = match piece {
                BuiltOf::Text(text) => rest.and_then(|rest| rest.strip_prefix(text.as_str())),
                BuiltOf::Column(at) => match value(*at) {
                    Value::Text(text) => rest.and_then(|rest| rest.strip_prefix(text)),
                    other => {
                        let text = value_text(other)?;
                        rest.and_then(|rest| rest.strip_prefix(text.as_str()))
                    }
                },
            };
        }
        Some(rest == Some(""))
    }
}

fn is_json_text(value: Value<'_>) -> bool {
    matches!(value, Value::Json(text) if text.trim_start().starts_with('"'))
}

/// A rule that counts what stops nothing, up to a limit.
pub(super) fn begin(audit: &Audit<'_>, (entity, attr): (&str, &str), max: Limit) -> Tally {
    Tally::new("note", entity, attr).allows(max, audit.legacy_rows())
}

/// The rules of a note, one a column.
pub(super) fn rules<'a>(
    audit: &Audit<'_>,
    note: &Note,
    looked: impl Fn(&str) -> Option<&'a Looked>,
    out: &mut Vec<Rule>,
) -> Result<()> {
    for what in note.what.single() {
        let (entity, attr) = (what.entity(), what.column());
        let table = audit.table(entity)?;
        let mut tally = begin(audit, (entity, &attr), note.max)
            .says(format!("{}: {}", note.note, noted_words(&what)))
            .query(note_sql::query(audit, (entity, &what)));
        if !note.one.is_empty() {
            tally = tally.noun(&note.one, &note.note);
        }
        match &what {
            NoteWhat::Shared { by, .. } => shared(audit, table, by, &mut tally)?,
            NoteWhat::Differ { column: (_, label), over, take } => {
                differ(audit, table, (label, over, take), &mut tally)?;
            }
            _ => {
                let seen = looked(entity).and_then(|looked| looked.noted(&what));
                let seen = seen.ok_or_else(|| Error::bug("a note was not looked for"))?;
                tally.add(seen, |row, _| table.shown(row));
            }
        }
        out.push(tally.finish());
    }
    Ok(())
}

/// Migrated rows that share values with another row: by a 64-bit hash first, then by 128 other bits of
/// those that share it.
fn shared(audit: &Audit<'_>, table: &Table, by: &[String], tally: &mut Tally) -> Result<()> {
    let schema = &audit.contract.after.schema;
    let columns: Vec<&str> = by.iter().map(String::as_str).collect();
    let types = types(schema, &table.entity, &columns);
    let mut hashes = Vec::with_capacity(table.rows());
    read::scan_if_there(&table.path, &columns, &mut |row| {
        if let Some(hash) = row_hash(row, &types) {
            hashes.push(hash);
            tally.check_all(u64::from(table.migrated(row.number).is_some()), 0, String::new);
        }
        Ok(())
    })?;
    hashes.sort_unstable();
    let twice = hashes.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]);
    let mut twice: Vec<u64> = twice.collect();
    drop(hashes);
    twice.dedup();
    if twice.is_empty() {
        return Ok(());
    }
    let mut rivals = Vec::new();
    read::scan_if_there(&table.path, &columns, &mut |row| {
        if row_hash(row, &types).is_some_and(|hash| twice.binary_search(&hash).is_ok()) {
            rivals.push((row_hash128(row, &types), row.number));
        }
        Ok(())
    })?;
    rivals.sort_unstable();
    let groups = rivals.chunk_by(|a, b| a.0 == b.0).filter(|group| group.len() > 1);
    let mut rows: Vec<usize> = groups.flatten().map(|(_, row)| *row).collect();
    rows.sort_unstable();
    for row in rows.into_iter().filter(|row| table.migrated(*row).is_some()) {
        tally.violate(1, || table.shown(row));
    }
    Ok(())
}

fn types(schema: &Schema, entity: &str, columns: &[&str]) -> Vec<Type> {
    columns.iter().map(|name| type_of(schema, entity, name)).collect()
}

/// A hash of the values of a row; `None` when one is missing.
fn row_hash(row: Row<'_>, types: &[Type]) -> Option<u64> {
    types.iter().enumerate().try_fold(0_u64, |sum, (at, ty)| {
        let hash = key::value_hash(row.value(at, *ty));
        (hash != ABSENT).then(|| sum.wrapping_add(key::folded(at, hash)))
    })
}

fn row_hash128(row: Row<'_>, types: &[Type]) -> u128 {
    let hashes = types.iter().enumerate();
    let hashes = hashes.flat_map(|(at, ty)| key::value_hash128(row.value(at, *ty)).to_be_bytes());
    key::hash128(&hashes.collect::<Vec<u8>>())
}

/// A link that leads elsewhere than the link of the row that another link leads to.
fn differ(
    audit: &Audit<'_>,
    table: &Table,
    (label, over, take): (&str, &str, &str),
    tally: &mut Tally,
) -> Result<()> {
    let link = audit.contract.after.schema.link(&table.entity, over);
    let next = audit.table(&link.ok_or_else(|| no_link(&table.entity, over))?.to)?;
    let mut taken = Vec::with_capacity(next.rows());
    read::scan_if_there(&next.path, &[take], &mut |row| {
        taken.push(key::link_key(row.text(0)));
        Ok(())
    })?;
    read::scan_if_there(&table.path, &[label, over], &mut |row| {
        let there = |id: &u128| *id != NONE;
        let own = Some(key::link_key(row.text(0))).filter(there);
        let next_row = Some(key::link_key(row.text(1))).filter(there).and_then(|id| next.find(id));
        let other = next_row.map(|row| taken[row]).filter(there);
        if let (Some(own), Some(other), Some(_)) = (own, other, table.migrated(row.number)) {
            tally.check(own == other, || table.shown(row.number));
        }
        Ok(())
    })
}
