//! The InstantDB archive as a target, by way of the library.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use rethread::bundle::{self, Bundle};
use rethread::contract::{self, Contract, Overrides};
use rethread::error::{Error, Result};
use rethread::import::{self, Order, Outcome, Undone};
use rethread::progress::{Progress, Silent};
use rethread::snapshot::{self, Snapshot};
use rethread::target::archive::{Archive, Options};
use rethread::target::{Event, Journal, OnConflict};
use rethread::verify::{self, VerifiedBundle};
use rethread::{bag, source};
use serde_json::{Value, json};
use tempfile::TempDir;
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use crate::data;
use crate::support::fixture;

const KEEP: Options = Options { drop_legacy: false };
const DROP: Options = Options { drop_legacy: true };

/// A verified bundle and the source it was made from.
struct World {
    folder: TempDir,
    verified: VerifiedBundle,
    source: Option<PathBuf>,
}

fn contract() -> Contract {
    let set = [("rollout.max_quarantined", "any")].map(|(key, to)| (key.into(), to.into()));
    let overrides = Overrides { release: None, set: set.to_vec() };
    contract::load(contract::BUILT_IN, "the contract", &overrides).expect("a contract")
}

impl World {
    fn of(path: &Path) -> Self {
        let folder = TempDir::new().expect("a folder");
        let contract = contract();
        let mut from = source::open(path).expect("a source");
        let at = folder.path().join("snapshot");
        let snapshot = snapshot::take(from.as_mut(), &contract, &at, &Silent).expect("a snapshot");
        let out = folder.path().join("out");
        let bundle = bundle::write(&contract, &snapshot, &out, &Silent).expect("a bundle");
        let found = verify::verify(&bundle, &snapshot, &contract, &Silent).expect("findings");
        let verified = verify::permit(bundle, contract, found).expect("a permit");
        let is_archive = snapshot.meta().source.kind.starts_with("archive");
        Self { folder, verified, source: is_archive.then(|| path.to_owned()) }
    }

    fn sample() -> Self {
        Self::of(Path::new(&fixture("sample-backup.zip")))
    }

    fn dataset(data: &Value) -> Self {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("app.json");
        std::fs::write(&path, data.to_string()).expect("a file");
        Self::of(&path)
    }

    /// A backup archive out of its files.
    fn archive(files: &[(&str, Vec<u8>)]) -> Self {
        let folder = TempDir::new().expect("a folder").keep();
        let path = folder.join("backup.zip");
        make_zip(&path, files);
        Self::of(&path)
    }

    fn place(&self) -> PathBuf {
        self.folder.path().join("target").join("new.zip")
    }

    fn target(&self, options: Options) -> Archive {
        Archive::new(self.place(), self.source.clone(), options)
    }

    fn import(&self, options: Options, execute: bool) -> Result<Outcome> {
        self.run(&mut self.target(options), execute, &Silent)
    }

    fn run(&self, target: &mut Archive, execute: bool, progress: &dyn Progress) -> Result<Outcome> {
        import::import(&self.verified, target, &order(execute), progress)
    }

    /// A dry run, then the import.
    fn written(&self, options: Options) -> Outcome {
        self.import(options, false).expect("a dry run");
        self.import(options, true).expect("an import")
    }

    fn rollback(&self, execute: bool) -> Result<Undone> {
        let (bundle, contract) = (self.verified.bundle(), self.verified.contract());
        let mut target = self.target(KEEP);
        import::rollback(bundle, contract, &mut target, (&order(execute), &Silent))
    }

    fn notes(&self) -> Vec<(String, Value)> {
        let folder = import::folder(self.verified.bundle().root(), &self.target(KEEP), false);
        let entries = Journal::read(&folder).expect("a journal");
        let notes = entries.into_iter().filter_map(|entry| match entry.event {
            Event::Note { key, value } => Some((key, value)),
            _ => None,
        });
        notes.collect()
    }
}

fn order(execute: bool) -> Order<'static> {
    Order { execute, on_conflict: OnConflict::Refuse, embedded: false, clock: &|| 1_800_000_000 }
}

fn make_zip(path: &Path, files: &[(&str, Vec<u8>)]) {
    let mut zip = ZipWriter::new(std::fs::File::create(path).expect("a file"));
    for (name, content) in files {
        zip.start_file(*name, SimpleFileOptions::default()).expect("an entry");
        zip.write_all(content).expect("content");
    }
    zip.finish().expect("a zip");
}

/// Every file of a zip, in its order.
fn files(path: impl AsRef<Path>) -> Vec<(String, Vec<u8>)> {
    let mut zip = ZipArchive::new(std::fs::File::open(path).expect("a file")).expect("a zip");
    (0..zip.len())
        .map(|index| {
            let mut entry = zip.by_index(index).expect("an entry");
            let mut content = Vec::new();
            entry.read_to_end(&mut content).expect("content");
            (entry.name().expect("a name").into_owned(), content)
        })
        .collect()
}

fn file<'f>(files: &'f [(String, Vec<u8>)], name: &str) -> &'f [u8] {
    &files.iter().find(|(found, _)| found == name).unwrap_or_else(|| panic!("no {name}")).1
}

