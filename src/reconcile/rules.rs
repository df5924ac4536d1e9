//! Rules of the app's schema that do not come along: what deletes what, what must be there, what is the
//! only one, what is checked.
//!
//! The legacy entities stay as they are; the target's have the rules of the contract. A carried link takes
//! the rules of its original where every row holds them. Whatever is left is named with the line that
//! brings it back: an app that relied on it would find out by lost or foreign rows.

use serde::{Deserialize, Serialize};

use super::carried::CarriedLink;
use super::goal::Goal;
use super::model::Model;
use super::written::{attr_line, link_line};
use crate::contract::{Contract, LinkHow, LinkPick, Pick, Transform};
use crate::schema::{Attr, Has, Link, LinkRules, OnDelete, Type};
use crate::snapshot::Snapshot;

/// A rule of the app's schema that the target's schema does not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleLeft {
    /// What is lost.
    pub kind: RuleKind,
    /// The entity of the app whose attribute or link has the rule.
    pub entity: String,
    /// Its label.
    pub label: String,
    /// The attribute or link of the target that has it not.
    pub what: String,
    /// What no longer holds, in a sentence.
    pub lost: String,
    /// The line of the target's schema that brings it back.
    pub line: String,
}

impl RuleLeft {
    /// The attribute or link that has the rule, as `entity.label`.
    pub fn of(&self) -> String {
        format!("{}.{}", self.entity, self.label)
    }
}

/// The kinds of rule that a schema has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleKind {
    /// What happens to rows when a row at the other end of a link is deleted.
    OnDelete,
    /// A value or link must be there.
    Required,
    /// A row has one at most, or is had by one at most.
    One,
    /// No two rows share a value.
    Unique,
    /// The store keeps an index.
    Indexed,
    /// The store checks the type.
    Checked,
}

/// The rules of the app's schema that are left behind, those of links first, in the order of the app's
/// schema. `carried` are the links that follow the rows, as the target has them. Nothing is said of what
/// has no end in the contract's legacy entities: it keeps its rules.
pub(super) fn left(
    contract: &Contract,
    (app, goal): (&Model, &Goal),
    (snapshot, carried): (&Snapshot, &[CarriedLink]),
) -> Vec<RuleLeft> {
    let left = Left { contract, goal };
    let mut found = Vec::new();
    for link in &app.links {
        found.extend(left.of_link(link));
        for carried in carried {
            let wanted = original(link, carried, snapshot);
            let there = wanted.as_ref().map(|wanted| compared(link, wanted, &carried.link));
            found.extend(there.into_iter().flatten());
        }
    }
    for entity in &app.entities {
        for attr in &entity.attrs {
            found.extend(left.of_attr(&entity.name, attr));
        }
    }
    found
}

/// A link of the app in the direction of the carried one that it became, if it did.
fn original(link: &Link, carried: &CarriedLink, snapshot: &Snapshot) -> Option<Link> {
    carried.files.iter().find_map(|file| {
        let held = snapshot.meta().links.get(file.at)?;
        let end = (held.entity.as_str(), held.label.as_str());
        let is_ahead = link.ahead() == end && held.target == link.to;
        let is_back = link.back() == Some(end) && held.target == link.on;
        match (is_ahead, is_back, file.is_turned) {
            (true, _, false) | (_, true, true) => Some(link.clone()),
            (true, _, true) | (_, true, false) => Some(link.turned()),
            _ => None,
        }
    })
}

struct Left<'a> {
    contract: &'a Contract,
    goal: &'a Goal,
}

impl Left<'_> {
    /// What is left of a link that the contract names, in every link of the target that takes it up.
    fn of_link(&self, link: &Link) -> Vec<RuleLeft> {
        let before = &self.contract.before.schema;
        let known = before.links.iter().find_map(|known| match known.ahead() {
            end if link.ahead() == end => Some((known, link.clone())),
            end if link.back() == Some(end) => Some((known, link.turned())),
            _ => None,
        });
        let Some((known, wanted)) = known else { return Vec::new() };
        let takes = |transform: &Transform| -> Vec<String> {
            let picked = LinkPick::Link(known.label.clone());
            let rules = transform.links.iter().filter(|rule| match &rule.how {
                LinkHow::From { picks, .. } => picks.contains(&picked),
                LinkHow::SameRow { .. } | LinkHow::Via { .. } => false,
            });
            rules.map(|rule| rule.label.clone()).collect()
        };
        let mut found = Vec::new();
        for transform in self.contract.transforms_of(&known.on) {
            for label in takes(transform) {
                let end = (transform.target.as_str(), label.as_str());
                let there = self.goal.model.links.iter().find(|link| link.ahead() == end);
                found.extend(there.into_iter().flat_map(|there| compared(link, &wanted, there)));
            }
        }
        found
    }

    /// What is left of a legacy attribute, in every attribute of the target that takes it up: as its first
    /// source, or where it is nobody's first, as a later one.
    fn of_attr(&self, entity: &str, attr: &Attr) -> Vec<RuleLeft> {
        let mut found = Vec::new();
        if self.contract.before.schema.entity(entity).is_none() {
            return found;
        }
        let pick = Pick::Attr(attr.name.clone());
        let mut rules = self.contract.transforms_of(entity).flat_map(|transform| &transform.attrs);
        let is_first = rules.any(|rule| rule.from.first() == Some(&pick));
        let takes = |from: &[Pick]| {
            if is_first { from.first() == Some(&pick) } else { from.contains(&pick) }
        };
        for transform in self.contract.transforms_of(entity) {
            for rule in transform.attrs.iter().filter(|rule| takes(&rule.from)) {
                let there = self.goal.model.attr(&transform.target, &rule.attr);
                let Some(there) = there else { continue };
                found.extend(attr_left((entity, attr), (&transform.target, there)));
            }
        }
        found
    }
}

