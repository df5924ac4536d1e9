//! What a snapshot or a bundle holds.

use clap::Args;
use rethread::error::{Error, Result};
use rethread::progress::Progress;
use rethread::resources::Resources;

use crate::render::Ended;

/// A snapshot or a bundle in figures.
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// A snapshot's or a bundle's folder
    pub(crate) folder: std::path::PathBuf,
}

/// Runs the command.
pub(crate) fn run(
    _it: &Inspect,
    _resources: &Resources,
    _progress: &dyn Progress,
) -> Result<Ended> {
    Err(Error::bug("not there yet"))
}
