//! `[after.rules]`: permission rules of entities, of the target above all, in InstantDB's own form.

use serde_json::{Map, Value};

use super::fields::{Fields, text};
use super::misfit::{Misfits, Place, hint, quoted};
use super::model::Model;
use crate::app::{ACTIONS, DEFAULT};

/// Reads the rules, by target entity: JSON objects, each with `allow`, `bind` or `fields`.
pub(super) fn read(root: &Fields<'_>, model: &Model) -> Vec<(String, Map<String, Value>)> {
    let node = root.get("after").and_then(|after| after.get("rules"));
    let fields = node.and_then(|node| Fields::map(node, "after.rules", root.misfits));
    let mut found = Vec::new();
    for entry in fields.iter().flat_map(Fields::entries) {
        let (entity, place) = (&entry.key, entry.node.place);
        // Other entities of the app may be named: where the legacy ones go, what they say may not hold.
        if model.before.entity(entity).is_some() && model.after.entity(entity).is_none() {
            let said = format!(
                "{} is a legacy entity: rules are said of what is there after",
                quoted(entity)
            );
            root.misfits.add(entry.place, said);
        }
        let Some(said) = text(&entry.node, entity, root.misfits) else { continue };
        let rules: Map<String, Value> = match serde_json::from_str(said) {
            Ok(rules) => rules,
            Err(_) => {
                let said = "are written as a JSON object in a text: '{\"allow\": {\"view\": …}}'";
                root.misfits.add(place, format!("the rules of {} {said}", quoted(entity)));
                continue;
            }
        };
        judge(entity, &rules, (place, root.misfits));
        found.push((entity.clone(), rules));
    }
    found
}

fn judge(entity: &str, rules: &Map<String, Value>, (place, misfits): (Place, &Misfits)) {
    let wrong =
        |said: String| misfits.add(place, format!("the rules of {} {said}", quoted(entity)));
    let known = |table: &Map<String, Value>, known: &[&str]| {
        for key in table.keys().filter(|key| !known.contains(&key.as_str())) {
            wrong(format!("have no key {}{}", quoted(key), hint(key, known.iter().copied())));
        }
    };
    let is_code = |code: &Value| code.is_string() || code.is_boolean();
    let codes = |name: &str, value: &Value| {
        if !value.as_object().is_some_and(|table| table.values().all(is_code)) {
            wrong(format!("have {} that is no table of expressions", quoted(name)));
        }
    };
    known(rules, &["allow", "bind", "fields"]);
    if rules.is_empty() {
        wrong("say nothing: InstantDB takes what is not said for allowed".to_owned());
    }
    for (key, value) in rules {
        match (key.as_str(), value) {
            ("allow", Value::Object(allow)) => {
                let all: Vec<&str> =
                    ACTIONS.into_iter().chain([DEFAULT, "link", "unlink"]).collect();
                known(allow, &all);
                for (action, value) in allow {
                    match action.as_str() {
                        "link" | "unlink" => codes(action, value),
                        _ if is_code(value) => {}
                        _ => wrong(format!("have {} that is no expression", quoted(action))),
                    }
                }
            }
            ("bind", Value::Array(names))
                if names.len() % 2 == 0 && names.iter().all(Value::is_string) => {}
            ("bind", Value::Array(_)) => {
                wrong("have a `bind` that is no list of names and expressions".to_owned());
            }
            ("allow" | "bind" | "fields", value) => codes(key, value),
            _ => {}
        }
    }
}
