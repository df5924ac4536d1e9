//! Where a row stands in the export it came from.

use super::answer::Place;
use crate::snapshot::SourceMeta;

/// The place of a row of an entity, from 0.
pub(super) fn of(source: &SourceMeta, entity: &str, row: i64) -> Place {
    let number = u64::try_from(row).unwrap_or_default() + 1;
    let (file, what) = match source.kind.as_str() {
        "archive" | "archive-folder" => (Some(format!("entities/{entity}.jsonl")), Some("line")),
        "jsonl-folder" => (Some(format!("{entity}.jsonl")), Some("line")),
        "parquet-folder" => (Some(format!("{entity}.parquet")), Some("row")),
        "dataset" => (Some(source.name.clone()), Some("element")),
        _ => (None, None),
    };
    Place { source: source.name.clone(), row, file, at: what.map(|what| (what, number)) }
}
