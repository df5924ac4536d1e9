//! Sections 2 and 3: the two models, and how a rule looks names up in them.

use std::collections::{BTreeMap, BTreeSet};

use super::Side;
use super::fields::{Fields, text};
use super::misfit::{Misfits, Place, hint, quoted};
use super::names;
use super::tree::Entry;
use crate::schema::{Attr, Entity, Has, Link, LinkRules, Schema, Type};

/// The two models, and what in them could not be read.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) before: Schema,
    pub(super) after: Schema,
    /// Attributes and links whose declaration is a misfit: what uses them is not judged.
    unsure: BTreeSet<(String, String)>,
    /// Entities that may have names that could not be read.
    unsure_entities: BTreeSet<String>,
    /// A link could not even be given to an entity.
    unsure_links: bool,
}

/// What looking a name up gave.
#[derive(Debug, Clone, Copy)]
pub(super) enum Found<T> {
    /// It is there.
    Yes(T),
    /// It is not there.
    No,
    /// It may be there, or is not what it should be: a misfit that was noted already.
    Unsure,
}

/// What a name of an entity stands for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Column<'a> {
    Id,
    Attr(&'a Attr),
    Link(&'a Link),
}

impl<T> Found<T> {
    /// What was found for sure.
    pub(super) fn yes(self) -> Option<T> {
        match self {
            Found::Yes(found) => Some(found),
            Found::No | Found::Unsure => None,
        }
    }
}

/// Reads both sides.
pub(super) fn read(root: &Fields<'_>) -> (Side, Side, Model) {
    let mut model = Model::default();
    let before = side(root, "before");
    let after = side(root, "after");
    model.before.entities = model.entities(before, false, root.misfits);
    model.after.entities = model.entities(after, true, root.misfits);
    model.links(before, true, root.misfits);
    model.links(after, false, root.misfits);
    names::check(&model, root);
    let side = |fields: Option<Fields<'_>>, schema: &Schema| Side {
        entrypoints: owned(fields, "entrypoints"),
        apis: owned(fields, "apis"),
        schema: schema.clone(),
    };
    (side(before, &model.before), side(after, &model.after), model)
}

fn side<'a>(root: &Fields<'a>, name: &'a str) -> Option<Fields<'a>> {
    let keys = ["entrypoints", "apis", "entities", "links", "rules"];
    let keys = if name == "after" { &keys[..] } else { &keys[..4] };
    Fields::open(root.need(name)?, name, keys, root.misfits)
}

fn owned(fields: Option<Fields<'_>>, key: &str) -> Vec<String> {
    let texts = fields.and_then(|fields| fields.need_texts(key)).unwrap_or_default();
    texts.into_iter().map(|(text, _)| text.to_owned()).collect()
}

impl Model {
    fn entities(
        &mut self,
        side: Option<Fields<'_>>,
        after: bool,
        misfits: &Misfits,
    ) -> Vec<Entity> {
        let node = side.and_then(|side| side.need("entities"));
        let Some(fields) = node.and_then(|node| Fields::map(node, "entities", misfits)) else {
            self.unsure_links = true;
            return Vec::new();
        };
        fields.entries().iter().map(|entry| self.entity(entry, after, misfits)).collect()
    }

    /// One entity. The app may always lack one of the target model.
    fn entity(&mut self, entry: &Entry, after: bool, misfits: &Misfits) -> Entity {
        let keys: &[&str] = if after { &["attrs"] } else { &["attrs", "optional"] };
        let fields = Fields::open(&entry.node, &entry.key, keys, misfits);
        let optional = after || fields.is_some_and(|fields| fields.flag("optional"));
        let attrs = fields
            .and_then(|fields| fields.need("attrs"))
            .and_then(|node| Fields::map(node, "attrs", misfits));
        if attrs.is_none() {
            self.unsure_entities.insert(entry.key.clone());
        }
        let attrs = attrs.map_or(&[][..], |attrs| attrs.entries());
        let attrs = attrs.iter().map(|attr| self.attr_of(&entry.key, attr, misfits)).collect();
        Entity { name: entry.key.clone(), attrs, optional }
    }

