//! The blanks of a contract: which there are, and how they are filled.
//!
//! Three things fill them, each over the one before: `[[override]]` tables at the end of the
//! contract file (so a bundle keeps one text that says all), a release file, and `--set`.

use std::collections::BTreeMap;

use super::fields::{Fields, list};
use super::misfit::{Misfits, Place, hint, quoted};
use super::tree::{self, Node, Value};
use super::{Contract, Keep};
use crate::error::Result;

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
enum Holds {
    Text,
    Texts,
    Other,
}

/// The keys that may be filled, and what each is for. A `*` stands for the name of an entity.
const FILLABLE: [(&str, Holds, &str); 17] = [
    ("release.from", Holds::Text, "the version that is left"),
    ("release.to", Holds::Text, "the version that is adopted"),
    ("release.scope", Holds::Text, "what the migration covers"),
    ("before.entrypoints", Holds::Texts, "runtime entry points of the legacy model"),
    ("before.apis", Holds::Texts, "interfaces of the legacy model in use"),
    ("before.entities.*.optional", Holds::Other, "whether a source may lack the entity"),
    ("after.entrypoints", Holds::Texts, "runtime entry points of the target model"),
    ("after.apis", Holds::Texts, "interfaces of the target model in use"),
    ("duplicates.keep.*", Holds::Text, "which of conflicting rows is kept: first, last or none"),
    ("rollout.dry_run", Holds::Text, "required or optional"),
    ("rollout.canary", Holds::Text, "the first organisation"),
    ("rollout.max_quarantined", Holds::Other, "rows, a share (\"0.1%\"), or \"any\""),
    ("rollout.max_repaired", Holds::Other, "values, a share of the rows, or \"any\""),
    ("rollout.rollback_trigger", Holds::Texts, "what leads to a rollback"),
    ("rollout.rollback_action", Holds::Text, "what a rollback does"),
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
/// [`Contract::text`].
pub(super) fn overlay(
    text: &str,
    mut tree: Option<&mut Node>,
    overrides: &Overrides,
    misfits: &Misfits,
) -> String {
    if let Some(tree) = tree.as_deref_mut() {
        let own = own(text, tree, misfits);
        own.into_iter().for_each(|over| put(tree, over, misfits));
    }
    let mut last: BTreeMap<String, Override> = BTreeMap::new();
    let given = released(overrides, misfits).into_iter().chain(set(overrides, misfits));
    given.for_each(|over| drop(last.insert(over.key.clone(), over)));
    let Some(tree) = tree else { return String::new() };
    last.retain(|key, over| !tree.at(key).is_some_and(|node| node.equals(&over.value)));
    let text = with_block(text, last.values());
    last.into_values().for_each(|over| put(tree, over, misfits));
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

/// A value as TOML on one line. What no key holds is a misfit and not written.
fn toml(value: &Value) -> String {
    match value {
        Value::Text(text) => toml_text(text),
        Value::Whole(number) => number.to_string(),
        Value::Number(number) => format!("{number:?}"),
        Value::Boolean(is) => is.to_string(),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(|item| toml(&item.value)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Other(_) | Value::Table(_) => "{}".to_owned(),
    }
}

/// A basic string of TOML.
pub(super) fn toml_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// The keys that are still blank: an empty text or an empty list, in the order of the contract.
pub fn blanks(contract: &Contract) -> Vec<String> {
    let values = values(contract).into_iter();
    let blank = |value: &Value| match value {
        Value::Text(text) => text.trim().is_empty(),
        Value::List(items) => items.is_empty(),
        _ => false,
    };
    values.filter(|(_, _, value)| blank(value)).map(|(key, ..)| key).collect()
}

/// A release file for a contract: its blanks to fill, and as comments what is filled already.
///
/// # Errors
/// The contract cannot be read.
pub fn init(text: &str, name: &str) -> Result<String> {
    let contract = super::load(text, name, &Overrides::default())?;
    let blanks = blanks(&contract);
    let mut out = format!(
        "# A release file of the contract {}: fill the blanks, then give it by `--release FILE`.\n\
         # What stands as a comment is what the contract says; take the `# ` away to change it.\n",
        quoted(&contract.name)
    );
    let mut table = String::new();
    for (key, what, value) in values(&contract) {
        let (parent, last) = key.rsplit_once('.').unwrap_or(("", &key));
        if parent != table {
            let header: Vec<String> = parent.split('.').map(toml_key).collect();
            out.push_str(&format!("\n[{}]\n", header.join(".")));
            parent.clone_into(&mut table);
        }
        let mark = if blanks.contains(&key) { "" } else { "# " };
        out.push_str(&format!("{mark}{} = {}   # {what}\n", toml_key(last), toml(&value)));
    }
    Ok(out)
}

/// A key of TOML, quoted where it must be.
fn toml_key(key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if !key.is_empty() && key.chars().all(bare) { key.to_owned() } else { toml_text(key) }
}

/// Every key that may be filled, what it is for, and its value.
fn values(contract: &Contract) -> Vec<(String, &'static str, Value)> {
    let mut values = Vec::new();
    for (pattern, _, what) in FILLABLE {
        let (before, after) = pattern.split_once('*').unwrap_or((pattern, ""));
        if !pattern.contains('*') {
            values.push((pattern.to_owned(), what, value(contract, pattern)));
            continue;
        }
        for entity in &contract.before.schema.entities {
            let value = match after {
                "" => Value::Text(keep_name(contract.duplicates.keep(&entity.name)).to_owned()),
                _ => Value::Boolean(entity.optional),
            };
            values.push((format!("{before}{}{after}", entity.name), what, value));
        }
    }
    values
}

/// How a contract writes which row is kept.
pub(super) fn keep_name(keep: Keep) -> &'static str {
    match keep {
        Keep::First => "first",
        Keep::Last => "last",
        Keep::None => "none",
    }
}

fn value(contract: &Contract, key: &str) -> Value {
    let place = Place { file: 0, offset: 0 };
    let text = |text: &str| Value::Text(text.to_owned());
    let texts = |texts: &[String]| {
        Value::List(texts.iter().map(|said| Node { place, value: text(said) }).collect())
    };
    let (rollout, implementation) = (&contract.rollout, &contract.implementation);
    match key {
        "release.from" => text(&contract.release.from),
        "release.to" => text(&contract.release.to),
        "release.scope" => text(&contract.release.scope),
        "before.entrypoints" => texts(&contract.before.entrypoints),
        "before.apis" => texts(&contract.before.apis),
        "after.entrypoints" => texts(&contract.after.entrypoints),
        "after.apis" => texts(&contract.after.apis),
        "rollout.dry_run" if rollout.dry_run_required => text("required"),
        "rollout.dry_run" => text("optional"),
        "rollout.canary" => text(&rollout.canary),
        "rollout.max_quarantined" => limit(rollout.max_quarantined),
        "rollout.max_repaired" => limit(rollout.max_repaired),
        "rollout.rollback_trigger" => texts(&rollout.rollback_trigger),
        "rollout.rollback_action" => text(&rollout.rollback_action),
        "implementation.language" => text(&implementation.language),
        "implementation.reason" => text(&implementation.reason),
        _ => Value::Other("unknown"),
    }
}

fn limit(limit: super::Limit) -> Value {
    match limit {
        super::Limit::Any => Value::Text("any".to_owned()),
        super::Limit::Rows(rows) => {
            i64::try_from(rows).map_or(Value::Other("too many"), Value::Whole)
        }
        super::Limit::Percent(share) => Value::Text(format!("{share}%")),
    }
}
