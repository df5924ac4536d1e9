//! The whole way, on the sample archive and on small datasets.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::data;
use crate::support::{Output, Place, fixture, released};

/// Every file under a folder, with its bytes.
fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut folders = vec![root.to_owned()];
    let mut files = BTreeMap::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root).expect("below").to_owned();
                files.insert(name, std::fs::read(&path).expect("a file"));
            }
        }
    }
    files
}

/// The one folder in `out`.
pub(crate) fn bundle(place: &Place) -> String {
    let mut names = std::fs::read_dir(place.path("out")).expect("a folder");
    let name = names.next().expect("a bundle").expect("an entry").file_name();
    assert!(names.next().is_none(), "there is one bundle");
    format!("out/{}", name.to_str().expect("UTF-8"))
}

fn run_sample(place: &Place) -> Output {
    place.run(&["run", &fixture("sample-backup.zip")]).ends(0)
}

fn run_dataset(place: &Place, data: &serde_json::Value, code: i32) -> Output {
    place.write("app.json", data.to_string()).run(&["run", "app.json"]).ends(code)
}

#[test]
fn the_sample_goes_the_whole_way() {
    let place = Place::new();
    let output = run_sample(&place);
    insta::assert_snapshot!(output.stdout.replace(&bundle(&place), "out/ID"), @"
    verified and imported
      Of 1,369 legacy rows, 1,369 were migrated, 0 were merged into others and 0 were set aside
      in quarantine; all 398 rules hold; all 1,553 rows and links are in `thread.sqlite`, read
      back and equal.

      legacy table      rows  migrated  merged  quarantined
      context_contexts    12        12       0            0
      context_events     260       260       0            0
      story_executions   130       130       0            0
      story_steps        260       260       0            0
      story_parts        707       707       0            0

      target table       rows  migrated  existing  adopted
      thread_threads       13        11         2        1
      thread_contexts      13        12         1        0
      thread_items        263       260         3        0
      thread_executions   131       130         1        0
      thread_steps        262       260         2        0
      thread_parts        711       707         4        0

      rules        356 hold, 0 violated, 0 not evaluated, 42 had nothing to look at
      left behind  3 other entities stay in the app ($users, emails, whatsapp_messages)
      repairs      75 values by 10 rules
      import       `thread.sqlite`: 1,553 created, 0 updated, 0 unchanged
      blanks       release.from, release.to, before.entrypoints, after.entrypoints,
                   rollout.canary
      next         Fill the blanks of the contract: `rethread contract init` writes a file for
                   them.
      next         Keep the snapshot and this folder: they prove the result for as long as they
                   are kept.

      bundle       out/ID
      report       out/ID/report/report.html
      snapshot     snapshots/sample-backup
      database     out/ID/thread.sqlite
    ");
    for name in ["report/report.html", "report/report.md", "report/report.json", "thread.sqlite"] {
        assert!(place.path(&bundle(&place)).join(name).is_file(), "{name}");
    }
}

#[test]
fn a_second_run_changes_nothing_and_says_so() {
    let place = Place::new();
    run_dataset(&place, &data::sound(), 0);
    let before = files(&place.path("."));
    let output = run_dataset(&place, &data::sound(), 0);
    assert!(output.stderr.contains("already exported"), "{}", output.stderr);
    let after = files(&place.path("."));
    let changed = |name: &&PathBuf| before.get(*name) != after.get(*name);
    let changed: Vec<_> = before.keys().chain(after.keys()).filter(changed).collect();
    // The reports tell of the last import, which now created nothing.
    let reports_only = changed.iter().all(|name| {
        name.components().any(|part| matches!(part.as_os_str().to_str(), Some("report" | "import")))
    });
    assert!(reports_only, "{changed:?}");
}

#[test]
fn a_folder_is_known_again_by_its_files() {
    let place = Place::new();
    for (entity, rows) in data::sound().as_object().expect("entities") {
        let lines = rows.as_array().expect("rows").iter().map(|row| format!("{row}\n"));
        place.write(&format!("app/{entity}.jsonl"), lines.collect::<String>());
    }
    place.run(&["run", "app"]).ends(0);
    place.write("app/notes.txt", "no table");
    assert!(place.run(&["run", "app"]).ends(0).stderr.contains("already exported"));
    place.write("app/story_parts.jsonl", "");
    assert!(place.run(&["run", "app"]).ends(2).error().contains("another source"));
}

#[test]
fn zone_locale_and_threads_change_no_byte() {
    let manifests = |place: Place| {
        run_sample(&place);
        ["snapshots/sample-backup", &bundle(&place)].map(|root| {
            let path = place.path(root).join("manifest-sha256.txt");
            (root.to_owned(), std::fs::read_to_string(path).expect("a manifest"))
        })
    };
    let one = manifests(Place::new().env("TZ", "UTC").env("POLARS_MAX_THREADS", "1"));
    let two = Place::new().env("TZ", "Asia/Kathmandu").env("LC_ALL", "tr_TR.UTF-8");
    assert_eq!(one, manifests(two.env("POLARS_MAX_THREADS", "2")));
    assert_eq!(one, manifests(Place::new().env("POLARS_MAX_THREADS", "4")));
}

#[test]
fn stage_by_stage_gives_the_same_bundle_as_run() {
    let whole = Place::new();
    let [release, file] = released();
    let app = data::sound().to_string();
    whole.write("app.json", &app).run(&["run", "app.json", &release, &file]).ends(0);
    let place = Place::new();
    place.write("app.json", &app);
    let line = |args: &[&str]| place.run(args).ends(0).stdout.trim_end().to_owned();
    let snapshot = line(&["export", "app.json"]);
    assert_eq!(snapshot, "snapshots/app");
    let made = line(&["transform", &snapshot, &release, &file]);
    assert_eq!(made, bundle(&whole));
    assert!(place.run(&["verify", &made]).ends(0).stdout.starts_with("verified, not imported yet"));
    place.run(&["import", &made, "--to", "sqlite:thread.db"]).ends(0);
    place.run(&["import", &made, "--to", "sqlite:thread.db", "--execute"]).ends(0);
    assert!(place.path("thread.db").is_file());
    assert!(place.run(&["verify", &made]).ends(0).stdout.starts_with("verified and imported"));
    let report = place.run(&["report", &made, "--format", "html"]).ends(0).stdout;
    assert!(report.starts_with("<!doctype html>") || report.starts_with("<!DOCTYPE html>"));
    let manifest = |place: &Place| std::fs::read(place.path(&made).join("manifest-sha256.txt"));
    assert_eq!(manifest(&whole).expect("a file"), manifest(&place).expect("a file"));
}

#[test]
fn every_command_answers_machines() {
    let place = Place::new();
    place.write("app.json", data::sound().to_string());
    let ask = |args: &[&str]| {
        let output = place.run(&[args, &["--json"]].concat()).ends(0);
        assert_eq!(output.stderr, "", "{args:?}");
        let json = output.json();
        assert_eq!(json["ok"], true, "{args:?}");
        json
    };
    let snapshot = ask(&["export", "app.json"]);
    assert_eq!(snapshot["rows"]["story_parts"], 2);
    let made = ask(&["transform", "snapshots/app"]);
    let made = made["bundle"].as_str().expect("a folder");
    for args in [&["verify", made][..], &["import", made], &["report", made], &["run", "app.json"]]
    {
        assert!(ask(args)["result"].is_object(), "{args:?}");
    }
    for folder in ["snapshots/app", made] {
        assert_eq!(ask(&["check", folder])["digest"].as_str().map(str::len), Some(64));
    }
}

#[test]
fn quarantine_over_its_limit_is_findings_and_is_not_imported() {
    let place = Place::new();
    let output = run_dataset(&place, &data::with_an_orphan(), 1);
    insta::assert_snapshot!(output.error().replace(&bundle(&place), "out/ID"), @"
    error: verification: 1 of 381 rules is not met
      --> quarantined rows are within the contract's limit: 0: 1 of 8 (1 of 8 legacy rows)
    help: read out/ID/report/report.html
    ");
    let root = place.path(&bundle(&place));
    assert!(root.join("report/report.html").is_file(), "the reports say what stands in the way");
    assert!(!root.join("thread.sqlite").exists(), "nothing is imported");
    place.run(&["import", &bundle(&place)]).ends(1);
}

#[test]
fn a_raised_limit_lets_the_rest_through() {
    let place = Place::new();
    place.write("app.json", data::with_an_orphan().to_string());
    place.run(&["run", "app.json", "--set", "rollout.max_quarantined=1"]).ends(0);
}

#[test]
fn sha256sum_accepts_what_was_sealed() {
    let place = Place::new();
    run_dataset(&place, &data::sound(), 0);
    for root in ["snapshots/app", &bundle(&place)] {
        for manifest in ["manifest-sha256.txt", "tagmanifest-sha256.txt"] {
            let checked = Command::new("sha256sum")
                .args(["--strict", "-c", manifest])
                .current_dir(place.path(root))
                .output()
                .expect("sha256sum runs");
            assert!(checked.status.success(), "{root}/{manifest}");
        }
    }
}
