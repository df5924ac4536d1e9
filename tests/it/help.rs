//! The help of every command.

use crate::support::Place;

const COMMANDS: [&str; 24] = [
    "run",
    "export",
    "transform",
    "verify",
    "import",
    "rollback",
    "status",
    "report",
    "check",
    "audit",
    "revert",
    "explain",
    "inspect",
    "quarantine",
    "compare",
    "plan",
    "contract",
    "contract show",
    "contract render",
    "contract diff",
    "contract check",
    "contract init",
    "completions",
    "man",
];

#[test]
#[allow(clippy::too_many_lines, reason = "a golden text")]
fn the_whole_help() {
    insta::assert_snapshot!(Place::new().run(&["--help"]).ends(0).stdout, @"
    Turns what an app exported from InstantDB under the legacy story model into the thread model (or the
    one another contract names), and proves that nothing was lost.

    SOURCE ─ export ▶ snapshot ─ transform ▶ bundle ─ verify ─ import ▶ TARGET. The source is only read,
    the same input gives the same bytes, and every legacy row is accounted for: migrated, merged,
    quarantined, or dropped by a rule that says so.

    Usage: rethread [OPTIONS] <COMMAND>

    Commands:
      run          Go the whole way: export, transform, verify, import into SQLite, report
      export       Take a sealed snapshot of a source
      transform    Make a bundle out of a snapshot by the contract
      verify       Check every rule of the contract on every row of a bundle
      import       Verify a bundle and put it into a target, or rehearse that
      rollback     Undo an import
      status       List the bundles and where each stands with its targets
      report       Write the reports of a bundle again, and print one
      check        Check that a snapshot or a bundle is as it was sealed
      audit        Everything of a bundle that can be checked without a network, years later
      revert       Rebuild the legacy tables out of a bundle: the proof that nothing was lost
      explain      Tell what became of one row, and why
      inspect      Show what a snapshot or a bundle holds, in figures
      quarantine   List what was set aside, or take corrected rows back in
      compare      Tell which outcomes changed from one bundle to another
      plan         Reconcile the app's schema with the contract, before any push
      contract     Show, check, render or compare contracts, or start a release file
      completions  Print completions for a shell
      man          Write the man pages
      help         Print this message or the help of the given subcommand(s)

    Options:
          --json
              Print one JSON object on stdout, and an error as JSON on stderr

      -q, --quiet
              Say nothing on stderr but errors

      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version

    Resources:
          --memory-limit <SIZE>
              Memory that a stage may have, as 512M or 2G; too little is said at the start

          --temp-dir <DIR>
              Folder for working files [default: beside what is being made]

    Examples:
      rethread run backup.zip                    the whole way, into out/<id>/thread.sqlite
      rethread run backup.zip --set release.from=1.4 --set release.to=2.0
      rethread export backup.zip                 -> snapshots/backup
      rethread transform snapshots/backup        -> out/<id>
      rethread verify out/<id>                   every rule, row by row
      rethread import out/<id> --to postgres://me@db/app            a dry run
      rethread import out/<id> --to postgres://me@db/app --execute  only what passed verification
      rethread rollback out/<id> --to postgres://me@db/app --execute
      rethread status                            where every bundle stands
      rethread report out/<id> --format md       what happened, to read or to file
      rethread check snapshots/backup            is it as it was sealed?
      rethread plan snapshots/backup             the schema steps, before any push
      rethread explain ID                        what became of one row, and why
      rethread audit out/<id>                    everything that can be checked years later

    Exit codes:
      0  done
      1  findings: verification failed, more rows quarantined than the contract allows, a target
         does not return what was written or refused rows, a step of `plan` would fail, or there is
         nothing to `explain`
      2  the command line or the contract is wrong
      3  a source, a target or the disk failed; running again is safe
      4  a snapshot, a bundle or a source is damaged
      5  refused: rows that are not ours are in the target, a dry run is missing, or the contract has
         blanks
      70 a bug in rethread
      75 another run or program is at work in the same place: try again

    Results go to stdout, progress and errors to stderr. NO_COLOR asks for plain lines,
    POLARS_MAX_THREADS sets the number of threads.
    ");
}

#[test]
fn the_help_of_run() {
    insta::assert_snapshot!(Place::new().run(&["run", "--help"]).ends(0).stdout, @"
    Go the whole way: export, transform, verify, import into SQLite, report

    Usage: rethread run [OPTIONS] <SOURCE>

    Arguments:
      <SOURCE>  Backup archive (.zip or its folder), dataset JSON, folder of JSONL or Parquet files,
                postgres://USER@HOST/DB, instantdb+postgres://USER@HOST/DB?app=ID, or instantdb://APP_ID

    Options:
          --name <NAME>      Name of the snapshot [default: the source's own name]
          --snapshots <DIR>  Folder that holds the snapshots [default: snapshots]
          --out <DIR>        Folder that holds the bundles [default: out]
          --json             Print one JSON object on stdout, and an error as JSON on stderr
      -q, --quiet            Say nothing on stderr but errors
      -h, --help             Print help

    Sources:
          --table <ENTITY=TABLE>  PostgreSQL: the table of an entity, as ENTITY=SCHEMA.TABLE; may be
                                  repeated
          --pg-schema <NAME>      PostgreSQL: the schema of all other entities' tables [default: public]
          --fresh                 InstantDB: have a new backup made, in place of the newest there is
          --by-query              InstantDB: read the rows page by page, in place of a backup

    Servers:
          --api-uri <URL>               InstantDB: address of the server [default:
                                        https://api.instantdb.com]
          --token-file <FILE>           InstantDB: file that holds the admin token [default: the
                                        variable RETHREAD_TOKEN]
          --token-command <COMMAND>     InstantDB: command that prints the admin token
          --password-file <FILE>        PostgreSQL: file that holds the password [default: PGPASSWORD,
                                        PGPASSFILE or ~/.pgpass]
          --password-command <COMMAND>  PostgreSQL: command that prints the password

    Contract:
          --contract <CONTRACT>  A built-in contract by its name (story-to-thread, story-to-events), or
                                 a file
          --release <FILE>       A release file that fills the contract's blanks (`rethread contract
                                 init` starts one)
          --set <KEY=VALUE>      Fill a blank or set a value, as `release.to=2.0`; may be repeated, the
                                 last one wins

    Resources:
          --memory-limit <SIZE>  Memory that a stage may have, as 512M or 2G; too little is said at the
                                 start
          --temp-dir <DIR>       Folder for working files [default: beside what is being made]

    A second run finds the snapshot, the bundle and the database done and changes nothing.

    Examples:
      rethread run backup.zip
      rethread run exports/2027-03 --name march --release release.toml
    ");
}

#[test]
fn every_command_has_a_help_that_fits_a_terminal() {
    for command in COMMANDS {
        let words: Vec<_> = command.split(' ').chain(["--help"]).collect();
        let output = Place::new().run(&words).ends(0);
        assert!(output.stdout.contains(&format!("Usage: rethread {command}")), "{command}");
        assert_eq!(output.stderr, "");
        for line in output.stdout.lines() {
            assert!(line.chars().count() <= 100, "{command}: {line}");
        }
    }
}

#[test]
fn every_command_that_stands_alone_shows_examples() {
    for command in COMMANDS.into_iter().filter(|command| !command.starts_with("contract")) {
        let help = Place::new().run(&[command, "--help"]).ends(0).stdout;
        assert!(help.contains("Example") && help.contains(&format!("  rethread {command} ")));
    }
}

#[test]
fn the_version_is_the_one_that_bundles_name() {
    let output = Place::new().run(&["--version"]).ends(0);
    assert_eq!(output.stdout.trim(), rethread::PROGRAM);
}
