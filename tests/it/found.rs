//! Sources that once went wrong, each with where its rows must go. Every run verifies its bundle, so
//! a row or link that is lost, doubled or misplaced fails here too.

use serde_json::{Value, json};

use crate::support::Place;

const CONTEXT: &str = "00000001-0000-4000-8000-000000000001";
const OTHER: &str = "00000001-0000-4000-8000-000000000002";
const EVENT: &str = "00000002-0000-4000-8000-000000000001";
const EXECUTION: &str = "00000003-0000-4000-8000-000000000001";
const STEP: &str = "00000004-0000-4000-8000-000000000001";
const THREAD: &str = "00000009-0000-4000-8000-000000000001";
const DAY: &str = "2026-01-01";

fn run(name: &str, rows: &Value) -> Value {
    let place = Place::new();
    let mut app = json!({
        "context_contexts": [], "context_events": [], "story_executions": [], "story_steps": [],
        "story_parts": [],
    });
    for (entity, rows) in rows.as_object().expect("entities") {
        app[entity] = rows.clone();
    }
    // Pretty, so that line breaks stand between the tokens of every value.
    let text = serde_json::to_string_pretty(&app).expect("JSON");
    place.write("app.json", text);
    let free = ["run", "app.json", "--set", "rollout.max_quarantined=any", "--json"];
    let output = place.run(&free);
    assert_eq!(output.code, 0, "{name}: {}", output.stderr);
    output.json()["result"].clone()
}

/// Checks `migrated, merged, quarantined` of some legacy tables.
fn check(name: &str, rows: &Value, expected: &[(&str, [u64; 3])]) -> Value {
    let result = run(name, rows);
    for (entity, counts) in expected {
        let equations = result["equations"].as_array().expect("equations");
        let found = equations.iter().find(|equation| equation["source"] == *entity);
        let found = found.expect("an equation");
        let found = ["migrated", "merged", "quarantined"].map(|of| found[of].as_u64());
        assert_eq!(found, counts.map(Some), "{name}: {entity}");
    }
    result
}

/// `values, migrated, quarantined, dropped` of a link.
fn link(result: &Value, source: &str, label: &str) -> [u64; 4] {
    let links = result["links"].as_array().expect("links");
    let is_it = |link: &&Value| link["source"] == source && link["label"] == label;
    let found = links.iter().find(is_it).expect("a link");
    ["values", "migrated", "quarantined", "dropped"].map(|of| found[of].as_u64().expect("a count"))
}

#[test]
fn refused_rows_that_share_an_id_do_not_double_the_rows_that_name_it() {
    let twins = json!({
        "story_executions": [{ "id": EXECUTION }, { "id": EXECUTION }],
        "story_steps": [{ "id": STEP, "execution": EXECUTION }],
    });
    check("required", &twins, &[("story_executions", [0, 0, 2]), ("story_steps", [0, 0, 1])]);
    let twins = json!({
        "context_contexts": [{ "id": CONTEXT, "createdAt": DAY }],
        "context_events": [{ "id": EVENT }, { "id": EVENT }],
        "story_executions": [
            { "id": EXECUTION, "createdAt": DAY, "context": CONTEXT, "reaction": EVENT }
        ],
    });
    let counts = [("context_events", [0, 0, 2]), ("story_executions", [1, 0, 0])];
    let result = check("optional", &twins, &counts);
    assert_eq!(link(&result, "story_executions", "reaction"), [1, 0, 1, 0]);
}

#[test]
fn a_row_merged_into_one_that_is_refused_is_refused_with_it() {
    let rows = json!({
        "context_contexts": [
            { "id": CONTEXT, "createdAt": "2026-01-02", "key": "k" },
            { "id": CONTEXT, "createdAt": "2026-01-02", "key": "k" },
            { "id": OTHER, "createdAt": "2026-01-01", "key": "k" },
        ],
        "context_events": [{ "id": EVENT, "createdAt": DAY, "context": CONTEXT }],
    });
    let counts = [("context_contexts", [1, 0, 2]), ("context_events", [0, 0, 1])];
    check("winner refused", &rows, &counts);
}

