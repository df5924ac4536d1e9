//! A reverse transform as a person reads it.

use std::fmt::Write as _;

use super::Reverted;
use crate::error::{grouped, printable};

/// Every table and link file with rows and digests, and what is wrong with it.
pub fn text(found: &Reverted) -> String {
    let mut out = String::new();
    let names = found.tables.iter().map(|table| table.entity.chars().count());
    let links = found.links.iter().map(|links| links.entity.len() + 1 + links.label.len());
    let width = names.chain(links).max().unwrap_or(0).min(60);
    // Writing to a `String` cannot fail, here and below.
    for table in &found.tables {
        let (name, rows) = (printable(&table.entity), grouped(table.rows));
        let word = if table.same { "same" } else { "not the same" };
        let _ = writeln!(out, "  {name:<width$}  {rows:>13} rows  {}  {word}", table.digest);
        if !table.same {
            let rows = grouped(table.rebuilt_rows);
            let _ = writeln!(out, "  {:<width$}  {rows:>13} rows  {}  rebuilt", "", table.rebuilt);
        }
    }
    for links in &found.links {
        let name = printable(&format!("{}.{}", links.entity, links.label));
        let (rows, digest) = (grouped(links.rows), links.sha256.get(..32).unwrap_or(""));
        let word = if links.same { "same" } else { "not the same" };
        let _ = writeln!(out, "  {name:<width$}  {rows:>12} pairs  {digest}  {word}");
    }
    let _ = writeln!(out, "{}", verdict(found));
    out
}

fn verdict(found: &Reverted) -> String {
    let rows: u64 = found.tables.iter().map(|table| table.rows).sum();
    let rows = grouped(rows);
    match (found.holds(), found.compared) {
        (true, true) => format!(
            "nothing was lost: all {rows} legacy rows are rebuilt, and every value is the snapshot's"
        ),
        (true, false) => format!(
            "nothing was lost: all {rows} legacy rows are rebuilt, with the digests that the snapshot \
             had"
        ),
        (false, _) => "the bundle does not give back what the snapshot had".to_owned(),
    }
}
