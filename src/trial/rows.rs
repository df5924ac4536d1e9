//! Rows that are lost, doubled, strange, in another's place or of another origin.

use uuid::Uuid;

use super::cell::{Cell, Row, Seen, text};
use super::fault::{Fault, Told, numbered, shown};
use super::ground::{Ground, OWN, Target, is_migrated};
use crate::bundle::Origin;
use crate::contract::CheckWhat;
use crate::error::Result;
use crate::schema::Type;

/// What a kind of fault gives: nothing when the data has no place for it.
pub(super) type Planted = Result<Option<Fault>>;

/// An id that no row has: as far as one can be sure.
pub(super) fn strange_id(what: &str) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("rethread:self-test:{what}").as_bytes()).to_string()
}

/// Any migrated row.
fn any(ground: &Ground<'_>, holds: &dyn Fn(&str) -> bool) -> Result<Option<(String, usize, Row)>> {
    for target in ground.targets()? {
        let start = ground.start(target.table.rows);
        let is_it = &mut |row: Seen<'_>| row.text("id").is_some_and(holds);
        if let Some((at, row)) = target.pick(start, &[], is_it)? {
            return Ok(Some((target.entity().to_owned(), at, row)));
        }
    }
    Ok(None)
}

/// What a fault of one migrated row is made of.
struct One<'a> {
    target: Target<'a>,
    at: usize,
    row: Row,
}

fn one<'a>(ground: &Ground<'a>, holds: &dyn Fn(&str) -> bool) -> Result<Option<One<'a>>> {
    let Some((entity, at, row)) = any(ground, holds)? else { return Ok(None) };
    let target = ground.targets()?.into_iter().find(|target| target.entity() == entity);
    Ok(target.map(|target| One { target, at, row }))
}

impl One<'_> {
    /// The fault of these rows in place of the one, which go by any of these names as well.
    fn becomes(&self, rows: Vec<Row>, more: Vec<String>) -> Fault {
        let row = self.row.at(self.at);
        let mut names = self.target.names(row);
        names.extend(more);
        let fault = self.target.fault(self.target.place(row), vec![(self.at, rows)]);
        Fault { told: Told::Row(names), ..fault }
    }
}

/// A migrated row is left out.
pub(super) fn dropped(ground: &Ground<'_>) -> Planted {
    let Some(one) = one(ground, &|_| true)? else { return Ok(None) };
    let row = one.row.at(one.at);
    // The row that then stands at its place is not the one that is missing.
    let names = one.target.names(row).into_iter();
    let place = numbered(one.target.entity(), one.at);
    let told = Told::Row(names.filter(|name| *name != place).collect());
    Ok(Some(Fault { told, ..one.becomes(Vec::new(), Vec::new()) }))
}

/// A migrated row stands there twice.
pub(super) fn doubled(ground: &Ground<'_>) -> Planted {
    let Some(one) = one(ground, &|_| true)? else { return Ok(None) };
    Ok(Some(one.becomes(vec![one.row.clone(), one.row.clone()], Vec::new())))
}

/// A row of an id and a place of the source that nobody knows.
pub(super) fn foreign(ground: &Ground<'_>) -> Planted {
    let Some(one) = one(ground, &|_| true)? else { return Ok(None) };
    let id = strange_id("foreign");
    let rows = ground.snapshot.table(&one.target.transform.source).map_or(0, |table| table.rows);
    let after = i64::try_from(rows).unwrap_or(i64::MAX).saturating_add(7);
    let row = one.row.with("id", &text(id.as_str()))?;
    let row = row.with(Origin::SOURCE_ROW, &Cell::Whole(after))?;
    let place = format!("{} row {} ({id})", one.target.entity(), one.at + 1);
    let fault = one.target.fault(place, vec![(one.at, vec![one.row.clone(), row])]);
    Ok(Some(Fault { told: Told::Row(vec![id]), ..fault }))
}

/// A row of a new id, made from a row of the source that became another row.
pub(super) fn twin(ground: &Ground<'_>) -> Planted {
    let Some(one) = one(ground, &|_| true)? else { return Ok(None) };
    let id = strange_id("twin");
    let row = one.row.with("id", &text(id.as_str()))?;
    Ok(Some(one.becomes(vec![one.row.clone(), row], vec![id])))
}

/// A row has an id that no rule gives it.
pub(super) fn other_id(ground: &Ground<'_>) -> Planted {
    let Some(one) = one(ground, &|_| true)? else { return Ok(None) };
    let id = strange_id("other");
    let row = one.row.with("id", &text(id.as_str()))?;
    Ok(Some(one.becomes(vec![row], vec![id])))
}

