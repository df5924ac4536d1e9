//! The second built-in contract: one legacy row becomes several, numbered anew, or none.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use uuid::Uuid;

use crate::data;
use crate::generator::{Kind, Links, Options, generate};
use crate::support::{Place, fixture};

const RULES: [&str; 2] = ["--contract", "story-to-events"];

/// Exports and transforms a source; gives the bundle's folder.
pub(crate) fn transformed(place: &Place, source: &str) -> PathBuf {
    let name = Path::new(source).file_stem().expect("a name").to_str().expect("UTF-8");
    let into = ["--to", &format!("snapshots/{name}"), "--json"];
    let made = place.run(&[&["export", source], &RULES[..], &into[..]].concat()).ends(0).json();
    let snapshot = made["snapshot"].as_str().expect("a folder");
    let out = format!("out-{name}");
    let into = ["--out", &out, "--set", "rollout.max_quarantined=any", "--json"];
    let made = place.run(&[&["transform", snapshot], &RULES[..], &into[..]].concat()).ends(0);
    let bundle = made.json()["bundle"].as_str().expect("a folder").to_owned();
    let verified = place.run(&["verify", &bundle]);
    assert_eq!(verified.code, 0, "{}{}", verified.stdout, verified.stderr);
    place.path(&bundle)
}

pub(crate) fn dataset(place: &Place, data: &Value) -> PathBuf {
    transformed(place.write("app.json", data.to_string()), "app.json")
}

fn meta(bundle: &Path) -> Value {
    let text = std::fs::read_to_string(bundle.join("data/bundle.json")).expect("a description");
    serde_json::from_str(&text).expect("JSON")
}

/// The lines of a table as texts.
fn lines(bundle: &Path, entity: &str) -> Vec<String> {
    let path = bundle.join(format!("data/jsonl/{entity}.jsonl"));
    let text = std::fs::read_to_string(path).expect("lines");
    text.lines().map(str::to_owned).collect()
}

pub(crate) fn rows(bundle: &Path, entity: &str) -> Vec<Value> {
    let row = |line: &String| {
        let line: Value = serde_json::from_str(line).expect("JSON");
        line["entity"].clone()
    };
    lines(bundle, entity).iter().map(row).collect()
}

pub(crate) fn quarantined(bundle: &Path, entity: &str) -> BTreeMap<String, String> {
    let path = bundle.join(format!("data/quarantine/{entity}.jsonl"));
    let text = std::fs::read_to_string(path).expect("lines");
    let row = |line: &str| {
        let row: Value = serde_json::from_str(line).expect("JSON");
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        (text(&row["entity"]["id"]), text(&row["rule"]))
    };
    text.lines().map(row).collect()
}

fn equation(bundle: &Path, source: &str) -> Value {
    let meta = meta(bundle);
    let all = meta["equations"].as_array().expect("equations");
    all.iter().find(|equation| equation["source"] == source).expect("an equation").clone()
}

/// Every count of the bundle adds up, rows that were split and dropped included.
pub(crate) fn equations_hold(bundle: &Path) {
    let meta = meta(bundle);
    let sum = |value: &Value, names: &[&str]| -> u64 {
        names.iter().map(|name| value.get(name).map_or(0, |n| n.as_u64().expect("a count"))).sum()
    };
    for equation in meta["equations"].as_array().expect("equations") {
        let parts = sum(equation, &["migrated", "merged", "quarantined", "dropped"]);
        assert_eq!(sum(equation, &["rows"]), parts, "{equation}");
        for split in equation.get("split").and_then(Value::as_array).into_iter().flatten() {
            let tables = meta["tables"].as_array().expect("tables");
            let table = tables.iter().find(|table| table["entity"] == split[0]).expect("a table");
            assert_eq!(split[1], equation["migrated"]);
            assert_eq!(split[2], table["migrated"]);
        }
    }
    for equation in meta["link_equations"].as_array().expect("equations") {
        let names = ["migrated", "merged", "quarantined", "dropped", "dropped_rows"];
        assert_eq!(sum(equation, &["values"]), sum(equation, &names), "{equation}");
    }
}

