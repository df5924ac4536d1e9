//! An app taken by the API: the same snapshot as from its archive, or an error and nothing.

use std::path::{Path, PathBuf};

use rethread::contract::{BUILT_IN, Contract, Overrides, load};
use rethread::error::Error;
use rethread::progress::Silent;
use rethread::resources::Resources;
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
    static STORE: std::sync::OnceLock<Store> = std::sync::OnceLock::new();
    let store = STORE.get_or_init(|| Store::from_archive(&fixture("sample-backup.zip")));
    Server::start(store.clone())
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
    let taken = snapshot::take(
        source.as_mut(),
        &contract(),
        &folder.join("archive"),
        &Resources::default(),
        &Silent,
    );
    tables(&taken.expect("a snapshot"))
}

/// Takes a snapshot by the API; what it leaves is the snapshot or nothing.
fn by_api(server: &Server, taking: Taking) -> Result<(Tables, Snapshot), Error> {
    let folder = tempfile::tempdir().expect("a folder");
    let (client, _) = client(server);
    let mut source = InstantDb::new(client, &folder.path().join("fetched"), taking);
    let taken = snapshot::take(
        &mut source,
        &contract(),
        &folder.path().join("app"),
        &Resources::default(),
        &Silent,
    );
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
    insta::assert_snapshot!(told, @"
    Download CutFile: survived
    Download ShortFile: survived
    Download BadZstd: survived
    Download CutZstd: survived
    Download Expired: survived
    Download Moved: survived
    Download Closed: survived
    Download Slow: survived
    FileUrl BadGateway: survived
    FileUrl OtherShape: survived
    Files CutJson: survived
    Files LimitedByHeader: survived
    Files NotFound: error: the server does not know this call
      --> GET http://server/dash/apps/d92ddb12-9b52-4715-8100-8b9f45a2cbc1/backups/b0000000-0000-4000-8000-000000000000/files
    help: check `--api-uri`; a self-hosted server may be too old for it

    Backups Empty: survived
    Backups Html: survived
    Backups NotFound: error: the server does not know this call
      --> GET http://server/dash/apps/d92ddb12-9b52-4715-8100-8b9f45a2cbc1/backups
    help: take a backup from the app's dashboard, or read it page by page (`--by-query`)

    Backups BadToken: error: the server does not know this token for this app
      --> GET http://server/dash/apps/d92ddb12-9b52-4715-8100-8b9f45a2cbc1/backups
    help: compare app id, token and API address with the app's dashboard

    Backups Disabled: error: the app is disabled: the server does not answer for it
      --> GET http://server/dash/apps/d92ddb12-9b52-4715-8100-8b9f45a2cbc1/backups
    help: take the app's backup from its dashboard and name that file

    Backups Redirect: error: the server sends the call elsewhere
      --> GET http://server/dash/apps/d92ddb12-9b52-4715-8100-8b9f45a2cbc1/backups
    help: name the final address as `--api-uri`: no token is sent on by a redirect
    ");
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
    insta::assert_snapshot!(told, @"
    Schema Html: survived
    Schema UnknownError: survived
    Schema BadToken: error: the server does not know this token for this app
      --> GET http://server/dash/apps/d92ddb12-9b52-4715-8100-8b9f45a2cbc1/schema/pull
    help: compare app id, token and API address with the app's dashboard

    Query LimitedByHint: survived
    Query LimitedBare: survived
    Query StatementTimeout: survived
    Query TooLarge: survived
    Query SqlException: survived
    Query GatewayTimeout: survived
    Query Closed: survived
    Query ClosedMidway: survived
    Query Slow: survived
    Query CutJson: survived
    Query Empty: survived
    Query OtherShape: survived
    Query Disabled: error: the app is disabled: the server does not answer for it
      --> POST http://server/admin/query
      --> `$files`
    help: take the app's backup from its dashboard and name that file

    Query Redirect: error: the server sends the call elsewhere
      --> POST http://server/admin/query
      --> `$files`
    help: name the final address as `--api-uri`: no token is sent on by a redirect

    Query Invalid: error: the server refuses what was sent (400 validation-failed): Validation failed for steps: no (Bearer [hidden])
      --> POST http://server/admin/query
      --> `$files`
    ");
}

#[test]
fn a_page_that_is_too_much_at_once_is_divided() {
    let folder = tempfile::tempdir().expect("a folder");
    let expected = by_archive(folder.path());
    let server = server();
    let entities = 15;
    // The ids of each entity come by 16 queries; then the pages begin.
    for nth in [1, 2, 5, 9] {
        server.fail(Route::Query, entities * 16 + nth, Fault::StatementTimeout);
        server.fail(Route::Query, entities * 16 + nth + 10, Fault::TooLarge);
    }
    assert_eq!(by_api(&server, PAGES).expect("a snapshot").0, expected);
    server.fail_always(Route::Query, Fault::StatementTimeout);
    let error = by_api(&server, PAGES).expect_err("nothing is small enough");
    insta::assert_snapshot!(shown(&error, &server), @"
    error: the server does not manage what was asked (429 timeout): The query took too long to complete. (Bearer [hidden])
      --> POST http://server/admin/query
      --> `$files`
    help: run the same command again later
    ");
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
    insta::assert_snapshot!(shown(&error, &server), @"
    error: a file of the backup cannot be fetched in 6 tries: it is cut off or cannot be unpacked
      --> backup b0000000-0000-4000-8000-000000000000: config.json
    help: run the same command again later
    ");
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
    insta::assert_snapshot!(told, @"
    error: the app has no backup
      --> instantdb://d92ddb12-9b52-4715-8100-8b9f45a2cbc1
    help: let one be made (`--fresh`), or read it page by page (`--by-query`)
    error: the server failed to make a backup
      --> backup job c0000000-0000-4000-8000-000000000000
    help: run the same command again later, or take the newest backup there is
    error: the server does not know this call
      --> POST http://server/dash/apps/d92ddb12-9b52-4715-8100-8b9f45a2cbc1/backups
    help: take a backup from the app's dashboard, or read it page by page (`--by-query`)
    ");
}

#[test]
fn rows_that_come_meanwhile_are_noticed() {
    let folder = tempfile::tempdir().expect("a folder");
    let fetch = |server: &Server| {
        let (client, _) = client(server);
        InstantDb::new(client, &folder.path().join("fetched"), PAGES).fetch(&Silent)
    };
    let quiet = server();
    fetch(&quiet).expect("nobody writes");
    let calls = quiet.calls(Route::Query);
    let mut errors = String::new();
    // After the ids of `emails` were listed; after its rows were read, before it is listed again.
    for nth in [100, calls - 14] {
        let server = server();
        server.delay(std::time::Duration::from_millis(5));
        let error = std::thread::scope(|scope| {
            scope.spawn(|| {
                while server.calls(Route::Query) < nth {
                    std::thread::sleep(std::time::Duration::from_micros(200));
                }
                let row = r#"{"id":"00000000-0000-4000-8000-000000000001","subject":"new"}"#;
                server.state().store.restore("emails", row);
            });
            fetch(&server).expect_err("it was written to")
        });
        errors.push_str(&shown(&error, &server));
    }
    insta::assert_snapshot!(errors, @"
    error: the app was written to while it was read
      --> `emails`: 6 rows before, 7 after, not the same ones
    help: make the app read-only while it is exported, or take a backup
    error: the app was written to while it was read
      --> `emails`: 6 rows before, 7 after, not the same ones
    help: make the app read-only while it is exported, or take a backup
    ");
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
}

#[test]
fn an_entity_that_the_app_lacks_is_an_error() {
    let schema = serde_json::json!({ "entities": { "context_contexts": { "attrs": {} } } });
    let server = Server::start(Store::with_schema(&schema));
    let error = by_api(&server, PAGES).expect_err("entities are missing");
    insta::assert_snapshot!(shown(&error, &server), @"
    error: the source has no `context_events`, `story_executions`, `story_steps`, `story_parts`
    help: name another source, or declare with `optional = true` in the contract what an app may lack
    ");
}
