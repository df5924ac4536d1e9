//! An app as a user has it goes through, and its first screen says in a few lines what to know: attributes,
//! links and entities of its own, users, a file, rules, one message that was deleted.
#![allow(clippy::unwrap_used, reason = "a test that cannot read its own rows has failed")]

use std::io::Write as _;
use std::path::Path;

use serde_json::{Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::support::{Output, Place};

/// A UUID as an app makes them; `kind` is the entity's number.
fn id(kind: u32, at: u32) -> String {
    let mixed = (kind * 100 + at).wrapping_mul(2_654_435_761).rotate_left(at % 31);
    format!("{mixed:08x}-0000-4000-8000-{kind:04}{at:08}")
}

fn at(minute: u32, second: u32) -> String {
    format!("2026-05-04T09:{minute:02}:{second:02}.000Z")
}

const USER: u32 = 1;
const FILE: u32 = 2;
const PROJECT: u32 = 3;
const TODO: u32 = 4;
const CONTEXT: u32 = 5;
const EVENT: u32 = 6;
const EXECUTION: u32 = 7;
const STEP: u32 = 8;
const PART: u32 = 9;

/// The event that somebody deleted: rows still name it by their attributes.
fn deleted() -> String {
    id(EVENT, 99)
}

/// The entities with their rows; a row's first member is its id.
fn entities() -> Vec<(&'static str, Vec<Value>)> {
    vec![
        (
            "$users",
            vec![
                json!({"id": id(USER, 1), "email": "ana@example.org", "type": "user"}),
                json!({"id": id(USER, 2), "email": "bo@example.org", "type": "user"}),
            ],
        ),
        (
            "$files",
            vec![json!({"id": id(FILE, 1), "path": "logo.png", "location-id": id(FILE, 9)})],
        ),
        ("projects", vec![json!({"id": id(PROJECT, 1), "name": "Website"})]),
        (
            "todos",
            vec![
                json!({"id": id(TODO, 1), "title": "Call back", "done": false}),
                json!({"id": id(TODO, 2), "title": "Invoice", "done": true}),
            ],
        ),
        (
            "context_contexts",
            vec![
                json!({"id": id(CONTEXT, 1), "createdAt": at(0, 0), "key": "web:ana", "status": "open",
                   "content": {"title": "Ana"}, "currentExecution": id(EXECUTION, 2)}),
                json!({"id": id(CONTEXT, 2), "createdAt": at(5, 0), "key": "web:bo", "status": "closed",
                   "content": {"title": "Bo"}, "currentExecution": id(EXECUTION, 3)}),
            ],
        ),
        ("context_events", events()),
        ("story_executions", executions()),
        ("story_steps", (1..=3).map(step).collect()),
        ("story_parts", (1..=6).map(part).collect()),
    ]
}

fn events() -> Vec<Value> {
    let event = |at_: u32, context: u32, from: &str, text: &str| {
        json!({"id": id(EVENT, at_), "createdAt": at(context * 5 - 5, at_), "channel": "web",
               "type": format!("{from}.message"), "status": "stored",
               "content": {"parts": [{"type": "text", "text": text}]},
               "context": id(CONTEXT, context)})
    };
    let mut events = vec![
        event(1, 1, "user", "Hello"),
        event(2, 1, "assistant", "Hello, Ana"),
        event(3, 1, "user", "One more thing"),
        event(4, 1, "assistant", "Of course"),
        event(6, 2, "assistant", "Good morning, Bo"),
    ];
    // What is the app's own.
    events[0]["owner"] = id(USER, 1).into();
    events[2]["owner"] = id(USER, 1).into();
    events[0]["mood"] = "glad".into();
    events[2]["mood"] = "calm".into();
    events[2]["starred"] = true.into();
    events[1]["replyTo"] = id(EVENT, 1).into();
    events[3]["replyTo"] = id(EVENT, 3).into();
    events
}

fn executions() -> Vec<Value> {
    let execution = |n: u32, context: u32, reaction: u32| {
        json!({"id": id(EXECUTION, n), "createdAt": at(context * 5 - 5, n * 2 - 1), "status": "completed",
               "workflowRunId": format!("wrun_{n}"), "context": id(CONTEXT, context),
               "reaction": id(EVENT, reaction), "project": id(PROJECT, 1)})
    };
    let mut executions = vec![execution(1, 1, 2), execution(2, 1, 4), execution(3, 2, 6)];
    executions[0]["trigger"] = id(EVENT, 1).into();
    executions[1]["trigger"] = id(EVENT, 3).into();
    executions[2]["triggerEventId"] = deleted().into();
    executions[2]["status"] = "waiting".into();
    executions
}

fn step(n: u32) -> Value {
    let (trigger, event) = match n {
        1 => (id(EVENT, 1), id(EVENT, 2)),
        2 => (id(EVENT, 3), id(EVENT, 4)),
        _ => (deleted(), deleted()),
    };
    let context = if n == 3 { 2 } else { 1 };
    json!({"id": id(STEP, n), "createdAt": at(context * 5 - 5, n * 2), "status": "completed",
           "iteration": 0, "execution": id(EXECUTION, n), "triggerEventId": trigger,
           "reactionEventId": id(EVENT, if n == 3 { 6 } else { n * 2 }), "eventId": event,
           "toolCalls": [{"toolName": "search", "input": {"q": "x"}}], "continueLoop": false})
}

fn part(n: u32) -> Value {
    let (step, idx) = (n.div_ceil(2), (n + 1) % 2);
    json!({"id": id(PART, n), "key": format!("{}:{idx}", id(STEP, step)), "stepId": id(STEP, step),
           "idx": idx, "type": "text", "part": {"type": "text", "text": format!("part {n}")},
           "step": id(STEP, step)})
}

/// The links of the schema: name, forward `entity.label`, how many, reverse `entity.label`, how many.
const LINKS: [(&str, &str, &str, &str, &str); 11] = [
    ("eventContext", "context_events.context", "one", "context_contexts.events", "many"),
    (
        "contextCurrent",
        "context_contexts.currentExecution",
        "one",
        "story_executions.currentOf",
        "one",
    ),
    ("executionContext", "story_executions.context", "one", "context_contexts.executions", "many"),
    (
        "executionTrigger",
        "story_executions.trigger",
        "one",
        "context_events.executionsAsTrigger",
        "many",
    ),
    (
        "executionReaction",
        "story_executions.reaction",
        "one",
        "context_events.executionsAsReaction",
        "many",
    ),
    ("stepExecution", "story_steps.execution", "one", "story_executions.steps", "many"),
    ("partStep", "story_parts.step", "one", "story_steps.parts", "many"),
    ("eventReply", "context_events.replyTo", "one", "context_events.replies", "many"),
    ("eventOwner", "context_events.owner", "one", "$users.events", "many"),
    ("executionProject", "story_executions.project", "one", "projects.executions", "many"),
    ("todoOwner", "todos.owner", "one", "$users.todos", "many"),
];

fn value_type(value: &Value) -> &'static str {
    match value {
        Value::String(text) if text.ends_with("000Z") => "date",
        Value::String(_) => "string",
        Value::Number(_) => "number",
        Value::Bool(_) => "boolean",
        _ => "json",
    }
}

