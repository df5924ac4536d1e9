//! What holds for any data at all: nothing is lost, the order of the source does not matter, doing it
//! again changes nothing.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Map, Value, json};

use crate::support::Place;

/// An id out of a small pool, so that rows share ids and links miss: UUIDs in both cases, other
/// texts, numbers, blanks, nothing.
fn id(kind: u32) -> impl Strategy<Value = Value> {
    prop_oneof![
        12 => (0..6_u32).prop_map(move |at| json!(format!("0000000{kind}-aaaa-4000-8000-{at:012}"))),
        2 => (0..3_u32).prop_map(move |at| json!(format!("0000000{kind}-AAAA-4000-8000-{at:012}"))),
        3 => (0..3_u32).prop_map(move |at| json!(format!("legacy_{kind}_{at}"))),
        1 => (0..3_u32).prop_map(|at| json!(at)),
        2 => prop_oneof![Just(json!("  ")), Just(json!("")), Just(Value::Null), Just(json!({}))],
    ]
}

/// A link: an id, a list, an object, or nothing.
fn link(kind: u32) -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => id(kind),
        1 => id(kind).prop_map(|id| json!([id])),
        1 => id(kind).prop_map(|id| json!([{ "id": id }])),
        1 => id(kind).prop_map(|id| json!([" ", id, null])),
        1 => Just(Value::Null),
    ]
}

fn date() -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => (0..4_u32).prop_map(|at| json!(format!("2026-01-0{}T10:00:00.000Z", at + 1))),
        2 => (0..4_u32).prop_map(|at| json!(1_767_261_600_000_u64 + u64::from(at) * 86_400_000)),
        1 => Just(json!("2026-01-02 10:00:00.123456+01")),
        1 => Just(json!("yesterday")),
        1 => Just(Value::Null),
    ]
}

fn text(words: &'static [&'static str]) -> impl Strategy<Value = Value> {
    prop_oneof![
        8 => prop::sample::select(words).prop_map(|word| json!(word)),
        1 => Just(Value::Null),
        1 => Just(json!("")),
        1 => Just(json!(7)),
        1 => "\\PC{0,6}".prop_map(Value::String),
    ]
}

fn any() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!({ "title": "<script>alert(1)</script>", "n": 1.0, "b": [{}, null] })),
        Just(json!({ "title": 5, "type": "text" })),
        Just(json!("plain")),
        Just(Value::Null),
        Just(json!({ "type": "tool-x", "z": "\u{0}\u{202e}", "a": 9_007_199_254_740_993_u64 })),
    ]
}

fn number() -> impl Strategy<Value = Value> {
    prop_oneof![6 => (0..4_i32).prop_map(|at| json!(at)), 1 => Just(json!(1.5)), 1 => Just(json!("2")), 1 => Just(Value::Null)]
}

