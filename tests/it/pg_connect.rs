//! Connections to a real PostgreSQL server: who gets in, by which way, and what is said.
#![allow(clippy::unwrap_used, reason = "helpers of tests, as the tests")]

use std::path::Path;

use insta::assert_snapshot;
use rethread::error::Error;
use rethread::pg::{self, Access, Login, Place};
use rethread::secret::Secret;

use crate::support::postgres::{PASSWORD, Server, server};

fn login() -> Login {
    Login::default()
}

fn with_password(password: &str) -> Login {
    Login { password: Some(Secret::new(password)), ..Login::default() }
}

/// Whether the session is encrypted, or what is said; nowhere stands the password.
fn tried(url: &str, login: &Login) -> String {
    let connected = Place::parse(url).and_then(|place| pg::connect(&place, login));
    match connected {
        Ok(mut client) => {
            let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
            let encrypted: bool = client.query_one(sql, &[]).expect("a row").get(0);
            if encrypted { "TLS".to_owned() } else { "plain".to_owned() }
        }
        Err(error) => told(&error),
    }
}

/// An error as a person reads it, with the port replaced.
fn told(error: &Error) -> String {
    assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    let places = error.at.iter().map(|place| format!("  --> {place}"));
    let help = error.help.iter().map(|help| format!("help: {help}"));
    let said = format!("{:?}: {error}", error.kind);
    let text = std::iter::once(said).chain(places).chain(help).collect::<Vec<_>>().join("\n");
    let mut words = Vec::new();
    for line in text.lines() {
        let port = line.rsplit_once("localhost:").or(line.rsplit_once("127.0.0.1:"));
        words.push(match port {
            Some((before, after)) if line.starts_with("  -->") => {
                let after = after.trim_start_matches(|c: char| c.is_ascii_digit());
                format!("{before}HOST:PORT{after}")
            }
            _ => line.to_owned(),
        });
    }
    words.join("\n")
}

