//! The embedded database, opened for reading alone.

use super::{Job, Points, Sealed};
use crate::error::{Result, grouped};
use crate::import;
use crate::target::sqlite;
use crate::target::{Plan, State};

/// Compares the rows of the embedded database with those of the bundle.
pub(super) fn database(job: Job<'_>, all: &Sealed<'_>, points: &mut Points) -> Result<()> {
    const POINT: &str = "embedded database";
    let place = all.bundle.path(FILE);
    if !place.exists() {
        let status = import::status(all.bundle.root(), all.bundle.digest());
        let imported = status.unwrap_or_default().into_iter().any(|status| {
            status.folder.ends_with(FOLDER) && status.state == State::MigratedVerified
        });
        if imported {
            points.failed(POINT, format!("{FILE} was imported into and is gone"), &[]);
        } else {
            points.not_there(POINT, format!("{FILE} is not there"));
        }
        return Ok(());
    }
    let plan = Plan::new(all.bundle, all.contract);
    let found = sqlite::digests(&place, &plan, job.progress);
    let Some(found) = points.take(POINT, found)? else { return Ok(()) };
    let tables = plan.tables.iter().zip(&found);
    let wrong =
        tables.filter(|(table, (rows, digest))| table.rows != *rows || table.digest != *digest);
    let wrong = wrong.map(|(table, (rows, digest))| {
        let (ours, theirs) = (grouped(table.rows), grouped(*rows));
        format!("`{}` has {theirs} rows with digest {digest}, the bundle {ours}", table.name)
    });
    let rows = grouped(plan.rows());
    points.found(
        POINT,
        format!("its {rows} rows are those of the bundle"),
        &wrong.collect::<Vec<_>>(),
    );
    Ok(())
}

/// The database in the bundle's folder.
const FILE: &str = "thread.sqlite";
/// What is kept of its imports.
const FOLDER: &str = "import/sqlite";