fn schema(entities: &[(&str, Vec<Value>)]) -> Value {
    let mut described = json!({});
    for (entity, rows) in entities {
        let mut attrs = json!({});
        for (name, value) in rows.iter().flat_map(|row| row.as_object().unwrap()) {
            let is_link =
                LINKS.iter().any(|(_, forward, ..)| *forward == format!("{entity}.{name}"));
            if !is_link && name != "id" {
                attrs[name] = json!({"valueType": value_type(value), "required": false,
                                     "config": {"indexed": false, "unique": false}});
            }
        }
        described[entity] = json!({"attrs": attrs, "links": {}});
    }
    let end = |end: &str, has: &str| {
        let (on, label) = end.split_once('.').unwrap();
        json!({"on": on, "has": has, "label": label})
    };
    let mut links = json!({});
    for (name, forward, has, reverse, reverse_has) in LINKS {
        links[name] = json!({"forward": end(forward, has), "reverse": end(reverse, reverse_has)});
    }
    json!({"entities": described, "links": links})
}

/// Writes the app's backup as the server gives it.
pub(crate) fn write(path: &Path) {
    let entities = entities();
    let counts: serde_json::Map<String, Value> =
        entities.iter().map(|(entity, rows)| ((*entity).to_owned(), rows.len().into())).collect();
    let config = json!({
        "counts": counts, "tripleCount": 200, "schema": schema(&entities),
        "rules": {
            "$default": {"allow": {"$default": "false"}},
            "context_events": {
                "allow": {"view": "auth.id in data.ref('owner.id')", "create": "false"},
                "bind": ["isOwner", "auth.id in data.ref('owner.id')"]
            },
            "todos": {"allow": {"view": "true"}}
        },
        "webhooks": [], "emailTemplates": [], "authorizedRedirectOrigins": [],
        "title": "Studio", "appId": id(10, 1), "backupAt": at(30, 0), "isn": "16/B374D848",
        "description": ""
    });
    let mut zip = ZipWriter::new(std::fs::File::create(path).expect("a file"));
    let mut put = |name: &str, content: &[u8]| {
        zip.start_file(name, SimpleFileOptions::default()).expect("an entry");
        zip.write_all(content).expect("content");
    };
    put("config.json", config.to_string().as_bytes());
    for (entity, rows) in &entities {
        let line = |row: &Value| {
            format!("{}\n", json!({"entity": row, "createdAt": 1_777_000_000_000_i64}))
        };
        let lines: String = rows.iter().map(line).collect();
        put(&format!("entities/{entity}.jsonl"), lines.as_bytes());
    }
    put(&format!("files/{}", id(FILE, 9)), b"\x89PNG\r\n\x1a\n");
    zip.finish().expect("a zip");
}

