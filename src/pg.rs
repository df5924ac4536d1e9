//! Connections to PostgreSQL: where a database is, who logs in, what a session is set to, and what
//! its failures mean to the user.
//!
//! A job is one transaction, and its settings are the transaction's own (`SET LOCAL`): a pooler may hand
//! the connection on to another client as soon as it ends, and nothing of ours must stay on it. They are
//! the same on every machine: UTC, ISO dates, every digit of a float, UTF-8. Where a row-level policy
//! would hide rows, the server says so and gives none. Each is asked back before a row is read.
//!
//! Statements name tables and functions with their schema. They are unnamed, since a pooler without care
//! for prepared statements may give a named one to another client; those of `COPY` cannot be (the library
//! names them), and are closed inside the transaction.

pub mod copy;
mod failed;
mod login;
mod place;
mod tls;
mod url;

#[cfg(test)]
mod tests;

use std::time::Duration;

pub use failed::{failed, failed_io, line_of};
pub use login::Login;
pub use place::{Place, TlsMode};
pub use postgres::Client;

use crate::error::{Error, Result};
use place::Host;

/// The longest wait for a host that does not answer, when the URL says no other.
const PATIENCE: Duration = Duration::from_secs(30);

/// What every transaction is set to, as the server spells it.
const SETTINGS: [(&str, &str); 10] = [
    ("TimeZone", "UTC"),
    ("DateStyle", "ISO, MDY"),
    ("IntervalStyle", "iso_8601"),
    ("extra_float_digits", "3"),
    ("bytea_output", "hex"),
    ("client_encoding", "UTF8"),
    ("idle_in_transaction_session_timeout", "0"),
    ("statement_timeout", "0"),
    ("lock_timeout", "10s"),
    ("row_security", "off"),
];

/// What a transaction that reads must be, as the server tells it.
const READS: [(&str, &str); 2] =
    [("transaction_isolation", "repeatable read"), ("transaction_read_only", "on")];

/// What a transaction that writes must be: with foreign keys that are looked after.
const WRITES: [(&str, &str); 4] = [
    ("search_path", "pg_catalog, pg_temp"),
    ("transaction_isolation", "read committed"),
    ("transaction_read_only", "off"),
    ("session_replication_role", "origin"),
];

/// Takes the limit off a transaction where the server has one (from version 17 on).
const NO_LIMIT: &str = "SELECT pg_catalog.set_config(name, '0', true) FROM pg_catalog.pg_settings \
    WHERE name = 'transaction_timeout'";

/// What a transaction is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It sees one state of the database and changes nothing. Names that a view leaves open are found as
    /// the database or the user has it.
    Read,
    /// It sees what others commit meanwhile, and no object of the database in the way of a built-in one.
    Write,
}

/// Connects to the first of the place's hosts that answers, and begins the transaction of a job.
///
/// # Errors
/// As of [`connect`]; or the server, or what stands before it, does not keep the settings.
pub fn begin(place: &Place, login: &Login, access: Access, what: &str) -> Result<Client> {
    let mut client = connect(place, login)?;
    let (begin, path, told): (_, _, &[(&str, &str)]) = match access {
        Access::Read => ("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY", "", &READS),
        Access::Write => (
            "BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE",
            "; SET LOCAL search_path = pg_catalog, pg_temp",
            &WRITES,
        ),
    };
    let set = SETTINGS.iter();
    let set = set.map(|(name, value)| format!("; SET LOCAL {name} = {}", literal(value)));
    // In one message, so that all of it meets one session.
    let sql = format!("{begin}{}{path}; {NO_LIMIT}", set.collect::<String>());
    client.batch_execute(&sql).map_err(|error| {
        if is_cut(&error) && takes_no_transaction(place, login) {
            return Error::refused(format!("{what}: what answers there takes no transaction"))
                .at(place.shown())
                .help("it is a pooler that hands connections on after every statement: name the server itself");
        }
        failed(&error, place, what)
    })?;
    let wanted = || SETTINGS.iter().chain(told);
    let asked = wanted().map(|(name, _)| format!("pg_catalog.current_setting({})", literal(name)));
    let sql = format!("SELECT {}", asked.collect::<Vec<_>>().join(", "));
    let row = client.query_typed_one(&sql, &[]).map_err(|error| failed(&error, place, what))?;
    for (at, (name, value)) in wanted().enumerate() {
        let found: Option<&str> = row.get(at);
        if found != Some(value) {
            let found = found.unwrap_or_default();
            let said = format!("{what}: `{name}` is `{found}` and must be `{value}`");
            return Err(Error::refused(said).at(place.shown()).help(
                "name the server itself, not what pools its connections, and a user for whom no \
                 `ALTER ROLE` sets it",
            ));
        }
    }
    Ok(client)
}

