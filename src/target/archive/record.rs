//! What is on record about an archive: notes in the journal, the file's hash, what it holds.

use std::path::Path;

use crate::bag;
use crate::digest::TableDigest;
use crate::error::Result;
use crate::progress::Silent;
use crate::target::{BeforeWriter, Counts, Entry, Event, Held, Plan, Standing};

/// Note of an import in the journal: SHA-256 of the archive that it made.
pub(super) const MADE: &str = "archive sha256";
/// Note of an import in the journal: labels that had to change.
pub(super) const LABELS: &str = "labels";
/// Note of an import in the journal: SHA-256 of the archive that it found, which was this very one.
pub(super) const FOUND: &str = "found sha256";

/// What the import does with every table. A file that stands there was compared: it is this archive.
///
/// # Errors
/// The bundle cannot be read, or the disk refuses.
pub(super) fn standings(
    place: &Path,
    plan: &Plan,
    before: &mut BeforeWriter<'_>,
) -> Result<Vec<Standing>> {
    let is_there = place.exists();
    let mut standings = Vec::new();
    for table in &plan.tables {
        let name = table.name.clone();
        if !is_there {
            let counts = Counts { created: table.rows, ..Counts::default() };
            standings.push(Standing {
                table: name,
                counts,
                before: nothing(),
                ..Standing::default()
            });
            continue;
        }
        plan.scan(table, &Silent, &mut |rows| {
            let mut keys = (0..rows.len()).map(|row| rows.key(table, row));
            keys.try_for_each(|key| before.unchanged(&table.name, &key))
        })?;
        let counts = Counts { unchanged: table.rows, ..Counts::default() };
        let held = Held { rows: table.rows, digest: table.digest.clone() };
        standings.push(Standing { table: name, counts, before: held, ..Standing::default() });
    }
    Ok(standings)
}

/// A SHA-256 that a run noted.
pub(super) fn noted<'e>(entries: &'e [Entry], run: &str, what: &str) -> Option<&'e str> {
    entries.iter().rev().filter(|entry| entry.run == run).find_map(|entry| match &entry.event {
        Event::Note { key, value } if key == what => value.as_str(),
        _ => None,
    })
}

/// Whether a file with this SHA-256 stands at a place.
pub(super) fn stands(place: &Path, made: Option<&str>) -> Result<bool> {
    let Some(made) = made.filter(|_| place.is_file()) else { return Ok(false) };
    Ok(bag::sha256_of(place)?.sha256 == made)
}

/// What an archive that is not there holds of a table.
pub(super) fn nothing() -> Held {
    let none = TableDigest::default();
    Held { rows: none.rows, digest: none.hex() }
}
