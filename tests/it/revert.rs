//! The legacy tables out of a bundle alone: nothing is lost, and whoever changed a bundle and sealed it
//! again is told.
#![allow(clippy::unwrap_used, reason = "a test that cannot read its own rows has failed")]

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::data;
use crate::generator::{Kind, Links, Options, generate};
use crate::resealed;
use crate::support::{Place, copy, files, fixture};

/// The contract by which one row becomes several ones or none.
const EVENTS: [&str; 2] = ["--contract", "story-to-events"];

/// Runs the whole way and gives the bundle's folder.
fn run(place: &Place, source: &str, more: &[&str]) -> PathBuf {
    let args = ["run", source, "--set", "rollout.max_quarantined=any", "--json"];
    let output = place.run(&[&args[..], more].concat());
    assert!(matches!(output.code, 0 | 1), "{}", output.stderr);
    place.path(output.json()["bundle"].as_str().expect("a folder"))
}

fn revert(place: &Place, bundle: &Path, more: &[&str]) -> crate::support::Output {
    let args = ["revert", bundle.to_str().unwrap(), "--json"];
    place.run(&[&args[..], more].concat())
}

/// Rebuilds the tables with the snapshot at hand and without it, and compares the rebuilt files with the
/// snapshot's, row by row.
fn check(place: &Place, source: &str, more: &[&str]) -> PathBuf {
    let bundle = run(place, source, more);
    let name = bundle.file_name().unwrap().to_str().unwrap();
    let to = format!("rebuilt-{name}");
    let found = revert(place, &bundle, &["--to", &to]).ends(0).json();
    assert_eq!(found["result"]["compared"], json!(true));
    let tables = found["result"]["tables"].as_array().unwrap();
    assert_eq!(tables.len(), 5);
    let meta = std::fs::read_to_string(bundle.join("data/bundle.json")).unwrap();
    let meta: Value = serde_json::from_str(&meta).unwrap();
    let snapshot = place.snapshot_of(&meta);
    let rebuilt = files(place.path(&to));
    for file in &rebuilt {
        let theirs = snapshot.join(file.strip_prefix(place.path(&to)).unwrap());
        assert!(resealed::rows(file) == resealed::rows(&theirs), "{}", file.display());
    }
    let links = snapshot.join("data/links");
    assert_eq!(rebuilt.len(), 5 + if links.exists() { files(links).len() } else { 0 });
    let alone = revert(place, &bundle, &["--snapshots", "nowhere"]).ends(0).json();
    assert_eq!(alone["result"]["compared"], json!(false));
    assert_eq!(alone["result"]["tables"], found["result"]["tables"]);
    bundle
}

