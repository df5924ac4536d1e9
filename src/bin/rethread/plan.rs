//! The schema steps of a migration, before any push.

use clap::Args;
use rethread::error::{Error, Result};
use rethread::progress::Progress;
use rethread::resources::Resources;

use crate::render::Ended;

/// The schema steps that the target wants, and what the data says about each.
#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// The snapshot's folder
    pub(crate) snapshot: std::path::PathBuf,
}

/// Runs the command.
pub(crate) fn run(_it: &Plan, _resources: &Resources, _progress: &dyn Progress) -> Result<Ended> {
    Err(Error::bug("not there yet"))
}
