//! `rethread explain`: what became of one row, and why.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use arrow::array::{Array, AsArray};
use arrow::datatypes::Int64Type;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rethread::explain::{Answer, Files, Outcome, explain};
use rethread::resources::Resources;
use serde_json::{Value, json};

use crate::data;
use crate::generator::{Kind, Links, Options, generate};
use crate::support::{Place, fixture};

const FREE: [&str; 2] = ["--set", "rollout.max_quarantined=any"];

fn run(place: &Place, source: &str) -> String {
    let output = place.run(&[&["run", source, "--json"], &FREE[..]].concat()).ends(0);
    output.json()["bundle"].as_str().expect("a folder").to_owned()
}

/// Runs the sound dataset after `spoil`.
fn spoilt(spoil: impl FnOnce(&mut Value)) -> (Place, String) {
    let place = Place::new();
    let mut app = data::sound();
    spoil(&mut app);
    place.write("app.json", app.to_string());
    let bundle = run(&place, "app.json");
    (place, bundle)
}

fn answer(place: &Place, id: &str) -> Value {
    place.run(&["explain", id, "--json"]).ends(0).json()["answer"].clone()
}

fn id(kind: u32, at: u32) -> String {
    format!("00000000-0000-4000-8000-{kind:04}{at:08}")
}

/// Texts and whole numbers of a Parquet file, as text.
fn table(path: &Path, names: &[&str]) -> Vec<Vec<Option<String>>> {
    let Ok(file) = std::fs::File::open(path) else { return Vec::new() };
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("Parquet").build();
    let mut rows = Vec::new();
    for batch in reader.expect("a reader") {
        let batch = batch.expect("a batch");
        for row in 0..batch.num_rows() {
            let value = |name: &&str| {
                let column = batch.column_by_name(name).expect("a column");
                let there = column.is_valid(row);
                there.then(|| match column.as_primitive_opt::<Int64Type>() {
                    Some(numbers) => numbers.value(row).to_string(),
                    None => column.as_string::<i32>().value(row).to_owned(),
                })
            };
            rows.push(names.iter().map(value).collect());
        }
    }
    rows
}

/// What the files of a bundle say of every row of a snapshot: outcome and rule, by entity and row.
fn outcomes(bundle: &Path, snapshot: &Path) -> BTreeMap<(String, i64), (Option<String>, String)> {
    let text = std::fs::read_to_string(bundle.join("data/bundle.json")).expect("a file");
    let meta: Value = serde_json::from_str(&text).expect("JSON");
    let mut found = BTreeMap::new();
    for equation in meta["equations"].as_array().expect("equations") {
        let entity = equation["source"].as_str().expect("a name");
        let row = |row: &[Option<String>], at: usize| -> i64 {
            row[at].as_ref().expect("a row").parse().expect("a number")
        };
        let own = snapshot.join(format!("data/tables/{entity}.parquet"));
        for line in table(&own, &["id", "_row"]) {
            let outcome = (line[0].clone(), "migrated".to_owned());
            found.insert((entity.to_owned(), row(&line, 1)), outcome);
        }
        let merged = bundle.join(format!("data/merged/{entity}.parquet"));
        for line in table(&merged, &["_row"]) {
            found.get_mut(&(entity.to_owned(), row(&line, 0))).expect("a row").1 = "merged".into();
        }
        let dropped = bundle.join(format!("data/dropped/{entity}.parquet"));
        for line in table(&dropped, &["_row"]) {
            found.get_mut(&(entity.to_owned(), row(&line, 0))).expect("a row").1 = "dropped".into();
        }
        let aside = bundle.join(format!("data/quarantine/{entity}.parquet"));
        for line in table(&aside, &["_row", "_rule"]) {
            let rule = line[1].clone().expect("a rule");
            found.get_mut(&(entity.to_owned(), row(&line, 0))).expect("a row").1 = rule;
        }
        let count = |is: &dyn Fn(&str) -> bool| {
            let rows = found.iter().filter(|((name, _), _)| name == entity);
            rows.filter(|(_, (_, outcome))| is(outcome)).count() as u64
        };
        assert_eq!(equation["migrated"], count(&|outcome| outcome == "migrated"));
        assert_eq!(equation["merged"], count(&|outcome| outcome == "merged"));
        assert_eq!(equation["quarantined"], count(&|outcome| outcome.contains(' ')));
    }
    found
}

