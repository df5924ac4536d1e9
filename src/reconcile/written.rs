//! The target schema as InstantDB's JSON and as an `instant.schema.ts`.

use serde_json::{Map, Value};

use super::goal::Goal;
use super::model::Model;
use crate::schema::{Attr, Has, Link, LinkRules, OnDelete, Type};

/// A schema that is to be pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetSchema {
    pub(super) model: Model,
    /// The app's schema as the text it is.
    pub(super) app: Option<String>,
    /// What gives its label up: entity, label, new label.
    pub(super) renamed: Vec<(String, String, String)>,
}

impl TargetSchema {
    pub(super) fn new(goal: &Goal, app: Option<&str>) -> Self {
        let renames = goal.collisions.renames.iter();
        let renamed =
            renames.map(|it| (it.entity.clone(), it.label.clone(), it.to.clone())).collect();
        Self { model: goal.model.clone(), app: app.map(str::to_owned), renamed }
    }

    /// As InstantDB's JSON: definitions of the app that stay keep whatever else they say.
    ///
    /// # Errors
    /// The app's schema cannot be read again.
    pub fn json(&self) -> Result<String, serde_json::Error> {
        let app = self.app.as_deref().map(serde_json::from_str::<Value>).transpose()?;
        let app = app.unwrap_or_default();
        let mut out = app.as_object().cloned().unwrap_or_default();
        let entities = self.model.entities.iter().map(|entity| {
            let known = &app["entities"][&entity.name];
            let mut told = known.as_object().cloned().unwrap_or_default();
            let attrs = entity.attrs.iter().map(|attr| {
                let known = &known["attrs"][self.was(&entity.name, &attr.name)];
                (attr.name.clone(), attr_json(attr, known))
            });
            let mut attrs: Map<String, Value> = attrs.collect();
            if let Some(id) = known["attrs"].get("id") {
                attrs.insert("id".to_owned(), id.clone());
            }
            told.insert("attrs".to_owned(), Value::Object(attrs));
            (entity.name.clone(), Value::Object(told))
        });
        out.insert("entities".to_owned(), Value::Object(entities.collect()));
        let links = self.model.links.iter().map(|link| {
            let name = &link.name;
            (name.clone(), link_json(link, &app["links"][name]))
        });
        out.insert("links".to_owned(), Value::Object(links.collect()));
        serde_json::to_string_pretty(&Value::Object(out)).map(|text| text + "\n")
    }

    /// The label that something had before it was renamed.
    fn was<'a>(&'a self, entity: &str, label: &'a str) -> &'a str {
        let found = self.renamed.iter().find(|(on, _, to)| on == entity && to == label);
        found.map_or(label, |(_, was, _)| was)
    }

    /// As an `instant.schema.ts`, entities and attributes by name.
    pub fn typescript(&self) -> String {
        let mut entities: Vec<_> = self.model.entities.iter().collect();
        entities.sort_by(|a, b| a.name.cmp(&b.name));
        let entities: String = entities
            .into_iter()
            .map(|entity| {
                let mut attrs: Vec<_> = entity.attrs.iter().filter(|a| a.name != "id").collect();
                attrs.sort_by(|a, b| a.name.cmp(&b.name));
                let attrs: String = attrs.into_iter().map(attr_code).collect();
                format!("    {}: i.entity({{\n{attrs}    }}),\n", quoted(&entity.name))
            })
            .collect();
        let mut links: Vec<_> = self.model.links.iter().collect();
        links.sort_by(|a, b| a.name.cmp(&b.name));
        let links: String = links.into_iter().map(link_code).collect();
        format!(
            "// The app's schema with the migration's target in it, written by {}.\n\
             // Look at the plan (`instant-cli push schema`) before you confirm it.\n\n\
             import {{ i }} from \"@instantdb/core\";\n\n\
             const _schema = i.schema({{\n  entities: {{\n{entities}  }},\n  links: {{\n{links}  }},\n  rooms: {{}},\n}});\n\n\
             type _AppSchema = typeof _schema;\n\
             interface AppSchema extends _AppSchema {{}}\n\
             const schema: AppSchema = _schema;\n\n\
             export type {{ AppSchema }};\nexport default schema;\n",
            crate::PROGRAM
        )
    }
}

/// A type that is not checked is `json`, unless the app says it otherwise.
fn attr_json(attr: &Attr, known: &Value) -> Value {
    let mut told = known.as_object().cloned().unwrap_or_default();
    let was = known["valueType"].as_str().and_then(Type::parse).unwrap_or(Type::Any);
    if was != attr.ty || !known["valueType"].is_string() {
        let ty = if attr.ty == Type::Any { "json" } else { attr.ty.name() };
        told.insert("valueType".to_owned(), ty.into());
    }
    told.insert("required".to_owned(), attr.required.into());
    let mut config = known["config"].as_object().cloned().unwrap_or_default();
    config.insert("indexed".to_owned(), attr.indexed.into());
    config.insert("unique".to_owned(), attr.unique.into());
    told.insert("config".to_owned(), Value::Object(config));
    Value::Object(told)
}

