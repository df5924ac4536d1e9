//! Reads tables key by key: what is missing, unknown or of another kind is a misfit.

use super::misfit::{Misfits, Place, hint, one_of, quoted};
use super::tree::{Entry, Node, Value};

/// A table that is being read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a> {
    node: &'a Node,
    name: &'a str,
    pub(super) misfits: &'a Misfits,
}

impl<'a> Fields<'a> {
    /// Begins to read a table, called `name` in messages, that may have only the `known` keys.
    pub(super) fn open(
        node: &'a Node,
        name: &'a str,
        known: &[&str],
        misfits: &'a Misfits,
    ) -> Option<Self> {
        let fields = Self::map(node, name, misfits)?;
        for entry in node.entries() {
            if !known.contains(&entry.key.as_str()) {
                let hint = hint(&entry.key, known.iter().copied());
                let said = format!("{} has no key {}{hint}", called(name), quoted(&entry.key));
                misfits.add(entry.place, said);
            }
        }
        Some(fields)
    }

    /// Begins to read a table whose keys are names.
    pub(super) fn map(node: &'a Node, name: &'a str, misfits: &'a Misfits) -> Option<Self> {
        let fields = Self { node, name, misfits };
        if let Value::Table(_) = node.value {
            return Some(fields);
        }
        wrong(node, name, "a table", misfits);
        None
    }

    /// Where the table stands.
    pub(super) fn place(&self) -> Place {
        self.node.place
    }

    /// Its entries in the order written.
    pub(super) fn entries(&self) -> &'a [Entry] {
        self.node.entries()
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&'a Node> {
        self.node.get(key)
    }

    /// The value of a key that must be there.
    pub(super) fn need(&self, key: &str) -> Option<&'a Node> {
        let found = self.get(key);
        if found.is_none() {
            self.misfits.add(self.place(), format!("{} lacks {}", called(self.name), quoted(key)));
        }
        found
    }

    /// The text of a key, if it is there.
    pub(super) fn text(&self, key: &str) -> Option<&'a str> {
        text(self.get(key)?, key, self.misfits)
    }

    /// The text of a key that must be there.
    pub(super) fn need_text(&self, key: &str) -> Option<&'a str> {
        text(self.need(key)?, key, self.misfits)
    }

    /// The text of a key that must be there; empty where it is a misfit.
    pub(super) fn owned(&self, key: &str) -> String {
        self.need_text(key).unwrap_or_default().to_owned()
    }

    /// The texts of a key that must be there, with their places.
    pub(super) fn need_texts(&self, key: &str) -> Option<Vec<(&'a str, Place)>> {
        texts(self.need(key)?, key, self.misfits)
    }

    /// The texts of a key, if it is there.
    pub(super) fn texts(&self, key: &str) -> Option<Vec<(&'a str, Place)>> {
        texts(self.get(key)?, key, self.misfits)
    }

    /// The truth of a key; false where it is not there.
    pub(super) fn flag(&self, key: &str) -> bool {
        match self.get(key) {
            Some(Node { value: Value::Boolean(is), .. }) => *is,
            Some(node) => {
                wrong(node, key, "`true` or `false`", self.misfits);
                false
            }
            None => false,
        }
    }

    /// Which of the texts a key has; `None` where it is not there or another.
    pub(super) fn choice<T: Copy>(&self, key: &str, choices: &[(&str, T)]) -> Option<T> {
        let node = self.get(key)?;
        let said = text(node, key, self.misfits)?;
        let found = choices.iter().find(|(name, _)| *name == said).map(|(_, choice)| *choice);
        if found.is_none() {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            let said = format!("{} must be {}, not {}", quoted(key), one_of(&names), quoted(said));
            self.misfits.add(node.place, said);
        }
        found
    }
}

/// How messages call a table; the whole file is the one without a name.
fn called(name: &str) -> String {
    if name.is_empty() { "the contract".to_owned() } else { quoted(name) }
}

/// A value as text.
pub(super) fn text<'a>(node: &'a Node, name: &str, misfits: &Misfits) -> Option<&'a str> {
    if let Value::Text(text) = &node.value {
        return Some(text);
    }
    wrong(node, name, "a text", misfits);
    None
}

/// A value as a list of texts; the elements that are none are misfits and left out.
pub(super) fn texts<'a>(
    node: &'a Node,
    name: &str,
    misfits: &Misfits,
) -> Option<Vec<(&'a str, Place)>> {
    let items = list(node, name, misfits)?;
    let mut texts = Vec::with_capacity(items.len());
    for item in items {
        if let Value::Text(text) = &item.value {
            texts.push((text.as_str(), item.place));
        } else {
            let said = format!("an element of {} must be a text", quoted(name));
            misfits.add(item.place, format!("{said}, not {}", item.kind()));
        }
    }
    Some(texts)
}

/// A value as a list.
pub(super) fn list<'a>(node: &'a Node, name: &str, misfits: &Misfits) -> Option<&'a [Node]> {
    if let Value::List(items) = &node.value {
        return Some(items);
    }
    wrong(node, name, "a list", misfits);
    None
}

/// Notes a value of the wrong kind.
pub(super) fn wrong(node: &Node, name: &str, wanted: &str, misfits: &Misfits) {
    misfits.add(node.place, format!("{} must be {wanted}, not {}", quoted(name), node.kind()));
}
