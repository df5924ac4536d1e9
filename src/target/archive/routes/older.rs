//! Carried links of bundles before format 3, which do not say how the target declares them.
//!
//! A label that somebody has already becomes `<label>_<entity on the other end>`, and that is told.

use crate::bundle::LinksMeta;
use crate::contract::Contract;
use crate::schema::{Has, Link, LinkRules, Schema};
use crate::target::archive::model::Merging;

/// One end of a link.
struct End<'a> {
    entity: &'a str,
    label: &'a str,
    has: Has,
}

/// The entity and label that hold it in the archive, whether that is the file's other end, and
/// whether it is written.
pub(super) fn carried(
    merging: &mut Merging,
    (app, contract): (&Schema, &Contract),
    file: &LinksMeta,
    made: &mut Vec<(String, String, String)>,
) -> Option<(String, String, bool, bool)> {
    let Some((link, from, to)) = original(app, contract, file) else {
        if merging.alone {
            return made_up(merging, contract, file);
        }
        let said = format!(
            "`{}.{}` leads to `{}`, and no link of the app's schema does",
            file.entity, file.label, file.target
        );
        merging.clashes.push(said);
        return None;
    };
    let swapped = contract.after.schema.entity(&file.entity).is_none();
    let (ours, other) = if swapped { (to, from) } else { (from, to) };
    let target = if swapped { &file.target } else { &file.entity };
    if ours.entity == target {
        // The app joins these two itself.
        let forward = link.on == *target && link.label == ours.label;
        if !forward && !swapped {
            let said = format!(
                "rows of `{target}` hold `{}`, which is the reverse side of the app's link `{}`",
                ours.label, link.name
            );
            merging.clashes.push(said);
            return None;
        }
        let label = if forward { ours.label } else { other.label };
        let holder = if forward { target } else { &file.entity };
        return Some((holder.clone(), label.to_owned(), swapped && forward, forward));
    }
    let known = made.iter().find(|(name, entity, _)| *name == link.name && entity == target);
    if let Some((_, _, label)) = known {
        return Some((target.clone(), label.clone(), swapped, true));
    }
    let label = free(merging, target, ours.label, other.entity)?;
    let reverse = free(merging, other.entity, other.label, target)?;
    made.push((link.name.clone(), target.clone(), label.clone()));
    merging.add(Link {
        name: format!("{target}_{label}"),
        on: target.clone(),
        label: label.clone(),
        has: ours.has,
        to: other.entity.to_owned(),
        reverse: Some(reverse),
        reverse_has: other.has,
        rules: LinkRules::default(),
        also: Vec::new(),
    });
    Some((target.clone(), label, swapped, true))
}

/// A link with an entity of an app that the archive does not hold: the ids stay, as lists, for nothing
/// says how many there may be.
fn made_up(
    merging: &mut Merging,
    contract: &Contract,
    file: &LinksMeta,
) -> Option<(String, String, bool, bool)> {
    let swapped = contract.after.schema.entity(&file.entity).is_none();
    let (ours, other) =
        if swapped { (&file.target, &file.entity) } else { (&file.entity, &file.target) };
    let (label, reverse) = if swapped {
        (format!("{other}_{}", file.label), file.label.clone())
    } else {
        (file.label.clone(), format!("{ours}_{}", file.label))
    };
    let label = free(merging, ours, &label, other)?;
    let reverse = free(merging, other, &reverse, ours)?;
    merging
        .model
        .told
        .push(format!("`{ours}.{label}` leads to `{other}`, whose rows are not in the archive"));
    merging.know(other);
    merging.add(Link {
        name: format!("{ours}_{label}"),
        on: ours.clone(),
        label: label.clone(),
        has: Has::Many,
        to: other.clone(),
        reverse: Some(reverse),
        reverse_has: Has::Many,
        rules: LinkRules::default(),
        also: Vec::new(),
    });
    Some((ours.clone(), label, swapped, true))
}

/// The app's link that a file came from, with its ends as the file has them: one that joins the
/// file's own entities, or else one of the legacy entity whose rows go by the target's name.
fn original<'a>(
    app: &'a Schema,
    contract: &Contract,
    file: &LinksMeta,
) -> Option<(&'a Link, End<'a>, End<'a>)> {
    let renamed = |entity: &str, name: &str| {
        contract.id_transform(entity).is_some_and(|rules| rules.target == name)
    };
    let sides = app.links.iter().flat_map(|link| [(link, false), (link, true)]);
    let mut found = sides.map(|(link, reversed)| {
        let on = End { entity: &link.on, label: &link.label, has: link.has };
        let reverse = link.reverse.as_deref().unwrap_or_default();
        let to = End { entity: &link.to, label: reverse, has: link.reverse_has };
        if reversed { (link, to, on) } else { (link, on, to) }
    });
    let mut legacy = None;
    found
        .find_map(|(link, from, to)| {
            if from.label != file.label {
                return None;
            }
            if from.entity == file.entity && to.entity == file.target {
                return Some((link, from, to));
            }
            let same = |entity: &str, name: &str| entity == name || renamed(entity, name);
            if legacy.is_none() && same(from.entity, &file.entity) && same(to.entity, &file.target)
            {
                legacy = Some((link, from, to));
            }
            None
        })
        .or(legacy)
}

/// The label an entity gives a new link.
fn free(merging: &mut Merging, entity: &str, label: &str, other: &str) -> Option<String> {
    let Some(owner) = merging.owner(entity, label) else { return Some(label.to_owned()) };
    let longer = format!("{label}_{other}");
    if let Some(second) = merging.owner(entity, &longer) {
        let said = format!(
            "`{entity}.{label}` belongs to {owner}, `{entity}.{longer}` to {second}: the link to \
             `{other}` has no label"
        );
        merging.clashes.push(said);
        return None;
    }
    let said = format!(
        "`{entity}.{label}` belongs to {owner}: the link with `{other}` is `{entity}.{longer}` there"
    );
    merging.model.told.push(said);
    Some(longer)
}
