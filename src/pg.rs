//! Connections to PostgreSQL: where a database is, who logs in, what a session is set to, and what
//! its failures mean to the user.
//!
//! A session is the same on every machine: UTC, ISO dates, every digit of a float, UTF-8, and no
//! object of the database in the way of a built-in one (`search_path = pg_catalog`), so every
//! statement names tables with their schema. Where a row-level policy would hide rows, the server says
//! so and gives none.

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

/// What every session is set to.
const SESSION: &str = "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, MDY'; SET IntervalStyle = 'iso_8601'; \
    SET extra_float_digits = 3; SET bytea_output = 'hex'; SET client_encoding = 'UTF8'; \
    SET search_path = pg_catalog; SET idle_in_transaction_session_timeout = 0; \
    SET statement_timeout = 0; SET lock_timeout = '10s'; SET row_security = off";

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
            Ok(mut client) => {
                let set = client.batch_execute(SESSION);
                set.map_err(|error| failed(&error, place, "the session cannot be set up"))?;
                return Ok(client);
            }
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
