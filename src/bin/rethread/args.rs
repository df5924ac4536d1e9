//! The command line, parsed once into typed values.

use std::path::PathBuf;

use clap::{Args as Group, Parser, Subcommand, ValueEnum};
use rethread::resources::size;

use crate::places::{From, Store, origin, table, target};

const EXAMPLES: &str = "\
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
POLARS_MAX_THREADS sets the number of threads.";

/// Turns what an app exported from InstantDB under the legacy story model into the thread model
/// (or the one another contract names), and proves that nothing was lost.
///
/// SOURCE ─ export ▶ snapshot ─ transform ▶ bundle ─ verify ─ import ▶ TARGET. The source is only
/// read, the same input gives the same bytes, and every legacy row is accounted for: migrated,
/// merged, quarantined, or dropped by a rule that says so.
#[derive(Debug, Parser)]
#[command(name = "rethread", bin_name = "rethread", version, after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Args {
    /// What to do
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Print one JSON object on stdout, and an error as JSON on stderr
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say nothing on stderr but errors
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Memory that a stage may have, as 512M or 2G; too little is said at the start
    #[arg(long, global = true, value_name = "SIZE", value_parser = size, help_heading = "Resources")]
    pub(crate) memory_limit: Option<u64>,
    /// Folder for working files [default: beside what is being made]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Resources")]
    pub(crate) temp_dir: Option<PathBuf>,
}

/// One command a stage, and one for all.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Go the whole way: export, transform, verify, import into SQLite, report
    Run(Run),
    /// Take a sealed snapshot of a source
    Export(Export),
    /// Make a bundle out of a snapshot by the contract
    Transform(Transform),
    /// Check every rule of the contract on every row of a bundle
    Verify(Verify),
    /// Verify a bundle and put it into a target, or rehearse that
    Import(Import),
    /// Undo an import
    Rollback(Rollback),
    /// List the bundles and where each stands with its targets
    Status(Status),
    /// Write the reports of a bundle again, and print one
    Report(Report),
    /// Check that a snapshot or a bundle is as it was sealed
    Check(Check),
    /// Everything of a bundle that can be checked without a network, years later
    Audit(crate::audit::Audit),
    /// Rebuild the legacy tables out of a bundle: the proof that nothing was lost
    Revert(crate::revert::Revert),
    /// Tell what became of one row, and why
    Explain(crate::explain::Explain),
    /// Show what a snapshot or a bundle holds, in figures
    Inspect(crate::inspect::Inspect),
    /// List what was set aside, or take corrected rows back in
    Quarantine(crate::quarantine::Quarantine),
    /// Tell which outcomes changed from one bundle to another
    Compare(crate::compare::Compare),
    /// Reconcile the app's schema with the contract, before any push
    Plan(crate::plan::Plan),
    /// Show, check, render or compare contracts, or start a release file
    #[command(subcommand)]
    Contract(Contract),
    /// Print completions for a shell
    Completions(crate::shells::Completions),
    /// Write the man pages
    Man(crate::shells::Man),
}

/// The whole way.
#[derive(Debug, Group)]
#[command(after_help = "\
A second run finds the snapshot, the bundle and the database done and changes nothing.

Examples:
  rethread run backup.zip
  rethread run exports/2027-03 --name march --release release.toml")]
pub(crate) struct Run {
    /// Backup archive (.zip or its folder), dataset JSON, folder of JSONL or Parquet files,
    /// postgres://USER@HOST/DB, instantdb+postgres://USER@HOST/DB?app=ID, or instantdb://APP_ID
    #[arg(value_parser = origin)]
    pub(crate) source: From,
    /// Name of the snapshot [default: the source's own name]
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Folder that holds the snapshots
    #[arg(long, value_name = "DIR", default_value = "snapshots")]
    pub(crate) snapshots: PathBuf,
    /// Folder that holds the bundles
    #[arg(long, value_name = "DIR", default_value = "out")]
    pub(crate) out: PathBuf,
    /// How the source is read
    #[command(flatten)]
    pub(crate) live: Live,
    /// The contract and what fills its blanks
    #[command(flatten)]
    pub(crate) contract: Rules,
}

