//! What only the whole contract shows: entities nothing fills, links that go in circles.

use std::collections::{BTreeMap, BTreeSet};

use super::decisions;
use super::fields::Fields;
use super::misfit::{Misfits, Place, quoted};
use super::model::{Found, Model};
use super::transforms::{Becomes, Read};
use super::{LinkHow, Piece, Required};

/// Checks all transforms together.
pub(super) fn check(root: &Fields<'_>, model: &Model, becomes: &Becomes, read: &[Read]) {
    idle_entities(root, model, becomes);
    for read in read {
        required_attrs(model, read, root.misfits);
        templates(model, read, root.misfits);
    }
    via_chains(model, becomes, read, root.misfits);
    let told = required_links(model, read, root.misfits);
    decided_first(model, read, &told, root.misfits);
}

/// Every target entity is filled, and no legacy entity is left out of the account of rows.
fn idle_entities(root: &Fields<'_>, model: &Model, becomes: &Becomes) {
    let sides = [("before", &model.before, "reads"), ("after", &model.after, "fills")];
    for (side, schema, verb) in sides {
        let declared = root.get(side).and_then(|node| node.get("entities"));
        for entry in declared.map_or(&[][..], |node| node.entries()) {
            if schema.entity(&entry.key).is_some() && !becomes.knows(&entry.key) {
                let said = format!("no transform {verb} {}", quoted(&entry.key));
                root.misfits.add(entry.place, said);
            }
        }
    }
}

fn required_attrs(model: &Model, read: &Read, misfits: &Misfits) {
    let Some(entity) = model.after.entity(&read.transform.target) else { return };
    for attr in &entity.attrs {
        if attr.required && !read.attrs.contains_key(&attr.name) {
            let named = quoted(&format!("{}.{}", entity.name, attr.name));
            misfits.add(read.place, format!("{named} is required, and no rule fills it"));
        }
    }
}

/// A template names attributes that have a rule, and none is built from itself.
fn templates(model: &Model, read: &Read, misfits: &Misfits) {
    let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for rule in &read.transform.attrs {
        let place = read.attrs.get(&rule.attr).copied().unwrap_or(read.place);
        let templates = rule.template.iter().chain(&rule.built);
        for piece in templates.flat_map(|template| &template.pieces) {
            let Piece::Attr(name) = piece else { continue };
            graph.entry(rule.attr.clone()).or_default().insert(name.clone());
            let declared = model.attr(&model.after, &read.transform.target, name).yes();
            if declared.is_some() && !read.attrs.contains_key(name) {
                let said = format!("the template names {}, which no rule fills", quoted(name));
                misfits.add(place, said);
            }
        }
    }
    for cycle in cycles(graph) {
        let place = read.attrs.get(&cycle[0]).copied().unwrap_or(read.place);
        misfits.add(place, format!("templates go in a circle: {}", chain(&cycle)));
    }
}

/// `via` and `take` name links that have a rule, and none is found by itself.
fn via_chains(model: &Model, becomes: &Becomes, read: &[Read], misfits: &Misfits) {
    let filled: BTreeMap<String, Place> = read.iter().flat_map(places).collect();
    let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (target, rule) in read.iter().flat_map(rules) {
        let LinkHow::Via { link, take } = &rule.how else { continue };
        let mut over = vec![format!("{target}.{link}")];
        if let Found::Yes(first) = model.link(&model.after, target, link) {
            over.extend(becomes.knows(&first.to).then(|| format!("{}.{take}", first.to)));
        }
        let name = format!("{target}.{}", rule.label);
        for link in &over {
            let (entity, label) = link.split_once('.').unwrap_or_default();
            let declared = model.link(&model.after, entity, label).yes().is_some();
            if let (Some(place), true, false) =
                (filled.get(&name), declared, filled.contains_key(link))
            {
                misfits.add(
                    *place,
                    format!("{} goes over {}, which no rule fills", quoted(&name), quoted(link)),
                );
            }
        }
        // Where something does not fit, it may be what is required.
        let is_required = rule.required != Required::No && misfits.is_empty();
        if let Some(place) = filled.get(&name).filter(|_| is_required) {
            required_over(read, (&name, *place), &over, misfits);
        }
        graph.entry(name).or_default().extend(over);
    }
    for cycle in cycles(graph) {
        if let Some(place) = filled.get(&cycle[0]) {
            misfits
                .add(*place, format!("links go over one another in a circle: {}", chain(&cycle)));
        }
    }
}

/// A row is refused for a required link before the links that it goes over are found, unless they are
/// required too.
fn required_over(read: &[Read], (name, place): (&str, Place), over: &[String], misfits: &Misfits) {
    let optional = read.iter().flat_map(rules).filter(|(_, rule)| rule.required == Required::No);
    for (target, rule) in optional {
        let link = format!("{target}.{}", rule.label);
        if over.contains(&link) {
            let said = format!("{} is required and goes over {}", quoted(name), quoted(&link));
            misfits.add(place, format!("{said}, which must be required too"));
        }
    }
}

