//! What changed from one contract to another, and what of it breaks.
//!
//! The contracts are compared as they are carried out, not as texts. Every struct is taken apart by
//! its fields' names, so that a new field cannot be forgotten here.

mod models;
mod transforms;
mod rest;

use serde::{Deserialize, Serialize};

use super::Contract;
use super::show::or_blank;
use crate::error::printable;

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// The section it is in, from 1; 0 for what stands outside them.
    pub section: u8,
    /// The entity it is about: of a transform the target; or empty.
    pub entity: String,
    /// What changed, as `attrs.status.values.open`.
    pub what: String,
    /// How it was; empty when it was not there.
    pub before: String,
    /// How it is; empty when it is gone.
    pub after: String,
    /// Whether it changes what target rows look like, or which rows are migrated.
    pub breaking: bool,
    /// Why it is so.
    pub why: String,
}

/// What a change means, and why.
#[derive(Debug, Clone, Copy)]
enum Effect {
    Breaks(&'static str),
    Harmless(&'static str),
}

/// The changes found so far, and where the next ones are.
struct Changes {
    found: Vec<Change>,
    section: u8,
    entity: String,
}

impl Changes {
    fn at(&mut self, section: u8, entity: &str) {
        self.section = section;
        entity.clone_into(&mut self.entity);
    }

    /// Notes a change of what is said in words.
    fn note(&mut self, what: &str, before: &str, after: &str, effect: Effect) {
        let (breaking, why) = match effect {
            Effect::Breaks(why) => (true, why),
            Effect::Harmless(why) => (false, why),
        };
        self.found.push(Change {
            section: self.section,
            entity: self.entity.clone(),
            what: what.to_owned(),
            before: before.to_owned(),
            after: after.to_owned(),
            breaking,
            why: why.to_owned(),
        });
    }

    /// Notes two values that differ.
    fn compare<T: PartialEq>(
        &mut self,
        what: &str,
        (before, after): (&T, &T),
        words: impl Fn(&T) -> String,
        effect: Effect,
    ) {
        if before != after {
            self.note(what, &words(before), &words(after), effect);
        }
    }

    fn text(&mut self, what: &str, (before, after): (&String, &String), effect: Effect) {
        self.compare(what, (before, after), |text| or_blank(text).to_owned(), effect);
    }

    fn list(&mut self, what: &str, (before, after): (&Vec<String>, &Vec<String>), effect: Effect) {
        let words = |texts: &Vec<String>| or_blank(&texts.join(", ")).to_owned();
        self.compare(what, (before, after), words, effect);
    }

    fn flag(&mut self, what: &str, (before, after): (bool, bool), effect: Effect) {
        self.compare(what, (&before, &after), bool::to_string, effect);
    }
}

/// Things of both contracts that have the same name, in the order of the first, then what is new.
fn pairs<'a, T>(
    before: &'a [T],
    after: &'a [T],
    name: impl Fn(&T) -> &str,
) -> Vec<(Option<&'a T>, Option<&'a T>)> {
    let same = |all: &'a [T], one: &T| all.iter().find(|it| name(it) == name(one));
    let old = before.iter().map(|one| (Some(one), same(after, one)));
    let new = after.iter().filter(|one| same(before, one).is_none()).map(|one| (None, Some(one)));
    old.chain(new).collect()
}

/// Whether what stands in both has another order.
fn is_moved<T>(before: &[T], after: &[T], name: impl Fn(&T) -> &str) -> bool {
    let kept = |all: &[T], other: &[T]| -> Vec<String> {
        let there = |one: &&T| other.iter().any(|it| name(it) == name(one));
        all.iter().filter(there).map(|one| name(one).to_owned()).collect()
    };
    kept(before, after) != kept(after, before)
}

/// What changed from one contract to another, section by section.
pub fn diff(before: &Contract, after: &Contract) -> Vec<Change> {
    let mut changes = Changes { found: Vec::new(), section: 0, entity: String::new() };
    let Contract {
        name,
        format,
        release,
        before: legacy,
        after: target,
        rules,
        namespace,
        transforms,
        duplicates,
        unmapped,
        checks,
        notes,
        rollout,
        unfit,
        implementation,
        text,
    } = before;
    let it = &mut changes;
    it.text("contract.name", (name, &after.name), Effect::Harmless("a name; no row has it"));
    let why = Effect::Harmless("the form of the file; what it says is compared");
    it.compare("contract.format", (format, &after.format), u32::to_string, why);
    rest::release(it, release, &after.release);
    models::legacy(it, legacy, &after.before);
    models::target(it, target, &after.after);
    rest::permissions(it, rules, &after.rules);
    it.at(4, "");
    let why = Effect::Breaks("every derived id becomes another");
    it.text("ids.namespace", (namespace, &after.namespace), why);
    transforms::all(it, transforms, &after.transforms);
    rest::duplicates(it, duplicates, &after.duplicates);
    rest::unmapped(it, *unmapped, after.unmapped);
    rest::checks(it, checks, &after.checks);
    rest::notes(it, notes, &after.notes);
    rest::rollout(it, rollout, &after.rollout);
    rest::unfit(it, *unfit, after.unfit);
    rest::implementation(it, implementation, &after.implementation);
    it.at(0, "");
    if it.found.is_empty() && *text != after.text {
        let why = Effect::Harmless("comments or layout: what is carried out is the same");
        it.note("text", "", "", why);
    }
    changes.found
}

/// How wide the column of names gets.
const WIDEST: usize = 40;

/// Changes as a table for a terminal.
pub fn diff_text(changes: &[Change]) -> String {
    const TITLES: [&str; 8] = [
        "The file",
        "1) Release scope",
        "2) Before",
        "3) After",
        "4) Required transformations",
        "5) Verification rules",
        "6) Rollout and safety",
        "7) Implementation decision",
    ];
    if changes.is_empty() {
        return "nothing changed\n".to_owned();
    }
    let breaking = changes.iter().filter(|change| change.breaking).count();
    let (all, noun) = (changes.len(), if changes.len() == 1 { "change" } else { "changes" });
    let mut out = format!("{all} {noun}, {breaking} breaking\n");
    let widths = changes.iter().map(|change| line(&change.what).chars().count());
    let width = widths.max().unwrap_or(0).min(WIDEST);
    let mut last = None;
    for change in changes {
        let place = (change.section, &change.entity);
        if last != Some(place) {
            let title = TITLES.get(usize::from(change.section)).copied().unwrap_or_default();
            let entity =
                if place.1.is_empty() { String::new() } else { format!(": {}", line(place.1)) };
            out.push_str(&format!("\n{title}{entity}\n"));
            last = Some(place);
        }
        let mark = if change.breaking { "breaking" } else { "-" };
        out.push_str(&format!("  {mark:<8}  {:<width$}  {}\n", line(&change.what), said(change)));
        out.push_str(&format!("  {:<8}  {:<width$}  {}\n", "", "", change.why));
    }
    out
}

fn said(change: &Change) -> String {
    match (line(&change.before), line(&change.after)) {
        (before, after) if before.is_empty() && after.is_empty() => "changed".to_owned(),
        (before, after) if before.is_empty() => format!("new: {after}"),
        (before, after) if after.is_empty() => format!("gone: {before}"),
        (before, after) => format!("{before} -> {after}"),
    }
}

/// A text on one line, cut short.
fn line(text: &str) -> String {
    const MOST: usize = 200;
    let text = printable(text).replace('\n', "\\n");
    let mut out: String = text.chars().take(MOST).collect();
    if text.chars().nth(MOST).is_some() {
        out.push('…');
    }
    out
}
