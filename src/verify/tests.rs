//! One planted fault a case: each must be caught by the rule that is about it. A clean bundle gives
//! no finding.

use super::fixture::{Cell, Copied, Edit, Place, at, empty, id, place};
use super::{Outcome, Rule, Verification};

fn failed(found: &Verification) -> Vec<String> {
    let told = |rule: &Rule| {
        format!(
            "{} {}.{} | {} | {}/{} {:?}",
            rule.kind,
            rule.entity,
            rule.attr,
            rule.rule,
            rule.violations,
            rule.evaluated,
            rule.samples
        )
    };
    let wrong = |rule: &&Rule| !matches!(rule.outcome, Outcome::Passed | Outcome::NothingThere);
    found.rules.iter().filter(wrong).map(told).collect()
}

#[test]
fn a_clean_bundle_passes_every_rule() {
    let place = place();
    let found = place.copy("copy").verify();
    assert_eq!(failed(&found), Vec::<String>::new());
    assert!(found.passed());
}

#[test]
fn an_empty_bundle_has_nothing_to_look_at() {
    let found = empty().copy("copy").verify();
    assert_eq!(failed(&found), Vec::<String>::new());
    let evaluated = |rule: &&Rule| rule.outcome == Outcome::Passed && rule.kind != "limit";
    let evaluated: Vec<&str> =
        found.rules.iter().filter(evaluated).map(|rule| rule.kind.as_str()).collect();
    assert!(evaluated.iter().all(|kind| ["count"].contains(kind)), "{evaluated:?}");
}

const ITEMS: &str = "data/parquet/thread_items.parquet";
const THREADS: &str = "data/parquet/thread_threads.parquet";
const CONTEXTS: &str = "data/parquet/thread_contexts.parquet";
const EXECUTIONS: &str = "data/parquet/thread_executions.parquet";
const STEPS: &str = "data/parquet/thread_steps.parquet";
const PARTS: &str = "data/parquet/thread_parts.parquet";

/// A fault, and the rules that must tell it: `<kind> <entity>.<attr>`.
type Fault<'a> = (&'a str, &'a dyn Fn(&Copied<'_>), &'a [&'a str]);

