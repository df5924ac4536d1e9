//! The blanks of a contract: which there are, and how they are filled.
//!
//! Three things fill them, each over the one before: `[[override]]` tables at the end of the
//! contract file (so a bundle keeps one text that says all), a release file, and `--set`.

use std::collections::BTreeMap;

use super::blanks::toml;
use super::fields::{Fields, list};
use super::misfit::{Misfits, Place, hint, quoted};
use super::tree::{self, Node, Value};

/// What fills the blanks of a contract.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// A release file: its name and its text.
    pub release: Option<(String, String)>,
    /// `--set key=value`, in the order given; later ones win.
    pub set: Vec<(String, String)>,
}

/// What a key holds that may be filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    Text,
    Texts,
    Other,
}

/// The keys that may be filled, and what each is for. A `*` stands for the name of an entity.
pub(super) const FILLABLE: [(&str, Holds, &str); 21] = [
    ("release.from", Holds::Text, "the version that is left"),
    ("release.to", Holds::Text, "the version that is adopted"),
    ("release.scope", Holds::Text, "what the migration covers"),
    ("before.entrypoints", Holds::Texts, "runtime entry points of the legacy model"),
    ("before.apis", Holds::Texts, "interfaces of the legacy model in use"),
    ("before.entities.*.optional", Holds::Other, "whether a source may lack the entity"),
    ("after.entrypoints", Holds::Texts, "runtime entry points of the target model"),
    ("after.apis", Holds::Texts, "interfaces of the target model in use"),
    ("after.rules.*", Holds::Text, "permission rules of the entity, as a JSON object"),
    ("duplicates.keep.*", Holds::Text, "which of conflicting rows is kept: first, last or none"),
    ("rollout.dry_run", Holds::Text, "required or optional"),
    ("rollout.canary", Holds::Text, "the first organisation"),
    ("rollout.max_quarantined", Holds::Other, "rows, a share (\"0.1%\"), or \"any\""),
    ("rollout.max_repaired", Holds::Other, "values, a share of the rows, or \"any\""),
    ("rollout.max_reordered", Holds::Other, "rows shown in another order, a share, or \"any\""),
    ("rollout.max_left_behind", Holds::Other, "link values not carried, a share, or \"any\""),
    ("rollout.rollback_trigger", Holds::Texts, "what leads to a rollback"),
    ("rollout.rollback_action", Holds::Text, "what a rollback does"),
    (
        "target.unfit",
        Holds::Text,
        "rows with text that not every store holds: refuse or quarantine",
    ),
    ("implementation.language", Holds::Text, "what the migration is written in"),
    ("implementation.reason", Holds::Text, "why"),
];

/// A dotted key and its new value.
struct Override {
    key: String,
    place: Place,
    value: Node,
}

/// Lays what overrides over the tree, and gives the text that says the same: see
/// [`super::Contract::text`].
pub(super) fn overlay(
    text: &str,
    mut tree: Option<&mut Node>,
    overrides: &Overrides,
    misfits: &Misfits,
) -> String {
    if let Some(tree) = tree.as_deref_mut() {
        let own = own(text, tree, misfits);
        for over in own {
            put(tree, over, misfits);
        }
    }
    let mut last: BTreeMap<String, Override> = BTreeMap::new();
    let given = released(overrides, misfits).into_iter().chain(set(overrides, misfits));
    for over in given {
        last.insert(over.key.clone(), over);
    }
    let Some(tree) = tree else { return String::new() };
    last.retain(|key, over| !tree.at(key).is_some_and(|node| node.equals(&over.value)));
    let text = with_block(text, last.values());
    for over in last.into_values() {
        put(tree, over, misfits);
    }
    text
}

fn put(tree: &mut Node, over: Override, misfits: &Misfits) {
    if let Some(entity) = over.key.strip_suffix(".optional")
        && tree.at(entity).is_none()
    {
        let known = tree.at("before.entities").map_or(&[][..], |node| node.entries());
        let name = entity.rsplit('.').next().unwrap_or_default();
        let hint = hint(name, known.iter().map(|entry| entry.key.as_str()));
        let said = format!("no legacy entity {} is declared{hint}", quoted(name));
        misfits.add(over.place, said);
        return;
    }
    tree.put(&over.key, over.value);
}