/// The whole way, and the folder it was gone in.
fn run(more: &[&str]) -> (Place, Output) {
    let place = Place::new();
    write(&place.path("studio.zip"));
    let output = place.run(&[&["run", "studio.zip"], more].concat());
    (place, output)
}

/// The lines of the first screen that say what to know of.
fn known(screen: &str) -> Vec<&str> {
    let begins = |line: &&str| {
        ["  remark ", "  noted ", "  left behind "].iter().any(|name| line.starts_with(name))
    };
    let after = screen.lines().skip_while(|line| !begins(line));
    after.take_while(|line| begins(line) || line.starts_with("         ")).collect()
}

#[test]
fn an_ordinary_app_goes_through_with_a_short_list() {
    let (_, output) = run(&[]);
    let screen = output.ends(0).stdout;
    assert!(screen.starts_with("verified and imported\n"), "{screen}");
    let known = known(&screen);
    assert!(!known.is_empty() && known.len() <= 16, "{known:#?}");
    let said = known.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
    for wanted in [
        "2 attributes of legacy rows (context_events.mood in 2 rows, context_events.starred in 1 row)",
        "4 other entities stay in the app ($files, $users, projects, …)",
        "1 value of thread_executions.status that no mapping lists, kept as it is (“waiting”",
    ] {
        assert!(said.contains(wanted), "no `{wanted}` in\n{screen}");
    }
}

