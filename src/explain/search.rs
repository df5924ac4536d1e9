//! Which rows have an id, or came from a row that has it.

use std::collections::BTreeSet;

use super::answer::Searched;
use super::files::Files;
use super::table::{Needle, Table, is_uuid};
use crate::bundle::Origin;
use crate::error::Result;
use crate::snapshot::Extra;
use crate::threads::side_by_side;

/// The rows of an id.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Legacy rows: place of the entity in the contract, row in the export.
    pub(super) legacy: BTreeSet<(usize, i64)>,
    /// Rows that the app had before: place of the entity among the bundle's tables, row there.
    pub(super) existing: BTreeSet<(usize, usize)>,
    /// What was searched.
    pub(super) searched: Vec<Searched>,
}

/// A file with ids.
struct Piece {
    of: &'static str,
    file: String,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    /// A legacy table of the snapshot: the row is the place.
    Snapshot(usize),
    /// Rows of a legacy table that were set aside: `_row` says which.
    Aside(usize),
    /// A target table of the bundle.
    Target(usize),
}

/// Searches every file that holds ids.
pub(super) fn search(files: &Files, id: &str, threads: usize) -> Result<Found> {
    let pieces = pieces(files);
    let sizes: Vec<u64> = pieces.iter().map(|piece| size(files, piece)).collect();
    let found = side_by_side(threads, &sizes, |at| look(files, &pieces[at], id))?;
    let mut all = Found::default();
    for (piece, part) in pieces.into_iter().zip(found) {
        let Some((rows, part)) = part else { continue };
        all.searched.push(Searched {
            file: piece.file,
            of: piece.of,
            rows: rows as u64,
            found: part.count,
        });
        all.legacy.extend(part.legacy);
        all.existing.extend(part.existing);
    }
    Ok(all)
}

fn pieces(files: &Files) -> Vec<Piece> {
    let mut found = Vec::new();
    let entities = files.contract.before.schema.entities.iter().enumerate();
    for (at, entity) in entities.clone() {
        if let Some((_, file)) = files.snapshot_file(&entity.name) {
            found.push(Piece { of: "snapshot", file, kind: Kind::Snapshot(at) });
        }
    }
    for (at, table) in files.meta.tables.iter().enumerate() {
        let file = table.file.clone();
        found.push(Piece { of: "bundle", file, kind: Kind::Target(at) });
    }
    for (at, entity) in entities {
        for folder in ["quarantine", "merged", "adopted", "dropped"] {
            let file = format!("data/{folder}/{}.parquet", entity.name);
            found.push(Piece { of: "bundle", file, kind: Kind::Aside(at) });
        }
    }
    found
}

fn open(files: &Files, piece: &Piece) -> Result<Option<Table>> {
    match (&files.snapshot, piece.of) {
        (Some((root, _)), "snapshot") => Table::open(&root.join(&piece.file)),
        _ => files.of_bundle(&piece.file),
    }
}

fn size(files: &Files, piece: &Piece) -> u64 {
    let root = match (&files.snapshot, piece.of) {
        (Some((root, _)), "snapshot") => root,
        _ => &files.root,
    };
    root.join(&piece.file).metadata().map_or(0, |meta| meta.len())
}

/// The rows of one file.
#[derive(Default)]
struct Part {
    count: u64,
    legacy: Vec<(usize, i64)>,
    existing: Vec<(usize, usize)>,
}

/// How many rows a file has, and those of the id; `None` where there is no such file.
fn look(files: &Files, piece: &Piece, id: &str) -> Result<Option<(usize, Part)>> {
    let Some(table) = open(files, piece)? else { return Ok(None) };
    let mut part = Part::default();
    let rows = find(files, &table, piece.kind, id)?;
    part.count = rows.len() as u64;
    match piece.kind {
        Kind::Snapshot(entity) => {
            let row = |row: &usize| i64::try_from(*row).unwrap_or(i64::MAX);
            part.legacy.extend(rows.iter().map(|at| (entity, row(at))));
        }
        Kind::Aside(entity) => {
            let found = table.some(&[Extra::ROW], &rows, &|_| crate::schema::Type::String)?;
            part.legacy
                .extend(found.iter().filter_map(|row| Some((entity, row.whole(Extra::ROW)?))));
        }
        Kind::Target(at) => {
            let names = [Origin::ORIGIN, Origin::SOURCE_ROW];
            let source = source_of(files, at);
            for found in table.some(&names, &rows, &|_| crate::schema::Type::String)? {
                let made = found.text(Origin::ORIGIN) == Some(Origin::MIGRATED);
                match (made, source, found.whole(Origin::SOURCE_ROW)) {
                    (true, Some(source), Some(row)) => part.legacy.push((source, row)),
                    _ => part.existing.push((at, found.row)),
                }
            }
        }
    }
    Ok(Some((table.rows(), part)))
}

fn find(files: &Files, table: &Table, kind: Kind, id: &str) -> Result<Vec<usize>> {
    let mut rows = table.find("id", &Needle::id(id))?;
    if is_uuid(id) || matches!(kind, Kind::Snapshot(_)) {
        return Ok(rows);
    }
    // What an id that is no UUID became in the target.
    let targets: Vec<&str> = match kind {
        Kind::Target(at) => vec![files.meta.tables[at].entity.as_str()],
        Kind::Aside(at) => {
            let source = &files.contract.before.schema.entities[at].name;
            files.contract.transforms_of(source).map(|rules| rules.target.as_str()).collect()
        }
        Kind::Snapshot(_) => Vec::new(),
    };
    for target in targets {
        rows.extend(table.find("id", &Needle::exact(&files.target_id(target, id)))?);
    }
    rows.sort_unstable();
    rows.dedup();
    Ok(rows)
}

/// The place of the legacy entity that a target table's rows come from.
fn source_of(files: &Files, table: usize) -> Option<usize> {
    let transform = files.contract.transform_into(&files.meta.tables[table].entity)?;
    let entities = &files.contract.before.schema.entities;
    entities.iter().position(|entity| entity.name == transform.source)
}
