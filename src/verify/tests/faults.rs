//! The planted faults.

use super::super::fixture::{Cell, Copied, Edit, at, id};
use super::{CONTEXTS, EXECUTIONS, ITEMS, PARTS, STEPS, THREADS, check, check_values};

fn text(text: &str) -> Cell {
    Cell::from(text)
}

fn to(number: u64) -> Cell {
    Cell::Text(id(number))
}

fn drop_row(copy: &Copied<'_>, file: &str, (column, value): (&str, &str)) {
    copy.edit(file, |table| {
        let row = table.find(column, value);
        table.rows.remove(row);
    });
}

fn change(copy: &Copied<'_>, file: &str, (column, value): (&str, &str), to: (&str, Cell)) {
    copy.edit(file, |table| {
        let row = table.find(column, value);
        *table.cell(row, to.0) = to.1;
    });
}

fn swap_rows(table: &mut Edit, a: u64, b: u64) {
    let (a, b) = (table.find("id", &id(a)), table.find("id", &id(b)));
    table.rows.swap(a, b);
}

/// Gives the first row the value of the second; and the other way round when both are to change.
fn swap_cells(table: &mut Edit, (a, b): (u64, u64), column: &str, both: bool) {
    let (a, b) = (table.find("id", &id(a)), table.find("id", &id(b)));
    let (x, y) = (table.cell(a, column).clone(), table.cell(b, column).clone());
    *table.cell(a, column) = y;
    if both {
        *table.cell(b, column) = x;
    }
}

fn add_copy(table: &mut Edit, row: u64, changes: &[(&str, Cell)]) {
    let mut added = table.rows[table.find("id", &id(row))].clone();
    for (column, value) in changes {
        added[table.column(column)] = value.clone();
    }
    table.rows.push(added);
}

#[test]
fn rows_dropped_doubled_or_foreign_are_caught() {
    let source = "_source_row";
    check(&[
        (
            "dropped",
            &|copy| drop_row(copy, ITEMS, ("id", &id(103))),
            "account context_events.; count context_events.; digest thread_items.",
        ),
        (
            "doubled",
            &|copy| copy.edit(PARTS, |table| add_copy(table, 402, &[])),
            "account story_parts.; unique thread_parts.id; unique thread_parts.key",
        ),
        (
            "foreign",
            &|copy| {
                let foreign = [("id", to(777)), (source, Cell::Whole(9999))];
                copy.edit(STEPS, |table| add_copy(table, 301, &foreign));
            },
            "account thread_steps.; id thread_steps.id",
        ),
        (
            "two rows of one",
            &|copy| copy.edit(ITEMS, |table| swap_cells(table, (102, 101), source, false)),
            "account context_events.; id thread_items.id; value thread_items.content",
        ),
        (
            "rows of each other",
            &|copy| copy.edit(PARTS, |table| swap_cells(table, (401, 402), source, true)),
            "id thread_parts.id; value thread_parts.part; same thread_parts.part",
        ),
        (
            "a time in the store changed",
            &|copy| change(copy, THREADS, ("key", "e"), ("_server_created_at", Cell::Whole(5001))),
            "account thread_threads.",
        ),
        (
            "existing row dropped",
            &|copy| drop_row(copy, ITEMS, ("id", &id(910))),
            "account thread_items.; count thread_items.",
        ),
        (
            "existing row as migrated",
            &|copy| change(copy, ITEMS, ("id", &id(910)), ("_origin", text("migrated"))),
            "account thread_items.; account context_events.; count thread_items.",
        ),
        (
            "adopted rows forgotten",
            &|copy| copy.edit("data/adopted/context_contexts.parquet", |table| table.rows.clear()),
            "account context_contexts.; link thread_contexts.thread",
        ),
    ]);
}

