//! The stand-in against InstantDB's rules.
#![allow(clippy::needless_pass_by_value, reason = "the cases read better")]

use serde_json::{Value, json};

use super::Store;
use super::query::query;
use super::steps::transact;

const A: &str = "aaaaaaaa-0000-4000-8000-000000000001";
const B: &str = "bbbbbbbb-0000-4000-8000-000000000002";
const C: &str = "cccccccc-0000-4000-8000-000000000003";

/// `posts` with one attribute of each kind, `users`, and links of each kind.
fn app() -> Store {
    let attr = |ty: &str, required: bool, indexed: bool, unique: bool| json!({ "valueType": ty, "required": required, "config": { "indexed": indexed, "unique": unique } });
    let link = |label: &str, has: &str, reverse: &str, reverse_has: &str| {
        json!({ "forward": { "on": "posts", "label": label, "has": has },
                "reverse": { "on": "users", "label": reverse, "has": reverse_has } })
    };
    let mut store = Store::with_schema(&json!({
        "entities": {
            "posts": { "attrs": {
                "title": attr("string", true, false, false), "key": attr("string", false, true, true),
                "n": attr("number", false, true, false), "at": attr("date", false, true, false),
                "done": attr("boolean", false, false, false), "data": attr("json", false, false, false),
            } },
            "users": { "attrs": { "name": attr("json", false, false, false) } },
        },
        "links": {
            "author": link("author", "one", "posts", "many"),
            "pinned": link("pinned", "one", "pin", "one"),
            "readers": link("readers", "many", "read", "many"),
        },
    }));
    steps(
        &mut store,
        &json!([["update", "users", A, { "name": "a" }], ["update", "users", B, {}]]),
        true,
    )
    .expect("it fits");
    store
}

fn steps(store: &mut Store, steps: &Value, strict: bool) -> Result<u64, String> {
    let body = json!({ "steps": steps, "throw-on-missing-attrs?": strict }).to_string();
    transact(store, &body).map_err(|refusal| format!("{}: {}", refusal.kind, refusal.message))
}

/// What becomes of steps, and that nothing happens when they are refused.
#[track_caller]
fn check(given: Value, expect: &str) {
    let mut store = app();
    let before = store.content();
    let found = steps(&mut store, &given, true).map_or_else(|told| told, |_| "ok".to_owned());
    assert!(found.starts_with(expect), "{given}\n{found}");
    if found != "ok" {
        assert_eq!(store.content(), before, "nothing of it happened");
    }
}

#[track_caller]
fn ask(store: &Store, form: Value, expect: Value) {
    let answer = query(store, &json!({ "query": form }).to_string());
    let answer = answer.map_or_else(
        |refusal| json!(refusal.message),
        |text| serde_json::from_str(&text).expect("JSON"),
    );
    assert_eq!(answer, expect, "{form}");
}

#[test]
fn ids() {
    check(json!([["update", "posts", C, { "title": "t" }]]), "ok");
    check(json!([["update", "posts", C.to_uppercase(), { "title": "t" }]]), "ok");
    let bad =
        "validation-failed: Validation failed for steps: Invalid entity ID 'thread_x'. Entity IDs";
    check(json!([["update", "posts", "thread_x", { "title": "t" }]]), bad);
    let short = C.replace('-', "");
    check(json!([["update", "posts", short, {}]]), "validation-failed");
    check(
        json!([["link", "posts", C, { "author": "nobody" }]]),
        "validation-failed: Linked value must be",
    );
}

#[test]
fn modes() {
    check(
        json!([["create", "users", A, {}]]),
        "validation-failed: Validation failed for steps: Creating entities that exist",
    );
    check(
        json!([["update", "users", C, {}, { "upsert": false }]]),
        "validation-failed: Validation failed for steps: Updating entities that don't exist",
    );
    check(json!([["update", "users", A, {}, { "upsert": false }]]), "ok");
    check(json!([["delete", "users", C, null]]), "ok");
    check(json!([["update", "users", A, { "id": "x" }]]), "ok");
    check(
        json!([["merge", "posts", C, { "author": A }]]),
        "sql-raise: merge operation is not supported",
    );
    check(json!([["explode", "users", A, {}]]), "validation-failed");
}

