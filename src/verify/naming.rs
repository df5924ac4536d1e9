//! Which rows a row names by a has-one link, from whichever side or attribute holds it.

use std::collections::BTreeMap;

use super::facts::Audit;
use super::key::{self, NONE};
use super::read::{self, Row};
use crate::error::{Error, Result};
use crate::schema::{Has, Link, Schema, Type};

/// A row that a row names: the key of its id, how good the place is that names it, and which text
/// of a repair says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) id: u128,
    /// The row itself, where it is not told by its id alone.
    pub(super) row: Option<usize>,
    pub(super) rank: usize,
    pub(super) how: u8,
}

/// The places that hold one has-one link: the column, the pairs of link files, and the attributes
/// that may hold the id instead.
pub(super) struct Naming {
    /// The columns of the row to read, best first, with whether it is the link's own.
    pub(super) columns: Vec<String>,
    own: bool,
    pairs: Vec<(u128, u128)>,
    /// Ids in the pairs that are no UUID, as they stand.
    texts: BTreeMap<u128, String>,
}

impl Naming {
    pub(super) fn read(audit: &Audit<'_>, link: &Link) -> Result<Self> {
        let own = link.has == Has::One;
        let label = own.then(|| link.label.clone());
        let columns = label.into_iter().chain(link.also.iter().cloned()).collect();
        let mut pairs = Vec::new();
        let mut texts = BTreeMap::new();
        for file in &audit.snapshot.meta().links {
            let ahead = file.entity == link.on && file.label == link.label;
            let back = file.entity == link.to && file.label == link.reverse;
            if !ahead && !back {
                continue;
            }
            read::scan(&audit.snapshot.path(&file.file), &["from", "to"], &mut |row| {
                let (on, to) = if ahead { (0, 1) } else { (1, 0) };
                let id = key::link_key(row.text(to));
                pairs.push((key::link_key(row.text(on)), id));
                if let Some(text) = row.text(to).filter(|text| key::uuid(text).is_none()) {
                    texts.entry(id).or_insert_with(|| text.to_owned());
                }
                Ok(())
            })?;
        }
        pairs.sort_unstable();
        pairs.dedup();
        Ok(Self { columns, own, pairs, texts })
    }

    /// The id that a row with this id names first, as the source writes it; a UUID in lower case.
    pub(super) fn text(&self, row: Row<'_>, first: usize, id: u128) -> Option<String> {
        let mut named = Vec::new();
        self.of(row, first, id, &mut named);
        let wanted = named.first()?.id;
        let text = self.odd_text(row, first, wanted).map(str::to_owned);
        Some(text.unwrap_or_else(|| key::uuid_text(wanted)))
    }

    /// The text of an id that a row names and that is no UUID.
    fn odd_text<'a>(&'a self, row: Row<'a>, first: usize, wanted: u128) -> Option<&'a str> {
        let mut held = (first..first + self.columns.len()).filter_map(|column| row.text(column));
        let held = held.find(|text| key::id_key(text) == wanted);
        let text = held.or(self.texts.get(&wanted).map(String::as_str));
        text.filter(|text| key::uuid(text).is_none())
    }

    /// Gives the rows that a row with this id names, best first; `first` is where its columns
    /// begin in the projection. `Named::how` is the place of the attribute in `also`, from 1.
    pub(super) fn of(&self, row: Row<'_>, first: usize, id: u128, out: &mut Vec<Named>) {
        let also = usize::from(self.own);
        if self.own {
            push(out, key::link_key(row.text(first)), 0, 0);
        }
        let from = self.pairs.partition_point(|(on, _)| *on < id);
        let pairs = self.pairs[from..].iter().take_while(|(on, _)| *on == id && id != NONE);
        for (_, to) in pairs {
            push(out, *to, 1, 0);
        }
        for at in also..self.columns.len() {
            let how = u8::try_from(at - also + 1).unwrap_or(u8::MAX);
            push(out, key::link_key(row.text(first + at)), at + 2, how);
        }
    }
}

/// Adds a row unless it is none.
pub(super) fn push(out: &mut Vec<Named>, id: u128, rank: usize, how: u8) {
    if id != NONE {
        out.push(Named { id, row: None, rank, how });
    }
}

/// The first row that every row of a legacy table names by a link.
pub(super) struct Firsts {
    /// The key of its id, or [`NONE`].
    pub(super) ids: Vec<u128>,
    /// Ids that are no UUID, as they stand.
    texts: BTreeMap<u128, String>,
}

impl Firsts {
    pub(super) fn read(audit: &Audit<'_>, source: &str, label: &str) -> Result<Self> {
        let schema = &audit.contract.before.schema;
        let link = schema.link(source, label).ok_or_else(|| no_link(source, label))?;
        let legacy = audit.legacy(source)?;
        let naming = Naming::read(audit, link)?;
        let mut firsts = Self { ids: vec![NONE; legacy.rows], texts: BTreeMap::new() };
        let Some(path) = &legacy.path else { return Ok(firsts) };
        let mut columns = vec!["id"];
        columns.extend(naming.columns.iter().map(String::as_str));
        let mut named = Vec::new();
        read::scan(path, &columns, &mut |row| {
            let own = key::link_key(row.text(0));
            named.clear();
            naming.of(row, 1, own, &mut named);
            let Some(first) = named.first().map(|named| named.id) else { return Ok(()) };
            firsts.ids[row.number] = first;
            if let Some(text) = naming.odd_text(row, 1, first) {
                firsts.texts.entry(first).or_insert_with(|| text.to_owned());
            }
            Ok(())
        })?;
        Ok(firsts)
    }

    /// An id as the source writes it; a UUID in lower case.
    pub(super) fn text(&self, id: u128) -> String {
        self.texts.get(&id).cloned().unwrap_or_else(|| key::uuid_text(id))
    }
}

/// The type of a column of an entity's table.
pub(super) fn type_of(schema: &Schema, entity: &str, column: &str) -> Type {
    let attr = schema.entity(entity).and_then(|entity| entity.attr(column));
    attr.map_or(Type::String, |attr| attr.ty)
}

/// A link that the contract names and has not: it was checked.
pub(super) fn no_link(entity: &str, label: &str) -> Error {
    Error::bug(format!("the contract has no link `{label}` on `{entity}`"))
}
