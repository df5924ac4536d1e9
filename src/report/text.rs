//! The report for a terminal: what a person has to know, on one screen.

use std::fmt::Write as _;

use super::sections::{clip, counted};
use super::{Report, dropped, noted};
use crate::error::{grouped, printable};
use crate::verify::Outcome;

/// How many tables of each kind are shown.
const MOST: usize = 12;

/// How many lines of what is noted and of what is left behind are shown.
const MOST_KNOWN: usize = 12;

/// Renders the summary; it ends with a line end.
pub fn text(report: &Report) -> String {
    let mut out = format!("{}\n", report.verdict.title.to_lowercase());
    wrapped(&mut out, "", &printable(&report.verdict.sentence));
    let legacy = report.equations.iter();
    if report.totals.dropped == 0 {
        let head = ["rows", "migrated", "merged", "quarantined"];
        let rows = legacy
            .map(|it| (it.source.as_str(), [it.rows, it.migrated, it.merged, it.quarantined]));
        table(&mut out, ("legacy table", head), rows);
    } else {
        let head = ["rows", "migrated", "merged", "quarantined", "dropped"];
        let rows = legacy.map(|it| {
            (it.source.as_str(), [it.rows, it.migrated, it.merged, it.quarantined, dropped(it)])
        });
        table(&mut out, ("legacy table", head), rows);
    }
    let target = report
        .tables
        .iter()
        .map(|it| (it.entity.as_str(), [it.rows, it.migrated, it.existing, it.adopted]));
    table(&mut out, ("target table", ["rows", "migrated", "existing", "adopted"]), target);
    line(&mut out, "");
    facts(&mut out, report);
    for step in &report.next {
        wrapped(&mut out, "next         ", step);
    }
    out
}

fn line(out: &mut String, text: &str) {
    // Writing to a `String` cannot fail.
    let _ = writeln!(out, "{}", text.trim_end());
}

/// Writes a long text after its name, its lines under each other.
fn wrapped(out: &mut String, name: &str, text: &str) {
    const WIDTH: usize = 92;
    let mut row = format!("  {name}");
    let indent = row.len();
    for word in text.split(' ') {
        let is_first = row.len() == indent;
        if !is_first && row.chars().count() + 1 + word.chars().count() > WIDTH {
            line(out, &row);
            row = " ".repeat(indent);
        } else if !is_first {
            row.push(' ');
        }
        row.push_str(word);
    }
    line(out, &row);
}

fn table<'a, const N: usize>(
    out: &mut String,
    (first, header): (&str, [&str; N]),
    rows: impl ExactSizeIterator<Item = (&'a str, [u64; N])>,
) {
    if rows.len() == 0 {
        return;
    }
    let more = rows.len().saturating_sub(MOST);
    let shown: Vec<(String, [String; N])> =
        rows.take(MOST).map(|(name, counts)| (clip(name, 32), counts.map(grouped))).collect();
    let name_width = shown.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let name_width = name_width.max(first.len());
    let width = |at: usize| {
        let widest = shown.iter().map(|(_, counts)| counts[at].len()).max().unwrap_or(0);
        widest.max(header[at].len())
    };
    line(out, "");
    let mut row = |name: &str, counts: [&str; N]| {
        let cells: String =
            (0..N).map(|at| format!("  {:>width$}", counts[at], width = width(at))).collect();
        line(out, &format!("  {name:<name_width$}{cells}"));
    };
    row(first, header);
    for (name, counts) in &shown {
        row(name, counts.each_ref().map(String::as_str));
    }
    if more > 0 {
        line(out, &format!("  and {} more", grouped(more as u64)));
    }
}

fn facts(out: &mut String, report: &Report) {
    let mut fact = |name: &str, said: String| line(out, &format!("  {name:<12} {said}"));
    let count = |outcome: Outcome| {
        grouped(report.rules.iter().filter(|rule| rule.outcome == outcome).count() as u64)
    };
    if !report.rules.is_empty() {
        let (passed, failed) = (count(Outcome::Passed), count(Outcome::Failed));
        let (unseen, nothing) = (count(Outcome::NotEvaluated), count(Outcome::NothingThere));
        let noted = report.rules.iter().any(|rule| rule.outcome == Outcome::Noted);
        let noted =
            if noted { format!("{} noted, ", count(Outcome::Noted)) } else { String::new() };
        fact(
            "rules",
            format!(
                "{passed} hold, {noted}{failed} violated, {unseen} not evaluated, {nothing} had nothing to \
                 look at"
            ),
        );
    }
    known(out, report);
    let mut fact = |name: &str, said: String| line(out, &format!("  {name:<12} {said}"));
    if report.totals.repaired > 0 {
        let values = counted(report.totals.repaired, "value", "values");
        let rules = counted(report.repairs.len() as u64, "rule", "rules");
        fact("repairs", format!("{values} by {rules}"));
    }
    if report.totals.quarantined > 0 {
        let rows = counted(report.totals.quarantined, "row", "rows");
        let rules = counted(report.quarantine.len() as u64, "rule", "rules");
        fact("quarantine", format!("{rows} by {rules}"));
    }
    let mut fact = |name: &str, said: String| line(out, &format!("  {name:<12} {said}"));
    let mapped: u64 = report.mapped_ids.iter().map(|(_, ids)| ids).sum();
    if mapped > 0 {
        fact("ids", format!("{} no UUID, and mapped", counted(mapped, "id was", "ids were")));
    }
    if let Some(import) = &report.import {
        let counts = import.counts;
        fact(
            "import",
            format!(
                "`{}`: {} created, {} updated, {} unchanged{}",
                clip(&import.name, 60),
                grouped(counts.created),
                grouped(counts.updated),
                grouped(counts.unchanged),
                match counts.kept {
                    0 => String::new(),
                    kept => format!(", {} kept as the target has them", grouped(kept)),
                }
            ),
        );
    }
    if !report.blanks.is_empty() {
        wrapped(out, "blanks       ", &report.blanks.join(", "));
    }
}

/// What people must know of and what stops nothing, a line each.
fn known(out: &mut String, report: &Report) {
    for (name, lines) in noted::known(report) {
        let mut name = name.to_lowercase();
        let more = lines.len().saturating_sub(MOST_KNOWN);
        for said in lines.iter().take(MOST_KNOWN) {
            wrapped(out, &format!("{name:<13}"), &clip(said, 260));
            name.clear();
        }
        if more > 0 {
            wrapped(out, &format!("{name:<13}"), &format!("and {} more", grouped(more as u64)));
        }
    }
}
