//! A schema as a push sees it: attributes, and links with all that a definition may say.

use crate::json;
use crate::schema::{Attr, Entity, Link};
use crate::source;

/// A schema.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Model {
    /// The entities, in their order.
    pub(super) entities: Vec<Entity>,
    /// The links, in their order.
    pub(super) links: Vec<Ref>,
}

/// A link and what only a schema says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ref {
    /// The link.
    pub(super) link: Link,
    /// Every row of the forward side has one.
    pub(super) required: bool,
    /// Whether rows go with the other end, seen from the forward and from the reverse side.
    pub(super) cascade: (bool, bool),
}

/// What has a label.
#[derive(Debug, Clone, Copy)]
pub(super) enum Owner<'a> {
    /// An attribute.
    Attr,
    /// A link, on its forward or its reverse side.
    Link(&'a Ref, Side),
}

/// A side of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// The one that is declared as `forward`.
    Forward,
    /// The other one.
    Reverse,
}

impl From<Link> for Ref {
    fn from(link: Link) -> Self {
        Self { link, required: false, cascade: (false, false) }
    }
}

impl Ref {
    /// Entity and label of both sides: what makes it the link it is.
    pub(super) fn ends(&self) -> [(&str, &str); 2] {
        let link = &self.link;
        [(&link.on, &link.label), (&link.to, &link.reverse)]
    }
}

impl Model {
    /// Reads InstantDB's schema as a backup has it.
    ///
    /// # Errors
    /// What it is not.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let schema = source::app_schema(text)?;
        let raw = object(text, "links");
        let raw = raw.iter().flat_map(|raw| json::members(raw).unwrap_or_default());
        let links = schema.links.into_iter().zip(raw).map(|(link, (_, raw))| Ref {
            required: side(raw, "forward", "required") == Some("true"),
            cascade: (cascades(raw, "forward"), cascades(raw, "reverse")),
            link,
        });
        Ok(Self { links: links.collect(), entities: schema.entities })
    }

    /// The entity of that name.
    pub(super) fn entity(&self, name: &str) -> Option<&Entity> {
        self.entities.iter().find(|entity| entity.name == name)
    }

    /// The attribute of that name.
    pub(super) fn attr(&self, entity: &str, name: &str) -> Option<&Attr> {
        self.entity(entity)?.attr(name)
    }

    /// The link with the same two sides.
    pub(super) fn link(&self, ends: [(&str, &str); 2]) -> Option<&Ref> {
        self.links.iter().find(|link| link.ends() == ends)
    }

    /// What has a label on an entity.
    pub(super) fn owner(&self, entity: &str, label: &str) -> Option<Owner<'_>> {
        if self.attr(entity, label).is_some() {
            return Some(Owner::Attr);
        }
        self.links.iter().find_map(|link| {
            let side = match link.ends().iter().position(|end| *end == (entity, label))? {
                0 => Side::Forward,
                _ => Side::Reverse,
            };
            Some(Owner::Link(link, side))
        })
    }

    /// The entity of that name, made where there is none.
    pub(super) fn entry(&mut self, name: &str) -> &mut Entity {
        let at = self.entities.iter().position(|entity| entity.name == name);
        let at = at.unwrap_or_else(|| {
            let name = name.to_owned();
            self.entities.push(Entity { name, attrs: Vec::new(), optional: true });
            self.entities.len() - 1
        });
        &mut self.entities[at]
    }
}

fn object<'t>(raw: &'t str, key: &str) -> Option<&'t str> {
    json::members(raw).ok()?.into_iter().find(|(name, _)| name == key).map(|(_, raw)| raw)
}

fn side<'t>(raw: &'t str, which: &str, key: &str) -> Option<&'t str> {
    object(object(raw, which)?, key)
}

fn cascades(raw: &str, which: &str) -> bool {
    side(raw, which, "onDelete").and_then(json::string).is_some_and(|text| text == "cascade")
}
