//! The target rows a legacy row became, value by value.

use super::answer::{AttrStep, Made, Outcome};
use super::cell::Record;
use super::fate::plain;
use super::files::Files;
use super::table::{Needle, Table};
use super::{legacy, links, order};
use crate::bundle::Origin;
use crate::contract::{self, AttrRule, Constant, Pick, Transform};
use crate::error::Result;
use crate::snapshot::Extra;
use crate::transform::explode::case_of;

/// How an id came about that no repair tells of.
const KEPT: &str = "kept";

/// The rows that a row of a legacy table became, and the existing ones it stands on.
pub(super) fn of(
    files: &Files,
    entity: &str,
    row: i64,
    record: Option<&Record>,
) -> Result<Vec<Made>> {
    let mut found = Vec::new();
    for transform in files.contract.transforms_of(entity) {
        let Some(table) = files.target(&transform.target)? else { continue };
        let rows = places(files, transform, &table, row, record)?;
        let ty = |column: &str| files.target_type(&transform.target, column);
        for (nth, target) in table.records(&rows, &ty)?.iter().enumerate() {
            let mut made = made(files, transform, &table, (target, record))?;
            // Of several rows the first has the id of the legacy row.
            if nth > 0 && made.id_is == KEPT {
                "derived".clone_into(&mut made.id_is);
            }
            found.push(made);
        }
    }
    found.extend(adopted(files, entity, row)?);
    let tables = &files.meta.tables;
    found.sort_by_key(|made| {
        (tables.iter().position(|table| table.entity == made.entity), made.row)
    });
    Ok(found)
}

