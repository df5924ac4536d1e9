//! `verify --emit-sql`: the contract as plain SQL for the DuckDB command line.

use std::path::Path;

use rethread::bundle;
use rethread::error::Result;
use rethread::progress::Progress;
use rethread::verify::independent::{self, README, SCRIPT};

use crate::args::Verify;
use crate::render::Ended;
use crate::{contracts, folders};

/// Runs the command.
pub(crate) fn run(it: &Verify, folder: &Path, progress: &dyn Progress) -> Result<Ended> {
    progress.begin("emit", None);
    let (meta, _) = bundle::described(&it.bundle)?;
    let contract = contracts::in_folder(&it.bundle)?;
    let snapshot = folders::place_of_snapshot(&meta, &it.origin)?;
    let written = independent::emit(&it.bundle, &snapshot, &contract, folder)?;
    progress.done(&format!("{} rules as SQL", written.rules));
    let script = folder.join(SCRIPT);
    Ok(Ended::made("folder", folder)
        .and(format!("run it with: duckdb -c \".read {}\"\n", script.display()))
        .with("script", script.display().to_string())
        .with("readme", folder.join(README).display().to_string())
        .with("rules", written.rules)
        .with("left_out", written.left_out))
}
