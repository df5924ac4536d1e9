//! One planted fault a case: each must be caught by the rule that is about it. A clean bundle gives
//! no finding.

mod rows;
mod faults;

use super::fixture::{Cell, Copied, Place};
use super::{Outcome, Rule, Verification};
use crate::bundle::Bundle;
use crate::contract::Limit;
use crate::progress::Silent;

const ITEMS: &str = "data/parquet/thread_items.parquet";
const THREADS: &str = "data/parquet/thread_threads.parquet";
const CONTEXTS: &str = "data/parquet/thread_contexts.parquet";
const EXECUTIONS: &str = "data/parquet/thread_executions.parquet";
const STEPS: &str = "data/parquet/thread_steps.parquet";
const PARTS: &str = "data/parquet/thread_parts.parquet";

/// The rules that did not pass.
fn failed(found: &Verification) -> Vec<String> {
    let told = |rule: &Rule| {
        let Rule { kind, entity, attr, rule, evaluated, violations, samples, .. } = rule;
        format!("{kind} {entity}.{attr} | {rule} | {violations}/{evaluated} {samples:?}")
    };
    let wrong = |rule: &&Rule| !matches!(rule.outcome, Outcome::Passed | Outcome::NothingThere);
    found.rules.iter().filter(wrong).map(told).collect()
}

/// A fault, and the rules that must tell it: `<kind> <entity>.<attr>`, parted by `; `.
type Fault<'a> = (&'a str, &'a dyn Fn(&Copied<'_>), &'a str);

fn check(faults: &[Fault<'_>]) {
    let place = rows::place();
    for fault in faults {
        check_in(&place, fault);
    }
}

fn check_in(place: &Place, (name, fault, expected): &Fault<'_>) {
    let copy = place.copy(name);
    fault(&copy);
    let found = copy.verify();
    let told = failed(&found);
    for wanted in expected.split("; ") {
        let caught = told.iter().any(|told| told.starts_with(&format!("{wanted} |")));
        assert!(caught, "{name}: no `{wanted}` among {told:#?}");
    }
    assert!(!found.passed(), "{name}");
}

/// A value of the row of a target table that this number names, and the rules that must tell it.
type Value<'a> = (&'a str, (&'a str, u64, &'a str), Cell, &'a str);

fn check_values(values: &[Value<'_>]) {
    let place = rows::place();
    for (name, (file, row, attr), value, expected) in values {
        let fault = |copy: &Copied<'_>| set(copy, file, (*row, attr), value.clone());
        check_in(&place, &(name, &fault, expected));
    }
}

fn set(copy: &Copied<'_>, file: &str, (row, attr): (u64, &str), value: Cell) {
    copy.edit(file, |table| {
        let row = table.find("id", &super::fixture::id(row));
        assert_ne!(*table.cell(row, attr), value, "the fault changes nothing");
        *table.cell(row, attr) = value;
    });
}

#[test]
fn a_clean_bundle_passes_every_rule() {
    let place = rows::place();
    let found = place.copy("copy").verify();
    assert_eq!(failed(&found), Vec::<String>::new());
    assert!(found.passed());
    let kinds: std::collections::BTreeSet<&str> = found
        .rules
        .iter()
        .filter(|rule| rule.outcome == Outcome::Passed)
        .map(|rule| rule.kind.as_str())
        .collect();
    let kinds = kinds.into_iter().collect::<Vec<_>>().join(" ");
    insta::assert_snapshot!(kinds, @"account bijection count digest id limit link order presence repair same sequence type unique value");
}

#[test]
fn an_empty_bundle_has_nothing_to_look_at() {
    let found = rows::empty().copy("copy").verify();
    assert_eq!(failed(&found), Vec::<String>::new());
    let looked = |rule: &&Rule| rule.outcome == Outcome::Passed;
    let looked: Vec<&Rule> = found.rules.iter().filter(looked).collect();
    assert!(
        looked.iter().all(|rule| ["count", "digest"].contains(&rule.kind.as_str())),
        "{looked:#?}"
    );
}

#[test]
fn limits_of_the_contract_are_checked() {
    let mut place = rows::place();
    place.contract.rollout.max_quarantined = Limit::Rows(0);
    let told = failed(&place.copy("copy").verify());
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].starts_with("limit . | quarantined rows"), "{told:#?}");
}

#[test]
fn a_refusal_names_the_rules_and_the_first_places() {
    let place = rows::place();
    let copy = place.copy("copy");
    set(&copy, ITEMS, (101, "status"), Cell::Null);
    let found = copy.verify();
    let bundle = Bundle::open(&copy.root, &Silent).unwrap();
    let error = super::permit(bundle, place.contract.clone(), found).unwrap_err();
    insta::assert_snapshot!(error.message, @"3 of 326 verification rules did not pass");
    insta::assert_snapshot!(error.at[1], @"every thread_items.status is what its rule gives of the source row: 1 of 8; thread_items row 0 (00000000-0000-4000-8000-000000000065)");
}

#[test]
fn a_verification_of_another_bundle_is_no_permit() {
    let place = rows::place();
    let found = place.copy("copy").verify();
    let copy = place.copy("other");
    set(&copy, ITEMS, (101, "status"), Cell::Null);
    copy.verify();
    let other = Bundle::open(&copy.root, &Silent).unwrap();
    let error = super::permit(other, place.contract.clone(), found).unwrap_err();
    insta::assert_snapshot!(error.message, @"the verification is of another bundle");
}
