//! Who may see and change the rows of the target: by the contract, in an archive, in an app.

use std::io::{Read as _, Write as _};
use std::path::Path;

use serde_json::{Value, json};
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use crate::data;
use crate::instantdb::Route;
use crate::instantdb_target::scene::{Master, Scene, app_of};
use crate::support::{Output, Place, fixture};

/// Guards events by their author, which is a link of the app.
fn guarded(path: &str) -> Value {
    json!({ "context_events": { "allow": { "view": format!("auth.id in data.ref('{path}')") } },
            "emails": { "allow": { "$default": "false" } } })
}

/// The sample's backup with another `config.json`.
fn backup(place: &Path, edit: impl Fn(&mut Value)) {
    let sample = std::fs::File::open(fixture("sample-backup.zip")).expect("a file");
    let mut sample = ZipArchive::new(sample).expect("a zip");
    let mut zip = ZipWriter::new(std::fs::File::create(place).expect("a file"));
    for index in 0..sample.len() {
        let mut entry = sample.by_index(index).expect("an entry");
        let name = entry.name().expect("a name").into_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("content");
        if name == "config.json" {
            let mut config = serde_json::from_slice(&content).expect("JSON");
            edit(&mut config);
            content = config.to_string().into_bytes();
        }
        zip.start_file(name, SimpleFileOptions::default()).expect("an entry");
        zip.write_all(&content).expect("content");
    }
    zip.finish().expect("a zip");
}

fn config(zip: &Path) -> Value {
    let mut zip = ZipArchive::new(std::fs::File::open(zip).expect("a file")).expect("a zip");
    serde_json::from_reader(zip.by_name("config.json").expect("an entry")).expect("JSON")
}

/// A place with a bundle of a source, and the bundle's folder.
fn run(place: &Place, source: &str, release: &str) -> String {
    if place.path("snapshots").exists() {
        std::fs::remove_dir_all(place.path("snapshots")).expect("another source");
    }
    let args = ["run", source, "--release", release, "--json"];
    place.run(&args).ends(0).json()["bundle"].as_str().expect("a bundle").to_owned()
}

fn import(place: &Place, bundle: &str, source: &str, more: &[&str]) -> Output {
    place.run(&[&["import", bundle, "--to", "new.zip", "--source", source], more].concat())
}

#[test]
fn the_target_takes_the_rules_of_the_entities_its_rows_come_from() {
    let place = Place::new();
    backup(&place.path("backup.zip"), |config| config["rules"] = guarded("author.id"));
    let bundle = run(&place, "backup.zip", &fixture("release.toml"));
    let told = import(&place, &bundle, "backup.zip", &[]).ends(0).stdout;
    assert!(told.contains("noted        the target's entities have permission rules"), "{told}");
    import(&place, &bundle, "backup.zip", &["--execute"]).ends(0);
    let mut wanted = guarded("author.id");
    wanted["thread_items"] = wanted["context_events"].clone();
    assert_eq!(config(&place.path("new.zip"))["rules"], wanted);
    let document = place.path(&bundle).join("data/CONTRACT.md");
    let document = std::fs::read_to_string(document).expect("a document");
    let line =
        "| `thread_items` | those of `context_events` | `auth.id in data.ref('author.id')` |";
    assert!(document.contains(line), "{document}");
    // Without the legacy entities their rules go, and the label of the user is free again.
    backup(&place.path("backup.zip"), |config| {
        config["rules"] = guarded("author.id");
        config["rules"]["$users"] =
            json!({ "allow": { "view": "size(data.ref('events.id')) > 0" } });
    });
    let bundle = run(&place, "backup.zip", &fixture("release.toml"));
    std::fs::remove_file(place.path("new.zip")).expect("a file");
    import(&place, &bundle, "backup.zip", &["--drop-legacy"]).ends(0);
    import(&place, &bundle, "backup.zip", &["--drop-legacy", "--execute"]).ends(0);
    let rules = &config(&place.path("new.zip"))["rules"];
    assert_eq!(rules["context_events"], Value::Null);
    assert_eq!(rules["thread_items"], wanted["context_events"]);
    assert_eq!(rules["$users"]["allow"]["view"], "size(data.ref('events.id')) > 0");
}

