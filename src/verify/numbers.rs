//! The numbers of target rows within what a link leads to, counted anew.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::bits::Bits;
use super::facts::Audit;
use super::key::{self, NONE};
use super::legacy::Legacy;
use super::made::Made;
use super::naming::{no_link, type_of};
use super::read;
use super::resolve::{self, Verdict};
use super::table::{NO_ROW, narrow};
use crate::bundle::Quarantine;
use crate::contract::{Numbering, Transform};
use crate::digest::Value;
use crate::error::Result;
use crate::schema::Type;
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
    let keys = Keys::read(audit, legacy, &number.by)?;
    let id = |row: usize| made.of(row).map_or(NONE, |(id, _)| id);
    rows.sort_unstable_by(|a, b| {
        let (a, b) = (*a as usize, *b as usize);
        let group = groups[a].cmp(&groups[b]);
        group.then_with(|| keys.order(legacy, a, b)).then_with(|| id(a).cmp(&id(b)))
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

/// What puts legacy rows in order.
struct Keys {
    columns: Vec<Key>,
}

enum Key {
    /// The row's own id; the texts of those that are no UUID.
    Id(BTreeMap<usize, String>),
    /// Numbers that sort as the values do.
    Numbers(Vec<u64>, Bits),
    Texts(Vec<Option<Box<str>>>),
}

impl Keys {
    fn read(audit: &Audit<'_>, legacy: &Legacy, by: &[String]) -> Result<Self> {
        let schema = &audit.contract.before.schema;
        let columns = by.iter().map(|name| match name.as_str() {
            "id" => ids(legacy),
            name => Key::read(legacy, name, type_of(schema, &legacy.entity, name)),
        });
        Ok(Self { columns: columns.collect::<Result<_>>()? })
    }

    fn order(&self, legacy: &Legacy, a: usize, b: usize) -> Ordering {
        let mut orders = self.columns.iter().map(|column| column.order(legacy, a, b));
        orders.find(|order| *order != Ordering::Equal).unwrap_or(Ordering::Equal)
    }
}

fn ids(legacy: &Legacy) -> Result<Key> {
    let mut texts = BTreeMap::new();
    if let Some(path) = legacy.path.as_ref().filter(|_| !legacy.odd.is_clear()) {
        read::scan(path, &["id"], &mut |row| {
            let id = row.text(0).filter(|id| legacy.odd.get(row.number) && !key::is_blank(id));
            if let Some(id) = id {
                texts.insert(row.number, id.to_owned());
            }
            Ok(())
        })?;
    }
    Ok(Key::Id(texts))
}

impl Key {
    fn read(legacy: &Legacy, name: &str, ty: Type) -> Result<Self> {
        let is_text = matches!(ty, Type::String | Type::Any);
        let (mut numbers, mut texts) = (Vec::new(), Vec::new());
        let mut absent = Bits::new(legacy.rows);
        if let Some(path) = &legacy.path {
            read::scan(path, &[name], &mut |row| {
                let value = row.value(0, ty);
                match value {
                    _ if is_text => texts.push(row.text(0).map(Box::from)),
                    Value::Number(number) => numbers.push(key::number_order(number)),
                    Value::Date(micros) => numbers.push(key::whole_order(micros)),
                    Value::Boolean(value) => numbers.push(u64::from(value)),
                    _ => {
                        absent.set(row.number);
                        numbers.push(0);
                    }
                }
                Ok(())
            })?;
        }
        Ok(if is_text { Key::Texts(texts) } else { Key::Numbers(numbers, absent) })
    }

    /// What is absent comes last.
    fn order(&self, legacy: &Legacy, a: usize, b: usize) -> Ordering {
        fn both<T: Ord>(a: Option<&T>, b: Option<&T>) -> Ordering {
            a.is_none().cmp(&b.is_none()).then_with(|| a.cmp(&b))
        }
        match self {
            Key::Numbers(numbers, absent) => {
                let number = |row: usize| (!absent.get(row)).then_some(numbers[row]);
                both(number(a).as_ref(), number(b).as_ref())
            }
            Key::Texts(texts) => both(texts[a].as_ref(), texts[b].as_ref()),
            Key::Id(texts) if texts.contains_key(&a) || texts.contains_key(&b) => {
                let text = |row: usize| {
                    let uuid = || Some(legacy.ids[row]).filter(|id| *id != NONE);
                    texts.get(&row).cloned().or_else(|| uuid().map(key::uuid_text))
                };
                both(text(a).as_ref(), text(b).as_ref())
            }
            Key::Id(_) => {
                let id = |row: usize| Some(legacy.ids[row]).filter(|id| *id != NONE);
                both(id(a).as_ref(), id(b).as_ref())
            }
        }
    }
}
