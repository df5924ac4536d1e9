//! Rows that stand a line each: InstantDB's own lines, and bare rows.

use std::io::{self, BufRead, BufReader, Read};

use super::rows::{LONGEST_ROW, Place, Tally, too_long};
use crate::error::{Error, Result};
use crate::json;

/// What the lines of a file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lines {
    /// `{"entity":{…},"createdAt":<ms>}` and nothing else.
    Backup,
    /// The same, or the row itself.
    BackupOrBare,
}

/// Passes every line of a file on; `name` is the file's, for messages, and `failed` says what a
/// failing read means.
pub(super) fn read(
    input: impl Read,
    name: &str,
    lines: Lines,
    tally: &mut Tally<'_, '_>,
    failed: &dyn Fn(io::Error) -> Error,
) -> Result<()> {
    let mut input = BufReader::with_capacity(1 << 18, input);
    let mut buffer = Vec::new();
    let mut blank = None;
    for number in 1.. {
        buffer.clear();
        let most = LONGEST_ROW + 1;
        let read = input.by_ref().take(most).read_until(b'\n', &mut buffer).map_err(failed)?;
        if read == 0 {
            break;
        }
        let place = Place::Line(name, number);
        if buffer.len() as u64 >= most {
            return Err(too_long(place));
        }
        let line = text(&buffer, number).ok_or_else(|| {
            Error::damaged("the line is no UTF-8 text")
                .at(place)
                .help("take the source again: JSON files are UTF-8")
        })?;
        if line.is_empty() {
            blank = blank.or(Some(number));
            continue;
        }
        if let Some(blank) = blank {
            return Err(Error::damaged("a blank line stands between rows")
                .at(Place::Line(name, blank))
                .help("a row may be missing there: take the source again"));
        }
        let (object, created_at) = row(line, lines, place)?;
        tally.row(object, created_at, place)?;
    }
    Ok(())
}

fn text(line: &[u8], number: u64) -> Option<&str> {
    let text = std::str::from_utf8(line).ok()?;
    let text = if number == 1 { text.trim_start_matches('\u{feff}') } else { text };
    Some(text.trim_matches([' ', '\t', '\r', '\n']))
}

fn row<'l>(line: &'l str, lines: Lines, place: Place<'_>) -> Result<(&'l str, Option<i64>)> {
    let members = json::members(line).map_err(|error| {
        Error::damaged("the line is no JSON object")
            .at(place)
            .help("the file may be cut off or edited: take the source again")
            .because(error)
    })?;
    match (backup(&members), lines) {
        (Some(row), _) => Ok(row),
        (None, Lines::BackupOrBare) => Ok((line, None)),
        (None, Lines::Backup) => {
            Err(Error::damaged("the line is not of the form `{\"entity\":{…},\"createdAt\":<ms>}`")
                .at(place)
                .help("name a backup archive as InstantDB writes it"))
        }
    }
}

/// InstantDB's line: `entity`, and `createdAt` or nothing.
fn backup<'l>(members: &[(std::borrow::Cow<'l, str>, &'l str)]) -> Option<(&'l str, Option<i64>)> {
    let (mut object, mut created_at) = (None, None);
    for (key, raw) in members {
        let whole = || raw.parse::<i64>().ok();
        match key.as_ref() {
            "entity" if object.is_none() && raw.starts_with('{') => object = Some(*raw),
            "createdAt" if created_at.is_none() && *raw == "null" => created_at = Some(None),
            "createdAt" if created_at.is_none() => created_at = Some(Some(whole()?)),
            _ => return None,
        }
    }
    Some((object?, created_at.flatten()))
}
