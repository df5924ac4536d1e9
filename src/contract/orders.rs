//! What puts the rows of a legacy entity in order: keys that are read in the source alone.
//!
//! An id that is no UUID is another one in the target, so an order by target ids is a chance. Wherever
//! rows of a legacy entity are put in order (the first that leads here, the latest, the one that may
//! hold a link), it is by these keys, and ties go by the source's own ids.

use super::{AttrRule, Contract, LinkHow, LinkPick, Pick};

/// One key of an order over the rows of a legacy entity. A row without a value comes first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum OrderKey<'c> {
    /// The row's own id in the source: a UUID in lower case, a whole number of up to
    /// [`ID_DIGITS`] digits by its value (as that many digits, then a space and its own text, so that
    /// `007` comes before `7`), any other text by its bytes.
    Id,
    /// What the rule of a target attribute gives of the row.
    Rule(&'c AttrRule),
    /// A legacy attribute that is the first place of no rule.
    Attr(&'c str),
}

/// How many digits an id has at most that counts as a whole number where ids are put in order.
pub const ID_DIGITS: usize = 38;

impl<'c> OrderKey<'c> {
    /// The column of a legacy entity of this name, as it is.
    pub fn named(name: &'c str) -> Self {
        if name == "id" { OrderKey::Id } else { OrderKey::Attr(name) }
    }
}

impl Contract {
    /// The declared order of the rows of a legacy entity: that of the transform that carries their
    /// ids ([`Contract::id_transform`]), then their own ids.
    pub fn declared_order<'c>(&'c self, entity: &str) -> Vec<OrderKey<'c>> {
        let Some(rules) = self.id_transform(entity) else { return vec![OrderKey::Id] };
        let mut keys = Vec::new();
        for name in rules.order.iter().filter(|name| *name != "id") {
            let number = rules.number.as_ref().filter(|number| number.attr == *name);
            match (rules.attrs.iter().find(|rule| rule.attr == *name), number) {
                (_, Some(number)) => keys.extend(self.order_by(entity, &number.by)),
                (Some(rule), None) => keys.push(OrderKey::Rule(rule)),
                // What a case fills is no key of the legacy row.
                (None, None) => {}
            }
        }
        ending_with_id(keys)
    }

    /// An order by columns of a legacy entity, then by id. A column counts as the target attribute
    /// that takes it first: where the column has no value, the rule goes on.
    pub fn order_by<'c>(&'c self, entity: &str, by: &'c [String]) -> Vec<OrderKey<'c>> {
        let rules = self.id_transform(entity).map_or(&[][..], |rules| &rules.attrs);
        let key = |name: &'c String| {
            let takes =
                |rule: &&AttrRule| matches!(rule.from.first(), Some(Pick::Attr(it)) if it == name);
            let rule = rules.iter().filter(|_| name != "id").find(takes);
            rule.map_or_else(|| OrderKey::named(name), OrderKey::Rule)
        };
        ending_with_id(by.iter().map(key).collect())
    }

    /// The keys by which links elsewhere put the rows of a legacy entity in order.
    pub fn order_keys_of(&self, entity: &str) -> Vec<OrderKey<'_>> {
        let mut keys = Vec::new();
        for rule in self.transforms.iter().flat_map(|rules| &rules.links) {
            let LinkHow::From { picks, latest } = &rule.how else { continue };
            if let Some(latest) = latest.as_ref().filter(|latest| latest.entity == entity) {
                keys.extend(self.order_by(entity, &latest.by));
            }
            let back = |pick: &LinkPick| matches!(pick, LinkPick::Reverse { entity: it, .. } if it == entity);
            if picks.iter().any(back) {
                keys.extend(self.declared_order(entity));
            }
        }
        keys
    }
}

/// An order in which no two rows of different ids are alike.
fn ending_with_id(mut keys: Vec<OrderKey<'_>>) -> Vec<OrderKey<'_>> {
    if let Some(at) = keys.iter().position(|key| *key == OrderKey::Id) {
        keys.truncate(at);
    }
    keys.push(OrderKey::Id);
    keys
}
