//! Entities, attributes, links and types: the words every stage shares.

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
    /// The entity of the reverse side.
    pub to: String,
    /// Its label there.
    pub reverse: String,
    /// How many rows a row of `to` is linked from.
    pub reverse_has: Has,
    /// Attributes of `on` that may hold the id instead, tried in order.
    pub also: Vec<String>,
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
