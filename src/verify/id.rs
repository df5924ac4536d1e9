//! Ids: UUIDs in lower case, each the one its legacy row gives, every mapped one listed.

use super::Rule;
use super::derive;
use super::facts::Audit;
use super::id_sql;
use super::key;
use super::made::{How, Made, line};
use super::naming::type_of;
use super::read;
use super::repair::Listed;
use super::rule::Tally;
use super::table::Table;
use crate::contract::Transform;
use crate::error::{Result, grouped};

/// The rules of the ids of a target table.
pub(super) fn rules(audit: &Audit<'_>, entity: &str, out: &mut Vec<Rule>) -> Result<()> {
    out.push(well_formed(audit, audit.table(entity)?)?);
    if let Some(transform) = audit.contract.transform_into(entity) {
        let made = Made::read(audit, transform)?;
        out.push(recomputed(audit, transform, &made)?);
        out.push(listed(audit, transform, &made)?);
        out.extend(repaired(audit, transform, &made)?);
        out.push(adopted(audit, transform, &made)?);
    }
    Ok(())
}

fn well_formed(audit: &Audit<'_>, table: &Table) -> Result<Rule> {
    let entity = &table.entity;
    let mut tally = Tally::new("id", entity, "id")
        .says(format!("every {entity} id is a UUID in lower case"))
        .query(id_sql::well_formed(audit, entity));
    if table.is_lower {
        tally.check_all(table.rows() as u64, 0, String::new);
        return Ok(tally.finish());
    }
    read::scan_if_there(&table.path, &["id"], &mut |row| {
        let right = row.text(0).is_some_and(key::is_lower_uuid);
        tally.check(right, || table.place(row.number));
        Ok(())
    })?;
    Ok(tally.finish())
}

fn recomputed(audit: &Audit<'_>, transform: &Transform, made: &Made<'_>) -> Result<Rule> {
    let (table, target) = (audit.table(&transform.target)?, &transform.target);
    let mut tally = Tally::new("id", target, "id")
        .says(format!("every {target} id is the one its {} row gives", transform.source))
        .query(id_sql::recomputed(audit, transform));
    for row in 0..table.rows() {
        let Some(source) = table.migrated(row) else { continue };
        let right = match audit.slots(target) {
            Some(slots) => slots.nth(row).is_some(),
            None => {
                made.of(source).is_some_and(|(id, how)| id == table.ids[row] && how != How::Adopted)
            }
        };
        tally.check(right, || table.place(row));
    }
    Ok(tally.finish())
}

/// `data/ids.parquet` lists the mapped ids of migrated rows and no other; those of merged rows may
/// stand there too.
fn listed(audit: &Audit<'_>, transform: &Transform, made: &Made<'_>) -> Result<Rule> {
    let (legacy, target) = (audit.legacy(&transform.source)?, &transform.target);
    let mut tally = Tally::new("id", target, "id")
        .says(format!("ids.parquet lists every mapped id of {target} and no other"))
        .query(id_sql::listed(audit, transform));
    let mut found = Vec::new();
    let path = audit.bundle.path("data/ids.parquet");
    read::scan_if_there(&path, &["entity", "target", "from", "to"], &mut |row| {
        if row.text(0) == Some(&transform.source) && row.text(1) == Some(target) {
            let (from, to) = (row.text(2).unwrap_or_default(), row.text(3).unwrap_or_default());
            found.push((line(from, to), row.number));
        }
        Ok(())
    })?;
    found.sort_unstable();
    for pair in found.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
        tally.violate(1, || format!("ids.parquet row {} stands there twice", pair[1].1));
    }
    let mut may: Vec<u128> = Vec::new();
    let onto = legacy.onto(target);
    for (row, line) in &made.lines {
        if legacy.quarantined[*row] > 0 {
            continue;
        }
        may.push(*line);
        if onto.is_some_and(|onto| onto.at(*row).is_some()) {
            let at = found.partition_point(|(listed, _)| listed < line);
            let is_listed = found.get(at).is_some_and(|(listed, _)| listed == line);
            tally.check(is_listed, || legacy.place(*row));
        }
    }
    may.sort_unstable();
    let mut wrong = 0;
    let mut first = None;
    for (line, row) in &found {
        if may.binary_search(line).is_err() {
            wrong += 1;
            first = first.or(Some(*row));
        }
    }
    tally.check_all(found.len() as u64, wrong, || {
        format!("ids.parquet row {} is no mapped id", first.unwrap_or_default())
    });
    Ok(tally.finish())
}

