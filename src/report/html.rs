//! The report as one self-contained HTML file: no request, no script, everything escaped.

use std::fmt::Write as _;

use super::sections::{Block, Cell, Detail, Mark, Section, Table, clip, sections};
use super::{Report, State};
use crate::error::grouped;

const STYLE: &str = include_str!("html/style.css");

/// The file never gets larger than this, whatever the data.
const MOST_BYTES: usize = 1 << 20;

/// Renders the report as HTML.
pub fn html(report: &Report) -> String {
    let details = [(500, true), (200, false), (40, false), (8, false)];
    let mut page = String::new();
    for (rows, queries) in details {
        page = render(report, Detail { rows, queries });
        if page.len() <= MOST_BYTES {
            break;
        }
    }
    page
}

fn render(report: &Report, detail: Detail) -> String {
    let sections = sections(report, detail);
    let mut out = String::with_capacity(1 << 16);
    out.push_str("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    out.push_str(
        "<meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n",
    );
    // Writing to a `String` cannot fail, here and below.
    let _ = writeln!(out, "<title>{} · {}</title>", report.verdict.title, name_of(report));
    let _ = writeln!(out, "<style>\n{STYLE}</style>\n</head>\n<body>\n<main>");
    write_head(&mut out, report);
    write_contents(&mut out, &sections);
    for section in &sections {
        write_section(&mut out, section);
    }
    let _ = writeln!(
        out,
        "<footer><p>Made by {} from what stands in the bundle's folder. No clock and no network \
         took part: the same bundle gives the same report.</p></footer>\n</main>\n</body>\n</html>",
        escape(&clip(&report.program, 80))
    );
    out
}

/// What a person calls this migration: the app's title, else the source's name.
fn name_of(report: &Report) -> String {
    let name = report.source.title.as_deref().unwrap_or(&report.source.name);
    escape(&clip(name, 120))
}

fn write_head(out: &mut String, report: &Report) {
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
            "<circle cx=\"16\" cy=\"16\" r=\"14\" stroke-dasharray=\"5 4\"/><path d=\"M16 9v8M16 22v.5\"/>",
        ),
    };
    let _ = writeln!(
        out,
        "<header class=\"verdict {class}\">\n<svg viewBox=\"0 0 32 32\" aria-hidden=\"true\">{icon}</svg>\n\
         <div>\n<p class=\"kicker\">Migration of {}</p>\n<h1>{}</h1>\n<p>{}</p>\n</div>\n</header>",
        name_of(report),
        escape(&report.verdict.title),
        words(&report.verdict.sentence)
    );
    let totals = &report.totals;
    out.push_str("<dl class=\"sum\">\n");
    for (sign, name, count) in [
        ("", "legacy rows", totals.legacy),
        ("=", "migrated", totals.migrated),
        ("+", "merged", totals.merged),
        ("+", "quarantined", totals.quarantined),
    ] {
        let class = if name == "legacy rows" { "all" } else { name };
        let _ = writeln!(
            out,
            "<div class=\"{class}\"><span aria-hidden=\"true\">{sign}</span><dt>{name}</dt><dd>{}</dd></div>",
            grouped(count)
        );
    }
    out.push_str("</dl>\n");
    write_facts(out, report);
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
}

fn write_contents(out: &mut String, sections: &[Section]) {
    out.push_str("<nav aria-label=\"Sections\"><ul>\n");
    for section in sections {
        let _ = writeln!(out, "<li><a href=\"#{}\">{}</a></li>", section.id, section.title);
    }
    out.push_str("</ul></nav>\n");
}

fn write_section(out: &mut String, section: &Section) {
    let (id, title) = (section.id, section.title);
    let _ = writeln!(
        out,
        "<section id=\"{id}\" aria-labelledby=\"h-{id}\">\n<h2 id=\"h-{id}\">{title}</h2>"
    );
    if !section.lead.is_empty() {
        let _ = writeln!(out, "<p class=\"lead\">{}</p>", words(&section.lead));
    }
    for block in &section.blocks {
        write_block(out, block);
    }
    out.push_str("</section>\n");
}

fn write_block(out: &mut String, block: &Block) {
    match block {
        Block::Table(table) => write_table(out, table),
        Block::Folded(table) => {
            let caption = words(&table.caption);
            let _ = writeln!(out, "<details class=\"fold\">\n<summary>{caption}</summary>");
            write_table(out, table);
            out.push_str("</details>\n");
        }
        Block::Steps(steps) => {
            out.push_str("<ol class=\"steps\">\n");
            for step in steps {
                let _ = writeln!(out, "<li>{}</li>", words(step));
            }
            out.push_str("</ol>\n");
        }
        Block::Commands(commands) => {
            out.push_str("<dl class=\"commands\">\n");
            for (what, command) in commands {
                let (what, command) = (escape(what), escape(command));
                let _ = writeln!(out, "<div><dt>{what}</dt><dd><code>{command}</code></dd></div>");
            }
            out.push_str("</dl>\n");
        }
    }
}