#[test]
fn the_links_of_an_ordinary_app_follow_their_rows() {
    let (place, output) = run(&["--json"]);
    let json = output.ends(0).json();
    let meta = place.path(json["bundle"].as_str().unwrap()).join("data/bundle.json");
    let meta: Value = serde_json::from_str(&std::fs::read_to_string(meta).unwrap()).unwrap();
    let links = meta["links"].as_array().unwrap().iter();
    let links: Vec<String> = links
        .map(|it| format!("{}.{} {}", it["entity"], it["label"], it["rows"]).replace('"', ""))
        .collect();
    for wanted in ["thread_items.owner 2", "thread_executions.project 3", "thread_items.replyTo 2"]
    {
        assert!(links.iter().any(|link| link == wanted), "no `{wanted}` in {links:#?}");
    }
    let left = meta["left_behind"].as_array().unwrap().iter();
    assert_eq!(left.filter(|left| left["kind"] == "link").count(), 0);
}

#[test]
fn machines_get_the_same_list_in_the_report() {
    let (place, output) = run(&["--json"]);
    let json = output.ends(0).json();
    let report = place.path(json["bundle"].as_str().unwrap()).join("report");
    let read = |name: &str| std::fs::read_to_string(report.join(name)).unwrap();
    let report: Value = serde_json::from_str(&read("report.json")).unwrap();
    assert_eq!(report["report_format"], 3);
    assert_eq!(report["remarks"], json!([]));
    let left = |kind: &str, entity: &str| {
        let mut all = report["left_behind"].as_array().unwrap().iter();
        all.find(|left| left["kind"] == kind && left["entity"] == entity).cloned().unwrap()
    };
    let mood = left("attribute", "context_events");
    assert_eq!(mood["name"], "mood");
    assert_eq!(mood["samples"], json!([id(EVENT, 1), id(EVENT, 3)]));
    assert_eq!(left("entity", "todos")["count"], 2);
    let notes = report["notes"].as_array().unwrap();
    assert!(notes.iter().any(|note| note["count"] == 1), "{notes:#?}");
    for form in ["report.html", "report.md"] {
        assert!(read(form).contains("What you should know"), "{form}");
    }
    let csv = read("findings.csv");
    for line in ["attribute left behind,left behind,context_events,mood,,2,,", "noted,note,"] {
        assert!(csv.lines().any(|found| found.starts_with(line)), "{line} in\n{csv}");
    }
    assert_eq!(json["result"]["left_behind"], report["left_behind"]);
}

#[test]
fn the_answer_about_a_row_names_what_of_it_is_left_behind() {
    let (place, output) = run(&[]);
    output.ends(0);
    let told = place.run(&["explain", &id(EVENT, 3)]).ends(0).stdout;
    assert!(told.contains("left behind: the values of mood, starred"), "{told}");
}

#[test]
fn a_limit_of_the_contract_turns_a_note_into_a_finding() {
    let place = Place::new();
    write(&place.path("studio.zip"));
    let strict = rethread::contract::BUILT_IN.replace(
        "one = \"part without content\"\nnull = [\"thread_parts.part\"]",
        "null = [\"thread_parts.updatedAt\"]\nmax = 5",
    );
    place.write("strict.toml", strict);
    let told = place.run(&["run", "studio.zip", "--contract", "strict.toml"]).ends(1);
    let wanted = "parts without content: rows of thread_parts without updatedAt: 6 of 6 (";
    assert!(told.stderr.contains(wanted), "{}", told.stderr);
}

#[test]
fn links_that_the_contract_leaves_behind_fail_beyond_their_limit() {
    let place = Place::new();
    write(&place.path("studio.zip"));
    let text = rethread::contract::BUILT_IN.replace("links = \"carry\" ", "links = \"report\" ");
    place.write("report.toml", text);
    let run = ["run", "studio.zip", "--contract", "report.toml"];
    let told = place.run(&run).ends(1);
    assert!(told.stderr.contains("link values left behind are within the contract's limit: 0"));
    let allowed = [&run[..], &["--set", "rollout.max_left_behind=any"]].concat();
    let screen = place.run(&allowed).ends(0).stdout;
    assert!(screen.contains("link values of"), "{screen}");
}
