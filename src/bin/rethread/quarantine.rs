//! What was set aside, and taking corrected rows back in.

use clap::Args;
use rethread::error::{Error, Result};
use rethread::progress::Progress;
use rethread::resources::Resources;

use crate::render::Ended;

/// The rows set aside, by reason.
#[derive(Debug, Args)]
pub(crate) struct Quarantine {
    /// The bundle's folder
    pub(crate) bundle: std::path::PathBuf,
}

/// Runs the command.
pub(crate) fn run(
    _it: &Quarantine,
    _resources: &Resources,
    _progress: &dyn Progress,
) -> Result<Ended> {
    Err(Error::bug("not there yet"))
}
