//! The file of corrections: which line corrects which row. Lines are read when they are needed.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;

use super::aside::{Aside, Of};
use super::{Lines, Wanted};
use crate::bag;
use crate::error::{Error, Result, grouped};
use crate::json;
use crate::snapshot::{Extra, Member, number_date, object, parse_date};
use crate::source::At;
use crate::storage;

/// How many lines of one kind of mistake are named.
const MOST: usize = 10;
/// The longest line, in bytes.
const LONGEST: u64 = 1 << 30;

/// Where a line stands in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) number: u64,
    start: u64,
    bytes: u64,
}

/// A corrected row as its line has it.
pub(super) struct Fix {
    /// The declared values, and any other.
    pub(super) members: Vec<Member>,
    /// What stood in `_extra`.
    pub(super) extra: Vec<Member>,
    /// What stood in `_invalid`.
    pub(super) invalid: Vec<Member>,
    /// Its creation time in the store, when the line has it.
    pub(super) server: Option<i64>,
}

/// The corrections by entity and row.
pub(super) struct Fixes {
    path: PathBuf,
    name: String,
    sha256: String,
    file: RefCell<File>,
    rows: BTreeMap<String, Lines>,
}

impl Fixes {
    /// Reads which rows a file corrects.
    ///
    /// # Errors
    /// A line is no correction of a row, or of one that is not quarantined, or of one that another
    /// line corrects.
    pub(super) fn read(wanted: &Wanted<'_>) -> Result<Self> {
        let path = wanted.fixes;
        let mut fixes = Self {
            path: path.to_owned(),
            name: path.display().to_string(),
            sha256: bag::sha256_of(path)?.sha256,
            file: RefCell::new(storage::open(path)?),
            rows: BTreeMap::new(),
        };
        let aside = Aside::read(wanted.bundle, wanted.contract)?;
        let mut refused = Vec::new();
        fixes.scan(&mut |fixes, line, text| {
            let said = said(text).map_err(|error| error.at(fixes.at(&line)))?;
            match aside.row(&said, wanted) {
                Ok(Of::Row(entity, row)) => {
                    if let Some(first) =
                        fixes.rows.entry(entity.clone()).or_default().insert(row, line)
                    {
                        return Err(Error::usage("the row is corrected twice")
                            .at(fixes.at(&first))
                            .at(fixes.at(&line))
                            .help("keep one of the lines"));
                    }
                }
                Ok(Of::Sound(entity, row)) => {
                    refused.push(format!("{}: row {row} of `{entity}`", fixes.at(&line)));
                }
                Err(error) => return Err(error.at(fixes.at(&line))),
            }
            Ok(())
        })?;
        if !refused.is_empty() {
            return Err(not_aside(&refused));
        }
        if fixes.rows.is_empty() {
            return Err(Error::usage("the file corrects no row").at(path.display()));
        }
        Ok(fixes)
    }

    /// SHA-256 of the file.
    pub(super) fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The lines by entity and row.
    pub(super) fn by_entity(&self) -> &BTreeMap<String, Lines> {
        &self.rows
    }

    /// The line that corrects a row.
    pub(super) fn of(&self, entity: &str, row: u64) -> Option<Line> {
        self.rows.get(entity)?.get(&row).copied()
    }

