//! The report as one self-contained HTML file: no request, everything escaped, readable without
//! script. A little script sorts and filters tables; its hash is the only one the page allows.

mod blocks;
mod escape;
mod figures;
mod head;
mod script;
mod svg;

use std::fmt::Write as _;

use super::Report;
use super::sections::{Detail, clip, sections};
use escape::escape;

const STYLE: &str = include_str!("html/style.css");

/// The file never gets larger than this, whatever the data.
const MOST_BYTES: usize = 1 << 20;

/// Renders the report as HTML.
pub fn html(report: &Report) -> String {
    let details = [(500, true), (200, false), (40, false), (8, false), (3, false)];
    let mut page = String::new();
    for (rows, queries) in details {
        page = render(report, Detail { rows, queries, full: true });
        if page.len() <= MOST_BYTES {
            break;
        }
    }
    page
}

fn render(report: &Report, detail: Detail) -> String {
    let sections = sections(report, detail);
    let mut out = String::with_capacity(1 << 17);
    out.push_str("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    // Writing to a `String` cannot fail, here and below.
    let _ = writeln!(
        out,
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'unsafe-inline'; script-src '{}'; base-uri 'none'; form-action 'none'\">",
        script::hash()
    );
    out.push_str(
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n",
    );
    let title = escape(&report.verdict.title);
    let _ = writeln!(out, "<title>{title} · {}</title>", head::name_of(report));
    let _ = writeln!(out, "<style>\n{STYLE}</style>\n</head>\n<body>\n{}", svg::PATTERNS);
    out.push_str("<a class=\"skip\" href=\"#report\">To the report</a>\n<div class=\"page\">\n");
    head::write_contents(&mut out, &sections);
    out.push_str("<main id=\"report\">\n");
    head::write(&mut out, report);
    let mut figures = 0;
    for section in &sections {
        blocks::write_section(&mut out, section, &mut figures);
    }
    let _ = writeln!(
        out,
        "<footer><p>Made by {} from what stands in the bundle's folder. No clock and no network \
         took part: the same bundle gives the same report.</p></footer>\n</main>\n</div>",
        escape(&clip(&report.program, 80))
    );
    let _ = writeln!(out, "<script>{}</script>\n</body>\n</html>", script::SCRIPT);
    out
}
