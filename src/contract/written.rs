//! Section 5: the verification rules that are written.

use std::collections::BTreeSet;

use super::fields::{Fields, list};
use super::misfit::{Misfits, Place, quoted};
use super::model::{Column, Found, Model, declared, no_attr, no_link, words};
use super::transforms::{Becomes, many};
use super::{Check, CheckWhat};
use crate::schema::{Has, Type};

const KEYS: [&str; 5] = ["rule", "bijection", "unless", "sequence", "same"];

/// What the rules are read against.
struct Rules<'a> {
    model: &'a Model,
    becomes: &'a Becomes,
    misfits: &'a Misfits,
}

/// Reads the rules.
pub(super) fn read(root: &Fields<'_>, model: &Model, becomes: &Becomes) -> Vec<Check> {
    let Some(nodes) = root.get("verify").and_then(|node| list(node, "verify", root.misfits)) else {
        return Vec::new();
    };
    let rules = Rules { model, becomes, misfits: root.misfits };
    let mut names = BTreeSet::new();
    let mut checks = Vec::new();
    for node in nodes {
        let Some(fields) = Fields::open(node, "verify", &KEYS, root.misfits) else { continue };
        let rule = fields.owned("rule");
        let place = fields.get("rule").map_or(fields.place(), |node| node.place);
        if fields.get("rule").is_some() && rule.trim().is_empty() {
            root.misfits.add(place, "a rule has a name, by which reports call it");
        } else if !rule.is_empty() && !names.insert(rule.clone()) {
            root.misfits.add(place, format!("there is a rule {} already", quoted(&rule)));
        }
        checks.extend(rules.what(&fields).map(|what| Check { rule, what }));
    }
    checks
}

