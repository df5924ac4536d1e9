//! Death at every point of an import and of its undoing where the program says it may die: the same
//! command goes on, and the target ends as after an unbroken run.
#![allow(clippy::print_stderr, reason = "the counts are what a run of these tests is for")]

use std::cell::RefCell;

use crate::data;
use crate::instantdb::{APP, Server, Store, TOKEN};
use crate::instantdb_target::scene::target_schema;
use crate::pg_target::{bundle_by, dump};
use crate::support::Place;
use crate::support::postgres::server;

/// Runs a command again and again, dying at its first point, its second, and so on, each time beginning
/// from the state `begin` makes; after each death the command is run to its end and `judge` looks. Gives
/// how many points there were.
fn at_every_point(
    place: &Place,
    args: &[&str],
    begin: &mut dyn FnMut(),
    judge: &mut dyn FnMut(u32),
) -> u32 {
    for point in 1.. {
        begin();
        let ended = place.run_until(args, point);
        if let Some(code) = ended {
            assert_eq!(code, 0, "the run that was not stopped");
            return point - 1;
        }
        place.run(args).ends(0);
        judge(point);
    }
    unreachable!("there is an end to the points")
}

#[test]
fn sqlite_survives_death_at_every_point() {
    let (place, bundle) = bundle_by(&data::sound(), "optional");
    let to = ["--to", "app.db"];
    let import = [&["import", &bundle][..], &to, &["--execute"]].concat();
    let undo = [&["rollback", &bundle][..], &to, &["--execute"]].concat();
    let database = place.path("app.db");
    let ours = "CREATE TABLE notes (x); INSERT INTO notes VALUES (1)";
    let sql = |sql: &str| {
        rusqlite::Connection::open(&database).expect("a database").execute_batch(sql).expect("SQL");
    };
    let rows = |table: &str| -> i64 {
        let db = rusqlite::Connection::open(&database).expect("a database");
        db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).expect("rows")
    };
    let mut points = Vec::new();
    for is_new in [true, false] {
        let clear = || {
            drop(std::fs::remove_file(&database));
            drop(std::fs::remove_dir_all(place.path(&bundle).join("import")));
            if !is_new {
                sql(ours);
            }
        };
        let after_import = |point: u32| {
            assert_eq!(rows("thread_parts"), 2, "import, point {point}");
            assert_eq!(rows("rethread_imports"), 1, "import, point {point}");
            assert!(
                place
                    .run(&["status"])
                    .ends(0)
                    .stdout
                    .contains("migrated_verified    sqlite `app.db`")
            );
            place.run(&undo).ends(0);
            assert_eq!(database.exists(), !is_new, "what is left is what was there, point {point}");
        };
        points.push(at_every_point(&place, &import, &mut &clear, &mut |at| after_import(at)));
        let loaded = || {
            clear();
            place.run(&import).ends(0);
        };
        let after_undo = |point: u32| {
            assert_eq!(database.exists(), !is_new, "rollback, point {point}");
            if !is_new {
                assert_eq!(rows("notes"), 1);
                assert_eq!(rows("sqlite_schema"), 1, "rollback, point {point}");
            }
            assert!(place.run(&["status"]).ends(0).stdout.contains("rolled_back"));
        };
        points.push(at_every_point(&place, &undo, &mut &loaded, &mut |at| after_undo(at)));
    }
    eprintln!("points: {points:?}");
    assert!(points.iter().all(|count| *count >= 6), "{points:?}");
}

