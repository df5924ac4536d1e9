//! Re-resolves links from the snapshot alone: which rows a row names, best first.

use std::collections::BTreeMap;

use super::facts::{Audit, Heir};
use super::key::{self, NONE};
use super::read::{self, Row};
use crate::contract::{Latest, LinkHow, LinkPick, Transform};
use crate::digest::Value;
use crate::error::{Error, Result};
use crate::schema::{Has, Link, Schema, Type};

/// A row that a row names: the key of its id, how good the place is that names it, and which text
/// of a repair says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) id: u128,
    /// The row itself, where it is not told by its id alone.
    row: Option<usize>,
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
        let held = (first..first + self.columns.len()).filter_map(|column| row.text(column));
        let held = held.into_iter().find(|text| key::id_key(text) == wanted);
        Some(match held.or(self.texts.get(&wanted).map(String::as_str)) {
            Some(text) if key::uuid(text).is_none() => text.to_owned(),
            _ => key::uuid_text(wanted),
        })
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

fn push(out: &mut Vec<Named>, id: u128, rank: usize, how: u8) {
    if id != NONE {
        out.push(Named { id, row: None, rank, how });
    }
}

/// Rows of an entity by the row their link names, in an order.
pub(super) struct Back {
    rows: Vec<BackRow>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct BackRow {
    to: u128,
    order: [u128; 2],
    row: usize,
    /// Whether `order` is all there is to say.
    whole: bool,
}

impl Back {
    /// Reads the rows of `entity` whose link `label` names a row, ordered by these columns.
    fn read(audit: &Audit<'_>, entity: &str, label: &str, by: &[String]) -> Result<Self> {
        let schema = &audit.contract.before.schema;
        let link = schema.link(entity, label).ok_or_else(|| no_link(entity, label))?;
        let naming = Naming::read(audit, link)?;
        let Some(path) = &audit.legacy(entity)?.path else { return Ok(Self { rows: Vec::new() }) };
        let by: Vec<&str> = by.iter().map(String::as_str).collect();
        let types: Vec<Type> = by.iter().map(|name| type_of(schema, entity, name)).collect();
        let mut columns = vec!["id"];
        columns.extend(&by);
        columns.extend(naming.columns.iter().map(String::as_str));
        let (mut rows, mut named) = (Vec::new(), Vec::new());
        read::scan(path, &columns, &mut |row| {
            let id = key::link_key(row.text(0));
            named.clear();
            naming.of(row, 1 + by.len(), id, &mut named);
            let Some(first) = named.first() else { return Ok(()) };
            let mut found =
                BackRow { to: first.id, order: [0; 2], row: row.number, whole: by.len() <= 2 };
            for (at, ty) in types.iter().enumerate().take(2) {
                let (order, whole) = order_of(row.value(1 + at, *ty));
                found.order[at] = order;
                found.whole &= whole;
            }
            rows.push(found);
            Ok(())
        })?;
        rows.sort_unstable();
        Ok(Self { rows })
    }

    /// Gives the rows that name the row with this id, first ones first or last ones first.
    fn of(&self, id: u128, last: bool, out: &mut Vec<Named>) {
        let from = self.rows.partition_point(|row| row.to < id);
        let to = from + self.rows[from..].partition_point(|row| row.to == id);
        let mut rows: Vec<BackRow> = self.rows[from..to].to_vec();
        if last {
            rows.reverse();
        }
        let Some(best) = rows.first().copied() else { return };
        // A row without its own time has the store's in the target: which comes first is unsure.
        let timeless = rows.iter().any(|row| row.order[0] == 0);
        for (at, row) in rows.iter().enumerate() {
            let tie = timeless || row.order[0] == best.order[0] && !(row.whole && best.whole);
            let rank = if tie { 0 } else { at };
            out.push(Named { id, row: Some(row.row), rank, how: 0 });
        }
    }
}

/// A value as a number that sorts as it does, and whether that is all there is to say.
fn order_of(value: Value<'_>) -> (u128, bool) {
    match value {
        Value::Absent => (0, true),
        Value::Number(number) => (1 + u128::from(key::number_order(number)), true),
        Value::Date(micros) => (1 + u128::from(key::whole_order(micros)), true),
        Value::Boolean(value) => (1 + u128::from(value), true),
        Value::Text(text) | Value::Json(text) => match key::uuid(text) {
            Some(number) if key::is_lower_uuid(text) => (number, true),
            _ => (0, false),
        },
    }
}

/// Rows of an entity by the value of an attribute.
struct Keyed {
    rows: Vec<(u128, u128)>,
}

impl Keyed {
    fn read(audit: &Audit<'_>, entity: &str, attr: &str) -> Result<Self> {
        let mut rows = Vec::new();
        if let Some(path) = &audit.legacy(entity)?.path {
            read::scan(path, &["id", attr], &mut |row| {
                let (id, value) = (key::link_key(row.text(0)), row.text(1));
                if let Some(value) = value.filter(|value| !key::is_blank(value) && id != NONE) {
                    rows.push((key::hash128(value.as_bytes()), id));
                }
                Ok(())
            })?;
        }
        rows.sort_unstable();
        rows.dedup();
        Ok(Self { rows })
    }