/// How a source that is a server is read.
#[derive(Debug, Clone, Default, Group)]
pub(crate) struct Live {
    /// PostgreSQL: the table of an entity, as ENTITY=SCHEMA.TABLE; may be repeated
    #[arg(long, value_name = "ENTITY=TABLE", value_parser = table, help_heading = "Sources")]
    pub(crate) table: Vec<(String, String)>,
    /// PostgreSQL: the schema of all other entities' tables
    #[arg(long, value_name = "NAME", default_value = "public", help_heading = "Sources")]
    pub(crate) pg_schema: String,
    /// InstantDB: have a new backup made, in place of the newest there is
    #[arg(long, help_heading = "Sources", conflicts_with = "by_query")]
    pub(crate) fresh: bool,
    /// InstantDB: read the rows page by page, in place of a backup
    #[arg(long, help_heading = "Sources")]
    pub(crate) by_query: bool,
    /// How to reach servers
    #[command(flatten)]
    pub(crate) keys: Keys,
}

/// Source to snapshot.
#[derive(Debug, Group)]
#[command(after_help = "\
Prints the snapshot's folder.

Examples:
  rethread export backup.zip
  rethread export dataset.json --to snapshots/march
  rethread export instantdb://APP_ID --token-file token --fresh
  rethread export postgres://me@db/app --table ENTITY=app.parts")]
pub(crate) struct Export {
    /// Backup archive (.zip or its folder), dataset JSON, folder of JSONL or Parquet files,
    /// postgres://USER@HOST/DB, instantdb+postgres://USER@HOST/DB?app=ID, or instantdb://APP_ID
    #[arg(value_parser = origin)]
    pub(crate) source: From,
    /// The snapshot's folder [default: snapshots/ and the source's own name]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) to: Option<PathBuf>,
    /// How the source is read
    #[command(flatten)]
    pub(crate) live: Live,
    /// The contract and what fills its blanks
    #[command(flatten)]
    pub(crate) contract: Rules,
}

/// Snapshot to bundle.
#[derive(Debug, Group)]
#[command(after_help = "\
Prints the bundle's folder. Its name comes from snapshot, contract and program version: a bundle
that is there already is found done.

Examples:
  rethread transform snapshots/backup
  rethread transform snapshots/backup --set rollout.max_quarantined=12")]
pub(crate) struct Transform {
    /// The snapshot's folder
    pub(crate) snapshot: PathBuf,
    /// Folder that holds the bundles
    #[arg(long, value_name = "DIR", default_value = "out")]
    pub(crate) out: PathBuf,
    /// The contract and what fills its blanks
    #[command(flatten)]
    pub(crate) contract: Rules,
}

/// Where the snapshot of a bundle is.
#[derive(Debug, Group)]
pub(crate) struct Origin {
    /// The snapshot the bundle was made from [default: searched in the snapshots folder]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) snapshot: Option<PathBuf>,
    /// Folder that holds the snapshots
    #[arg(long, value_name = "DIR", default_value = "snapshots")]
    pub(crate) snapshots: PathBuf,
}

/// Bundle and snapshot to findings.
#[derive(Debug, Group)]
#[command(after_help = "\
Reads the bundle and its snapshot again, by the contract the bundle carries, and writes
report/verification.json and the reports beside the seal.

--self-test verifies a copy for each of over 100 kinds of fault, one after the other: it takes as
long as so many verifications, and as much room as the largest table beside the bundle or in
--temp-dir. It writes nothing into the bundle.

Examples:
  rethread verify out/5f1c09ab3d2e4f60
  rethread verify out/5f1c09ab3d2e4f60 --self-test
  rethread verify /archive/bundle --snapshot /archive/snapshot")]
pub(crate) struct Verify {
    /// The bundle's folder
    pub(crate) bundle: PathBuf,
    /// Plant faults in a copy of the bundle, and see each of them caught
    #[arg(long, conflicts_with = "emit_sql")]
    pub(crate) self_test: bool,
    /// Write the contract's rules as plain SQL for the DuckDB command line, into a new folder
    #[arg(long, value_name = "DIR")]
    pub(crate) emit_sql: Option<PathBuf>,
    /// Its snapshot
    #[command(flatten)]
    pub(crate) origin: Origin,
}

/// Bundle to target.
#[derive(Debug, Group)]
#[command(after_help = "\
Without --execute a target outside the bundle's folder is only rehearsed: everything but the commit.
A run that was stopped goes on where it was when the same command is given again. Importing twice
changes nothing. Rows that are not ours are never touched unless you say so.