pub(crate) fn id(kind: u32, at: u32) -> String {
    format!("00000000-0000-4000-8000-{kind:04}{at:08}")
}

/// The id of a further row of a part.
pub(crate) fn further(first: &str, nth: usize) -> String {
    let space = Uuid::new_v5(&Uuid::NAMESPACE_URL, b"rethread:story-to-events");
    Uuid::new_v5(&space, format!("event_parts:{first}:{nth}").as_bytes()).to_string()
}

/// What a sound part of a later version of the AI SDK becomes: types and payloads.
fn expected(part: &Value, row_type: Option<&str>) -> Option<Vec<(&'static str, Value)>> {
    let Some(object) = part.as_object() else { return Some(Vec::new()) };
    let kind = object.get("type").and_then(Value::as_str).or(row_type)?;
    let name = kind.split_once('-').map(|(_, name)| json!(name));
    let pick = |members: &[(&str, Option<Value>)]| -> Value {
        let there =
            members.iter().filter_map(|(key, value)| Some(((*key).to_owned(), value.clone()?)));
        Value::Object(there.collect())
    };
    let of = |key: &str| object.get(key).cloned();
    let text = |key: &str| of(key).filter(Value::is_string);
    let one = |ty: &'static str, content: Value| {
        Some(vec![(ty, json!({ "type": ty, "content": content }))])
    };
    let source = |members: &[&str]| {
        let members = members.iter().map(|key| (*key, text(key)));
        let members: Vec<_> = [("type", Some(json!(kind)))].into_iter().chain(members).collect();
        one("source", json!({ "sources": [pick(&members)] }))
    };
    let action = |status: &str, last: &str, value: Option<Value>| {
        let content = pick(&[
            ("status", Some(json!(status))),
            ("actionName", name.clone()),
            ("actionCallId", of("toolCallId")),
            (last, value),
        ]);
        ("action", json!({ "type": "action", "content": content }))
    };
    let state = object.get("state").and_then(Value::as_str);
    match kind {
        "text" if object["text"] == "" => Some(Vec::new()),
        "text" => one("message", pick(&[("text", of("text"))])),
        "reasoning" => {
            let state = if state == Some("streaming") { "streaming" } else { "done" };
            one("reasoning", pick(&[("text", of("text")), ("state", Some(json!(state)))]))
        }
        "source-url" => source(&["sourceId", "url", "title"]),
        "source-document" => source(&["sourceId", "mediaType", "title", "filename"]),
        "file" => {
            let members = ["mediaType", "filename", "url"].map(|key| (key, text(key)));
            let block = pick(&[&[("type", Some(json!("file")))], &members[..]].concat());
            one("message", json!({ "blocks": [block] }))
        }
        "step-start" => Some(Vec::new()),
        _ if kind.starts_with("data-") => {
            let block = json!({ "type": "json", "value": object["data"] });
            one("message", json!({ "blocks": [block] }))
        }
        _ if kind.starts_with("tool-") => {
            let started = action("started", "input", of("input"));
            let error = || Some(json!({ "message": object["errorText"] }));
            Some(match state {
                Some("output-available") => {
                    vec![started, action("completed", "output", of("output"))]
                }
                Some("output-error") => vec![started, action("failed", "error", error())],
                _ => vec![started],
            })
        }
        _ => None,
    }
}