    fn of(&self, value: Option<&str>, out: &mut Vec<Named>) {
        let Some(value) = value.filter(|value| !key::is_blank(value)) else { return };
        let hash = key::hash128(value.as_bytes());
        let from = self.rows.partition_point(|(key, _)| *key < hash);
        for (_, id) in self.rows[from..].iter().take_while(|(key, _)| *key == hash) {
            push(out, *id, 0, 0);
        }
    }
}

/// One place of a link rule.
struct Place {
    /// The entity whose rows it names.
    entity: String,
    kind: Kind,
    /// Where its columns begin in the projection.
    first: usize,
    /// Where its texts begin in [`Judged::hows`].
    how: u8,
}

enum Kind {
    Link(Naming),
    Reverse(Back),
    Key(Keyed),
    Latest(Back),
}

/// What the source says a link must be, for every row of a legacy table.
pub(super) struct Judged {
    tags: Vec<u8>,
    ids: Vec<u128>,
    hows_of: Vec<u8>,
    may: BTreeMap<usize, Vec<(u128, u8)>>,
    /// The texts that repairs may give; the first is for no repair.
    pub(super) hows: Vec<String>,
}

const NOTHING: u8 = 0;
const MUST: u8 = 1;
const MAY: u8 = 2;
const TAG: u8 = 3;
const THERE: u8 = 4;

/// What a link of one row must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict<'a> {
    /// The source names no row: the link is null.
    Nothing,
    /// The link is this id, and a repair says this.
    Must(u128, u8),
    /// The row named first is not in the target, or several are: the link is null or one of these.
    May(&'a [(u128, u8)]),
}

impl Judged {
    /// What the source says of a row.
    pub(super) fn of(&self, row: usize) -> Verdict<'_> {
        match self.tags[row] & TAG {
            MUST => Verdict::Must(self.ids[row], self.hows_of[row]),
            MAY => Verdict::May(self.may.get(&row).map_or(&[], Vec::as_slice)),
            _ => Verdict::Nothing,
        }
    }

    /// Whether the source names a row that is in the source.
    pub(super) fn names_existing(&self, row: usize) -> bool {
        self.tags[row] & THERE != 0
    }

    /// Whether a link of this id is what the source says, and what a repair may say of it.
    pub(super) fn allows(&self, row: usize, link: u128) -> Option<Vec<&str>> {
        let how = |how: u8| self.hows.get(usize::from(how)).map_or("", String::as_str);
        match self.of(row) {
            Verdict::Nothing => (link == NONE).then(|| vec![""]),
            Verdict::Must(id, at) => (link == id).then(|| vec![how(at)]),
            Verdict::May(_) if link == NONE => Some(vec![""]),
            Verdict::May(ids) => {
                let hits: Vec<&str> =
                    ids.iter().filter(|(id, _)| *id == link).map(|(_, at)| how(*at)).collect();
                (!hits.is_empty()).then_some(hits)
            }
        }
    }
}

/// Judges a link rule for every row of its legacy table.
pub(super) fn judge(
    audit: &Audit<'_>,
    transform: &Transform,
    how: &LinkHow,
    to: &str,
) -> Result<Judged> {
    let LinkHow::From { picks, latest } = how else {
        return Err(Error::bug("only a link found from the source is judged by it"));
    };
    let legacy = audit.legacy(&transform.source)?;
    let mut hows = vec![String::new()];
    let mut columns = vec!["id".to_owned()];
    let mut places = Vec::new();
    for (at, pick) in picks.iter().enumerate() {
        places.push(place(audit, transform, (at, pick), (&mut columns, &mut hows))?);
    }
    if let Some(latest) = latest {
        places.push(latest_place(audit, latest, (&columns, &mut hows))?);
    }
    let mut judged = Judged {
        tags: vec![NOTHING; legacy.rows],
        ids: vec![NONE; legacy.rows],
        hows_of: vec![0; legacy.rows],
        may: BTreeMap::new(),
        hows,
    };
    let Some(path) = &legacy.path else { return Ok(judged) };
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    read::scan(path, &columns, &mut |row| {
        for place in &places {
            if judged.take(row.number, said(audit, place, row, to)) {
                break;
            }
        }
        Ok(())
    })?;
    Ok(judged)
}