#[test]
fn types_and_sizes() {
    let post =
        |label: &str, value: Value| json!([["update", "posts", C, { "title": "t", label: value }]]);
    check(
        post("n", json!("1")),
        "validation-failed: Invalid value type for posts.n. Value must be a number but the provided value type is string.",
    );
    check(post("n", json!(1.5)), "ok");
    check(post("n", json!(null)), "ok");
    check(
        post("done", json!(1)),
        "validation-failed: Invalid value type for posts.done. Value must be a boolean",
    );
    check(
        post("title", json!({})),
        "validation-failed: Invalid value type for posts.title. Value must be a string but the provided value type is object.",
    );
    check(post("at", json!(1_704_164_645_678_i64)), "ok");
    check(post("at", json!("2024-01-02T03:04:05Z")), "ok");
    check(
        post("at", json!("1704164645678")),
        "validation-failed: Invalid value type for posts.at. Value must be a date",
    );
    check(post("at", json!(true)), "validation-failed");
    check(post("data", json!([1, { "deep": null }])), "ok");
    check(post("key", json!("k".repeat(1012))), "ok");
    check(
        post("key", json!("k".repeat(1013))),
        "validation-failed: Value is too large for a unique attribute.",
    );
    check(
        post("key", json!("é".repeat(507))),
        "validation-failed: Value is too large for a unique",
    );
    check(post("data", json!("k".repeat(5000))), "ok");
    check(
        post("data", json!("a\u{0}b")),
        "validation-failed: A value in the transaction contains null bytes",
    );
}

#[test]
fn required_and_missing_attributes() {
    check(
        json!([["update", "posts", C, {}]]),
        "validation-failed: Missing required attribute `posts/title`: cccc",
    );
    check(
        json!([["update", "posts", C, { "title": null }]]),
        "validation-failed: Missing required",
    );
    check(json!([["update", "posts", C, {}], ["update", "posts", C, { "title": "t" }]]), "ok");
    check(
        json!([["update", "users", C, { "nome": 1 }]]),
        "validation-failed: Validation failed for steps: Attributes are missing in your schema",
    );
    check(
        json!([["update", "nobody", C, {}]]),
        "validation-failed: Validation failed for steps: Attributes are missing",
    );
    check(
        json!([["link", "posts", C, { "writer": A }]]),
        "validation-failed: Validation failed for steps: Attributes",
    );
}

#[test]
fn a_required_link_comes_in_the_same_transaction() {
    let mut store = app();
    let author = store.attr("posts", "author").expect("a link");
    store.attrs[author].required = true;
    let post = json!(["update", "posts", C, { "title": "t" }]);
    let told = steps(&mut store, &json!([post]), true).expect_err("it is missing");
    assert!(
        told.starts_with("validation-failed: Missing required attribute `posts/author`"),
        "{told}"
    );
    steps(&mut store, &json!([post, ["link", "posts", C, { "author": A }]]), true)
        .expect("it is there");
}

#[test]
fn without_the_flag_attributes_are_made_up() {
    let mut store = app();
    steps(
        &mut store,
        &json!([["update", "nobody", C, { "x": 1 }], ["link", "nobody", C, { "boss": A }]]),
        false,
    )
    .expect("anything goes");
    let boss = &store.attrs[store.attr("nobody", "boss").expect("it was made")];
    assert!(boss.link && boss.many && !boss.unique);
    assert_eq!(boss.reverse, Some(("boss".to_owned(), "nobody".to_owned())));
}

#[test]
fn links_and_uniqueness() {
    let post = |id: &str, key: &str| json!(["update", "posts", id, { "title": "t", "key": key }]);
    check(
        json!([post(B, "k"), post(C, "k")]),
        "record-not-unique: `key` is a unique attribute on `posts` and an entity already exists with `posts.key` = \"k\"",
    );
    check(
        json!([["update", "posts", B, { "title": "t", "key": null }], ["update", "posts", C, { "title": "t", "key": null }]]),
        "ok",
    );
    check(
        json!([["link", "posts", B, { "pinned": A }], ["link", "posts", C, { "pinned": A }]]),
        "record-not-unique: `pinned`",
    );
    check(
        json!([["link", "posts", B, { "author": A }], ["link", "posts", C, { "author": A }]]),
        "ok",
    );
    let mut store = app();
    let done = json!([post(C, "k"), ["link", "posts", C, { "author": [A, B] }],
                      ["link", "users", A, { "read": C }], ["link", "posts", C, { "readers": [A, B, B] }]]);
    steps(&mut store, &done, true).expect("it fits");
    let row: Value = serde_json::from_str(&store.row("posts", C)).expect("JSON");
    assert_eq!((&row["author"], &row["readers"]), (&json!(B), &json!([A, B])), "the last one wins");
    assert_eq!(row["n"], Value::Null, "indexed attributes get nulls");
    assert!(row.get("done").is_none() && row.as_object().expect("a row").contains_key("n"));
    steps(&mut store, &json!([["delete", "users", B, null]]), true).expect("it goes");
    let row: Value = serde_json::from_str(&store.row("posts", C)).expect("JSON");
    assert!(row.get("author").is_none(), "links to a deleted entity go with it");
}

#[test]
fn steps_run_by_their_kind_in_order_of_first_appearance() {
    let mut store = app();
    let linked =
        json!([["update", "posts", C, { "title": "t" }], ["link", "posts", C, { "readers": A }]]);
    steps(&mut store, &linked, true).expect("it fits");
    // All adds run before all retracts: the link that was made last is gone.
    let both = json!([["link", "posts", C, { "readers": B }], ["unlink", "posts", C, { "readers": A }],
                      ["link", "posts", C, { "readers": A }]]);
    steps(&mut store, &both, true).expect("it fits");
    ask(
        &store,
        json!({ "posts": { "$": { "fields": ["id"] }, "readers": { "$": { "fields": ["id"] } } } }),
        json!({ "posts": [{ "id": C, "readers": [{ "id": B }] }] }),
    );
}

