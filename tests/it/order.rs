//! Order, winners and latest rows are those of the source, whatever ids its rows are given in the target.
#![allow(clippy::unwrap_used, reason = "a test that cannot read its own rows has failed")]

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::data;
use crate::generator::{Kind, Links, Options, generate};
use crate::support::Place;

/// A bundle made of a dataset.
struct Made {
    place: Place,
    bundle: String,
}

impl Made {
    fn of(place: Place, source: &str, more: &[&str]) -> Self {
        let args = [&["run", source, "--json", "--out", "out"], more].concat();
        let bundle = place.run(&args).ends(0).json()["bundle"].as_str().unwrap().to_owned();
        Self { place, bundle }
    }

    fn run(app: &Value, more: &[&str]) -> Self {
        let place = Place::new();
        place.write("app.json", app.to_string());
        Self::of(place, "app.json", more)
    }

    fn rows(&self, target: &str) -> Vec<Value> {
        let file = self.place.path(&self.bundle).join(format!("data/jsonl/{target}.jsonl"));
        let text = std::fs::read_to_string(file).unwrap();
        let line = |line: &str| serde_json::from_str::<Value>(line).unwrap()["entity"].clone();
        text.lines().map(line).collect()
    }

    /// The value of a column in every row of a table, by the value of another.
    fn column(&self, target: &str, key: &str, value: &str) -> BTreeMap<String, Value> {
        let rows = self.rows(target).into_iter();
        rows.map(|row| (row[key].as_str().unwrap().to_owned(), row[value].clone())).collect()
    }
}

/// One conversation of `count` messages, two of one time each, with ids that are no UUID.
pub(crate) fn chat(count: u32) -> Value {
    let mut app = data::sound();
    let event = |at: u32| {
        json!({ "id": format!("evt_{at:04}"), "createdAt": format!("2026-03-01T10:00:{:02}Z", at / 2),
                "channel": "web", "type": "user.message", "content": { "line": at }, "context": "ctx" })
    };
    app["context_events"] = (0..count).rev().map(event).collect();
    app["context_contexts"][0]["id"] = json!("ctx");
    for row in ["story_executions", "story_steps", "story_parts"] {
        app[row] = json!([]);
    }
    app["context_contexts"][0].as_object_mut().unwrap().remove("currentExecution");
    app
}

const ANY: [&str; 2] = ["--set", "rollout.max_reordered=any"];

#[test]
fn messages_of_one_time_keep_the_order_of_their_own_ids() {
    let made = Made::run(&chat(20), &ANY);
    let lines: Vec<Value> =
        made.rows("thread_items").iter().map(|item| item["content"]["line"].clone()).collect();
    assert_eq!(lines, (0..20).map(|at| json!(at)).collect::<Vec<_>>());
}

#[test]
fn messages_that_the_target_shows_in_another_order_are_a_finding() {
    let place = Place::new();
    place.write("app.json", chat(20).to_string());
    let output = place.run(&["run", "app.json"]).ends(1);
    let said = "message order of every context is unchanged: sorted by its own createdAt, id, \
                thread_items shows the rows of a context in the order of context_events: 3 of 20 (thread_items \
                row ";
    assert!(output.stderr.contains(said), "{}", output.stderr);
    // As many as there are may be allowed; they are noted then.
    let output = place
        .run(&["run", "app.json", "--set", "rollout.max_reordered=3", "--json"])
        .ends(0)
        .json();
    let rules = output["result"]["rules"].as_array().unwrap();
    let noted: Vec<&Value> = rules
        .iter()
        .filter(|rule| rule["outcome"] == "noted" && rule["kind"] == "sequence")
        .collect();
    assert_eq!(noted.len(), 1);
    assert_eq!((&noted[0]["violations"], &noted[0]["allows"]), (&json!(3), &json!(3)));
    place.run(&["run", "app.json", "--set", "rollout.max_reordered=2"]).ends(1);
}

