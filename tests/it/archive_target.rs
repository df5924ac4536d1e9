//! The InstantDB archive as a target, by way of the library.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use rethread::bundle::{self, Bundle};
use rethread::contract::{self, Contract, Overrides};
use rethread::error::{Error, Result};
use rethread::import::{self, Order, Outcome, Undone};
use rethread::progress::{Progress, Silent};
use rethread::resources::Resources;
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
use crate::support::{copy, filled, fixture};

mod changed;

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
    let overrides = Overrides { set: set.to_vec(), ..filled() };
    contract::load(contract::BUILT_IN, "the contract", &overrides).expect("a contract")
}

impl World {
    fn of(path: &Path) -> Self {
        let folder = TempDir::new().expect("a folder");
        let contract = contract();
        let mut from = source::open(path).expect("a source");
        let at = folder.path().join("snapshot");
        let snapshot =
            snapshot::take(from.as_mut(), &contract, &at, &Resources::default(), &Silent)
                .expect("a snapshot");
        let out = folder.path().join("out");
        let bundle = bundle::write(&contract, &snapshot, &out, &Resources::default(), &Silent)
            .expect("a bundle");
        let found = verify::verify(&bundle, &snapshot, &contract, &Resources::default(), &Silent)
            .expect("findings");
        let verified = verify::permit(bundle, contract, found).expect("a permit");
        let is_archive = snapshot.meta().source.kind.starts_with("archive");
        Self { folder, verified, source: is_archive.then(|| path.to_owned()) }
    }

    /// A copy of the sample's bundle, which is made once.
    fn sample() -> Self {
        static SAMPLE: LazyLock<World> =
            LazyLock::new(|| World::of(Path::new(&fixture("sample-backup.zip"))));
        let folder = TempDir::new().expect("a folder");
        let root = folder.path().join("out/bundle");
        copy(SAMPLE.verified.bundle().root(), &root);
        let bundle = Bundle::open(&root, &Silent).expect("a bundle");
        let found = SAMPLE.verified.verification().clone();
        let verified = verify::permit(bundle, contract(), found).expect("a permit");
        Self { folder, verified, source: SAMPLE.source.clone() }
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
    Order {
        execute,
        on_conflict: OnConflict::Refuse,
        embedded: false,
        clock: &|| 1_800_000_000,
        memory: None,
    }
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
    snapshot::take(from.as_mut(), &contract(), to, &Resources::default(), &Silent)
        .expect("a snapshot")
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
    let bundle = bundle::write(
        &contract(),
        &exported,
        &world.folder.path().join("second"),
        &Resources::default(),
        &Silent,
    )
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
      "`$users.events` belongs to the link `context_eventsAuthor`: the link with `thread_items` is `$users.events_thread_items` there",
      "`emails.events` belongs to the link `emailsEvents`: the link with `thread_items` is `emails.events_thread_items` there",
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
    insta::assert_snapshot!(config.to_string(), @r#"{"appId":null,"authorizedRedirectOrigins":[],"backupAt":null,"counts":{"thread_contexts":1,"thread_executions":1,"thread_items":2,"thread_parts":2,"thread_steps":1,"thread_threads":1},"description":"thread model by rethread 0.2.0","emailTemplates":[],"isn":null,"rules":{"$default":{"allow":{"$default":"false"}}},"schema":null,"title":"app.json","tripleCount":61,"webhooks":[]}"#);
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
    let again = world.rollback(true).expect("a rollback that was done before");
    insta::assert_snapshot!(again.sentence(), @"nothing is left to undo in `new.zip`");
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
    assert!(points.len() > 10, "{points:?}");
    assert!(points.contains(&"after a commit".to_owned()));
}

#[test]
fn a_killed_rollback_goes_on() {
    let world = World::dataset(&data::sound());
    world.import(KEEP, false).expect("a dry run");
    let (bundle, contract) = (world.verified.bundle(), world.verified.contract());
    let mut points = 0;
    for number in 1..100 {
        world.import(KEEP, true).expect("an import");
        let kill = Kill(AtomicUsize::new(number));
        let mut target = world.target(KEEP);
        let order = order(true);
        let run = || import::rollback(bundle, contract, &mut target, (&order, &kill));
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_ok() {
            break;
        }
        points += 1;
        // Killed behind its last word in the journal, it has nothing left to do.
        let again = world.rollback(true);
        assert!(again.is_ok() || !world.place().exists(), "{number}");
        assert!(!world.place().exists(), "{number}");
    }
    assert!(points >= 6, "{points}");
}

#[test]
fn an_archive_needs_its_source() {
    let world = World::sample();
    let mut target = Archive::new(world.place(), None, KEEP);
    let error = world.run(&mut target, false, &Silent).expect_err("no source");
    insta::assert_snapshot!(told(&error, &world), @"
    Usage: the archive is made out of the one that the snapshot was taken from
      at `sample-backup.zip`, SHA-256 2142e0a23ece7af37c0828c9d17b39267df2c36ca34a66c82ab5af2071720eab
      help: name that file with `--source FILE`
    ");
    let other = world.folder.path().join("other.zip");
    make_zip(&other, &[("config.json", br#"{"counts":{}}"#.to_vec())]);
    let mut target = Archive::new(world.place(), Some(other), KEEP);
    let error = world.run(&mut target, false, &Silent).expect_err("another source");
    insta::assert_snapshot!(told(&error, &world), @"
    Refused: this is not the archive that the snapshot was taken from
      at /other.zip: SHA-256 6c4ec1f4c6859d3f4ecbc2514bc78b9043709e74c307365a68b9366aca2e5a1d
      at the snapshot's `sample-backup.zip`: SHA-256 2142e0a23ece7af37c0828c9d17b39267df2c36ca34a66c82ab5af2071720eab
      help: name the archive as it was exported, with `--source FILE`
    ");
}