fn write_table(out: &mut String, table: &Table) {
    let has_shares = table.rows.iter().flatten().any(|cell| matches!(cell, Cell::Shares(_)));
    if has_shares {
        out.push_str(
            "<p class=\"legend\" aria-hidden=\"true\"><span class=\"migrated\"></span>migrated \
             <span class=\"merged\"></span>merged <span class=\"quarantined\"></span>quarantined</p>\n",
        );
    }
    let caption = words(&table.caption);
    let _ =
        writeln!(out, "<div class=\"scroll\"><table>\n<caption>{caption}</caption>\n<thead><tr>");
    for (name, is_count) in &table.columns {
        let class = match (*is_count, *name) {
            (true, _) => " class=\"n\"",
            (_, "query") => " class=\"q\"",
            _ => "",
        };
        let _ = write!(out, "<th scope=\"col\"{class}>{name}</th>");
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in &table.rows {
        out.push_str("<tr>");
        for (at, cell) in row.iter().enumerate() {
            write_cell(out, cell, at, table.columns.get(at).map_or("", |(name, _)| name));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n</table></div>\n");
    if table.more > 0 {
        let _ = writeln!(out, "<p class=\"more\">and {} more</p>", grouped(table.more));
    }
}

fn write_cell(out: &mut String, cell: &Cell, at: usize, label: &str) {
    let (class, content) = match cell {
        Cell::Words(text) => ("w", words(text)),
        Cell::Code(text) => ("c", format!("<code>{}</code>", escape(text))),
        Cell::Count(0) => ("n zero", "0".to_owned()),
        Cell::Count(count) => ("n", grouped(*count)),
        Cell::Mark(mark, word) => ("k", mark_html(*mark, word)),
        Cell::Shares(shares) => ("s", bar(*shares)),
        Cell::Query(query) => (
            "q",
            format!("<details><summary>query</summary><pre>{}</pre></details>", escape(query)),
        ),
        Cell::Empty => ("e", String::new()),
    };
    let _ = if at == 0 {
        write!(out, "<th scope=\"row\" class=\"{class}\">{content}</th>")
    } else {
        write!(out, "<td class=\"{class}\" data-label=\"{label}\">{content}</td>")
    };
}

fn mark_html(mark: Mark, word: &str) -> String {
    let (class, symbol) = match mark {
        Mark::Good => ("good", "✓"),
        Mark::Bad => ("bad", "✕"),
        Mark::Neutral => ("open", "○"),
    };
    format!("<span class=\"mark {class}\"><span aria-hidden=\"true\">{symbol}</span> {word}</span>")
}

/// A bar of three shares; what is there at all is wide enough to be seen.
fn bar(shares: [u64; 3]) -> String {
    const WIDTH: u64 = 1000;
    const LEAST: u64 = 24;
    let all: u64 = shares.iter().sum();
    if all == 0 {
        return "<span class=\"none\">no rows</span>".to_owned();
    }
    let wide = |share: u64| u64::try_from(u128::from(share) * u128::from(WIDTH) / u128::from(all));
    let mut widths = shares.map(|share| match share {
        0 => 0,
        _ => wide(share).unwrap_or(WIDTH).max(LEAST),
    });
    let largest = (0..3).max_by_key(|at| widths[*at]).unwrap_or(0);
    let others: u64 = (0..3).filter(|at| *at != largest).map(|at| widths[at]).sum();
    widths[largest] = WIDTH.saturating_sub(others);
    let mut svg = format!(
        "<svg class=\"bar\" viewBox=\"0 0 {WIDTH} 10\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-label=\"{} migrated, {} merged, {} quarantined\">",
        grouped(shares[0]),
        grouped(shares[1]),
        grouped(shares[2])
    );
    let mut x = 0;
    for (class, width) in ["migrated", "merged", "quarantined"].into_iter().zip(widths) {
        if width > 0 {
            let _ =
                write!(svg, "<rect class=\"{class}\" x=\"{x}\" width=\"{width}\" height=\"10\"/>");
        }
        x += width;
    }
    svg + "</svg>"
}

/// Words with names in backticks.
fn words(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, part) in text.split('`').enumerate() {
        let _ = if at % 2 == 1 {
            write!(out, "<code>{}</code>", escape(part))
        } else {
            write!(out, "{}", escape(part))
        };
    }
    out
}

/// Text that HTML shows as it is, in content and in attributes.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in crate::error::printable(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}