    fn attr_of(&mut self, entity: &str, entry: &Entry, misfits: &Misfits) -> Attr {
        let said = text(&entry.node, &entry.key, misfits);
        let attr = said.and_then(|said| attr_type(&entry.key, said, entry.node.place, misfits));
        attr.unwrap_or_else(|| {
            self.unsure.insert((entity.to_owned(), entry.key.clone()));
            let name = entry.key.clone();
            Attr { name, ty: Type::Any, required: false, unique: false, indexed: false }
        })
    }

    /// The links of one side. Those of the legacy model may lead to the target model.
    fn links(&mut self, side: Option<Fields<'_>>, before: bool, misfits: &Misfits) {
        let Some(links) = side.and_then(|side| side.get("links")) else { return };
        let Some(links) = Fields::map(links, "links", misfits) else {
            self.unsure_links = true;
            return;
        };
        for entry in links.entries() {
            let link = self.link_of(entry, before, misfits);
            let schema = if before { &mut self.before } else { &mut self.after };
            match link {
                Some(link) => schema.links.push(link),
                None => self.unsure_links = true,
            }
        }
    }

    fn link_of(&mut self, entry: &Entry, before: bool, misfits: &Misfits) -> Option<Link> {
        let keys = ["on", "label", "to", "reverse", "has", "reverse_has", "also"];
        let keys = if before { &keys[..] } else { &keys[..6] };
        let fields = Fields::open(&entry.node, &entry.key, keys, misfits)?;
        let ends = if before {
            [vec![&self.before], vec![&self.before, &self.after]]
        } else {
            [vec![&self.after], vec![&self.after]]
        };
        let on = declared(&fields, "on", &ends[0]);
        let to = declared(&fields, "to", &ends[1]);
        let (label, reverse) = (fields.need_text("label"), fields.need_text("reverse"));
        let (on, label) = (on?, label?);
        if to.is_none() || reverse.is_none() {
            self.unsure.insert((on.to_owned(), label.to_owned()));
        }
        let how_many = [("one", Has::One), ("many", Has::Many)];
        let also = fields.texts("also").unwrap_or_default();
        for (name, place) in &also {
            self.also(on, name, *place, misfits);
        }
        Some(Link {
            name: entry.key.clone(),
            on: on.to_owned(),
            label: label.to_owned(),
            has: fields.choice("has", &how_many).unwrap_or(Has::One),
            to: to.unwrap_or_default().to_owned(),
            reverse: reverse.map(str::to_owned),
            reverse_has: fields.choice("reverse_has", &how_many).unwrap_or(Has::Many),
            rules: LinkRules::default(),
            also: also.into_iter().map(|(name, _)| name.to_owned()).collect(),
        })
    }

    /// An attribute that may hold the id of a linked row is a text.
    fn also(&self, on: &str, name: &str, place: Place, misfits: &Misfits) {
        match self.attr(&self.before, on, name) {
            Found::Yes(attr) if attr.ty != Type::String => {
                let said = format!("{} is {}, an id is a string", quoted(name), words(attr.ty));
                misfits.add(place, said);
            }
            Found::No => misfits.add(place, no_attr(&self.before, on, name)),
            Found::Yes(_) | Found::Unsure => {}
        }
    }

    /// The attribute of an entity. An entity that is not declared was a misfit where it was named.
    pub(super) fn attr<'a>(
        &'a self,
        side: &'a Schema,
        entity: &str,
        name: &str,
    ) -> Found<&'a Attr> {
        let Some(declared) = side.entity(entity) else { return Found::Unsure };
        match declared.attr(name) {
            _ if self.unsure.contains(&(entity.to_owned(), name.to_owned())) => Found::Unsure,
            Some(attr) => Found::Yes(attr),
            None if self.unsure_entities.contains(entity) => Found::Unsure,
            None => Found::No,
        }
    }

    /// The link on the forward side of an entity.
    pub(super) fn link<'a>(
        &'a self,
        side: &'a Schema,
        entity: &str,
        label: &str,
    ) -> Found<&'a Link> {
        match side.link(entity, label) {
            _ if side.entity(entity).is_none() => Found::Unsure,
            _ if self.unsure.contains(&(entity.to_owned(), label.to_owned())) => Found::Unsure,
            Some(link) => Found::Yes(link),
            None if self.unsure_links => Found::Unsure,
            None => Found::No,
        }
    }

    /// The attribute or has-one link of an entity: what may be a column of its table.
    pub(super) fn column<'a>(
        &'a self,
        side: &'a Schema,
        entity: &str,
        name: &str,
    ) -> Found<Column<'a>> {
        if name == "id" {
            return Found::Yes(Column::Id);
        }
        match (self.attr(side, entity, name), self.link(side, entity, name)) {
            (Found::Yes(attr), _) => Found::Yes(Column::Attr(attr)),
            (Found::Unsure, _) | (Found::No, Found::Unsure) => Found::Unsure,
            (Found::No, Found::Yes(link)) => Found::Yes(Column::Link(link)),
            (Found::No, Found::No) => Found::No,
        }
    }
}

