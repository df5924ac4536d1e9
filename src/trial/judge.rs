//! Whether a verification caught a fault: a rule failed, and said which row.

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

/// Judges what a verification found of a planted fault.
pub(super) fn tried(kind: &str, fault: &Fault, found: &Verification) -> Tried {
    let mut named: Vec<(&Rule, &str)> = Vec::new();
    for rule in failed(found).filter(|rule| counts(&fault.told, rule)) {
        let first = rule.samples.iter().find(|sample| names(&fault.told, sample));
        named.extend(first.map(|sample| (rule, sample.as_str())));
    }
    let failed: Vec<&Rule> = failed(found).collect();
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

/// Whether a rule is one that may catch a fault: what the Parquet files say is not told by comparing
/// lines and digests, which would tell any change at all.
fn counts(told: &Told, rule: &Rule) -> bool {
    match told {
        Told::Row(_) => rule.kind != "digest",
        Told::Line(_) => true,
        Told::Figure(entity, _) => rule.entity == *entity,
    }
}

fn names(told: &Told, sample: &str) -> bool {
    let (Told::Row(names) | Told::Line(names) | Told::Figure(_, names)) = told;
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