/// An app with two parts of one id, which say `one` and `other` of themselves.
pub(crate) fn twins(one: &Value, other: &Value) -> Value {
    let of = |said: &Value| {
        let mut part = json!({ "id": "00000005-0000-4000-8aaa-000000000001", "idx": 0, "key": "a",
                               "part": { "t": 1 } });
        part.as_object_mut().expect("a row").extend(said.as_object().expect("members").clone());
        part
    };
    let event = |id: &str| json!({ "id": id, "createdAt": DAY, "context": CONTEXT });
    json!({
        "context_contexts": [{ "id": CONTEXT, "createdAt": DAY }],
        "context_events": [event(EVENT)],
        "story_executions": [
            { "id": EXECUTION, "createdAt": DAY, "context": CONTEXT, "trigger": EVENT }
        ],
        "story_steps": [
            { "id": STEP, "createdAt": DAY, "execution": EXECUTION, "eventId": EVENT },
            { "id": "7", "createdAt": DAY, "execution": EXECUTION, "eventId": EVENT },
        ],
        "story_parts": [of(one), of(other)],
    })
}

#[test]
fn duplicates_that_spell_a_link_or_an_id_in_another_way_are_merged() {
    for (name, one, other) in [
        ("an attribute", json!({ "step": STEP }), json!({ "stepId": STEP })),
        ("both", json!({ "step": STEP, "stepId": STEP }), json!({ "step_id": STEP })),
        ("an object", json!({ "step": STEP }), json!({ "step": [{ "id": STEP }] })),
        ("a number", json!({ "stepId": 7, "m": [1] }), json!({ "step": "7", "m": [1] })),
        (
            "capitals",
            json!({ "step": STEP }),
            json!({ "step": STEP, "id": "00000005-0000-4000-8AAA-000000000001" }),
        ),
        ("a blank", json!({ "step": STEP, "stepId": " " }), json!({ "step": STEP })),
    ] {
        check(name, &twins(&one, &other), &[("story_parts", [1, 1, 0])]);
    }
    for (name, one, other) in [
        ("another step", json!({ "step": STEP }), json!({ "stepId": "7" })),
        ("a second id", json!({ "step": STEP }), json!({ "step": STEP, "stepId": "7" })),
        (
            "what is not declared",
            json!({ "step": STEP, "m": 1 }),
            json!({ "stepId": STEP, "m": 2 }),
        ),
        ("a value", json!({ "step": STEP }), json!({ "stepId": STEP, "type": "x" })),
        ("a payload", json!({ "step": STEP }), json!({ "stepId": STEP, "part": { "t": 2 } })),
        ("a misfit", json!({ "step": STEP }), json!({ "stepId": STEP, "type": 5 })),
    ] {
        check(name, &twins(&one, &other), &[("story_parts", [1, 0, 1])]);
    }
}

#[test]
fn links_that_no_row_takes_up_are_counted() {
    let rows = json!({
        "context_contexts": [
            { "id": CONTEXT, "createdAt": DAY },
            { "id": OTHER, "createdAt": DAY, "events": [EVENT, STEP] },
        ],
        "context_events": [
            { "id": EVENT, "createdAt": DAY, "context": CONTEXT, "contextId": THREAD }
        ],
    });
    let result = check("sides disagree", &rows, &[("context_events", [1, 0, 0])]);
    assert_eq!(link(&result, "context_contexts", "events"), [2, 0, 0, 2]);
    let rows = json!({
        "context_contexts": [{ "id": CONTEXT, "createdAt": DAY, "events": [EVENT, {}] }],
        "context_events": [{ "id": EVENT, "createdAt": DAY }],
    });
    let counts = [("context_contexts", [0, 0, 1]), ("context_events", [1, 0, 0])];
    check("a list that does not fit refuses its holder", &rows, &counts);
}

