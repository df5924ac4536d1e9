//! The README's tour is what happens.
#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::iter::Peekable;
use std::str::Lines;

use crate::support::{Place, fixture};

const README: &str = include_str!("../../README.md");
const ELLIPSIS: &str = "…";

#[test]
fn the_tour_is_what_happens() {
    let place = Place::new();
    let sample = std::fs::read(fixture("sample-backup.zip")).expect("the sample");
    place.write("tests/fixtures/sample-backup.zip", sample);
    let tour = README.split("```console\n").nth(1).and_then(|rest| rest.split("```").next());
    let mut lines = tour.expect("a console block").lines().peekable();
    let mut id = "<id>".to_owned();
    let mut commands = 0;
    while let Some(line) = lines.next() {
        let command = line.strip_prefix("$ rethread ").expect("a command");
        let expected = outcome(&mut lines);
        let command = command.replace("<id>", &id);
        let output = place.run(&command.split(' ').collect::<Vec<_>>()).ends(0).stdout;
        if let Some(made) = output.strip_prefix("out/") {
            made.trim_end().clone_into(&mut id);
        }
        let output = output.replace(&id, "<id>");
        assert!(fits(&expected, &output), "{command}\n{output}");
        commands += 1;
    }
    assert_eq!(commands, 5);
}

fn outcome<'a>(lines: &mut Peekable<Lines<'a>>) -> Vec<&'a str> {
    std::iter::from_fn(|| lines.next_if(|line| !line.starts_with('$'))).collect()
}

/// Whether the output has the expected lines, with any lines in place of an ellipsis.
fn fits(expected: &[&str], output: &str) -> bool {
    let mut output = output.lines().peekable();
    let mut skips = false;
    for line in expected {
        if *line == ELLIPSIS {
            skips = true;
        } else if skips {
            skips = false;
            if !output.any(|found| found == *line) {
                return false;
            }
        } else if output.next() != Some(line) {
            return false;
        }
    }
    skips || output.peek().is_none()
}

/// What runs a DuckDB statement on a database file: DuckDB's own program, or its Python package.
fn duckdb(place: &Place, database: &str, sql: &str) -> Option<std::process::Output> {
    let python =
        "import duckdb, sys; print(duckdb.connect(sys.argv[1]).execute(sys.argv[2]).fetchall())";
    let ways = [("duckdb", vec![database, sql]), ("python3", vec!["-c", python, database, sql])];
    for (program, args) in ways {
        let mut command = std::process::Command::new(program);
        let output = command.args(args).current_dir(place.path(".")).output();
        match output {
            Ok(output) if !String::from_utf8_lossy(&output.stderr).contains("ModuleNotFound") => {
                return Some(output);
            }
            _ => {}
        }
    }
    eprintln!("skipped: neither `duckdb` nor its Python package is installed");
    None
}

#[test]
fn the_bundle_loads_into_duckdb_as_the_readme_says() {
    let line = README.lines().find(|line| line.starts_with("duckdb thread.duckdb"));
    let sql = line.and_then(|line| line.split('"').nth(1)).expect("a statement");
    let place = Place::new();
    place.write("app.json", crate::data::sound().to_string());
    let output = place.run(&["run", "app.json", "--json"]).ends(0).json();
    let bundle = output["bundle"].as_str().expect("a folder");
    let sql = sql.replace("out/<id>", bundle);
    let Some(loaded) = duckdb(&place, "thread.duckdb", &sql) else { return };
    assert!(loaded.status.success(), "{}", String::from_utf8_lossy(&loaded.stderr));
    let asked = "SELECT count(*), min(epoch(\"createdAt\")), \
                 min(json_extract_string(content, '$.parts[0].text')) FROM thread_items";
    let asked = duckdb(&place, "thread.duckdb", asked).expect("it ran before");
    let told = String::from_utf8_lossy(&asked.stdout);
    assert!(told.contains("Hello 👋") && told.contains('2'), "{told}");
}