/// Whether single statements are answered and transactions are cut off, as by a pooler in statement mode.
fn takes_no_transaction(place: &Place, login: &Login) -> bool {
    let done = |sql: &str| connect(place, login).map(|mut client| client.batch_execute(sql));
    matches!((done("SELECT 1"), done("BEGIN")), (Ok(Ok(())), Ok(Err(error))) if is_cut(&error))
}

/// Whether the connection ended. The last word before that is lost or not, as it happens.
fn is_cut(error: &postgres::Error) -> bool {
    error.code().is_none_or(|code| code == &postgres::error::SqlState::PROTOCOL_VIOLATION)
}

/// Connects to the first of the place's hosts that answers.
///
/// # Errors
/// No user or no password can be told, no host answers, or the server refuses.
pub fn connect(place: &Place, login: &Login) -> Result<Client> {
    let user = place.user.as_ref().or(login.user.as_ref()).ok_or_else(|| {
        Error::usage("no user is named for the database")
            .at(place.shown())
            .help("write it into the URL as `postgres://USER@…`, or set `PGUSER`")
    })?;
    let mut last = None;
    for host in &place.hosts {
        let mut config = config(place, user);
        host.aim(&mut config);
        if let Some(password) = login.password_for(place, host, user)? {
            config.password(password.expose());
        }
        match attempt(place, host, &mut config)? {
            Ok(client) => return Ok(client),
            Err(error) => {
                let is_final = error.as_db_error().is_some_and(|error| {
                    error.code() != &postgres::error::SqlState::CANNOT_CONNECT_NOW
                });
                last = Some(error);
                if is_final {
                    break;
                }
            }
        }
    }
    Err(last.map_or_else(
        || Error::usage("the URL names no host").at(place.shown()),
        |error| failed(&error, place, "cannot connect"),
    ))
}

fn config(place: &Place, user: &str) -> postgres::Config {
    let mut config = postgres::Config::new();
    config.user(user).dbname(&place.database);
    config.application_name(place.application.as_deref().unwrap_or("rethread"));
    config.connect_timeout(place.patience.unwrap_or(PATIENCE));
    config.target_session_attrs(place.session).channel_binding(place.binding);
    if let Some(options) = &place.options {
        config.options(options);
    }
    config
}

/// One host, by TLS as the place wants it. A socket has none; `prefer` goes on without it.
fn attempt(
    place: &Place,
    host: &Host,
    config: &mut postgres::Config,
) -> Result<std::result::Result<Client, postgres::Error>> {
    use postgres::config::SslMode;
    let plain =
        |config: &mut postgres::Config| config.ssl_mode(SslMode::Disable).connect(postgres::NoTls);
    if host.is_socket() || place.tls == TlsMode::Disable {
        return Ok(plain(config));
    }
    let connector = tls::connector(place)?;
    if place.tls != TlsMode::Prefer {
        return Ok(config.ssl_mode(SslMode::Require).connect(connector));
    }
    Ok(match config.ssl_mode(SslMode::Prefer).connect(connector) {
        Err(error) if failed::is_tls(&error) || wants_plain(&error) => plain(config),
        tried => tried,
    })
}

/// Whether a server refused a login that it may take without TLS.
fn wants_plain(error: &postgres::Error) -> bool {
    error.code() == Some(&postgres::error::SqlState::INVALID_AUTHORIZATION_SPECIFICATION)
}

/// A name as SQL writes it, whatever stands in it.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as an SQL literal, whatever stands in it.
pub fn literal(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('\'', "''");
    format!("E'{escaped}'")
}
