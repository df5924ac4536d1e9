//! `verify --emit-sql`: the contract as plain SQL for the DuckDB command line.

use std::path::Path;

use rethread::error::{Error, Result};
use rethread::progress::Progress;

use crate::args::Verify;
use crate::render::Ended;

/// Runs the command.
pub(crate) fn run(_it: &Verify, _folder: &Path, _progress: &dyn Progress) -> Result<Ended> {
    Err(Error::bug("not there yet"))
}
