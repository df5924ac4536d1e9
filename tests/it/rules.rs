//! What each kind of rule does, on the sound dataset changed in one place and the built-in contract
//! changed in one place.
#![allow(clippy::unwrap_used, reason = "a test that cannot read its own rows has failed")]

use serde_json::{Value, json};

use crate::data;
use crate::support::Place;

/// The outcome of a run: its folder, and rows by target table.
struct Made {
    _place: Place,
    root: std::path::PathBuf,
}

impl Made {
    fn rows(&self, target: &str) -> Vec<Value> {
        self.lines(&format!("data/jsonl/{target}.jsonl"))
            .into_iter()
            .map(|line| line["entity"].clone())
            .collect()
    }

    fn lines(&self, file: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.root.join(file)).expect("a file");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    fn refused(&self, entity: &str) -> Vec<(String, Option<String>)> {
        let lines = self.lines(&format!("data/quarantine/{entity}.jsonl"));
        let text = |value: &Value| value.as_str().map(str::to_owned);
        lines.iter().map(|line| (text(&line["rule"]).unwrap(), text(&line["cause"]))).collect()
    }

    fn repairs(&self, target: &str) -> Vec<(String, String, u64)> {
        let text = std::fs::read_to_string(self.root.join("data/bundle.json")).expect("a file");
        let meta: Value = serde_json::from_str(&text).expect("JSON");
        let of = |value: &Value, name: &str| value[name].as_str().unwrap().to_owned();
        let found = meta["repairs"].as_array().unwrap().iter();
        found
            .filter(|repair| repair["target"] == target)
            .map(|repair| (of(repair, "attr"), of(repair, "how"), repair["rows"].as_u64().unwrap()))
            .collect()
    }
}

/// Runs the dataset after `spoil`, under the built-in contract with each `(from, to)` replaced.
fn run(spoil: impl FnOnce(&mut Value), contract: &[(&str, &str)]) -> Made {
    let place = Place::new();
    let mut app = data::sound();
    spoil(&mut app);
    let mut text = include_str!("../../src/contract/story-to-thread.toml").to_owned();
    for (from, to) in contract {
        assert_eq!(text.matches(from).count(), 1, "{from}");
        text = text.replace(from, to);
    }
    text = text.replace("max_quarantined = 0 ", "max_quarantined = \"any\" ");
    place.write("app.json", app.to_string()).write("contract.toml", text);
    let output = place.run(&["run", "app.json", "--contract", "contract.toml", "--json"]).ends(0);
    let root = place.path(output.json()["bundle"].as_str().expect("a folder"));
    Made { _place: place, root }
}

fn repair(attr: &str, how: &str, rows: u64) -> (String, String, u64) {
    (attr.to_owned(), how.to_owned(), rows)
}

const THREAD: &str = "1e4ce1c8-e8a6-5b52-9b26-8b6b9c8d0f2c";
const STATUS: &str = r#"attrs.status        = { from = ["status"], values = { executing = "executing", running = "executing", completed = "completed", failed = "failed" }, fold_case = true, missing = "completed" }"#;

#[test]
fn an_unlisted_value_is_kept_quarantined_or_replaced() {
    let odd = |app: &mut Value| app["story_executions"][0]["status"] = json!("paused");
    let kept = run(odd, &[]);
    assert_eq!(kept.rows("thread_executions")[0]["status"], "paused");
    assert!(kept.repairs("thread_executions").contains(&repair("status", "value kept", 1)));

    let rule = STATUS.replace("fold_case", "otherwise = \"quarantine\", fold_case");
    let refused = run(odd, &[(STATUS, &rule)]);
    let wanted = vec![("thread_executions.status listed".to_owned(), None)];
    assert_eq!(refused.refused("story_executions"), wanted);
    let step = refused.refused("story_steps");
    let cause = "story_executions:00000000-0000-4000-8000-000300000001";
    assert_eq!(step, vec![("thread_steps.execution migrated".to_owned(), Some(cause.to_owned()))]);

    let rule = STATUS.replace("fold_case", "otherwise = { value = \"failed\" }, fold_case");
    let replaced = run(odd, &[(STATUS, &rule)]);
    assert_eq!(replaced.rows("thread_executions")[0]["status"], "failed");
    assert!(replaced.repairs("thread_executions").contains(&repair(
        "status",
        "value otherwise",
        1
    )));
}

