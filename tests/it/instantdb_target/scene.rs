//! A bundle, an app to bring it to, and what came of it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use rethread::bundle::{self, Bundle};
use rethread::contract::{BUILT_IN, Contract, Overrides, load};
use rethread::error::{Error, Result};
use rethread::import::{self, Order, Outcome, Undone};
use rethread::progress::{Progress, Silent};
use rethread::reconcile;
use rethread::resources::Resources;
use rethread::snapshot;
use rethread::source;
use rethread::target::OnConflict;
use rethread::target::instantdb::{InstantDb, Options};
use rethread::verify::{self, Verification, VerifiedBundle};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::instantdb::{Content, Server, Store, TOKEN};
use crate::instantdb_client::client;
use crate::support::{copy, fixture};

pub(crate) fn contract() -> Contract {
    load(BUILT_IN, "story-to-thread.toml", &Overrides::default()).expect("the contract")
}

/// A verified bundle that scenes take copies of.
pub(crate) struct Master {
    _folder: TempDir,
    root: PathBuf,
    found: Verification,
}

impl Master {
    /// The bundle of a source file.
    pub(crate) fn of(source: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut from = source::open(source).expect("a source");
        let place = folder.path().join("snapshot");
        let snapshot =
            snapshot::take(from.as_mut(), &contract(), &place, &Resources::default(), &Silent)
                .expect("a snapshot");
        let bundle =
            bundle::write(&contract(), &snapshot, folder.path(), &Resources::default(), &Silent)
                .expect("a bundle");
        let found = verify::verify(&bundle, &snapshot, &contract(), &Resources::default(), &Silent)
            .expect("findings");
        Self { root: bundle.root().to_owned(), _folder: folder, found }
    }

    pub(crate) fn of_data(data: &Value) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("app.json");
        std::fs::write(&file, data.to_string()).expect("a file");
        Self::of(&file)
    }
}

/// A few rows of everything.
pub(crate) static SMALL: LazyLock<Master> =
    LazyLock::new(|| Master::of_data(&crate::data::with_parts(9)));

/// Fewer still, for runs that are made hundreds of times.
pub(crate) static FEW: LazyLock<Master> =
    LazyLock::new(|| Master::of_data(&crate::data::with_parts(2)));

/// The sample archive: some 1,400 rows, some of them in the app already, carried links.
pub(crate) static SAMPLE: LazyLock<Master> =
    LazyLock::new(|| Master::of(Path::new(&fixture("sample-backup.zip"))));

/// The schema of the target model as `config.json` has it.
pub(crate) fn target_schema() -> Value {
    let schema = contract().after.schema;
    let (mut entities, mut links) = (json!({}), json!({}));
    for entity in &schema.entities {
        for attr in &entity.attrs {
            entities[&entity.name]["attrs"][&attr.name] = json!({
                "valueType": attr.ty.name(), "required": attr.required,
                "config": { "indexed": attr.indexed, "unique": attr.unique } });
        }
    }
    let has =
        |has: rethread::schema::Has| if has == rethread::schema::Has::One { "one" } else { "many" };
    for link in &schema.links {
        links[&link.name] = json!({
            "forward": { "on": link.on, "label": link.label, "has": has(link.has) },
            "reverse": { "on": link.to, "label": link.reverse, "has": has(link.reverse_has) } });
    }
    json!({ "entities": entities, "links": links })
}

/// The schema that the plan for a source writes.
pub(crate) fn planned_schema(source: &Path) -> Value {
    let folder = tempfile::tempdir().expect("a folder");
    let mut from = source::open(source).expect("a source");
    let place = folder.path().join("snapshot");
    let snapshot =
        snapshot::take(from.as_mut(), &contract(), &place, &Resources::default(), &Silent)
            .expect("a snapshot");
    let (_, schema) = reconcile::reconcile(&contract(), &snapshot, None).expect("a plan");
    serde_json::from_str(&schema.json().expect("a schema")).expect("JSON")
}

/// An app with the target model and nothing in it.
pub(crate) fn empty() -> Store {
    Store::with_schema(&target_schema())
}

/// The sample app, with the links that are carried over declared.
pub(crate) fn sample_app() -> Store {
    app_of(&SAMPLE, Path::new(&fixture("sample-backup.zip")))
}

/// The app of a backup, with the links that are carried over and not there yet declared.
pub(crate) fn app_of(master: &Master, source: &Path) -> Store {
    let mut store = Store::from_archive(source.to_str().expect("UTF-8"));
    let bundle = Bundle::open(&master.root, &Silent).expect("a bundle");
    for links in &bundle.meta().links {
        if store.attr(&links.entity, &links.label).is_some() {
            continue;
        }
        store.declare(crate::instantdb::Attr {
            etype: links.entity.clone(),
            label: format!("new_{}", links.label),
            link: true,
            many: true,
            reverse: Some((links.target.clone(), format!("{}By{}", links.entity, links.label))),
            ..Default::default()
        });
    }
    store
}

/// Stops the run where it was told to, as a kill would: by a panic.
pub(crate) struct Killer {
    left: AtomicI64,
    pub(crate) met: AtomicUsize,
}

