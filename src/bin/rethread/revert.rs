//! The legacy tables again, out of a bundle.

use std::path::PathBuf;

use clap::Args;
use rethread::bundle::Bundle;
use rethread::error::{Error, Kind, Result, grouped};
use rethread::progress::Progress;
use rethread::resources::Resources;
use rethread::revert::{self, Places, Reverted};
use rethread::storage::Staged;
use serde_json::json;

use crate::args::Origin;
use crate::render::Ended;
use crate::{contracts, folders};

/// The reverse transform and its proof.
#[derive(Debug, Args)]
#[command(after_help = "\
Puts every legacy row together again from the target rows, what is kept beside them, the quarantine
and the link files, adds up the logical digests and compares them with the snapshot's. With the
snapshot at hand every value is compared as well. Exit code 1 when a table differs.

Examples:
  rethread revert out/5f1c09ab3d2e4f60
  rethread revert /archive/bundle --snapshot /archive/snapshot
  rethread revert out/5f1c09ab3d2e4f60 --to legacy    the tables as Parquet, as the snapshot had them")]
pub(crate) struct Revert {
    /// The bundle's folder
    pub(crate) bundle: PathBuf,
    /// New folder for the rebuilt tables
    #[arg(long, value_name = "FOLDER")]
    pub(crate) to: Option<PathBuf>,
    /// Where the snapshot is; without it the digests that the bundle carries are compared
    #[command(flatten)]
    pub(crate) origin: Origin,
}

/// Runs the command.
pub(crate) fn run(it: &Revert, resources: &Resources, progress: &dyn Progress) -> Result<Ended> {
    let bundle = Bundle::open(&it.bundle, progress)?;
    revert::has_residue(&bundle)?;
    let contract = contracts::of_bundle(&bundle)?;
    let snapshot = folders::snapshot_if_there(bundle.meta(), &it.origin, progress)?;
    let folder = resources.temp_dir.clone().unwrap_or_else(std::env::temp_dir);
    let work = Staged::begin(&folder.join(format!("rethread-revert-{}", std::process::id())))?;
    let places = Places { work: work.path(), to: it.to.as_deref() };
    let found =
        revert::revert((&bundle, &contract), snapshot.as_ref(), places, resources, progress)?;
    let mut ended = Ended::told(revert::text(&found)).with("result", json!(found));
    if let Some(to) = &it.to {
        ended = ended.with_place("tables", to);
    }
    Ok(ended.failing(failure(&found, &bundle)))
}

fn failure(found: &Reverted, bundle: &Bundle) -> Option<Error> {
    if found.holds() {
        return None;
    }
    let wrong = found.tables.iter().filter(|table| !table.same).count();
    let wrong = wrong + found.links.iter().filter(|links| !links.same).count();
    let total = found.tables.len() + found.links.len();
    let (wrong, total) = (grouped(wrong as u64), grouped(total as u64));
    let said = format!("{wrong} of {total} legacy tables and link files are not given back");
    let mut error = Error::new(Kind::Findings, said).at(bundle.root().display());
    for table in found.tables.iter().filter(|table| !table.same) {
        let first = table.first.join("; ");
        let what = if first.is_empty() { "another digest".to_owned() } else { first };
        error = error.at(format!("{}: {what}", table.entity));
    }
    for links in found.links.iter().filter(|links| !links.same) {
        error = error.at(format!("{}.{}: another file", links.entity, links.label));
    }
    Some(if found.compared {
        error.help("make the bundle again from its snapshot")
    } else {
        error.help("name the snapshot with `--snapshot` to see which values differ")
    })
}
