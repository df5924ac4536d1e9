//! The README's tour is what happens.

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