#[test]
fn values_are_compared_without_case_only_where_the_rule_says_so() {
    let loud = |app: &mut Value| app["story_executions"][0]["status"] = json!("RUNNING");
    let folded = run(loud, &[]);
    assert_eq!(folded.rows("thread_executions")[0]["status"], "executing");
    assert!(folded.repairs("thread_executions").contains(&repair("status", "value folded", 1)));
    let exact = run(loud, &[(STATUS, &STATUS.replace("fold_case = true, ", ""))]);
    assert_eq!(exact.rows("thread_executions")[0]["status"], "RUNNING");
}

#[test]
fn an_id_that_is_no_uuid_is_mapped_wherever_it_stands() {
    let rename = |app: &mut Value| {
        let text = app.to_string().replace("00000000-0000-4000-8000-000200000001", "evt_1");
        *app = serde_json::from_str(&text).unwrap();
    };
    let made = run(rename, &[]);
    // python3: uuid5(uuid5(NAMESPACE_URL, "rethread:story-to-thread"), "thread_items:evt_1")
    let id = "45103715-3352-538d-9322-8bfba298a7a5";
    assert_eq!(made.rows("thread_items")[0]["id"], id);
    assert_eq!(made.rows("thread_executions")[0]["trigger"], id);
    assert_eq!(made.rows("thread_steps")[0]["triggerEventId"], id);
    assert!(made.repairs("thread_items").contains(&repair("id", "mapped", 1)));
}

#[test]
fn a_thread_of_the_same_key_is_adopted_and_not_made_twice() {
    let thread = "00000000-0000-4000-8000-000900000001";
    let made = run(
        |app| {
            app["thread_threads"] = json!([
                { "id": thread, "createdAt": 1_700_000_000_000_u64, "key": "ctx-1", "name": "old" }
            ]);
        },
        &[],
    );
    assert_eq!(made.rows("thread_threads").len(), 1);
    assert_eq!(made.rows("thread_threads")[0]["name"], "old");
    assert_eq!(made.rows("thread_contexts")[0]["thread"], thread);
    assert!(made.rows("thread_items").iter().all(|item| item["thread"] == thread));
}

#[test]
fn a_row_that_exists_already_is_merged_when_equal_and_refused_when_not() {
    let item = |content: Value| {
        json!([{ "id": "00000000-0000-4000-8000-000200000001", "channel": "web",
                 "createdAt": "2026-03-01T10:00:01Z", "type": "input_text", "content": content,
                 "status": "stored",
                 "context": "00000000-0000-4000-8000-000100000001", "thread": THREAD }])
    };
    let same = json!({ "parts": [{ "text": "Hello 👋", "type": "text" }] });
    let contexts = |app: &mut Value, content: &Value| {
        app["thread_items"] = item(content.clone());
        app["context_contexts"][0]["thread"] = json!(THREAD);
        app["thread_threads"] = json!([{ "id": THREAD, "createdAt": 1, "key": "other" }]);
        app["context_events"][0]["type"] = json!("user.message");
    };
    let equal = run(|app| contexts(app, &same), &[]);
    assert_eq!(equal.rows("thread_items").len(), 2);
    assert!(equal.refused("context_events").is_empty(), "{:?}", equal.refused("context_events"));
    let differs = run(|app| contexts(app, &json!("other")), &[]);
    let wanted = vec![("thread_items.id not taken".to_owned(), None)];
    assert_eq!(differs.refused("context_events"), wanted);
    assert_eq!(differs.rows("thread_items").len(), 2);
}

#[test]
fn of_two_rows_that_conflict_the_contract_keeps_one_by_content() {
    let twice = |app: &mut Value| {
        let mut part = app["story_parts"][0].clone();
        app["story_parts"][0]["updatedAt"] = json!("2026-03-02T00:00:00Z");
        part["updatedAt"] = json!("2026-03-01T00:00:00Z");
        part["part"] = json!({ "type": "text", "text": "older" });
        app["story_parts"].as_array_mut().unwrap().push(part);
    };
    let texts = |made: &Made| -> Vec<Value> {
        made.rows("thread_parts").iter().map(|part| part["part"]["text"].clone()).collect()
    };
    let last = run(twice, &[]);
    assert_eq!(texts(&last), [json!("שלום"), json!("!")]);
    let first = run(twice, &[("story_parts = \"last\"", "story_parts = \"first\"")]);
    assert_eq!(texts(&first), [json!("older"), json!("!")]);
    let none = run(twice, &[("story_parts = \"last\"", "story_parts = \"none\"")]);
    assert_eq!(texts(&none), [json!("!")]);
    assert_eq!(none.refused("story_parts").len(), 2);
}