/// Checks the parts of a bundle against sound parts of its source.
fn parts_are(bundle: &Path, parts: &[Value]) {
    let mut steps: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for part in parts {
        let step = part["step"].as_str().expect("a step").to_owned();
        steps.entry(step).or_default().push(part);
    }
    let mut made: BTreeMap<String, Value> = BTreeMap::new();
    for row in rows(bundle, "event_parts") {
        let key = row["key"].as_str().expect("a key").to_owned();
        assert!(made.insert(key, row).is_none(), "a key stands twice");
    }
    let mut count = 0;
    for (step, mut parts) in steps {
        let idx = |part: &Value| part["idx"].as_f64().unwrap_or(f64::INFINITY);
        parts.sort_by(|a, b| {
            idx(a).total_cmp(&idx(b)).then_with(|| a["id"].as_str().cmp(&b["id"].as_str()))
        });
        let mut next = 0;
        for part in parts {
            let object = if part["part"].is_null() { &part["content"] } else { &part["part"] };
            let results = expected(object, part["type"].as_str()).expect("a listed part");
            for (nth, (ty, built)) in results.into_iter().enumerate() {
                let row = &made[&format!("{step}:{next}")];
                let first = part["id"].as_str().expect("an id");
                let id = if nth == 0 { first.to_owned() } else { further(first, nth) };
                assert_eq!(row["id"], json!(id), "{part}");
                assert_eq!(row["idx"], json!(next), "{part}");
                assert_eq!(row["type"], json!(ty), "{part}");
                assert_eq!(row["part"], built, "{part}");
                assert_eq!((&row["stepId"], &row["step"]), (&json!(step), &json!(step)));
                assert_eq!(row["updatedAt"].is_null(), part["updatedAt"].is_null());
                next += 1;
                count += 1;
            }
        }
    }
    assert_eq!(made.len(), count, "no row is there that no part became");
}

/// A part with a payload of its own.
pub(crate) fn part(at: u32, idx: impl Into<Value>, payload: impl Into<Value>) -> Value {
    let (idx, payload): (Value, Value) = (idx.into(), payload.into());
    json!({ "id": id(5, at), "stepId": id(4, 1), "idx": idx, "part": payload, "step": id(4, 1) })
}

pub(crate) fn with(parts: Vec<Value>) -> Value {
    let mut data = data::sound();
    data["story_parts"] = Value::Array(parts);
    data
}

/// A sound part of every kind there is, and some that say nothing.
fn every_kind() -> Vec<Value> {
    let tool = |state: &str| {
        let mut tool = json!({ "type": "tool-get-weather", "toolCallId": "c1", "state": state, "input": { "q": null } });
        match state {
            "output-available" => tool["output"] = json!([1]),
            "output-error" => tool["errorText"] = json!("no"),
            _ => {}
        }
        tool
    };
    vec![
        part(
            1,
            5,
            json!({ "type": "text", "text": "</style><script>alert(1)</script>\u{202e}\u{1b}[31m" }),
        ),
        part(2, 1, json!({ "type": "reasoning", "text": "why", "providerMetadata": {} })),
        part(
            3,
            2,
            json!({ "type": "source-url", "sourceId": "s", "url": "https://x", "title": null }),
        ),
        part(
            4,
            2,
            json!({ "type": "source-document", "sourceId": "s", "mediaType": "a/b", "title": "t", "filename": "=cmd()" }),
        ),
        part(5, 4, json!({ "type": "file", "mediaType": "a/b", "url": "data:," })),
        part(
            6,
            Value::Null,
            json!({ "type": "data-weather", "id": "w", "data": { "b": 1, "a": [] } }),
        ),
        part(7, 7, tool("output-available")),
        part(8, 8, tool("output-error")),
        part(9, 9, tool("input-streaming")),
        part(10, 10, tool("input-available")),
        part(11, 11, json!({ "type": "step-start" })),
        part(12, 12, ""),
        part(13, 13, json!([])),
        part(14, 14, Value::Null),
        part(15, 15, json!({ "type": "text", "text": "", "state": "done" })),
    ]
}

#[test]
fn every_kind_of_part_becomes_what_the_contract_says() {
    let place = Place::new();
    let mut parts = every_kind();
    // A payload in the other attribute, a type that only the row has, and an id that is no UUID.
    parts.push(json!({ "id": id(5, 16), "idx": 0, "type": "tool-row", "content": { "state": "output-available", "toolCallId": "c", "output": 1 }, "step": id(4, 1) }));
    let bundle = dataset(&place, &with(parts.clone()));
    equations_hold(&bundle);
    parts_are(&bundle, &parts);
    let equation = equation(&bundle, "story_parts");
    assert_eq!(equation["dropped"], 5);
    assert_eq!(equation["quarantined"], 0);
    assert_eq!(equation["split"], json!([["event_parts", 11, 14]]));
    let link = meta(&bundle)["link_equations"]
        .as_array()
        .expect("equations")
        .iter()
        .find(|it| it["label"] == "step")
        .cloned();
    assert_eq!(link.expect("an equation")["dropped_rows"], 5);
    assert!(bundle.join("data/dropped/story_parts.parquet").exists());
    assert!(!bundle.join("data/dropped/story_steps.parquet").exists());
    let values = meta(&bundle)["dropped_values"].clone();
    let count = |attr: &str| {
        let all = values.as_array().expect("values").iter();
        all.filter(|it| it[1] == attr).map(|it| it[2].as_u64().expect("a count")).sum::<u64>()
    };
    assert_eq!((count("eventId"), count("toolCalls"), count("key")), (1, 0, 0));
    assert_eq!((count("part.type"), count("part.id"), count("part.state")), (1, 1, 0));
}

