//! The order in which legacy tables are decided: each after those whose decisions its own need.

use std::collections::{BTreeMap, BTreeSet};

use super::{Contract, Hop, LinkHow, LinkPick, LinkRule, Pick, Required, Transform};
use crate::schema::Schema;

/// In which order the rows of the legacy tables are decided.
///
/// A table comes after those its required links and its values over links lead to, and, where it can,
/// after those its `ref` values name: of several places of a `ref` the first whose row is *there in the
/// target* counts. Where a `ref` leads to a table that cannot be decided before (to its own, or in a
/// circle), the first place whose row is in the source counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecisionOrder {
    /// The legacy entities, in this order.
    pub entities: Vec<String>,
    /// The `ref` attributes (target entity, attribute) that are judged by the source alone.
    by_source: BTreeSet<(String, String)>,
}

impl DecisionOrder {
    /// Whether a `ref` attribute is judged by which rows are in the source, not in the target.
    pub fn is_by_source(&self, target: &str, attr: &str) -> bool {
        self.by_source.contains(&(target.to_owned(), attr.to_owned()))
    }
}

/// By legacy entity, those whose decisions its own need.
type Graph = BTreeMap<String, BTreeSet<String>>;

/// The rows of a legacy entity are decided after those of another one.
pub(super) struct Need {
    pub(super) entity: String,
    pub(super) on: String,
    /// The attribute or link of the target model that asks for it, as `entity.name`.
    pub(super) by: String,
}

impl Contract {
    /// In which order legacy tables are decided, and which `ref` values are judged by the source.
    pub fn decision_order(&self) -> DecisionOrder {
        let before = &self.before.schema;
        let mut graph = Graph::new();
        for need in needs((before, &self.after.schema), &self.transforms.iter().collect::<Vec<_>>())
        {
            graph.entry(need.entity).or_default().insert(need.on);
        }
        let mut by_source = BTreeSet::new();
        for (rules, attr, to) in self.chosen_refs() {
            if reaches(&graph, to, &rules.source) {
                by_source.insert((rules.target.clone(), attr.to_owned()));
            } else {
                graph.entry(rules.source.clone()).or_default().insert(to.to_owned());
            }
        }
        let mut entities: Vec<String> = Vec::new();
        let mut waiting: Vec<&str> =
            before.entities.iter().map(|entity| entity.name.as_str()).collect();
        while !waiting.is_empty() {
            let is_ready = |entity: &&str| {
                let needs = graph.get(*entity);
                needs.is_none_or(|needs| needs.iter().all(|need| entities.contains(need)))
            };
            // A checked contract has no circle: one of them is always ready.
            let next = waiting.iter().position(is_ready).unwrap_or_default();
            entities.push(waiting.remove(next).to_owned());
        }
        DecisionOrder { entities, by_source }
    }

    /// The `ref` attributes for which other rows must be decided: those of several places, and those
    /// whose id does not follow from the id that is given. With the legacy entity each refers to.
    fn chosen_refs(&self) -> impl Iterator<Item = (&Transform, &str, &str)> {
        let all = self.transforms.iter().flat_map(|rules| {
            let attrs = rules.attrs.iter();
            attrs.filter_map(move |rule| Some((rules, rule, rule.refers.as_deref()?)))
        });
        all.filter(|(_, rule, to)| {
            let is_own = self.id_transform(to).is_some_and(|rules| rules.id.is_own());
            rule.from.len() > 1 || !is_own
        })
        .map(|(rules, rule, to)| (rules, rule.attr.as_str(), to))
    }
}

/// Whether the decisions of `from` need those of `to`, in whatever number of steps.
fn reaches(graph: &Graph, from: &str, to: &str) -> bool {
    let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(entity) = open.pop() {
        if entity == to {
            return true;
        }
        if seen.insert(entity) {
            open.extend(graph.get(entity).into_iter().flatten().map(String::as_str));
        }
    }
    false
}

/// The decisions that cannot be made before others: by required links, and by values over links.
pub(super) fn needs((before, after): (&Schema, &Schema), transforms: &[&Transform]) -> Vec<Need> {
    let mut found = Vec::new();
    for rules in transforms {
        let mut add = |name: &str, on: Option<&str>| {
            let on = on.filter(|on| before.entity(on).is_some());
            found.extend(on.map(|on| Need {
                entity: rules.source.clone(),
                on: on.to_owned(),
                by: format!("{}.{name}", rules.target),
            }));
        };
        let over = |label: &str| before.link(&rules.source, label).map(|link| link.to.as_str());
        for rule in &rules.attrs {
            for pick in &rule.from {
                if let Pick::Linked { link, .. } = pick {
                    add(&rule.attr, over(link));
                }
            }
        }
        for rule in rules.links.iter().filter(|rule| rule.required != Required::No) {
            let ends = of_link(before, rules, rule);
            for end in ends {
                add(&rule.label, Some(end));
            }
            if let LinkHow::Via { link, .. } = &rule.how {
                let to = after.link(&rules.target, link).map(|link| &link.to);
                let filled = transforms.iter().find(|other| Some(&other.target) == to);
                add(&rule.label, filled.map(|other| other.source.as_str()));
            }
        }
    }
    found
}

/// The legacy entities whose rows the places of a required link go over or name.
fn of_link<'a>(before: &'a Schema, rules: &'a Transform, rule: &'a LinkRule) -> Vec<&'a str> {
    let LinkHow::From { picks, .. } = &rule.how else { return Vec::new() };
    let leads = |entity: &str, label: &str| before.link(entity, label).map(|link| link.to.as_str());
    let ends = |pick: &'a LinkPick| match pick {
        LinkPick::Link(label) => vec![leads(&rules.source, label)],
        LinkPick::Key { entity, .. } => vec![Some(entity.as_str())],
        // A row that points here is looked at once all tables are decided.
        LinkPick::Reverse { .. } => Vec::new(),
        LinkPick::Over { by, take } => {
            let middle = match by {
                Hop::Link(label) => leads(&rules.source, label),
                Hop::Reverse { entity, .. } => Some(entity.as_str()),
            };
            vec![middle, middle.and_then(|middle| leads(middle, take))]
        }
    };
    picks.iter().flat_map(ends).flatten().collect()
}
