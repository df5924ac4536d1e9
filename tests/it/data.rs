//! A small legacy app as a dataset, to be spoilt in one place a test.

use serde_json::{Value, json};

/// One context with two events, an execution, a step and two parts; every row is sound.
pub(crate) fn sound() -> Value {
    let id = |kind: u32, at: u32| format!("00000000-0000-4000-8000-{kind:04}{at:08}");
    let at = |second: u32| format!("2026-03-01T10:00:{second:02}.000Z");
    json!({
        "context_contexts": [
            { "id": id(1, 1), "createdAt": at(0), "key": "ctx-1", "status": "open",
              "content": { "title": "First" }, "currentExecution": id(3, 1) },
        ],
        "context_events": [
            { "id": id(2, 1), "createdAt": at(1), "channel": "web", "type": "user.message",
              "content": { "parts": [{ "type": "text", "text": "Hello 👋" }] }, "status": "stored",
              "context": id(1, 1) },
            { "id": id(2, 2), "createdAt": at(2), "channel": "web", "type": "assistant.message",
              "content": { "parts": [{ "type": "text", "text": "שלום" }] }, "status": "stored",
              "context": id(1, 1) },
        ],
        "story_executions": [
            { "id": id(3, 1), "createdAt": at(1), "status": "completed", "workflowRunId": "wrun_1",
              "context": id(1, 1), "trigger": id(2, 1), "reaction": id(2, 2) },
        ],
        "story_steps": [
            { "id": id(4, 1), "createdAt": at(2), "status": "completed", "iteration": 0,
              "triggerEventId": id(2, 1), "reactionEventId": id(2, 2), "eventId": id(2, 2),
              "execution": id(3, 1) },
        ],
        "story_parts": [
            { "id": id(5, 1), "key": format!("{}:0", id(4, 1)), "stepId": id(4, 1), "idx": 0,
              "type": "text", "part": { "type": "text", "text": "שלום" }, "step": id(4, 1) },
            { "id": id(5, 2), "key": format!("{}:1", id(4, 1)), "stepId": id(4, 1), "idx": 1,
              "type": "text", "part": { "type": "text", "text": "!" }, "step": id(4, 1) },
        ],
    })
}

/// The same with so many parts, all of the one step.
pub(crate) fn with_parts(count: u32) -> Value {
    let mut data = sound();
    let step = data["story_steps"][0]["id"].as_str().expect("an id").to_owned();
    let part = |idx: u32| {
        json!({ "id": format!("00000000-0000-4000-8000-0005{idx:08}"), "stepId": step, "idx": idx,
                "type": "text", "part": { "type": "text", "text": "x".repeat(400) }, "step": step,
                "key": format!("{step}:{idx}") })
    };
    data["story_parts"] = (0..count).map(part).collect();
    data
}

/// The same with an execution that belongs to no context.
pub(crate) fn with_an_orphan() -> Value {
    let mut data = sound();
    let orphan = "00000000-0000-4000-8000-000300000009";
    let execution =
        json!({ "id": orphan, "createdAt": "2026-03-01T11:00:00Z", "status": "failed" });
    data["story_executions"].as_array_mut().expect("rows").push(execution);
    data
}