#[test]
fn what_no_case_lists_is_quarantined_whole() {
    let place = Place::new();
    let parts = vec![
        part(1, 0, json!({ "type": "text", "text": "a" })),
        part(2, 1, json!({ "type": "dynamic-tool", "toolName": "x" })),
        part(3, 2, json!({ "type": 7 })),
        part(4, 3, json!({ "type": "Text", "text": "case counts" })),
        part(5, 4, json!({ "type": "text", "text": "b" })),
    ];
    let bundle = dataset(&place, &with(parts));
    equations_hold(&bundle);
    let refused = quarantined(&bundle, "story_parts");
    let rule = "event_parts.part listed".to_owned();
    let listed = [2, 3, 4].map(|at| (id(5, at), rule.clone()));
    assert_eq!(refused, BTreeMap::from(listed));
    let keys: Vec<Value> =
        rows(&bundle, "event_parts").iter().map(|row| row["key"].clone()).collect();
    assert_eq!(keys, [json!(format!("{}:0", id(4, 1))), json!(format!("{}:1", id(4, 1)))]);
}

/// An archive's line is text, so a payload can hold what no value in memory does.
fn with_payloads(payloads: &[&str]) -> String {
    let mut data = with(Vec::new()).to_string();
    let parts: Vec<String> = (1_u32..)
        .zip(payloads)
        .map(|(at, payload)| {
            let (id, step) = (id(5, at), id(4, 1));
            format!(r#"{{"id":"{id}","idx":{at},"part":{payload},"step":"{step}"}}"#)
        })
        .collect();
    data = data.replace("\"story_parts\":[]", &format!("\"story_parts\":[{}]", parts.join(",")));
    assert!(data.contains("\"part\""), "the parts are in");
    data
}

#[test]
fn payloads_go_through_as_the_texts_they_are() {
    let place = Place::new();
    let deep = format!("{}{}", "[".repeat(900), "]".repeat(900));
    let huge = "x".repeat(3 << 20);
    let values = [
        "90071992547409931234567890.10",
        "1e400",
        "-0.0",
        r#""\ud800 half""#,
        r#"{"b":1,"a":2,"b":3}"#,
        r#"[ 1 , {"a" : "\u0041\/" } ]"#,
        "null",
        &deep,
        &format!("\"{huge}\""),
        r#""<\/script>\u0000\u001b[0m""#,
    ];
    let parts: Vec<String> = values
        .iter()
        .map(|value| {
            format!(
                r#"{{"state":"output-available","type":"tool-a-b","toolCallId":"c","output":{value}}}"#
            )
        })
        .collect();
    let payloads: Vec<&str> = parts.iter().map(String::as_str).collect();
    let bundle = transformed(place.write("app.json", with_payloads(&payloads)), "app.json");
    equations_hold(&bundle);
    let made = lines(&bundle, "event_parts");
    assert_eq!(made.len(), 2 * values.len());
    for (at, value) in values.iter().enumerate() {
        let wanted = format!(
            r#""part":{{"type":"action","content":{{"status":"completed","actionName":"a-b","actionCallId":"c","output":{value}}}}}"#
        );
        assert!(made[2 * at + 1].contains(&wanted), "{}", &value[..value.len().min(80)]);
    }
}

#[test]
fn an_object_with_a_key_twice_is_not_looked_into() {
    let place = Place::new();
    let payloads = [
        r#"{"type":"text","text":"a","text":"b"}"#,
        r#"{"type":"text","text":"a","\u0074ext":"b"}"#,
        r#"{"type":"text","text":"a","\ud800":1}"#,
        r#"{"type":"text","text":"whole"}"#,
    ];
    let bundle = transformed(place.write("app.json", with_payloads(&payloads)), "app.json");
    let meta = meta(&bundle);
    let rule = json!({ "source": "story_parts", "rule": "event_parts.part listed", "rows": 3 });
    assert_eq!(meta["quarantine"], json!([rule]));
    let equation = equation(&bundle, "story_parts");
    assert_eq!((&equation["quarantined"], &equation["migrated"]), (&json!(3), &json!(1)));
    assert_eq!(rows(&bundle, "event_parts")[0]["idx"], 0);
}

#[test]
fn a_dropped_row_claims_nothing_and_counts_for_nothing() {
    let place = Place::new();
    let gone = id(4, 9);
    let mut lost = part(1, 0, json!({ "type": "step-start" }));
    lost["step"] = json!(gone);
    lost["stepId"] = json!(gone);
    let mut orphan = part(2, 0, json!({ "type": "text", "text": "x" }));
    orphan["step"] = json!(gone);
    orphan["stepId"] = json!(gone);
    let parts = vec![
        lost,
        orphan,
        // The same id as a dropped row, and twins of each other.
        part(3, 0, json!({ "type": "step-start" })),
        part(3, 1, json!({ "type": "text", "text": "a" })),
        part(
            4,
            2,
            json!({ "type": "tool-x", "state": "output-error", "toolCallId": "c", "errorText": "no" }),
        ),
        part(
            4,
            2,
            json!({ "type": "tool-x", "state": "output-error", "toolCallId": "c", "errorText": "no" }),
        ),
        part(5, 3, json!({ "type": "text", "text": "b" })),
    ];
    let bundle = dataset(&place, &with(parts));
    equations_hold(&bundle);
    let equation = equation(&bundle, "story_parts");
    let counts =
        ["migrated", "merged", "quarantined", "dropped"].map(|name| equation[name].clone());
    assert_eq!(counts, [json!(3), json!(1), json!(1), json!(2)]);
    let made: Vec<(Value, Value)> = rows(&bundle, "event_parts")
        .into_iter()
        .map(|row| (row["id"].clone(), row["idx"].clone()))
        .collect();
    let ids = [id(5, 3), id(5, 4), further(&id(5, 4), 1), id(5, 5)];
    let expected: Vec<(Value, Value)> =
        ids.iter().enumerate().map(|(at, id)| (json!(id), json!(at))).collect();
    assert_eq!(made, expected);
}

/// The source with target rows that are there already.
fn with_existing(data: &Value, bundle: &Path) -> Value {
    let mut data = data.clone();
    for entity in
        ["event_contexts", "event_items", "event_executions", "event_steps", "event_parts"]
    {
        data[entity] = Value::Array(rows(bundle, entity));
    }
    data
}

#[test]
fn rows_that_are_there_already_are_merged_or_refused_whole() {
    let place = Place::new();
    let tool = json!({ "type": "tool-x", "toolCallId": "c", "state": "output-available", "input": { "a": 1.0 }, "output": 2 });
    let parts = vec![
        part(1, 0, json!({ "type": "text", "text": "a" })),
        part(2, 1, tool.clone()),
        part(3, 2, tool.clone()),
        part(4, 3, tool),
    ];
    let data = with(parts);
    let first = dataset(&place, &data);
    let again = Place::new();
    let mut both = with_existing(&data, &first);
    let bundle = dataset(&again, &both);
    let equation_of = |bundle: &Path| {
        let equation = equation(bundle, "story_parts");
        ["migrated", "merged", "quarantined"].map(|name| equation[name].as_u64().expect("a count"))
    };
    assert_eq!(equation_of(&bundle), [0, 4, 0], "all of it is there");
    assert_eq!(meta(&bundle)["tables"][4]["existing"], 7);
    let quiet =
        again.run(&["transform", "snapshots/app", "--out", "again", "-q", RULES[0], RULES[1]]);
    assert_eq!(quiet.ends(0).stderr, "", "nothing is said");

    // A new part behind them, one that has changed, one of whose rows one is gone, and one whose key
    // another row has.
    let rest = Place::new();
    let existing = both["event_parts"].as_array_mut().expect("rows");
    let of = |existing: &[Value], id: &str| {
        existing.iter().position(|row| row["id"] == id).expect("a row")
    };
    let changed = of(existing, &further(&id(5, 2), 1));
    existing[changed]["part"]["content"]["output"] = json!(3);
    let gone = of(existing, &id(5, 3));
    existing.remove(gone);
    let other = of(existing, &further(&id(5, 4), 1));
    existing[other]["id"] = json!(id(6, 1));
    both["story_parts"].as_array_mut().expect("rows").push(part(
        5,
        9,
        json!({ "type": "text", "text": "new" }),
    ));
    let bundle = dataset(&rest, &both);
    equations_hold(&bundle);
    assert_eq!(equation_of(&bundle), [1, 1, 3]);
    let refused = quarantined(&bundle, "story_parts");
    let expected = [
        (id(5, 2), "event_parts.id not taken".to_owned()),
        (id(5, 3), "event_parts.id not taken".to_owned()),
        (id(5, 4), "event_parts.key not taken".to_owned()),
    ];
    assert_eq!(refused, BTreeMap::from(expected));
    let new: Vec<Value> =
        rows(&bundle, "event_parts").into_iter().filter(|row| row["id"] == id(5, 5)).collect();
    assert_eq!(new[0]["idx"], 7, "what is there keeps its number");
}

/// The parts of an archive, each with its step.
fn parts_of(folder: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join("entities/story_parts.jsonl")).expect("parts");
    let part = |line: &str| {
        let line: Value = serde_json::from_str(line).expect("JSON");
        line["entity"].clone()
    };
    text.lines().map(part).collect()
}

