//! A copy of a bundle with other rows in place of some, sealed as it is.

use std::path::Path;

use super::edit;
use super::fault::Changes;
use crate::bag;
use crate::bundle::{Bundle, Meta};
use crate::error::{Error, Result};
use crate::progress::Silent;
use crate::storage;

const META: &str = "data/bundle.json";

/// Makes the copy and opens it. Files without a change are shared with the bundle; row counts follow the
/// rows, as a forger would have it.
pub(super) fn make(bundle: &Bundle, root: &Path, changes: &Changes) -> Result<Bundle> {
    let mut payload = bag::payload(bundle.root())?;
    let meta = meta(bundle, changes)?;
    for (file, written) in &mut payload {
        let (from, to) = (bundle.path(file), root.join(file));
        if let Some(edits) = changes.rows.get(file) {
            *written = edit::rows(&from, &to, edits)?;
        } else if let Some(edits) = changes.lines.get(file) {
            *written = edit::lines(&from, &to, edits)?;
        } else if let Some(meta) = meta.as_ref().filter(|_| file == META) {
            *written = storage::write_new(&to, meta)?;
        } else {
            storage::share(&from, &to)?;
        }
    }
    bag::seal(root, &payload, &[])?;
    Bundle::open(root, &Silent)
}

/// What `bundle.json` must say; `None` when it stays as it is.
fn meta(bundle: &Bundle, changes: &Changes) -> Result<Option<Vec<u8>>> {
    let mut meta: Meta = changes.meta.as_deref().unwrap_or(bundle.meta()).clone();
    for (file, edits) in &changes.rows {
        let rows = meta.tables.iter_mut().map(|table| (&table.file, &mut table.rows));
        let rows = rows.chain(meta.links.iter_mut().map(|links| (&links.file, &mut links.rows)));
        for (_, rows) in rows.filter(|(known, _)| *known == file) {
            let more: usize = edits.values().map(Vec::len).sum();
            *rows = (*rows + more as u64).saturating_sub(edits.len() as u64);
        }
    }
    if changes.meta.is_none() && meta == *bundle.meta() {
        return Ok(None);
    }
    let text = serde_json::to_vec(&meta);
    text.map(Some).map_err(|error| Error::bug("bundle.json cannot be written").because(error))
}