#[test]
fn the_sample_comes_back_byte_for_byte() {
    let place = Place::new();
    let sample = std::fs::read(fixture("sample-backup.zip")).unwrap();
    place.write("sample.zip", sample);
    let bundle = check(&place, "sample.zip", &[]);
    let rebuilt = place.path(&format!("rebuilt-{}", bundle.file_name().unwrap().to_str().unwrap()));
    for file in files(rebuilt.clone()) {
        let theirs = place.path("snapshots/sample").join(file.strip_prefix(&rebuilt).unwrap());
        assert_eq!(std::fs::read(&file).unwrap(), std::fs::read(theirs).unwrap());
    }
    let told = place.run(&["revert", bundle.to_str().unwrap(), "-q"]).ends(0).stdout;
    insta::assert_snapshot!(told, @"
      context_contexts                    12 rows  1e1474b5284602f4cb65df0c4692b671  same
      context_events                     260 rows  dd2b970c0400702decc4ce55f040f65d  same
      story_executions                   130 rows  ddde7b9f4069faa54b0f9a3919de4eb9  same
      story_steps                        260 rows  009904c5da19ae15e22f0526d4cc0753  same
      story_parts                        707 rows  5297ffdf60fd004b7467f1764ebcd021  same
      context_events.author             130 pairs  f6a62a506541f99bec06f1c24dfc200e  same
      emails.events                      18 pairs  d6f0b5f53044b2cf8efeb9e7649e9db2  same
      whatsapp_messages.event            12 pairs  e0423c707e15af0b096faaaff8bec1f6  same
    nothing was lost: all 1,369 legacy rows are rebuilt, and every value is the snapshot's
    ");
}

#[test]
fn generated_sets_come_back_whatever_holds_them() {
    let place = Place::new();
    let cases = [
        ("clean.zip", Kind::Archive, Links::Forward, 0.0, false),
        ("dirty.zip", Kind::Archive, Links::Forward, 0.05, false),
        ("parents.zip", Kind::Archive, Links::Reverse, 0.05, false),
        ("scalar.json", Kind::Dataset, Links::Scalar, 0.05, false),
        ("lists.json", Kind::Dataset, Links::Reverse, 0.0, false),
        ("parquet", Kind::Parquet, Links::Forward, 0.05, true),
    ];
    for (name, kind, links, dirty, plain) in cases {
        let options = Options {
            kind,
            parts: 1_000,
            seed: 23,
            dirty,
            links,
            payload_percent: 100,
            shuffle: Some(3),
            plain,
            sample: false,
            out: place.path(name),
            key: None,
        };
        generate(&options).expect("generated");
        check(&place, name, &[]);
        if name == "dirty.zip" {
            check(&place, name, &[&EVENTS[..], &["--name", "events"]].concat());
        }
    }
}

/// A dataset in which every rule that loses something loses it.
fn awkward() -> Value {
    let mut app = data::sound();
    let odd = app.to_string().replace("00000000-0000-4000-8000-000200000001", "evt_1");
    app = serde_json::from_str(&odd).unwrap();
    let id = |kind: u32, at: u32| format!("00000000-0000-4000-8000-{kind:04}{at:08}");
    app["context_contexts"][0]["note"] = json!({ "deep": [1, "<script>", null] });
    app["context_contexts"][0]["status"] = json!("STREAMING");
    app["context_events"][1]["createdAt"] = json!("Sun Mar 01 2026 10:00:02 GMT+0000");
    app["context_events"][1]["content"] = json!("=cmd()\u{202e}\u{0}");
    app["story_executions"][0]["status"] = json!("paused");
    app["story_executions"][0]["runId"] = json!("wrun_other");
    app["story_steps"][0]["tools"] = json!([{ "b": 1.50, "a": 2 }]);
    app["story_steps"][0]["iteration"] = json!(-0.0);
    app["story_steps"][0]["errorText"] = json!("");
    app["story_steps"][0]["error"] = json!("  ");
    // One part by its other name, one by both, one twice, one of another type, one that leads nowhere.
    let parts = app["story_parts"].as_array_mut().unwrap();
    let both = json!({ "content": { "z": 1 }, "part": { "y": [] } });
    parts[0]["content"] = parts[0]["part"].take();
    parts[0].as_object_mut().unwrap().remove("part");
    parts[1]["content"] = both["content"].clone();
    parts.push(parts[1].clone());
    parts.push(json!({ "id": id(5, 3), "idx": "third", "step": id(4, 1), "part": both["part"] }));
    parts.push(json!({ "id": id(5, 4), "idx": 3, "step": id(4, 9), "part": "text" }));
    parts.push(json!({ "id": 5, "idx": 4, "stepId": id(4, 1), "part": null, "_extra": 1 }));
    app["context_contexts"].as_array_mut().unwrap().push(json!({
        "id": id(1, 2), "createdAt": 1_772_359_200_000_i64, "key": "ctx-2", "status": "open",
    }));
    app["thread_threads"] = json!([{
        "id": id(9, 1), "createdAt": "2026-01-01T00:00:00Z", "key": "ctx-2", "status": "open",
    }]);
    app
}

#[test]
fn whatever_a_rule_leaves_behind_comes_back() {
    let place = Place::new();
    place.write("app.json", awkward().to_string());
    let bundle = check(&place, "app.json", &[]);
    let meta = std::fs::read_to_string(bundle.join("data/bundle.json")).unwrap();
    let meta: Value = serde_json::from_str(&meta).unwrap();
    let count = |name: &str| -> u64 {
        let equations = meta["equations"].as_array().unwrap();
        equations.iter().map(|equation| equation[name].as_u64().unwrap()).sum()
    };
    assert!(count("merged") > 0 && count("quarantined") > 0, "{}", meta["equations"]);
    assert!(meta["equations"].to_string().contains("\"adopted\":[[\"thread_threads\",1]]"));
    assert!(!meta["mapped_ids"].as_array().unwrap().is_empty());
}

#[test]
fn rows_that_were_split_or_dropped_come_back() {
    let place = Place::new();
    place.write("sample.zip", std::fs::read(fixture("sample-backup.zip")).unwrap());
    let bundle = check(&place, "sample.zip", &EVENTS);
    let meta = std::fs::read_to_string(bundle.join("data/bundle.json")).unwrap();
    let meta: Value = serde_json::from_str(&meta).unwrap();
    let parts = meta["equations"].as_array().unwrap().iter();
    let parts = parts.filter(|equation| equation["source"] == "story_parts");
    assert!(parts.clone().any(|equation| equation["dropped"].as_u64() > Some(0)));
    assert!(parts.clone().any(|equation| equation["split"].as_array().is_some()));
    let mut app = awkward();
    let step = app["story_steps"][0]["id"].clone();
    app["story_parts"].as_array_mut().unwrap().extend([
        json!({ "id": "00000000-0000-4000-8000-000500000008", "step": step, "idx": 7,
                "part": { "type": "tool-x", "state": "output-error", "toolCallId": "c", "errorText": "no" } }),
        json!({ "id": "00000000-0000-4000-8000-000500000009", "step": step, "idx": 8,
                "part": { "type": "step-start" } }),
        json!({ "id": "part_10", "step": step, "idx": 9, "part": { "type": "nobody knows" } }),
    ]);
    place.write("app.json", app.to_string());
    check(&place, "app.json", &EVENTS);
}

#[test]
fn a_payload_stands_in_a_bundle_once() {
    let place = Place::new();
    let mut app = data::with_parts(1_000);
    // Not to be compressed away, and every other one by its other name.
    let mut state = 1_u64;
    let mut noise = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("{:016x}", state ^ (state >> 29))
    };
    for (at, part) in app["story_parts"].as_array_mut().unwrap().iter_mut().enumerate() {
        let text: String = (0..40).map(|_| noise()).collect();
        let name = if at % 2 == 0 { "part" } else { "content" };
        part.as_object_mut().unwrap().remove("part");
        part[name] = json!({ "type": "text", "text": text });
    }
    place.write("app.json", app.to_string());
    let bundle = check(&place, "app.json", &[]);
    let size = |file: &str| std::fs::metadata(bundle.join(file)).unwrap().len();
    let (rows, left) =
        (size("data/parquet/thread_parts.parquet"), size("data/residue/story_parts.parquet"));
    assert!(left * 20 < rows, "{left} bytes of residue beside {rows}");
}