fn json_of(files: &[(String, Vec<u8>)], name: &str) -> Value {
    serde_json::from_slice(file(files, name)).expect("JSON")
}

/// The rows of an entity, by id.
fn rows(files: &[(String, Vec<u8>)], entity: &str) -> BTreeMap<String, Value> {
    let text = std::str::from_utf8(file(files, &format!("entities/{entity}.jsonl"))).expect("text");
    let row = |line: &str| {
        let row: Value = serde_json::from_str(line).expect("a row");
        (row["entity"]["id"].as_str().expect("an id").to_owned(), row)
    };
    text.lines().map(row).collect()
}

/// An error as it is shown, without the folders of this test.
fn told(error: &Error, world: &World) -> String {
    let mut text = format!("{:?}: {}", error.kind, error.message);
    error.at.iter().for_each(|at| text.push_str(&format!("\n  at {at}")));
    error.help.iter().for_each(|help| text.push_str(&format!("\n  help: {help}")));
    text.replace(world.folder.path().to_str().expect("UTF-8"), "")
}

fn export(path: &Path, to: &Path) -> Snapshot {
    let mut from = source::open(path).expect("a source");
    snapshot::take(from.as_mut(), &contract(), to, &Silent).expect("a snapshot")
}

#[test]
fn the_sample_becomes_an_archive_that_gives_the_same_bundle_rows() {
    let world = World::sample();
    let outcome = world.written(KEEP);
    assert!(outcome.is_read_back());
    insta::assert_snapshot!(outcome.sentence(), @"1,553 rows created, 0 updated, 0 unchanged in `new.zip`, read back and equal");
    let (old, new) = (files(fixture("sample-backup.zip")), files(world.place()));
    let names: Vec<&str> = new.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names[0], "config.json");
    assert!(names[1..].is_sorted(), "{names:?}");
    for (name, content) in &old {
        let ours = name == "config.json" || name.contains("/thread_");
        assert_eq!(file(&new, name) == content, !ours, "{name}");
    }
    // The other way round: what the archive says of the target model is what the bundle says.
    let exported = export(&world.place(), &world.folder.path().join("again"));
    let bundle =
        bundle::write(&contract(), &exported, &world.folder.path().join("second"), &Silent)
            .expect("a second bundle of the same app");
    let digests = |bundle: &Bundle| {
        let tables = bundle.meta().tables.iter();
        tables
            .map(|table| (table.entity.clone(), table.rows, table.digest.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(digests(&bundle), digests(world.verified.bundle()));
}

#[test]
fn config_says_what_the_archive_holds() {
    let world = World::sample();
    world.written(KEEP);
    let (old, new) = (files(fixture("sample-backup.zip")), files(world.place()));
    let (was, is) = (json_of(&old, "config.json"), json_of(&new, "config.json"));
    let keys =
        |config: &Value| config.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&was), keys(&is));
    for key in keys(&was) {
        let ours = ["counts", "tripleCount", "schema"].contains(&key.as_str());
        assert_eq!(was[&key] == is[&key], !ours, "{key}");
    }
    let mut triples = 0;
    for (entity, rows) in is["counts"].as_object().expect("counts") {
        let text = String::from_utf8_lossy(file(&new, &format!("entities/{entity}.jsonl")));
        assert_eq!(rows.as_u64(), Some(text.lines().count() as u64), "{entity}");
        for line in text.lines() {
            let row: Value = serde_json::from_str(line).expect("a row");
            assert!(row["createdAt"].is_i64(), "{entity}");
            for (label, value) in row["entity"].as_object().expect("an object") {
                let links = is["schema"]["links"].as_object().expect("links").values();
                let is_link = |link: &Value| {
                    link["forward"]["on"] == **entity && link["forward"]["label"] == **label
                };
                let is_link = links.into_iter().any(is_link);
                triples += value.as_array().filter(|_| is_link).map_or(1, Vec::len);
            }
        }
    }
    assert_eq!(is["tripleCount"].as_u64(), Some(triples as u64));
    // What the app declares stays as it is; the carried links come behind.
    let links = |config: &Value| config["schema"]["links"].as_object().expect("links").clone();
    let (was, is) = (links(&was), links(&is));
    for (name, link) in &was {
        assert_eq!(is.get(name), Some(link), "{name}");
    }
    let added: Vec<String> = is
        .iter()
        .filter(|(name, _)| !was.contains_key(*name))
        .map(|(name, link)| {
            let side = |side: &str| {
                let of = |key: &str| link[side][key].as_str().unwrap_or_default().to_owned();
                format!("{}.{} ({})", of("on"), of("label"), of("has"))
            };
            format!("{name}: {} - {}", side("forward"), side("reverse"))
        })
        .collect();
    insta::assert_snapshot!(added.join("\n"), @"
    thread_items_author: thread_items.author (one) - $users.events_thread_items (many)
    thread_items_emails: thread_items.emails (many) - emails.events_thread_items (many)
    thread_items_whatsappMessages: thread_items.whatsappMessages (many) - whatsapp_messages.event_thread_items (one)
    ");
    let notes: Vec<_> = world.notes().into_iter().filter(|(key, _)| key == "labels").collect();
    insta::assert_snapshot!(serde_json::to_string_pretty(&notes[0].1).expect("JSON"), @r#"
    [
      "`emails.events` belongs to the link `emailsEvents`: the link with `thread_items` is `emails.events_thread_items` there",
      "`$users.events` belongs to the link `context_eventsAuthor`: the link with `thread_items` is `$users.events_thread_items` there",
      "`whatsapp_messages.event` belongs to the link `whatsapp_messagesEvent`: the link with `thread_items` is `whatsapp_messages.event_thread_items` there"
    ]
    "#);
}

#[test]
fn carried_links_stand_on_the_rows_of_the_target() {
    let world = World::sample();
    world.written(KEEP);
    let new = files(world.place());
    let (items, emails) = (rows(&new, "thread_items"), rows(&new, "emails"));
    let mut pairs = 0;
    for (id, email) in &emails {
        for event in email["entity"]["events"].as_array().expect("events") {
            let back = &items[event.as_str().expect("an id")]["entity"]["emails"];
            assert!(back.as_array().expect("a list").contains(&json!(id)), "{event}");
            pairs += 1;
        }
    }
    assert!(pairs > 0);
    let events = rows(&new, "context_events");
    for (id, event) in &events {
        assert_eq!(items[id]["entity"]["author"], event["entity"]["author"], "{id}");
    }
    for (id, message) in &rows(&new, "whatsapp_messages") {
        if let Some(event) = message["entity"]["event"].as_str() {
            assert_eq!(items[event]["entity"]["whatsappMessages"], json!([id]), "{id}");
        }
    }
}

#[test]
fn rows_keep_their_time_in_the_store() {
    let world = World::sample();
    world.written(KEEP);
    let new = files(world.place());
    for (legacy, target) in
        [("context_events", "thread_items"), ("context_contexts", "thread_contexts")]
    {
        let target = rows(&new, target);
        for (id, row) in &rows(&new, legacy) {
            assert_eq!(target[id]["createdAt"], row["createdAt"], "{id}");
        }
    }
    let threads = rows(&new, "thread_threads");
    for (id, context) in &rows(&new, "context_contexts") {
        let thread = rows(&new, "thread_contexts")[id]["entity"]["thread"].clone();
        let thread = &threads[thread.as_str().expect("a thread")];
        // One thread was there before its context.
        if thread["entity"]["name"] != "Already here 🧵" {
            assert_eq!(thread["createdAt"], context["createdAt"], "{id}");
        }
    }
    // An indexed attribute without a value is there as null.
    assert!(threads.values().all(|row| row["entity"].get("status").is_some()));
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let (one, two) = (World::sample(), World::sample());
    one.written(KEEP);
    two.written(KEEP);
    let sha = |world: &World| bag::sha256_of(&world.place()).expect("a hash").sha256;
    assert_eq!(sha(&one), sha(&two));
}

#[test]
fn other_programs_read_the_zip() {
    let world = World::sample();
    world.written(KEEP);
    let place = world.place();
    let python = Command::new("python3")
        .args(["-c", "import sys,zipfile; z=zipfile.ZipFile(sys.argv[1]); print(z.testzip(), len(z.namelist()))"])
        .arg(&place)
        .output();
    if let Ok(output) = python {
        assert_eq!(String::from_utf8_lossy(&output.stdout), "None 15\n");
    }
    if let Ok(output) = Command::new("unzip").arg("-tq").arg(&place).output() {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn legacy_entities_can_be_left_out() {
    let world = World::sample();
    world.written(DROP);
    let (old, new) = (files(fixture("sample-backup.zip")), files(world.place()));
    let config = json_of(&new, "config.json");
    let text = config.to_string();
    for name in ["context_", "story_"] {
        assert!(!text.contains(&format!("\"{name}")), "{name}");
        assert!(new.iter().all(|(file, _)| !file.contains(name)));
    }
    assert_eq!(file(&new, "entities/$users.jsonl"), file(&old, "entities/$users.jsonl"));
    // The links of other entities to legacy rows go, everything else in these rows stays.
    let (was, is) = (rows(&old, "emails"), rows(&new, "emails"));
    for (id, row) in &was {
        let mut row = row.clone();
        row["entity"].as_object_mut().expect("an object").remove("events");
        assert_eq!(is[id], row);
    }
    // Their labels are free now.
    let links = config["schema"]["links"].as_object().expect("links");
    let emails = links.values().find(|link| link["forward"]["label"] == "emails").expect("a link");
    assert_eq!(emails["reverse"]["label"], "events");
    assert!(world.notes().iter().all(|(key, _)| key != "labels"));
}

#[test]
fn a_source_without_an_app_gives_the_thread_model_alone() {
    let world = World::dataset(&data::sound());
    assert!(world.written(KEEP).is_read_back());
    let new = files(world.place());
    let names: Vec<&str> = new.iter().map(|(name, _)| name.as_str()).collect();
    insta::assert_snapshot!(names.join("\n"), @"
    config.json
    entities/thread_contexts.jsonl
    entities/thread_executions.jsonl
    entities/thread_items.jsonl
    entities/thread_parts.jsonl
    entities/thread_steps.jsonl
    entities/thread_threads.jsonl
    ");
    let mut config = json_of(&new, "config.json");
    let schema = config["schema"].take();
    insta::assert_snapshot!(config.to_string(), @r#"{"appId":null,"authorizedRedirectOrigins":[],"backupAt":null,"counts":{"thread_contexts":1,"thread_executions":1,"thread_items":2,"thread_parts":2,"thread_steps":1,"thread_threads":1},"description":"thread model by rethread 0.1.0","emailTemplates":[],"isn":null,"rules":null,"schema":null,"title":"app.json","tripleCount":61,"webhooks":[]}"#);
    insta::assert_snapshot!(schema["entities"]["thread_parts"].to_string(), @r#"{"attrs":{"idx":{"config":{"indexed":true,"unique":false},"required":true,"valueType":"number"},"key":{"config":{"indexed":true,"unique":true},"required":true,"valueType":"string"},"part":{"config":{"indexed":false,"unique":false},"required":false,"valueType":"json"},"stepId":{"config":{"indexed":true,"unique":false},"required":true,"valueType":"string"},"type":{"config":{"indexed":true,"unique":false},"required":false,"valueType":"string"},"updatedAt":{"config":{"indexed":false,"unique":false},"required":false,"valueType":"date"}}}"#);
    insta::assert_snapshot!(schema["links"]["threadContextsCurrentExecution"].to_string(), @r#"{"forward":{"has":"one","label":"currentExecution","on":"thread_contexts"},"reverse":{"has":"one","label":"currentOf","on":"thread_executions"}}"#);
    insta::assert_snapshot!(
        String::from_utf8_lossy(file(&new, "entities/thread_steps.jsonl")), @r#"{"entity":{"id":"00000000-0000-4000-8000-000400000001","createdAt":"2026-03-01T10:00:02.000Z","status":"completed","iteration":0,"executionId":"00000000-0000-4000-8000-000300000001","triggerEventId":"00000000-0000-4000-8000-000200000001","reactionEventId":"00000000-0000-4000-8000-000200000002","eventId":"00000000-0000-4000-8000-000200000002","execution":"00000000-0000-4000-8000-000300000001"},"createdAt":1772359202000}"#
    );
    // No time of the store, no required date, no date at all.
    let parts = rows(&new, "thread_parts");
    assert!(parts.values().all(|row| row["createdAt"] == 0));
}

#[test]
fn a_dry_run_writes_nothing() {
    let world = World::sample();
    let outcome = world.import(KEEP, false).expect("a dry run");
    insta::assert_snapshot!(outcome.sentence(), @"dry run: 1,553 rows would be created, 0 updated, 0 unchanged in `new.zip`; nothing was written");
    assert!(!world.place().parent().expect("a folder").exists());
    let without = World::sample();
    let error = without.import(KEEP, true).expect_err("no dry run");
    insta::assert_snapshot!(error.message, @"the contract asks for a dry run before the import");
}

#[test]
fn a_second_import_has_nothing_to_do() {
    let world = World::sample();
    world.written(KEEP);
    let before = std::fs::metadata(world.place()).expect("a file").modified().expect("a time");
    let outcome = world.import(KEEP, true).expect("a second import");
    insta::assert_snapshot!(outcome.sentence(), @"nothing to do: all 1,553 rows are in `new.zip` already");
    let after = std::fs::metadata(world.place()).expect("a file").modified().expect("a time");
    assert_eq!(before, after);
    // With other options it is another archive.
    let error = world.import(DROP, true).expect_err("another archive");
    insta::assert_snapshot!(told(&error, &world), @"
    Refused: another file stands where the archive goes
      at /target/new.zip
      help: name another file, or move this one away; it is left as it is
    ");
    assert!(leftovers(&world).is_empty());
}

/// Hidden files beside the archive.
fn leftovers(world: &World) -> Vec<String> {
    let place = world.place();
    let entries = std::fs::read_dir(place.parent().expect("a folder")).expect("a folder");
    let names =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("text"));
    names.filter(|name| name != "new.zip").collect()
}

#[test]
fn another_file_is_never_replaced() {
    let world = World::sample();
    world.import(KEEP, false).expect("a dry run");
    std::fs::create_dir_all(world.place().parent().expect("a folder")).expect("a folder");
    std::fs::write(world.place(), "mine").expect("a file");
    for execute in [false, true] {
        let error = world.import(KEEP, execute).expect_err("another file");
        assert_eq!(error.message, "another file stands where the archive goes");
    }
    assert_eq!(std::fs::read(world.place()).expect("a file"), b"mine");
}

#[test]
fn a_rollback_removes_what_the_import_made() {
    let world = World::sample();
    world.written(KEEP);
    let undone = world.rollback(false).expect("a rehearsal");
    insta::assert_snapshot!(undone.sentence(), @"dry run: 1,553 rows would be removed from `new.zip`, 0 restored, 0 left as they are; nothing was changed");
    assert!(world.place().exists());
    let undone = world.rollback(true).expect("a rollback");
    insta::assert_snapshot!(undone.sentence(), @"1,553 rows removed from `new.zip`, 0 restored, 0 left as they were; it holds what it held before the import");
    assert!(!world.place().exists());
    assert!(leftovers(&world).is_empty());
    assert!(world.rollback(true).is_err());
    world.import(KEEP, true).expect("an import again");
}

#[test]
fn a_changed_archive_is_not_removed() {
    let world = World::sample();
    world.written(KEEP);
    let mut content = std::fs::read(world.place()).expect("a file");
    content.push(b' ');
    std::fs::write(world.place(), &content).expect("a file");
    for execute in [false, true] {
        let error = world.rollback(execute).expect_err("a changed file");
        insta::allow_duplicates!(insta::assert_snapshot!(told(&error, &world), @"
        Refused: the archive is no longer as the import left it
          at /target/new.zip
          help: bring back what was imported, or remove it yourself; it is left as it is
        "));
    }
    assert_eq!(std::fs::read(world.place()).expect("a file"), content);
}

#[test]
fn a_file_that_an_import_only_found_stays() {
    let (first, second) = (World::sample(), World::sample());
    first.written(KEEP);
    std::fs::create_dir_all(second.place().parent().expect("a folder")).expect("a folder");
    std::fs::copy(first.place(), second.place()).expect("a copy");
    assert!(second.written(KEEP).changed_nothing());
    let undone = second.rollback(true).expect("a rollback");
    assert_eq!(undone.tables.iter().map(|table| table.removed).sum::<u64>(), 0);
    assert!(second.place().exists());
}

/// Stops the program at the n-th point that a kill must not harm.
struct Kill(AtomicUsize);

impl Progress for Kill {
    fn begin(&self, _step: &str, _total: Option<u64>) {}
    fn advance(&self, _units: u64) {}
    fn done(&self, _outcome: &str) {}
    fn reached(&self, point: &str) {
        if self.0.fetch_sub(1, Ordering::SeqCst) == 1 {
            std::panic::panic_any(point.to_owned());
        }
    }
}

#[test]
fn a_killed_import_goes_on_and_ends_the_same() {
    let unbroken = World::dataset(&data::sound());
    unbroken.written(KEEP);
    let expected = std::fs::read(unbroken.place()).expect("a file");
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let mut points = Vec::new();
    let world = World::dataset(&data::sound());
    world.import(KEEP, false).expect("a dry run");
    for number in 1..100 {
        let kill = Kill(AtomicUsize::new(number));
        let mut target = world.target(KEEP);
        let run = std::panic::AssertUnwindSafe(|| world.run(&mut target, true, &kill));
        let Err(point) = std::panic::catch_unwind(run) else { break };
        drop(target);
        points.push(point.downcast_ref::<String>().expect("a point").clone());
        let outcome = world.import(KEEP, true).expect("an import that goes on");
        assert!(outcome.is_read_back(), "{points:?}");
        assert_eq!(std::fs::read(world.place()).expect("a file"), expected, "{points:?}");
        assert!(leftovers(&world).is_empty(), "{points:?}: {:?}", leftovers(&world));
        world.rollback(true).unwrap_or_else(|error| panic!("{points:?}: {error}"));
        assert!(!world.place().exists(), "{points:?}");
    }
    std::panic::set_hook(hook);
    assert!(points.len() > 10, "{points:?}");
    assert!(points.contains(&"after a commit".to_owned()));
}

#[test]
fn an_archive_needs_its_source() {
    let world = World::sample();
    let mut target = Archive::new(world.place(), None, KEEP);
    let error = world.run(&mut target, false, &Silent).expect_err("no source");
    insta::assert_snapshot!(told(&error, &world), @"
    Usage: the archive is made out of the one that the snapshot was taken from
      at `sample-backup.zip`, SHA-256 e14ce3823d920161849df4fe9621e381b25d3a2851c152d283c0d9c03d3dd3ff
      help: name that file with `--source FILE`
    ");
    let other = world.folder.path().join("other.zip");
    make_zip(&other, &[("config.json", br#"{"counts":{}}"#.to_vec())]);
    let mut target = Archive::new(world.place(), Some(other), KEEP);
    let error = world.run(&mut target, false, &Silent).expect_err("another source");
    insta::assert_snapshot!(told(&error, &world), @"
    Refused: this is not the archive that the snapshot was taken from
      at /other.zip: SHA-256 6c4ec1f4c6859d3f4ecbc2514bc78b9043709e74c307365a68b9366aca2e5a1d
      at the snapshot's `sample-backup.zip`: SHA-256 e14ce3823d920161849df4fe9621e381b25d3a2851c152d283c0d9c03d3dd3ff
      help: name the archive as it was exported, with `--source FILE`
    ");
}

/// A dataset with one change, and what the archive says about it.
fn check_refused(change: impl FnOnce(&mut Value)) -> String {
    let mut data = data::sound();
    change(&mut data);
    let world = World::dataset(&data);
    let error = world.import(KEEP, false).expect_err("a row that no server takes");
    assert!(!world.place().exists());
    let text = told(&error, &world);
    let fault: Vec<&str> = text.lines().filter(|line| line.starts_with("  at ")).collect();
    assert_eq!(error.kind.exit_code(), 5);
    fault.join("\n")
}

#[test]
fn rows_that_no_server_could_restore_are_refused() {
    let set = |row: &'static str, label: &'static str, value: Value| {
        check_refused(move |data| data[row][0][label] = value)
    };
    let long = "é".repeat(507);
    insta::assert_snapshot!(set("context_events", "status", json!(long)), @"  at `thread_items`: an indexed or unique text is longer than 1,012 bytes (`status`): 1 (00000000-0000-4000-8000-000200000001)");
    insta::assert_snapshot!(set("context_contexts", "key", json!(long)), @"
    at `thread_contexts`: an indexed or unique text is longer than 1,012 bytes (`key`): 1 (00000000-0000-4000-8000-000100000001)
    at `thread_threads`: an indexed or unique text is longer than 1,012 bytes (`key`): 1 (6d448ae9-8a6c-5f9f-8256-c4e89a813c8e)
    ");
    insta::assert_snapshot!(set("context_events", "content", json!({ "a": "x\u{0}y" })), @"  at `thread_items`: a text holds a NUL character (`content`): 1 (00000000-0000-4000-8000-000200000001)");
    insta::assert_snapshot!(set("story_steps", "errorText", json!("\u{0}")), @"  at `thread_steps`: a text holds a NUL character (`errorText`): 1 (00000000-0000-4000-8000-000400000001)");
    let text = data::sound().to_string();
    let raw = |value: &str| {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("app.json");
        std::fs::write(&path, text.replace("\"Hello 👋\"", value)).expect("a file");
        let world = World::of(&path);
        let error = world.import(KEEP, false).expect_err("a row that no server takes");
        error.at.join("\n")
    };
    insta::assert_snapshot!(raw(r#""\ud83d""#), @"`thread_items`: a text holds a lone surrogate (`content`): 1 (00000000-0000-4000-8000-000200000001)");
    insta::assert_snapshot!(raw(&("[".repeat(996) + &"]".repeat(996))), @"`thread_items`: the JSON is nested deeper than 1,000 levels (`content`): 1 (00000000-0000-4000-8000-000200000001)");
    insta::assert_snapshot!(raw(&format!("\"{}\"", "x".repeat(20_000_001))), @"`thread_items`: a text is longer than 20,000,000 characters (`content`): 1 (00000000-0000-4000-8000-000200000001)");
}

/// The sample's files, to be changed.
fn sample_files() -> Vec<(String, Vec<u8>)> {
    files(fixture("sample-backup.zip"))
}

fn world_of(files: &[(String, Vec<u8>)]) -> World {
    let files: Vec<_> =
        files.iter().map(|(name, content)| (name.as_str(), content.clone())).collect();
    World::archive(&files)
}

/// The sample after a change of its `config.json`.
fn with_config(change: impl FnOnce(&mut Value)) -> Vec<(String, Vec<u8>)> {
    let mut files = sample_files();
    let mut config = json_of(&files, "config.json");
    change(&mut config);
    files[0].1 = config.to_string().into_bytes();
    files
}

/// The files after a change of the text of one.
fn with_text(
    mut files: Vec<(String, Vec<u8>)>,
    name: &str,
    change: impl FnOnce(String) -> String,
) -> Vec<(String, Vec<u8>)> {
    let at = files.iter().position(|(found, _)| found == name).expect("a file");
    let text = String::from_utf8(std::mem::take(&mut files[at].1)).expect("text");
    files[at].1 = change(text).into_bytes();
    files
}

fn refusal_of(files: &[(String, Vec<u8>)], options: Options) -> String {
    let world = world_of(files);
    let error = world.import(options, false).expect_err("a refusal");
    assert_eq!(error.kind.exit_code(), 5, "{error}");
    std::iter::once(error.message).chain(error.at).collect::<Vec<_>>().join("\n")
}

#[test]
fn schemas_that_contradict_each_other_are_refused() {
    let files = with_config(|config| {
        let schema = &mut config["schema"];
        let items = &mut schema["entities"]["thread_items"]["attrs"];
        items["type"]["valueType"] = json!("number");
        items["status"]["config"]["unique"] = json!(true);
        items["execution"] = json!({ "valueType": "string", "required": false });
        let links = schema["links"].as_object_mut().expect("links");
        links.remove("thread_itemsExecution");
        links["thread_itemsContext"]["forward"]["has"] = json!("many");
        links["whatsapp_messagesEvent"]["forward"]["on"] = json!("emails");
    });
    insta::assert_snapshot!(refusal_of(&files, KEEP), @"
    the app's schema and the contract's model contradict each other
    `thread_items.type` is `number` in the app, `string` in the contract
    `thread_items.status` is `string, unique` in the app, `string` in the contract
    the app's link `thread_itemsContext` is `thread_items.context` (many) to `thread_contexts.items` (many), the contract's is `thread_items.context` (one) to `thread_contexts.items` (many)
    `thread_items.execution` of the contract's link `threadExecutionItems` belongs to an attribute in the app
    ");
    let files = with_config(|config| {
        let links = config["schema"]["links"].as_object_mut().expect("links");
        links.remove("thread_contextsThread");
        links.insert(
            "old".to_owned(),
            json!({
                "forward": { "on": "context_contexts", "has": "one", "label": "thread" },
                "reverse": { "on": "thread_threads", "has": "many", "label": "contexts" },
            }),
        );
    });
    insta::assert_snapshot!(refusal_of(&files, KEEP), @"
    the app's schema and the contract's model contradict each other
    `thread_threads.contexts` of the contract's link `threadContextsThread` belongs to the link `old` in the app
    ");
    // The label is free once the legacy entities go.
    world_of(&files).import(DROP, false).expect("a dry run");
}

#[test]
fn an_index_that_only_the_contract_wants_is_added() {
    let files = with_config(|config| {
        let attr = &mut config["schema"]["entities"]["thread_items"]["attrs"]["type"];
        attr["config"]["indexed"] = json!(false);
        config["schema"]["entities"]["thread_items"]["attrs"]["mood"] =
            json!({ "valueType": "string" });
    });
    let world = world_of(&files);
    world.written(KEEP);
    let config = json_of(&self::files(world.place()), "config.json");
    let attrs = &config["schema"]["entities"]["thread_items"]["attrs"];
    assert_eq!(attrs["type"]["config"]["indexed"], true);
    assert_eq!(attrs["mood"], json!({ "valueType": "string" }));
}

#[test]
fn rows_that_the_apps_schema_does_not_fit_are_refused() {
    let item = "entities/thread_items.jsonl";
    let mood = |text: String| text.replacen("{\"entity\":{", "{\"entity\":{\"mood\":\"low\",", 1);
    let with_mood = with_text(sample_files(), item, mood);
    insta::assert_snapshot!(refusal_of(&with_mood, KEEP), @"
    an InstantDB server could not restore 1 value
    `thread_items`: the app's schema has no such label (`mood`): 1 (72549f45-2625-458f-96c9-d274be4e9fc7)
    ");
    let declared = |attr: Value| {
        let files = with_config(|config| {
            config["schema"]["entities"]["thread_items"]["attrs"]["mood"] = attr;
        });
        with_text(files, item, mood)
    };
    let world = world_of(&declared(json!({ "valueType": "string" })));
    world.written(KEEP);
    let rows = rows(&files(world.place()), "thread_items");
    assert_eq!(rows.values().filter(|row| row["entity"]["mood"] == "low").count(), 1);
    let wrong = declared(json!({ "valueType": "number" }));
    insta::assert_snapshot!(refusal_of(&wrong, KEEP), @"
    an InstantDB server could not restore 1 value
    `thread_items`: the value is not of the attribute's type (`mood`): 1 (72549f45-2625-458f-96c9-d274be4e9fc7)
    ");
    let needed = declared(json!({ "valueType": "string", "required": true }));
    insta::assert_snapshot!(refusal_of(&needed, KEEP), @"
    an InstantDB server could not restore 262 values
    `thread_items`: a required value is missing (`mood`): 262 (33396937-83a0-4ab8-b587-3ad4b2a47367, 0dbe94cc-c0d8-4077-9fa6-7559500c75ac, 01d892dc-8903-4e1b-ae24-9bc14db293a5, 48aa76da-e3be-48e6-92f7-3262fb8729f6, b18fa26c-8640-4c35-9108-b86913f5cd8b and 257 more)
    ");
    let demanded = with_config(|config| {
        config["schema"]["links"]["owner"] = json!({
            "forward": { "on": "thread_items", "has": "one", "label": "owner", "required": true },
            "reverse": { "on": "$users", "has": "many", "label": "owned" },
        });
    });
    insta::assert_snapshot!(refusal_of(&demanded, KEEP), @"
    an InstantDB server could not restore 263 values
    `thread_items`: a required value is missing (`owner`): 263 (33396937-83a0-4ab8-b587-3ad4b2a47367, 0dbe94cc-c0d8-4077-9fa6-7559500c75ac, 01d892dc-8903-4e1b-ae24-9bc14db293a5, 48aa76da-e3be-48e6-92f7-3262fb8729f6, b18fa26c-8640-4c35-9108-b86913f5cd8b and 258 more)
    ");
    let several = with_config(|config| {
        config["schema"]["links"]["emailsEvents"]["reverse"]["has"] = json!("one");
    });
    let twice = |text: String| {
        let first: Value = serde_json::from_str(text.lines().next().expect("a row")).expect("JSON");
        let id = "0ad5faf4-80c4-4c89-b593-000000000000";
        let row =
            json!({ "entity": { "id": id, "events": first["entity"]["events"] }, "createdAt": 1 });
        format!("{text}{row}\n")
    };
    let count = |mut files: Vec<(String, Vec<u8>)>| {
        let mut config = json_of(&files, "config.json");
        config["counts"]["emails"] = json!(7);
        files[0].1 = config.to_string().into_bytes();
        files
    };
    let several = count(with_text(several, "entities/emails.jsonl", twice));
    insta::assert_snapshot!(refusal_of(&several, KEEP), @"
    an InstantDB server could not restore 3 values
    `thread_items`: a link to one holds a list (`emails`): 3 (8edbb167-b08a-47dc-a2d1-09cf82b4eb8d, d6b0745d-4ac4-435b-aadb-5d09dbbd0c81, c7d580f8-379f-49f0-b85f-0ce6633c96b5)
    ");
    let shared = with_config(|config| {
        config["schema"]["links"]["context_eventsAuthor"]["reverse"]["has"] = json!("one");
    });
    insta::assert_snapshot!(refusal_of(&shared, KEEP), @"
    an InstantDB server could not restore 127 values
    `thread_items`: another row leads to the same row of `$users`, which only one may (`author`): 127 (09f038ba-c0d7-4076-9444-2a95b318d54c, 1bc1d238-8ad2-4e8c-b8c4-e278e091029c, 20862d53-6de3-46d4-afad-1db12d359726, 23c01cd9-8fa8-4034-8267-694428971fd8, 2859896d-ecac-408b-9618-329fd92deb51 and 122 more)
    ");
    let user = "991ae5d5-03ea-4f06-a985-44a863c1d48e";
    let no_id =
        |text: String| text.replacen(&format!("\"author\":\"{user}\""), "\"author\":\"nobody\"", 1);
    let nobody = with_text(sample_files(), "entities/context_events.jsonl", no_id);
    insta::assert_snapshot!(refusal_of(&nobody, KEEP), @"
    an InstantDB server could not restore 1 value
    `thread_items.author`: a link leads to an id that is no UUID: 1 (06136caf-d2bf-4516-b7eb-65e2248bdee0)
    ");
}

#[test]
fn files_and_unknown_entries_are_carried_over_in_order() {
    let mut old = sample_files();
    old.insert(1, ("notes.txt".to_owned(), b"kept".to_vec()));
    old.push(("files/b".to_owned(), vec![0; 100_000]));
    old.push(("files/a".to_owned(), (0..=255).collect()));
    let world = world_of(&old);
    world.written(KEEP);
    let new = files(world.place());
    let names: Vec<&str> = new.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names[names.len() - 3..], ["files/b", "files/a", "notes.txt"]);
    for name in ["files/b", "files/a", "notes.txt", "entities/emails.jsonl"] {
        assert_eq!(file(&new, name), file(&old, name), "{name}");
    }
}

#[test]
fn a_damaged_source_is_found_before_anything_is_written() {
    let mut old = sample_files();
    old.push(("files/a".to_owned(), b"a rather plain text".to_vec()));
    let world = world_of(&old);
    // The hash would tell: so it is the check of the content that is tried here.
    let source = world.source.clone().expect("a source");
    let mut bytes = std::fs::read(&source).expect("a file");
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    std::fs::write(&source, bytes).expect("a file");
    let error = world.import(KEEP, false).expect_err("another file");
    assert!(error.message.contains("not the archive that the snapshot was taken from"), "{error}");
}

#[test]
fn an_unzipped_archive_is_a_source_too() {
    let folder = TempDir::new().expect("a folder");
    for (name, content) in sample_files() {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, content).expect("a file");
    }
    let (unzipped, zipped) = (World::of(folder.path()), World::sample());
    for options in [KEEP, DROP] {
        unzipped.written(options);
        zipped.written(options);
        assert_eq!(files(unzipped.place()), files(zipped.place()));
        unzipped.rollback(true).expect("a rollback");
        zipped.rollback(true).expect("a rollback");
    }
}

#[test]
fn links_that_another_entity_holds_itself_stay_there() {
    let mut files = with_config(|config| {
        let links = config["schema"]["links"].as_object_mut().expect("links");
        links.insert(
            "emailsItem".to_owned(),
            json!({
                "forward": { "on": "emails", "has": "one", "label": "item" },
                "reverse": { "on": "thread_items", "has": "many", "label": "mails" },
            }),
        );
    });
    let item = "72549f45-2625-458f-96c9-d274be4e9fc7";
    let gone = "72549f45-2625-458f-96c9-000000000000";
    let mut left = vec![gone, item];
    files = with_text(files, "entities/emails.jsonl", |text| {
        let with = |line: &str| match left.pop() {
            Some(id) => {
                line.replacen("\"events\"", &format!("\"item\":\"{id}\",\"events\""), 1) + "\n"
            }
            None => format!("{line}\n"),
        };
        text.lines().map(with).collect()
    });
    for options in [KEEP, DROP] {
        let world = world_of(&files);
        assert!(world.written(options).is_read_back());
        let new = self::files(world.place());
        let there = String::from_utf8_lossy(file(&new, "entities/emails.jsonl")).into_owned();
        assert!(there.contains(item) && there.contains(gone));
        assert!(rows(&new, "thread_items")[item]["entity"].get("mails").is_none());
    }
}

#[test]
fn an_archive_of_more_files_than_a_plain_zip_counts() {
    let mut old = sample_files();
    old.extend((0..66_000).map(|number| (format!("files/{number:05}"), Vec::new())));
    let world = world_of(&old);
    world.written(KEEP);
    let zip = std::fs::File::open(world.place()).expect("a file");
    assert_eq!(ZipArchive::new(zip).expect("a zip").len(), old.len());
    let python = Command::new("python3")
        .args(["-c", "import sys,zipfile; print(len(zipfile.ZipFile(sys.argv[1]).namelist()))"])
        .arg(world.place())
        .output();
    if let Ok(output) = python {
        assert_eq!(String::from_utf8_lossy(&output.stdout), "66015\n");
    }
}
