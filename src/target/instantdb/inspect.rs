//! What undoing an import would do, and which rows are no longer as it left them.

use std::collections::BTreeSet;

use super::apply::{each, led};
use super::ask::{self, Theirs};
use super::fates::{Fate, Fates};
use super::look::At;
use super::normal::{self, Normal};
use super::shape::{Shape, Side};
use super::wire;
use crate::bundle::Origin;
use crate::error::Result;
use crate::progress::{Progress, Silent};
use crate::target::{Before, ColumnKind, Plan, Rows, Undoing, Value};

/// The rows that an import wrote, by number: ids alone, since there may be millions.
#[derive(Debug, Default)]
pub(super) struct Ours {
    created: BTreeSet<(usize, u128)>,
    updated: BTreeSet<(usize, u128)>,
    pairs: BTreeSet<(usize, u128, u128)>,
}

fn number(id: &str) -> u128 {
    uuid::Uuid::try_parse(id).map(|id| id.as_u128()).unwrap_or_default()
}

impl Ours {
    pub(super) fn of(plan: &Plan, before: &Before) -> Result<Self> {
        let mut ours = Self::default();
        for (at, table) in plan.tables.iter().enumerate() {
            each(plan, table, before, &Silent, &mut |_, _, key, fate| {
                let id = number(&key[0]);
                match fate {
                    Fate::Unchanged | Fate::Kept => {}
                    _ if table.link.is_some() => {
                        ours.pairs.insert((at, id, number(&key[1])));
                    }
                    Fate::Created => drop(ours.created.insert((at, id))),
                    Fate::Updated(_) => drop(ours.updated.insert((at, id))),
                }
                Ok(())
            })?;
        }
        Ok(ours)
    }

    /// Whether a link between a row that would go and another one is the import's own doing.
    fn has(
        &self,
        (plan, shapes): (&Plan, &[Shape]),
        (id, etype): (&str, &str),
        side: &Side,
        end: &str,
    ) -> bool {
        let table =
            plan.tables.iter().position(|table| table.name == side.to && table.link.is_none());
        let (id, end) = (number(id), number(end));
        if let Some(at) = table {
            let is_column = shapes[at].columns.iter().any(|field| field.name == side.other);
            if self.created.contains(&(at, end)) || (is_column && self.updated.contains(&(at, end)))
            {
                return true;
            }
        }
        shapes.iter().enumerate().any(|(at, shape)| {
            let Some(link) = &shape.side else { return false };
            let here = shape.etype == etype && link.label == side.label && link.to == side.to;
            let there = shape.etype == side.to && link.label == side.other && link.to == etype;
            (here && self.pairs.contains(&(at, id, end)))
                || (there && self.pairs.contains(&(at, end, id)))
        })
    }
}

/// What undoing does, and which rows are not as the import left them.
pub(super) struct Inspect<'a> {
    pub(super) shapes: &'a [Shape],
    pub(super) before: &'a Before,
    pub(super) ours: &'a Ours,
    /// The import, or an undoing before, was stopped on its way: rows may be halfway.
    pub(super) halfway: bool,
}

/// A row of the bundle that is looked at.
struct Looked {
    key: Vec<String>,
    fate: Fate,
    extra: Vec<(String, Vec<u8>)>,
    row: usize,
}

