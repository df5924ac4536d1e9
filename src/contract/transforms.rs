//! Section 4: the transforms, each with its id, order and the names its rules meet.

use std::collections::BTreeMap;

use super::fields::Fields;
use super::misfit::{Misfits, Place, quoted};
use super::model::{self, Column, Found, Model, declared, no_attr, no_column};
use super::tree::Node;
use super::{AttrRule, IdRule, LinkRule, Transform, attrs, cases, links};
use crate::schema::{Has, Type};

/// A transform as read, with the places that later checks name.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) transform: Transform,
    pub(super) place: Place,
    /// Where the rule of each attribute stands, also of one that could not be read.
    pub(super) attrs: BTreeMap<String, Place>,
    /// Where the rule of each link stands, also of one that could not be read.
    pub(super) links: BTreeMap<String, Place>,
}

/// Which legacy entity becomes which target entity.
#[derive(Debug, Default)]
pub(super) struct Becomes {
    pairs: Vec<(String, String)>,
    /// Legacy entities whose ids have one target id.
    ids: BTreeMap<String, usize>,
    /// A transform did not say its entities: nothing is said to be missing.
    unsure: bool,
}

impl Becomes {
    /// Whether rows of `entity` are, or become, rows of the target entity `target`.
    pub(super) fn leads(&self, entity: &str, target: &str) -> bool {
        let is = |(from, to): &(String, String)| from == entity && to == target;
        self.unsure
            || entity.is_empty()
            || target.is_empty()
            || entity == target
            || self.pairs.iter().any(is)
    }

    /// Whether a transform out of `source` fills `target`.
    pub(super) fn fills(&self, source: &str, target: &str) -> bool {
        self.unsure || self.pairs.iter().any(|(from, to)| from == source && to == target)
    }

    /// Whether any transform fills or reads the entity.
    pub(super) fn knows(&self, entity: &str) -> bool {
        self.unsure || self.pairs.iter().any(|(from, to)| from == entity || to == entity)
    }

    /// Whether no more than one transform reads the legacy entity.
    pub(super) fn is_only(&self, source: &str) -> bool {
        self.unsure || self.pairs.iter().filter(|(from, _)| from == source).count() < 2
    }

    /// Whether an id of a legacy row has exactly one target id.
    pub(super) fn has_id(&self, entity: &str) -> bool {
        self.unsure || self.ids.get(entity) == Some(&1)
    }
}

/// What the rules of one transform see.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) model: &'a Model,
    pub(super) becomes: &'a Becomes,
    pub(super) misfits: &'a Misfits,
    pub(super) source: &'a str,
    pub(super) target: &'a str,
    /// The version of the contract's format.
    pub(super) format: u32,
}

const KEYS: [&str; 12] = [
    "target",
    "source",
    "id",
    "adopt",
    "order",
    "idempotency",
    "attrs",
    "links",
    "explode",
    "number",
    "drop",
    "case",
];

/// Reads all transforms. With `carry`, attributes without a rule come from the same name.
pub(super) fn read(
    root: &Fields<'_>,
    model: &Model,
    (format, carry): (u32, bool),
) -> (Vec<Read>, Becomes) {
    let misfits = root.misfits;
    let nodes = root.need("transform");
    let nodes = nodes.and_then(|node| super::fields::list(node, "transform", misfits));
    let mut becomes = Becomes { unsure: nodes.is_none(), ..Becomes::default() };
    let mut heads = Vec::new();
    for node in nodes.unwrap_or_default() {
        match Fields::open(node, "transform", &KEYS, misfits) {
            Some(fields) => heads.push(head(fields, model, &mut becomes)),
            None => becomes.unsure = true,
        }
    }
    becomes.ids = target_ids(&heads);
    let read = heads.iter().map(|(fields, source, target)| {
        let scope = Scope { model, becomes: &becomes, misfits, source, target, format };
        scope.transform(fields, carry)
    });
    let read = read.collect();
    (read, becomes)
}

type Head<'a> = (Fields<'a>, &'a str, &'a str);