#[test]
fn ids_that_are_numbers_go_by_their_value() {
    let mut app = chat(20);
    for (at, event) in app["context_events"].as_array_mut().unwrap().iter_mut().enumerate() {
        // 20 messages of one time, from the last to the first.
        event["id"] = json!(20 - at);
        event["createdAt"] = json!("2026-03-01T10:00:00Z");
    }
    let made = Made::run(&app, &ANY);
    let lines: Vec<Value> =
        made.rows("thread_items").iter().map(|item| item["content"]["line"].clone()).collect();
    assert_eq!(lines, (0..20).map(|at| json!(at)).collect::<Vec<_>>());
}

#[test]
fn ids_that_are_numbers_lead_from_attributes_as_texts_do() {
    let app = |id: &dyn Fn(u32) -> Value| {
        let at = "2026-03-01T10:00:00Z";
        json!({
            "context_contexts": [{ "id": id(5), "createdAt": at, "key": "k", "status": "open" }],
            "context_events": [
                { "id": id(1), "createdAt": at, "channel": "web", "type": "x", "contextId": id(5) },
                { "id": id(2), "createdAt": at, "channel": "web", "type": "x", "context_id": id(5),
                  "executionId": id(9) },
            ],
            "story_executions": [
                { "id": id(9), "createdAt": at, "status": "completed", "contextId": id(5),
                  "triggerEventId": id(1) },
            ],
            "story_steps": [
                { "id": id(11), "createdAt": at, "iteration": 0, "executionId": id(9),
                  "eventId": id(2), "trigger_event_id": id(1) },
            ],
            "story_parts": [{ "id": id(12), "idx": 0, "part": {}, "stepId": id(11) }],
        })
    };
    let numbers = Made::run(&app(&|id| json!(id)), &ANY);
    let texts = Made::run(&app(&|id| json!(id.to_string())), &ANY);
    for table in ["items", "executions", "steps", "parts"] {
        let table = format!("thread_{table}");
        assert_eq!(numbers.rows(&table), texts.rows(&table), "{table}");
    }
    assert_eq!(numbers.rows("thread_parts").len(), 1);
    numbers.place.run(&["revert", &numbers.bundle]).ends(0);
}

#[test]
fn messages_with_uuids_are_shown_as_they_were() {
    let text = chat(20).to_string();
    let uuid = |text: &str| text.replace("\"evt_", "\"00000000-0000-4000-8000-00000000");
    Made::run(&serde_json::from_str(&uuid(&text)).unwrap(), &[]);
}

/// Two messages of one millisecond, with these ids.
fn within_a_millisecond(ids: [&str; 2]) -> Value {
    let mut app = chat(2);
    for (at, (id, micros)) in ids.into_iter().zip(["100", "900"]).enumerate() {
        app["context_events"][at]["id"] = json!(id);
        app["context_events"][at]["createdAt"] = json!(format!("2026-03-01T10:00:00.000{micros}Z"));
    }
    app
}

#[test]
fn messages_of_one_millisecond_are_shown_by_their_ids() {
    // UUIDs are kept, and the app's own client showed these two in the order of their ids.
    let uuids = ["f", "0"].map(|first| format!("{first}0000000-0000-4000-8000-000000000000"));
    Made::run(&within_a_millisecond(uuids.each_ref().map(String::as_str)), &[]);
    // Of these two the second one gets the lower id.
    let place = Place::new();
    place.write("app.json", within_a_millisecond(["evt_0006", "evt_0007"]).to_string());
    let told = place.run(&["run", "app.json"]).ends(1).stderr;
    assert!(told.contains("context_events: 1 of 2 (thread_items row 1"), "{told}");
}

/// Contexts with three runs each, all of one time, by text ids.
fn runs(contexts: u32) -> Value {
    let mut app = chat(0);
    let at = "2026-03-01T10:00:00Z";
    let context = |at_: u32| json!({ "id": format!("ctx_{at_}"), "createdAt": at, "key": format!("k{at_}"), "status": "open" });
    app["context_contexts"] = (0..contexts).map(context).collect();
    let run = |at_: u32| {
        json!({ "id": format!("run_{}_{}", at_ / 3, at_ % 3), "createdAt": at, "status": "completed",
                "workflowRunId": format!("run_{}_{}", at_ / 3, at_ % 3), "context": format!("ctx_{}", at_ / 3) })
    };
    app["story_executions"] = (0..contexts * 3).rev().map(run).collect();
    app
}

