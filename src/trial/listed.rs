//! Lists beside the tables: repairs, and ids that became other ones.

use super::cell::{Cell, Row, text};
use super::fault::{Changes, Fault, Told, numbered, short};
use super::ground::{Ground, Target};
use super::rows::{Planted, strange_id};
use super::table::Table;
use crate::error::Result;

/// A repair, and the target row it is of.
struct Repair<'a> {
    target: Target<'a>,
    table: Table,
    at: usize,
    row: Row,
}

fn repair<'a>(ground: &Ground<'a>) -> Result<Option<Repair<'a>>> {
    for target in ground.targets()? {
        let file = format!("data/repairs/{}.parquet", target.entity());
        let Some(table) = Table::open(ground.root(), &file)? else { continue };
        // Repairs of ids are told by the list of ids.
        let at = table.find(&["attr"], ground.start(table.rows), &mut |row| {
            (row.text("attr") != Some("id")).then_some(row.number)
        })?;
        if let Some(at) = at {
            let row = table.row(at)?;
            return Ok(Some(Repair { target, table, at, row }));
        }
    }
    Ok(None)
}

impl Repair<'_> {
    fn becomes(&self, rows: Vec<Row>) -> Fault {
        let seen = self.row.at(self.at);
        let id = short(seen.text("id").unwrap_or_default());
        let source = seen.whole("_source_row").unwrap_or(-1);
        let attr = seen.text("attr").unwrap_or_default();
        Fault {
            changes: Changes::default().put(&self.table.file, self.at, rows),
            place: format!("{} row {} ({id}, `{attr}`)", self.table.file, self.at),
            told: Told::Row(vec![id, numbered(&self.target.transform.source, source)]),
        }
    }
}

/// A repair is left out.
pub(super) fn repair_dropped(ground: &Ground<'_>) -> Planted {
    Ok(repair(ground)?.map(|repair| repair.becomes(Vec::new())))
}

/// A repair is listed as another.
pub(super) fn repair_otherwise(ground: &Ground<'_>) -> Planted {
    let Some(repair) = repair(ground)? else { return Ok(None) };
    let how = repair.row.at(0).text("how").unwrap_or_default();
    let row = repair.row.with("how", &text(format!("{how} or so")))?;
    Ok(Some(repair.becomes(vec![row])))
}

/// A repair is listed of a row in which there was none.
pub(super) fn repair_invented(ground: &Ground<'_>) -> Planted {
    let Some(repair) = repair(ground)? else { return Ok(None) };
    let attr = repair.row.at(0).text("attr").unwrap_or_default().to_owned();
    let mut repaired = std::collections::BTreeSet::new();
    repair.table.find::<()>(&["attr", "_source_row"], 0, &mut |row| {
        if row.text("attr") == Some(&attr) {
            repaired.extend(row.whole("_source_row"));
        }
        None
    })?;
    let start = ground.start(repair.target.table.rows);
    let is_sound = &mut |row: super::cell::Seen<'_>| {
        row.whole("_source_row").is_some_and(|source| !repaired.contains(&source))
    };
    let Some((at, row)) = repair.target.pick(start, &[], is_sound)? else { return Ok(None) };
    let seen = row.at(at);
    let source = seen.whole("_source_row").unwrap_or(-1);
    let new = repair.row.with("_source_row", &Cell::Whole(source))?;
    let new = new.with("id", &seen.cell("id"))?;
    let fault = repair.becomes(vec![repair.row.clone(), new]);
    Ok(Some(Fault {
        place: format!("{}, `{attr}`", repair.target.place(seen)),
        told: Told::Row(repair.target.names(seen)),
        ..fault
    }))
}

const IDS: &str = "data/ids.parquet";

/// A line of the list of ids.
fn id(ground: &Ground<'_>) -> Result<Option<(usize, Row)>> {
    let Some(table) = Table::open(ground.root(), IDS)? else { return Ok(None) };
    let at = ground.start(table.rows);
    Ok(Some((at, table.row(at)?)))
}

fn id_becomes((at, row): &(usize, Row), rows: Vec<Row>) -> Fault {
    let from = short(row.at(*at).text("from").unwrap_or_default());
    Fault {
        changes: Changes::default().put(IDS, *at, rows),
        place: format!("{IDS} row {at} ({from})"),
        told: Told::Row(vec![format!("({from})"), format!("ids.parquet row {at} ")]),
    }
}

/// An id that became another is not listed.
pub(super) fn id_dropped(ground: &Ground<'_>) -> Planted {
    let Some(found) = id(ground)? else { return Ok(None) };
    let fault = id_becomes(&found, Vec::new());
    let Told::Row(names) = fault.told else { return Ok(None) };
    // The line that then stands at its place is not the one that is missing.
    Ok(Some(Fault { told: Told::Row(names[..1].to_vec()), ..fault }))
}

/// An id is listed as having become another one.
pub(super) fn id_otherwise(ground: &Ground<'_>) -> Planted {
    let Some(found) = id(ground)? else { return Ok(None) };
    let row = found.1.with("to", &text(strange_id("listed")))?;
    Ok(Some(id_becomes(&found, vec![row])))
}
