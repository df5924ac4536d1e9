//! A bundle into an app of the stand-in server: what it holds afterwards, whatever happens on the way.

mod faults;
mod refusals;
pub(crate) mod scene;

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use rethread::error::Kind;
use rethread::target::OnConflict;
use rethread::target::instantdb::Options;
use serde_json::json;
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use crate::instantdb::{Route, Store};
use crate::support::fixture;
use scene::{SAMPLE, SMALL, Scene, empty, sample_app, told};

#[test]
fn a_fresh_import_and_another_one() {
    let scene = Scene::new(&SMALL, empty());
    let outcome = scene.import().expect("an import");
    assert!(outcome.is_read_back(), "{outcome:?}");
    assert_eq!(scene.most_updates(), 1);
    let (content, calls) = (scene.content(), scene.server.calls(Route::Transact));
    assert_eq!(content["thread_parts"].len(), 9);
    assert!(calls > 8, "{calls}");
    let again = scene.import().expect("another one");
    assert!(again.changed_nothing() && again.is_read_back(), "{}", again.sentence());
    assert_eq!(scene.server.calls(Route::Transact), calls);
    assert_eq!(scene.content(), content);
    assert!(scene.server.state().log.iter().all(|one| one.route != Route::Transact || one.strict));
    assert!(scene.server.most_busy() <= 3);
}

#[test]
fn the_sample_goes_where_it_came_from() {
    let scene = Scene::new(&SAMPLE, sample_app());
    let mut scene = scene;
    scene.options = Options::default();
    let before = scene.content();
    let outcome = scene.import().unwrap_or_else(|error| panic!("{}", told(&scene, &error)));
    assert_eq!(outcome.counts().unchanged, 13, "{}", outcome.sentence());
    assert!(outcome.is_read_back());
    assert_eq!(scene.most_updates(), 1);
    let undone = scene.rollback().unwrap_or_else(|error| panic!("{}", told(&scene, &error)));
    assert!(undone.executed);
    assert_eq!(scene.content(), before);
}

#[test]
fn a_dry_run_writes_nothing() {
    let scene = Scene::new(&SMALL, empty());
    let outcome = scene.dry_run().expect("a dry run");
    assert_eq!(scene.server.calls(Route::Transact), 0);
    insta::assert_snapshot!(outcome.sentence().replace(&scene.server.uri(), "URI"), @r"dry run: 15 rows would be created, 0 updated, 0 unchanged in `d92ddb12-9b52-4715-8100-8b9f45a2cbc1 at URI`; nothing was written");
}

