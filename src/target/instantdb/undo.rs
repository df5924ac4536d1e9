//! Undoing an import: what it created goes, what it changed becomes what it was.

use super::apply::{each, led, linked};
use super::crew::{self, Crew, Noted, Task};
use super::fates::Fate;
use super::normal::{self, Normal};
use super::shape::{Field, Shape};
use super::wire::{self, Goal, Steps, Unit};
use crate::error::Result;
use crate::progress::{Progress, Silent};
use crate::target::{Before, Image, Journal, Plan, Rows, Table};

/// Under which key finished batches are noted.
pub(super) const BATCH: &str = "undo";

/// Takes back what the import did; what is done already is not done again.
pub(super) fn revert(
    task: &Task<'_>,
    plan: &Plan,
    before: &Before,
    (journal, progress): (&mut Journal<'_>, &dyn Progress),
) -> Result<Noted> {
    let back = Back { plan, before, shapes: task.shapes };
    crew::with(task, journal, |crew| {
        back.links(crew)?;
        back.each(crew, &Silent, &|one| one.image.and_then(|image| one.released(image)))?;
        back.each(crew, progress, &|one| one.image.is_none().then(|| one.removed()))?;
        back.each(crew, &Silent, &|one| one.image.map(|image| one.restored(image)))
    })
}

struct Back<'a> {
    plan: &'a Plan,
    before: &'a Before,
    shapes: &'a [Shape],
}

impl Back<'_> {
    fn links(&self, crew: &mut Crew<'_, '_>) -> Result<()> {
        for is_back in [false, true] {
            for (number, table) in self.plan.tables.iter().enumerate().rev() {
                let shape = &self.shapes[number];
                let Some(side) = &shape.side else { continue };
                each(self.plan, table, self.before, &Silent, &mut |_, _, key, fate| match fate {
                    Fate::Unchanged | Fate::Kept => Ok(()),
                    _ if !is_back => crew.add(number, linked(shape, side, &key, false)),
                    fate => match led(&fate) {
                        Some(led) => {
                            let key = [key[0].clone(), led.clone()];
                            crew.add(number, linked(shape, side, &key, true))
                        }
                        None => Ok(()),
                    },
                })?;
                crew.barrier()?;
            }
        }
        Ok(())
    }

    /// The units of every row that the import wrote, tables in reverse order.
    fn each(
        &self,
        crew: &mut Crew<'_, '_>,
        progress: &dyn Progress,
        unit: &dyn Fn(&One<'_, '_>) -> Option<Unit>,
    ) -> Result<()> {
        for (number, table) in self.plan.tables.iter().enumerate().rev() {
            let shape = &self.shapes[number];
            if shape.is_link() {
                continue;
            }
            each(self.plan, table, self.before, progress, &mut |rows, row, key, fate| {
                let image = match &fate {
                    Fate::Created => None,
                    Fate::Updated(image) => Some(image),
                    Fate::Unchanged | Fate::Kept => return Ok(()),
                };
                let one = One { table, shape, rows, row, id: &key[0], image };
                unit(&one).map_or(Ok(()), |unit| crew.add(number, unit))
            })?;
            crew.barrier()?;
        }
        Ok(())
    }
}

/// A row that the import wrote.
struct One<'r, 'a> {
    table: &'r Table,
    shape: &'r Shape,
    rows: &'r Rows<'a>,
    row: usize,
    id: &'r str,
    image: Option<&'r Image>,
}

impl One<'_, '_> {
    /// The columns with what they held and what the import put there.
    fn columns<'s>(
        &'s self,
        image: &'s Image,
    ) -> impl Iterator<Item = (usize, &'s Field, Normal<'s>, Normal<'s>)> {
        self.shape.columns.iter().enumerate().map(move |(at, field)| {
            let held = image.get(&field.name).and_then(Option::as_deref);
            let was = held.map_or(Normal::Absent, |raw| normal::theirs(raw, field.kind));
            (at, field, was, normal::ours(self.rows.value(field.at, self.row)))
        })
    }

    fn removed(&self) -> Unit {
        debug_assert!(self.table.link.is_none());
        let mut steps = Steps::new(&self.shape.etype, self.id);
        steps.delete();
        steps.unit(vec![self.id.to_owned()], Goal::Gone)
    }

    /// Links that the import put there, and unique values: what they lead to goes, what held them
    /// before comes back.
    fn released(&self, image: &Image) -> Option<Unit> {
        let (mut attrs, mut links, mut goal) = (Vec::new(), Vec::new(), Vec::new());
        for (at, field, was, is) in self.columns(image) {
            if was.digest() == is.digest() || field.required {
                continue;
            }
            match (&is, field.is_link) {
                (Normal::Text(to), true) => links.push((field.name.as_str(), to.to_string())),
                (Normal::Absent, _) => continue,
                (_, false) if field.unique => attrs.push(field.name.as_str()),
                _ => continue,
            }
            goal.push((at, Normal::Absent.digest()));
        }
        wire::freed(self.shape, self.id, (&attrs, &links), goal)
    }

    fn restored(&self, image: &Image) -> Unit {
        let mut steps = Steps::new(&self.shape.etype, self.id);
        let (mut attrs, mut links, mut goal) = (Vec::new(), Vec::new(), Vec::new());
        for (at, field, was, is) in self.columns(image) {
            goal.push((at, was.digest()));
            let raw = image.get(&field.name).and_then(Option::as_deref);
            match (was, field.is_link) {
                (Normal::Text(to), true) => links.push((field.name.as_str(), to.into_owned())),
                (_, true) => {}
                (Normal::Absent, false) if is == Normal::Absent => {}
                (_, false) => {
                    let raw = raw.unwrap_or("null").as_bytes().to_vec();
                    attrs.push((field.name.as_str(), raw));
                }
            }
        }
        steps.update(attrs.into_iter());
        let links: Vec<(&str, &str)> =
            links.iter().map(|(label, to)| (*label, to.as_str())).collect();
        steps.link(&links);
        steps.unit(vec![self.id.to_owned()], Goal::Holds(goal))
    }
}