Examples:
  rethread import out/5f1c09ab3d2e4f60
  rethread import out/5f1c09ab3d2e4f60 --to postgres://me@db/app --schema thread
  rethread import out/5f1c09ab3d2e4f60 --to postgres://me@db/app --schema thread --execute
  rethread import out/5f1c09ab3d2e4f60 --to new-backup.zip --source backup.zip
  rethread import out/5f1c09ab3d2e4f60 --to instantdb://APP_ID --token-file token")]
pub(crate) struct Import {
    /// The bundle's folder
    pub(crate) bundle: PathBuf,
    /// Where to
    #[command(flatten)]
    pub(crate) at: At,
    /// What becomes of rows of the target that are not ours and would be changed
    #[arg(long, value_enum, default_value_t = Conflict::Refuse, value_name = "POLICY")]
    pub(crate) on_conflict: Conflict,
    /// Its snapshot
    #[command(flatten)]
    pub(crate) origin: Origin,
}

/// The undoing of an import.
#[derive(Debug, Group)]
#[command(after_help = "\
Removes what the import created, restores what it changed, and proves that the target holds what it
held before. Refused when rows were changed since. Without --execute everything but the commit.

Examples:
  rethread rollback out/5f1c09ab3d2e4f60 --to postgres://me@db/app --schema thread
  rethread rollback out/5f1c09ab3d2e4f60 --to postgres://me@db/app --schema thread --execute")]
pub(crate) struct Rollback {
    /// The bundle's folder
    pub(crate) bundle: PathBuf,
    /// Where from
    #[command(flatten)]
    pub(crate) at: At,
}

/// Which target, and whether to act.
#[derive(Debug, Clone, Group)]
pub(crate) struct At {
    /// thread.db or sqlite:PATH; postgres://USER@HOST/DB; new-backup.zip; instantdb://APP_ID
    /// [default: thread.sqlite in the bundle's folder]
    #[arg(long, value_name = "TARGET", value_parser = target)]
    pub(crate) to: Option<Store>,
    /// Act; without it, everything but the commit
    #[arg(long)]
    pub(crate) execute: bool,
    /// PostgreSQL: the schema of the tables
    #[arg(long, value_name = "NAME", default_value = "public", help_heading = "Targets")]
    pub(crate) schema: String,
    /// PostgreSQL: how payloads stand; jsonb keeps their values, text every byte
    #[arg(long, value_enum, default_value_t = Json::Jsonb, value_name = "TYPE", help_heading = "Targets")]
    pub(crate) json_as: Json,
    /// Archive: the backup archive that the snapshot was taken from, to be carried over
    #[arg(long, value_name = "FILE", help_heading = "Targets")]
    pub(crate) source: Option<PathBuf>,
    /// Archive: leave the legacy entities and their links out
    #[arg(long, help_heading = "Targets")]
    pub(crate) drop_legacy: bool,
    /// How to reach servers
    #[command(flatten)]
    pub(crate) keys: Keys,
}

/// How to reach servers. No secret is ever an argument.
#[derive(Debug, Clone, Default, Group)]
pub(crate) struct Keys {
    /// InstantDB: address of the server [default: https://api.instantdb.com]
    #[arg(long, value_name = "URL", help_heading = "Servers")]
    pub(crate) api_uri: Option<String>,
    /// InstantDB: file that holds the admin token [default: the variable RETHREAD_TOKEN]
    #[arg(long, value_name = "FILE", help_heading = "Servers", conflicts_with = "token_command")]
    pub(crate) token_file: Option<PathBuf>,
    /// InstantDB: command that prints the admin token
    #[arg(long, value_name = "COMMAND", help_heading = "Servers")]
    pub(crate) token_command: Option<String>,
    /// PostgreSQL: file that holds the password [default: PGPASSWORD, PGPASSFILE or ~/.pgpass]
    #[arg(
        long,
        value_name = "FILE",
        help_heading = "Servers",
        conflicts_with = "password_command"
    )]
    pub(crate) password_file: Option<PathBuf>,
    /// PostgreSQL: command that prints the password
    #[arg(long, value_name = "COMMAND", help_heading = "Servers")]
    pub(crate) password_command: Option<String>,
}

/// How payloads stand in PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Json {
    /// As jsonb
    Jsonb,
    /// As text that is checked to be JSON
    Text,
}

/// What becomes of rows that are not ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Conflict {
    /// Stop and name them
    Refuse,
    /// Leave them as they are
    Keep,
    /// Replace them; what they held is kept for a rollback
    Replace,
}