/// Says that an entity has no such attribute.
pub(super) fn no_attr(side: &Schema, entity: &str, name: &str) -> String {
    let attrs = side.entity(entity).map_or(&[][..], |entity| &entity.attrs);
    let hint = hint(name, attrs.iter().map(|attr| attr.name.as_str()));
    format!("{} has no attribute {}{hint}", quoted(entity), quoted(name))
}

/// Says that an entity has no such link.
pub(super) fn no_link(side: &Schema, entity: &str, label: &str) -> String {
    let hint = hint(label, side.links_on(entity).map(|link| link.label.as_str()));
    format!("{} has no link {}{hint}", quoted(entity), quoted(label))
}

/// Says that an entity has neither attribute nor link of that name.
pub(super) fn no_column(side: &Schema, entity: &str, name: &str) -> String {
    let attrs = side.entity(entity).map_or(&[][..], |entity| &entity.attrs);
    let labels = side.columns_of(entity).map(|link| link.label.as_str());
    let hint = hint(name, attrs.iter().map(|attr| attr.name.as_str()).chain(labels));
    format!("{} has no attribute or link {}{hint}", quoted(entity), quoted(name))
}

/// The entity that a key names.
pub(super) fn declared<'a>(fields: &Fields<'a>, key: &str, sides: &[&Schema]) -> Option<&'a str> {
    let name = fields.need_text(key)?;
    if sides.iter().any(|side| side.entity(name).is_some()) {
        return Some(name);
    }
    fields.misfits.add(fields.get(key)?.place, no_entity(sides, name));
    None
}

/// Says that no side has such an entity.
pub(super) fn no_entity(sides: &[&Schema], name: &str) -> String {
    let known = sides.iter().flat_map(|side| &side.entities).map(|entity| entity.name.as_str());
    format!("no entity {} is declared{}", quoted(name), hint(name, known))
}

/// A type with its marks: `!` required, `*` unique, `^` indexed.
fn attr_type(name: &str, said: &str, place: Place, misfits: &Misfits) -> Option<Attr> {
    let base = said.trim_end_matches(['!', '*', '^']);
    let marks = &said[base.len()..];
    let counted = marks.chars().fold(BTreeMap::new(), |mut counted, mark| {
        *counted.entry(mark).or_insert(0) += 1;
        counted
    });
    if let Some((mark, _)) = counted.iter().find(|(_, count)| **count > 1) {
        misfits.add(place, format!("`{mark}` stands twice in {}", quoted(said)));
    }
    let Some(ty) = Type::parse(base) else {
        let known = ["string", "number", "boolean", "date", "any"];
        let hint = hint(base, known);
        misfits.add(place, format!("{} is no attribute type{hint}", quoted(said)));
        return None;
    };
    let has = |mark| counted.contains_key(&mark);
    let (required, unique, indexed) = (has('!'), has('*'), has('^'));
    Some(Attr { name: name.to_owned(), ty, required, unique, indexed })
}

/// A type as a sentence names it.
pub(super) fn words(ty: Type) -> &'static str {
    match ty {
        Type::String => "a string",
        Type::Number => "a number",
        Type::Boolean => "a boolean",
        Type::Date => "a date",
        Type::Any => "of type `any`",
    }
}
