//! The legacy tables again, out of a bundle.

use clap::Args;
use rethread::error::{Error, Result};
use rethread::progress::Progress;
use rethread::resources::Resources;

use crate::render::Ended;

/// The reverse transform and its proof.
#[derive(Debug, Args)]
pub(crate) struct Revert {
    /// The bundle's folder
    pub(crate) bundle: std::path::PathBuf,
}

/// Runs the command.
pub(crate) fn run(_it: &Revert, _resources: &Resources, _progress: &dyn Progress) -> Result<Ended> {
    Err(Error::bug("not there yet"))
}
