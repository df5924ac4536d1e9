//! Rows that existed before and are lost, changed or of another origin.

use super::cell::{Cell, Row, text};
use super::fault::{Fault, Told, numbered, shown};
use super::ground::{Ground, OWN, Target};
use super::rows::Planted;
use crate::bundle::Origin;
use crate::error::Result;
use crate::schema::{Has, Type};

/// A row that existed, and its table.
fn existing<'a>(
    ground: &Ground<'a>,
    column: &str,
    holds: &dyn Fn(&Cell<'_>) -> bool,
) -> Result<Option<(Target<'a>, usize, Row)>> {
    for target in ground.targets()? {
        let columns = [&OWN[..], &[column]].concat();
        let start = ground.start(target.table.rows);
        let found = target.table.find(&columns, start, &mut |row| {
            let is_it = row.text(Origin::ORIGIN) == Some(Origin::EXISTING);
            (is_it && holds(&row.cell(column))).then_some(row.number)
        })?;
        if let Some(at) = found {
            let row = target.table.row(at)?;
            return Ok(Some((target, at, row)));
        }
    }
    Ok(None)
}

/// The fault of an existing row that becomes another.
fn becomes(target: &Target<'_>, at: usize, row: &Row, instead: Vec<Row>) -> Fault {
    let seen = row.at(at);
    let source = seen.whole(Origin::SOURCE_ROW).unwrap_or(-1);
    let in_snapshot = numbered(&format!("{} of the snapshot", target.entity()), source);
    let fault = target.fault(target.place(seen), vec![(at, instead)]);
    Fault { told: Told::Row(vec![shown(seen), in_snapshot]), ..fault }
}

/// A row that existed is left out.
pub(super) fn dropped(ground: &Ground<'_>) -> Planted {
    let found = existing(ground, "id", &|_| true)?;
    Ok(found.map(|(target, at, row)| becomes(&target, at, &row, Vec::new())))
}

/// A row that existed is given out for a migrated one.
pub(super) fn as_migrated(ground: &Ground<'_>) -> Planted {
    let Some((target, at, row)) = existing(ground, "id", &|_| true)? else { return Ok(None) };
    let changed = row.with(Origin::ORIGIN, &text(Origin::MIGRATED))?;
    Ok(Some(becomes(&target, at, &row, vec![changed])))
}

/// A value of a row that existed is another.
pub(super) fn changed(ground: &Ground<'_>) -> Planted {
    for target in ground.targets()? {
        let entity = ground.contract.after.schema.entity(target.entity());
        let attrs = entity.map_or(&[][..], |entity| &entity.attrs);
        let attrs = attrs.iter().filter(|attr| attr.ty == Type::String);
        for name in attrs.map(|attr| attr.name.as_str()) {
            let is_text = |cell: &Cell<'_>| matches!(cell, Cell::Text(_));
            let Some((target, at, row)) = existing(ground, name, &is_text)? else { continue };
            let value = row.at(at).text(name).unwrap_or_default();
            let changed = row.with(name, &text(format!("{value} ")))?;
            return Ok(Some(becomes(&target, at, &row, vec![changed])));
        }
    }
    Ok(None)
}

/// What the columns of a row that existed do not hold is another.
pub(super) fn beside(ground: &Ground<'_>) -> Planted {
    let is_text = |cell: &Cell<'_>| matches!(cell, Cell::Text(_));
    let found = existing(ground, Origin::EXTRA, &is_text)?;
    let Some((target, at, row)) = found else { return Ok(None) };
    let extra = row.at(at).text(Origin::EXTRA).unwrap_or_default();
    let Some(other) = super::tokens::last_letter(extra) else { return Ok(None) };
    let changed = row.with(Origin::EXTRA, &text(other))?;
    Ok(Some(becomes(&target, at, &row, vec![changed])))
}

/// The link of a row that existed leads to another row.
pub(super) fn link(ground: &Ground<'_>) -> Planted {
    for link in ground.turned(&ground.contract.after.schema.links) {
        let is_text = |cell: &Cell<'_>| matches!(cell, Cell::Text(_));
        let Some((target, at, row)) = existing(ground, &link.label, &is_text)? else { continue };
        if target.entity() != link.on || link.has != Has::One {
            continue;
        }
        let now = row.at(at).text(&link.label).unwrap_or_default().to_owned();
        let Some(other) = super::links::other_end(ground, &link.to, &now)? else { continue };
        let changed = row.with(&link.label, &text(other))?;
        return Ok(Some(becomes(&target, at, &row, vec![changed])));
    }
    Ok(None)
}
