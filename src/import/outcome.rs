//! What an import did, or would do.

use serde::{Deserialize, Serialize};

use crate::error::grouped;
use crate::target::{Check, Counts, Mode};

/// Version of the outcome's format.
pub const FORMAT: u32 = 2;

/// What an import did and what the target holds now: `import/<target>/outcome.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// [`FORMAT`].
    pub format: u32,
    /// Program and version that imported.
    pub program: String,
    /// SHA-256 of the bundle's manifest.
    pub bundle_digest: String,
    /// An import, or its dry run.
    pub mode: Mode,
    /// What kind of store: `sqlite`.
    pub target: String,
    /// Which one, without the folders above it.
    pub name: String,
    /// Entity tables in contract order, then link tables.
    pub tables: Vec<TableOutcome>,
    /// Links, foreign keys and integrity, as the store itself sees them; none when nothing was
    /// written.
    pub checks: Vec<Check>,
    /// What people must know of the target, in sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// What became of one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableOutcome {
    /// The entity, or `<entity>.<label>` for a link table.
    pub table: String,
    /// Whether it is a link table.
    pub link: bool,
    /// What the writes did, or would do.
    pub counts: Counts,
    /// Rows read back; before anything is written, rows of the bundle that are there already.
    pub rows: u64,
    /// Logical digest of these rows.
    pub digest: String,
    /// Whether rows, origins and digest are the bundle's.
    pub equal: bool,
}

impl Outcome {
    /// What the writes did in all tables.
    pub fn counts(&self) -> Counts {
        let mut sum = Counts::default();
        self.tables.iter().for_each(|table| sum.add(table.counts));
        sum
    }

    /// Whether every row was there already.
    pub fn changed_nothing(&self) -> bool {
        let counts = self.counts();
        counts.created + counts.updated == 0
    }

    /// Whether it was read back.
    pub fn is_read_back(&self) -> bool {
        self.tables.iter().all(|table| table.equal)
    }

    /// What happened, in one line.
    pub fn sentence(&self) -> String {
        let counts = self.counts();
        let (name, kept) = (&self.name, kept_text(counts.kept));
        if self.changed_nothing() {
            let rows = grouped(counts.unchanged);
            return format!("nothing to do: all {rows} rows are in `{name}` already{kept}");
        }
        let [created, updated, unchanged] =
            [counts.created, counts.updated, counts.unchanged].map(grouped);
        match self.mode {
            Mode::Import => format!(
                "{created} rows created, {updated} updated, {unchanged} unchanged in `{name}`{kept}, \
                 read back and equal"
            ),
            _ if self.is_read_back() => format!(
                "dry run: {created} rows created, {updated} updated, {unchanged} unchanged in \
                 `{name}`{kept}, read back and equal, then taken back"
            ),
            _ => format!(
                "dry run: {created} rows would be created, {updated} updated, {unchanged} unchanged \
                 in `{name}`{kept}; nothing was written"
            ),
        }
    }
}

fn kept_text(kept: u64) -> String {
    if kept == 0 { String::new() } else { format!(" ({} kept as they are there)", grouped(kept)) }
}
