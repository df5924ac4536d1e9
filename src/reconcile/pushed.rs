//! What the steps of a push make of a schema.

use super::attribute::{Described, identity};
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
            model.links.retain(|link| link.ends()[0] != (entity, label));
            return;
        }
        Kind::UpdateAttr => return update(step, model),
        _ => {}
    }
    if let Some(link) = model.links.iter_mut().find(|link| link.ends()[0] == (entity, label)) {
        match step.kind {
            Kind::Required => link.required = true,
            Kind::RemoveRequired => link.required = false,
            Kind::Unique => link.link.reverse_has = Has::One,
            Kind::RemoveUnique => link.link.reverse_has = Has::Many,
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
    let found = model.links.iter_mut().find(|link| link.ends()[0] == (entity, label));
    if let Some(found) = found {
        if let Some((on, label)) = &names[0] {
            (found.link.on, found.link.label) = (on.clone(), label.clone());
        }
        if let Some((to, reverse)) = &names[1] {
            (found.link.to, found.link.reverse) = (to.clone(), reverse.clone());
        }
        match step.params["cardinality"].as_str() {
            Some("one") => found.link.has = Has::One,
            Some("many") => found.link.has = Has::Many,
            _ => {}
        }
        match step.params["unique?"].as_bool() {
            Some(true) => found.link.reverse_has = Has::One,
            Some(false) => found.link.reverse_has = Has::Many,
            None => {}
        }
        if let Some(required) = step.params["required?"].as_bool() {
            found.required = required;
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
