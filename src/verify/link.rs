//! Links: both ends are there, what is required is there, and each is the one the source names.

use std::collections::BTreeMap;

use super::Rule;
use super::facts::Audit;
use super::key::{self, NONE};
use super::link_sql;
use super::naming::no_link;
use super::read;
use super::repair::{Listed, is_listed_as};
use super::resolve::{self, Judged, Verdict};
use super::rule::Tally;
use super::table::Table;
use crate::contract::{LinkHow, LinkRule, Required, Transform};
use crate::error::Result;
use crate::schema::{Has, Link};

/// The rules of every has-one link of every target table.
pub(super) fn rules(
    audit: &Audit<'_>,
    repairs: &BTreeMap<String, Listed>,
    out: &mut Vec<Rule>,
) -> Result<()> {
    for entity in &audit.contract.after.schema.entities {
        let transform = audit.contract.transform_into(&entity.name);
        for link in audit.contract.after.schema.columns_of(&entity.name) {
            ends(audit, link, out)?;
            let Some(transform) = transform else { continue };
            let rule = transform.links.iter().find(|rule| rule.label == link.label);
            let expected = Expected::read(audit, transform, rule, link)?;
            required(audit, (link, rule, transform), &expected, out)?;
            right(audit, (link, rule, transform), &expected, out)?;
            if matches!(rule.map(|rule| &rule.how), Some(LinkHow::From { .. })) {
                let listed = repairs.get(&entity.name);
                repaired(audit, (link, transform), (&expected, listed), out)?;
            }
        }
    }
    Ok(())
}

/// Every link is null or the id of a row that is there.
fn ends(audit: &Audit<'_>, link: &Link, out: &mut Vec<Rule>) -> Result<()> {
    let (table, to) = (audit.table(&link.on)?, audit.table(&link.to)?);
    let words = format!("every {}.{} is the id of a {} row", link.on, link.label, link.to);
    let mut tally =
        Tally::new("link", &link.on, &link.label).says(words).query(link_sql::ends(audit, link));
    read::scan_if_there(&table.path, &[&link.label], &mut |row| {
        let value = row.text(0);
        let there =
            value.is_none_or(|id| key::is_lower_uuid(id) && to.find(key::id_key(id)).is_some());
        tally.check(there, || table.place(row.number));
        Ok(())
    })?;
    out.push(tally.finish());
    Ok(())
}

/// What a link must be, row by row.
enum Expected<'a> {
    Judged(Judged),
    SameRow(&'a Table),
    /// The label on this table, and the links of the rows it leads to.
    Via(&'a str, &'a Table, Vec<u128>),
    Null,
}

impl<'a> Expected<'a> {
    fn read(
        audit: &'a Audit<'_>,
        transform: &Transform,
        rule: Option<&'a LinkRule>,
        link: &Link,
    ) -> Result<Self> {
        let Some(rule) = rule else { return Ok(Expected::Null) };
        Ok(match &rule.how {
            LinkHow::From { .. } => {
                Expected::Judged(resolve::judge(audit, transform, &rule.how, &link.to)?)
            }
            LinkHow::SameRow { target } => Expected::SameRow(audit.table(target)?),
            LinkHow::Via { link: via, take } => {
                let schema = &audit.contract.after.schema;
                let over = schema
                    .link(&transform.target, via)
                    .ok_or_else(|| no_link(&transform.target, via))?;
                let table = audit.table(&over.to)?;
                Expected::Via(via, table, links(table, take)?)
            }
        })
    }

    /// The label that has to be read beside the link's own.
    fn beside(&self) -> Option<&str> {
        match self {
            Expected::Via(label, _, _) => Some(label),
            _ => None,
        }
    }

    /// Whether another row holds what this one must: where one may, the link is null.
    fn is_held(&self, source: usize, held: &[u128]) -> bool {
        let Expected::Judged(judged) = self else { return false };
        match judged.of(source) {
            Verdict::Must(id, _) => held.binary_search(&id).is_ok(),
            _ => false,
        }
    }

    /// Whether a link of this id is right for a row made from this legacy row.
    fn allows(&self, audit: &Audit<'_>, source: (&str, usize), link: u128, beside: u128) -> bool {
        match self {
            Expected::Judged(judged) => judged.allows(source.1, link).is_some(),
            Expected::SameRow(table) => {
                let legacy = audit.legacy(source.0);
                let id = legacy.ok().and_then(|legacy| legacy.stands(table, source.1));
                id.unwrap_or(NONE) == link
            }
            Expected::Via(_, table, links) => {
                table.find(beside).map_or(NONE, |row| links[row]) == link
            }
            Expected::Null => link == NONE,
        }
    }
}

/// The ids that the rows of a table hold by a link, sorted.
fn held(table: &Table, label: &str) -> Result<Vec<u128>> {
    let mut held = links(table, label)?;
    held.retain(|id| *id != NONE);
    held.sort_unstable();
    Ok(held)
}

