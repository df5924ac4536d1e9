//! What every label of every entity means: a column, a link file, or nothing the contract names.

use std::collections::{BTreeMap, BTreeSet};

use super::LinksMeta;
use crate::contract::Contract;
use crate::schema::{Has, Link, Schema, Type};

/// What a label of an entity means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The row's id.
    Id,
    /// An attribute: its column and type.
    Attr(usize, Type),
    /// An attribute that may hold the id of a linked row: its column.
    Scalar(usize),
    /// A text that a rule reads as the id of a row: its column.
    Ref(usize),
    /// A has-one link: its column.
    Link(usize),
    /// A link that no column holds: its place in [`Labels::links`].
    Pairs(usize),
}

/// The labels of one entity, sorted.
#[derive(Debug, Default)]
pub(super) struct Meanings(Vec<(String, Meaning)>);

impl Meanings {
    pub(super) fn of(&self, label: &str) -> Option<Meaning> {
        let at = self.0.binary_search_by(|(known, _)| known.as_str().cmp(label)).ok()?;
        Some(self.0[at].1)
    }
}

/// The labels of all entities.
#[derive(Debug, Default)]
pub(super) struct Labels {
    entities: BTreeMap<String, Meanings>,
    /// The link files there may be, sorted by entity and label; none has rows yet.
    pub(super) links: Vec<LinksMeta>,
}

impl Labels {
    /// The contract's labels, and those of the app's links that have an end in the contract's models.
    pub(super) fn new(contract: &Contract, app: Option<&Schema>) -> Self {
        let (before, after) = (&contract.before.schema, &contract.after.schema);
        let refs = contract.places_of_refs();
        let mut labels = Known { before, after, app, refs, found: BTreeMap::new() };
        for side in [before, after] {
            labels.columns(side);
        }
        labels.declared();
        labels.carried();
        labels.finish()
    }

    /// The labels of an entity; `None` when nothing of it is of interest.
    pub(super) fn of(&self, entity: &str) -> Option<&Meanings> {
        self.entities.get(entity)
    }
}

enum Found {
    Column(Meaning),
    Pairs(LinksMeta),
}

struct Known<'a> {
    before: &'a Schema,
    after: &'a Schema,
    app: Option<&'a Schema>,
    refs: BTreeSet<(&'a str, &'a str)>,
    found: BTreeMap<(String, String), Found>,
}

impl<'a> Known<'a> {
    fn names(&self, entity: &str) -> bool {
        self.before.entity(entity).is_some() || self.after.entity(entity).is_some()
    }

    /// Whether a rule reads an attribute as the id of a row.
    fn is_ref(&self, entity: &str, attr: &str) -> bool {
        self.before.entity(entity).is_some() && self.refs.contains(&(entity, attr))
    }

    /// `id`, attributes and has-one links, numbered as [`super::columns`] has them.
    fn columns(&mut self, side: &Schema) {
        for entity in &side.entities {
            let attrs = entity.attrs.iter().map(|attr| (attr.name.clone(), Some(attr.ty)));
            let links = side.columns_of(&entity.name).map(|link| (link.label.clone(), None));
            let id = std::iter::once(("id".to_owned(), None));
            for (column, (label, ty)) in id.chain(attrs).chain(links).enumerate() {
                let meaning = match ty {
                    _ if column == 0 => Meaning::Id,
                    Some(_) if is_scalar(side, &entity.name, &label) => Meaning::Scalar(column),
                    Some(Type::String) if self.is_ref(&entity.name, &label) => Meaning::Ref(column),
                    Some(ty) => Meaning::Attr(column, ty),
                    None => Meaning::Link(column),
                };
                let key = (entity.name.clone(), label);
                self.found.entry(key).or_insert(Found::Column(meaning));
            }
        }
    }

    /// The contract's links that are no column: has-many, and each from its reverse side.
    fn declared(&mut self) {
        let mut seen = BTreeSet::new();
        for link in self.before.links.iter().chain(&self.after.links) {
            if link.has == Has::Many {
                self.pairs(&Side::forward(link), "declared");
            }
            let Some((to, reverse)) = link.back() else { continue };
            if seen.insert((to, reverse)) {
                let link = self.reverse(to, reverse).unwrap_or(link);
                self.reverse_pairs(link, "declared");
            }
        }
    }

