//! Texts of a document: foreign ones made plain, names as code, blanks that can be seen.

use super::Block;
use crate::error::{grouped, printable};

/// How many characters of a foreign text a document shows.
const MOST: usize = 2000;

/// A foreign text on one line: control characters escaped, backticks only in pairs.
pub(super) fn plain(text: &str) -> String {
    let mut out: String = printable(text).chars().take(MOST).collect();
    if text.chars().nth(MOST).is_some() {
        out.push('…');
    }
    let out = out.split('\n').map(str::trim).filter(|line| !line.is_empty());
    let out = out.collect::<Vec<_>>().join(" ");
    if out.matches('`').count() % 2 == 0 { out } else { out.replace('`', "'") }
}

/// A name as code.
pub(super) fn code(name: &str) -> String {
    let name = plain(name).replace('`', "'");
    if name.is_empty() { "(no name)".to_owned() } else { format!("`{name}`") }
}

/// Names as code, one after the other.
pub(super) fn codes<T: AsRef<str>>(names: &[T]) -> String {
    names.iter().map(|name| code(name.as_ref())).collect::<Vec<_>>().join(", ")
}

/// What stands where nobody filled a blank.
pub(super) fn blank(key: &str) -> String {
    format!("⚠ blank: `{key}`")
}

/// A text of the contract, or its blank.
pub(super) fn or_blank(key: &str, text: &str) -> String {
    if text.trim().is_empty() { blank(key) } else { plain(text) }
}

/// A list of the contract as code, or its blank.
pub(super) fn or_blanks(key: &str, texts: &[String]) -> String {
    if texts.is_empty() { blank(key) } else { codes(texts) }
}

/// What stands where nothing was measured.
pub(super) const NOT_MEASURED: &str = "⚠ not measured";

/// The same where a snapshot would have to be looked at, with the way to it.
pub(super) const NO_SNAPSHOT: &str =
    "⚠ not measured: give the snapshot, as `rethread contract render --snapshot SNAPSHOT`";

/// The same where a bundle would have counted.
pub(super) const NO_BUNDLE: &str =
    "⚠ not measured: give the bundle, as `rethread contract render --bundle BUNDLE`";

/// Bytes as a person reads them.
#[allow(clippy::cast_precision_loss, reason = "a size is shown with one decimal")]
pub(super) fn size(bytes: u64) -> String {
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut size = bytes as f64 / 1024.0;
    let mut units = ["KiB", "MiB", "GiB", "TiB"].iter();
    let mut unit = units.next().copied().unwrap_or_default();
    for next in units {
        if size < 1024.0 {
            break;
        }
        size /= 1024.0;
        unit = next;
    }
    format!("{size:.1} {unit}")
}

/// A count and its noun.
pub(super) fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { many })
}

pub(super) fn heading(text: &str) -> Block {
    Block::Heading(text.to_owned())
}

pub(super) fn text(text: impl Into<String>) -> Block {
    Block::Text(text.into())
}

/// A table with these heads.
pub(super) fn table<const N: usize>(
    columns: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> Block {
    let columns = columns.map(str::to_owned).to_vec();
    Block::Table { columns, rows: rows.into_iter().map(|row| row.to_vec()).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_text_stays_on_its_line_and_opens_no_code() {
        assert_eq!(plain("a\n b\u{1b}[1m `c"), "a b\\u{1b}[1m 'c");
        assert_eq!(plain("a `b` c"), "a `b` c");
        assert_eq!(code("a`b"), "`a'b`");
        assert_eq!(code(" \n"), "(no name)");
        assert_eq!(plain(&"x".repeat(MOST + 1)).chars().count(), MOST + 1);
    }

    #[test]
    fn sizes_have_units() {
        let cases = [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (5 << 30, "5.0 GiB")];
        for (bytes, said) in cases {
            assert_eq!(size(bytes), said);
        }
    }
}
