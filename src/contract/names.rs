//! Names that would stand in each other's way as columns, files or labels.

use std::collections::BTreeMap;

use super::fields::Fields;
use super::misfit::{Misfits, Place, quoted};
use super::model::Model;
use super::tree::Node;
use crate::schema::{Link, Schema};

/// Checks the names of both sides.
pub(super) fn check(model: &Model, root: &Fields<'_>) {
    let mut entities: BTreeMap<String, (&str, &str)> = BTreeMap::new();
    for (side, schema) in [("before", &model.before), ("after", &model.after)] {
        let Some(node) = root.get(side) else { continue };
        for entity in &schema.entities {
            let place = key(node, "entities", &entity.name).unwrap_or(node.place);
            entity_name(&entity.name, place, root.misfits);
            let taken = entities.insert(entity.name.to_ascii_lowercase(), (&entity.name, side));
            if let Some((other, beside)) = taken {
                let what = if beside == side { "an entity" } else { "an entity of the other side" };
                root.misfits.add(place, both(other, &entity.name, what));
            }
            attr_names(schema, &entity.name, node, root.misfits);
        }
        labels(schema, node, root.misfits);
    }
}

/// What the name of a file is made of.
fn plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '-')
}

/// Entity names are file and table names.
fn entity_name(name: &str, place: Place, misfits: &Misfits) {
    if name.is_empty() || !name.chars().all(plain) {
        let said = "is no entity name: letters, digits, `_`, `$` and `-` make one";
        misfits.add(place, format!("{} {said}", quoted(name)));
    } else if name.starts_with('_') {
        misfits
            .add(place, format!("{} begins with `_`, as only the program's own do", quoted(name)));
    }
}

/// Attributes and has-one links of an entity are the columns of one table.
fn attr_names(schema: &Schema, entity: &str, side: &Node, misfits: &Misfits) {
    let attrs = schema.entity(entity).map_or(&[][..], |entity| &entity.attrs);
    let node = side.get("entities").and_then(|node| node.get(entity));
    let mut taken: BTreeMap<String, (&str, &str)> = BTreeMap::new();
    for attr in attrs {
        let place = node.and_then(|node| key(node, "attrs", &attr.name)).unwrap_or(side.place);
        column_name(&attr.name, place, misfits);
        let other = taken.insert(attr.name.to_ascii_lowercase(), (&attr.name, "an attribute"));
        if let Some((other, what)) = other {
            misfits.add(place, both(other, &attr.name, &format!("{what} of {}", quoted(entity))));
        }
    }
    for link in schema.links_on(entity) {
        let place = end(side, link, "label");
        column_name(&link.label, place, misfits);
        if !link.label.chars().all(plain) {
            let said = "has more than letters, digits, `_`, `$` and `-`, as a label may not";
            misfits.add(place, format!("{} {said}", quoted(&link.label)));
        }
        let other = taken.insert(link.label.to_ascii_lowercase(), (&link.label, "a link"));
        if let Some((other, what)) = other {
            misfits.add(place, both(other, &link.label, &format!("{what} of {}", quoted(entity))));
        }
    }
}

/// A reverse label is the only one of its entity on this side; the two sides may share one.
fn labels(schema: &Schema, side: &Node, misfits: &Misfits) {
    let mut taken: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    let seen = schema.links.iter().filter_map(|link| Some((link, link.back()?)));
    for (link, (to, reverse)) in
        seen.filter(|(_, (to, reverse))| !to.is_empty() && !reverse.is_empty())
    {
        let place = end(side, link, "reverse");
        column_name(reverse, place, misfits);
        let own = schema.entity(to).is_some_and(|to| to.attr(reverse).is_some())
            || schema.link(to, reverse).is_some();
        if own {
            let said = format!("{} has {} of its own", quoted(to), quoted(reverse));
            misfits.add(place, format!("{said}; name the reverse label otherwise"));
        }
        if let Some(other) = taken.insert((to, reverse), &link.name) {
            let said = format!("{} is the reverse label of {} too", quoted(reverse), quoted(other));
            misfits.add(place, said);
        }
    }
}

fn column_name(name: &str, place: Place, misfits: &Misfits) {
    let said = match name {
        "" => "an empty name is no name".to_owned(),
        "id" => "`id` is every row's own id and is not declared".to_owned(),
        _ if name.starts_with('_') => {
            format!("{} begins with `_`, as only the program's own do", quoted(name))
        }
        _ if name.starts_with('$') || name.contains(['.', '{', '}']) => {
            format!(
                "{} cannot be named in a rule: it has `.`, `{{`, `}}` or a leading `$`",
                quoted(name)
            )
        }
        _ if name.chars().any(char::is_control) => {
            format!("{} has a control character", quoted(name))
        }
        _ => return,
    };
    misfits.add(place, said);
}

/// Says that a name is taken, maybe in another case.
fn both(first: &str, second: &str, what: &str) -> String {
    if first == second {
        return format!("{} is {what} already", quoted(second));
    }
    format!("{} and {}, {what}, differ by case alone", quoted(second), quoted(first))
}

/// Where a key of a table in `node` stands.
fn key(node: &Node, table: &str, name: &str) -> Option<Place> {
    let entries = node.get(table)?.entries();
    entries.iter().find(|entry| entry.key == name).map(|entry| entry.place)
}

/// Where a link's label stands.
fn end(side: &Node, link: &Link, label: &str) -> Place {
    let node = side.get("links").and_then(|links| links.get(&link.name));
    node.and_then(|node| node.get(label)).map_or(side.place, |node| node.place)
}