impl Inspect<'_> {
    pub(super) fn table(&self, at: At<'_>, progress: &dyn Progress) -> Result<Undoing> {
        let mut undoing = Undoing { table: at.table.name.clone(), ..Undoing::default() };
        let mut fates = Fates::of(self.before, at.table)?;
        at.plan.scan(at.table, progress, &mut |rows| {
            for from in (0..rows.len()).step_by(at.page) {
                let page = from..rows.len().min(from + at.page);
                let page = written(at, (rows, page), &mut fates, &mut undoing)?;
                match &at.shape.side {
                    None => self.rows(at, rows, &page, &mut undoing)?,
                    Some(side) => self.links(at, side, &page, &mut undoing)?,
                }
            }
            Ok(())
        })?;
        Ok(undoing)
    }

    fn links(&self, at: At<'_>, side: &Side, page: &[Looked], undoing: &mut Undoing) -> Result<()> {
        let ids: BTreeSet<String> = page.iter().filter_map(|one| normal::id(&one.key[0])).collect();
        let ids: Vec<String> = ids.into_iter().collect();
        let found = ask::links(at.client, at.shape, side, &ids)?;
        for one in page {
            let ends = normal::id(&one.key[0]).zip(normal::id(&one.key[1]));
            let held = ends
                .is_some_and(|(from, to)| found.get(&from).is_some_and(|ends| ends.contains(&to)));
            if !held && !self.halfway {
                undoing.changed.add(|| format!("{} is gone", one.key.join(" -> ")));
            }
            undoing.restored += u64::from(led(&one.fate).is_some());
            undoing.removed += u64::from(held && led(&one.fate).is_none());
        }
        Ok(())
    }

    fn rows(
        &self,
        at: At<'_>,
        rows: &Rows<'_>,
        page: &[Looked],
        undoing: &mut Undoing,
    ) -> Result<()> {
        let ids: BTreeSet<String> = page.iter().filter_map(|one| normal::id(&one.key[0])).collect();
        let ids: Vec<String> = ids.into_iter().collect();
        let labels: BTreeSet<&str> =
            at.shape.others.iter().map(|side| side.label.as_str()).collect();
        let labels: Vec<&str> = labels.into_iter().collect();
        let found = ask::rows(at.client, &at.shape.etype, &ids, (&labels, false))?;
        for one in page {
            let held = normal::id(&one.key[0]).and_then(|id| found.get(&id));
            let is_created = one.fate == Fate::Created;
            undoing.restored += u64::from(!is_created);
            let Some(held) = held else {
                if !(self.halfway && is_created) {
                    undoing.changed.add(|| format!("{} is gone", one.key[0]));
                }
                continue;
            };
            undoing.removed += u64::from(is_created);
            let theirs = Theirs::of(at.shape, held);
            let ours = wire::values(at.shape, rows, one.row);
            if !self.is_as_left(at.shape, (&theirs, &ours), &one.fate) {
                undoing.changed.add(|| one.key[0].clone());
            } else if is_created && let Some(why) = self.hanging(at, one, (held, &theirs))? {
                undoing.changed.add(|| format!("{} {why}", one.key[0]));
            }
        }
        Ok(())
    }

    /// Whether a row is as the import left it, or as either side of it where that was stopped.
    fn is_as_left(
        &self,
        shape: &Shape,
        (theirs, ours): (&Theirs<'_>, &[Normal<'_>]),
        fate: &Fate,
    ) -> bool {
        let image = match fate {
            Fate::Updated(image) => Some(image),
            _ => None,
        };
        shape.columns.iter().zip(theirs.values.iter().zip(ours)).all(|(field, (theirs, ours))| {
            let found = theirs.digest();
            if found == ours.digest() {
                return true;
            }
            let was = image.and_then(|image| image.get(&field.name)?.as_deref());
            let was = was.map(|raw| normal::theirs(raw, field.kind).digest());
            self.halfway && (*theirs == Normal::Absent || Some(found) == was)
        })
    }

    /// What is not ours and would go with a row.
    fn hanging(
        &self,
        at: At<'_>,
        one: &Looked,
        (held, theirs): (&str, &Theirs<'_>),
    ) -> Result<Option<String>> {
        for attr in &at.shape.extras {
            let Some(raw) = theirs.member(&attr.label) else { continue };
            let sent = one.extra.iter().find(|(label, _)| *label == attr.label);
            let same = |raw: &str, sent: &[u8]| {
                let sent = std::str::from_utf8(sent).unwrap_or_default();
                let kind = ColumnKind::Json;
                normal::theirs(raw, kind).digest() == normal::theirs(sent, kind).digest()
            };
            if !sent.is_some_and(|(_, sent)| same(raw, sent)) {
                return Ok(Some(format!("has got a `{}`", attr.label)));
            }
        }
        for side in &at.shape.others {
            let (ends, _) = ask::ends(held, &side.label)?;
            let here = (one.key[0].as_str(), at.shape.etype.as_str());
            let strange =
                ends.iter().find(|end| !self.ours.has((at.plan, self.shapes), here, side, end));
            if let Some(end) = strange {
                return Ok(Some(format!("is linked with `{}` {end} by `{}`", side.to, side.label)));
            }
        }
        Ok(None)
    }
}

/// The rows of a page that the import wrote; the others stay.
fn written(
    at: At<'_>,
    (rows, page): (&Rows<'_>, std::ops::Range<usize>),
    fates: &mut Fates<'_>,
    undoing: &mut Undoing,
) -> Result<Vec<Looked>> {
    let extra = at.table.columns.iter().position(|column| column.name == Origin::EXTRA);
    let mut written = Vec::new();
    for row in page {
        let key = rows.key(at.table, row);
        let fate = fates.next(&key)?;
        if matches!(fate, Fate::Unchanged | Fate::Kept) {
            undoing.left += 1;
            continue;
        }
        let extra = match extra.map(|at| rows.value(at, row)) {
            Some(Value::Json(text)) => wire::extras_of(at.shape, text),
            _ => Vec::new(),
        };
        written.push(Looked { key, fate, extra, row });
    }
    Ok(written)
}
