//! A bundle checked without a network.

use clap::Args;
use rethread::error::{Error, Result};
use rethread::progress::Progress;
use rethread::resources::Resources;

use crate::render::Ended;

/// Everything about a bundle that can be checked years later.
#[derive(Debug, Args)]
pub(crate) struct Audit {
    /// The bundle's folder
    pub(crate) bundle: std::path::PathBuf,
}

/// Runs the command.
pub(crate) fn run(_it: &Audit, _resources: &Resources, _progress: &dyn Progress) -> Result<Ended> {
    Err(Error::bug("not there yet"))
}
