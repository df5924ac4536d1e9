//! Where snapshots stand, and which one belongs to a source or a bundle.

use std::fs;
use std::path::{Path, PathBuf};

use rethread::bag;
use rethread::bundle;
use rethread::contract::Contract;
use rethread::error::{Error, Result};
use rethread::progress::Progress;
use rethread::resources::Resources;
use rethread::snapshot::{self, Snapshot};
use rethread::source::{self, Backup, InstantDb, Source, Taking};
use rethread::storage;

use crate::args::{Live, Origin};
use crate::places::From;
use crate::servers;

/// The snapshot of a source at a place: taken now, or the intact one that stands there already.
pub(crate) fn snapshot_of(
    (from, live): (&From, &Live),
    contract: &Contract,
    place: &Path,
    resources: &Resources,
    progress: &dyn Progress,
) -> Result<Snapshot> {
    let mut source = open((from, live), contract, place, progress)?;
    if place.symlink_metadata().is_err() {
        return snapshot::take(source.as_mut(), contract, place, resources, progress);
    }
    let there = Snapshot::open(place, progress)?;
    if there.meta().source.sha256 != source.identify(progress)?.sha256 {
        return Err(taken(place, "the snapshot there was taken from another source"));
    }
    if there.meta().program != rethread::PROGRAM {
        let by = &there.meta().program;
        let said = format!(
            "the snapshot there was taken by {by}; {} reads more of a source",
            rethread::PROGRAM
        );
        return Err(taken(place, &said));
    }
    if !fits(&there, contract) {
        return Err(taken(place, "the snapshot there was typed by another contract"));
    }
    progress.begin("export", None);
    progress.done("already exported");
    Ok(there)
}

/// Opens a source; what it has to fetch first stands beside the snapshot's place.
fn open(
    (from, live): (&From, &Live),
    contract: &Contract,
    place: &Path,
    progress: &dyn Progress,
) -> Result<Box<dyn Source>> {
    match from {
        From::Wrong(why) => Err(Error::usage(format!("the source is none: {why}"))),
        From::Path(path) => source::open(path),
        From::Postgres(database) => {
            let login = servers::login(&live.keys)?;
            source::postgres(database.clone(), login, &live.table, &live.pg_schema, contract)
        }
        From::Triples(database, app) => {
            source::triples(database.clone(), servers::login(&live.keys)?, app)
        }
        From::InstantDb(app) => {
            let client = servers::instantdb(app, &live.keys, progress)?;
            let backup = match (live.by_query, live.fresh) {
                (true, _) => Backup::No,
                (false, true) => Backup::Fresh,
                (false, false) => Backup::Newest,
            };
            let taking = Taking { backup, ..Taking::default() };
            let name = place.file_name().unwrap_or_default().to_string_lossy();
            let scratch = place.with_file_name(format!("{name}.download"));
            let app = InstantDb::new(client, &scratch, taking);
            app.fetch(progress)?;
            Ok(Box::new(app))
        }
    }
}

fn taken(place: &Path, said: &str) -> Error {
    Error::usage(said)
        .at(place.display())
        .help("give the new snapshot another place: `--name` of `run`, `--to` of `export`")
}

/// Whether the tables of a snapshot have the columns a contract declares.
fn fits(snapshot: &Snapshot, contract: &Contract) -> bool {
    let sides = [&contract.before.schema, &contract.after.schema];
    snapshot.meta().tables.iter().all(|table| {
        let schema = if table.side == "legacy" { sides[0] } else { sides[1] };
        let declared = snapshot::declared(schema, &table.entity);
        let declared = declared.iter().map(|field| field.name().as_str());
        let found = table.columns.iter().map(|(name, _)| name.as_str());
        declared.filter(|name| *name != "id").eq(found.filter(|name| *name != "id"))
    })
}

/// The name of a source's snapshot: that of its file or folder, in `[a-z0-9._-]`.
pub(crate) fn name_of(source: &From) -> String {
    let stem = match source {
        From::Path(path) => stem_of(path),
        From::Postgres(database) => database.database().to_owned(),
        From::Triples(_, app) | From::InstantDb(app) => app.clone(),
        From::Wrong(_) => String::new(),
    };
    let plain = stem.chars().map(|c| match c.to_ascii_lowercase() {
        c @ ('a'..='z' | '0'..='9' | '.' | '_' | '-') => c,
        _ => '-',
    });
    let plain: String = plain.collect();
    match plain.trim_matches(['.', '-']) {
        "" => "snapshot".to_owned(),
        name => name.to_owned(),
    }
}

