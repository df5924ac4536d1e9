//! One planted fault a case: each must be caught by the rule that is about it. A clean bundle gives
//! no finding.

mod rows;
mod faults;
mod left;
mod notes;
mod split;

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
    let wrong = |rule: &&Rule| !rule.outcome.holds();
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
    insta::assert_snapshot!(kinds, @"account bijection count digest id limit link note order presence repair same sequence type unique value");
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
fn the_outcome_is_the_same_on_any_number_of_threads() {
    let place = rows::place();
    let copy = place.copy("clean");
    let clean = copy.verify_on(Some(1));
    assert!(clean.passed());
    let faulty = place.copy("faulty");
    set(&faulty, ITEMS, (101, "context"), Cell::Null);
    set(&faulty, PARTS, (402, "idx"), Cell::Number(2.0));
    set(&faulty, STEPS, (301, "status"), Cell::from("odd"));
    let found = faulty.verify_on(Some(1));
    assert!(!found.passed());
    for threads in [2, 4] {
        assert_eq!(copy.verify_on(Some(threads)), clean, "{threads} threads");
        assert_eq!(faulty.verify_on(Some(threads)), found, "{threads} threads");
    }
}

/// The rules on the values of every target table: by whole rows where that tells, and one by one.
fn values_both_ways(copy: &Copied<'_>, place: &Place) -> Vec<(String, bool, Vec<Rule>)> {
    let (bundle, snapshot) = copy.sealed();
    let audit = super::facts::Audit::read(&bundle, &snapshot, &place.contract, 2).unwrap();
    let mut found = Vec::new();
    for transform in &place.contract.transforms {
        let table = audit.table(&transform.target).unwrap();
        let looked = super::steps::look(&audit, table).unwrap();
        let (mut whole, mut single) = (Vec::new(), Vec::new());
        super::value::rules(&audit, transform, looked.values.as_ref(), &mut whole).unwrap();
        super::value::rules(&audit, transform, None, &mut single).unwrap();
        assert_eq!(whole, single);
        found.push((transform.target.clone(), looked.values.is_some(), single));
    }
    found
}

#[test]
fn whole_rows_say_what_their_values_say() {
    let place = rows::place();
    for (target, by_rows, rules) in values_both_ways(&place.copy("clean"), &place) {
        assert!(by_rows, "{target}");
        assert!(rules.iter().any(|rule| rule.evaluated > 0), "{target}");
    }
    let faults: [(&str, (&str, u64, &str), Cell); 5] = [
        ("thread_items", (ITEMS, 102, "content"), Cell::from("[]")),
        ("thread_items", (ITEMS, 104, "channel"), Cell::Null),
        ("thread_parts", (PARTS, 403, "key"), Cell::from("x")),
        ("thread_parts", (PARTS, 403, "type"), Cell::Null),
        ("thread_executions", (EXECUTIONS, 202, "workflowRunId"), Cell::Null),
    ];
    for (number, (wrong, (file, row, attr), value)) in faults.into_iter().enumerate() {
        let copy = place.copy(&format!("fault {number}"));
        set(&copy, file, (row, attr), value);
        for (target, by_rows, rules) in values_both_ways(&copy, &place) {
            assert_eq!(by_rows, target != wrong, "{attr}: {target}");
            assert_eq!(rules.iter().all(|rule| rule.outcome.holds()), by_rows, "{attr}: {target}");
        }
    }
    let copy = place.copy("a repair not listed");
    copy.edit("data/repairs/thread_items.parquet", |table| {
        let row = table.find("attr", "channel");
        table.rows.remove(row);
    });
    let found = values_both_ways(&copy, &place);
    assert!(found.iter().all(|(target, by_rows, _)| *by_rows == (target != "thread_items")));
}

#[test]
fn batches_come_in_the_order_of_the_file_on_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("texts.parquet");
    let count = 30_000;
    super::fixture::texts("id", (0..count).map(|row| format!("text {row}"))).write(&path);
    for threads in [1, 2, 4] {
        let (mut batches, mut rows) = (0, Vec::new());
        let mut beside = 0;
        let shared = super::share::Shared {
            beside: |count: usize| {
                beside += count;
                Ok(beside - count)
            },
            work: |batch: &super::read::Batch, beside: usize| {
                let texts = batch.rows().enumerate().map(|(at, row)| {
                    assert_eq!(row.number, beside + at);
                    row.text(0).unwrap().to_owned()
                });
                Ok(texts.collect::<Vec<String>>())
            },
            take: |texts: Vec<String>| {
                batches += 1;
                rows.extend(texts);
                Ok(())
            },
        };
        super::share::share(&path, &["id"], threads, shared).unwrap();
        assert!(batches > 2);
        assert_eq!(rows, (0..count).map(|row| format!("text {row}")).collect::<Vec<_>>());
        let failing = super::share::Shared {
            beside: |_| Ok(()),
            work: |batch: &super::read::Batch, ()| {
                let first = batch.rows().next().unwrap().number;
                if first == 0 { Ok(()) } else { Err(crate::error::Error::usage(first.to_string())) }
            },
            take: |()| Ok(()),
        };
        let error = super::share::share(&path, &["id"], threads, failing).unwrap_err();
        assert_eq!(error.message, "8192");
    }
}

#[test]
fn a_memory_limit_too_small_for_the_rows_is_said_first() {
    let place = rows::place();
    let copy = place.copy("copy");
    let (bundle, snapshot) = copy.sealed();
    let resources = crate::resources::Resources {
        memory: Some(1 << 20),
        ..crate::resources::Resources::default()
    };
    let error =
        super::verify(&bundle, &snapshot, &place.contract, &resources, &Silent).unwrap_err();
    assert_eq!(
        error.message,
        "the memory limit of 1 MiB is too small to verify: 97 MiB are needed"
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
    insta::assert_snapshot!(error.message, @"3 of 388 verification rules did not pass");
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