#[test]
fn links_moved_lost_or_invented_are_caught() {
    let upper = Cell::Text(id(0xabc).to_uppercase());
    check_values(&[
        ("moved", (ITEMS, 101, "context"), to(2), "link thread_items.context"),
        ("lost", (ITEMS, 101, "context"), Cell::Null, "link thread_items.context"),
        ("lost scalar", (ITEMS, 104, "context"), Cell::Null, "account context_events.context"),
        ("invented", (ITEMS, 109, "context"), to(1), "link thread_items.context"),
        ("to nowhere", (STEPS, 301, "execution"), to(777), "link thread_steps.execution"),
        ("in upper case", (STEPS, 301, "execution"), upper, "link thread_steps.execution"),
        ("another's thread", (ITEMS, 101, "thread"), to(901), "link thread_items.thread"),
        ("thread", (CONTEXTS, 1, "thread"), to(902), "link thread_contexts.thread"),
        ("trigger", (EXECUTIONS, 201, "trigger"), to(102), "link thread_executions.trigger"),
        ("held by the step", (PARTS, 406, "step"), to(301), "link thread_parts.step"),
        ("existing link", (ITEMS, 910, "thread"), to(901), "link thread_items.thread"),
        (
            "latest execution",
            (CONTEXTS, 2, "currentExecution"),
            to(201),
            "link thread_contexts.currentExecution; unique thread_contexts.currentExecution",
        ),
    ]);
}

#[test]
fn link_files_and_dropped_links_are_checked() {
    let emails = "data/parquet/links/thread_items.emails.parquet";
    check(&[
        (
            "carried pair lost",
            &|copy| copy.edit(emails, |pairs| drop(pairs.rows.pop())),
            "link thread_items.emails; digest thread_items.emails",
        ),
        (
            "carried pair moved",
            &|copy| copy.edit(emails, |pairs| *pairs.cell(0, "from") = to(103)),
            "link thread_items.emails; digest thread_items.emails",
        ),
        (
            "dropped links not listed",
            &|copy| copy.edit("data/quarantine/links.parquet", |links| links.rows.clear()),
            "account story_executions.trigger; account thread_items.emails",
        ),
    ]);
}

#[test]
fn values_that_differ_by_a_hair_are_caught() {
    let null = Cell::Null;
    let micros = Cell::Date(1_500_001);
    let run = "value thread_executions.workflowRunId; same thread_executions.workflowRunId";
    let blank = "value thread_items.content; same thread_items.content";
    check_values(&[
        ("null for empty", (ITEMS, 101, "status"), null, "value thread_items.status"),
        ("empty for null", (ITEMS, 103, "status"), text(""), "value thread_items.status"),
        ("trimmed", (ITEMS, 102, "status"), text("x"), "value thread_items.status"),
        ("a millisecond", (ITEMS, 105, "createdAt"), at(41), "value thread_items.createdAt"),
        ("microsecond", (CONTEXTS, 1, "updatedAt"), micros, "value thread_contexts.updatedAt"),
        ("idx + 1", (PARTS, 402, "idx"), Cell::Number(2.0), "value thread_parts.idx"),
        ("sign", (STEPS, 302, "iteration"), Cell::Number(-1.0), "value thread_steps.iteration"),
        ("flag", (STEPS, 301, "continueLoop"), false.into(), "value thread_steps.continueLoop"),
        ("a blank in JSON", (ITEMS, 101, "content"), text("{\"a\": 1}"), blank),
        ("flipped", (CONTEXTS, 2, "status"), text("open"), "value thread_contexts.status"),
        ("mapped", (ITEMS, 102, "type"), text("input_text"), "value thread_items.type"),
        ("run id", (EXECUTIONS, 201, "workflowRunId"), text("run-2"), run),
        ("event", (STEPS, 302, "eventId"), to(101), "value thread_steps.eventId"),
        ("step", (PARTS, 401, "stepId"), to(302), "value thread_parts.stepId"),
        ("existing", (ITEMS, 910, "type"), text("output_text"), "value thread_items."),
        ("beside", (ITEMS, 910, "_extra"), text("{\"z\":1}"), "value thread_items."),
        ("store's", (ITEMS, 101, "_server_created_at"), Cell::Whole(5), "account thread_items."),
    ]);
    check(&[
        (
            "a character past 10,000",
            &|copy| {
                copy.edit(PARTS, |table| {
                    let row = table.find("id", &id(402));
                    let Cell::Text(part) = table.cell(row, "part") else { panic!() };
                    part.replace_range(15_000..15_001, "X");
                });
            },
            "value thread_parts.part; same thread_parts.part; digest thread_parts.",
        ),
        (
            "a decomposed character",
            &|copy| change(copy, THREADS, ("name", "Ärger A"), ("name", text("A\u{308}rger A"))),
            "value thread_threads.name",
        ),
    ]);
}

