//! What rules drop: each row is listed under the rule that drops it, and values without a home are
//! counted.

use std::collections::BTreeMap;

use super::Rule;
use super::cases::Cases;
use super::facts::Audit;
use super::legacy::Legacy;
use super::read;
use super::rule::Tally;
use super::sql;
use crate::contract::{Explode, Pattern};
use crate::error::{Result, grouped};
use crate::snapshot::Extra;

/// The rules of what is dropped of a legacy table; none where the contract drops nothing of it.
pub(super) fn rules(audit: &Audit<'_>, legacy: &Legacy, out: &mut Vec<Rule>) -> Result<()> {
    for transform in audit.contract.transforms_of(&legacy.entity) {
        let cases = legacy.onto(&transform.target).and_then(|onto| onto.cases.as_ref());
        if let (Some(rule), Some(cases)) = (&transform.explode, cases) {
            out.push(listed(audit, legacy, (&transform.target, rule), cases)?);
        }
    }
    let homeless = audit.contract.transforms_of(&legacy.entity).flat_map(|found| &found.drop);
    let homeless: Vec<&str> = homeless.map(String::as_str).collect();
    if !homeless.is_empty() {
        out.push(counted(audit, legacy, homeless)?);
    }
    Ok(())
}

fn listed(
    audit: &Audit<'_>,
    legacy: &Legacy,
    (target, rule): (&str, &Explode),
    cases: &Cases,
) -> Result<Rule> {
    let entity = &legacy.entity;
    let mut tally = Tally::new("account", entity, "")
        .says(format!("every {entity} row that a rule drops is listed under that rule"));
    let of = rule.of.first().map_or("", String::as_str);
    let path = audit.bundle.path(&format!("data/dropped/{entity}.parquet"));
    read::scan_if_there(&path, &[Extra::ROW, "_rule"], &mut |row| {
        let (source, said) = (row.row(0).filter(|row| *row < legacy.rows), row.text(1));
        let right = source.zip(said).is_some_and(|(source, said)| match cases.case(rule, source) {
            Some(case) => {
                let is: Vec<String> = case.is.iter().map(Pattern::spelled).collect();
                said == format!("{target}.{of} is {}", is.join(" or "))
            }
            None => ["is no object", "not listed"]
                .iter()
                .any(|how| said == format!("{target}.{of} {how}")),
        });
        tally.check(right, || legacy.place(source.unwrap_or(usize::MAX)));
        Ok(())
    })?;
    Ok(tally.finish())
}

/// bundle.json counts the values of every attribute without a home as the snapshot has them.
fn counted(audit: &Audit<'_>, legacy: &Legacy, mut attrs: Vec<&str>) -> Result<Rule> {
    let entity = &legacy.entity;
    attrs.sort_unstable();
    attrs.dedup();
    let mut tally = Tally::new("count", entity, "")
        .says(format!("bundle.json counts the values of {entity} that have no home in the target"))
        .query(counted_sql(audit, legacy, &attrs));
    let mut found: BTreeMap<&str, u64> = attrs.iter().map(|attr| (*attr, 0)).collect();
    if let Some(path) = &legacy.path {
        let schema = &audit.contract.before.schema;
        let types: Vec<_> =
            attrs.iter().map(|attr| super::naming::type_of(schema, entity, attr)).collect();
        read::scan(path, &attrs, &mut |row| {
            for (at, attr) in attrs.iter().enumerate() {
                let is_there = row.value(at, types[at]) != crate::digest::Value::Absent;
                *found.entry(attr).or_default() += u64::from(is_there);
            }
            Ok(())
        })?;
    }
    let said = audit.bundle.meta().dropped_values.iter().filter(|(source, ..)| source == entity);
    let said: Vec<(&str, u64)> = said.map(|(_, attr, rows)| (attr.as_str(), *rows)).collect();
    for (attr, found) in &found {
        let said = said.iter().filter(|(name, _)| name == attr).map(|(_, rows)| *rows).sum();
        tally.check(said == *found, || {
            format!("{attr}: bundle.json says {}, there are {}", grouped(said), grouped(*found))
        });
    }
    let strange = said.iter().filter(|(attr, _)| !found.contains_key(attr));
    for (attr, _) in strange {
        tally.violate(1, || format!("{attr}: bundle.json counts it, and it has a home"));
    }
    Ok(tally.finish())
}

fn counted_sql(audit: &Audit<'_>, legacy: &Legacy, attrs: &[&str]) -> String {
    let (table, meta) = (sql::legacy(audit, legacy), sql::path(audit, "data/bundle.json"));
    let entity = sql::text(&legacy.entity);
    let differs = attrs.iter().map(|attr| {
        format!(
            "((SELECT count({}) FROM {table}) IS DISTINCT FROM coalesce((SELECT sum((d ->> 2)::BIGINT) \
             FROM (SELECT unnest(dropped_values::JSON[]) AS d FROM read_json({meta}, columns = \
             {{dropped_values: 'JSON'}})) WHERE (d ->> 0) = {entity} AND (d ->> 1) = {}), 0))::INT",
            sql::name(attr),
            sql::text(attr)
        )
    });
    format!("SELECT {}", differs.collect::<Vec<_>>().join(" + "))
}
