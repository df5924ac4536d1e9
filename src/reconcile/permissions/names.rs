//! What the names in a permission rule of a legacy entity are in the target.

use super::expression::{Names, Of};
use crate::contract::{Contract, LinkHow, LinkPick, LinkRule, Pick, Transform};
use crate::schema::{Link, Schema};

/// A link of the app that follows the rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovedLink {
    /// As the app has it.
    pub of: Link,
    /// As the target has it.
    pub link: Link,
    /// Whether the original's forward side is the reverse one there.
    pub is_turned: bool,
}

/// Why nothing is known of a row.
const UNKNOWN: &str = "which row `linkedData` is depends on the link";

/// The row that a name is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At<'a> {
    /// A legacy entity's, and the target entity that it is now of.
    Moved { source: &'a str, target: &'a str },
    /// Of an entity that stays what it is.
    Stays(&'a str),
    /// Beyond what a schema says: of the server's own, with its own names.
    Beyond,
    /// It depends on what the rule is used for.
    Unknown,
}

/// Where rows and links went.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ways<'a> {
    pub(super) contract: &'a Contract,
    /// The app's schema.
    pub(super) app: &'a Schema,
    pub(super) moved: &'a [MovedLink],
    /// Labels that are given up: entity, label, new label.
    pub(super) renamed: &'a [(String, String, String)],
}

/// The names of one rule: what `data` is, and what `linkedData`.
pub(super) struct Scope<'a> {
    pub(super) ways: Ways<'a>,
    pub(super) data: At<'a>,
    pub(super) linked: At<'a>,
}

impl Names for Scope<'_> {
    fn attr(&self, of: Of, attr: &str) -> Result<String, String> {
        self.ways.attr(self.at(of), attr)
    }

    fn path(&self, of: Of, path: &str) -> Result<String, String> {
        let mut at = self.at(of);
        let mut new = Vec::new();
        let mut rest = path.split('.').peekable();
        while let Some(name) = rest.next() {
            if rest.peek().is_none() {
                new.push(self.ways.attr(at, name)?);
            } else {
                let (label, next) = self.ways.hop(at, name)?;
                new.push(label);
                at = next;
            }
        }
        Ok(new.join("."))
    }
}

impl<'a> Scope<'a> {
    fn at(&self, of: Of) -> At<'a> {
        match of {
            Of::Data => self.data,
            Of::Linked => self.linked,
            Of::User => At::Stays("$users"),
        }
    }
}

/// The attributes of a target entity that show something of an attribute of its source.
pub(super) fn shown<'a>(
    contract: &'a Contract,
    (source, target): (&str, &str),
    name: &str,
) -> Vec<&'a str> {
    let rules = contract.transforms.iter().find(|it| it.source == source && it.target == target);
    let Some(rules) = rules else { return Vec::new() };
    let reads = |pick: &Pick| match pick {
        Pick::Attr(attr) | Pick::Path { attr, .. } => attr == name,
        Pick::Linked { .. } | Pick::Server => false,
    };
    let split = rules.explode.as_ref();
    let split = split.is_some_and(|it| it.of.iter().chain(&it.otherwise_by).any(|of| of == name));
    let entity = contract.after.schema.entity(target);
    let attrs = entity.map_or(&[][..], |entity| &entity.attrs).iter();
    let shows = attrs.filter(|attr| match rules.attrs.iter().find(|it| it.attr == attr.name) {
        Some(rule) => rule.from.iter().any(reads),
        // What no rule fills, the cases do.
        None => split,
    });
    shows.map(|attr| attr.name.as_str()).collect()
}

impl<'a> Ways<'a> {
    pub(super) fn is_legacy(self, entity: &str) -> bool {
        self.contract.before.schema.entity(entity).is_some()
    }