fn check(faults: &[Fault<'_>]) {
    let place = place();
    for (name, fault, expected) in faults {
        let copy = place.copy(name);
        fault(&copy);
        let found = copy.verify();
        let told = failed(&found);
        for wanted in *expected {
            let caught = told.iter().any(|told| told.starts_with(&format!("{wanted} |")));
            assert!(caught, "{name}: no `{wanted}` among {told:#?}");
        }
        assert!(!found.passed(), "{name}");
    }
}

/// Sets one value of the row of a target table that this id names.
fn set(copy: &Copied<'_>, file: &str, (row, name): (u64, &str), value: impl Into<Cell>) {
    copy.edit(file, |table| {
        let row = table.find("id", &id(row));
        let value = value.into();
        assert_ne!(*table.cell(row, name), value, "the fault changes nothing");
        *table.cell(row, name) = value;
    });
}

fn swap(table: &mut Edit, a: &str, b: &str) {
    let (a, b) = (table.find("id", a), table.find("id", b));
    table.rows.swap(a, b);
}

#[test]
fn rows_dropped_doubled_or_foreign_are_caught() {
    check(&[
        (
            "dropped",
            &|copy| copy.edit(ITEMS, |table| drop(table.rows.remove(table.find("id", &id(103))))),
            &["account context_events.", "count context_events.", "digest thread_items."],
        ),
        (
            "doubled",
            &|copy| {
                copy.edit(PARTS, |table| {
                    let row = table.rows[table.find("id", &id(402))].clone();
                    table.rows.push(row);
                });
            },
            &["account story_parts.", "unique thread_parts.id", "unique thread_parts.key"],
        ),
        (
            "foreign",
            &|copy| {
                copy.edit(STEPS, |table| {
                    let mut row = table.rows[0].clone();
                    row[table.column("id")] = Cell::from(id(777).as_str());
                    row[table.column("_source_row")] = Cell::Whole(9999);
                    table.rows.push(row);
                });
            },
            &["account thread_steps.", "id thread_steps.id"],
        ),
        (
            "two rows of one",
            &|copy| {
                copy.edit(ITEMS, |table| {
                    let (a, b) = (table.find("id", &id(101)), table.find("id", &id(102)));
                    let source = table.cell(a, "_source_row").clone();
                    *table.cell(b, "_source_row") = source;
                });
            },
            &["account context_events.", "id thread_items.id", "value thread_items.content"],
        ),
        (
            "existing row dropped",
            &|copy| copy.edit(ITEMS, |table| drop(table.rows.remove(table.find("id", &id(910))))),
            &["account thread_items.", "count thread_items."],
        ),
        (
            "existing row as migrated",
            &|copy| set(copy, ITEMS, (910, "_origin"), "migrated"),
            &["account thread_items.", "account context_events.", "count thread_items."],
        ),
        (
            "adopted row forgotten",
            &|copy| copy.edit("data/adopted/context_contexts.parquet", |table| table.rows.clear()),
            &["account context_contexts.", "link thread_contexts.thread"],
        ),
        (
            "row moved to another legacy row's place",
            &|copy| {
                copy.edit(PARTS, |table| {
                    let (a, b) = (table.find("id", &id(401)), table.find("id", &id(402)));
                    let (x, y) = (
                        table.cell(a, "_source_row").clone(),
                        table.cell(b, "_source_row").clone(),
                    );
                    *table.cell(a, "_source_row") = y;
                    *table.cell(b, "_source_row") = x;
                });
            },
            &["id thread_parts.id", "value thread_parts.part", "same thread_parts.part"],
        ),
    ]);
}

#[test]
fn links_moved_lost_or_invented_are_caught() {
    check(&[
        (
            "moved",
            &|copy| set(copy, ITEMS, (101, "context"), &*id(2)),
            &["link thread_items.context", "link thread_items.thread"],
        ),
        (
            "lost",
            &|copy| set(copy, ITEMS, (101, "context"), Cell::Null),
            &["link thread_items.context"],
        ),
        (
            "lost by a row with a contextId",
            &|copy| set(copy, ITEMS, (104, "context"), Cell::Null),
            &["link thread_items.context", "account context_events.context"],
        ),
        (
            "invented",
            &|copy| set(copy, ITEMS, (109, "context"), &*id(1)),
            &["link thread_items.context"],
        ),
        (
            "to nowhere",
            &|copy| set(copy, STEPS, (301, "execution"), &*id(777)),
            &["link thread_steps.execution"],
        ),
        (
            "in upper case",
            &|copy| set(copy, STEPS, (301, "execution"), &*id(0xabc).to_uppercase()),
            &["link thread_steps.execution"],
        ),
        (
            "thread of another context",
            &|copy| set(copy, ITEMS, (101, "thread"), &*id(901)),
            &["link thread_items.thread"],
        ),
        (
            "context on another's thread",
            &|copy| set(copy, CONTEXTS, (1, "thread"), &*id(902)),
            &["link thread_contexts.thread"],
        ),
        (
            "trigger and reaction swapped",
            &|copy| {
                set(copy, EXECUTIONS, (201, "trigger"), &*id(102));
                set(copy, EXECUTIONS, (201, "reaction"), &*id(101));
            },
            &["link thread_executions.trigger", "link thread_executions.reaction"],
        ),
        (
            "current execution of another",
            &|copy| set(copy, CONTEXTS, (1, "currentExecution"), &*id(202)),
            &["link thread_contexts.currentExecution"],
        ),
        (
            "part held from the step's side",
            &|copy| set(copy, PARTS, (406, "step"), &*id(301)),
            &["link thread_parts.step"],
        ),
        (
            "an existing row's link",
            &|copy| set(copy, ITEMS, (910, "thread"), &*id(901)),
            &["link thread_items.thread"],
        ),
        (
            "carried pair lost",
            &|copy| {
                copy.edit("data/parquet/links/emails.events.parquet", |pairs| {
                    pairs.rows.pop();
                })
            },
            &["link emails.events", "digest emails.events"],
        ),
        (
            "carried pair moved",
            &|copy| {
                copy.edit("data/parquet/links/emails.events.parquet", |pairs| {
                    *pairs.cell(0, "to") = Cell::from(id(103).as_str());
                })
            },
            &["link emails.events", "digest emails.events"],
        ),
        (
            "dropped link not listed",
            &|copy| copy.edit("data/quarantine/links.parquet", |links| links.rows.clear()),
            &["account story_executions.trigger", "account emails.events"],
        ),
    ]);
}

#[test]
fn values_that_differ_by_a_hair_are_caught() {
    check(&[
        (
            "null for empty",
            &|copy| set(copy, ITEMS, (101, "status"), Cell::Null),
            &["value thread_items.status"],
        ),
        (
            "empty for null",
            &|copy| set(copy, ITEMS, (103, "status"), ""),
            &["value thread_items.status"],
        ),
        (
            "blanks trimmed",
            &|copy| set(copy, ITEMS, (102, "status"), "x"),
            &["value thread_items.status"],
        ),
        (
            "a millisecond",
            &|copy| set(copy, ITEMS, (105, "createdAt"), at(41)),
            &["value thread_items.createdAt"],
        ),
        (
            "a microsecond",
            &|copy| set(copy, CONTEXTS, (1, "updatedAt"), Cell::Date(1_500_001)),
            &["value thread_contexts.updatedAt"],
        ),
        ("idx + 1", &|copy| set(copy, PARTS, (402, "idx"), 3.0), &["value thread_parts.idx"]),
        (
            "the sign",
            &|copy| set(copy, STEPS, (302, "iteration"), -1.0),
            &["value thread_steps.iteration"],
        ),
        (
            "a flag",
            &|copy| set(copy, STEPS, (301, "continueLoop"), false),
            &["value thread_steps.continueLoop"],
        ),
        (
            "a character past 10,000",
            &|copy| {
                copy.edit(PARTS, |table| {
                    let row = table.find("id", &id(402));
                    let Cell::Text(text) = table.cell(row, "part") else { panic!() };
                    text.replace_range(15_000..15_001, "X");
                })
            },
            &["value thread_parts.part", "same thread_parts.part", "digest thread_parts."],
        ),
        (
            "a blank in JSON",
            &|copy| set(copy, ITEMS, (101, "content"), "{\"a\": 1}"),
            &["value thread_items.content", "same thread_items.content"],
        ),
        (
            "a composed character",
            &|copy| {
                copy.edit(THREADS, |table| {
                    let row = table.find("name", "Ärger A");
                    *table.cell(row, "name") = Cell::from("A\u{308}rger A");
                })
            },
            &["value thread_threads.name"],
        ),
        (
            "a status flipped",
            &|copy| set(copy, CONTEXTS, (2, "status"), "open"),
            &["value thread_contexts.status"],
        ),
        (
            "a value mapped twice",
            &|copy| set(copy, ITEMS, (102, "type"), "input_text"),
            &["value thread_items.type"],
        ),
        (
            "a run id",
            &|copy| set(copy, EXECUTIONS, (201, "workflowRunId"), "run-2"),
            &["value thread_executions.workflowRunId", "same thread_executions.workflowRunId"],
        ),
        (
            "the event of another step",
            &|copy| set(copy, STEPS, (302, "eventId"), &*id(101)),
            &["value thread_steps.eventId"],
        ),
        (
            "the step of another part",
            &|copy| set(copy, PARTS, (401, "stepId"), &*id(302)),
            &["value thread_parts.stepId"],
        ),
        (
            "an existing row",
            &|copy| set(copy, ITEMS, (910, "type"), "output_text"),
            &["value thread_items."],
        ),
    ]);
}

#[test]
fn types_presence_ids_and_order_are_caught() {
    check(&[
        (
            "no JSON",
            &|copy| set(copy, ITEMS, (101, "content"), "{"),
            &["type thread_items.content"],
        ),
        (
            "not finite",
            &|copy| set(copy, PARTS, (401, "idx"), f64::INFINITY),
            &["type thread_parts.idx"],
        ),
        (
            "required and null",
            &|copy| set(copy, ITEMS, (102, "channel"), Cell::Null),
            &["presence thread_items.channel", "value thread_items.channel"],
        ),
        ("a key twice", &|copy| set(copy, PARTS, (402, "key"), "k1"), &["unique thread_parts.key"]),
        ("another id", &|copy| set(copy, STEPS, (302, "id"), &*id(777)), &["id thread_steps.id"]),
        (
            "an id in upper case",
            &|copy| {
                copy.edit(ITEMS, |table| {
                    let row = table.find("id", &id(107));
                    *table.cell(row, "id") = Cell::from("0000000A-0000-4000-8000-00000000006b");
                })
            },
            &["id thread_items.id"],
        ),
        (
            "a derived id",
            &|copy| {
                copy.edit(THREADS, |table| {
                    let row = table.find("key", "a");
                    *table.cell(row, "id") = Cell::from(id(776).as_str());
                })
            },
            &["id thread_threads.id"],
        ),
        (
            "a mapped id that is not listed",
            &|copy| copy.edit("data/ids.parquet", |lines| drop(lines.rows.pop())),
            &["count .id"],
        ),
        (
            "a mapped id that is listed otherwise",
            &|copy| {
                copy.edit("data/ids.parquet", |lines| {
                    *lines.cell(0, "from") = Cell::from("other");
                })
            },
            &["id thread_contexts.id"],
        ),
        (
            "adopted by another",
            &|copy| {
                copy.edit("data/adopted/context_contexts.parquet", |rows| {
                    let row = rows.find("id", &id(901));
                    *rows.cell(row, "id") = Cell::from(id(902).as_str());
                })
            },
            &["id thread_threads.id"],
        ),
        (
            "rows out of order",
            &|copy| copy.edit(PARTS, |table| swap(table, &id(401), &id(402))),
            &["order thread_parts.", "sequence thread_parts.step", "digest thread_parts."],
        ),
        (
            "rows of one time out of order",
            &|copy| copy.edit(ITEMS, |table| swap(table, &id(102), &id(103))),
            &["order thread_items.", "sequence thread_items.context"],
        ),
    ]);
}

#[test]
fn what_is_set_aside_and_counted_is_checked() {
    check(&[
        (
            "a quarantined row changed",
            &|copy| {
                copy.edit("data/quarantine/story_parts.parquet", |table| {
                    *table.cell(0, "type") = Cell::from("tex");
                })
            },
            &["account story_parts."],
        ),
        (
            "a quarantined row dropped",
            &|copy| {
                copy.edit("data/quarantine/story_executions.parquet", |table| {
                    drop(table.rows.pop());
                })
            },
            &["account story_executions.", "count story_executions."],
        ),
        (
            "a reason dropped",
            &|copy| {
                copy.edit("data/quarantine/story_steps.parquet", |table| {
                    *table.cell(0, "_reason") = Cell::Null;
                })
            },
            &["count story_steps."],
        ),
        (
            "merged into a row that differs",
            &|copy| {
                copy.edit("data/merged/context_events.parquet", |table| {
                    let row = table.rows.iter().position(|row| row[1] != Cell::Null).unwrap();
                    *table.cell(row, "_winner_row") = Cell::Whole(2);
                })
            },
            &["account context_events."],
        ),
        (
            "merged into no row",
            &|copy| {
                copy.edit("data/merged/context_events.parquet", |table| {
                    let row = table.find("id", &id(110));
                    *table.cell(row, "id") = Cell::from(id(777).as_str());
                })
            },
            &["account context_events."],
        ),
        (
            "a repair not listed",
            &|copy| {
                copy.edit("data/repairs/thread_items.parquet", |table| {
                    let row = table.find("attr", "channel");
                    drop(table.rows.remove(row));
                })
            },
            &["repair thread_items.channel", "repair thread_items."],
        ),
        (
            "a repair that is none",
            &|copy| {
                copy.edit("data/repairs/thread_items.parquet", |table| {
                    let row = table.find("attr", "channel");
                    *table.cell(row, "_source_row") = Cell::Whole(0);
                })
            },
            &["repair thread_items.channel"],
        ),
        (
            "a link's repair of another place",
            &|copy| {
                copy.edit("data/repairs/thread_items.parquet", |table| {
                    let row = table.find("attr", "context");
                    *table.cell(row, "how") = Cell::from("from context_id");
                })
            },
            &["repair thread_items.context"],
        ),
        (
            "migrated + 1",
            &|copy| copy.meta(|meta| meta.equations[1].migrated += 1),
            &["count context_events."],
        ),
        (
            "adopted - 1",
            &|copy| copy.meta(|meta| meta.equations[0].adopted.clear()),
            &["count context_contexts."],
        ),
        (
            "a table's migrated + 1",
            &|copy| copy.meta(|meta| meta.tables[0].migrated += 1),
            &["count thread_threads."],
        ),
        (
            "existing + 1",
            &|copy| copy.meta(|meta| meta.existing[0].carried += 1),
            &["count thread_threads."],
        ),
        ("a link's values + 1", &|copy| copy.meta(|meta| meta.link_equations[0].values += 1), &[]),
        ("repairs + 1", &|copy| copy.meta(|meta| meta.repairs[0].rows += 1), &[]),
        ("quarantined - 1", &|copy| copy.meta(|meta| meta.quarantine[0].rows -= 1), &[]),
        ("mapped + 1", &|copy| copy.meta(|meta| meta.mapped_ids[0].1 += 1), &["count .id"]),
        (
            "a digest",
            &|copy| copy.meta(|meta| meta.tables[2].digest.replace_range(0..1, "x")),
            &["digest thread_items."],
        ),
        (
            "a line changed",
            &|copy| {
                copy.text("data/jsonl/thread_items.jsonl", |text| text.replacen("web", "wep", 1))
            },
            &["digest thread_items."],
        ),
        (
            "a line more",
            &|copy| copy.text("data/jsonl/thread_steps.jsonl", |text| format!("{text}{text}")),
            &["digest thread_steps."],
        ),
        (
            "lines in another order",
            &|copy| {
                copy.text("data/jsonl/thread_parts.jsonl", |text| {
                    text.lines().rev().map(|line| format!("{line}\n")).collect()
                })
            },
            &["digest thread_parts."],
        ),
    ]);
}

#[test]
fn limits_of_the_contract_are_checked() {
    let mut place: Place = place();
    place.contract.rollout.max_quarantined = crate::contract::Limit::Rows(0);
    let told = failed(&place.copy("copy").verify());
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].starts_with("limit . | quarantined rows"), "{told:#?}");
}

#[test]
fn a_refusal_names_the_rules_and_the_first_places() {
    let place = place();
    let copy = place.copy("copy");
    set(&copy, ITEMS, (101, "status"), Cell::Null);
    let found = copy.verify();
    let bundle = crate::bundle::Bundle::open(&copy.root, &crate::progress::Silent).unwrap();
    let error = super::permit(bundle, place.contract.clone(), found).unwrap_err();
    insta::assert_snapshot!(error.message, @"3 of 331 verification rules did not pass");
    insta::assert_snapshot!(error.at[1..].join("\n"), @"");
}
