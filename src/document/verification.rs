//! Section 5: counts, links and business rules, with their results.

use super::words::{NO_BUNDLE, code, counted, heading, plain, table, text};
use super::{Block, BundleFacts, Equation, Measured, Rule, RuleOutcome, Split};
use crate::contract::{CheckWhat, Contract, Required, check_words, limit_words, noted_words};
use crate::error::grouped;

const NOT_VERIFIED: &str = "⚠ not verified";
/// The same, with the way to it.
const HOW: &str = "⚠ not verified: `rethread verify BUNDLE` looks at every row, and then \
                   `rethread contract render --bundle BUNDLE` says here what it found";

/// The kinds of the rules that are written in a contract.
const WRITTEN: [&str; 4] = ["bijection", "sequence", "same", "note"];

/// The section.
pub(super) fn blocks(contract: &Contract, measured: &Measured) -> Vec<Block> {
    let found = measured.verification.as_deref();
    let mut blocks = vec![text(verdict(found)), heading("Counts")];
    match &measured.bundle {
        None => blocks.push(text(NO_BUNDLE)),
        Some(bundle) => {
            let columns = ["Rows of", "Rows", "Where they went", "Account"];
            blocks.push(table(columns, bundle.rows.iter().map(equation)));
            let columns = ["Values of the link", "Values", "Where they went", "Account"];
            if !bundle.links.is_empty() {
                blocks.push(table(columns, bundle.links.iter().map(equation)));
            }
            let by_rule = by_rule(bundle);
            if !by_rule.is_empty() {
                blocks.push(Block::List(by_rule));
            }
        }
    }
    blocks.push(heading("Links"));
    blocks.push(table(["Link", "Rule", "Rows", "Result"], links(contract, found)));
    blocks.push(heading("Business rules"));
    blocks.push(table(["Rule", "Rows", "Result"], business(contract, found)));
    if !contract.notes.is_empty() {
        blocks.push(heading("Counted and shown"));
        blocks.push(table(["Note", "Allowed", "Rows", "Result"], notes(contract, found)));
    }
    blocks.push(heading("Derived rules"));
    blocks.push(text(
        "Derived from the contract without being written: one account per legacy table, both ends of \
         every link, presence of required attributes, uniqueness of unique ones, types, ids, values, \
         order, digests, limits.",
    ));
    if let Some(found) = found {
        blocks.push(table(["Kind", "Rules", "Rows", "Result"], kinds(found)));
    }
    blocks
}

fn verdict(found: Option<&[Rule]>) -> String {
    let Some(found) = found else { return HOW.to_owned() };
    let wrong = found.iter().filter(|rule| !holds(rule)).count() as u64;
    let all = counted(found.len() as u64, "rule", "rules");
    match wrong {
        _ if found.is_empty() => HOW.to_owned(),
        0 => format!("Verified: all {all} hold."),
        wrong => format!("⚠ {} of {all} are not met.", grouped(wrong)),
    }
}

fn holds(rule: &Rule) -> bool {
    !matches!(rule.outcome, RuleOutcome::Failed | RuleOutcome::NotEvaluated)
}

fn equation(equation: &Equation) -> [String; 4] {
    let parts: Vec<String> =
        equation.parts.iter().map(|(name, count)| format!("{} {name}", grouped(*count))).collect();
    let holds = if equation.holds() { "holds" } else { "⚠ does not hold" };
    [code(&equation.of), grouped(equation.total), parts.join(", "), holds.to_owned()]
}

/// Rows that became another number of rows, and values that a rule drops.
fn by_rule(bundle: &BundleFacts) -> Vec<String> {
    let split = bundle.split.iter().map(|it| {
        let Split { source, target, rows, made } = it;
        let [rows, made] = [rows, made].map(|count| counted(*count, "row", "rows"));
        format!("{rows} of {} became {made} of {}", code(source), code(target))
    });
    let dropped = bundle.dropped_values.iter().map(|(entity, attr, rows)| {
        let rows = counted(*rows, "row", "rows");
        let name = code(&format!("{entity}.{attr}"));
        format!("{name} has no home in the target: {rows} had a value, which the snapshot keeps")
    });
    split.chain(dropped).collect()
}

