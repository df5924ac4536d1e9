//! The schema of the archive: the app's, with the target model and the carried links in it.
//!
//! Definitions of the app stay the text they are wherever they say what the contract says. An index
//! that only the contract wants is added; any other difference is a clash, and every clash is named.

use std::collections::BTreeSet;

use super::routes::{self, Route};
use super::schema_text::{has, render};
use crate::bundle::LinksMeta;
use crate::contract::Contract;
use crate::error::{Error, Result};
use crate::schema::{Attr, Entity, Link, Schema};

/// What the archive's schema says, and what follows from it for the rows.
#[derive(Debug, Default)]
pub(super) struct Model {
    /// The merged schema.
    pub(super) schema: Schema,
    /// The same as JSON text.
    pub(super) text: String,
    /// Links whose forward side must be there: entity and label.
    pub(super) required: BTreeSet<(String, String)>,
    /// Forward sides of links that are left out with the legacy entities: entity and label.
    pub(super) dropped: BTreeSet<(String, String)>,
    /// Entities that are left out.
    pub(super) gone: BTreeSet<String>,
    /// Where the bundle's link files go.
    pub(super) routes: Vec<Route>,
    /// Labels that had to change, in words.
    pub(super) told: Vec<String>,
}

/// The app's schema, as the source archive has it.
#[derive(Debug, Default)]
pub(super) struct App {
    /// Its text.
    pub(super) text: String,
    /// The same, parsed.
    pub(super) schema: Schema,
}

/// Merges the app's schema with the contract's model.
///
/// # Errors
/// They contradict each other.
pub(super) fn merge(
    app: Option<&App>,
    contract: &Contract,
    carried: &[LinksMeta],
    drop_legacy: bool,
) -> Result<Model> {
    let after = &contract.after.schema;
    let none = App::default();
    let mut merging = Merging {
        model: Model::default(),
        added: Vec::new(),
        loosened: BTreeSet::new(),
        clashes: Vec::new(),
        alone: app.is_none(),
    };
    let app = app.unwrap_or(&none);
    merging.begin(app, contract, drop_legacy);
    for entity in &after.entities {
        merging.entity(entity);
    }
    for link in &after.links {
        merging.link(link);
    }
    routes::plan(&mut merging, &app.schema, contract, carried);
    let Merging { mut model, added, loosened, clashes, .. } = merging;
    if !clashes.is_empty() {
        let mut error = Error::refused("the app's schema and the contract's model contradict each other")
            .help("bring the app's schema in line and take a new backup, or leave the legacy entities out with `--drop-legacy` where a label is theirs");
        error.at = clashes;
        return Err(error);
    }
    let links = model.schema.links.iter().filter(|link| link.rules.required);
    model.required = links.map(|link| (link.on.clone(), link.label.clone())).collect();
    model.text = render(&app.text, &model, (&added, &loosened));
    Ok(model)
}

/// A merge on its way.
pub(super) struct Merging {
    pub(super) model: Model,
    /// Attributes whose definition is new or changed: entity and label.
    added: Vec<(String, String)>,
    /// Links of the app, by name, that say less than before.
    loosened: BTreeSet<String>,
    pub(super) clashes: Vec<String>,
    /// There is no app around the target model.
    pub(super) alone: bool,
}

impl Merging {
    fn begin(&mut self, app: &App, contract: &Contract, drop_legacy: bool) {
        let (before, after) = (&contract.before.schema, &contract.after.schema);
        if drop_legacy {
            let legacy = before.entities.iter().map(|entity| &entity.name);
            let gone = legacy.filter(|name| after.entity(name).is_none());
            self.model.gone = gone.cloned().collect();
        }
        let gone = |name: &String| self.model.gone.contains(name);
        let entities = app.schema.entities.iter().filter(|entity| !gone(&entity.name));
        let is_gone = |link: &&Link| gone(&link.on) || gone(&link.to);
        let links = app.schema.links.iter().filter(|link| !is_gone(link));
        let schema =
            Schema { entities: entities.cloned().collect(), links: links.cloned().collect() };
        let dropped = app.schema.links.iter().filter(is_gone);
        let dropped = dropped.map(|link| (link.on.clone(), link.label.clone())).collect();
        self.model.schema = schema;
        self.model.dropped = dropped;
    }

