//! `scripts/generate`: makes test and benchmark data.

#[path = "generator.rs"]
mod generator;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};

use generator::{Kind, Links, Options};

/// Makes test and benchmark data: what an app exported under the story model.
#[derive(Debug, Parser)]
#[command(name = "scripts/generate")]
struct Args {
    /// What is written
    #[arg(long, value_enum, default_value = "archive")]
    kind: KindArg,
    /// How many parts; about half as many other rows come with them
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    parts: u64,
    /// What chance begins with; the same seed gives the same bytes
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Share of rows that carry a known defect, such as 0.01
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    dirty: f64,
    /// How links are held: by the child, by the parent, or as attributes such as `contextId`
    #[arg(long, value_enum, default_value = "forward")]
    links: LinksArg,
    /// How many times larger payloads are
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    payload_scale: f64,
    /// Rows stand in an order of this seed, not by id
    #[arg(long, value_name = "SEED")]
    shuffle: Option<u64>,
    /// Leave out what not every kind can hold: other entities of the app, ill-typed values
    #[arg(long)]
    plain: bool,
    /// Make the small archive of the tests
    #[arg(long)]
    sample: bool,
    /// File or folder to write
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
    /// Answer key to write: a JSON line for every row a defect reaches
    #[arg(long, value_name = "KEY.jsonl")]
    key: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum KindArg {
    Archive,
    ArchiveFolder,
    Dataset,
    Jsonl,
    Parquet,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LinksArg {
    Forward,
    Reverse,
    Scalar,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let out = args.out.display().to_string();
    let said = match generator::generate(&options(args)) {
        Ok(made) => {
            let rows: u64 = made.counts.iter().map(|(_, rows)| rows).sum();
            Ok(format!("{out}: {rows} rows, {} lines of answers", made.planted))
        }
        Err(error) => Err(format!("error: {error}\n  --> {out}")),
    };
    let (text, code) = match said {
        Ok(text) => (text, ExitCode::SUCCESS),
        Err(text) => (text, ExitCode::FAILURE),
    };
    drop(writeln!(std::io::stderr(), "{text}"));
    code
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a scale is a small positive number"
)]
fn options(args: Args) -> Options {
    Options {
        kind: match args.kind {
            KindArg::Archive => Kind::Archive,
            KindArg::ArchiveFolder => Kind::ArchiveFolder,
            KindArg::Dataset => Kind::Dataset,
            KindArg::Jsonl => Kind::Jsonl,
            KindArg::Parquet => Kind::Parquet,
        },
        parts: args.parts,
        seed: args.seed,
        dirty: args.dirty,
        links: match args.links {
            LinksArg::Forward => Links::Forward,
            LinksArg::Reverse => Links::Reverse,
            LinksArg::Scalar => Links::Scalar,
        },
        payload_percent: (args.payload_scale * 100.0).round() as u64,
        shuffle: args.shuffle,
        plain: args.plain,
        sample: args.sample,
        out: args.out,
        key: args.key,
    }
}
