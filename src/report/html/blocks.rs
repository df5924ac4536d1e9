//! Sections, tables and cells as HTML.

use std::fmt::Write as _;

use super::escape::{escape, words};
use super::figures;
use crate::error::grouped;
use crate::report::sections::{Block, Cell, Mark, Section, Table};
use crate::verify::Outcome;

/// The kinds of shares a bar shows, in order.
const SHARES: [(&str, &str); 4] = [
    ("migrated", "migrated"),
    ("merged", "merged"),
    ("quarantined", "quarantined"),
    ("dropped", "dropped by rule"),
];

/// Writes a section; figures are numbered through the page.
pub(super) fn write_section(out: &mut String, section: &Section, figures: &mut usize) {
    let (id, title) = (section.id, section.title);
    // Writing to a `String` cannot fail, here and below.
    let _ = writeln!(
        out,
        "<section id=\"{id}\" aria-labelledby=\"h-{id}\">\n<h2 id=\"h-{id}\">{title}</h2>"
    );
    if !section.lead.is_empty() {
        let _ = writeln!(out, "<p class=\"lead\">{}</p>", words(&section.lead));
    }
    for block in &section.blocks {
        write_block(out, block, figures);
    }
    out.push_str("</section>\n");
}

fn write_block(out: &mut String, block: &Block, figures: &mut usize) {
    match block {
        Block::Table(table) => write_table(out, table),
        Block::Folded(table) => {
            let caption = words(&table.caption);
            let _ = writeln!(out, "<details class=\"fold\">\n<summary>{caption}</summary>");
            write_table(out, table);
            out.push_str("</details>\n");
        }
        Block::Group(title, blocks) => {
            let title = words(title);
            let _ =
                writeln!(out, "<details class=\"fold group\">\n<summary>{title}</summary>\n<div>");
            for block in blocks {
                write_block(out, block, figures);
            }
            out.push_str("</div>\n</details>\n");
        }
        Block::Figure(figure) => {
            *figures += 1;
            out.push_str(&figures::figure(figure, *figures));
        }
        Block::Heading(text) => {
            let _ = writeln!(out, "<h3>{}</h3>", words(text));
        }
        Block::Text(text) => {
            let _ = writeln!(out, "<p class=\"text\">{}</p>", words(text));
        }
        Block::List(items) => {
            out.push_str("<ul class=\"list\">\n");
            for item in items {
                let _ = writeln!(out, "<li>{}</li>", words(item));
            }
            out.push_str("</ul>\n");
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
    write_legend(out, table);
    let is_matrix = table.rows.iter().flatten().any(|cell| matches!(cell, Cell::Ends(..)));
    let class = if is_matrix { " class=\"matrix\"" } else { "" };
    let _ = writeln!(out, "<div class=\"scroll\"><table{class}>");
    if !table.caption.is_empty() {
        let _ = writeln!(out, "<caption>{}</caption>", words(&table.caption));
    }
    out.push_str("<thead><tr>");
    for (name, is_count) in &table.columns {
        let class = match (*is_count, name.as_ref()) {
            (true, _) => " class=\"n\"",
            (_, "query") => " class=\"q\"",
            _ => "",
        };
        let _ = write!(out, "<th scope=\"col\"{class}>{}</th>", words(name));
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

/// What the colours of the bars mean, where the table has bars.
fn write_legend(out: &mut String, table: &Table) {
    let shares = table.rows.iter().flatten().filter_map(|cell| match cell {
        Cell::Shares(shares) => Some(shares),
        _ => None,
    });
    let sums = shares.fold([0_u64; 4], |mut sums, shares| {
        (0..4).for_each(|at| sums[at] += shares[at]);
        sums
    });
    if sums == [0; 4] {
        return;
    }
    out.push_str("<p class=\"legend\" aria-hidden=\"true\">");
    for ((class, name), sum) in SHARES.into_iter().zip(sums) {
        if sum > 0 || class != "dropped" {
            let _ = write!(out, "<span class=\"{class}\"></span>{name} ");
        }
    }
    out.push_str("</p>\n");
}

fn write_cell(out: &mut String, cell: &Cell, at: usize, label: &str) {
    let (class, content) = match cell {
        Cell::Words(text) => ("w", words(text)),
        Cell::Lines(lines) => {
            ("w", lines.iter().map(|it| format!("<div>{}</div>", words(it))).collect())
        }
        Cell::Code(text) => ("c", format!("<code>{}</code>", escape(text))),
        Cell::Count(0) => ("n zero", "0".to_owned()),
        Cell::Count(count) => ("n", grouped(*count)),
        Cell::Mark(mark, word) => ("k", mark_html(*mark, word)),
        Cell::Shares(shares) => ("s", bar(*shares)),
        Cell::Ends(evaluated, missing, outcome) => ends(*evaluated, *missing, *outcome),
        Cell::Query(query) => (
            "q",
            format!("<details><summary>query</summary><pre>{}</pre></details>", escape(query)),
        ),
        Cell::Empty => ("e", String::new()),
    };
    let _ = if at == 0 {
        write!(out, "<th scope=\"row\" class=\"{class}\">{content}</th>")
    } else {
        let label = escape(label);
        write!(out, "<td class=\"{class}\" data-label=\"{label}\">{content}</td>")
    };
}

/// A cell of the matrix of links.
fn ends(evaluated: u64, missing: u64, outcome: Outcome) -> (&'static str, String) {
    let (class, symbol, said) = match outcome {
        Outcome::Passed => ("ends good", "✓", format!("{} missing", grouped(missing))),
        Outcome::Failed => ("ends bad", "✕", format!("{} missing", grouped(missing))),
        Outcome::Noted => ("ends noted", "▲", format!("{} noted", grouped(missing))),
        Outcome::NotEvaluated => ("ends bad", "✕", "not evaluated".to_owned()),
        Outcome::NothingThere => ("ends open", "○", "nothing there".to_owned()),
    };
    let evaluated = grouped(evaluated);
    let content = format!(
        "<span><span class=\"sign\" aria-hidden=\"true\">{symbol}</span> {evaluated}</span> <small>{said}</small>"
    );
    (class, content)
}

pub(super) fn mark_html(mark: Mark, word: &str) -> String {
    let (class, symbol) = match mark {
        Mark::Good => ("good", "✓"),
        Mark::Noted => ("noted", "▲"),
        Mark::Bad => ("bad", "✕"),
        Mark::Neutral => ("open", "○"),
    };
    format!("<span class=\"mark {class}\"><span aria-hidden=\"true\">{symbol}</span> {word}</span>")
}

/// A bar of shares; what is there at all is wide enough to be seen.
fn bar(shares: [u64; 4]) -> String {
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
    let largest = (0..4).max_by_key(|at| widths[*at]).unwrap_or(0);
    let others: u64 = (0..4).filter(|at| *at != largest).map(|at| widths[at]).sum();
    widths[largest] = WIDTH.saturating_sub(others);
    let said: Vec<String> = SHARES
        .into_iter()
        .zip(shares)
        .filter(|((class, _), share)| *share > 0 || *class != "dropped")
        .map(|((_, name), share)| format!("{} {name}", grouped(share)))
        .collect();
    let mut svg = format!(
        "<svg class=\"bar\" viewBox=\"0 0 {WIDTH} 10\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-label=\"{}\">",
        said.join(", ")
    );
    let mut x = 0;
    for ((class, _), width) in SHARES.into_iter().zip(widths) {
        if width > 0 {
            let _ =
                write!(svg, "<rect class=\"{class}\" x=\"{x}\" width=\"{width}\" height=\"10\"/>");
        }
        x += width;
    }
    svg + "</svg>"
}