    /// The link a label means on its reverse side: of several, the one the app's schema has, else
    /// the one of the entity's own model, else the first.
    fn reverse(&self, entity: &str, label: &str) -> Option<&'a Link> {
        let is_it = |link: &&'a Link| link.back() == Some((entity, label));
        let (before, after) = (self.before, self.after);
        let all = || before.links.iter().chain(&after.links).filter(is_it);
        let of_app = |app: &'a Schema| app.links.iter().find_map(|link| other(link, entity, label));
        let app = self.app.and_then(of_app);
        let own = if after.entity(entity).is_some() { after } else { before };
        all()
            .find(|link| app == Some(link.on.as_str()))
            .or_else(|| own.links.iter().find(is_it))
            .or_else(|| all().next())
    }

    /// The app's links with an end in the models. A label that the contract gives a meaning keeps it (where
    /// the app's is another, [`super::clashes`] has refused);
    /// the far label of a link that the contract knows by its near one is another name of that one.
    fn carried(&mut self) {
        let Some(app) = self.app else { return };
        for link in &app.links {
            if !self.names(&link.on) && !self.names(&link.to) {
                continue;
            }
            if let Some(known) = self.known(link) {
                self.reverse_alias(link, known);
                continue;
            }
            self.pairs(&Side::forward(link), "carried");
            self.reverse_pairs(link, "carried");
        }
    }

    /// The contract's link whose forward side is a side of this one, with the same other end.
    fn known(&self, link: &Link) -> Option<&'a Link> {
        let (before, after) = (self.before, self.after);
        let is_it = |known: &&Link| {
            let same = link.ahead() == known.ahead() && link.to == known.to;
            same || (link.back() == Some(known.ahead()) && link.on == known.to)
        };
        before.links.iter().chain(&after.links).find(is_it)
    }

    /// What the app calls the reverse side of a contract's link, where that is another name.
    fn reverse_alias(&mut self, link: &Link, known: &Link) {
        let turned = link.ahead() != known.ahead();
        let (label, has) = match &link.reverse {
            _ if turned => (&link.label, link.has),
            Some(reverse) => (reverse, link.reverse_has),
            None => return,
        };
        let side = Side { label, has, ..Side::back(known, label) };
        self.pairs(&side, "declared");
    }

    fn reverse_pairs(&mut self, link: &Link, role: &str) {
        if let Some(reverse) = &link.reverse {
            self.pairs(&Side::back(link, reverse), role);
        }
    }

    fn pairs(&mut self, side: &Side<'_>, role: &str) {
        let key = (side.entity.to_owned(), side.label.to_owned());
        self.found.entry(key).or_insert_with(|| {
            Found::Pairs(LinksMeta {
                entity: side.entity.to_owned(),
                label: side.label.to_owned(),
                target: side.target.to_owned(),
                role: role.to_owned(),
                has_one: side.has == Has::One,
                seen_as: side.seen_as.map(str::to_owned),
                is_reverse: side.is_reverse,
                file: String::new(),
                rows: 0,
            })
        });
    }

    fn finish(self) -> Labels {
        let mut labels = Labels::default();
        let mut files = Files::default();
        for ((entity, label), found) in self.found {
            let meaning = match found {
                Found::Column(meaning) => meaning,
                Found::Pairs(mut links) => {
                    links.file = files.name("data/links", &format!("{entity}.{label}"));
                    labels.links.push(links);
                    Meaning::Pairs(labels.links.len() - 1)
                }
            };
            labels.entities.entry(entity).or_default().0.push((label, meaning));
        }
        labels
    }
}

/// Whether an attribute may hold the id that a link of its entity names.
fn is_scalar(side: &Schema, entity: &str, attr: &str) -> bool {
    side.links_on(entity).any(|link| link.also.iter().any(|also| also == attr))
}

/// The other entity of an app's link that has this label on this entity.
fn other<'a>(link: &'a Link, entity: &str, label: &str) -> Option<&'a str> {
    if link.back() == Some((entity, label)) {
        Some(&link.on)
    } else if link.ahead() == (entity, label) {
        Some(&link.to)
    } else {
        None
    }
}

/// A link as seen from one of its sides.
struct Side<'a> {
    entity: &'a str,
    label: &'a str,
    target: &'a str,
    has: Has,
    /// Its label on the other side.
    seen_as: Option<&'a str>,
    is_reverse: bool,
}

impl<'a> Side<'a> {
    fn forward(link: &'a Link) -> Self {
        Self {
            entity: &link.on,
            label: &link.label,
            target: &link.to,
            has: link.has,
            seen_as: link.reverse.as_deref(),
            is_reverse: false,
        }
    }

    /// The reverse side under a label.
    fn back(link: &'a Link, label: &'a str) -> Self {
        Self {
            entity: &link.to,
            label,
            target: &link.on,
            has: link.reverse_has,
            seen_as: Some(&link.label),
            is_reverse: true,
        }
    }
}

/// Gives file names that any file system and `BagIt` take, no two alike even when case is ignored.
#[derive(Debug, Default)]
pub(super) struct Files(BTreeSet<String>);

impl Files {
    pub(super) fn name(&mut self, folder: &str, name: &str) -> String {
        let plain: String = name.chars().filter_map(plain).take(120).collect();
        let mut path = format!("{folder}/{plain}.parquet");
        let mut number = 2;
        while !self.0.insert(path.clone()) {
            path = format!("{folder}/{plain}-{number}.parquet");
            number += 1;
        }
        path
    }
}

fn plain(c: char) -> Option<char> {
    match c {
        'a'..='z' | '0'..='9' | '_' | '-' | '.' => Some(c),
        'A'..='Z' => Some(c.to_ascii_lowercase()),
        '$' => None,
        _ => Some('_'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_plain_and_differ() {
        let mut files = Files::default();
        let cases = [
            ("story.parts", "l/story.parts.parquet"),
            ("story.Parts", "l/story.parts-2.parquet"),
            ("$users.../ä", "l/users...__.parquet"),
        ];
        for (name, expected) in cases {
            assert_eq!(files.name("l", name), expected);
        }
    }
}
