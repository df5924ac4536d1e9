//! The schema that the target wants: the app's, with the contract's model and the carried links in it.
//!
//! Of the app nothing goes: what the contract does not name stays, and so does an index that only the
//! app has, for its queries may sort by it. What would keep the migration's rows out (a required
//! attribute or link that no transform knows) is loosened.

use std::collections::{BTreeMap, BTreeSet};

use super::carried::CarriedLink;
use super::collisions::{self, Collisions};
use super::delta::Draft;
use super::model::{Model, is_same};
use crate::contract::{Contract, Required};
use crate::error::grouped;
use crate::schema::{Attr, Link};

/// Where a push is to lead, and why.
#[derive(Debug, Default)]
pub(super) struct Goal {
    /// The app's schema with the labels that had to be given up under their new names.
    pub(super) before: Model,
    /// The schema that is wanted.
    pub(super) model: Model,
    /// What was in the way.
    pub(super) collisions: Collisions,
    /// By entity and label of what the contract or a carried link wants: the transforms that need it.
    pub(super) needs: BTreeMap<(String, String), Vec<String>>,
    /// By entity and label of a carried link: how many pairs it will hold.
    pub(super) pairs: BTreeMap<(String, String), u64>,
    /// Carried links that every row has once the rows are there: entity and label.
    whole: BTreeSet<(String, String)>,
}

impl Goal {
    /// The schema that the contract and these links make of an app's.
    pub(super) fn new(app: &Model, contract: &Contract) -> Self {
        let (before, collisions) = collisions::settle(app, contract);
        let mut goal = Self { model: before.clone(), before, collisions, ..Self::default() };
        for entity in &contract.after.schema.entities {
            goal.model.entry(&entity.name);
            goal.need(&entity.name, "id", contract);
            for attr in &entity.attrs {
                goal.need(&entity.name, &attr.name, contract);
                goal.attr(&entity.name, attr);
            }
        }
        goal.loosen(contract);
        for link in &contract.after.schema.links {
            goal.link(link, contract);
        }
        goal
    }

    fn need(&mut self, entity: &str, label: &str, contract: &Contract) {
        let into = contract.transforms.iter().filter(|rules| rules.target == entity);
        let names: Vec<String> = into.map(|rules| rules.target.clone()).collect();
        self.needs.insert((entity.to_owned(), label.to_owned()), names);
    }

    fn attr(&mut self, entity: &str, wanted: &Attr) {
        let attrs = &mut self.model.entry(entity).attrs;
        match attrs.iter_mut().find(|attr| attr.name == wanted.name) {
            None => attrs.push(wanted.clone()),
            Some(found) => {
                *found = Attr { indexed: found.indexed || wanted.indexed, ..wanted.clone() };
            }
        }
    }

    /// Nothing is demanded of rows to come that no transform gives them.
    fn loosen(&mut self, contract: &Contract) {
        for rules in &contract.transforms {
            let named = |label: &str| {
                let after = &contract.after.schema;
                after.entity(&rules.target).is_some_and(|entity| entity.attr(label).is_some())
            };
            let target = &rules.target;
            let mut loosened = Vec::new();
            for attr in &mut self.model.entry(target).attrs {
                if attr.required && !named(&attr.name) {
                    attr.required = false;
                    loosened.push(attr.name.clone());
                }
            }
            for link in self.model.links.iter_mut().filter(|link| link.on == *target) {
                let rule = rules.links.iter().find(|rule| rule.label == link.label);
                if link.rules.required && rule.is_none_or(|rule| rule.required != Required::Yes) {
                    link.rules.required = false;
                    loosened.push(link.label.clone());
                }
            }
            for label in loosened {
                self.need(target, &label, contract);
            }
        }
    }

    fn link(&mut self, wanted: &Link, contract: &Contract) {
        self.need(&wanted.on, &wanted.label, contract);
        let needed = self.needed_by(&wanted.on, &wanted.label).unwrap_or_default().to_vec();
        if let Some((to, reverse)) = wanted.back() {
            self.needs.entry((to.to_owned(), reverse.to_owned())).or_insert(needed);
        }
        if let Some(found) = self.model.links.iter_mut().find(|link| is_same(link, wanted)) {
            found.hold(wanted.has, wanted.reverse_has);
        } else if !self.collisions.is_backwards(wanted) {
            self.add(wanted.clone());
        }
    }

    /// Adds the links that follow the rows, with the pairs each will hold. What every row must have is
    /// asked for once the rows are there: until then a push refuses it, or the import fails at it.
    pub(super) fn carry(&mut self, carried: &[CarriedLink], pairs: impl Fn(&CarriedLink) -> u64) {
        for found in carried {
            let mut link = found.link.clone();
            if found.is_there {
                if let Some(there) = self.model.links.iter_mut().find(|it| is_same(it, &link)) {
                    there.hold(link.has, link.reverse_has);
                }
                continue;
            }
            let place = (link.on.clone(), link.label.clone());
            if std::mem::take(&mut link.rules.required) {
                self.whole.insert(place.clone());
            }
            self.pairs.insert(place.clone(), pairs(found));
            self.needs.insert(place, vec![link.on.clone()]);
            if !link.to.starts_with('$') && !link.to.is_empty() {
                self.model.entry(&link.to);
            }
            self.add(link);
        }
    }

    /// What is told of the step that makes a carried link.
    pub(super) fn follows(&self, step: &Draft, pairs: u64) -> String {
        let said = match pairs {
            1 => "1 link of the app follows the rows".to_owned(),
            pairs => format!("{} links of the app follow the rows", grouped(pairs)),
        };
        if !self.whole.contains(&(step.entity.clone(), step.label.clone())) {
            return said;
        }
        format!("{said}; add `required: true` once the rows are there, as it is in the app")
    }

    /// Adds a link under a name that no other one has.
    fn add(&mut self, mut link: Link) {
        let plain = link.name.clone();
        let mut number = 2;
        while self.model.links.iter().any(|other| other.name == link.name) {
            link.name = format!("{plain}_{number}");
            number += 1;
        }
        self.model.links.push(link);
    }

    /// The transforms that need what has a label; `None` when nobody asked for it.
    pub(super) fn needed_by(&self, entity: &str, label: &str) -> Option<&[String]> {
        self.needs.get(&(entity.to_owned(), label.to_owned())).map(Vec::as_slice)
    }
}