#[test]
fn what_cannot_be_rewritten_refuses_an_archive_and_prints_the_lines_of_the_contract() {
    let place = Place::new();
    backup(&place.path("backup.zip"), |config| {
        config["rules"] = json!({ "context_events": { "allow": { "view": "data.type == 'x'" } } });
    });
    let bundle = run(&place, "backup.zip", &fixture("release.toml"));
    let refused = import(&place, &bundle, "backup.zip", &[]).ends(5).error();
    insta::assert_snapshot!(refused, @r#"
            error: the permission rules of the app do not guard the target yet
              --> `thread_items`: `context_events.allow.view`, data.type == 'x': nothing in `thread_items` holds `context_events.type` as it is
            help: say in the contract or a release file who may do what, and run again; as far as it is known:
            [after.rules]
            thread_items = '''{"allow":{"view":"false"}}'''
            "#);
    assert!(!place.path("new.zip").exists());
    // Stores that evaluate no rules take the rows.
    place.run(&["import", &bundle]).ends(0);
    let report = std::fs::read_to_string(place.path(&bundle).join("report/report.md"));
    assert!(report.expect("a report").contains("permission rules are not settled"));
    let release = std::fs::read_to_string(fixture("release.toml")).expect("a release file");
    let lines = refused
        .split_once("[after.rules]")
        .expect("lines")
        .1
        .replace("\"false\"", "\"data.content != null\"");
    place.write("release.toml", format!("{release}\n[after.rules]{lines}\n"));
    let bundle = run(&place, "backup.zip", "release.toml");
    import(&place, &bundle, "backup.zip", &[]).ends(0);
    import(&place, &bundle, "backup.zip", &["--execute"]).ends(0);
    let rules = &config(&place.path("new.zip"))["rules"];
    assert_eq!(rules["thread_items"]["allow"], json!({ "view": "data.content != null" }));
}

#[test]
fn an_app_without_rules_is_said_to_be_open_and_unknown_rules_close_the_archive() {
    let place = Place::new();
    for (edit, expected, said) in [
        (
            (|config: &mut Value| config["rules"] = Value::Null) as fn(&mut Value),
            Value::Null,
            "the app has no permission rules: everybody may view and change its rows",
        ),
        (
            |config: &mut Value| {
                config["rules"] = Value::Null;
                config.as_object_mut().expect("an object").remove("backupAt");
            },
            json!({ "$default": { "allow": { "$default": "false" } } }),
            "the app's permission rules are not known: a backup says them since 2026-08-12",
        ),
    ] {
        backup(&place.path("backup.zip"), edit);
        let bundle = run(&place, "backup.zip", &fixture("release.toml"));
        let told = import(&place, &bundle, "backup.zip", &[]).ends(0).stdout;
        assert!(told.contains(said), "{told}");
        import(&place, &bundle, "backup.zip", &["--execute"]).ends(0);
        assert_eq!(config(&place.path("new.zip"))["rules"], expected);
        std::fs::remove_file(place.path("new.zip")).expect("a file");
    }
    // A dataset says nothing of an app.
    place.write("app.json", data::sound().to_string());
    let bundle = run(&place, "app.json", &fixture("release.toml"));
    let to = ["import", &bundle, "--to", "new.zip"];
    assert!(place.run(&to).ends(0).stdout.contains("the app's permission rules are not known"));
    place.run(&[&to[..], &["--execute"]].concat()).ends(0);
    let closed = json!({ "$default": { "allow": { "$default": "false" } } });
    assert_eq!(config(&place.path("new.zip"))["rules"], closed);
}

#[test]
fn rules_that_are_no_rules_are_refused_with_the_backup() {
    let place = Place::new();
    backup(&place.path("backup.zip"), |config| config["rules"] = json!({ "emails": "false" }));
    let refused = place.run(&["export", "backup.zip"]).ends(4).error();
    assert!(refused.contains("`rules` of `config.json`: those of `emails` are no JSON object"));
}

#[test]
fn an_app_that_would_let_everybody_at_guarded_rows_takes_none() {
    let place = Place::new();
    let source = place.path("backup.zip");
    backup(&source, |config| config["rules"] = guarded("author.id"));
    let master = Master::of(&source);
    let scene = Scene::new(&master, app_of(&master, &source));
    for execute in [false, true] {
        let refused = if execute { scene.import() } else { scene.dry_run() };
        let refused = refused.expect_err("it refuses");
        assert_eq!(refused.kind.exit_code(), 5);
        assert_eq!(refused.at, ["`thread_items`: everybody may view its rows"]);
        let help = refused.help.expect("help");
        assert!(
            help.contains(
                r#""thread_items": {"allow":{"view":"auth.id in data.ref('author.id')"}},"#
            )
        );
        assert_eq!(scene.server.calls(Route::Transact), 0);
    }
    // Other rules than the program's guard as well.
    scene.server.state().store.rules["thread_items"] = json!({ "allow": { "$default": "false" } });
    scene.import().expect("an import");
    // What is undone is not asked for rules.
    scene.server.state().store.rules = Value::Null;
    scene.rollback().expect("a rollback");
}

#[test]
fn an_app_read_page_by_page_brings_its_rules() {
    let place = Place::new();
    let source = place.path("backup.zip");
    backup(&source, |config| config["rules"] = guarded("author.id"));
    let server = crate::instantdb::Server::start(crate::instantdb::Store::from_archive(
        source.to_str().expect("UTF-8"),
    ));
    place.write("token", crate::instantdb::TOKEN);
    let app = format!("instantdb://{}", crate::instantdb::APP);
    let uri = server.uri();
    let args =
        ["export", &app, "--api-uri", &uri, "--token-file", "token", "--by-query", "--to", "s"];
    place.run(&args).ends(0);
    let said = std::fs::read_to_string(place.path("s/data/app.json")).expect("what is known");
    let said: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(said, json!({ "rules": guarded("author.id") }));
}

#[test]
fn the_plan_shows_the_rules_and_writes_them_beside_the_schema() {
    let place = Place::new();
    backup(&place.path("backup.zip"), |config| config["rules"] = guarded("author.id"));
    place.run(&["export", "backup.zip"]).ends(0);
    let args = ["plan", "snapshots/backup", "--write-schema", "app/instant.schema.ts"];
    std::fs::create_dir(place.path("app")).expect("a folder");
    let told = place.run(&args).ends(0).stdout;
    let told = told.split_once("permission rules of the target").expect("rules").1;
    insta::assert_snapshot!(told, @"

      the target's entities have permission rules from where their rows come: 1, of their own in the app: 0, by the contract: 0, none of their own: 5
      thread_items: those of `context_events`
        view    auth.id in data.ref('author.id')
        create  everybody
        update  everybody
        delete  everybody
      schema       app/instant.schema.ts
      permissions  app/instant.perms.ts
    ");
    let code = std::fs::read_to_string(place.path("app/instant.perms.ts")).expect("code");
    let rules = code.split_once("const rules = ").expect("rules").1;
    let rules = rules.split_once(" satisfies InstantRules;").expect("rules").0;
    let rules: Value = serde_json::from_str(rules).expect("JSON");
    assert_eq!(rules["thread_items"], guarded("author.id")["context_events"]);
    // Neither file is written over, nor one of them alone.
    std::fs::remove_file(place.path("app/instant.schema.ts")).expect("a file");
    place.run(&args).ends(2);
    assert!(!place.path("app/instant.schema.ts").exists());
}
