//! A schema as a push sees it.

use crate::schema::{Attr, Entity, Link, Schema};
use crate::source;

/// A schema.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Model {
    /// The entities, in their order.
    pub(super) entities: Vec<Entity>,
    /// The links, in their order.
    pub(super) links: Vec<Link>,
}

/// What has a label.
#[derive(Debug, Clone, Copy)]
pub(super) enum Owner<'a> {
    /// An attribute.
    Attr,
    /// A link, on its forward or its reverse side.
    Link(&'a Link, Side),
}

/// A side of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// The one that is declared as `forward`.
    Forward,
    /// The other one.
    Reverse,
}

impl Model {
    /// Reads InstantDB's schema as a backup has it.
    ///
    /// # Errors
    /// What it is not.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let Schema { entities, links } = source::app_schema(text)?;
        Ok(Self { entities, links })
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
    pub(super) fn link(&self, like: &Link) -> Option<&Link> {
        self.links.iter().find(|link| is_same(link, like))
    }

    /// What has a label on an entity.
    pub(super) fn owner(&self, entity: &str, label: &str) -> Option<Owner<'_>> {
        if self.attr(entity, label).is_some() {
            return Some(Owner::Attr);
        }
        self.links.iter().find_map(|link| {
            let side = match (entity, label) {
                end if link.ahead() == end => Side::Forward,
                end if link.back() == Some(end) => Side::Reverse,
                _ => return None,
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

/// Whether both have the same two sides: that makes a link the link it is.
pub(super) fn is_same(one: &Link, other: &Link) -> bool {
    one.ahead() == other.ahead() && one.back() == other.back()
}
