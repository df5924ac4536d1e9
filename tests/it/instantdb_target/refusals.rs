//! Rows that are refused, servers that are shut, and rows that somebody changed since.

use rethread::error::Kind;
use rethread::target::instantdb::Options;
use serde_json::{Value, json};

use super::scene::{Master, SMALL, Scene, TINY, empty, target_schema, told};
use crate::instantdb::{Fault, Route, Store};

/// An app that demands of three parts what they do not have.
fn demanding() -> Store {
    let mut store = empty();
    store.demand = Some(|etype, id| {
        let bad = ["000500000002", "000500000003", "000500000007"];
        etype == "thread_parts" && bad.iter().any(|end| id.ends_with(end))
    });
    store
}

#[test]
fn several_bad_rows_are_found_and_set_aside() {
    for (workers, names_them) in [(1, false), (4, false), (2, true)] {
        let mut scene = Scene::new(&SMALL, demanding());
        scene.options = Options { workers, triples: 2000, bytes: 1 << 20, page: 500 };
        scene.server.state().store.names_them = names_them;
        let error = scene.import().expect_err("findings");
        assert_eq!(error.kind, Kind::Findings);
        if workers == 1 {
            insta::assert_snapshot!(told(&scene, &error), @r"
            Findings: `d92ddb12-9b52-4715-8100-8b9f45a2cbc1 at URI` refuses 3 rows, which were set aside
              at `thread_parts` 00000000-0000-4000-8000-000500000002: sql-raise: the app does not take it
              at `thread_parts` 00000000-0000-4000-8000-000500000003: sql-raise: the app does not take it
              at `thread_parts` 00000000-0000-4000-8000-000500000007: sql-raise: the app does not take it
              at BUNDLE/import/instantdb/aside-DIGEST-1.jsonl
              help everything else was imported; change what the server minds there, then run the same command again: it tries these rows once more
            ");
        }
        assert_eq!(scene.content()["thread_parts"].len(), 6);
        let folder = scene.root().join("import/instantdb");
        let aside =
            std::fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("it").path());
        let aside = aside.filter(|path| path.to_string_lossy().contains("/aside-"));
        let text = std::fs::read_to_string(aside.collect::<Vec<_>>().pop().expect("a file"))
            .expect("text");
        assert_eq!(text.lines().count(), 3);
        scene.assert_no_token(Some(&error));
        assert_eq!(scene.import().expect_err("still").kind, Kind::Findings);
        assert_eq!(scene.most_updates(), 1);

        scene.server.state().store.demand = None;
        scene.import().unwrap_or_else(|error| panic!("{}", told(&scene, &error)));
        assert_eq!(scene.content()["thread_parts"].len(), 9);
        assert_eq!(scene.most_updates(), 1);
        assert!(std::fs::read_dir(&folder).expect("a folder").all(|entry| {
            !entry.expect("it").file_name().to_string_lossy().starts_with("aside-")
        }));
        scene.rollback().expect("a rollback");
        assert_eq!(scene.content()["thread_parts"].len(), 0);
    }
}