/// A bundle of the awkward data, changed and sealed again: which table is told, with which words.
fn tampered(name: &str, change: impl Fn(&Path), table: &str, words: &str) {
    let place = Place::new();
    place.write("app.json", awkward().to_string());
    let bundle = run(&place, "app.json", &[]);
    let copied = place.path("copied");
    copy(&bundle, &copied);
    change(&copied);
    resealed::seal(&copied);
    for more in [&[][..], &["--snapshots", "nowhere"]] {
        let output = revert(&place, &copied, more).ends(1);
        let found: Value = output.json();
        let tables = found["result"]["tables"].as_array().unwrap().iter();
        let links = found["result"]["links"].as_array().unwrap().iter();
        let wrong: Vec<&Value> =
            tables.chain(links).filter(|found| found["same"] == json!(false)).collect();
        assert_eq!(wrong.len(), 1, "{name}: {wrong:#?}");
        assert_eq!(wrong[0]["entity"], table, "{name}");
        assert!(output.stderr.contains(table), "{name}: {}", output.stderr);
        if more.is_empty() {
            assert!(output.stderr.contains(words), "{name}: {}", output.stderr);
        }
    }
}

#[test]
fn a_value_that_was_changed_is_named() {
    tampered(
        "a payload of a target row",
        |root| {
            let file = root.join("data/parquet/thread_items.parquet");
            resealed::change_text(&file, "content", |text| text.replace("Hello", "hello"));
        },
        "context_events",
        "`content` is not as it was",
    );
    tampered(
        "a status that was folded",
        |root| {
            let file = root.join("data/residue/context_contexts.parquet");
            resealed::change_text(&file, "status", |_| "streaming".to_owned());
        },
        "context_contexts",
        "`status` is not as it was",
    );
    tampered(
        "an id that was mapped",
        |root| {
            let file = root.join("data/residue/context_events.parquet");
            resealed::change_text(&file, "id", |_| "evt_2".to_owned());
        },
        "context_events",
        "`id` is not as it was",
    );
    tampered(
        "where a value came from",
        |root| {
            let file = root.join("data/residue/story_parts.parquet");
            resealed::change_text(&file, "_how", |_| "{\"part\":null}".to_owned());
        },
        "story_parts",
        "is not as it was",
    );
    tampered(
        "a quarantined row",
        |root| {
            let file = root.join("data/quarantine/story_parts.parquet");
            resealed::change_text(&file, "part", |_| "\"texts\"".to_owned());
        },
        "story_parts",
        "`part` is not as it was",
    );
}

