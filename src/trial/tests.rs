//! The trial is able to fail: what is not caught, or not by its name, is told as such.

use std::collections::BTreeSet;
use std::path::Path;

use super::fault::{Changes, Fault, Told};
use super::ground::Ground;
use super::{Fate, Trial, Tried, Trying, kinds, letters};
use crate::bundle::{self, Bundle};
use crate::contract::{self, Contract, Overrides};
use crate::progress::Silent;
use crate::resources::Resources;
use crate::snapshot::{self, Snapshot};
use crate::source;

/// The sample's bundle in a folder of its own.
struct Sample {
    folder: tempfile::TempDir,
    contract: Contract,
    snapshot: Snapshot,
    bundle: Bundle,
}

impl Sample {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let contract =
            contract::load(contract::BUILT_IN, "built-in", &Overrides::default()).unwrap();
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sample-backup.zip");
        let mut source = source::open(&file).unwrap();
        let (resources, place) = (Resources::default(), folder.path().join("snapshot"));
        let snapshot =
            snapshot::take(source.as_mut(), &contract, &place, &resources, &Silent).unwrap();
        let out = folder.path().join("out");
        let bundle = bundle::write(&contract, &snapshot, &out, &resources, &Silent).unwrap();
        Self { folder, contract, snapshot, bundle }
    }

    fn tried(&self, fault: &Fault) -> Tried {
        let trying = Trying {
            bundle: &self.bundle,
            snapshot: &self.snapshot,
            contract: &self.contract,
            resources: &Resources::default(),
            work: self.folder.path().join("copy"),
            before: super::judge::Noted::new(),
        };
        let tried = trying.tried("a fault", fault).unwrap();
        assert!(!trying.work.exists(), "the copy is gone");
        tried
    }

    fn ground(&self) -> Ground<'_> {
        Ground::new(&self.bundle, &self.snapshot, &self.contract, 0)
    }
}

/// A fault that takes the first kind's place and leaves every row as it is.
fn nothing(ground: &Ground<'_>) -> Fault {
    let target = ground.targets().unwrap().remove(0);
    let row = target.table.row(3).unwrap();
    let told = Told::Row(target.names(row.at(3)));
    let place = target.place(row.at(3));
    Fault { told, ..target.fault(place, vec![(3, vec![row])]) }
}

#[test]
fn a_fault_that_changes_nothing_is_not_caught() {
    let sample = Sample::new();
    let tried = sample.tried(&nothing(&sample.ground()));
    assert_eq!((tried.fate, tried.rules.len()), (Fate::Missed, 0), "{tried:?}");
    let failing = Trial {
        bundle_digest: String::new(),
        findings: Vec::new(),
        faults: vec![Tried { fate: Fate::Caught, ..tried.clone() }, tried],
    };
    assert!(!failing.passed());
    assert_eq!((failing.planted(), failing.count(Fate::Missed)), (2, 1));
}

#[test]
fn a_fault_is_not_caught_by_the_name_of_another_row() {
    let sample = Sample::new();
    let ground = sample.ground();
    let dropped = super::rows::dropped(&ground).unwrap().unwrap();
    assert_eq!(sample.tried(&dropped).fate, Fate::Caught);
    let Told::Row(names) = nothing(&ground).told else { panic!("a row") };
    let tried = sample.tried(&Fault { told: Told::Row(names), ..dropped });
    assert_eq!(tried.fate, Fate::Unnamed, "{tried:?}");
    assert!(tried.rules.iter().any(|rule| rule.starts_with("account ")), "{tried:?}");
}

#[test]
fn a_line_that_differs_does_not_stand_for_a_rule_on_rows() {
    let sample = Sample::new();
    let line = super::lines::changed(&sample.ground()).unwrap().unwrap();
    assert_eq!(sample.tried(&line).fate, Fate::Caught);
    let Told::Line(names) = line.told.clone() else { panic!("a line") };
    let tried = sample.tried(&Fault { told: Told::Row(names), ..line });
    assert_eq!(tried.fate, Fate::Unnamed, "{tried:?}");
}

#[test]
fn a_figure_is_caught_by_a_rule_about_its_own_entity() {
    let sample = Sample::new();
    let edited = super::described::equation(&sample.ground()).unwrap().unwrap();
    assert_eq!(sample.tried(&edited).fate, Fate::Caught);
    let Told::Figure(_, said) = edited.told.clone() else { panic!("a figure") };
    let other = Fault { told: Told::Figure("another".to_owned(), said), ..edited };
    assert_eq!(sample.tried(&other).fate, Fate::Unnamed);
}

#[test]
fn every_kind_has_a_name_of_its_own_and_there_are_many() {
    let kinds = kinds::all();
    let names: BTreeSet<&str> = kinds.iter().map(|kind| kind.name).collect();
    assert_eq!(names.len(), kinds.len());
    assert!(kinds.len() >= 100, "{}", kinds.len());
    assert!(kinds.iter().all(|kind| !kind.lack.is_empty()));
}

#[test]
fn a_trial_of_nothing_is_no_pass() {
    let mut trial =
        Trial { bundle_digest: String::new(), findings: Vec::new(), faults: Vec::new() };
    assert!(!trial.passed());
    trial.findings.push("a finding".to_owned());
    assert!(!trial.passed());
}

#[test]
fn a_copy_without_changes_is_the_bundle() {
    let sample = Sample::new();
    let root = sample.folder.path().join("copy");
    let copy = super::copy::make(&sample.bundle, &root, &Changes::default()).unwrap();
    assert_eq!(copy.digest(), sample.bundle.digest());
}

#[test]
fn texts_are_changed_by_a_hair() {
    type Change = fn(&str) -> Option<String>;
    let cases: [(Change, &str, Option<&str>); 18] = [
        (letters::trailing_blank, "", Some(" ")),
        (letters::other_case, "1aB", Some("1AB")),
        (letters::other_case, "שלום", None),
        (letters::other_form, "x\u{e9}y\u{e9}", Some("xe\u{301}y\u{e9}")),
        (letters::other_form, "xe\u{301}y", Some("x\u{e9}y")),
        (letters::other_form, "xey", None),
        (letters::look_alike, "open", Some("\u{43e}pen")),
        (letters::look_alike, "123", None),
        (letters::unseen, "né", Some("n\u{200b}é")),
        (letters::unseen, "", None),
        (letters::cut, "aé", Some("a")),
        (letters::cut, "é", None),
        (letters::inner_blank, r#"{"a":1}"#, Some(r#"{ "a":1}"#)),
        (letters::inner_blank, "1", None),
        (letters::reordered, r#"{"a":1,"b":{"c":2}}"#, Some(r#"{"b":{"c":2},"a":1}"#)),
        (letters::reordered, r#"{"a":1}"#, None),
        (letters::repeated, r#"{"a":1}"#, Some(r#"{"a":1,"a":1}"#)),
        (letters::repeated, "[1]", None),
    ];
    for (change, text, expected) in cases {
        assert_eq!(change(text).as_deref(), expected, "{text}");
    }
}
