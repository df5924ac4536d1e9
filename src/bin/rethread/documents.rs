//! Commands that write the contract as a document, or compare two contracts.

use std::path::PathBuf;

use clap::Args;
use rethread::error::{Error, Result};
use rethread::progress::Progress;

use crate::args::Rules;
use crate::render::Ended;

/// The contract as a document.
#[derive(Debug, Args)]
pub(crate) struct Render {
    /// The contract and what fills its blanks
    #[command(flatten)]
    pub(crate) rules: Rules,
}

/// Two contracts.
#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// The earlier contract file
    pub(crate) before: PathBuf,
    /// The later contract file
    pub(crate) after: PathBuf,
}

/// Writes the contract as a document.
pub(crate) fn render(_it: &Render, _progress: &dyn Progress) -> Result<Ended> {
    Err(Error::bug("not there yet"))
}

/// Tells two contracts apart.
pub(crate) fn diff(_it: &Diff) -> Result<Ended> {
    Err(Error::bug("not there yet"))
}
