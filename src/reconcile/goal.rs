//! The schema that the target wants: the app's, with the contract's model and the carried links in it.
//!
//! Of the app nothing goes: what the contract does not name stays, and so does an index that only the
//! app has, for its queries may sort by it. What would keep the migration's rows out (a required
//! attribute or link that no transform knows) is loosened.

use std::collections::BTreeMap;

use super::collisions::{self, Collisions};
use super::model::{Model, Ref};
use crate::contract::{Contract, Required};
use crate::schema::{Attr, Has, Link};

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
}

/// A link between rows that become target rows and another entity of the app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Carried {
    /// As it has to be in the target.
    pub(super) link: Link,
    /// The target entity.
    pub(super) target: String,
    /// How many pairs of the snapshot it will hold.
    pub(super) pairs: u64,
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
            for link in self.model.links.iter_mut().filter(|link| link.link.on == *target) {
                let rule = rules.links.iter().find(|rule| rule.label == link.link.label);
                if link.required && rule.is_none_or(|rule| rule.required != Required::Yes) {
                    link.required = false;
                    loosened.push(link.link.label.clone());
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
        self.needs.entry((wanted.to.clone(), wanted.reverse.clone())).or_insert(needed);
        let ends = [(wanted.on.as_str(), wanted.label.as_str()), (&wanted.to, &wanted.reverse)];
        let found = self.model.links.iter_mut().find(|link| link.ends() == ends);
        if let Some(found) = found {
            (found.link.has, found.link.reverse_has) = (wanted.has, wanted.reverse_has);
            // Rows go with others only from a side that has one.
            found.cascade.0 &= wanted.has == Has::One;
            found.cascade.1 &= wanted.reverse_has == Has::One;
        } else if !self.collisions.is_backwards(wanted) {
            self.add(wanted.clone());
        }
    }

    /// Adds the links that follow the rows.
    pub(super) fn carry(&mut self, carried: Vec<Carried>) {
        for Carried { link, target, pairs } in carried {
            self.pairs.insert((link.on.clone(), link.label.clone()), pairs);
            self.needs.insert((link.on.clone(), link.label.clone()), vec![target]);
            if !link.to.starts_with('$') {
                self.model.entry(&link.to);
            }
            self.add(link);
        }
    }

    /// Adds a link under a name that no other one has.
    fn add(&mut self, mut link: Link) {
        let plain = link.name.clone();
        let mut number = 2;
        while self.model.links.iter().any(|other| other.link.name == link.name) {
            link.name = format!("{plain}_{number}");
            number += 1;
        }
        self.model.links.push(Ref::from(link));
    }

    /// The transforms that need what has a label; `None` when nobody asked for it.
    pub(super) fn needed_by(&self, entity: &str, label: &str) -> Option<&[String]> {
        self.needs.get(&(entity.to_owned(), label.to_owned())).map(Vec::as_slice)
    }
}
