//! Rules that make several target rows of one: `explode`, its cases, `number`, and `drop`.

use std::collections::{BTreeMap, BTreeSet};

use super::answers::{self, All};
use super::builds::{path, value};
use super::fields::{Fields, list};
use super::misfit::{Place, quoted};
use super::model::{Found, no_attr, words};
use super::split::{Build, Case, Explode, Numbering, Pattern, Unlisted, When};
use super::transforms::Scope;
use super::tree::{Node, Value};
use crate::schema::Type;

/// Attributes of the target by where their rule stands.
pub(super) type Filled = BTreeMap<String, Place>;

/// `explode = { … }` with the `[[transform.case]]` tables; what cases fill is added to `filled`.
pub(super) fn explode(
    scope: &Scope<'_>,
    fields: &Fields<'_>,
    filled: &mut Filled,
) -> Option<Explode> {
    let Some(node) = fields.get("explode") else {
        if let Some(node) = fields.get("case") {
            scope.misfits.add(node.place, "`case` says nothing without `explode`");
        }
        return None;
    };
    let takes_all = scope.format >= 2;
    let keys = ["of", "by", "else", "no_object", "otherwise", "drop"];
    let known = if takes_all { &keys[..] } else { &keys[..5] };
    let rule = Fields::open(node, "explode", known, scope.misfits)?;
    let of = rule.need_texts("of").unwrap_or_default();
    if of.is_empty() {
        scope.misfits.add(node.place, "`of` names no attribute");
    }
    for (name, place) in &of {
        source_attr(scope, name, *place, Type::Any);
    }
    let by = rule.need("by").and_then(|node| path(scope, node, "by")).unwrap_or_default();
    let otherwise_by = rule.text("else");
    if let (Some(name), Some(node)) = (otherwise_by, rule.get("else")) {
        source_attr(scope, name, node.place, Type::String);
    }
    let choices = [("drop", Unlisted::Drop), ("quarantine", Unlisted::Quarantine)];
    let no_object = rule.choice("no_object", &choices).unwrap_or(Unlisted::Quarantine);
    let otherwise = rule.choice("otherwise", &choices).unwrap_or(Unlisted::Quarantine);
    let nodes = fields.need("case").and_then(|node| list(node, "case", scope.misfits));
    let all = All { by: &by, drop: answers::drop(scope, &rule) };
    let cases = nodes.unwrap_or_default().iter().filter_map(|node| case(scope, &all, node, filled));
    let cases: Vec<Case> = cases.collect();
    required(scope, &cases, filled);
    let (of, otherwise_by) =
        (of.into_iter().map(|(name, _)| name.to_owned()), otherwise_by.map(str::to_owned));
    let (of, drop) = (of.collect(), all.drop.into_iter().map(|(path, _)| path).collect());
    Some(Explode { of, by, otherwise_by, no_object, otherwise, takes_all, drop, cases })
}

/// An attribute of the legacy row, of one type.
fn source_attr(scope: &Scope<'_>, name: &str, place: Place, ty: Type) {
    let said = match scope.model.attr(&scope.model.before, scope.source, name) {
        Found::Yes(attr) if attr.ty != ty => {
            format!("{} is {}, not {}", quoted(name), words(attr.ty), words(ty))
        }
        Found::No => no_attr(&scope.model.before, scope.source, name),
        Found::Yes(_) | Found::Unsure => return,
    };
    scope.misfits.add(place, said);
}

fn case(scope: &Scope<'_>, all: &All<'_>, node: &Node, filled: &mut Filled) -> Option<Case> {
    let keys = ["is", "when", "rows", "drop"];
    let known = if scope.format >= 2 { &keys[..] } else { &keys[..3] };
    let fields = Fields::open(node, "case", known, scope.misfits)?;
    let is = patterns(scope, &fields)?;
    let when = fields.get("when").and_then(|node| when(scope, node));
    let nodes = fields.need("rows").and_then(|node| list(node, "rows", scope.misfits));
    let rows = nodes.unwrap_or_default().iter().filter_map(|node| row(scope, node, filled));
    let case = Case { is, when, rows: rows.collect(), drop: Vec::new(), answers: Vec::new() };
    Some(answers::of(scope, all, case, &fields))
}

fn when(scope: &Scope<'_>, node: &Node) -> Option<When> {
    let fields = Fields::open(node, "when", &["path", "is"], scope.misfits)?;
    let path = fields.need("path").and_then(|node| path(scope, node, "path"));
    let is = patterns(scope, &fields);
    Some(When { path: path?, is: is? })
}

/// `is`: texts, or beginnings of texts with a `*` after them.
fn patterns(scope: &Scope<'_>, fields: &Fields<'_>) -> Option<Vec<Pattern>> {
    let texts = fields.need_texts("is")?;
    if texts.is_empty() {
        scope.misfits.add(fields.place(), "`is` lists no text");
    }
    let mut found = Vec::new();
    for (text, place) in texts {
        let (start, starred) = text.strip_suffix('*').map_or((text, false), |text| (text, true));
        if start.contains('*') {
            let said = format!("a `*` stands at the end of {} alone", quoted(text));
            scope.misfits.add(place, said);
        }
        let start = start.to_owned();
        found.push(if starred { Pattern::Begins(start) } else { Pattern::Exact(start) });
    }
    Some(found)
}

