//! Rules of target attributes.

use std::collections::BTreeMap;

use super::fields::{Fields, wrong};
use super::misfit::{Place, hint, quoted};
use super::model::{Found, no_attr, words};
use super::picks::{self, Gives};
use super::transforms::Scope;
use super::tree::{Entry, Node, Value};
use super::{AttrRule, Constant, Otherwise, Pick, Piece, Template, Values};
use crate::schema::{Attr, Type};

const KEYS: [&str; 8] =
    ["from", "else", "missing", "values", "fold_case", "otherwise", "ref", "template"];

/// Reads the rules of a transform's attributes.
pub(super) fn read<'a>(scope: &Scope<'a>, fields: &Fields<'a>) -> Vec<AttrRule> {
    fields.entries().iter().filter_map(|entry| rule(scope, entry)).collect()
}

fn rule(scope: &Scope<'_>, entry: &Entry) -> Option<AttrRule> {
    let model = scope.model;
    let attr = model.attr(&model.after, scope.target, &entry.key);
    if let Found::No = attr {
        scope.misfits.add(entry.place, no_attr(&model.after, scope.target, &entry.key));
    }
    let fields = Fields::open(&entry.node, &entry.key, &KEYS, scope.misfits)?;
    let attr = attr.yes();
    if fields.get("template").is_some() {
        return built(scope, &entry.key, &fields, attr);
    }
    let from = picks::read(scope, &fields, attr);
    let otherwise = fields.get("else");
    let otherwise =
        otherwise.and_then(|node| Fields::open(node, "else", &["template"], scope.misfits));
    let template = otherwise.and_then(|fields| template(scope, &fields, attr));
    let missing = fields.get("missing").and_then(|node| constant(scope, node, "missing", attr));
    let nothing = ["from", "else", "missing"].iter().all(|key| fields.get(key).is_none());
    let empty = fields.get("from").is_some() && from.is_empty();
    if nothing || (empty && fields.get("else").is_none() && fields.get("missing").is_none()) {
        scope.misfits.add(fields.place(), format!("{} comes from nowhere", quoted(&entry.key)));
    }
    let values = values(scope, &fields, attr);
    let refers = fields.text("ref").map(str::to_owned);
    if let (Some(entity), Some(node)) = (&refers, fields.get("ref")) {
        refers_to(scope, entity, node.place, attr);
    }
    if let (Some(entity), Some(node)) = (&refers, fields.get("from"))
        && model.before.entity(entity).is_some()
    {
        picks::same_entity(scope, entity, node);
    }
    let from = from.into_iter().map(|(pick, _)| pick).collect();
    let attr = entry.key.clone();
    Some(AttrRule { attr, built: None, from, template, missing, values, refers })
}

/// `{ template = "…" }` alone: the text is always built.
fn built(
    scope: &Scope<'_>,
    name: &str,
    fields: &Fields<'_>,
    attr: Option<&Attr>,
) -> Option<AttrRule> {
    for entry in fields.entries().iter().filter(|entry| entry.key != "template") {
        let said = format!("{} says nothing beside `template`", quoted(&entry.key));
        scope.misfits.add(entry.place, said);
    }
    let built = Some(template(scope, fields, attr)?);
    let (attr, from) = (name.to_owned(), Vec::new());
    let (template, missing, values, refers) = (None, None, None, None);
    Some(AttrRule { attr, built, from, template, missing, values, refers })
}

/// Gives the attributes without a rule, where the source has one of their name, that one.
pub(super) fn carry(
    scope: &Scope<'_>,
    place: Place,
    rules: &mut Vec<AttrRule>,
    places: &mut BTreeMap<String, Place>,
) {
    let model = scope.model;
    let declared = model.after.entity(scope.target).map_or(&[][..], |entity| &entity.attrs);
    for attr in declared.iter().filter(|attr| !places.contains_key(&attr.name)).collect::<Vec<_>>()
    {
        let Found::Yes(from) = model.attr(&model.before, scope.source, &attr.name) else {
            continue;
        };
        picks::fits(scope, (&attr.name, Gives::Typed(from.ty)), place, Some(attr));
        rules.push(AttrRule {
            attr: attr.name.clone(),
            built: None,
            from: vec![Pick::Attr(from.name.clone())],
            template: None,
            missing: None,
            values: None,
            refers: None,
        });
        places.insert(attr.name.clone(), place);
    }
}