fn outcome_of(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Quarantined { rule, .. } => rule.clone(),
        other => other.name().to_owned(),
    }
}

/// Asks for every legacy id, and compares what is told of every row with the bundle's own files.
fn every_id(bundle: &Path, snapshot: &Path, with_snapshot: bool) {
    let files = Files::open(bundle, with_snapshot.then_some(snapshot)).expect("a bundle");
    let expected = outcomes(bundle, snapshot);
    let ids: BTreeSet<&String> = expected.values().filter_map(|(id, _)| id.as_ref()).collect();
    let mut told = BTreeMap::new();
    for id in ids {
        let answer: Answer = explain(&files, id, &Resources::default()).expect("an answer");
        assert!(answer.is_known(), "{id}");
        for row in answer.legacy {
            told.insert((row.entity.clone(), row.place.row), outcome_of(&row.outcome));
            if let Outcome::Quarantined { rule, causes, .. } = &row.outcome {
                assert_eq!(rule.ends_with(" migrated"), !causes.is_empty(), "{id}: {rule}");
                assert!(causes.last().is_none_or(|root| !root.rule.ends_with(" migrated")), "{id}");
            }
        }
    }
    for (row, (id, outcome)) in &expected {
        if id.is_some() {
            assert_eq!(told.get(row), Some(outcome), "{row:?} {id:?}");
        }
    }
}

#[test]
fn every_legacy_id_of_a_dirty_set_goes_where_the_bundle_says() {
    let place = Place::new();
    let made = Options {
        kind: Kind::Dataset,
        parts: 150,
        seed: 23,
        dirty: 0.25,
        links: Links::Scalar,
        payload_percent: 20,
        shuffle: None,
        plain: false,
        sample: false,
        out: place.path("dirty.json"),
        key: None,
    };
    generate(&made).expect("generated");
    let bundle = place.path(&run(&place, "dirty.json"));
    every_id(&bundle, &place.path("snapshots/dirty"), true);
}

#[test]
fn every_legacy_id_of_the_sample_goes_where_the_bundle_says() {
    let place = Place::new();
    let bundle = place.path(&run(&place, &fixture("sample-backup.zip")));
    let snapshot = place.path("snapshots/sample-backup");
    let files = Files::open(&bundle, Some(&snapshot)).expect("a bundle");
    let expected = outcomes(&bundle, &snapshot);
    // One of forty rows, of every table.
    for ((entity, row), (id, outcome)) in expected.iter().step_by(40) {
        let Some(id) = id else { continue };
        let answer = explain(&files, id, &Resources::default()).expect("an answer");
        let found = answer.legacy.iter().find(|it| it.entity == *entity && it.place.row == *row);
        let found = found.expect("the row is told");
        assert_eq!(&outcome_of(&found.outcome), outcome, "{id}");
        let Outcome::Migrated { rows } = &found.outcome else { continue };
        // Back from what it became.
        for made in rows {
            let back = explain(&files, &made.id, &Resources::default()).expect("an answer");
            assert!(back.legacy.iter().any(|it| it.entity == *entity && it.place.row == *row));
        }
    }
}