#[test]
fn a_transaction_has_a_limit_of_parameters() {
    let many: Vec<Value> = (0..6600)
        .map(|at| json!(["update", "users", format!("dddddddd-0000-4000-8000-{at:012x}"), { "name": at }]))
        .collect();
    check(json!(many), "parameter-limit-exceeded");
    check(json!(many[..6500]), "ok");
}

#[test]
fn a_replay_changes_nothing() {
    let mut store = app();
    let given = json!([["update", "posts", C, { "title": "t", "data": { "b": 1, "a": [1.0] } }], ["link", "posts", C, { "author": A }]]);
    let first = steps(&mut store, &given, true).expect("it fits");
    let (content, triples) = (store.content(), store.triples());
    assert_eq!(steps(&mut store, &given, true).expect("it fits"), first + 1);
    assert_eq!((store.content(), store.triples()), (content, triples));
}

#[test]
fn uuids_in_values_are_stored_in_lower_case() {
    let mut store = app();
    let given = json!([["update", "users", A.to_uppercase(), { "name": { "Key": [C.to_uppercase(), "ABC"] } }]]);
    steps(&mut store, &given, true).expect("it fits");
    let row: Value = serde_json::from_str(&store.row("users", A)).expect("JSON");
    assert_eq!(row["name"], json!({ "Key": [C, "ABC"] }));
}

#[test]
fn queries() {
    let mut store = app();
    let given = json!([["update", "posts", B, { "title": "b", "n": 2, "key": "k" }], ["update", "posts", C, { "title": "c" }],
                       ["link", "posts", B, { "author": A, "readers": [A, C] }]]);
    steps(&mut store, &given, true).expect("it fits");
    ask(&store, json!({ "nobody": {} }), json!({ "nobody": [] }));
    ask(&store, json!({ "posts": { "$": { "where": { "nothing": 1 } } } }), json!({ "posts": [] }));
    let ids =
        |condition: Value| json!({ "posts": { "$": { "where": condition, "fields": ["id"] } } });
    let posts = |ids: &[&str]| json!({ "posts": ids.iter().map(|id| json!({ "id": id })).collect::<Vec<_>>() });
    ask(&store, ids(json!({ "id": { "$in": [C, B] } })), posts(&[B, C]));
    ask(&store, ids(json!({ "id": { "$in": [C.to_uppercase()] } })), posts(&[]));
    ask(&store, ids(json!({ "$entityIdStartsWith": "b" })), posts(&[B]));
    ask(&store, ids(json!({ "key": { "$in": ["k", "l"] } })), posts(&[B]));
    ask(&store, ids(json!({ "key": "k" })), posts(&[B]));
    ask(&store, ids(json!({ "n": null })), posts(&[C]));
    ask(&store, ids(json!({ "or": [{ "title": "b" }, { "author": A }] })), posts(&[B]));
    ask(
        &store,
        json!({ "posts": { "$": { "where": { "id": B }, "fields": ["author"] } } }),
        json!({ "posts": [{ "id": B, "author": A }] }),
    );
    ask(
        &store,
        json!({ "posts": { "$": { "where": { "id": B }, "fields": ["id"] }, "author": { "$": { "fields": ["id"] } }, "readers": { "$": { "fields": ["id"] } } } }),
        json!({ "posts": [{ "id": B, "author": [{ "id": A }], "readers": [null, { "id": A }] }] }),
    );
    ask(
        &store,
        json!({ "posts": { "$": { "limit": 1, "offset": 1, "fields": ["id"] } } }),
        posts(&[C]),
    );
    ask(
        &store,
        json!({ "posts": { "$": { "order": { "n": "desc" }, "fields": ["id"] } } }),
        posts(&[B, C]),
    );
    let told = "Validation failed for query: The `posts.title` attribute is not indexed. Only indexed and typed attributes can be used to order by.";
    ask(&store, json!({ "posts": { "$": { "order": { "title": "asc" } } } }), json!(told));
    ask(
        &store,
        json!({ "posts": { "$": { "page": 1 } } }),
        json!("Validation failed for query: We only support `where`, `order`, `limit`, …"),
    );
}

#[test]
fn a_link_makes_no_entity() {
    let mut store = app();
    steps(&mut store, &json!([["link", "posts", C, { "author": A }]]), true).expect("a ghost");
    ask(&store, json!({ "posts": {} }), json!({ "posts": [] }));
    steps(&mut store, &json!([["update", "posts", C, { "title": "t" }]]), true)
        .expect("it comes to life");
    ask(
        &store,
        json!({ "posts": { "$": { "fields": ["author"] } } }),
        json!({ "posts": [{ "id": C, "author": A }] }),
    );
}
