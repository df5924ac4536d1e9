//! A verified bundle into a target, read back and compared.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::bundle::Bundle;
use crate::error::{Error, Kind, Result, grouped};
use crate::progress::Progress;
use crate::snapshot;
use crate::storage;
use crate::target::{Check, Counts, Plan, ReadBack, Rows, Table, Target};
use crate::verify::VerifiedBundle;
use parquet::arrow::ProjectionMask;

/// Version of the outcome's format.
pub const FORMAT: u32 = 1;

/// What an import did and what the target holds now: `import/<target>/outcome.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// [`FORMAT`].
    pub format: u32,
    /// Program and version that imported.
    pub program: String,
    /// SHA-256 of the bundle's manifest.
    pub bundle_digest: String,
    /// What kind of store: `sqlite`.
    pub target: String,
    /// Which one, without the folders above it.
    pub name: String,
    /// Entity tables in contract order, then link tables.
    pub tables: Vec<TableOutcome>,
    /// Links, foreign keys and integrity, as the store itself sees them.
    pub checks: Vec<Check>,
}

/// What became of one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableOutcome {
    /// The entity, or `<entity>.<label>` for a link table.
    pub table: String,
    /// Whether it is a link table.
    pub link: bool,
    /// What the writes did.
    pub counts: Counts,
    /// Rows read back.
    pub rows: u64,
    /// Logical digest of the rows read back.
    pub digest: String,
    /// Whether rows, origins and digest are the bundle's.
    pub equal: bool,
}

impl Outcome {
    /// What the writes did in all tables.
    pub fn counts(&self) -> Counts {
        let mut sum = Counts::default();
        self.tables.iter().for_each(|table| sum.add(table.counts));
        sum
    }

    /// Whether every row was there already.
    pub fn changed_nothing(&self) -> bool {
        let counts = self.counts();
        counts.created + counts.updated == 0
    }

    /// What happened, in one line.
    pub fn sentence(&self) -> String {
        let counts = self.counts();
        if self.changed_nothing() {
            let rows = grouped(counts.unchanged);
            return format!("nothing to do: all {rows} rows are in `{}` already", self.name);
        }
        format!(
            "{} rows created, {} updated, {} unchanged in `{}`, read back and equal",
            grouped(counts.created),
            grouped(counts.updated),
            grouped(counts.unchanged),
            self.name
        )
    }
}

/// Brings a verified bundle into a target: writes every table, reads it back, compares, commits.
///
/// The outcome is also written into the bundle's folder, beside the seal. Importing again changes
/// nothing.
///
/// # Errors
/// [`Kind::Refused`] when what the target holds is in the way, [`Kind::Findings`] when what it
/// returns is not what the bundle holds, or it fails. The target is then as it was.
pub fn import(
    verified: &VerifiedBundle,
    target: &mut dyn Target,
    progress: &dyn Progress,
) -> Result<Outcome> {
    let bundle = verified.bundle();
    let plan = Plan::new(bundle.meta(), bundle.digest(), verified.contract());
    let outcome = match bring(bundle, &plan, target, progress) {
        Ok(outcome) => outcome,
        Err(error) => {
            target.abandon();
            return Err(error);
        }
    };
    write_outcome(bundle.root(), &outcome)?;
    Ok(outcome)
}

fn bring(
    bundle: &Bundle,
    plan: &Plan,
    target: &mut dyn Target,
    progress: &dyn Progress,
) -> Result<Outcome> {
    target.begin(plan)?;
    let written = write_tables(bundle, plan, target, progress)?;
    target.settle(plan)?;
    let found = read_tables(plan, target, progress)?;
    let checks = target.check(plan)?;
    let tables = plan.tables.iter().zip(written).zip(found);
    let outcome = Outcome {
        format: FORMAT,
        program: crate::PROGRAM.to_owned(),
        bundle_digest: plan.bundle.clone(),
        target: target.kind().to_owned(),
        name: target.name(),
        tables: tables
            .map(|((table, counts), found)| table_outcome(table, counts, found))
            .collect(),
        checks,
    };
    judge(plan, &outcome)?;
    target.commit()?;
    Ok(outcome)
}

