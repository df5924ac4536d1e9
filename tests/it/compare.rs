//! Two bundles of one snapshot, before and after an edit of the contract.

use serde_json::{Value, json};

use crate::data;
use crate::support::{Place, fixture};

const CONTRACT: &str = include_str!("../../src/contract/story-to-thread.toml");

/// The bundle that a snapshot gives under the built-in contract with each `(from, to)` replaced.
fn bundle(place: &Place, snapshot: &str, edits: &[(&str, &str)]) -> String {
    let mut text = CONTRACT.to_owned();
    for (from, to) in edits {
        assert_eq!(text.matches(from).count(), 1, "{from}");
        text = text.replace(from, to);
    }
    place.write("contract.toml", text);
    let rules = ["--contract", "contract.toml", "--set", "rollout.max_quarantined=any"];
    let made = place.run(&[&["transform", snapshot][..], &rules].concat()).ends(0);
    made.stdout.trim().to_owned()
}

fn compared(place: &Place, before: &str, after: &str) -> Value {
    place.run(&["compare", before, after, "--json"]).ends(0).json()["result"].clone()
}

fn sample() -> (Place, &'static str) {
    let place = Place::new();
    place.run(&["export", &fixture("sample-backup.zip")]).ends(0);
    (place, "snapshots/sample-backup")
}

const ITEM_TYPE: &str = r#""user.message" = "input_text","#;

#[test]
fn a_bundle_beside_itself_has_no_change() {
    let (place, snapshot) = sample();
    let one = bundle(&place, snapshot, &[]);
    let said = place.run(&["compare", &one, &one]).ends(0).stdout;
    assert!(said.contains("nothing changed"), "{said}");
    // Words that change no row change nothing but the digest of the contract.
    let other = bundle(&place, snapshot, &[("scope = \"story", "scope = \"the story")]);
    assert_ne!(one, other);
    let found = compared(&place, &one, &other);
    assert_eq!(found["fates"], json!([]));
    assert_eq!(found["repairs"], json!([]));
    let tables = found["tables"].as_array().expect("tables");
    assert_eq!(tables.len(), 6);
    assert!(tables.iter().all(|table| table["changed"]["rows"] == 0 && table["new"]["rows"] == 0));
}

#[test]
fn another_value_is_told_with_attribute_count_and_ids() {
    let (place, snapshot) = sample();
    let one = bundle(&place, snapshot, &[]);
    let other = bundle(&place, snapshot, &[(ITEM_TYPE, r#""user.message" = "input","#)]);
    let found = compared(&place, &one, &other);
    let table = |name: &str| {
        let tables = found["tables"].as_array().expect("tables").iter();
        tables.into_iter().find(|table| table["entity"] == name).cloned().expect("a table")
    };
    let items = table("thread_items");
    assert_eq!(items["values"].as_array().map(Vec::len), Some(1), "{items}");
    assert_eq!(items["values"][0][0], "type");
    let text =
        std::fs::read_to_string(place.path(&format!("{other}/data/jsonl/thread_items.jsonl")));
    let mut wanted: Vec<String> = text
        .expect("lines")
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["entity"].clone())
        .filter(|row| row["type"] == "input")
        .map(|row| row["id"].as_str().expect("an id").to_owned())
        .collect();
    wanted.sort();
    assert!(wanted.len() > 5);
    assert_eq!(items["changed"]["rows"], wanted.len());
    assert_eq!(items["values"][0][1]["rows"], wanted.len());
    wanted.truncate(5);
    assert_eq!(items["values"][0][1]["samples"], json!(wanted));
    assert_eq!(table("thread_parts")["changed"]["rows"], 0);
}

#[test]
fn rows_that_are_refused_now_are_told_with_their_rule() {
    let place = Place::new();
    let mut app = data::sound();
    app["story_executions"][0]["status"] = json!("paused");
    place.write("app.json", app.to_string());
    place.run(&["export", "app.json"]).ends(0);
    let one = bundle(&place, "snapshots/app", &[]);
    let kept = r#"running = "executing", completed = "completed", failed = "failed" }, fold_case"#;
    let strict = kept.replace("fold_case", "otherwise = \"quarantine\", fold_case");
    let edit = (kept, strict.as_str());
    // The same words stand in the rule of the executions' status and nowhere else.
    let other = bundle(&place, "snapshots/app", &[edit]);
    let said = place.run(&["compare", &one, &other]).ends(0).stdout;
    let execution = "00000000-0000-4000-8000-000300000001";
    let wanted = format!(
        "story_executions: migrated -> quarantined: thread_executions.status listed: 1 row \
         ({execution} (row 0))"
    );
    assert!(said.contains(&wanted), "{said}");
    assert!(said.contains("story_parts: migrated -> quarantined: thread_parts.step migrated"));
    assert!(said.contains(&format!("thread_executions: gone: 1 row ({execution})")), "{said}");
    assert!(said.contains("thread_executions.status, value kept: 1 -> 0"), "{said}");
    // The other way round the same rows come back.
    let back = compared(&place, &other, &one);
    assert_eq!(back["fates"][0]["after"], "migrated");
}

#[test]
fn bundles_of_different_snapshots_are_no_pair() {
    let (place, snapshot) = sample();
    let one = bundle(&place, snapshot, &[]);
    place.write("app.json", data::sound().to_string());
    place.run(&["export", "app.json"]).ends(0);
    let other = bundle(&place, "snapshots/app", &[]);
    let output = place.run(&["compare", &one, &other]).ends(2);
    assert!(output.error().starts_with("error: the bundles were made from different snapshots"));
}