/// The `[[override]]` tables of the contract itself.
fn own(text: &str, tree: &mut Node, misfits: &Misfits) -> Vec<Override> {
    let Some(entry) = tree.take("override") else { return Vec::new() };
    let Some(items) = list(&entry.node, "override", misfits) else { return Vec::new() };
    if !text.get(entry.node.place.offset..).is_some_and(|text| text.starts_with("[[")) {
        misfits.add(entry.place, "overrides are written as `[[override]]` tables");
        return Vec::new();
    }
    let mut found = Vec::new();
    for item in items {
        let fields = Fields::open(item, "override", &["key", "value"], misfits);
        let Some(fields) = fields else { continue };
        let (key, value) = (fields.need_text("key"), fields.need("value"));
        let (Some(key), Some(value)) = (key, value) else { continue };
        let place = fields.get("key").map_or(item.place, |node| node.place);
        if may_be_filled(key, place, misfits).is_some() {
            found.push(Override { key: key.to_owned(), place, value: value.clone() });
        }
    }
    found
}

/// What the release file says.
fn released(overrides: &Overrides, misfits: &Misfits) -> Vec<Override> {
    let Some((name, text)) = &overrides.release else { return Vec::new() };
    let file = misfits.file(name, Some(text));
    let Some(root) = tree::parse(text, file, misfits) else { return Vec::new() };
    let mut found = Vec::new();
    let mut work = vec![(String::new(), &root)];
    while let Some((prefix, node)) = work.pop() {
        for entry in node.entries() {
            let key = format!("{prefix}{}", entry.key);
            let inner = matches!(entry.node.value, Value::Table(_));
            if inner && FILLABLE.iter().any(|(pattern, ..)| begins(pattern, &key)) {
                work.push((format!("{key}."), &entry.node));
            } else if may_be_filled(&key, entry.place, misfits).is_some() {
                found.push(Override { key, place: entry.place, value: entry.node.clone() });
            }
        }
    }
    found
}

/// What `--set` says: TOML where the key does not want a text, or the text is quoted.
fn set(overrides: &Overrides, misfits: &Misfits) -> Vec<Override> {
    let mut found = Vec::new();
    for (key, said) in &overrides.set {
        let file = misfits.file(&format!("--set {key}"), None);
        let place = Place { file, offset: 0 };
        let Some(holds) = may_be_filled(key, place, misfits) else { continue };
        let plain = || Node { place, value: Value::Text(said.clone()) };
        let value = match tree::parse_value(said.trim(), place) {
            Some(node) if holds != Holds::Text || matches!(node.value, Value::Text(_)) => node,
            _ => plain(),
        };
        found.push(Override { key: key.clone(), place, value });
    }
    found
}

/// What a key holds, if it may be filled at all.
fn may_be_filled(key: &str, place: Place, misfits: &Misfits) -> Option<Holds> {
    let found =
        FILLABLE.iter().find(|(pattern, ..)| fits(pattern, key)).map(|(_, holds, _)| *holds);
    if found.is_none() {
        let hint = hint(key, FILLABLE.iter().map(|(pattern, ..)| *pattern));
        misfits.add(place, format!("{} is nothing a release fills{hint}", quoted(key)));
    }
    found
}

fn fits(pattern: &str, key: &str) -> bool {
    pattern.split('.').count() == key.split('.').count() && part_by_part(pattern, key)
}

/// Whether the key is a table on the way to the pattern.
fn begins(pattern: &str, key: &str) -> bool {
    pattern.split('.').count() > key.split('.').count() && part_by_part(pattern, key)
}

fn part_by_part(pattern: &str, key: &str) -> bool {
    pattern.split('.').zip(key.split('.')).all(|(a, b)| a == b || (a == "*" && !b.is_empty()))
}

/// The text with one `[[override]]` table for each key, in the order of the keys.
fn with_block<'a>(text: &str, overrides: impl ExactSizeIterator<Item = &'a Override>) -> String {
    let mut out = text.to_owned();
    if overrides.len() == 0 {
        return out;
    }
    if !out.ends_with('\n') {
        out.push('\n');
    }
    out.push_str("\n# overrides\n");
    for over in overrides {
        let key = Value::Text(over.key.clone());
        let tables =
            format!("[[override]]\nkey = {}\nvalue = {}\n", toml(&key), toml(&over.value.value));
        out.push_str(&tables);
    }
    out
}
