//! Labels that the target wants and the app has given to something else.
//!
//! InstantDB keeps one thing under a label of an entity and refuses a plan with a second one. So the
//! first push gives the label up (what has it gets another name), and the second brings the target.

use std::collections::BTreeSet;

use super::Finding;
use super::model::{Model, Owner, Side};
use crate::contract::Contract;
use crate::schema::Link;

/// What is in the way of the target's labels.
#[derive(Debug, Default)]
pub(super) struct Collisions {
    /// What gives its label up.
    pub(super) renames: Vec<Rename>,
    /// What to say of all of it.
    pub(super) findings: Vec<Finding>,
    /// Links of the contract that the app declares from the other side, by name.
    backwards: BTreeSet<String>,
}

/// One label that is given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rename {
    /// The entity.
    pub(super) entity: String,
    /// Its label.
    pub(super) label: String,
    /// The label it gets.
    pub(super) to: String,
    /// The side of the link it is; `None` for an attribute.
    pub(super) side: Option<Side>,
    /// The app's name of that link.
    pub(super) link: Option<String>,
}

impl Collisions {
    /// Whether the app declares a link of the contract from its other side.
    pub(super) fn is_backwards(&self, link: &Link) -> bool {
        self.backwards.contains(&link.name)
    }
}

/// What is in the way, and the app's schema once that has made room.
pub(super) fn settle(app: &Model, contract: &Contract) -> (Model, Collisions) {
    let after = &contract.after.schema;
    let mut room =
        Room { model: app.clone(), wanted: wanted(contract), found: Collisions::default() };
    for entity in &after.entities {
        for attr in &entity.attrs {
            if let Some(Owner::Link(..)) = room.model.owner(&entity.name, &attr.name) {
                room.rename(&entity.name, &attr.name, "the attribute of the target");
            }
        }
    }
    for link in &after.links {
        if app.link(link).is_some() {
            continue;
        }
        let turned =
            |found: &Link| found.back() == Some(link.ahead()) && Some(found.ahead()) == link.back();
        if app.links.iter().any(turned) {
            room.backwards(link);
            continue;
        }
        for (entity, label) in std::iter::once(link.ahead()).chain(link.back()) {
            if room.model.owner(entity, label).is_some() {
                room.rename(entity, label, &format!("the target's link `{}`", link.name));
            }
        }
    }
    (room.model, room.found)
}

/// Every label of the target model.
fn wanted(contract: &Contract) -> BTreeSet<(String, String)> {
    let after = &contract.after.schema;
    let attrs = after.entities.iter().flat_map(|entity| {
        entity.attrs.iter().map(|attr| (entity.name.clone(), attr.name.clone()))
    });
    let ends = after.links.iter().flat_map(|link| std::iter::once(link.ahead()).chain(link.back()));
    attrs.chain(ends.map(|(entity, label)| (entity.to_owned(), label.to_owned()))).collect()
}

struct Room {
    model: Model,
    wanted: BTreeSet<(String, String)>,
    found: Collisions,
}

impl Room {
    fn rename(&mut self, entity: &str, label: &str, wants: &str) {
        let name = format!("{entity}.{label}");
        let (side, link, said, other) = match self.model.owner(entity, label) {
            None => return,
            Some(Owner::Attr) => (None, None, "an attribute".to_owned(), "before".to_owned()),
            Some(Owner::Link(link, side)) => {
                let (to, reverse) = link.back().unwrap_or((&link.to, "?"));
                let said = format!(
                    "the link `{}` (`{}.{}` to `{to}.{reverse}`)",
                    link.name, link.on, link.label
                );
                let other = if side == Side::Forward { &link.to } else { &link.on };
                (Some(side), Some(link.name.clone()), said, other.clone())
            }
        };
        let to = self.free(entity, &format!("{label}_{other}"));
        self.found.findings.push(Finding {
            said: format!("`{name}`, which {wants} wants, belongs to {said} in the app: InstantDB refuses a second thing under one label"),
            help: format!(
                "push twice: first rename `{name}` to `{entity}.{to}` and let the running app read it there, then push the rest; or bring its data over and delete it before"
            ),
            what: name,
        });
        self.apply(entity, label, &to);
        let (entity, label) = (entity.to_owned(), label.to_owned());
        self.found.renames.push(Rename { entity, label, to, side, link });
    }

    /// A label of an entity that nothing has and nothing wants.
    fn free(&self, entity: &str, label: &str) -> String {
        let is_taken = |label: &str| {
            self.model.owner(entity, label).is_some()
                || self.wanted.contains(&(entity.to_owned(), label.to_owned()))
        };
        let mut free = label.to_owned();
        let mut number = 2;
        while is_taken(&free) {
            free = format!("{label}_{number}");
            number += 1;
        }
        free
    }

    fn apply(&mut self, entity: &str, label: &str, to: &str) {
        let attr = self.model.entities.iter_mut().filter(|found| found.name == entity);
        if let Some(attr) = attr.flat_map(|entity| &mut entity.attrs).find(|a| a.name == label) {
            to.clone_into(&mut attr.name);
            return;
        }
        for link in &mut self.model.links {
            if link.on == entity && link.label == label {
                to.clone_into(&mut link.label);
                return;
            }
            if link.back() == Some((entity, label)) {
                link.reverse = Some(to.to_owned());
                return;
            }
        }
    }

    fn backwards(&mut self, link: &Link) {
        let what = format!("{}.{}", link.on, link.label);
        let (to, reverse) = link.back().unwrap_or_default();
        self.found.findings.push(Finding {
            said: format!(
                "the app declares the target's link `{}` from its other side, `{to}.{reverse}`: InstantDB cannot turn a link around",
                link.name
            ),
            help: "declare it in the contract as the app does, or push twice: first a link under other labels that takes the data over and the end of this one, then the target's".to_owned(),
            what,
        });
        self.found.backwards.insert(link.name.clone());
    }
}
