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
    pub(super) rank: usize,
    pub(super) how: u8,
    /// Whether the text it stands as is a UUID for certain.
    pub(super) is_uuid: bool,
    /// Whether it stands in a column as a UUID in upper case.
    pub(super) is_upper: bool,
}

/// The places that hold one has-one link: the column, the pairs of link files, and the attributes
/// that may hold the id instead.
pub(super) struct Naming {
    /// The columns of the row to read, best first, with whether it is the link's own.
    pub(super) columns: Vec<String>,
    own: bool,
    pub(super) pairs: Vec<(u128, u128)>,
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
            let back = file.is_back_of(link);
            if !ahead && !back {
                continue;
            }
            read::scan_if_there(&audit.snapshot.path(&file.file), &["from", "to"], &mut |row| {
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

    /// The text of an id that a row names and that is no UUID.
    pub(super) fn odd_text<'a>(
        &'a self,
        row: Row<'a>,
        first: usize,
        wanted: u128,
    ) -> Option<&'a str> {
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
            push(out, row.text(first), 0, 0);
        }
        let from = self.pairs.partition_point(|(on, _)| *on < id);
        let pairs = self.pairs[from..].iter().take_while(|(on, _)| *on == id && id != NONE);
        for (_, to) in pairs {
            let named = Named { id: *to, rank: PAIR, how: 0, is_uuid: false, is_upper: false };
            out.extend((*to != NONE).then_some(named));
        }
        for at in also..self.columns.len() {
            let how = u8::try_from(at - also + 1).unwrap_or(u8::MAX);
            push(out, row.text(first + at), at + 2, how);
        }
    }
}

/// The rank of a row that a pair of a link file names.
pub(super) const PAIR: usize = 1;

/// Adds a row unless it is none.
fn push(out: &mut Vec<Named>, text: Option<&str>, rank: usize, how: u8) {
    let uuid = text.and_then(key::uuid_cased).filter(|(id, _)| *id != NONE);
    let id = uuid.map_or_else(|| key::link_key(text), |(id, _)| id);
    if id != NONE {
        let is_upper = uuid.is_some_and(|(_, is_lower)| !is_lower);
        out.push(Named { id, rank, how, is_uuid: uuid.is_some(), is_upper });
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
