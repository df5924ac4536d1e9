//! What a rule drops: whole rows, values of attributes without a home, and beside them the rows that no
//! case lists.

use std::collections::BTreeMap;

use super::Rule;
use super::cases::{Cases, Columns};
use super::facts::Audit;
use super::kept_sql;
use super::legacy::Legacy;
use super::read;
use super::rule::Tally;
use super::split_sql;
use super::sql;
use crate::bundle::Quarantine;
use crate::contract::{Explode, Pattern, Transform};
use crate::error::{Result, grouped};
use crate::snapshot::Extra;

/// The rules of a legacy table whose rows may be dropped or split, or whose attributes are.
pub(super) fn rules(audit: &Audit<'_>, legacy: &Legacy, out: &mut Vec<Rule>) -> Result<()> {
    for transform in audit.contract.transforms_of(&legacy.entity) {
        if let Some(rule) = &transform.explode {
            out.push(rows(audit, legacy, (transform, rule))?);
            out.push(listed(audit, legacy, (transform, rule))?);
            if rule.takes_all {
                out.push(paths(audit, legacy, (transform, rule))?);
            }
        }
    }
    let mut homeless: Vec<&String> = Vec::new();
    for attr in audit.contract.transforms_of(&legacy.entity).flat_map(|rules| &rules.drop) {
        if !homeless.contains(&attr) {
            homeless.push(attr);
        }
    }
    for attr in homeless {
        out.push(values(audit, legacy, attr)?);
    }
    Ok(())
}

/// Whether this is the name of the rule that drops a row: by its case, or because it has none.
fn is_name(
    said: &str,
    (transform, rule): (&Transform, &Explode),
    cases: &Cases,
    row: usize,
) -> bool {
    let of = rule.of.first().map_or("", String::as_str);
    let is = |how: &str| said == format!("{}.{of} {how}", transform.target);
    match cases.case(rule, row) {
        Some(case) => {
            let said =
                |is: &[Pattern]| is.iter().map(Pattern::spelled).collect::<Vec<_>>().join(" or ");
            let when = case.when.as_ref().filter(|_| rule.takes_all);
            let when = when.map(|it| format!(" and {} is \"{}\"", it.path.join("."), said(&it.is)));
            is(&format!("is {}{}", said(&case.is), when.unwrap_or_default()))
        }
        None => is("is no object") || is("not listed"),
    }
}

/// The rows listed as dropped are those that the contract drops, each with its rule.
fn rows(
    audit: &Audit<'_>,
    legacy: &Legacy,
    (transform, rule): (&Transform, &Explode),
) -> Result<Rule> {
    let entity = &legacy.entity;
    let file = format!("data/dropped/{entity}.parquet");
    let mut tally = Tally::new("account", entity, "")
        .says(format!(
            "every {entity} row that is listed as dropped is one the contract drops, by that rule"
        ))
        .query(split_sql::dropped(audit, legacy, (transform, rule)));
    let onto = legacy.onto(&transform.target);
    let Some(cases) = onto.and_then(|onto| onto.cases.as_ref()) else { return Ok(tally.finish()) };
    let (path, _) = audit.file(&file);
    read::scan_if_there(&path, &[Extra::ROW, Quarantine::RULE], &mut |found| {
        // A row that is none of the source is told by the account.
        if let Some(row) = found.row(0).filter(|row| *row < legacy.rows) {
            let is_named =
                found.text(1).is_some_and(|said| is_name(said, (transform, rule), cases, row));
            tally.check(cases.is_dropped(row) && is_named, || legacy.place(row));
        }
        Ok(())
    })?;
    Ok(tally.finish())
}

/// A row that no case lists is not migrated; one that is quarantined for that is such a row.
fn listed(
    audit: &Audit<'_>,
    legacy: &Legacy,
    (transform, rule): (&Transform, &Explode),
) -> Result<Rule> {
    let entity = &legacy.entity;
    let mut tally = Tally::new("account", entity, "")
        .says(format!(
            "every {entity} row without a case is set aside, and none is quarantined for that which has \
             one"
        ))
        .query(split_sql::listed(audit, legacy, (transform, rule)));
    let onto = legacy.onto(&transform.target);
    let Some(cases) = onto.and_then(|onto| onto.cases.as_ref()) else { return Ok(tally.finish()) };
    for row in (0..legacy.rows).filter(|row| cases.is_refused(*row)) {
        let aside = legacy.merged_times[row] > 0 || legacy.quarantined[row] > 0;
        tally.check(aside && !legacy.is_migrated(row), || legacy.place(row));
    }
    let names = refusals(transform, rule);
    let (path, _) = audit.file(&format!("data/quarantine/{entity}.parquet"));
    read::scan_if_there(&path, &[Extra::ROW, Quarantine::RULE], &mut |found| {
        let by = names.iter().position(|name| found.text(1) == Some(name));
        if let Some((row, by)) = found.row(0).filter(|row| *row < legacy.rows).zip(by) {
            let is_right = cases.is_refused(row) && cases.is_not_whole(row) == (by == NOT_WHOLE);
            tally.check(is_right, || legacy.place(row));
        }
        Ok(())
    })?;
    Ok(tally.finish())
}

