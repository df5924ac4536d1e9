//! Section 4: the transforms.

use super::{Changes, Effect, is_moved, pairs};
use crate::contract::show::words::{explode, numbering};
use crate::contract::show::{attr_rule, constant, id, link_pick, link_rule, pick, template};
use crate::contract::{
    AttrRule, Constant, Explode, IdRule, Latest, LinkHow, LinkPick, LinkRule, Numbering, Otherwise,
    Required, Template, Transform, Values,
};

const REPAIRS: Effect = Effect::Harmless("may repair more rows: those that have no other source");
const VALUES: Effect = Effect::Breaks("values of target rows become others");
const LEADS: Effect = Effect::Breaks("target rows may link to other rows");

pub(super) fn all(changes: &mut Changes, before: &[Transform], after: &[Transform]) {
    for (old, new) in pairs(before, after, |transform| &transform.target) {
        let Some(Transform { target, .. }) = old.or(new) else { continue };
        changes.at(4, target);
        let effect = Effect::Breaks("its rows are made, or no longer");
        match (old, new) {
            (Some(old), Some(new)) => transform(changes, old, new),
            (Some(old), None) => changes.note("transform", &old.source, "", effect),
            (None, Some(new)) => changes.note("transform", "", &new.source, effect),
            (None, None) => {}
        }
    }
    changes.at(4, "");
    if is_moved(before, after, |transform| &transform.target) {
        changes.note("transform", "", "", Effect::Harmless("the order in which they are told"));
    }
}

fn transform(changes: &mut Changes, before: &Transform, after: &Transform) {
    let Transform {
        target,
        source,
        id: ids,
        adopt,
        order,
        idempotency,
        attrs,
        links,
        explode: cases,
        number,
        drop,
    } = before;
    let sources = Effect::Breaks("rows are made out of other rows");
    changes.text("source", (source, &after.source), sources);
    let IdRule { from: _, derive: _ } = ids;
    let words = |rule: &IdRule| id(rule, target);
    changes.compare("id", (ids, &after.id), words, Effect::Breaks("ids of rows become others"));
    let adopted = Effect::Breaks("other existing rows stand in for new ones");
    changes.list("adopt", (adopt, &after.adopt), adopted);
    let moved = Effect::Breaks("the rows come in another order");
    changes.list("order", (order, &after.order), moved);
    let found = Effect::Breaks("a repeated import finds its rows by another key");
    changes.text("idempotency", (idempotency, &after.idempotency), found);
    split(changes, cases.as_ref(), after.explode.as_ref());
    let words = |it: &Option<Numbering>| it.as_ref().map(numbering).unwrap_or_default();
    changes.compare("number", (number, &after.number), words, VALUES);
    let told = Effect::Harmless("which values without a home are counted; no row changes");
    changes.list("drop", (drop, &after.drop), told);
    for (old, new) in pairs(attrs, &after.attrs, |rule| &rule.attr) {
        let Some(AttrRule { attr: name, .. }) = old.or(new) else { continue };
        let what = format!("attrs.{name}");
        match (old, new) {
            (Some(old), Some(new)) => attr(changes, (old, new), &what),
            (Some(old), None) => changes.note(&what, &attr_rule(old), "", VALUES),
            (None, Some(new)) => changes.note(&what, "", &attr_rule(new), VALUES),
            (None, None) => {}
        }
    }
    for (old, new) in pairs(links, &after.links, |rule| &rule.label) {
        let Some(LinkRule { label, .. }) = old.or(new) else { continue };
        let what = format!("links.{label}");
        match (old, new) {
            (Some(old), Some(new)) => link(changes, (old, new), &what),
            (Some(old), None) => changes.note(&what, &link_rule(old), "", LEADS),
            (None, Some(new)) => changes.note(&what, "", &link_rule(new), LEADS),
            (None, None) => {}
        }
    }
    if is_moved(attrs, &after.attrs, |rule| &rule.attr)
        || is_moved(links, &after.links, |rule| &rule.label)
    {
        let effect = Effect::Harmless("the order of columns; rows say the same");
        changes.note("rules", "", "", effect);
    }
}

/// Notes the lines of cases that differ.
fn split(changes: &mut Changes, before: Option<&Explode>, after: Option<&Explode>) {
    if before == after {
        return;
    }
    let words = |it: Option<&Explode>| it.map(explode).unwrap_or_default();
    let (old, new) = (words(before), words(after));
    let only = |lines: &[(usize, String)], others: &[(usize, String)]| {
        let own = lines.iter().filter(|line| !others.contains(line));
        own.map(|(_, said)| said.as_str()).collect::<Vec<_>>().join("; ")
    };
    let effect = Effect::Breaks("rows become other rows");
    changes.note("explode", &only(&old, &new), &only(&new, &old), effect);
}

