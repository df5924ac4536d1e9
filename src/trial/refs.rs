//! Attributes that hold ids of other rows, links over two hops, and the list of what leads to no row.

use super::cell::{Cell, Row, Seen, text};
use super::fault::{Changes, Fault, Told, numbered};
use super::ground::{Ground, Target};
use super::links::{LOST, other_end};
use super::rows::Planted;
use super::table::Table;
use crate::bundle::{Origin, Reason};
use crate::contract::{AttrRule, LinkHow, LinkPick};
use crate::error::Result;
use crate::schema::Link;

/// A migrated row with an id of another row in an attribute.
struct Ref<'a> {
    target: Target<'a>,
    rule: &'a AttrRule,
    at: usize,
    row: Row,
}

impl Ref<'_> {
    fn value(&self) -> String {
        self.row.at(self.at).text(&self.rule.attr).unwrap_or_default().to_owned()
    }

    fn label(&self) -> String {
        format!("{}.{}", self.target.entity(), self.rule.attr)
    }
}

/// A row with an id of another row, of which `holds` tells whether it is the one.
fn with_ref<'a>(
    ground: &Ground<'a>,
    holds: &dyn Fn(&Target<'_>, &AttrRule, Seen<'_>) -> bool,
) -> Result<Option<Ref<'a>>> {
    for target in ground.targets()? {
        let rules: Vec<&AttrRule> =
            target.transform.attrs.iter().filter(|rule| rule.is_ref()).collect();
        for rule in ground.turned(&rules) {
            let attr = rule.attr.as_str();
            let is_it = &mut |row: Seen<'_>| row.text(attr).is_some() && holds(&target, rule, row);
            let found = target.pick(ground.start(target.table.rows), &[attr], is_it)?;
            if let Some((at, row)) = found {
                return Ok(Some(Ref { target, rule, at, row }));
            }
        }
    }
    Ok(None)
}

/// An id of another row becomes that of a third.
pub(super) fn moved(ground: &Ground<'_>) -> Planted {
    let Some(found) = with_ref(ground, &|_, _, _| true)? else { return Ok(None) };
    let entity = found.rule.refers.as_deref().unwrap_or_default();
    let to = ground.contract.id_transform(entity).map_or(entity, |main| &main.target);
    let other = other_end(ground, to, &found.value())?;
    let fault = other.map(|id| found.target.value(found.at, (&found.rule.attr, &text(id))));
    fault.transpose()
}

/// The lines of the list of what leads to no row: place, label and legacy row.
fn listed(ground: &Ground<'_>) -> Result<Vec<(usize, String, i64)>> {
    let Some(table) = Table::open(ground.root(), LOST)? else { return Ok(Vec::new()) };
    let mut lines = Vec::new();
    table.find::<()>(&["label", "_row"], 0, &mut |line| {
        let label = line.text("label").unwrap_or_default().to_owned();
        lines.push((line.number, label, line.whole("_row").unwrap_or(-1)));
        None
    })?;
    Ok(lines)
}

/// An id that leads to no row is not listed.
pub(super) fn unlisted(ground: &Ground<'_>) -> Planted {
    let lines = listed(ground)?;
    let line = |label: &str, row: Seen<'_>| {
        let source = row.whole(Origin::SOURCE_ROW)?;
        lines.iter().find(|(_, found, at)| found == label && *at == source)
    };
    let is_listed = |target: &Target<'_>, rule: &AttrRule, row: Seen<'_>| {
        line(&format!("{}.{}", target.entity(), rule.attr), row).is_some()
    };
    let Some(found) = with_ref(ground, &is_listed)? else { return Ok(None) };
    let seen = found.row.at(found.at);
    let Some((at, ..)) = line(&found.label(), seen) else { return Ok(None) };
    Ok(Some(Fault {
        changes: Changes::default().put(LOST, *at, Vec::new()),
        place: format!("{LOST} row {at} ({})", found.target.place(seen)),
        told: Told::Row(found.target.names(seen)),
    }))
}

