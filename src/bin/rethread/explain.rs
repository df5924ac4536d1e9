//! What became of one row.

use clap::Args;
use rethread::error::{Error, Result};
use rethread::progress::Progress;
use rethread::resources::Resources;

use crate::render::Ended;

/// One row, forward and back.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// A legacy or target id
    pub(crate) id: String,
}

/// Runs the command.
pub(crate) fn run(
    _it: &Explain,
    _resources: &Resources,
    _progress: &dyn Progress,
) -> Result<Ended> {
    Err(Error::bug("not there yet"))
}
