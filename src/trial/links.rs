//! Links that lead elsewhere, nowhere or are gone: in columns, and in link files.

use super::cell::{Cell, Row, Seen, text};
use super::fault::{Changes, Fault, Told, numbered, short};
use super::ground::{Ground, Target};
use super::rows::{Planted, strange_id};
use super::table::Table;
use crate::error::Result;
use crate::schema::{Has, Link};

/// Another id than this one of a target entity.
pub(super) fn other_end(ground: &Ground<'_>, entity: &str, not: &str) -> Result<Option<String>> {
    let Some(table) = ground.target(entity)? else { return Ok(None) };
    table.find(&["id"], ground.start(table.rows), &mut |row| {
        row.text("id").filter(|id| *id != not).map(str::to_owned)
    })
}

/// What a link becomes, told by the link and the id it has.
type Other<'a> = dyn Fn(&Link, Option<&str>) -> Result<Option<Cell<'static>>> + 'a;

/// The fault of another value in a link of a migrated row, which has one or has none.
fn changed(ground: &Ground<'_>, has: bool, other: &Other<'_>) -> Planted {
    for target in ground.targets()? {
        let links: Vec<&Link> = ground.contract.after.schema.columns_of(target.entity()).collect();
        for link in ground.turned(&links) {
            if let Some(fault) = changed_in(ground, (&target, link), has, other)? {
                return Ok(Some(fault));
            }
        }
    }
    Ok(None)
}

fn changed_in(
    ground: &Ground<'_>,
    (target, link): (&Target<'_>, &Link),
    has: bool,
    other: &Other<'_>,
) -> Planted {
    let label = link.label.as_str();
    let is_it = &mut |row: super::cell::Seen<'_>| {
        let id = row.text(label);
        // An id in which there is a letter can be written in upper case.
        id.is_some() == has && id.is_none_or(|id| id.bytes().any(|byte| byte.is_ascii_lowercase()))
    };
    let found = target.pick(ground.start(target.table.rows), &[label], is_it)?;
    let Some((at, row)) = found else { return Ok(None) };
    let value = other(link, row.at(at).text(label))?;
    value.map(|value| target.value(at, (label, &value))).transpose()
}

/// A link leads to another row.
pub(super) fn moved(ground: &Ground<'_>) -> Planted {
    changed(ground, true, &|link, now| {
        Ok(other_end(ground, &link.to, now.unwrap_or_default())?.map(text))
    })
}

/// A link is left out.
pub(super) fn cleared(ground: &Ground<'_>) -> Planted {
    changed(ground, true, &|_, _| Ok(Some(Cell::Null)))
}

/// A link leads to no row.
pub(super) fn nowhere(ground: &Ground<'_>) -> Planted {
    changed(ground, true, &|_, _| Ok(Some(text(strange_id("nowhere")))))
}

/// A link is written in upper case.
pub(super) fn upper(ground: &Ground<'_>) -> Planted {
    changed(ground, true, &|_, now| Ok(now.map(|id| text(id.to_uppercase()))))
}

/// A row that has no link is given one.
pub(super) fn invented(ground: &Ground<'_>) -> Planted {
    changed(ground, false, &|link, _| Ok(other_end(ground, &link.to, "")?.map(text)))
}

/// A link that one row only may hold is held by another row, and its own holder has none.
pub(super) fn rival(ground: &Ground<'_>) -> Planted {
    for target in ground.targets()? {
        let links = ground.contract.after.schema.columns_of(target.entity());
        for link in links.filter(|link| link.reverse_has == Has::One) {
            let label = link.label.as_str();
            let start = ground.start(target.table.rows);
            let has = |has: bool| move |row: Seen<'_>| row.text(label).is_some() == has;
            let Some((at, holder)) = target.pick(start, &[label], &mut has(true))? else {
                continue;
            };
            let Some((other, rival)) = target.pick(start, &[label], &mut has(false))? else {
                continue;
            };
            let held = holder.at(at).cell(label).held();
            let instead = vec![
                (at, vec![holder.with(label, &Cell::Null)?]),
                (other, vec![rival.with(label, &held)?]),
            ];
            let mut names = target.names(holder.at(at));
            names.extend(target.names(rival.at(other)));
            let place = format!("{}, `{label}`", target.place(holder.at(at)));
            return Ok(Some(Fault { told: Told::Row(names), ..target.fault(place, instead) }));
        }
    }
    Ok(None)
}

/// A pair of a link file.
struct Pair {
    table: Table,
    at: usize,
    row: Row,
    from: String,
    to: String,
}