impl Rules<'_> {
    fn what(&self, fields: &Fields<'_>) -> Option<CheckWhat> {
        let kinds = ["bijection", "sequence", "same"];
        let given: Vec<&str> =
            kinds.into_iter().filter(|kind| fields.get(kind).is_some()).collect();
        let unless = fields.get("unless");
        if let Some(node) = unless.filter(|_| given != ["bijection"]) {
            self.misfits.add(node.place, "`unless` goes with `bijection` alone");
        }
        match given[..] {
            ["bijection"] => self.bijection(fields),
            ["sequence"] => self.sequence(fields),
            ["same"] => self.same(fields),
            _ => {
                let said = "a rule has one of `bijection`, `sequence` and `same`";
                self.misfits.add(fields.place(), said);
                None
            }
        }
    }

    fn bijection(&self, fields: &Fields<'_>) -> Option<CheckWhat> {
        let unless_adopted = fields.choice("unless", &[("adopted", true)]).unwrap_or(false);
        let pair = fields.texts("bijection")?;
        let place = fields.get("bijection").map_or(fields.place(), |node| node.place);
        let [(source, _), (target, _)] = pair[..] else {
            self.misfits.add(place, "`bijection` is a legacy entity and a target entity");
            return None;
        };
        self.fills(source, target, place);
        let (source, target) = (source.to_owned(), target.to_owned());
        Some(CheckWhat::Bijection { source, target, unless_adopted })
    }

    fn fills(&self, source: &str, target: &str, place: Place) {
        if !self.becomes.fills(source, target) {
            let said = format!("no transform makes {} out of {}", quoted(target), quoted(source));
            self.misfits.add(place, said);
        }
    }

    fn sequence(&self, fields: &Fields<'_>) -> Option<CheckWhat> {
        let keys = ["source", "target", "within", "by"];
        let fields = Fields::open(fields.get("sequence")?, "sequence", &keys, self.misfits)?;
        let source = declared(&fields, "source", &[&self.model.before]);
        let target = declared(&fields, "target", &[&self.model.after]);
        let (within, by) = (fields.need_text("within"), fields.need_texts("by"));
        let (source, target, within, by) = (source?, target?, within?, by?);
        self.fills(source, target, fields.place());
        let place = fields.get("within").map_or(fields.place(), |node| node.place);
        self.within(source, target, within, place);
        if by.is_empty() {
            self.misfits.add(fields.place(), "`by` names no order");
        }
        for (name, place) in &by {
            ordered(self.model, source, (name, *place), self.misfits);
        }
        Some(CheckWhat::Sequence {
            source: source.to_owned(),
            target: target.to_owned(),
            within: within.to_owned(),
            by: by.into_iter().map(|(name, _)| name.to_owned()).collect(),
        })
    }

    /// The link has the same label on both sides, and its ends go together.
    fn within(&self, source: &str, target: &str, label: &str, place: Place) {
        let model = self.model;
        let mut ends = Vec::new();
        for (side, entity) in [(&model.before, source), (&model.after, target)] {
            match model.link(side, entity, label) {
                Found::Yes(link) if link.has == Has::Many => self.misfits.add(place, many(label)),
                Found::Yes(link) => ends.push(link),
                Found::No => self.misfits.add(place, no_link(side, entity, label)),
                Found::Unsure => {}
            }
        }
        if let [from, to] = ends[..]
            && !self.becomes.leads(&from.to, &to.to)
        {
            let said = format!("{} leads to {}", quoted(label), quoted(&from.to));
            self.misfits.add(place, format!("{said}, which does not become {}", quoted(&to.to)));
        }
    }

    fn same(&self, fields: &Fields<'_>) -> Option<CheckWhat> {
        let node = fields.get("same")?;
        let table = Fields::map(node, "same", self.misfits)?;
        if table.entries().is_empty() {
            self.misfits.add(node.place, "`same` compares nothing");
        }
        let mut pairs = Vec::new();
        for entry in table.entries() {
            let from = table.text(&entry.key).unwrap_or_default();
            let ends = (entry.key.split_once('.'), from.split_once('.'));
            let (Some((target, attr)), Some((source, own))) = ends else {
                let said = "`same` compares \"target.attr\" = \"legacy.attr\"";
                self.misfits.add(entry.place, said);
                continue;
            };
            self.fills(source, target, entry.place);
            self.same_type((target, attr), (source, own), (entry.place, entry.node.place));
            pairs.push((target.to_owned(), attr.to_owned(), source.to_owned(), own.to_owned()));
        }
        Some(CheckWhat::Same { pairs })
    }

    fn same_type(&self, target: (&str, &str), source: (&str, &str), places: (Place, Place)) {
        let model = self.model;
        let ends = [(&model.after, target, places.0), (&model.before, source, places.1)];
        let mut types = Vec::new();
        for (side, (entity, attr), place) in ends {
            match model.attr(side, entity, attr) {
                Found::Yes(attr) => types.push(attr.ty),
                Found::No => self.misfits.add(place, no_attr(side, entity, attr)),
                Found::Unsure => {}
            }
        }
        if let [to, from] = types[..]
            && to != from
        {
            let said = format!("{} is {}", quoted(target.1), words(to));
            let said = format!("{said}, {} is {}", quoted(source.1), words(from));
            self.misfits.add(places.1, format!("{said}: they are never the same"));
        }
    }
}

/// A column of a legacy entity that has an order.
pub(super) fn ordered(
    model: &Model,
    entity: &str,
    (name, place): (&str, Place),
    misfits: &Misfits,
) {
    let said = match model.column(&model.before, entity, name) {
        Found::Yes(Column::Attr(attr)) if attr.ty == Type::Any => {
            format!("{} is {}, which has no order", quoted(name), words(attr.ty))
        }
        Found::Yes(Column::Link(_)) => format!("{} is a link, which has no order", quoted(name)),
        Found::No => no_attr(&model.before, entity, name),
        Found::Yes(_) | Found::Unsure => return,
    };
    misfits.add(place, said);
}
