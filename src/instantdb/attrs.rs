//! An app's schema as the API tells it: a flat list of attributes and links.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::json;
use crate::schema::{OnDelete, Type};

/// An app's schema.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AppSchema {
    /// The app's title.
    pub title: Option<String>,
    /// Attributes and links of all entities, the server's own among them; by entity and label.
    pub attrs: Vec<Attr>,
}

/// One attribute, or one link seen from its forward side.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "they are the server's own flags")]
pub struct Attr {
    /// The server's id of it.
    pub id: String,
    /// Its entity.
    pub etype: String,
    /// Its label.
    pub label: String,
    /// A link (`ref`), not a value (`blob`).
    pub is_link: bool,
    /// Cardinality many: a has-many link.
    pub is_many: bool,
    /// No two entities share a value; of a link, no two link to the same entity.
    pub unique: bool,
    /// The server keeps an index on it.
    pub indexed: bool,
    /// Every entity has it.
    pub required: bool,
    /// The type the server checks; `None` when it takes any JSON.
    pub checked: Option<Type>,
    /// Entity and label of a link's other side; `None` of one that has none.
    pub reverse: Option<(String, String)>,
    /// What happens to entities of a link's forward side when the one they link to is deleted.
    pub on_delete: Option<OnDelete>,
    /// The same for entities of its reverse side.
    pub on_delete_reverse: Option<OnDelete>,
    /// An index, a type check or uniqueness is being set up right now.
    pub busy: bool,
    /// The server's own (`$users`, `$files`, …).
    pub system: bool,
}

impl AppSchema {
    /// The attribute or link of that label on the forward side of an entity.
    pub fn attr(&self, etype: &str, label: &str) -> Option<&Attr> {
        self.attrs.iter().find(|attr| attr.etype == etype && attr.label == label)
    }

    /// The entities, by name.
    pub fn entities(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.attrs.iter().map(|attr| attr.etype.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The attributes and links of an entity, by label.
    pub fn of<'a>(&'a self, etype: &'a str) -> impl Iterator<Item = &'a Attr> {
        self.attrs.iter().filter(move |attr| attr.etype == etype)
    }

    /// Reads the answer of `GET /dash/apps/:id/schema/pull`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let pulled: Pulled<'_> = serde_json::from_str(text).ok()?;
        let mut attrs = Vec::new();
        for raw in pulled.attrs {
            attrs.push(attr(raw.get())?);
        }
        attrs.sort_by(|a, b| (&a.etype, &a.label).cmp(&(&b.etype, &b.label)));
        let title = pulled.title.and_then(|raw| json::string(raw.get()).map(Into::into));
        Some(Self { title, attrs })
    }
}

#[derive(Deserialize)]
struct Pulled<'t> {
    #[serde(borrow)]
    attrs: Vec<&'t RawValue>,
    #[serde(borrow, rename = "app-title", default)]
    title: Option<&'t RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Told {
    id: String,
    value_type: String,
    cardinality: String,
    forward_identity: (String, String, String),
    #[serde(default)]
    reverse_identity: Option<(Option<String>, Option<String>, Option<String>)>,
    #[serde(rename = "unique?", default)]
    unique: Option<bool>,
    #[serde(rename = "index?", default)]
    index: Option<bool>,
    #[serde(rename = "required?", default)]
    required: Option<bool>,
    #[serde(default)]
    checked_data_type: Option<String>,
    #[serde(default)]
    on_delete: Option<String>,
    #[serde(default)]
    on_delete_reverse: Option<String>,
    #[serde(rename = "indexing?", default)]
    indexing: Option<bool>,
    #[serde(rename = "checking-data-type?", default)]
    checking: Option<bool>,
    #[serde(rename = "setting-unique?", default)]
    setting_unique: Option<bool>,
    #[serde(default)]
    catalog: Option<String>,
}

fn attr(raw: &str) -> Option<Attr> {
    let told: Told = serde_json::from_str(raw).ok()?;
    let (_, etype, label) = told.forward_identity;
    let is = |flag: Option<bool>| flag.unwrap_or(false);
    Some(Attr {
        id: told.id,
        etype,
        label,
        is_link: told.value_type == "ref",
        is_many: told.cardinality == "many",
        unique: is(told.unique),
        indexed: is(told.index),
        required: is(told.required),
        checked: told.checked_data_type.as_deref().and_then(Type::parse),
        reverse: told.reverse_identity.and_then(|(_, etype, label)| Some((etype?, label?))),
        on_delete: told.on_delete.as_deref().and_then(OnDelete::parse),
        on_delete_reverse: told.on_delete_reverse.as_deref().and_then(OnDelete::parse),
        busy: is(told.indexing) || is(told.checking) || is(told.setting_unique),
        system: told.catalog.as_deref() == Some("system"),
    })
}