fn generated(place: &Place, dirty: f64) -> Vec<Value> {
    let options = Options {
        kind: Kind::ArchiveFolder,
        parts: 4_000,
        seed: 23,
        dirty,
        links: Links::Forward,
        payload_percent: 100,
        shuffle: None,
        plain: true,
        sample: false,
        out: place.path("app"),
        key: None,
    };
    generate(&options).expect("generated");
    parts_of(&place.path("app"))
}

#[test]
fn generated_parts_become_what_the_contract_says() {
    let place = Place::new();
    let parts = generated(&place, 0.0);
    let bundle = transformed(&place, "app");
    equations_hold(&bundle);
    parts_are(&bundle, &parts);
    let kinds: BTreeSet<&str> = parts
        .iter()
        .filter_map(|part| part["part"]["type"].as_str())
        .map(|kind| kind.split('-').next().unwrap_or(kind))
        .collect();
    assert_eq!(
        kinds,
        BTreeSet::from(["data", "file", "reasoning", "source", "step", "text", "tool"])
    );
}

#[test]
fn dirty_data_is_accounted_for_and_numbered_without_gaps() {
    let place = Place::new();
    generated(&place, 0.05);
    let bundle = transformed(&place, "app");
    equations_hold(&bundle);
    let equation = equation(&bundle, "story_parts");
    for name in ["migrated", "merged", "quarantined", "dropped"] {
        assert!(equation[name].as_u64().expect("a count") > 0, "{equation}");
    }
    let mut steps: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let mut ids = BTreeSet::new();
    for row in rows(&bundle, "event_parts") {
        let (step, idx) =
            (row["step"].as_str().expect("a step"), row["idx"].as_u64().expect("a number"));
        assert_eq!(row["key"], json!(format!("{step}:{idx}")));
        assert!(ids.insert(row["id"].to_string()));
        steps.entry(step.to_owned()).or_default().push(idx);
    }
    for (step, numbers) in steps {
        let expected: Vec<u64> = (0..numbers.len() as u64).collect();
        assert_eq!(numbers, expected, "{step}");
    }
}