    fn transform(self, source: &str, target: &str) -> Option<&'a Transform> {
        self.contract.transforms.iter().find(|it| it.source == source && it.target == target)
    }

    /// The new name of an attribute.
    pub(super) fn attr(self, at: At<'a>, name: &str) -> Result<String, String> {
        let (source, target) = match at {
            At::Stays(entity) => {
                let goes = |link: &Link| self.is_legacy(&link.on) || self.is_legacy(&link.to);
                return match self.link(entity, name).filter(|link| goes(link)) {
                    Some(_) => {
                        Err(format!("`{entity}.{name}` is a link to rows that are others now"))
                    }
                    None => Ok(self.label(entity, name)),
                };
            }
            At::Beyond => return Ok(name.to_owned()),
            At::Unknown if name == "id" => return Ok(name.to_owned()),
            At::Unknown => return Err(UNKNOWN.to_owned()),
            At::Moved { source, target } => (source, target),
        };
        let rules = self.transform(source, target);
        let rules =
            rules.ok_or_else(|| format!("no rows of `{source}` become rows of `{target}`"))?;
        if name == "id" {
            // The first of several results alone has the id.
            let is_kept = rules.id.is_own() && rules.explode.is_none();
            return is_kept.then(|| name.to_owned()).ok_or_else(|| {
                format!("rows of `{target}` have other ids than those of `{source}`")
            });
        }
        let pick = [Pick::Attr(name.to_owned())];
        let as_it_is = rules.attrs.iter().find(|rule| {
            let is_changed = rule.values.is_some() || rule.built.is_some() || rule.refers.is_some();
            let is_filled = rule.template.is_some() || rule.missing.is_some();
            rule.from == pick && !is_changed && !is_filled
        });
        if let Some(rule) = as_it_is {
            return Ok(rule.attr.clone());
        }
        let is_there = self.app.entity(source).is_none_or(|entity| entity.attr(name).is_some())
            || self.link(source, name).is_some();
        if !is_there && !self.is_label(target, name) {
            // No row has it, there as here.
            return Ok(name.to_owned());
        }
        Err(format!("nothing in `{target}` holds `{source}.{name}` as it is"))
    }

    /// The new label of a link, and the row it leads to.
    pub(super) fn hop(self, at: At<'a>, label: &str) -> Result<(String, At<'a>), String> {
        let entity = match at {
            At::Moved { source, .. } => source,
            At::Stays(entity) => entity,
            At::Beyond => return Ok((label.to_owned(), At::Beyond)),
            At::Unknown => return Err(UNKNOWN.to_owned()),
        };
        let Some(link) = self.link(entity, label) else {
            return match at {
                // The server's own links are in no schema.
                At::Stays(_) => Ok((label.to_owned(), At::Beyond)),
                // It leads to no row, there as here.
                At::Moved { target, .. } if !self.is_label(target, label) => {
                    Ok((label.to_owned(), At::Beyond))
                }
                _ => Err(format!("`{entity}` has no link `{label}`")),
            };
        };
        let ahead = link.ahead() == (entity, label);
        let other = if ahead { &link.to } else { &link.on };
        let found = match at {
            At::Moved { source, target } => self.by_rule(source, target, (link, label)),
            _ => None,
        };
        let found = found
            .or_else(|| self.by_reverse(at, link, ahead))
            .or_else(|| self.by_move(at, link, ahead));
        match (found, at) {
            (Some((label, target)), _) if self.is_legacy(other) => {
                Ok((label, At::Moved { source: other, target }))
            }
            (Some((label, _)), _) => Ok((label, At::Stays(other))),
            (None, At::Stays(_)) if !self.is_legacy(other) => {
                Ok((self.label(entity, label), At::Stays(other)))
            }
            _ => Err(format!("no link of the target holds what `{entity}.{label}` does")),
        }
    }

    /// Whether a target entity has something under a label.
    fn is_label(self, target: &str, label: &str) -> bool {
        let schemas = [&self.contract.after.schema, self.app];
        let is_attr =
            |schema: &Schema| schema.entity(target).is_some_and(|it| it.attr(label).is_some());
        let mut links = schemas.iter().flat_map(|schema| &schema.links);
        label == "id"
            || schemas.into_iter().any(is_attr)
            || links.any(|link| link.is_under(target, label))
            || self.moved.iter().any(|moved| moved.link.is_under(target, label))
    }

    /// A link of the app, or of the legacy model where the app's schema is not known.
    pub(super) fn link(self, entity: &str, label: &str) -> Option<&'a Link> {
        let legacy = &self.contract.before.schema.links;
        self.app.links.iter().chain(legacy).find(|link| link.is_under(entity, label))
    }

    /// The link of the target that a rule fills from this one first.
    fn by_rule(
        self,
        source: &str,
        target: &str,
        (link, label): (&Link, &str),
    ) -> Option<(String, &'a str)> {
        let same_row = |rule: &LinkRule| match &rule.how {
            // The row of the same source whose id is the one that this link names first.
            LinkHow::SameRow { target } => {
                let rules = self.transform(source, target);
                rules.is_some_and(|rules| rules.id.from.first().is_some_and(|from| from == label))
            }
            LinkHow::From { .. } | LinkHow::Via { .. } => false,
        };
        let is_first = |rule: &&LinkRule| match first(rule) {
            Some(LinkPick::Link(pick)) => pick == label,
            Some(LinkPick::Reverse { entity, label: of }) => {
                link.ahead() == (entity, of) && link.back() == Some((source, label))
            }
            _ => same_row(rule),
        };
        let rule = self.transform(source, target)?.links.iter().find(is_first)?;
        let filled = self.contract.after.schema.link(target, &rule.label)?;
        Some((filled.label.clone(), &filled.to))
    }

    /// The reverse side of a link of the target that a rule of the other end fills from this one first.
    fn by_reverse(self, at: At<'_>, link: &Link, ahead: bool) -> Option<(String, &'a str)> {
        let here = entity_of(at)?;
        let rules = self.contract.id_transform(&link.on).filter(|_| !ahead)?;
        let pick = LinkPick::Link(link.label.clone());
        let filled = rules.links.iter().filter(|rule| first(rule) == Some(&pick));
        let filled =
            filled.filter_map(|rule| self.contract.after.schema.link(&rules.target, &rule.label));
        let filled = filled.filter(|filled| filled.to == here);
        let mut found = filled.filter_map(|filled| filled.reverse.clone());
        Some((found.next()?, &rules.target))
    }

    /// The link that follows the rows in its place.
    fn by_move(self, at: At<'_>, link: &Link, ahead: bool) -> Option<(String, &'a str)> {
        let here = entity_of(at)?;
        let is_it = |moved: &&MovedLink| moved.of.ahead() == link.ahead() && moved.of.to == link.to;
        let moved = self.moved.iter().find(is_it)?;
        let there = &moved.link;
        let (on, label, to) = if ahead == moved.is_turned {
            (&there.to, there.reverse.as_ref(), &there.on)
        } else {
            (&there.on, Some(&there.label), &there.to)
        };
        // Of several entities that the rows become, one has the links that follow them.
        (on == here).then_some((label?.clone(), to.as_str()))
    }

    /// A label of an entity that stays, once others made room.
    fn label(self, entity: &str, label: &str) -> String {
        let is_it = |it: &&(String, String, String)| it.0 == entity && it.1 == label;
        self.renamed.iter().find(is_it).map_or(label, |(_, _, to)| to).to_owned()
    }
}

/// The target's entity that a row is of.
fn entity_of(at: At<'_>) -> Option<&str> {
    match at {
        At::Moved { target, .. } => Some(target),
        At::Stays(entity) => Some(entity),
        At::Beyond | At::Unknown => None,
    }
}

fn first(rule: &LinkRule) -> Option<&LinkPick> {
    match &rule.how {
        LinkHow::From { picks, .. } => picks.first(),
        LinkHow::SameRow { .. } | LinkHow::Via { .. } => None,
    }
}
