//! Rows that the server refuses: written down, and told.

use serde_json::json;

use super::Open;
use super::work::Aside;
use crate::error::{Error, Kind, Result, grouped};
use crate::storage;
use crate::target::Journal;

/// Writes down which rows were set aside; without any, there is no such file.
pub(super) fn write(journal: &Journal<'_>, aside: &[Aside]) -> Result<()> {
    let place = journal.folder().join(format!("aside-{}.jsonl", journal.run()));
    if aside.is_empty() {
        return storage::remove_if_there(&place);
    }
    let mut text = Vec::new();
    for one in aside {
        let line = json!({ "table": one.table, "id": one.key.join(" -> "), "reason": one.reason });
        text.extend_from_slice(line.to_string().as_bytes());
        text.push(b'\n');
    }
    storage::replace(&place, &text)
}

/// Rows that are named in an error.
const MOST_NAMED: usize = 10;

pub(super) fn listed(mut error: Error, aside: &[Aside]) -> Error {
    for one in aside.iter().take(MOST_NAMED) {
        error = error.at(format!("`{}` {}: {}", one.table, one.key.join(" -> "), one.reason));
    }
    let more = aside.len().saturating_sub(MOST_NAMED);
    if more > 0 { error.at(format!("and {} more", grouped(more as u64))) } else { error }
}

/// The end of an import that set rows aside.
pub(super) fn told(name: &str, open: &Open) -> Error {
    let count = open.aside.len() as u64;
    let (rows, were) = if count == 1 { ("row", "was") } else { ("rows", "were") };
    let said = format!("`{name}` refuses {} {rows}, which {were} set aside", grouped(count));
    let mut error = listed(Error::new(Kind::Findings, said), &open.aside);
    if let Some(folder) = &open.folder {
        error = error.at(folder.join(format!("aside-{}.jsonl", open.job.run)).display());
    }
    if open.odd > 0 {
        error = error.at(format!("{} more rows are not as the bundle has them", grouped(open.odd)));
    }
    error.help(
        "everything else was imported; change what the server minds there, then run the same command \
         again: it tries these rows once more",
    )
}