/// `template = "…"`: texts and `{names}` of the same target row.
pub(super) fn template(
    scope: &Scope<'_>,
    fields: &Fields<'_>,
    attr: Option<&Attr>,
) -> Option<Template> {
    let said = fields.need_text("template")?;
    let place = fields.get("template").map_or(fields.place(), |node| node.place);
    if let Some(attr) = attr.filter(|attr| attr.ty != Type::String) {
        let said =
            format!("a template gives a string, {} is {}", quoted(&attr.name), words(attr.ty));
        scope.misfits.add(place, said);
    }
    let mut pieces = Vec::new();
    let mut rest = said;
    while let Some(at) = rest.find(['{', '}']) {
        let (text, after) = rest.split_at(at);
        let name = after.strip_prefix('{').and_then(|after| after.split_once('}'));
        let Some((name, after)) = name.filter(|(name, _)| !name.contains('{')) else {
            scope
                .misfits
                .add(place, "a brace of the template is open: `{name}` names an attribute");
            return None;
        };
        if !text.is_empty() {
            pieces.push(Piece::Text(text.to_owned()));
        }
        template_name(scope, name, place);
        pieces.push(Piece::Attr(name.to_owned()));
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    Some(Template { pieces })
}

fn template_name(scope: &Scope<'_>, name: &str, place: Place) {
    let model = scope.model;
    let said = match model.attr(&model.after, scope.target, name) {
        Found::Yes(attr) if matches!(attr.ty, Type::Any | Type::Date) => {
            format!("{} is {}, which has no one text", quoted(name), words(attr.ty))
        }
        Found::No => no_attr(&model.after, scope.target, name),
        Found::Yes(_) | Found::Unsure => return,
    };
    scope.misfits.add(place, said);
}

/// A constant that fits the attribute.
pub(super) fn constant(
    scope: &Scope<'_>,
    node: &Node,
    name: &str,
    attr: Option<&Attr>,
) -> Option<Constant> {
    #[allow(clippy::cast_precision_loss, reason = "a number of the store is a double")]
    let (constant, ty) = match &node.value {
        Value::Text(text) => (Constant::Text(text.clone()), Type::String),
        Value::Whole(number) => (Constant::Number(*number as f64), Type::Number),
        Value::Number(number) if number.is_finite() => (Constant::Number(*number), Type::Number),
        Value::Boolean(is) => (Constant::Boolean(*is), Type::Boolean),
        _ => {
            wrong(node, name, "a text, a number, `true` or `false`", scope.misfits);
            return None;
        }
    };
    if let Some(attr) = attr.filter(|attr| attr.ty != ty && attr.ty != Type::Any) {
        let target = quoted(&format!("{}.{}", scope.target, attr.name));
        let said = format!("{} is {}, {target} is {}", quoted(name), node.kind(), words(attr.ty));
        scope.misfits.add(node.place, said);
    }
    Some(constant)
}

fn values(scope: &Scope<'_>, fields: &Fields<'_>, attr: Option<&Attr>) -> Option<Values> {
    let Some(node) = fields.get("values") else {
        for key in ["fold_case", "otherwise"] {
            if let Some(node) = fields.get(key) {
                scope.misfits.add(node.place, format!("`{key}` says nothing without `values`"));
            }
        }
        return None;
    };
    let fold_case = fields.flag("fold_case");
    let otherwise = fields.get("otherwise").and_then(|node| otherwise(scope, node, attr));
    let table = Fields::map(node, "values", scope.misfits)?;
    if table.entries().is_empty() {
        scope.misfits.add(node.place, "`values` lists no value");
    }
    if let Some(attr) = attr.filter(|attr| attr.ty != Type::String) {
        let said = format!("`values` maps strings, {} is {}", quoted(&attr.name), words(attr.ty));
        scope.misfits.add(node.place, said);
    }
    let mut map: Vec<(String, String)> = Vec::new();
    let mut folded: BTreeMap<String, (String, String)> = BTreeMap::new();
    for entry in table.entries() {
        let Some(to) = table.text(&entry.key) else { continue };
        let pair = (entry.key.clone(), to.to_owned());
        let other = folded.insert(entry.key.to_ascii_lowercase(), pair.clone());
        if let Some((other, _)) = other.filter(|(_, there)| fold_case && there != to) {
            let said =
                format!("{} and {} differ by case alone", quoted(&entry.key), quoted(&other));
            scope.misfits.add(entry.place, format!("{said}, and case is folded"));
        }
        map.push(pair);
    }
    Some(Values { map, fold_case, otherwise: otherwise.unwrap_or(Otherwise::Keep) })
}

/// `"keep"`, `"quarantine"` or `{ value = … }`.
fn otherwise(scope: &Scope<'_>, node: &Node, attr: Option<&Attr>) -> Option<Otherwise> {
    match &node.value {
        Value::Text(text) if text == "keep" => Some(Otherwise::Keep),
        Value::Text(text) if text == "quarantine" => Some(Otherwise::Quarantine),
        Value::Table(_) => {
            let fields = Fields::open(node, "otherwise", &["value"], scope.misfits)?;
            let value = fields.need("value")?;
            constant(scope, value, "value", attr).map(Otherwise::Value)
        }
        _ => {
            let said = "`otherwise` must be `keep`, `quarantine` or a table with a `value`";
            scope.misfits.add(node.place, said);
            None
        }
    }
}

/// `ref`: the value is the id of a row of a legacy entity that is migrated.
fn refers_to(scope: &Scope<'_>, entity: &str, place: Place, attr: Option<&Attr>) {
    let before = &scope.model.before;
    if before.entity(entity).is_none() {
        let known = before.entities.iter().map(|entity| entity.name.as_str());
        let said = format!("no legacy entity {} is declared", quoted(entity));
        scope.misfits.add(place, format!("{said}{}", hint(entity, known)));
    } else if !scope.becomes.has_id(entity) {
        scope.misfits.add(place, format!("ids of {} have no one target id", quoted(entity)));
    }
    if let Some(attr) = attr.filter(|attr| attr.ty != Type::String) {
        let said = format!("`ref` gives an id, {} is {}", quoted(&attr.name), words(attr.ty));
        scope.misfits.add(place, said);
    }
}
