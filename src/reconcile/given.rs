//! A plan that a server made: read in its own form, and matched with what the contract wants.
//!
//! `{"steps": [[type, params], …]}` is what the API answers and what `instant-cli` sends. The objects of
//! the platform SDK (`{"type", "attr"}`, `{"type", "forwardIdentity", …}`) are read as well. Where the
//! answer has `current-attrs`, they name what `delete-attr` deletes, and stand for the app's schema
//! where the snapshot has none.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Finding;
use super::attribute::{Described, identity};
use super::delta::Draft;
use super::goal::Goal;
use super::kind::Kind;
use super::model::Model;
use super::pushed;
use crate::error::{Error, Result};
use crate::schema::{Attr, Has, Link, OnDelete};

/// A plan as it was given.
#[derive(Debug)]
pub struct Given {
    pub(super) steps: Vec<Draft>,
    /// The app's schema, when the plan says it.
    pub(super) current: Option<Model>,
}

impl Given {
    /// Reads a plan that stands at `place`.
    ///
    /// # Errors
    /// It is no plan.
    pub fn parse(text: &str, place: &str) -> Result<Self> {
        let wrong = |said: String| {
            Error::usage(said).at(place).help(
                "name the plan as the server gives it: `{\"steps\": [[type, params], …]}` (`planSchemaPush`, or `POST /dash/apps/ID/schema/push/plan`)",
            )
        };
        let plan: Value = serde_json::from_str(text.trim_start_matches('\u{feff}'))
            .map_err(|error| wrong("the schema plan is no JSON".to_owned()).because(error))?;
        let described = |value: &Value| value.as_array()?.iter().map(Described::read).collect();
        let attrs: Option<Vec<Described>> = described(&plan["current-attrs"]);
        let names = attrs
            .iter()
            .flatten()
            .filter_map(|attr| Some((attr.id.clone()?, (attr.entity.clone(), attr.label.clone()))));
        let names: BTreeMap<String, (String, String)> = names.collect();
        let steps = plan["steps"]
            .as_array()
            .ok_or_else(|| wrong("the schema plan has no list of `steps`".to_owned()))?;
        let steps = steps.iter().enumerate().map(|(at, step)| {
            step_of(step, &names).map_err(|said| wrong(format!("step {} {said}", at + 1)))
        });
        let current = attrs.map(|attrs| {
            let mut model = Model::default();
            for attr in attrs {
                attr.put(&mut model);
            }
            model
        });
        Ok(Self { steps: steps.collect::<Result<_>>()?, current })
    }
}

fn step_of(step: &Value, names: &BTreeMap<String, (String, String)>) -> Result<Draft, String> {
    let (kind, params) = match step {
        Value::Array(tuple) if tuple.len() == 2 => (&tuple[0], tuple[1].clone()),
        Value::Object(_) => (&step["type"], params_of(step)),
        _ => return Err("is no `[type, params]`".to_owned()),
    };
    let kind = kind.as_str().unwrap_or_default();
    let kind = Kind::parse(kind)
        .ok_or_else(|| format!("has the type `{kind}`, which is none of {}", Kind::names()))?;
    let known = |value: &Value| value.as_str().and_then(|id| names.get(id)).cloned();
    let name = match kind {
        Kind::DeleteAttr => {
            let id = params.as_str().ok_or("deletes no attribute's id")?;
            Some(known(&params).unwrap_or_else(|| (String::new(), id.to_owned())))
        }
        // The name it has before the step is what it is about.
        Kind::UpdateAttr => known(&params["id"])
            .or_else(|| identity(&params["forward-identity"]))
            .or_else(|| identity(&params["reverse-identity"])),
        _ => identity(&params["forward-identity"]),
    };
    let (entity, label) = name.ok_or("names no attribute")?;
    Ok(Draft { kind, entity, label, params })
}

/// The parameters of a step in the platform SDK's form.
fn params_of(step: &Value) -> Value {
    if step["attr"].is_object() {
        return step["attr"].clone();
    }
    if step["type"] == Kind::DeleteAttr.name() {
        return step["attrId"].clone();
    }
    let mut params = serde_json::Map::new();
    let names = [
        ("attrId", "attr-id"),
        ("forwardIdentity", "forward-identity"),
        ("checkedDataType", "checked-data-type"),
    ];
    for (from, to) in names {
        if let Some(value) = step.get(from) {
            params.insert(to.to_owned(), value.clone());
        }
    }
    Value::Object(params)
}

