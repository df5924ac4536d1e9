//! Message parts of every version of the AI SDK by the second contract: each is built with all that it
//! says, in a shape that the target's own schema takes, or it is set aside whole.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};

use crate::independent;
use crate::second::{dataset, equations_hold, further, id, part, quarantined, rows, with};
use crate::support::{Place, fixture};

const RULES: [&str; 2] = ["--contract", "story-to-events"];

/// What each part became: the payloads of its rows in their order.
fn made(bundle: &Path, parts: &[Value]) -> Vec<Vec<Value>> {
    let rows = rows(bundle, "event_parts");
    let payload = |id: &str| rows.iter().find(|row| row["id"] == id).map(|row| row["part"].clone());
    let of = |part: &Value| {
        let first = part["id"].as_str().expect("an id");
        let ids = [first.to_owned(), further(first, 1)];
        ids.iter().filter_map(|id| payload(id)).collect()
    };
    parts.iter().map(of).collect()
}

/// What one payload becomes: nothing when it is set aside, whose rules are given too.
fn becomes(payloads: &[Value]) -> Vec<(Vec<Value>, String)> {
    let place = Place::new();
    let parts = (1_u32..).zip(payloads).map(|(at, payload)| part(at, at, payload.clone()));
    let parts: Vec<Value> = parts.collect();
    let bundle = dataset(&place, &with(parts.clone()));
    equations_hold(&bundle);
    let file = bundle.join("data/quarantine/story_parts.jsonl");
    let aside = if file.exists() { quarantined(&bundle, "story_parts") } else { BTreeMap::new() };
    let rule = |at: u32| aside.get(&id(5, at)).cloned().unwrap_or_default();
    (1_u32..).zip(made(&bundle, &parts)).map(|(at, made)| (made, rule(at))).collect()
}

fn check(cases: &[(Value, Vec<Value>)]) {
    let payloads: Vec<Value> = cases.iter().map(|(payload, _)| payload.clone()).collect();
    for ((payload, expected), (made, rule)) in cases.iter().zip(becomes(&payloads)) {
        assert_eq!(made, *expected, "{payload} ({rule})");
    }
}

fn action(content: &Value) -> Value {
    json!({ "type": "action", "content": content })
}

#[test]
fn the_shapes_are_those_that_the_target_takes() {
    let source = |source: Value| json!({ "type": "source", "content": { "sources": [source] } });
    let blocks = |block: Value| json!({ "type": "message", "content": { "blocks": [block] } });
    let reasoning =
        |state: &str| json!({ "type": "reasoning", "content": { "text": "r", "state": state } });
    let started = action(
        &json!({ "status": "started", "actionName": "x", "actionCallId": "c", "input": null }),
    );
    let failed = action(
        &json!({ "status": "failed", "actionName": "x", "actionCallId": "c", "error": { "message": "no" } }),
    );
    check(&[
        (
            json!({ "type": "source-url", "sourceId": "s", "url": "u", "title": null }),
            vec![source(json!({ "type": "source-url", "sourceId": "s", "url": "u" }))],
        ),
        (
            json!({ "type": "source-document", "sourceId": "s", "mediaType": "a/b", "title": "t", "filename": null }),
            vec![source(
                json!({ "type": "source-document", "sourceId": "s", "mediaType": "a/b", "title": "t" }),
            )],
        ),
        (
            json!({ "type": "tool-x", "toolCallId": "c", "state": "output-error", "input": null, "errorText": "no" }),
            vec![started, failed],
        ),
        (json!({ "type": "reasoning", "text": "r" }), vec![reasoning("done")]),
        (json!({ "type": "reasoning", "text": "r", "state": null }), vec![reasoning("done")]),
        (json!({ "type": "reasoning", "text": "r", "state": "done" }), vec![reasoning("done")]),
        (
            json!({ "type": "reasoning", "text": "r", "state": "streaming" }),
            vec![reasoning("streaming")],
        ),
        (
            json!({ "type": "data-weather", "id": "w", "data": { "a": null } }),
            vec![blocks(json!({ "type": "json", "value": { "a": null } }))],
        ),
        (
            json!({ "type": "data-weather", "data": null }),
            vec![blocks(json!({ "type": "json", "value": null }))],
        ),
    ]);
}