impl Killer {
    /// Lets so many points pass.
    pub(crate) fn after(points: i64) -> Self {
        Self { left: AtomicI64::new(points), met: AtomicUsize::new(0) }
    }
}

impl Progress for Killer {
    fn begin(&self, _step: &str, _total: Option<u64>) {}
    fn advance(&self, _units: u64) {}
    fn done(&self, _outcome: &str) {}
    fn reached(&self, _point: &str) {
        self.met.fetch_add(1, Ordering::SeqCst);
        if self.left.fetch_sub(1, Ordering::SeqCst) == 0 {
            std::panic::resume_unwind(Box::new("killed"));
        }
    }
}

/// A copy of a bundle beside a server.
pub(crate) struct Scene {
    pub(crate) server: Server,
    folder: TempDir,
    found: Verification,
    pub(crate) options: Options,
    pub(crate) slept: Mutex<Vec<u64>>,
}

/// Batches of a few rows, so that there are many.
pub(crate) const TINY: Options = Options { workers: 3, triples: 24, bytes: 4000, page: 3 };

impl Scene {
    pub(crate) fn new(master: &Master, store: Store) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        copy(&master.root, &folder.path().join("bundle"));
        let (server, found) = (Server::start(store), master.found.clone());
        Self { server, folder, found, options: TINY, slept: Mutex::new(Vec::new()) }
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("bundle")
    }

    fn verified(&self) -> VerifiedBundle {
        let bundle = Bundle::open(&self.root(), &Silent).expect("a bundle");
        verify::permit(bundle, contract(), self.found.clone()).expect("a permit")
    }

    fn target(&self) -> (InstantDb, Arc<Mutex<Vec<u64>>>) {
        let (client, slept) = client(&self.server);
        (InstantDb::new(client, self.options), slept)
    }

    /// An import as the command line orders it.
    pub(crate) fn import_as(&self, order: &Order<'_>, progress: &dyn Progress) -> Result<Outcome> {
        let (mut target, slept) = self.target();
        let done = import::import(&self.verified(), &mut target, order, progress);
        self.slept.lock().expect("no panic").extend(slept.lock().expect("no panic").iter());
        done
    }

    pub(crate) fn dry_run(&self) -> Result<Outcome> {
        self.import_as(&Order { execute: false, ..order() }, &Silent)
    }

    /// An import without a dry run before it.
    pub(crate) fn import(&self) -> Result<Outcome> {
        self.import_as(&order(), &Silent)
    }

    pub(crate) fn import_with(&self, on_conflict: OnConflict) -> Result<Outcome> {
        self.import_as(&Order { on_conflict, ..order() }, &Silent)
    }

    pub(crate) fn rollback(&self) -> Result<Undone> {
        self.rollback_as(&order(), &Silent)
    }

    pub(crate) fn rollback_as(&self, order: &Order<'_>, progress: &dyn Progress) -> Result<Undone> {
        let (mut target, _) = self.target();
        let bundle = Bundle::open(&self.root(), &Silent).expect("a bundle");
        import::rollback(&bundle, &contract(), &mut target, (order, progress))
    }

    /// What the app holds.
    pub(crate) fn content(&self) -> Content {
        self.server.content()
    }

    /// The most often any row was written.
    pub(crate) fn most_updates(&self) -> u32 {
        self.server.state().store.updates.values().copied().max().unwrap_or_default()
    }

    /// No file of the bundle's folder and no text of an error has the token.
    #[track_caller]
    pub(crate) fn assert_no_token(&self, error: Option<&Error>) {
        if let Some(error) = error {
            let text = format!("{error:?} {error}").to_lowercase();
            assert!(!text.contains(TOKEN), "{text}");
        }
        look_through(self.folder.path());
    }
}

/// To act, with nothing asked before: the gate is tested elsewhere.
pub(crate) fn order() -> Order<'static> {
    Order {
        execute: true,
        on_conflict: OnConflict::Refuse,
        embedded: true,
        clock: &|| 0,
        memory: None,
    }
}

fn look_through(folder: &Path) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            look_through(&path);
        } else {
            let text = std::fs::read(&path).expect("a file").to_ascii_lowercase();
            assert!(memchr::memmem::find(&text, TOKEN.as_bytes()).is_none(), "{}", path.display());
        }
    }
}

/// An error as the user reads it, with what changes from run to run left out.
pub(crate) fn told(scene: &Scene, error: &Error) -> String {
    let mut text = format!("{:?}: {error}", error.kind);
    for at in &error.at {
        text.push_str(&format!("\n  at {at}"));
    }
    if let Some(help) = &error.help {
        text.push_str(&format!("\n  help {help}"));
    }
    // The files of an import are named after the bundle, whose bytes are not these tests' concern.
    let bundle = Bundle::open(&scene.root(), &Silent).expect("a bundle");
    text.replace(&scene.server.uri(), "URI")
        .replace(&scene.root().display().to_string(), "BUNDLE")
        .replace(&bundle.digest()[..16], "DIGEST")
}
