//! What changed from one contract to another: one edit a case.

use rethread::contract::{BUILT_IN, BUILT_INS};
use serde_json::Value;

use crate::support::{Place, fixture};

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

#[test]
fn every_edit_is_one_change_and_breaks_or_does_not() {
    let text = std::fs::read_to_string(fixture("contract_changes.txt")).expect("cases");
    let place = Place::new();
    let mut seen = 0;
    for case in text.split("\n\n").filter(|case| !case.starts_with('#')) {
        let lines: Vec<&str> = case.trim().lines().collect();
        let [head, from, to] = lines[..] else { panic!("three lines: {case}") };
        let [from, to] = [from, to].map(|it| it[1..].trim_start().replace("\\n", "\n"));
        let found = change(&place, BUILT_IN, &from, &to);
        let entity = found["entity"].as_str().filter(|name| !name.is_empty()).unwrap_or("-");
        let breaks = if found["breaking"] == true { "breaks" } else { "safe" };
        let what = found["what"].as_str().expect("a name");
        assert_eq!(
            format!("{} {entity} {breaks} {what}", found["section"]),
            head,
            "{case}\n{found}"
        );
        assert!(found["why"].as_str().is_some_and(|why| !why.is_empty()), "{found}");
        seen += 1;
    }
    assert_eq!(seen, 54);
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
        ("no_object = \"drop\"", "no_object = \"quarantine\"", "explode", true),
        ("status = \"completed\"", "status = \"done\"", "explode", true),
        ("by = [\"idx\", \"id\"] }", "by = [\"id\"] }", "number", true),
        ("drop = [\"key\"]", "drop = []", "drop", false),
        ("{stepId}:{idx}\" }", "{stepId}/{idx}\" }", "attrs.key.template", true),
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
