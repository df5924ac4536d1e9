//! Links of the app that the contract does not name: they follow the rows, under labels of the target.
//!
//! A link whose ends are no legacy entities is its own in the target, whatever the contract says of links
//! that it does not name: rows that are there stay as they are. Any other one leads from and to the
//! entities that its rows become. It has the labels of the original, and what the original demands
//! of it as far as the rows hold it. A label that somebody has already becomes `<label>_<entity on the
//! other end>`. Where an entity of the app that the contract does not name is at one end, the target's
//! entity declares the link, so that the other entity's rows stay as they are. A second migration finds
//! the links of the first.

use std::collections::BTreeSet;

use super::goal::Goal;
use super::model::{Model, is_same};
use super::permissions::MovedLink;
use crate::contract::Contract;
use crate::error::Result;
use crate::scan;
use crate::schema::{Has, Link};
use crate::snapshot::{LinksMeta, Snapshot};

/// A link that follows the rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CarriedLink {
    /// As the target has it.
    pub link: Link,
    /// Whether the app's schema has it already.
    pub is_there: bool,
    /// The files of the snapshot that hold it.
    pub files: Vec<CarriedFile>,
    /// The links of the app that it stands for, each with whether its forward side is the reverse one here.
    of: Vec<(Link, bool)>,
}

/// One file of the snapshot that holds a carried link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CarriedFile {
    /// Its place among the snapshot's link files.
    pub at: usize,
    /// Whether its rows are on the reverse side of the target's link.
    pub is_turned: bool,
}

/// What holds of the pairs of a carried link in the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fit {
    /// No row of the forward side has two.
    pub one: bool,
    /// No row of the reverse side is had by two.
    pub reverse_one: bool,
    /// Every row of the forward side has one.
    pub whole: bool,
}

impl CarriedLink {
    /// The links of the app that it stands for.
    pub(super) fn moved(&self) -> impl Iterator<Item = MovedLink> {
        let link = &self.link;
        self.of.iter().map(|(of, is_turned)| MovedLink {
            of: of.clone(),
            link: link.clone(),
            is_turned: *is_turned,
        })
    }

    /// Takes back what the link demands and the rows do not hold.
    pub fn fit(&mut self, fit: Fit) {
        let loosened = |has: Has, holds: bool| if holds { has } else { Has::Many };
        let has = loosened(self.link.has, fit.one);
        self.link.hold(has, loosened(self.link.reverse_has, fit.reverse_one));
        self.link.rules.required &= fit.whole;
    }

    /// How many pairs the snapshot has of it.
    pub(super) fn pairs(&self, snapshot: &Snapshot) -> u64 {
        let files = &snapshot.meta().links;
        self.files.iter().filter_map(|file| files.get(file.at)).map(|file| file.rows).sum()
    }
}

/// The links of a snapshot's app that follow the rows, with all that the originals demand. Only those
/// that have rows.
///
/// # Errors
/// The app's schema cannot be read.
pub fn carried(contract: &Contract, snapshot: &Snapshot) -> Result<Vec<CarriedLink>> {
    let app = super::app_model(snapshot)?.unwrap_or_default();
    Ok(links(snapshot, contract, &app, &Goal::new(&app, contract)))
}

/// The same, as far as the pairs of the snapshot hold what the links demand.
///
/// # Errors
/// The snapshot cannot be read.
pub(super) fn measured(
    contract: &Contract,
    snapshot: &Snapshot,
    (app, goal): (&Model, &Goal),
) -> Result<Vec<CarriedLink>> {
    let mut found = links(snapshot, contract, app, goal);
    for carried in &mut found {
        let fit = measure(carried, snapshot)?;
        carried.fit(fit);
    }
    Ok(found)
}