/// An id of a row that is there is listed as leading to none.
pub(super) fn listed_though_there(ground: &Ground<'_>) -> Planted {
    if !ground.is_judged_by_source() {
        return Ok(None);
    }
    let Some(table) = Table::open(ground.root(), LOST)? else { return Ok(None) };
    let lines = listed(ground)?;
    let is_there = |target: &Target<'_>, rule: &AttrRule, row: Seen<'_>| {
        let label = format!("{}.{}", target.entity(), rule.attr);
        let source = row.whole(Origin::SOURCE_ROW);
        !lines.iter().any(|(_, found, at)| *found == label && Some(*at) == source)
    };
    let Some(found) = with_ref(ground, &is_there)? else { return Ok(None) };
    let seen = found.row.at(found.at);
    let last = table.row(table.rows - 1)?;
    let source = seen.whole(Origin::SOURCE_ROW).unwrap_or(-1);
    let line = last
        .with("entity", &text(&found.target.transform.source))?
        .with("label", &text(found.label()))?
        .with("to", &text(found.value()))?
        .with("_row", &Cell::Whole(source))?;
    Ok(Some(Fault {
        changes: Changes::default().put(LOST, table.rows - 1, vec![last, line]),
        place: format!("{LOST} row {} ({})", table.rows, found.target.place(seen)),
        told: Told::Row(found.target.names(seen)),
    }))
}

/// A link that leads to no row does so for another reason, it is said.
pub(super) fn other_reason(ground: &Ground<'_>) -> Planted {
    if !ground.is_judged_by_source() {
        return Ok(None);
    }
    let Some(table) = Table::open(ground.root(), LOST)? else { return Ok(None) };
    let schema = &ground.contract.before.schema;
    let columns = ["entity", "label"];
    let at = table.find(&columns, ground.start(table.rows), &mut |line| {
        let [entity, label] = columns.map(|name| line.text(name).unwrap_or_default());
        schema.link(entity, label).is_some().then_some(line.number)
    })?;
    let Some(at) = at else { return Ok(None) };
    let row = table.row(at)?;
    let seen = row.at(at);
    let reason = match seen.text("reason") {
        Some(Reason::QUARANTINED) => "the row it names is not in the source",
        _ => Reason::QUARANTINED,
    };
    let entity = seen.text("entity").unwrap_or_default();
    let number = seen.whole("_row").unwrap_or(-1);
    Ok(Some(Fault {
        place: format!("{LOST} row {at} ({entity} row {number}), `reason`"),
        told: Told::Row(vec![numbered(entity, number)]),
        changes: Changes::default().put(LOST, at, vec![row.with("reason", &text(reason))?]),
    }))
}

/// An id in a place of a link that does not count is not listed.
pub(super) fn place_unlisted(ground: &Ground<'_>) -> Planted {
    let Some(table) = Table::open(ground.root(), LOST)? else { return Ok(None) };
    let links = &ground.contract.before.schema.links;
    let columns = ["entity", "label", "reason"];
    let at = table.find(&columns, ground.start(table.rows), &mut |line| {
        let [entity, label, reason] = columns.map(|name| line.text(name).unwrap_or_default());
        let is_place = |name: &str| links.iter().any(|link| link.on == entity && holds(link, name));
        (reason == Reason::OTHER_PLACE && is_place(label)).then_some(line.number)
    })?;
    let Some(at) = at else { return Ok(None) };
    let row = table.row(at)?;
    let seen = row.at(at);
    let entity = seen.text("entity").unwrap_or_default();
    let number = seen.whole("_row").unwrap_or(-1);
    Ok(Some(Fault {
        changes: Changes::default().put(LOST, at, Vec::new()),
        place: format!("{LOST} row {at} ({entity} row {number})"),
        told: Told::Row(vec![numbered(entity, number)]),
    }))
}

/// Whether a link's own column or one of its attributes goes by a name.
fn holds(link: &Link, name: &str) -> bool {
    link.label == name || link.also.iter().any(|also| also == name)
}

