//! `rethread quarantine`: what was set aside, by reason; corrected rows taken back in.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::data;
use crate::generator::{Kind, Links, Options, generate};
use crate::support::{Output, Place};

const FREE: [&str; 2] = ["--set", "rollout.max_quarantined=any"];

/// Runs a source the whole way and gives the bundle's folder.
fn run(place: &Place, source: &str) -> String {
    let output = place.run(&[&["run", source, "--json"], &FREE[..]].concat()).ends(0);
    output.json()["bundle"].as_str().expect("a folder").to_owned()
}

fn described(place: &Place, folder: &str, what: &str) -> Value {
    let path = place.path(folder).join(format!("data/{what}.json"));
    serde_json::from_str(&std::fs::read_to_string(path).expect("a file")).expect("JSON")
}

/// The text of an entity's quarantine.
fn text(place: &Place, bundle: &str, entity: &str) -> String {
    let path = place.path(bundle).join(format!("data/quarantine/{entity}.jsonl"));
    std::fs::read_to_string(path).expect("a file")
}

/// The lines of an entity's quarantine.
fn lines(place: &Place, bundle: &str, entity: &str) -> Vec<Value> {
    text(place, bundle, entity)
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

fn jsonl(lines: &[Value]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn replay(place: &Place, bundle: &str, fixes: &str) -> Output {
    place.run(&["quarantine", bundle, "--replay", fixes, "--json"])
}

/// What a snapshot says of its rows.
fn content(place: &Place, snapshot: &str) -> Value {
    let mut meta = described(place, snapshot, "snapshot");
    for name in ["format", "replays"] {
        meta.as_object_mut().expect("an object").remove(name);
    }
    meta
}

/// An app with rows of every odd form, of which some are set aside.
fn odd() -> String {
    let mut app = data::sound();
    app["context_contexts"][0]["createdAt"] = json!("yesterday");
    app["context_contexts"][0]["events"] = json!([app["context_events"][0]["id"]]);
    app["story_steps"][0]["iteration"] = json!("two");
    app["story_parts"][0]["idx"] = json!([1, 2]);
    app["story_parts"][1]["step"] = json!([{ "id": app["story_steps"][0]["id"] }]);
    app["story_parts"][1]["updatedAt"] = json!("2026-01-02 10:00:00.1234567+01");
    app["story_executions"][0]["odd\u{202e}"] = json!([1.50, "\u{1b}[31m"]);
    app["story_executions"][0]["context"] = json!(["x", "y"]);
    app["thread_threads"] = json!([{ "id": "00000000-0000-4000-8000-000900000001",
        "createdAt": 1_700_000_000_000.25_f64, "key": "old", "more": { "a": [] } }]);
    // Keys that stand twice, of every kind of label.
    let text = app.to_string();
    let twice = |text: String, from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    };
    let text = twice(text, "\"channel\":\"web\"", "\"channel\":\"web\",\"channel\":\"web\"");
    let text =
        twice(text, "\"workflowRunId\"", "\"unknown\":1,\"unknown\": [ 2 ],\"workflowRunId\"");
    let text = twice(text, "\"trigger\":", "\"trigger\":\"x\",\"trigger\":");
    twice(text, "\"part\":{", "\"part\":[],\"part\":{")
}

#[test]
fn rows_replayed_as_they_are_give_the_same_tables() {
    let place = Place::new();
    let dirty = |kind, name: &str| {
        let made = Options {
            kind,
            parts: 600,
            seed: 5,
            dirty: 0.1,
            links: Links::Reverse,
            payload_percent: 100,
            shuffle: Some(3),
            plain: false,
            sample: false,
            out: place.path(name),
            key: None,
        };
        generate(&made).expect("generated");
    };
    dirty(Kind::Archive, "dirty.zip");
    dirty(Kind::Dataset, "envelope.json");
    place.write("odd.json", odd());
    for source in ["dirty.zip", "envelope.json", "odd.json"] {
        let bundle = run(&place, source);
        let entities = described(&place, &bundle, "bundle")["equations"].clone();
        let entities = entities.as_array().expect("equations").iter();
        let all: String = entities
            .map(|it| text(&place, &bundle, it["source"].as_str().expect("a name")))
            .collect();
        let all_rows = all.lines().count();
        assert!(all_rows > 2, "{source} has nothing to replay");
        place.write("fixed.jsonl", all);
        let again = replay(&place, &bundle, "fixed.jsonl").ends(0).json();
        let name = again["bundle"].as_str().expect("a folder");
        let (old, new) = (described(&place, &bundle, "bundle"), described(&place, name, "bundle"));
        for what in ["tables", "equations", "link_equations", "repairs", "quarantine"] {
            assert_eq!(old[what], new[what], "{source}: {what}");
        }
        let old = place.snapshot_of(&old);
        let old = format!("snapshots/{}", old.file_name().unwrap().to_str().unwrap());
        let new = format!("{old}-replay-1");
        assert_eq!(content(&place, &old), content(&place, &new), "{source}");
        let ledger = described(&place, &new, "snapshot")["replays"][0].clone();
        let rows = ledger["rows"].as_array().expect("rows");
        assert_eq!(rows.len(), all_rows);
        assert!(rows.iter().all(|row| row["from"] == row["to"]), "{source}");
        place.run(&["check", &new]).ends(0);
        place.run(&["verify", name]).ends(0);
    }
}

/// A context without a date takes everything with it; the folder of its bundle.
fn spoilt(place: &Place) -> String {
    let mut app = data::sound();
    app["context_contexts"][0]["createdAt"] = json!("yesterday");
    app["story_parts"][0]["idx"] = json!("first");
    place.write("app.json", app.to_string());
    run(place, "app.json")
}

#[test]
fn what_was_set_aside_is_listed_by_reason() {
    let place = Place::new();
    let bundle = spoilt(&place);
    let listed = place.run(&["quarantine", &bundle]).ends(0).stdout;
    insta::assert_snapshot!(listed, @r"
    7 rows set aside

    1 of context_contexts: context_contexts.createdAt fits its type
      the value does not fit the declared type
      row 0 00000000-0000-4000-8000-000100000001

    2 of context_events: thread_items.context migrated
      the row it links to was quarantined
      row 0 00000000-0000-4000-8000-000200000001, with context_contexts:00000000-0000-4000-8000-000100000001
      row 1 00000000-0000-4000-8000-000200000002, with context_contexts:00000000-0000-4000-8000-000100000001
      began with 1 row:
        context_contexts:00000000-0000-4000-8000-000100000001 by context_contexts.createdAt fits its type: 2

    1 of story_executions: thread_executions.context migrated
      the row it links to was quarantined
      row 0 00000000-0000-4000-8000-000300000001, with context_contexts:00000000-0000-4000-8000-000100000001
      began with 1 row:
        context_contexts:00000000-0000-4000-8000-000100000001 by context_contexts.createdAt fits its type: 1

    1 of story_steps: thread_steps.execution migrated
      the row it links to was quarantined
      row 0 00000000-0000-4000-8000-000400000001, with story_executions:00000000-0000-4000-8000-000300000001
      began with 1 row:
        context_contexts:00000000-0000-4000-8000-000100000001 by context_contexts.createdAt fits its type: 1

    1 of story_parts: story_parts.idx fits its type
      the value does not fit the declared type
      row 0 00000000-0000-4000-8000-000500000001

    1 of story_parts: thread_parts.step migrated
      the row it links to was quarantined
      row 1 00000000-0000-4000-8000-000500000002, with story_steps:00000000-0000-4000-8000-000400000001
      began with 1 row:
        context_contexts:00000000-0000-4000-8000-000100000001 by context_contexts.createdAt fits its type: 1
    ");
    let rule = ["--rule", "story_parts.idx fits its type", "--limit", "0", "--json"];
    let one = place.run(&[&["quarantine", bundle.as_str()], &rule[..]].concat()).ends(0).json();
    assert_eq!(one["rows"], 1);
    assert_eq!(one["reasons"][0]["samples"], json!([]));
}

#[test]
fn a_corrected_row_comes_back_with_all_it_took() {
    let place = Place::new();
    let bundle = spoilt(&place);
    let mut context = lines(&place, &bundle, "context_contexts");
    context[0]["entity"]["createdAt"] = json!("2026-03-01T10:00:00Z");
    place.write("fixed.jsonl", jsonl(&context));
    let made = replay(&place, &bundle, "fixed.jsonl").ends(0).json();
    assert_eq!(
        made["rows"],
        json!([{ "entity": "context_contexts", "replaced": 1, "refused": 0 }])
    );
    let second = made["bundle"].as_str().expect("a folder").to_owned();
    let equations = described(&place, &second, "bundle")["equations"].clone();
    let refused = equations.as_array().expect("equations").iter();
    let refused: u64 = refused.map(|it| it["quarantined"].as_u64().expect("a count")).sum();
    assert_eq!(refused, 1, "{equations}");

    // The ledger goes on.
    let mut part = lines(&place, &second, "story_parts");
    part[0]["entity"]["idx"] = json!(0);
    place.write("more.jsonl", jsonl(&part));
    let made = replay(&place, &second, "more.jsonl").ends(0).json();
    assert_eq!(made["snapshot"], "snapshots/app-replay-2");
    let ledger = made["ledger"].as_array().expect("a ledger").clone();
    assert_eq!(ledger.len(), 2);
    let digest = |folder: &str| {
        let json = place.run(&["check", folder, "--json"]).ends(0).json();
        json["digest"].clone()
    };
    assert_eq!(ledger[0]["snapshot"], digest("snapshots/app"));
    assert_eq!(ledger[1]["snapshot"], digest("snapshots/app-replay-1"));
    assert_eq!(ledger[1]["bundle"], digest(&second));
    assert_eq!(ledger[1]["rows"][0]["row"], 0);
    let id = part[0]["entity"]["id"].as_str().expect("an id");
    let answer = place.run(&["explain", id, made["bundle"].as_str().expect("a folder"), "--json"]);
    let row = answer.ends(0).json()["answer"]["legacy"][0].clone();
    assert_eq!(row["outcome"]["became"], "migrated");
    assert_eq!(row["corrected"], json!([ledger[1]["fixes"]]));
    assert_ne!(ledger[1]["rows"][0]["from"], ledger[1]["rows"][0]["to"]);
    let third = made["bundle"].as_str().expect("a folder");
    assert!(described(&place, third, "bundle")["quarantine"] == json!([]));
    place.run(&["verify", third]).ends(0);
    place.run(&["import", third]).ends(0);
    // Doing it again finds it done.
    let again = replay(&place, &second, "more.jsonl").ends(0).json();
    assert_eq!(again["snapshot"], made["snapshot"]);
    assert_eq!(again["digest"], made["digest"]);
}

#[test]
fn a_row_that_is_still_refused_stays_in_quarantine() {
    let place = Place::new();
    let bundle = spoilt(&place);
    let mut context = lines(&place, &bundle, "context_contexts");
    context[0]["entity"]["_invalid"]["createdAt"] = json!("the day before");
    place.write("fixed.jsonl", jsonl(&context));
    let made = replay(&place, &bundle, "fixed.jsonl").ends(0).json();
    assert_eq!(made["rows"][0]["refused"], 1);
    let lines = lines(&place, made["bundle"].as_str().expect("a folder"), "context_contexts");
    assert_eq!(lines[0]["entity"]["_invalid"]["createdAt"], "the day before");
}

#[test]
fn wrong_lines_are_refused_and_nothing_is_written() {
    let place = Place::new();
    let bundle = spoilt(&place);
    let context = lines(&place, &bundle, "context_contexts")[0].clone();
    let (mut far, mut sound, mut table) = (context.clone(), context.clone(), context.clone());
    far["row"] = json!(7);
    sound["row"] = json!(0);
    sound["rule"] = json!("thread_threads.createdAt required");
    table["table"] = json!("thread_items");
    let before: Vec<PathBuf> = crate::support::files(place.path("snapshots"));
    // Of a sound bundle no row is quarantined.
    place.write("sound.json", data::sound().to_string());
    let whole = run(&place, "sound.json");
    for (bundle, text, code, said) in [
        (&bundle, format!("{context}\n{{\"entity\":"), 2, "fixed.jsonl, line 2"),
        (&bundle, format!("{context}\n\n{context}\n"), 2, "fixed.jsonl, line 3"),
        (&bundle, format!("{far}\n"), 2, "fixed.jsonl, line 1"),
        (&bundle, format!("{table}\n"), 2, "`thread_items` is no legacy entity"),
        (&bundle, "{\"row\":0}\n".to_owned(), 2, "the line has no `entity`"),
        (&bundle, "{\"row\":-1,\"entity\":{}}\n".to_owned(), 2, "`row` is no row's number"),
        (&bundle, String::new(), 2, "corrects no row"),
        (&whole, format!("{sound}\n"), 5, "line 1: row 0 of `context_contexts`"),
    ] {
        place.write("fixed.jsonl", text);
        let told = place.run(&["quarantine", bundle, "--replay", "fixed.jsonl"]).ends(code).stderr;
        assert!(told.contains(said), "{said}\n{told}");
    }
    let mut after = crate::support::files(place.path("snapshots"));
    after.retain(|path| !path.starts_with(place.path("snapshots/sound")));
    assert_eq!(before, after);
}