/// An id is written in upper case.
pub(super) fn upper_id(ground: &Ground<'_>) -> Planted {
    let has_letter = |id: &str| id.bytes().any(|byte| byte.is_ascii_lowercase());
    let Some(one) = one(ground, &has_letter)? else { return Ok(None) };
    let id = one.row.at(0).text("id").unwrap_or_default().to_uppercase();
    let row = one.row.with("id", &text(id.as_str()))?;
    Ok(Some(one.becomes(vec![row], vec![id])))
}

/// A migrated row is given out for one that existed.
pub(super) fn as_existing(ground: &Ground<'_>) -> Planted {
    let Some(one) = one(ground, &|_| true)? else { return Ok(None) };
    let row = one.row.with(Origin::ORIGIN, &text(Origin::EXISTING))?;
    Ok(Some(one.becomes(vec![row], Vec::new())))
}

/// The store's time of a migrated row is another.
pub(super) fn other_time(ground: &Ground<'_>) -> Planted {
    let Some(one) = one(ground, &|_| true)? else { return Ok(None) };
    let time = one.row.at(0).whole(Origin::SERVER).map_or(0, |time| time + 1);
    let row = one.row.with(Origin::SERVER, &Cell::Whole(time))?;
    Ok(Some(one.becomes(vec![row], Vec::new())))
}

