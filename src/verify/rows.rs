//! One pass over a target table with its lines and its payloads: everything that has to be seen of a
//! whole row is seen here, batch by batch on several threads.

use super::content::{Column, declared};
use super::facts::Audit;
use super::key;
use super::lines::{Beside, Block, Lines, line_digest};
use super::note::{self, InRow};
use super::read::{Batch, Row};
use super::rule::Seen;
use super::says::Says;
use super::share::{self, Shared};
use super::table::Table;
use super::whole::Whole;
use crate::bundle::Origin;
use crate::contract::NoteWhat;
use crate::digest::{RowDigest, TableDigest, Value};
use crate::error::Result;
use crate::json;
use crate::schema::Type;

/// A line that is not there.
pub(super) const NO_LINE: u8 = 1;
/// A line that is not as it must be.
pub(super) const NO_SUCH_LINE: u8 = 2;

/// What was seen of the rows of a target table.
#[derive(Default)]
pub(super) struct Looked {
    /// By attribute of the entity: values that are not of its type, rows that have none.
    pub(super) types: Vec<Seen>,
    pub(super) presence: Vec<Seen>,
    /// What the contract counts row by row, in the order of its notes.
    notes: Vec<(NoteWhat, Seen)>,
    /// Rows whose line says something else; what is wrong is 0, [`NO_LINE`] or [`NO_SUCH_LINE`].
    pub(super) lines: Seen,
    /// Lines after the last row.
    pub(super) more: u64,
    pub(super) of_rows: TableDigest,
    pub(super) of_lines: TableDigest,
    /// What the values have to do with those of the source; `None` when a row is not as it must be.
    pub(super) values: Option<Counted>,
}

/// How many migrated rows there are, and of how many of them a value cannot be known.
#[derive(Clone, Default)]
pub(super) struct Counted {
    pub(super) rows: u64,
    /// By attribute of the entity.
    pub(super) unsure: Vec<u64>,
}

/// What was seen of a batch.
struct Part {
    types: Vec<Seen>,
    presence: Vec<Seen>,
    notes: Vec<Seen>,
    lines: Seen,
    rows_digests: Vec<u128>,
    lines_digests: Vec<u128>,
    values: Option<Counted>,
}

/// Looks at every row of a target table.
pub(super) fn look(audit: &Audit<'_>, table: &Table, whole: Option<&Whole<'_>>) -> Result<Looked> {
    let entity = &table.entity;
    let mut lines = Lines::open(&audit.bundle.path(&format!("data/jsonl/{entity}.jsonl")))?;
    let columns = Columns::new(audit, entity);
    let attrs = columns.attrs;
    let mut looked = Looked {
        types: vec![Seen::default(); attrs],
        presence: vec![Seen::default(); attrs],
        notes: columns.notes.iter().map(|note| (note.what.clone(), Seen::default())).collect(),
        values: whole.map(|_| Counted { rows: 0, unsure: vec![0; attrs] }),
        ..Looked::default()
    };
    if table.path.exists() {
        let mut names: Vec<&str> = columns.declared.iter().map(|(name, _)| name.as_str()).collect();
        names.extend([Origin::SERVER, Origin::EXTRA]);
        let shared = Shared {
            beside: |rows| lines.next(rows),
            work: |batch: &Batch, block| Ok(columns.look(table, batch, (&block, whole))),
            take: |part| {
                looked.add(&part);
                Ok(())
            },
        };
        share::share(&table.path, &names, audit.threads, shared)?;
    }
    looked.more = lines.rest()?;
    Ok(looked)
}

impl Looked {
    /// What was seen of the rows that a note on one column looks for.
    pub(super) fn noted(&self, wanted: &NoteWhat) -> Option<&Seen> {
        self.notes.iter().find(|(what, _)| what == wanted).map(|(_, seen)| seen)
    }

    fn add(&mut self, part: &Part) {
        for at in 0..self.types.len() {
            self.types[at].add(&part.types[at]);
            self.presence[at].add(&part.presence[at]);
        }
        self.notes.iter_mut().zip(&part.notes).for_each(|((_, sum), more)| sum.add(more));
        self.lines.add(&part.lines);
        part.rows_digests.iter().for_each(|digest| self.of_rows.add(*digest));
        part.lines_digests.iter().for_each(|digest| self.of_lines.add(*digest));
        let Some(sum) = &mut self.values else { return };
        match &part.values {
            Some(values) => {
                sum.rows += values.rows;
                sum.unsure.iter_mut().zip(&values.unsure).for_each(|(sum, more)| *sum += more);
            }
            None => self.values = None,
        }
    }
}

