//! Sections 1, 5, 6 and 7, duplicates and the unmapped.

use super::{Changes, Effect, pairs};
use crate::contract::blanks::{keep_name, unfit_name};
use crate::contract::show::{verified, words};
use serde_json::{Map, Value};

use crate::contract::{
    Check, Duplicates, Implementation, Keep, Limit, Note, Release, Rollout, Unfit, Unmapped,
    UnmappedAttrs,
};

const SAYS: Effect = Effect::Harmless("says what is released; no row changes");
const ROLLS: Effect = Effect::Harmless("how it is rolled out; no row changes");

pub(super) fn release(changes: &mut Changes, before: &Release, after: &Release) {
    changes.at(1, "");
    let Release { from, to, scope } = before;
    changes.text("release.from", (from, &after.from), SAYS);
    changes.text("release.to", (to, &after.to), SAYS);
    changes.text("release.scope", (scope, &after.scope), SAYS);
}

pub(super) fn permissions(
    changes: &mut Changes,
    before: &[(String, Map<String, Value>)],
    after: &[(String, Map<String, Value>)],
) {
    let words = |rules: Option<&(String, Map<String, Value>)>| {
        rules.map_or_else(String::new, |(_, rules)| Value::Object(rules.clone()).to_string())
    };
    let effect = Effect::Harmless("who may see and change the rows; no row changes");
    for (old, new) in pairs(before, after, |(entity, _)| entity) {
        let Some((entity, _)) = old.or(new) else { continue };
        if old != new {
            changes.at(3, entity);
            changes.note("rules", &words(old), &words(new), effect);
        }
    }
}

pub(super) fn duplicates(changes: &mut Changes, before: &Duplicates, after: &Duplicates) {
    let Duplicates { keep } = before;
    let effect = |same: bool| {
        if same {
            Effect::Harmless("it was so without being said")
        } else {
            Effect::Breaks("other rows of a conflict are migrated")
        }
    };
    let words = |keep: Option<&(String, Keep)>| {
        keep.map_or_else(|| "first".to_owned(), |(_, keep)| keep_name(*keep).to_owned())
    };
    for (old, new) in pairs(keep, &after.keep, |(entity, _)| entity) {
        let Some((entity, _)) = old.or(new) else { continue };
        let same = before.keep(entity) == after.keep(entity);
        if old != new {
            changes.at(4, entity);
            changes.note("duplicates.keep", &words(old), &words(new), effect(same));
        }
    }
}

pub(super) fn unmapped(changes: &mut Changes, before: Unmapped, after: Unmapped) {
    changes.at(4, "");
    let Unmapped { attrs, carry_links } = before;
    let words = |attrs: &UnmappedAttrs| {
        match attrs {
            UnmappedAttrs::Report => "report",
            UnmappedAttrs::Fail => "fail",
            UnmappedAttrs::Carry => "carry",
        }
        .to_owned()
    };
    let why = match (attrs, after.attrs) {
        (UnmappedAttrs::Carry, _) | (_, UnmappedAttrs::Carry) => {
            "target attributes without a rule are filled, or no longer"
        }
        _ => "undeclared attributes stop a run, or no longer",
    };
    changes.compare("unmapped.attrs", (&attrs, &after.attrs), words, Effect::Breaks(why));
    let words = |carry: &bool| if *carry { "carry" } else { "report" }.to_owned();
    let why = Effect::Breaks("links of the app that no rule names follow the rows, or no longer");
    changes.compare("unmapped.links", (&carry_links, &after.carry_links), words, why);
}

pub(super) fn checks(changes: &mut Changes, before: &[Check], after: &[Check]) {
    changes.at(5, "");
    let words = |check: &Check| {
        let Check { rule: _, what: _ } = check;
        verified(check)
    };
    for (old, new) in pairs(before, after, |check| &check.rule) {
        let Some(Check { rule, .. }) = old.or(new) else { continue };
        let what = format!("verify.{rule}");
        let effect = Effect::Harmless("what is looked at; no row changes");
        match (old, new) {
            (Some(old), Some(new)) => changes.compare(&what, (old, new), words, effect),
            (Some(old), None) => changes.note(&what, &words(old), "", effect),
            (None, Some(new)) => changes.note(&what, "", &words(new), effect),
            (None, None) => {}
        }
    }
    if super::is_moved(before, after, |check| &check.rule) {
        changes.note("verify", "", "", Effect::Harmless("the order in which rules are told"));
    }
}