#[test]
fn a_shut_server_ends_the_run() {
    let mut said = Vec::new();
    for fault in [Fault::ReadOnly, Fault::Disabled, Fault::BadToken, Fault::Redirect] {
        let scene = Scene::new(&SMALL, empty());
        scene.server.fail_always(Route::Transact, fault);
        let error = scene.import().expect_err("an error");
        scene.assert_no_token(Some(&error));
        assert!(scene.server.calls(Route::Transact) <= 4);
        said.push(format!("{fault:?} {}", told(&scene, &error)));
    }
    insta::assert_snapshot!(said.join("\n"), @r"
    ReadOnly Refused: the app is read-only: the server takes no writes for it
      at POST URI/admin/transact
      help open the app for writes in its dashboard; an export works as it is
    Disabled Refused: the app is disabled: the server does not answer for it
      at POST URI/admin/transact
      help take the app's backup from its dashboard and name that file
    BadToken Usage: the server does not know this token for this app
      at POST URI/admin/transact
      help compare app id, token and API address with the app's dashboard
    Redirect Usage: the server sends the call elsewhere
      at POST URI/admin/transact
      help name the final address as `--api-uri`: no token is sent on by a redirect
    ");
}

#[test]
fn a_server_that_is_down_ends_the_run_after_some_tries() {
    for fault in [Fault::BadGateway, Fault::Closed, Fault::LimitedBare, Fault::StatementTimeout] {
        let scene = Scene::new(&SMALL, empty());
        scene.server.fail_always(Route::Transact, fault);
        let error = scene.import().expect_err("an error");
        assert_eq!(error.kind, Kind::System, "{}", told(&scene, &error));
        assert!(scene.server.calls(Route::Transact) < 200, "{fault:?}");
    }
}

#[test]
fn a_rate_limit_slows_all_workers() {
    for (fault, millis) in [(Fault::LimitedByHint, 7000), (Fault::LimitedByHeader, 9000)] {
        let scene = Scene::new(&SMALL, empty());
        scene.server.fail(Route::Transact, 3, fault);
        scene.import().expect("an import");
        assert_eq!(*scene.slept.lock().expect("no panic"), [millis]);
    }
}

#[test]
fn never_more_than_four_in_flight() {
    let mut scene = Scene::new(&SMALL, empty());
    scene.options = Options { workers: 99, ..TINY };
    scene.server.delay(std::time::Duration::from_millis(20));
    scene.import().expect("an import");
    assert!((2..=4).contains(&scene.server.most_busy()), "{}", scene.server.most_busy());
}

#[test]
fn a_schema_that_is_being_changed_is_tried_again_later() {
    let mut store = empty();
    store.indexing = Some("channel");
    let scene = Scene::new(&SMALL, store);
    let error = scene.import().expect_err("busy");
    assert_eq!(scene.server.calls(Route::Transact), 0);
    insta::assert_snapshot!(told(&scene, &error), @r"
    Busy: the schema of the app `d92ddb12-9b52-4715-8100-8b9f45a2cbc1 at URI` is being changed right now
      at `thread_items.channel`
      help wait until its indexing and type checks have ended, then run the same command again
    ");
    scene.server.state().store.indexing = None;
    scene.import().unwrap_or_else(|error| panic!("{}", told(&scene, &error)));
}

#[test]
fn a_required_link_comes_with_its_row() {
    let mut schema = target_schema();
    schema["links"]["threadPartsStep"]["forward"]["required"] = json!(true);
    schema["links"]["threadStepsExecution"]["forward"]["required"] = json!(true);
    let scene = Scene::new(&SMALL, Store::with_schema(&schema));
    scene.import().unwrap_or_else(|error| panic!("{}", told(&scene, &error)));
    scene.rollback().unwrap_or_else(|error| panic!("{}", told(&scene, &error)));
}

/// What somebody does to the app between the import and its undoing.
fn changed(change: impl FnOnce(&mut Store)) -> String {
    let mut schema = target_schema();
    schema["entities"]["notes"] = json!({ "attrs": { "text": { "valueType": "string" } } });
    schema["entities"]["thread_parts"]["attrs"]["starred"] = json!({ "valueType": "boolean" });
    schema["links"]["notesItem"] = json!({
        "forward": { "on": "notes", "label": "item", "has": "one" },
        "reverse": { "on": "thread_items", "label": "notes", "has": "many" } });
    let scene = Scene::new(&SMALL, Store::with_schema(&schema));
    scene.import().unwrap_or_else(|error| panic!("{}", told(&scene, &error)));
    change(&mut scene.server.state().store);
    let before = scene.content();
    let error = scene.rollback().expect_err("refused");
    assert_eq!(error.kind, Kind::Refused);
    assert_eq!(scene.content(), before);
    error.at.join("; ")
}

#[test]
fn rows_that_were_changed_since_are_not_undone() {
    const OTHER: &str = "0000000a-0000-4000-8000-00000000000a";
    const PART: &str = "00000000-0000-4000-8000-000500000001";
    const ITEM: &str = "00000000-0000-4000-8000-000200000001";
    let put = |etype: &str, row: Value| {
        let (etype, row) = (etype.to_owned(), row.to_string());
        move |store: &mut Store| store.restore(&etype, &row)
    };
    let said = [
        changed(put("thread_parts", json!({ "id": PART, "type": "edited" }))),
        changed(put("thread_parts", json!({ "id": PART, "starred": true }))),
        changed(put("notes", json!({ "id": OTHER, "text": "n", "item": ITEM }))),
        changed(put(
            "thread_items",
            json!({ "id": OTHER, "channel": "x", "createdAt": 5,
            "thread": "6d448ae9-8a6c-5f9f-8256-c4e89a813c8e" }),
        )),
        changed(|store| store.delete("thread_parts", PART)),
    ];
    insta::assert_snapshot!(said.join("\n"), @r"
    `thread_parts`: 1 (00000000-0000-4000-8000-000500000001)
    `thread_parts`: 1 (00000000-0000-4000-8000-000500000001 has got a `starred`)
    `thread_items`: 1 (00000000-0000-4000-8000-000200000001 is linked with `notes` 0000000a-0000-4000-8000-00000000000a by `notes`)
    `thread_threads`: 1 (6d448ae9-8a6c-5f9f-8256-c4e89a813c8e is linked with `thread_items` 0000000a-0000-4000-8000-00000000000a by `items`)
    `thread_parts`: 1 (00000000-0000-4000-8000-000500000001 is gone)
    ");
}

/// A dataset in which events have these contents.
fn with_contents(contents: &[String]) -> Master {
    let mut data = crate::data::sound();
    let first = data["context_events"][0].clone();
    for (at, _) in contents.iter().enumerate() {
        let mut event = first.clone();
        event["id"] = json!(format!("00000000-0000-4000-8000-0002{:08}", 100 + at));
        event["content"] = json!(format!("HERE {at}"));
        data["context_events"].as_array_mut().expect("rows").push(event);
    }
    let mut text = data.to_string();
    for (at, content) in contents.iter().enumerate() {
        text = text.replace(&format!("\"HERE {at}\""), content);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("app.json");
    std::fs::write(&file, text).expect("a file");
    Master::of(&file)
}

fn nested(levels: usize) -> String {
    "[".repeat(levels) + &"]".repeat(levels)
}

#[test]
fn hostile_payloads_arrive() {
    let master = with_contents(&[
        format!("{{\"a\":{{\"id\":\"{}\"}}}}", "ABCDEF00-0000-4000-8000-00000000000A"),
        "[9007199254740993,-0.0,1.0,123456789012345678901234567890,0.1e-7]".to_owned(),
        r#"{"a":1,"b":"\u202e\ud83d\ude00</script>\\u0000","a":{"x":[],"x":null}}"#.to_owned(),
        format!("{{\"deep\":{}}}", nested(900)),
        format!("\"{}\"", "é\\n\\\"".repeat(300_000)),
    ]);
    let scene = Scene::new(&master, empty());
    let outcome = scene.import().unwrap_or_else(|error| panic!("{}", told(&scene, &error)));
    assert!(outcome.is_read_back());
    assert!(scene.import().expect("again").changed_nothing());
}

#[test]
fn what_the_app_can_never_hold_is_refused_before_anything_is_sent() {
    let contents = [r#"{"a":["\u0000"]}"#.to_owned(), r#"["\ud800x"]"#.to_owned(), nested(998)];
    let scene = Scene::new(&with_contents(&contents), empty());
    let error = scene.import().expect_err("refused");
    assert_eq!(scene.server.calls(Route::Transact), 0);
    insta::assert_snapshot!(told(&scene, &error), @r#"
    Refused: the app can never hold 3 values
      at `thread_items`: `content` holds a NUL character: 1 (00000000-0000-4000-8000-000200000100)
      at `thread_items`: `content` holds half of a surrogate pair: 1 (00000000-0000-4000-8000-000200000101)
      at `thread_items`: `content` is nested deeper than 996 levels: 1 (00000000-0000-4000-8000-000200000102)
      help change these rows where they come from, or let the contract set them aside (`[target] unfit = "quarantine"`); nothing was sent
    "#);
}