#[test]
fn types_presence_and_order_are_caught() {
    let channel = "presence thread_items.channel; value thread_items.channel";
    check_values(&[
        ("no JSON", (ITEMS, 101, "content"), text("{"), "type thread_items.content"),
        ("infinite", (PARTS, 401, "idx"), f64::INFINITY.into(), "type thread_parts.idx"),
        ("required", (ITEMS, 102, "channel"), Cell::Null, channel),
        ("a key twice", (PARTS, 402, "key"), text("k1"), "unique thread_parts.key"),
    ]);
    check(&[
        (
            "rows out of order",
            &|copy| copy.edit(PARTS, |table| swap_rows(table, 401, 402)),
            "order thread_parts.; sequence thread_parts.step; digest thread_parts.",
        ),
        (
            "rows of one time out of order",
            &|copy| copy.edit(ITEMS, |table| swap_rows(table, 102, 103)),
            "order thread_items.; sequence thread_items.context",
        ),
    ]);
}

#[test]
fn ids_are_recomputed() {
    let upper = text("0000000A-0000-4000-8000-00000000006b");
    let adopted = "data/adopted/context_contexts.parquet";
    check(&[
        (
            "another id",
            &|copy| change(copy, STEPS, ("id", &id(302)), ("id", to(777))),
            "id thread_steps.id",
        ),
        (
            "in upper case",
            &|copy| change(copy, ITEMS, ("id", &id(107)), ("id", upper.clone())),
            "id thread_items.id",
        ),
        (
            "a derived id",
            &|copy| change(copy, THREADS, ("key", "a"), ("id", to(776))),
            "id thread_threads.id",
        ),
        (
            "a mapped id that is not listed",
            &|copy| drop_row(copy, "data/ids.parquet", ("from", "evt-6")),
            "id thread_items.id; count .id",
        ),
        (
            "a mapped id that is listed otherwise",
            &|copy| change(copy, "data/ids.parquet", ("from", "evt-6"), ("to", to(6))),
            "id thread_items.id",
        ),
        (
            "adopted by another",
            &|copy| change(copy, adopted, ("id", &id(901)), ("id", to(902))),
            "id thread_threads.id",
        ),
    ]);
}

#[test]
#[allow(clippy::too_many_lines, reason = "one entry a fault")]
fn what_is_set_aside_is_checked() {
    let quarantine = |entity: &str| format!("data/quarantine/{entity}.parquet");
    let merged = "data/merged/context_events.parquet";
    let repairs = "data/repairs/thread_items.parquet";
    check(&[
        (
            "a quarantined row changed",
            &|copy| {
                copy.edit(&quarantine("story_parts"), |rows| *rows.cell(0, "type") = text("tex"));
            },
            "account story_parts.",
        ),
        (
            "a quarantined row dropped",
            &|copy| copy.edit(&quarantine("story_executions"), |rows| drop(rows.rows.pop())),
            "account story_executions.; count story_executions.",
        ),
        (
            "a reason dropped",
            &|copy| {
                copy.edit(&quarantine("story_steps"), |rows| *rows.cell(0, "_reason") = Cell::Null);
            },
            "count story_steps.",
        ),
        (
            "a cause that is no quarantined row",
            &|copy| {
                copy.edit(&quarantine("story_steps"), |rows| {
                    *rows.cell(0, "_cause") = text("story_executions:none");
                });
            },
            "count story_steps.",
        ),
        (
            "a cause that is another quarantined row",
            &|copy| {
                copy.edit(&quarantine("story_steps"), |rows| {
                    *rows.cell(0, "_cause") = Cell::Text(format!("story_parts:{}", id(405)));
                });
            },
            "count story_steps.",
        ),
        (
            "a line of the quarantine changed",
            &|copy| {
                copy.text("data/quarantine/story_parts.jsonl", |text| {
                    text.replacen("\"type\":\"", "\"type\":\"x", 1)
                });
            },
            "account story_parts.",
        ),
        (
            "a line of the quarantine dropped",
            &|copy| {
                copy.text("data/quarantine/story_executions.jsonl", |text| {
                    text.split_once('\n').map_or("", |(_, rest)| rest).to_owned()
                });
            },
            "account story_executions.",
        ),
        (
            "merged into a row that differs",
            &|copy| change(copy, merged, ("id", &id(101)), ("_winner_row", Cell::Whole(2))),
            "account context_events.",
        ),
        (
            "merged into no row",
            &|copy| change(copy, merged, ("id", &id(110)), ("id", to(777))),
            "account context_events.",
        ),
        (
            "a repair not listed",
            &|copy| drop_row(copy, repairs, ("attr", "channel")),
            "repair thread_items.channel; repair thread_items.",
        ),
        (
            "a repair that is none",
            &|copy| change(copy, repairs, ("attr", "channel"), ("_source_row", Cell::Whole(0))),
            "repair thread_items.channel",
        ),
        (
            "a link's repair of another place",
            &|copy| {
                let how = ("how", text("from context_id"));
                change(copy, repairs, ("attr", "context"), how);
            },
            "repair thread_items.context",
        ),
    ]);
}