/// Rows are written, and set aside, after the rows they must link to: there is an order of entities.
/// Gives the circles there are instead, as the links they go by.
fn required_links(model: &Model, read: &[Read], misfits: &Misfits) -> Vec<Vec<String>> {
    let mut told = Vec::new();
    let filled: BTreeMap<String, Place> = read.iter().flat_map(places).collect();
    let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut edges: BTreeMap<(String, String), String> = BTreeMap::new();
    for (target, rule) in
        read.iter().flat_map(rules).filter(|(_, rule)| rule.required != Required::No)
    {
        let Found::Yes(link) = model.link(&model.after, target, &rule.label) else { continue };
        graph.entry(target.to_owned()).or_default().insert(link.to.clone());
        let edge = (target.to_owned(), link.to.clone());
        edges.entry(edge).or_insert_with(|| format!("{target}.{}", rule.label));
    }
    for cycle in cycles(graph) {
        let next = cycle.iter().cycle().skip(1);
        let steps = cycle.iter().zip(next);
        let links: Vec<String> =
            steps.filter_map(|(a, b)| edges.get(&(a.clone(), b.clone())).cloned()).collect();
        if let Some(place) = links.first().and_then(|link| filled.get(link)) {
            misfits.add(*place, format!("required links go in a circle: {}", chain(&links)));
        }
        told.push(links);
    }
    told
}

/// Rows are decided after those that their required links and their values over links lead to: there
/// is an order of legacy entities. Circles that were told already are passed over.
fn decided_first(model: &Model, read: &[Read], told: &[Vec<String>], misfits: &Misfits) {
    let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut edges: BTreeMap<(String, String), String> = BTreeMap::new();
    let transforms: Vec<&super::Transform> = read.iter().map(|read| &read.transform).collect();
    for need in decisions::needs((&model.before, &model.after), &transforms) {
        graph.entry(need.entity.clone()).or_default().insert(need.on.clone());
        edges.entry((need.entity, need.on)).or_insert(need.by);
    }
    let attrs = read.iter().flat_map(|read| {
        let target = &read.transform.target;
        read.attrs.iter().map(move |(name, place)| (format!("{target}.{name}"), *place))
    });
    let filled: BTreeMap<String, Place> = read.iter().flat_map(places).chain(attrs).collect();
    for cycle in cycles(graph) {
        let steps = cycle.iter().zip(cycle.iter().cycle().skip(1));
        let rules: Vec<String> =
            steps.filter_map(|(a, b)| edges.get(&(a.clone(), b.clone())).cloned()).collect();
        let Some(place) = rules.first().and_then(|rule| filled.get(rule)) else { continue };
        if told.iter().any(|links| rules.iter().all(|rule| links.contains(rule))) {
            continue;
        }
        let said = format!("rows wait for one another to be decided: {}", chain(&cycle));
        let by: Vec<String> = rules.iter().map(|rule| quoted(rule)).collect();
        misfits.add(*place, format!("{said}, by {}", by.join(" and ")));
    }
}

fn places(read: &Read) -> impl Iterator<Item = (String, Place)> {
    let target = &read.transform.target;
    read.links.iter().map(move |(label, place)| (format!("{target}.{label}"), *place))
}

fn rules(read: &Read) -> impl Iterator<Item = (&str, &super::LinkRule)> {
    read.transform.links.iter().map(|rule| (read.transform.target.as_str(), rule))
}

/// `` `a` -> `b` -> `a` ``.
fn chain(cycle: &[String]) -> String {
    let names: Vec<String> = cycle.iter().chain(cycle.first()).map(|name| quoted(name)).collect();
    names.join(" -> ")
}

/// The circles of a graph, each once, from its least name on.
fn cycles(mut graph: BTreeMap<String, BTreeSet<String>>) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    loop {
        prune(&mut graph);
        // Each name that is left leads to another that is left: following the first runs in a circle.
        let Some(mut name) = graph.keys().next().cloned() else { return found };
        let mut way: Vec<String> = Vec::new();
        while !way.contains(&name) {
            way.push(name.clone());
            match graph.get(&name).and_then(|next| next.first()) {
                Some(next) => name.clone_from(next),
                None => break,
            }
        }
        let start = way.iter().position(|other| *other == name).unwrap_or_default();
        let mut cycle = way.split_off(start);
        graph.retain(|name, _| !cycle.contains(name));
        let least = cycle.iter().enumerate().min_by_key(|(_, name)| *name).map_or(0, |(at, _)| at);
        cycle.rotate_left(least);
        found.push(cycle);
    }
}

/// Takes out what leads nowhere, until all that is left leads to something that is left.
fn prune(graph: &mut BTreeMap<String, BTreeSet<String>>) {
    loop {
        let names: BTreeSet<String> = graph.keys().cloned().collect();
        for next in graph.values_mut() {
            next.retain(|name| names.contains(name));
        }
        graph.retain(|_, next| !next.is_empty());
        if graph.len() == names.len() {
            return;
        }
    }
}
