//! The `config.json` that a backup would have.

use serde_json::{Map, Value, json};

use crate::app::Rules;
use crate::instantdb::{AppSchema, Attr};

/// Schema, counts, title and id of an app as a `config.json`. The server's own entities count where
/// they have rows.
pub(super) fn text(
    schema: &AppSchema,
    rules: &Rules,
    app: &str,
    counts: &[(&str, usize)],
) -> String {
    let counted = counts.iter().filter(|(name, rows)| *rows > 0 || !name.starts_with('$'));
    let counts: Map<String, Value> =
        counted.map(|(name, rows)| ((*name).to_owned(), json!(rows))).collect();
    let mut config = json!({
        "appId": app,
        "counts": counts,
        "schema": { "entities": entities(schema), "links": links(schema) },
        "title": schema.title,
    });
    if !rules.is_unknown() {
        let rules: Option<Map<String, Value>> = rules.clone().into();
        config["rules"] = json!(rules.unwrap_or_default());
    }
    config.to_string()
}

fn entities(schema: &AppSchema) -> Map<String, Value> {
    let mut entities = Map::new();
    for entity in schema.entities() {
        let blobs = schema.of(entity).filter(|attr| !attr.is_link && attr.label != "id");
        let attrs: Map<String, Value> = blobs.map(blob).collect();
        entities.insert(entity.to_owned(), json!({ "attrs": attrs, "links": {} }));
    }
    entities
}

fn blob(attr: &Attr) -> (String, Value) {
    let value = json!({
        "valueType": attr.checked.map_or("json", |ty| ty.name()),
        "required": attr.required,
        "config": { "indexed": attr.indexed, "unique": attr.unique },
    });
    (attr.label.clone(), value)
}

fn links(schema: &AppSchema) -> Map<String, Value> {
    let mut links = Map::new();
    for attr in schema.attrs.iter().filter(|attr| attr.is_link) {
        let (on, label) = attr.reverse.clone().unzip();
        let has = |many: bool| if many { "many" } else { "one" };
        let mut link = json!({
            "forward": { "on": attr.etype, "label": attr.label, "has": has(attr.is_many) },
            "reverse": { "on": on, "label": label, "has": has(!attr.unique) },
        });
        if attr.required {
            link["forward"]["required"] = true.into();
        }
        for (side, action) in [("forward", attr.on_delete), ("reverse", attr.on_delete_reverse)] {
            if let Some(action) = action {
                link[side]["onDelete"] = action.name().into();
            }
        }
        links.insert(format!("{}-{}", attr.etype, attr.label), link);
    }
    links
}
