//! What holds in a snapshot, one fault a case.

use serde_json::{Value, json};

use super::rows;
use crate::data;
use crate::support::Place;

/// The invariants that do not hold in a dataset: entity, what should hold, evidence.
fn broken(place: &Place, app: &Value) -> Vec<String> {
    drop(std::fs::remove_dir_all(place.path("snapshots")));
    place.write("app.json", app.to_string()).run(&["export", "app.json"]).ends(0);
    let args = ["contract", "render", "--snapshot", "snapshots/app", "--json"];
    let json = place.run(&args).ends(0).json();
    let found = rows(&json["document"], 2, 4).into_iter();
    let found = found.filter(|row| row[3].starts_with("⚠ does not hold"));
    found.map(|row| format!("{} {}: {}", row[0], row[1], row[2])).collect()
}

/// A name, what is spoilt in a sound dataset, and which invariant then does not hold.
type Case = (&'static str, fn(&mut Value), &'static str);

const CASES: [Case; 9] = [
    (
        "an id twice",
        |app| {
            let event = app["context_events"][1].clone();
            app["context_events"].as_array_mut().expect("rows").push(event);
        },
        "`context_events` every row has an id of its own: 2 different ids in 3 rows",
    ),
    (
        "no required date",
        |app| app["story_executions"][0]["createdAt"] = Value::Null,
        "`story_executions` `createdAt` is there: in 0 of 1 row",
    ),
    (
        "no first source",
        |app| drop(app["story_steps"][0].as_object_mut().expect("a row").remove("iteration")),
        "`story_steps` `iteration` is there, first source of what the target requires: in 0 of 1 row",
    ),
    (
        "a link to nowhere",
        |app| {
            app["story_executions"][0]["reaction"] = json!("00000000-0000-4000-8000-0002000000ff");
        },
        "`story_executions` `reaction` leads to a row of `context_events`: 0 of 1 value lead to a row; \
             0 rows without one",
    ),
    (
        "a gap",
        |app| app["story_parts"][1]["idx"] = json!(2),
        "`story_parts` `idx` counts from 0 without a gap or a repeat within `step`: in 0 of 1 group \
             with 2 rows",
    ),
    (
        "a repeat",
        |app| app["story_parts"][1]["idx"] = json!(0),
        "`story_parts` `idx` counts from 0 without a gap or a repeat within `step`: in 0 of 1 group \
             with 2 rows",
    ),
    (
        "a key twice",
        |app| app["story_parts"][1]["key"] = app["story_parts"][0]["key"].clone(),
        "`story_parts` no two rows share a `key`: 1 different values in 2 rows",
    ),
    (
        "a status nobody lists",
        |app| app["story_steps"][0]["status"] = json!("odd"),
        "`story_steps` `status` is a value that the contract lists: 0 of 1 value; 0 rows without one",
    ),
    (
        "a value of another type",
        |app| app["story_steps"][0]["continueLoop"] = json!("perhaps"),
        "`story_steps` values are of their declared types: other types: `continueLoop` in 1 row",
    ),
];

#[test]
fn a_fault_breaks_its_invariant_and_no_other() {
    let place = Place::new();
    assert_eq!(broken(&place, &data::sound()), Vec::<String>::new());
    let step = data::sound()["story_steps"][0]["id"].clone();
    for (name, spoil, expected) in CASES {
        let mut app = data::sound();
        spoil(&mut app);
        let found = broken(&place, &app);
        assert!(found.len() == 1 && found[0].starts_with(expected), "{name}: {found:#?}");
    }
    // A link that the scalar alone holds counts, and so does one of another case.
    let mut app = data::sound();
    let upper = step.as_str().expect("an id").to_uppercase();
    app["story_parts"][0]["step"] = json!(upper);
    app["story_parts"][1].as_object_mut().expect("a row").remove("step");
    assert_eq!(broken(&place, &app), Vec::<String>::new());
}

#[test]
fn another_contract_needs_no_other_code() {
    let renamed = |text: &str| {
        let names =
            [("story_", "old_"), ("context_", "older_"), ("thread_", "new_"), ("idx", "nth")];
        names.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
    };
    let place = Place::new();
    place.write("other.toml", renamed(rethread::contract::BUILT_IN));
    place.write("app.json", renamed(&data::with_an_orphan().to_string()));
    let more = ["--contract", "other.toml", "--set", "rollout.max_quarantined=any"];
    let root = super::bundle(&place, "app.json", &more);
    let text = std::fs::read_to_string(place.path(&root).join("data/CONTRACT.md")).expect("it");
    for name in ["story_", "context_", "thread_", "idx"] {
        assert!(!text.contains(name), "{name}\n{text}");
    }
    for said in [
        "| `old_parts` | `nth` counts from 0 without a gap or a repeat within `step` | in 1 of 1 group \
         with 2 rows | holds |",
        "| `old_executions` | 2 | 1 migrated, 0 merged, 1 quarantined | holds |",
        "| Quarantined rows | any number; there are 1, within it |",
    ] {
        assert!(text.contains(said), "{said}\n{text}");
    }
}

#[test]
fn links_of_the_other_side_are_looked_at_too() {
    let place = Place::new();
    let mut app = data::sound();
    for part in app["story_parts"].as_array_mut().expect("rows") {
        let part = part.as_object_mut().expect("a row");
        part.remove("step");
        part.remove("stepId");
    }
    let ids = ["00000000-0000-4000-8000-000500000001", "00000000-0000-4000-8000-0005000000ff"];
    app["story_steps"][0]["parts"] = json!(ids);
    let found = broken(&place, &app);
    let expected = "`story_parts` `step` leads to a row of `story_steps`: 1 of 2 values lead to a row, 2 \
                    of them held by the other side or by lists";
    assert_eq!(found, [expected]);
}

#[test]
fn rules_that_split_rows_are_told_with_their_counts() {
    let place = Place::new();
    let mut app = data::sound();
    app["story_parts"][0]["part"] = json!({ "type": "tool-search", "state": "output-available", "toolCallId": "c", "output": 1 });
    app["story_parts"][1]["part"] = json!({ "type": "step-start" });
    place.write("app.json", app.to_string());
    place.run(&["export", "app.json", "--contract", "story-to-events"]).ends(0);
    let args = ["transform", "snapshots/app", "--contract", "story-to-events"];
    let root = place.run(&args).ends(0).stdout;
    let text = std::fs::read_to_string(place.path(root.trim_end()).join("data/CONTRACT.md"));
    let text = text.expect("a document");
    for said in [
        "| `story_parts` | 2 | 1 migrated, 0 merged, 0 quarantined, 1 dropped by rule | holds |",
        "- 1 row of `story_parts` became 2 rows of `event_parts`",
        "- `story_parts.key` has no home in the target: ",
        "- `idx` is numbered from 0 within step by idx, id of the legacy row",
        "\"step-start\": no row: dropped by rule",
    ] {
        assert!(text.contains(said), "{said}\n{text}");
    }
}
