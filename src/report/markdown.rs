//! The report as Markdown.

use std::fmt::Write as _;

use super::sections::{Block, Cell, Detail, Table, clip, sections};
use super::{Report, noted};
use crate::error::grouped;
use crate::verify::Outcome;

/// As much as the description of a pull request takes.
const MOST_CHARS: usize = 60_000;

/// How many lines of what is noted come first; the table has them all.
const LINES: usize = 12;

/// Renders the report as Markdown for a review: compact, and data as it is, no HTML and no markup out
/// of it. The page has every rule, the figures and the filled-in contract.
pub fn markdown(report: &Report) -> String {
    let mut text = String::new();
    for rows in [25, 10, 4, 1] {
        text = render(report, Detail { rows, queries: false, full: false });
        if text.chars().count() <= MOST_CHARS {
            break;
        }
    }
    text
}

fn render(report: &Report, detail: Detail) -> String {
    let mut out = format!("# {}\n\n", report.verdict.title);
    // Writing to a `String` cannot fail, here and below.
    let _ = writeln!(out, "{}\n", words(&report.verdict.sentence));
    let source = &report.source;
    let title = source.title.as_deref().map(|title| format!(" “{}”", clip(title, 120)));
    let source =
        format!("{} `{}`{}", source.kind, clip(&source.name, 120), title.unwrap_or_default());
    for (name, value) in [
        ("Source", source),
        ("Snapshot", format!("`{}`", clip(&report.snapshot.name, 120))),
        ("Contract", format!("`{}`", clip(&report.contract.name, 120))),
        ("Bundle", format!("`{}`", clip(&report.bundle.name, 120))),
        ("Program", report.program.clone()),
    ] {
        let _ = writeln!(out, "- {name}: {}", words(&value));
    }
    for (name, lines) in noted::known(report) {
        for line in lines.iter().take(LINES) {
            let _ = writeln!(out, "- {name}: {}", words(line));
        }
    }
    for section in sections(report, detail) {
        let _ = writeln!(out, "\n## {}\n", section.title);
        if !section.lead.is_empty() {
            let _ = writeln!(out, "{}\n", words(&section.lead));
        }
        for block in &section.blocks {
            write_block(&mut out, block);
        }
    }
    out
}

fn write_block(out: &mut String, block: &Block) {
    match block {
        Block::Table(table) | Block::Folded(table) => write_table(out, table),
        Block::Steps(steps) => {
            for (at, step) in steps.iter().enumerate() {
                let _ = writeln!(out, "{}. {}", at + 1, words(step));
            }
        }
        Block::Commands(commands) => {
            let _ = writeln!(out, "```sh");
            for (what, command) in commands {
                let _ = writeln!(out, "{command}    # {what}");
            }
            let _ = writeln!(out, "```\n");
        }
        Block::Heading(text) => {
            let _ = writeln!(out, "### {}\n", words(text));
        }
        Block::Text(text) => {
            let _ = writeln!(out, "{}\n", words(text));
        }
        Block::List(items) => {
            for item in items {
                let _ = writeln!(out, "- {}", words(item));
            }
            out.push('\n');
        }
        Block::Group(title, blocks) => {
            let _ = writeln!(out, "### {}\n", words(title));
            for block in blocks {
                write_block(out, block);
            }
        }
        // A table that says the same follows.
        Block::Figure(_) => {}
    }
}

fn write_table(out: &mut String, table: &Table) {
    // Shares are counts once more, as a picture.
    let is_picture =
        |at: usize| table.rows.iter().any(|row| matches!(row.get(at), Some(Cell::Shares(_))));
    let shown: Vec<usize> = (0..table.columns.len()).filter(|at| !is_picture(*at)).collect();
    let header: Vec<String> = shown.iter().map(|at| words(&table.columns[*at].0)).collect();
    let rule: Vec<&str> =
        shown.iter().map(|at| if table.columns[*at].1 { "---:" } else { "---" }).collect();
    let _ = writeln!(out, "{}\n", words(&table.caption));
    let _ = writeln!(out, "| {} |\n| {} |", header.join(" | "), rule.join(" | "));
    for row in &table.rows {
        let cells: Vec<String> = shown.iter().filter_map(|at| row.get(*at)).map(cell).collect();
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    }
    if table.more > 0 {
        let _ = writeln!(out, "\nand {} more", grouped(table.more));
    }
    out.push('\n');
}

fn cell(cell: &Cell) -> String {
    match cell {
        Cell::Words(text) => words(text),
        Cell::Lines(lines) => words(&lines.join("; ")),
        Cell::Code(text) | Cell::Query(text) => code(text),
        Cell::Count(count) => grouped(*count),
        Cell::Mark(_, word) => (*word).to_owned(),
        Cell::Ends(evaluated, missing, outcome) => match outcome {
            Outcome::NothingThere => "nothing there".to_owned(),
            Outcome::NotEvaluated => "**not evaluated**".to_owned(),
            Outcome::Passed => format!("{} ✓", grouped(*evaluated)),
            Outcome::Noted => format!("{} ▲ {} noted", grouped(*evaluated), grouped(*missing)),
            Outcome::Failed => {
                format!("{} ✕ **{} missing**", grouped(*evaluated), grouped(*missing))
            }
        },
        Cell::Shares(_) | Cell::Empty => String::new(),
    }
}

/// Words with names in backticks.
fn words(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts.map(|(at, part)| if at % 2 == 1 { code(part) } else { escape(part) }).collect()
}

/// A name as code, when code cannot end early in it; else escaped words.
fn code(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || " _.,:;/-+=$%()'\"@".contains(c);
    if !text.trim().is_empty() && text.chars().all(is_plain) {
        return format!("`{text}`");
    }
    escape(text)
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\n' | '\r' => out.push(' '),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '!' => out.extend(['\\', c]),
            _ => out.push(c),
        }
    }
    // No bare address becomes a link.
    out.replace("://", "&#58;//").replace("www.", "www&#46;").replace('@', "&#64;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_cannot_become_markup() {
        assert_eq!(escape("a|b\n<script>`x`"), "a\\|b &lt;script&gt;\\`x\\`");
        assert_eq!(words("a `b|c` d"), "a b\\|c d");
        assert_eq!(words("see `data/x.json`"), "see `data/x.json`");
        assert_eq!(escape("[x](https://a.b)"), "\\[x\\](https&#58;//a.b)");
    }
}