pub(super) fn notes(changes: &mut Changes, before: &[Note], after: &[Note]) {
    changes.at(5, "");
    let looks = |note: &Note| {
        let Note { note: _, one: _, what, max: _ } = note;
        let looks: Vec<String> = what.single().iter().map(words::noted).collect();
        looks.join(", ")
    };
    let max = |note: Option<&Note>| note.map_or(Limit::Any, |note| note.max);
    for (old, new) in pairs(before, after, |note| &note.note) {
        let Some(Note { note, .. }) = old.or(new) else { continue };
        let what = format!("note.{note}");
        let effect = Effect::Harmless("what is counted and shown; no row changes");
        match (old, new) {
            (Some(old), Some(new)) => {
                changes.text(&what, (&looks(old), &looks(new)), effect);
                changes.text(&format!("{what}.one"), (&old.one, &new.one), effect);
            }
            (Some(old), None) => changes.note(&what, &looks(old), "", effect),
            (None, Some(new)) => changes.note(&what, "", &looks(new), effect),
            (None, None) => {}
        }
        let limits = (max(old), max(new));
        let effect = limit_effect(limits.0, limits.1);
        changes.compare(&format!("{what}.max"), (&limits.0, &limits.1), limit, effect);
    }
    if super::is_moved(before, after, |note| &note.note) {
        changes.note("note", "", "", Effect::Harmless("the order in which notes are shown"));
    }
}

pub(super) fn rollout(changes: &mut Changes, before: &Rollout, after: &Rollout) {
    changes.at(6, "");
    let Rollout {
        dry_run_required,
        canary,
        max_quarantined,
        max_repaired,
        max_reordered,
        max_left_behind,
        rollback_trigger,
        rollback_action,
    } = before;
    let words = |required: &bool| if *required { "required" } else { "optional" }.to_owned();
    let dry_runs = (dry_run_required, &after.dry_run_required);
    changes.compare("rollout.dry_run", dry_runs, words, ROLLS);
    changes.text("rollout.canary", (canary, &after.canary), ROLLS);
    for (what, old, new) in [
        ("rollout.max_quarantined", max_quarantined, &after.max_quarantined),
        ("rollout.max_repaired", max_repaired, &after.max_repaired),
        ("rollout.max_reordered", max_reordered, &after.max_reordered),
        ("rollout.max_left_behind", max_left_behind, &after.max_left_behind),
    ] {
        changes.compare(what, (old, new), limit, limit_effect(*old, *new));
    }
    let triggers = (rollback_trigger, &after.rollback_trigger);
    changes.list("rollout.rollback_trigger", triggers, ROLLS);
    changes.text("rollout.rollback_action", (rollback_action, &after.rollback_action), ROLLS);
}

pub(super) fn unfit(changes: &mut Changes, before: Unfit, after: Unfit) {
    let words = |unfit: &Unfit| unfit_name(*unfit).to_owned();
    let why =
        Effect::Breaks("rows with text that not every store holds are quarantined, or no longer");
    changes.compare("target.unfit", (&before, &after), words, why);
}

fn limit(limit: &Limit) -> String {
    match limit {
        Limit::Any => "any".to_owned(),
        Limit::Rows(rows) => rows.to_string(),
        Limit::Percent(share) => format!("{share}%"),
    }
}

fn limit_effect(before: Limit, after: Limit) -> Effect {
    let is_wider = match (before, after) {
        (_, Limit::Any) | (Limit::Rows(0), _) => true,
        (Limit::Rows(before), Limit::Rows(after)) => before <= after,
        (Limit::Percent(before), Limit::Percent(after)) => before <= after,
        _ => false,
    };
    if is_wider {
        Effect::Harmless("a wider limit; whatever passed passes")
    } else {
        Effect::Breaks("a bundle that was within the limit may be over it")
    }
}

pub(super) fn implementation(
    changes: &mut Changes,
    before: &Implementation,
    after: &Implementation,
) {
    changes.at(7, "");
    let Implementation { language, reason } = before;
    let effect = Effect::Harmless("a reason; no row changes");
    changes.text("implementation.language", (language, &after.language), effect);
    changes.text("implementation.reason", (reason, &after.reason), effect);
}
