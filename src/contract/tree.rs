//! TOML as a tree of values that know where they stand.

use std::mem;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::misfit::{Misfits, Place};

/// The deepest a contract nests its tables; the format itself needs six levels.
const MAX_LEVELS: usize = 32;

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
}

/// A value of TOML.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(String),
    Whole(i64),
    Number(f64),
    Boolean(bool),
    /// What no contract uses: a moment, a number out of range.
    Other(&'static str),
    List(Vec<Node>),
    /// In the order written.
    Table(Vec<Entry>),
}

/// A key of a table and its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) place: Place,
    pub(super) node: Node,
}

/// Parses a file. What is no TOML is a misfit; then there is no tree.
pub(super) fn parse(text: &str, file: usize, misfits: &Misfits) -> Option<Node> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let root = DeValue::Table(table.into_inner());
    let too_deep = deepest(&root);
    let mut first = true;
    for error in &errors {
        // After another fault the parser takes what follows for keys that stand there twice.
        if first || error.message() != "duplicate key" {
            let offset = error.span().map_or(text.len(), |span| span.start);
            misfits.add(Place { file, offset }, format!("no TOML: {}", error.message()));
        }
        first &= error.message() == "duplicate key";
    }
    if let Some(offset) = too_deep {
        misfits.add(Place { file, offset }, format!("nested deeper than {MAX_LEVELS} levels"));
    }
    if !errors.is_empty() || too_deep.is_some() {
        dismantle(root);
        return None;
    }
    let place = Place { file, offset: 0 };
    Some(Node { place, value: value(&root, file) })
}

/// Parses one value, as a command line gives it.
pub(super) fn parse_value(text: &str, place: Place) -> Option<Node> {
    let (parsed, errors) = DeValue::parse_recoverable(text);
    let root = parsed.into_inner();
    if !errors.is_empty() || deepest(&root).is_some() {
        dismantle(root);
        return None;
    }
    let mut node = Node { place, value: value(&root, place.file) };
    node.stand_at(place);
    Some(node)
}

/// Where the first value too deep stands. Dotted keys nest without any limit of the parser's, so
/// the depth is measured without recursion.
fn deepest(root: &DeValue<'_>) -> Option<usize> {
    let mut work = vec![(root, 0, 0)];
    while let Some((value, level, offset)) = work.pop() {
        if level > MAX_LEVELS {
            return Some(offset);
        }
        match value {
            DeValue::Table(table) => {
                work.extend(table.iter().map(|(k, v)| (v.get_ref(), level + 1, k.span().start)));
            }
            DeValue::Array(list) => {
                work.extend(list.iter().map(|v| (v.get_ref(), level + 1, v.span().start)));
            }
            _ => {}
        }
    }
    None
}

/// Drops a tree of any depth without recursion.
fn dismantle(root: DeValue<'_>) {
    let mut work = vec![root];
    while let Some(value) = work.pop() {
        match value {
            DeValue::Table(table) => {
                work.extend(table.into_iter().map(|(_, value)| value.into_inner()));
            }
            DeValue::Array(mut list) => work.extend(
                list.iter_mut().map(|v| mem::replace(v.get_mut(), DeValue::Boolean(false))),
            ),
            _ => {}
        }
    }
}

/// Recurses at most [`MAX_LEVELS`] deep.
fn value(from: &DeValue<'_>, file: usize) -> Value {
    match from {
        DeValue::String(text) => Value::Text(text.clone().into_owned()),
        DeValue::Boolean(is) => Value::Boolean(*is),
        DeValue::Datetime(_) => Value::Other("a date"),
        DeValue::Float(number) => {
            number.as_str().parse().map_or(Value::Other("a number out of range"), Value::Number)
        }
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or(Value::Other("a number out of range"), Value::Whole),
        DeValue::Array(list) => Value::List(
            list.iter().map(|item| node(item, Place { file, offset: item.span().start })).collect(),
        ),
        DeValue::Table(table) => {
            let mut entries: Vec<Entry> = table
                .iter()
                .map(|(key, value)| {
                    let place = Place { file, offset: key.span().start };
                    Entry {
                        key: key.get_ref().clone().into_owned(),
                        place,
                        node: node(value, place),
                    }
                })
                .collect();
            entries.sort_by_key(|entry| entry.place);
            Value::Table(entries)
        }
    }
}

/// A table that only dotted keys made has no place of its own: it stands at its key.
fn node(from: &Spanned<DeValue<'_>>, key: Place) -> Node {
    let span = from.span();
    let offset = if span.is_empty() { key.offset } else { span.start };
    Node { place: Place { file: key.file, offset }, value: value(from.get_ref(), key.file) }
}

impl Node {
    /// What kind of value it is, as a sentence names it.
    pub(super) fn kind(&self) -> &'static str {
        match &self.value {
            Value::Text(_) => "a text",
            Value::Whole(_) => "a whole number",
            Value::Number(_) => "a number",
            Value::Boolean(true) => "`true`",
            Value::Boolean(false) => "`false`",
            Value::Other(kind) => kind,
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
        }
    }

    /// The entries of a table; none of any other value.
    pub(super) fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Table(entries) => entries,
            _ => &[],
        }
    }

    /// The value of a key of a table.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.node)
    }

    /// The value at a dotted key. No key of a contract that may be filled holds a dot.
    pub(super) fn at(&self, key: &str) -> Option<&Node> {
        key.split('.').try_fold(self, |node, part| node.get(part))
    }

    /// Puts a value to a dotted key, making the tables on the way there.
    pub(super) fn put(&mut self, key: &str, value: Node) {
        let mut parts = key.split('.').peekable();
        let (place, mut node, mut value) = (value.place, self, Some(value));
        while let Some(part) = parts.next() {
            let Value::Table(entries) = &mut node.value else { return };
            let at = entries.iter().position(|entry| entry.key == part).unwrap_or_else(|| {
                let node = Node { place, value: Value::Table(Vec::new()) };
                entries.push(Entry { key: part.to_owned(), place, node });
                entries.len() - 1
            });
            node = &mut entries[at].node;
            if parts.peek().is_none() {
                value.take().into_iter().for_each(|value| *node = value);
            }
        }
    }

    /// Takes a key out of a table.
    pub(super) fn take(&mut self, key: &str) -> Option<Entry> {
        let Value::Table(entries) = &mut self.value else { return None };
        let at = entries.iter().position(|entry| entry.key == key)?;
        Some(entries.remove(at))
    }

    /// Whether it is the same value, wherever it stands.
    pub(super) fn equals(&self, other: &Node) -> bool {
        match (&self.value, &other.value) {
            (Value::Text(a), Value::Text(b)) => a == b,
            (Value::Whole(a), Value::Whole(b)) => a == b,
            (Value::Number(a), Value::Number(b)) => a.to_bits() == b.to_bits(),
            (Value::Boolean(a), Value::Boolean(b)) => a == b,
            (Value::List(a), Value::List(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.equals(b))
            }
            _ => false,
        }
    }

    /// Lets it and all in it stand at one place.
    fn stand_at(&mut self, place: Place) {
        self.place = place;
        match &mut self.value {
            Value::List(items) => items.iter_mut().for_each(|item| item.stand_at(place)),
            Value::Table(entries) => {
                for entry in entries {
                    entry.place = place;
                    entry.node.stand_at(place);
                }
            }
            _ => {}
        }
    }
}
