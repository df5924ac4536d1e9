//! The id that every legacy row gives its target row.

use super::facts::{Audit, Heir};
use super::firsts::Firsts;
use super::key::{self, NONE};
use super::legacy::Legacy;
use super::naming::type_of;
use super::read::{self, Row};
use super::table::{Table, narrow};
use super::value;
use crate::contract::Transform;
use crate::error::Result;
use crate::schema::Type;

/// How an id came about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    None,
    Kept,
    Mapped,
    Derived,
    /// The row stands on the existing row of this id.
    Adopted,
}

/// The id that every row of a legacy table gives a target row.
pub(super) struct Made<'a> {
    legacy: &'a Legacy,
    table: &'a Table,
    hows: Vec<How>,
    /// The ids that are not those of the target rows that the legacy rows became, by row.
    others: Vec<(u32, u128)>,
    /// For mapped ids: the hash of what `data/ids.parquet` says of it.
    pub(super) lines: Vec<(usize, u128)>,
}

/// Where a part of an id is read.
enum Part<'a> {
    Own,
    Attr { at: usize, ty: Type },
    Link(&'a Firsts),
}

impl<'a> Made<'a> {
    pub(super) fn read(audit: &'a Audit<'_>, transform: &Transform) -> Result<Self> {
        let legacy = audit.legacy(&transform.source)?;
        let mut made = Self {
            legacy,
            table: audit.table(&transform.target)?,
            hows: vec![How::None; legacy.rows],
            others: Vec::new(),
            lines: Vec::new(),
        };
        let Some(path) = &legacy.path else { return Ok(made) };
        let mut columns = vec!["id"];
        let from = parts(audit, transform, &transform.id.from, &mut columns)?;
        let derive = match &transform.id.derive {
            Some(names) => Some(parts(audit, transform, names, &mut columns)?),
            None => None,
        };
        if matches!(from[..], [Part::Own, ..]) && legacy.odd.is_clear() {
            // Every id is a UUID, which is kept.
            for row in 0..legacy.rows {
                made.put(row, (legacy.ids[row], How::Kept))?;
            }
            return Ok(made);
        }
        read::scan(path, &columns, &mut |row| {
            let (id, how, line) = make(audit, transform, (&from, derive.as_deref()), row);
            made.lines.extend(line.map(|line| (row.number, line)));
            made.put(row.number, (id, how))
        })?;
        Ok(made)
    }

    fn put(&mut self, row: usize, (id, how): (u128, How)) -> Result<()> {
        self.hows[row] = how;
        if id != self.became(row) {
            self.others.push((narrow(row)?, id));
        }
        Ok(())
    }

    /// The id of the target row that a legacy row became.
    fn became(&self, row: usize) -> u128 {
        let onto = self.legacy.onto(&self.table.entity);
        onto.and_then(|onto| onto.at(row)).map_or(NONE, |at| self.table.ids[at])
    }

    /// The id that a row gives and how, when there is such a row.
    pub(super) fn of(&self, row: usize) -> Option<(u128, How)> {
        let how = *self.hows.get(row)?;
        let other = self.others.binary_search_by_key(&row, |(row, _)| *row as usize);
        Some((other.map_or_else(|_| self.became(row), |at| self.others[at].1), how))
    }
}

fn parts<'a>(
    audit: &'a Audit<'_>,
    transform: &Transform,
    names: &'a [String],
    columns: &mut Vec<&'a str>,
) -> Result<Vec<Part<'a>>> {
    let schema = &audit.contract.before.schema;
    let mut parts = Vec::new();
    for name in names {
        parts.push(match schema.link(&transform.source, name) {
            _ if name == "id" => Part::Own,
            Some(_) => Part::Link(audit.firsts(&transform.source, name)?),
            None => {
                columns.push(name);
                let ty = type_of(schema, &transform.source, name);
                Part::Attr { at: columns.len() - 1, ty }
            }
        });
    }
    Ok(parts)
}

impl Part<'_> {
    fn text(&self, audit: &Audit<'_>, row: Row<'_>) -> Option<String> {
        match self {
            Part::Own => as_id(row.text(0)?),
            Part::Attr { at, ty } => as_id(&value::value_text(row.value(*at, *ty))?),
            Part::Link(firsts) => firsts.text(audit, row.number),
        }
    }
}

/// A text as an id: a UUID in lower case, blanks absent.
fn as_id(text: &str) -> Option<String> {
    match key::uuid(text) {
        Some(_) => Some(text.to_ascii_lowercase()),
        None => (!key::is_blank(text)).then(|| text.to_owned()),
    }
}

fn make(
    audit: &Audit<'_>,
    transform: &Transform,
    (from, derive): (&[Part<'_>], Option<&[Part<'_>]>),
    row: Row<'_>,
) -> (u128, How, Option<u128>) {
    let (space, target) = (&audit.space, &transform.target);
    for part in from {
        if let Part::Link(firsts) = part {
            if let Heir::Alive(id) = firsts.heir(audit, target, row.number) {
                return (id, How::Adopted, None);
            }
            continue;
        }
        let Some(text) = part.text(audit, row) else { continue };
        if key::uuid(&text).is_some() {
            return (key::id_key(&text), How::Kept, None);
        }
        let id = key::derived(space, target, &text);
        return (id, How::Mapped, Some(line(&text, &key::uuid_text(id))));
    }
    let texts: Option<Vec<String>> =
        derive.and_then(|parts| parts.iter().map(|part| part.text(audit, row)).collect());
    match texts {
        Some(texts) => (key::derived(space, target, &texts.join(":")), How::Derived, None),
        None => (NONE, How::None, None),
    }
}

/// The hash of a line of `data/ids.parquet`.
pub(super) fn line(from: &str, to: &str) -> u128 {
    key::hash128(format!("{to} {from}").as_bytes())
}
