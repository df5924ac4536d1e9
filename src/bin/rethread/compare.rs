//! Two bundles of one snapshot.

use std::path::PathBuf;

use clap::Args;
use rethread::bundle::Bundle;
use rethread::compare;
use rethread::error::Result;
use rethread::progress::Progress;
use rethread::resources::Resources;
use serde_json::json;

use crate::contracts;
use crate::render::Ended;

/// Which outcomes changed from one bundle to the other.
#[derive(Debug, Args)]
#[command(after_help = "\
Both bundles must be of one snapshot: edit the contract, transform again, and see what the edit did.
Rows go by their id. Needs about 70 bytes of memory a target row.

Example:
  rethread compare out/5f1c09ab3d2e4f60 out/0a1b2c3d4e5f6071")]
pub(crate) struct Compare {
    /// The earlier bundle's folder
    pub(crate) before: PathBuf,
    /// The later bundle's folder
    pub(crate) after: PathBuf,
}

/// Runs the command.
pub(crate) fn run(it: &Compare, _: &Resources, progress: &dyn Progress) -> Result<Ended> {
    let open = |place: &PathBuf| -> Result<_> {
        let bundle = Bundle::open(place, progress)?;
        let contract = contracts::of_bundle(&bundle)?;
        Ok((bundle, contract))
    };
    let (before, after) = (open(&it.before)?, open(&it.after)?);
    let found = compare::compare((&before.0, &before.1), (&after.0, &after.1), progress)?;
    Ok(Ended::told(compare::text(&found)).with("result", json!(found)))
}