/// What it means when places are tried that were not, or in another order.
fn tried<T: PartialEq>(before: &[T], after: &[T], otherwise: Effect) -> Effect {
    // The first one is no repair, and a row that has it has it still.
    if !before.is_empty() && after.starts_with(before) { REPAIRS } else { otherwise }
}

fn attr(changes: &mut Changes, (before, after): (&AttrRule, &AttrRule), what: &str) {
    let AttrRule { attr: _, built, from, template: other, missing, values: map, refers } = before;
    let words = |from: &Vec<_>| from.iter().map(pick).collect::<Vec<_>>().join(", else ");
    let effect = tried(from, &after.from, VALUES);
    changes.compare(&format!("{what}.from"), (from, &after.from), words, effect);
    let words = |it: &Option<Template>| it.as_ref().map(template).unwrap_or_default();
    changes.compare(&format!("{what}.template"), (built, &after.built), words, VALUES);
    changes.compare(&format!("{what}.else"), (other, &after.template), words, VALUES);
    let words = |it: &Option<Constant>| it.as_ref().map(constant).unwrap_or_default();
    changes.compare(&format!("{what}.missing"), (missing, &after.missing), words, VALUES);
    let words = |it: &Option<String>| it.clone().unwrap_or_default();
    changes.compare(&format!("{what}.ref"), (refers, &after.refers), words, VALUES);
    match (map, &after.values) {
        (Some(old), Some(new)) => values(changes, (old, new), what),
        (None, None) => {}
        (old, new) => {
            let words = |it: &Option<Values>| it.as_ref().map(all_values).unwrap_or_default();
            changes.note(&format!("{what}.values"), &words(old), &words(new), VALUES);
        }
    }
}

fn all_values(values: &Values) -> String {
    let map = values.map.iter().map(|(from, to)| format!("{from} = {to}"));
    format!("{}; {}", map.collect::<Vec<_>>().join(", "), otherwise(&values.otherwise))
}

fn otherwise(otherwise: &Otherwise) -> String {
    match otherwise {
        Otherwise::Keep => "keep".to_owned(),
        Otherwise::Quarantine => "quarantine".to_owned(),
        Otherwise::Value(value) => constant(value),
    }
}

fn values(changes: &mut Changes, (before, after): (&Values, &Values), what: &str) {
    let Values { map, fold_case, otherwise: other } = before;
    for (old, new) in pairs(map, &after.map, |(from, _)| from) {
        let Some((from, _)) = old.or(new) else { continue };
        if old != new {
            let [old, new] = [old, new].map(|it| it.map_or("", |(_, to)| to));
            changes.note(&format!("{what}.values.{from}"), old, new, VALUES);
        }
    }
    if is_moved(map, &after.map, |(from, _)| from) {
        // With case folded, the first that fits counts.
        let effect = if *fold_case || after.fold_case {
            VALUES
        } else {
            Effect::Harmless("the order of a map; each value becomes what it became")
        };
        changes.note(&format!("{what}.values"), "", "", effect);
    }
    changes.flag(&format!("{what}.fold_case"), (*fold_case, after.fold_case), VALUES);
    changes.compare(&format!("{what}.otherwise"), (other, &after.otherwise), otherwise, VALUES);
}

fn link(changes: &mut Changes, (before, after): (&LinkRule, &LinkRule), what: &str) {
    let LinkRule { label: _, how, required } = before;
    match (how, &after.how) {
        (
            LinkHow::From { picks, latest },
            LinkHow::From { picks: new_picks, latest: new_latest },
        ) => {
            let words = |picks: &Vec<LinkPick>| {
                picks.iter().map(link_pick).collect::<Vec<_>>().join(", else ")
            };
            let effect = tried(picks, new_picks, LEADS);
            changes.compare(&format!("{what}.from"), (picks, new_picks), words, effect);
            let words = |it: &Option<Latest>| {
                it.as_ref().map_or_else(String::new, |latest| {
                    let Latest { entity, of, by } = latest;
                    format!("the latest of {entity} by {} whose {of} is this row", by.join(", "))
                })
            };
            changes.compare(&format!("{what}.else"), (latest, new_latest), words, LEADS);
        }
        (old, new) if old != new => {
            changes.note(what, &link_rule(before), &link_rule(after), LEADS);
        }
        _ => {}
    }
    let words = |required: &Required| {
        match required {
            Required::No => "false",
            Required::Yes => "true",
            Required::WhenSourceExists => "when source exists",
        }
        .to_owned()
    };
    let effect = Effect::Breaks("other rows are quarantined");
    changes.compare(&format!("{what}.required"), (required, &after.required), words, effect);
}