/// The digest of every file that rows stand in.
fn content(bundle: &Path) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(bundle.join("manifest-sha256.txt")).expect("a manifest");
    let line = |line: &str| {
        line.split_once("  ").map(|(digest, file)| (file.to_owned(), digest.to_owned()))
    };
    text.lines().filter_map(line).collect()
}

#[test]
fn the_bytes_are_the_same_on_one_thread_and_on_four() {
    let mut found = Vec::new();
    for threads in ["1", "4"] {
        let place = Place::new().env("POLARS_MAX_THREADS", threads);
        generated(&place, 0.03);
        found.push(content(&transformed(&place, "app")));
    }
    assert_eq!(found[0], found[1]);
}

#[test]
fn the_sample_is_transformed_once() {
    let place = Place::new();
    std::fs::copy(fixture("sample-backup.zip"), place.path("app.zip")).expect("a copy");
    let bundle = transformed(&place, "app.zip");
    equations_hold(&bundle);
    assert_eq!(equation(&bundle, "story_parts")["split"], json!([["event_parts", 664, 824]]));
    let before = content(&bundle);
    assert_eq!(transformed(&place, "app.zip"), bundle, "the same name");
    assert_eq!(content(&bundle), before);
}

#[test]
fn the_sample_goes_the_whole_way_into_sqlite() {
    let place = Place::new();
    let sample = fixture("sample-backup.zip");
    let run = [&["run", sample.as_str()], &RULES[..], &["--json"]].concat();
    let ended = place.run(&run).ends(0).json();
    let bundle = ended["bundle"].as_str().expect("a folder").to_owned();
    let database = place.path(&bundle).join("thread.sqlite");
    let store = rusqlite::Connection::open(&database).expect("a database");
    let count = |sql: &str| store.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("a count");
    assert_eq!(count("SELECT count(*) FROM event_parts"), 824);
    assert_eq!(count("SELECT count(DISTINCT _source_row) FROM event_parts"), 664);
    let gaps = "SELECT count(*) FROM (SELECT stepId, max(idx) + 1 - count(*) AS gap FROM \
                event_parts GROUP BY stepId) WHERE gap <> 0";
    assert_eq!(count(gaps), 0);
    let said = place.run(&["report", &bundle]).ends(0).stdout;
    let parts = said.lines().find(|line| line.contains("story_parts")).expect("its equation");
    let figures: Vec<&str> = parts.split_whitespace().skip(1).collect();
    assert_eq!(figures, ["707", "664", "0", "0", "43"], "{said}");
    let again = place.run(&["import", &bundle, "--json"]).ends(0).json();
    let changed = ["created", "updated"].map(|name| sum_of(&again, name));
    assert_eq!(changed, [0, 0], "{again}");
}