#[test]
fn a_schema_that_does_not_fit_is_told() {
    let mut schema = scene::target_schema();
    schema["entities"]["thread_items"]["attrs"]["channel"]["valueType"] = json!("number");
    let steps = schema["entities"]["thread_steps"]["attrs"].as_object_mut().expect("attributes");
    steps.remove("errorText");
    schema["links"].as_object_mut().expect("links").remove("threadPartsStep");
    schema["links"]["threadContextsCurrentExecution"]["reverse"]["has"] = json!("many");
    schema["entities"].as_object_mut().expect("entities").remove("thread_parts");
    let scene = Scene::new(&SMALL, Store::with_schema(&schema));
    let error = scene.import().expect_err("refused");
    assert_eq!(error.kind, Kind::Refused);
    assert_eq!(scene.server.calls(Route::Transact) + scene.server.calls(Route::Query), 0);
    insta::assert_snapshot!(told(&scene, &error), @r"
    Refused: the schema of the app `d92ddb12-9b52-4715-8100-8b9f45a2cbc1 at URI` does not fit the target model: 11 things
      at `thread_contexts.currentExecution` is had by many there, and by one in the target model
      at `thread_items.channel` is number there, and string in the target model
      at `thread_steps.errorText` is missing: an attribute, string
      at `thread_parts` is missing: an entity
      at `thread_parts.key` is missing: an attribute, string, required, unique, indexed
      at `thread_parts.stepId` is missing: an attribute, string, required, indexed
      at `thread_parts.idx` is missing: an attribute, number, required, indexed
      at `thread_parts.type` is missing: an attribute, string, indexed
      at `thread_parts.part` is missing: an attribute, any
      at `thread_parts.updatedAt` is missing: an attribute, date
      at `thread_parts.step` is missing: a link that has one of `thread_steps`, seen there as `parts`, which has many
      help `rethread plan` lists the steps that bring it there; add them to the app's schema, push it, then run the same command again; nothing was sent
    ");
}

#[test]
fn rows_in_the_way_are_refused_kept_or_replaced() {
    let made = Scene::new(&SMALL, empty());
    made.import().expect("an import");
    let whole = made.content();
    let spoil = || {
        let mut store = empty();
        let thread = whole["thread_threads"].keys().next().expect("a thread").clone();
        let item = whole["thread_items"].keys().next().expect("an item").clone();
        store.fill(&json!({
            "thread_threads": [{ "id": thread, "key": "other", "name": "theirs", "createdAt": 5 }],
            "thread_items": [{ "id": item, "channel": "theirs", "createdAt": 5, "status": "odd",
                               "execution": "00000000-0000-4000-8000-00000000000e" }],
        }));
        store
    };
    let refused = Scene::new(&SMALL, spoil());
    let before = refused.content();
    let error = refused.import().expect_err("refused");
    assert_eq!(refused.server.calls(Route::Transact), 0);
    insta::assert_snapshot!(told(&refused, &error), @r"
    Refused: 2 rows of `d92ddb12-9b52-4715-8100-8b9f45a2cbc1 at URI` are in the way
      at `thread_threads`: 1 (6d448ae9-8a6c-5f9f-8256-c4e89a813c8e)
      at `thread_items`: 1 (00000000-0000-4000-8000-000200000001)
      at BUNDLE/import/instantdb/in-the-way-DIGEST-1.jsonl
      help look at them; then remove them, or say `--on-conflict keep` or `--on-conflict replace` (a unique value under another id must go); nothing was changed
    ");

    let kept = Scene::new(&SMALL, spoil());
    let outcome = kept.import_with(OnConflict::Keep).expect("an import");
    assert_eq!(outcome.counts().kept, 2);
    for entity in ["thread_threads", "thread_items"] {
        let (id, row) = before[entity].iter().next().expect("a row");
        assert_eq!(&kept.content()[entity][id], row);
    }
    kept.rollback().expect("a rollback");
    assert_eq!(kept.content(), before);

    let replaced = Scene::new(&SMALL, spoil());
    let outcome = replaced.import_with(OnConflict::Replace).expect("an import");
    assert_eq!(outcome.counts().updated, 2);
    assert_eq!(replaced.content(), whole);
    replaced.rollback().unwrap_or_else(|error| panic!("{}", told(&replaced, &error)));
    assert_eq!(replaced.content(), before);
}

#[test]
fn a_unique_value_under_another_id_is_found_before_anything_is_sent() {
    let made = Scene::new(&SMALL, empty());
    made.import().expect("an import");
    let execution = made.content()["thread_executions"].keys().next().expect("one").clone();
    let mut store = empty();
    let other = "0000000a-0000-4000-8000-00000000000a";
    store.fill(&json!({
        "thread_threads": [{ "id": other, "key": "ctx-1", "createdAt": 5 }],
        "thread_contexts": [{ "id": other, "createdAt": 5, "currentExecution": execution }],
    }));
    for policy in [OnConflict::Refuse, OnConflict::Replace, OnConflict::Keep] {
        let scene = Scene::new(&SMALL, store.clone());
        let error = scene.import_with(policy).expect_err("refused");
        assert_eq!(scene.server.calls(Route::Transact), 0);
        if policy == OnConflict::Replace {
            insta::assert_snapshot!(told(&scene, &error), @r"
            Refused: 2 rows of `d92ddb12-9b52-4715-8100-8b9f45a2cbc1 at URI` are in the way
              at `thread_threads`: 1 (0000000a-0000-4000-8000-00000000000a holds a `key` of the bundle's)
              at `thread_contexts`: 1 (0000000a-0000-4000-8000-00000000000a holds a `currentExecution` of the bundle's)
              at BUNDLE/import/instantdb/in-the-way-DIGEST-1.jsonl
              help look at them; then remove them, or say `--on-conflict keep` or `--on-conflict replace` (a unique value under another id must go); nothing was changed
            ");
        }
    }
}

#[test]
fn what_the_contract_does_not_name_goes_along_where_the_app_has_room() {
    let mut data = crate::data::sound();
    let id = "0000000a-0000-4000-8000-00000000000a";
    data["thread_threads"] = json!([{ "id": id, "key": "another", "createdAt": 5,
                                      "note": { "a": 1 }, "stars": "many", "lost": 7 }]);
    let mut schema = scene::target_schema();
    schema["entities"]["thread_threads"]["attrs"]["note"] = json!({ "valueType": "json" });
    schema["entities"]["thread_threads"]["attrs"]["stars"] = json!({ "valueType": "number" });
    let scene = Scene::new(&scene::Master::of_data(&data), Store::with_schema(&schema));
    scene.import().unwrap_or_else(|error| panic!("{}", told(&scene, &error)));
    let row = scene.content()["thread_threads"][id].clone();
    assert!(row.contains(r#""note":{"a":1}"#), "{row}");
    assert!(!row.contains("stars") && !row.contains("lost"), "{row}");
    scene.rollback().unwrap_or_else(|error| panic!("{}", told(&scene, &error)));
}

/// Two users of the sample.
const USERS: [&str; 2] =
    ["1f942d3a-5279-4dfa-973e-969a4666722a", "991ae5d5-03ea-4f06-a985-44a863c1d48e"];

/// The sample with an author of an item that is in the app already, as a backup.
fn authored(folder: &Path) -> PathBuf {
    let mut zip = ZipArchive::new(File::open(fixture("sample-backup.zip")).expect("a file"))
        .expect("an archive");
    let place = folder.join("authored.zip");
    let mut out = ZipWriter::new(File::create(&place).expect("a file"));
    for at in 0..zip.len() {
        let mut entry = zip.by_index(at).expect("an entry");
        let (name, mut text) = (entry.name().expect("a name").into_owned(), Vec::new());
        entry.read_to_end(&mut text).expect("content");
        if name == "config.json" {
            let mut config: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
            let side =
                |on: &str, has: &str, label: &str| json!({ "on": on, "has": has, "label": label });
            config["schema"]["links"]["authors"] = json!({
                "forward": side("thread_items", "one", "author"),
                "reverse": side("$users", "many", "events_thread_items") });
            text = config.to_string().into_bytes();
        }
        if name == "entities/thread_items.jsonl" {
            let lines = String::from_utf8(text).expect("text");
            let (id, author) = (format!("\"id\":\"{ITEM}\""), USERS[0]);
            text = lines.replace(&id, &format!("{id},\"author\":\"{author}\"")).into_bytes();
        }
        out.start_file(name, SimpleFileOptions::default()).expect("an entry");
        out.write_all(&text).expect("content");
    }
    out.finish().expect("a zip");
    place
}

const ITEM: &str = "8e4d117a-7e8f-409a-947b-60540e90375c";

#[test]
fn links_inside_the_model_arrive_under_their_own_labels() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = folder.path().join("backup.zip");
    let app = crate::carried::talking();
    app.write(&source);
    let master = scene::Master::of(&source);
    let mut store = Store::with_schema(&scene::planned_schema(&source));
    store.fill(&app.rows);
    // A second link between the same entities is not taken for the first.
    store.declare(crate::instantdb::Attr {
        etype: "thread_items".to_owned(),
        label: "quotes".to_owned(),
        link: true,
        reverse: Some(("thread_items".to_owned(), "quotedBy".to_owned())),
        ..Default::default()
    });
    let scene = Scene::new(&master, store);
    let before = scene.content();
    scene.import().unwrap_or_else(|error| panic!("{}", told(&scene, &error)));
    let items = scene.content()["thread_items"].clone();
    let replies = items.values().filter(|row| row.contains("\"replyTo\":"));
    assert_eq!(replies.count(), 1, "{items:?}");
    assert!(items.values().all(|row| !row.contains("quotes")), "{items:?}");
    scene.rollback().unwrap_or_else(|error| panic!("{}", told(&scene, &error)));
    assert_eq!(scene.content(), before);
}

#[test]
fn a_link_that_leads_elsewhere_is_refused_kept_or_replaced() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = authored(folder.path());
    let master = scene::Master::of(&source);
    for policy in [OnConflict::Refuse, OnConflict::Keep, OnConflict::Replace] {
        let mut store = scene::app_of(&master, &source);
        let link = store.attr("thread_items", "author").expect("a link");
        store.retract(link, ITEM, &format!("\"{}\"", USERS[0]));
        store.put(link, ITEM, &format!("\"{}\"", USERS[1]));
        let mut scene = Scene::new(&master, store);
        scene.options = Options::default();
        let before = scene.content();
        let outcome = scene.import_with(policy);
        if policy == OnConflict::Refuse {
            let error = outcome.expect_err("refused");
            assert_eq!(error.at.len(), 2, "{}", told(&scene, &error));
            continue;
        }
        let counts = outcome.unwrap_or_else(|error| panic!("{}", told(&scene, &error))).counts();
        assert_eq!(
            (counts.kept, counts.updated),
            if policy == OnConflict::Keep { (1, 0) } else { (0, 1) }
        );
        scene.rollback().unwrap_or_else(|error| panic!("{}", told(&scene, &error)));
        assert_eq!(scene.content(), before);
    }
}
