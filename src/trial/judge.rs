//! Whether a verification caught a fault: a rule failed, or a note counted more, and said which row.

use std::collections::BTreeMap;

use super::fault::{Fault, Told};
use super::{Fate, Tried};
use crate::verify::{Rule, Verification};

/// What the rules of a verification found.
pub(super) fn findings(found: &Verification) -> Vec<String> {
    let told = |rule: &Rule| match rule.samples.first() {
        Some(first) => format!("{}: {first}", rule.rule),
        None => rule.rule.clone(),
    };
    let mut findings: Vec<String> = failed(found).map(told).collect();
    if findings.is_empty() && !found.passed() {
        findings.push("the verification has no rule".to_owned());
    }
    findings
}

fn failed(found: &Verification) -> impl Iterator<Item = &Rule> {
    found.rules.iter().filter(|rule| !rule.outcome.holds())
}

/// What the notes counted in the copy without a fault.
pub(super) type Noted = BTreeMap<(String, String), u64>;

/// What the notes of a verification count.
pub(super) fn noted(found: &Verification) -> Noted {
    let notes = found.rules.iter().filter(|rule| rule.kind == NOTE);
    notes.map(|rule| ((rule.entity.clone(), rule.rule.clone()), rule.violations)).collect()
}

const NOTE: &str = "note";

/// Judges what a verification found of a planted fault.
pub(super) fn tried(kind: &str, fault: &Fault, (found, before): (&Verification, &Noted)) -> Tried {
    let mut named: Vec<(&Rule, &str)> = Vec::new();
    let failed: Vec<&Rule> = match &fault.told {
        Told::Noted(..) => found.rules.iter().filter(|rule| is_more(rule, before)).collect(),
        _ => failed(found).collect(),
    };
    for rule in failed.iter().copied().filter(|rule| counts(&fault.told, rule)) {
        let first = rule.samples.iter().find(|sample| names(&fault.told, sample));
        // A note has room for the first rows alone.
        let first = first.or(rule.samples.last().filter(|_| is_full(&fault.told, rule)));
        named.extend(first.map(|sample| (rule, sample.as_str())));
    }
    let fate = match (named.is_empty(), failed.is_empty()) {
        (false, _) => Fate::Caught,
        (true, false) => Fate::Unnamed,
        (true, true) => Fate::Missed,
    };
    let rules = match fate {
        Fate::Caught => named.iter().map(|(rule, _)| label(rule)).collect(),
        _ => failed.into_iter().map(label).collect(),
    };
    Tried {
        kind: kind.to_owned(),
        fate,
        place: fault.place.clone(),
        rules,
        said: named.first().map_or_else(String::new, |(_, sample)| (*sample).to_owned()),
    }
}

/// Whether a note counts more than it did.
fn is_more(rule: &Rule, before: &Noted) -> bool {
    let key = (rule.entity.clone(), rule.rule.clone());
    rule.kind == NOTE && before.get(&key).is_some_and(|count| rule.violations > *count)
}

fn is_full(told: &Told, rule: &Rule) -> bool {
    matches!(told, Told::Noted(..)) && rule.violations > rule.samples.len() as u64
}

/// Whether a rule is one that may catch a fault: what the Parquet files say is not told by comparing
/// lines and digests, which would tell any change at all, nor by counting what stops nothing.
fn counts(told: &Told, rule: &Rule) -> bool {
    match told {
        Told::Row(_) => rule.kind != "digest" && rule.kind != NOTE,
        Told::By(kind, _) => rule.kind == *kind,
        Told::Line(_) => true,
        Told::Figure(entity, _) => rule.entity == *entity,
        Told::Noted(entity, attr, _) => rule.entity == *entity && rule.attr == *attr,
    }
}

fn names(told: &Told, sample: &str) -> bool {
    let (Told::Row(names)
    | Told::By(_, names)
    | Told::Line(names)
    | Told::Figure(_, names)
    | Told::Noted(.., names)) = told;
    names.iter().any(|name| stands_in(sample, name))
}

/// Whether a name stands in a sample, and not as a part of a longer one.
fn stands_in(sample: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let ends_apart =
        |rest: &str| !name.ends_with(is_part) || !rest.chars().next().is_some_and(is_part);
    sample.match_indices(name).any(|(at, _)| {
        let before = sample[..at].chars().next_back();
        !before.is_some_and(is_part) && ends_apart(&sample[at + name.len()..])
    })
}

/// A rule in few words: `value items.status`.
fn label(rule: &Rule) -> String {
    let about = match (rule.entity.as_str(), rule.attr.as_str()) {
        ("", attr) => attr.to_owned(),
        (entity, "") => entity.to_owned(),
        (entity, attr) => format!("{entity}.{attr}"),
    };
    format!("{} {about}", rule.kind).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_no_part_of_a_longer_one() {
        let id = "00000000-0000-4000-8000-000000000001";
        let cases = [
            (format!("items row 1 ({id})"), id, true),
            (format!("items row 1 ({id}0)"), id, false),
            ("items row 1 (x)".to_owned(), "items row 1 (", true),
            ("items row 12 (x)".to_owned(), "items row 1 (", false),
            ("more_items row 1 (x)".to_owned(), "items row 1 (", false),
        ];
        for (sample, name, expected) in cases {
            assert_eq!(stands_in(&sample, name), expected, "{sample}");
        }
    }
}
