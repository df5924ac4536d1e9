//! A comparison as people read it.

use std::fmt::Write as _;

use super::{Comparison, Rows};
use crate::error::{grouped, printable};

/// The comparison in lines.
pub fn text(found: &Comparison) -> String {
    let mut out = String::new();
    // Writing to a `String` cannot fail, here and below.
    let _ = writeln!(
        out,
        "contract {} -> {}",
        &found.before.digest[..found.before.digest.len().min(16)],
        &found.after.digest[..found.after.digest.len().min(16)],
    );
    if found.is_empty() {
        out.push_str("nothing changed: every row has the outcome and the values it had\n");
        return out;
    }
    section(&mut out, "legacy rows with another outcome", &fates(found));
    section(&mut out, "target rows", &tables(found));
    let repairs = found.repairs.iter().map(|it| {
        let how = format!("{}.{}, {}", it.target, it.attr, it.how);
        format!("{how}: {} -> {}", grouped(it.before), grouped(it.after))
    });
    section(&mut out, "repairs", &repairs.collect::<Vec<_>>());
    let links = found.links.iter().map(|it| {
        let pairs = format!("{} -> {} pairs", grouped(it.before), grouped(it.after));
        format!("{}.{}: {pairs}", it.entity, it.label)
    });
    section(&mut out, "links that are no column", &links.collect::<Vec<_>>());
    out
}

fn section(out: &mut String, title: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{title}");
    for line in lines {
        let _ = writeln!(out, "  {}", printable(line));
    }
}

fn fates(found: &Comparison) -> Vec<String> {
    let line = |it: &super::Fate| {
        let rows = Rows { rows: it.rows, samples: it.samples.clone() };
        format!("{}: {} -> {}: {}", it.source, it.before, it.after, counted(&rows))
    };
    found.fates.iter().map(line).collect()
}

fn tables(found: &Comparison) -> Vec<String> {
    let mut lines = Vec::new();
    for table in &found.tables {
        for (what, rows) in [("gone", &table.gone), ("new", &table.new)] {
            if rows.rows > 0 {
                lines.push(format!("{}: {what}: {}", table.entity, counted(rows)));
            }
        }
        for (column, rows) in &table.values {
            lines.push(format!("{}.{column} changed: {}", table.entity, counted(rows)));
        }
    }
    lines
}

fn counted(rows: &Rows) -> String {
    let noun = if rows.rows == 1 { "row" } else { "rows" };
    let first = rows.samples.join(", ");
    let more = if rows.rows > rows.samples.len() as u64 { ", …" } else { "" };
    format!("{} {noun} ({first}{more})", grouped(rows.rows))
}
