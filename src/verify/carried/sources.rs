//! Which files of the snapshot a link file of the bundle holds.

use std::collections::BTreeMap;

use super::renamed;
use crate::bundle;
use crate::schema::Has;
use crate::snapshot::LinksMeta;
use crate::verify::facts::Audit;

/// A link of the target that is no column, and the files of the snapshot that hold it.
pub(in crate::verify) struct Group<'a> {
    /// The entity that holds the label in the target.
    pub(in crate::verify) entity: String,
    /// The label.
    pub(in crate::verify) label: String,
    /// The bundle's file.
    pub(in crate::verify) file: String,
    /// What bundle.json says of it; `None` when it says nothing.
    pub(in crate::verify) meta: Option<&'a bundle::LinksMeta>,
    /// The snapshot's files.
    pub(in crate::verify) held: Vec<Held<'a>>,
}

/// A file of the snapshot.
#[derive(Clone, Copy)]
pub(in crate::verify) struct Held<'a> {
    pub(in crate::verify) links: &'a LinksMeta,
    /// Its rows are on the reverse side of the target's link.
    pub(in crate::verify) is_turned: bool,
}

impl Held<'_> {
    /// The ends of a pair in the order of the target's link.
    pub(in crate::verify) fn turn<T>(&self, (from, to): (T, T)) -> (T, T) {
        if self.is_turned { (to, from) } else { (from, to) }
    }
}

impl<'a> Group<'a> {
    fn new(audit: &Audit<'a>, entity: &str, label: &str) -> Self {
        let meta = audit.bundle.meta().links.iter();
        let meta = meta.into_iter().find(|links| links.entity == entity && links.label == label);
        let file = format!("data/parquet/links/{entity}.{label}.parquet");
        Self {
            file: meta.map_or(file, |meta| meta.file.clone()),
            entity: entity.to_owned(),
            label: label.to_owned(),
            meta,
            held: Vec::new(),
        }
    }
}

/// The link files that there are or must be, by entity and label.
///
/// The bundle says which files of the snapshot it took up where; one that it does not speak of must be
/// under the name that its rows go by, as bundles before format 3 have all of them.
pub(in crate::verify) fn groups<'a>(audit: &Audit<'a>) -> Vec<Group<'a>> {
    let mut groups: BTreeMap<(String, String), Group<'a>> = BTreeMap::new();
    let mut group = |entity: &str, label: &str, held: Option<Held<'a>>| {
        let key = (entity.to_owned(), label.to_owned());
        let group = groups.entry(key).or_insert_with(|| Group::new(audit, entity, label));
        group.held.extend(held);
    };
    let (said, files) = (&audit.bundle.meta().links, &audit.snapshot.meta().links);
    for links in files.iter().filter(|links| is_carried(audit, links)) {
        let taken = said.iter().filter_map(|said| Some((said, said.declared.as_ref()?)));
        let taken = taken.flat_map(|(said, declared)| declared.of.iter().map(move |of| (said, of)));
        let mut taken =
            taken.filter(|(_, of)| (&of.entity, &of.label) == (&links.entity, &links.label));
        match taken.next() {
            Some((said, of)) => {
                let held = Held { links, is_turned: of.is_turned };
                group(&said.entity, &said.label, Some(held));
            }
            None => {
                let held = Held { links, is_turned: false };
                group(&renamed(audit, &links.entity), &links.label, Some(held));
            }
        }
    }
    for links in said {
        group(&links.entity, &links.label, None);
    }
    groups.into_values().collect()
}

fn is_carried(audit: &Audit<'_>, links: &LinksMeta) -> bool {
    if links.role == "carried" {
        // What has no legacy end is of rows that stay as they are.
        let is_legacy = |entity: &String| audit.legacy.contains_key(entity);
        let is_own = !is_legacy(&links.entity) && !is_legacy(&links.target);
        let stays = is_own && audit.bundle.meta().is_judged_by_source();
        return audit.contract.unmapped.carry_links || stays;
    }
    let link = audit.contract.after.schema.link(&links.entity, &links.label);
    link.is_some_and(|link| link.has == Has::Many)
}
