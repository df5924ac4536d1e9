//! Completions and man pages, made from the command line's own definition.

use rethread::error::{Error, Result};

use crate::render::Ended;

/// Completions of one shell.
#[derive(Debug, clap::Args)]
pub(crate) struct Completions {}

/// The man pages.
#[derive(Debug, clap::Args)]
pub(crate) struct Man {}

/// Writes completions.
pub(crate) fn completions(_it: &Completions) -> Result<Ended> {
    Err(Error::bug("not there yet"))
}

/// Writes man pages.
pub(crate) fn man(_it: &Man) -> Result<Ended> {
    Err(Error::bug("not there yet"))
}
