//! The numbers of target rows within what a link leads to, counted anew.

use super::facts::Audit;
use super::key::{self, NONE};
use super::legacy::Legacy;
use super::made::Made;
use super::naming::no_link;
use super::read;
use super::resolve::{self, Verdict};
use super::row_order::{Absent, RowOrder};
use super::table::{NO_ROW, narrow};
use crate::bundle::Quarantine;
use crate::contract::{Numbering, OrderKey, Transform};
use crate::error::Result;
use crate::snapshot::Extra;

/// How the rule ends that refuses a row for one that exists: it keeps its number.
const TAKEN: &str = " not taken";

/// By legacy row, the number before the first of its rows; `wants` tells how many it becomes.
pub(super) fn before(
    audit: &Audit<'_>,
    transform: &Transform,
    number: &Numbering,
    (made, wants): (&Made<'_>, &dyn Fn(usize) -> usize),
) -> Result<Vec<u32>> {
    let legacy = audit.legacy(&transform.source)?;
    let groups = groups(audit, transform, &number.within)?;
    let mut rows: Vec<u32> = Vec::new();
    for row in (0..legacy.rows).filter(|row| groups[*row] != NO_ROW && wants(*row) > 0) {
        rows.push(narrow(row)?);
    }
    let target = transform.target.as_str();
    let by: Vec<OrderKey<'_>> = number.by.iter().map(|name| OrderKey::named(name)).collect();
    let by = RowOrder::read(audit, legacy, (None, &by), Absent::Last)?;
    let own = RowOrder::read(audit, legacy, (Some(target), &[OrderKey::Id]), Absent::First)?;
    let id = |row: usize| made.of(row).map_or(NONE, |(id, _)| id);
    rows.sort_unstable_by(|a, b| {
        let (a, b) = (*a as usize, *b as usize);
        let order = groups[a].cmp(&groups[b]).then_with(|| by.compare(a, b));
        order.then_with(|| own.compare(a, b)).then_with(|| id(a).cmp(&id(b)))
    });
    let mut numbers = vec![0; legacy.rows];
    let mut last = (NO_ROW, 0_usize);
    for row in rows {
        let row = row as usize;
        if groups[row] != last.0 {
            last = (groups[row], 0);
        }
        numbers[row] = narrow(last.1)?;
        last.1 += wants(row);
    }
    Ok(numbers)
}

/// By legacy row, the row its link leads to: of migrated rows, and of those that are in the target
/// already. Others have no number.
fn groups(audit: &Audit<'_>, transform: &Transform, within: &str) -> Result<Vec<u32>> {
    let (legacy, table) = (audit.legacy(&transform.source)?, audit.table(&transform.target)?);
    let schema = &audit.contract.after.schema;
    let link = schema.link(&transform.target, within);
    let link = link.ok_or_else(|| no_link(&transform.target, within))?;
    let to = audit.table(&link.to)?;
    let mut groups = vec![NO_ROW; legacy.rows];
    let mut last = (NONE, NO_ROW);
    read::scan_if_there(&table.path, &[within], &mut |row| {
        let id = key::link_key(row.text(0));
        if id != last.0 {
            last = (id, to.find(id).map_or(Ok(NO_ROW), narrow)?);
        }
        if let Some(source) = table.migrated(row.number).filter(|source| *source < legacy.rows) {
            groups[source] = last.1;
        }
        Ok(())
    })?;
    let there = there(audit, transform, legacy)?;
    let rule = transform.links.iter().find(|rule| rule.label == *within);
    let (Some(rule), false) = (rule, there.is_empty()) else { return Ok(groups) };
    let judged = resolve::judge(audit, transform, &rule.how, &link.to)?;
    for row in there {
        if let Verdict::Must(id, _) = judged.of(row) {
            groups[row] = to.find(id).map_or(Ok(NO_ROW), narrow)?;
        }
    }
    Ok(groups)
}

/// Legacy rows that stand in the target already: merged into an existing row, or refused for one.
fn there(audit: &Audit<'_>, transform: &Transform, legacy: &Legacy) -> Result<Vec<usize>> {
    let is_it = |entity: Option<&str>| entity == Some(transform.target.as_str());
    let merged = legacy.merged.iter();
    let merged = merged.filter(|row| row.winner.is_none() && is_it(row.entity.as_deref()));
    let mut there: Vec<usize> = merged.map(|merged| merged.row).collect();
    let path = audit.bundle.path(&format!("data/quarantine/{}.parquet", legacy.entity));
    read::scan_if_there(&path, &[Extra::ROW, Quarantine::RULE], &mut |found| {
        let row = found.row(0).filter(|row| *row < legacy.rows);
        if found.text(1).is_some_and(|rule| rule.ends_with(TAKEN)) {
            there.extend(row);
        }
        Ok(())
    })?;
    Ok(there)
}
