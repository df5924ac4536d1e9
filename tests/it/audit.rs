//! One command that looks at everything of a bundle, and at bundles of every format there was.
#![allow(clippy::unwrap_used, reason = "a test that cannot read its own files has failed")]

use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::resealed::{self, change_file};
use crate::support::{Output, Place, fixture};

/// A finished run on the sample, with its database.
fn finished() -> (Place, PathBuf) {
    let place = Place::new();
    place.write("sample.zip", std::fs::read(fixture("sample-backup.zip")).unwrap());
    let output = place.run(&["run", "sample.zip", "--json"]).ends(0).json();
    let bundle = place.path(output["bundle"].as_str().unwrap());
    (place, bundle)
}

fn audit(place: &Place, bundle: &Path, more: &[&str]) -> Output {
    place.run(&[&["audit", bundle.to_str().unwrap(), "--json"], more].concat())
}

/// The points that came out so.
fn points(output: &Output, outcome: &str) -> Vec<String> {
    let json: Value = serde_json::from_str(&output.stdout).expect("JSON");
    let points = json["result"]["points"].as_array().unwrap().iter();
    let points = points.filter(|point| point["outcome"] == outcome);
    points.map(|point| point["point"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_sound_bundle_passes_every_point() {
    let (place, bundle) = finished();
    let before = resealed_files(&bundle);
    let output = audit(&place, &bundle, &["--source", "sample.zip"]).ends(0);
    assert_eq!(points(&output, "failed"), Vec::<String>::new());
    assert_eq!(points(&output, "not_there"), Vec::<String>::new());
    assert_eq!(
        points(&output, "passed"),
        [
            "bundle seal",
            "versions",
            "contract",
            "snapshot seal",
            "provenance",
            "source",
            "verification",
            "kept verification",
            "reverse proof",
            "import sqlite",
            "embedded database",
            "reports"
        ]
    );
    assert_eq!(resealed_files(&bundle), before, "an audit writes nothing");
    let told = place.run(&["audit", bundle.to_str().unwrap(), "-q"]).ends(0).stdout;
    assert!(told.contains("not there  source"), "{told}");
    assert!(told.ends_with("11 passed, 0 failed, 1 not there\n"), "{told}");
}

/// Every file of a folder with its bytes.
fn resealed_files(root: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found: Vec<_> = crate::support::files(root.to_owned())
        .into_iter()
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect();
    found.sort();
    found
}

#[test]
fn without_its_snapshot_a_bundle_is_audited_as_far_as_it_goes() {
    let (place, bundle) = finished();
    std::fs::rename(place.path("snapshots"), place.path("gone")).unwrap();
    let output = audit(&place, &bundle, &[]).ends(0);
    assert_eq!(points(&output, "not_there"), ["snapshot seal", "source", "verification"]);
    assert!(points(&output, "passed").contains(&"reverse proof".to_owned()));
    assert!(output.stdout.contains("by the digests the bundle carries"));
}

/// One fault, and what must be told of it.
type Fault<'a> = (&'a str, &'a dyn Fn(&Place, &Path), i32, &'a [&'a str]);

fn check(faults: &[Fault<'_>]) {
    let (place, bundle) = finished();
    for (name, fault, code, expected) in faults {
        let copied = Place::new();
        crate::support::copy(&place.path("snapshots"), &copied.path("snapshots"));
        crate::support::copy(&bundle, &copied.path("bundle"));
        copied.write("sample.zip", std::fs::read(place.path("sample.zip")).unwrap());
        fault(&copied, &copied.path("bundle"));
        let output = audit(&copied, &copied.path("bundle"), &["--source", "sample.zip"]);
        assert_eq!(output.code, *code, "{name}: {}\n{}", output.stdout, output.stderr);
        assert_eq!(points(&output, "failed"), *expected, "{name}: {}", output.stdout);
    }
}

fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_broken_seal_is_damage() {
    check(&[
        (
            "a bit of the bundle",
            &|_, bundle| flip(&bundle.join("data/residue/story_parts.parquet")),
            4,
            &["bundle seal"],
        ),
        (
            "a bit of the snapshot",
            &|place, _| flip(&place.path("snapshots/sample/data/tables/story_parts.parquet")),
            4,
            &["snapshot seal"],
        ),
    ]);
}

#[test]
#[allow(clippy::too_many_lines, reason = "one entry a fault")]
fn what_was_changed_beside_the_seal_is_found() {
    check(&[
        (
            "another source",
            &|place, _| {
                place.write("sample.zip", data());
            },
            1,
            &["source"],
        ),
        (
            "a kept verification",
            &|_, bundle| {
                change_file(&bundle.join("report/verification.json"), "\"passed\"", "\"failed\"");
            },
            1,
            &["kept verification"],
        ),
        (
            "a journal",
            &|_, bundle| change_file(&bundle.join("import/sqlite/journal.jsonl"), "{\"at\"", "{at"),
            4,
            &["import sqlite"],
        ),
        (
            "a journal without its end",
            &|_, bundle| {
                let path = bundle.join("import/sqlite/journal.jsonl");
                let text = std::fs::read_to_string(&path).unwrap();
                let lines: Vec<&str> = text.lines().collect();
                std::fs::write(&path, lines[..lines.len() - 1].join("\n") + "\n").unwrap();
            },
            1,
            &["import sqlite"],
        ),
        (
            "an outcome",
            &|_, bundle| {
                let path = bundle.join("import/sqlite/outcome.json");
                change_file(&path, "\"digest\": \"", "\"digest\": \"0");
            },
            1,
            &["import sqlite"],
        ),
        (
            "images that are gone",
            &|_, bundle| {
                for file in std::fs::read_dir(bundle.join("import/sqlite")).unwrap() {
                    let path = file.unwrap().path();
                    if path.file_name().unwrap().to_str().unwrap().starts_with("before-") {
                        std::fs::remove_file(path).unwrap();
                    }
                }
            },
            1,
            &["import sqlite"],
        ),
        (
            "a row of the database",
            &|_, bundle| {
                let database = rusqlite::Connection::open(bundle.join("thread.sqlite")).unwrap();
                let sql = "update thread_items set channel = channel || ' ' where rowid = 7";
                assert_eq!(database.execute(sql, []).unwrap(), 1);
            },
            1,
            &["embedded database"],
        ),
        (
            "a database that is gone",
            &|_, bundle| std::fs::remove_file(bundle.join("thread.sqlite")).unwrap(),
            1,
            &["embedded database"],
        ),
        (
            "a report",
            &|_, bundle| {
                let path = bundle.join("report/report.json");
                let manifest = bundle.join("manifest-sha256.txt");
                let manifest = std::fs::read_to_string(manifest).unwrap();
                change_file(&path, &manifest[..64], &"0".repeat(64));
            },
            1,
            &["reports"],
        ),
    ]);
}

fn data() -> String {
    crate::data::sound().to_string()
}

/// Whoever seals a changed bundle again is found by what stands elsewhere.
#[test]
fn what_was_changed_and_sealed_again_is_found() {
    let kept = ["kept verification", "import sqlite", "embedded database", "reports"];
    let with = |points: &[&'static str]| -> Vec<&'static str> {
        // The bundle has another digest now, so what is kept is of another one.
        let order = [
            "versions",
            "contract",
            "provenance",
            "verification",
            "kept verification",
            "reverse proof",
            "import sqlite",
            "reports",
        ];
        let is_told = |point: &&str| points.contains(point) || kept.contains(point);
        order.into_iter().filter(is_told).collect()
    };
    let residue = with(&["reverse proof"]);
    let row = with(&["verification", "reverse proof"]);
    let origin = with(&["versions", "provenance", "verification"]);
    check(&[
        (
            "a residue",
            &|_, bundle| {
                let file = bundle.join("data/residue/story_steps.parquet");
                resealed::change_text(&file, "status", |text| format!("{text} "));
                resealed::seal(bundle);
            },
            1,
            &residue,
        ),
        (
            "a target row",
            &|_, bundle| {
                let file = bundle.join("data/parquet/thread_executions.parquet");
                resealed::change_text(&file, "workflowRunId", |text| format!("{text}x"));
                resealed::seal(bundle);
            },
            1,
            &row,
        ),
    ]);
    // Another snapshot than the bundle names: nothing is compared with it.
    let elsewhere: Vec<&str> = origin
        .into_iter()
        .filter(|point| !["verification", "provenance"].contains(point))
        .collect();
    check(&[(
        "an origin",
        &|_, bundle| {
            let path = bundle.join("data/bundle.json");
            let text = std::fs::read_to_string(&path).unwrap();
            let meta: Value = serde_json::from_str(&text).unwrap();
            let digest = meta["snapshot"]["digest"].as_str().unwrap();
            std::fs::write(&path, text.replace(digest, &"5".repeat(64))).unwrap();
            resealed::seal(bundle);
        },
        1,
        &elsewhere,
    )]);
}

#[test]
fn a_snapshot_of_another_source_is_no_proof() {
    let (place, bundle) = finished();
    place.write("other.json", data());
    place.run(&["export", "other.json"]).ends(0);
    let output = audit(&place, &bundle, &["--snapshot", "snapshots/other"]).ends(1);
    assert_eq!(points(&output, "failed"), ["provenance"]);
    assert_eq!(points(&output, "not_there"), ["source", "verification"]);
}

#[test]
fn what_is_no_bundle_is_damage() {
    let place = Place::new();
    place.write("folder/file", "x");
    let output = audit(&place, &place.path("folder"), &[]).ends(4);
    assert_eq!(points(&output, "failed"), ["bundle seal"]);
}

/// A snapshot and its bundle as the program wrote them in a format.
pub(crate) fn kept(format: u32) -> Place {
    let place = Place::new();
    let file = std::fs::File::open(fixture(&format!("format-{format}.zip"))).unwrap();
    let mut archive = zip::ZipArchive::new(file).unwrap();
    for at in 0..archive.len() {
        let mut entry = archive.by_index(at).unwrap();
        let name = entry.name().unwrap().into_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        place.write(&name, content);
    }
    place
}

#[test]
fn bundles_of_format_1_are_read_verified_imported_and_audited() {
    let place = kept(1);
    place.run(&["check", "snapshot"]).ends(0);
    place.run(&["check", "bundle"]).ends(0);
    place.run(&["report", "bundle", "--format", "json"]).ends(0);
    place.run(&["verify", "bundle", "--snapshot", "snapshot"]).ends(0);
    // The journal tells of a database that was not kept with the bundle.
    let output = audit(&place, Path::new("bundle"), &["--snapshot", "snapshot"]);
    assert_eq!(points(&output, "failed"), ["embedded database"], "{}", output.stdout);
    assert!(points(&output, "passed").contains(&"import sqlite".to_owned()), "{}", output.stdout);
    let import = ["import", "bundle", "--to", "new.sqlite", "--snapshot", "snapshot", "--execute"];
    place.run(&import[..6]).ends(0);
    // Its contract has blanks, so it goes into no database of others.
    place.run(&import).ends(5);
    std::fs::remove_dir_all(place.path("bundle/import/sqlite")).unwrap();
    place.run(&["import", "bundle", "--snapshot", "snapshot"]).ends(0);
    let output = audit(&place, Path::new("bundle"), &["--snapshot", "snapshot"]).ends(0);
    let absent = ["source", "reverse proof"];
    assert_eq!(points(&output, "not_there"), absent, "{}", output.stdout);
    let told = place.run(&["revert", "bundle", "--snapshot", "snapshot"]).ends(2);
    insta::assert_snapshot!(told.error(), @"
    error: the bundle has format 1, which does not keep what rules leave behind: the legacy tables cannot be rebuilt from it
      --> bundle/data/bundle.json
    help: keep its snapshot, or transform that again into another folder (`--out`)
    ");
}

#[test]
fn bundles_of_format_2_are_verified_by_their_own_rules() {
    // Its ids are no UUIDs, so that ties went by chance: an answer is before its question. Links are spelled
    // as `contextId` alone, a step names an event that is not there, two contexts name one execution.
    let place = kept(2);
    let told = place.run(&["verify", "bundle", "--snapshot", "snapshot"]).ends(0);
    assert!(told.stderr.contains("0 not passed, by the rules of format 2"), "{}", told.stderr);
    let output = audit(&place, Path::new("bundle"), &["--snapshot", "snapshot"]).ends(0);
    assert_eq!(points(&output, "failed"), [""; 0], "{}", output.stdout);
    let caught = place.run(&["verify", "bundle", "--snapshot", "snapshot", "--self-test"]).ends(0);
    let score = caught.stdout.lines().last().and_then(|line| line.split_once(" of "));
    let (found, planted) = score.expect("a score");
    assert!(planted.starts_with(&format!("{found} caught")), "{}", caught.stdout);
    assert!(found.parse::<u32>().is_ok_and(|found| found >= 90), "{}", caught.stdout);
    // The same data made now is told to be shown in another order.
    let made =
        ["transform", "snapshot", "--out", "new", "--set", "rollout.max_quarantined=any", "--json"];
    let made = place.run(&made).ends(0).json();
    let bundle = made["bundle"].as_str().unwrap();
    let told = place.run(&["verify", bundle, "--snapshot", "snapshot"]).ends(1);
    assert!(told.stderr.contains("sorted by its own createdAt, id"), "{}", told.stderr);
    assert!(!told.stderr.contains("by the rules of format"), "{}", told.stderr);
}

#[test]
fn a_snapshot_of_an_older_program_is_told_and_not_reused() {
    let place = kept(2);
    for command in [
        &["run", "app.json", "--snapshots", ".", "--name", "snapshot"][..],
        &["export", "app.json", "--to", "snapshot"],
    ] {
        let told = place.run(command).ends(2);
        let told = told.error().replace("./snapshot", "snapshot");
        insta::allow_duplicates!(insta::assert_snapshot!(told, @"
        error: the snapshot there was taken by rethread 0.1.0; rethread 0.2.0 reads more of a source
          --> snapshot
        help: give the new snapshot another place: `--name` of `run`, `--to` of `export`
        "));
    }
    let args =
        ["transform", "snapshot", "--out", "new", "--set", "rollout.max_quarantined=any", "--json"];
    let made = place.run(&args).ends(0).json();
    let bundle = place.path(made["bundle"].as_str().unwrap()).join("data/bundle.json");
    let bundle = std::fs::read_to_string(bundle).unwrap();
    assert!(bundle.contains("\"taken_by\": \"rethread 0.1.0\""), "{bundle}");
}

#[test]
fn a_bundle_of_a_later_format_is_told_as_one() {
    let (place, bundle) = finished();
    change_file(&bundle.join("data/bundle.json"), "\"format\": 3", "\"format\": 9");
    resealed::seal(&bundle);
    let told = place.run(&["check", bundle.to_str().unwrap()]).ends(2).stderr;
    assert!(told.contains("the bundle has format 9, this program reads 1 to 3"), "{told}");
    let output = audit(&place, &bundle, &[]).ends(1);
    assert_eq!(points(&output, "failed"), ["bundle seal"]);
}
