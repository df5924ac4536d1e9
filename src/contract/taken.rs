//! Which legacy links end up in the target.

use std::collections::BTreeSet;

use super::{Contract, LinkHow, LinkPick, Pick};
use crate::schema::Link;

impl Contract {
    /// The legacy attributes that rules read as the id of a row (`ref`), of the entities that hold them;
    /// over a link too.
    pub fn places_of_refs(&self) -> BTreeSet<(&str, &str)> {
        let mut places = BTreeSet::new();
        for rules in &self.transforms {
            let refs = rules.attrs.iter().filter(|rule| rule.refers.is_some());
            for pick in refs.flat_map(|rule| &rule.from) {
                match pick {
                    Pick::Attr(attr) => places.extend([(rules.source.as_str(), attr.as_str())]),
                    Pick::Linked { link, attr } => {
                        let link = self.before.schema.link(&rules.source, link);
                        places.extend(link.map(|link| (link.to.as_str(), attr.as_str())));
                    }
                    Pick::Path { .. } | Pick::Server => {}
                }
            }
        }
        places
    }

    /// Whether a rule takes up the values of a legacy link: as the id of a row, as a link from either
    /// side, or as an attribute that holds the id.
    pub fn takes_up(&self, link: &Link) -> bool {
        self.transforms.iter().any(|transform| {
            let is_own = transform.source == link.on;
            let as_id = is_own && transform.id.from.contains(&link.label);
            let as_attr = is_own && transform.attrs.iter().flat_map(|rule| &rule.from).any(|pick| {
                matches!(pick, Pick::Linked { link: over, attr } if *over == link.label && attr == "id")
            });
            let picks = transform.links.iter().flat_map(|rule| match &rule.how {
                LinkHow::From { picks, .. } => &picks[..],
                LinkHow::SameRow { .. } | LinkHow::Via { .. } => &[],
            });
            let as_link = picks.into_iter().any(|pick| match pick {
                LinkPick::Link(label) => is_own && *label == link.label,
                LinkPick::Reverse { entity, label } => {
                    *entity == link.on && *label == link.label
                }
                LinkPick::Key { .. } | LinkPick::Over { .. } => false,
            });
            as_id || as_attr || as_link
        })
    }
}
