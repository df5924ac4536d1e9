//! InstantDB's lines: `{"entity":{…},"createdAt":<ms>}`.

use std::borrow::Cow;
use std::io::{BufRead as _, BufReader, Read};

use super::app::broken;
use crate::error::{Error, Result, grouped};
use crate::json;

/// A row as its line has it.
pub(super) struct Line<'l> {
    /// Labels and values.
    pub(super) members: Vec<(Cow<'l, str>, &'l str)>,
    /// Epoch milliseconds, when the line says it.
    pub(super) created_at: Option<&'l str>,
}

impl<'l> Line<'l> {
    /// Reads a line; `None` when it is none of InstantDB's.
    pub(super) fn parse(text: &'l str) -> Option<Self> {
        let (mut entity, mut created_at) = (None, None);
        for (name, raw) in json::members(text).ok()? {
            match name.as_ref() {
                "entity" => entity = Some(raw),
                "createdAt" if raw != "null" => created_at = Some(raw),
                _ => {}
            }
        }
        Some(Self { members: json::members(entity?).ok()?, created_at })
    }

    /// The row's id.
    pub(super) fn id(&self) -> Option<Cow<'l, str>> {
        let id = self.members.iter().find(|(label, _)| label == "id")?;
        json::string(id.1)
    }
}

/// Passes every line that is not blank.
///
/// # Errors
/// The input cannot be read or is no text, or what `visit` says.
pub(super) fn each(
    input: impl Read,
    place: &str,
    visit: &mut dyn FnMut(&str) -> Result<()>,
) -> Result<()> {
    let mut input = BufReader::with_capacity(1 << 18, input);
    let mut line = Vec::new();
    let mut number = 0;
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line).map_err(|error| broken(place, error))? == 0 {
            return Ok(());
        }
        number += 1;
        let text =
            std::str::from_utf8(&line).map_err(|error| no_row(place, number).because(error))?;
        let text = text.trim_start_matches('\u{feff}').trim_matches([' ', '\t', '\r', '\n']);
        if !text.is_empty() {
            visit(text)?;
        }
    }
}

fn no_row(place: &str, number: u64) -> Error {
    Error::damaged("a line is no UTF-8 text").at(format!("{place}, line {}", grouped(number)))
}
