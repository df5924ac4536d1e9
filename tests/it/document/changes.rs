//! What changed from one contract to another: one edit a case.

use rethread::contract::{BUILT_IN, BUILT_INS};
use serde_json::Value;

use crate::support::Place;

/// The one change that an edit of a built-in contract makes: section, entity, what, and whether it
/// breaks.
fn change(place: &Place, contract: &str, from: &str, to: &str) -> Value {
    assert!(contract.contains(from), "{from}");
    place.write("a.toml", contract).write("b.toml", contract.replacen(from, to, 1));
    let json = place.run(&["contract", "diff", "a.toml", "b.toml", "--json"]).ends(0).json();
    let changes = json["changes"].as_array().expect("changes");
    assert_eq!(changes.len(), 1, "{from} -> {to}: {json:#}");
    let change = changes[0].clone();
    assert_eq!(json["breaking"], u64::from(change["breaking"] == true));
    change
}

const BREAKS: bool = true;

#[test]
fn every_edit_is_one_change_and_breaks_or_does_not() {
    let cases = [
        // Section 1.
        ("from = \"\" ", "from = \"1.0\" ", 1, "", "release.from", !BREAKS),
        ("adoption\"", "\"", 1, "", "release.scope", !BREAKS),
        // Section 2.
        ("\"useStory\"]", "\"useTale\"]", 2, "", "before.apis", !BREAKS),
        (
            "content = \"any\", updatedAt = \"date\" }\n\n",
            "content = \"string\", updatedAt = \"date\" }\n\n",
            2,
            "story_parts",
            "attrs.content.type",
            BREAKS,
        ),
        (
            "part = \"any\", content",
            "part = \"any!\", content",
            2,
            "story_parts",
            "attrs.part.required",
            !BREAKS,
        ),
        (
            "idx = \"number\", type",
            "idx = \"number\", spare = \"string\", type",
            2,
            "story_parts",
            "attrs.spare",
            BREAKS,
        ),
        (
            "[before.entities.story_parts]\n",
            "[before.entities.story_parts]\noptional = true\n",
            2,
            "story_parts",
            "optional",
            !BREAKS,
        ),
        (
            "also = [\"stepId\", \"step_id\"]",
            "also = [\"stepId\"]",
            2,
            "story_parts",
            "links.step",
            BREAKS,
        ),
        // Section 3.
        (
            "name = \"string\", status = \"string^\" }",
            "name = \"string\", status = \"string\" }",
            3,
            "thread_threads",
            "attrs.status.indexed",
            !BREAKS,
        ),
        (
            "name = \"string\", status = \"string^\" }",
            "name = \"string^\", status = \"string^\" }",
            3,
            "thread_threads",
            "attrs.name.indexed",
            !BREAKS,
        ),
        (
            "continueLoop = \"boolean\", errorText = \"string\" }\n[after",
            "continueLoop = \"boolean!\", errorText = \"string\" }\n[after",
            3,
            "thread_steps",
            "attrs.continueLoop.required",
            BREAKS,
        ),
        (
            "type = \"string^\", part = \"any\", u",
            "type = \"string*^\", part = \"any\", u",
            3,
            "thread_parts",
            "attrs.type.unique",
            BREAKS,
        ),
        ("threadPartsStep   ", "threadPartsOfStep ", 3, "thread_parts", "links.step.name", !BREAKS),
        (
            "reverse = \"contexts\" }\nthread",
            "reverse = \"contextsOf\" }\nthread",
            3,
            "thread_contexts",
            "links.thread",
            BREAKS,
        ),
        // Section 4.
        ("namespace = \"rethread:", "namespace = \"other:", 4, "", "ids.namespace", BREAKS),
        (
            "derive = [\"step\", \"idx\"]",
            "derive = [\"step\", \"key\"]",
            4,
            "thread_parts",
            "id",
            BREAKS,
        ),
        ("adopt = [\"key\"]", "adopt = []", 4, "thread_threads", "adopt", BREAKS),
        (
            "order = [\"stepId\", \"idx\", \"id\"]",
            "order = [\"stepId\", \"id\"]",
            4,
            "thread_parts",
            "order",
            BREAKS,
        ),
        ("idempotency = \"key\"", "idempotency = \"id\"", 4, "thread_parts", "idempotency", BREAKS),
        (
            "from = [\"errorText\", \"error\"]",
            "from = [\"error\", \"errorText\"]",
            4,
            "thread_steps",
            "attrs.errorText.from",
            BREAKS,
        ),
        (
            "from = [\"toolCalls\", \"tools\"]",
            "from = [\"toolCalls\", \"tools\", \"toolResults\"]",
            4,
            "thread_steps",
            "attrs.toolCalls.from",
            !BREAKS,
        ),
        (
            "from = [\"toolCalls\", \"tools\"]",
            "from = [\"toolCalls\"]",
            4,
            "thread_steps",
            "attrs.toolCalls.from",
            BREAKS,
        ),
        (
            "missing = \"web\"",
            "missing = \"mail\"",
            4,
            "thread_items",
            "attrs.channel.missing",
            BREAKS,
        ),
        ("{stepId}:{idx}", "{stepId}/{idx}", 4, "thread_parts", "attrs.key.else", BREAKS),
        (
            "failed = \"closed\" }",
            "failed = \"open\" }",
            4,
            "thread_contexts",
            "attrs.status.values.failed",
            BREAKS,
        ),
        (
            "\"system.message\" = \"ekairos:system\", ",
            "",
            4,
            "thread_items",
            "attrs.type.values.system.message",
            BREAKS,
        ),
        (
            "otherwise = \"keep\" }",
            "otherwise = \"quarantine\" }",
            4,
            "thread_items",
            "attrs.type.otherwise",
            BREAKS,
        ),
        (
            "fold_case = true, missing = \"open\" }",
            "missing = \"open\" }",
            4,
            "thread_threads",
            "attrs.status.fold_case",
            BREAKS,
        ),
        (
            "\"execution.trigger\"], ref = \"context_events\" }\nattrs.r",
            "\"execution.trigger\"] }\nattrs.r",
            4,
            "thread_steps",
            "attrs.triggerEventId.ref",
            BREAKS,
        ),
        (
            "attrs.continueLoop         = { from = [\"continueLoop\"] }\n",
            "",
            4,
            "thread_steps",
            "attrs.continueLoop",
            BREAKS,
        ),
        (
            "links.trigger  = { from = [\"trigger\"] }",
            "links.trigger  = { from = [\"trigger\", \"reaction\"] }",
            4,
            "thread_executions",
            "links.trigger.from",
            !BREAKS,
        ),
        (
            "links.trigger  = { from = [\"trigger\"] }",
            "links.trigger  = { from = [\"trigger\"], required = true }",
            4,
            "thread_executions",
            "links.trigger.required",
            BREAKS,
        ),
        (
            "by = [\"createdAt\", \"id\"] } }",
            "by = [\"id\"] } }",
            4,
            "thread_contexts",
            "links.currentExecution.else",
            BREAKS,
        ),
        (
            "story_parts = \"last\"",
            "story_parts = \"none\"",
            4,
            "story_parts",
            "duplicates.keep",
            BREAKS,
        ),
        ("context_contexts = \"first\", ", "", 4, "context_contexts", "duplicates.keep", !BREAKS),
        ("attrs = \"report\"  ", "attrs = \"carry\"  ", 4, "", "unmapped.attrs", BREAKS),
        ("links = \"carry\" ", "links = \"report\" ", 4, "", "unmapped.links", BREAKS),
        // Section 5.
        ("unless = \"adopted\"\n", "", 5, "", "verify.one thread per context", !BREAKS),
        // Section 6.
        ("dry_run = \"required\"", "dry_run = \"optional\"", 6, "", "rollout.dry_run", !BREAKS),
        ("canary = \"\"", "canary = \"acme\"", 6, "", "rollout.canary", !BREAKS),
        (
            "max_quarantined = 0 ",
            "max_quarantined = \"1%\" ",
            6,
            "",
            "rollout.max_quarantined",
            !BREAKS,
        ),
        ("max_repaired = \"any\"", "max_repaired = 0", 6, "", "rollout.max_repaired", BREAKS),
        ("\"link violation\", ", "", 6, "", "rollout.rollback_trigger", !BREAKS),
        (
            "legacy rows are never touched",
            "nothing else",
            6,
            "",
            "rollout.rollback_action",
            !BREAKS,
        ),
        // Section 7.
        ("rust (polars)", "rust", 7, "", "implementation.language", !BREAKS),
        ("columnar, deterministic", "columnar", 7, "", "implementation.reason", !BREAKS),
        // The file.
        ("name = \"story-to-thread\"", "name = \"mine\"", 0, "", "contract.name", !BREAKS),
        ("# The built-in contract:", "# A contract:", 0, "", "text", !BREAKS),
    ];
    let place = Place::new();
    for (from, to, section, entity, what, breaks) in cases {
        let found = change(&place, BUILT_IN, from, to);
        let got = (found["section"].as_u64(), found["entity"].as_str(), found["what"].as_str());
        assert_eq!(got, (Some(section), Some(entity), Some(what)), "{from} -> {to}");
        assert_eq!(found["breaking"], breaks, "{found}");
        assert!(found["why"].as_str().is_some_and(|why| !why.is_empty()), "{found}");
    }
}