/// Two rows that follow each other and were made of different rows, with a column of the order in which
/// they are alike or not.
fn neighbours<'a>(
    ground: &Ground<'a>,
    alike: Option<bool>,
) -> Result<Option<(Target<'a>, usize, [Row; 2])>> {
    for target in ground.targets()? {
        let Some(first) = target.transform.order.first() else { continue };
        let columns = [&OWN[..], &[first.as_str()]].concat();
        let start = ground.start(target.table.rows);
        let mut last: Option<[Cell<'static>; 2]> = None;
        let found = target.table.find(&columns, start, &mut |row| {
            if !is_migrated(row) {
                last = None;
                return None;
            }
            let now = [first.as_str(), Origin::SOURCE_ROW].map(|name| row.cell(name).held());
            let fits = last.as_ref().is_some_and(|last| {
                let is_alike = last[0] == now[0];
                last[0] != Cell::Null
                    && last[1] != now[1]
                    && alike.is_none_or(|alike| alike == is_alike)
            });
            last = Some(now);
            fits.then_some(row.number)
        })?;
        if let Some(at) = found {
            let rows = [target.table.row(at - 1)?, target.table.row(at)?];
            return Ok(Some((target, at - 1, rows)));
        }
    }
    Ok(None)
}

/// The fault of two neighbours that become these, each to be named by its id.
fn both(target: &Target<'_>, at: usize, rows: &[Row; 2], instead: [Row; 2]) -> Fault {
    let (a, b) = (rows[0].at(at), rows[1].at(at + 1));
    let [one, two] = instead;
    let place = format!("{} rows {at} and {} ({})", target.entity(), at + 1, shown(a));
    let fault = target.fault(place, vec![(at, vec![one]), (at + 1, vec![two])]);
    Fault { told: Told::Row(vec![shown(a), shown(b)]), ..fault }
}

/// Two rows stand in each other's place.
pub(super) fn swapped(ground: &Ground<'_>) -> Planted {
    let Some((target, at, rows)) = neighbours(ground, Some(false))? else { return Ok(None) };
    let instead = [rows[1].clone(), rows[0].clone()];
    Ok(Some(both(&target, at, &rows, instead)))
}

/// Two rows of one time stand in each other's place.
pub(super) fn swapped_alike(ground: &Ground<'_>) -> Planted {
    let Some((target, at, rows)) = neighbours(ground, Some(true))? else { return Ok(None) };
    let instead = [rows[1].clone(), rows[0].clone()];
    Ok(Some(both(&target, at, &rows, instead)))
}

/// Two rows have each other's value in a column.
fn exchanged(ground: &Ground<'_>, column: &str) -> Planted {
    let Some((target, at, rows)) = neighbours(ground, None)? else { return Ok(None) };
    let value = |row: &Row| row.at(0).cell(column).held();
    let instead =
        [rows[0].with(column, &value(&rows[1]))?, rows[1].with(column, &value(&rows[0]))?];
    Ok(Some(both(&target, at, &rows, instead)))
}

/// Two rows have each other's id.
pub(super) fn exchanged_ids(ground: &Ground<'_>) -> Planted {
    exchanged(ground, "id")
}

/// Two rows say that they were made from each other's row of the source.
pub(super) fn exchanged_sources(ground: &Ground<'_>) -> Planted {
    exchanged(ground, Origin::SOURCE_ROW)
}

/// Two rows of one parent have each other's first key of order, so that the target shows each in the
/// other's place.
pub(super) fn shown_elsewhere(ground: &Ground<'_>) -> Planted {
    for target in ground.targets()? {
        let within = ground.contract.checks.iter().find_map(|check| match &check.what {
            CheckWhat::Sequence { target: it, within, .. } if it == target.entity() => Some(within),
            _ => None,
        });
        let Some(within) = within else { continue };
        let Some(key) = target.transform.order.iter().rfind(|name| *name != "id") else { continue };
        let mut last: Option<[Cell<'static>; 2]> = None;
        let columns = [&OWN[..], &[key.as_str(), within.as_str()]].concat();
        let found = target.table.find(&columns, ground.start(target.table.rows), &mut |row| {
            let now = [key, within].map(|name| row.cell(name).held());
            let fits = is_migrated(row)
                && now[1] != Cell::Null
                && last.as_ref().is_some_and(|last| last[0] != now[0] && last[1] == now[1]);
            last = is_migrated(row).then_some(now);
            fits.then_some(row.number)
        })?;
        let Some(at) = found else { continue };
        let rows = [target.table.row(at - 1)?, target.table.row(at)?];
        let value = |row: &Row| row.at(0).cell(key).held();
        let instead = [rows[0].with(key, &value(&rows[1]))?, rows[1].with(key, &value(&rows[0]))?];
        return Ok(Some(both(&target, at - 1, &rows, instead)));
    }
    Ok(None)
}

/// A row says that it was made from its neighbour's row of the source.
pub(super) fn other_source(ground: &Ground<'_>) -> Planted {
    let Some((target, at, rows)) = neighbours(ground, None)? else { return Ok(None) };
    let source = rows[1].at(0).cell(Origin::SOURCE_ROW).held();
    let row = rows[0].with(Origin::SOURCE_ROW, &source)?;
    let names = target.names(rows[0].at(at));
    let fault = target.fault(target.place(rows[0].at(at)), vec![(at, vec![row])]);
    Ok(Some(Fault { told: Told::Row(names), ..fault }))
}

/// A value stands in the attribute beside its own.
pub(super) fn beside(ground: &Ground<'_>) -> Planted {
    for target in ground.targets()? {
        let entity = ground.contract.after.schema.entity(target.entity());
        let attrs = entity.map_or(&[][..], |entity| &entity.attrs);
        let pairs = attrs.iter().enumerate().flat_map(|(at, one)| {
            attrs[at + 1..].iter().filter(|two| two.ty == one.ty).map(move |two| (one, two))
        });
        let pairs: Vec<_> = pairs.collect();
        for (one, two) in ground.turned(&pairs) {
            let names = [one.name.as_str(), two.name.as_str()];
            let differ = &mut |row: Seen<'_>| {
                let cells = names.map(|name| row.cell(name));
                cells[0] != cells[1]
            };
            let start = ground.start(target.table.rows);
            let Some((at, row)) = target.pick(start, &names, differ)? else { continue };
            let cells = names.map(|name| row.at(at).cell(name).held());
            let changed = row.with(names[0], &cells[1])?.with(names[1], &cells[0])?;
            let place = target.place(row.at(at));
            let place = format!("{place}, `{}` and `{}`", names[0], names[1]);
            let told = Told::Row(target.names(row.at(at)));
            return Ok(Some(Fault { told, ..target.fault(place, vec![(at, vec![changed])]) }));
        }
    }
    Ok(None)
}

/// A row has the payload of another one.
pub(super) fn other_payload(ground: &Ground<'_>) -> Planted {
    for target in ground.targets()? {
        let entity = ground.contract.after.schema.entity(target.entity());
        let attrs = entity.map_or(&[][..], |entity| &entity.attrs);
        let payloads = attrs.iter().filter(|attr| attr.ty == Type::Any);
        let payloads: Vec<&str> = payloads.map(|attr| attr.name.as_str()).collect();
        for name in ground.turned(&payloads) {
            let start = ground.start(target.table.rows);
            let there = &mut |row: Seen<'_>| row.cell(name) != Cell::Null;
            let Some((at, row)) = target.pick(start, &[name], there)? else { continue };
            let own = row.at(at).cell(name).held();
            let differs =
                &mut |row: Seen<'_>| row.cell(name) != Cell::Null && row.cell(name) != own;
            let Some((_, other)) = target.pick(start, &[name], differs)? else { continue };
            return target.value(at, (name, &other.at(0).cell(name))).map(Some);
        }
    }
    Ok(None)
}