/// Looks at the pairs as the snapshot has them: rows that are set aside are among them.
fn measure(carried: &CarriedLink, snapshot: &Snapshot) -> Result<Fit> {
    let mut pairs: Vec<(u128, u128)> = Vec::new();
    if carried.link.has == Has::One || carried.link.reverse_has == Has::One {
        for held in &carried.files {
            let path = snapshot.path(&snapshot.meta().links[held.at].file);
            scan::scan(&path, &["from", "to"], &mut |row| {
                let (from, to) = if held.is_turned { (1, 0) } else { (0, 1) };
                let key = |column: usize| row.text(column).map(key_of);
                pairs.extend(key(from).zip(key(to)));
                Ok(())
            })?;
        }
    }
    pairs.sort_unstable();
    pairs.dedup();
    let one = pairs.windows(2).all(|two| two[0].0 != two[1].0);
    pairs.sort_unstable_by_key(|(_, to)| *to);
    let reverse_one = pairs.windows(2).all(|two| two[0].1 != two[1].1);
    Ok(Fit { one, reverse_one, whole: true })
}

fn key_of(id: &str) -> u128 {
    uuid::Uuid::try_parse(id).map_or_else(
        |_| uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, id.as_bytes()).as_u128(),
        |id| id.as_u128(),
    )
}

fn links(snapshot: &Snapshot, contract: &Contract, app: &Model, goal: &Goal) -> Vec<CarriedLink> {
    let mut found = Carrying { contract, known: goal.model.clone(), found: Vec::new() };
    let files = &snapshot.meta().links;
    let held: Vec<Vec<CarriedFile>> = app.links.iter().map(|link| held(files, link)).collect();
    // The goal has the app's links in their order, under the labels that they keep.
    let kept = app.links.iter().zip(&goal.before.links).zip(held);
    let with_rows = kept.filter(|(_, files)| !files.is_empty());
    let is_own = |link: &Link| !found.is_legacy(&link.on) && !found.is_legacy(&link.to);
    let (own, legacy): (Vec<_>, Vec<_>) = with_rows.partition(|((link, _), _)| is_own(link));
    for ((of, link), files) in own {
        let (link, of) = (link.clone(), vec![(of.clone(), false)]);
        found.found.push(CarriedLink { link, is_there: true, files, of });
    }
    let mut taken = BTreeSet::new();
    for ((link, _), files) in legacy.into_iter().filter(|_| contract.unmapped.carry_links) {
        found.follow(link, files, &mut taken);
    }
    let mut found = found.found;
    found.sort_by(|a, b| a.link.ahead().cmp(&b.link.ahead()));
    found
}

/// The files that hold a link of the app, from either side.
fn held(files: &[LinksMeta], link: &Link) -> Vec<CarriedFile> {
    let side = |file: &LinksMeta| {
        let here = (file.entity.as_str(), file.label.as_str());
        match here {
            here if here == link.ahead() && file.target == link.to => Some(false),
            here if Some(here) == link.back() && file.target == link.on => Some(true),
            _ => None,
        }
    };
    let is_it = |file: &LinksMeta| file.role == "carried" && file.rows > 0;
    let files = files.iter().enumerate().filter(|(_, file)| is_it(file));
    files.filter_map(|(at, file)| Some(CarriedFile { at, is_turned: side(file)? })).collect()
}

/// The links on their way into the target's schema.
struct Carrying<'a> {
    contract: &'a Contract,
    /// Everything that has a label.
    known: Model,
    found: Vec<CarriedLink>,
}