/// The columns of a target table as they are read: the declared ones, then the store's time and
/// what the columns do not hold.
struct Columns {
    declared: Vec<Column>,
    /// How many of them are attributes, after the id.
    attrs: usize,
    /// The required dates.
    dates: Vec<usize>,
    notes: Vec<InRow>,
}

impl Columns {
    fn new(audit: &Audit<'_>, entity: &str) -> Self {
        let declared = declared(audit, entity);
        let schema = audit.contract.after.schema.entity(entity);
        let is_date = |name: &str| {
            let attr = schema.and_then(|schema| schema.attr(name));
            attr.is_some_and(|attr| attr.ty == Type::Date && attr.required)
        };
        let dates = (0..declared.len()).filter(|at| is_date(&declared[*at].0)).collect();
        let attrs = schema.map_or(0, |schema| schema.attrs.len());
        let notes = note::in_rows(audit.contract, entity, &declared);
        Self { declared, attrs, dates, notes }
    }

    fn look(
        &self,
        table: &Table,
        batch: &Batch,
        (block, whole): (&Block, Option<&Whole<'_>>),
    ) -> Part {
        let mut part = Part {
            types: vec![Seen::default(); self.attrs],
            presence: vec![Seen::default(); self.attrs],
            notes: vec![Seen::default(); self.notes.len()],
            lines: Seen::default(),
            rows_digests: Vec::with_capacity(batch.count),
            lines_digests: Vec::with_capacity(batch.count),
            values: whole.map(|_| Counted { rows: 0, unsure: vec![0; self.attrs] }),
        };
        let named = self.declared.iter().map(|(name, ty)| (name.as_str(), *ty));
        let (mut digest, mut says) = (RowDigest::default(), Says::new(named));
        let mut hashes = vec![0; self.attrs];
        for (at, row) in batch.rows().enumerate() {
            let is_typed = self.attributes(row, &mut part, &mut hashes);
            if table.migrated(row.number).is_some() {
                self.note(row, &mut part.notes);
            }
            let found = digest.of(self.values(row));
            part.rows_digests.push(found);
            let line = block.line(at);
            let line = self.line(row, (line, is_typed), (&mut digest, &mut says), found);
            part.lines_digests.extend(line.0);
            part.lines.check_for(row.number, line.1);
            if let (Some(whole), Some(values)) = (whole, &mut part.values)
                && !whole.holds(table, row, (&hashes, &mut *values))
            {
                part.values = None;
            }
        }
        part
    }

    /// Looks at type and presence of every attribute and hashes it; whether all are of their types.
    fn attributes(&self, row: Row<'_>, part: &mut Part, hashes: &mut [u64]) -> bool {
        let mut is_typed = true;
        for (at, (_, ty)) in self.declared[1..].iter().take(self.attrs).enumerate() {
            let value = row.value(at + 1, *ty);
            let holds = match value {
                Value::Json(text) => json::is_json(text),
                Value::Number(number) => number.is_finite(),
                _ => true,
            };
            is_typed &= holds;
            part.types[at].check(row.number, holds);
            part.presence[at].check(row.number, value != Value::Absent);
            hashes[at] = key::value_hash(value);
        }
        is_typed
    }

    /// Looks for what the contract counts in a migrated row.
    fn note(&self, row: Row<'_>, seen: &mut [Seen]) {
        for (note, seen) in self.notes.iter().zip(seen) {
            if let Some(holds) = note.holds(&self.declared, row) {
                seen.check(row.number, holds);
            }
        }
    }

    fn values<'a>(&'a self, row: Row<'a>) -> impl Iterator<Item = (&'a str, Value<'a>)> {
        let columns = self.declared.iter().enumerate();
        columns.map(move |(at, (name, ty))| (name.as_str(), row.value(at, *ty)))
    }

    /// The digest of the line of a row, and what is wrong with it.
    fn line(
        &self,
        row: Row<'_>,
        (line, is_typed): (Option<&[u8]>, bool),
        (digest, says): (&mut RowDigest, &mut Says),
        wanted: u128,
    ) -> (Option<u128>, Option<u8>) {
        let Some(line) = line else { return (None, Some(NO_LINE)) };
        let millis = |at: &usize| match row.value(*at, Type::Date) {
            Value::Date(micros) => Some(micros.div_euclid(1000)),
            _ => None,
        };
        let expected = Beside {
            created: row.whole(self.declared.len()),
            dates: self.dates.iter().filter_map(millis).collect(),
            extra: row.text(self.declared.len() + 1),
        };
        let values = self.values(row).map(|(_, value)| value);
        if is_typed && says.is_plainly(line, values, &expected) {
            return (Some(wanted), None);
        }
        match line_digest(digest, &self.declared, line, &expected) {
            Some(found) => (Some(found), (found != wanted).then_some(0)),
            None => (None, Some(NO_SUCH_LINE)),
        }
    }
}
