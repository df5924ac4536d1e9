//! Section 5: what is counted and shown.

use std::collections::BTreeSet;

use super::fields::{Fields, list};
use super::misfit::{Misfits, Place, quoted};
use super::model::{self, Column, Found, Model, declared, no_attr, no_column, no_link};
use super::note::{Note, NoteColumn, NoteWhat};
use super::transforms::{Becomes, Scope, many};
use super::{Limit, attrs, sections};
use crate::schema::{Has, Link, Type};

const KEYS: [&str; 8] = ["note", "one", "max", "null", "text", "unlike", "shared", "differ"];
const KINDS: [&str; 5] = ["null", "text", "unlike", "shared", "differ"];

/// What notes are read against.
struct Notes<'a> {
    model: &'a Model,
    becomes: &'a Becomes,
    misfits: &'a Misfits,
}

/// Reads the notes.
pub(super) fn read(root: &Fields<'_>, model: &Model, becomes: &Becomes) -> Vec<Note> {
    let Some(nodes) = root.get("note").and_then(|node| list(node, "note", root.misfits)) else {
        return Vec::new();
    };
    let reader = Notes { model, becomes, misfits: root.misfits };
    let mut names = BTreeSet::new();
    let mut notes = Vec::new();
    for node in nodes {
        let Some(fields) = Fields::open(node, "note", &KEYS, root.misfits) else { continue };
        let note = fields.owned("note");
        let place = fields.get("note").map_or(fields.place(), |node| node.place);
        if fields.get("note").is_some() && note.trim().is_empty() {
            root.misfits.add(place, "a note has words, which say what is counted");
        } else if !note.is_empty() && !names.insert(note.clone()) {
            root.misfits.add(place, format!("there is a note {} already", quoted(&note)));
        }
        let max = fields.get("max").and_then(|node| sections::limit(node, "max", root.misfits));
        let (one, max) = (fields.text("one").unwrap_or_default(), max.unwrap_or(Limit::Any));
        let what = reader.what(&fields);
        notes.extend(what.map(|what| Note { note, one: one.to_owned(), what, max }));
    }
    notes
}

