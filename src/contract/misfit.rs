//! What does not fit in a contract, and where.

use std::cell::RefCell;

use crate::error::{Error, Result, grouped, printable};

/// A place in one of the texts a contract is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// Which text, as [`Misfits::file`] numbered it.
    pub(super) file: usize,
    /// Byte offset into it.
    pub(super) offset: usize,
}

/// All that does not fit, found so far.
#[derive(Debug, Default)]
pub(super) struct Misfits {
    /// Name and text; a command line argument has no text.
    files: RefCell<Vec<(String, Option<String>)>>,
    list: RefCell<Vec<(Place, String)>>,
}

impl Misfits {
    /// Makes a text known, for positions in it.
    pub(super) fn file(&self, name: &str, text: Option<&str>) -> usize {
        let mut files = self.files.borrow_mut();
        files.push((name.to_owned(), text.map(str::to_owned)));
        files.len() - 1
    }

    /// Notes a misfit.
    pub(super) fn add(&self, place: Place, what: impl Into<String>) {
        self.list.borrow_mut().push((place, what.into()));
    }

    /// Whether there is none so far.
    pub(super) fn is_empty(&self) -> bool {
        self.list.borrow().is_empty()
    }

    /// One error with all of them, in the order of the files.
    ///
    /// # Errors
    /// There is at least one.
    pub(super) fn none(self) -> Result<()> {
        let mut list = self.list.into_inner();
        list.sort();
        list.dedup();
        if list.is_empty() {
            return Ok(());
        }
        let count = grouped(list.len() as u64);
        let noun = if list.len() == 1 { "misfit" } else { "misfits" };
        let mut error = Error::usage(format!("the contract has {count} {noun}"));
        error.at = lines(&self.files.into_inner(), &list);
        Err(error.help("correct each place, then run `rethread contract check` on it"))
    }
}

/// Each misfit as `NAME:LINE:COLUMN: what`, in one pass over the texts.
fn lines(files: &[(String, Option<String>)], list: &[(Place, String)]) -> Vec<String> {
    let mut out = Vec::with_capacity(list.len());
    for (number, (name, text)) in files.iter().enumerate() {
        let mut chars = text.as_deref().unwrap_or_default().char_indices().peekable();
        let (mut line, mut column) = (1_u64, 1_u64);
        for (place, what) in list.iter().filter(|(place, _)| place.file == number) {
            while let Some((_, c)) = chars.next_if(|(at, _)| *at < place.offset) {
                (line, column) = if c == '\n' { (line + 1, 1) } else { (line, column + 1) };
            }
            out.push(printable(&match text {
                Some(_) => format!("{name}:{line}:{column}: {what}"),
                None => format!("{name}: {what}"),
            }));
        }
    }
    out
}

/// The longest name a message shows.
const SHOWN: usize = 80;

/// A name in backticks, on one line and of bounded length.
pub(super) fn quoted(name: &str) -> String {
    let mut shown: String = name.chars().take(SHOWN).collect();
    if shown.len() < name.len() {
        shown.push('…');
    }
    format!("`{}`", shown.replace('\n', "\\n"))
}

/// `; did you mean …?` when one of the known names is near.
pub(super) fn hint<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let most = if name.chars().count() < 4 { 1 } else { 2 };
    known
        .into_iter()
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= most && *distance < candidate.len())
        .min()
        .map_or_else(String::new, |(_, near)| format!("; did you mean {}?", quoted(near)))
}

/// How many characters to insert, delete or replace; case alone counts as one in all.
fn distance(a: &str, b: &str) -> usize {
    if a.eq_ignore_ascii_case(b) {
        return usize::from(a != b);
    }
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > 2 || a.len() > SHOWN {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// Names as a list: `` `a`, `b` or `c` ``.
pub(super) fn one_of(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| quoted(name)).collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => names.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_offered() {
        let known = ["context_events", "status", "key"];
        for (name, expected) in [
            ("context_event", "; did you mean `context_events`?"),
            ("Status", "; did you mean `status`?"),
            ("ky", "; did you mean `key`?"),
            ("payload", ""),
            ("", ""),
        ] {
            assert_eq!(hint(name, known), expected, "{name}");
        }
    }

    #[test]
    fn columns_count_characters() {
        let misfits = Misfits::default();
        let file = misfits.file("a.toml", Some("x = 1\nä = \u{1f600} y"));
        misfits.add(Place { file, offset: "x = 1\nä = \u{1f600} ".len() }, "here");
        assert_eq!(misfits.none().unwrap_err().at, ["a.toml:2:7: here"]);
    }

    #[test]
    fn names_out_of_a_file_stay_on_one_line() {
        assert_eq!(quoted("a\nb"), "`a\\nb`");
        assert_eq!(quoted(&"x".repeat(1000)).chars().count(), SHOWN + 3);
    }
}
