//! The blanks that are left, and a release file to fill them.

use serde_json::{Map, Value as Json};

use super::misfit::{Place, quoted};
use super::release::FILLABLE;
use super::tree::{Node, Value};
use super::{Contract, Keep, Limit, Overrides, Unfit};
use crate::error::Result;

/// A value as TOML on one line. What no key holds is a misfit and not written.
pub(super) fn toml(value: &Value) -> String {
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
pub(crate) fn toml_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.extend(format!("\\u{:04X}", u32::from(c)).chars()),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// The keys that are still blank: an empty text or an empty list, in the order of the contract.
pub fn blanks(contract: &Contract) -> Vec<String> {
    purposes(contract).into_iter().map(|(key, _)| key).collect()
}

/// The same keys, each with what it is for.
pub fn purposes(contract: &Contract) -> Vec<(String, &'static str)> {
    let values = values(contract).into_iter();
    let blank = |value: &Value| match value {
        Value::Text(text) => text.trim().is_empty(),
        Value::List(items) => items.is_empty(),
        _ => false,
    };
    values.filter(|(_, _, value)| blank(value)).map(|(key, what, _)| (key, what)).collect()
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
            out.extend(["\n[", &header.join("."), "]\n"]);
            parent.clone_into(&mut table);
        }
        let mark = if blanks.contains(&key) { "" } else { "# " };
        let (last, value) = (toml_key(last), toml(&value));
        out.extend([
            mark, &last, " = ", &value, "   # ", what, "
",
        ]);
    }
    Ok(out)
}

/// A key of TOML, quoted where it must be.
pub(crate) fn toml_key(key: &str) -> String {
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
        if pattern.starts_with("after.rules") {
            let text =
                |rules: &Map<String, Json>| Value::Text(Json::Object(rules.clone()).to_string());
            let rules = contract.rules.iter();
            values.extend(rules.map(|(entity, it)| (format!("{before}{entity}"), what, text(it))));
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

/// How a contract writes what becomes of rows that not every store holds.
pub(super) fn unfit_name(unfit: Unfit) -> &'static str {
    match unfit {
        Unfit::Refuse => "refuse",
        Unfit::Quarantine => "quarantine",
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
        "rollout.max_reordered" => limit(rollout.max_reordered),
        "rollout.max_left_behind" => limit(rollout.max_left_behind),
        "rollout.rollback_trigger" => texts(&rollout.rollback_trigger),
        "rollout.rollback_action" => text(&rollout.rollback_action),
        "target.unfit" => text(unfit_name(contract.unfit)),
        "implementation.language" => text(&implementation.language),
        "implementation.reason" => text(&implementation.reason),
        _ => Value::Other("unknown"),
    }
}

fn limit(limit: Limit) -> Value {
    match limit {
        Limit::Any => Value::Text("any".to_owned()),
        Limit::Rows(rows) => i64::try_from(rows).map_or(Value::Other("too many"), Value::Whole),
        Limit::Percent(share) => Value::Text(format!("{share}%")),
    }
}