/// A link that was found over another row leads elsewhere.
pub(super) fn hop_moved(ground: &Ground<'_>) -> Planted {
    for target in ground.targets()? {
        for rule in &target.transform.links {
            let LinkHow::From { picks, .. } = &rule.how else { continue };
            let over = picks.iter().filter(|pick| matches!(pick, LinkPick::Over { .. }));
            let hows: Vec<String> = over.map(|pick| format!("from {}", pick.spelled())).collect();
            let rows = repaired(ground, &target, &rule.label, &|how| {
                hows.iter().any(|known| known == how)
            })?;
            let is_it = &mut |row: Seen<'_>| {
                row.whole(Origin::SOURCE_ROW).is_some_and(|row| rows.contains(&row))
            };
            let start = ground.start(target.table.rows);
            let Some((at, row)) = target.pick(start, &[&rule.label], is_it)? else { continue };
            let after = &ground.contract.after.schema;
            let to = after.link(target.entity(), &rule.label).map_or("", |link| &link.to);
            let now = row.at(at).text(&rule.label).unwrap_or_default().to_owned();
            if let Some(other) = other_end(ground, to, &now)? {
                return target.value(at, (&rule.label, &text(other))).map(Some);
            }
        }
    }
    Ok(None)
}

/// The legacy rows that are listed with a repair of an attribute.
fn repaired(
    ground: &Ground<'_>,
    target: &Target<'_>,
    attr: &str,
    is_it: &dyn Fn(&str) -> bool,
) -> Result<std::collections::BTreeSet<i64>> {
    let mut rows = std::collections::BTreeSet::new();
    let file = format!("data/repairs/{}.parquet", target.entity());
    let Some(table) = Table::open(ground.root(), &file)? else { return Ok(rows) };
    table.find::<()>(&["attr", "how", Origin::SOURCE_ROW], 0, &mut |line| {
        if line.text("attr") == Some(attr) && line.text("how").is_some_and(is_it) {
            rows.extend(line.whole(Origin::SOURCE_ROW));
        }
        None
    })?;
    Ok(rows)
}

/// A repair is listed of a link that its first place gives, as if another spelling of it were one.
pub(super) fn spelling_repaired(ground: &Ground<'_>) -> Planted {
    for target in ground.targets()? {
        for rule in &target.transform.links {
            let LinkHow::From { picks, .. } = &rule.how else { continue };
            let Some(LinkPick::Link(label)) = picks.first() else { continue };
            let link = ground.contract.before.schema.link(&target.transform.source, label);
            let Some(also) = link.and_then(|link| link.also.first()) else { continue };
            let fault = made_up(ground, &target, (&rule.label, &format!("from {also}")))?;
            if fault.is_some() {
                return Ok(fault);
            }
        }
    }
    Ok(None)
}

/// A repair is listed of an id that was kept or derived.
pub(super) fn id_repaired(ground: &Ground<'_>) -> Planted {
    if !ground.is_judged_by_source() {
        return Ok(None);
    }
    for target in ground.targets()? {
        let fault = made_up(ground, &target, ("id", "derived"))?;
        if fault.is_some() {
            return Ok(fault);
        }
    }
    Ok(None)
}

/// A repair is listed of a row that has a value and was not repaired.
fn made_up(ground: &Ground<'_>, target: &Target<'_>, (attr, how): (&str, &str)) -> Planted {
    let file = format!("data/repairs/{}.parquet", target.entity());
    let Some(table) = Table::open(ground.root(), &file)? else { return Ok(None) };
    let repaired = repaired(ground, target, attr, &|_| true)?;
    let is_it = &mut |row: Seen<'_>| {
        let source = row.whole(Origin::SOURCE_ROW);
        row.text(attr).is_some() && source.is_some_and(|row| !repaired.contains(&row))
    };
    let start = ground.start(target.table.rows);
    let Some((at, row)) = target.pick(start, &[attr], is_it)? else { return Ok(None) };
    let seen = row.at(at);
    let last = table.row(table.rows - 1)?;
    let line = last
        .with("id", &seen.cell("id"))?
        .with(Origin::SOURCE_ROW, &seen.cell(Origin::SOURCE_ROW))?
        .with("attr", &text(attr))?
        .with("how", &text(how))?;
    Ok(Some(Fault {
        changes: Changes::default().put(&file, table.rows - 1, vec![last, line]),
        place: format!("{}, `{attr}`", target.place(seen)),
        told: Told::Row(target.names(seen)),
    }))
}
