//! Live sources and targets as the command line names them.

use crate::data;
use crate::instantdb::{APP, Fault, Route, Server, Store, TOKEN};
use crate::instantdb_target::scene::target_schema;
use crate::pg_target::bundle_of;
use crate::support::{Place, files, fixture, released};

#[test]
fn an_app_is_exported_from_its_server_and_gives_the_archives_bundle() {
    let server = Server::start(Store::from_archive(&fixture("sample-backup.zip")));
    server.back_up();
    let place = Place::new();
    place.write("token", TOKEN);
    let app = format!("instantdb://{APP}");
    let uri = server.uri();
    let reach = ["--api-uri", &uri, "--token-command", "cat token"];
    let tables = |args: &[&str], name: &str| {
        let to = format!("snapshots/{name}");
        let args = [&["export"], args, &["--to", &to]].concat();
        let mut command = place.command(&args);
        let output = command.env("PATH", "/usr/bin:/bin").output().expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let meta = std::fs::read(place.path(&to).join("data/snapshot.json")).expect("a snapshot");
        let meta: serde_json::Value = serde_json::from_slice(&meta).expect("JSON");
        let tables = meta["tables"].as_array().expect("tables").iter();
        tables.map(|table| (table["entity"].clone(), table["digest"].clone())).collect::<Vec<_>>()
    };
    let archive = tables(&[&fixture("sample-backup.zip")], "archive");
    assert_eq!(tables(&[&[&*app], &reach[..]].concat(), "newest"), archive);
    assert_eq!(tables(&[&[&*app, "--fresh"], &reach[..]].concat(), "fresh"), archive);
    assert_eq!(tables(&[&[&*app, "--by-query"], &reach[..]].concat(), "pages"), archive);
}

#[test]
fn a_bundle_goes_into_an_app_and_out_again() {
    let server = Server::start(Store::with_schema(&target_schema()));
    let (place, bundle) = bundle_of(&data::sound());
    place.write("token", format!("{TOKEN}\n"));
    let (app, uri) = (format!("instantdb://{APP}"), server.uri());
    let call = |command: &str, act: bool| {
        let reach = ["--api-uri", &uri, "--token-file", "token"];
        let args = [&[command, &bundle, "--to", &app], &reach[..]].concat();
        place.run(&if act { [&args[..], &["--execute"]].concat() } else { args })
    };
    let empty = server.content();
    let told = call("import", false).ends(0);
    assert!(told.stdout.contains("8 rows would be created"), "{}", told.stdout);
    assert_eq!(server.calls(Route::Transact), 0, "a dry run sends nothing");
    call("import", true).ends(0);
    assert!(call("import", true).ends(0).stderr.contains("nothing to do: all 8 rows"));
    assert!(place.run(&["status"]).ends(0).stdout.contains("migrated_verified    instantdb"));
    call("rollback", false).ends(0);
    assert_ne!(server.content(), empty);
    call("rollback", true).ends(0);
    assert_eq!(server.content(), empty);
}

#[test]
fn a_token_reaches_nothing_but_the_server() {
    let server = Server::start(Store::with_schema(&target_schema()));
    let (place, bundle) = bundle_of(&data::sound());
    let (app, uri) = (format!("instantdb://{APP}"), server.uri());
    let import = ["import", &bundle, "--to", &app, "--api-uri", &uri];
    let none = place.run(&import).ends(2);
    insta::assert_snapshot!(none.error().replace(APP, "APP"), @"
    error: no token is given for the app
      --> instantdb://APP
    help: give it by `--token-file`, `--token-command` or the variable `RETHREAD_TOKEN`
    ");
    let mut outputs = Vec::new();
    // The server echoes the token and the steps in what it says of a failure.
    for (route, fault) in [
        (Route::Schema, Fault::BadToken),
        (Route::Query, Fault::BadToken),
        (Route::Query, Fault::Disabled),
    ] {
        server.fail(route, server.calls(route) + 1, fault);
        let mut command = place.command(&import);
        let output = command.env("RETHREAD_TOKEN", TOKEN).output().expect("it runs");
        assert!(!output.status.success());
        outputs.extend([output.stdout, output.stderr]);
    }
    for path in files(place.path(".")) {
        outputs.push(std::fs::read(path).expect("a file"));
    }
    for output in outputs {
        assert!(!String::from_utf8_lossy(&output).contains(TOKEN));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn no_process_shows_the_token() {
    let server = Server::start(Store::with_schema(&target_schema()));
    let (place, bundle) = bundle_of(&data::sound());
    place.write("token", TOKEN);
    let (app, uri) = (format!("instantdb://{APP}"), server.uri());
    let reach = ["--api-uri", &uri, "--token-command", "sleep 0.3; cat token"];
    let mut command = place.command(&[&["import", &bundle, "--to", &app], &reach[..]].concat());
    let mut child = command.env("PATH", "/usr/bin:/bin").spawn().expect("it starts");
    let mut seen = 0;
    while child.try_wait().expect("a child").is_none() {
        for process in std::fs::read_dir("/proc").expect("processes").flatten() {
            // A process may be gone by now.
            let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line);
            assert!(!line.contains(TOKEN), "{line}");
            seen += u32::from(line.contains("cat token"));
        }
    }
    assert!(child.wait().expect("a child").success());
    assert!(seen > 0, "the command that gives the token was looked at");
}

#[test]
fn a_bundle_becomes_an_archive_that_is_a_source_again() {
    let place = Place::new();
    let sample = fixture("sample-backup.zip");
    let [release, file] = released();
    let output = place.run(&["run", &sample, "--json", &release, &file]).ends(0).json();
    let bundle = output["bundle"].as_str().expect("a folder");
    let import = ["import", bundle, "--to", "new.zip", "--source", &sample];
    place.run(&import).ends(0);
    assert!(!place.path("new.zip").exists(), "a dry run writes nothing");
    place.run(&[&import[..], &["--execute"]].concat()).ends(0);
    let again = place.run(&["run", "new.zip", "--json"]).ends(0).json();
    let digests = |bundle: &str| {
        let meta = std::fs::read(place.path(bundle).join("data/bundle.json")).expect("a bundle");
        let meta: serde_json::Value = serde_json::from_slice(&meta).expect("JSON");
        let tables = meta["tables"].as_array().expect("tables").iter();
        tables.map(|table| (table["entity"].clone(), table["digest"].clone())).collect::<Vec<_>>()
    };
    let made = again["bundle"].as_str().expect("a folder");
    assert_eq!(digests(made), digests(bundle), "migrating again changes nothing");
    let ours =
        place.run(&["rollback", bundle, "--to", "new.zip", "--source", &sample, "--execute"]);
    ours.ends(0);
    assert!(!place.path("new.zip").exists());
}

#[test]
fn a_table_is_named_on_the_command_line() {
    let Some(server) = crate::support::postgres::server() else { return };
    let database = server.database();
    database.run(
        "CREATE SCHEMA app; CREATE TABLE app.contexts (id uuid PRIMARY KEY, created_at timestamptz, key text);
         INSERT INTO app.contexts VALUES ('00000000-0000-4000-8000-000100000001', now(), 'k');
         CREATE TABLE context_events (id uuid); CREATE TABLE story_executions (id uuid);
         CREATE TABLE story_steps (id uuid); CREATE TABLE story_parts (id uuid)",
    );
    let place = Place::new();
    let table = "context_contexts=app.contexts";
    let output = place.run(&["export", &database.url(), "--table", table, "--json"]).ends(0).json();
    assert_eq!(output["rows"]["context_contexts"], 1);
}