/// The mapped ids of migrated rows are listed as repairs, and no other id is: since format 3 one that is
/// derived is none.
fn repaired(audit: &Audit<'_>, transform: &Transform, made: &Made<'_>) -> Result<Option<Rule>> {
    if !audit.is_judged_by_source() {
        return Ok(None);
    }
    let (table, target) = (audit.table(&transform.target)?, &transform.target);
    let mut tally = Tally::new("repair", target, "id")
        .says(format!("every {target} id that was mapped is listed as a repair, and no other"))
        .query(id_sql::repaired(audit, transform));
    let listed = Listed::read_of(audit, target, Some("id"))?;
    if made.lines.is_empty() && listed.total("id") == 0 {
        tally.check_all(table.counts().0, 0, String::new);
        return Ok(Some(tally.finish()));
    }
    let mut told = 0;
    for row in 0..table.rows() {
        let Some(source) = table.migrated(row) else { continue };
        // A row whose id is none that its source gives is told by the rule on ids.
        let Some(slot) = audit.slot(target, row, source) else { continue };
        // Of several results of a row the first has its id.
        let is_first = audit.slots(target).is_none_or(|slots| slots.nth(row) == Some(0));
        let is_mapped = made.of(source).is_some_and(|(_, how)| how == How::Mapped) && is_first;
        let hows: Vec<&str> = listed.of("id", slot).collect();
        told += hows.len();
        tally.check(hows == if is_mapped { &["mapped"][..] } else { &[] }, || table.place(row));
    }
    let strays = listed.total("id").saturating_sub(told) as u64;
    if strays > 0 {
        tally.violate(strays, || format!("{strays} listed of rows that were not migrated"));
    }
    Ok(Some(tally.finish()))
}

/// Every adopted row stands on an existing row that its link names or that has its key.
fn adopted(audit: &Audit<'_>, transform: &Transform, made: &Made<'_>) -> Result<Rule> {
    let (legacy, table) = (audit.legacy(&transform.source)?, audit.table(&transform.target)?);
    let mut tally = Tally::new("id", &transform.target, "id")
        .says(format!(
            "every {} row that stands on an existing {} row is linked to it or shares its {}",
            transform.source,
            transform.target,
            transform.adopt.join(" or ")
        ))
        .query(id_sql::adopted(audit, transform));
    let adopted = legacy.onto(&transform.target).map_or(&[][..], |onto| &onto.adopted);
    let keys = if adopted.is_empty() { Vec::new() } else { keys(audit, transform)? };
    for (row, id) in adopted {
        let row = *row as usize;
        let existing = table.find(*id).filter(|at| table.existing(*at).is_some());
        let right = existing.is_some_and(|at| match made.of(row) {
            Some((made, How::Adopted)) => made == *id,
            _ => keys.iter().any(|(ours, theirs)| ours(row).is_some_and(|key| key == theirs[at])),
        });
        tally.check(right, || legacy.place(row));
    }
    Ok(tally.finish())
}

/// What an adoption compares: the hash a legacy row gives, and that of every target row.
type Keys = Vec<(Box<dyn Fn(usize) -> Option<u64>>, Vec<u64>)>;

fn keys(audit: &Audit<'_>, transform: &Transform) -> Result<Keys> {
    let table = audit.table(&transform.target)?;
    let mut keys: Keys = Vec::new();
    for attr in &transform.adopt {
        let Some(rule) = transform.attrs.iter().find(|rule| rule.attr == *attr) else { continue };
        let derived = derive::derive(audit, transform, rule)?;
        let ty = type_of(&audit.contract.after.schema, &transform.target, attr);
        let mut theirs = Vec::with_capacity(table.rows());
        read::scan_if_there(&table.path, &[attr], &mut |row| {
            theirs.push(key::value_hash(row.value(0, ty)));
            Ok(())
        })?;
        let ours = move |row: usize| derived.of(row).map(|(hash, ..)| hash);
        keys.push((Box::new(ours), theirs));
    }
    Ok(keys)
}

/// bundle.json counts the mapped ids as they are listed, and no line is of another entity.
pub(super) fn counted(audit: &Audit<'_>, out: &mut Vec<Rule>) -> Result<()> {
    let mut tally = Tally::new("count", "", "id")
        .says("bundle.json counts the mapped ids as ids.parquet lists them")
        .query(id_sql::counted(audit));
    let mut found: std::collections::BTreeMap<String, u64> = std::collections::BTreeMap::new();
    let mut strange = 0;
    let path = audit.bundle.path("data/ids.parquet");
    read::scan_if_there(&path, &["entity", "target"], &mut |row| {
        let (entity, target) = (row.text(0).unwrap_or_default(), row.text(1).unwrap_or_default());
        let known = audit.contract.transforms_of(entity).any(|found| found.target == target);
        strange += u64::from(!known);
        match found.get_mut(entity) {
            Some(rows) => *rows += 1,
            None => drop(found.insert(entity.to_owned(), 1)),
        }
        Ok(())
    })?;
    for entity in &audit.contract.before.schema.entities {
        let said = audit.bundle.meta().mapped_ids.iter().filter(|(name, _)| *name == entity.name);
        let said: u64 = said.map(|(_, rows)| *rows).sum();
        let listed = found.get(&entity.name).copied().unwrap_or_default();
        tally.check(said == listed, || {
            let (said, listed) = (grouped(said), grouped(listed));
            format!("{}: bundle.json says {said}, {listed} are listed", entity.name)
        });
    }
    if strange > 0 {
        tally.violate(strange, || format!("{} lines of no transform", grouped(strange)));
    }
    out.push(tally.finish());
    Ok(())
}
