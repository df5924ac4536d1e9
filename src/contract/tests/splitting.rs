//! Contracts that split rows, number them and drop what has no home.

use super::*;

/// The second built-in contract.
fn events() -> &'static str {
    let found = BUILT_INS.iter().find(|(name, _)| *name == "story-to-events");
    found.map(|(_, text)| *text).unwrap()
}

#[test]
fn every_built_in_contract_goes_by_its_name() {
    for (name, text) in BUILT_INS {
        let contract = read(text).map_err(|error| shown(&error)).unwrap();
        assert_eq!(contract.name, name);
        assert_eq!(contract.text, text);
        assert_eq!(contract.transforms.len(), contract.after.schema.entities.len());
    }
    assert_eq!(BUILT_INS[0].1, BUILT_IN);
}

#[test]
fn a_contract_that_splits_is_shown_in_words() {
    let said = show(&read(events()).unwrap());
    let part = |name: &str| {
        let start = said.find(name).unwrap();
        said[start..].split("\n\n").next().unwrap()
    };
    insta::assert_snapshot!(part("story_parts -> event_parts"), @r#"
    story_parts -> event_parts
      id: id, else uuid5 of "event_parts:<step>:<idx>"
      order: stepId, idx, id
      idempotency key: key
      key (string!*^): the text "{stepId}:{idx}"
      stepId (string!^): id of the row linked as step
      updatedAt (date): updatedAt
      idx (number!^): numbered from 0 within step by idx, id of the legacy row
      step -> event_steps: the legacy link step; a row without it is quarantined
      becomes rows by type in the JSON of part, else content; where it has no such text, by type
        "text": 1 row
          type = "message"; part = {type: "message", content: {text: text}}
        "reasoning": 1 row
          type = "reasoning"; part = {type: "reasoning", content: {text: text}}
        "source-url" or "source-document": 1 row
          type = "source"; part = {type: "source", content: {kind: what follows "-" in type, sourceId: sourceId, url: url, mediaType: mediaType, title: title, filename: filename}}
        "file": 1 row
          type = "message"; part = {type: "message", content: {blocks: [{type: "file", mediaType: mediaType, filename: filename, url: url}]}}
        "data-*": 1 row
          type = "message"; part = {type: "message", content: {blocks: [{type: "json", name: what follows "-" in type, id: id, value: data}]}}
        "tool-*" when state is "output-available": 2 rows
          type = "action"; part = {type: "action", content: {status: "started", actionName: what follows "-" in type, actionCallId: toolCallId, input: input}}
          type = "action"; part = {type: "action", content: {status: "completed", actionName: what follows "-" in type, actionCallId: toolCallId, output: output}}
        "tool-*" when state is "output-error": 2 rows
          type = "action"; part = {type: "action", content: {status: "started", actionName: what follows "-" in type, actionCallId: toolCallId, input: input}}
          type = "action"; part = {type: "action", content: {status: "failed", actionName: what follows "-" in type, actionCallId: toolCallId, error: errorText}}
        "tool-*": 1 row
          type = "action"; part = {type: "action", content: {status: "started", actionName: what follows "-" in type, actionCallId: toolCallId, input: input}}
        "step-start": no row: dropped by rule
        no object: dropped by rule
        any other: quarantined
      dropped by rule, counted and kept in the snapshot: key
    "#);
}

const EXPLODE: &str = r#"explode = { of = ["part", "content"], by = "type", else = "type", no_object = "drop", otherwise = "quarantine" }"#;
const NUMBER: &str = r#"number = { attr = "idx", within = "step", by = ["idx", "id"] }"#;
const TEXT: &str = r#"rows = [{ type = "message", part = { type = "message", content = { text = { path = "text" } } } }]"#;

/// What is replaced, and by what.
const FAULTS: [(&str, &str); 24] = [
    (r#"of = ["part", "content"]"#, "of = []"),
    (r#"of = ["part", "content"]"#, r#"of = ["prat"]"#),
    (r#"of = ["part", "content"]"#, r#"of = ["stepId"]"#),
    (r#"by = "type", else"#, r#"by = "a..b", else"#),
    (r#"else = "type", no"#, r#"else = "idx", no"#),
    (r#"no_object = "drop""#, r#"no_object = "keep""#),
    (EXPLODE, ""),
    (NUMBER, ""),
    (NUMBER, r#"number = { attr = "ix", within = "step", by = ["idx"] }"#),
    (NUMBER, r#"number = { attr = "type", within = "step", by = ["idx"] }"#),
    (NUMBER, r#"number = { attr = "idx", within = "stp", by = ["idx"] }"#),
    (NUMBER, r#"number = { attr = "idx", within = "step", by = [] }"#),
    (NUMBER, r#"number = { attr = "idx", within = "step", by = ["part"] }"#),
    (TEXT, r#"rows = [{ kind = "message" }]"#),
    (TEXT, r#"rows = [{ type = { path = "type" } }]"#),
    (TEXT, r#"rows = [{ key = "x" }]"#),
    (TEXT, r#"rows = [{ type = "message", part = { whole = false } }]"#),
    (TEXT, r#"rows = [{ type = "message", part = { after = "", of = "type" } }]"#),
    (r#"is = ["text"]"#, r#"is = ["te*t"]"#),
    (r#"drop = ["key"]"#, r#"drop = ["key", "idx", "kez"]"#),
    (
        r#"attrs.key       = { template = "{stepId}:{idx}" }"#,
        r#"attrs.key = { template = "{stepId}:{type}", missing = "x" }"#,
    ),
    (
        r#"attrs.key       = { template = "{stepId}:{idx}" }"#,
        r#"attrs.key = { from = ["key"], else = { template = "{stepId}:{idx}" } }"#,
    ),
    (
        r#"attrs.key       = { template = "{stepId}:{idx}" }"#,
        r#"attrs.key = { template = "{updatedAt}" }"#,
    ),
    (
        r#"template = "{stepId}:{idx}" }
attrs.stepId    = { from = ["step.id"] }"#,
        r#"template = "{stepId}" }
attrs.stepId = { from = ["stepId", "part.type"] }
attrs.metadata = { template = "{idx}" }"#,
    ),
];

/// What is said of the second contract after one change, with its line.
fn faults_after(from: &str, to: &str) -> Vec<String> {
    assert!(events().contains(from), "the contract has no {from:?}");
    let text = events().replacen(from, to, 1);
    let error = read(&text).expect_err(to);
    let line = |at: &String| {
        at.trim_start_matches("c.toml:").split_once(": ").map(|(_, said)| said.to_owned())
    };
    error.at.iter().filter_map(line).collect()
}

#[test]
fn faults_of_splitting_rules_are_told() {
    let told = FAULTS.iter().map(|(from, to)| faults_after(from, to).join("\n"));
    insta::assert_snapshot!(told.collect::<Vec<_>>().join("\n\n"), @r#"
    `of` names no attribute

    `story_parts` has no attribute `prat`; did you mean `part`?

    `stepId` is a string, not of type `any`

    the path `a..b` has an empty key

    `idx` is a number, not a string

    `no_object` must be `drop` or `quarantine`, not `keep`

    `case` says nothing without `explode`

    `event_parts.idx` is required, and no rule fills it
    the template names `idx`, which no rule fills

    `event_parts.idx` is required, and no rule fills it
    `event_parts` has no attribute `ix`; did you mean `idx`?
    the template names `idx`, which no rule fills

    `event_parts.idx` is required, and no rule fills it
    `type` is filled by a case already
    rows are numbered, `type` is a string
    the template names `idx`, which no rule fills

    rows are numbered within a required link, `stp` is none

    `by` names no order

    `part` is of type `any`, which has no order

    `event_parts` has no attribute `kind`

    `type` must be a text, a number, `true` or `false`, not a table

    `key` has a rule of its own already
    `key` is required, and not every row has it
    `key` is unique (`*`), a case gives it to many

    `whole` must be `true`

    `after` names no mark

    a `*` stands at the end of `te*t` alone

    `idx` is read by a rule of its own
    `story_parts` has no attribute `kez`; did you mean `key`?

    the template names `type`, which is filled after it
    `missing` says nothing beside `template`

    the template names `idx`, which is filled after it
    `key` is read by a rule of its own
    "#);
}