#[test]
fn changes_are_told_by_section_and_transform() {
    let place = Place::new();
    let edited = BUILT_IN
        .replace(
            "from = [\"toolCalls\", \"tools\"]",
            "from = [\"toolCalls\", \"tools\", \"toolResults\"]",
        )
        .replace("failed = \"closed\" }", "failed = \"open\" }")
        .replace("rust (polars)", "rust")
        .replace("canary = \"\"", "canary = \"acme\"");
    place.write("a.toml", BUILT_IN).write("b.toml", edited);
    let told = place.run(&["contract", "diff", "a.toml", "b.toml"]).ends(0).stdout;
    insta::assert_snapshot!(told, @"
    4 changes, 1 breaking

    4) Required transformations: thread_contexts
      breaking  attrs.status.values.failed  closed -> open
                                            values of target rows become others

    4) Required transformations: thread_steps
      -         attrs.toolCalls.from        toolCalls, else tools -> toolCalls, else tools, else toolResults
                                            may repair more rows: those that have no other source

    6) Rollout and safety
      -         rollout.canary              (blank) -> acme
                                            how it is rolled out; no row changes

    7) Implementation decision
      -         implementation.language     rust (polars) -> rust
                                            a reason; no row changes
    ");
    let told = place.run(&["contract", "diff", "a.toml", "a.toml"]).ends(0).stdout;
    assert_eq!(told, "nothing changed\n");
    place.run(&["contract", "diff", "a.toml", "none.toml"]).ends(3);
    place.write("bad.toml", "x = 1").run(&["contract", "diff", "a.toml", "bad.toml"]).ends(2);
}