/// What verification found about some rules together.
fn result(rules: &[&Rule]) -> [String; 2] {
    let rows = rules.iter().map(|rule| rule.evaluated).max().unwrap_or_default();
    let of = |outcome| rules.iter().filter(|rule| rule.outcome == outcome).count();
    let violations: u64 = rules.iter().map(|rule| rule.violations).sum();
    let said = if rules.is_empty() {
        "⚠ no such rule was looked at".to_owned()
    } else if of(RuleOutcome::Failed) > 0 {
        format!("⚠ failed: {}", counted(violations, "violation", "violations"))
    } else if of(RuleOutcome::NotEvaluated) > 0 {
        "⚠ not evaluated".to_owned()
    } else if of(RuleOutcome::Noted) > 0 {
        format!("noted: {}", grouped(violations))
    } else if of(RuleOutcome::Passed) > 0 {
        "passed".to_owned()
    } else {
        "nothing to look at".to_owned()
    };
    [grouped(rows), said]
}

fn links<'a>(
    contract: &'a Contract,
    found: Option<&'a [Rule]>,
) -> impl Iterator<Item = [String; 4]> + 'a {
    let rules = contract
        .transforms
        .iter()
        .flat_map(|transform| transform.links.iter().map(move |rule| (&transform.target, rule)));
    rules.map(move |(target, rule)| {
        let to = contract.after.schema.link(target, &rule.label).map_or("", |link| &link.to);
        let demands = match rule.required {
            Required::No => "a row that has it leads to a row of",
            Required::Yes => "every migrated row leads to a row of",
            Required::WhenSourceExists => {
                "every migrated row whose source names one leads to a row of"
            }
        };
        let [rows, said] = found.map_or_else(
            || [String::new(), NOT_VERIFIED.to_owned()],
            |found| {
                let ours =
                    |it: &&Rule| it.kind == "link" && it.entity == *target && it.attr == rule.label;
                result(&found.iter().filter(ours).collect::<Vec<_>>())
            },
        );
        let name = code(&format!("{target}.{}", rule.label));
        [name, format!("{demands} {}", code(to)), rows, said]
    })
}

/// The written rules. Verification names each by its name in the contract, then says what it looked at.
fn business<'a>(
    contract: &'a Contract,
    found: Option<&'a [Rule]>,
) -> impl Iterator<Item = [String; 3]> + 'a {
    contract.checks.iter().map(move |check| {
        let kind = match &check.what {
            CheckWhat::Bijection { .. } => "bijection",
            CheckWhat::Sequence { .. } => "sequence",
            CheckWhat::Same { .. } => "same",
        };
        let begins = format!("{}: ", check.rule);
        let ours =
            |it: &&Rule| it.kind == kind && (it.rule == check.rule || it.rule.starts_with(&begins));
        let [rows, said] = found.map_or_else(
            || [String::new(), NOT_VERIFIED.to_owned()],
            |found| result(&found.iter().filter(ours).collect::<Vec<_>>()),
        );
        [plain(&check_words(check)), rows, said]
    })
}

/// The notes, a column a line. Verification names each by its words, then says what it looked at.
fn notes<'a>(
    contract: &'a Contract,
    found: Option<&'a [Rule]>,
) -> impl Iterator<Item = [String; 4]> + 'a {
    let notes = contract.notes.iter();
    let looks = notes.flat_map(|note| note.what.single().into_iter().map(move |what| (note, what)));
    looks.map(move |(note, what)| {
        let rule = format!("{}: {}", note.note, noted_words(&what));
        let [rows, said] = found.map_or_else(
            || [String::new(), NOT_VERIFIED.to_owned()],
            |found| {
                let ours = |it: &&Rule| it.kind == "note" && it.rule == rule;
                result(&found.iter().filter(ours).collect::<Vec<_>>())
            },
        );
        [plain(&rule), limit_words(note.max), rows, said]
    })
}

fn kinds(found: &[Rule]) -> Vec<[String; 4]> {
    let mut kinds: Vec<&str> = Vec::new();
    for rule in found.iter().filter(|rule| !WRITTEN.contains(&rule.kind.as_str())) {
        if !kinds.contains(&rule.kind.as_str()) {
            kinds.push(&rule.kind);
        }
    }
    let row = |kind: &str| {
        let ours: Vec<&Rule> = found.iter().filter(|rule| rule.kind == kind).collect();
        let rows: u64 = ours.iter().map(|rule| rule.evaluated).sum();
        let [_, said] = result(&ours);
        [plain(kind), grouped(ours.len() as u64), grouped(rows), said]
    };
    kinds.into_iter().map(row).collect()
}
