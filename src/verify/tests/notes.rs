//! Notes: counted with ids, and no reason to fail within their limits.

use super::super::fixture::{Cell, Copied, id};
use super::super::{Outcome, Verification};
use super::{EXECUTIONS, ITEMS, PARTS, STEPS, failed, rows, set};
use crate::contract::{Limit, NoteWhat};

/// What is noted, a rule a line.
fn noted(found: &Verification) -> String {
    let rules = found.rules.iter().filter(|rule| rule.outcome == Outcome::Noted);
    let lines = rules.map(|rule| {
        let samples = rule.samples.join("; ");
        format!("{} of {}  {}  [{samples}]\n", rule.violations, rule.evaluated, rule.rule)
    });
    lines.collect()
}

#[test]
fn what_is_noted_has_a_count_and_ids_and_stops_nothing() {
    let found = rows::place().copy("copy").verify();
    assert!(found.passed());
    insta::assert_snapshot!(noted(&found), @r#"
    2 of 8  items in no conversation: rows of thread_items without context  [00000000-0000-4000-8000-00000000006b; 00000000-0000-4000-8000-00000000006d]
    4 of 5  parts whose key is not their step and index: rows of thread_parts whose key is not the text "{stepId}:{idx}"  [00000000-0000-4000-8000-000000000191; 00000000-0000-4000-8000-000000000192; 7fbf252c-5244-5554-abb8-9bc119ca2cbc; 00000000-0000-4000-8000-000000000196]
    1 of 5  parts without content: rows of thread_parts without part  [00000000-0000-4000-8000-000000000196]
    1 of 8  thread_items.type: values that no mapping lists  [“odd” in 00000000-0000-4000-8000-000000000067]
    1 of 3  thread_executions.status: values that no mapping lists  [“weird” in 00000000-0000-4000-8000-0000000000ca]
    1 of 23  context_events: UUIDs in upper case, which the target has in lower case  [00000000-0000-4000-8000-00000000006B]
    "#);
}

/// What a fault adds to the count of a note.
fn adds(place: &super::Place, note: &str, fault: &dyn Fn(&Copied<'_>)) {
    let count = |found: &Verification| {
        let rule =
            found.rules.iter().find(|rule| rule.kind == "note" && rule.rule.starts_with(note));
        rule.map(|rule| (rule.violations, rule.samples.clone()))
    };
    let before = count(&place.copy(&format!("{note}, before")).verify()).expect(note);
    let copy = place.copy(note);
    fault(&copy);
    let after = count(&copy.verify()).expect(note);
    assert_eq!(after.0, before.0 + 1, "{note}: {before:?}, {after:?}");
}

#[test]
fn every_construct_of_a_note_counts_what_it_looks_for() {
    let place = rows::place();
    adds(&place, "items in no conversation", &|copy| {
        set(copy, ITEMS, (101, "context"), Cell::Null);
    });
    adds(&place, "items in another conversation", &|copy| {
        set(copy, ITEMS, (101, "context"), Cell::Text(id(2)));
    });
    adds(&place, "parts whose key", &|copy| {
        set(copy, PARTS, (403, "key"), Cell::Text(format!("{}:3", id(301))));
    });
    adds(&place, "steps whose tool calls", &|copy| {
        set(copy, STEPS, (301, "toolCalls"), Cell::from("\"[]\""));
    });
    adds(&place, "steps whose tool results", &|copy| {
        set(copy, STEPS, (301, "toolExecutionResults"), Cell::from("\"\""));
    });
    adds(&place, "parts without content", &|copy| set(copy, PARTS, (401, "part"), Cell::Null));
    adds(&place, "thread_executions.status: values", &|copy| {
        copy.edit("data/repairs/thread_executions.parquet", |table| {
            let row = table.find("how", "value kept");
            let again = table.rows[row].clone();
            table.rows.push(again);
        });
    });
}

#[test]
fn rows_that_share_values_are_all_counted() {
    let place = rows::place();
    let copy = place.copy("shared");
    set(&copy, PARTS, (402, "idx"), Cell::Number(0.0));
    let found = copy.verify();
    let rule = found.rules.iter().find(|rule| rule.rule.starts_with("parts that share"));
    let rule = rule.expect("a rule");
    assert_eq!((rule.violations, &rule.samples), (2, &vec![id(401), id(402)]));
}

#[test]
fn a_row_that_existed_is_not_noted_and_null_is_shared_with_none() {
    let place = rows::place();
    let copy = place.copy("existing");
    let before = noted(&copy.verify());
    // An item of the app itself is in no conversation either.
    set(&copy, ITEMS, (910, "type"), Cell::Null);
    set(&copy, EXECUTIONS, (201, "context"), Cell::Null);
    let after = noted(&copy.verify());
    assert_eq!(before, after);
}

#[test]
fn beyond_its_limit_a_note_fails() {
    let mut place = rows::place();
    for (max, outcome) in [(Limit::Rows(1), Outcome::Failed), (Limit::Rows(2), Outcome::Noted)] {
        for note in &mut place.contract.notes {
            if matches!(&note.what, NoteWhat::Null(columns) if columns[0].1 == "context") {
                note.max = max;
            }
        }
        let found = place.copy(&format!("{max:?}")).verify();
        let rule = found.rules.iter().find(|rule| rule.rule.starts_with("items in no"));
        assert_eq!(rule.map(|rule| rule.outcome), Some(outcome), "{:#?}", failed(&found));
        assert_eq!(found.passed(), outcome == Outcome::Noted);
    }
}

#[test]
fn ids_in_upper_case_are_counted_wherever_a_migrated_row_holds_one() {
    let upper = |number: u64| Cell::Text(format!("0000000A-0000-4000-8000-{number:012X}"));
    let place = rows::place_by(crate::contract::BUILT_IN, &|entity, rows| {
        let mut set = |row: usize, name: &'static str, cell: Cell| rows[row].push((name, cell));
        match entity {
            // A scalar that stands for the link, one that a rule takes for an id, and the link itself.
            "story_executions" => set(0, "trigger_event_id", upper(10)),
            "story_steps" => set(0, "reactionEventId", upper(11)),
            "context_events" => {
                set(3, "execution", upper(12));
                set(10, "execution", upper(13));
            }
            _ => {}
        }
    });
    let found = place.copy("copy").verify();
    let rules = found.rules.iter().filter(|rule| rule.rule.contains("UUIDs in upper case"));
    let counts: Vec<String> = rules
        .filter(|rule| rule.violations > 0)
        .map(|rule| format!("{} {} {:?}", rule.entity, rule.violations, rule.samples))
        .collect();
    insta::assert_snapshot!(counts.join("\n"), @r#"
    context_events 2 ["00000000-0000-4000-8000-00000000006B", "0000000A-0000-4000-8000-00000000000C"]
    story_executions 1 ["0000000A-0000-4000-8000-00000000000A"]
    story_steps 1 ["0000000A-0000-4000-8000-00000000000B"]
    "#);
}
