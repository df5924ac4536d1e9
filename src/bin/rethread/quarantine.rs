//! What was set aside, and taking corrected rows back in.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use rethread::bundle::Bundle;
use rethread::error::{Result, grouped, printable};
use rethread::progress::Progress;
use rethread::replay::{self, Reason, Wanted};
use rethread::resources::Resources;
use serde_json::json;

use crate::args::{Origin, setting};
use crate::render::Ended;
use crate::{contracts, folders, run};

/// The rows set aside, by reason.
#[derive(Debug, Args)]
#[command(after_help = "\
Lists the rules that set rows aside, with their first rows and, for rows that went with others, where
it began. To take rows back in, copy their lines out of data/quarantine/<entity>.jsonl, correct them,
and replay the file: that makes a new snapshot in which exactly these rows are replaced, with a ledger,
and a new bundle of it, which is verified. Rows that are still refused stay in quarantine, and are
listed.

Examples:
  rethread quarantine out/5f1c09ab3d2e4f60
  rethread quarantine out/5f1c09ab3d2e4f60 --rule 'items.createdAt required' --limit 50
  rethread quarantine out/5f1c09ab3d2e4f60 --replay fixed.jsonl")]
pub(crate) struct Quarantine {
    /// The bundle's folder
    pub(crate) bundle: PathBuf,
    /// Only what this rule set aside
    #[arg(long, value_name = "RULE", conflicts_with = "replay")]
    pub(crate) rule: Option<String>,
    /// How many rows of each rule are listed
    #[arg(long, value_name = "ROWS", default_value_t = 5)]
    pub(crate) limit: usize,
    /// Take these corrected rows back in, into a new snapshot and a new bundle
    #[arg(long, value_name = "FILE")]
    pub(crate) replay: Option<PathBuf>,
    /// A release file that changes values of the bundle's contract for the new bundle
    #[arg(long, value_name = "FILE", requires = "replay")]
    pub(crate) release: Option<PathBuf>,
    /// Change a value of the bundle's contract for the new bundle, as `target.unfit=quarantine`; may be
    /// repeated, the last one wins
    #[arg(long, value_name = "KEY=VALUE", value_parser = setting, requires = "replay")]
    pub(crate) set: Vec<(String, String)>,
    /// Its snapshot
    #[command(flatten)]
    pub(crate) origin: Origin,
    /// Folder that holds the bundles
    #[arg(long, value_name = "DIR", default_value = "out")]
    pub(crate) out: PathBuf,
}

/// Runs the command.
pub(crate) fn run(
    it: &Quarantine,
    resources: &Resources,
    progress: &dyn Progress,
) -> Result<Ended> {
    let bundle = Bundle::open(&it.bundle, progress)?;
    match &it.replay {
        Some(fixes) => replayed(it, &bundle, fixes, (resources, progress)),
        None => listed(it, &bundle),
    }
}

fn listed(it: &Quarantine, bundle: &Bundle) -> Result<Ended> {
    let reasons = replay::reasons(bundle, it.rule.as_deref(), it.limit)?;
    let rows: u64 = reasons.iter().map(|reason| reason.count.rows).sum();
    let mut out = format!("{} set aside\n", counted(rows));
    for reason in &reasons {
        told(reason, &mut out);
    }
    Ok(Ended::told(out).with("rows", rows).with("reasons", json!(reasons)))
}

fn told(reason: &Reason, out: &mut String) {
    let line = |text: &str| printable(text).replace('\n', "\\n");
    let (count, rows) = (&reason.count, grouped(reason.count.rows));
    // Writing to a `String` cannot fail, here and below.
    let _ = writeln!(out, "\n{rows} of {}: {}", line(&count.source), line(&count.rule));
    let _ = writeln!(out, "  {}", line(&reason.reason));
    for sample in &reason.samples {
        let id = sample.id.as_deref().unwrap_or("without an id");
        let cause = sample.cause.as_ref().map(|cause| format!(", with {}", line(cause)));
        let _ = writeln!(out, "  row {} {}{}", sample.row, line(id), cause.unwrap_or_default());
    }
    if reason.roots > 0 {
        let rows = if reason.roots == 1 { "row" } else { "rows" };
        let _ = writeln!(out, "  began with {} {rows}:", grouped(reason.roots));
    }
    for root in &reason.first_roots {
        let rows = grouped(root.rows);
        let _ = writeln!(out, "    {} by {}: {rows}", line(&root.row), line(&root.rule));
    }
}

fn replayed(
    it: &Quarantine,
    bundle: &Bundle,
    fixes: &Path,
    (resources, progress): (&Resources, &dyn Progress),
) -> Result<Ended> {
    let contract = contracts::of_bundle_with(bundle, it.release.as_deref(), &it.set)?;
    let snapshot = folders::snapshot_for(bundle.meta(), &it.origin, progress)?;
    let wanted = Wanted {
        bundle,
        snapshot: &snapshot,
        contract: &contract,
        fixes,
        snapshots: &it.origin.snapshots,
        out: &it.out,
    };
    let outcome = replay::replay(&wanted, resources, progress)?;
    let mut out = String::new();
    for (entity, rows, refused) in &outcome.rows {
        let (said, refused) = (counted(*rows), grouped(*refused));
        let _ = writeln!(out, "{entity}: {said} replaced, {refused} set aside again");
    }
    let rows = outcome.rows.iter().map(|(entity, replaced, refused)| {
        json!({ "entity": entity, "replaced": replaced, "refused": refused })
    });
    let (snapshot, bundle) = (&outcome.snapshot, &outcome.bundle);
    let (found, failure) = run::verified(bundle, snapshot, &contract, resources, progress)?;
    let _ = writeln!(out, "{found}");
    let aside = replay::reasons(bundle, None, it.limit)?;
    let left: u64 = aside.iter().map(|reason| reason.count.rows).sum();
    let _ = writeln!(out, "{} still set aside", counted(left));
    for reason in &aside {
        told(reason, &mut out);
    }
    Ok(Ended::told(out)
        .with("rows", rows.collect::<Vec<_>>())
        .with("aside", json!(aside))
        .with("ledger", json!(snapshot.meta().replays))
        .with("digest", bundle.digest())
        .with_place("snapshot", snapshot.root())
        .with_place("bundle", bundle.root())
        .with_place("report", &bundle.path("report/report.html"))
        .failing(failure))
}

/// So many rows, in words.
fn counted(rows: u64) -> String {
    format!("{} {}", grouped(rows), if rows == 1 { "row" } else { "rows" })
}