/// The places of the target rows of a legacy row: by its id where each row became one, else by the
/// lineage.
fn places(
    files: &Files,
    transform: &Transform,
    table: &Table,
    row: i64,
    record: Option<&Record>,
) -> Result<Vec<usize>> {
    let names = [Origin::ORIGIN, Origin::SOURCE_ROW];
    let is_it = |line: &&Record| {
        line.text(Origin::ORIGIN) == Some(Origin::MIGRATED)
            && line.whole(Origin::SOURCE_ROW) == Some(row)
    };
    let of_these = |rows: &[usize]| -> Result<Vec<usize>> {
        let lines = table.some(&names, rows, &plain)?;
        Ok(lines.iter().filter(is_it).map(|line| line.row).collect())
    };
    let own = transform.id.from.first().is_some_and(|from| from == "id");
    let id = record.and_then(|record| record.text("id")).filter(|_| own);
    if let Some(id) = id.filter(|_| is_one_each(files, transform)) {
        let needle = Needle::exact(&files.target_id(&transform.target, id));
        let found = of_these(&table.find("id", &needle)?)?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    of_these(&table.find_number(Origin::SOURCE_ROW, row)?)
}

/// Whether every migrated row became one row of the target.
fn is_one_each(files: &Files, transform: &Transform) -> bool {
    let made = files.meta.tables.iter().find(|table| table.entity == transform.target);
    let of = files.meta.equations.iter().find(|equation| equation.source == transform.source);
    made.zip(of).is_some_and(|(made, of)| {
        let adopted = of.adopted.iter().find(|(target, _)| *target == transform.target);
        made.migrated + adopted.map_or(0, |(_, rows)| *rows) == of.migrated
    })
}

fn made(
    files: &Files,
    transform: &Transform,
    table: &Table,
    (target, source): (&Record, Option<&Record>),
) -> Result<Made> {
    let id = target.text("id").unwrap_or_default().to_owned();
    let repairs = repairs(files, &transform.target, &id)?;
    let of = |attr: &str| -> Vec<String> {
        repairs.iter().filter(|(name, _)| name == attr).map(|(_, how)| how.clone()).collect()
    };
    let mut attrs = Vec::new();
    for rule in &transform.attrs {
        attrs.push(step(files, transform, rule, (target, source), of(&rule.attr))?);
    }
    attrs.extend(built(transform, target, source));
    let declared = files.contract.after.schema.entity(&transform.target);
    let declared = declared.map_or(&[][..], |entity| &entity.attrs);
    attrs.sort_by_key(|step| declared.iter().position(|attr| attr.name == step.attr));
    let mut ends = Vec::new();
    for rule in &transform.links {
        ends.push(links::step(files, transform, rule, (target, source), of(&rule.label))?);
    }
    Ok(Made {
        id_is: of("id").into_iter().next().unwrap_or_else(|| id_is(transform, &id, source)),
        id_rule: contract::id_words(&transform.id, &transform.target),
        row: Some(target.row as u64),
        attrs,
        links: ends,
        linked_from: links::to(files, &transform.target, &id)?,
        order: Some(order::of(files, &transform.target, table, target)?),
        entity: transform.target.clone(),
        id,
    })
}

/// How an id came about that was not mapped: kept, when the row has it, else derived.
fn id_is(transform: &Transform, id: &str, source: Option<&Record>) -> String {
    let rule = &transform.id;
    let is_kept = match source {
        Some(row) => {
            let texts = rule.from.iter().filter_map(|name| row.text(name));
            texts.into_iter().any(|text| text.eq_ignore_ascii_case(id))
        }
        None => rule.is_own(),
    };
    if is_kept || rule.derive.is_none() { KEPT.to_owned() } else { "derived".to_owned() }
}

/// The repairs of a target row: attribute or link, and what was done.
fn repairs(files: &Files, target: &str, id: &str) -> Result<Vec<(String, String)>> {
    let Some(table) = files.of_bundle(&format!("data/repairs/{target}.parquet"))? else {
        return Ok(Vec::new());
    };
    let rows = table.find("id", &Needle::exact(id))?;
    let lines = table.some(&["attr", "how"], &rows, &plain)?;
    Ok(lines
        .iter()
        .filter_map(|line| Some((line.text("attr")?.to_owned(), line.text("how")?.to_owned())))
        .collect())
}

/// How an attribute was filled: which place of its rule had the value, and what became of it.
fn step(
    files: &Files,
    transform: &Transform,
    rule: &AttrRule,
    (target, source): (&Record, Option<&Record>),
    repairs: Vec<String>,
) -> Result<AttrStep> {
    let output = target.cell(&rule.attr).shown();
    let has = |how: &str| repairs.iter().any(|repair| repair == how);
    let picked = rule.from.iter().skip(1).find(|pick| has(&format!("from {}", spelled(pick))));
    let picked = picked.or(rule.from.first());
    let mut step = AttrStep {
        attr: rule.attr.clone(),
        rule: contract::attr_words(rule),
        from: None,
        of: None,
        input: None,
        output,
        repairs: Vec::new(),
    };
    if has("template") {
        step.from = Some("template".to_owned());
    } else if has("missing") {
        step.from = rule.missing.as_ref().map(constant);
    } else if let Some(pick) = picked.filter(|_| step.output.is_some()) {
        step.from = Some(spelled(pick));
        if let Some(source) = source {
            let given = legacy::given(files, &transform.source, source, pick)?;
            step.input = given.value.and_then(|value| value.shown());
            step.of = given.of;
        }
    } else if step.output.is_some() {
        step.from = Some("built by the rule".to_owned());
    }
    step.repairs = repairs;
    Ok(step)
}

/// The attributes that no rule of their own fills: the number of the row, and what its case builds.
fn built(transform: &Transform, target: &Record, source: Option<&Record>) -> Vec<AttrStep> {
    let mut found = Vec::new();
    let mut push = |attr: &str, rule: String| {
        if found.iter().any(|step: &AttrStep| step.attr == attr) {
            return;
        }
        found.push(AttrStep {
            attr: attr.to_owned(),
            from: Some(rule.clone()),
            rule,
            of: None,
            input: None,
            output: target.cell(attr).shown(),
            repairs: Vec::new(),
        });
    };
    if let Some(number) = &transform.number {
        push(&number.attr, contract::numbering_words(number));
    }
    let Some(explode) = &transform.explode else { return found };
    let case = source.and_then(|source| {
        let values: Vec<_> = explode.of.iter().map(|name| source.text(name)).collect();
        let beside = explode.otherwise_by.as_ref().and_then(|name| source.text(name));
        explode.cases.get(usize::try_from(case_of(explode, &values, beside)).ok()?)
    });
    let rows = match case {
        Some(case) => &case.rows[..],
        None => explode.cases.iter().find_map(|case| case.rows.get(..1)).unwrap_or_default(),
    };
    let rule = match case {
        Some(case) => format!("the case {}", contract::case_words(case)),
        None => "the case of the row".to_owned(),
    };
    for (attr, _) in rows.iter().flatten() {
        push(attr, rule.clone());
    }
    found
}

fn constant(constant: &Constant) -> String {
    match constant {
        Constant::Text(text) => format!("missing = \"{text}\""),
        Constant::Number(number) => format!("missing = {number}"),
        Constant::Boolean(value) => format!("missing = {value}"),
    }
}

/// A place of a rule as the contract writes it.
fn spelled(pick: &Pick) -> String {
    match pick {
        Pick::Attr(name) => name.clone(),
        Pick::Path { attr, keys } => format!("{attr}.{}", keys.join(".")),
        Pick::Server => "$server".to_owned(),
        Pick::Linked { link, attr } => format!("{link}.{attr}"),
    }
}

/// The existing rows that a legacy row stands on: their values are not its own.
fn adopted(files: &Files, entity: &str, row: i64) -> Result<Vec<Made>> {
    let Some(table) = files.of_bundle(&format!("data/adopted/{entity}.parquet"))? else {
        return Ok(Vec::new());
    };
    let rows = table.find_number(Extra::ROW, row)?;
    let mut found = Vec::new();
    for line in table.some(&["entity", "id"], &rows, &plain)? {
        let text = |name: &str| line.text(name).unwrap_or_default().to_owned();
        let rules = files.contract.transform_into(&text("entity")).map(|rules| &rules.id);
        let target = files.target(&text("entity"))?;
        let at = match &target {
            Some(target) => target.find("id", &Needle::exact(&text("id")))?.first().copied(),
            None => None,
        };
        found.push(Made {
            id_is: "existing".to_owned(),
            id_rule: rules.map(|id| contract::id_words(id, &text("entity"))).unwrap_or_default(),
            row: at.map(|at| at as u64),
            attrs: Vec::new(),
            links: Vec::new(),
            linked_from: links::to(files, &text("entity"), &text("id"))?,
            order: None,
            entity: text("entity"),
            id: text("id"),
        });
    }
    Ok(found)
}

/// The legacy id of a row whose own table is not there: the id of the row that has it still, or the
/// one the list of mapped ids has.
pub(super) fn legacy_id(files: &Files, entity: &str, outcome: &Outcome) -> Result<Option<String>> {
    let Outcome::Migrated { rows } = outcome else { return Ok(None) };
    let keeps = files.contract.id_transform(entity).map(|rules| rules.target.as_str());
    let Some(main) = rows.iter().find(|made| Some(made.entity.as_str()) == keeps) else {
        return Ok(None);
    };
    match main.id_is.as_str() {
        KEPT => Ok(Some(main.id.clone())),
        "mapped" => {
            let Some(table) = files.of_bundle("data/ids.parquet")? else { return Ok(None) };
            let rows = table.find("to", &Needle::exact(&main.id))?;
            let lines = table.some(&["from"], &rows, &plain)?;
            Ok(lines.first().and_then(|line| line.text("from").map(str::to_owned)))
        }
        _ => Ok(None),
    }
}