fn head<'a>(fields: Fields<'a>, model: &Model, becomes: &mut Becomes) -> Head<'a> {
    let source = declared(&fields, "source", &[&model.before]);
    let target = declared(&fields, "target", &[&model.after]);
    becomes.unsure |= source.is_none() || target.is_none();
    let (source, target) = (source.unwrap_or_default(), target.unwrap_or_default());
    if !target.is_empty() && becomes.pairs.iter().any(|(_, other)| other == target) {
        let place = fields.get("target").map_or(fields.place(), |node| node.place);
        fields.misfits.add(place, format!("{} has a transform already", quoted(target)));
    }
    becomes.pairs.push((source.to_owned(), target.to_owned()));
    (fields, source, target)
}

/// How many target ids an id of each legacy entity has: of several transforms, those count that
/// keep the row's own id.
fn target_ids(heads: &[Head<'_>]) -> BTreeMap<String, usize> {
    let mut all: BTreeMap<String, usize> = BTreeMap::new();
    let mut kept: BTreeMap<String, usize> = BTreeMap::new();
    for (fields, source, _) in heads {
        *all.entry((*source).to_owned()).or_default() += 1;
        let from = fields.get("id").and_then(|id| id.get("from"));
        let texts = from.map(|node| match &node.value {
            super::tree::Value::List(items) => &items[..],
            _ => &[],
        });
        let own =
            |node: &Node| matches!(&node.value, super::tree::Value::Text(text) if text == "id");
        if texts.unwrap_or_default().iter().any(own) {
            *kept.entry((*source).to_owned()).or_default() += 1;
        }
    }
    for (source, count) in &mut all {
        if *count > 1 {
            *count = kept.get(source).copied().unwrap_or_default();
        }
    }
    all
}

impl<'a> Scope<'a> {
    fn transform(&self, fields: &Fields<'a>, carry: bool) -> Read {
        let misfits = self.misfits;
        let id = fields.need("id").map_or_else(no_id, |node| self.id(node));
        let adopt = fields.texts("adopt").unwrap_or_default();
        let adopt = adopt.into_iter().inspect(|(name, place)| self.unique(name, *place));
        let order = fields.need_texts("order");
        if order.as_ref().is_some_and(Vec::is_empty) {
            misfits.add(fields.place(), "`order` names nothing; name `id` at least");
        }
        let order = order.unwrap_or_default();
        let order = order.into_iter().inspect(|(name, place)| self.ordered(name, *place));
        let idempotency = fields.need_text("idempotency").unwrap_or_default();
        if let Some(node) = fields.get("idempotency").filter(|_| idempotency != "id") {
            self.unique(idempotency, node.place);
        }
        let owned = |(name, _): (&str, Place)| name.to_owned();
        let map = |key| fields.get(key).and_then(|node| Fields::map(node, key, misfits));
        let (attrs, links) = (map("attrs"), map("links"));
        let mut filled = cases::Filled::new();
        let explode = cases::explode(self, fields, &mut filled);
        let number = cases::number(self, fields, &mut filled);
        let drop = cases::drop(self, fields);
        let mut transform = Transform {
            target: self.target.to_owned(),
            source: self.source.to_owned(),
            id,
            adopt: adopt.map(owned).collect(),
            order: order.map(owned).collect(),
            idempotency: idempotency.to_owned(),
            attrs: attrs.map_or_else(Vec::new, |attrs| attrs::read(self, &attrs)),
            links: links.map_or_else(Vec::new, |links| links::read(self, &links)),
            explode,
            number,
            drop: drop.iter().copied().map(owned).collect(),
        };
        let (mut attrs, links) = (places(attrs.as_ref()), places(links.as_ref()));
        for (name, place) in filled {
            if attrs.insert(name.clone(), place).is_some() {
                misfits.add(place, format!("{} has a rule of its own already", quoted(&name)));
            }
        }
        super::splits::check(self, &transform, fields, &drop);
        if carry {
            attrs::carry(self, fields.place(), &mut transform.attrs, &mut attrs);
        }
        self.sort(&mut transform.attrs, &mut transform.links);
        Read { transform, place: fields.place(), attrs, links }
    }

    /// Puts the rules in the order of the target model.
    fn sort(&self, attrs: &mut [AttrRule], links: &mut [LinkRule]) {
        let after = &self.model.after;
        let declared = after.entity(self.target).map_or(&[][..], |entity| &entity.attrs);
        attrs.sort_by_key(|rule| declared.iter().position(|attr| attr.name == rule.attr));
        links.sort_by_key(|rule| {
            let is =
                |link: &crate::schema::Link| link.on == self.target && link.label == rule.label;
            after.links.iter().position(is)
        });
    }

    fn id(&self, node: &'a Node) -> IdRule {
        let Some(fields) = Fields::open(node, "id", &["from", "else"], self.misfits) else {
            return no_id();
        };
        let otherwise = fields.get("else");
        let from =
            if otherwise.is_some() { fields.texts("from") } else { fields.need_texts("from") };
        let from = from.unwrap_or_default();
        if from.is_empty() && otherwise.is_none() && fields.get("from").is_some() {
            self.misfits.add(node.place, "`id` comes from nowhere: `from` names nothing");
        }
        for (name, place) in &from {
            self.id_place(name, *place);
        }
        let otherwise =
            otherwise.and_then(|node| Fields::open(node, "else", &["derive"], self.misfits));
        let derive = otherwise.and_then(|fields| fields.need_texts("derive"));
        for (name, place) in derive.iter().flatten() {
            self.derived(name, *place);
        }
        if let (Some([]), Some(fields)) = (derive.as_deref(), otherwise) {
            self.misfits.add(fields.place(), "`derive` names nothing to derive from");
        }
        let owned = |(name, _): (&str, Place)| name.to_owned();
        IdRule {
            from: from.into_iter().map(owned).collect(),
            derive: derive.map(|names| names.into_iter().map(owned).collect()),
        }
    }

    /// An id is the row's own, a text or number of it, or a row of the target it links to.
    fn id_place(&self, name: &str, place: Place) {
        let said = match self.model.column(&self.model.before, self.source, name) {
            Found::Yes(Column::Attr(attr)) if !matches!(attr.ty, Type::String | Type::Number) => {
                format!("{} is {}, an id is a string", quoted(name), model::words(attr.ty))
            }
            Found::Yes(Column::Link(link)) if link.has == Has::Many => many(name),
            Found::Yes(Column::Link(link)) if link.to != self.target => {
                format!(
                    "{} leads to {}, not to {}",
                    quoted(name),
                    quoted(&link.to),
                    quoted(self.target)
                )
            }
            Found::No => no_column(&self.model.before, self.source, name),
            Found::Yes(_) | Found::Unsure => return,
        };
        self.misfits.add(place, said);
    }

    fn derived(&self, name: &str, place: Place) {
        let said = match self.model.column(&self.model.before, self.source, name) {
            Found::Yes(Column::Attr(attr)) if matches!(attr.ty, Type::Any | Type::Date) => {
                format!("{} is {}, which has no one text", quoted(name), model::words(attr.ty))
            }
            Found::Yes(Column::Link(link)) if link.has == Has::Many => many(name),
            Found::No => no_column(&self.model.before, self.source, name),
            Found::Yes(_) | Found::Unsure => return,
        };
        self.misfits.add(place, said);
    }

    /// A target attribute that no two rows share.
    fn unique(&self, name: &str, place: Place) {
        let said = match self.model.attr(&self.model.after, self.target, name) {
            Found::Yes(attr) if !attr.unique => {
                format!("{} of {} is not unique (`*`)", quoted(name), quoted(self.target))
            }
            Found::No => no_attr(&self.model.after, self.target, name),
            Found::Yes(_) | Found::Unsure => return,
        };
        self.misfits.add(place, said);
    }

    /// A target attribute, or `id`, that has an order.
    fn ordered(&self, name: &str, place: Place) {
        let said = match self.model.attr(&self.model.after, self.target, name) {
            Found::Yes(attr) if attr.ty == Type::Any => {
                format!("{} is {}, which has no order", quoted(name), model::words(attr.ty))
            }
            Found::No if name != "id" => no_attr(&self.model.after, self.target, name),
            Found::Yes(_) | Found::No | Found::Unsure => return,
        };
        self.misfits.add(place, said);
    }
}

/// Says that a link holds many rows where one is wanted.
pub(super) fn many(label: &str) -> String {
    format!("{} holds many rows, a rule wants one", quoted(label))
}

fn no_id() -> IdRule {
    IdRule { from: Vec::new(), derive: None }
}

fn places(fields: Option<&Fields<'_>>) -> BTreeMap<String, Place> {
    let entries = fields.map_or(&[][..], |fields| fields.entries());
    entries.iter().map(|entry| (entry.key.clone(), entry.place)).collect()
}
