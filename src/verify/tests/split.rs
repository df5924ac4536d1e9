//! Rows that a contract splits, numbers and drops: sound ones pass, and each planted fault is told.

use super::super::fixture::{Cell, Copied, Given, Place, at, id};
use super::{Fault, check_in, failed, set, values_both_ways};
use crate::contract::BUILT_INS;

const PARTS: &str = "data/parquet/event_parts.parquet";
const DROPPED: &str = "data/dropped/story_parts.parquet";
const QUARANTINE: &str = "data/quarantine/story_parts.parquet";

/// A part of a step: its number, place and content.
fn part(number: u64, step: u64, idx: Option<f64>, content: &str) -> Given {
    let mut row = vec![("id", Cell::Text(id(number))), ("step", Cell::Text(id(step)))];
    row.extend(idx.map(|idx| ("idx", Cell::Number(idx))));
    if !content.is_empty() {
        row.push(("part", Cell::from(content)));
    }
    row
}

fn parts() -> Vec<Given> {
    let tool = r#"{"type":"tool-web-search","state":"output-available","toolCallId":"c1","input":{ "q" : 1.50 },"output":[null]}"#;
    let mut late = part(406, 301, None, r#"{"type":"text","text":"last"}"#);
    late.push(("updatedAt", at(9)));
    let mut named = part(407, 302, Some(1.0), r#"{"text":"by the attribute"}"#);
    named.push(("type", Cell::from("reasoning")));
    let mut odd = part(408, 302, Some(1.0), r#"{"type":"data-x-y","data":null,"id":"d"}"#);
    odd[0].1 = Cell::from("part-8");
    vec![
        part(402, 301, Some(1.0), tool),
        part(401, 301, Some(0.0), r#"{"type":"text","text":"é\u0041"}"#),
        part(403, 301, Some(0.5), r#"{"type":"step-start"}"#),
        part(404, 301, Some(0.0), ""),
        part(405, 301, Some(0.0), r#"{"type":"odd"}"#),
        late,
        named,
        odd,
        part(409, 302, Some(2.0), r#"{"type":"text","text":"a","text":"b"}"#),
        part(410, 999, Some(3.0), r#"{"type":"text","text":"orphan"}"#),
        part(
            411,
            302,
            Some(0.0),
            r#"{"type":"tool-t","state":"output-error","toolCallId":"c2","errorText":"no"}"#,
        ),
        part(412, 302, Some(0.0), r#"{"type":"source-url","sourceId":"s","url":"u"}"#),
        part(413, 302, Some(0.0), r#"{"type":"text","text":"a","more":1}"#),
    ]
}

fn place() -> Place {
    with_existing(&[])
}

/// The bundle of these parts, in a target that has some rows.
fn with_existing(existing: &[Given]) -> Place {
    let text = |column, number: u64| (column, Cell::Text(id(number)));
    let timed = |number: u64| vec![text("id", number), ("createdAt", at(1))];
    let step = |number: u64| {
        let mut row = timed(number);
        row.extend([text("execution", 201), ("toolCalls", Cell::from("[]"))]);
        row
    };
    let mut execution = timed(201);
    execution.push(text("context", 1));
    Place::by(
        BUILT_INS[1].1,
        &[
            ("context_contexts", vec![timed(1)]),
            ("story_executions", vec![execution]),
            ("story_steps", vec![step(301), step(302)]),
            ("story_parts", parts()),
            ("event_parts", existing.to_vec()),
        ],
        &[],
    )
}

#[test]
fn sound_split_rows_pass() {
    let place = place();
    let copy = place.copy("clean");
    let found = copy.verify();
    assert_eq!(failed(&found), Vec::<String>::new());
    assert!(found.passed());
    for (target, by_rows, _) in values_both_ways(&copy, &place) {
        assert!(by_rows, "{target}");
    }
    let looked = |kind: &str, attr: &str| {
        let rule = found
            .rules
            .iter()
            .find(|rule| rule.kind == kind && rule.entity == "event_parts" && rule.attr == attr);
        rule.unwrap().evaluated
    };
    // Two texts, a tool that ended, one that failed, and three of one row.
    for attr in ["part", "type", "idx", "key"] {
        assert_eq!(looked("value", attr), 9, "{attr}");
    }
}

#[test]
fn rows_that_are_there_already_keep_their_numbers() {
    let there = |number: u64, step: u64, idx: f64, part: &str| {
        vec![
            ("id", Cell::Text(id(number))),
            ("key", Cell::Text(format!("{}:{idx}", id(step)))),
            ("stepId", Cell::Text(id(step))),
            ("step", Cell::Text(id(step))),
            ("idx", Cell::Number(idx)),
            ("type", Cell::from("message")),
            ("part", Cell::from(part)),
        ]
    };
    // One says the same as part 401 makes, the other stands in the way of part 412.
    let same = r#"{"type":"message","content":{"text":"é\u0041"}}"#;
    let place = with_existing(&[there(401, 301, 0.0, same), there(412, 302, 2.0, "{}")]);
    let copy = place.copy("clean");
    let found = copy.verify();
    assert_eq!(failed(&found), Vec::<String>::new());
    let numbered = |rule: &&crate::verify::Rule| rule.kind == "value" && rule.attr == "idx";
    assert_eq!(found.rules.iter().find(numbered).unwrap().evaluated, 7);
    let refused = |rule: &crate::bundle::Quarantined| rule.rule == "event_parts.id not taken";
    let (bundle, _) = copy.sealed();
    assert!(bundle.meta().quarantine.iter().any(refused));
    assert_eq!(bundle.meta().equations.iter().map(|it| it.merged).sum::<u64>(), 1);
}

fn change(copy: &Copied<'_>, file: &str, row: usize, (column, value): (&str, Cell)) {
    copy.edit(file, |table| {
        assert_ne!(*table.cell(row, column), value, "the fault changes nothing");
        *table.cell(row, column) = value;
    });
}

/// The second of the rows that a part became, by its key.
fn second(copy: &Copied<'_>, (column, value): (&str, Cell)) {
    let key = format!("{}:2", id(301));
    copy.edit(PARTS, |table| {
        let row = table.find("key", &key);
        assert_ne!(*table.cell(row, column), value, "the fault changes nothing");
        *table.cell(row, column) = value;
    });
}

fn text(text: &str) -> Cell {
    Cell::from(text)
}

fn check(faults: &[Fault<'_>]) {
    let place = place();
    for fault in faults {
        check_in(&place, fault);
    }
}

#[test]
fn rows_of_a_split_that_are_lost_doubled_or_others_are_told() {
    let key = format!("{}:2", id(301));
    check(&[
        (
            "the second row lost",
            &|c| {
                c.edit(PARTS, |table| {
                    let row = table.find("key", &key);
                    table.rows.remove(row);
                });
            },
            "account story_parts.; count story_parts.; count event_parts.",
        ),
        (
            "the first row twice",
            &|c| {
                c.edit(PARTS, |table| {
                    let (first, second) = (table.find("id", &id(402)), table.find("key", &key));
                    table.rows[second] = table.rows[first].clone();
                });
            },
            "unique event_parts.id; unique event_parts.key; order event_parts.",
        ),
        ("another id", &|c| second(c, ("id", Cell::Text(id(777)))), "id event_parts.id"),
        (
            "another source",
            &|c| second(c, ("_source_row", Cell::Whole(1))),
            "account story_parts.; id event_parts.id",
        ),
        ("another step", &|c| second(c, ("step", Cell::Text(id(302)))), "link event_parts.step"),
        (
            "a split counted otherwise",
            &|c| {
                c.meta(|meta| {
                    let equations = meta.equations.iter_mut();
                    equations.flat_map(|it| &mut it.split).for_each(|split| split.2 += 1);
                });
            },
            "count story_parts.",
        ),
    ]);
}

#[test]
fn numbers_and_built_values_are_told() {
    let built = r#"{"type":"action","content":{"status":"completed","actionName":"web-search","actionCallId":"c1","output":[null] }}"#;
    check(&[
        ("idx + 1", &|c| second(c, ("idx", Cell::Number(3.0))), "value event_parts.idx"),
        ("key", &|c| second(c, ("key", text("k"))), "value event_parts.key"),
        ("type", &|c| second(c, ("type", text("message"))), "value event_parts.type"),
        ("a blank", &|c| second(c, ("part", text(built))), "value event_parts.part"),
        (
            "null",
            &|c| set(c, PARTS, (407, "part"), Cell::Null),
            "value event_parts.part; content story_parts.part",
        ),
        (
            "emptied",
            &|c| set(c, PARTS, (407, "part"), text(r#"{"type":"reasoning","content":{}}"#)),
            "value event_parts.part; content story_parts.part",
        ),
        (
            "the name of a tool is lost",
            &|c| {
                let part =
                    r#"{"content":{"actionCallId":"c1","input":{"q":1.50},"output":[null]}}"#;
                set(c, PARTS, (402, "part"), text(part));
                second(c, ("part", text(part)));
            },
            "value event_parts.part; content story_parts.part",
        ),
        ("filled", &|c| second(c, ("metadata", text("{}"))), "value event_parts.metadata"),
        (
            "two rows of one place change numbers",
            &|c| {
                c.edit(PARTS, |table| {
                    let (a, b) = (table.find("id", &id(411)), table.find("id", &id(412)));
                    for column in ["idx", "key"] {
                        let (x, y) = (table.cell(a, column).clone(), table.cell(b, column).clone());
                        *table.cell(a, column) = y;
                        *table.cell(b, column) = x;
                    }
                });
            },
            "value event_parts.idx; order event_parts.",
        ),
    ]);
    let place = place();
    let copy = place.copy("moved");
    set(&copy, PARTS, (401, "idx"), Cell::Number(7.0));
    for (target, by_rows, rules) in values_both_ways(&copy, &place) {
        assert_eq!(by_rows, target != "event_parts", "{target}");
        assert_eq!(rules.iter().all(|rule| rule.outcome.holds()), by_rows, "{target}");
    }
}

#[test]
fn what_a_rule_drops_or_refuses_is_told() {
    let listed = || text("event_parts.part listed");
    check(&[
        (
            "a dropped row not listed",
            &|c| c.edit(DROPPED, |table| drop(table.rows.pop())),
            "account story_parts.; count story_parts.",
        ),
        (
            "listed twice",
            &|c| c.edit(DROPPED, |table| table.rows.push(table.rows[0].clone())),
            "account story_parts.; count story_parts.",
        ),
        (
            "another row listed",
            &|c| change(c, DROPPED, 0, ("_row", Cell::Whole(1))),
            "account story_parts.",
        ),
        (
            "a row of nowhere listed",
            &|c| change(c, DROPPED, 0, ("_row", Cell::Whole(99))),
            "account story_parts.; count story_parts.",
        ),
        ("no rule", &|c| change(c, DROPPED, 0, ("_rule", text(""))), "account story_parts."),
        (
            "an orphan refused for its case",
            &|c| {
                c.edit(QUARANTINE, |table| {
                    let row = table.find("id", &id(410));
                    *table.cell(row, "_rule") = listed();
                });
            },
            "account story_parts.; count story_parts.",
        ),
        (
            "a row that no case answers for refused as one that none lists",
            &|c| {
                c.edit(QUARANTINE, |table| {
                    let row = table.find("id", &id(413));
                    *table.cell(row, "_rule") = listed();
                });
            },
            "account story_parts.; count story_parts.",
        ),
        (
            "a row without a case migrated",
            &|c| {
                c.edit(QUARANTINE, |table| {
                    let row = table.find("id", &id(405));
                    table.rows.remove(row);
                });
                second(c, ("_source_row", Cell::Whole(4)));
            },
            "account story_parts.; id event_parts.id",
        ),
    ]);
}

#[test]
fn what_is_counted_of_drops_otherwise_is_told() {
    check(&[
        (
            "counted otherwise",
            &|c| c.meta(|meta| meta.equations.iter_mut().for_each(|it| it.dropped += 1)),
            "count story_parts.; count context_events.",
        ),
        (
            "links of dropped rows",
            &|c| c.meta(|meta| meta.link_equations.iter_mut().for_each(|it| it.dropped_rows += 1)),
            "count story_parts.step",
        ),
        (
            "values without a home",
            &|c| c.meta(|meta| meta.dropped_values.iter_mut().for_each(|it| it.2 += 1)),
            "count story_steps.toolCalls; count story_parts.part",
        ),
        (
            "a value without a home not counted",
            &|c| c.meta(|meta| meta.dropped_values.retain(|it| it.1 != "part.id")),
            "count story_parts.part",
        ),
    ]);
}
