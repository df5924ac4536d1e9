//! The built-in contract, and what is told of one with faults.

mod hostile;
mod overrides;
mod splitting;

use super::*;
use crate::error::Error;

/// What is replaced, by what, and what that gives: see the file's head.
const FAULTS: &str = include_str!("../../tests/fixtures/contract_faults.txt");

fn read(text: &str) -> Result<Contract, Error> {
    load(text, "c.toml", &Overrides::default())
}

fn with(set: &[(&str, &str)]) -> Overrides {
    let set = set.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Overrides { release: None, set }
}

fn released(text: &str) -> Overrides {
    Overrides { release: Some(("release.toml".to_owned(), text.to_owned())), set: Vec::new() }
}

/// The built-in contract with each of the texts replaced once.
fn changed(changes: &[(&str, &str)]) -> String {
    changes.iter().fold(BUILT_IN.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "the built-in contract has no {from:?}");
        text.replacen(from, to, 1)
    })
}

/// An error as a terminal shows it.
fn shown(error: &Error) -> String {
    let places: String = error.at.iter().map(|at| format!("  --> {at}\n")).collect();
    let help = error.help.as_deref().unwrap_or_default();
    format!("error: {error}\n{places}help: {help}")
}

/// `anchor` has a `¦` at the place; without it, its first occurrence in the text is meant.
fn position(text: &str, anchor: &str) -> (usize, usize) {
    let anchor = anchor.replace("\\n", "\n");
    let plain = anchor.replace('¦', "");
    let start = text.find(&plain).unwrap_or_else(|| panic!("no {plain:?} in the text"));
    let before = &text[..start + anchor.find('¦').expect("the place is marked")];
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}

fn check_fault(case: &str) {
    let lines = |mark: char| -> Vec<&str> {
        let marked = case.lines().filter_map(|line| line.strip_prefix(mark));
        marked.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect()
    };
    let text = changed(&[(&lines('-').join("\n"), &lines('+').join("\n"))]);
    let expected: Vec<String> = lines('!')
        .into_iter()
        .map(|line| {
            let (anchor, said) = line.split_once(" => ").expect("a place and a misfit");
            let (line, column) = position(&text, anchor);
            format!("c.toml:{line}:{column}: {said}")
        })
        .collect();
    let error = read(&text).expect_err(case);
    assert_eq!(error.at, expected, "{case}");
    assert_eq!(error.kind, crate::error::Kind::Usage);
}

#[test]
fn every_fault_is_told_where_it_stands() {
    let cases: Vec<&str> = FAULTS.split("\n\n").skip(1).collect();
    assert!(cases.len() >= 120);
    for case in cases {
        check_fault(case);
    }
}

#[test]
fn the_built_in_contract_has_no_misfit() {
    let contract = read(BUILT_IN).unwrap();
    assert_eq!(contract.text, BUILT_IN);
    assert_eq!(contract.transforms.len(), contract.after.schema.entities.len());
    let entity = contract.after.schema.entity("thread_steps").unwrap();
    let rules = &contract.transform_into("thread_steps").unwrap().attrs;
    let declared: Vec<&str> = entity.attrs.iter().map(|attr| attr.name.as_str()).collect();
    let ruled: Vec<&str> = rules.iter().map(|rule| rule.attr.as_str()).collect();
    assert_eq!(ruled, declared);
}