fn pair(ground: &Ground<'_>) -> Result<Option<Pair>> {
    for links in ground.turned(&ground.bundle.meta().links) {
        let Some(table) = Table::open(ground.root(), &links.file)? else { continue };
        let at = ground.start(table.rows);
        let row = table.row(at)?;
        let end = |column: &str| row.at(at).text(column).unwrap_or_default().to_owned();
        let (from, to) = (end("from"), end("to"));
        return Ok(Some(Pair { table, at, row, from, to }));
    }
    Ok(None)
}

impl Pair {
    /// The fault of these pairs in place of the one.
    fn becomes(&self, rows: Vec<Row>) -> Fault {
        let (from, to) = (short(&self.from), short(&self.to));
        let pair = format!("{from} - {to}");
        Fault {
            changes: Changes::default().put(&self.table.file, self.at, rows),
            place: format!("{} row {} ({pair})", self.table.file, self.at),
            told: Told::Row(vec![pair]),
        }
    }
}

/// A pair of a link file is left out.
pub(super) fn pair_dropped(ground: &Ground<'_>) -> Planted {
    Ok(pair(ground)?.map(|pair| pair.becomes(Vec::new())))
}

/// A pair of a link file stands there twice.
pub(super) fn pair_doubled(ground: &Ground<'_>) -> Planted {
    Ok(pair(ground)?.map(|pair| pair.becomes(vec![pair.row.clone(), pair.row.clone()])))
}

/// A pair of a link file has another end.
pub(super) fn pair_moved(ground: &Ground<'_>) -> Planted {
    let Some(pair) = pair(ground)? else { return Ok(None) };
    let row = pair.row.with("to", &text(strange_id("pair")))?;
    let fault = pair.becomes(vec![row]);
    let strange = format!("{} - {}", short(&pair.from), strange_id("pair"));
    let Told::Row(mut names) = fault.told else { return Ok(None) };
    names.push(strange);
    Ok(Some(Fault { told: Told::Row(names), ..fault }))
}

pub(super) const LOST: &str = "data/quarantine/links.parquet";

/// A link that lost its other end is not listed.
pub(super) fn lost_dropped(ground: &Ground<'_>) -> Planted {
    let Some(table) = Table::open(ground.root(), LOST)? else { return Ok(None) };
    let at = ground.start(table.rows);
    let row = table.row(at)?;
    let seen = row.at(at);
    let entity = seen.text("entity").unwrap_or_default();
    let number = seen.whole("_row").unwrap_or(-1);
    let carried = ground.snapshot.meta().links.iter().filter(|links| links.entity == entity);
    let mut names =
        vec![numbered(entity, number), numbered(&format!("{entity} of the snapshot"), number)];
    // Of a link file the pair is named by its place there.
    for links in carried {
        let Some(pairs) = Table::open(ground.snapshot.root(), &links.file)? else { continue };
        pairs.find::<()>(&["_row", "from", "to"], 0, &mut |pair| {
            let lower = |text: Option<&str>| text.unwrap_or_default().to_ascii_lowercase();
            let ends = ["from", "to"];
            let ends = ends.iter().all(|end| lower(pair.text(end)) == lower(seen.text(end)));
            if ends && pair.whole("_row") == Some(number) {
                names.push(format!("{} row {}", links.file, pair.number));
            }
            None
        })?;
    }
    Ok(Some(Fault {
        changes: Changes::default().put(LOST, at, Vec::new()),
        place: format!("{LOST} row {at} ({entity} row {number})"),
        told: Told::Row(names),
    }))
}

/// A link that is there is listed as lost.
pub(super) fn lost_invented(ground: &Ground<'_>) -> Planted {
    let Some(table) = Table::open(ground.root(), LOST)? else { return Ok(None) };
    let at = ground.start(table.rows);
    let row = table.row(at)?;
    let entity = row.at(at).text("entity").unwrap_or_default().to_owned();
    let other = row.at(at).whole("_row").unwrap_or_default() + 1;
    let taken = table.find(&["entity", "label", "_row"], 0, &mut |found| {
        let same = ["entity", "label"].iter().all(|name| found.text(name) == row.at(0).text(name));
        (same && found.whole("_row") == Some(other)).then_some(())
    })?;
    if taken.is_some() || !ground.legacy().contains(&entity.as_str()) {
        return Ok(None);
    }
    let strange = row.with("_row", &Cell::Whole(other))?;
    Ok(Some(Fault {
        changes: Changes::default().put(LOST, at, vec![row, strange]),
        place: format!("{LOST} row {} ({entity} row {other})", at + 1),
        told: Told::Row(vec![numbered(&entity, other)]),
    }))
}
