//! URLs, names, and what never shows.

use insta::assert_snapshot;

use super::*;

fn parsed(url: &str) -> String {
    match Place::parse(url) {
        Ok(place) => {
            assert!(!format!("{place:?}").contains("canary"), "{url}");
            format!("{} | {} | {:?}", place.shown(), place.identity(), place.tls())
        }
        Err(error) => {
            let said = format!("{error}; {}", error.help.clone().unwrap_or_default());
            assert!(!format!("{error:?}{said}").contains("canary"), "{url}");
            error.to_string()
        }
    }
}

fn check(url: &str, expected: &str) {
    assert_eq!(parsed(url), expected, "{url}");
}

#[test]
fn urls_are_read_as_libpq_does() {
    check("postgres://me@h/db", "me@h:5432/db | postgresql://h:5432/db | Prefer");
    check(
        "postgresql://me:can%61ry%40@H:6000/d%20b?sslmode=verify-full",
        "me@H:6000/d b | postgresql://h:6000/d b | VerifyFull",
    );
    check("postgres://a:canary@b@h/db", "a@h:5432/db | postgresql://h:5432/db | Prefer");
    check("postgres://me@/", "me@localhost:5432/me | postgresql://localhost:5432/me | Prefer");
    check(
        "postgres://h1,h2:7,[::1]:8/db?sslmode=disable",
        "h1:5432,h2:7,[::1]:8/db | postgresql://h1:5432,h2:7,[::1]:8/db | Disable",
    );
    check(
        "postgres://%2Frun%2Fpg/db?user=me&password=canary&sslmode=require",
        "me@/run/pg:5432/db | postgresql:///run/pg:5432/db | Require",
    );
    check(
        "postgres:///db?host=/run/pg&port=6000",
        "/run/pg:6000/db | postgresql:///run/pg:6000/db | Prefer",
    );
    check(
        "postgres:///db?sslrootcert=system",
        "localhost:5432/db | postgresql://localhost:5432/db | VerifyFull",
    );
}

#[test]
fn what_is_no_url_is_told_without_a_secret() {
    let urls = [
        "mysql://me:canary@h/db",
        "postgres://h",
        "postgres://me:can/ary@h/db",
        "postgres://me:canary?x@h/db",
        "postgres://me:canary%4@h/db",
        "postgres://me:canary@h:canary/db",
        "postgres://me@h/db?sslmode=canary",
        "postgres://me@h/db?colour=canary",
        "postgres://me@h/db?password=x&canary=1",
        "postgres://me@h/db?connect_timeout=canary",
        "postgres://me@h,i/db?port=1,2,3",
        "postgres://me@h/%00",
    ];
    assert_snapshot!(urls.map(parsed).join("\n"), @"
    this is no URL of a PostgreSQL database
    the database's URL names no database
    a `@` stands behind the host of the database's URL
    a `@` stands behind the host of the database's URL
    the database's URL has a `%` without two hexadecimal digits behind it
    a port in the database's URL is no number from 1 to 65535
    `sslmode` in the database's URL has no value that is known
    the database's URL has an unknown parameter `colour`
    the database's URL has an unknown parameter
    `connect_timeout` in the database's URL has no value that is known
    the database's URL has not as many ports as hosts
    the database's URL is no UTF-8 text
    ");
}

#[test]
fn names_and_texts_cannot_leave_their_quotes() {
    assert_eq!(quoted("a\"b"), "\"a\"\"b\"");
    assert_eq!(literal("it's \\ x"), "E'it''s \\\\ x'");
}
