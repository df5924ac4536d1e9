//! What SQLite says, in the user's terms.

use std::path::Path;

use rusqlite::ErrorCode;

use crate::error::{Error, Kind, Result};

/// Turns a result of SQLite into ours.
pub(super) trait Fails<T> {
    /// Says at which database it failed.
    fn fails(self, place: &Path) -> Result<T>;
}

impl<T> Fails<T> for rusqlite::Result<T> {
    fn fails(self, place: &Path) -> Result<T> {
        self.map_err(|error| of(&error, place))
    }
}

/// The failure of a database as a whole.
pub(super) fn of(error: &rusqlite::Error, place: &Path) -> Error {
    let failure = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => {
            Error::refused("the file is no SQLite database, or an encrypted one")
                .help("name another file; this one is left as it is")
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            Error::busy("another program is writing to the database")
                .help("close it there, then run the same command again: nothing was changed")
        }
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            Error::system("the database, or its folder, cannot be written to")
                .help("give the permission, or name another place")
        }
        Some(ErrorCode::CannotOpen) => Error::system("the database cannot be opened")
            .help("check that its folder exists and can be written to"),
        Some(ErrorCode::DiskFull) => Error::system("the disk is full")
            .help("free some room and run the same command again: nothing was left half-written"),
        Some(ErrorCode::DatabaseCorrupt) => Error::system("the database is damaged")
            .help("restore it from a copy, or name another place; it is left as it is"),
        _ => Error::system(format!("SQLite failed: {}", said(error)))
            .help("run the same command again: nothing was left half-written"),
    };
    failure.at(place.display())
}

/// The failure of one row.
pub(super) fn row(error: &rusqlite::Error, row: &str, place: &Path) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch) => {
            Error::new(Kind::Findings, format!("a row breaks the target model: {}", said(error)))
                .help("run `rethread verify` on the bundle; nothing was imported")
        }
        Some(ErrorCode::TooBig) => Error::system("a row is larger than SQLite takes (1 GB)")
            .help("take the row out of the source, or import into another target"),
        _ => return of(error, place).at(row),
    }
    .at(place.display())
    .at(row)
}

/// The failure of an index: two rows share what must be unique.
pub(super) fn index(error: &rusqlite::Error, place: &Path) -> Error {
    row(error, "a unique index of the target model", place)
}

/// SQLite's own words: they name tables and columns and never a value.
fn said(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        other => other.to_string(),
    }
}
