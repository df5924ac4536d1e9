//! Where legacy rows come from.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::contract::Contract;
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::schema::Schema;

/// Where a snapshot came from.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceMeta {
    /// `archive`, `archive-folder`, `dataset`, `jsonl-folder` or `parquet-folder`.
    pub kind: String,
    /// File or folder name, without its folders.
    pub name: String,
    /// SHA-256 of the file; of a folder, of its `<sha256>  <path>` lines in path order.
    pub sha256: String,
    /// The app's id, when the source knows it.
    pub app_id: Option<String>,
    /// The app's title, when the source knows it.
    pub title: Option<String>,
    /// When the source was taken, as it says it.
    pub taken_at: Option<String>,
}

/// What a source says before its rows.
#[derive(Debug, Clone, Default)]
pub struct Head {
    /// The app's InstantDB schema as the JSON text it is.
    pub schema_text: Option<String>,
    /// The same, parsed.
    pub schema: Option<Schema>,
    /// How many rows each entity has, when the source says it.
    pub counts: Option<Vec<(String, u64)>>,
}

/// One row of a source.
#[derive(Clone, Copy)]
#[allow(missing_debug_implementations, reason = "a place is only displayed")]
pub struct Row<'a> {
    /// Its entity.
    pub entity: &'a str,
    /// Its JSON object as the text it is.
    pub object: &'a str,
    /// Creation time in the store, epoch milliseconds, when the source has it.
    pub server_created_at: Option<i64>,
    /// Where it stands, for messages: file and line, or element.
    pub at: &'a dyn std::fmt::Display,
}

/// Takes one row; an error stops the reading.
pub type Visit<'a> = dyn FnMut(Row<'_>) -> Result<()> + 'a;

/// A place legacy rows come from. Rows of one entity come in their order; entities in any.
pub trait Source {
    /// What it says before its rows.
    fn head(&mut self, contract: &Contract) -> Result<Head>;
    /// Pushes every row of every entity once and says what was read: the description with the
    /// hash of all bytes, and the entities that were there with their row counts.
    fn read(
        &mut self,
        contract: &Contract,
        visit: &mut Visit<'_>,
        progress: &dyn Progress,
    ) -> Result<(SourceMeta, Vec<(String, u64)>)>;
}

/// Opens a source by what stands at a path.
///
/// # Errors
/// Nothing there is a source this program reads.
pub fn open(path: &Path) -> Result<Box<dyn Source>> {
    Err(Error::bug("sources are not there yet").at(path.display()))
}
