//! What a snapshot or a bundle holds, in figures.
//!
//! Every table is read once, row by row. What is kept does not grow with rows: sets of values and
//! counts of groups are capped, and say so when they are.

mod column;
mod groups;
mod parts;
mod sizes;
mod text;

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::bundle::Bundle;
use crate::contract::{CheckWhat, Contract};
use crate::error::Result;
use crate::progress::Progress;
use crate::resources::Resources;
use crate::scan;
use crate::schema::Type;
use crate::snapshot::Snapshot;
use crate::threads::side_by_side;
use column::Tally;
pub use column::{Column, Span, Value, Values};
use groups::Counter;
pub use groups::{Group, Groups};
pub use parts::Generation;
pub use sizes::Sizes;
pub use text::text;

/// A snapshot or a bundle in figures.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    /// `snapshot` or `bundle`.
    pub what: &'static str,
    /// SHA-256 of its manifest.
    pub digest: String,
    /// Its tables.
    pub tables: Vec<Table>,
    /// Links that are no column: entity, label, pairs.
    pub links: Vec<(String, String, u64)>,
}

/// One table in figures.
#[derive(Debug, Clone, Serialize)]
pub struct Table {
    /// The entity.
    pub entity: String,
    /// `legacy` or `target`.
    pub side: String,
    /// How many rows.
    pub rows: u64,
    /// Bytes of its file.
    pub bytes: u64,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Rows by the row that a link leads to.
    pub groups: Vec<Groups>,
}

/// What is to be read of a table.
struct Job {
    entity: String,
    side: String,
    path: PathBuf,
    rows: u64,
    columns: Vec<(String, String)>,
    /// The links whose groups are counted.
    links: Vec<String>,
}

/// The figures of a snapshot: groups are counted by every legacy link.
///
/// # Errors
/// A table cannot be read.
pub fn snapshot(
    snapshot: &Snapshot,
    resources: &Resources,
    progress: &dyn Progress,
) -> Result<Figures> {
    let jobs = snapshot.meta().tables.iter().map(|table| {
        let is_link = |column: &&(String, String)| column.1 == "link";
        let mut columns = table.columns.clone();
        columns.extend(aside(&["_extra", "_invalid"]));
        Job {
            entity: table.entity.clone(),
            side: table.side.clone(),
            path: snapshot.path(&table.file),
            rows: table.rows,
            links: columns.iter().filter(is_link).map(|(name, _)| name.clone()).collect(),
            columns,
        }
    });
    let links = snapshot.meta().links.iter();
    Ok(Figures {
        what: "snapshot",
        digest: snapshot.digest().to_owned(),
        tables: tables(&jobs.collect::<Vec<_>>(), resources, progress)?,
        links: links.map(|it| (it.entity.clone(), it.label.clone(), it.rows)).collect(),
    })
}

/// The figures of a bundle: groups are counted by the links whose order the contract looks at.
///
/// # Errors
/// A table cannot be read.
pub fn bundle(
    bundle: &Bundle,
    contract: &Contract,
    resources: &Resources,
    progress: &dyn Progress,
) -> Result<Figures> {
    let jobs = bundle.meta().tables.iter().map(|table| {
        let mut links: Vec<String> = Vec::new();
        for check in &contract.checks {
            if let CheckWhat::Sequence { target, within, .. } = &check.what
                && *target == table.entity
                && !links.contains(within)
            {
                links.push(within.clone());
            }
        }
        Job {
            entity: table.entity.clone(),
            side: "target".to_owned(),
            path: bundle.path(&table.file),
            rows: table.rows,
            columns: target_columns(contract, &table.entity),
            links,
        }
    });
    let links = bundle.meta().links.iter();
    Ok(Figures {
        what: "bundle",
        digest: bundle.digest().to_owned(),
        tables: tables(&jobs.collect::<Vec<_>>(), resources, progress)?,
        links: links.map(|it| (it.entity.clone(), it.label.clone(), it.rows)).collect(),
    })
}

/// Names and types of the columns of a target table.
fn target_columns(contract: &Contract, entity: &str) -> Vec<(String, String)> {
    let schema = &contract.after.schema;
    let attrs = schema.entity(entity).map_or(&[][..], |entity| &entity.attrs);
    let mut columns = vec![("id".to_owned(), "string".to_owned())];
    columns.extend(attrs.iter().map(|attr| (attr.name.clone(), attr.ty.name().to_owned())));
    columns.extend(schema.columns_of(entity).map(|link| (link.label.clone(), "link".to_owned())));
    columns.push(("_origin".to_owned(), "string".to_owned()));
    columns.extend(aside(&["_extra"]));
    columns
}

fn aside(names: &[&str]) -> Vec<(String, String)> {
    names.iter().map(|name| ((*name).to_owned(), "any".to_owned())).collect()
}

fn tables(jobs: &[Job], resources: &Resources, progress: &dyn Progress) -> Result<Vec<Table>> {
    let sizes: Vec<u64> = jobs.iter().map(|job| bytes(&job.path)).collect();
    progress.begin("inspect", Some(jobs.iter().map(|job| job.rows).sum()));
    let tables = side_by_side(resources.threads(), &sizes, |at| table(&jobs[at]))?;
    progress.advance(jobs.iter().map(|job| job.rows).sum());
    progress.done(&format!("{} tables", tables.len()));
    Ok(tables)
}

fn bytes(path: &Path) -> u64 {
    path.metadata().map_or(0, |meta| meta.len())
}

fn table(job: &Job) -> Result<Table> {
    let names: Vec<&str> = job.columns.iter().map(|(name, _)| name.as_str()).collect();
    let type_of = |ty: &str| Type::parse(ty).unwrap_or(Type::String);
    let mut tallies: Vec<(Type, Tally)> =
        job.columns.iter().map(|(_, ty)| (type_of(ty), Tally::new(ty))).collect();
    let mut counters: Vec<(usize, Counter)> = Vec::new();
    for link in &job.links {
        let at = names.iter().position(|name| name == link);
        counters.extend(at.map(|at| (at, Counter::default())));
    }
    let mut rows = 0;
    scan::scan(&job.path, &names, &mut |row| {
        rows += 1;
        for (at, (ty, tally)) in tallies.iter_mut().enumerate() {
            tally.add(row.value(at, *ty));
        }
        for (at, counter) in &mut counters {
            if let Some(id) = row.text(*at) {
                counter.add(id);
            }
        }
        Ok(())
    })?;
    let columns = job.columns.iter().zip(tallies);
    let mut groups = Vec::new();
    for (at, counter) in counters {
        groups.push(counter.finish(&job.path, names[at])?);
    }
    Ok(Table {
        entity: job.entity.clone(),
        side: job.side.clone(),
        rows,
        bytes: bytes(&job.path),
        columns: columns.map(|((name, ty), (_, tally))| tally.finish(name, ty)).collect(),
        groups,
    })
}