    /// A line's place, for messages.
    pub(super) fn at(&self, line: &Line) -> At<'_> {
        At::Line(&self.name, line.number)
    }

    /// Reads the correction on a line.
    pub(super) fn fix(&self, line: &Line) -> Result<Fix> {
        let failed = |error| storage::failed(&self.path, error);
        let mut file = self.file.borrow_mut();
        file.seek(SeekFrom::Start(line.start)).map_err(failed)?;
        let mut bytes = Vec::new();
        (&mut *file).take(line.bytes).read_to_end(&mut bytes).map_err(failed)?;
        let changed = || Error::system("the file has changed while it was read").at(self.at(line));
        let text = String::from_utf8(bytes).map_err(|_| changed())?;
        let said = said(&text).map_err(|_| changed())?;
        let mut fix = Fix {
            members: Vec::new(),
            extra: Vec::new(),
            invalid: Vec::new(),
            server: said.server,
        };
        for (name, raw) in said.members {
            match name.as_str() {
                Extra::EXTRA if raw.starts_with('{') => fix.extra = object(&self.path, Some(raw))?,
                Extra::INVALID if raw.starts_with('{') => {
                    fix.invalid = object(&self.path, Some(raw))?;
                }
                _ => fix.members.push((name, raw.to_owned())),
            }
        }
        Ok(fix)
    }

    /// Visits the lines that are not blank.
    fn scan(&mut self, visit: &mut dyn FnMut(&mut Self, Line, &str) -> Result<()>) -> Result<()> {
        let mut input = BufReader::new(storage::open(&self.path)?);
        let (mut buffer, mut start) = (Vec::new(), 0);
        for number in 1.. {
            buffer.clear();
            let read = (&mut input).take(LONGEST).read_until(b'\n', &mut buffer);
            let bytes = read.map_err(|error| storage::failed(&self.path, error))? as u64;
            if bytes == 0 {
                break;
            }
            let line = Line { number, start, bytes };
            start += bytes;
            let text = std::str::from_utf8(&buffer).map_err(|error| {
                Error::usage("the line is no UTF-8 text").at(self.at(&line)).because(error)
            })?;
            if !text.trim().is_empty() {
                visit(self, line, text)?;
            }
        }
        Ok(())
    }
}

fn not_aside(refused: &[String]) -> Error {
    let lines = refused.len() as u64;
    let said = match lines {
        1 => "a line corrects a row that is not quarantined".to_owned(),
        _ => format!("{} lines correct rows that are not quarantined", grouped(lines)),
    };
    let mut error = Error::refused(said)
        .help("only rows of the bundle's quarantine are taken back in: leave the others out");
    error.at = refused.iter().take(MOST).cloned().collect();
    if refused.len() > MOST {
        error.at.push(format!("and {} more", refused.len() - MOST));
    }
    error
}

/// What a line says.
pub(super) struct Said<'l> {
    pub(super) members: Vec<(String, &'l str)>,
    pub(super) row: Option<u64>,
    pub(super) rule: Option<String>,
    pub(super) table: Option<String>,
    server: Option<i64>,
}

fn said(text: &str) -> Result<Said<'_>> {
    let form = "write it as a line of `data/quarantine/<entity>.jsonl`: \
                `{\"rule\":…,\"row\":…,\"entity\":{…},\"createdAt\":…}`";
    let wrong = |said: &str| Error::usage(said).help(form);
    let line = json::members(text.trim())
        .map_err(|error| wrong("the line is no JSON object").because(error))?;
    let mut said = Said { members: Vec::new(), row: None, rule: None, table: None, server: None };
    let mut has_entity = false;
    for (name, raw) in &line {
        match name.as_ref() {
            "entity" if !std::mem::replace(&mut has_entity, true) => {
                let members = json::members(raw)
                    .map_err(|error| wrong("`entity` is no JSON object").because(error))?;
                said.members =
                    members.into_iter().map(|(name, raw)| (name.into_owned(), raw)).collect();
            }
            "entity" => return Err(wrong("`entity` stands twice in the line")),
            "row" => said.row = Some(raw.parse().map_err(|_| wrong("`row` is no row's number"))?),
            "createdAt" if *raw != "null" => {
                let server = raw.parse();
                said.server = Some(server.map_err(|_| wrong("`createdAt` is no milliseconds"))?);
            }
            "rule" => said.rule = json::string(raw).map(std::borrow::Cow::into_owned),
            "table" => said.table = json::string(raw).map(std::borrow::Cow::into_owned),
            _ => {}
        }
    }
    if has_entity { Ok(said) } else { Err(wrong("the line has no `entity`")) }
}

/// Whether two texts are the same JSON value, or the same moment in two forms.
pub(super) fn is_same(a: &str, b: &str) -> bool {
    let canonical = |text: &str| {
        let mut out = Vec::new();
        json::canonical(text, &mut out).ok().map(|()| out)
    };
    a == b
        || canonical(a).is_some_and(|a| Some(a) == canonical(b))
        || moment(a).is_some_and(|a| Some(a) == moment(b))
}

/// A moment in microseconds: a quarantine's line has it as text, a column as a number.
fn moment(raw: &str) -> Option<i64> {
    let found = match json::string(raw) {
        Some(text) => parse_date(&text),
        None => number_date(raw),
    };
    found.map(|date| date.micros)
}
