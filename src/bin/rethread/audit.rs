//! A bundle checked without a network.

use std::path::PathBuf;

use clap::Args;
use rethread::audit::{self, Job};
use rethread::bundle;
use rethread::error::{Kind, Result};
use rethread::progress::Progress;
use rethread::resources::Resources;
use rethread::storage::Staged;
use serde_json::json;

use crate::args::Origin;
use crate::folders;
use crate::render::Ended;

/// Everything about a bundle that can be checked years later.
#[derive(Debug, Args)]
#[command(after_help = "\
Looks at the seals, the versions, the contract, where the bundle came from, every rule again, the
reverse proof, the journals of its imports, the embedded database and the reports. Every point is
passed, failed, or not there: then it says what could not be looked at. Nothing is written.

Exit code 0 when nothing failed, 1 when something did, 4 when files are damaged.

Examples:
  rethread audit out/5f1c09ab3d2e4f60
  rethread audit /archive/bundle --snapshot /archive/snapshot --source /archive/backup.zip --json")]
pub(crate) struct Audit {
    /// The bundle's folder
    pub(crate) bundle: PathBuf,
    /// Where the snapshot is; without it the bundle is audited as far as it goes
    #[command(flatten)]
    pub(crate) origin: Origin,
    /// The file or folder that the snapshot was taken from
    #[arg(long, value_name = "FILE")]
    pub(crate) source: Option<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(it: &Audit, resources: &Resources, progress: &dyn Progress) -> Result<Ended> {
    // What cannot be read is told by the audit itself.
    let wanted = match bundle::described(&it.bundle) {
        Ok((meta, _)) => Some(meta.snapshot.digest),
        Err(error) if error.kind == Kind::Bug => return Err(error),
        Err(_) => None,
    };
    let snapshot = match (&it.origin.snapshot, wanted) {
        (Some(place), _) => Some(place.clone()),
        (None, Some(digest)) => folders::search(&it.origin.snapshots, &digest)?,
        (None, None) => None,
    };
    let folder = resources.temp_dir.clone().unwrap_or_else(std::env::temp_dir);
    let work = Staged::begin(&folder.join(format!("rethread-audit-{}", std::process::id())))?;
    let found = audit::audit(Job {
        bundle: &it.bundle,
        snapshot: snapshot.as_deref(),
        source: it.source.as_deref(),
        work: work.path(),
        resources,
        progress,
    })?;
    let ended = Ended::told(audit::text(&found)).with("result", json!(found));
    Ok(ended.failing(found.failure()))
}
