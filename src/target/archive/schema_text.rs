//! The merged schema as JSON text: what the app has as the text it is, what is new behind it.

use std::collections::BTreeSet;

use super::model::Model;
use crate::json;
use crate::schema::{Attr, Entity, Has, Link, LinkRules, OnDelete};

/// How a schema says how many.
pub(super) fn has(has: Has) -> &'static str {
    match has {
        Has::One => "one",
        Has::Many => "many",
    }
}

/// The members of an object by name; none when the text is no object.
fn members(text: &str) -> Vec<(String, &str)> {
    let members = json::members(text).unwrap_or_default();
    members.into_iter().map(|(name, raw)| (name.into_owned(), raw)).collect()
}

fn member<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    members(text).into_iter().find(|(found, _)| found == name).map(|(_, raw)| raw)
}

/// The schema as JSON text: what the app has as it is, what is new at the end.
/// `added` are attributes that are new or changed, `loosened` links of the app that are changed.
pub(super) fn render(
    app: &str,
    model: &Model,
    (added, loosened): (&[(String, String)], &BTreeSet<String>),
) -> String {
    let mut out = Object::default();
    let (mut entities, mut links) = (None, None);
    for (name, raw) in members(app) {
        match name.as_str() {
            "entities" => entities = Some(raw),
            "links" => links = Some(raw),
            _ => out.put(&name, raw),
        }
    }
    let mut rendered = Object::default();
    let known = entities.map(members).unwrap_or_default();
    for entity in &model.schema.entities {
        let raw = known.iter().find(|(name, _)| *name == entity.name).map(|(_, raw)| *raw);
        rendered.put(&entity.name, &entity_text(raw, entity, added));
    }
    out.put("entities", &rendered.finish());
    let mut rendered = Object::default();
    let known = links.map(members).unwrap_or_default();
    for link in &model.schema.links {
        let raw = known.iter().find(|(name, _)| *name == link.name).map(|(_, raw)| *raw);
        let raw = raw.filter(|_| !loosened.contains(&link.name));
        rendered.put(&link.name, raw.unwrap_or(&link_text(link)));
    }
    out.put("links", &rendered.finish());
    out.finish()
}

fn entity_text(raw: Option<&str>, entity: &Entity, added: &[(String, String)]) -> String {
    let is_added =
        |label: &str| added.iter().any(|(name, attr)| *name == entity.name && attr == label);
    if let Some(raw) = raw.filter(|_| !entity.attrs.iter().any(|attr| is_added(&attr.name))) {
        return raw.to_owned();
    }
    let raw = raw.unwrap_or("{}");
    let mut attrs = Object::default();
    let known = member(raw, "attrs").map(members).unwrap_or_default();
    for (label, raw) in known.iter().filter(|(label, _)| !is_added(label)) {
        attrs.put(label, raw);
    }
    for attr in entity.attrs.iter().filter(|attr| is_added(&attr.name)) {
        attrs.put(&attr.name, &attr_text(attr));
    }
    let mut out = Object::default();
    out.put("attrs", &attrs.finish());
    for (name, raw) in members(raw).iter().filter(|(name, _)| name != "attrs") {
        out.put(name, raw);
    }
    out.finish()
}

/// As INSTANTDB `S/model/schema.clj` reads it; a type that is not checked is `json`.
fn attr_text(attr: &Attr) -> String {
    let ty = match attr.ty.name() {
        "any" => "json",
        name => name,
    };
    format!(
        "{{\"valueType\":\"{ty}\",\"required\":{},\"config\":{{\"indexed\":{},\"unique\":{}}}}}",
        attr.required, attr.indexed, attr.unique
    )
}

/// A side that has no name has null in its place, as in the server's own schema.
fn link_text(link: &Link) -> String {
    let name = |name: Option<&str>| name.map_or("null".to_owned(), quoted);
    let side = |(on, many, label): (Option<&str>, Has, Option<&str>), required: bool, on_delete| {
        let mut side = Object::default();
        side.put("on", &name(on));
        side.put("has", &quoted(has(many)));
        side.put("label", &name(label));
        if required {
            side.put("required", "true");
        }
        if let Some(action) = on_delete {
            side.put("onDelete", &quoted(OnDelete::name(action)));
        }
        side.finish()
    };
    let LinkRules { required, on_delete, on_delete_reverse } = link.rules;
    let to = Some(link.to.as_str()).filter(|to| !to.is_empty());
    let (forward, reverse) = (
        (Some(link.on.as_str()), link.has, Some(link.label.as_str())),
        (to, link.reverse_has, link.reverse.as_deref()),
    );
    let mut out = Object::default();
    out.put("forward", &side(forward, required, on_delete));
    out.put("reverse", &side(reverse, false, on_delete_reverse));
    out.finish()
}

/// A text as a JSON string.
pub(super) fn quoted(text: &str) -> String {
    let mut out = Vec::new();
    json::write_string(text, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// A JSON object in the making.
#[derive(Debug, Default)]
pub(super) struct Object(String);

impl Object {
    /// Adds a member whose value is JSON text already.
    pub(super) fn put(&mut self, name: &str, raw: &str) {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        self.0.push_str(&quoted(name));
        self.0.push(':');
        self.0.push_str(raw);
    }

    /// The whole text.
    pub(super) fn finish(self) -> String {
        if self.0.is_empty() { "{}".to_owned() } else { self.0 + "}" }
    }
}
