//! The seals of both folders.

use super::{Job, Points};
use crate::bundle::Bundle;
use crate::error::Result;
use crate::snapshot::Snapshot;

/// Opens the bundle, which checks every byte of it.
pub(super) fn bundle(job: Job<'_>, points: &mut Points) -> Result<Option<Bundle>> {
    const POINT: &str = "bundle seal";
    let opened = points.take(POINT, Bundle::open(job.bundle, job.progress))?;
    if let Some(bundle) = &opened {
        points.passed(POINT, format!("every file is as it was sealed: {}", bundle.digest()));
    }
    Ok(opened)
}

/// Opens the snapshot, where it is at hand.
pub(super) fn snapshot(job: Job<'_>, points: &mut Points) -> Result<Option<Snapshot>> {
    const POINT: &str = "snapshot seal";
    let Some(place) = job.snapshot else {
        let said = "the snapshot is not at hand: the rules cannot be verified again, and rebuilt rows \
                    are compared by the digests that the bundle carries";
        points.not_there(POINT, said);
        return Ok(None);
    };
    let opened = points.take(POINT, Snapshot::open(place, job.progress))?;
    if let Some(snapshot) = &opened {
        points.passed(POINT, format!("every file is as it was sealed: {}", snapshot.digest()));
    }
    Ok(opened)
}