impl Notes<'_> {
    fn what(&self, fields: &Fields<'_>) -> Option<NoteWhat> {
        let given: Vec<&str> =
            KINDS.into_iter().filter(|kind| fields.get(kind).is_some()).collect();
        match given[..] {
            ["null"] => self.columns(fields, "null", Self::any_column).map(NoteWhat::Null),
            ["text"] => self.columns(fields, "text", Self::payload).map(NoteWhat::Text),
            ["unlike"] => self.unlike(fields),
            ["shared"] => self.shared(fields),
            ["differ"] => self.differ(fields),
            _ => {
                let said = "a note has one of `null`, `text`, `unlike`, `shared` and `differ`";
                self.misfits.add(fields.place(), said);
                None
            }
        }
    }

    /// A list of columns, each of which must be as `fits` demands.
    fn columns(
        &self,
        fields: &Fields<'_>,
        kind: &str,
        fits: fn(&Self, (&str, &str), Place),
    ) -> Option<Vec<NoteColumn>> {
        let names = fields.texts(kind)?;
        if names.is_empty() {
            let place = fields.get(kind).map_or(fields.place(), |node| node.place);
            self.misfits.add(place, format!("{} names nothing", quoted(kind)));
        }
        let columns = names.into_iter().map(|(name, place)| {
            let (entity, name) = self.split(name, place)?;
            fits(self, (entity, name), place);
            Some((entity.to_owned(), name.to_owned()))
        });
        columns.collect()
    }

    /// `entity.name` of the target model.
    fn split<'n>(&self, name: &'n str, place: Place) -> Option<(&'n str, &'n str)> {
        let Some((entity, column)) = name.split_once('.') else {
            let said = "names no column of a target entity, as \"entity.attribute\" does";
            self.misfits.add(place, format!("{} {said}", quoted(name)));
            return None;
        };
        if self.model.after.entity(entity).is_none() {
            self.misfits.add(place, model::no_entity(&[&self.model.after], entity));
            return None;
        }
        self.filled(entity, place);
        Some((entity, column))
    }

    /// Notes look at migrated rows.
    fn filled(&self, entity: &str, place: Place) {
        if !self.becomes.knows(entity) {
            self.misfits.add(place, format!("no transform fills {}", quoted(entity)));
        }
    }

    fn any_column(&self, (entity, name): (&str, &str), place: Place) {
        let after = &self.model.after;
        let said = match self.model.column(after, entity, name) {
            Found::Yes(Column::Id) => "`id` is never null".to_owned(),
            Found::Yes(Column::Attr(attr)) if attr.required => {
                format!("{} is required and never null", quoted(name))
            }
            Found::Yes(Column::Link(link)) if link.has == Has::Many => many(name),
            Found::No => no_column(after, entity, name),
            Found::Yes(_) | Found::Unsure => return,
        };
        self.misfits.add(place, said);
    }

    fn payload(&self, (entity, name): (&str, &str), place: Place) {
        let after = &self.model.after;
        let said = match self.model.attr(after, entity, name) {
            Found::Yes(attr) if attr.ty != Type::Any => {
                format!("{} is {}, not JSON", quoted(name), model::words(attr.ty))
            }
            Found::No => no_attr(after, entity, name),
            Found::Yes(_) | Found::Unsure => return,
        };
        self.misfits.add(place, said);
    }

    fn unlike(&self, fields: &Fields<'_>) -> Option<NoteWhat> {
        let keys = ["attr", "template"];
        let fields = Fields::open(fields.get("unlike")?, "unlike", &keys, self.misfits)?;
        let name = fields.need_text("attr");
        let place = fields.get("attr").map_or(fields.place(), |node| node.place);
        let (entity, name) = self.split(name?, place)?;
        let (model, becomes, misfits) = (self.model, self.becomes, self.misfits);
        let attr = match model.attr(&model.after, entity, name) {
            Found::No => {
                misfits.add(place, no_attr(&model.after, entity, name));
                None
            }
            found => found.yes(),
        };
        let format = sections::FORMAT;
        let scope = Scope { model, becomes, misfits, source: "", target: entity, format };
        let template = attrs::template(&scope, &fields, attr)?;
        let column = (entity.to_owned(), name.to_owned());
        Some(NoteWhat::Unlike { column, template })
    }

    fn shared(&self, fields: &Fields<'_>) -> Option<NoteWhat> {
        let keys = ["target", "by"];
        let fields = Fields::open(fields.get("shared")?, "shared", &keys, self.misfits)?;
        let target = declared(&fields, "target", &[&self.model.after]);
        let (target, by) = (target, fields.need_texts("by"));
        let (target, by) = (target?, by?);
        self.filled(target, fields.place());
        if by.is_empty() {
            self.misfits.add(fields.place(), "`by` names nothing that rows share");
        }
        for (name, place) in &by {
            let said = match self.model.column(&self.model.after, target, name) {
                Found::Yes(Column::Id) => "no two rows share an `id`".to_owned(),
                Found::Yes(Column::Link(link)) if link.has == Has::Many => many(name),
                Found::Yes(Column::Attr(attr)) if attr.ty == Type::Any => {
                    format!("{} is {}, which is not compared", quoted(name), model::words(attr.ty))
                }
                Found::No => no_column(&self.model.after, target, name),
                Found::Yes(_) | Found::Unsure => continue,
            };
            self.misfits.add(*place, said);
        }
        let by = by.into_iter().map(|(name, _)| name.to_owned()).collect();
        Some(NoteWhat::Shared { target: target.to_owned(), by })
    }

    fn differ(&self, fields: &Fields<'_>) -> Option<NoteWhat> {
        let keys = ["link", "from"];
        let fields = Fields::open(fields.get("differ")?, "differ", &keys, self.misfits)?;
        let (link, from) = (fields.need_text("link"), fields.need_text("from"));
        let at = |key| fields.get(key).map_or(fields.place(), |node| node.place);
        let (entity, label) = self.split(link?, at("link"))?;
        let own = self.has_one(entity, label, at("link"));
        let Some((over, take)) = from?.split_once('.') else {
            self.misfits.add(
                at("from"),
                "`from` is a link of the same row and one of the next, \
                                          as \"link.link\"",
            );
            return None;
        };
        let next = self.has_one(entity, over, at("from")).map(|link| &link.to);
        let other = next.and_then(|next| self.has_one(next, take, at("from")));
        if let (Some(own), Some(other)) = (own, other)
            && own.to != other.to
        {
            let (own, other) = (quoted(&own.to), quoted(&other.to));
            let said = format!("{} leads to {own}, {} to {other}", quoted(label), quoted(from?));
            self.misfits.add(at("from"), format!("{said}: they always differ"));
        }
        let column = (entity.to_owned(), label.to_owned());
        Some(NoteWhat::Differ { column, over: over.to_owned(), take: take.to_owned() })
    }

    /// A has-one link of a target entity.
    fn has_one(&self, entity: &str, label: &str, place: Place) -> Option<&Link> {
        let after = &self.model.after;
        match self.model.link(after, entity, label) {
            Found::Yes(link) if link.has == Has::Many => self.misfits.add(place, many(label)),
            Found::Yes(link) => return Some(link),
            Found::No => self.misfits.add(place, no_link(after, entity, label)),
            Found::Unsure => {}
        }
        None
    }
}