/// The sum of all numbers of a name, however deep they stand.
fn sum_of(value: &Value, name: &str) -> u64 {
    match value {
        Value::Object(members) => members
            .iter()
            .map(
                |(key, value)| {
                    if key == name { value.as_u64().unwrap_or(0) } else { sum_of(value, name) }
                },
            )
            .sum(),
        Value::Array(items) => items.iter().map(|item| sum_of(item, name)).sum(),
        _ => 0,
    }
}

#[test]
fn a_contract_goes_by_its_name() {
    let place = Place::new();
    for (args, wanted) in [
        (&["contract", "show", "--contract", "story-to-events"][..], "contract story-to-events,"),
        (&["contract", "check", "story-to-events"], "the contract `story-to-events` is sound"),
        (&["contract", "init", "--contract", "story-to-events"], "`story-to-events`"),
        (&["contract", "check"], "the contract `story-to-thread` is sound"),
    ] {
        let output = place.run(args).ends(0);
        assert!(output.stdout.contains(wanted), "{}", output.stdout);
    }
    let error = place.run(&["contract", "check", "story-to-event"]).ends(2).stderr;
    assert!(error.contains("`story-to-thread` or `story-to-events`"), "{error}");
    // A file of that name is named by its path.
    place.write("story-to-events", "nonsense");
    place.run(&["contract", "check", "./story-to-events"]).ends(2);
}