/// The links of a column, by row.
pub(super) fn links(table: &Table, label: &str) -> Result<Vec<u128>> {
    let mut links = Vec::with_capacity(table.rows());
    read::scan_if_there(&table.path, &[label], &mut |row| {
        links.push(key::link_key(row.text(0)));
        Ok(())
    })?;
    Ok(links)
}

/// A link, its rule and its transform.
type Of<'a> = (&'a Link, Option<&'a LinkRule>, &'a Transform);

fn required(
    audit: &Audit<'_>,
    (link, rule, transform): Of<'_>,
    expected: &Expected<'_>,
    out: &mut Vec<Rule>,
) -> Result<()> {
    let Some(rule) = rule.filter(|rule| rule.required != Required::No) else { return Ok(()) };
    let table = audit.table(&link.on)?;
    let (always, when) = match rule.required {
        Required::Yes => (true, ""),
        _ => (false, ", when the source has it"),
    };
    let words = format!("every {} row links to its {} row{when}", link.on, link.to);
    let mut tally = Tally::new("link", &link.on, &link.label)
        .says(words)
        .query(link_sql::required(audit, link, rule, transform));
    let beside = expected.beside().unwrap_or(&link.label);
    read::scan_if_there(&table.path, &[&link.label, beside], &mut |row| {
        let Some(source) = table.migrated(row.number) else { return Ok(()) };
        let wanted = always
            || match expected {
                Expected::Judged(judged) => judged.names_existing(source),
                Expected::Via(..) => row.text(1).is_some(),
                _ => true,
            };
        tally.check(!wanted || row.text(0).is_some(), || table.place(row.number));
        Ok(())
    })?;
    out.push(tally.finish());
    Ok(())
}

fn right(
    audit: &Audit<'_>,
    (link, rule, transform): Of<'_>,
    expected: &Expected<'_>,
    out: &mut Vec<Rule>,
) -> Result<()> {
    let table = audit.table(&link.on)?;
    let what = match expected {
        Expected::Judged(_) => "is the row that its source row names".to_owned(),
        Expected::SameRow(_) => "is the row that the same source row became".to_owned(),
        Expected::Via(via, _, _) => format!("is the one of its {via}"),
        Expected::Null => "is null: the contract has no rule for it".to_owned(),
    };
    let words = format!("every {}.{} {what}", link.on, link.label);
    let mut tally = Tally::new("link", &link.on, &link.label)
        .says(words)
        .query(link_sql::right(audit, link, rule, transform));
    let beside = expected.beside().unwrap_or(&link.label);
    let rows = audit.legacy(&transform.source)?.rows;
    let held = if link.reverse_has == Has::One { held(table, &link.label)? } else { Vec::new() };
    read::scan_if_there(&table.path, &[&link.label, beside], &mut |row| {
        let Some(source) = table.migrated(row.number) else { return Ok(()) };
        let (link, beside) = (key::link_key(row.text(0)), key::link_key(row.text(1)));
        let right = source < rows
            && (expected.allows(audit, (&transform.source, source), link, beside)
                || (link == NONE && expected.is_held(source, &held)));
        tally.check(right, || table.place(row.number));
        Ok(())
    })?;
    out.push(tally.finish());
    Ok(())
}

fn repaired(
    audit: &Audit<'_>,
    (link, transform): (&Link, &Transform),
    (expected, listed): (&Expected<'_>, Option<&Listed>),
    out: &mut Vec<Rule>,
) -> Result<()> {
    let (Expected::Judged(judged), Some(listed)) = (expected, listed) else { return Ok(()) };
    let table = audit.table(&link.on)?;
    let words = format!(
        "every {}.{} that is not from its first source is listed as a repair",
        link.on, link.label
    );
    let mut tally = Tally::new("repair", &link.on, &link.label)
        .says(words)
        .query(link_sql::repaired(audit, link, transform));
    let (mut told, rows) = (0, audit.legacy(&transform.source)?.rows);
    read::scan_if_there(&table.path, &[&link.label], &mut |row| {
        let source = table.migrated(row.number).filter(|source| *source < rows);
        let Some(source) = source else { return Ok(()) };
        let value = key::link_key(row.text(0));
        // A link that is none the source names is told by the rule on that.
        let may = judged.allows(source, value);
        told += listed.of(&link.label, source).count();
        let right = may.is_none_or(|may| is_listed_as(listed, &link.label, source, &may));
        tally.check(right, || table.place(row.number));
        Ok(())
    })?;
    let strays = listed.total(&link.label).saturating_sub(told) as u64;
    if strays > 0 {
        tally.violate(strays, || format!("{strays} listed of rows that were not migrated"));
    }
    out.push(tally.finish());
    Ok(())
}
