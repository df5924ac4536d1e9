//! A document as Markdown that shows texts as they are: no HTML and no markup out of them.

use std::fmt::Write as _;

use super::{Block, Document};
use crate::error::printable;

/// Writes a document as Markdown.
pub fn markdown(document: &Document) -> String {
    let mut out = format!("# {}\n", words(&document.title));
    // Writing to a `String` cannot fail, here and below.
    if !document.blanks.is_empty() {
        let _ = writeln!(out, "\nBlanks that nobody filled:\n");
        for blank in &document.blanks {
            let _ = writeln!(out, "- {}", code(blank));
        }
        let said = "Fill them in a release file (`rethread contract init` starts one), then transform \
                    again.";
        let _ = writeln!(out, "\n{}", words(said));
    }
    for section in &document.sections {
        let _ = writeln!(out, "\n## {}) {}", section.number, words(&section.title));
        for block in &section.blocks {
            out.push('\n');
            write_block(&mut out, block);
        }
    }
    out
}

fn write_block(out: &mut String, block: &Block) {
    match block {
        Block::Heading(text) => {
            let _ = writeln!(out, "### {}", words(text));
        }
        Block::Text(text) => {
            let _ = writeln!(out, "{}", line(text));
        }
        Block::List(items) => {
            for item in items {
                let _ = writeln!(out, "- {}", line(item));
            }
        }
        Block::Table { columns, rows } => {
            let rule: Vec<&str> = columns.iter().map(|_| "---").collect();
            write_row(out, columns);
            let _ = writeln!(out, "| {} |", rule.join(" | "));
            for row in rows {
                write_row(out, row);
            }
        }
    }
}

fn write_row(out: &mut String, cells: &[String]) {
    let cells: Vec<String> = cells.iter().map(|cell| words(cell)).collect();
    let _ = writeln!(out, "| {} |", cells.join(" | "));
}

/// Words at the beginning of a line, where a mark or a number would begin a list.
fn line(text: &str) -> String {
    let words = words(text);
    let begins = words.trim_start();
    if begins.starts_with(['-', '+', '=']) {
        return format!("\\{begins}");
    }
    let digits = begins.bytes().take_while(u8::is_ascii_digit).count();
    match begins.as_bytes().get(digits) {
        Some(b'.' | b')') if digits > 0 => {
            format!("{}\\{}", &begins[..digits], &begins[digits..])
        }
        _ => begins.to_owned(),
    }
}

/// Words with names in backticks. A backtick without its pair is one.
fn words(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    let paired = parts.len() % 2 == 1;
    let last = parts.len() - 1;
    let shown = parts.into_iter().enumerate().map(|(at, part)| match at % 2 {
        1 if at == last && !paired => format!("\\`{}", escape(part)),
        1 => code(part),
        _ => escape(part),
    });
    shown.collect()
}

/// A name as code, when code cannot end early in it; else escaped words.
fn code(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || " _.,:;/-+=$%()'\"@*^!{}>#?&…".contains(c);
    if !text.trim().is_empty() && text.chars().all(is_plain) {
        return format!("`{text}`");
    }
    escape(text)
}

fn escape(text: &str) -> String {
    let text = printable(text);
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\n' => out.push(' '),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '$' => out.extend(['\\', c]),
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
    fn texts_cannot_become_markup() {
        assert_eq!(words("a|b\n<script> `x|y` `z`"), "a\\|b &lt;script&gt; x\\|y `z`");
        assert_eq!(words("an `open one"), "an \\`open one");
        assert_eq!(words("`<img>`"), "&lt;img&gt;");
        assert_eq!(words("![x](https://a.b)"), "!\\[x\\](https&#58;//a.b)");
        assert_eq!(words("a\u{202e}b"), "a\\\\u{202e}b");
        assert_eq!(words("``"), "");
        assert_eq!(line("1. one"), "1\\. one");
        assert_eq!(line("- one"), "\\- one");
        assert_eq!(line("2026 is a year"), "2026 is a year");
    }
}
