//! Rows that the contract notes: one more than there were.

use std::collections::BTreeSet;

use super::cell::{Cell, Row, Seen, text};
use super::fault::{Changes, Fault, Told};
use super::ground::{Ground, Target, is_migrated};
use super::links::other_end;
use super::rows::Planted;
use super::table::Table;
use crate::contract::{NoteWhat, Otherwise, Piece, Template};
use crate::error::Result;

/// How many rows are tried where another table decides whether one has a place for the fault.
const TRIED: usize = 200;

/// The notes of the contract, one column each, from the one whose turn it is.
fn singles(ground: &Ground<'_>) -> Vec<NoteWhat> {
    let notes: Vec<NoteWhat> =
        ground.contract.notes.iter().flat_map(|note| note.what.single()).collect();
    ground.turned(&notes).into_iter().cloned().collect()
}

/// The table that a note looks at.
fn target<'a>(ground: &Ground<'a>, what: &NoteWhat) -> Result<Option<Target<'a>>> {
    let targets = ground.targets()?.into_iter();
    Ok(targets.into_iter().find(|target| target.entity() == what.entity()))
}

/// The fault of another value in the column of a note, to be counted by it.
fn noted(target: &Target<'_>, what: &NoteWhat, (at, value): (usize, &Cell<'_>)) -> Result<Fault> {
    let column = what.column();
    let fault = target.value(at, (&column, value))?;
    Ok(Fault { told: counted(target, &column, fault.told), ..fault })
}

fn counted(target: &Target<'_>, column: &str, told: Told) -> Told {
    let names = match told {
        Told::Row(names) => names,
        _ => Vec::new(),
    };
    Told::Noted(target.entity().to_owned(), column.to_owned(), names)
}

/// A value is left out.
pub(super) fn null(ground: &Ground<'_>) -> Planted {
    column(ground, &|what| matches!(what, NoteWhat::Null(_)), &|_, value| {
        (*value != Cell::Null && *value != text("null")).then_some(Cell::Null)
    })
}

/// A payload is the text of one.
pub(super) fn as_text(ground: &Ground<'_>) -> Planted {
    column(ground, &|what| matches!(what, NoteWhat::Text(_)), &|_, value| match value {
        Cell::Text(found) if !found.trim_start().starts_with('"') => Some(text("\"self-test\"")),
        Cell::Null => Some(text("\"self-test\"")),
        _ => None,
    })
}

/// A text that is built of its row is another.
pub(super) fn unlike(ground: &Ground<'_>) -> Planted {
    let other = |what: &NoteWhat, row: Seen<'_>| match what {
        NoteWhat::Unlike { column: (_, name), template } => {
            let built = built(template, row)?;
            (row.text(name) == Some(&*built)).then(|| text(format!("{built} or so")))
        }
        _ => None,
    };
    for what in singles(ground) {
        let NoteWhat::Unlike { column: (_, name), template } = &what else { continue };
        let Some(target) = target(ground, &what)? else { continue };
        let names = template.pieces.iter().filter_map(|piece| match piece {
            Piece::Attr(name) => Some(name.as_str()),
            Piece::Text(_) => None,
        });
        let columns: Vec<&str> = names.chain([name.as_str()]).collect();
        let start = ground.start(target.table.rows);
        let found = target.pick(start, &columns, &mut |row| other(&what, row).is_some())?;
        if let Some((at, row)) = found
            && let Some(value) = other(&what, row.at(at))
        {
            return noted(&target, &what, (at, &value)).map(Some);
        }
    }
    Ok(None)
}

fn built(template: &Template, row: Seen<'_>) -> Option<String> {
    let pieces = template.pieces.iter().map(|piece| match piece {
        Piece::Text(text) => Some(text.clone()),
        Piece::Attr(name) => match row.cell(name) {
            Cell::Text(text) => Some(text.into_owned()),
            Cell::Number(number) => Some(format!("{}", number + 0.0)),
            Cell::Boolean(value) => Some(value.to_string()),
            _ => None,
        },
    });
    pieces.collect()
}

