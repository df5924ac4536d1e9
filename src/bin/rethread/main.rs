//! The `rethread` command: a thin skin over the library.

#[allow(clippy::doc_markdown, reason = "these texts are the help, which is no Markdown")]
mod args;
mod places;
mod servers;
mod run;
mod contracts;
mod folders;
mod targets;
mod audit;
mod revert;
mod explain;
mod inspect;
mod quarantine;
mod compare;
mod plan;
mod documents;
mod trial;
mod independent;
mod shells;
mod render;
mod progress;
mod guard;

use std::process::ExitCode;

use clap::Parser as _;

/// Gives memory back that many threads took and freed: see `ARCHITECTURE.md`, "Where the time goes".
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let args = args::Args::parse();
    let ended = guard::guarded(|| run::run(&args, progress::for_run(&args).as_ref()));
    render::end(ended, args.json)
}
