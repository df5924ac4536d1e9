//! Corrected rows taken back in: a new snapshot in which exactly these rows are replaced, and a new
//! bundle of it, with the ledger going on.
//!
//! A correction is a line of `data/quarantine/<legacy>.jsonl`, edited. All rows, those that stay and
//! those that are replaced, go the way every source's rows go, so types, links and digests are made by
//! the same code.

mod aside;
mod fixes;
mod reasons;
mod source;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::bag;
use crate::bundle::{self, Bundle};
use crate::contract::Contract;
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::resources::Resources;
use crate::scan;
use crate::snapshot::{self, Extra, Replaced, Replay, Snapshot, TableMeta};
use fixes::Fixes;
pub use reasons::{Reason, Root, Sample, reasons};

/// What is taken back in, and where to.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// The bundle that set the rows aside.
    pub bundle: &'a Bundle,
    /// Its snapshot.
    pub snapshot: &'a Snapshot,
    /// Its contract.
    pub contract: &'a Contract,
    /// The file of corrections.
    pub fixes: &'a Path,
    /// Folder that holds the snapshots.
    pub snapshots: &'a Path,
    /// Folder that holds the bundles.
    pub out: &'a Path,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// The new snapshot.
    pub snapshot: Snapshot,
    /// The new bundle.
    pub bundle: Bundle,
    /// By entity: rows replaced, and how many of them were set aside again.
    pub rows: Vec<(String, u64, u64)>,
}

/// Takes corrected rows back in.
///
/// # Errors
/// A line is none of a quarantined row, or a row is not quarantined ([`crate::error::Kind::Refused`]):
/// nothing is written then. Or the snapshot or bundle cannot be made.
pub fn replay(
    wanted: &Wanted<'_>,
    resources: &Resources,
    progress: &dyn Progress,
) -> Result<Outcome> {
    let fixes = Fixes::read(wanted)?;
    let mut source = source::Replaying::new(wanted, &fixes)?;
    let (place, is_there) = place(wanted, &fixes)?;
    let snapshot = if is_there {
        Snapshot::open(&place, progress)?
    } else {
        let ledger = |root: &Path, tables: &[TableMeta]| ledger(wanted, &fixes, root, tables);
        let contract = wanted.contract;
        snapshot::taken(&mut source, contract, &place, &ledger, (resources, progress))?
    };
    let bundle = bundle::write(wanted.contract, &snapshot, wanted.out, resources, progress)?;
    let rows = again(&bundle, &fixes)?;
    Ok(Outcome { snapshot, bundle, rows })
}

/// The ledger of the snapshot that was replayed, and what is replaced now.
fn ledger(
    wanted: &Wanted<'_>,
    fixes: &Fixes,
    root: &Path,
    tables: &[TableMeta],
) -> Result<Vec<Replay>> {
    let mut rows = Vec::new();
    for (entity, lines) in fixes.by_entity() {
        let places: Vec<usize> =
            lines.keys().filter_map(|row| usize::try_from(*row).ok()).collect();
        let old = wanted.snapshot.table(entity).map(|table| wanted.snapshot.path(&table.file));
        let new = tables.iter().find(|table| table.entity == *entity);
        let gone = || Error::bug("a table is gone");
        let old = digests(&old.ok_or_else(gone)?, &places)?;
        let new = digests(&root.join(&new.ok_or_else(gone)?.file), &places)?;
        for ((row, from), to) in lines.keys().zip(old).zip(new) {
            rows.push(Replaced { entity: entity.clone(), row: *row, from, to });
        }
    }
    let mut ledger = wanted.snapshot.meta().replays.clone();
    ledger.push(Replay { rows, ..entry(wanted, fixes) });
    Ok(ledger)
}

/// The entry of the ledger, without its rows.
fn entry(wanted: &Wanted<'_>, fixes: &Fixes) -> Replay {
    Replay {
        snapshot: wanted.snapshot.digest().to_owned(),
        bundle: wanted.bundle.digest().to_owned(),
        fixes: fixes.sha256().to_owned(),
        rows: Vec::new(),
    }
}

fn digests(path: &Path, rows: &[usize]) -> Result<Vec<String>> {
    let mut found = Vec::with_capacity(rows.len());
    scan::pick(path, &[Extra::DIGEST], rows, &mut |row| {
        found.push(row.text(0).unwrap_or_default().to_owned());
        Ok(())
    })?;
    Ok(found)
}

/// Where the new snapshot stands, and whether it does already.
fn place(wanted: &Wanted<'_>, fixes: &Fixes) -> Result<(PathBuf, bool)> {
    let name = wanted.snapshot.root().file_name().unwrap_or_default().to_string_lossy();
    let number = |rest: &str| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit());
    let first = match name.rsplit_once("-replay-") {
        Some((first, rest)) if number(rest) => first,
        _ => &name,
    };
    for number in wanted.snapshot.meta().replays.len() + 1.. {
        let place = wanted.snapshots.join(format!("{first}-replay-{number}"));
        if place.symlink_metadata().is_err() {
            return Ok((place, false));
        }
        let last =
            snapshot::described(&place).ok().and_then(|(meta, _)| meta.replays.last().cloned());
        let last = last.map(|last| Replay { rows: Vec::new(), ..last });
        if bag::is_sealed(&place) && last.as_ref() == Some(&entry(wanted, fixes)) {
            return Ok((place, true));
        }
    }
    Err(Error::bug("there is no free name for the snapshot"))
}

/// By entity: rows replaced, and how many of them the new bundle sets aside.
fn again(bundle: &Bundle, fixes: &Fixes) -> Result<Vec<(String, u64, u64)>> {
    let mut found = Vec::new();
    for (entity, lines) in fixes.by_entity() {
        let mut refused = 0;
        let path = bundle.path(&format!("data/quarantine/{entity}.parquet"));
        scan::scan_if_there(&path, &[Extra::ROW], &mut |row| {
            let number = row.row(0).map(|row| row as u64);
            refused += u64::from(number.is_some_and(|row| lines.contains_key(&row)));
            Ok(())
        })?;
        found.push((entity.clone(), lines.len() as u64, refused));
    }
    Ok(found)
}

/// Lines of a file by the rows they correct.
type Lines = BTreeMap<u64, fixes::Line>;
