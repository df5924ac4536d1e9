//! Links of legacy rows with other entities of the app: they follow the rows, under labels of the target.
//!
//! The target entity declares the new link, as the archive target does, so that the other entity's rows
//! stay as they are. It has the labels of the original; a label that somebody has already becomes
//! `<label>_<entity on the other end>`.

use std::collections::BTreeSet;

use super::goal::Carried;
use super::model::Model;
use crate::contract::Contract;
use crate::schema::{Has, Link};
use crate::snapshot::{LinksMeta, Snapshot};

/// One end of a link.
#[derive(Debug, Clone, Copy)]
struct End<'a> {
    entity: &'a str,
    label: &'a str,
    has: Has,
}

/// The links that have to be in the target: those that have rows and are not there yet.
pub(super) fn links(
    snapshot: &Snapshot,
    contract: &Contract,
    app: Option<&Model>,
    target: &Model,
) -> Vec<Carried> {
    if !contract.unmapped.carry_links {
        return Vec::new();
    }
    let mut known = target.clone();
    let mut seen = BTreeSet::new();
    let mut carried = Vec::new();
    let files = snapshot.meta().links.iter();
    for file in files.filter(|file| file.role == "carried" && file.rows > 0) {
        let Some((ours, other)) = ends(file, contract, app) else { continue };
        let Some(target) = renamed(contract, ours.entity) else { continue };
        let key = (target.to_owned(), ours.label.to_owned(), other.entity.to_owned());
        if !seen.insert(key) || is_there(&known, target, ours, other) {
            continue;
        }
        let label = free(&known, target, ours.label, other.entity);
        let reverse = free(&known, other.entity, other.label, target);
        let link = Link {
            name: format!("{target}_{label}"),
            on: target.to_owned(),
            label,
            has: ours.has,
            to: other.entity.to_owned(),
            reverse,
            reverse_has: other.has,
            also: Vec::new(),
        };
        known.links.push(link.clone().into());
        carried.push(Carried { link, target: target.to_owned(), pairs: file.rows });
    }
    carried
}

/// The entity that the rows of a legacy entity become.
fn renamed<'a>(contract: &'a Contract, entity: &str) -> Option<&'a str> {
    contract.id_transform(entity).map(|rules| rules.target.as_str())
}

/// The legacy end of a link file, and the other one; `None` when no end is legacy.
fn ends<'a>(
    file: &'a LinksMeta,
    contract: &Contract,
    app: Option<&'a Model>,
) -> Option<(End<'a>, End<'a>)> {
    let is_legacy = |entity: &str| contract.before.schema.entity(entity).is_some();
    let holds = is_legacy(&file.entity);
    if !holds && !is_legacy(&file.target) {
        return None;
    }
    let links = app.map(|app| app.links.iter()).into_iter().flatten().map(|found| &found.link);
    let sides = links.flat_map(|link| {
        let on = End { entity: &link.on, label: &link.label, has: link.has };
        let to = End { entity: &link.to, label: &link.reverse, has: link.reverse_has };
        [(on, to), (to, on)]
    });
    let is_it = |(from, to): &(End<'_>, End<'_>)| {
        from.entity == file.entity && from.label == file.label && to.entity == file.target
    };
    let (from, to) = sides.into_iter().find(is_it).unwrap_or_else(|| {
        // Nothing says how many there may be, nor what the other side calls it.
        let end = |entity: &'a str| End { entity, label: &file.label, has: Has::Many };
        (end(&file.entity), end(&file.target))
    });
    Some(if holds { (from, to) } else { (to, from) })
}

/// Whether the target entity is joined with the other one already, as an earlier push did it.
fn is_there(known: &Model, target: &str, ours: End<'_>, other: End<'_>) -> bool {
    let is = |found: &str, label: &str, end: &str| {
        found == label || found.strip_prefix(label) == Some(&format!("_{end}"))
    };
    known.links.iter().any(|link| {
        let [on, to] = link.ends();
        let joins = |(from, label): (&str, &str), (end, reverse): (&str, &str)| {
            from == target
                && end == other.entity
                && is(label, ours.label, other.entity)
                && is(reverse, other.label, target)
        };
        joins(on, to) || joins(to, on)
    })
}

/// The label an entity gives a new link.
fn free(known: &Model, entity: &str, label: &str, other: &str) -> String {
    let is_taken = |label: &str| label == "id" || known.owner(entity, label).is_some();
    if !is_taken(label) {
        return label.to_owned();
    }
    let longer = format!("{label}_{other}");
    let mut free = longer.clone();
    let mut number = 2;
    while is_taken(&free) {
        free = format!("{longer}_{number}");
        number += 1;
    }
    free
}