fn write_tables(
    bundle: &Bundle,
    plan: &Plan,
    target: &mut dyn Target,
    progress: &dyn Progress,
) -> Result<Vec<Counts>> {
    progress.begin("import", Some(plan.rows()));
    let mut written = Vec::new();
    for table in &plan.tables {
        written.push(write_table(&bundle.path(&table.file), table, target, progress)?);
    }
    progress.done(&format!("{} rows", grouped(plan.rows())));
    Ok(written)
}

fn write_table(
    path: &Path,
    table: &Table,
    target: &mut dyn Target,
    progress: &dyn Progress,
) -> Result<Counts> {
    let unreadable = |error: Box<dyn std::error::Error + Send + Sync>| {
        Error::damaged("the table cannot be read")
            .at(path.display())
            .help("check the bundle with `rethread check`")
            .because(error)
    };
    let reader = snapshot::scan(path)?;
    let rows = snapshot::batch_rows(reader.metadata(), &ProjectionMask::all());
    let reader = reader.with_batch_size(rows).build();
    let mut counts = Counts::default();
    for batch in reader.map_err(|error| unreadable(error.into()))? {
        let batch = batch.map_err(|error| unreadable(error.into()))?;
        counts.add(target.write(table, &Rows::of(table, &batch)?)?);
        progress.advance(batch.num_rows() as u64);
    }
    Ok(counts)
}

fn read_tables(
    plan: &Plan,
    target: &mut dyn Target,
    progress: &dyn Progress,
) -> Result<Vec<ReadBack>> {
    progress.begin("read back", Some(plan.rows()));
    let found: Result<Vec<_>> =
        plan.tables.iter().map(|table| target.read_back(table, progress)).collect();
    progress.done("every table");
    found
}

fn table_outcome(table: &Table, counts: Counts, found: ReadBack) -> TableOutcome {
    let equal = found.rows == table.rows
        && found.digest == table.digest
        && table.migrated.is_none_or(|migrated| migrated == found.migrated);
    TableOutcome {
        table: table.name.clone(),
        link: table.link.is_some(),
        counts,
        rows: found.rows,
        digest: found.digest,
        equal,
    }
}

/// Compares what the target holds with what the bundle holds.
fn judge(plan: &Plan, outcome: &Outcome) -> Result<()> {
    let tables = plan.tables.iter().zip(&outcome.tables).filter(|(_, found)| !found.equal);
    let differing = tables.map(|(table, found)| {
        format!(
            "`{}`: the bundle has {} rows with digest {}, the target returns {} with {}",
            table.name,
            grouped(table.rows),
            table.digest,
            grouped(found.rows),
            found.digest
        )
    });
    let broken = outcome.checks.iter().filter(|check| check.violations > 0).map(|check| {
        let (count, ids) = (grouped(check.violations), check.samples.join(", "));
        format!("{}: {count} of {} do not ({ids})", check.name, grouped(check.evaluated))
    });
    let places: Vec<String> = differing.chain(broken).collect();
    if places.is_empty() {
        return Ok(());
    }
    let mut error = Error::new(
        Kind::Findings,
        format!("`{}` does not hold what the bundle holds; nothing was imported", outcome.name),
    )
    .help("run `rethread verify` on the bundle; if it passes, the target is at fault");
    error.at = places;
    Err(error)
}

/// Where the outcome of an import into a kind of target stands.
pub fn outcome_path(bundle_root: &Path, target: &str) -> PathBuf {
    bundle_root.join("import").join(target).join("outcome.json")
}

fn write_outcome(bundle_root: &Path, outcome: &Outcome) -> Result<()> {
    let path = outcome_path(bundle_root, &outcome.target);
    if let Some(folder) = path.parent() {
        storage::create_folder(folder)?;
    }
    let mut text = serde_json::to_vec_pretty(outcome)
        .map_err(|error| Error::bug("the outcome has no JSON form").because(error))?;
    text.push(b'\n');
    storage::replace(&path, &text)
}

/// The outcome of the last import of a bundle into a kind of target, when there was one.
///
/// An outcome that names another bundle, or cannot be read, is none: it proves nothing.
///
/// # Errors
/// The disk fails.
pub fn last_outcome(bundle: &Bundle, target: &str) -> Result<Option<Outcome>> {
    let path = outcome_path(bundle.root(), target);
    if !path.exists() {
        return Ok(None);
    }
    let outcome: Option<Outcome> = serde_json::from_str(&storage::read_text(&path)?).ok();
    Ok(outcome.filter(|outcome| outcome.bundle_digest == bundle.digest()))
}

#[cfg(test)]
mod tests;
