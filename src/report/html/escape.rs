//! The one place where text becomes HTML.

use std::fmt::Write as _;

use crate::error::printable;

/// Text that HTML and SVG show as it is, in content and in attributes.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in printable(text).chars() {
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

/// Words with names in backticks.
pub(super) fn words(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, part) in text.split('`').enumerate() {
        // Writing to a `String` cannot fail.
        let _ = if at % 2 == 1 {
            write!(out, "<code>{}</code>", escape(part))
        } else {
            write!(out, "{}", escape(part))
        };
    }
    out
}

/// The same without code, for titles.
pub(super) fn plain(text: &str) -> String {
    escape(&text.replace('`', ""))
}