#[test]
fn parts_of_version_4_keep_what_they_say() {
    let call =
        |input: &str, value: Value| json!({ "toolCallId": "c", "toolName": "t", input: value });
    let content = |status: &str, name: &str, value: Value| {
        action(&json!({ "status": status, "actionName": "t", "actionCallId": "c", name: value }))
    };
    let (started, completed) =
        (content("started", "input", json!({ "n": 1 })), content("completed", "output", json!(2)));
    let invocation = |state: &str, more: Value| {
        let mut call = call("args", json!({ "n": 1 }));
        call["state"] = json!(state);
        for (key, value) in more.as_object().expect("members") {
            call[key] = value.clone();
        }
        json!({ "type": "tool-invocation", "toolInvocation": call })
    };
    let typed = |ty: &str, mut part: Value| {
        part["type"] = json!(ty);
        part
    };
    let file = |data: &str| json!({ "type": "message", "content": { "blocks": [{ "type": "file", "mediaType": "a/b", "data": data }] } });
    check(&[
        (invocation("call", json!({ "step": 0 })), vec![started.clone()]),
        (invocation("partial-call", json!({})), vec![started.clone()]),
        (invocation("result", json!({ "result": 2 })), vec![started.clone(), completed.clone()]),
        (invocation("result", json!({ "result": 2, "odd": 1 })), vec![]),
        (invocation("else", json!({})), vec![]),
        (typed("tool-call", call("args", json!({ "n": 1 }))), vec![started.clone()]),
        (typed("tool-call", call("input", json!({ "n": 1 }))), vec![started]),
        (typed("tool-result", call("result", json!(2))), vec![completed]),
        (
            typed("tool-result", call("output", json!({ "type": "json", "value": 2 }))),
            vec![content("completed", "output", json!({ "type": "json", "value": 2 }))],
        ),
        (
            typed("tool-result", call("output", json!({ "type": "error-text", "value": "no" }))),
            vec![content("failed", "error", json!({ "message": "no" }))],
        ),
        (typed("tool-result", call("output", json!({ "type": "error-json", "value": 2 }))), vec![]),
        (
            json!({ "type": "reasoning", "reasoning": "r", "details": [{ "type": "text", "text": "r" }] }),
            vec![json!({ "type": "reasoning", "content": { "text": "r", "state": "done" } })],
        ),
        (
            json!({ "type": "source", "source": { "sourceType": "url", "id": "s", "url": "u" } }),
            vec![
                json!({ "type": "source", "content": { "sources": [{ "type": "source-url", "sourceId": "s", "url": "u" }] } }),
            ],
        ),
        (json!({ "type": "file", "mimeType": "a/b", "data": "AA==" }), vec![file("AA==")]),
    ]);
}

#[test]
fn a_tool_that_is_called_like_a_part_of_version_4_is_a_tool() {
    let tool = |name: &str| {
        action(&json!({ "status": "started", "actionName": name, "actionCallId": "c", "input": 1 }))
    };
    check(&[
        (
            json!({ "type": "tool-invocation", "state": "input-available", "toolCallId": "c", "input": 1 }),
            vec![tool("invocation")],
        ),
        (
            json!({ "type": "tool-call", "state": "input-available", "toolCallId": "c", "input": 1 }),
            vec![tool("call")],
        ),
        (
            json!({ "type": "dynamic-tool", "toolName": "d", "state": "input-streaming", "toolCallId": "c", "input": 1 }),
            vec![tool("d")],
        ),
    ]);
}