/// Where bundles stand.
#[derive(Debug, Group)]
#[command(after_help = "\
States: planned, dry_run_ok, applied_unverified, migrated_verified, failed, rolled_back.

Examples:
  rethread status
  rethread status --out /srv/bundles --json")]
pub(crate) struct Status {
    /// Folder that holds the bundles
    #[arg(long, value_name = "DIR", default_value = "out")]
    pub(crate) out: PathBuf,
}

/// A report's form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// The verdict and the equations
    Text,
    /// The whole report for machines
    Json,
    /// The JSON Schema of that; needs no bundle
    Schema,
    /// What a review needs, as Markdown
    Md,
    /// The whole report as one self-contained page
    Html,
    /// The rules as JUnit XML, for build servers
    Junit,
    /// Every finding as a line of CSV, for spreadsheets
    Csv,
}

/// The reports of a bundle.
#[derive(Debug, Group)]
#[command(after_help = "\
Tells what the last verification and the last import found; it runs neither. All forms are written
into report/ beside the seal.

Examples:
  rethread report out/5f1c09ab3d2e4f60
  rethread report out/5f1c09ab3d2e4f60 --format md | gh pr comment 12 --body-file -
  rethread report out/5f1c09ab3d2e4f60 --format csv > findings.csv
  rethread report --format schema > report.schema.json")]
pub(crate) struct Report {
    /// The bundle's folder
    #[arg(required_unless_present_any = ["format"])]
    pub(crate) bundle: Option<PathBuf>,
    /// What to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

/// The seal of a folder.
#[derive(Debug, Group)]
#[command(after_help = "\
Looks at every byte; stricter than `sha256sum -c manifest-sha256.txt`.

Example:
  rethread check snapshots/backup")]
pub(crate) struct Check {
    /// A snapshot's or a bundle's folder
    pub(crate) folder: PathBuf,
}

/// What can be done with a contract.
#[derive(Debug, Subcommand)]
pub(crate) enum Contract {
    /// Print the contract as it is executed, blanks filled
    Show {
        /// The contract and what fills its blanks
        #[command(flatten)]
        rules: Rules,
    },
    /// Write the contract as the document it is, every blank filled
    Render(crate::documents::Render),
    /// Tell what changed from one contract to another, and what breaks
    Diff(crate::documents::Diff),
    /// Check a contract and list every misfit with its line
    Check {
        /// A contract, as `--contract` takes it [default: story-to-thread]
        #[arg(conflicts_with = "contract", value_name = "CONTRACT")]
        file: Option<PathBuf>,
        /// The contract and what fills its blanks
        #[command(flatten)]
        rules: Rules,
    },
    /// Start a release file: the contract's blanks, to fill in
    Init {
        /// Write it to a new file instead of stdout
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// A built-in contract by its name (story-to-thread, story-to-events), or a file
        #[arg(long, value_name = "CONTRACT")]
        contract: Option<PathBuf>,
    },
}

/// Which contract, and what fills its blanks.
#[derive(Debug, Clone, Group)]
pub(crate) struct Rules {
    /// A built-in contract by its name (story-to-thread, story-to-events), or a file
    #[arg(long, value_name = "CONTRACT", help_heading = "Contract")]
    pub(crate) contract: Option<PathBuf>,
    /// A release file that fills the contract's blanks (`rethread contract init` starts one)
    #[arg(long, value_name = "FILE", help_heading = "Contract")]
    pub(crate) release: Option<PathBuf>,
    /// Fill a blank or set a value, as `release.to=2.0`; may be repeated, the last one wins
    #[arg(long, value_name = "KEY=VALUE", value_parser = setting, help_heading = "Contract")]
    pub(crate) set: Vec<(String, String)>,
}

/// Reads `KEY=VALUE`.
pub(crate) fn setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            Ok((key.trim().to_owned(), value.to_owned()))
        }
        _ => Err("write it as KEY=VALUE, for instance release.to=2.0".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_well_formed() {
        Args::command().debug_assert();
    }

    #[test]
    fn a_setting_is_split_at_its_first_equals_sign() {
        assert_eq!(setting("a.b = x=y"), Ok(("a.b".to_owned(), " x=y".to_owned())));
        assert!(setting("=x").is_err());
        assert!(setting("release.to").is_err());
    }
}
