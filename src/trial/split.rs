//! Rows that a contract splits, numbers and drops.

use serde_json::Value;

use super::aside::{self, Side};
use super::cell::{Cell, text};
use super::fault::{Fault, Told, shown};
use super::ground::{Ground, OWN, is_migrated};
use super::rows::Planted;
use crate::bundle::Origin;
use crate::contract::{Build, Constant, Explode};

/// A result that is not the first of its source row is left out.
pub(super) fn result_dropped(ground: &Ground<'_>) -> Planted {
    for target in ground.targets()?.into_iter().filter(|target| target.transform.splits()) {
        let mut last = None;
        let start = ground.start(target.table.rows);
        let found = target.table.find(&OWN, start, &mut |row| {
            let source = row.whole(Origin::SOURCE_ROW).filter(|_| is_migrated(row));
            let again = source.is_some() && source == last;
            last = source;
            again.then(|| (row.number, target.names(row), target.place(row)))
        })?;
        if let Some((at, names, place)) = found {
            let fault = target.fault(place, vec![(at, Vec::new())]);
            // The row that then stands at its place is not the one that is missing.
            let [id, _, source] = &names[..] else { return Ok(None) };
            let told = Told::Row(vec![id.clone(), source.clone()]);
            return Ok(Some(Fault { told, ..fault }));
        }
    }
    Ok(None)
}

/// Two results of one source row stand in each other's place, each with the other's number.
pub(super) fn results_swapped(ground: &Ground<'_>) -> Planted {
    for target in ground.targets()?.into_iter().filter(|target| target.transform.splits()) {
        let mut last = None;
        let start = ground.start(target.table.rows);
        let found = target.table.find(&OWN, start, &mut |row| {
            let source = row.whole(Origin::SOURCE_ROW).filter(|_| is_migrated(row));
            let again = source.is_some() && source == last;
            last = source;
            again.then_some(row.number)
        })?;
        if let Some(at) = found {
            let rows = [target.table.row(at - 1)?, target.table.row(at)?];
            let ids = rows.each_ref().map(|row| row.at(0).cell("id").held());
            let changed = [rows[0].with("id", &ids[1])?, rows[1].with("id", &ids[0])?];
            let [one, two] = changed;
            let names = rows.each_ref().map(|row| shown(row.at(0)));
            let place = target.place(rows[0].at(at - 1));
            let fault = target.fault(place, vec![(at - 1, vec![one]), (at, vec![two])]);
            return Ok(Some(Fault { told: Told::Row(names.to_vec()), ..fault }));
        }
    }
    Ok(None)
}

/// A number that the contract gives is one more.
pub(super) fn misnumbered(ground: &Ground<'_>) -> Planted {
    for target in ground.targets()? {
        let Some(number) = &target.transform.number else { continue };
        let attr = number.attr.as_str();
        let there = &mut |row: super::cell::Seen<'_>| matches!(row.cell(attr), Cell::Number(_));
        let found = target.pick(ground.start(target.table.rows), &[attr], there)?;
        let Some((at, row)) = found else { continue };
        let Cell::Number(now) = row.at(at).cell(attr) else { continue };
        return target.value(at, (attr, &Cell::Number(now + 1.0))).map(Some);
    }
    Ok(None)
}

/// The one row that an object became says nothing of it any more.
pub(super) fn emptied(ground: &Ground<'_>) -> Planted {
    for target in ground.targets()? {
        let Some(rule) = target.transform.explode.as_ref().filter(|rule| rule.takes_all) else {
            continue;
        };
        let constants = constants(rule);
        for attr in target.transform.case_attrs() {
            // A row is alone when neither the one before nor the one after came from its source row.
            let (mut last, mut waits) = (None, None);
            let start = ground.start(target.table.rows);
            let columns = [&OWN[..], &[attr]].concat();
            let found = target.table.find(&columns, start, &mut |row| {
                let source = row.whole(Origin::SOURCE_ROW).filter(|_| is_migrated(row));
                let is_new = source != last;
                last = source;
                let alone = waits.take().filter(|_| is_new);
                let says = row.text(attr).is_some_and(|json| says_more(json, &constants));
                waits = (is_new && source.is_some() && says).then_some(row.number);
                alone
            })?;
            if let Some(at) = found {
                let fault = target.value(at, (attr, &text("{}")))?;
                let told = fault.told.by("content");
                return Ok(Some(Fault { told, ..fault }));
            }
        }
    }
    Ok(None)
}

/// The texts that rows of cases have whatever they are built of.
fn constants(rule: &Explode) -> Vec<&str> {
    let mut found = Vec::new();
    for case in &rule.cases {
        case.each(&mut |build| {
            if let Build::Constant(Constant::Text(text)) = build {
                found.push(text.as_str());
            }
        });
    }
    found
}

/// Whether JSON has a text other than these.
fn says_more(json: &str, constants: &[&str]) -> bool {
    let mut open: Vec<Value> = serde_json::from_str(json).into_iter().collect();
    while let Some(value) = open.pop() {
        match value {
            Value::String(text) if !text.is_empty() && !constants.contains(&text.as_str()) => {
                return true;
            }
            Value::Array(items) => open.extend(items),
            Value::Object(members) => open.extend(members.into_iter().map(|(_, value)| value)),
            _ => {}
        }
    }
    false
}

/// A text that is built of other attributes is as it was before one of them changed.
pub(super) fn misbuilt(ground: &Ground<'_>) -> Planted {
    for target in ground.targets()? {
        let built = target.transform.attrs.iter().find(|rule| rule.built.is_some());
        let Some(attr) = built.map(|rule| rule.attr.as_str()) else { continue };
        let there = &mut |row: super::cell::Seen<'_>| row.text(attr).is_some();
        let found = target.pick(ground.start(target.table.rows), &[attr], there)?;
        let Some((at, row)) = found else { continue };
        let now = row.at(at).text(attr).unwrap_or_default();
        return target.value(at, (attr, &text(format!("{now}0")))).map(Some);
    }
    Ok(None)
}

fn side<'a>(ground: &Ground<'a>) -> crate::error::Result<Option<Side<'a>>> {
    aside::side(ground, "dropped", &[], &|_| true)
}

/// A row that a rule drops is not listed.
pub(super) fn unlisted(ground: &Ground<'_>) -> Planted {
    Ok(side(ground)?.map(|side| side.becomes(Vec::new())))
}

/// A row that a rule drops is listed twice.
pub(super) fn listed_twice(ground: &Ground<'_>) -> Planted {
    Ok(side(ground)?.map(|side| side.becomes(vec![side.row.clone(), side.row.clone()])))
}

/// A row that a rule drops is listed under another rule.
pub(super) fn other_rule(ground: &Ground<'_>) -> Planted {
    let Some(side) = side(ground)? else { return Ok(None) };
    let rule = side.row.at(0).text("_rule").unwrap_or_default();
    side.value("_rule", &text(format!("{rule} or so")))
}

/// A row that a rule drops was migrated as well.
pub(super) fn migrated_too(ground: &Ground<'_>) -> Planted {
    aside::as_well(ground, "dropped")
}