fn has(has: Has) -> &'static str {
    match has {
        Has::One => "one",
        Has::Many => "many",
    }
}

/// A side that has no name has null in its place, as in the server's own schema.
fn link_json(link: &Link, known: &Value) -> Value {
    let mut told = known.as_object().cloned().unwrap_or_default();
    let LinkRules { required, on_delete, on_delete_reverse } = link.rules;
    let to = Some(&link.to).filter(|to| !to.is_empty());
    let sides = [
        ("forward", Some(&link.on), Some(&link.label), link.has, on_delete, required),
        ("reverse", to, link.reverse.as_ref(), link.reverse_has, on_delete_reverse, false),
    ];
    for (name, on, label, many, on_delete, required) in sides {
        let mut side = known[name].as_object().cloned().unwrap_or_default();
        side.insert("on".to_owned(), on.map_or(Value::Null, |on| on.as_str().into()));
        side.insert("label".to_owned(), label.map_or(Value::Null, |label| label.as_str().into()));
        side.insert("has".to_owned(), has(many).into());
        flag(&mut side, "required", required.then_some(Value::Bool(true)));
        flag(&mut side, "onDelete", on_delete.map(|action| action.name().into()));
        told.insert(name.to_owned(), Value::Object(side));
    }
    Value::Object(told)
}

fn flag(side: &mut Map<String, Value>, name: &str, value: Option<Value>) {
    match value {
        Some(value) => drop(side.insert(name.to_owned(), value)),
        None => drop(side.remove(name)),
    }
}

fn attr_code(attr: &Attr) -> String {
    let ty = if attr.ty == Type::Any { "json" } else { attr.ty.name() };
    let call = |is: bool, name: &str| if is { format!(".{name}()") } else { String::new() };
    format!(
        "      {}: i.{ty}(){}{}{},\n",
        quoted(&attr.name),
        call(attr.unique, "unique"),
        call(attr.indexed, "indexed"),
        call(!attr.required, "optional")
    )
}

/// A link as code. A schema file cannot say a link without a reverse label, and InstantDB's push takes
/// none: such a link stays in the app as it is and stands in the file as a comment, for no label is
/// made up.
fn link_code(link: &Link) -> String {
    let Some((to, reverse)) = link.back() else {
        let name = quoted(&format!("{}.{}", link.on, link.label));
        return format!("    // {name} has no reverse label, which a schema file cannot say.\n");
    };
    let [forward, reverse] = sides_code(link, (to, reverse));
    let name = quoted(&link.name);
    format!("    {name}: {{\n      forward: {forward},\n      reverse: {reverse},\n    }},\n")
}

/// A link as one line of code; one without a reverse label as the server's own schema has it.
pub(super) fn link_line(link: &Link) -> String {
    let Some(end) = link.back() else {
        return format!("{}: {}", quoted(&link.name), link_json(link, &Value::Null));
    };
    let [forward, reverse] = sides_code(link, end);
    format!("{}: {{ forward: {forward}, reverse: {reverse} }},", quoted(&link.name))
}

/// An attribute as one line of code.
pub(super) fn attr_line(attr: &Attr) -> String {
    attr_code(attr).trim().to_owned()
}

fn sides_code(link: &Link, (to, reverse): (&str, &str)) -> [String; 2] {
    let LinkRules { required, on_delete, on_delete_reverse } = link.rules;
    [
        side_code(&link.on, &link.label, link.has, (required, on_delete)),
        side_code(to, reverse, link.reverse_has, (false, on_delete_reverse)),
    ]
}

/// One side of a link as code.
fn side_code(
    on: &str,
    label: &str,
    many: Has,
    (required, on_delete): (bool, Option<OnDelete>),
) -> String {
    let (on, label, many) = (quoted(on), quoted(label), has(many));
    let required = if required { ", required: true" } else { "" };
    let on_delete = on_delete.map(|action| format!(", onDelete: \"{}\"", action.name()));
    let on_delete = on_delete.unwrap_or_default();
    format!("{{ on: {on}, has: \"{many}\", label: {label}{required}{on_delete} }}")
}

/// A text as a string of TypeScript: whatever is not plain ASCII is escaped, so that no name can end
/// the string, turn the text around or hide in it.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn names_are_strings_and_nothing_else() {
        assert_eq!(quoted("thread_items"), "\"thread_items\"");
        assert_eq!(quoted("a\"}); evil(\\"), "\"a\\\"}); evil(\\\\\"");
        assert_eq!(quoted("\u{202e}\n\u{2028}😀"), "\"\\u202e\\u000a\\u2028\\ud83d\\ude00\"");
    }
}
