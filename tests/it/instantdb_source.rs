//! An app taken by the API: the same snapshot as from its archive, or an error and nothing.

use std::path::{Path, PathBuf};

use rethread::contract::{BUILT_IN, Contract, Overrides, load};
use rethread::error::Error;
use rethread::progress::Silent;
use rethread::snapshot::{self, Snapshot};
use rethread::source::{self, Backup, InstantDb, Source as _, Taking};

use crate::instantdb::{Fault, Route, Server, Store, TOKEN};
use crate::instantdb_client::client;
use crate::support::fixture;

const NEWEST: Taking = Taking { backup: Backup::Newest, fall_back: false, page: 500 };
const FRESH: Taking = Taking { backup: Backup::Fresh, ..NEWEST };
const PAGES: Taking = Taking { backup: Backup::No, page: 40, ..NEWEST };
const LENIENT: Taking = Taking { fall_back: true, ..NEWEST };

fn contract() -> Contract {
    load(BUILT_IN, "story-to-thread.toml", &Overrides::default()).expect("the contract")
}

fn server() -> Server {
    Server::start(Store::from_archive(&fixture("sample-backup.zip")))
}

/// Tables and their digests.
type Tables = Vec<(String, u64, String)>;

fn tables(snapshot: &Snapshot) -> Tables {
    let tables = snapshot.meta().tables.iter();
    tables.map(|table| (table.entity.clone(), table.rows, table.digest.clone())).collect()
}

fn by_archive(folder: &Path) -> Tables {
    let archive = PathBuf::from(fixture("sample-backup.zip"));
    let mut source = source::open(&archive).expect("a source");
    let taken = snapshot::take(source.as_mut(), &contract(), &folder.join("archive"), &Silent);
    tables(&taken.expect("a snapshot"))
}

/// Takes a snapshot by the API; what it leaves is the snapshot or nothing.
fn by_api(server: &Server, taking: Taking) -> Result<(Tables, Snapshot), Error> {
    let folder = tempfile::tempdir().expect("a folder");
    let (client, _) = client(server);
    let mut source = InstantDb::new(client, &folder.path().join("fetched"), taking);
    let taken = snapshot::take(&mut source, &contract(), &folder.path().join("app"), &Silent);
    drop(source);
    let mut left: Vec<String> = std::fs::read_dir(folder.path())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    left.sort();
    assert_eq!(left, if taken.is_ok() { vec!["app"] } else { Vec::new() });
    assert_no_token(folder.path());
    let log = server.state().log.clone();
    assert!(log.iter().all(|entry| entry.token == (entry.route != Route::Download)));
    taken.map(|snapshot| (tables(&snapshot), snapshot))
}

fn assert_no_token(folder: &Path) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            assert_no_token(&path);
        } else {
            let bytes = std::fs::read(&path).expect("a file");
            let found = bytes.windows(TOKEN.len()).any(|part| part == TOKEN.as_bytes());
            assert!(!found, "{}", path.display());
        }
    }
}

/// An error as a user sees it, without the port; it holds no token.
fn shown(error: &Error, server: &Server) -> String {
    let mut text = format!("error: {error}\n");
    error.at.iter().for_each(|at| text.push_str(&format!("  --> {at}\n")));
    error.help.iter().for_each(|help| text.push_str(&format!("help: {help}\n")));
    assert!(!format!("{text}{error:?}").to_lowercase().contains(TOKEN), "{text}");
    text.replace(&server.uri(), "http://server")
}

#[test]
fn archive_backup_and_pages_give_the_same_tables() {
    let folder = tempfile::tempdir().expect("a folder");
    let expected = by_archive(folder.path());
    for taking in [NEWEST, FRESH, PAGES, LENIENT, Taking { page: 500, ..PAGES }] {
        let server = server();
        if taking == NEWEST {
            server.back_up();
        }
        let (found, snapshot) = by_api(&server, taking).expect("a snapshot");
        assert_eq!(found, expected, "{taking:?}");
        let source = &snapshot.meta().source;
        assert_eq!(
            (source.kind.as_str(), source.name.as_str()),
            ("instantdb", crate::instantdb::APP)
        );
        assert_eq!(source.title.as_deref(), Some("Generated <app> & \"data\""));
        let links =
            |snapshot: &Snapshot| snapshot.meta().links.iter().map(|link| link.rows).sum::<u64>();
        assert!(links(&snapshot) > 0);
    }
}

#[test]
fn it_is_identified_by_what_is_read() {
    let server = server();
    server.back_up();
    for taking in [NEWEST, PAGES] {
        let folder = tempfile::tempdir().expect("a folder");
        let (client, _) = client(&server);
        let mut source = InstantDb::new(client, &folder.path().join("fetched"), taking);
        let before = source.identify(&Silent).expect("it is there");
        let calls = server.calls(Route::Query) + server.calls(Route::Download);
        let (after, _) = source.read(&contract(), &mut |_| Ok(()), &Silent).expect("rows");
        assert_eq!(before.sha256, after.sha256);
        assert_eq!(
            calls,
            server.calls(Route::Query) + server.calls(Route::Download),
            "fetched once"
        );
        let (_, again) = by_api(&server, taking).expect("a snapshot");
        assert_eq!(again.meta().source.sha256, after.sha256, "{taking:?}");
    }
}

