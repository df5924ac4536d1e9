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
#[allow(clippy::too_many_lines, reason = "a golden text has a line for every row of every case")]
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
        "text" when text is "": no row: dropped by rule
          dropped, and counted: state
        "text": 1 row
          dropped, and counted: state
          type = "message"; part = {type: "message", content: {text: text (a text that is not empty)}}
        "reasoning" when state is "streaming": 1 row
          dropped, and counted: id
          type = "reasoning"; part = {type: "reasoning", content: {text: text (a text), state: "streaming"}}
        "reasoning": 1 row
          dropped, and counted: state, id
          type = "reasoning"; part = {type: "reasoning", content: {text: text (a text), state: "done"}}
        "source-url": 1 row
          type = "source"; part = {type: "source", content: {sources: [{type: "source-url", sourceId: sourceId (a text), url: url (a text that is not empty), title: title (a text, if any)}]}}
        "source-document": 1 row
          type = "source"; part = {type: "source", content: {sources: [{type: "source-document", sourceId: sourceId (a text), mediaType: mediaType (a text that is not empty), title: title (a text that is not empty), filename: filename (a text, if any)}]}}
        "file": 1 row
          type = "message"; part = {type: "message", content: {blocks: [{type: "file", mediaType: mediaType (a text that is not empty), filename: filename (a text, if any), url: url (a text that is not empty)}]}}
        "data-*": 1 row
          dropped, and counted: type, id
          type = "message"; part = {type: "message", content: {blocks: [{type: "json", value: data}]}}
        "step-start": no row: dropped by rule
        "tool-invocation" when toolInvocation.state is "partial-call" or "call": 1 row
          dropped, and counted: toolInvocation.step
          type = "action"; part = {type: "action", content: {status: "started", actionName: toolInvocation.toolName (a text that is not empty), actionCallId: toolInvocation.toolCallId (a text that is not empty), input: toolInvocation.args (if any)}}
        "tool-invocation" when toolInvocation.state is "result": 2 rows
          dropped, and counted: toolInvocation.step
          type = "action"; part = {type: "action", content: {status: "started", actionName: toolInvocation.toolName (a text that is not empty), actionCallId: toolInvocation.toolCallId (a text that is not empty), input: toolInvocation.args (if any)}}
          type = "action"; part = {type: "action", content: {status: "completed", actionName: toolInvocation.toolName (a text that is not empty), actionCallId: toolInvocation.toolCallId (a text that is not empty), output: toolInvocation.result (if any)}}
        "tool-call": 1 row
          type = "action"; part = {type: "action", content: {status: "started", actionName: toolName (a text that is not empty), actionCallId: toolCallId (a text that is not empty), input: args}}
        "tool-call": 1 row
          type = "action"; part = {type: "action", content: {status: "started", actionName: toolName (a text that is not empty), actionCallId: toolCallId (a text that is not empty), input: input}}
        "tool-result": 1 row
          type = "action"; part = {type: "action", content: {status: "completed", actionName: toolName (a text that is not empty), actionCallId: toolCallId (a text that is not empty), output: result}}
        "tool-result" when output.type is "error-text": 1 row
          type = "action"; part = {type: "action", content: {status: "failed", actionName: toolName (a text that is not empty), actionCallId: toolCallId (a text that is not empty), error: {message: output.value (a text)}}}
        "tool-result" when output.type is "text" or "json" or "content": 1 row
          type = "action"; part = {type: "action", content: {status: "completed", actionName: toolName (a text that is not empty), actionCallId: toolCallId (a text that is not empty), output: output}}
        "reasoning": 1 row
          dropped, and counted: details
          type = "reasoning"; part = {type: "reasoning", content: {text: reasoning (a text), state: "done"}}
        "source" when source.sourceType is "url": 1 row
          dropped, and counted: source.providerMetadata
          type = "source"; part = {type: "source", content: {sources: [{type: "source-url", sourceId: source.id (a text), url: source.url (a text that is not empty), title: source.title (a text, if any)}]}}
        "file": 1 row
          type = "message"; part = {type: "message", content: {blocks: [{type: "file", mediaType: mimeType (a text that is not empty), filename: filename (a text, if any), data: data (a text that is not empty)}]}}
        "file": 1 row
          type = "message"; part = {type: "message", content: {blocks: [{type: "file", mediaType: mediaType (a text that is not empty), filename: filename (a text, if any), data: data (a text that is not empty)}]}}
        "tool-*" when state is "output-available": 2 rows
          dropped, and counted: title, approval
          type = "action"; part = {type: "action", content: {status: "started", actionName: what follows "-" in type, actionCallId: toolCallId (a text that is not empty), input: input (if any)}}
          type = "action"; part = {type: "action", content: {status: "completed", actionName: what follows "-" in type, actionCallId: toolCallId (a text that is not empty), output: output (if any)}}
        "tool-*" when state is "output-error": 2 rows
          dropped, and counted: title, approval
          type = "action"; part = {type: "action", content: {status: "started", actionName: what follows "-" in type, actionCallId: toolCallId (a text that is not empty), input: input (if any)}}
          type = "action"; part = {type: "action", content: {status: "failed", actionName: what follows "-" in type, actionCallId: toolCallId (a text that is not empty), error: {message: errorText (a text)}}}
        "tool-*" when state is "output-error": 2 rows
          dropped, and counted: title, approval
          type = "action"; part = {type: "action", content: {status: "started", actionName: what follows "-" in type, actionCallId: toolCallId (a text that is not empty), input: rawInput}}
          type = "action"; part = {type: "action", content: {status: "failed", actionName: what follows "-" in type, actionCallId: toolCallId (a text that is not empty), error: {message: errorText (a text)}}}
        "tool-*" when state is "input-streaming": 1 row
          dropped, and counted: title
          type = "action"; part = {type: "action", content: {status: "started", actionName: what follows "-" in type, actionCallId: toolCallId (a text that is not empty), input: input (if any)}}
        "tool-*" when state is "input-available": 1 row
          dropped, and counted: title
          type = "action"; part = {type: "action", content: {status: "started", actionName: what follows "-" in type, actionCallId: toolCallId (a text that is not empty), input: input}}
        "tool-*": 1 row
          dropped, and counted: title
          type = "action"; part = {type: "action", content: {status: "started", actionName: what follows "-" in type, actionCallId: toolCallId (a text that is not empty), input: input}}
        "dynamic-tool" when state is "output-available": 2 rows
          dropped, and counted: title, approval
          type = "action"; part = {type: "action", content: {status: "started", actionName: toolName (a text that is not empty), actionCallId: toolCallId (a text that is not empty), input: input (if any)}}
          type = "action"; part = {type: "action", content: {status: "completed", actionName: toolName (a text that is not empty), actionCallId: toolCallId (a text that is not empty), output: output (if any)}}
        "dynamic-tool" when state is "output-error": 2 rows
          dropped, and counted: title, approval
          type = "action"; part = {type: "action", content: {status: "started", actionName: toolName (a text that is not empty), actionCallId: toolCallId (a text that is not empty), input: input (if any)}}
          type = "action"; part = {type: "action", content: {status: "failed", actionName: toolName (a text that is not empty), actionCallId: toolCallId (a text that is not empty), error: {message: errorText (a text)}}}
        "dynamic-tool" when state is "output-error": 2 rows
          dropped, and counted: title, approval
          type = "action"; part = {type: "action", content: {status: "started", actionName: toolName (a text that is not empty), actionCallId: toolCallId (a text that is not empty), input: rawInput}}
          type = "action"; part = {type: "action", content: {status: "failed", actionName: toolName (a text that is not empty), actionCallId: toolCallId (a text that is not empty), error: {message: errorText (a text)}}}
        "dynamic-tool" when state is "input-streaming": 1 row
          dropped, and counted: title
          type = "action"; part = {type: "action", content: {status: "started", actionName: toolName (a text that is not empty), actionCallId: toolCallId (a text that is not empty), input: input (if any)}}
        "dynamic-tool" when state is "input-available": 1 row
          dropped, and counted: title
          type = "action"; part = {type: "action", content: {status: "started", actionName: toolName (a text that is not empty), actionCallId: toolCallId (a text that is not empty), input: input}}
        a case is only of an object all of whose content it takes, drops, or is picked by; of one that lacks something: quarantined
        by every case dropped, and counted: providerMetadata, callProviderMetadata, resultProviderMetadata, providerOptions, providerExecuted, toolMetadata
        nothing there: dropped by rule
        any other: quarantined
      dropped by rule, counted and kept in the snapshot: key
    "#);
}

