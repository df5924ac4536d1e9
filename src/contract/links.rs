//! Rules of has-one target links.

use super::fields::{Fields, list, wrong};
use super::misfit::{Place, hint, quoted};
use super::model::{Found, no_attr, no_link, words};
use super::transforms::{Scope, many};
use super::tree::{Entry, Node, Value};
use super::{Hop, Latest, LinkHow, LinkPick, LinkRule, Required};
use crate::schema::{Has, Link, Type};

const KEYS: [&str; 6] = ["from", "else", "same_row", "via", "take", "required"];

/// Reads the rules of a transform's links.
pub(super) fn read<'a>(scope: &Scope<'a>, fields: &Fields<'a>) -> Vec<LinkRule> {
    fields.entries().iter().filter_map(|entry| rule(scope, entry)).collect()
}

fn rule(scope: &Scope<'_>, entry: &Entry) -> Option<LinkRule> {
    let model = scope.model;
    let to = match model.link(&model.after, scope.target, &entry.key) {
        Found::Yes(link) if link.has == Has::Many => {
            scope.misfits.add(entry.place, many(&entry.key));
            ""
        }
        Found::Yes(link) => &link.to,
        Found::No => {
            let said = no_link(&model.after, scope.target, &entry.key);
            scope.misfits.add(entry.place, said);
            ""
        }
        Found::Unsure => "",
    };
    let fields = Fields::open(&entry.node, &entry.key, &KEYS, scope.misfits)?;
    let required = fields.get("required").map_or(Required::No, |node| required(scope, node));
    let how = how(scope, &fields, to)?;
    Some(LinkRule { label: entry.key.clone(), how, required })
}

fn required(scope: &Scope<'_>, node: &Node) -> Required {
    match &node.value {
        Value::Boolean(true) => Required::Yes,
        Value::Boolean(false) => Required::No,
        Value::Text(text) if text == "when source exists" => Required::WhenSourceExists,
        _ => {
            let wanted = "`true`, `false` or \"when source exists\"";
            wrong(node, "required", wanted, scope.misfits);
            Required::No
        }
    }
}

/// One of `from` (with `else`), `same_row`, and `via` with `take`. An empty `to` is not judged.
fn how(scope: &Scope<'_>, fields: &Fields<'_>, to: &str) -> Option<LinkHow> {
    let has = |keys: &[&str]| keys.iter().any(|key| fields.get(key).is_some());
    let ways = [has(&["from", "else"]), has(&["same_row"]), has(&["via", "take"])];
    match ways {
        [true, false, false] => from(scope, fields, to),
        [false, true, false] => same_row(scope, fields, to),
        [false, false, true] => via(scope, fields, to),
        _ => {
            let said = "a link has one of `from`, `same_row`, and `via` with `take`";
            scope.misfits.add(fields.place(), said);
            None
        }
    }
}

fn from(scope: &Scope<'_>, fields: &Fields<'_>, to: &str) -> Option<LinkHow> {
    let node = if fields.get("else").is_some() { fields.get("from") } else { fields.need("from") };
    let items = node.map_or(Some(&[][..]), |node| list(node, "from", scope.misfits))?;
    if items.is_empty() && fields.get("from").is_some() && fields.get("else").is_none() {
        scope.misfits.add(fields.place(), "the link comes from nowhere: `from` names nothing");
    }
    let picks = items.iter().filter_map(|item| pick(scope, item, to)).collect();
    let latest = fields.get("else").and_then(|node| latest(scope, node, to));
    Some(LinkHow::From { picks, latest })
}

fn pick(scope: &Scope<'_>, node: &Node, to: &str) -> Option<LinkPick> {
    let model = scope.model;
    match &node.value {
        Value::Text(said) if said.contains('.') => over(scope, said, node.place, to),
        Value::Text(label) => {
            match model.link(&model.before, scope.source, label) {
                Found::Yes(link) if link.has == Has::Many => {
                    scope.misfits.add(node.place, many(label));
                }
                Found::Yes(link) => leads(scope, label, &link.to, to, node.place),
                Found::No => {
                    let said = no_link(&model.before, scope.source, label);
                    scope.misfits.add(node.place, said);
                }
                Found::Unsure => {}
            }
            Some(LinkPick::Link(label.clone()))
        }
        Value::Table(_) if node.get("reverse").is_some() => reverse(scope, node, to),
        Value::Table(_) => key(scope, node, to),
        _ => {
            wrong(node, "an element of `from`", "a label or a table", scope.misfits);
            None
        }
    }
}

/// Notes a link pick whose rows do not become rows of the entity the link wants.
fn leads(scope: &Scope<'_>, said: &str, entity: &str, to: &str, place: Place) {
    if scope.becomes.leads(entity, to) {
        return;
    }
    let what = if said == entity {
        quoted(entity)
    } else {
        format!("{} leads to {}, which", quoted(said), quoted(entity))
    };
    scope.misfits.add(place, format!("{what} does not become {}", quoted(to)));
}

