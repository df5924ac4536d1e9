//! Faults planted in a copy of a bundle: every kind that the data has a place for is caught, with the row
//! named, and the bundle stays as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::data;
use crate::generator::{Kind, Links, Options, generate};
use crate::support::{Output, Place, files, fixture};

/// Runs a source the whole way, and gives the bundle's folder.
fn bundle(place: &Place, source: &str) -> String {
    bundle_by(place, source, &[])
}

fn bundle_by(place: &Place, source: &str, more: &[&str]) -> String {
    let args = ["run", source, "--set", "rollout.max_quarantined=any", "--json"];
    let ended = place.run(&[&args[..], more].concat()).ends(0).json();
    ended["bundle"].as_str().expect("a folder").to_owned()
}

fn tested(place: &Place, bundle: &str) -> Output {
    place.run(&["verify", bundle, "--self-test", "--json"])
}

/// The faults of a trial by what became of them.
fn fates(trial: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let mut fates: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for tried in trial["result"]["faults"].as_array().expect("faults") {
        let text = |name: &str| tried[name].as_str().expect("a text").to_owned();
        assert!(fates.entry(text("fate")).or_default().insert(text("kind")), "{tried}");
    }
    fates
}

/// Every file below a folder, with its bytes and what the system says of it.
fn held(root: &Path) -> BTreeMap<PathBuf, (Vec<u8>, std::time::SystemTime)> {
    let read = |path: PathBuf| {
        let changed = path.metadata().and_then(|meta| meta.modified()).expect("a time");
        let bytes = std::fs::read(&path).expect("a file");
        (path, (bytes, changed))
    };
    files(root.to_owned()).into_iter().map(read).collect()
}

/// Every kind that was planted was caught, and nothing else is left or changed.
fn all_caught(place: &Place, bundle: &str) -> BTreeMap<String, BTreeSet<String>> {
    let before = held(&place.path("."));
    let trial = tested(place, bundle).ends(0).json();
    assert_eq!(held(&place.path(".")), before, "the trial changed files or left some");
    let fates = fates(&trial);
    let (caught, not) = (&fates["caught"], fates.get("not_planted"));
    assert!(fates.keys().all(|fate| fate == "caught" || fate == "not_planted"), "{fates:#?}");
    let score = trial["score"].as_str().expect("a score");
    assert!(score.starts_with(&format!("{0} of {0} caught", caught.len())), "{score}");
    assert_eq!(score.contains("not planted"), not.is_some(), "{score}");
    assert_eq!(trial["ok"], true);
    fates
}

#[test]
fn every_fault_in_the_sample_is_caught() {
    let place = Place::new();
    let bundle = bundle(&place, &fixture("sample-backup.zip"));
    let fates = all_caught(&place, &bundle);
    assert!(fates["caught"].len() >= 80, "{fates:#?}");
}

#[test]
fn every_fault_in_dirty_data_is_caught() {
    let place = Place::new();
    let made = generate(&Options {
        kind: Kind::Archive,
        parts: 300,
        seed: 5,
        dirty: 0.3,
        links: Links::Forward,
        payload_percent: 400,
        shuffle: None,
        plain: false,
        sample: false,
        out: place.path("dirty.zip"),
        key: None,
    });
    made.expect("generated");
    let bundle = bundle(&place, "dirty.zip");
    let fates = all_caught(&place, &bundle);
    assert!(fates["caught"].len() >= 90, "{fates:#?}");
    for kind in [
        "a quarantined row is left out",
        "a quarantined row is migrated as well",
        "a cause that is no quarantined row",
        "a lost link that is not listed",
    ] {
        assert!(fates["caught"].contains(kind), "{kind}: {fates:#?}");
    }
}

#[test]
fn every_fault_in_an_ordinary_app_is_caught() {
    let place = Place::new();
    crate::ordinary::write(&place.path("studio.zip"));
    let bundle = bundle(&place, "studio.zip");
    let fates = all_caught(&place, &bundle);
    for kind in [
        "a value is left out that the contract notes",
        "a payload is a text, which the contract notes",
        "a text is not the one built of its row, which the contract notes",
        "a row shares values with another, which the contract notes",
        "a link leads elsewhere than another, which the contract notes",
        "a value is listed that no mapping lists",
        "something left behind is not named",
        "the count of something left behind",
        "a place of something left behind",
        "something left behind is made up",
        "a link file that is not listed",
    ] {
        assert!(fates["caught"].contains(kind), "{kind}: {fates:#?}");
    }
}

