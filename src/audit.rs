//! Everything of a bundle that can be checked without a network, years after it was made: point by
//! point, each passed, failed, or with what it needs not there.
//!
//! Nothing is written. What is beside the seal (verification, journals, outcomes, database, report)
//! is only believed as far as the sealed bundle says the same.

mod seals;
mod provenance;
mod again;
mod imports;
mod embedded;
mod reports;
mod text;

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::bundle::Bundle;
use crate::contract::Contract;
use crate::error::{Error, Kind, Result, grouped, printable};
use crate::progress::Progress;
use crate::resources::Resources;
use crate::snapshot::Snapshot;
pub use text::text;

/// What an audit found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// Program and version that audited.
    pub program: String,
    /// SHA-256 of the bundle's manifest; absent when the bundle could not be opened.
    pub bundle_digest: Option<String>,
    /// The points, in their order.
    pub points: Vec<Point>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// What it is: `bundle seal`, `reverse proof`.
    pub point: String,
    /// How it came out.
    pub outcome: Outcome,
    /// Whether a failure means that files are not as they were written.
    pub damaged: bool,
    /// What was found, or what could not be looked at and what that means, in a sentence.
    pub said: String,
    /// Places and details.
    pub at: Vec<String>,
}

/// How a point came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was looked at and is as it should be.
    Passed,
    /// It is not.
    Failed,
    /// What it needs is not there.
    NotThere,
}

impl Audit {
    /// How many points came out so.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.points.iter().filter(|point| point.outcome == outcome).count()
    }

    /// Why the audit is not passed, when it is not.
    pub fn failure(&self) -> Option<Error> {
        let failed: Vec<&Point> =
            self.points.iter().filter(|point| point.outcome == Outcome::Failed).collect();
        if failed.is_empty() {
            return None;
        }
        let is_damaged = failed.iter().any(|point| point.damaged);
        let kind = if is_damaged { Kind::Damaged } else { Kind::Findings };
        let (count, total) = (failed.len() as u64, self.points.len() as u64);
        let said = format!("audit: {} of {} points failed", grouped(count), grouped(total));
        let mut error = Error::new(kind, said);
        error.at = failed.iter().map(|point| format!("{}: {}", point.point, point.said)).collect();
        Some(error)
    }
}

/// What is audited.
#[derive(Clone, Copy)]
#[allow(missing_debug_implementations, reason = "a progress has no debug form")]
pub struct Job<'a> {
    /// The bundle's folder.
    pub bundle: &'a Path,
    /// The snapshot's, where it is at hand.
    pub snapshot: Option<&'a Path>,
    /// The source file or folder, where it is at hand.
    pub source: Option<&'a Path>,
    /// A folder for working files.
    pub work: &'a Path,
    /// What may be used.
    pub resources: &'a Resources,
    /// Hears how far it is.
    pub progress: &'a dyn Progress,
}

/// Audits a bundle.
///
/// # Errors
/// The disk fails, or the memory limit is too small. What is found is no error but the result.
pub fn audit(job: Job<'_>) -> Result<Audit> {
    let mut points = Points(Vec::new());
    let bundle = seals::bundle(job, &mut points)?;
    let mut digest = None;
    if let Some(bundle) = &bundle {
        digest = Some(bundle.digest().to_owned());
        everything(job, bundle, &mut points)?;
    }
    Ok(Audit { program: crate::PROGRAM.to_owned(), bundle_digest: digest, points: points.0 })
}

fn everything(job: Job<'_>, bundle: &Bundle, points: &mut Points) -> Result<()> {
    provenance::versions(bundle, points);
    let contract = provenance::contract(bundle, points)?;
    let snapshot = seals::snapshot(job, points)?;
    let snapshot = provenance::snapshot(bundle, snapshot, points);
    provenance::source(job, bundle, points)?;
    let Some(contract) = contract else { return Ok(()) };
    let all = Sealed { bundle, contract: &contract, snapshot: snapshot.as_ref() };
    let found = again::verification(job, &all, points)?;
    again::kept(bundle, found.as_ref(), points)?;
    again::reverse(job, &all, points)?;
    imports::every(&all, points)?;
    embedded::database(job, &all, points)?;
    reports::kept(bundle, points)
}

/// What the seals hold.
struct Sealed<'a> {
    bundle: &'a Bundle,
    contract: &'a Contract,
    snapshot: Option<&'a Snapshot>,
}

/// The points so far.
struct Points(Vec<Point>);

impl Points {
    fn passed(&mut self, point: &str, said: impl Into<String>) {
        self.put(point, Outcome::Passed, &said.into(), &[]);
    }

    fn not_there(&mut self, point: &str, said: impl Into<String>) {
        self.put(point, Outcome::NotThere, &said.into(), &[]);
    }

    fn failed(&mut self, point: &str, said: impl Into<String>, at: &[String]) {
        self.put(point, Outcome::Failed, &said.into(), at);
    }

    /// Passed, or failed with what is wrong.
    fn found(&mut self, point: &str, good: impl Into<String>, wrong: &[String]) {
        if wrong.is_empty() {
            return self.passed(point, good);
        }
        let said = match wrong.len() {
            1 => "one thing is not as it should be".to_owned(),
            many => format!("{} things are not as they should be", grouped(many as u64)),
        };
        self.failed(point, said, wrong);
    }

    fn put(&mut self, point: &str, outcome: Outcome, said: &str, at: &[String]) {
        let at = at.iter().map(|place| printable(place)).collect();
        let said = printable(said);
        self.0.push(Point { point: point.to_owned(), outcome, damaged: false, said, at });
    }

    /// What a step gave; its failure becomes a point, but for one of the disk or of the program.
    fn take<T>(&mut self, point: &str, result: Result<T>) -> Result<Option<T>> {
        let error = match result {
            Ok(found) => return Ok(Some(found)),
            Err(error) if matches!(error.kind, Kind::System | Kind::Bug) => return Err(error),
            Err(error) => error,
        };
        self.failed(point, error.message.clone(), &error.at);
        if let Some(point) = self.0.last_mut() {
            point.damaged = error.kind == Kind::Damaged;
        }
        Ok(None)
    }
}

/// How many places of one kind are told.
const MOST: usize = 10;

/// The first places, and how many more there are.
fn first(places: Vec<String>) -> Vec<String> {
    let more = places.len().saturating_sub(MOST);
    let mut told: Vec<String> = places.into_iter().take(MOST).collect();
    if more > 0 {
        told.push(format!("and {} more", grouped(more as u64)));
    }
    told
}
