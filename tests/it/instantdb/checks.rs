//! What a single value must be, and how values merge.

use std::collections::BTreeMap;

use rethread::json::{members, string};
use rethread::snapshot::parse_date;
use serde_json::json;

use super::scan::uuid;
use super::store::{Attr, Refusal, refusal};

fn kind_of(raw: &str) -> &'static str {
    match raw.as_bytes().first() {
        Some(b'"') => "string",
        Some(b't' | b'f') => "boolean",
        Some(b'{') => "object",
        Some(b'[') => "array",
        Some(b'n') => "null",
        _ => "number",
    }
}

fn blame(attr: &Attr, id: &str, raw: &str, large: bool) -> String {
    json!({ "namespace": attr.etype, "attribute": attr.label, "value": raw.chars().take(100).collect::<String>(),
            "checked-data-type": attr.checked, "attr-id": attr.id, "entity-id": id, "value-too-large?": large })
    .to_string()
}

pub(super) fn check_type(attr: &Attr, id: &str, raw: &str) -> Result<(), Refusal> {
    if attr.link {
        return match string(raw).and_then(|text| uuid(&text)) {
            Some(_) => Ok(()),
            None => Err(refusal(
                "validation-failed",
                "Linked value must be a valid uuid.",
                &blame(attr, id, raw, false),
            )),
        };
    }
    let kind = kind_of(raw);
    let fits = match (attr.checked, kind) {
        (None, _) | (_, "null") | (Some("date"), "number") => true,
        (Some("date"), "string") => string(raw).is_some_and(|text| parse_date(&text).is_some()),
        (Some(checked), kind) => checked == kind,
    };
    if fits {
        return Ok(());
    }
    let message = format!(
        "Invalid value type for {}.{}. Value must be a {} but the provided value type is {kind}.",
        attr.etype,
        attr.label,
        attr.checked.unwrap_or_default()
    );
    Err(refusal("validation-failed", message, &blame(attr, id, raw, false)))
}

/// `pg_column_size` of an indexed value is 1,024 at most: 12 bytes are no text.
pub(super) fn check_size(attr: &Attr, id: &str, raw: &str) -> Result<(), Refusal> {
    if attr.link || attr.label == "id" || !(attr.indexed || attr.unique) {
        return Ok(());
    }
    let size = string(raw).map_or(raw.len(), |text| text.len());
    if size <= 1012 {
        return Ok(());
    }
    let what = if attr.unique { "a unique attribute" } else { "an indexed attribute" };
    let message = format!("Value is too large for {what}.");
    Err(refusal("validation-failed", message, &blame(attr, id, raw, true)))
}

/// `jsonb_deep_merge`: a nested null takes the key away, arrays replace.
pub(super) fn merge(old: &str, patch: &str) -> String {
    let (Ok(old_members), Ok(patch_members)) = (members(old), members(patch)) else {
        return patch.to_owned();
    };
    let mut merged: BTreeMap<String, String> =
        old_members.into_iter().map(|(key, raw)| (key.into_owned(), raw.to_owned())).collect();
    for (key, raw) in patch_members {
        match merged.get(key.as_ref()) {
            _ if raw == "null" => drop(merged.remove(key.as_ref())),
            Some(old) => drop(merged.insert(key.into_owned(), merge(old, raw))),
            None => drop(merged.insert(key.into_owned(), raw.to_owned())),
        }
    }
    let members: Vec<String> =
        merged.into_iter().map(|(key, raw)| format!("{}:{raw}", json!(key))).collect();
    format!("{{{}}}", members.join(","))
}