/// Another value in the column of the first note of a kind that has a row for it.
fn column(
    ground: &Ground<'_>,
    is_kind: &dyn Fn(&NoteWhat) -> bool,
    other: &dyn Fn(&NoteWhat, &Cell<'_>) -> Option<Cell<'static>>,
) -> Planted {
    for what in singles(ground).into_iter().filter(|what| is_kind(what)) {
        let Some(target) = target(ground, &what)? else { continue };
        let name = what.column();
        let start = ground.start(target.table.rows);
        let value = |row: Seen<'_>| other(&what, &row.cell(&name));
        let found = target.pick(start, &[&name], &mut |row| value(row).is_some())?;
        if let Some((at, row)) = found
            && let Some(value) = value(row.at(at))
        {
            return noted(&target, &what, (at, &value)).map(Some);
        }
    }
    Ok(None)
}

/// A row shares its values with another.
pub(super) fn shared(ground: &Ground<'_>) -> Planted {
    for what in singles(ground) {
        let NoteWhat::Shared { by, .. } = &what else { continue };
        let Some(target) = target(ground, &what)? else { continue };
        let Some((a, b)) = alone(&target, by)? else { continue };
        let (from, mut row) = (target.table.row(a)?, target.table.row(b)?);
        let names = target.names(row.at(b));
        let place = format!("{}, {}", target.place(row.at(b)), what.column());
        for column in by {
            row = row.with(column, &from.at(a).cell(column))?;
        }
        let fault = target.fault(place, vec![(b, vec![row])]);
        let told = counted(&target, &what.column(), Told::Row(names));
        return Ok(Some(Fault { told, ..fault }));
    }
    Ok(None)
}

/// Two migrated rows that share these values with none, of the first rows of a table.
fn alone(target: &Target<'_>, by: &[String]) -> Result<Option<(usize, usize)>> {
    let columns: Vec<&str> = by.iter().map(String::as_str).chain(super::ground::OWN).collect();
    let values = |row: Seen<'_>| -> Vec<String> {
        by.iter().map(|column| format!("{:?}", row.cell(column))).collect()
    };
    let whole = |row: Seen<'_>| by.iter().all(|column| row.cell(column) != Cell::Null);
    let mut first: Vec<(Vec<String>, usize)> = Vec::new();
    target.table.find::<()>(&columns, 0, &mut |row| {
        if first.len() < TRIED && is_migrated(row) && whole(row) {
            first.push((values(row), row.number));
        }
        None
    })?;
    let mut seen: BTreeSet<Vec<String>> = BTreeSet::new();
    let mut twice: BTreeSet<Vec<String>> = BTreeSet::new();
    let known: BTreeSet<Vec<String>> = first.iter().map(|(values, _)| values.clone()).collect();
    target.table.find::<()>(&columns, 0, &mut |row| {
        let values = values(row);
        if known.contains(&values) && !seen.insert(values.clone()) {
            twice.insert(values);
        }
        None
    })?;
    let mut rows = first.into_iter().filter(|(values, _)| !twice.contains(values));
    let mut next = || rows.next().map(|(_, row)| row);
    Ok(next().zip(next()))
}

/// A link leads elsewhere than that of the row which another link leads to.
pub(super) fn differ(ground: &Ground<'_>) -> Planted {
    for what in singles(ground) {
        let NoteWhat::Differ { column: (_, label), over, take } = &what else { continue };
        let schema = &ground.contract.after.schema;
        let links = (schema.link(what.entity(), label), schema.link(what.entity(), over));
        let (Some(own), Some(next)) = links else { continue };
        let (target, next) = (target(ground, &what)?, ground.target(&next.to)?);
        let (Some(target), Some(next)) = (target, next) else { continue };
        let Some((at, id)) = alike(&target, (label, over), (&next, take))? else { continue };
        let Some(other) = other_end(ground, &own.to, &id)? else { continue };
        return noted(&target, &what, (at, &text(other))).map(Some);
    }
    Ok(None)
}

/// A migrated row whose link leads where the link of the next row leads, and the id of that end.
fn alike(
    target: &Target<'_>,
    (label, over): (&str, &str),
    (next, take): (&Table, &str),
) -> Result<Option<(usize, String)>> {
    let columns = [&super::ground::OWN[..], &[label, over]].concat();
    let mut first = Vec::new();
    target.table.find::<()>(&columns, 0, &mut |row| {
        let ends = row.text(label).zip(row.text(over)).filter(|_| is_migrated(row));
        if let Some((own, next)) = ends.filter(|_| first.len() < TRIED) {
            first.push((next.to_owned(), own.to_owned(), row.number));
        }
        None
    })?;
    next.find(&["id", take], 0, &mut |row| {
        let (id, end) = row.text("id").zip(row.text(take))?;
        let mut rows = first.iter();
        let found = rows.find(|(next, own, _)| next == id && own == end)?;
        Some((found.2, found.1.clone()))
    })
}

/// A value is listed as one that no mapping lists.
pub(super) fn unlisted(ground: &Ground<'_>) -> Planted {
    for target in ground.targets()? {
        let keeps = target.transform.attrs.iter().find(|rule| {
            let values = rule.values.as_ref();
            values.is_some_and(|values| values.otherwise != Otherwise::Quarantine)
        });
        let Some(rule) = keeps else { continue };
        let file = format!("data/repairs/{}.parquet", target.entity());
        let Some(repairs) = Table::open(ground.root(), &file)? else { continue };
        let start = ground.start(target.table.rows);
        let Some((at, row)) = target.pick(start, &[], &mut |_| true)? else { continue };
        let (seen, listed) = (row.at(at), repairs.row(0)?);
        let line = listed.with("attr", &text(rule.attr.as_str()))?;
        let line = line.with("how", &text("value kept"))?.with("id", &seen.cell("id"))?;
        let source = seen.cell(crate::bundle::Origin::SOURCE_ROW);
        let line: Row = line.with(crate::bundle::Origin::SOURCE_ROW, &source)?;
        return Ok(Some(Fault {
            changes: Changes::default().put(&repairs.file, 0, vec![line, listed]),
            place: format!("{}, `{}`", target.place(seen), rule.attr),
            told: counted(&target, &rule.attr, Told::Row(target.names(seen))),
        }));
    }
    Ok(None)
}
