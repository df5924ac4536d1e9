//! Two bundles of one snapshot.

use clap::Args;
use rethread::error::{Error, Result};
use rethread::progress::Progress;
use rethread::resources::Resources;

use crate::render::Ended;

/// Which outcomes changed from one bundle to the other.
#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// The earlier bundle's folder
    pub(crate) before: std::path::PathBuf,
    /// The later bundle's folder
    pub(crate) after: std::path::PathBuf,
}

/// Runs the command.
pub(crate) fn run(
    _it: &Compare,
    _resources: &Resources,
    _progress: &dyn Progress,
) -> Result<Ended> {
    Err(Error::bug("not there yet"))
}