#[test]
fn all_faults_are_told_at_once() {
    let text = changed(&[
        ("threadId = \"string\"", "threadId = \"text\""),
        ("adopt = [\"key\"]", "adopt = [\"name\"]"),
        ("missing = \"web\"", "missing = 5"),
        ("take = \"thread\"", "take = \"threads\""),
        ("max_quarantined = 0", "max_quarantined = \"few\""),
    ]);
    insta::assert_snapshot!(shown(&read(&text).unwrap_err()), @r#"
    error: the contract has 5 misfits
      --> c.toml:34:115: `text` is no attribute type
      --> c.toml:133:10: `name` of `thread_threads` is not unique (`*`)
      --> c.toml:163:51: `missing` is a whole number, `thread_items.channel` is a string
      --> c.toml:170:45: `thread_contexts` has no link `threads`; did you mean `thread`?
      --> c.toml:296:19: `max_quarantined` must be a number of rows, a share of them as "0.1%", or "any"
    help: correct each place, then run `rethread contract check` on it
    "#);
}

#[test]
fn what_is_no_toml_is_told_with_its_place() {
    let text = changed(&[("[ids]", "[ids"), ("from = \"\"", "from = \"")]);
    insta::assert_snapshot!(shown(&read(&text).unwrap_err()), @r#"
    error: the contract has 2 misfits
      --> c.toml:20:60: no TOML: invalid basic string, expected `"`
      --> c.toml:126:5: no TOML: unclosed table, expected `]`
    help: correct each place, then run `rethread contract check` on it
    "#);
}

#[test]
fn a_contract_is_shown_in_words() {
    let said = show(&read(BUILT_IN).unwrap());
    let part = |name: &str| {
        let start = said.find(name).unwrap();
        said[start..].split("\n\n").next().unwrap()
    };
    insta::assert_snapshot!(part("context_events -> thread_items"), @r#"
    context_events -> thread_items
      id: id
      order: createdAt, id
      idempotency key: id
      channel (string!^): channel, else "web"
      createdAt (date!^): createdAt, else the row's creation time in the store
      type (string^): type; "user.message" becomes "input_text", "assistant.message" becomes "output_text", "system.message" becomes "ekairos:system", "input_text" becomes "input_text", "output_text" becomes "output_text"; any other stays as it is
      content (any): content
      status (string^): status
      context -> thread_contexts: the legacy link context, else the row of context_contexts whose key is this row's contextKey, else context of the row linked as execution, else context of the row of story_executions whose trigger is this row, else context of the row of story_executions whose reaction is this row; a row is quarantined with the row it names
      thread -> thread_threads: thread of the row linked as context; a row is quarantined with the row it names
      execution -> thread_executions: the legacy link execution, else the first row of story_executions whose trigger is this row, else the first row of story_executions whose reaction is this row
    "#);
    insta::assert_snapshot!(part("story_parts -> thread_parts"), @r#"
    story_parts -> thread_parts
      id: id, else uuid5 of "thread_parts:<step>:<idx>"
      order: stepId, idx, id
      idempotency key: key
      key (string!*^): key, else the text "{stepId}:{idx}"
      stepId (string!^): id of the row linked as step
      idx (number!^): idx
      type (string^): type, else type in the JSON of part
      part (any): part, else content
      updatedAt (date): updatedAt
      step -> thread_steps: the legacy link step; a row without it is quarantined
    "#);
    insta::assert_snapshot!(part("verified"), @r"
    verified beside the derived rules
      one thread per context: each row of context_contexts has its own row of thread_threads, unless it stands on an existing row
      message order of every context is unchanged: thread_items within context are in the order of context_events by createdAt, id
      part order of every step is unchanged: thread_parts within step are in the order of story_parts by idx
      payloads are unchanged: thread_items.content is context_events.content byte for byte, thread_parts.part is story_parts.part byte for byte, thread_contexts.content is context_contexts.content byte for byte
      workflow runs are unchanged: thread_executions.workflowRunId is story_executions.workflowRunId byte for byte
    ");
    insta::assert_snapshot!(part("counted and shown"), @r#"
    counted and shown
      items in no conversation: rows of thread_items without context
      items in another conversation than their execution: rows of thread_items whose context is not the context of their execution
      parts whose key is not their step and index: rows of thread_parts whose key is not the text "{stepId}:{idx}"
      parts that share a step and an index: rows of thread_parts that share stepId, idx with another
      steps whose tool calls are kept as text: rows of thread_steps whose toolCalls is a text
      steps whose tool results are kept as text: rows of thread_steps whose toolExecutionResults is a text
      parts without content: rows of thread_parts without part
    "#);
}

/// The rule of a target attribute or link after one change of the built-in contract.
fn rule_after(change: (&str, &str), target: &str, name: &str) -> String {
    let contract = read(&changed(&[change])).map_err(|error| shown(&error)).unwrap();
    let said = show(&contract);
    let (_, said) = said.split_once(&format!(" -> {target}\n")).unwrap();
    let line =
        said.lines().find(|line| line.trim_start().starts_with(&format!("{name} "))).unwrap();
    line.trim_start().to_owned()
}

#[test]
fn rules_the_built_in_contract_does_not_use_are_read() {
    let cases = [
        (
            ("otherwise = \"keep\"", "otherwise = \"quarantine\""),
            ("thread_items", "type"),
            "a row with any other is quarantined",
        ),
        (
            ("otherwise = \"keep\"", "otherwise = { value = \"other\" }"),
            ("thread_items", "type"),
            "any other becomes \"other\"",
        ),
        (
            ("{ reverse = \"story_executions.trigger\" }", "{ reverse = \"trigger\" }"),
            ("thread_items", "execution"),
            "whose trigger is this row",
        ),
        (
            ("from = [\"execution.id\"]", "from = [\"execution.context\"]"),
            ("thread_steps", "executionId"),
            "context of the row linked as execution",
        ),
        (
            (
                "{ from = [\"content.title\", \"key\"] }",
                "{ from = [\"thread.id\", \"content.a.b\"] }",
            ),
            ("thread_threads", "name"),
            "id of the row linked as thread, else a.b in the JSON of content",
        ),
        (
            (
                "attrs.continueLoop         = { from = [\"continueLoop\"] }",
                "attrs.continueLoop = { missing = true }",
            ),
            ("thread_steps", "continueLoop"),
            "(boolean): true",
        ),
        (
            (
                "links.step = { from = [\"step\"], required = true }",
                "links.step = { from = [\"step\"], required = false }",
            ),
            ("thread_parts", "step"),
            "the legacy link step",
        ),
    ];
    for (change, (target, name), expected) in cases {
        let rule = rule_after(change, target, name);
        assert!(rule.contains(expected), "{change:?} gives {rule}");
    }
}

#[test]
fn carried_attributes_get_a_rule() {
    let rule =
        "attrs.content   = { from = [\"content\"] }\nattrs.status    = { from = [\"status\"] }\n";
    let text = changed(&[("attrs = \"report\"", "attrs = \"carry\""), (rule, "")]);
    let contract = read(&text).unwrap();
    let rules = &contract.transform_into("thread_items").unwrap().attrs;
    let names: Vec<&str> = rules.iter().map(|rule| rule.attr.as_str()).collect();
    assert_eq!(names, ["channel", "createdAt", "type", "content", "status"]);
    assert_eq!(rules[3].from, [Pick::Attr("content".to_owned())]);
}

#[test]
fn an_id_of_a_legacy_row_has_one_target() {
    let contract = read(BUILT_IN).unwrap();
    let target = |source| contract.id_transform(source).map(|rules| rules.target.as_str());
    assert_eq!(target("context_contexts"), Some("thread_contexts"));
    assert_eq!(target("story_steps"), Some("thread_steps"));
    assert_eq!(target("nothing"), None);
}
