//! Takes a snapshot: one pass over the source, table by table, sealed at the end.

use std::path::Path;

use super::clashes;
use super::flow::{Bounds, Flow};
use super::layout::Layout;
use super::tables::{OPEN_BYTES, Tables};
use super::{APP, FORMAT, Meta, REPLAYED, Replay, Snapshot, TableMeta};
use crate::app::AppSettings;
use crate::bag::{self, Payload};
use crate::contract::Contract;
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::resources::Resources;
use crate::source::{Head, Source};
use crate::storage::{self, Staged};

/// The most memory that rows on their way take with all that goes with them, in bytes.
const MEMORY: u64 = 256 << 20;
/// What of it is for the program itself, and for the columns that are being encoded.
const FIXED: u64 = 64 << 20;
/// Bytes of text that keep a thread busy while others end what they are at.
const PER_THREAD: usize = 4 << 20;

/// Reads a source once and seals a snapshot of it at `place`.
///
/// # Errors
/// The memory limit is too small, the source cannot be read or lacks a legacy entity, or the disk
/// fails; nothing is then left.
pub fn take(
    source: &mut dyn Source,
    contract: &Contract,
    place: &Path,
    resources: &Resources,
    progress: &dyn Progress,
) -> Result<Snapshot> {
    taken(source, contract, place, &|_, _| Ok(Vec::new()), (resources, progress))
}

/// Makes the ledger of a snapshot whose tables stand in a folder.
pub(crate) type Ledger<'a> = dyn Fn(&Path, &[TableMeta]) -> Result<Vec<Replay>> + 'a;

/// As [`take`], with the ledger of rows that were replaced.
///
/// # Errors
/// As [`take`]; or the ledger cannot be made.
pub(crate) fn taken(
    source: &mut dyn Source,
    contract: &Contract,
    place: &Path,
    ledger: &Ledger<'_>,
    (resources, progress): (&Resources, &dyn Progress),
) -> Result<Snapshot> {
    let memory = resources.buffers("export", OPEN_BYTES as u64, MEMORY)?;
    let head = source.head(contract)?;
    if let Some(counts) = &head.counts {
        refuse_missing(contract, counts)?;
    }
    let staged = Staged::begin(place)?;
    clashes::check(contract, head.schema.as_ref())?;
    let layout = Layout::new(contract, head.schema.as_ref());
    let tables = Tables::begin(staged.path(), &layout)?;
    let threads = resources.threads();
    let bounds = Bounds { threads, bytes: in_flight(memory, threads) };
    let mut flow = Flow::new(&layout, tables, bounds);
    let read = flow.run(|visit| source.read(contract, visit, progress));
    let tables = flow.finish().map_err(|error| source.explain(error))?;
    let (source, entities) = read?;
    refuse_missing(contract, &entities)?;
    let mut payload = Payload::new();
    let (tables, links, unmapped) = tables.finish(&entities, &mut payload)?;
    let replays = ledger(staged.path(), &tables)?;
    let meta = Meta {
        format: if replays.is_empty() { FORMAT } else { REPLAYED },
        program: crate::PROGRAM.to_owned(),
        source,
        replays,
        tables,
        links,
        unmapped,
    };
    let digest = seal(&staged, &meta, &head, payload)?;
    staged.commit()?;
    Ok(Snapshot { root: place.to_owned(), meta, digest })
}

/// Bytes of text that may be on their way at a time: typing doubles them.
fn in_flight(memory: u64, threads: usize) -> usize {
    let most = usize::try_from(memory.saturating_sub(FIXED) / 4).unwrap_or(usize::MAX);
    most.min(threads * PER_THREAD)
}

/// Refuses a source that has no rows of a legacy entity because it does not know the entity.
fn refuse_missing(contract: &Contract, entities: &[(String, u64)]) -> Result<()> {
    let is_there = |name: &str| entities.iter().any(|(found, _)| found == name);
    let legacy = contract.before.schema.entities.iter();
    let missing: Vec<String> = legacy
        .filter(|entity| !entity.optional && !is_there(&entity.name))
        .map(|entity| format!("`{}`", entity.name))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Error::usage(format!("the source has no {}", missing.join(", "))).help(
        "name another source, or declare with `optional = true` in the contract what an app may lack",
    ))
}

fn seal(staged: &Staged, meta: &Meta, head: &Head, mut payload: Payload) -> Result<String> {
    let root = staged.path();
    let mut add = |file: &str, text: &str| -> Result<()> {
        let written = storage::write_new(&root.join(file), text.as_bytes())?;
        payload.insert(file.to_owned(), written);
        Ok(())
    };
    if let Some(schema) = &head.schema_text {
        add("data/schema.json", schema)?;
    }
    if head.app != AppSettings::default() {
        let app = serde_json::to_string_pretty(&head.app)
            .map_err(|error| Error::bug("what is known of the app is no JSON").because(error))?;
        add(APP, &(app + "\n"))?;
    }
    let description = serde_json::to_string_pretty(meta)
        .map_err(|error| Error::bug("a snapshot's description is no JSON").because(error))?;
    add("data/snapshot.json", &(description + "\n"))?;
    let info = [
        ("Bag-Software-Agent", crate::PROGRAM.to_owned()),
        ("External-Description", format!("snapshot of {}", meta.source.name)),
        ("External-Identifier", meta.source.sha256.clone()),
    ];
    bag::seal(root, &payload, &info)?;
    bag::digest(root)
}