fn row(fields: Vec<(&'static str, BoxedStrategy<Value>)>) -> impl Strategy<Value = Value> {
    let (names, values): (Vec<_>, Vec<_>) = fields.into_iter().unzip();
    (values, prop::collection::vec(prop::bool::weighted(0.9), names.len())).prop_map(
        move |(values, kept)| {
            let members = names.iter().zip(values).zip(kept).filter(|(_, kept)| *kept);
            let members = members.map(|((name, value), _)| ((*name).to_owned(), value));
            Value::Object(members.collect::<Map<_, _>>())
        },
    )
}

const STATUS: &[&str] = &["open", "closed", "FAILED", "streaming", "completed", "running", "odd"];
const TYPES: &[&str] = &["user.message", "assistant.message", "input_text", "note"];

#[allow(clippy::too_many_lines, reason = "one line a field, of every table")]
fn app() -> impl Strategy<Value = Value> {
    let contexts = row(vec![
        ("id", id(1).boxed()),
        ("createdAt", date().boxed()),
        ("updatedAt", date().boxed()),
        ("key", text(&["k1", "k2", "k3", " "]).boxed()),
        ("status", text(STATUS).boxed()),
        ("content", any().boxed()),
        ("currentExecution", link(3).boxed()),
    ]);
    let events = row(vec![
        ("id", id(2).boxed()),
        ("createdAt", date().boxed()),
        ("channel", text(&["web", "email"]).boxed()),
        ("type", text(TYPES).boxed()),
        ("content", any().boxed()),
        ("context", link(1).boxed()),
        ("contextId", id(1).boxed()),
        ("execution", link(3).boxed()),
        ("contextKey", text(&["k1", "k2", "k3", " "]).boxed()),
        ("extra", any().boxed()),
    ]);
    let executions = row(vec![
        ("id", id(3).boxed()),
        ("createdAt", date().boxed()),
        ("status", text(STATUS).boxed()),
        ("runId", text(&["r1", "r2"]).boxed()),
        ("context", link(1).boxed()),
        ("contextId", id(1).boxed()),
        ("trigger", link(2).boxed()),
        ("reaction", link(2).boxed()),
    ]);
    let steps = row(vec![
        ("id", id(4).boxed()),
        ("createdAt", date().boxed()),
        ("status", text(STATUS).boxed()),
        ("iteration", number().boxed()),
        ("execution", link(3).boxed()),
        ("eventId", id(2).boxed()),
        ("triggerEventId", id(2).boxed()),
        ("reaction_event_id", id(2).boxed()),
        ("tools", any().boxed()),
    ]);
    let parts = row(vec![
        ("id", id(5).boxed()),
        ("idx", number().boxed()),
        ("type", text(&["text", "file"]).boxed()),
        ("part", any().boxed()),
        ("content", any().boxed()),
        ("stepId", id(4).boxed()),
        ("updatedAt", date().boxed()),
    ]);
    let threads = row(vec![
        (
            "id",
            (0..2_u32).prop_map(|at| json!(format!("00000009-aaaa-4000-8000-{at:012}"))).boxed(),
        ),
        ("createdAt", Just(json!(1_767_261_600_000_u64)).boxed()),
        ("key", text(&["k1"]).boxed()),
    ]);
    (
        prop::collection::vec(contexts, 0..5),
        prop::collection::vec(events, 0..8),
        prop::collection::vec(executions, 0..6),
        prop::collection::vec(steps, 0..6),
        prop::collection::vec(parts, 0..8),
        prop::collection::vec(threads, 0..2),
    )
        .prop_map(|(contexts, events, executions, steps, parts, threads)| {
            let threads: Vec<Value> = threads
                .into_iter()
                .filter(|row| row["createdAt"] != Value::Null && row["id"] != Value::Null)
                .take(1)
                .collect();
            json!({
                "context_contexts": contexts,
                "context_events": events,
                "story_executions": executions,
                "story_steps": steps,
                "story_parts": parts,
                "thread_threads": threads,
            })
        })
}

fn reversed(app: &Value) -> Value {
    let mut app = app.clone();
    for rows in app.as_object_mut().expect("entities").values_mut() {
        rows.as_array_mut().expect("rows").reverse();
    }
    app
}

fn run(place: &Place, name: &str, app: &Value) -> Value {
    let file = format!("{name}.json");
    place.write(&file, app.to_string());
    let args = ["run", &file, "--set", "rollout.max_quarantined=any", "--json"];
    let output = place.run(&args);
    // So few rows may leave a rule nothing to look at, which is no pass; but none may be violated.
    assert!(matches!(output.code, 0 | 1), "{}\n{app:#}", output.stderr);
    let result = &output.json()["result"];
    let violated = result["rules"].as_array().expect("rules").iter();
    let violated: Vec<_> = violated.filter(|rule| rule["outcome"] == "failed").collect();
    assert!(violated.is_empty(), "{violated:#?}\n{app:#}");
    let root = place.path(output.json()["bundle"].as_str().expect("a folder"));
    place.run(&["revert", root.to_str().expect("UTF-8"), "-q"]).ends(0);
    let text = std::fs::read_to_string(root.join("data/bundle.json")).expect("a description");
    serde_json::from_str(&text).expect("JSON")
}

fn check(app: &Value) {
    let place = Place::new();
    let meta = run(&place, "app", app);
    for equation in meta["equations"].as_array().expect("equations") {
        let count = |name: &str| equation[name].as_u64().expect("a count");
        let rows = app[equation["source"].as_str().expect("a name")].as_array().map_or(0, Vec::len);
        assert_eq!(count("rows"), rows as u64, "{equation}");
        let went = count("migrated") + count("merged") + count("quarantined");
        assert_eq!(count("rows"), went, "{equation}");
    }
    let again = run(&place, "app", app);
    assert_eq!(meta, again, "doing it again");
    let other = run(&place, "reversed", &reversed(app));
    let digests = |meta: &Value| -> Vec<Value> {
        let tables = meta["tables"].as_array().expect("tables").iter();
        tables.map(|table| json!([table["entity"], table["rows"], table["digest"]])).collect()
    };
    assert_eq!(digests(&meta), digests(&other), "the order of the source: {app:#}");
    for part in ["equations", "repairs", "quarantine", "mapped_ids", "link_equations"] {
        assert_eq!(meta[part], other[part], "{part}: {app:#}");
    }
}

/// Each case runs the program four times and verifies every bundle.
#[test]
fn nothing_is_lost_whatever_the_data() {
    let cases = std::env::var("RETHREAD_TEST_CASES").ok().and_then(|text| text.parse().ok());
    let config =
        Config { cases: cases.unwrap_or(12), failure_persistence: None, ..Config::default() };
    // The same cases every time; more of them with `RETHREAD_TEST_CASES`.
    let chance = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, chance);
    let outcome = runner.run(&app(), |app| {
        check(&app);
        Ok(())
    });
    outcome.expect("holds for all");
}