#[test]
fn a_row_is_told_value_by_value() {
    let (place, _) = spoilt(|app| {
        let text = app.to_string().replace(&id(2, 1), "evt_1");
        *app = serde_json::from_str(&text).expect("JSON");
        app["story_executions"][0]["status"] = json!("RUNNING");
        app["story_executions"][0].as_object_mut().expect("a row").remove("workflowRunId");
        app["story_executions"][0]["runId"] = json!("r1");
    });
    let told = place.run(&["explain", &id(3, 1)]).ends(0).stdout;
    let told = told.lines().filter(|line| !line.starts_with("0000")).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(told, @r#"

    story_executions 00000000-0000-4000-8000-000300000001
      stands in row 0 of the export `app.json` (element 1)
        createdAt          2026-03-01T10:00:01.000000Z
        status             "RUNNING"
        runId              "r1"
        context            "00000000-0000-4000-8000-000100000001"
        trigger            "evt_1"
        reaction           "00000000-0000-4000-8000-000200000002"
      migrated
        -> thread_executions 00000000-0000-4000-8000-000300000001, row 0
          id                 kept: id
          createdAt          2026-03-01T10:00:01.000000Z <- createdAt
          updatedAt          none: updatedAt
          status             "executing" <- status = "RUNNING" (repair: value folded)
          workflowRunId      "r1" <- runId (repair: from runId)
          context            -> thread_contexts 00000000-0000-4000-8000-000100000001 <- context
          thread             -> thread_threads 6d448ae9-8a6c-5f9f-8256-c4e89a813c8e <- context.thread
          trigger            -> thread_items 45103715-3352-538d-9322-8bfba298a7a5 <- trigger = evt_1
          reaction           -> thread_items 00000000-0000-4000-8000-000200000002 <- reaction
          linked from 1 row of thread_contexts by currentExecution
          linked from 2 rows of thread_items by execution
          linked from 1 row of thread_steps by execution
          the only row by createdAt, id

    searched: 15 rows in 26 files
    note: the seals were not checked; `rethread check` and `rethread verify` do that
    "#);
    // An id that is no UUID, forward, and back from what it became.
    let forward = answer(&place, "evt_1");
    let made = &forward["legacy"][0]["outcome"]["rows"][0];
    assert_eq!(made["id_is"], "mapped");
    let back = answer(&place, made["id"].as_str().expect("an id"));
    assert_eq!(back["legacy"], forward["legacy"]);
    assert_eq!(back["legacy"][0]["id"], "evt_1");
    assert_eq!(back["legacy"][0]["place"]["at"], json!(["element", 1]));
    // A context and its thread derive from one row.
    let context = answer(&place, &id(1, 1));
    let rows = context["legacy"][0]["outcome"]["rows"].as_array().expect("rows").clone();
    assert_eq!(rows[0]["entity"], "thread_threads");
    assert_eq!(rows[0]["id_is"], "derived");
    assert_eq!(rows[1]["entity"], "thread_contexts");
    let thread = answer(&place, rows[0]["id"].as_str().expect("an id"));
    assert_eq!(thread["legacy"], context["legacy"]);
}

#[test]
fn every_kind_of_absence_is_explained() {
    let (place, bundle) = spoilt(|app| {
        let mut part = app["story_parts"][0].clone();
        app["story_parts"].as_array_mut().expect("rows").push(part.clone());
        part["part"] = json!("other");
        app["story_parts"].as_array_mut().expect("rows").push(part);
        let orphan = json!({ "id": id(3, 9), "createdAt": 1, "status": "failed" });
        app["story_executions"].as_array_mut().expect("rows").push(orphan);
        let step = json!({ "id": id(4, 9), "createdAt": 1, "iteration": 0, "execution": id(3, 9),
                           "eventId": id(2, 1) });
        app["story_steps"].as_array_mut().expect("rows").push(step);
        let part = json!({ "id": id(5, 9), "idx": 0, "step": id(4, 9) });
        app["story_parts"].as_array_mut().expect("rows").push(part);
        app["context_contexts"][0]["currentExecution"] = json!(id(3, 77));
        app["thread_threads"] = json!([{ "id": id(9, 1), "createdAt": 1, "key": "ctx-1" }]);
    });
    let part = answer(&place, &id(5, 9));
    let outcome = &part["legacy"][0]["outcome"];
    assert_eq!(outcome["became"], "quarantined");
    assert_eq!(outcome["rule"], "thread_parts.step migrated");
    let causes = outcome["causes"].as_array().expect("causes");
    let ids: Vec<&Value> = causes.iter().map(|cause| &cause["id"]).collect();
    assert_eq!(ids, [&json!(id(4, 9)), &json!(id(3, 9))]);
    assert_eq!(causes[1]["rule"], "thread_executions.context required");

    let twice = answer(&place, &id(5, 1));
    let rows = twice["legacy"].as_array().expect("rows");
    let became: Vec<&str> =
        rows.iter().map(|row| row["outcome"]["became"].as_str().expect("a word")).collect();
    assert_eq!(became.len(), 3, "{became:?}");
    let of = |wanted: &str| rows.iter().find(|row| row["outcome"]["became"] == wanted);
    let (made, merged) = (of("migrated"), of("merged"));
    let quarantined = of("quarantined").expect("the other one");
    assert_eq!(quarantined["outcome"]["rule"], "thread_parts.id unique");
    let kept = &quarantined["outcome"]["kept"];
    assert_eq!(kept["entity"], "story_parts");
    if let (Some(made), Some(merged)) = (made, merged) {
        assert_eq!(merged["outcome"]["winner"]["row"], made["place"]["row"]);
        assert_eq!(kept["row"], made["place"]["row"]);
    }

    let context = answer(&place, &id(1, 1));
    let dropped = &context["legacy"][0]["dropped_links"][0];
    assert_eq!([&dropped["label"], &dropped["to"]], ["currentExecution", &id(3, 77)]);
    let rows = context["legacy"][0]["outcome"]["rows"].as_array().expect("rows");
    assert_eq!([&rows[0]["id_is"], &rows[0]["id"]], ["existing", &id(9, 1)]);
    // The thread that was there before leads to the context that stands on it.
    let thread = answer(&place, &id(9, 1));
    assert_eq!(thread["existing"][0]["entity"], "thread_threads");
    assert_eq!(thread["legacy"][0]["id"], id(1, 1));

    // Of an id that no row has, the links that name it.
    let output = place.run(&["explain", &id(3, 77), "--json"]).ends(1);
    assert_eq!(output.json()["answer"]["named_by"][0]["from"], id(1, 1));
    assert!(output.stderr.contains("no row has the id"), "{}", output.stderr);
    let output = place.run(&["explain", "nobody", &bundle]).ends(1);
    assert!(output.stdout.contains("no row has this id"), "{}", output.stdout);

    // Without the snapshot: what became of it, not what it was.
    std::fs::rename(place.path("snapshots/app"), place.path("moved")).expect("a move");
    let blind = answer(&place, &id(3, 1));
    assert_eq!(blind["snapshot"], Value::Null);
    assert_eq!(blind["legacy"][0]["values"], Value::Null);
    assert_eq!(blind["legacy"][0]["id"], id(3, 1));
    assert!(blind["notes"][1].as_str().expect("a note").contains("is not there"));
    let seen = place.run(&["explain", &id(3, 1), "--snapshot", "moved", "--json"]).ends(0).json();
    assert_eq!(seen["answer"]["legacy"][0]["id"], id(3, 1));
}

#[test]
fn a_row_that_became_several_and_one_that_a_rule_drops() {
    let place = Place::new();
    let mut app = data::sound();
    let step = app["story_steps"][0]["id"].clone();
    let tool = json!({ "type": "tool-web-search", "state": "output-available", "toolCallId": "c1",
                       "input": { "q": 1 }, "output": [] });
    let start = json!({ "type": "step-start" });
    for (at, part) in [(3, tool), (4, start)] {
        let row = json!({ "id": id(5, at), "idx": at, "step": step, "part": part });
        app["story_parts"].as_array_mut().expect("rows").push(row);
    }
    place.write("app.json", app.to_string());
    let rules = ["--contract", "story-to-events", "--json"];
    let output = place.run(&[&["run", "app.json"], &rules[..], &FREE[..]].concat()).ends(0).json();
    let bundle = place.path(output["bundle"].as_str().expect("a folder"));
    every_id(&bundle, &place.path("snapshots/app"), true);
    every_id(&bundle, &place.path("snapshots/app"), false);
    let part = answer(&place, &id(5, 3));
    let rows = part["legacy"][0]["outcome"]["rows"].as_array().expect("rows").clone();
    assert_eq!(rows.len(), 2);
    assert_eq!([&rows[0]["id_is"], &rows[1]["id_is"]], ["kept", "derived"]);
    let from = |row: &Value, attr: &str| {
        let steps = row["attrs"].as_array().expect("steps").iter();
        let step = steps.clone().find(|step| step["attr"] == attr).expect("a step");
        step["from"].as_str().expect("a place").to_owned()
    };
    assert!(from(&rows[1], "part").starts_with("the case \"tool-*\" when state is"), "{part}");
    assert!(from(&rows[1], "idx").starts_with("numbered from 0 within step"), "{part}");
    // Back from the second of the rows.
    let back = answer(&place, rows[1]["id"].as_str().expect("an id"));
    assert_eq!(back["legacy"], part["legacy"]);
    let dropped = answer(&place, &id(5, 4));
    assert_eq!(dropped["legacy"][0]["outcome"]["became"], "dropped");
    let rule = dropped["legacy"][0]["outcome"]["rule"].as_str().expect("a rule");
    assert!(rule.contains("step-start"), "{rule}");
    let step = answer(&place, step.as_str().expect("an id"));
    assert!(step["legacy"][0]["homeless"].to_string().contains("eventId"), "{step}");
}

#[test]
fn the_bundle_is_named_where_there_are_several() {
    let (place, _) = spoilt(|_| {});
    place.write("more.json", data::with_an_orphan().to_string());
    run(&place, "more.json");
    let told = place.run(&["explain", &id(1, 1)]).ends(2).stderr;
    assert!(told.contains("there are 2 bundles"), "{told}");
    let told = place.run(&["explain", &id(1, 1), "--out", "none"]).ends(2).stderr;
    assert!(told.contains("there is no bundle"), "{told}");
}

#[test]
fn hostile_values_are_inert_and_cut() {
    let hostile = "\u{1b}]0;x\u{7}\u{202e}</style><script>alert(1)</script>\u{9b}31m\n=cmd()";
    let odd = "evt\u{1b}[2J\u{202e}\u{61c}<img onerror=x>";
    let (place, _) = spoilt(|app| {
        app["context_contexts"][0]["key"] = json!(hostile);
        app["context_contexts"][0]["content"] = json!({ "title": hostile.repeat(2000) });
        let text = app.to_string();
        let odd = serde_json::to_string(odd).expect("JSON");
        let text = text.replace(&format!("\"{}\"", id(2, 1)), &odd);
        *app = serde_json::from_str(&text).expect("JSON");
    });
    let steers = |c: char| c != '\n' && rethread::error::steers(c);
    for id in [id(1, 1), odd.to_owned(), id(3, 1), format!("{odd}?")] {
        for json in [&[][..], &["--json"]] {
            let output = place.run(&[&["explain", id.as_str()], json].concat());
            let said = format!("{}{}", output.stdout, output.stderr);
            assert!(!said.chars().any(steers), "{said}");
            assert!(said.len() < 20_000, "{} bytes", said.len());
        }
    }
    let context = answer(&place, &id(1, 1));
    let values = context["legacy"][0]["values"].as_array().expect("values").clone();
    let content = values.iter().find(|field| field["name"] == "content").expect("a value");
    assert!(content["value"]["bytes"].as_u64().expect("a size") > 100_000);
    assert_eq!(content["value"]["sha256"].as_str().map(str::len), Some(64));
}
