//! The report as people and machines open it: the page in a browser, JSON by its schema, XML and CSV by
//! parsers of others; inert whatever the data.
#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::generator::{Kind, Links, Options, generate};
use crate::support::{Place, fixture};

/// The forms of a report, as they stand in a bundle's folder.
const FORMS: [&str; 6] =
    ["report.html", "report.md", "report.json", "report.schema.json", "junit.xml", "findings.csv"];

const HOSTILE: &str =
    "</style><script>alert(1)</script>\"><img src=x onerror=alert(1)>\u{202e}\u{1b}[31m";
const FORMULA: &str = "=cmd()|' /C calc'!A0";

fn run(place: &Place, source: &str, name: &str) -> PathBuf {
    let args = ["run", source, "--name", name, "--set", "rollout.max_quarantined=any", "--json"];
    let output = place.run(&args).ends(0).json();
    place.path(output["bundle"].as_str().expect("a folder"))
}

fn generated(place: &Place, dirty: f64) -> String {
    let name = if dirty > 0.0 { "dirty.zip" } else { "clean.zip" };
    let options = Options {
        kind: Kind::Archive,
        parts: 2_000,
        seed: 5,
        dirty,
        links: Links::Forward,
        payload_percent: 100,
        shuffle: None,
        plain: false,
        sample: false,
        out: place.path(name),
        key: None,
    };
    generate(&options).expect("generated");
    name.to_owned()
}

/// A small app whose every text wants to be something else.
fn hostile(place: &Place) -> PathBuf {
    let mut data = crate::data::sound();
    data["context_contexts"][0]["content"]["title"] = HOSTILE.into();
    data["context_contexts"][0]["status"] = FORMULA.into();
    data["context_contexts"][0]["key"] = HOSTILE.into();
    data["context_events"][0]["type"] = HOSTILE.into();
    data["context_events"][1]["type"] = FORMULA.into();
    data["context_events"][1]["content"] = json!({ HOSTILE: [HOSTILE, FORMULA] });
    data["story_parts"][0]["id"] = HOSTILE.into();
    data["story_parts"][0][HOSTILE] = 1.into();
    data["story_parts"][1][FORMULA] = 1.into();
    let orphans = [HOSTILE, FORMULA, "+1", "-1", "@x", "\t=1"];
    let executions = data["story_executions"].as_array_mut().expect("rows");
    for id in orphans {
        executions.push(json!({ "id": id, "createdAt": "2026-03-01T11:00:00Z", "status": id }));
    }
    data[FORMULA] = json!([{ "id": FORMULA }]);
    let name = "<img src=x onerror=alert(1)>.json";
    place.write(name, data.to_string());
    run(place, name, "hostile")
}

fn read(bundle: &Path, name: &str) -> String {
    std::fs::read_to_string(bundle.join("report").join(name)).expect("a report")
}

fn value(bundle: &Path, name: &str) -> Value {
    serde_json::from_str(&read(bundle, name)).expect("JSON")
}

/// Runs a Python program; `None` when there is no Python or it lacks a module.
fn python(program: &str, args: &[&Path]) -> Option<(i32, String)> {
    let output = Command::new("python3").arg("-c").arg(program).args(args).output().ok()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned()
        + &String::from_utf8_lossy(&output.stdout);
    if said.contains("ModuleNotFoundError") {
        eprintln!("skipped: {}", said.lines().last().unwrap_or_default());
        return None;
    }
    Some((output.status.code().expect("an exit code"), said))
}

