//! Filling a store from an archive or from JSON, and reading it out.

use std::collections::BTreeMap;
use std::io::Read as _;

use rethread::json::{elements, members, string};
use serde_json::{Value, json};

use super::scan::canonical;
use super::store::{Attr, Store};

/// Rows by entity and id, in canonical form and without nulls.
pub(crate) type Content = BTreeMap<String, BTreeMap<String, String>>;

impl Store {
    /// A store with the entities and links of a schema as `config.json` has it.
    pub(crate) fn with_schema(schema: &Value) -> Self {
        let mut store = Store::default();
        (store.now, store.title) = (1_700_000_000_000, "App".to_owned());
        let flag = |value: &Value| value.as_bool().unwrap_or(false);
        for (etype, entity) in schema["entities"].as_object().into_iter().flatten() {
            store.declare_entity(etype);
            for (label, attr) in entity["attrs"].as_object().into_iter().flatten() {
                let types = ["string", "number", "boolean", "date"];
                store.declare(Attr {
                    etype: etype.clone(),
                    label: label.clone(),
                    unique: flag(&attr["config"]["unique"]),
                    indexed: flag(&attr["config"]["indexed"]),
                    required: flag(&attr["required"]),
                    checked: types.into_iter().find(|ty| attr["valueType"] == *ty),
                    ..Attr::default()
                });
            }
        }
        for link in schema["links"].as_object().into_iter().flatten().map(|(_, link)| link) {
            let text =
                |side: &str, key: &str| link[side][key].as_str().unwrap_or_default().to_owned();
            store.declare(Attr {
                etype: text("forward", "on"),
                label: text("forward", "label"),
                link: true,
                many: text("forward", "has") == "many",
                unique: text("reverse", "has") == "one",
                required: flag(&link["forward"]["required"]),
                reverse: Some((text("reverse", "on"), text("reverse", "label"))),
                ..Attr::default()
            });
        }
        store
    }

    /// The app of a backup archive, as a server holds it after restoring it.
    pub(crate) fn from_archive(path: &str) -> Self {
        let mut zip =
            zip::ZipArchive::new(std::fs::File::open(path).expect("a file")).expect("a zip");
        let mut read = |name: &str| {
            let mut text = String::new();
            zip.by_name(name).expect("an entry").read_to_string(&mut text).expect("text");
            text
        };
        let config: Value = serde_json::from_str(&read("config.json")).expect("JSON");
        let mut store = Store::with_schema(&config["schema"]);
        config["title"].as_str().unwrap_or_default().clone_into(&mut store.title);
        store.rules = config["rules"].clone();
        for (etype, _) in config["counts"].as_object().expect("counts") {
            for line in read(&format!("entities/{etype}.jsonl")).lines() {
                let line = members(line).expect("a line");
                let get = |key: &str| line.iter().find(|(name, _)| name == key).expect("it").1;
                store.now = get("createdAt").parse().expect("a time");
                store.restore(etype, get("entity"));
            }
        }
        store.now = 1_800_000_000_000;
        store
    }

    /// The app of a dataset: rows by entity.
    pub(crate) fn fill(&mut self, data: &Value) {
        for (etype, rows) in data.as_object().into_iter().flatten() {
            for row in rows.as_array().into_iter().flatten() {
                self.restore(etype, &row.to_string());
            }
        }
    }

    /// Puts a row as a backup has it: forward links under their labels.
    pub(crate) fn restore(&mut self, etype: &str, row: &str) {
        let members = members(row).expect("an object");
        let id = members.iter().find(|(key, _)| key == "id").expect("an id").1;
        let id = string(id).expect("a text").into_owned();
        for (label, raw) in members {
            let attr = self.attr(etype, &label).unwrap_or_else(|| panic!("{etype}.{label}"));
            let link = self.attrs[attr].link;
            let values = if link && raw.starts_with('[') {
                elements(raw).expect("links")
            } else {
                vec![raw]
            };
            for raw in values.into_iter().filter(|raw| !(link && *raw == "null")) {
                self.put(attr, &id, raw);
            }
        }
    }

    /// A row as a backup has it.
    pub(crate) fn row(&self, etype: &str, id: &str) -> String {
        let mut parts = Vec::new();
        for (at, attr) in self.of(etype) {
            let Some(values) = self.values(at, id) else { continue };
            let raw: Vec<&str> = values.values().map(|triple| triple.raw.as_str()).collect();
            let raw = if attr.many { format!("[{}]", raw.join(",")) } else { raw.join("") };
            parts.push(format!("{}:{raw}", json!(attr.label)));
        }
        format!("{{{}}}", parts.join(","))
    }

    /// All rows, in canonical form and without nulls.
    pub(crate) fn content(&self) -> Content {
        let mut etypes: Vec<&str> = self.attrs.iter().map(|attr| attr.etype.as_str()).collect();
        etypes.sort_unstable();
        etypes.dedup();
        let rows = |etype: &str| {
            let ids = self.ids(etype).into_iter();
            ids.map(|id| (id.clone(), without_nulls(&self.row(etype, &id)))).collect()
        };
        etypes.into_iter().map(|etype| (etype.to_owned(), rows(etype))).collect()
    }
}

fn without_nulls(row: &str) -> String {
    let kept = members(row).expect("an object").into_iter().filter(|(_, raw)| *raw != "null");
    let parts: Vec<String> = kept.map(|(key, raw)| format!("{}:{raw}", json!(key))).collect();
    canonical(&format!("{{{}}}", parts.join(",")))
}