#[test]
fn a_session_is_the_same_everywhere() {
    let Some(server) = server() else { return };
    let database = server.database();
    database.run(&format!(
        "ALTER DATABASE {0} SET TimeZone = 'Asia/Tokyo'; ALTER DATABASE {0} SET DateStyle = 'German'; \
         ALTER DATABASE {0} SET statement_timeout = '1s'",
        database.name()
    ));
    let place = Place::parse(&database.url()).unwrap();
    let mut client = pg::begin(&place, &login(), Access::Write, "it cannot begin").unwrap();
    let sql = "SELECT pg_catalog.string_agg(name || ' = ' || setting, E'\\n' ORDER BY name) \
               FROM pg_catalog.pg_settings WHERE name = ANY ($1)";
    let names = [
        "TimeZone",
        "DateStyle",
        "IntervalStyle",
        "extra_float_digits",
        "client_encoding",
        "search_path",
        "application_name",
        "idle_in_transaction_session_timeout",
        "statement_timeout",
        "lock_timeout",
        "row_security",
    ];
    let settings: String = client.query_one(sql, &[&names.as_slice()]).unwrap().get(0);
    assert_snapshot!(settings, @"
    DateStyle = ISO, MDY
    IntervalStyle = iso_8601
    TimeZone = UTC
    application_name = rethread
    client_encoding = UTF8
    extra_float_digits = 3
    idle_in_transaction_session_timeout = 0
    lock_timeout = 10000
    row_security = off
    search_path = pg_catalog, pg_temp
    statement_timeout = 0
    ");
}

#[test]
fn a_password_is_found_where_it_is_kept() {
    let Some(server) = server() else { return };
    let port = server.port();
    let plain = format!("postgres://guarded@localhost:{port}/postgres?sslmode=disable");
    let encoded = "canary-p%C3%A4ssword%3A%5C1";
    let in_url = format!("postgres://guarded:{encoded}@localhost:{port}/postgres?sslmode=disable");
    assert_eq!(tried(&plain, &with_password(PASSWORD)), "plain");
    assert_eq!(tried(&in_url, &login()), "plain");
    let socket = server.socket().display();
    let by_socket = format!("postgres:///postgres?host={socket}&port={port}&user=guarded");
    assert_eq!(tried(&by_socket, &with_password(PASSWORD)), "plain");

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pgpass");
    std::fs::write(&file, format!("*:{port}:*:guarded:canary-pässword\\:\\\\1\n")).unwrap();
    mode(&file, 0o600);
    let kept = Login { pgpass: Some(file.clone()), ..login() };
    assert_eq!(tried(&plain, &kept), "plain");
    assert_eq!(tried(&by_socket, &kept), "plain");
    let named = Login { user: Some("guarded".to_owned()), ..kept.clone() };
    let anyone = format!("postgres://localhost:{port}/postgres?sslmode=disable");
    assert_eq!(tried(&anyone, &named), "plain");
    mode(&file, 0o640);
    let said = tried(&plain, &kept).replace(folder.path().to_str().unwrap(), "");
    assert_snapshot!(said, @"
    Usage: the password file can be read by others than its owner
      --> /pgpass
    help: take that away with `chmod 600`
    ");
    // What was told goes before the URL, and the URL before the file.
    assert!(tried(&in_url, &with_password("other")).contains("28P01"));
}

fn mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn what_goes_wrong_is_told() {
    let Some(server) = server() else { return };
    let port = server.port();
    let at = |user: &str, rest: &str| format!("postgres://{user}@localhost:{port}/{rest}");
    let cases = [
        tried(&at("guarded:canary-wrong", "postgres"), &login()),
        tried(&at("guarded", "postgres"), &login()),
        tried(&at("stranger:canary", "postgres"), &login()),
        tried(&at("postgres", "nowhere"), &login()),
        tried("postgres://postgres@localhost:1/postgres", &login()),
        tried("postgres:///postgres?host=/nowhere&user=me", &login()),
        tried("postgres://localhost/postgres", &login()),
    ];
    assert_snapshot!(cases.join("\n"), @r#"
    Usage: cannot connect: password authentication failed for user "guarded" (SQLSTATE 28P01)
      --> guarded@HOST:PORT/postgres
    help: check user and password: by a password file, a password command, `PGPASSWORD` or `~/.pgpass`; the server's `pg_hba.conf` says who may log in from where
    Usage: cannot connect: the server asks for a password
      --> guarded@HOST:PORT/postgres
    help: give it by a password file, a password command, `PGPASSWORD` or `~/.pgpass`
    Usage: cannot connect: no pg_hba.conf entry for host "127.0.0.1", user "stranger", database "postgres", no encryption (SQLSTATE 28000)
      --> stranger@HOST:PORT/postgres
    help: check user and password: by a password file, a password command, `PGPASSWORD` or `~/.pgpass`; the server's `pg_hba.conf` says who may log in from where
    Usage: cannot connect: database "nowhere" does not exist (SQLSTATE 3D000)
      --> postgres@HOST:PORT/nowhere
    help: name a database that exists: `psql --list` shows them
    System: cannot connect: no server answers there
      --> postgres@HOST:PORT/postgres
    help: check host and port, and that the server listens there
    System: cannot connect: there is no such socket
      --> me@/nowhere:5432/postgres
    help: check host and port, and that the server listens there
    Usage: no user is named for the database
      --> HOST:PORT/postgres
    help: write it into the URL as `postgres://USER@…`, or set `PGUSER`
    "#);
}

#[test]
fn several_hosts_are_tried_in_order() {
    let Some(server) = server() else { return };
    let port = server.port();
    let url = format!("postgres://postgres@localhost:1,localhost:{port}/postgres?sslmode=disable");
    assert_eq!(tried(&url, &login()), "plain");
}

#[test]
fn tls_is_as_strict_as_the_url_says() {
    let Some(server) = server() else { return };
    let (port, ca) = (server.port(), server.ca());
    let ca = format!("&sslrootcert={}", ca.display());
    let at = |user: &str, host: &str, mode: &str| {
        let url = format!("postgres://{user}@{host}:{port}/postgres?sslmode={mode}");
        tried(&url, &with_password(PASSWORD))
    };
    assert_eq!(at("postgres", "localhost", "disable"), "plain");
    assert_eq!(at("guarded", "localhost", "prefer"), "TLS");
    assert_eq!(at("open", "localhost", "prefer"), "plain");
    assert_eq!(at("sealed", "localhost", "require"), "TLS");
    assert_eq!(at("sealed", "127.0.0.1", &format!("require{ca}")), "TLS");
    assert_eq!(at("sealed", "127.0.0.1", &format!("verify-ca{ca}")), "TLS");
    assert_eq!(at("sealed", "localhost", &format!("verify-full{ca}")), "TLS");
    let refused = [
        at("sealed", "localhost", "disable"),
        at("sealed", "127.0.0.1", &format!("verify-full{ca}")),
        at("sealed", "localhost", "verify-ca"),
        at("sealed", "localhost", "require&sslrootcert=/dev/null"),
    ];
    assert_snapshot!(refused.join("\n"), @r#"
    Usage: cannot connect: no pg_hba.conf entry for host "127.0.0.1", user "sealed", database "postgres", no encryption (SQLSTATE 28000)
      --> sealed@HOST:PORT/postgres
    help: check user and password: by a password file, a password command, `PGPASSWORD` or `~/.pgpass`; the server's `pg_hba.conf` says who may log in from where
    System: cannot connect: TLS was refused: invalid peer certificate: certificate not valid for name "127.0.0.1"; certificate is only valid for DnsName("localhost")
      --> sealed@HOST:PORT/postgres
    help: check `sslmode` and `sslrootcert` in the URL, and the server's certificate
    System: cannot connect: TLS was refused: invalid peer certificate: UnknownIssuer
      --> sealed@HOST:PORT/postgres
    help: check `sslmode` and `sslrootcert` in the URL, and the server's certificate
    Usage: `sslrootcert` names a file without a readable certificate
      --> /dev/null
    help: name a PEM file of the certificates to trust
    "#);
}

#[test]
fn a_server_without_tls_serves_those_who_do_not_insist() {
    let Some(server) = Server::start(&["-c", "ssl=off"]) else { return };
    let url = |mode: &str| {
        format!("postgres://postgres@localhost:{}/postgres?sslmode={mode}", server.port())
    };
    assert_eq!(tried(&url("prefer"), &login()), "plain");
    assert_snapshot!(tried(&url("require"), &login()), @"
    System: cannot connect: TLS was refused: server does not support TLS
      --> postgres@HOST:PORT/postgres
    help: check `sslmode` and `sslrootcert` in the URL, and the server's certificate
    ");
}

#[test]
fn the_servers_words_hold_no_values() {
    let Some(server) = server() else { return };
    let database = server.database();
    database.run(
        "CREATE TABLE public.t (id int PRIMARY KEY, name text CHECK (name <> 'canary')); \
         INSERT INTO public.t VALUES (7, 'x'); GRANT USAGE ON SCHEMA public TO guarded",
    );
    let place = Place::parse(&database.url()).unwrap();
    let mut client = pg::connect(&place, &login()).unwrap();
    client.batch_execute("SET search_path = pg_catalog").unwrap();
    let mut said = |sql: &str| {
        let error = client.batch_execute(sql).unwrap_err();
        told(&pg::failed(&error, &place, "the rows cannot be written"))
    };
    let cases = [
        said("INSERT INTO public.t VALUES (7, 'canary2')"),
        said("INSERT INTO public.t VALUES (8, 'canary')"),
        said("SELECT 'canary'::uuid"),
        said("SELECT 'canary'::timestamptz"),
        said("SELECT 1 FROM t"),
        said("SET ROLE guarded; SELECT 1 FROM public.t"),
    ];
    let cases = cases.join("\n").replace(database.name(), "DB");
    assert_snapshot!(cases, @r#"
    System: the rows cannot be written: duplicate key value violates unique constraint "t_pkey" (SQLSTATE 23505)
      --> table `public.t`
      --> constraint `t_pkey`
      --> postgres@HOST:PORT/DB
    System: the rows cannot be written: new row for relation "t" violates check constraint "t_name_check" (SQLSTATE 23514)
      --> table `public.t`
      --> constraint `t_name_check`
      --> postgres@HOST:PORT/DB
    System: the rows cannot be written: invalid input syntax for type uuid (SQLSTATE 22P02)
      --> postgres@HOST:PORT/DB
    System: the rows cannot be written: invalid input syntax for type timestamp with time zone (SQLSTATE 22007)
      --> postgres@HOST:PORT/DB
    Usage: the rows cannot be written: relation "t" does not exist (SQLSTATE 42P01)
      --> postgres@HOST:PORT/DB
    help: name a table that exists
    Usage: the rows cannot be written: permission denied for table t (SQLSTATE 42501)
      --> postgres@HOST:PORT/DB
    help: grant the user the right, or log in as another
    "#);
}

#[test]
fn a_table_that_is_held_is_waited_for_only_so_long() {
    let Some(server) = server() else { return };
    let database = server.database();
    database.run("CREATE TABLE public.t (id int)");
    let mut holder = database.client();
    let mut held = holder.transaction().unwrap();
    held.batch_execute("LOCK TABLE public.t").unwrap();
    let place = Place::parse(&database.url()).unwrap();
    let mut client = pg::connect(&place, &login()).unwrap();
    client.batch_execute("SET lock_timeout = '50ms'").unwrap();
    let error = client.batch_execute("SELECT 1 FROM public.t").unwrap_err();
    let said = told(&pg::failed(&error, &place, "the table cannot be read"));
    assert_snapshot!(said.replace(database.name(), "DB"), @"
    Busy: the table cannot be read: canceling statement due to lock timeout (SQLSTATE 55P03)
      --> postgres@HOST:PORT/DB
    help: another session holds the table: `pg_stat_activity` shows which; end it and run again
    ");
}

#[test]
fn rows_go_and_come_in_binary() {
    let Some(server) = server() else { return };
    let database = server.database();
    database.run(
        "CREATE TABLE public.t (n bigint, a text, b uuid, c float8, d bool, e timestamptz, f jsonb, g bytea)",
    );
    let place = Place::parse(&database.url()).unwrap();
    let mut client = pg::connect(&place, &login()).unwrap();
    let long = "é\u{1f600}".repeat(400_000);
    let json =
        format!("{{\"b\": {}, \"a\": 9007199254740993}}", "[".repeat(500) + &"]".repeat(500));
    let id = "00000000-0000-4000-8000-00000000000a";
    let sink = client.copy_in("COPY public.t FROM STDIN (FORMAT BINARY)").unwrap();
    let mut out = pg::copy::Writer::new(sink, &place, "the rows cannot be written");
    for n in 0..300 {
        out.row(8).unwrap();
        out.int8(n);
        if n == 7 {
            (0..7).for_each(|_| out.null());
            continue;
        }
        out.text(if n == 3 { &long } else { "" }).unwrap();
        out.uuid(id).unwrap();
        out.float8(-0.1);
        out.bool(n % 2 == 0);
        out.timestamptz(n * 1_000_000 + 1).unwrap();
        out.jsonb(&json).unwrap();
        out.bytea(&[0, 255]).unwrap();
    }
    assert!(out.uuid("nonsense").is_err());
    assert!(out.timestamptz(i64::MIN).is_err());
    assert_eq!(out.finish().unwrap(), 300);

    let source =
        client.copy_out("COPY (SELECT * FROM public.t ORDER BY n) TO STDOUT (FORMAT BINARY)");
    let mut rows = pg::copy::Reader::new(source.unwrap(), 8, &place, "no rows").unwrap();
    let mut count = 0_i64;
    while let Some(cells) = rows.next_row().unwrap() {
        assert_eq!(cells.get(0).unwrap(), count.to_be_bytes());
        match count {
            7 => assert!((1..8).all(|at| cells.get(at).is_none())),
            3 => assert_eq!(cells.text(1).unwrap(), long),
            _ => {
                assert_eq!(cells.text(1), Some(""));
                let moment = pg::copy::Moment::read(cells.get(5).unwrap());
                assert_eq!(moment, Some(pg::copy::Moment::At(count * 1_000_000 + 1)));
                assert_eq!(cells.get(7), Some([0, 255].as_slice()));
            }
        }
        count += 1;
    }
    assert_eq!(count, 300);
}

#[test]
fn what_the_server_does_not_take_leaves_nothing() {
    let Some(server) = server() else { return };
    let database = server.database();
    database.run("CREATE TABLE public.t (a text, f jsonb)");
    let place = Place::parse(&database.url()).unwrap();
    let mut client = pg::connect(&place, &login()).unwrap();
    let mut said = String::new();
    for (text, json) in [("canary\0b", "{}"), ("a", "{\"canary\""), ("a", "\"canary\\u0000\"")] {
        let sink = client.copy_in("COPY public.t FROM STDIN (FORMAT BINARY)").unwrap();
        let mut out = pg::copy::Writer::new(sink, &place, "the rows cannot be written");
        out.row(2).unwrap();
        out.text("sound").unwrap();
        out.jsonb("{}").unwrap();
        out.row(2).unwrap();
        out.text(text).unwrap();
        out.jsonb(json).unwrap();
        said += &told(&out.finish().unwrap_err());
        said.push('\n');
    }
    assert_snapshot!(said.replace(database.name(), "DB"), @"
    System: the rows cannot be written: invalid byte sequence for encoding (SQLSTATE 22021)
      --> copied row 2
      --> postgres@HOST:PORT/DB
    System: the rows cannot be written: invalid input syntax for type json (SQLSTATE 22P02)
      --> copied row 2
      --> postgres@HOST:PORT/DB
    System: the rows cannot be written: unsupported Unicode escape sequence (SQLSTATE 22P05)
      --> copied row 2
      --> postgres@HOST:PORT/DB
    ");
    let count: i64 = client.query_one("SELECT count(*) FROM public.t", &[]).unwrap().get(0);
    assert_eq!(count, 0);
}

#[test]
fn a_connection_that_breaks_is_told() {
    let Some(server) = server() else { return };
    let database = server.database();
    let place = Place::parse(&database.url()).unwrap();
    let mut client = pg::connect(&place, &login()).unwrap();
    let sql = "COPY (SELECT pg_catalog.repeat('x', 1000) FROM pg_catalog.generate_series(1, 1000000)) \
               TO STDOUT (FORMAT BINARY)";
    let source = client.copy_out(sql).unwrap();
    let mut rows = pg::copy::Reader::new(source, 1, &place, "the table cannot be read").unwrap();
    rows.next_row().unwrap();
    database.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
          WHERE application_name = 'rethread' AND datname = current_database()",
    );
    let error = loop {
        match rows.next_row() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the rows cannot end"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind, rethread::error::Kind::System);
    let said = told(&error);
    let lost = said.contains("the connection was lost") || said.contains("57P01");
    assert!(lost, "{said}");
}

#[test]
fn a_reader_refuses_another_count_of_fields() {
    let Some(server) = server() else { return };
    let place = Place::parse(&server.database().url()).unwrap();
    let mut client = pg::connect(&place, &login()).unwrap();
    let source = client.copy_out("COPY (SELECT 1, 2) TO STDOUT (FORMAT BINARY)").unwrap();
    let mut rows = pg::copy::Reader::new(source, 3, &place, "the table cannot be read").unwrap();
    assert!(rows.next_row().is_err());
}
