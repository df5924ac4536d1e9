//! What a failure of PostgreSQL means, in the user's terms.
//!
//! Only the primary message of the server, its SQLSTATE and names of objects are shown: `DETAIL`
//! holds row values, and so do messages about data, which are cut before the first quote.

use std::error::Error as _;
use std::io;

use postgres::error::DbError;

use super::place::Place;
use crate::error::{Error, Kind};

/// The longest message of a server that is shown, in characters.
const LONGEST: usize = 300;

/// Tells a failure; `what` is what could not be done, as `the table cannot be read`.
pub fn failed(error: &postgres::Error, place: &Place, what: &str) -> Error {
    let told = match error.as_db_error() {
        Some(error) => refused(error, what),
        None => broken(error, place, what),
    };
    let mut told = told.at(place.shown());
    if let Some(password) = &place.password {
        told.message = password.hide_in(&told.message);
    }
    told
}

/// The same for a failure that came through a reader or a writer of rows.
pub fn failed_io(error: &io::Error, place: &Place, what: &str) -> Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<postgres::Error>()) {
        Some(error) => failed(error, place, what),
        None => Error::system(format!("{what}: {error}")).at(place.shown()),
    }
}

/// Whether TLS could not be had.
pub(super) fn is_tls(error: &postgres::Error) -> bool {
    error.as_db_error().is_none() && error.to_string() == "error performing TLS handshake"
}

fn refused(error: &DbError, what: &str) -> Error {
    let (kind, help) = meaning(error.code().code());
    let mut told = Error::new(kind, format!("{what}: {}", said(error)));
    let names = [
        (
            "table",
            error.table().map(|table| match error.schema() {
                Some(schema) => format!("{schema}.{table}"),
                None => table.to_owned(),
            }),
        ),
        ("column", error.column().map(str::to_owned)),
        ("constraint", error.constraint().map(str::to_owned)),
    ];
    for (what, name) in names {
        if let Some(name) = name {
            told = told.at(format!("{what} `{name}`"));
        }
    }
    if let Some(line) = error.where_().and_then(copied_line) {
        told = told.at(format!("{LINE}{line}"));
    }
    match help {
        "" => told,
        help => told.help(help),
    }
}

/// What names a row by its place in a copy.
const LINE: &str = "copied row ";

/// The row of a copy that the server could not take, as `COPY x, line 7, column y: "…"` says it.
fn copied_line(context: &str) -> Option<u64> {
    // The outermost place is said last.
    let copy = context.lines().rev().find_map(|line| line.strip_prefix("COPY "))?;
    let digits = copy.split_once(", line ")?.1;
    digits.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Which row of a copy a failure is about, counted from 1, when the server said it.
pub fn line_of(error: &Error) -> Option<u64> {
    error.at.iter().find_map(|at| at.strip_prefix(LINE)).and_then(|line| line.parse().ok())
}

/// The primary message without what may be data, and its SQLSTATE.
fn said(error: &DbError) -> String {
    let code = error.code().code();
    let message = error.message();
    let message = match message.find('"') {
        // Class 22 is about values, and its messages repeat them.
        Some(at) if code.starts_with("22") => message[..at].trim_end_matches([' ', ':']),
        _ => message,
    };
    let message: String = match message.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &message[..at]),
        None => message.to_owned(),
    };
    format!("{} (SQLSTATE {code})", message.replace(['\n', '\r'], " "))
}

/// What an SQLSTATE means for the caller, and what to do.
fn meaning(code: &str) -> (Kind, &'static str) {
    match code {
        "28P01" | "28000" => (
            Kind::Usage,
            "check user and password: by a password file, a password command, `PGPASSWORD` or \
             `~/.pgpass`; the server's `pg_hba.conf` says who may log in from where",
        ),
        "3D000" => (Kind::Usage, "name a database that exists: `psql --list` shows them"),
        "42501" => (Kind::Usage, "grant the user the right, or log in as another"),
        "42P01" | "3F000" => (Kind::Usage, "name a table that exists"),
        "53300" => (Kind::System, "wait until other connections end, or raise `max_connections`"),
        "53100" => (Kind::System, "free some room on the server's disk and run it again"),
        "53200" => (Kind::System, "give the server more memory and run it again"),
        "55P03" => (
            Kind::Busy,
            "another session holds the table: `pg_stat_activity` shows which; end it and run again",
        ),
        "40001" | "40P01" | "55006" => (Kind::Busy, "run the same command again"),
        "42P05" | "26000" => (
            Kind::Refused,
            "other clients use this connection too, through a pooler that mixes up their prepared \
             statements: name the server itself",
        ),
        "57014" | "57P01" | "57P02" | "57P03" => (Kind::System, "run the same command again"),
        _ => (Kind::System, ""),
    }
}

/// A failure on this side, or on the way.
fn broken(error: &postgres::Error, place: &Place, what: &str) -> Error {
    let under = error.source().map(ToString::to_string).unwrap_or_default();
    let text = error.to_string();
    let with = |reason: String, help: &str| Error::system(format!("{what}: {reason}")).help(help);
    if error.is_closed() || text == "error communicating with the server" {
        return with("the connection was lost".to_owned(), "run the same command again");
    }
    match text.as_str() {
        "error performing TLS handshake" => with(
            format!("TLS was refused: {under}"),
            "check `sslmode` and `sslrootcert` in the URL, and the server's certificate",
        ),
        _ if under == "password missing" => {
            let help =
                "give it by a password file, a password command, `PGPASSWORD` or `~/.pgpass`";
            let said = format!("{what}: the server asks for a password");
            Error::usage(said).help(help)
        }
        "authentication error" => {
            Error::usage(format!("{what}: the login failed: {under}")).help(meaning("28P01").1)
        }
        "error connecting to server" => unreachable(error, place, what),
        _ if under.is_empty() => Error::system(format!("{what}: {text}")),
        _ => Error::system(format!("{what}: {text}: {under}")),
    }
}

fn unreachable(error: &postgres::Error, place: &Place, what: &str) -> Error {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
    let reason = match cause.map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionRefused) => "no server answers there".to_owned(),
        Some(io::ErrorKind::NotFound) if place.hosts.iter().any(super::Host::is_socket) => {
            "there is no such socket".to_owned()
        }
        Some(io::ErrorKind::TimedOut) => "the host does not answer in time".to_owned(),
        Some(io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable) => {
            "no way leads to the host".to_owned()
        }
        _ => cause.map(ToString::to_string).unwrap_or_default(),
    };
    Error::system(format!("{what}: {reason}"))
        .help("check host and port, and that the server listens there")
}
