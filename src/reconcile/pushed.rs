//! What the steps of a push make of a schema.

use super::attribute::{Described, identity, on_delete};
use super::delta::Draft;
use super::kind::Kind;
use super::model::Model;
use crate::schema::{Has, Type};

/// What a step makes of a schema.
pub(super) fn apply(step: &Draft, model: &mut Model) {
    let (entity, label) = (step.entity.as_str(), step.label.as_str());
    match step.kind {
        Kind::AddAttr => {
            if let Some(attr) = Described::read(&step.params) {
                attr.put(model);
            }
            return;
        }
        Kind::DeleteAttr => {
            for found in model.entities.iter_mut().filter(|found| found.name == entity) {
                found.attrs.retain(|attr| attr.name != label);
            }
            model.links.retain(|link| link.ahead() != (entity, label));
            return;
        }
        Kind::UpdateAttr => return update(step, model),
        _ => {}
    }
    if let Some(link) = model.links.iter_mut().find(|link| link.ahead() == (entity, label)) {
        match step.kind {
            Kind::Required => link.rules.required = true,
            Kind::RemoveRequired => link.rules.required = false,
            Kind::Unique => link.reverse_has = Has::One,
            Kind::RemoveUnique => link.reverse_has = Has::Many,
            _ => {}
        }
        return;
    }
    let found = model.entities.iter_mut().find(|found| found.name == entity);
    let attr = found.and_then(|found| found.attrs.iter_mut().find(|attr| attr.name == label));
    let Some(attr) = attr else { return };
    match step.kind {
        Kind::Index => attr.indexed = true,
        Kind::RemoveIndex => attr.indexed = false,
        Kind::Unique => attr.unique = true,
        Kind::RemoveUnique => attr.unique = false,
        Kind::Required => attr.required = true,
        Kind::RemoveRequired => attr.required = false,
        Kind::CheckDataType => {
            let ty = step.params["checked-data-type"].as_str().and_then(Type::parse);
            attr.ty = ty.unwrap_or(Type::Any);
        }
        Kind::RemoveDataType => attr.ty = Type::Any,
        Kind::AddAttr | Kind::DeleteAttr | Kind::UpdateAttr => {}
    }
}

/// An update says only what it changes: names, how many, what goes with what.
fn update(step: &Draft, model: &mut Model) {
    let (entity, label) = (step.entity.as_str(), step.label.as_str());
    let names =
        [identity(&step.params["forward-identity"]), identity(&step.params["reverse-identity"])];
    let found = model.links.iter_mut().find(|link| link.ahead() == (entity, label));
    if let Some(found) = found {
        if let Some((on, label)) = &names[0] {
            (found.on, found.label) = (on.clone(), label.clone());
        }
        if let Some((to, reverse)) = &names[1] {
            (found.to, found.reverse) = (to.clone(), Some(reverse.clone()));
        }
        match step.params["cardinality"].as_str() {
            Some("one") => found.has = Has::One,
            Some("many") => found.has = Has::Many,
            _ => {}
        }
        match step.params["unique?"].as_bool() {
            Some(true) => found.reverse_has = Has::One,
            Some(false) => found.reverse_has = Has::Many,
            None => {}
        }
        if let Some(required) = step.params["required?"].as_bool() {
            found.rules.required = required;
        }
        if let Some(value) = step.params.get("on-delete") {
            found.rules.on_delete = on_delete(value);
        }
        if let Some(value) = step.params.get("on-delete-reverse") {
            found.rules.on_delete_reverse = on_delete(value);
        }
        return;
    }
    let found = model.entities.iter_mut().find(|found| found.name == entity);
    let attr = found.and_then(|found| found.attrs.iter_mut().find(|attr| attr.name == label));
    let Some(attr) = attr else { return };
    if let Some((_, label)) = &names[0] {
        label.clone_into(&mut attr.name);
    }
    let flags = [
        ("required?", &mut attr.required),
        ("unique?", &mut attr.unique),
        ("index?", &mut attr.indexed),
    ];
    for (name, flag) in flags {
        if let Some(is) = step.params[name].as_bool() {
            *flag = is;
        }
    }
}
