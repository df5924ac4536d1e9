//! What fills an attribute in a row of a case: JSON that is built of an object, or a constant.

use super::attrs::constant;
use super::fields::{Fields, text};
use super::misfit::quoted;
use super::split::{Build, Demand, MustBe, Path};
use super::transforms::Scope;
use super::tree::{Node, Value};
use crate::schema::{Attr, Type};

/// JSON is built; an attribute of another type gets a constant.
pub(super) fn value(scope: &Scope<'_>, node: &Node, attr: Option<&Attr>) -> Option<Build> {
    match attr {
        Some(attr) if attr.ty != Type::Any => {
            constant(scope, node, &attr.name, Some(attr)).map(Build::Constant)
        }
        _ => build(scope, node),
    }
}

fn build(scope: &Scope<'_>, node: &Node) -> Option<Build> {
    let entries = match &node.value {
        Value::List(items) => {
            let items = items.iter().filter_map(|item| build(scope, item));
            return Some(Build::Array(items.collect()));
        }
        Value::Table(entries) => entries,
        _ => return constant(scope, node, "a value", None).map(Build::Constant),
    };
    let mut keys: Vec<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
    keys.sort_unstable();
    // Before format 2 nothing was demanded, and these keys were members of an object.
    let demands = scope.format >= 2;
    match keys[..] {
        ["path"] => taken(scope, node),
        ["must_be" | "optional", "path"] | ["must_be", "optional", "path"] if demands => {
            taken(scope, node)
        }
        ["whole"] => {
            let is = matches!(entries[0].node.value, Value::Boolean(true));
            if !is {
                scope.misfits.add(entries[0].node.place, "`whole` must be `true`");
            }
            Some(Build::Whole)
        }
        ["after", "of"] => after(scope, node),
        ["after", "of", "optional"] if demands => after(scope, node),
        _ => {
            let member = |entry: &super::tree::Entry| {
                build(scope, &entry.node).map(|value| (entry.key.clone(), value))
            };
            Some(Build::Object(entries.iter().filter_map(member).collect()))
        }
    }
}

/// `{ path = "a.b", must_be = "text", optional = true }`.
fn taken(scope: &Scope<'_>, node: &Node) -> Option<Build> {
    let fields = Fields::map(node, "path", scope.misfits)?;
    let kinds = [("text", MustBe::Text), ("non-empty text", MustBe::FilledText)];
    let must_be = fields.choice("must_be", &kinds).unwrap_or(MustBe::Any);
    let optional = scope.format < 2 || fields.flag("optional");
    let of = path(scope, fields.get("path")?, "path")?;
    Some(Build::Path { of, demand: Demand { optional, must_be } })
}

/// `{ after = "-", of = "a.b", optional = true }`.
fn after(scope: &Scope<'_>, node: &Node) -> Option<Build> {
    let fields = Fields::map(node, "after", scope.misfits)?;
    let (mark, of) = (fields.get("after")?, fields.get("of")?);
    let said = text(mark, "after", scope.misfits)?;
    if said.is_empty() {
        scope.misfits.add(mark.place, "`after` names no mark");
    }
    let optional = scope.format < 2 || fields.flag("optional");
    Some(Build::After { mark: said.to_owned(), of: path(scope, of, "of")?, optional })
}

/// The keys of a path.
pub(super) fn path(scope: &Scope<'_>, node: &Node, name: &str) -> Option<Path> {
    let said = text(node, name, scope.misfits)?;
    let keys: Path = said.split('.').map(str::to_owned).collect();
    if keys.iter().any(String::is_empty) {
        scope.misfits.add(node.place, format!("the path {} has an empty key", quoted(said)));
    }
    Some(keys)
}
