//! Re-resolves links from the snapshot alone: which target row a source row must link to.

use std::collections::BTreeMap;

use super::back::Back;
use super::facts::{Audit, Heir};
use super::firsts::Firsts;
use super::key::NONE;
use super::keyed::Keyed;
use super::legacy::Legacy;
use super::naming::{no_link, type_of};
use super::over::{Named, Over};
use super::read;
use super::table::{LOST, NO_ROW, Table, narrow};
use crate::contract::{Latest, LinkHow, LinkPick, Transform};
use crate::digest::Value;
use crate::error::{Error, Result};
use crate::schema::Type;

/// One place of a link rule.
struct Place<'a> {
    /// The entity whose rows it names.
    entity: String,
    kind: Kind<'a>,
    /// Where its texts begin in [`Judged::hows`].
    how: u8,
}

enum Kind<'a> {
    Link(&'a Firsts),
    Over(Over<'a>),
    Reverse(Back<'a>),
    /// The rows by their keys, where the row's own key stands in the projection, and its type.
    Key(Keyed, usize, Type),
    Latest(Back<'a>),
}

/// What the source says a link must be, for every row of a legacy table.
pub(super) struct Judged<'a> {
    to: &'a Table,
    marks: Vec<u16>,
    /// The row of the target table that is named; [`LOST`] when it has none of that id.
    rows: Vec<u32>,
    /// The ids of rows that the table has not, by legacy row.
    lost: BTreeMap<usize, u128>,
    may: BTreeMap<usize, Vec<(u128, u8)>>,
    /// Where the texts of each place begin in `hows`.
    places: Vec<u8>,
    /// The texts that repairs may give; the first is for no repair.
    pub(super) hows: Vec<String>,
}

/// A mark: its lowest two bits are one of the next three, then [`THERE`], then the text.
const NOTHING: u16 = 0;
const MUST: u16 = 1;
const MAY: u16 = 2;
const TAG: u16 = 3;
const THERE: u16 = 4;
const HOW: u32 = 3;

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

impl Judged<'_> {
    /// What the source says of a row.
    pub(super) fn of(&self, row: usize) -> Verdict<'_> {
        match self.marks[row] & TAG {
            MUST => Verdict::Must(self.id(row), (self.marks[row] >> HOW).to_le_bytes()[0]),
            MAY => Verdict::May(self.may.get(&row).map_or(&[], Vec::as_slice)),
            _ => Verdict::Nothing,
        }
    }

    fn id(&self, row: usize) -> u128 {
        match self.rows[row] {
            NO_ROW => NONE,
            LOST => self.lost.get(&row).copied().unwrap_or(NONE),
            at => self.to.ids[at as usize],
        }
    }

    /// Whether a row must link to this id, which is that of a row that is there.
    pub(super) fn is_there(&self, row: usize, id: u128) -> bool {
        self.rows[row] < LOST && self.id(row) == id
    }

    /// The row that a row must link to, and the place of the rule that names it.
    pub(super) fn must_be(&self, row: usize) -> Option<(u128, usize)> {
        let Verdict::Must(id, how) = self.of(row) else { return None };
        Some((id, self.places.partition_point(|start| *start <= how)))
    }

    /// Whether the source names a row that is in the source.
    pub(super) fn names_existing(&self, row: usize) -> bool {
        self.marks[row] & THERE != 0
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
pub(super) fn judge<'a>(
    audit: &'a Audit<'_>,
    transform: &Transform,
    how: &LinkHow,
    to: &str,
) -> Result<Judged<'a>> {
    let LinkHow::From { picks, latest } = how else {
        return Err(Error::bug("only a link found from the source is judged by it"));
    };
    let legacy = audit.legacy(&transform.source)?;
    let mut judged = Judged {
        to: audit.table(to)?,
        marks: vec![NOTHING; legacy.rows],
        rows: vec![NO_ROW; legacy.rows],
        lost: BTreeMap::new(),
        may: BTreeMap::new(),
        places: Vec::new(),
        hows: vec![String::new()],
    };
    let (mut columns, mut places) = (Vec::new(), Vec::new());
    for (at, pick) in picks.iter().enumerate() {
        let beside = (&mut columns, &mut judged.hows);
        places.push(place(audit, transform, (at, pick), beside)?);
    }
    if let Some(latest) = latest {
        places.push(latest_place(audit, latest, &mut judged.hows)?);
    }
    judged.places = places.iter().map(|place| place.how).collect();
    let mut take = |row: usize, value: &Read<'_>| {
        for place in &places {
            let said = match &place.kind {
                Kind::Link(firsts) => linked(audit, place, (firsts, row), to),
                Kind::Over(over) => over_others(audit, place, (over, row), to),
                Kind::Key(keyed, column, ty) => {
                    let key = value(*column, *ty, &|value| keyed.key(value));
                    said_of(keyed.heir(audit, to, key), place.how)
                }
                Kind::Reverse(rows) => back(audit, place, (legacy, row), (rows, false), to),
                Kind::Latest(rows) => back(audit, place, (legacy, row), (rows, true), to),
            };
            if judged.take(row, said)? {
                break;
            }
        }
        Ok(())
    };
    match &legacy.path {
        Some(path) if !columns.is_empty() => read::scan(path, &columns, &mut |row| {
            take(row.number, &|column, ty, key| key(row.value(column, ty)))
        })?,
        _ => (0..legacy.rows).try_for_each(|row| take(row, &|_, _, _| NONE))?,
    }
    Ok(judged)
}