impl Carrying<'_> {
    fn is_legacy(&self, entity: &str) -> bool {
        self.contract.before.schema.entity(entity).is_some()
    }

    fn is_target(&self, entity: &str) -> bool {
        self.contract.after.schema.entity(entity).is_some()
    }

    /// The entity that the rows of an entity become.
    fn renamed(&self, entity: &str) -> String {
        let rules = self.contract.id_transform(entity);
        rules.map_or_else(|| entity.to_owned(), |rules| rules.target.clone())
    }

    /// Adds a link of a legacy entity; `taken` are the links of the target that stand for one already.
    fn follow(&mut self, link: &Link, files: Vec<CarriedFile>, taken: &mut BTreeSet<usize>) {
        let (original, mut wanted) = (link.clone(), link.clone());
        let is_turned = !self.is_legacy(&link.on) && !self.is_target(&link.on);
        if is_turned {
            wanted = link.turned();
        }
        (wanted.on, wanted.to) = (self.renamed(&wanted.on), self.renamed(&wanted.to));
        let turn = |files: Vec<CarriedFile>, is: bool| {
            let turn = |file: CarriedFile| CarriedFile { is_turned: file.is_turned != is, ..file };
            files.into_iter().map(turn).collect::<Vec<_>>()
        };
        let Some((at, other_way)) = self.stands(&wanted, taken) else {
            let link = self.labelled(wanted);
            self.known.links.push(link.clone());
            let files = turn(files, is_turned);
            let of = vec![(original, is_turned)];
            self.found.push(CarriedLink { link, is_there: false, files, of });
            return;
        };
        taken.insert(at);
        let link = self.known.links[at].clone();
        let files = turn(files, is_turned != other_way);
        let of = (original, is_turned != other_way);
        match self.found.iter_mut().find(|found| is_same(&found.link, &link)) {
            Some(found) => {
                found.files.extend(files);
                found.of.push(of);
            }
            None => self.found.push(CarriedLink { link, is_there: true, files, of: vec![of] }),
        }
    }

    /// The place of a link of the app that an earlier push made for this one, and whether it is declared
    /// from the other side.
    fn stands(&self, wanted: &Link, taken: &BTreeSet<usize>) -> Option<(usize, bool)> {
        let is = |label: Option<&str>, original: Option<&str>, end: &str| match (label, original) {
            (Some(label), Some(original)) => is_label(label, original, end),
            (label, original) => label == original,
        };
        let (on, to) = (wanted.on.as_str(), wanted.to.as_str());
        let (label, reverse) = (Some(wanted.label.as_str()), wanted.reverse.as_deref());
        let after = &self.contract.after.schema;
        let free = self.known.links.iter().enumerate().filter(|(at, link)| {
            !taken.contains(at) && !after.links.iter().any(|own| own.ahead() == link.ahead())
        });
        for (at, link) in free {
            let (ahead, back) = (Some(link.label.as_str()), link.reverse.as_deref());
            if (on, to) == (&link.on, &link.to) && is(ahead, label, to) && is(back, reverse, on) {
                return Some((at, false));
            }
            if (to, on) == (&link.on, &link.to) && is(ahead, reverse, on) && is(back, label, to) {
                return Some((at, true));
            }
        }
        None
    }

    /// The link under labels that are free.
    fn labelled(&self, wanted: Link) -> Link {
        let label = self.free((&wanted.on, &wanted.label), &wanted.to, None);
        let own = Some((wanted.on.as_str(), label.as_str()));
        let reverse = wanted.reverse.as_deref();
        let reverse = reverse.map(|reverse| self.free((&wanted.to, reverse), &wanted.on, own));
        Link { name: format!("{}_{label}", wanted.on), label, reverse, ..wanted }
    }

    /// The label an entity gives a new link; `also` is a label that is taken too.
    fn free(
        &self,
        (entity, label): (&str, &str),
        other: &str,
        also: Option<(&str, &str)>,
    ) -> String {
        let after = &self.contract.after.schema;
        let is_taken = |label: &str| {
            label == "id"
                || also == Some((entity, label))
                || self.known.owner(entity, label).is_some()
                || after.links.iter().any(|link| link.is_under(entity, label))
        };
        if !is_taken(label) {
            return label.to_owned();
        }
        let longer = longer(label, other);
        let mut free = longer.clone();
        let mut number = 2;
        while is_taken(&free) {
            free = format!("{longer}_{number}");
            number += 1;
        }
        free
    }
}

fn longer(label: &str, other: &str) -> String {
    format!("{label}_{other}")
}

/// Whether a label is one that a link of this label to that entity gets.
fn is_label(label: &str, original: &str, end: &str) -> bool {
    let Some(rest) = label.strip_prefix(original) else { return false };
    let number = rest.strip_prefix(&longer("", end));
    let is_number =
        |rest: &str| rest.strip_prefix('_').is_some_and(|number| number.parse::<u32>().is_ok());
    rest.is_empty() || number.is_some_and(|rest| rest.is_empty() || is_number(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_of_an_earlier_push_is_known() {
        for (label, is) in [
            ("owner", true),
            ("owner_users", true),
            ("owner_users_2", true),
            ("owner_users_x", false),
            ("owners", false),
            ("own", false),
        ] {
            assert_eq!(is_label(label, "owner", "users"), is, "{label}");
        }
    }
}
