//! The reports beside the seal.

use serde_json::Value;

use super::{Points, first};
use crate::bundle::Bundle;
use crate::error::{Result, grouped};
use crate::storage;

/// Whether the reports are of this bundle, and give the hashes that it has.
pub(super) fn kept(bundle: &Bundle, points: &mut Points) -> Result<()> {
    const POINT: &str = "reports";
    let mut wrong = Vec::new();
    let mut seen = 0;
    for name in ["report.json", "report.md", "report.html"] {
        let path = bundle.path("report").join(name);
        if !path.exists() {
            continue;
        }
        seen += 1;
        let text = storage::read_text(&path)?;
        let meta = bundle.meta();
        for digest in [bundle.digest(), &meta.snapshot.digest, &meta.contract.digest] {
            if !text.contains(digest) {
                wrong.push(format!("{name} does not give the digest {digest}"));
            }
        }
        if name == "report.json" {
            hashes(bundle, &text, &mut wrong)?;
        }
    }
    if seen == 0 {
        points.not_there(POINT, "no report is kept beside the seal");
    } else {
        let seen = grouped(seen);
        points.found(
            POINT,
            format!("{seen} reports name this bundle and its hashes"),
            &first(wrong),
        );
    }
    Ok(())
}

/// The files that report.json lists, against the manifest.
fn hashes(bundle: &Bundle, text: &str, wrong: &mut Vec<String>) -> Result<()> {
    let manifest = storage::read_text(&bundle.path("manifest-sha256.txt"))?;
    let report: Value = match serde_json::from_str(text) {
        Ok(report) => report,
        Err(error) => {
            wrong.push(format!("report.json cannot be read: {error}"));
            return Ok(());
        }
    };
    for file in report["files"].as_array().into_iter().flatten() {
        let (path, hash) = (file[0].as_str().unwrap_or(""), file[1].as_str().unwrap_or(""));
        let line = format!("{hash}  {path}");
        if !manifest.lines().any(|listed| listed == line) {
            wrong.push(format!("report.json gives another hash for {path}"));
        }
    }
    Ok(())
}
