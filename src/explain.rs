//! What became of one row, and why.
//!
//! Any legacy or target id is followed both ways: the row as the export had it, every rule that
//! touched it with what went in and what came out, its links and neighbours; or why it is absent.
//! Only the pages that may hold the id are decoded, and then only the rows that are shown.

mod answer;
mod cell;
mod fate;
mod files;
mod legacy;
mod links;
mod made;
mod order;
mod place;
mod search;
mod steps;
mod table;
mod text;

pub use answer::{
    Answer, AttrStep, Cause, DroppedLink, Existing, Field, Group, Legacy, LinkStep, LinkedFrom,
    Made, NamedBy, Neighbour, Order, Outcome, Place, Searched, Winner,
};
pub use cell::Shown;
pub use files::Files;
pub use text::text;

use crate::bundle::{Named, Origin};
use crate::error::{Result, grouped};
use crate::resources::Resources;
use cell::Record;

/// How many rows of one id are told.
const MOST: usize = 50;

/// Tells everything that a bundle and its snapshot say about an id.
///
/// # Errors
/// A file cannot be read.
pub fn explain(files: &Files, id: &str, resources: &Resources) -> Result<Answer> {
    let found = search::search(files, id, resources.threads())?;
    let mut notes = notes(files);
    let rows = found.legacy.len() + found.existing.len();
    if rows > MOST {
        notes.push(format!("{} rows have the id; the first {MOST} are told", grouped(rows as u64)));
    }
    let mut legacy = Vec::new();
    for (entity, row) in found.legacy.into_iter().take(MOST) {
        let entity = &files.contract.before.schema.entities[entity].name;
        legacy.push(fate::of(files, entity, row)?);
    }
    let mut existing = Vec::new();
    for (table, row) in found.existing.into_iter().take(MOST - legacy.len().min(MOST)) {
        existing.extend(before(files, table, row)?);
    }
    let (named, named_by) = links::naming(files, id)?;
    let folder = files.root.file_name().map(|name| name.to_string_lossy().into_owned());
    Ok(Answer {
        id: id.to_owned(),
        bundle: Named { name: folder.unwrap_or_default(), digest: files.digest.clone() },
        contract: files.meta.contract.clone(),
        snapshot: files.snapshot.as_ref().map(|(root, _)| root.display().to_string()),
        notes,
        legacy,
        existing,
        named_by,
        named,
        searched: found.searched,
    })
}

fn notes(files: &Files) -> Vec<String> {
    let mut notes = vec![
        "the seals were not checked; `rethread check` and `rethread verify` do that".to_owned(),
    ];
    if files.snapshot.is_none() {
        notes.push(format!(
            "the snapshot `{}` is not there: the values of legacy rows that were migrated or \
             merged, and what went into each rule, cannot be shown",
            files.meta.snapshot_name()
        ));
    }
    notes
}

/// A row that the app had before.
fn before(files: &Files, table: usize, row: usize) -> Result<Option<Existing>> {
    let entity = &files.meta.tables[table].entity;
    let Some(table) = files.target(entity)? else { return Ok(None) };
    let record = table.records(&[row], &|column| files.target_type(entity, column))?.pop();
    let Some(record) = record else { return Ok(None) };
    let id = record.text("id").unwrap_or_default().to_owned();
    Ok(Some(Existing {
        source_row: record.whole(Origin::SOURCE_ROW),
        row: row as u64,
        values: fields(&record, &["id", Origin::ORIGIN, Origin::SOURCE_ROW]),
        linked_from: links::to(files, entity, &id)?,
        order: order::of(files, entity, &table, &record)?,
        entity: entity.clone(),
        id,
    }))
}

/// The values of a row that are there, without some columns.
fn fields(row: &Record, without: &[&str]) -> Vec<Field> {
    let wanted = row.cells.iter().filter(|(name, _)| !without.contains(&name.as_str()));
    wanted
        .filter_map(|(name, cell)| Some(Field { name: name.clone(), value: cell.shown()? }))
        .collect()
}