#[test]
fn the_latest_run_of_a_context_is_the_last_by_the_source() {
    let made = Made::run(&runs(12), &[]);
    let names = made.column("thread_executions", "id", "workflowRunId");
    let current = made.column("thread_contexts", "key", "currentExecution");
    for (key, id) in current {
        let run = format!("run_{}_2", key.trim_start_matches('k'));
        assert_eq!(names[id.as_str().unwrap()], json!(run), "{key}");
    }
}

#[test]
fn the_latest_by_a_number_is_the_last_by_that_number() {
    let mut app = runs(3);
    for (at, run) in app["story_executions"].as_array_mut().unwrap().iter_mut().enumerate() {
        // The first run of each context has the highest number.
        run["attempt"] = json!(at % 3 + 1);
    }
    let text = include_str!("../../src/contract/story-to-thread.toml");
    let text = text.replace(
        "latest = \"story_executions\", of = \"context\", by = [\"createdAt\", \"id\"]",
        "latest = \"story_executions\", of = \"context\", by = [\"attempt\", \"id\"]",
    );
    let before = "[before.entities.story_executions]\nattrs = { ";
    assert!(text.contains(before));
    let text = text.replace(before, &format!("{before}attempt = \"number\", "));
    let place = Place::new();
    place.write("app.json", app.to_string()).write("contract.toml", text);
    let made = Made::of(place, "app.json", &["--contract", "contract.toml"]);
    let names = made.column("thread_executions", "id", "workflowRunId");
    for (key, id) in made.column("thread_contexts", "key", "currentExecution") {
        let run = format!("run_{}_0", key.trim_start_matches('k'));
        assert_eq!(names[id.as_str().unwrap()], json!(run), "{key}");
    }
}

#[test]
fn of_two_contexts_that_name_one_run_the_first_by_the_source_holds_it() {
    let mut app = runs(6);
    for context in app["context_contexts"].as_array_mut().unwrap() {
        context["currentExecution"] = json!("run_0_0");
    }
    app["context_contexts"].as_array_mut().unwrap().reverse();
    let made = Made::run(&app, &[]);
    let held = made.column("thread_contexts", "key", "currentExecution");
    let holders: Vec<&String> =
        held.iter().filter(|(_, id)| !id.is_null()).map(|(key, _)| key).collect();
    assert_eq!(holders, ["k0"]);
}

#[test]
fn the_first_event_that_leads_here_is_the_first_by_the_source() {
    let mut app = runs(1);
    let event = |at: u32| {
        json!({ "id": format!("evt_{at}"), "createdAt": "2026-03-01T10:00:00Z", "channel": "web",
                "type": "user.message", "context": "ctx_0" })
    };
    app["context_events"] = (0..1).map(event).collect();
    for run in app["story_executions"].as_array_mut().unwrap() {
        run["trigger"] = json!("evt_0");
    }
    let made = Made::run(&app, &[]);
    let names = made.column("thread_executions", "id", "workflowRunId");
    let item = &made.rows("thread_items")[0];
    assert_eq!(names[item["execution"].as_str().unwrap()], json!("run_0_0"));
}

/// The lines of the parts that were kept, and the ids of those that were set aside for another one, of
/// generated data in one layout.
fn kept(links: Links, kind: Kind) -> (Vec<String>, Vec<String>) {
    let place = Place::new();
    let made = generate(&Options {
        kind,
        parts: 1500,
        seed: 11,
        dirty: 0.3,
        links,
        payload_percent: 100,
        shuffle: None,
        plain: true,
        sample: false,
        out: place.path("app"),
        key: None,
    });
    made.expect("generated");
    let made = Made::of(place, "app", &["--set", "rollout.max_quarantined=any"]);
    let lines = |file: &str| {
        let file = made.place.path(&made.bundle).join(file);
        let text = std::fs::read_to_string(file).unwrap();
        text.lines().map(str::to_owned).collect::<Vec<String>>()
    };
    // A payload may hold half a surrogate pair, which is no JSON to serde_json.
    let id = |line: &String| line.split_once("\"id\":\"").unwrap().1[..36].to_owned();
    let aside = lines("data/quarantine/story_parts.jsonl");
    let aside = aside.iter().filter(|line| line.contains(" unique\",\"reason\"")).map(id);
    (lines("data/jsonl/thread_parts.jsonl"), aside.collect())
}

