//! What became of one row.

use std::path::{Path, PathBuf};

use clap::Args;
use rethread::error::{Error, Kind, Result, grouped};
use rethread::explain::{self, Answer, Files};
use rethread::progress::Progress;
use rethread::resources::Resources;
use serde_json::json;

use crate::args::Origin;
use crate::folders;
use crate::render::Ended;

/// One row, forward and back.
#[derive(Debug, Args)]
#[command(after_help = "\
Takes any legacy or target id, also one that is no UUID, and tells the row as the export had it, each
rule with what went in and what came out, links, repairs and neighbours; or why the row is absent.
Seals are not checked: `rethread check` does that. Without the snapshot it tells what it can.

Examples:
  rethread explain 0190a5b0-0000-7000-8000-00000000000a
  rethread explain evt_17 out/5f1c09ab3d2e4f60 --json")]
pub(crate) struct Explain {
    /// A legacy or target id
    pub(crate) id: String,
    /// The bundle's folder [default: the only bundle there is]
    pub(crate) bundle: Option<PathBuf>,
    /// Its snapshot
    #[command(flatten)]
    pub(crate) origin: Origin,
    /// Folder that holds the bundles
    #[arg(long, value_name = "DIR", default_value = "out")]
    pub(crate) out: PathBuf,
}

/// Runs the command.
pub(crate) fn run(it: &Explain, resources: &Resources, _progress: &dyn Progress) -> Result<Ended> {
    let bundle = match &it.bundle {
        Some(bundle) => bundle.clone(),
        None => only(&it.out)?,
    };
    let (meta, _) = rethread::bundle::described(&bundle)?;
    let snapshot = folders::place_of(&meta, &it.origin)?;
    let files = Files::open(&bundle, snapshot.as_deref())?;
    let answer = explain::explain(&files, &it.id, resources)?;
    let failure = (!answer.is_known()).then(|| unknown(&answer, &bundle));
    Ok(Ended::told(explain::text(&answer)).with("answer", json!(answer)).failing(failure))
}

/// The only bundle in a folder of bundles.
fn only(out: &Path) -> Result<PathBuf> {
    let mut bundles = folders::sealed_in(out, "data/bundle.json")?;
    match bundles.len() {
        1 => Ok(bundles.remove(0)),
        0 => Err(Error::usage("there is no bundle")
            .at(out.display())
            .help("name the bundle's folder, or the folder of bundles with `--out`")),
        many => {
            let said = format!("there are {} bundles", grouped(many as u64));
            let error = Error::usage(said).help("name the one that is meant after the id");
            Err(bundles.iter().fold(error, |error, bundle| error.at(bundle.display())))
        }
    }
}

fn unknown(answer: &Answer, bundle: &Path) -> Error {
    let rows = answer.searched.iter().map(|file| file.rows).sum();
    let files = answer.searched.len();
    Error::new(Kind::Findings, format!("no row has the id `{}`", answer.id))
        .at(format!("{}: {} rows in {files} files", bundle.display(), grouped(rows)))
        .help("an id is a whole one, as the source or the target has it")
}