#[test]
fn a_part_that_no_case_answers_for_is_quarantined_whole() {
    let tool = |state: &str| json!({ "type": "tool-x", "toolCallId": "c", "state": state, "input": 1, "approval": { "id": "a" } });
    let (whole, listed) = ("event_parts.part whole", "event_parts.part listed");
    let cases = [
        (json!({ "type": "tool-invocation" }), whole),
        (json!({ "type": "tool-x" }), whole),
        (json!({ "type": "tool-", "toolCallId": "c", "input": 1 }), whole),
        (tool("output-denied"), whole),
        (tool("approval-requested"), whole),
        (tool("approval-responded"), whole),
        (json!({ "type": "dynamic-tool", "toolName": "x", "state": "output-denied" }), listed),
        (json!({ "type": "text" }), whole),
        (json!({ "type": "text", "text": null }), whole),
        (json!({ "type": "text", "text": 7 }), whole),
        (json!({ "type": "text", "text": "a", "citations": [1] }), whole),
        (json!({ "type": "text", "text": "", "citations": [1] }), whole),
        (json!({ "type": "file", "mediaType": "a/b" }), whole),
        (json!({ "type": "image", "image": "AA==" }), listed),
        (json!({ "type": "step-start", "odd": 1 }), whole),
        (json!("a text"), listed),
        (json!([{ "type": "text", "text": "a" }]), listed),
    ];
    let payloads: Vec<Value> = cases.iter().map(|(payload, _)| payload.clone()).collect();
    for ((payload, expected), (made, rule)) in cases.iter().zip(becomes(&payloads)) {
        assert_eq!((made, rule.as_str()), (Vec::new(), *expected), "{payload}");
    }
}

#[test]
fn two_columns_that_say_different_things_are_no_part() {
    let place = Place::new();
    let text = |text: &str| json!({ "type": "text", "text": text });
    let mut parts: Vec<Value> = (1..5).map(|at| part(at, at, text("a"))).collect();
    parts[0]["content"] = text("a");
    parts[1]["content"] = text("b");
    parts[2]["content"] = json!({});
    parts[3]["content"] = json!("b");
    let bundle = dataset(&place, &with(parts.clone()));
    let aside = quarantined(&bundle, "story_parts");
    assert_eq!(aside.into_keys().collect::<Vec<_>>(), [id(5, 2), id(5, 4)]);
    let rows: Vec<usize> = made(&bundle, &parts).iter().map(Vec::len).collect();
    assert_eq!(rows, [1, 0, 1, 0]);
}

#[test]
fn stored_tool_calls_of_version_4_go_the_whole_way() {
    let place = Place::new();
    let backup = fixture("parts-v4-tools.zip");
    let run = [&["run", backup.as_str(), "--name", "events", "--json"], &RULES[..]].concat();
    let ended = place.run(&run).ends(0).json();
    let bundle = place.path(ended["bundle"].as_str().expect("a folder"));
    let found: Vec<Value> = rows(&bundle, "event_parts").into_iter().take(4).collect();
    let content = |row: &Value| row["part"]["content"].clone();
    let expected = [
        json!({ "status": "started", "actionName": "lookup", "actionCallId": "call_1", "input": { "n": 1 } }),
        json!({ "status": "completed", "actionName": "lookup", "actionCallId": "call_1", "output": { "ok": true } }),
        json!({ "status": "started", "actionName": "lookup", "actionCallId": "c6", "input": { "n": 2 } }),
        json!({ "status": "completed", "actionName": "lookup", "actionCallId": "c6", "output": { "ok": true } }),
    ];
    assert_eq!(found.iter().map(content).collect::<Vec<_>>(), expected);
    let told = place.run(&["inspect", "snapshots/events"]).ends(0).stdout;
    let said = "parts by the version of the AI SDK that wrote them: 4 3, 4 or later 9";
    assert!(told.contains(said), "{told}");
    let figures = place.run(&["inspect", "snapshots/events", "--json"]).ends(0).stdout;
    assert!(figures.contains("\"parts\""), "{figures}");
}

