//! One fault per case: what is told, with which code, and that nothing else changed.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rethread::error::Kind;
use rethread::storage::{Staged, write_new};

use crate::data;
use crate::support::{Place, fixture, released};

/// A folder with a finished run on a sound dataset, and the bundle's folder in it.
fn finished() -> (Place, String) {
    let place = Place::new();
    place.write("app.json", data::sound().to_string());
    let bundle = bundle(&place, &[]);
    (place, bundle)
}

fn bundle(place: &Place, args: &[&str]) -> String {
    let args = [&["run", "app.json", "--json"], args].concat();
    let output = place.run(&args).ends(0).json();
    output["bundle"].as_str().expect("a folder").to_owned()
}

fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).expect("a file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).expect("a file");
}

#[test]
fn a_flipped_bit_in_a_snapshot_stops_every_command_that_reads_it() {
    let (place, bundle) = finished();
    flip(&place.path("snapshots/app/data/tables/story_parts.parquet"));
    for args in [
        &["check", "snapshots/app"][..],
        &["transform", "snapshots/app"],
        &["verify", &bundle],
        &["import", &bundle],
        &["run", "app.json"],
    ] {
        let told = place.run(args).ends(4).stderr;
        assert!(
            told.contains("data/tables/story_parts.parquet: its content has changed"),
            "{told}"
        );
    }
}

#[test]
fn a_flipped_bit_in_a_bundle_stops_every_command_that_reads_it() {
    let (place, bundle) = finished();
    flip(&place.path(&bundle).join("data/parquet/thread_parts.parquet"));
    for args in [
        &["check", &bundle][..],
        &["transform", "snapshots/app"],
        &["verify", &bundle],
        &["import", &bundle],
        &["report", &bundle],
        &["run", "app.json"],
    ] {
        let told = place.run(args).ends(4).stderr;
        assert!(told.contains("thread_parts.parquet: its content has changed"), "{args:?}\n{told}");
    }
}

#[test]
fn a_file_that_nobody_sealed_is_damage() {
    let (place, bundle) = finished();
    place.write(&format!("{bundle}/data/parquet/more.parquet"), "x");
    let told = place.run(&["check", &bundle]).ends(4).stderr;
    assert!(told.contains("more.parquet: is not listed"), "{told}");
}

