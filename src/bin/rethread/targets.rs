//! Targets as the command line names them, and the commands about imports.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use rethread::bag;
use rethread::bundle::{self, Bundle};
use rethread::error::{Error, Result, grouped};
use rethread::import::{self, Order, Outcome};
use rethread::progress::Progress;
use rethread::resources::Resources;
use rethread::storage;
use rethread::target::archive::{self, Archive};
use rethread::target::instantdb::{self, InstantDb};
use rethread::target::postgres::{Options, Payloads, Postgres};
use rethread::target::sqlite::Sqlite;
use rethread::target::{Mode, OnConflict, State, Target};
use rethread::verify::VerifiedBundle;
use serde_json::json;

use crate::args::{self, At, Conflict, Json, Keys};
use crate::places::Store;
use crate::render::Ended;
use crate::{contracts, servers};

/// What an import is to do.
pub(crate) struct Wanted {
    at: At,
    on_conflict: OnConflict,
}

impl Wanted {
    /// Into the database in the bundle's own folder.
    pub(crate) fn embedded() -> Self {
        let at = At {
            to: None,
            execute: true,
            schema: String::new(),
            json_as: Json::Jsonb,
            source: None,
            drop_legacy: false,
            keys: Keys::default(),
        };
        Self { at, on_conflict: OnConflict::Refuse }
    }

    /// As the command line says.
    pub(crate) fn of(it: &args::Import) -> Self {
        let on_conflict = match it.on_conflict {
            Conflict::Refuse => OnConflict::Refuse,
            Conflict::Keep => OnConflict::Keep,
            Conflict::Replace => OnConflict::Replace,
        };
        Self { at: it.at.clone(), on_conflict }
    }
}

/// The database in the bundle's own folder.
const EMBEDDED: &str = "thread.sqlite";

/// The target of a bundle, and whether it is the database in the bundle's own folder.
fn open(bundle: &Bundle, at: &At, progress: &dyn Progress) -> Result<(Box<dyn Target>, bool)> {
    let own = bundle.path(EMBEDDED);
    let target: Box<dyn Target> = match &at.to {
        None => return Ok((Box::new(Sqlite::new(own)), true)),
        Some(Store::Sqlite(path)) => {
            let embedded = storage::full_path(path) == storage::full_path(&own);
            return Ok((Box::new(Sqlite::new(path)), embedded));
        }
        Some(Store::Postgres(place)) => {
            let payloads = match at.json_as {
                Json::Jsonb => Payloads::Jsonb,
                Json::Text => Payloads::Text,
            };
            let options = Options { schema: at.schema.clone(), payloads };
            Box::new(Postgres::new(place.clone(), servers::login(&at.keys)?, options))
        }
        Some(Store::Wrong(why)) => return Err(Error::usage(format!("the target is none: {why}"))),
        Some(Store::Archive(path)) => {
            let options = archive::Options { drop_legacy: at.drop_legacy };
            let source = at.source.clone().or_else(|| source_of(bundle));
            Box::new(Archive::new(path, source, options))
        }
        Some(Store::InstantDb(app)) => {
            let client = servers::instantdb(app, &at.keys, progress)?;
            Box::new(InstantDb::new(client, instantdb::Options::default()))
        }
    };
    Ok((target, false))
}

/// The source archive, when it stands where the command runs; its digest is checked later.
fn source_of(bundle: &Bundle) -> Option<PathBuf> {
    let source = &bundle.meta().source;
    let name = PathBuf::from(&source.name);
    (source.kind.starts_with("archive") && name.exists()).then_some(name)
}

fn order(at: &At, embedded: bool, on_conflict: OnConflict) -> Order<'static> {
    Order { execute: at.execute || embedded, on_conflict, embedded, clock: &now, memory: None }
}

