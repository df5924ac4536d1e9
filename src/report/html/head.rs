//! What stands first: the verdict, the equation, the flow of the rows, and where it all came from.

use std::fmt::Write as _;

use super::escape::{escape, words};
use super::figures;
use crate::error::grouped;
use crate::report::sections::{Section, clip, flow};
use crate::report::{Report, State, noted};

/// What a person calls this migration: the app's title, else the source's name.
pub(super) fn name_of(report: &Report) -> String {
    let name = report.source.title.as_deref().unwrap_or(&report.source.name);
    escape(&clip(name, 120))
}

/// Writes everything above the first section.
pub(super) fn write(out: &mut String, report: &Report) {
    let (class, icon) = match report.verdict.state {
        State::Verified => (
            "good",
            "<circle cx=\"16\" cy=\"16\" r=\"14\"/><path d=\"M9.5 16.5l4.5 4.5 8.5-9.5\"/>",
        ),
        State::Findings => (
            "bad",
            "<path d=\"M10 2h12l8 8v12l-8 8H10l-8-8V10z\"/><path d=\"M11 11l10 10M21 11L11 21\"/>",
        ),
        State::NotVerified => (
            "open",
            "<circle cx=\"16\" cy=\"16\" r=\"14\" stroke-dasharray=\"5 4\"/>\
             <path d=\"M16 9v8M16 22v.5\"/>",
        ),
    };
    // Writing to a `String` cannot fail, here and below.
    let _ = writeln!(
        out,
        "<header class=\"verdict {class}\">\n<svg viewBox=\"0 0 32 32\" aria-hidden=\"true\">{icon}</svg>\n\
         <div>\n<p class=\"kicker\">Migration of {}</p>\n<h1>{}</h1>\n<p>{}</p>\n</div>\n</header>",
        name_of(report),
        escape(&report.verdict.title),
        words(&report.verdict.sentence)
    );
    write_known(out, report);
    write_sum(out, report);
    if let Some(flow) = flow(report) {
        out.push_str(&figures::flow(&flow));
    }
    write_facts(out, report);
}

/// What people must know of and what stops nothing.
fn write_known(out: &mut String, report: &Report) {
    let parts = noted::known(report);
    if parts.iter().all(|(_, lines)| lines.is_empty()) {
        return;
    }
    out.push_str("<aside class=\"known\" aria-label=\"What you should know\">\n<dl>\n");
    for (name, lines) in parts.iter().filter(|(_, lines)| !lines.is_empty()) {
        let _ = writeln!(out, "<dt>{name}</dt>");
        for line in lines.iter().take(LINES) {
            let _ = writeln!(out, "<dd>{}</dd>", words(line));
        }
        if lines.len() > LINES {
            let more = grouped((lines.len() - LINES) as u64);
            let _ = writeln!(out, "<dd>and {more} more</dd>");
        }
    }
    let more =
        if report.notes.is_empty() && report.left_behind.is_empty() { "links" } else { "noted" };
    let _ = writeln!(out, "</dl>\n<p><a href=\"#{more}\">More about these</a></p>\n</aside>");
}

/// How many lines of a kind are shown first.
const LINES: usize = 12;

fn write_sum(out: &mut String, report: &Report) {
    let totals = &report.totals;
    let mut parts = vec![
        ("", "all", "legacy rows", totals.legacy),
        ("=", "migrated", "migrated", totals.migrated),
        ("+", "merged", "merged", totals.merged),
        ("+", "quarantined", "quarantined", totals.quarantined),
    ];
    if totals.dropped > 0 {
        parts.push(("+", "dropped", "dropped by rule", totals.dropped));
    }
    let sum = totals.migrated + totals.merged + totals.quarantined + totals.dropped;
    let holds = sum == totals.legacy && report.equations.iter().all(crate::bundle::Equation::holds);
    out.push_str("<dl class=\"sum\">\n");
    for (sign, class, name, count) in parts {
        let _ = writeln!(
            out,
            "<div class=\"{class}\"><span aria-hidden=\"true\">{sign}</span><dt>{name}</dt><dd>{}</dd></div>",
            grouped(count)
        );
    }
    out.push_str("</dl>\n");
    let said = if holds {
        "<p class=\"holds good\"><span aria-hidden=\"true\">✓</span> Every legacy row is accounted for.</p>\n"
    } else {
        "<p class=\"holds bad\"><span aria-hidden=\"true\">✕</span> Not every legacy row is accounted for.</p>\n"
    };
    out.push_str(said);
}

fn write_facts(out: &mut String, report: &Report) {
    let source = &report.source;
    let mut facts = vec![
        ("Source", format!("{} {}", source.kind, source.name)),
        ("Taken", source.taken_at.clone().unwrap_or_default()),
        ("App", source.app_id.clone().unwrap_or_default()),
        ("Snapshot", report.snapshot.name.clone()),
        ("Contract", report.contract.name.clone()),
        ("Bundle", report.bundle.name.clone()),
        ("Program", report.program.clone()),
    ];
    facts.retain(|(_, value)| !value.trim().is_empty());
    out.push_str("<dl class=\"facts\">\n");
    for (name, value) in facts {
        let _ = writeln!(out, "<div><dt>{name}</dt><dd>{}</dd></div>", escape(&clip(&value, 160)));
    }
    out.push_str("</dl>\n");
    if let Some(next) = report.next.first() {
        let _ = writeln!(
            out,
            "<p class=\"next\"><a href=\"#next\">Next</a> {}</p>",
            words(&clip(next, 400))
        );
    }
}

/// Writes the list of the sections.
pub(super) fn write_contents(out: &mut String, sections: &[Section]) {
    out.push_str("<nav aria-label=\"Sections\"><ul>\n<li><a href=\"#report\">Verdict</a></li>\n");
    for section in sections {
        let _ = writeln!(out, "<li><a href=\"#{}\">{}</a></li>", section.id, section.title);
    }
    out.push_str("</ul></nav>\n");
}
