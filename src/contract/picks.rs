//! The places a target attribute's value comes from.

use super::Pick;
use super::fields::{Fields, texts};
use super::misfit::{Place, hint, quoted};
use super::model::{Found, no_attr, no_column, words};
use super::transforms::{Scope, many};
use super::tree::Node;
use crate::schema::{Attr, Has, Link, Type};

/// What a place gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gives {
    Typed(Type),
    /// A JSON path: text, a whole number or a boolean.
    Scalar,
    /// Its declaration is a misfit.
    Unsure,
}

/// Reads `from`: places of the source row, tried in order.
pub(super) fn read(
    scope: &Scope<'_>,
    fields: &Fields<'_>,
    attr: Option<&Attr>,
) -> Vec<(Pick, Gives)> {
    let mut picks = Vec::new();
    for (said, place) in fields.texts("from").unwrap_or_default() {
        match pick(scope, said) {
            Ok((pick, gives)) => {
                fits(scope, (said, gives), place, attr);
                picks.push((pick, gives));
            }
            Err(misfit) => {
                scope.misfits.add(place, misfit);
                picks.push((Pick::Attr(said.to_owned()), Gives::Unsure));
            }
        }
    }
    picks
}

/// What a text of `from` stands for, or why nothing.
fn pick(scope: &Scope<'_>, said: &str) -> Result<(Pick, Gives), String> {
    let (model, source) = (scope.model, scope.source);
    if said == "$server" {
        return Ok((Pick::Server, Gives::Typed(Type::Date)));
    }
    if said.starts_with('$') {
        return Err(format!(
            "{} is nothing a value comes from{}",
            quoted(said),
            hint(said, ["$server"])
        ));
    }
    let (first, rest) = match said.split_once('.') {
        Some((first, rest)) => (first, Some(rest)),
        None => (said, None),
    };
    let attr = model.attr(&model.before, source, first);
    let link = model.link(&model.before, source, first);
    match (attr, rest, link) {
        (_, None, _) if first == "id" => {
            Ok((Pick::Attr(said.to_owned()), Gives::Typed(Type::String)))
        }
        (Found::Yes(attr), None, _) => Ok((Pick::Attr(said.to_owned()), Gives::Typed(attr.ty))),
        (Found::Unsure, None, _) => Ok((Pick::Attr(said.to_owned()), Gives::Unsure)),
        (Found::Yes(attr), Some(rest), _) => path(attr, rest),
        (Found::No, None, Found::Yes(_)) => {
            let named = quoted(&format!("{first}.id"));
            Err(format!("{} is a link; name something of its row, as {named}", quoted(first)))
        }
        (Found::No, Some(rest), Found::Yes(link)) => linked(scope, link, rest),
        (Found::Unsure, Some(_), _) | (_, _, Found::Unsure) => {
            Ok((Pick::Attr(said.to_owned()), Gives::Unsure))
        }
        (Found::No, None, Found::No) => Err(no_attr(&model.before, source, first)),
        (Found::No, Some(_), Found::No) => Err(no_column(&model.before, source, first)),
    }
}

fn path(attr: &Attr, rest: &str) -> Result<(Pick, Gives), String> {
    let keys: Vec<String> = rest.split('.').map(str::to_owned).collect();
    if attr.ty != Type::Any {
        return Err(format!("{} is {}, a path needs `any`", quoted(&attr.name), words(attr.ty)));
    }
    if keys.iter().any(String::is_empty) {
        return Err(format!("the path into {} has an empty key", quoted(&attr.name)));
    }
    Ok((Pick::Path { attr: attr.name.clone(), keys }, Gives::Scalar))
}

/// `link.attr`: an attribute of the row a legacy link leads to, its target id, or the target id of
/// its own link.
fn linked(scope: &Scope<'_>, link: &Link, name: &str) -> Result<(Pick, Gives), String> {
    let model = scope.model;
    let pick = Pick::Linked { link: link.label.clone(), attr: name.to_owned() };
    if link.has == Has::Many {
        return Err(many(&link.label));
    }
    let ids = |entity: &str| match model.before.entity(entity) {
        Some(_) if !scope.becomes.has_id(entity) => {
            Err(format!("ids of {} have no one target id", quoted(entity)))
        }
        _ => Ok(Gives::Typed(Type::String)),
    };
    if name == "id" {
        return Ok((pick, ids(&link.to)?));
    }
    if model.after.entity(&link.to).is_some() {
        let id = quoted(&format!("{}.id", link.label));
        return Err(format!(
            "{} leads to the target model; only {id} is known",
            quoted(&link.label)
        ));
    }
    let gives = match (
        model.attr(&model.before, &link.to, name),
        model.link(&model.before, &link.to, name),
    ) {
        (Found::Yes(attr), _) => Gives::Typed(attr.ty),
        (Found::No, Found::Yes(next)) if next.has == Has::One => ids(&next.to)?,
        (Found::No, Found::Yes(_)) => return Err(many(name)),
        (Found::No, Found::No) => return Err(no_column(&model.before, &link.to, name)),
        (Found::Unsure, _) | (_, Found::Unsure) => Gives::Unsure,
    };
    Ok((pick, gives))
}

/// A value fits an attribute of its own type; `any` takes what JSON can say.
pub(super) fn fits(
    scope: &Scope<'_>,
    (said, gives): (&str, Gives),
    place: Place,
    attr: Option<&Attr>,
) {
    let Some(attr) = attr else { return };
    let what = match gives {
        Gives::Unsure => return,
        Gives::Typed(ty) if ty == attr.ty => return,
        Gives::Typed(ty) if attr.ty == Type::Any && ty != Type::Date => return,
        Gives::Scalar if attr.ty != Type::Date => return,
        Gives::Typed(ty) => words(ty),
        Gives::Scalar => "out of JSON, which has no dates",
    };
    let target = quoted(&format!("{}.{}", scope.target, attr.name));
    scope.misfits.add(place, format!("{} is {what}, {target} is {}", quoted(said), words(attr.ty)));
}

/// The ids that links give must be of the entity `ref` says.
pub(super) fn same_entity(scope: &Scope<'_>, entity: &str, from: &Node) {
    let model = scope.model;
    for (said, place) in texts(from, "from", scope.misfits).unwrap_or_default() {
        let Some((first, name)) = said.split_once('.') else { continue };
        let Found::Yes(link) = model.link(&model.before, scope.source, first) else { continue };
        let leads = match name {
            "id" => &link.to,
            _ => match model.link(&model.before, &link.to, name) {
                Found::Yes(next) => &next.to,
                Found::No | Found::Unsure => continue,
            },
        };
        if leads != entity && !leads.is_empty() {
            let said = format!("{} is the id of a row of {}", quoted(said), quoted(leads));
            scope.misfits.add(place, format!("{said}, `ref` says {}", quoted(entity)));
        }
    }
}
