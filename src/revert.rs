//! The reverse transform: the legacy tables again, out of a bundle alone, and the proof that they are
//! those of the snapshot.
//!
//! Every legacy row stands in exactly one place of a bundle: in quarantine, whole in the residue, or
//! as a target row and what its residue adds to it ([`crate::bundle`] says how). [`revert`] puts the
//! rows of each table together in the order of the source and adds up their logical digests. Where
//! these are what the snapshot's tables have, nothing was lost. With the snapshot at hand every value
//! is compared too, the form of JSON and the row times that no digest covers included.
//!
//! No rule of the contract is run here and no code of the transform: only its column types are read.

mod beside;
mod digests;
mod gather;
mod out;
mod same;
mod text;

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::bag;
use crate::bundle::{Bundle, Residue, ResidueLinks};
use crate::contract::Contract;
use crate::error::{Error, Result, grouped};
use crate::progress::Progress;
use crate::resources::Resources;
use crate::snapshot::Snapshot;
pub use text::text;

/// What came of a reverse transform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reverted {
    /// SHA-256 of the bundle's manifest.
    pub bundle_digest: String,
    /// Whether the snapshot was there, so that every value was compared.
    pub compared: bool,
    /// The legacy tables.
    pub tables: Vec<TableProof>,
    /// The link files.
    pub links: Vec<LinksProof>,
}

/// What came of one legacy table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableProof {
    /// The legacy entity.
    pub entity: String,
    /// Rows of the snapshot's table.
    pub rows: u64,
    /// Rows that were rebuilt.
    pub rebuilt_rows: u64,
    /// Logical digest of the snapshot's table.
    pub digest: String,
    /// Logical digest of the rebuilt rows.
    pub rebuilt: String,
    /// Rows that are wrong: missing, twice, or, with the snapshot at hand, other than they were.
    pub differing: u64,
    /// The first of them.
    pub first: Vec<String>,
    /// Whether all of it is as it was.
    pub same: bool,
}

/// What came of one link file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinksProof {
    /// The entity whose rows hold the link.
    pub entity: String,
    /// The label there.
    pub label: String,
    /// How many pairs.
    pub rows: u64,
    /// SHA-256 in the snapshot.
    pub sha256: String,
    /// SHA-256 in the bundle.
    pub rebuilt: String,
    /// Whether they are the same.
    pub same: bool,
}

impl Reverted {
    /// Whether everything is as it was.
    pub fn holds(&self) -> bool {
        self.tables.iter().all(|table| table.same) && self.links.iter().all(|links| links.same)
    }
}

/// Rows that are wrong: how many, and the first of them.
#[derive(Debug, Default)]
struct Wrong {
    count: u64,
    first: Vec<String>,
}

impl Wrong {
    /// How many are named.
    const MOST: usize = 5;

    fn add(&mut self, what: impl FnOnce() -> String) {
        self.count += 1;
        if self.first.len() < Self::MOST {
            self.first.push(what());
        }
    }
}

/// Where a reverse transform works, and what it leaves.
#[derive(Debug, Clone, Copy)]
pub struct Places<'a> {
    /// A folder for working files.
    pub work: &'a Path,
    /// Where the rebuilt tables and link files go, as they stood in the snapshot.
    pub to: Option<&'a Path>,
}

/// Rebuilds the legacy tables of a bundle and compares them with what the snapshot had.
///
/// # Errors
/// The bundle is of a format without residue, `to` is taken, a file cannot be read, or the disk
/// fails. Tables that differ are no error but the result.
pub fn revert(
    (bundle, contract): (&Bundle, &Contract),
    snapshot: Option<&Snapshot>,
    places: Places<'_>,
    resources: &Resources,
    progress: &dyn Progress,
) -> Result<Reverted> {
    has_residue(bundle)?;
    let out = places.to.map(out::Out::begin).transpose()?;
    let rows: u64 = bundle.meta().residue.iter().map(|residue| residue.rows).sum();
    // A bit a row says which ones were seen.
    let buffers = resources.buffers("revert", rows / 8, gather::BUFFERS)?;
    progress.begin("revert", Some(rows));
    let mut tables = Vec::new();
    for residue in &bundle.meta().residue {
        let job = gather::Job { bundle, contract, residue, snapshot, work: places.work, buffers };
        tables.push(gather::table(&job, out.as_ref(), progress)?);
    }
    let links = bundle.meta().residue_links.iter();
    let links = links.map(|links| carried(bundle, snapshot, links, out.as_ref()));
    let links = links.collect::<Result<Vec<_>>>()?;
    if let Some(out) = out {
        out.commit()?;
    }
    let digest = bundle.digest().to_owned();
    let compared = snapshot.is_some();
    let reverted = Reverted { bundle_digest: digest, compared, tables, links };
    let same = if reverted.holds() { "as they were" } else { "not as they were" };
    progress.done(&format!("{} rows {same}", grouped(rows)));
    Ok(reverted)
}

/// Refuses a bundle without residue.
///
/// # Errors
/// It is of format 1.
pub fn has_residue(bundle: &Bundle) -> Result<()> {
    let meta = bundle.meta();
    if !meta.residue.is_empty() {
        return Ok(());
    }
    Err(Error::usage(format!(
        "the bundle has format {}, which does not keep what rules leave behind: the legacy tables \
         cannot be rebuilt from it",
        meta.format
    ))
    .at(bundle.path("data/bundle.json").display())
    .help("keep its snapshot, or transform that again into another folder (`--out`)"))
}

/// What the snapshot says of a table, against what the bundle says of it.
fn said(residue: &Residue, snapshot: Option<&Snapshot>) -> Option<String> {
    let table = snapshot?.table(&residue.source);
    let found = table.map(|table| (table.rows, table.digest.as_str()));
    if found == Some((residue.rows, &residue.digest)) {
        return None;
    }
    Some("bundle.json gives other rows or another digest than the snapshot".to_owned())
}

/// A link file of the bundle beside that of the snapshot.
fn carried(
    bundle: &Bundle,
    snapshot: Option<&Snapshot>,
    links: &ResidueLinks,
    out: Option<&out::Out>,
) -> Result<LinksProof> {
    let rebuilt = bag::sha256_of(&bundle.path(&links.file))?.sha256;
    let sha256 = match snapshot.map(|snapshot| snapshot.path(&links.links)) {
        Some(path) if path.exists() => bag::sha256_of(&path)?.sha256,
        Some(_) => String::new(),
        None => links.sha256.clone(),
    };
    if let Some(out) = out {
        out.copy(&bundle.path(&links.file), &links.links)?;
    }
    Ok(LinksProof {
        entity: links.entity.clone(),
        label: links.label.clone(),
        rows: links.rows,
        same: rebuilt == sha256 && sha256 == links.sha256,
        sha256,
        rebuilt,
    })
}