/// What becomes of a snapshot when a call fails once, and when it always does.
fn faults(taking: Taking, cases: &[(Route, Fault)]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let expected = by_archive(folder.path());
    let mut told = String::new();
    for (route, fault) in cases {
        let once = server();
        once.back_up();
        once.fail(*route, 2, *fault);
        once.fail(*route, 1, *fault);
        let outcome = match by_api(&once, taking) {
            Ok((found, _)) => {
                assert_eq!(found, expected, "{route:?} {fault:?}");
                "survived".to_owned()
            }
            Err(error) => shown(&error, &once),
        };
        told.push_str(&format!("{route:?} {fault:?}: {outcome}\n"));
    }
    told
}

#[test]
fn faults_of_a_backup() {
    let told = faults(
        NEWEST,
        &[
            (Route::Download, Fault::CutFile),
            (Route::Download, Fault::ShortFile),
            (Route::Download, Fault::BadZstd),
            (Route::Download, Fault::CutZstd),
            (Route::Download, Fault::Expired),
            (Route::Download, Fault::Moved),
            (Route::Download, Fault::Closed),
            (Route::Download, Fault::Slow),
            (Route::FileUrl, Fault::BadGateway),
            (Route::FileUrl, Fault::OtherShape),
            (Route::Files, Fault::CutJson),
            (Route::Files, Fault::LimitedByHeader),
            (Route::Files, Fault::NotFound),
            (Route::Backups, Fault::Empty),
            (Route::Backups, Fault::Html),
            (Route::Backups, Fault::NotFound),
            (Route::Backups, Fault::BadToken),
            (Route::Backups, Fault::Disabled),
            (Route::Backups, Fault::Redirect),
        ],
    );
    insta::assert_snapshot!(told, @"");
}

#[test]
fn faults_of_pages() {
    let told = faults(
        PAGES,
        &[
            (Route::Schema, Fault::Html),
            (Route::Schema, Fault::UnknownError),
            (Route::Schema, Fault::BadToken),
            (Route::Query, Fault::LimitedByHint),
            (Route::Query, Fault::LimitedBare),
            (Route::Query, Fault::StatementTimeout),
            (Route::Query, Fault::TooLarge),
            (Route::Query, Fault::SqlException),
            (Route::Query, Fault::GatewayTimeout),
            (Route::Query, Fault::Closed),
            (Route::Query, Fault::ClosedMidway),
            (Route::Query, Fault::Slow),
            (Route::Query, Fault::CutJson),
            (Route::Query, Fault::Empty),
            (Route::Query, Fault::OtherShape),
            (Route::Query, Fault::Disabled),
            (Route::Query, Fault::Redirect),
            (Route::Query, Fault::Invalid),
        ],
    );
    insta::assert_snapshot!(told, @"");
}

#[test]
fn a_fresh_backup_waits_for_the_rate_limit_and_for_its_job() {
    let server = server();
    server.fail(Route::CreateBackup, 1, Fault::LimitedByHint);
    server.fail(Route::Job, 2, Fault::Unavailable);
    by_api(&server, FRESH).expect("a snapshot");
    assert_eq!((server.calls(Route::CreateBackup), server.calls(Route::Job)), (2, 4));
}

#[test]
fn a_file_that_cannot_be_fetched_ends_the_export() {
    let server = server();
    server.back_up();
    server.fail_always(Route::Download, Fault::CutZstd);
    let error = by_api(&server, NEWEST).expect_err("cut off");
    insta::assert_snapshot!(shown(&error, &server), @"");
    assert_eq!(server.calls(Route::Download), 6);
}

#[test]
fn backups_that_cannot_be_had() {
    let mut told = String::new();
    let none = server();
    told.push_str(&shown(&by_api(&none, NEWEST).expect_err("there is none"), &none));
    let errored = server();
    errored.state().backups.fails = true;
    told.push_str(&shown(&by_api(&errored, FRESH).expect_err("the job fails"), &errored));
    let old = server();
    old.fail_always(Route::CreateBackup, Fault::NotFound);
    told.push_str(&shown(&by_api(&old, FRESH).expect_err("no such call"), &old));
    by_api(&old, Taking { fall_back: true, ..FRESH }).expect("by pages");
    insta::assert_snapshot!(told, @"");
}

#[test]
fn rows_that_come_meanwhile_are_noticed() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut errors = String::new();
    for nth in [40, 260] {
        let server = server();
        let (client, _) = client(&server);
        let source = InstantDb::new(client, &folder.path().join("fetched"), PAGES);
        server.delay(std::time::Duration::from_millis(1));
        let error = std::thread::scope(|scope| {
            scope.spawn(|| {
                while server.calls(Route::Query) < nth {
                    std::thread::sleep(std::time::Duration::from_micros(200));
                }
                let row = r#"{"id":"00000000-0000-4000-8000-000000000001","subject":"new"}"#;
                server.state().store.restore("emails", row);
            });
            source.fetch(&Silent).expect_err("it was written to")
        });
        errors.push_str(&shown(&error, &server));
    }
    insta::assert_snapshot!(errors, @"");
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
}

#[test]
fn an_entity_that_the_app_lacks_is_an_error() {
    let schema = serde_json::json!({ "entities": { "context_contexts": { "attrs": {} } } });
    let server = Server::start(Store::with_schema(&schema));
    let error = by_api(&server, PAGES).expect_err("entities are missing");
    insta::assert_snapshot!(shown(&error, &server), @"");
}
