//! What the app holds of the bundle: read back, compared, its links followed.

use super::apply::each;
use super::ask::{self, Theirs};
use super::compare::page_ids;
use super::fates::{Fate, Fates};
use super::normal;
use super::shape::{Field, Shape, Side};
use super::wire;
use crate::digest::{RowDigest, TableDigest};
use crate::error::Result;
use crate::instantdb::Client;
use crate::progress::Progress;
use crate::target::{Before, Check, Held, Noted, Plan, ReadBack, Rows, Table, Value};

/// One table of the bundle and where it is looked for.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) client: &'a Client,
    pub(super) plan: &'a Plan,
    pub(super) table: &'a Table,
    pub(super) shape: &'a Shape,
    pub(super) page: usize,
}

/// What the app holds under one key of the bundle: whether it says the same, and its digest.
struct Seen {
    same: bool,
    digest: u128,
}

type See<'v> = dyn FnMut(&Rows<'_>, usize, Option<Seen>) -> Result<()> + 'v;

impl At<'_> {
    /// Looks for every row of the bundle.
    fn each(self, progress: &dyn Progress, see: &mut See<'_>) -> Result<()> {
        let mut digest = RowDigest::default();
        self.plan.scan_digested(self.table, progress, &mut |rows| {
            for from in (0..rows.len()).step_by(self.page) {
                let page = from..rows.len().min(from + self.page);
                match &self.shape.side {
                    None => self.rows(rows, page, &mut digest, see)?,
                    Some(side) => self.links(rows, (page, side), &mut digest, see)?,
                }
            }
            Ok(())
        })
    }

    fn rows(
        self,
        rows: &Rows<'_>,
        page: std::ops::Range<usize>,
        digest: &mut RowDigest,
        see: &mut See<'_>,
    ) -> Result<()> {
        let ids = page_ids(self.table, rows, page.clone(), 0);
        let found = ask::rows(self.client, &self.shape.etype, &ids, (&[], false))?;
        for row in page {
            let key = rows.key(self.table, row);
            let held = normal::id(&key[0]).and_then(|id| found.get(&id));
            let seen = held.map(|held| {
                let theirs = Theirs::of(self.shape, held).values;
                let theirs = ask::row_digest(digest, self.shape, &key[0], &theirs);
                let ours = wire::values(self.shape, rows, row);
                let ours = ask::row_digest(digest, self.shape, &key[0], &ours);
                Seen { same: ours == theirs, digest: theirs }
            });
            see(rows, row, seen)?;
        }
        Ok(())
    }

    fn links(
        self,
        rows: &Rows<'_>,
        (page, side): (std::ops::Range<usize>, &Side),
        digest: &mut RowDigest,
        see: &mut See<'_>,
    ) -> Result<()> {
        let from = page_ids(self.table, rows, page.clone(), 0);
        let found = ask::links(self.client, self.shape, side, &from)?;
        for row in page {
            let key = rows.key(self.table, row);
            let ends = normal::id(&key[0]).zip(normal::id(&key[1]));
            let held = ends
                .is_some_and(|(from, to)| found.get(&from).is_some_and(|held| held.contains(&to)));
            let seen = held.then(|| Seen { same: true, digest: ask::pair_digest(digest, &key) });
            see(rows, row, seen)?;
        }
        Ok(())
    }
}

/// Reads a table back. A row that says the same, or that was kept, counts as the bundle has it.
/// Rows that were set aside are not named among those that differ.
pub(super) fn read_back(
    at: At<'_>,
    before: &Before,
    is_aside: &dyn Fn(&[String]) -> bool,
    progress: &dyn Progress,
) -> Result<ReadBack> {
    let mut fates = Fates::of(before, at.table)?;
    let (mut digest, mut differing) = (TableDigest::default(), Noted::default());
    let mut odd = |key: &[String]| {
        if !is_aside(key) {
            differing.add(|| key.join(" -> "));
        }
    };
    at.each(progress, &mut |rows, row, seen| {
        let key = rows.key(at.table, row);
        let kept = fates.next(&key)? == Fate::Kept;
        match seen {
            _ if kept => digest.add(rows.digest(row)),
            Some(Seen { same: true, .. }) => digest.add(rows.digest(row)),
            Some(seen) => {
                odd(&key);
                digest.add(seen.digest);
            }
            None => odd(&key),
        }
        Ok(())
    })?;
    Ok(ReadBack { rows: digest.rows, migrated: None, digest: digest.hex(), differing })
}

/// What the app holds of the bundle's keys.
pub(super) fn held(at: At<'_>, progress: &dyn Progress) -> Result<Held> {
    let mut digest = TableDigest::default();
    at.each(progress, &mut |_, _, seen| {
        if let Some(seen) = seen {
            digest.add(seen.digest);
        }
        Ok(())
    })?;
    Ok(Held { rows: digest.rows, digest: digest.hex() })
}

/// Follows every link of a table in the app: its end must exist.
pub(super) fn check(at: At<'_>, before: &Before, progress: &dyn Progress) -> Result<Vec<Check>> {
    let check = |name: String| Check { name, evaluated: 0, violations: 0, samples: Vec::new() };
    if let Some(side) = &at.shape.side {
        let mut one = check(format!("`{}` leads to `{}`", at.table.name, side.to));
        let mut fates = Fates::of(before, at.table)?;
        at.each(progress, &mut |rows, row, seen| {
            let key = rows.key(at.table, row);
            if fates.next(&key)? != Fate::Kept {
                judge(&mut one, seen.is_some(), || key.join(" -> "));
            }
            Ok(())
        })?;
        return Ok(vec![one]);
    }
    let links: Vec<&Field> = at.shape.columns.iter().filter(|field| field.is_link).collect();
    if links.is_empty() {
        return Ok(Vec::new());
    }
    let leads = |field: &Field| at.table.columns[field.at].leads_to.clone().unwrap_or_default();
    let mut checks: Vec<Check> = links
        .iter()
        .map(|field| {
            check(format!("`{}.{}` leads to `{}`", at.table.name, field.name, leads(field)))
        })
        .collect();
    let labels: Vec<&str> = links.iter().map(|field| field.name.as_str()).collect();
    let mut page: Vec<(String, Vec<bool>)> = Vec::new();
    let mut follow = |page: &mut Vec<(String, Vec<bool>)>| -> Result<()> {
        let ids: Vec<String> = page.iter().map(|(id, _)| id.clone()).collect();
        let found = ask::rows(at.client, &at.shape.etype, &ids, (&labels, true))?;
        for (id, linked) in page.drain(..) {
            for (number, label) in labels.iter().enumerate().filter(|(number, _)| linked[*number]) {
                let ends = found.get(&id).map(|row| ask::ends(row, label)).transpose()?;
                let leads = ends.is_some_and(|(ids, _)| !ids.is_empty());
                judge(&mut checks[number], leads, || id.clone());
            }
        }
        Ok(())
    };
    each(at.plan, at.table, before, progress, &mut |rows, row, key, fate| {
        if fate == Fate::Kept {
            return Ok(());
        }
        let linked = links.iter().map(|field| rows.value(field.at, row) != Value::Null);
        page.push((normal::id(&key[0]).unwrap_or_default(), linked.collect()));
        if page.len() < at.page { Ok(()) } else { follow(&mut page) }
    })?;
    follow(&mut page)?;
    Ok(checks)
}

fn judge(check: &mut Check, holds: bool, name: impl FnOnce() -> String) {
    check.evaluated += 1;
    if !holds {
        check.violations += 1;
        if check.samples.len() < Noted::MOST {
            check.samples.push(name());
        }
    }
}