fn stem_of(path: &Path) -> String {
    let stem = if path.is_dir() { path.file_name() } else { path.file_stem() };
    stem.map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
}

/// A name for a snapshot, when it can be a folder's.
pub(crate) fn plain_name(name: &str) -> Result<&str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    if !begins || name.len() > 100 || !name.chars().all(is_plain) {
        let said = format!("`{name}` cannot be the name of a snapshot");
        return Err(Error::usage(said).help(
            "use up to 100 letters, digits, `.`, `_` and `-`, and begin with a letter or a digit",
        ));
    }
    Ok(name)
}

/// The snapshot a bundle was made from: the one named, or the one in the snapshots folder that has
/// the digest the bundle knows.
pub(crate) fn snapshot_for(
    bundle: &bundle::Meta,
    origin: &Origin,
    progress: &dyn Progress,
) -> Result<Snapshot> {
    let place = named_place(bundle, origin)?;
    let snapshot = Snapshot::open(&place, progress)?;
    is_wanted(bundle, snapshot.digest(), &place)?;
    Ok(snapshot)
}

/// Where the snapshot a bundle was made from stands. Its files are not looked at.
pub(crate) fn place_of_snapshot(bundle: &bundle::Meta, origin: &Origin) -> Result<PathBuf> {
    let place = named_place(bundle, origin)?;
    is_wanted(bundle, &bag::digest(&place)?, &place)?;
    Ok(place)
}

fn named_place(bundle: &bundle::Meta, origin: &Origin) -> Result<PathBuf> {
    if let Some(place) = &origin.snapshot {
        return Ok(place.clone());
    }
    search(&origin.snapshots, &bundle.snapshot.digest)?.ok_or_else(|| {
        Error::usage(format!("the bundle's snapshot `{}` is not there", bundle.snapshot_name()))
            .at(origin.snapshots.display())
            .help("name its folder with `--snapshot`")
    })
}

fn is_wanted(bundle: &bundle::Meta, digest: &str, place: &Path) -> Result<()> {
    let (wanted, name) = (&bundle.snapshot.digest, bundle.snapshot_name());
    if digest == wanted {
        return Ok(());
    }
    Err(Error::usage("the bundle was made from another snapshot")
        .at(place.display())
        .help(format!("name the snapshot with the digest {wanted} (`{name}`)")))
}

/// The snapshot a bundle was made from, when it is named or found.
pub(crate) fn snapshot_if_there(
    bundle: &bundle::Meta,
    origin: &Origin,
    progress: &dyn Progress,
) -> Result<Option<Snapshot>> {
    let is_there =
        origin.snapshot.is_some() || search(&origin.snapshots, &bundle.snapshot.digest)?.is_some();
    if is_there { snapshot_for(bundle, origin, progress).map(Some) } else { Ok(None) }
}

/// Where the snapshot of a bundle is, when it is there; its seal is not checked.
pub(crate) fn place_of(bundle: &bundle::Meta, origin: &Origin) -> Result<Option<PathBuf>> {
    match &origin.snapshot {
        Some(place) => Ok(Some(place.clone())),
        None => search(&origin.snapshots, &bundle.snapshot.digest),
    }
}

pub(crate) fn search(folder: &Path, digest: &str) -> Result<Option<PathBuf>> {
    let has_digest = |place: &PathBuf| bag::digest(place).is_ok_and(|it| it == digest);
    Ok(sealed_in(folder, "data/snapshot.json")?.into_iter().find(has_digest))
}

/// The sealed folders in a folder that hold a file, by name.
pub(crate) fn sealed_in(folder: &Path, file: &str) -> Result<Vec<PathBuf>> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(Vec::new()) };
    let mut places = Vec::new();
    for entry in entries {
        places.push(entry.map_err(|error| storage::failed(folder, error))?.path());
    }
    places.retain(|place| bag::is_sealed(place) && place.join(file).exists());
    places.sort();
    Ok(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_named_after_its_source() {
        let cases = [
            ("a/My App (1).zip", "my-app--1"),
            ("backup.tar.zip", "backup.tar"),
            (".zip", "zip"),
            ("日本.zip", "snapshot"),
            ("/", "snapshot"),
        ];
        for (source, name) in cases {
            assert_eq!(name_of(&From::Path(PathBuf::from(source))), name, "{source}");
            assert!(plain_name(name).is_ok());
        }
    }

    #[test]
    fn a_snapshot_name_is_no_path() {
        for name in ["", ".", "..", ".hidden", "a/b", "a\\b", "a\0"] {
            assert!(plain_name(name).is_err(), "{name:?}");
        }
    }
}