#[test]
fn the_pages_are_well_in_a_browser() {
    let place = Place::new();
    let mut pages = Vec::new();
    let sources = [fixture("sample-backup.zip"), generated(&place, 0.0), generated(&place, 0.05)];
    let mut bundles: Vec<PathBuf> = sources
        .iter()
        .zip(["sample", "clean", "dirty"])
        .map(|(source, name)| run(&place, source, name))
        .collect();
    bundles.push(hostile(&place));
    crate::ordinary::write(&place.path("studio.zip"));
    bundles.push(run(&place, "studio.zip", "studio"));
    for (bundle, name) in bundles.iter().zip(["sample", "clean", "dirty", "hostile", "studio"]) {
        let page = place.path(&format!("{name}.html"));
        std::fs::copy(bundle.join("report/report.html"), &page).expect("a copy");
        assert!(std::fs::metadata(&page).expect("a page").len() <= 1 << 20);
        pages.push(page);
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/page-check");
    let Ok(output) = Command::new("python3").arg(script).args(&pages).output() else {
        eprintln!("skipped: Python is not installed");
        return;
    };
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    match output.status.code() {
        Some(0) => assert_eq!(said, ""),
        Some(3) => eprintln!("skipped: Chromium is not installed"),
        _ => panic!("{said}{}", String::from_utf8_lossy(&output.stderr)),
    }
}

#[test]
fn a_page_that_asks_for_something_is_found_out() {
    let place = Place::new();
    place.write(
        "bad.html",
        "<!doctype html><main><h1>x</h1><img src=\"missing.png\" onerror=\"alert(1)\">\
         <p style=\"width:2000px\">wide</p><script>console.log(1)</script></main>",
    );
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/page-check");
    let output = Command::new("python3").arg(script).arg(place.path("bad.html")).output();
    let Ok(output) = output else { return };
    if output.status.code() == Some(3) {
        return;
    }
    let said = String::from_utf8_lossy(&output.stdout);
    for wrong in ["request: ", "console: ", "dialog: ", "it scrolls sideways", "IMG has onerror"] {
        assert!(said.contains(wrong), "{wrong}\n{said}");
    }
}

#[test]
fn every_form_is_inert_whatever_the_data() {
    let place = Place::new();
    let bundle = hostile(&place);
    for name in FORMS {
        let text = read(&bundle, name);
        for c in ['\u{202e}', '\u{1b}', '\u{0}'] {
            assert!(!text.contains(c), "{name} holds {c:?}");
        }
        if name != "report.json" && name != "findings.csv" {
            assert!(!text.contains("<script>alert") && !text.contains("<img"), "{name}");
        }
    }
    let page = read(&bundle, "report.html");
    assert!(page.contains("&lt;script&gt;alert(1)"), "the data is shown as it is");
    let program = "\
import csv, sys, xml.dom.minidom
rows = list(csv.reader(open(sys.argv[1], newline='', encoding='utf-8'), strict=True))
assert len(rows) > 10, rows
for row in rows:
    assert len(row) == 8, row
    for field in row:
        assert field.lstrip()[:1] not in ('=', '+', '-', '@'), field
        assert not any(c in field for c in '\\t\\r\\n'), field
assert any(\"'=cmd()\" in field for row in rows for field in row), rows
cases = xml.dom.minidom.parse(sys.argv[2]).getElementsByTagName('testcase')
assert len(cases) > 100, len(cases)";
    let files = [bundle.join("report/findings.csv"), bundle.join("report/junit.xml")];
    if let Some((code, said)) = python(program, &[&files[0], &files[1]]) {
        assert_eq!(code, 0, "{said}");
    }
    let printed = place.run(&["report", bundle.to_str().expect("UTF-8"), "--format", "text"]);
    assert!(!printed.ends(0).stdout.contains(['\u{1b}', '\u{202e}']));
}

#[test]
fn the_json_is_what_its_schema_says() {
    let place = Place::new();
    let source = generated(&place, 0.05);
    let bundles = [run(&place, &source, "dirty"), hostile(&place)];
    let schema = place.run(&["report", "--format", "schema"]).ends(0).stdout;
    assert_eq!(schema, read(&bundles[0], "report.schema.json"));
    let program = "\
import json, sys
from jsonschema import Draft202012Validator as Validator
schema, *reports = [json.load(open(path, encoding='utf-8')) for path in sys.argv[1:]]
Validator.check_schema(schema)
for report in reports:
    Validator(schema).validate(report)
    assert report['figures']['series'], 'no figure'
    for wrong in [dict(report, another=1), {k: v for k, v in report.items() if k != 'rules'}]:
        assert not Validator(schema).is_valid(wrong)";
    let reports = bundles.each_ref().map(|bundle| bundle.join("report/report.json"));
    let schema = bundles[0].join("report/report.schema.json");
    if let Some((code, said)) = python(program, &[&schema, &reports[0], &reports[1]]) {
        assert_eq!(code, 0, "{said}");
    }
}

/// A count of an object.
fn count(value: &Value, name: &str) -> u64 {
    value[name].as_u64().expect("a count")
}

#[test]
fn the_figures_add_up_to_the_equations() {
    let place = Place::new();
    for dirty in [0.0, 0.05] {
        let source = generated(&place, dirty);
        let bundle = run(&place, &source, &format!("dirty-{}", dirty > 0.0));
        let report = value(&bundle, "report.json");
        let figures = &report["figures"];
        assert_eq!(figures["bundle_digest"], report["bundle"]["digest"]);
        let series = figures["series"].as_array().expect("series");
        assert_eq!(series.len(), 5, "every table whose order begins with a date");
        assert!(series[0]["rule"].is_string(), "messages come first");
        for it in series {
            assert_eq!(it["explained"], true, "{it}");
            let mut sums = [0; 4];
            let points = it["points"].as_array().expect("points").iter().map(|it| &it["rows"]);
            for rows in points.chain([&it["earlier"], &it["later"], &it["undated"]]) {
                for (at, name) in ["before", "merged", "quarantined", "after"].iter().enumerate() {
                    sums[at] += count(rows, name);
                }
            }
            let equations = report["equations"].as_array().expect("equations").iter();
            let equation = equations.clone().find(|found| found["source"] == it["source"]);
            let equation = equation.expect("an equation");
            let mut tables = report["tables"].as_array().expect("tables").iter();
            let table = tables.find(|found| found["entity"] == it["target"]).expect("a table");
            let expected = ["rows", "merged", "quarantined"].map(|name| count(equation, name));
            assert_eq!(sums[..3], expected, "{}", it["source"]);
            assert_eq!(sums[3], count(table, "migrated"), "{}", it["target"]);
            assert!(dirty == 0.0 || sums[2] > 0, "a dirty table has quarantined rows");
        }
        let values = figures["values"].as_array().expect("values");
        assert_eq!(values.len(), 5, "four statuses and a type");
        for it in values {
            assert_eq!(it["agrees"], true, "{it}");
        }
        let sizes = figures["sizes"].as_array().expect("sizes");
        assert_eq!(sizes.len(), 5, "every JSON attribute");
        for it in sizes {
            assert_eq!(it["explained"], true, "{it}");
            let same = it["bytes_before"] == it["bytes_after"];
            assert_eq!(same, dirty == 0.0, "{it}");
        }
    }
}

#[test]
fn the_same_bundle_gives_the_same_report_on_any_number_of_threads() {
    let place = Place::new().env("POLARS_MAX_THREADS", "1");
    let source = generated(&place, 0.05);
    let bundle = run(&place, &source, "dirty");
    let forms = || FORMS.map(|name| read(&bundle, name));
    let first = (forms(), read(&bundle, "figures.json"));
    let place = place.env("POLARS_MAX_THREADS", "4");
    place.run(&["verify", bundle.to_str().expect("UTF-8")]).ends(0);
    assert_eq!((forms(), read(&bundle, "figures.json")), first);
}

#[test]
fn a_bundle_that_nobody_verified_has_no_figures_and_no_pass() {
    let place = Place::new();
    place.write("app.json", crate::data::with_an_orphan().to_string());
    place.run(&["export", "app.json"]).ends(0);
    let bundle = place.run(&["transform", "snapshots/app"]).ends(0).stdout;
    let report = |format| place.run(&["report", bundle.trim(), "--format", format]).ends(0).stdout;
    let page = report("html");
    assert!(!page.contains("id=\"time\"") && page.contains("Not verified yet"));
    assert!(report("junit").contains("failures=\"1\""), "not verified is no pass");
    assert!(report("csv").contains("not verified,"));
    // The quarantine is over its limit: findings, but told in every form.
    place.run(&["verify", bundle.trim()]).ends(1);
    assert!(report("html").contains("id=\"time\""));
    let junit = report("junit");
    assert!(junit.contains("<failure") && junit.contains("type=\"violated\""), "{junit}");
    let table = report("csv");
    assert!(table.contains("\r\nrule violated,limit,"), "{table}");
    assert!(table.contains("\r\nquarantined row,quarantine,story_executions,"), "{table}");
    place.run(&["report"]).ends(2);
    place.run(&["report", "--format", "html"]).ends(2);
}