#[test]
fn the_survivor_of_a_conflict_is_the_same_in_every_layout() {
    let (parts, aside) = kept(Links::Forward, Kind::Dataset);
    assert!(aside.len() > 5, "{aside:?}");
    for (links, kind) in [
        (Links::Scalar, Kind::Dataset),
        (Links::Reverse, Kind::Dataset),
        (Links::Scalar, Kind::Parquet),
    ] {
        assert_eq!(kept(links, kind), (parts.clone(), aside.clone()), "{links:?} {kind:?}");
    }
}

/// The dataset with a second id beside the own one, under a contract that takes it first.
fn with_other_ids(altered: impl Fn(&mut Value)) -> Made {
    let mut app = data::sound();
    altered(&mut app["context_contexts"][0]);
    let text = include_str!("../../src/contract/story-to-thread.toml");
    let mut changed = text.to_owned();
    for (from, to) in [
        (
            "[before.entities.context_contexts]\nattrs = { ",
            "[before.entities.context_contexts]\nattrs = { altId = \"string\", ",
        ),
        (
            "source = \"context_contexts\"\nid = { from = [\"id\"] }",
            "source = \"context_contexts\"\nid = { from = [\"altId\", \"id\"] }",
        ),
        (
            "attrs.status    = { from = [\"status\"] }\nlinks.context",
            "attrs.status    = { from = [\"context.id\"] }\nlinks.context",
        ),
    ] {
        assert_eq!(changed.matches(from).count(), 1, "{from}");
        changed = changed.replace(from, to);
    }
    let place = Place::new();
    place.write("app.json", app.to_string()).write("contract.toml", changed);
    Made::of(place, "app.json", &["--contract", "contract.toml"])
}

#[test]
fn a_row_whose_id_is_another_attribute_is_linked_to_by_that_id() {
    const OWN: &str = "00000000-0000-4000-8000-000100000001";
    const OTHER: &str = "00000000-0000-4000-8000-00aa00000001";
    for (alt, id) in [(Value::Null, OWN), (json!(OTHER), OTHER)] {
        let made = with_other_ids(|context| context["altId"] = alt.clone());
        assert_eq!(made.rows("thread_contexts")[0]["id"], id);
        for item in made.rows("thread_items") {
            assert_eq!((&item["context"], &item["status"]), (&json!(id), &json!(id)));
        }
        assert_eq!(made.rows("thread_executions")[0]["context"], id);
    }
}

#[test]
fn a_snapshot_in_a_folder_of_another_name_gives_the_same_bytes() {
    let place = Place::new();
    place.write("app.json", data::sound().to_string());
    place.run(&["export", "app.json", "--to", "snapshots/one"]).ends(0);
    place.run(&["export", "app.json", "--to", "elsewhere/two"]).ends(0);
    let bundle = |snapshot: &str, out: &str| {
        let output = place.run(&["transform", snapshot, "--out", out, "--json"]).ends(0).json();
        let manifest = place.path(output["bundle"].as_str().unwrap()).join("manifest-sha256.txt");
        std::fs::read_to_string(manifest).unwrap()
    };
    assert_eq!(bundle("snapshots/one", "a"), bundle("elsewhere/two", "b"));
}

