//! The bundle into the app: what is given up first, then rows with their links, then links that lead
//! to rows which come later, then link tables.

use super::compare::LED;
use super::crew::{self, Crew, Noted, Task};
use super::fates::{Fate, Fates};
use super::shape::{Shape, Side};
use super::wire::{Goal, Line, Steps, Unit};
use super::work::Aside;
use crate::bundle::Origin;
use crate::error::Result;
use crate::progress::{Progress, Silent};
use crate::target::{Before, Journal, Plan, Rows, Table, Value};

/// Under which key finished batches are noted.
pub(super) const BATCH: &str = "batch";

/// A row of the bundle, its key and its fate.
pub(super) type Visit<'v> = dyn FnMut(&Rows<'_>, usize, Vec<String>, Fate) -> Result<()> + 'v;

/// Walks a table of the bundle beside what was written down about its rows.
pub(super) fn each(
    plan: &Plan,
    table: &Table,
    before: &Before,
    progress: &dyn Progress,
    visit: &mut Visit<'_>,
) -> Result<()> {
    let mut fates = Fates::of(before, table)?;
    plan.scan(table, progress, &mut |rows| {
        for row in 0..rows.len() {
            let key = rows.key(table, row);
            let fate = fates.next(&key)?;
            visit(rows, row, key, fate)?;
        }
        Ok(())
    })?;
    fates.end()
}

/// Brings every row that is to be created or changed.
pub(super) fn apply(
    task: &Task<'_>,
    plan: &Plan,
    before: &Before,
    (journal, progress): (&mut Journal<'_>, &dyn Progress),
) -> Result<Noted> {
    let replaces = replaced(before)?;
    crew::with(task, journal, |crew| {
        let tables = || plan.tables.iter().zip(task.shapes).enumerate();
        let bring = Bring { plan, before };
        for (number, (table, shape)) in tables()
            .filter(|(_, (table, shape))| !shape.is_link() && replaces.contains(&table.name))
        {
            bring.entity((number, table, shape), Part::Released, &Silent, crew)?;
        }
        for (number, (table, shape)) in tables().filter(|(_, (_, shape))| !shape.is_link()) {
            bring.entity((number, table, shape), Part::Brought, progress, crew)?;
        }
        let is_late = |shape: &Shape| shape.columns.iter().any(|field| field.is_late);
        for (number, (table, shape)) in tables().filter(|(_, (_, shape))| is_late(shape)) {
            bring.entity((number, table, shape), Part::LateLinks, &Silent, crew)?;
        }
        for (number, (table, shape)) in tables() {
            if let Some(side) = &shape.side {
                bring.links((number, table, shape), side, progress, crew)?;
            }
        }
        Ok(())
    })
}

/// The tables in which rows are changed.
fn replaced(before: &Before) -> Result<std::collections::BTreeSet<String>> {
    let mut tables = std::collections::BTreeSet::new();
    before.each(&mut |row| {
        if row.was.is_some() && !tables.contains(&row.table) {
            tables.insert(row.table);
        }
        Ok(())
    })?;
    Ok(tables)
}

struct Bring<'a> {
    plan: &'a Plan,
    before: &'a Before,
}

/// What of a row is brought.
#[derive(Clone, Copy)]
enum Part {
    Released,
    Brought,
    LateLinks,
}

impl Bring<'_> {
    fn entity(
        &self,
        (number, table, shape): (usize, &Table, &Shape),
        part: Part,
        progress: &dyn Progress,
        crew: &mut Crew<'_, '_>,
    ) -> Result<()> {
        let extra = table.columns.iter().position(|column| column.name == Origin::EXTRA);
        each(self.plan, table, self.before, progress, &mut |rows, row, key, fate| {
            let image = match &fate {
                Fate::Created => None,
                Fate::Updated(image) => Some(image),
                Fate::Unchanged | Fate::Kept => return Ok(()),
            };
            let row_of = Line { shape, rows, row, id: &key[0], image };
            let extra = extra.map(|at| rows.value(at, row));
            let extra = match extra {
                Some(Value::Json(text)) => Some(text),
                _ => None,
            };
            let unit = match part {
                Part::Released => row_of.released(),
                Part::Brought => Some(row_of.brought(extra)),
                Part::LateLinks => row_of.late_links(),
            };
            unit.map_or(Ok(()), |unit| crew.add(number, unit))
        })?;
        crew.barrier()
    }

    /// A link of a row that was set aside would make a row of nothing but that link: it is set aside
    /// with it.
    fn links(
        &self,
        (number, table, shape): (usize, &Table, &Shape),
        side: &Side,
        progress: &dyn Progress,
        crew: &mut Crew<'_, '_>,
    ) -> Result<()> {
        each(self.plan, table, self.before, &Silent, &mut |_, _, key, fate| match led(&fate) {
            Some(led) => {
                crew.add(number, linked(shape, side, &[key[0].clone(), led.clone()], false))
            }
            None => Ok(()),
        })?;
        crew.barrier()?;
        let mut left = Vec::new();
        each(self.plan, table, self.before, progress, &mut |_, _, key, fate| {
            if matches!(fate, Fate::Unchanged | Fate::Kept) {
                return Ok(());
            }
            if crew.is_aside(&shape.etype, &key[0]) || crew.is_aside(&side.to, &key[1]) {
                let reason = "one of its ends was set aside".to_owned();
                left.push(Aside { table: table.name.clone(), key: key.clone(), reason });
                crew.leave_out(&table.name, &key);
            }
            crew.add(number, linked(shape, side, &key, true))
        })?;
        crew.barrier()?;
        crew.note_left_out(number, left)
    }
}

/// A link made or taken away.
pub(super) fn linked(shape: &Shape, side: &Side, key: &[String], there: bool) -> Unit {
    let mut steps = Steps::new(&shape.etype, &key[0]);
    let links = [(side.label.as_str(), key[1].as_str())];
    if there {
        steps.link(&links);
    } else {
        steps.unlink(&links);
    }
    steps.unit(key.to_vec(), Goal::Linked(there))
}

/// Where a link that was replaced led before.
pub(super) fn led(fate: &Fate) -> Option<&String> {
    match fate {
        Fate::Updated(image) => image.get(LED)?.as_ref(),
        _ => None,
    }
}