#[test]
fn postgres_survives_death_at_every_point() {
    let Some(server) = server() else { return };
    let (place, bundle) = bundle_by(&data::sound(), "optional");
    let database = server.database();
    let url = database.url();
    let import = ["import", &bundle, "--to", &url, "--on-conflict", "replace", "--execute"];
    let undo = ["rollback", &bundle, "--to", &url, "--execute"];
    let part = "('00000000-0000-4000-8000-000500000001', 'k', 's', 9, null, null, null, null)";
    let table = format!(
        "CREATE TABLE thread_parts (id uuid PRIMARY KEY, key text, \"stepId\" text, idx double precision,
            type text, part jsonb, \"updatedAt\" timestamptz, step uuid);
         INSERT INTO thread_parts VALUES {part}"
    );
    let clear = || {
        drop(std::fs::remove_dir_all(place.path(&bundle).join("import")));
        database.run("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
        database.run(&table);
    };
    clear();
    let before = dump(&database);
    place.run(&import).ends(0);
    let after = dump(&database);
    let points = at_every_point(&place, &import, &mut &clear, &mut |point| {
        assert_eq!(dump(&database), after, "import, point {point}");
        place.run(&undo).ends(0);
        assert_eq!(dump(&database), before, "import and rollback, point {point}");
    });
    let loaded = || {
        clear();
        place.run(&import).ends(0);
    };
    let undone = at_every_point(&place, &undo, &mut &loaded, &mut |point| {
        assert_eq!(dump(&database), before, "rollback, point {point}");
    });
    eprintln!("points: {points} {undone}");
    assert!(points >= 8 && undone >= 6, "{points} {undone}");
}

#[test]
fn an_archive_survives_death_at_every_point() {
    let (place, bundle) = bundle_by(&data::sound(), "optional");
    let import = ["import", &bundle, "--to", "new.zip", "--execute"];
    let undo = ["rollback", &bundle, "--to", "new.zip", "--execute"];
    let archive = place.path("new.zip");
    let clear = || {
        drop(std::fs::remove_file(&archive));
        drop(std::fs::remove_dir_all(place.path(&bundle).join("import")));
    };
    place.run(&import).ends(0);
    let whole = std::fs::read(&archive).expect("the archive");
    let points = at_every_point(&place, &import, &mut &clear, &mut |point| {
        assert!(std::fs::read(&archive).expect("the archive") == whole, "import, point {point}");
        place.run(&undo).ends(0);
        assert!(!archive.exists(), "import and rollback, point {point}");
    });
    let loaded = || {
        clear();
        place.run(&import).ends(0);
    };
    let undone = at_every_point(&place, &undo, &mut &loaded, &mut |point| {
        assert!(!archive.exists(), "rollback, point {point}");
    });
    eprintln!("points: {points} {undone}");
    assert!(points >= 8 && undone >= 6, "{points} {undone}");
}

#[test]
fn an_app_survives_death_at_every_point() {
    let (place, bundle) = bundle_by(&data::sound(), "optional");
    let empty = || Server::start(Store::with_schema(&target_schema()));
    let server = RefCell::new(empty());
    place.write("token", TOKEN);
    let uri = server.borrow().uri();
    let app = format!("instantdb://{APP}");
    let call = |command: &str, uri: &str, point: Option<u32>| {
        let args = [
            command,
            &bundle,
            "--to",
            &app,
            "--api-uri",
            uri,
            "--token-file",
            "token",
            "--execute",
        ];
        match point {
            Some(point) => place.run_until(&args, point),
            None => Some(place.run(&args).code),
        }
    };
    assert_eq!(call("import", &uri, None), Some(0));
    let whole = server.borrow().content();
    let mut counts = Vec::new();
    for (command, began_with) in [("import", false), ("rollback", true)] {
        for point in 1.. {
            drop(std::fs::remove_dir_all(place.path(&bundle).join("import")));
            *server.borrow_mut() = empty();
            let uri = server.borrow().uri();
            if began_with {
                assert_eq!(call("import", &uri, None), Some(0));
            }
            if let Some(code) = call(command, &uri, Some(point)) {
                assert_eq!(code, 0, "the run that was not stopped");
                counts.push(point - 1);
                break;
            }
            assert_eq!(call(command, &uri, None), Some(0), "{command}, point {point}");
            let content = server.borrow().content();
            if began_with {
                assert!(
                    content.values().all(std::collections::BTreeMap::is_empty),
                    "rollback, point {point}"
                );
            } else {
                assert!(content == whole, "import, point {point}");
            }
        }
    }
    eprintln!("points: {counts:?}");
    assert!(counts.iter().all(|points| *points >= 8), "{counts:?}");
}

/// How many random moments of death are tried; `RETHREAD_TEST_KILLS` says otherwise.
fn kills() -> u64 {
    std::env::var("RETHREAD_TEST_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(3)
}

/// Kills a command after so many milliseconds; whether it was still at work.
fn kill_after(place: &Place, args: &[&str], millis: u64) -> bool {
    let mut child = place
        .command(args)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("the program starts");
    std::thread::sleep(std::time::Duration::from_millis(millis));
    let is_at_work = child.try_wait().expect("a child").is_none();
    drop(child.kill());
    child.wait().expect("a child");
    is_at_work
}

#[test]
fn sigkill_at_random_moments_changes_no_end() {
    let Some(server) = server() else { return };
    let (place, bundle) = bundle_by(&data::with_parts(3000), "optional");
    let database = server.database();
    let url = database.url();
    for to in [&url, "app.db"] {
        let import = ["import", &bundle, "--to", to, "--execute"];
        let undo = ["rollback", &bundle, "--to", to, "--execute"];
        let began = std::time::Instant::now();
        place.run(&import).ends(0);
        let whole = u64::try_from(began.elapsed().as_millis()).expect("no age") + 1;
        let after = dump(&database);
        place.run(&undo).ends(0);
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let mut killed = 0;
        for round in 0..kills() {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            killed += u64::from(kill_after(&place, &import, random % whole));
            place.run(&import).ends(0);
            assert_eq!(dump(&database), after, "round {round}");
            if to == "app.db" {
                let db = rusqlite::Connection::open(place.path(to)).expect("a database");
                let sql = "SELECT count(*), count(DISTINCT id), sum(idx) FROM thread_parts";
                let held: (i64, i64, f64) = db
                    .query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
                    .expect("rows");
                assert_eq!(held, (3000, 3000, 4_498_500.0), "round {round}");
            }
            killed += u64::from(kill_after(&place, &undo, random / 3 % whole));
            place.run(&undo).ends(0);
            assert!(!place.path("app.db").exists(), "round {round}");
        }
        eprintln!("{killed} of {} runs into {to} were killed at work", 2 * kills());
    }
}
