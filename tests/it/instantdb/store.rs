//! The triples, their attributes, and what must hold of them.

use std::collections::{BTreeMap, BTreeSet};

use super::scan::canonical;

/// An attribute, or a link from its forward side.
#[derive(Debug, Clone, Default)]
#[allow(clippy::struct_excessive_bools, reason = "they are the server's own flags")]
pub(crate) struct Attr {
    pub(crate) id: String,
    pub(crate) etype: String,
    pub(crate) label: String,
    pub(crate) link: bool,
    pub(crate) many: bool,
    pub(crate) unique: bool,
    pub(crate) indexed: bool,
    pub(crate) required: bool,
    pub(crate) checked: Option<&'static str>,
    pub(crate) reverse: Option<(String, String)>,
}

/// A value of an entity, and when it came.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Triple {
    pub(crate) raw: String,
    pub(crate) at: i64,
}

/// The values of one attribute of one entity, by canonical form.
pub(crate) type Values = BTreeMap<String, Triple>;
type Key = (usize, String);

/// An app's data.
#[derive(Debug, Clone, Default)]
pub(crate) struct Store {
    pub(crate) attrs: Vec<Attr>,
    pub(crate) title: String,
    /// The permission rules; null for none.
    pub(crate) rules: serde_json::Value,
    /// The last transaction.
    pub(crate) tx: u64,
    /// How often a row was in an `update` that was committed.
    pub(crate) updates: BTreeMap<(String, String), u32>,
    /// Rows that are refused for a reason of the app's own; with or without naming them.
    pub(crate) demand: Option<fn(&str, &str) -> bool>,
    pub(crate) names_them: bool,
    /// The attribute of this label is being indexed.
    pub(crate) indexing: Option<&'static str>,
    /// The server's clock, epoch milliseconds.
    pub(crate) now: i64,
    values: BTreeMap<Key, Values>,
    /// Entities by attribute and value.
    back: BTreeMap<Key, BTreeSet<String>>,
    undo: Option<Vec<(Key, Option<Values>)>>,
}

/// A call that the server refuses.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) http: u16,
    pub(crate) kind: &'static str,
    pub(crate) message: String,
    /// A JSON object.
    pub(crate) hint: String,
}

/// A refusal with status 400.
pub(super) fn refusal(kind: &'static str, message: impl Into<String>, hint: &str) -> Refusal {
    Refusal { http: 400, kind, message: message.into(), hint: hint.to_owned() }
}

impl Store {
    /// Adds an attribute and gives its number.
    pub(crate) fn declare(&mut self, attr: Attr) -> usize {
        let number = self.attrs.len();
        let id = format!("a0000000-0000-4000-8000-{number:012x}");
        self.attrs.push(Attr { id, ..attr });
        number
    }

    /// Adds an entity: its `id` attribute.
    pub(crate) fn declare_entity(&mut self, etype: &str) {
        if self.attr(etype, "id").is_none() {
            let (etype, label) = (etype.to_owned(), "id".to_owned());
            self.declare(Attr { etype, label, unique: true, indexed: true, ..Attr::default() });
        }
    }

    pub(crate) fn attr(&self, etype: &str, label: &str) -> Option<usize> {
        self.attrs.iter().position(|attr| attr.etype == etype && attr.label == label)
    }

    /// The link whose reverse side that is.
    pub(crate) fn reverse(&self, etype: &str, label: &str) -> Option<usize> {
        let is = |attr: &Attr| attr.reverse.as_ref().is_some_and(|(e, l)| e == etype && l == label);
        self.attrs.iter().position(is)
    }

