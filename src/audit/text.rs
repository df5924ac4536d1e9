//! An audit as a person reads it.

use std::fmt::Write as _;

use super::{Audit, Outcome};
use crate::error::grouped;

/// Every point on a line, with its places below it, and how many came out how.
pub fn text(audit: &Audit) -> String {
    let mut out = String::new();
    let width = audit.points.iter().map(|point| point.point.chars().count()).max();
    let width = width.unwrap_or(0).min(40);
    for point in &audit.points {
        let word = match point.outcome {
            Outcome::Passed => "passed",
            Outcome::Failed => "FAILED",
            Outcome::NotThere => "not there",
        };
        // Writing to a `String` cannot fail, here and below.
        let _ = writeln!(out, "  {word:<9}  {:<width$}  {}", point.point, point.said);
        for place in &point.at {
            let _ = writeln!(out, "  {:<9}  {:<width$}  - {place}", "", "");
        }
    }
    let count = |outcome| grouped(audit.count(outcome) as u64);
    let (passed, failed) = (count(Outcome::Passed), count(Outcome::Failed));
    let absent = count(Outcome::NotThere);
    let _ = writeln!(out, "{passed} passed, {failed} failed, {absent} not there");
    out
}
