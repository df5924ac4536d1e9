//! The steps from one schema to another, as InstantDB's own planner makes them: new entities first, then
//! attributes (`index`, `unique`, `required`, type), then links (`required`, the rest as one update).

use serde_json::{Value, json};
use uuid::Uuid;

use super::collisions::Rename;
use super::kind::Kind;
use super::model::{Model, Side};
use crate::schema::{Attr, Has, Link, OnDelete, Type};

/// One step: its kind, what it is about, and its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Draft {
    /// Its kind.
    pub(super) kind: Kind,
    /// The entity.
    pub(super) entity: String,
    /// The attribute or label.
    pub(super) label: String,
    /// Its parameters, as InstantDB reads them.
    pub(super) params: Value,
}

/// Makes the ids that new attributes get: the same for the same app, other ones in another app.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ids {
    space: Uuid,
}

impl Ids {
    /// Ids of one app under a contract.
    pub(super) fn new(namespace: &str, app: &str) -> Self {
        let space = Uuid::new_v5(&Uuid::NAMESPACE_URL, namespace.as_bytes());
        Self { space: Uuid::new_v5(&space, format!("app:{app}").as_bytes()) }
    }

    fn of(self, what: &str, entity: &str, label: &str) -> String {
        let key = json!([what, entity, label]).to_string();
        Uuid::new_v5(&self.space, key.as_bytes()).to_string()
    }

    fn identity(self, side: &str, entity: &str, label: &str) -> Value {
        json!([self.of(side, entity, label), entity, label])
    }
}

/// The identity of what is there: the export does not say its id.
fn known(entity: &str, label: &str) -> Value {
    json!([null, entity, label])
}

/// The steps that lead from one schema to the other.
pub(super) fn steps(before: &Model, after: &Model, ids: Ids) -> Vec<Draft> {
    let mut steps = Vec::new();
    for entity in &after.entities {
        // Its own entities are there in every app.
        if before.entity(&entity.name).is_none() && !entity.name.starts_with('$') {
            steps.push(new_entity(&entity.name, ids));
        }
    }
    for entity in &after.entities {
        for attr in &entity.attrs {
            match before.attr(&entity.name, &attr.name) {
                None => steps.push(new_attr(&entity.name, attr, ids)),
                Some(found) => changed_attr(&entity.name, found, attr, &mut steps),
            }
        }
    }
    for link in &after.links {
        match before.link(link) {
            None => steps.push(new_link(link, ids)),
            Some(found) => changed_link(found, link, &mut steps),
        }
    }
    steps
}

fn draft(kind: Kind, (entity, label): (&str, &str), params: Value) -> Draft {
    Draft { kind, entity: entity.to_owned(), label: label.to_owned(), params }
}

fn new_entity(entity: &str, ids: Ids) -> Draft {
    let params = json!({
        "value-type": "blob",
        "cardinality": "one",
        "id": ids.of("attr", entity, "id"),
        "forward-identity": ids.identity("forward", entity, "id"),
        "unique?": true,
        "index?": false,
    });
    draft(Kind::AddAttr, (entity, "id"), params)
}

fn new_attr(entity: &str, attr: &Attr, ids: Ids) -> Draft {
    let mut params = json!({
        "value-type": "blob",
        "cardinality": "one",
        "id": ids.of("attr", entity, &attr.name),
        "forward-identity": ids.identity("forward", entity, &attr.name),
        "unique?": attr.unique,
        "index?": attr.indexed,
        "required?": attr.required,
    });
    if attr.ty != Type::Any {
        params["checked-data-type"] = attr.ty.name().into();
    }
    draft(Kind::AddAttr, (entity, &attr.name), params)
}

fn changed_attr(entity: &str, found: &Attr, wanted: &Attr, steps: &mut Vec<Draft>) {
    let name = (entity, wanted.name.as_str());
    let params = || json!({ "attr-id": null, "forward-identity": known(name.0, name.1) });
    let flags = [
        (found.indexed, wanted.indexed, Kind::Index, Kind::RemoveIndex),
        (found.unique, wanted.unique, Kind::Unique, Kind::RemoveUnique),
        (found.required, wanted.required, Kind::Required, Kind::RemoveRequired),
    ];
    for (is, wants, on, off) in flags {
        if is != wants {
            steps.push(draft(if wants { on } else { off }, name, params()));
        }
    }
    if found.ty != wanted.ty {
        let mut params = params();
        let kind = if wanted.ty == Type::Any {
            Kind::RemoveDataType
        } else {
            params["checked-data-type"] = wanted.ty.name().into();
            Kind::CheckDataType
        };
        steps.push(draft(kind, name, params));
    }
}

fn cardinality(has: Has) -> &'static str {
    match has {
        Has::One => "one",
        Has::Many => "many",
    }
}

fn action(on_delete: Option<OnDelete>) -> Value {
    on_delete.map_or(Value::Null, |action| action.name().into())
}

/// What a link is beside its identities.
fn described(link: &Link) -> Value {
    json!({
        "value-type": "ref",
        "cardinality": cardinality(link.has),
        "unique?": link.reverse_has == Has::One,
        "index?": false,
        "required?": link.rules.required,
        "on-delete": action(link.rules.on_delete),
        "on-delete-reverse": action(link.rules.on_delete_reverse),
    })
}

fn new_link(link: &Link, ids: Ids) -> Draft {
    let on = link.ahead();
    let mut params = described(link);
    params["id"] = ids.of("attr", on.0, on.1).into();
    params["forward-identity"] = ids.identity("forward", on.0, on.1);
    if let Some((to, reverse)) = link.back() {
        params["reverse-identity"] = ids.identity("reverse", to, reverse);
    }
    draft(Kind::AddAttr, on, params)
}

fn changed_link(found: &Link, wanted: &Link, steps: &mut Vec<Draft>) {
    let on = wanted.ahead();
    if found.rules.required != wanted.rules.required {
        let kind = if wanted.rules.required { Kind::Required } else { Kind::RemoveRequired };
        let params = json!({ "attr-id": null, "forward-identity": known(on.0, on.1) });
        steps.push(draft(kind, on, params));
    }
    let shape = |link: &Link| {
        (link.has, link.reverse_has, link.rules.on_delete, link.rules.on_delete_reverse)
    };
    if shape(found) != shape(wanted) {
        let mut params = described(wanted);
        params["id"] = Value::Null;
        params["forward-identity"] = known(on.0, on.1);
        if let Some((to, reverse)) = wanted.back() {
            params["reverse-identity"] = known(to, reverse);
        }
        steps.push(draft(Kind::UpdateAttr, on, params));
    }
}

/// The step that gives a label up.
pub(super) fn rename(rename: &Rename) -> Draft {
    let identity = match rename.side {
        Some(Side::Reverse) => "reverse-identity",
        _ => "forward-identity",
    };
    let params = json!({ "id": null, identity: known(&rename.entity, &rename.to) });
    draft(Kind::UpdateAttr, (&rename.entity, &rename.label), params)
}
