//! What a snapshot or a bundle holds.

use std::path::PathBuf;

use clap::Args;
use rethread::bundle::Bundle;
use rethread::error::{Error, Result};
use rethread::inspect;
use rethread::progress::Progress;
use rethread::resources::Resources;
use rethread::snapshot::Snapshot;
use serde_json::json;

use crate::contracts;
use crate::render::Ended;

/// A snapshot or a bundle in figures.
#[derive(Debug, Args)]
#[command(after_help = "\
Tables, columns and how many rows fill them, sets of short values with their counts, spans of dates
and numbers, sizes of payloads, and the rows that most others link to.

Examples:
  rethread inspect snapshots/backup
  rethread inspect out/5f1c09ab3d2e4f60 --json")]
pub(crate) struct Inspect {
    /// A snapshot's or a bundle's folder
    pub(crate) folder: PathBuf,
}

/// Runs the command.
pub(crate) fn run(it: &Inspect, resources: &Resources, progress: &dyn Progress) -> Result<Ended> {
    let figures = if it.folder.join("data/bundle.json").exists() {
        let bundle = Bundle::open(&it.folder, progress)?;
        let contract = contracts::of_bundle(&bundle)?;
        inspect::bundle(&bundle, &contract, resources, progress)?
    } else if it.folder.join("data/snapshot.json").exists() {
        let snapshot = Snapshot::open(&it.folder, progress)?;
        inspect::snapshot(&snapshot, resources, progress)?
    } else {
        return Err(Error::usage("there is neither a snapshot nor a bundle")
            .at(it.folder.display())
            .help("name the folder of a snapshot or of a bundle"));
    };
    Ok(Ended::told(inspect::text(&figures)).with("figures", json!(figures)))
}
