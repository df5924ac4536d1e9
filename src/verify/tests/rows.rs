//! A small snapshot with a bit of everything.

use super::super::fixture::{Cell, Given, Pairs, Place, at, id};

/// A row of literals: `row!(id = &*id(1), key = "a")`.
macro_rules! row {
    ($($name:ident = $value:expr),* $(,)?) => {
        vec![$((stringify!($name).trim_start_matches("r#"), Cell::from($value))),*]
    };
}

/// Legacy contexts: one plain, one whose thread exists already, one linked to an existing thread,
/// one with a path title and a mapped id, one without a time.
fn contexts() -> Vec<Given> {
    vec![
        row!(
            id = &*id(1),
            createdAt = at(1000),
            updatedAt = at(1500),
            key = "a",
            status = "open",
            content = r#"{"title":"Ärger \u0041","n":[1,2.50]}"#,
            currentExecution = &*id(201)
        ),
        row!(id = &*id(2), createdAt = at(2000), key = "taken", status = "FAILED"),
        row!(id = &*id(3), createdAt = at(3000), key = "c", thread = &*id(902)),
        row!(
            id = "ctx-4",
            createdAt = at(4000),
            key = "d",
            status = "closed",
            content = r#"{"title": 7}"#
        ),
        row!(id = &*id(5), _server_created_at = Cell::Whole(5000), key = "e", status = "executing"),
    ]
}