#[test]
fn counts_and_digests_of_the_description_are_checked() {
    let meta = |copy: &Copied<'_>, change: fn(&mut crate::bundle::Meta)| copy.meta(change);
    check(&[
        ("rows", &|c| meta(c, |m| m.equations[1].migrated += 1), "count context_events."),
        ("adopted", &|c| meta(c, |m| m.equations[0].adopted.clear()), "count context_contexts."),
        ("table", &|c| meta(c, |m| m.tables[0].migrated += 1), "count thread_threads."),
        ("existing", &|c| meta(c, |m| m.existing[0].carried += 1), "count thread_threads."),
        ("mapped", &|c| meta(c, |m| m.mapped_ids[0].1 += 1), "count .id"),
        (
            "link values",
            &|c| meta(c, |m| m.link_equations.iter_mut().for_each(|link| link.values += 1)),
            "count context_events.context; count story_parts.step",
        ),
        (
            "repairs",
            &|c| meta(c, |m| m.repairs.iter_mut().for_each(|repair| repair.rows += 1)),
            "repair thread_items.; repair thread_steps.",
        ),
        (
            "quarantined",
            &|c| meta(c, |m| m.quarantine.iter_mut().for_each(|rule| rule.rows += 1)),
            "count story_executions.; count story_parts.",
        ),
        ("snapshot", &|c| meta(c, |m| m.snapshot.digest.push('0')), "digest ."),
        ("contract", &|c| meta(c, |m| m.contract.digest.push('0')), "digest ."),
        (
            "digest",
            &|c| meta(c, |m| m.tables.iter_mut().for_each(|table| table.digest.push('0'))),
            "digest thread_items.; digest thread_threads.",
        ),
    ]);
}

#[test]
fn lines_are_compared_with_rows() {
    let items = "data/jsonl/thread_items.jsonl";
    let threads = "data/jsonl/thread_threads.jsonl";
    let parts = "data/jsonl/thread_parts.jsonl";
    let swap = |copy: &Copied<'_>, file: &str, from: &str, to: &str| {
        copy.text(file, |text| text.replacen(from, to, 1));
    };
    let backward =
        |text: &str| text.lines().rev().flat_map(|line| [line, "\n"]).collect::<String>();
    check(&[
        ("changed", &|c| swap(c, items, "\"web\"", "\"wep\""), "digest thread_items."),
        (
            "a row time changed",
            &|c| swap(c, threads, "\"createdAt\":3}", "\"createdAt\":4}"),
            "digest thread_threads.",
        ),
        (
            "a row time invented",
            &|c| swap(c, items, "\"createdAt\":10}", "\"createdAt\":9}"),
            "digest thread_items.",
        ),
        ("more", &|c| c.text(parts, |text| format!("{text}{text}")), "digest thread_parts."),
        ("in another order", &|c| c.text(parts, backward), "digest thread_parts."),
    ]);
}