const EXPLODE: &str = r#"explode = { of = ["part", "content"], by = "type", else = "type", no_object = "drop", otherwise = "quarantine", drop = ["providerMetadata", "callProviderMetadata", "resultProviderMetadata", "providerOptions", "providerExecuted", "toolMetadata"] }"#;
const NUMBER: &str = r#"number = { attr = "idx", within = "step", by = ["idx", "id"] }"#;
const TEXT: &str = r#"rows = [{ type = "message", part = { type = "message", content = { text = { path = "text", must_be = "non-empty text" } } } }]"#;

/// What is replaced, and by what.
const FAULTS: [(&str, &str); 29] = [
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
    (r#"must_be = "non-empty text" } } } }]"#, r#"must_be = "words", optional = 1 } } } }]"#),
    (r#"drop = ["type", "id"]"#, r#"drop = ["id", "data.x", "..", "id.a"]"#),
    (r#"drop = ["details"]"#, r#"drop = ["details", "providerOptions.x"]"#),
    (r#"is = ["streaming"] }"#, r#"is = ["stream*"] }"#),
    (r#""toolMetadata"]"#, r#""toolMetadata", "toolMetadata"]"#),
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
fn in_format_1_cases_demand_nothing() {
    let text = events().replacen("format = 2 ", "format = 1 ", 1);
    let error = read(&text).expect_err("format 1 drops no path").at.join("\n");
    assert!(error.contains("`explode` has no key `drop`"), "{error}");
    let without = |line: &&str| !line.starts_with("drop = [\"") || line.contains("\"key\"");
    let lines = text.lines().filter(without).map(|line| match line.split_once(", drop = [") {
        Some((before, _)) if line.starts_with("explode") => format!("{before} }}"),
        _ => line.to_owned(),
    });
    let old = lines.collect::<Vec<_>>().join("\n");
    let old = old.replace(
        r#"text = { path = "text", must_be = "non-empty text" }"#,
        r#"text = { path = "text" }"#,
    );
    let contract = read(&old).map_err(|error| shown(&error)).unwrap();
    let rule = contract.transform_into("event_parts").unwrap().explode.clone().unwrap();
    assert!(!rule.takes_all && rule.drop.is_empty());
    let mut optional = Vec::new();
    rule.cases[1].each(&mut |build| {
        if let Build::Path { demand, .. } = build {
            optional.push(demand.optional);
        }
    });
    assert_eq!(optional, [true]);
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

    `must_be` must be `text` or `non-empty text`, not `words`
    `optional` must be `true` or `false`, not a whole number

    what follows `data-*` has no home: take it, or drop `type`
    `data.x` is dropped, and a row takes it
    the path `..` has an empty key
    `id.a` is dropped already

    `providerOptions.x` is dropped by all cases

    what follows `stream*` has no home: take it, or drop `state`

    `toolMetadata` is dropped already

    the template names `type`, which is filled after it
    `missing` says nothing beside `template`

    the template names `idx`, which is filled after it
    `key` is read by a rule of its own

    `key` is required, and `updatedAt` may be absent
    `updatedAt` is a date, which has no one text

    a template gives a string, `metadata` is of type `any`
    "#);
}