fn events() -> Vec<Given> {
    vec![
        row!(
            id = &*id(101),
            createdAt = at(10),
            channel = "web",
            r#type = "user.message",
            content = "{\"a\":1}",
            status = "",
            context = &*id(1),
            execution = &*id(201)
        ),
        row!(
            id = &*id(102),
            createdAt = at(20),
            channel = "web",
            r#type = "assistant.message",
            content = "[ 1 , {\"x\":\"é\\u0000\"} ]",
            status = " x ",
            context = &*id(1)
        ),
        row!(
            id = &*id(103),
            createdAt = at(20),
            channel = "sms",
            r#type = "odd",
            content = "\"text\"",
            context = &*id(1)
        ),
        row!(id = &*id(104), createdAt = at(30), r#type = "input_text", contextId = &*id(2)),
        row!(id = &*id(105), createdAt = at(40), channel = "web", contextKey = "c"),
        row!(id = "evt-6", createdAt = at(50), channel = "web", context = "ctx-4"),
        row!(id = &*id(107).to_uppercase(), createdAt = at(60), channel = "web"),
        row!(
            id = &*id(101),
            createdAt = at(10),
            channel = "web",
            r#type = "user.message",
            content = "{\"a\":1}",
            status = "",
            context = &*id(1),
            execution = &*id(201)
        ),
        row!(id = &*id(109), createdAt = at(70), channel = "web", context = &*id(77)),
        row!(id = &*id(110), createdAt = at(80), channel = "mail", content = "{}"),
        row!(channel = "web", createdAt = at(90), content = "{\"big\":true}"),
    ]
}

fn executions() -> Vec<Given> {
    vec![
        row!(
            id = &*id(201),
            createdAt = at(11),
            status = "running",
            workflowRunId = "run-1",
            context = &*id(1),
            trigger = &*id(101),
            reaction = &*id(102)
        ),
        row!(
            id = &*id(202),
            createdAt = at(31),
            status = "weird",
            runId = "run-2",
            contextId = &*id(2),
            trigger = &*id(104)
        ),
        row!(id = &*id(203), createdAt = at(51), context = "ctx-4", trigger = &*id(999)),
        row!(id = &*id(204), createdAt = at(61), status = "failed"),
    ]
}

fn steps() -> Vec<Given> {
    vec![
        row!(
            id = &*id(301),
            createdAt = at(12),
            status = "completed",
            iteration = 0.0,
            execution = &*id(201),
            eventId = &*id(102),
            toolCalls = "[{\"name\":\"f\"}]",
            continueLoop = true
        ),
        row!(
            id = &*id(302),
            createdAt = at(13),
            status = "running",
            iteration = 1.0,
            execution = &*id(201),
            tools = "[]",
            errorText = ""
        ),
        row!(id = &*id(303), createdAt = at(32), executionId = &*id(202), event_id = "evt-6"),
        row!(
            id = &*id(304),
            createdAt = at(62),
            iteration = 2.0,
            execution = &*id(204),
            eventId = &*id(101)
        ),
    ]
}

/// A payload of more than 20,000 characters.
fn long() -> String {
    format!("{{\"t\":\"{}\"}}", "abcdefghij".repeat(2000))
}

fn parts() -> Vec<Given> {
    let mut rows = vec![
        row!(
            id = &*id(401),
            key = "k1",
            idx = 0.0,
            r#type = "text",
            part = "{\"t\":\"Straße\"}",
            step = &*id(301)
        ),
        row!(
            id = &*id(402),
            key = "k2",
            idx = 1.0,
            r#type = "text",
            part = &*long(),
            step = &*id(301)
        ),
        row!(
            id = &*id(403),
            idx = 2.0,
            part = "{\"type\":\"reasoning\",\"t\":\"c\"}",
            step = &*id(301)
        ),
        row!(
            key = "k4",
            idx = 0.0,
            r#type = "file",
            content = "{\"u\":1e400}",
            step_id = &*id(302)
        ),
        row!(id = &*id(405), key = "k5", idx = 0.0, r#type = "text", part = "null"),
    ];
    rows.push(row!(id = &*id(406), key = "k6", idx = 5.0, r#type = "text", updatedAt = at(99)));
    rows
}

/// Target rows that the app had: two threads, one of them taken up by its key; an item equal to a
/// legacy one, and one of its own.
fn existing() -> Vec<(&'static str, Vec<Given>)> {
    let threads = vec![
        row!(id = &*id(901), createdAt = at(1), key = "taken", name = "there", status = "open"),
        row!(id = &*id(902), createdAt = at(2), key = "other", _server_created_at = Cell::Whole(3)),
    ];
    let items = vec![
        row!(id = &*id(110), createdAt = at(80), channel = "mail", content = "{ }"),
        row!(
            id = &*id(910),
            createdAt = at(20),
            channel = "web",
            r#type = "input_text",
            thread = &*id(902)
        ),
    ];
    vec![("thread_threads", threads), ("thread_items", items)]
}

/// The snapshot with a bit of everything, and its bundle.
pub(super) fn place() -> Place {
    place_by(crate::contract::BUILT_IN, &|_, _| {})
}

/// The same by a contract, with a change of the rows of every legacy table.
pub(super) fn place_by(contract: &str, change: &dyn Fn(&str, &mut Vec<Given>)) -> Place {
    let mut tables = vec![
        ("context_contexts", contexts()),
        ("context_events", events()),
        ("story_executions", executions()),
        ("story_steps", steps()),
        ("story_parts", parts()),
    ];
    for (entity, rows) in &mut tables {
        change(entity, rows);
    }
    tables.extend(existing());
    let pair = |from: u64, to: &str| (id(from), to.to_owned());
    let links = [
        // The step that holds a part, from its side.
        Pairs {
            entity: "story_steps",
            label: "parts",
            target: "story_parts",
            seen_as: "step",
            role: "declared",
            ids: vec![pair(302, &id(406))],
        },
        Pairs {
            entity: "emails",
            label: "events",
            target: "context_events",
            seen_as: "emails",
            role: "carried",
            ids: vec![pair(1001, &id(101)), pair(1001, "evt-6"), pair(1002, &id(998))],
        },
    ];
    Place::by(contract, &tables, &links)
}

/// A bundle without a row.
pub(super) fn empty() -> Place {
    Place::new(&[], &[])
}
