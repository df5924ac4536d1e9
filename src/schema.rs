//! Entities, attributes, links and types: the words every stage shares.

use serde::{Deserialize, Serialize};

/// The type of an attribute, as InstantDB checks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// UTF-8 text.
    String,
    /// A double.
    Number,
    /// True or false.
    Boolean,
    /// A moment: microseconds since 1970-01-01 UTC.
    Date,
    /// Any JSON value, carried as the text it is.
    Any,
}

impl Type {
    /// The name a contract and a schema use for it.
    pub fn name(self) -> &'static str {
        match self {
            Type::String => "string",
            Type::Number => "number",
            Type::Boolean => "boolean",
            Type::Date => "date",
            Type::Any => "any",
        }
    }

    /// The type of that name; `json` is another spelling of `any`.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "string" => Type::String,
            "number" => Type::Number,
            "boolean" => Type::Boolean,
            "date" => Type::Date,
            "any" | "json" => Type::Any,
            _ => return None,
        })
    }
}

/// One attribute of an entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attr {
    /// Its label.
    pub name: String,
    /// What its values are.
    pub ty: Type,
    /// Every row has a value.
    pub required: bool,
    /// No two rows share a value.
    pub unique: bool,
    /// The store keeps an index on it.
    pub indexed: bool,
}

/// One entity and its attributes, in the order they are declared; `id` is not among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entity {
    /// Its name in the store.
    pub name: String,
    /// Its attributes.
    pub attrs: Vec<Attr>,
    /// A source may lack the entity altogether.
    pub optional: bool,
}

impl Entity {
    /// The attribute of that name.
    pub fn attr(&self, name: &str) -> Option<&Attr> {
        self.attrs.iter().find(|attr| attr.name == name)
    }
}

/// How many rows one end of a link may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Has {
    /// At most one.
    One,
    /// Any number.
    Many,
}

/// What a store does to the rows on one side of a link when the row on the other side is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnDelete {
    /// They are deleted with it.
    Cascade,
    /// It cannot be deleted while they are there.
    Restrict,
}

impl OnDelete {
    /// The name a schema uses for it.
    pub fn name(self) -> &'static str {
        match self {
            OnDelete::Cascade => "cascade",
            OnDelete::Restrict => "restrict",
        }
    }

    /// The action of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [OnDelete::Cascade, OnDelete::Restrict].into_iter().find(|action| action.name() == name)
    }
}

/// What an app's schema demands of a link beside how many rows each end may hold. A contract's own
/// links demand nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkRules {
    /// Every row of the forward side has one.
    #[serde(default, skip_serializing_if = "is_false")]
    pub required: bool,
    /// What happens to the rows of the forward side when a row they lead to is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_delete: Option<OnDelete>,
    /// What happens to the rows of the reverse side when a row that leads to them is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_delete_reverse: Option<OnDelete>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// A link between two entities: `on.label -> to`, seen from the other end as `to.reverse`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its name in the schema.
    pub name: String,
    /// The entity of the forward side.
    pub on: String,
    /// Its label there.
    pub label: String,
    /// How many rows a row of `on` links to.
    pub has: Has,
    /// The entity of the reverse side; empty where a schema does not say it, as it may of a link
    /// without a reverse.
    pub to: String,
    /// Its label there; `None` of an app's link that has none. A contract's links have one.
    pub reverse: Option<String>,
    /// How many rows a row of `to` is linked from.
    pub reverse_has: Has,
    /// What else an app's schema demands of it.
    pub rules: LinkRules,
    /// Attributes of `on` that may hold the id instead, tried in order.
    pub also: Vec<String>,
}

impl Link {
    /// Entity and label of its forward side.
    pub fn ahead(&self) -> (&str, &str) {
        (&self.on, &self.label)
    }

    /// Entity and label of its reverse side, when it has one.
    pub fn back(&self) -> Option<(&str, &str)> {
        self.reverse.as_deref().map(|reverse| (self.to.as_str(), reverse))
    }

    /// The link as its other side declares it. What only a forward side can demand is left behind; a
    /// side without a label gets the other's with its entity.
    #[must_use]
    pub fn turned(&self) -> Self {
        let label = self.reverse.clone();
        let label = label.unwrap_or_else(|| format!("{}_{}", self.label, self.on));
        Self {
            name: self.name.clone(),
            on: self.to.clone(),
            label,
            has: self.reverse_has,
            to: self.on.clone(),
            reverse: Some(self.label.clone()),
            reverse_has: self.has,
            rules: LinkRules {
                required: false,
                on_delete: self.rules.on_delete_reverse,
                on_delete_reverse: self.rules.on_delete,
            },
            also: Vec::new(),
        }
    }

    /// Sets how many rows each end may hold. Deletions reach rows only from a side that has one.
    pub fn hold(&mut self, has: Has, reverse_has: Has) {
        (self.has, self.reverse_has) = (has, reverse_has);
        self.rules.on_delete = self.rules.on_delete.filter(|_| has == Has::One);
        self.rules.on_delete_reverse =
            self.rules.on_delete_reverse.filter(|_| reverse_has == Has::One);
    }

    /// Whether an entity has it under a label, on either side.
    pub fn is_under(&self, entity: &str, label: &str) -> bool {
        self.ahead() == (entity, label) || self.back() == Some((entity, label))
    }
}

/// Entities and the links between them, in the order they are declared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Schema {
    /// The entities.
    pub entities: Vec<Entity>,
    /// The links.
    pub links: Vec<Link>,
}

impl Schema {
    /// The entity of that name.
    pub fn entity(&self, name: &str) -> Option<&Entity> {
        self.entities.iter().find(|entity| entity.name == name)
    }

    /// The link with that label on the forward side of `entity`.
    pub fn link(&self, entity: &str, label: &str) -> Option<&Link> {
        self.links.iter().find(|link| link.on == entity && link.label == label)
    }

    /// The links whose forward side is `entity`.
    pub fn links_on<'a>(&'a self, entity: &'a str) -> impl Iterator<Item = &'a Link> {
        self.links.iter().filter(move |link| link.on == entity)
    }

    /// The has-one links whose forward side is `entity`: those are columns of its table.
    pub fn columns_of<'a>(&'a self, entity: &'a str) -> impl Iterator<Item = &'a Link> {
        self.links_on(entity).filter(|link| link.has == Has::One)
    }
}
