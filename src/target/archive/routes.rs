//! Where the bundle's link files go: onto the forward side of a link, at rows of the target model.
//!
//! A link of the app that the contract does not name follows the rows: the bundle says how the target
//! declares it, as the schema push does. One that is not in the app's schema yet has its forward side
//! on the target entity, so that other entities' files stay as they are.

mod older;

use super::model::Merging;
use crate::bundle::LinksMeta;
use crate::contract::Contract;
use crate::reconcile::MovedLink;
use crate::schema::{Link, Schema};

/// Where one link file of the bundle stands in the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    /// The bundle's table.
    pub(super) table: String,
    /// The entity whose rows hold the label.
    pub(super) entity: String,
    /// The label there.
    pub(super) label: String,
    /// The bundle's `from` is the other end.
    pub(super) swapped: bool,
    /// The rows of the target hold it; otherwise the other entity's file, which stays as it is, does.
    pub(super) written: bool,
}

/// Finds a place for every link file that has rows.
pub(super) fn plan(merging: &mut Merging, app: &Schema, contract: &Contract, files: &[LinksMeta]) {
    let mut made: Vec<(String, String, String)> = Vec::new();
    for file in files.iter().filter(|file| file.rows > 0) {
        let route = match file.link() {
            Some(link) => carried(merging, (app, contract), (file, link)),
            None if file.role == "carried" => {
                older::carried(merging, (app, contract), file, &mut made)
            }
            None => Some((file.entity.clone(), file.label.clone(), false, true)),
        };
        let table = format!("{}.{}", file.entity, file.label);
        if let Some((entity, label, swapped, written)) = route {
            merging.model.routes.push(Route { table, entity, label, swapped, written });
        }
    }
}

/// The links of the app that follow the rows, as the archive has them.
pub(super) fn moved(
    app: &Schema,
    schema: &Schema,
    routes: &[Route],
    files: &[LinksMeta],
) -> Vec<MovedLink> {
    let mut found = Vec::new();
    for file in files {
        let table = format!("{}.{}", file.entity, file.label);
        let Some(route) = routes.iter().find(|route| route.table == table) else { continue };
        let Some(link) = schema.link(&route.entity, &route.label) else { continue };
        for held in file.declared.iter().flat_map(|declared| &declared.of) {
            let is_it = |link: &&Link| link.is_under(&held.entity, &held.label);
            let Some(of) = app.links.iter().find(is_it) else { continue };
            let is_ahead = of.ahead() == (&held.entity, &held.label);
            let is_turned = (is_ahead == held.is_turned) != route.swapped;
            found.push(MovedLink { of: of.clone(), link: link.clone(), is_turned });
        }
    }
    found
}

/// The entity and label that hold it in the archive, whether that is the file's other end, and
/// whether it is written.
fn carried(
    merging: &mut Merging,
    (app, contract): (&Schema, &Contract),
    (file, link): (&LinksMeta, Link),
) -> Option<(String, String, bool, bool)> {
    let is_ours = |entity: &str| contract.after.schema.entity(entity).is_some();
    if !merging.alone && !is_ours(&link.on) {
        return Some((link.on, link.label, false, false));
    }
    // Without the app's other rows, the target's hold what those would.
    let swapped = !is_ours(&link.on);
    let link = if swapped { link.turned() } else { link };
    if merging.alone && !is_ours(&link.to) {
        let (entity, label, to) = (&link.on, &link.label, &link.to);
        let said = format!("`{entity}.{label}` leads to `{to}`, whose rows are not in the archive");
        merging.model.told.push(said);
        merging.know(to);
    }
    if merging.loosen(&link) {
        return Some((link.on, link.label, swapped, true));
    }
    let link = named(merging, original(app, file, swapped), link)?;
    let place = (link.on.clone(), link.label.clone());
    merging.add(link);
    Some((place.0, place.1, swapped, true))
}

/// The labels that the app's link has on the two sides of the one that stands for it.
fn original<'a>(app: &'a Schema, file: &LinksMeta, swapped: bool) -> [Option<&'a str>; 2] {
    let held = file.declared.as_ref().and_then(|declared| declared.of.first());
    let Some(held) = held else { return [None, None] };
    let is_it = |link: &&Link| link.is_under(&held.entity, &held.label);
    let Some(link) = app.links.iter().find(is_it) else { return [None, None] };
    let labels = [Some(link.label.as_str()), link.reverse.as_deref()];
    let is_ahead = link.ahead() == (&held.entity, &held.label);
    if is_ahead == (held.is_turned == swapped) { labels } else { [labels[1], labels[0]] }
}

/// The link under the labels it has in the archive: those of the original where nobody has them, as when
/// the legacy entities are left out, else those that the bundle says.
fn named(merging: &mut Merging, original: [Option<&str>; 2], mut link: Link) -> Option<Link> {
    let (on, to) = (link.on.clone(), link.to.clone());
    let mut label = |(entity, other): (&str, &str), was: Option<&str>, now: &str| {
        let owner = was.and_then(|was| merging.owner(entity, was));
        match (was, owner) {
            (Some(was), None) => Some(was.to_owned()),
            (Some(was), Some(owner)) if was != now => {
                merging.model.told.push(format!(
                    "`{entity}.{was}` belongs to {owner}: the link with `{other}` is `{entity}.{now}` there"
                ));
                Some(now.to_owned())
            }
            _ => Some(now.to_owned()).filter(|now| merging.owner(entity, now).is_none()),
        }
    };
    let ahead = label((&on, &to), original[0], &link.label);
    let back = link.reverse.as_deref().map(|now| label((&to, &on), original[1], now));
    let (Some(ahead), Some(back)) = (ahead, back.map_or(Some(None), |back| back.map(Some))) else {
        let said = format!(
            "`{on}.{}`, a link that follows the rows, has a label that the app gave away",
            link.label
        );
        merging.clashes.push(said);
        return None;
    };
    (link.label, link.reverse) = (ahead, back);
    link.name = format!("{on}_{}", link.label);
    Some(link)
}