#[test]
fn a_truncated_archive_is_told_and_leaves_nothing() {
    let bytes = std::fs::read(fixture("sample-backup.zip")).expect("the sample");
    let place = Place::new();
    place.write("cut.zip", &bytes[..bytes.len() / 2]);
    let output = place.run(&["run", "cut.zip"]).ends(4);
    insta::assert_snapshot!(output.error(), @"
    error: the archive is no zip file, or is cut off
      --> cut.zip
    because: invalid Zip archive: Could not find EOCD
    help: download the backup again
    ");
    assert!(!place.path("snapshots/cut").exists() && !place.path("out").exists());
}

#[test]
fn a_source_that_is_not_there() {
    let output = Place::new().run(&["run", "none.zip"]).ends(3);
    insta::assert_snapshot!(output.error(), @"
    error: there is no such file or folder
      --> none.zip
    because: No such file or directory (os error 2)
    ");
}

#[test]
fn a_source_of_another_kind() {
    let place = Place::new();
    let output = place.write("notes.txt", "hello").run(&["run", "notes.txt"]).ends(2);
    insta::assert_snapshot!(output.error(), @"
    error: there is no source that can be read
      --> notes.txt
    help: name a backup archive (`.zip`, or its unzipped folder), a dataset (`.json`), or a folder of `<entity>.jsonl` or `<entity>.parquet` files
    ");
}

#[test]
fn another_source_does_not_take_a_name_that_is_taken() {
    let (place, _) = finished();
    place.write("app.json", data::with_an_orphan().to_string());
    insta::assert_snapshot!(place.run(&["run", "app.json"]).ends(2).error(), @"
    error: the snapshot there was taken from another source
      --> snapshots/app
    help: give the new snapshot another place: `--name` of `run`, `--to` of `export`
    ");
    place.run(&["run", "app.json", "--name", "second"]).ends(1);
}

#[test]
fn a_file_in_the_way_of_a_snapshot_stays_as_it_is() {
    let place = Place::new();
    place.write("app.json", data::sound().to_string()).write("snapshots/app", "mine");
    place.run(&["run", "app.json"]).ends(4);
    assert_eq!(std::fs::read(place.path("snapshots/app")).expect("a file"), b"mine");
}

#[test]
fn rows_that_are_not_ours_are_refused_and_stay() {
    let place = Place::new();
    place.write("app.json", data::sound().to_string());
    let [release, file] = released();
    let bundle = bundle(&place, &[&release, &file]);
    let database = place.path("app.db");
    let import = ["import", &bundle, "--to", "app.db"];
    place.run(&import).ends(0);
    assert!(!database.exists(), "without `--execute` it is a dry run");
    place.run(&[&import[..], &["--execute"]].concat()).ends(0);
    rusqlite::Connection::open(&database)
        .expect("a database")
        .execute("update thread_threads set name = 'theirs'", [])
        .expect("a row");
    let before = std::fs::read(&database).expect("a file");
    for act in [&[][..], &["--execute"]] {
        let told = place.run(&[&import[..], act].concat()).ends(5).stderr;
        assert!(told.contains("1 row of `app.db` is in the way"), "{told}");
        assert_eq!(std::fs::read(&database).expect("a file"), before);
    }
}

#[test]
fn a_bundle_without_its_snapshot_asks_for_it() {
    let (place, bundle) = finished();
    std::fs::rename(place.path("snapshots/app"), place.path("moved")).expect("a move");
    let told = place.run(&["verify", &bundle]).ends(2).stderr;
    assert!(told.contains("--snapshot"), "{told}");
    place.run(&["verify", &bundle, "--snapshot", "moved"]).ends(0);
}

#[test]
fn a_killed_run_leaves_nothing_in_the_way_of_the_next() {
    let place = Place::new();
    place.write("app.json", data::with_parts(20_000).to_string());
    let mut child = place.command(&["run", "app.json", "-q"]).spawn().expect("the program starts");
    let partial = place.path("snapshots/.app.partial");
    while !partial.join("data").exists() && child.try_wait().expect("a child").is_none() {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    child.kill().expect("it can be killed");
    child.wait().expect("it ends");
    assert!(partial.exists() && !place.path("snapshots/app").exists(), "it was killed midway");
    place.run(&["run", "app.json"]).ends(0);
    assert!(!partial.exists(), "the next run cleared what was left");
}

#[test]
fn two_runs_do_not_make_the_same_folder() {
    let place = Place::new();
    place.write("app.json", data::sound().to_string()).write("snapshots/.app.lock", "");
    let lock = std::fs::File::open(place.path("snapshots/.app.lock")).expect("a file");
    lock.try_lock().expect("nobody else holds it");
    insta::assert_snapshot!(place.run(&["run", "app.json"]).ends(75).error(), @"
    error: another run is making this folder right now
      --> snapshots/.app.partial
    help: wait for it to end, or name another folder
    ");
    drop(lock);
    place.run(&["run", "app.json"]).ends(0);
    assert!(!place.path("snapshots/.app.lock").exists(), "nothing is left beside the snapshot");
}

#[test]
fn a_folder_that_is_being_finished_is_not_begun_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join("made");
    for _ in 0..50 {
        let staged = Staged::begin(&place).expect("a folder");
        for file in 0..20 {
            write_new(&staged.path().join(format!("{file}/x")), b"x").expect("a file");
        }
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let others = scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    // It may find no other run's folder and nothing at the place before the end.
                    let begun = Staged::begin(&place).map(drop);
                    let kind = begun.expect_err("it is being made, or is there").kind;
                    assert!(matches!(kind, Kind::Busy | Kind::Usage), "{kind:?}");
                }
            });
            staged.commit().expect("a folder");
            over.store(true, Ordering::Relaxed);
            others.join().expect("no other begins");
        });
        let files = (0..20).filter(|file| place.join(format!("{file}/x")).exists()).count();
        assert_eq!(files, 20);
        std::fs::remove_dir_all(&place).expect("it goes");
    }
}
