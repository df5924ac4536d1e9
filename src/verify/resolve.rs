//! Re-resolves links from the snapshot alone: which target row a source row must link to.

use std::collections::BTreeMap;

use super::back::{Back, Keyed};
use super::facts::{Audit, Heir};
use super::key::{self, NONE};
use super::naming::{Naming, no_link};
use super::read::{self, Row};
use crate::contract::{Latest, LinkHow, LinkPick, Transform};
use crate::error::{Error, Result};

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