/// One target row of a case: what fills each of its attributes.
fn row(scope: &Scope<'_>, node: &Node, filled: &mut Filled) -> Option<Vec<(String, Build)>> {
    let fields = Fields::map(node, "rows", scope.misfits)?;
    let mut row = Vec::new();
    for entry in fields.entries() {
        let model = scope.model;
        let attr = match model.attr(&model.after, scope.target, &entry.key) {
            Found::Yes(attr) => Some(attr),
            Found::No => {
                let said = no_attr(&model.after, scope.target, &entry.key);
                scope.misfits.add(entry.place, said);
                None
            }
            Found::Unsure => None,
        };
        if let Some(attr) = attr.filter(|attr| attr.unique) {
            let said = format!("{} is unique (`*`), a case gives it to many", quoted(&attr.name));
            scope.misfits.add(entry.place, said);
        }
        filled.entry(entry.key.clone()).or_insert(entry.place);
        row.extend(value(scope, &entry.node, attr).map(|value| (entry.key.clone(), value)));
    }
    Some(row)
}

/// What the target requires and cases fill, every row of every case has.
fn required(scope: &Scope<'_>, cases: &[Case], filled: &Filled) {
    let declared = scope.model.after.entity(scope.target).map_or(&[][..], |entity| &entity.attrs);
    for attr in declared.iter().filter(|attr| attr.required) {
        let Some(place) = filled.get(&attr.name) else { continue };
        let has = |row: &Vec<(String, Build)>| row.iter().any(|(name, _)| *name == attr.name);
        if !cases.iter().flat_map(|case| &case.rows).all(has) {
            let said = format!("{} is required, and not every row has it", quoted(&attr.name));
            scope.misfits.add(*place, said);
        }
    }
}

/// `number = { attr = "…", within = "link", by = […] }`.
pub(super) fn number(
    scope: &Scope<'_>,
    fields: &Fields<'_>,
    filled: &mut Filled,
) -> Option<Numbering> {
    let node = fields.get("number")?;
    let rule = Fields::open(node, "number", &["attr", "within", "by"], scope.misfits)?;
    let (attr, within) = (rule.need_text("attr"), rule.need_text("within"));
    let by = rule.need_texts("by").unwrap_or_default();
    if rule.get("by").is_some() && by.is_empty() {
        scope.misfits.add(node.place, "`by` names no order");
    }
    for (name, place) in &by {
        super::written::ordered(scope.model, scope.source, (name, *place), scope.misfits);
    }
    let place = rule.get("attr").map_or(node.place, |node| node.place);
    if let Some(attr) = attr {
        numbered(scope, attr, place, filled);
    }
    let links = fields.get("links").map_or(&[][..], |node| node.entries());
    let required = |node: &Node| matches!(node.value, Value::Boolean(true));
    let held = |within: &str| links.iter().find(|entry| entry.key == within);
    if let Some(within) = within
        && !held(within).is_some_and(|entry| entry.node.get("required").is_some_and(required))
    {
        let place = rule.get("within").map_or(node.place, |node| node.place);
        let said = format!("rows are numbered within a required link, {} is none", quoted(within));
        scope.misfits.add(place, said);
    }
    let by = by.into_iter().map(|(name, _)| name.to_owned()).collect();
    Some(Numbering { attr: attr?.to_owned(), within: within?.to_owned(), by })
}

/// The number is the only thing that fills its attribute.
fn numbered(scope: &Scope<'_>, name: &str, place: Place, filled: &mut Filled) {
    let model = scope.model;
    let said = match model.attr(&model.after, scope.target, name) {
        Found::Yes(attr) if attr.ty != Type::Number => {
            format!("rows are numbered, {} is {}", quoted(name), words(attr.ty))
        }
        Found::Yes(attr) if attr.unique => format!("{} is unique (`*`)", quoted(name)),
        Found::No => no_attr(&model.after, scope.target, name),
        Found::Yes(_) | Found::Unsure => String::new(),
    };
    if !said.is_empty() {
        scope.misfits.add(place, said);
    }
    if filled.insert(name.to_owned(), place).is_some() {
        scope.misfits.add(place, format!("{} is filled by a case already", quoted(name)));
    }
}

/// `drop = […]`: legacy attributes without a home, which no rule reads.
pub(super) fn drop<'a>(scope: &Scope<'a>, fields: &Fields<'a>) -> Vec<(&'a str, Place)> {
    let mut seen = BTreeSet::new();
    let named = fields.texts("drop").unwrap_or_default();
    for (name, place) in &named {
        if let Found::No = scope.model.attr(&scope.model.before, scope.source, name) {
            scope.misfits.add(*place, no_attr(&scope.model.before, scope.source, name));
        }
        if !seen.insert(*name) {
            scope.misfits.add(*place, format!("{} stands twice", quoted(name)));
        }
    }
    named
}