/// A sound part of every shape.
fn shapes() -> Vec<Value> {
    let tool = |state: &str, more: Value| {
        let mut tool = json!({ "type": "tool-find-it", "toolCallId": "c1", "state": state, "input": { "q": ["a", 1.5, false] }, "title": "Find" });
        for (key, value) in more.as_object().expect("members") {
            tool[key] = value.clone();
        }
        tool
    };
    let call = json!({ "state": "result", "step": 1, "toolCallId": "c", "toolName": "t", "args": { "n": 1 }, "result": { "ok": true } });
    vec![
        json!({ "type": "text", "text": "hello", "state": "done", "providerMetadata": { "p": 1 } }),
        json!({ "type": "reasoning", "text": "why", "state": "streaming", "id": "r1" }),
        json!({ "type": "reasoning", "reasoning": "why", "details": [{ "type": "text", "text": "why" }] }),
        json!({ "type": "source-url", "sourceId": "s", "url": "u", "title": "t" }),
        json!({ "type": "source-document", "sourceId": "s", "mediaType": "a/b", "title": "t", "filename": "f" }),
        json!({ "type": "source", "source": { "sourceType": "url", "id": "s", "url": "u", "title": "t" } }),
        json!({ "type": "file", "mediaType": "a/b", "filename": "f", "url": "data:," }),
        json!({ "type": "file", "mimeType": "a/b", "data": "AA==" }),
        json!({ "type": "data-progress-bar", "id": "d", "data": { "done": 0.5, "tags": ["x", ""] } }),
        json!({ "type": "step-start" }),
        json!({ "type": "tool-invocation", "toolInvocation": call }),
        json!({ "type": "tool-call", "toolCallId": "c", "toolName": "t", "args": { "n": 2 } }),
        json!({ "type": "tool-result", "toolCallId": "c", "toolName": "t", "result": [3, null] }),
        json!({ "type": "tool-result", "toolCallId": "c", "toolName": "t", "output": { "type": "error-text", "value": "no" } }),
        tool("input-streaming", json!({})),
        tool("input-available", json!({ "callProviderMetadata": { "x": 1 } })),
        tool("output-available", json!({ "output": { "hits": [1, 2] }, "providerExecuted": true })),
        tool("output-error", json!({ "errorText": "no" })),
        tool("output-denied", json!({ "approval": { "id": "a", "approved": false } })),
        json!({ "type": "dynamic-tool", "toolName": "d", "toolCallId": "c", "state": "output-available", "input": {}, "output": "o" }),
        json!({ "type": "text", "text": { "type": "text" } }),
    ]
}

/// Numbers that come out the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % end as u64).expect("a small number")
    }

    /// Takes something out of a part, puts something odd in its place, or adds something.
    fn bend(&mut self, part: &mut Value) {
        let odd = [
            json!(null),
            json!(""),
            json!(7),
            json!(true),
            json!([]),
            json!({}),
            json!({ "a": 1 }),
            json!([0]),
            json!("odd"),
            json!("done"),
        ];
        let value = odd[self.below(odd.len())].clone();
        let members = part.as_object_mut().expect("an object");
        let keys: Vec<String> = members.keys().cloned().collect();
        let key = keys.get(self.below(keys.len() + 1)).cloned();
        match key {
            None => {
                let name = ["odd", "state", "title"][self.below(3)];
                drop(members.insert(name.to_owned(), value));
            }
            Some(key) if members[&key].is_object() && self.below(2) == 0 => {
                self.bend(&mut members[&key]);
            }
            Some(key) if self.below(3) == 0 => drop(members.remove(&key)),
            Some(key) => drop(members.insert(key, value)),
        }
    }
}

/// The texts, numbers and truth values of a value.
fn leaves(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::Null => {}
        Value::String(text) if text.is_empty() => {}
        Value::Array(items) => items.iter().for_each(|item| leaves(item, out)),
        Value::Object(members) => members.values().for_each(|member| leaves(member, out)),
        leaf => out.push(leaf.to_string()),
    }
}

/// What a part says that is to be in the target: all but what the contract leaves behind or translates.
fn said(part: &Value) -> Vec<String> {
    let mut part = part.clone();
    let kind = part["type"].as_str().unwrap_or_default().to_owned();
    let mut rest = kind.strip_prefix("tool-").map(str::to_owned);
    if let Some(members) = part.as_object_mut() {
        let is_tool = kind.starts_with("tool-") || kind == "dynamic-tool";
        let left: &[&str] = match kind.as_str() {
            "reasoning" => &["id", "details"],
            _ if kind.starts_with("data-") => &["id"],
            _ if is_tool => &["title", "approval"],
            _ => &[],
        };
        if ["toolInvocation", "toolName"].iter().any(|key| members.contains_key(*key)) {
            rest = None;
        }
        for key in ["type", "state", "providerMetadata", "callProviderMetadata", "providerExecuted"]
            .iter()
            .chain(left)
        {
            members.remove(*key);
        }
        let nested = [
            ("toolInvocation", "state"),
            ("toolInvocation", "step"),
            ("source", "sourceType"),
            ("source", "providerMetadata"),
        ];
        for (key, inner) in nested {
            members.get_mut(key).and_then(Value::as_object_mut).map(|it| it.remove(inner));
        }
        if members.get("output").is_some_and(|it| it["type"] == "error-text") {
            members["output"].as_object_mut().map(|it| it.remove("type"));
        }
    }
    let mut found: Vec<String> = rest.map(|name| json!(name).to_string()).into_iter().collect();
    leaves(&part, &mut found);
    found
}

