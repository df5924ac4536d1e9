//! The commands about contracts.

use crate::support::Place;

#[test]
fn the_built_in_contract_is_sound_and_names_its_blanks() {
    insta::assert_snapshot!(Place::new().run(&["contract", "check"]).ends(0).stdout, @"
    the contract `story-to-thread` is sound
    blank: release.from
    blank: release.to
    blank: before.entrypoints
    blank: after.entrypoints
    blank: rollout.canary
    ");
}

#[test]
fn a_setting_fills_a_blank() {
    let filled = ["contract", "check", "--set", "release.to=2.0", "--json"];
    let output = Place::new().run(&filled).ends(0).json();
    let blanks = output["blanks"].as_array().expect("a list");
    assert!(!blanks.is_empty() && !blanks.contains(&"release.to".into()), "{output}");
}

#[test]
fn a_release_file_starts_with_the_blanks_and_fills_them() {
    let place = Place::new();
    place.run(&["contract", "init", "--out", "release.toml"]).ends(0);
    place.run(&["contract", "init", "--out", "release.toml"]).ends(2);
    place.run(&["contract", "check", "--release", "release.toml"]).ends(0);
}

#[test]
fn misfits_are_told_with_their_lines() {
    let place = Place::new();
    let wrong =
        rethread::contract::BUILT_IN.replace("source = \"context_events\"", "source = \"events\"");
    let told =
        place.write("mine.toml", wrong).run(&["contract", "check", "mine.toml"]).ends(2).stderr;
    assert!(told.contains("mine.toml") && told.contains("events"), "{told}");
}
