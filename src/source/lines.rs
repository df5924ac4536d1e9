//! Rows that stand a line each: InstantDB's own lines, and bare rows.

use std::io::{self, BufRead, BufReader, Read};

use super::rows::{At, LONGEST_ROW, Tally, too_long};
use super::{Form, Row};
use crate::error::{Error, Result};
use crate::json;

/// Passes every line of a file on; `name` is the file's, for messages, and `failed` says what a
/// failing read means.
pub(super) fn read(
    input: impl Read,
    name: &str,
    form: Form,
    tally: &mut Tally<'_, '_>,
    failed: &dyn Fn(io::Error) -> Error,
) -> Result<()> {
    let mut input = BufReader::with_capacity(1 << 18, input);
    let mut buffer = Vec::new();
    let mut blank = None;
    for number in 1.. {
        buffer.clear();
        let most = LONGEST_ROW + 1;
        read_line(&mut input, most, &mut buffer).map_err(failed)?;
        if buffer.is_empty() {
            break;
        }
        let place = At::Line(name, number);
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
                .at(At::Line(name, blank))
                .help("a row may be missing there: take the source again"));
        }
        tally.row(line, form, None, place)?;
    }
    Ok(())
}

/// Reads up to the end of a line, which is taken too, or up to so many bytes.
fn read_line(input: &mut impl BufRead, most: u64, line: &mut Vec<u8>) -> io::Result<()> {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    while line.len() < most {
        let found = match input.fill_buf() {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let found = &found[..found.len().min(most - line.len())];
        let end = memchr::memchr(b'\n', found);
        let taken = end.map_or(found.len(), |end| end + 1);
        line.extend_from_slice(&found[..taken]);
        input.consume(taken);
        if end.is_some() || taken == 0 {
            break;
        }
    }
    Ok(())
}

fn text(line: &[u8], number: u64) -> Option<&str> {
    let text = simdutf8::basic::from_utf8(line).ok()?;
    let text = if number == 1 { text.trim_start_matches('\u{feff}') } else { text };
    Some(text.trim_matches([' ', '\t', '\r', '\n']))
}

/// The object of a backup's line and its creation time by the two ends of the line alone: right if
/// what stands between them is one JSON object.
pub(super) fn ends(line: &str) -> Option<(&str, Option<i64>)> {
    let rest = line.strip_prefix("{\"entity\":")?.strip_suffix('}')?;
    let digits = rest.bytes().rev().take_while(u8::is_ascii_digit).count();
    let (rest, digits) = rest.split_at(rest.len() - digits);
    let object = rest.strip_suffix(",\"createdAt\":")?;
    let is_number = digits == "0" || !digits.starts_with('0');
    Some((object, Some(digits.parse().ok().filter(|_| is_number)?)))
}

/// The object of a row and its creation time, after the whole text was parsed.
pub(super) fn object<'l>(row: &Row<'l>) -> Result<(&'l str, Option<i64>)> {
    if row.form == Form::Object {
        return Ok((row.text, row.server_created_at));
    }
    let members = json::members(row.text).map_err(|error| {
        Error::damaged("the line is no JSON object")
            .at(row.at)
            .help("the file may be cut off or edited: take the source again")
            .because(error)
    })?;
    match (backup(&members), row.form) {
        (Some(found), _) => Ok(found),
        (None, Form::Line) => {
            Err(Error::damaged("the line is not of the form `{\"entity\":{…},\"createdAt\":<ms>}`")
                .at(row.at)
                .help("name a backup archive as InstantDB writes it"))
        }
        (None, _) => Ok((row.text, None)),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_a_line_say_what_the_whole_says() {
        for line in [
            r#"{"entity":{},"createdAt":0}"#,
            r#"{"entity":{"id":"a","b":{"createdAt":7}},"createdAt":1700000000000}"#,
            r#"{"entity":{"a":1},"createdAt":9223372036854775807}"#,
        ] {
            let row = Row {
                entity: "e",
                text: line,
                form: Form::Line,
                server_created_at: None,
                at: At::Line("f", 1),
            };
            assert_eq!(ends(line), Some(object(&row).unwrap()), "{line}");
        }
        for line in [
            r#"{"entity":{},"createdAt":01}"#,
            r#"{"entity":{},"createdAt":}"#,
            r#"{"entity":{},"createdAt":-1}"#,
            r#"{"entity":{},"createdAt":9223372036854775808}"#,
            r#"{"entity":{},"createdAt":null}"#,
            r#"{"createdAt":1,"entity":{}}"#,
            r#"{"entity":{}}"#,
        ] {
            assert_eq!(ends(line), None, "{line}");
        }
    }
}