#[test]
fn equal_rows_are_merged_and_counted() {
    let made = run(
        |app| {
            let part = app["story_parts"][0].clone();
            app["story_parts"].as_array_mut().unwrap().push(part);
        },
        &[],
    );
    assert_eq!(made.rows("thread_parts").len(), 2);
    let text = std::fs::read_to_string(made.root.join("data/bundle.json")).unwrap();
    let meta: Value = serde_json::from_str(&text).unwrap();
    let parts =
        meta["equations"].as_array().unwrap().iter().find(|it| it["source"] == "story_parts");
    let parts = parts.unwrap();
    assert_eq!([&parts["rows"], &parts["migrated"], &parts["merged"]], [3, 2, 1]);
}

#[test]
fn a_context_without_a_current_execution_gets_its_latest() {
    let made = run(
        |app| {
            let mut later = app["story_executions"][0].clone();
            later["id"] = json!("00000000-0000-4000-8000-000300000002");
            later["createdAt"] = json!("2026-03-05T00:00:00Z");
            app["story_executions"].as_array_mut().unwrap().insert(0, later);
            app["context_contexts"][0].as_object_mut().unwrap().remove("currentExecution");
        },
        &[],
    );
    let context = &made.rows("thread_contexts")[0];
    assert_eq!(context["currentExecution"], "00000000-0000-4000-8000-000300000002");
    let how = repair("currentExecution", "from latest story_executions", 1);
    assert!(made.repairs("thread_contexts").contains(&how));
}

#[test]
fn a_title_that_is_no_text_is_no_name() {
    for (content, name) in [
        (json!({ "title": "<b>Olá</b>" }), "<b>Olá</b>"),
        (json!({ "title": 5 }), "ctx-1"),
        (json!({ "title": null }), "ctx-1"),
        (json!("text"), "ctx-1"),
        (json!({ "title": "" }), ""),
    ] {
        let made = run(|app| app["context_contexts"][0]["content"] = content.clone(), &[]);
        assert_eq!(made.rows("thread_threads")[0]["name"], name, "{content}");
    }
}

#[test]
fn an_attribute_without_a_rule_is_carried_where_the_contract_says_so() {
    let changes = [
        ("attrs = \"report\" ", "attrs = \"carry\" "),
        (
            "status = \"string^\", workflowRunId = \"string^\" }",
            "status = \"string^\", workflowRunId = \"string^\", runId = \"string\" }",
        ),
    ];
    let made = run(|app| app["story_executions"][0]["runId"] = json!("r-7"), &changes);
    assert_eq!(made.rows("thread_executions")[0]["runId"], "r-7");
}

#[test]
fn payload_text_reaches_the_bundle_byte_for_byte() {
    let place = Place::new();
    let raw = "{\"b\": 1.0,  \"a\":[1e2,9007199254740993,\"\\u00e9\\/\\ud83d\\ude00\"],\"b\":2}";
    let marker = "\"RAW\"";
    let mut app = data::sound();
    app["story_parts"][0]["part"] = json!("RAW");
    place.write("app.json", app.to_string().replace(marker, raw));
    let output = place.run(&["run", "app.json", "--json"]).ends(0);
    let root = place.path(output.json()["bundle"].as_str().unwrap());
    let lines = std::fs::read_to_string(root.join("data/jsonl/thread_parts.jsonl")).unwrap();
    assert!(lines.contains(&format!("\"part\":{raw},")), "{lines}");
}

#[test]
fn what_no_rule_can_hold_is_set_aside_whole() {
    let deep = "[".repeat(5000) + &"]".repeat(5000);
    for (raw, rule) in [(deep.as_str(), "story_parts.part fits its type"), ("\"fine\"", "")] {
        let place = Place::new();
        let mut app = data::sound();
        app["story_parts"][0]["part"] = json!("RAW");
        place.write("app.json", app.to_string().replace("\"RAW\"", raw));
        let free = ["run", "app.json", "--json", "--set", "rollout.max_quarantined=any"];
        let output = place.run(&free).ends(0);
        let root = place.path(output.json()["bundle"].as_str().unwrap());
        let lines =
            std::fs::read_to_string(root.join("data/quarantine/story_parts.jsonl")).unwrap();
        assert_eq!(lines.lines().count(), usize::from(!rule.is_empty()));
        assert!(lines.contains(rule) && (rule.is_empty() || lines.contains(raw)), "whole");
    }
}
