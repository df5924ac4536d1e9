//! Test and benchmark data of any size: what an app exported under the legacy model.
//!
//! Every row follows from the seed and its index alone, so memory does not grow with the number of
//! rows and any row can be made again. This file and its modules stand alone: an integration test
//! takes them in by `#[path]`.

mod random;
mod shape;
mod words;
mod value;
mod schema;
mod world;
mod ids;
mod tables;
mod defects;
mod dirty;
mod answers;
mod payload;
mod rows;
mod links;
mod others;
mod config;
mod key;
mod sink;
mod lines;
mod columns;

use std::io;
use std::path::PathBuf;

use world::World;

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The store's backup: a zip of `config.json` and `entities/<entity>.jsonl`.
    Archive,
    /// The same, unzipped.
    ArchiveFolder,
    /// One JSON file `{"payload":{"data":{"<entity>":[…]}}}`.
    Dataset,
    /// A folder of `<entity>.jsonl`.
    Jsonl,
    /// A folder of `<entity>.parquet`.
    Parquet,
}

/// How the legacy rows hold their links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Links {
    /// On the side of the child, under the link's label.
    Forward,
    /// On the side of the parent, as lists of children.
    Reverse,
    /// On the side of the child, as attributes such as `contextId` alone.
    Scalar,
}

/// What to make.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// What is written.
    pub(crate) kind: Kind,
    /// How many parts; the other entities follow.
    pub(crate) parts: u64,
    /// What chance begins with.
    pub(crate) seed: u64,
    /// The share of rows with a defect, from 0 to 0.5.
    pub(crate) dirty: f64,
    /// How links are held.
    pub(crate) links: Links,
    /// How many times larger payloads are, in percent.
    pub(crate) payload_percent: u64,
    /// Rows stand in an order of this seed, not by id.
    pub(crate) shuffle: Option<u64>,
    /// Only what every kind can hold: no other entities of the app, no value a typed column refuses.
    pub(crate) plain: bool,
    /// The small archive of the tests, in place of `parts`.
    pub(crate) sample: bool,
    /// Where it is written.
    pub(crate) out: PathBuf,
    /// Where the answer key is written.
    pub(crate) key: Option<PathBuf>,
}

impl Options {
    fn is_archive(&self) -> bool {
        matches!(self.kind, Kind::Archive | Kind::ArchiveFolder)
    }
}

/// What was made.
#[derive(Debug, Clone, Default)]
pub(crate) struct Made {
    /// Rows by entity.
    pub(crate) counts: Vec<(&'static str, u64)>,
    /// Lines of the answer key.
    pub(crate) planted: u64,
}

/// Makes the data, and the answer key when one is wanted.
///
/// # Errors
/// The options contradict each other, or the disk refuses.
pub(crate) fn generate(options: &Options) -> io::Result<Made> {
    check(options)?;
    let world = World::new(options);
    let head = config::Head::of(&world)?;
    let mut sink = sink::open(options, &head)?;
    let mut key = key::Key::create(options.key.as_deref())?;
    let mut counts = Vec::new();
    for table in world.tables() {
        sink.begin(table.name())?;
        key.table(table.name());
        let mut position = 0;
        table.visit(&world, &mut |row, planted| {
            key.write(&row, position, &planted)?;
            position += 1;
            sink.row(row)
        })?;
        sink.end()?;
        counts.push((table.name(), position));
    }
    sink.finish()?;
    Ok(Made { counts, planted: key.finish()? })
}

fn check(options: &Options) -> io::Result<()> {
    let refused = if options.is_archive() && options.links == Links::Scalar {
        "an archive has links: `scalar` is for the other kinds"
    } else if !(0.0..=0.5).contains(&options.dirty) {
        "the dirty share goes from 0 to 0.5"
    } else if options.parts == 0 || options.parts > 1 << 40 {
        "the number of parts goes from 1 to 2^40"
    } else {
        return Ok(());
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, refused))
}