/// Microseconds since 1970 UTC.
#[allow(clippy::disallowed_methods, reason = "the binary tells the library the time")]
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Imports a verified bundle, or rehearses it.
pub(crate) fn import(
    verified: &VerifiedBundle,
    wanted: &Wanted,
    resources: &Resources,
    progress: &dyn Progress,
) -> Result<Outcome> {
    let (mut target, embedded) = open(verified.bundle(), &wanted.at, progress)?;
    let order =
        Order { memory: resources.memory, ..order(&wanted.at, embedded, wanted.on_conflict) };
    import::import(verified, target.as_mut(), &order, progress)
}

/// Says where the data is now, or what to do to bring it there.
pub(crate) fn told(ended: Ended, bundle: &Bundle, wanted: &Wanted, outcome: &Outcome) -> Ended {
    let ended = ended.with("import", json!(outcome));
    let notes = outcome.notes.iter().map(|note| format!("  {:<12} {note}\n", "noted"));
    let ended = ended.and(notes.collect::<String>());
    let place = match &wanted.at.to {
        None => bundle.path(EMBEDDED).display().to_string(),
        Some(Store::Sqlite(path)) => path.display().to_string(),
        Some(_) => outcome.name.clone(),
    };
    if outcome.mode == Mode::Import {
        let what = if outcome.target == "sqlite" { "database" } else { "target" };
        let place = format!("  {what:<12} {place}\n");
        return ended.and(place);
    }
    ended.and(format!(
        "  {:<12} {}\n  {:<12} the same command with `--execute`\n",
        "dry run",
        outcome.sentence(),
        "to act"
    ))
}

/// Undoes an import, or rehearses that.
pub(crate) fn rollback(it: &args::Rollback, progress: &dyn Progress) -> Result<Ended> {
    let bundle = Bundle::open(&it.bundle, progress)?;
    let contract = contracts::of_bundle(&bundle)?;
    let (mut target, embedded) = open(&bundle, &it.at, progress)?;
    let order = Order { execute: it.at.execute, ..order(&it.at, embedded, OnConflict::Refuse) };
    let undone = import::rollback(&bundle, &contract, target.as_mut(), (&order, progress))?;
    let next = if undone.executed { "" } else { "to act: the same command with `--execute`\n" };
    Ok(Ended::told(format!("{}\n{next}", undone.sentence())).with("rollback", json!(undone)))
}

/// Lists the bundles of a folder and where each stands.
pub(crate) fn status(it: &args::Status) -> Result<Ended> {
    let mut text = String::new();
    let mut list = Vec::new();
    for place in bundles(&it.out)? {
        let (meta, digest) = bundle::described(&place)?;
        let rows: u64 = meta.tables.iter().map(|table| table.rows).sum();
        text.push_str(&format!("{}  {} rows\n", place.display(), grouped(rows)));
        let found = import::status(&place, &digest)?;
        if found.is_empty() {
            text.push_str(&format!("  {:<20} no import yet\n", State::Planned.name()));
        }
        for one in &found {
            let why = one.failure.as_deref().map_or_else(String::new, |why| format!(": {why}"));
            text.push_str(&format!(
                "  {:<20} {} `{}` {}{why}\n",
                one.state.name(),
                one.target,
                one.name,
                one.at
            ));
        }
        list.push(json!({ "bundle": place, "rows": rows, "imports": found }));
    }
    if list.is_empty() {
        text = format!("no bundle in `{}`\n", it.out.display());
    }
    Ok(Ended::told(text).with("bundles", list))
}

/// The sealed bundles in a folder, by name.
fn bundles(folder: &std::path::Path) -> Result<Vec<PathBuf>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let entries = std::fs::read_dir(folder).map_err(|error| storage::failed(folder, error))?;
    let mut places = Vec::new();
    for entry in entries {
        places.push(entry.map_err(|error| storage::failed(folder, error))?.path());
    }
    places.retain(|place| bag::is_sealed(place) && place.join("data/bundle.json").is_file());
    places.sort();
    Ok(places)
}