/// What a link of the app demands and the target's does not. `wanted` is the app's link in the direction of
/// the other.
fn compared(of: &Link, wanted: &Link, there: &Link) -> Vec<RuleLeft> {
    let one = |wants: Has, is: Has| wants == Has::One && is == Has::Many;
    let mut whole = there.clone();
    let (ahead, back) = (one(wanted.has, there.has), one(wanted.reverse_has, there.reverse_has));
    whole.has = if ahead { Has::One } else { there.has };
    whole.reverse_has = if back { Has::One } else { there.reverse_has };
    let LinkRules { required, on_delete, on_delete_reverse } = wanted.rules;
    whole.rules = LinkRules {
        required: required || there.rules.required,
        on_delete: on_delete.or(there.rules.on_delete),
        on_delete_reverse: on_delete_reverse.or(there.rules.on_delete_reverse),
    };
    let (on, to) = (&there.on, &there.to);
    let mut found = Vec::new();
    let mut add = |is: bool, kind: RuleKind, lost: String, whole: &Link| {
        found.extend(is.then(|| RuleLeft {
            kind,
            entity: of.on.clone(),
            label: of.label.clone(),
            what: format!("{on}.{}", there.label),
            lost,
            line: link_line(whole),
        }));
    };
    add(ahead, RuleKind::One, format!("a row of `{on}` may have several"), &whole);
    add(back, RuleKind::One, format!("a row of `{to}` may be had by several"), &whole);
    let lacks = required && !there.rules.required;
    add(lacks, RuleKind::Required, format!("a row of `{on}` may be without one"), &whole);
    // Only a forward side can ask for it.
    let turned = whole.turned();
    let turned = Link { rules: LinkRules { required: true, ..turned.rules }, ..turned };
    let lacks = of.rules.required && !required;
    add(lacks, RuleKind::Required, format!("a row of `{to}` may be without one"), &turned);
    for (wants, is, lost) in [
        (on_delete, there.rules.on_delete, deleted(on_delete, on, to)),
        (on_delete_reverse, there.rules.on_delete_reverse, deleted(on_delete_reverse, to, on)),
    ] {
        add(wants.is_some() && is != wants, RuleKind::OnDelete, lost, &whole);
    }
    found
}

/// What no longer happens to rows when a row of the other entity is deleted.
fn deleted(action: Option<OnDelete>, rows: &str, other: &str) -> String {
    match action {
        Some(OnDelete::Restrict) => {
            format!("a row of `{other}` can be deleted while rows of `{rows}` hang on it")
        }
        _ => format!("deleting a row of `{other}` no longer deletes its rows of `{rows}`"),
    }
}

fn attr_left((of, attr): (&str, &Attr), (entity, there): (&str, &Attr)) -> Vec<RuleLeft> {
    let name = &there.name;
    let typed = attr.ty != Type::Any && there.ty == Type::Any;
    let all = [
        (attr.required && !there.required, RuleKind::Required, "may be missing".to_owned()),
        (attr.unique && !there.unique, RuleKind::Unique, "may be that of another row".to_owned()),
        (attr.indexed && !there.indexed, RuleKind::Indexed, "has no index to query by".to_owned()),
        (typed, RuleKind::Checked, format!("may be other than {}", attr.ty.name())),
    ];
    let whole = Attr {
        name: name.clone(),
        ty: if typed { attr.ty } else { there.ty },
        required: attr.required || there.required,
        unique: attr.unique || there.unique,
        indexed: attr.indexed || there.indexed,
    };
    let left = all.into_iter().filter(|(is, ..)| *is).map(|(_, kind, lost)| RuleLeft {
        kind,
        entity: of.to_owned(),
        label: attr.name.clone(),
        what: format!("{entity}.{name}"),
        lost: format!("`{name}` of a row of `{entity}` {lost}"),
        line: attr_line(&whole),
    });
    left.collect()
}
