//! Imports and rollbacks in a row: what went wrong once.

use serde_json::Value;

use crate::data;
use crate::pg_target::dump;
use crate::support::postgres::server;
use crate::support::{Place, released};

/// Bundles that need no dry run, by name.
fn bundle(place: &Place, name: &str, app: &Value, release: &str) -> String {
    place.write(&format!("{name}.json"), app.to_string());
    let set = format!("release.to={release}");
    let source = format!("{name}.json");
    let optional = "rollout.dry_run=optional";
    let [release, file] = released();
    let args = ["run", &source, "--json", "--set", optional, "--set", &set, &release, &file];
    let output = place.run(&args).ends(0).json();
    output["bundle"].as_str().expect("a folder").to_owned()
}

fn import(place: &Place, bundle: &str, more: &[&str]) -> crate::support::Output {
    place.run(&[&["import", bundle, "--to", "app.db", "--execute"], more].concat())
}

fn rollback(place: &Place, bundle: &str) -> crate::support::Output {
    place.run(&["rollback", bundle, "--to", "app.db", "--execute"])
}

fn sql(place: &Place, sql: &str) {
    let db = rusqlite::Connection::open(place.path("app.db")).expect("a database");
    db.execute_batch(sql).expect("SQL");
}

fn state(place: &Place) -> String {
    place.run(&["status"]).ends(0).stdout
}

/// The same app with another channel in one event.
fn changed(channel: &str) -> Value {
    let mut app = data::sound();
    app["context_events"][0]["channel"] = channel.into();
    app
}

#[test]
fn a_failure_after_the_commit_does_not_hide_the_import() {
    let place = Place::new();
    let bundle = bundle(&place, "app", &data::sound(), "1");
    // Through all points, until one lies behind the rename.
    let points = (1..100).find(|point| {
        drop(std::fs::remove_file(place.path("app.db")));
        drop(std::fs::remove_dir_all(place.path(&bundle).join("import")));
        let died = place.run_until(&["import", &bundle, "--to", "app.db", "--execute"], *point);
        assert!(died.is_none(), "it dies at every point before that");
        place.path("app.db").exists()
    });
    assert!(points.is_some());
    let db = rusqlite::Connection::open(place.path("app.db")).expect("a database");
    db.execute_batch("BEGIN EXCLUSIVE").expect("a lock");
    import(&place, &bundle, &[]).ends(75);
    drop(db);
    // Somebody changes a row before the import is gone on with: it is committed all the same.
    sql(&place, "UPDATE thread_parts SET idx = 77 WHERE idx = 1");
    let told = import(&place, &bundle, &[]).ends(1).error();
    assert!(told.contains("does not hold what the bundle holds\n"), "{told}");
    assert!(state(&place).contains("applied_unverified"), "{}", state(&place));
    sql(&place, "UPDATE thread_parts SET idx = 1 WHERE idx = 77");
    import(&place, &bundle, &[]).ends(0);
    rollback(&place, &bundle).ends(0);
    assert!(!place.path("app.db").exists());
}

#[test]
fn imports_are_undone_last_first() {
    let place = Place::new();
    let first = bundle(&place, "app", &data::sound(), "1");
    let second = bundle(&place, "app", &data::sound(), "2");
    import(&place, &first, &[]).ends(0);
    import(&place, &second, &[]).ends(0);
    let told = rollback(&place, &first).ends(5).error();
    assert!(told.contains("a later import of another bundle stands on this one"), "{told}");
    assert!(
        state(&place).matches("migrated_verified    sqlite `app.db`").count() == 2,
        "{}",
        state(&place)
    );
    rollback(&place, &second).ends(0);
    rollback(&place, &first).ends(0);
    assert!(!place.path("app.db").exists());
}

#[test]
fn what_was_kept_and_then_replaced_comes_back() {
    let place = Place::new();
    let first = bundle(&place, "app", &data::sound(), "1");
    let second = bundle(&place, "other", &changed("mail"), "1");
    import(&place, &first, &[]).ends(0);
    sql(&place, "UPDATE thread_items SET channel = 'by hand' WHERE type = 'input_text'");
    import(&place, &second, &["--on-conflict", "keep"]).ends(0);
    import(&place, &second, &["--on-conflict", "replace"]).ends(0);
    rollback(&place, &second).ends(0);
    let db = rusqlite::Connection::open(place.path("app.db")).expect("a database");
    let sql = "SELECT count(*) FROM thread_items WHERE channel = 'by hand'";
    let held: i64 = db.query_row(sql, [], |row| row.get(0)).expect("a row");
    assert_eq!(held, 1);
}