/// Four messages of one time with UUIDs, under a contract that makes ids of another attribute.
fn with_other_ids_of_messages(other: impl Fn(u32) -> String) -> (Place, [&'static str; 5]) {
    let mut app = chat(4);
    for (at, event) in app["context_events"].as_array_mut().unwrap().iter_mut().enumerate() {
        let at = u32::try_from(at).unwrap();
        event["id"] = json!(format!("00000000-0000-4000-8000-0002000000{at:02}"));
        event["createdAt"] = json!("2026-03-01T10:00:00Z");
        event["altId"] = json!(other(at));
    }
    app["context_contexts"][0]["id"] = json!("00000000-0000-4000-8000-000100000001");
    for event in app["context_events"].as_array_mut().unwrap() {
        event["context"] = json!("00000000-0000-4000-8000-000100000001");
    }
    let text = include_str!("../../src/contract/story-to-thread.toml");
    let head = "[before.entities.context_events]\nattrs = { ";
    let source = "source = \"context_events\"\n";
    let (start, rest) = text.split_once(source).unwrap();
    let rest = rest.replacen("from = [\"id\"]", "from = [\"altId\", \"id\"]", 1);
    let text =
        format!("{start}{source}{rest}").replace(head, &format!("{head}altId = \"string\", "));
    let place = Place::new();
    place.write("app.json", app.to_string()).write("contract.toml", text);
    (place, ["run", "app.json", "--contract", "contract.toml", "--json"])
}

#[test]
fn messages_whose_ids_come_from_another_attribute_are_judged_by_their_own_ids() {
    // In the order of their own ids, and against it.
    let uuid = |at: u32| format!("00000000-0000-4000-8000-0009000000{at:02}");
    let (place, run) = with_other_ids_of_messages(uuid);
    place.run(&run).ends(0);
    let (place, run) = with_other_ids_of_messages(|at| uuid(9 - at));
    let told = place.run(&run).ends(1);
    assert!(told.stderr.contains("sorted by its own createdAt, id"), "{}", told.stderr);
}

#[test]
fn a_mapped_id_is_listed_with_the_text_it_was_mapped_from() {
    let (place, run) = with_other_ids_of_messages(|at| format!("alt-{at}"));
    let run = [&run[..], &["--set", "rollout.max_reordered=any"]].concat();
    place.run(&run).ends(0);
}

#[test]
fn an_odd_id_elsewhere_changes_nothing_for_rows_that_keep_theirs() {
    let mut app = within_a_millisecond([
        "00000000-0000-4000-8000-000200000002",
        "00000000-0000-4000-8000-000200000001",
    ]);
    Made::run(&app, &[]);
    let mut context = app["context_contexts"][0].clone();
    context["id"] = json!("00000000-0000-4000-8000-000100000077");
    context["key"] = json!("another");
    app["context_contexts"].as_array_mut().unwrap().push(context);
    let mut odd = app["context_events"][0].clone();
    odd["id"] = json!("odd");
    odd["context"] = json!("00000000-0000-4000-8000-000100000077");
    app["context_events"].as_array_mut().unwrap().push(odd);
    Made::run(&app, &[]);
}

#[test]
fn messages_without_a_time_go_by_the_stores() {
    // The archive has one store time for all rows, so their ids decide, which the target makes anew.
    let mut app = crate::carried::talking();
    let text = chat(8);
    app.rows["context_events"] = text["context_events"].clone();
    for (at, event) in app.rows["context_events"].as_array_mut().unwrap().iter_mut().enumerate() {
        event["context"] = json!("00000000-0000-4000-8000-000100000001");
        event["id"] = json!(format!("evt_{at}"));
        event.as_object_mut().unwrap().remove("createdAt");
    }
    for row in ["story_executions", "story_steps", "story_parts"] {
        app.rows[row] = json!([]);
    }
    app.rows["context_contexts"][0].as_object_mut().unwrap().remove("currentExecution");
    let place = Place::new();
    app.write(&place.path("backup.zip"));
    let told = place.run(&["run", "backup.zip"]).ends(1);
    assert!(told.stderr.contains("sorted by its own createdAt, id"), "{}", told.stderr);
    // With ids that the target keeps, all is as it was.
    for (at, event) in app.rows["context_events"].as_array_mut().unwrap().iter_mut().enumerate() {
        event["id"] = json!(format!("00000000-0000-4000-8000-0002000000{at:02}"));
    }
    app.write(&place.path("kept.zip"));
    place.run(&["run", "kept.zip"]).ends(0);
}

#[test]
fn the_order_is_judged_where_the_time_that_the_target_shows_is_another_attribute() {
    let text = include_str!("../../src/contract/story-to-thread.toml");
    let from = "attrs.createdAt = { from = [\"createdAt\", \"$server\"] }";
    let (start, rest) = text.split_once("source = \"context_events\"\n").unwrap();
    let rest = rest.replacen(
        from,
        "attrs.createdAt = { from = [\"sentAt\", \"createdAt\", \"$server\"] }",
        1,
    );
    let head = "[before.entities.context_events]\nattrs = { ";
    let text = format!("{start}source = \"context_events\"\n{rest}");
    let text = text.replace(head, &format!("{head}sentAt = \"date\", "));
    let place = Place::new();
    place.write("app.json", chat(12).to_string()).write("contract.toml", text);
    let told = place.run(&["run", "app.json", "--contract", "contract.toml"]).ends(1);
    assert!(told.stderr.contains("sorted by its own createdAt, id"), "{}", told.stderr);
}

/// Two runs of one context that the target has already, and the messages that start and end them, of
/// which none names its run.
pub(crate) fn runs_that_exist() -> Value {
    let id = |kind: u32, at: u32| format!("00000000-0000-4000-8000-000{kind}0000000{at}");
    let (context, thread) = (id(1, 1), "6d448ae9-8a6c-5f9f-8256-c4e89a813c8e");
    let time = |at: u32| format!("2026-03-01T10:00:0{at}Z");
    let event = |at: u32| {
        json!({ "id": id(2, at), "createdAt": time(at), "channel": "web", "type": "user.message",
                "content": { "line": at }, "context": context })
    };
    let execution = |at: u32| {
        json!({ "id": id(3, at), "createdAt": time(at), "status": "completed", "context": context,
                "trigger": id(2, at - 1), "reaction": id(2, at) })
    };
    let executions: Vec<Value> = [1, 2].map(execution).into();
    let mut existing = executions.clone();
    for row in &mut existing {
        row["thread"] = json!(thread);
    }
    json!({
        "context_contexts": [{ "id": context, "createdAt": time(0), "key": "k0", "status": "open" }],
        "context_events": [event(0), event(1), event(2)],
        "story_executions": executions,
        "story_steps": [{ "id": id(4, 1), "createdAt": time(0), "iteration": 0, "execution": id(3, 2) }],
        "story_parts": [],
        "thread_executions": existing,
    })
}

#[test]
fn a_run_that_the_target_has_already_is_the_latest_and_the_one_that_a_message_started() {
    let app = runs_that_exist();
    let made = Made::run(&app, &[]);
    let ids: Vec<&Value> = [0, 1].map(|at| &app["story_executions"][at]["id"]).into();
    assert_eq!(made.rows("thread_contexts")[0]["currentExecution"], *ids[1]);
    let items = made.rows("thread_items");
    let runs: Vec<&Value> = items.iter().map(|item| &item["execution"]).collect();
    assert_eq!(runs, [ids[0], ids[1], ids[1]]);
}

#[test]
fn a_message_in_no_context_is_in_that_of_a_run_that_the_target_has_already() {
    let mut app = runs_that_exist();
    // A run that is new names another context than the one that was there: none is told.
    let mut other = app["story_executions"][1].clone();
    let mut context = app["context_contexts"][0].clone();
    context["id"] = json!("00000000-0000-4000-8000-000100000009");
    context["key"] = json!("k9");
    other["id"] = json!("00000000-0000-4000-8000-000300000009");
    other["context"] = context["id"].clone();
    app["context_contexts"].as_array_mut().unwrap().push(context);
    app["story_executions"].as_array_mut().unwrap().push(other);
    for event in app["context_events"].as_array_mut().unwrap() {
        event.as_object_mut().unwrap().remove("context");
    }
    let made = Made::run(&app, &[]);
    let contexts = made.column("thread_items", "id", "context");
    let contexts: Vec<&Value> = contexts.values().collect();
    let first = &app["context_contexts"][0]["id"];
    assert_eq!(contexts, [first, first, &Value::Null]);
}

#[test]
fn what_a_row_says_that_the_target_has_already_is_known_though_it_stands_there_twice() {
    let mut app = runs_that_exist();
    let twin = app["story_executions"][1].clone();
    app["story_executions"].as_array_mut().unwrap().push(twin);
    let made = Made::run(&app, &[]);
    let step = &made.rows("thread_steps")[0];
    let run = &app["story_executions"][1];
    assert_eq!([&step["triggerEventId"], &step["eventId"]], [&run["trigger"], &run["reaction"]]);
}