/// Whether the target's own schema takes a payload.
fn is_taken(part: &Value) -> bool {
    let content = &part["content"];
    let full = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    let text_or_none = |value: &Value| value.is_null() || value.is_string();
    let is_source = |it: &Value| {
        it["sourceId"].is_string()
            && it.get("title").is_none_or(Value::is_string)
            && match it["type"].as_str() {
                Some("source-url") => full(&it["url"]),
                Some("source-document") => full(&it["mediaType"]) && full(&it["title"]),
                _ => false,
            }
    };
    let is_block = |it: &Value| match it["type"].as_str() {
        Some("json") => it.get("value").is_some(),
        Some("file") => {
            full(&it["mediaType"])
                && text_or_none(&it["filename"])
                && (full(&it["url"]) || full(&it["data"]))
        }
        _ => false,
    };
    let all = |value: &Value, is: &dyn Fn(&Value) -> bool| {
        value.as_array().is_some_and(|items| !items.is_empty() && items.iter().all(is))
    };
    match part["type"].as_str() {
        Some("message") => full(&content["text"]) || all(&content["blocks"], &is_block),
        Some("reasoning") => {
            content["text"].is_string()
                && ["done", "streaming"].iter().any(|it| content["state"] == *it)
        }
        Some("source") => all(&content["sources"], &is_source),
        Some("action") => {
            let is_named = full(&content["actionName"]) && full(&content["actionCallId"]);
            is_named
                && match content["status"].as_str() {
                    Some("started" | "completed") => true,
                    Some("failed") => content["error"]["message"].is_string(),
                    _ => false,
                }
        }
        _ => false,
    }
}

#[test]
fn no_part_of_any_shape_becomes_a_shell() {
    let mut dice = Dice(11);
    let mut parts = Vec::new();
    for round in 0..30 {
        for mut payload in shapes() {
            for _ in 0..round % 3 {
                dice.bend(&mut payload);
            }
            let at = u32::try_from(parts.len() + 1).expect("few parts");
            parts.push(part(at, at, payload));
        }
    }
    let place = Place::new();
    let bundle = dataset(&place, &with(parts.clone()));
    equations_hold(&bundle);
    let aside: BTreeSet<String> = quarantined(&bundle, "story_parts").into_keys().collect();
    let (mut built, mut dropped) = (0, 0);
    for (part, rows) in parts.iter().zip(made(&bundle, &parts)) {
        let payload = &part["part"];
        let is_aside = aside.contains(part["id"].as_str().expect("an id"));
        assert!(!is_aside || rows.is_empty(), "{payload} is in two places");
        if rows.is_empty() && !is_aside {
            let silent = said(payload).is_empty();
            assert!(silent, "{payload} was dropped and says something");
            dropped += 1;
            continue;
        }
        built += usize::from(!rows.is_empty());
        let mut found = Vec::new();
        for row in &rows {
            leaves(row, &mut found);
        }
        for value in said(payload).into_iter().filter(|_| !is_aside) {
            let at = found.iter().position(|found| *found == value);
            let at = at.unwrap_or_else(|| panic!("{value} of {payload} is not in {rows:?}"));
            found.swap_remove(at);
        }
        assert!(rows.iter().all(is_taken), "{payload} became {rows:?}");
    }
    assert!(built > 100 && aside.len() > 100 && dropped > 5, "{built} {} {dropped}", aside.len());
    if independent::has_duckdb() {
        let place = Place::new();
        place.write("app.json", with(parts).to_string());
        independent::made(place, "app.json", &RULES).holds();
    }
}
