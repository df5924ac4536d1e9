//! Sections 2 and 3: the two models.

use super::{Changes, Effect, is_moved, pairs};
use crate::contract::Side;
use crate::contract::show::link_line;
use crate::schema::{Attr, Entity, Link, Schema};

const TOLD: Effect = Effect::Harmless("what uses the model; no row changes");
const ORDER: Effect = Effect::Harmless("the order of tables and columns; rows say the same");

/// What changes in a model mean.
struct Means {
    entity: Effect,
    attr: Effect,
    ty: Effect,
    required: Effect,
    unique: Effect,
    indexed: Effect,
    optional: (Effect, Effect),
    link: Effect,
}

const LEGACY: Means = Means {
    entity: Effect::Breaks("its rows are migrated, or no longer"),
    attr: Effect::Breaks("what fills attributes, or is kept beside them, changes"),
    ty: Effect::Breaks("values of another type are set apart"),
    required: Effect::Harmless("what the legacy model promises; no rule depends on it"),
    unique: Effect::Harmless("what the legacy model promises; no rule depends on it"),
    indexed: Effect::Harmless("how the legacy store finds rows"),
    optional: (
        Effect::Harmless("a source may lack it"),
        Effect::Breaks("a source that lacks it is refused"),
    ),
    link: Effect::Breaks("rows may name other rows by it"),
};

const TARGET: Means = Means {
    entity: Effect::Breaks("the target has its rows, or no longer"),
    attr: Effect::Breaks("target rows have it, or no longer"),
    ty: Effect::Breaks("target rows hold values of another type"),
    required: Effect::Breaks("rows without it are quarantined, or no longer"),
    unique: Effect::Breaks("rows that share a value are quarantined, or no longer"),
    indexed: Effect::Harmless("how the store finds rows; rows stay as they are"),
    optional: (
        Effect::Harmless("a target entity is there in any case"),
        Effect::Harmless("a target entity is there in any case"),
    ),
    link: Effect::Breaks("target rows link otherwise"),
};

pub(super) fn legacy(changes: &mut Changes, before: &Side, after: &Side) {
    side(changes, (2, "before"), (before, after), &LEGACY);
}

pub(super) fn target(changes: &mut Changes, before: &Side, after: &Side) {
    side(changes, (3, "after"), (before, after), &TARGET);
}

fn side(
    changes: &mut Changes,
    (section, name): (u8, &str),
    (before, after): (&Side, &Side),
    means: &Means,
) {
    changes.at(section, "");
    let Side { entrypoints, apis, schema } = before;
    let entries = (entrypoints, &after.entrypoints);
    changes.list(&format!("{name}.entrypoints"), entries, TOLD);
    changes.list(&format!("{name}.apis"), (apis, &after.apis), TOLD);
    let Schema { entities, links } = schema;
    for (old, new) in pairs(entities, &after.schema.entities, |entity| &entity.name) {
        let Some(Entity { name, .. }) = old.or(new) else { continue };
        changes.at(section, name);
        match (old, new) {
            (Some(old), Some(new)) => entity(changes, old, new, means),
            (Some(_), None) => changes.note("entity", name, "", means.entity),
            _ => changes.note("entity", "", name, means.entity),
        }
    }
    changes.at(section, "");
    if is_moved(entities, &after.schema.entities, |entity| &entity.name) {
        changes.note(&format!("{name}.entities"), "", "", ORDER);
    }
    self::links(changes, section, (links, &after.schema.links), means);
    changes.at(section, "");
    if is_moved(links, &after.schema.links, |link| &link.name) {
        changes.note(&format!("{name}.links"), "", "", ORDER);
    }
}

fn entity(changes: &mut Changes, before: &Entity, after: &Entity, means: &Means) {
    let Entity { name: _, attrs, optional } = before;
    let (gains, loses) = means.optional;
    let effect = if after.optional { gains } else { loses };
    changes.flag("optional", (*optional, after.optional), effect);
    for (old, new) in pairs(attrs, &after.attrs, |attr| &attr.name) {
        let Some(Attr { name, .. }) = old.or(new) else { continue };
        let what = format!("attrs.{name}");
        match (old, new) {
            (Some(old), Some(new)) => attr(changes, (old, new), &what, means),
            (Some(old), None) => changes.note(&what, old.ty.name(), "", means.attr),
            (None, Some(new)) => changes.note(&what, "", new.ty.name(), means.attr),
            (None, None) => {}
        }
    }
    if is_moved(attrs, &after.attrs, |attr| &attr.name) {
        changes.note("attrs", "", "", ORDER);
    }
}

fn attr(changes: &mut Changes, (before, after): (&Attr, &Attr), what: &str, means: &Means) {
    let Attr { name: _, ty, required, unique, indexed } = before;
    let named = |ty: &crate::schema::Type| ty.name().to_owned();
    changes.compare(&format!("{what}.type"), (ty, &after.ty), named, means.ty);
    for (flag, old, new, effect) in [
        ("required", *required, after.required, means.required),
        ("unique", *unique, after.unique, means.unique),
        ("indexed", *indexed, after.indexed, means.indexed),
    ] {
        changes.flag(&format!("{what}.{flag}"), (old, new), effect);
    }
}

fn links(changes: &mut Changes, section: u8, (before, after): (&[Link], &[Link]), means: &Means) {
    // A link is what its label is on its entity; its name in the schema may change.
    let ends = |link: &Link| format!("{}.{}", link.on, link.label);
    for old in before {
        changes.at(section, &old.on);
        let what = format!("links.{}", old.label);
        match after.iter().find(|new| ends(new) == ends(old)) {
            Some(new) => link(changes, (old, new), &what, means),
            None => changes.note(&what, &link_line(old), "", means.link),
        }
    }
    for new in after.iter().filter(|new| !before.iter().any(|old| ends(old) == ends(new))) {
        changes.at(section, &new.on);
        changes.note(&format!("links.{}", new.label), "", &link_line(new), means.link);
    }
}

fn link(changes: &mut Changes, (before, after): (&Link, &Link), what: &str, means: &Means) {
    // A contract's links have no rules of an app.
    let Link { name, on: _, label: _, has, to, reverse, reverse_has, rules: _, also } = before;
    let renamed = Effect::Harmless("the schema calls it otherwise; rows stay as they are");
    changes.text(&format!("{what}.name"), (name, &after.name), renamed);
    let same = has == &after.has
        && to == &after.to
        && reverse == &after.reverse
        && reverse_has == &after.reverse_has;
    if !same || also != &after.also {
        let is_alias = same && after.also.starts_with(also);
        let effect = if is_alias {
            Effect::Harmless("may repair more rows: those that name a row only so")
        } else {
            means.link
        };
        changes.note(what, &link_line(before), &link_line(after), effect);
    }
}
