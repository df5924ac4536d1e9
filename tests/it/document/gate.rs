//! A contract with blanks goes into no target of others.

use super::bundle;
use crate::data;
use crate::support::{Place, files, fixture, released};

const BLANKS: [&str; 5] =
    ["release.from", "release.to", "before.entrypoints", "after.entrypoints", "rollout.canary"];

/// Refused with every blank named, until a release file fills them.
fn gated(place: &Place, source: &str, to: &str) {
    let blank = bundle(place, source, &[]);
    let import = ["import", &blank, "--to", to];
    let act = [&import[..], &["--execute"]].concat();
    let told = place.run(&import).ends(0).stderr;
    assert!(told.lines().any(|line| line.starts_with("warning ")), "{told}");
    assert!(BLANKS.iter().all(|blank| told.contains(blank)), "{told}");
    let before = files(place.path(&blank)).len();
    let told = place.run(&act).ends(5).error();
    assert!(told.starts_with("error: the contract has blanks that nobody filled\n"), "{told}");
    let named = told.lines().filter(|line| line.starts_with("  --> `"));
    let named: Vec<_> = named.filter_map(|line| line.split('`').nth(1)).collect();
    assert_eq!(named, BLANKS);
    assert!(told.contains("contract init") && told.contains("--set release.from=…"), "{told}");
    assert!(!place.path(to).exists());
    assert_eq!(files(place.path(&blank)).len(), before, "a refusal leaves nothing");
    let [release, file] = released();
    let filled = bundle(place, source, &[&release, &file]);
    assert_ne!(filled, blank, "another contract makes another bundle");
    let import = ["import", &filled, "--to", to];
    let told = place.run(&import).ends(0).stderr;
    assert!(!told.contains("warning "), "{told}");
    place.run(&[&import[..], &["--execute"]].concat()).ends(0);
    assert!(place.path(to).exists());
}

#[test]
fn a_database_wants_every_blank_filled() {
    let place = Place::new();
    place.write("app.json", data::sound().to_string());
    gated(&place, "app.json", "app.db");
}

#[test]
fn an_archive_wants_every_blank_filled() {
    let place = Place::new();
    let sample = std::fs::read(fixture("sample-backup.zip")).expect("the sample");
    place.write("sample-backup.zip", sample);
    gated(&place, "sample-backup.zip", "new.zip");
}

#[test]
fn one_blank_is_enough_and_the_embedded_database_only_warns() {
    let place = Place::new();
    place.write("app.json", data::sound().to_string());
    let [release, file] = released();
    let more = ["--set", "rollout.canary=", "--set", "rollout.dry_run=optional"];
    let told = place.run(&[&["run", "app.json", &release, &file], &more[..]].concat()).ends(0);
    let warning = told.stderr.lines().find(|line| line.starts_with("warning "));
    assert!(warning.is_some_and(|line| line.contains("(rollout.canary)")), "{}", told.stderr);
    let root = bundle(&place, "app.json", &[&[&*release, &file], &more[..]].concat());
    assert!(place.path(&root).join("thread.sqlite").exists());
    let told = place.run(&["import", &root, "--to", "app.db", "--execute"]).ends(5).error();
    assert_eq!(told.matches("\n  --> ").count(), 1, "{told}");
    assert!(told.contains("\n  --> `rollout.canary`: the first organisation\n"), "{told}");
    place.run(&["import", &root, "--execute"]).ends(0);
    let own = format!("{root}/thread.sqlite");
    place.run(&["import", &root, "--to", &own, "--execute"]).ends(0);
}