/// Reads a column of a row, of a type, as a key.
type Read<'a> = dyn Fn(usize, Type, &dyn Fn(Value<'_>) -> u128) -> u128 + 'a;

fn place<'a>(
    audit: &'a Audit<'_>,
    transform: &Transform,
    (at, pick): (usize, &'a LinkPick),
    (columns, hows): (&mut Vec<&'a str>, &mut Vec<String>),
) -> Result<Place<'a>> {
    let source = &transform.source;
    let how = how_at(hows);
    let said = if at == 0 { String::new() } else { format!("from {}", pick.spelled()) };
    hows.push(said.clone());
    let (entity, kind) = match pick {
        LinkPick::Link(label) => {
            let schema = &audit.contract.before.schema;
            let link = schema.link(source, label).ok_or_else(|| no_link(source, label))?;
            // Since format 3 another spelling of the link says no more than the link.
            let is_other = !audit.is_judged_by_source();
            let other = |also| if is_other { format!("from {also}") } else { said.clone() };
            hows.extend(link.also.iter().map(other));
            (link.to.clone(), Kind::Link(audit.firsts(source, label)?))
        }
        LinkPick::Reverse { entity, label } => {
            let order = audit.contract.declared_order(entity);
            (entity.clone(), Kind::Reverse(Back::read(audit, (entity, label), &order)?))
        }
        LinkPick::Key { attr, entity, key } => {
            columns.push(attr);
            let keyed = Keyed::read(audit, entity, key)?;
            let ty = type_of(&audit.contract.before.schema, source, attr);
            (entity.clone(), Kind::Key(keyed, columns.len() - 1, ty))
        }
        LinkPick::Over { by, take } => {
            let over = Over::read(audit, source, (by, take))?;
            (over.to.to_owned(), Kind::Over(over))
        }
    };
    Ok(Place { entity, kind, how })
}

fn latest_place<'a>(
    audit: &'a Audit<'_>,
    latest: &Latest,
    hows: &mut Vec<String>,
) -> Result<Place<'a>> {
    let how = how_at(hows);
    hows.push(format!("from latest {}", latest.entity));
    let order = audit.contract.order_by(&latest.entity, &latest.by);
    let back = Back::read(audit, (&latest.entity, &latest.of), &order)?;
    Ok(Place { entity: latest.entity.clone(), kind: Kind::Latest(back), how })
}

/// The number of the next text.
fn how_at(hows: &[String]) -> u8 {
    u8::try_from(hows.len()).unwrap_or(u8::MAX)
}

/// What one place says of a row.
struct Said {
    /// Whether it names a row of the source: then no later place counts.
    there: bool,
    /// What the rows it names best lead to, with the text of the repair.
    alive: Alive,
}

enum Alive {
    One(u128, u8),
    Other(Vec<(u128, u8)>),
}

