//! What bundle.json says of a carried link beside its pairs: that it is the app's link, under labels that
//! are free, and that every row holds what it demands.

use super::sources::{Group, Held};
use super::{Pair, named, renamed};
use crate::bundle::Declared;
use crate::verify::Rule;
use crate::verify::carried_sql;
use crate::verify::facts::Audit;
use crate::verify::rule::Tally;

/// The ends, labels and direction of a carried link are those of the app's link that it was made of.
pub(super) fn follows(audit: &Audit<'_>, group: &Group<'_>) -> Option<Rule> {
    let (meta, declared) = declared(group)?;
    let (entity, label) = (group.entity.as_str(), group.label.as_str());
    let mut tally = Tally::new("link", entity, label)
        .says(format!("{entity}.{label} is the app's own link, under labels that are free"))
        .query(carried_sql::follows(audit, group));
    for of in &declared.of {
        let held =
            |held: &&Held<'_>| (&held.links.entity, &held.links.label) == (&of.entity, &of.label);
        let right = group.held.iter().find(held).is_some_and(|held| {
            let ends = held.turn((held.links.entity.as_str(), held.links.target.as_str()));
            let (on, to) = (renamed(audit, ends.0), renamed(audit, ends.1));
            let labels =
                held.turn((Some(held.links.label.as_str()), held.links.seen_as.as_deref()));
            (on.as_str(), to.as_str()) == (entity, meta.target.as_str())
                && is_label(label, labels.0, (held, &to))
                && match (declared.reverse.as_deref(), labels.1) {
                    (Some(label), original) => is_label(label, original, (held, &on)),
                    (None, original) => original.is_none(),
                }
        });
        tally.check(right, || format!("{}.{} of the snapshot", of.entity, of.label));
    }
    let after = &audit.contract.after.schema;
    let sides = [
        Some((entity, label)),
        declared.reverse.as_deref().map(|back| (meta.target.as_str(), back)),
    ];
    for (entity, label) in sides.into_iter().flatten() {
        let is_ours = after.entity(entity).is_some_and(|found| found.attr(label).is_some())
            || after.links.iter().any(|link| link.is_under(entity, label));
        tally.check(!is_ours, || format!("{entity}.{label} is the contract's own"));
    }
    Some(tally.finish())
}

/// Whether a label is that of the original or the longer one that a link gets where it is taken:
/// `<label>_<entity on the other end>`, with a number where that is taken too. A side that had none gets
/// the other side's label with its entity.
fn is_label(label: &str, original: Option<&str>, (held, end): (&Held<'_>, &str)) -> bool {
    let made = || format!("{}_{}", held.links.label, held.links.entity);
    let original = original.map_or_else(made, str::to_owned);
    let Some(rest) = label.strip_prefix(&original) else { return false };
    let longer = rest.strip_prefix('_').and_then(|rest| rest.strip_prefix(end));
    let is_number = |rest: &str| {
        rest.strip_prefix('_')
            .is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    rest.is_empty() || longer.is_some_and(|rest| rest.is_empty() || is_number(rest))
}

fn declared<'g>(group: &Group<'g>) -> Option<(&'g crate::bundle::LinksMeta, &'g Declared)> {
    let meta = group.meta?;
    Some((meta, meta.declared.as_ref()?))
}

/// What a carried link demands holds in every row. `found` are its pairs, sorted, each once.
pub(super) fn holds(audit: &Audit<'_>, group: &Group<'_>, found: &[Pair]) -> Option<Rule> {
    let (_, declared) = declared(group)?;
    // What the rows of other entities hold, the app keeps as it is.
    let table = audit.tables.get(&group.entity)?;
    let (entity, label) = (group.entity.as_str(), group.label.as_str());
    let mut tally = Tally::new("link", entity, label)
        .says(format!("every row holds what {entity}.{label} demands{}", demands(declared)))
        .query(carried_sql::holds(audit, group));
    tally.check_all(found.len() as u64, 0, String::new);
    let name =
        |pair: Pair| format!("{}: {}", group.file, named(audit, &group.file, (&group.held, pair)));
    if declared.has_one {
        for two in found.windows(2).filter(|two| two[0].0 == two[1].0) {
            tally.violate(1, || format!("{} is a second one", name(two[1])));
        }
    }
    if declared.reverse_has_one {
        let mut back: Vec<Pair> = found.iter().map(|(from, to)| (*to, *from)).collect();
        back.sort_unstable();
        for two in back.windows(2).filter(|two| two[0].0 == two[1].0) {
            tally.violate(1, || format!("{} is a second one", name((two[1].1, two[1].0))));
        }
    }
    if declared.rules.required {
        for row in 0..table.rows() {
            let at = found.partition_point(|(from, _)| *from < table.ids[row]);
            let has = found.get(at).is_some_and(|(from, _)| *from == table.ids[row]);
            tally.check(has, || format!("{} has none", table.place(row)));
        }
    }
    Some(tally.finish())
}

fn demands(declared: &Declared) -> String {
    let words = [
        (declared.has_one, "one at most"),
        (declared.reverse_has_one, "had by one at most"),
        (declared.rules.required, "one at least"),
    ];
    let words: Vec<&str> = words.iter().filter(|(is, _)| *is).map(|(_, word)| *word).collect();
    if words.is_empty() { String::new() } else { format!(" ({})", words.join(", ")) }
}