/// The place of the rule about rows for which no case answers.
const NOT_WHOLE: usize = 2;

/// The rules by which a row without a case is quarantined.
pub(super) fn refusals(transform: &Transform, rule: &Explode) -> [String; 3] {
    let of = rule.of.first().map_or("", String::as_str);
    ["listed", "an object", "whole"].map(|what| format!("{}.{of} {what}", transform.target))
}

/// bundle.json counts, path by path, what cases leave behind of the objects they make rows of.
fn paths(
    audit: &Audit<'_>,
    legacy: &Legacy,
    (transform, rule): (&Transform, &Explode),
) -> Result<Rule> {
    let (entity, of) = (&legacy.entity, rule.of.first().map_or("", String::as_str));
    let mut tally = Tally::new("count", entity, of)
        .says(format!(
            "bundle.json counts, path by path, what the contract drops of {of} in {entity} rows"
        ))
        .query(kept_sql::dropped(audit, transform, rule));
    let dropped = rule.dropped();
    let mut counts = vec![0_u64; dropped.len()];
    let onto = legacy.onto(&transform.target);
    let Some(cases) = onto.and_then(|onto| onto.cases.as_ref()) else { return Ok(tally.finish()) };
    if let Some(path) = &legacy.path {
        let mut names = Vec::new();
        let columns = Columns::new(rule, &mut names);
        read::scan(path, &names, &mut |row| {
            let case = cases.case(rule, row.number).filter(|case| !case.rows.is_empty());
            if let (Some(case), Ok(object)) = (case, columns.object(rule, row)) {
                for (path, count) in dropped.iter().zip(&mut counts) {
                    *count += u64::from(rule.drops(case, path) && object.says(path));
                }
            }
            Ok(())
        })?;
    }
    let found = dropped.iter().map(|path| rule.named(path)).zip(counts);
    let found: BTreeMap<String, u64> = found.filter(|(_, rows)| *rows > 0).collect();
    let said =
        audit.bundle.meta().dropped_values.iter().filter(|(source, name, _)| {
            source == entity && name.starts_with(&rule.named(&Vec::new()))
        });
    let said: BTreeMap<String, u64> = said.map(|(_, name, rows)| (name.clone(), *rows)).collect();
    tally.check_all(legacy.rows as u64, 0, String::new);
    for name in said.keys().chain(found.keys().filter(|name| !said.contains_key(*name))) {
        let [said, found] = [&said, &found].map(|all| all.get(name).copied().unwrap_or_default());
        if said != found {
            let (said, found) = (grouped(said), grouped(found));
            tally.violate(1, || format!("{name}: bundle.json says {said}, there are {found}"));
        }
    }
    Ok(tally.finish())
}

/// bundle.json counts the values of an attribute without a home.
fn values(audit: &Audit<'_>, legacy: &Legacy, attr: &str) -> Result<Rule> {
    let entity = &legacy.entity;
    let mut tally = Tally::new("count", entity, attr)
        .says(format!("bundle.json counts the {entity} rows with {attr}, which the contract drops"))
        .query(values_sql(audit, legacy, attr));
    let mut found = 0;
    if let Some(path) = &legacy.path {
        read::scan(path, &[attr], &mut |row| {
            found += u64::from(row.is_there(0));
            Ok(())
        })?;
    }
    let said = audit.bundle.meta().dropped_values.iter();
    let said = said.filter(|(source, name, _)| source == entity && name == attr);
    let said: u64 = said.map(|(_, _, rows)| *rows).sum();
    tally.check_all(legacy.rows as u64, u64::from(said != found), || {
        format!("bundle.json says {}, there are {}", grouped(said), grouped(found))
    });
    Ok(tally.finish())
}

fn values_sql(audit: &Audit<'_>, legacy: &Legacy, attr: &str) -> String {
    format!(
        "SELECT ((SELECT count({}) FROM {}) <> coalesce((SELECT sum((v ->> 2)::BIGINT) FROM (SELECT \
         unnest(dropped_values::JSON[]) AS v FROM read_json({}, columns = {{dropped_values: \
         'JSON'}})) WHERE (v ->> 0) = {} AND (v ->> 1) = {}), 0))::INT",
        sql::name(attr),
        sql::legacy(audit, legacy),
        sql::path(audit, "data/bundle.json"),
        sql::text(&legacy.entity),
        sql::text(attr),
    )
}
