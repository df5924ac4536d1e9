//! Links of a target row: where each came from, where it leads, and which lead here.

use super::answer::{LinkStep, LinkedFrom, NamedBy};
use super::cell::Record;
use super::fate::plain;
use super::files::Files;
use super::legacy;
use super::table::Needle;
use crate::contract::{self, Hop, LinkHow, LinkPick, LinkRule, Transform};
use crate::error::Result;

/// How many links that name an id are listed.
const MOST: usize = 20;

/// How a link was filled.
pub(super) fn step(
    files: &Files,
    transform: &Transform,
    rule: &LinkRule,
    (target, source): (&Record, Option<&Record>),
    repairs: Vec<String>,
) -> Result<LinkStep> {
    let output = target.text(&rule.label).map(str::to_owned);
    let link = files.contract.after.schema.link(&transform.target, &rule.label);
    let to = link.map(|link| link.to.clone()).unwrap_or_default();
    let is_there = match (&output, files.target(&to)?) {
        (Some(id), Some(table)) => !table.find("id", &Needle::exact(id))?.is_empty(),
        _ => false,
    };
    let (from, input) = match &rule.how {
        LinkHow::SameRow { target } => (Some(format!("the same row in {target}")), None),
        LinkHow::Via { link, take } => (Some(format!("{link}.{take}")), None),
        LinkHow::From { picks, .. } => picked(files, transform, picks, source, &repairs)?,
    };
    Ok(LinkStep {
        label: rule.label.clone(),
        rule: contract::link_words(rule),
        from: from.filter(|_| output.is_some()),
        input,
        to,
        output,
        is_there,
        repairs,
    })
}

/// The place that gave a link, and the id as the legacy row has it there.
fn picked(
    files: &Files,
    transform: &Transform,
    picks: &[LinkPick],
    source: Option<&Record>,
    repairs: &[String],
) -> Result<(Option<String>, Option<String>)> {
    let said = repairs.first().and_then(|repair| repair.strip_prefix("from "));
    let schema = &files.contract.before.schema;
    let mut first = None;
    for (at, pick) in picks.iter().enumerate() {
        let name = pick.spelled();
        let LinkPick::Link(label) = pick else {
            if at == 0 {
                first = Some((name.clone(), None));
            }
            if said == Some(name.as_str()) {
                return Ok((Some(name), over(files, transform, (pick, source))?));
            }
            continue;
        };
        let (Some(link), Some(source)) = (schema.link(&transform.source, label), source) else {
            continue;
        };
        let named = legacy::names(files, link, source)?;
        let is_it = said == Some(label)
            || said.is_some_and(|said| link.also.iter().any(|also| also == said));
        let (by, id) = named.map_or((name, None), |named| (named.by, Some(named.id)));
        if is_it {
            return Ok((Some(said.map_or(by, str::to_owned)), id));
        }
        if at == 0 {
            first = Some((by, id));
        }
    }
    match (said, first) {
        (Some(said), _) => Ok((Some(said.to_owned()), None)),
        (None, Some((by, id))) => Ok((Some(by), id)),
        (None, None) => Ok((None, None)),
    }
}

/// The id that the row a legacy row links to names in turn.
fn over(
    files: &Files,
    transform: &Transform,
    (pick, source): (&LinkPick, Option<&Record>),
) -> Result<Option<String>> {
    let schema = &files.contract.before.schema;
    let (LinkPick::Over { by: Hop::Link(label), take }, Some(source)) = (pick, source) else {
        return Ok(None);
    };
    let Some(link) = schema.link(&transform.source, label) else { return Ok(None) };
    let Some(named) = legacy::names(files, link, source)? else { return Ok(None) };
    let Some(other) = legacy::row_of(files, &link.to, &named.id)? else { return Ok(None) };
    let Some(next) = schema.link(&link.to, take) else { return Ok(None) };
    Ok(legacy::names(files, next, &other)?.map(|named| named.id))
}

/// The links of the bundle's tables that lead to a row, counted.
pub(super) fn to(files: &Files, entity: &str, id: &str) -> Result<Vec<LinkedFrom>> {
    let mut found = Vec::new();
    for link in files.contract.after.schema.links.iter().filter(|link| link.to == entity) {
        let Some(table) = files.target(&link.on)? else { continue };
        let rows = table.find(&link.label, &Needle::exact(id))?.len() as u64;
        if rows > 0 {
            let (entity, label) = (link.on.clone(), link.label.clone());
            found.push(LinkedFrom { entity, label, rows });
        }
    }
    Ok(found)
}

/// The links outside the tables that name an id: those that lead nowhere, and those that are no
/// column. How many there are, and the first of them.
pub(super) fn naming(files: &Files, id: &str) -> Result<(u64, Vec<NamedBy>)> {
    let mut count = 0;
    let mut found: Vec<NamedBy> = Vec::new();
    let needle = Needle::id(id);
    if let Some(table) = files.of_bundle("data/quarantine/links.parquet")? {
        let rows = table.find("to", &needle)?;
        count += rows.len() as u64;
        let rows = &rows[..rows.len().min(MOST)];
        let names = ["entity", "label", "from", "to", "reason"];
        for line in table.some(&names, rows, &plain)? {
            let text = |name: &str| line.text(name).unwrap_or_default().to_owned();
            let dropped = Some(text("reason"));
            let (entity, label) = (text("entity"), text("label"));
            found.push(NamedBy { entity, label, from: text("from"), to: text("to"), dropped });
        }
    }
    for links in &files.meta.links {
        let Some(table) = files.of_bundle(&links.file)? else { continue };
        let mut rows = table.find("from", &needle)?;
        rows.extend(table.find("to", &needle)?);
        rows.sort_unstable();
        rows.dedup();
        count += rows.len() as u64;
        let rows = &rows[..rows.len().min(MOST.saturating_sub(found.len()))];
        for line in table.some(&["from", "to"], rows, &plain)? {
            let text = |name: &str| line.text(name).unwrap_or_default().to_owned();
            let (entity, label) = (links.entity.clone(), links.label.clone());
            let (from, to) = (text("from"), text("to"));
            found.push(NamedBy { entity, label, from, to, dropped: None });
        }
    }
    Ok((count, found))
}