#[test]
fn every_fault_by_the_second_contract_is_caught() {
    let place = Place::new();
    let sample = fixture("sample-backup.zip");
    let bundle = bundle_by(&place, &sample, &["--contract", "story-to-events"]);
    let fates = all_caught(&place, &bundle);
    assert!(fates["caught"].len() >= 80, "{fates:#?}");
    let trial = tested(&place, &bundle).json();
    let faults = trial["result"]["faults"].as_array().expect("faults");
    let emptied = |fault: &&Value| fault["kind"] == "a built value is emptied of its content";
    let emptied = faults.iter().find(emptied).expect("the fault");
    assert_eq!(emptied["rules"], json!(["content story_parts.part"]), "{emptied}");
    for kind in [
        "a second result of a split row is left out",
        "two results of a split row have each other's id",
        "a number that the contract gives, + 1",
        "a built value is emptied of its content",
        "a text that is built of others",
        "a row dropped by rule is not listed",
        "a row dropped by another rule",
        "a row dropped by rule is migrated as well",
        "the count of results of split rows",
        "the count of values without a home",
    ] {
        assert!(fates["caught"].contains(kind), "{kind}: {fates:#?}");
    }
}

#[test]
fn what_a_small_bundle_has_no_place_for_is_said_and_not_counted() {
    let place = Place::new();
    place.write("app.json", data::sound().to_string());
    let bundle = bundle(&place, "app.json");
    let told = place.run(&["verify", &bundle, "--self-test", "--temp-dir", "work"]).ends(0);
    let lines: Vec<&str> = told.stdout.lines().collect();
    let not = lines.iter().filter(|line| line.contains("  not planted  ")).count();
    let caught = lines.iter().filter(|line| line.contains("  caught       ")).count();
    assert!(not > 10 && caught >= 40, "{}", told.stdout);
    let score = lines.last().expect("a score");
    assert!(
        score.starts_with(&format!("{caught} of {caught} caught, {not} not planted (")),
        "{score}"
    );
    assert!(score.contains("no such row is in quarantine"), "{score}");
    assert_eq!(lines.len(), caught + not + 1);
    let left = std::fs::read_dir(place.path("work")).expect("a folder").count();
    assert_eq!(left, 0, "the folder for working files is empty again");
}

#[test]
fn a_bundle_that_does_not_pass_is_not_tried() {
    let place = Place::new();
    place.write("app.json", data::with_an_orphan().to_string());
    place.run(&["run", "app.json"]).ends(1);
    let bundle = crate::whole::bundle(&place);
    let before = held(&place.path("."));
    let output = tested(&place, &bundle).ends(1);
    let trial = output.json();
    assert_eq!(trial["result"]["faults"], json!([]));
    assert_eq!(trial["ok"], false);
    let finding = trial["result"]["findings"][0].as_str().expect("a finding");
    assert!(finding.starts_with("quarantined rows are within the contract's limit"), "{finding}");
    assert!(output.stderr.contains("the bundle does not pass as it is"), "{}", output.stderr);
    assert_eq!(held(&place.path(".")), before);
}

#[test]
fn a_damaged_bundle_is_told_as_such() {
    let place = Place::new();
    place.write("app.json", data::sound().to_string());
    let bundle = bundle(&place, "app.json");
    place.write(&format!("{bundle}/data/ids.parquet"), "no table");
    let told = tested(&place, &bundle).ends(4).stderr;
    assert!(told.contains("data/ids.parquet: its content has changed"), "{told}");
}

#[test]
fn hostile_ids_and_texts_come_out_inert() {
    let place = Place::new();
    let mut data = data::sound();
    let evil = "x\u{1b}[31m\u{202e}<script>";
    data["context_events"][0]["id"] = evil.into();
    data["context_events"][0]["status"] = "=cmd()\u{1b}[2J".into();
    data["story_executions"][0]["trigger"] = evil.into();
    place.write("app.json", data.to_string());
    let bundle = bundle(&place, "app.json");
    let told = place.run(&["verify", &bundle, "--self-test"]).ends(0);
    for text in [&told.stdout, &told.stderr] {
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
        assert!(!text.contains("=cmd()"), "payload values are not repeated");
    }
    assert!(told.stdout.contains("\\u{1b}[31m"), "{}", told.stdout);
}
