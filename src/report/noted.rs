//! What people must know of and what stops nothing: what verification notes, and what is left behind.

use super::sections::{clip, counted};
use super::{Noted, Report, UNTOLD, lost};
use crate::bundle::{LeftBehind, LeftKind, Meta, Reason};
use crate::error::grouped;
use crate::verify::{Outcome, Rule, Verification};

/// How many names a line shows.
const NAMES: usize = 3;

/// What a verification notes; rules that count the same are taken together.
pub(super) fn notes(found: &Verification) -> Vec<Noted> {
    let rules = || found.rules.iter().filter(|rule| rule.outcome == Outcome::Noted);
    let key = |rule: &Rule| rule.noun.clone().unwrap_or_else(|| [rule.rule.clone(), String::new()]);
    let mut keys: Vec<[String; 2]> = Vec::new();
    for rule in rules() {
        if !keys.contains(&key(rule)) {
            keys.push(key(rule));
        }
    }
    let noted = |[one, several]: [String; 2]| {
        let same = || rules().filter(|rule| key(rule) == [one.clone(), several.clone()]);
        let count = same().map(|rule| rule.violations).sum();
        let samples = same().flat_map(|rule| rule.samples.clone()).take(NAMES).collect();
        let what = if count == 1 || several.is_empty() { one.clone() } else { several.clone() };
        Noted { what, is_noun: !several.is_empty(), count, samples }
    };
    keys.into_iter().map(noted).collect()
}

/// What a bundle leaves behind; one of an earlier format names attributes and entities alone.
pub(super) fn left_behind(meta: &Meta) -> Vec<LeftBehind> {
    if meta.is_judged_by_source() {
        return meta.left_behind.clone();
    }
    let left = |kind, entity: &str, name: &str, count| LeftBehind {
        kind,
        entity: entity.to_owned(),
        name: name.to_owned(),
        count,
        samples: Vec::new(),
    };
    let attrs = meta.unmapped.attrs.iter();
    let attrs = attrs.filter(|(entity, ..)| meta.equations.iter().any(|it| it.source == *entity));
    let attrs = attrs.map(|(entity, name, rows)| left(LeftKind::Attribute, entity, name, *rows));
    let entities = meta.unmapped.entities.iter();
    attrs.chain(entities.map(|(entity, rows)| left(LeftKind::Entity, entity, "", *rows))).collect()
}

/// What people must know of and what stops nothing, a line each, by what it is.
pub(super) fn known(report: &Report) -> [(&'static str, Vec<String>); 4] {
    [
        ("Remark", report.remarks.clone()),
        ("Noted", note_lines(report)),
        ("Left behind", left_lines(report)),
        ("Links", lost_lines(report)),
    ]
}

/// How many values of links lead to no row, and why; how many to a row that was set aside.
fn lost_lines(report: &Report) -> Vec<String> {
    let (aside, lost): (Vec<_>, Vec<_>) =
        lost(report).into_iter().partition(|(why, _)| *why == Reason::QUARANTINED);
    let count = |lost: &[(&str, u64)], row: &str| {
        let all: u64 = lost.iter().map(|(_, rows)| rows).sum();
        let values = counted(all, "value leads", "values lead");
        (all > 0).then(|| format!("{values} to {row}"))
    };
    let why = match &lost[..] {
        [(UNTOLD, _)] => String::new(),
        reasons => {
            let why = reasons.iter().map(|(why, rows)| format!("{} ({})", why, grouped(*rows)));
            format!(": {}", why.collect::<Vec<_>>().join(", "))
        }
    };
    let lost = count(&lost, "no row").map(|said| said + &why);
    lost.into_iter().chain(count(&aside, "a row that was set aside")).collect()
}

/// What is noted, a line each, as `2 items in no conversation (id, id)`.
fn note_lines(report: &Report) -> Vec<String> {
    let line = |noted: &Noted| {
        let samples = noted.samples.iter().filter(|sample| !sample.is_empty());
        let samples: Vec<String> = samples.map(|sample| clip(sample, 100)).take(NAMES).collect();
        let (count, what) = (grouped(noted.count), clip(&noted.what, 160));
        let said =
            if noted.is_noun { format!("{count} {what}") } else { format!("{what}: {count}") };
        said + &in_brackets(&samples, noted.count)
    };
    report.notes.iter().map(line).collect()
}

/// What is left behind, a line a kind.
fn left_lines(report: &Report) -> Vec<String> {
    let kinds = [LeftKind::Attribute, LeftKind::Link, LeftKind::SchemaRule, LeftKind::Entity];
    let line = |kind: LeftKind| {
        let all: Vec<&LeftBehind> =
            report.left_behind.iter().filter(|left| left.kind == kind).collect();
        let count = all.len() as u64;
        let values = all.iter().map(|left| left.count).sum();
        let said = match kind {
            LeftKind::Attribute => {
                counted(count, "attribute of legacy rows", "attributes of legacy rows")
            }
            LeftKind::Link => format!(
                "{} of {}",
                counted(values, "link value", "link values"),
                counted(count, "link", "links")
            ),
            LeftKind::SchemaRule => {
                counted(values, "rule of the app's schema", "rules of the app's schema")
            }
            LeftKind::Entity => {
                counted(count, "other entity stays in the app", "other entities stay in the app")
            }
        };
        let names: Vec<String> = all.iter().take(NAMES).map(|left| named(left)).collect();
        (count > 0).then(|| said + &in_brackets(&names, count))
    };
    kinds.into_iter().filter_map(line).collect()
}

/// Something that is left behind, by its name, with its count where that is not of whole entities.
fn named(left: &LeftBehind) -> String {
    let name = name_of(left);
    match left.kind {
        LeftKind::Attribute => format!("{name} in {}", counted(left.count, "row", "rows")),
        LeftKind::Link => format!("{name}: {}", grouped(left.count)),
        LeftKind::SchemaRule => {
            let said: Vec<String> = left.samples.iter().map(|said| clip(said, 80)).collect();
            format!("{name} {}", said.join(", ")).trim_end().to_owned()
        }
        LeftKind::Entity => name,
    }
}

/// `entity.name`, or the entity alone.
pub(super) fn name_of(left: &LeftBehind) -> String {
    let name = match left.kind {
        LeftKind::Entity => left.entity.clone(),
        _ => format!("{}.{}", left.entity, left.name),
    };
    clip(&name, 80)
}

fn in_brackets(names: &[String], count: u64) -> String {
    if names.is_empty() {
        return String::new();
    }
    let more = if count > names.len() as u64 { ", …" } else { "" };
    format!(" ({}{more})", names.join(", "))
}
