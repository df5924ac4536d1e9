//! The proofs, made again: every rule of the verification, and the reverse transform.

use std::collections::BTreeMap;

use super::{Job, Points, Sealed, first};
use crate::bundle::Bundle;
use crate::error::{Result, grouped};
use crate::revert::{self, Places};
use crate::storage;
use crate::verify::{self, Outcome, Rule, Verification};

/// Verifies the bundle again.
pub(super) fn verification(
    job: Job<'_>,
    all: &Sealed<'_>,
    points: &mut Points,
) -> Result<Option<Verification>> {
    const POINT: &str = "verification";
    let Some(snapshot) = all.snapshot else {
        points.not_there(POINT, "the rules compare with the snapshot, which is not at hand");
        return Ok(None);
    };
    let found = verify::verify(all.bundle, snapshot, all.contract, job.resources, job.progress)?;
    let wrong = found.rules.iter().filter(|rule| !rule.outcome.holds()).map(place);
    let good = format!("{} rules looked at again, all hold", grouped(found.rules.len() as u64));
    points.found(POINT, good, &first(wrong.collect()));
    Ok(Some(found))
}

fn place(rule: &Rule) -> String {
    let (count, rows) = (grouped(rule.violations), grouped(rule.evaluated));
    let sample = rule.samples.first().map(|sample| format!(" ({sample})"));
    match rule.outcome {
        Outcome::NotEvaluated => format!("{}: not evaluated", rule.rule),
        _ => format!("{}: {count} of {rows}{}", rule.rule, sample.unwrap_or_default()),
    }
}

/// The verification that is kept beside the seal, against what was found now.
pub(super) fn kept(
    bundle: &Bundle,
    found: Option<&Verification>,
    points: &mut Points,
) -> Result<()> {
    const POINT: &str = "kept verification";
    let path = bundle.path("report/verification.json");
    if !path.exists() {
        points
            .not_there(POINT, "report/verification.json is not there: nobody kept what was found");
        return Ok(());
    }
    let text = storage::read_text(&path)?;
    let kept: Verification = match serde_json::from_str(&text) {
        Ok(kept) => kept,
        Err(error) => {
            let at = vec![format!("{}: {error}", path.display())];
            points.failed(POINT, "report/verification.json cannot be read", &at);
            return Ok(());
        }
    };
    let mut wrong = Vec::new();
    if kept.bundle_digest != bundle.digest() {
        wrong.push(format!("it is of the bundle {}", kept.bundle_digest));
    }
    let rules = grouped(kept.rules.len() as u64);
    let said = match found {
        Some(found) => {
            wrong.extend(differences(&kept, found));
            let new = found.rules.iter().filter(|rule| !is_among(&kept, rule)).count();
            let more = match new {
                0 => String::new(),
                new => format!("; {} rules are new since then", grouped(new as u64)),
            };
            format!("says of {rules} rules what was found again{more}")
        }
        None if kept.passed() => {
            format!("says that {rules} rules held; it cannot be looked at again")
        }
        None => {
            wrong.push("it says that the bundle did not pass".to_owned());
            String::new()
        }
    };
    points.found(POINT, said, &first(wrong));
    Ok(())
}

type Key<'a> = (&'a str, &'a str, &'a str, &'a str);

fn key(rule: &Rule) -> Key<'_> {
    (&rule.kind, &rule.rule, &rule.entity, &rule.attr)
}

fn is_among(kept: &Verification, rule: &Rule) -> bool {
    kept.rules.iter().any(|known| key(known) == key(rule))
}

/// Rules that both know and that came out otherwise; and the verdict, whatever the rules are called.
fn differences(kept: &Verification, found: &Verification) -> Vec<String> {
    let mut now: BTreeMap<Key<'_>, &Rule> = BTreeMap::new();
    now.extend(found.rules.iter().map(|rule| (key(rule), rule)));
    let mut wrong = Vec::new();
    if kept.passed() != found.passed() {
        let said = |passed| if passed { "passed" } else { "did not pass" };
        let (then, now) = (said(kept.passed()), said(found.passed()));
        wrong.push(format!("it says that the bundle {then}; now it {now}"));
    }
    let result = |rule: &Rule| (rule.outcome, rule.evaluated, rule.violations);
    let other = kept
        .rules
        .iter()
        .filter(|rule| now.get(&key(rule)).is_some_and(|now| result(now) != result(rule)));
    wrong.extend(other.map(|rule| format!("{}: came out otherwise now", rule.rule)));
    wrong
}

/// Rebuilds the legacy tables.
pub(super) fn reverse(job: Job<'_>, all: &Sealed<'_>, points: &mut Points) -> Result<()> {
    const POINT: &str = "reverse proof";
    if revert::has_residue(all.bundle).is_err() {
        let format = all.bundle.meta().format;
        points.not_there(
            POINT,
            format!(
                "bundles of format {format} do not keep what rules leave behind: the legacy tables \
                 stand in the snapshot alone"
            ),
        );
        return Ok(());
    }
    let places = Places { work: job.work, to: None };
    let both = (all.bundle, all.contract);
    let found = revert::revert(both, all.snapshot, places, job.resources, job.progress);
    let Some(found) = points.take(POINT, found)? else { return Ok(()) };
    let tables = found.tables.iter().filter(|table| !table.same).map(|table| {
        let first = table.first.join("; ");
        format!("`{}` is not given back: digest {}; {first}", table.entity, table.rebuilt)
    });
    let links = found.links.iter().filter(|links| !links.same);
    let links = links.map(|links| format!("`{}.{}` is another file", links.entity, links.label));
    let rows = grouped(found.tables.iter().map(|table| table.rows).sum());
    let by = if found.compared { "value by value" } else { "by the digests the bundle carries" };
    let good = format!("all {rows} legacy rows are rebuilt from the bundle and equal, {by}");
    points.found(POINT, good, &first(tables.chain(links).collect()));
    Ok(())
}