/// A legacy entity that `entity.name` begins with, and the name.
fn dotted<'a>(scope: &Scope<'_>, said: &'a str, place: Place) -> Option<(&'a str, &'a str)> {
    let Some((entity, name)) = said.split_once('.') else {
        let said = format!("{} must name a legacy entity and something of it", quoted(said));
        scope.misfits.add(place, format!("{said}, as `entity.name`"));
        return None;
    };
    known(scope, entity, place).then_some((entity, name))
}

/// Whether the legacy entity is declared; a misfit when not.
fn known(scope: &Scope<'_>, entity: &str, place: Place) -> bool {
    let before = &scope.model.before;
    let is = before.entity(entity).is_some();
    if !is {
        let hint = hint(entity, before.entities.iter().map(|entity| entity.name.as_str()));
        scope.misfits.add(place, format!("no legacy entity {} is declared{hint}", quoted(entity)));
    }
    is
}

/// `"link.label"`: the link of the row that a legacy link leads to.
fn over(scope: &Scope<'_>, said: &str, place: Place, to: &str) -> Option<LinkPick> {
    let model = scope.model;
    let (label, take) = said.split_once('.')?;
    match model.link(&model.before, scope.source, label) {
        Found::Yes(link) if link.has == Has::Many => scope.misfits.add(place, many(label)),
        Found::Yes(link) if model.before.entity(&link.to).is_some() => {
            next(scope, (said, &link.to, take), place, to);
        }
        Found::Yes(link) if !link.to.is_empty() => {
            let what = format!("{} leads to {}", quoted(label), quoted(&link.to));
            scope
                .misfits
                .add(place, format!("{what} of the target model, whose links are not read"));
        }
        Found::No => scope.misfits.add(place, no_link(&model.before, scope.source, label)),
        Found::Yes(_) | Found::Unsure => {}
    }
    Some(LinkPick::Over { by: Hop::Link(label.to_owned()), take: take.to_owned() })
}

/// The second of two hops: a has-one link of a legacy entity that leads where it must.
fn next(scope: &Scope<'_>, (said, entity, take): (&str, &str, &str), place: Place, to: &str) {
    let model = scope.model;
    match model.link(&model.before, entity, take) {
        Found::Yes(link) if link.has == Has::Many => scope.misfits.add(place, many(take)),
        Found::Yes(link) => leads(scope, said, &link.to, to, place),
        Found::No => scope.misfits.add(place, no_link(&model.before, entity, take)),
        Found::Unsure => {}
    }
}

/// `{ reverse = "entity.label" }`, or the label alone where only one entity has it; with `take` a
/// link of that row.
fn reverse(scope: &Scope<'_>, node: &Node, to: &str) -> Option<LinkPick> {
    let fields = Fields::open(node, "from", &["reverse", "take"], scope.misfits)?;
    let said = fields.text("reverse")?;
    let place = fields.get("reverse").map_or(node.place, |node| node.place);
    let before = &scope.model.before;
    let (entity, label) = if said.contains('.') {
        dotted(scope, said, place)?
    } else {
        let here = |link: &&Link| link.label == said && link.to == scope.source;
        let mut holders = before.links.iter().filter(here);
        match (holders.next(), holders.next()) {
            (Some(link), None) => (link.on.as_str(), said),
            (first, _) => {
                let many = if first.is_some() { "several entities have" } else { "no entity has" };
                let what = format!("{many} a link {} to {}", quoted(said), quoted(scope.source));
                scope.misfits.add(place, format!("{what}; name one, as `entity.label`"));
                return None;
            }
        }
    };
    let take = fields.text("take");
    if let Some(link) = points_here(scope, entity, label, place) {
        if link.has == Has::Many {
            scope.misfits.add(place, many(label));
        }
        match (take, fields.get("take")) {
            (Some(take), Some(node)) => {
                next(scope, (&format!("{entity}.{take}"), entity, take), node.place, to);
            }
            _ => leads(scope, entity, entity, to, place),
        }
    }
    let (entity, label) = (entity.to_owned(), label.to_owned());
    Some(match take {
        Some(take) => LinkPick::Over { by: Hop::Reverse { entity, label }, take: take.to_owned() },
        None => LinkPick::Reverse { entity, label },
    })
}

/// The link of another legacy entity that leads to this transform's source.
fn points_here<'a>(scope: &Scope<'a>, entity: &str, label: &str, place: Place) -> Option<&'a Link> {
    let model = scope.model;
    match model.link(&model.before, entity, label) {
        Found::Yes(link) if link.to != scope.source && !scope.source.is_empty() => {
            let said =
                format!("{} leads to {}", quoted(&format!("{entity}.{label}")), quoted(&link.to));
            scope.misfits.add(place, format!("{said}, not to {}", quoted(scope.source)));
            None
        }
        Found::Yes(link) => Some(link),
        Found::No => {
            scope.misfits.add(place, no_link(&model.before, entity, label));
            None
        }
        Found::Unsure => None,
    }
}

