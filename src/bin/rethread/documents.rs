//! Commands that write the contract as a document, or compare two contracts.

use std::path::{Path, PathBuf};

use clap::Args;
use rethread::bundle::Bundle;
use rethread::contract::{self, Contract, Overrides};
use rethread::document::{self, Document, Measured};
use rethread::error::{Error, Result};
use rethread::progress::Progress;
use rethread::reconcile;
use rethread::report;
use rethread::snapshot::Snapshot;
use rethread::storage;
use serde_json::json;

use crate::args::Rules;
use crate::render::Ended;
use crate::{contracts, run};

/// The contract as a document.
#[derive(Debug, Args)]
#[command(after_help = "\
Seven sections, every blank filled by the contract, by a release file, or by what was measured. What
nobody filled and what was not measured is marked by ⚠.

Examples:
  rethread contract render --snapshot snapshots/backup --release release.toml
  rethread contract render --bundle out/5f1c09ab3d2e4f60 --out CONTRACT.md")]
pub(crate) struct Render {
    /// Measure this snapshot: rows, sizes, what holds today
    #[arg(long, value_name = "FOLDER")]
    pub(crate) snapshot: Option<PathBuf>,
    /// Take contract, counts, verification and imports from this bundle
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["contract", "release", "set"])]
    pub(crate) bundle: Option<PathBuf>,
    /// Write it to a new file instead of stdout
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// The contract and what fills its blanks
    #[command(flatten)]
    pub(crate) rules: Rules,
}

/// Two contracts.
#[derive(Debug, Args)]
#[command(after_help = "\
The contracts are compared as they are carried out, not as texts. A change breaks when it changes what
target rows look like, or which rows are migrated.

Examples:
  rethread contract diff story-to-thread edited.toml
  rethread contract diff out/5f1c09ab3d2e4f60/data/contract.toml edited.toml --json")]
pub(crate) struct Diff {
    /// The earlier contract: a file, or a built-in one by its name
    pub(crate) before: PathBuf,
    /// The later contract
    pub(crate) after: PathBuf,
}

/// Writes the contract as a document.
pub(crate) fn render(it: &Render, progress: &dyn Progress) -> Result<Ended> {
    let (contract, mut measured) = match &it.bundle {
        None => (contracts::load(&it.rules)?, Measured::default()),
        Some(root) => {
            let bundle = Bundle::open(root, progress)?;
            let found = run::last_verification(&bundle)?;
            let contract = contracts::of_bundle(&bundle)?;
            let measured = report::measured(&bundle, found.as_ref())?;
            if let Some(snapshot) = &it.snapshot {
                belongs(&bundle, snapshot)?;
            }
            (contract, measured)
        }
    };
    if let Some(root) = &it.snapshot {
        let snapshot = Snapshot::open(root, progress)?;
        measured.snapshot = Some(document::measure(&contract, &snapshot)?);
        measured.schema = Some(reconcile::plan(&contract, &snapshot)?);
    }
    let document = document::document(&contract, &measured);
    let text = document::markdown(&document);
    let Some(out) = &it.out else { return Ok(told(text, &document)) };
    if out.symlink_metadata().is_ok() {
        return Err(Error::usage("the file to write exists already")
            .at(out.display())
            .help("name another one, or remove it"));
    }
    storage::replace(out, text.as_bytes())?;
    Ok(Ended::made("file", out).with("document", json!(document)))
}

fn told(text: String, document: &Document) -> Ended {
    Ended::told(text).with("document", json!(document))
}

/// Refuses a snapshot that is not the bundle's own.
fn belongs(bundle: &Bundle, root: &Path) -> Result<()> {
    let digest = rethread::bag::digest(root)?;
    if digest == bundle.meta().snapshot.digest {
        return Ok(());
    }
    Err(Error::usage("the bundle was made from another snapshot")
        .at(root.display())
        .at(bundle.root().display())
        .help("name the snapshot it was made from, or leave `--snapshot` out"))
}

/// Tells two contracts apart.
pub(crate) fn diff(it: &Diff) -> Result<Ended> {
    let [before, after] = [read(&it.before)?, read(&it.after)?];
    let changes = contract::diff(&before, &after);
    let breaking = changes.iter().filter(|change| change.breaking).count();
    Ok(Ended::told(contract::diff_text(&changes))
        .with("changes", json!(changes))
        .with("breaking", breaking))
}

fn read(path: &Path) -> Result<Contract> {
    let (name, text) = contracts::text(Some(path))?;
    contract::load(&text, &name, &Overrides::default())
}
