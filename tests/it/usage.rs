//! Wrong calls: what they are told, and that they end with 2 or another documented code.

use std::fs::OpenOptions;
use std::process::Stdio;

use rethread::error::Kind;

use crate::support::{Output, Place};

fn told(args: &[&str], code: i32) -> String {
    let Output { stdout, stderr, .. } = Place::new().run(args).ends(code);
    assert_eq!(stdout, "", "stdout is for results");
    stderr
}

#[test]
fn every_exit_code_is_documented() {
    let place = Place::new();
    let readme = include_str!("../../README.md");
    let help = place.run(&["--help"]).ends(0).stdout;
    let page = place.run(&["man"]).ends(0).stdout;
    let kinds = [
        Kind::Findings,
        Kind::Usage,
        Kind::System,
        Kind::Damaged,
        Kind::Refused,
        Kind::Bug,
        Kind::Busy,
    ];
    for code in kinds.map(Kind::exit_code).into_iter().chain([0]) {
        assert!(readme.contains(&format!("\n| {code} | ")), "{code} in the README");
        assert!(help.contains(&format!("\n  {code:<2} ")), "{code} in the help");
        let line = |line: &str| line.trim_start().starts_with(&format!("{code:<2} "));
        assert!(page.lines().any(line), "{code} on the man page");
    }
}

#[test]
fn a_command_that_is_none() {
    insta::assert_snapshot!(told(&["migrate"], 2), @"
    error: unrecognized subcommand 'migrate'

    Usage: rethread [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
}

#[test]
fn a_source_that_is_not_named() {
    insta::assert_snapshot!(told(&["run"], 2), @"
    error: the following required arguments were not provided:
      <SOURCE>

    Usage: rethread run <SOURCE>

    For more information, try '--help'.
    ");
}

#[test]
fn a_setting_that_is_none() {
    insta::assert_snapshot!(told(&["run", "a.zip", "--set", "release.to"], 2), @"
    error: invalid value 'release.to' for '--set <KEY=VALUE>': write it as KEY=VALUE, for instance release.to=2.0

    For more information, try '--help'.
    ");
}

#[test]
fn a_target_that_is_none_and_its_password_unsaid() {
    let place = Place::new();
    place.write("app.json", crate::data::sound().to_string());
    let output = place.run(&["run", "app.json", "--json"]).ends(0).json();
    let bundle = output["bundle"].as_str().expect("a folder");
    let told = |to: &str| place.run(&["import", bundle, "--to", to]).ends(2).error();
    insta::assert_snapshot!(told("mysql://me:canary@db/app"), @"error: the target is none: `mysql` is no target; write a path, sqlite:PATH, postgres://…, FILE.zip or instantdb://APP_ID");
    for to in ["postgres://me:canary@db:bad/app", "postgres:/me:canary@db/app", "password=canary"] {
        assert!(!told(to).contains("canary"), "{to}");
    }
    let told = place.run(&["export", "postgres://me:canary@db:bad/app"]).ends(2).stderr;
    assert!(!told.contains("canary"), "{told}");
}

#[test]
fn a_snapshot_name_that_is_a_path() {
    insta::assert_snapshot!(told(&["run", "a.zip", "--name", "../x"], 2), @"
    error: `../x` cannot be the name of a snapshot
    help: use up to 100 letters, digits, `.`, `_` and `-`, and begin with a letter or a digit
    ");
}

#[test]
fn a_folder_that_is_not_sealed() {
    insta::assert_snapshot!(told(&["check", "."], 4), @"
    error: the folder is no sealed snapshot or bundle
      --> .
    help: name the folder that holds `bagit.txt` and `manifest-sha256.txt`
    ");
}

#[test]
fn a_contract_that_is_not_there() {
    insta::assert_snapshot!(told(&["contract", "check", "mine.toml"], 3), @"
    error: there is no such file or folder
      --> mine.toml
    because: No such file or directory (os error 2)
    ");
}

#[test]
fn an_error_for_machines() {
    insta::assert_snapshot!(told(&["check", ".", "--json"], 4), @r#"{"error":{"at":["."],"because":[],"exit_code":4,"help":"name the folder that holds `bagit.txt` and `manifest-sha256.txt`","kind":"damaged","message":"the folder is no sealed snapshot or bundle"}}"#);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let place = Place::new();
    let mut call = place.command(&["contract", "show"]);
    let mut child =
        call.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("the program ends");
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_behind_stdout_is_a_failure() {
    let full = OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
    let place = Place::new();
    let output = place.command(&["contract", "show"]).stdout(full).output().expect("it starts");
    assert_eq!(output.status.code(), Some(3));
    assert!(output.stderr.starts_with(b"error: the result cannot be written to stdout"));
}