fn place(
    audit: &Audit<'_>,
    transform: &Transform,
    (at, pick): (usize, &LinkPick),
    (columns, hows): (&mut Vec<String>, &mut Vec<String>),
) -> Result<Place> {
    let source = &transform.source;
    let first = columns.len();
    let how = u8::try_from(hows.len()).unwrap_or(u8::MAX);
    let text = |name: String| if at == 0 { String::new() } else { format!("from {name}") };
    let (entity, kind) = match pick {
        LinkPick::Link(label) => {
            let schema = &audit.contract.before.schema;
            let link = schema.link(source, label).ok_or_else(|| no_link(source, label))?;
            let naming = Naming::read(audit, link)?;
            columns.extend(naming.columns.iter().cloned());
            hows.push(text(label.clone()));
            hows.extend(link.also.iter().map(|also| format!("from {also}")));
            (link.to.clone(), Kind::Link(naming))
        }
        LinkPick::Reverse { entity, label } => {
            hows.push(text(format!("{entity}.{label}")));
            let by = ["createdAt".to_owned(), "id".to_owned()];
            (entity.clone(), Kind::Reverse(Back::read(audit, entity, label, &by)?))
        }
        LinkPick::Key { attr, entity, key } => {
            columns.push(attr.clone());
            hows.push(text(format!("{attr} = {entity}.{key}")));
            (entity.clone(), Kind::Key(Keyed::read(audit, entity, key)?))
        }
    };
    Ok(Place { entity, kind, first, how })
}

fn latest_place(
    audit: &Audit<'_>,
    latest: &Latest,
    (columns, hows): (&[String], &mut Vec<String>),
) -> Result<Place> {
    let how = u8::try_from(hows.len()).unwrap_or(u8::MAX);
    hows.push(format!("from latest {}", latest.entity));
    let back = Back::read(audit, &latest.entity, &latest.of, &latest.by)?;
    Ok(Place { entity: latest.entity.clone(), kind: Kind::Latest(back), first: columns.len(), how })
}

/// What one place says of a row.
struct Said {
    /// Whether it names a row of the source: then no later place counts.
    there: bool,
    /// What the rows it names best lead to, with the text of the repair.
    alive: Vec<(u128, u8)>,
}

fn said(audit: &Audit<'_>, place: &Place, row: Row<'_>, to: &str) -> Said {
    let id = key::link_key(row.text(0));
    let mut named = Vec::new();
    match &place.kind {
        Kind::Link(naming) => naming.of(row, place.first, id, &mut named),
        Kind::Reverse(back) => back.of(id, false, &mut named),
        Kind::Latest(back) => back.of(id, true, &mut named),
        Kind::Key(keyed) => keyed.of(row.text(place.first), &mut named),
    }
    let mut said = Said { there: false, alive: Vec::new() };
    let mut best = None;
    for named in named {
        let heir = match named.row {
            Some(row) => migrated(audit, &place.entity, to, row),
            None => audit.heir(&place.entity, to, named.id),
        };
        // A link names one row, there or not; the other places count migrated rows only.
        let counts = matches!(place.kind, Kind::Link(_)) || matches!(heir, Heir::Alive(_));
        if !counts || best.is_some_and(|best| best != named.rank) {
            continue;
        }
        best = Some(named.rank);
        said.there |= heir != Heir::Unknown;
        if let Heir::Alive(id) = heir {
            said.alive.push((id, place.how + named.how));
        }
    }
    said.alive.dedup_by_key(|(id, _)| *id);
    said
}

/// The id a row has in a target, when it was migrated.
fn migrated(audit: &Audit<'_>, entity: &str, to: &str, row: usize) -> Heir {
    let (Some(legacy), Some(table)) = (audit.legacy.get(entity), audit.tables.get(to)) else {
        return Heir::Unknown;
    };
    let id = legacy.stands(table, row).filter(|_| legacy.is_migrated(row));
    id.map_or(Heir::Dead, Heir::Alive)
}

impl Judged {
    /// Takes in what one place says; true when no later place counts.
    fn take(&mut self, row: usize, said: Said) -> bool {
        if !said.there {
            return false;
        }
        if let [(id, how)] = said.alive[..] {
            self.tags[row] = MUST | THERE;
            self.ids[row] = id;
            self.hows_of[row] = how;
        } else {
            self.tags[row] = MAY | THERE;
            if !said.alive.is_empty() {
                self.may.insert(row, said.alive);
            }
        }
        true
    }
}

/// The first row that every row of a legacy table names by a link: its key, or [`NONE`].
pub(super) fn first_named(audit: &Audit<'_>, source: &str, label: &str) -> Result<Vec<u128>> {
    let schema = &audit.contract.before.schema;
    let link = schema.link(source, label).ok_or_else(|| no_link(source, label))?;
    let legacy = audit.legacy(source)?;
    let naming = Naming::read(audit, link)?;
    let mut first = vec![NONE; legacy.rows];
    let Some(path) = &legacy.path else { return Ok(first) };
    let mut columns = vec!["id"];
    columns.extend(naming.columns.iter().map(String::as_str));
    let mut named = Vec::new();
    read::scan(path, &columns, &mut |row| {
        named.clear();
        naming.of(row, 1, key::link_key(row.text(0)), &mut named);
        first[row.number] = named.first().map_or(NONE, |named| named.id);
        Ok(())
    })?;
    Ok(first)
}

/// The type of a column of an entity's table.
pub(super) fn type_of(schema: &Schema, entity: &str, column: &str) -> Type {
    let attr = schema.entity(entity).and_then(|entity| entity.attr(column));
    attr.map_or(Type::String, |attr| attr.ty)
}

pub(super) fn no_link(entity: &str, label: &str) -> Error {
    Error::bug(format!("the contract has no link `{label}` on `{entity}`"))
}