/// What a link says: it names one row, there or not.
fn linked(audit: &Audit<'_>, place: &Place<'_>, (firsts, row): (&Firsts, usize), to: &str) -> Said {
    let how = place.how.saturating_add(firsts.how(row));
    match firsts.several(row) {
        None => said_of(firsts.heir(audit, to, row), how),
        Some(ids) => one_of(audit, (&place.entity, ids), to, how),
    }
}

/// What the link of another row says.
fn over_others(
    audit: &Audit<'_>,
    place: &Place<'_>,
    (over, row): (&Over<'_>, usize),
    to: &str,
) -> Said {
    match over.of(row) {
        Named::Nothing => said_of(Heir::Unknown, place.how),
        Named::By(other) => said_of(over.next().heir(audit, to, other), place.how),
        Named::OneOf(ids) => one_of(audit, (&place.entity, &ids), to, place.how),
    }
}

fn said_of(heir: Heir, how: u8) -> Said {
    let alive = match heir {
        Heir::Alive(id) => Alive::One(id, how),
        _ => Alive::Other(Vec::new()),
    };
    Said { there: heir != Heir::Unknown, alive }
}

fn one_of(audit: &Audit<'_>, (entity, ids): (&str, &[u128]), to: &str, how: u8) -> Said {
    let heirs: Vec<Heir> = ids.iter().map(|id| audit.heir(entity, to, *id)).collect();
    said_by(&heirs, how)
}

fn said_by(heirs: &[Heir], how: u8) -> Said {
    let alive = heirs.iter().filter_map(|heir| match heir {
        Heir::Alive(id) => Some((*id, how)),
        _ => None,
    });
    let mut alive: Vec<(u128, u8)> = alive.collect();
    alive.dedup_by_key(|(id, _)| *id);
    let there = heirs.iter().any(|heir| *heir != Heir::Unknown);
    Said { there, alive: Alive::Other(alive) }
}

/// What rows say that point here: only those in the target count, the first or the last of them.
fn back(
    audit: &Audit<'_>,
    place: &Place<'_>,
    (legacy, row): (&Legacy, usize),
    (rows, last): (&Back, bool),
    to: &str,
) -> Said {
    let own = Some(legacy.ids[row]).filter(|id| *id != NONE).map(|_| row);
    let first = own.and_then(|row| legacy.alike(row).next());
    let named = first.map_or_else(Vec::new, |first| rows.of(first, last));
    let heir = |row| in_target(audit, &place.entity, to, row);
    let heirs: Vec<(Heir, usize)> =
        named.into_iter().map(|(row, rank)| (heir(row), rank)).collect();
    let is_alive = |heir: &Heir| matches!(heir, Heir::Alive(_));
    let best = heirs.iter().find(|(heir, _)| is_alive(heir)).map(|(_, rank)| *rank);
    let counts = heirs.iter().filter(|(heir, rank)| is_alive(heir) && Some(*rank) == best);
    said_by(&counts.map(|(heir, _)| *heir).collect::<Vec<_>>(), place.how)
}

/// The id a row has in a target, when it counts there.
fn in_target(audit: &Audit<'_>, entity: &str, to: &str, row: usize) -> Heir {
    let (Some(legacy), Some(table)) = (audit.legacy.get(entity), audit.tables.get(to)) else {
        return Heir::Unknown;
    };
    let id = legacy.stands(table, row).filter(|_| audit.counts(legacy, row));
    id.map_or(Heir::Dead, Heir::Alive)
}

impl Judged<'_> {
    /// Takes in what one place says; true when no later place counts.
    fn take(&mut self, row: usize, said: Said) -> Result<bool> {
        if !said.there {
            return Ok(false);
        }
        match said.alive {
            Alive::One(id, how) => self.must(row, id, how)?,
            Alive::Other(alive) => match alive[..] {
                [(id, how)] => self.must(row, id, how)?,
                _ => {
                    self.marks[row] = MAY | THERE;
                    if !alive.is_empty() {
                        self.may.insert(row, alive);
                    }
                }
            },
        }
        Ok(true)
    }

    fn must(&mut self, row: usize, id: u128, how: u8) -> Result<()> {
        self.marks[row] = MUST | THERE | u16::from(how) << HOW;
        self.rows[row] = match self.to.find(id) {
            Some(at) => narrow(at)?,
            None => {
                self.lost.insert(row, id);
                LOST
            }
        };
        Ok(())
    }
}
