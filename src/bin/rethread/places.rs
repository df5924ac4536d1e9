//! Sources and targets as the command line names them: paths and URLs.

use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;

use rethread::pg::Place;

/// A target as the command line names it.
#[derive(Clone)]
pub(crate) enum Store {
    /// A database file.
    Sqlite(PathBuf),
    /// A database of a server.
    Postgres(Place),
    /// A backup archive.
    Archive(PathBuf),
    /// An app of an InstantDB server.
    InstantDb(String),
    /// None of them, and why: said after the arguments are read, since what reads them would repeat
    /// the text, and that may hold a password.
    Wrong(String),
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Store::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Store::Postgres(place) => write!(f, "postgres://{}", place.shown()),
            Store::Archive(path) => write!(f, "{}", path.display()),
            Store::InstantDb(app) => write!(f, "instantdb://{app}"),
            Store::Wrong(why) => f.write_str(why),
        }
    }
}

/// Reads a target.
#[allow(clippy::unnecessary_wraps, reason = "what reads arguments wants a result")]
pub(crate) fn target(text: &str) -> Result<Store, Infallible> {
    Ok(store(text).unwrap_or_else(Store::Wrong))
}

/// Refuses what is meant as a database's address and would be taken for a path.
fn no_address(text: &str) -> Result<(), String> {
    let folded = text.to_ascii_lowercase();
    let is_address = ["postgres:", "postgresql:", "postgres/", "postgresql/", "instantdb:"];
    if is_address.iter().any(|start| folded.starts_with(start)) || folded.contains("password=") {
        return Err(
            "it is no path and no address that is known; write postgres://USER@HOST/DB".to_owned()
        );
    }
    Ok(())
}

fn store(text: &str) -> Result<Store, String> {
    let named = |path: &str| match path {
        "" => Err("name the file, as thread.db or sqlite:thread.db".to_owned()),
        path => Ok(PathBuf::from(path)),
    };
    if Place::is_url(text) {
        let place = Place::parse(text).map_err(|error| told(&error))?;
        return Ok(Store::Postgres(place));
    }
    if let Some(path) = text.strip_prefix("sqlite:") {
        return named(path).map(Store::Sqlite);
    }
    if let Some(app) = text.strip_prefix("instantdb://") {
        return Ok(Store::InstantDb(app.trim_end_matches('/').to_owned()));
    }
    if let Some((scheme, _)) = text.split_once("://") {
        return Err(format!(
            "`{scheme}` is no target; write a path, sqlite:PATH, postgres://…, FILE.zip or \
             instantdb://APP_ID"
        ));
    }
    no_address(text)?;
    let path = named(text)?;
    let is_zip = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("zip"));
    Ok(if is_zip { Store::Archive(path) } else { Store::Sqlite(path) })
}

/// A source as the command line names it.
#[derive(Clone)]
pub(crate) enum From {
    /// A file or a folder.
    Path(PathBuf),
    /// Tables of a PostgreSQL database.
    Postgres(Place),
    /// An app in the database of an InstantDB server.
    Triples(Place, String),
    /// An app of an InstantDB server.
    InstantDb(String),
    /// None of them, and why.
    Wrong(String),
}

impl fmt::Debug for From {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            From::Path(path) => write!(f, "{}", path.display()),
            From::Postgres(place) => write!(f, "postgres://{}", place.shown()),
            From::Triples(place, app) => {
                write!(f, "instantdb+postgres://{}?app={app}", place.shown())
            }
            From::InstantDb(app) => write!(f, "instantdb://{app}"),
            From::Wrong(why) => f.write_str(why),
        }
    }
}

/// Reads a source.
#[allow(clippy::unnecessary_wraps, reason = "what reads arguments wants a result")]
pub(crate) fn origin(text: &str) -> Result<From, Infallible> {
    Ok(from(text).unwrap_or_else(From::Wrong))
}

fn from(text: &str) -> Result<From, String> {
    if let Some(found) = rethread::source::triples_url(text) {
        let (place, app) = found.map_err(|error| told(&error))?;
        return Ok(From::Triples(place, app));
    }
    if Place::is_url(text) {
        return Place::parse(text).map(From::Postgres).map_err(|error| told(&error));
    }
    if let Some(app) = text.strip_prefix("instantdb://") {
        return Ok(From::InstantDb(app.trim_end_matches('/').to_owned()));
    }
    match text.split_once("://") {
        Some((scheme, _)) => Err(format!(
            "`{scheme}` is no source; write a path, postgres://…, instantdb+postgres://…?app=ID or \
             instantdb://APP_ID"
        )),
        None => no_address(text).map(|()| From::Path(PathBuf::from(text))),
    }
}

fn told(error: &rethread::error::Error) -> String {
    match &error.help {
        Some(help) => format!("{error}; {help}"),
        None => error.to_string(),
    }
}

/// Reads an entity and its table.
pub(crate) fn table(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((entity, table)) if !entity.is_empty() && !table.is_empty() => {
            Ok((entity.to_owned(), table.to_owned()))
        }
        _ => Err("write it as ENTITY=TABLE or ENTITY=SCHEMA.TABLE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_told_from_its_text() {
        let shown = |text: &str| store(text).map(|store| format!("{store:?}"));
        assert_eq!(shown("sqlite:/a b/c.db"), Ok("sqlite:/a b/c.db".to_owned()));
        assert_eq!(shown("c.db"), Ok("sqlite:c.db".to_owned()));
        assert_eq!(shown("new.ZIP"), Ok("new.ZIP".to_owned()));
        assert_eq!(shown("instantdb://a-b"), Ok("instantdb://a-b".to_owned()));
        assert_eq!(
            shown("postgresql://me:secret@db:1/app?sslmode=require"),
            Ok("postgres://me@db:1/app".to_owned())
        );
        for wrong in [
            "mysql://me:canary@host/db",
            "sqlite:",
            "",
            "postgres://me:canary@host:bad/db",
            "Postgres:/me:canary@h/db",
            "host=h password=canary",
            "postgres://me:canary@h/db?foo=canary",
        ] {
            let why = shown(wrong).expect_err(wrong);
            assert!(!why.contains("canary"), "{why}");
        }
    }
}