/// `{ attr = "…", key = "entity.attr" }`.
fn key(scope: &Scope<'_>, node: &Node, to: &str) -> Option<LinkPick> {
    let fields = Fields::open(node, "from", &["attr", "key", "reverse"], scope.misfits)?;
    let (attr, said) = (fields.need_text("attr"), fields.need_text("key"));
    let (attr, said) = (attr?, said?);
    let at = |key| fields.get(key).map_or(node.place, |node| node.place);
    let own = lookup(scope, scope.source, attr, at("attr"));
    let (entity, name) = dotted(scope, said, at("key"))?;
    let theirs = lookup(scope, entity, name, at("key"));
    if let (Some(own), Some(theirs)) = (own, theirs)
        && own != theirs
    {
        let what = format!("{} is {}", quoted(attr), words(own));
        scope.misfits.add(node.place, format!("{what}, {} is {}", quoted(said), words(theirs)));
    }
    leads(scope, entity, entity, to, at("key"));
    let (attr, entity, key) = (attr.to_owned(), entity.to_owned(), name.to_owned());
    Some(LinkPick::Key { attr, entity, key })
}

/// The type of a legacy attribute by which a row is looked up.
fn lookup(scope: &Scope<'_>, entity: &str, name: &str, place: Place) -> Option<Type> {
    let model = scope.model;
    match model.attr(&model.before, entity, name) {
        Found::Yes(attr) if attr.ty == Type::Any => {
            let said = format!("{} is {}, which is no key", quoted(name), words(attr.ty));
            scope.misfits.add(place, said);
            None
        }
        Found::Yes(attr) => Some(attr.ty),
        Found::No => {
            scope.misfits.add(place, no_attr(&model.before, entity, name));
            None
        }
        Found::Unsure => None,
    }
}

/// `else = { latest = "entity", of = "label", by = […] }`.
fn latest(scope: &Scope<'_>, node: &Node, to: &str) -> Option<Latest> {
    let fields = Fields::open(node, "else", &["latest", "of", "by"], scope.misfits)?;
    let (entity, of) = (fields.need_text("latest"), fields.need_text("of"));
    let by = fields.need_texts("by");
    let (entity, of, by) = (entity?, of?, by?);
    let at = |key| fields.get(key).map_or(node.place, |node| node.place);
    if !known(scope, entity, at("latest")) {
        return None;
    }
    if points_here(scope, entity, of, at("of")).is_some_and(|link| link.has == Has::Many) {
        scope.misfits.add(at("of"), many(of));
    }
    leads(scope, entity, entity, to, at("latest"));
    if by.is_empty() {
        scope.misfits.add(at("by"), "`by` names no order");
    }
    for (name, place) in &by {
        super::written::ordered(scope.model, entity, (name, *place), scope.misfits);
    }
    let by = by.into_iter().map(|(name, _)| name.to_owned()).collect();
    Some(Latest { entity: entity.to_owned(), of: of.to_owned(), by })
}

/// `same_row = "target entity"`: what the same legacy row became there.
fn same_row(scope: &Scope<'_>, fields: &Fields<'_>, to: &str) -> Option<LinkHow> {
    let target = fields.text("same_row")?;
    let place = fields.get("same_row").map_or(fields.place(), |node| node.place);
    let after = &scope.model.after;
    if after.entity(target).is_none() {
        let hint = hint(target, after.entities.iter().map(|entity| entity.name.as_str()));
        scope.misfits.add(place, format!("no target entity {} is declared{hint}", quoted(target)));
    } else if !to.is_empty() && target != to {
        scope
            .misfits
            .add(place, format!("the link leads to {}, not to {}", quoted(to), quoted(target)));
    } else if !scope.becomes.fills(scope.source, target) {
        let said = format!("no transform makes {} out of {}", quoted(target), quoted(scope.source));
        scope.misfits.add(place, said);
    }
    Some(LinkHow::SameRow { target: target.to_owned() })
}

/// `via = "link", take = "link of its row"`, both of the target model.
fn via(scope: &Scope<'_>, fields: &Fields<'_>, to: &str) -> Option<LinkHow> {
    let (link, take) = (fields.need_text("via"), fields.need_text("take"));
    let (link, take) = (link?, take?);
    let at = |key| fields.get(key).map_or(fields.place(), |node| node.place);
    if let Some(first) = step(scope, scope.target, link, at("via"))
        && let Some(next) = step(scope, &first.to, take, at("take"))
        && next.to != to
        && !to.is_empty()
    {
        let said = format!("{} leads to {}", quoted(&format!("{link}.{take}")), quoted(&next.to));
        scope.misfits.add(at("take"), format!("{said}, not to {}", quoted(to)));
    }
    Some(LinkHow::Via { link: link.to_owned(), take: take.to_owned() })
}

/// A has-one link of the target model.
fn step<'a>(scope: &Scope<'a>, entity: &str, label: &str, place: Place) -> Option<&'a Link> {
    let model = scope.model;
    match model.link(&model.after, entity, label) {
        Found::Yes(link) if link.has == Has::Many => {
            scope.misfits.add(place, many(label));
            None
        }
        Found::Yes(link) => Some(link),
        Found::No => {
            scope.misfits.add(place, no_link(&model.after, entity, label));
            None
        }
        Found::Unsure => None,
    }
}
