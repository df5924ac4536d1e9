//! One attribute as InstantDB's API describes it: in a step, and in `current-attrs`.

use serde_json::Value;

use super::model::{Model, is_same};
use crate::schema::{Attr, Has, Link, LinkRules, OnDelete, Type};

/// An attribute or a link, read out of JSON.
#[derive(Debug, Clone)]
pub(super) struct Described {
    /// The server's id of it.
    pub(super) id: Option<String>,
    /// The entity.
    pub(super) entity: String,
    /// The label there.
    pub(super) label: String,
    /// What it is.
    pub(super) what: What,
}

/// What an attribute is.
#[derive(Debug, Clone)]
pub(super) enum What {
    /// A value.
    Attr(Attr),
    /// A link.
    Link(Link),
}

/// Entity and label of an identity: `[id, entity, label]`.
pub(super) fn identity(value: &Value) -> Option<(String, String)> {
    let text = |at: usize| value[at].as_str().map(str::to_owned);
    Some((text(1)?, text(2)?))
}

/// What a step or an attribute says of a deletion.
pub(super) fn on_delete(value: &Value) -> Option<OnDelete> {
    value.as_str().and_then(OnDelete::parse)
}

impl Described {
    /// Reads one; `None` when it names no entity and label.
    pub(super) fn read(value: &Value) -> Option<Self> {
        let (entity, label) = identity(&value["forward-identity"])?;
        let is = |flag: &str| value[flag] == true;
        let has = |one: bool| if one { Has::One } else { Has::Many };
        let other = identity(&value["reverse-identity"]);
        let is_link = match value["value-type"].as_str() {
            Some(ty) => ty == "ref",
            None => other.is_some(),
        };
        let what = if is_link {
            let (to, reverse) = other.unzip();
            What::Link(Link {
                name: format!("{entity}_{label}"),
                on: entity.clone(),
                label: label.clone(),
                has: has(value["cardinality"] == "one"),
                to: to.unwrap_or_default(),
                reverse,
                reverse_has: has(is("unique?")),
                rules: LinkRules {
                    required: is("required?"),
                    on_delete: on_delete(&value["on-delete"]),
                    on_delete_reverse: on_delete(&value["on-delete-reverse"]),
                },
                also: Vec::new(),
            })
        } else {
            What::Attr(Attr {
                name: label.clone(),
                ty: value["checked-data-type"].as_str().and_then(Type::parse).unwrap_or(Type::Any),
                required: is("required?"),
                unique: is("unique?"),
                indexed: is("index?"),
            })
        };
        Some(Self { id: value["id"].as_str().map(str::to_owned), entity, label, what })
    }

    /// Puts it into a schema, in place of what has its label.
    pub(super) fn put(self, model: &mut Model) {
        match self.what {
            What::Attr(attr) => {
                let attrs = &mut model.entry(&self.entity).attrs;
                if attr.name != "id" {
                    attrs.retain(|other| other.name != attr.name);
                    attrs.push(attr);
                }
            }
            What::Link(link) => {
                model.links.retain(|other| !is_same(other, &link));
                model.links.push(link);
            }
        }
    }
}
