//! The kinds of step that a schema push has, and how much care each wants.

use serde_json::Value;

use super::Class;
use super::attribute::identity;

/// A kind of step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    AddAttr,
    UpdateAttr,
    Index,
    RemoveIndex,
    Unique,
    RemoveUnique,
    Required,
    RemoveRequired,
    CheckDataType,
    RemoveDataType,
    DeleteAttr,
}

const ALL: [(Kind, &str); 11] = [
    (Kind::AddAttr, "add-attr"),
    (Kind::UpdateAttr, "update-attr"),
    (Kind::Index, "index"),
    (Kind::RemoveIndex, "remove-index"),
    (Kind::Unique, "unique"),
    (Kind::RemoveUnique, "remove-unique"),
    (Kind::Required, "required"),
    (Kind::RemoveRequired, "remove-required"),
    (Kind::CheckDataType, "check-data-type"),
    (Kind::RemoveDataType, "remove-data-type"),
    (Kind::DeleteAttr, "delete-attr"),
];

impl Kind {
    /// InstantDB's name of it.
    pub(super) fn name(self) -> &'static str {
        ALL.iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }

    /// The kind of that name.
    pub(super) fn parse(name: &str) -> Option<Self> {
        ALL.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind)
    }

    /// All names.
    pub(super) fn names() -> String {
        ALL.map(|(_, name)| name).join(", ")
    }

    /// How much care it wants, before any look at data; `is_new` when the entity is new as well.
    pub(super) fn class(self, params: &Value, is_new: bool) -> Class {
        match self {
            // The server refuses it where the entity has rows.
            Kind::AddAttr if !is_new && params["required?"] == true => Class::Warning,
            Kind::AddAttr => Class::Safe,
            Kind::Index
            | Kind::Unique
            | Kind::Required
            | Kind::RemoveRequired
            | Kind::CheckDataType => Class::Warning,
            // Queries that sort, compare or look up by it fail from then on; links change their form.
            Kind::UpdateAttr
            | Kind::RemoveIndex
            | Kind::RemoveUnique
            | Kind::RemoveDataType
            | Kind::DeleteAttr => Class::Critical,
        }
    }

    /// What it does, in InstantDB's own words.
    pub(super) fn describe(self, what: &str, params: &Value) -> String {
        match self {
            Kind::AddAttr if params["value-type"] == "ref" => {
                match identity(&params["reverse-identity"]) {
                    Some((to, reverse)) => format!("Link {what} to {to}.{reverse}."),
                    None => format!("Link {what}, with no label on the other side."),
                }
            }
            Kind::AddAttr if params["forward-identity"][2] == "id" => {
                format!("Create new entity {what}.")
            }
            Kind::AddAttr => format!("Add attribute {what}."),
            Kind::UpdateAttr => format!("Update attribute {what}."),
            Kind::Index => format!("Add index to {what}."),
            Kind::RemoveIndex => format!("Remove index from {what}."),
            Kind::Unique => format!("Ensure that {what} is unique."),
            Kind::RemoveUnique => format!("Remove uniqueness constraint from {what}."),
            Kind::Required => format!("Make {what} a required attribute."),
            Kind::RemoveRequired => format!("Allow {what} to be missing or null."),
            Kind::CheckDataType => {
                let ty = params["checked-data-type"].as_str().unwrap_or("?");
                format!("Enforce data type of {what} as type {ty}.")
            }
            Kind::RemoveDataType => format!("Stop enforcing data type of {what}."),
            Kind::DeleteAttr => format!("Delete attribute {what}."),
        }
    }
}
