//! `verify --self-test`: faults planted in a copy of the bundle, each to be caught.

use rethread::error::{Error, Result};
use rethread::progress::Progress;
use rethread::resources::Resources;

use crate::args::Verify;
use crate::render::Ended;

/// Runs the command.
pub(crate) fn run(_it: &Verify, _resources: &Resources, _progress: &dyn Progress) -> Result<Ended> {
    Err(Error::bug("not there yet"))
}