#[test]
fn a_stated_link_is_not_given_to_a_row_that_only_might_have_it() {
    let rows = json!({
        "context_contexts": [
            { "id": CONTEXT, "createdAt": DAY },
            { "id": OTHER, "createdAt": DAY, "currentExecution": EXECUTION },
        ],
        "story_executions": [{ "id": EXECUTION, "createdAt": DAY, "context": CONTEXT }],
    });
    let result = check("holders", &rows, &[("context_contexts", [2, 0, 0])]);
    assert_eq!(link(&result, "context_contexts", "currentExecution"), [1, 1, 0, 0]);
    let repairs = result["repairs"].as_array().expect("repairs");
    assert!(repairs.iter().all(|repair| repair["attr"] != "currentExecution"), "{repairs:?}");
}

#[test]
fn a_blank_id_does_not_hide_the_next_place() {
    let rows = json!({
        "context_contexts": [{ "id": CONTEXT, "createdAt": DAY }],
        "context_events": [{ "id": EVENT, "createdAt": DAY, "context": CONTEXT }],
        "story_executions": [
            { "id": EXECUTION, "createdAt": DAY, "context": CONTEXT, "trigger": EVENT }
        ],
        "story_steps": [
            { "id": STEP, "createdAt": DAY, "execution": EXECUTION, "eventId": " ",
              "triggerEventId": EVENT }
        ],
    });
    check("blank", &rows, &[("story_steps", [1, 0, 0])]);
}

#[test]
fn different_legacy_ids_never_become_one_target_id() {
    let rows = json!({
        "context_contexts": [{ "id": CONTEXT, "createdAt": DAY }],
        "context_events": [{ "id": EVENT, "createdAt": DAY, "context": CONTEXT }],
        "story_executions": [
            { "id": EXECUTION, "createdAt": DAY, "context": CONTEXT, "trigger": EVENT }
        ],
        "story_steps": [
            { "id": STEP, "createdAt": DAY, "execution": EXECUTION, "eventId": EVENT }
        ],
        "story_parts": [
            { "id": format!("{STEP}:0"), "step": STEP, "idx": 1 },
            { "step": STEP, "idx": 0 },
        ],
    });
    check("mapped and derived", &rows, &[("story_parts", [1, 0, 1])]);
}

#[test]
fn rows_that_exist_already_are_carried_as_they_are() {
    let rows = json!({
        "thread_threads": [
            { "id": THREAD, "createdAt": 253_402_300_800_000_u64, "key": "k", "name": { "a": 1 },
              "zone": ["north", { "of": null }] },
        ],
        "thread_contexts": [
            { "id": CONTEXT, "createdAt": DAY, "key": "k", "thread": [{ "id": THREAD }] },
            { "id": OTHER, "createdAt": DAY, "thread": 5 },
        ],
    });
    let result = run("odd existing rows", &rows);
    assert_eq!(result["totals"]["target"], 3);
    // The plain second migration: everything is there and says the same.
    let rows = json!({
        "context_contexts": [{ "id": CONTEXT, "createdAt": DAY, "key": "k", "status": "open" }],
        "thread_threads": [
            { "id": THREAD, "createdAt": DAY, "key": "k", "name": "k", "status": "open" }
        ],
        "thread_contexts": [
            { "id": CONTEXT, "createdAt": DAY, "key": "k", "status": "open", "thread": THREAD }
        ],
    });
    check("again", &rows, &[("context_contexts", [0, 1, 0])]);
}

#[test]
fn undeclared_attributes_are_an_error_where_the_contract_says_so() {
    let text = include_str!("../../src/contract/story-to-thread.toml");
    let strict = text.replace("attrs = \"report\" ", "attrs = \"fail\" ");
    assert_ne!(text, strict);
    let place = Place::new();
    let mut app = crate::data::sound();
    app["story_parts"][0]["mood"] = json!("fine");
    place.write("app.json", app.to_string()).write("strict.toml", strict);
    let output = place.run(&["run", "app.json", "--contract", "strict.toml"]).ends(5);
    insta::assert_snapshot!(output.error(), @r#"
    error: 1 attribute of the source is not declared
      --> `story_parts.mood` in 1 row
    help: declare them in the contract, or set `unmapped.attrs = "report"`
    "#);
}