#[test]
fn a_transform_that_goes_or_comes_is_a_change() {
    let place = Place::new();
    let begin = BUILT_IN.find("[[transform]]\ntarget = \"thread_parts\"").expect("a transform");
    let end = BUILT_IN[begin..].find("\n# Rows that share").expect("its end") + begin;
    let parts = &BUILT_IN[begin..end];
    let moved = BUILT_IN.replace(parts, "").replacen(
        "[[transform]]",
        &format!("{parts}\n[[transform]]"),
        1,
    );
    place.write("a.toml", BUILT_IN).write("b.toml", moved);
    let json = place.run(&["contract", "diff", "a.toml", "b.toml", "--json"]).ends(0).json();
    let changes = json["changes"].as_array().expect("changes");
    assert_eq!((changes.len(), &json["breaking"]), (1, &Value::from(0)), "{json:#}");
    assert_eq!(changes[0]["what"], "transform");
}

#[test]
fn rules_that_split_rows_are_compared_too() {
    let [_, (_, contract)] = BUILT_INS;
    let cases = [
        ("no_object = \"drop\"", "no_object = \"quarantine\"", "explode", BREAKS),
        ("status = \"completed\"", "status = \"done\"", "explode", BREAKS),
        ("by = [\"idx\", \"id\"] }", "by = [\"id\"] }", "number", BREAKS),
        ("drop = [\"key\"]", "drop = [\"key\", \"type\"]", "drop", !BREAKS),
        ("{stepId}:{idx}\" }", "{stepId}/{idx}\" }", "attrs.key.template", BREAKS),
    ];
    let place = Place::new();
    for (from, to, what, breaks) in cases {
        let found = change(&place, contract, from, to);
        assert_eq!((&found["what"], &found["breaking"]), (&what.into(), &breaks.into()), "{found}");
        assert_ne!(found["before"], found["after"], "{found}");
    }
    let told =
        place.run(&["contract", "diff", "story-to-thread", "story-to-events"]).ends(0).stdout;
    assert!(told.contains("ids.namespace") && told.contains("gone: thread_threads"), "{told}");
}
