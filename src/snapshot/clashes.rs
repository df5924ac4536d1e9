//! Links of the app under labels of legacy entities that mean something else in the contract: read as the
//! contract's, their ids would become values or other links, so nothing is read. Labels of target entities
//! are freed by a push (`reconcile`).

use crate::contract::Contract;
use crate::error::{Error, Result};
use crate::schema::{Link, Schema};

/// Refuses an app that has such links.
///
/// # Errors
/// Names every one of them, and what the contract has there.
pub(super) fn check(contract: &Contract, app: Option<&Schema>) -> Result<()> {
    let models = [&contract.before.schema, &contract.after.schema];
    let links = app.map_or(&[][..], |app| &app.links);
    let mut found: Vec<String> = Vec::new();
    for link in links {
        let ahead = (link.ahead(), (link.to.as_str(), link.reverse.as_deref()));
        let back = link.back().map(|back| (back, (link.on.as_str(), Some(link.label.as_str()))));
        let is_legacy =
            |(entity, _): &(&str, &str)| contract.before.schema.entity(entity).is_some();
        let sides = [Some(ahead), back].into_iter().flatten();
        for ((entity, label), far) in sides.filter(|(side, _)| is_legacy(side)) {
            let clash = clash(&models, links, (entity, label), far);
            found.extend(clash.map(|clash| {
                let to = if far.0.is_empty() { "nothing named" } else { far.0 };
                let to = to.escape_debug();
                format!("`{entity}.{label}` is a link to `{to}` in the app; {clash}")
            }));
        }
    }
    if found.is_empty() {
        return Ok(());
    }
    found.sort();
    found.dedup();
    let mut error =
        Error::refused("the app has links under labels of another meaning in the contract")
            .help("rename these links in the app, or the attributes and links in the contract");
    error.at.extend(found);
    Err(error)
}

/// What the contract has under a label, where that is something else than a link to `far`.
fn clash(
    models: &[&Schema],
    links: &[Link],
    (entity, label): (&str, &str),
    (to, seen_as): (&str, Option<&str>),
) -> Option<String> {
    for model in models {
        let own = || model.links.iter().filter(move |link| link.on == entity);
        let spelled = own().find(|link| link.also.iter().any(|also| also == label));
        let attr = model.entity(entity).and_then(|found| found.attr(label));
        match (attr, spelled) {
            (Some(_), None) => return Some("the contract has an attribute there".to_owned()),
            (_, Some(link)) if link.to != to => return Some(leads(&link.to)),
            _ => {}
        }
    }
    let all = || models.iter().flat_map(|model| &model.links);
    let ahead = all().filter(|link| link.ahead() == (entity, label)).map(|link| link.to.as_str());
    let back: Vec<&Link> = all().filter(|link| link.back() == Some((entity, label))).collect();
    let ends: Vec<&str> = ahead.chain(back.iter().map(|link| link.on.as_str())).collect();
    match ends.first() {
        Some(end) if !ends.contains(&to) => return Some(leads(end)),
        _ => {}
    }
    // The app has the contract's link as another one.
    let is_elsewhere = |known: &&&Link| {
        seen_as != Some(&known.label)
            && !known.also.iter().any(|also| seen_as == Some(also))
            && links
                .iter()
                .any(|link| [Some(link.ahead()), link.back()].contains(&Some(known.ahead())))
    };
    let is_here = |known: &Link| known.on == to && seen_as == Some(&known.label);
    if back.iter().any(|known| is_here(known)) {
        return None;
    }
    let other = back.iter().filter(|known| known.on == to).find(is_elsewhere)?;
    Some(format!("the contract's is the other side of `{}.{}`", other.on, other.label))
}

fn leads(to: &str) -> String {
    format!("the contract's leads to `{to}`")
}