    fn entity(&mut self, wanted: &Entity) {
        let name = &wanted.name;
        let entities = &mut self.model.schema.entities;
        let at = entities.iter().position(|entity| entity.name == *name).unwrap_or_else(|| {
            entities.push(Entity { attrs: Vec::new(), ..wanted.clone() });
            entities.len() - 1
        });
        for attr in &wanted.attrs {
            let key = (name.clone(), attr.name.clone());
            if let Some(owner) = self.link_of(name, &attr.name) {
                let said = format!(
                    "`{name}.{}` is an attribute of the contract and a label of the app's link `{owner}`",
                    attr.name
                );
                self.clashes.push(said);
                continue;
            }
            let attrs = &mut self.model.schema.entities[at].attrs;
            match attrs.iter_mut().find(|found| found.name == attr.name) {
                None => {
                    attrs.push(attr.clone());
                    self.added.push(key);
                }
                Some(found) => {
                    self.clashes.extend(differs(name, found, attr));
                    if attr.indexed && !found.indexed {
                        found.indexed = true;
                        self.added.push(key);
                    }
                }
            }
        }
    }

    fn link(&mut self, wanted: &Link) {
        let same = |link: &&Link| link.on == wanted.on && link.label == wanted.label;
        if let Some(found) = self.model.schema.links.iter().find(same) {
            let shape = |link: &Link| (link.to.clone(), link.reverse.clone());
            let has = |link: &Link| (link.has, link.reverse_has);
            if shape(found) != shape(wanted) || has(found) != has(wanted) {
                let said = format!(
                    "the app's link `{}` is {}, the contract's is {}",
                    found.name,
                    words(found),
                    words(wanted)
                );
                self.clashes.push(said);
            }
            return;
        }
        for (entity, label) in std::iter::once(wanted.ahead()).chain(wanted.back()) {
            if let Some(owner) = self.owner(entity, label) {
                let said = format!(
                    "`{entity}.{label}` of the contract's link `{}` belongs to {owner} in the app",
                    wanted.name
                );
                self.clashes.push(said);
            }
        }
        self.add(wanted.clone());
    }

    /// Whether the app has a link already; where its rows will not hold what it says of how many there
    /// are, it says so no more.
    pub(super) fn loosen(&mut self, wanted: &Link) -> bool {
        let links = &mut self.model.schema.links;
        let is_it = |link: &&mut Link| {
            link.ahead() == wanted.ahead() && link.back() == wanted.back() && link.to == wanted.to
        };
        let Some(found) = links.iter_mut().find(is_it) else { return false };
        if (found.has, found.reverse_has) != (wanted.has, wanted.reverse_has) {
            found.hold(wanted.has, wanted.reverse_has);
            self.loosened.insert(found.name.clone());
        }
        true
    }

    /// Adds an entity that a link needs.
    pub(super) fn know(&mut self, name: &str) {
        // System entities are there in every app; a link may not say where it leads.
        if !name.is_empty() && !name.starts_with('$') && self.model.schema.entity(name).is_none() {
            let entity = Entity { name: name.to_owned(), attrs: Vec::new(), optional: true };
            self.model.schema.entities.push(entity);
        }
    }

    /// Adds a link under a name that no other one has.
    pub(super) fn add(&mut self, mut link: Link) {
        let is_taken = |name: &str| self.model.schema.links.iter().any(|link| link.name == name);
        let plain = link.name.clone();
        let mut number = 2;
        while is_taken(&link.name) {
            link.name = format!("{plain}_{number}");
            number += 1;
        }
        self.model.schema.links.push(link);
    }

    /// The link that has a label on an entity.
    fn link_of(&self, entity: &str, label: &str) -> Option<&str> {
        let links = &self.model.schema.links;
        links.iter().find(|link| link.is_under(entity, label)).map(|link| link.name.as_str())
    }

    /// What has a label on an entity, in words.
    pub(super) fn owner(&self, entity: &str, label: &str) -> Option<String> {
        let attr = self.model.schema.entity(entity).and_then(|entity| entity.attr(label));
        if label == "id" || attr.is_some() {
            return Some("an attribute".to_owned());
        }
        self.link_of(entity, label).map(|name| format!("the link `{name}`"))
    }
}

fn differs(entity: &str, found: &Attr, wanted: &Attr) -> Option<String> {
    let flags = |attr: &Attr| {
        let mut words = vec![attr.ty.name()];
        words.extend(attr.required.then_some("required"));
        words.extend(attr.unique.then_some("unique"));
        words.join(", ")
    };
    let (is, wants) = (flags(found), flags(wanted));
    let name = &wanted.name;
    (is != wants)
        .then(|| format!("`{entity}.{name}` is `{is}` in the app, `{wants}` in the contract"))
}

fn words(link: &Link) -> String {
    let (has, reverse) = (has(link.has), has(link.reverse_has));
    let (to, label) = link.back().unwrap_or((&link.to, "?"));
    format!("`{}.{}` ({has}) to `{to}.{label}` ({reverse})", link.on, link.label)
}