#[test]
fn a_row_that_is_gone_moved_or_there_twice_is_named() {
    let beside = "data/residue/context_events.parquet";
    tampered(
        "two rows that changed places",
        |root| resealed::change_whole(&root.join(beside), "_row", |_, row| 1 - row),
        "context_events",
        "stands beside a row of legacy row",
    );
    tampered(
        "a row that is none",
        |root| {
            let file = root.join("data/quarantine/story_parts.parquet");
            resealed::change_whole(&file, "_row", |at, row| if at == 0 { 99 } else { row });
        },
        "story_parts",
        "stands nowhere in the bundle",
    );
    tampered(
        "a row that was left out",
        |root| {
            resealed::drop_row(&root.join("data/quarantine/story_parts.parquet"), 0);
        },
        "story_parts",
        "stands nowhere in the bundle",
    );
}

#[test]
fn a_changed_link_file_is_named() {
    let place = Place::new();
    place.write("sample.zip", std::fs::read(fixture("sample-backup.zip")).unwrap());
    let bundle = run(&place, "sample.zip", &[]);
    let file = bundle.join("data/residue/links/context_events.author.parquet");
    resealed::change_text(&file, "to", |text| text.replace(['0', '1', '2', '3'], "4"));
    resealed::seal(&bundle);
    for more in [&[][..], &["--snapshots", "nowhere"]] {
        let told = revert(&place, &bundle, more).ends(1).stderr;
        assert!(told.contains("context_events.author: another file"), "{told}");
        // The rows that hold these links have them in their digests.
        assert!(told.contains("context_events: another digest"), "{told}");
    }
}

#[test]
fn a_digest_that_was_changed_with_its_rows_is_found_by_the_snapshot() {
    let place = Place::new();
    place.write("app.json", awkward().to_string());
    let bundle = run(&place, "app.json", &[]);
    let file = bundle.join("data/residue/context_contexts.parquet");
    resealed::change_text(&file, "status", |_| "closed".to_owned());
    resealed::seal(&bundle);
    let found = revert(&place, &bundle, &["--snapshots", "nowhere"]).ends(1).json();
    let table = &found["result"]["tables"][0];
    let (said, rebuilt) = (table["digest"].as_str().unwrap(), table["rebuilt"].as_str().unwrap());
    resealed::change_file(&bundle.join("data/bundle.json"), said, rebuilt);
    resealed::seal(&bundle);
    revert(&place, &bundle, &["--snapshots", "nowhere"]).ends(0);
    let told = revert(&place, &bundle, &[]).ends(1).stderr;
    assert!(told.contains("bundle.json gives other rows or another digest"), "{told}");
}

#[test]
fn the_folder_for_the_tables_must_be_new() {
    let place = Place::new();
    place.write("app.json", data::sound().to_string()).write("there/mine", "x");
    let bundle = run(&place, "app.json", &[]);
    let told = revert(&place, &bundle, &["--to", "there"]).ends(2).stderr;
    assert!(told.contains("something stands where the rebuilt tables go"), "{told}");
    assert_eq!(files(place.path("there")).len(), 1);
}