    /// The attributes and links of an entity, by number.
    pub(crate) fn of<'a>(&'a self, etype: &'a str) -> impl Iterator<Item = (usize, &'a Attr)> {
        self.attrs.iter().enumerate().filter(move |(_, attr)| attr.etype == etype)
    }

    /// The entities of a type: those with an `id` triple.
    pub(crate) fn ids(&self, etype: &str) -> Vec<String> {
        let Some(attr) = self.attr(etype, "id") else { return Vec::new() };
        let all = self.values.range((attr, String::new())..(attr + 1, String::new()));
        all.map(|((_, id), _)| id.clone()).collect()
    }

    pub(crate) fn values(&self, attr: usize, id: &str) -> Option<&Values> {
        self.values.get(&(attr, id.to_owned()))
    }

    /// The value of a cardinality-one attribute.
    pub(crate) fn one(&self, attr: usize, id: &str) -> Option<&Triple> {
        self.values(attr, id)?.values().next()
    }

    pub(crate) fn exists(&self, etype: &str, id: &str) -> bool {
        self.attr(etype, "id").is_some_and(|attr| self.values(attr, id).is_some())
    }

    /// The entities that have a value.
    pub(crate) fn having(&self, attr: usize, raw: &str) -> Vec<String> {
        let found = self.back.get(&(attr, canonical(raw)));
        found.map(|ids| ids.iter().cloned().collect()).unwrap_or_default()
    }

    pub(crate) fn triples(&self) -> usize {
        self.values.values().map(BTreeMap::len).sum()
    }

    /// Puts a value: has-one attributes are overwritten, the same value is left alone.
    pub(crate) fn put(&mut self, attr: usize, id: &str, raw: &str) {
        let key = canonical(raw);
        let mut values = self.values(attr, id).cloned().unwrap_or_default();
        if values.contains_key(&key) {
            return;
        }
        if !self.attrs[attr].many {
            values.clear();
        }
        values.insert(key, Triple { raw: raw.to_owned(), at: self.now });
        self.set(attr, id, Some(values));
    }

    /// Takes a value away.
    pub(crate) fn retract(&mut self, attr: usize, id: &str, raw: &str) {
        let Some(mut values) = self.values(attr, id).cloned() else { return };
        values.remove(&canonical(raw));
        self.set(attr, id, Some(values).filter(|values| !values.is_empty()));
    }

    /// Deletes an entity with all links to it.
    pub(crate) fn delete(&mut self, etype: &str, id: &str) {
        let own: Vec<usize> = self.of(etype).map(|(attr, _)| attr).collect();
        for attr in own {
            self.set(attr, id, None);
        }
        let to = |attr: &Attr| attr.reverse.as_ref().is_some_and(|(to, _)| to == etype);
        let links: Vec<usize> = (0..self.attrs.len()).filter(|at| to(&self.attrs[*at])).collect();
        for attr in links {
            let raw = format!("\"{id}\"");
            for from in self.having(attr, &raw) {
                self.retract(attr, &from, &raw);
            }
        }
    }

    pub(super) fn set(&mut self, attr: usize, id: &str, values: Option<Values>) {
        let key = (attr, id.to_owned());
        let new: Vec<String> = values.iter().flat_map(BTreeMap::keys).cloned().collect();
        let old = match values {
            Some(values) => self.values.insert(key.clone(), values),
            None => self.values.remove(&key),
        };
        for value in old.iter().flat_map(BTreeMap::keys) {
            let place = (attr, value.clone());
            let empty = self.back.get_mut(&place).is_some_and(|ids| {
                ids.remove(id);
                ids.is_empty()
            });
            if empty {
                self.back.remove(&place);
            }
        }
        for value in new {
            self.back.entry((attr, value)).or_default().insert(id.to_owned());
        }
        if let Some(undo) = &mut self.undo {
            undo.push((key, old));
        }
    }

    /// Does all of some work, or nothing of it.
    pub(crate) fn transaction<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let attrs = self.attrs.len();
        self.undo = Some(Vec::new());
        self.now += 1;
        let done = work(self);
        let undo = self.undo.take().unwrap_or_default();
        match done {
            Ok(_) => self.tx += 1,
            Err(_) => {
                for ((attr, id), old) in undo.into_iter().rev() {
                    self.set(attr, &id, old);
                }
                self.attrs.truncate(attrs);
            }
        }
        done
    }
}