/// What does not fit between a given plan and what the contract wants, both ways.
pub(super) fn findings(given: &Given, app: &Model, goal: &Goal) -> Vec<Finding> {
    let mut findings: Vec<Finding> =
        given.steps.iter().filter_map(|step| unneeded(step, goal)).collect();
    let mut after = app.clone();
    for step in &given.steps {
        pushed::apply(step, &mut after);
    }
    let target = |entity: &str, label: &str| goal.needed_by(entity, label);
    for entity in &goal.model.entities {
        for attr in &entity.attrs {
            if let Some(needed) = target(&entity.name, &attr.name) {
                let found = after.attr(&entity.name, &attr.name);
                findings.extend(attr_missing(&entity.name, found, attr, needed));
            }
        }
    }
    for link in &goal.model.links {
        if let Some(needed) = target(&link.on, &link.label) {
            findings.extend(link_missing(after.link(link), link, needed));
        }
    }
    findings
}

/// A step that no transform needs.
fn unneeded(step: &Draft, goal: &Goal) -> Option<Finding> {
    let what = step.what();
    let is_named = goal.needed_by(&step.entity, &step.label).is_some();
    let help = match step.kind {
        Kind::DeleteAttr => "leave it out of this push: what it deletes is gone from the app",
        _ if is_named => return None,
        _ => "leave it out of this push, or name it in the contract",
    };
    let named = if what.is_empty() { step.label.clone() } else { what.clone() };
    Some(Finding {
        said: format!("the step `{}` of `{named}` is needed by no transform", step.kind.name()),
        help: help.to_owned(),
        what,
    })
}

fn by(needed: &[String]) -> String {
    match needed {
        [] => String::new(),
        names => format!(", and the transform into `{}` needs it", names.join("`, `")),
    }
}

fn attr_missing(
    entity: &str,
    found: Option<&Attr>,
    wanted: &Attr,
    needed: &[String],
) -> Option<Finding> {
    let what = format!("{entity}.{}", wanted.name);
    let Some(found) = found else {
        return Some(missing(what, needed));
    };
    let mut wrong = Vec::new();
    if found.ty != wanted.ty {
        wrong.push(format!("it is of type {}, not {}", found.ty.name(), wanted.ty.name()));
    }
    let flags = [
        (found.required, wanted.required, "required"),
        (found.unique, wanted.unique, "unique"),
        (found.indexed, wanted.indexed, "indexed"),
    ];
    for (is, wants, name) in flags {
        if is != wants {
            wrong.push(if wants { format!("it is not {name}") } else { format!("it is {name}") });
        }
    }
    differing(what, &wrong, needed)
}

fn link_missing(found: Option<&Link>, wanted: &Link, needed: &[String]) -> Option<Finding> {
    let what = format!("{}.{}", wanted.on, wanted.label);
    let Some(found) = found else {
        return Some(missing(what, needed));
    };
    let mut wrong = Vec::new();
    let has = |has: Has| if has == Has::One { "one" } else { "many" };
    if found.has != wanted.has {
        wrong.push(format!("it has {}, not {}", has(found.has), has(wanted.has)));
    }
    let (is, wants) = (found.reverse_has, wanted.reverse_has);
    if is != wants {
        wrong.push(format!("its other side has {}, not {}", has(is), has(wants)));
    }
    if found.rules.required && !wanted.rules.required {
        wrong.push("it is required".to_owned());
    }
    for (is, wants, side) in [
        (found.rules.on_delete, wanted.rules.on_delete, ""),
        (found.rules.on_delete_reverse, wanted.rules.on_delete_reverse, " of its other side"),
    ] {
        let name = |action: Option<OnDelete>| action.map_or("nothing", OnDelete::name);
        if is != wants {
            wrong.push(format!("`onDelete`{side} is {}, not {}", name(is), name(wants)));
        }
    }
    differing(what, &wrong, needed)
}

fn missing(what: String, needed: &[String]) -> Finding {
    Finding {
        said: format!("no step and no schema provides `{what}`{}", by(needed)),
        help: "plan the push from the schema that `--write-schema` gives".to_owned(),
        what,
    }
}

fn differing(what: String, wrong: &[String], needed: &[String]) -> Option<Finding> {
    if wrong.is_empty() {
        return None;
    }
    let said =
        format!("after the push `{what}` is not as the contract wants it: {}", wrong.join("; "));
    Some(Finding {
        said: format!("{said}{}", by(needed)),
        help: "plan the push from the schema that `--write-schema` gives".to_owned(),
        what,
    })
}