#[test]
fn a_journal_that_is_gone_takes_no_images_with_it() {
    let place = Place::new();
    let first = bundle(&place, "app", &data::sound(), "1");
    import(&place, &first, &[]).ends(0);
    let imports = std::fs::read_dir(place.path(&first).join("import")).expect("a folder");
    for folder in imports {
        drop(std::fs::remove_file(folder.expect("an entry").path().join("journal.jsonl")));
    }
    let told = import(&place, &first, &[]).ends(4).error();
    assert!(told.contains("the journal lacks runs that were there"), "{told}");
}

#[test]
fn rows_may_pass_unique_values_on() {
    let swapped = || {
        let mut app = data::sound();
        let key = |app: &Value, at: usize| app["story_parts"][at]["key"].clone();
        let (one, two) = (key(&app, 0), key(&app, 1));
        app["story_parts"][0]["key"] = two;
        app["story_parts"][1]["key"] = one;
        app
    };
    let place = Place::new();
    let first = bundle(&place, "app", &data::sound(), "1");
    let second = bundle(&place, "other", &swapped(), "1");
    import(&place, &first, &[]).ends(0);
    import(&place, &second, &[]).ends(0);
    rollback(&place, &second).ends(0);
    import(&place, &first, &[]).ends(0);
    let Some(server) = server() else { return };
    let database = server.database();
    let url = database.url();
    place.run(&["import", &first, "--to", &url, "--execute"]).ends(0);
    let before = dump(&database);
    place.run(&["import", &second, "--to", &url, "--execute"]).ends(0);
    place.run(&["rollback", &second, "--to", &url, "--execute"]).ends(0);
    assert_eq!(dump(&database), before);
}

#[test]
fn rows_of_others_do_not_follow_rows_that_go() {
    let Some(server) = server() else { return };
    let database = server.database();
    let url = database.url();
    let place = Place::new();
    let first = bundle(&place, "app", &data::sound(), "1");
    let undo = ["rollback", &first, "--to", &url, "--execute"];
    place.run(&["import", &first, "--to", &url, "--execute"]).ends(0);
    for action in ["CASCADE", "SET NULL"] {
        database.run(&format!(
            "CREATE TABLE notes (item uuid REFERENCES thread_items (id) ON DELETE {action});
             INSERT INTO notes SELECT id FROM thread_items"
        ));
        let before = dump(&database);
        let told = place.run(&undo).ends(5).error();
        assert!(told.contains("rows that are not ours would follow"), "{told}");
        assert_eq!(dump(&database), before);
        database.run("DROP TABLE notes");
    }
    database.run("CREATE VIEW seen AS SELECT count(*) FROM thread_items");
    place.run(&undo).ends(0);
    let left: i64 =
        database.client().query_one("SELECT count FROM seen", &[]).expect("the view").get(0);
    assert_eq!(left, 0, "what a view stands on stays, empty");
}

#[test]
fn a_refused_rollback_leaves_the_state_as_it_was() {
    let place = Place::new();
    let first = bundle(&place, "app", &data::sound(), "1");
    import(&place, &first, &[]).ends(0);
    sql(&place, "UPDATE thread_parts SET idx = 77 WHERE idx = 1");
    rollback(&place, &first).ends(5);
    let told = state(&place);
    assert!(told.contains("migrated_verified    sqlite `app.db`"), "{told}");
    assert!(told.contains("changed since the import"), "{told}");
}

#[cfg(unix)]
#[test]
fn only_a_plain_file_is_replaced_and_links_are_followed() {
    let place = Place::new();
    let first = bundle(&place, "app", &data::sound(), "1");
    let status = std::process::Command::new("mkfifo").arg(place.path("app.db")).status();
    assert!(status.expect("mkfifo runs").success());
    let told = import(&place, &first, &[]).ends(2).error();
    assert!(told.contains("what stands there is no plain file"), "{told}");
    std::fs::remove_file(place.path("app.db")).expect("the pipe");
    std::os::unix::fs::symlink("real.db", place.path("app.db")).expect("a link");
    import(&place, &first, &[]).ends(0);
    assert!(place.path("real.db").is_file() && place.path("app.db").is_symlink());
    rollback(&place, &first).ends(0);
    assert!(!place.path("real.db").exists() && place.path("app.db").is_symlink());
}

#[test]
fn a_dry_run_makes_no_folder() {
    let place = Place::new();
    let first = bundle(&place, "app", &data::sound(), "1");
    place.run(&["import", &first, "--to", "deep/er/app.db"]).ends(0);
    assert!(!place.path("deep").exists());
    place.run(&["import", &first, "--to", "deep/er/app.db", "--execute"]).ends(0);
    assert!(place.path("deep/er/app.db").is_file());
}
