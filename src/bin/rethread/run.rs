//! The commands: each one is the stages it goes through.

use std::path::Path;

use rethread::bag;
use rethread::bundle::{self, Bundle};
use rethread::contract::Contract;
use rethread::error::{Error, Kind, Result, grouped};
use rethread::import;
use rethread::progress::Progress;
use rethread::report::{self, Report};
use rethread::resources::Resources;
use rethread::snapshot::Snapshot;
use rethread::storage;
use rethread::target::Mode;
use rethread::verify::{self, Outcome, Verification};
use serde_json::json;

use crate::args::{self, Args, Command, Format};
use crate::render::Ended;
use crate::targets::{self, Wanted};
use crate::{contracts, folders};

/// Runs the command.
pub(crate) fn run(args: &Args, progress: &dyn Progress) -> Result<Ended> {
    let resources = resources(args);
    match &args.command {
        Command::Run(it) => whole(it, &resources, progress),
        Command::Export(it) => export(it, &resources, progress),
        Command::Transform(it) => transform(it, &resources, progress),
        Command::Verify(it) if it.self_test => crate::trial::run(it, &resources, progress),
        Command::Verify(it) => match &it.emit_sql {
            Some(folder) => crate::independent::run(it, folder, progress),
            None => verify(it, &resources, progress),
        },
        Command::Import(it) => import(it, &resources, progress),
        Command::Rollback(it) => targets::rollback(it, progress),
        Command::Status(it) => targets::status(it),
        Command::Report(it) => report(it, progress),
        Command::Check(it) => check(it, progress),
        Command::Audit(it) => crate::audit::run(it, &resources, progress),
        Command::Revert(it) => crate::revert::run(it, &resources, progress),
        Command::Explain(it) => crate::explain::run(it, &resources, progress),
        Command::Inspect(it) => crate::inspect::run(it, &resources, progress),
        Command::Quarantine(it) => crate::quarantine::run(it, &resources, progress),
        Command::Compare(it) => crate::compare::run(it, &resources, progress),
        Command::Plan(it) => crate::plan::run(it, &resources, progress),
        Command::Contract(it) => contracts::run(it, progress),
        Command::Completions(it) => crate::shells::completions(it),
        Command::Man(it) => crate::shells::man(it),
    }
}

/// What the stages may use; the same variable sets the threads of polars.
#[allow(clippy::disallowed_methods, reason = "the binary tells the library how many threads")]
fn resources(args: &Args) -> Resources {
    let threads = std::env::var("POLARS_MAX_THREADS").ok().and_then(|threads| threads.parse().ok());
    Resources { memory: args.memory_limit, temp_dir: args.temp_dir.clone(), threads }
}

fn whole(it: &args::Run, resources: &Resources, progress: &dyn Progress) -> Result<Ended> {
    let name = match &it.name {
        Some(name) => folders::plain_name(name)?.to_owned(),
        None => folders::name_of(&it.source),
    };
    let contract = contracts::load(&it.contract)?;
    let place = it.snapshots.join(name);
    let snapshot =
        folders::snapshot_of((&it.source, &it.live), &contract, &place, resources, progress)?;
    let bundle = bundle_of(&contract, &snapshot, &it.out, resources, progress)?;
    deliver(bundle, &snapshot, contract, (&Wanted::embedded(), resources), progress)
}

fn export(it: &args::Export, resources: &Resources, progress: &dyn Progress) -> Result<Ended> {
    let contract = contracts::load(&it.contract)?;
    let usual = || Path::new("snapshots").join(folders::name_of(&it.source));
    let place = it.to.clone().unwrap_or_else(usual);
    let snapshot =
        folders::snapshot_of((&it.source, &it.live), &contract, &place, resources, progress)?;
    let tables = &snapshot.meta().tables;
    let rows: serde_json::Map<_, _> =
        tables.iter().map(|table| (table.entity.clone(), table.rows.into())).collect();
    Ok(Ended::made("snapshot", snapshot.root())
        .with("digest", snapshot.digest())
        .with("rows", rows))
}

fn transform(
    it: &args::Transform,
    resources: &Resources,
    progress: &dyn Progress,
) -> Result<Ended> {
    let contract = contracts::load(&it.contract)?;
    let snapshot = Snapshot::open(&it.snapshot, progress)?;
    let bundle = bundle_of(&contract, &snapshot, &it.out, resources, progress)?;
    Ok(Ended::made("bundle", bundle.root())
        .with("digest", bundle.digest())
        .with("equations", json!(bundle.meta().equations)))
}

fn verify(it: &args::Verify, resources: &Resources, progress: &dyn Progress) -> Result<Ended> {
    let bundle = Bundle::open(&it.bundle, progress)?;
    let contract = contracts::of_bundle(&bundle)?;
    let snapshot = folders::snapshot_for(bundle.meta(), &it.origin, progress)?;
    let found = judge(&bundle, &snapshot, &contract, resources, progress)?;
    let told = tell(&bundle, &contract, &found, last_import(&bundle)?.as_ref())?;
    Ok(told.failing(findings(&bundle, &found)))
}

fn import(it: &args::Import, resources: &Resources, progress: &dyn Progress) -> Result<Ended> {
    let bundle = Bundle::open(&it.bundle, progress)?;
    let contract = contracts::of_bundle(&bundle)?;
    let snapshot = folders::snapshot_for(bundle.meta(), &it.origin, progress)?;
    deliver(bundle, &snapshot, contract, (&Wanted::of(it), resources), progress)
}

fn report(it: &args::Report, progress: &dyn Progress) -> Result<Ended> {
    if it.format == Format::Schema {
        return Ok(Ended::told(report::SCHEMA).with("result", report::SCHEMA));
    }
    let Some(bundle) = &it.bundle else {
        return Err(Error::usage("no bundle is named").help("name the bundle's folder"));
    };
    let bundle = Bundle::open(bundle, progress)?;
    let contract = contracts::of_bundle(&bundle)?;
    let found = last_verification(&bundle)?;
    let outcome = last_import(&bundle)?;
    let report = Report::new(&bundle, &contract, found.as_ref(), outcome.as_ref());
    report::write(&report, bundle.root())?;
    let text = match it.format {
        Format::Text => report::text(&report),
        Format::Json => report.json()?,
        Format::Md => report::markdown(&report),
        Format::Html => report::html(&report),
        Format::Junit => report::junit(&report)?,
        Format::Csv => report::findings(&report),
        Format::Schema => report::SCHEMA.to_owned(),
    };
    Ok(Ended::told(text).with("result", json!(report)))
}

fn check(it: &args::Check, progress: &dyn Progress) -> Result<Ended> {
    let (what, digest) = if it.folder.join("data/bundle.json").exists() {
        ("bundle", Bundle::open(&it.folder, progress)?.digest().to_owned())
    } else if it.folder.join("data/snapshot.json").exists() {
        ("snapshot", Snapshot::open(&it.folder, progress)?.digest().to_owned())
    } else {
        bag::check(&it.folder, progress)?;
        return Err(Error::damaged("the sealed folder is neither a snapshot nor a bundle")
            .at(it.folder.display())
            .help("name the folder of a snapshot or of a bundle"));
    };
    let said = format!("the {what} is intact: {digest}\n");
    Ok(Ended::told(said).with(what, it.folder.display().to_string()).with("digest", digest))
}

/// The bundle of a snapshot and a contract: made now, or the intact one that stands there already.
fn bundle_of(
    contract: &Contract,
    snapshot: &Snapshot,
    out: &Path,
    resources: &Resources,
    progress: &dyn Progress,
) -> Result<Bundle> {
    let is_there = bag::is_sealed(&bundle::folder(contract, snapshot, out));
    let bundle = bundle::write(contract, snapshot, out, resources, progress)?;
    if is_there {
        progress.begin("transform", None);
        progress.done("already transformed");
    }
    Ok(bundle)
}

/// Verifies a bundle, imports it when it passed, and writes the reports either way.
fn deliver(
    bundle: Bundle,
    snapshot: &Snapshot,
    contract: Contract,
    (wanted, resources): (&Wanted, &Resources),
    progress: &dyn Progress,
) -> Result<Ended> {
    let found = judge(&bundle, snapshot, &contract, resources, progress)?;
    let told = tell(&bundle, &contract, &found, last_import(&bundle)?.as_ref())?;
    if let Some(failure) = findings(&bundle, &found) {
        return Ok(told.with_place("snapshot", snapshot.root()).failing(Some(failure)));
    }
    let verified = verify::permit(bundle, contract, found)?;
    let outcome = targets::import(&verified, wanted, resources, progress)?;
    progress.begin("imported", None);
    progress.done(&outcome.sentence());
    let (bundle, found) = (verified.bundle(), verified.verification());
    let told = if outcome.mode == Mode::Import {
        tell(bundle, verified.contract(), found, Some(&outcome))?
    } else {
        // A dry run is no news for the reports.
        let report = Report::new(bundle, verified.contract(), Some(found), None);
        shown(&report, bundle)
    };
    Ok(targets::told(told.with_place("snapshot", snapshot.root()), bundle, wanted, &outcome))
}

/// Verifies a bundle, writes its reports, and gives what came of it in a line and as a failure.
pub(crate) fn verified(
    bundle: &Bundle,
    snapshot: &Snapshot,
    contract: &Contract,
    resources: &Resources,
    progress: &dyn Progress,
) -> Result<(String, Option<Error>)> {
    let found = judge(bundle, snapshot, contract, resources, progress)?;
    let outcome = last_import(bundle)?;
    let report = Report::new(bundle, contract, Some(&found), outcome.as_ref());
    report::write(&report, bundle.root())?;
    Ok((report.verdict().title.clone(), findings(bundle, &found)))
}

/// Verifies a bundle and keeps what was found beside its seal.
fn judge(
    bundle: &Bundle,
    snapshot: &Snapshot,
    contract: &Contract,
    resources: &Resources,
    progress: &dyn Progress,
) -> Result<Verification> {
    let found = verify::verify(bundle, snapshot, contract, resources, progress)?;
    let text = serde_json::to_string_pretty(&found)
        .map_err(|error| Error::bug("the findings cannot be written as JSON").because(error))?;
    let place = bundle.path(VERIFICATION);
    storage::create_folder(&bundle.path("report"))?;
    storage::replace(&place, format!("{text}\n").as_bytes())?;
    let figures = report::figures::measure(bundle, snapshot, contract, resources.threads())?;
    report::figures::keep(&figures, bundle)?;
    Ok(found)
}

const VERIFICATION: &str = "report/verification.json";

/// What the last verification of this very bundle found.
pub(crate) fn last_verification(bundle: &Bundle) -> Result<Option<Verification>> {
    let place = bundle.path(VERIFICATION);
    if !place.exists() {
        return Ok(None);
    }
    let found: Verification =
        serde_json::from_str(&storage::read_text(&place)?).map_err(|error| {
            Error::damaged("the last verification cannot be read")
                .at(place.display())
                .help("run `rethread verify` again")
                .because(error)
        })?;
    Ok(Some(found).filter(|found| found.bundle_digest == bundle.digest()))
}

/// What the last import of this very bundle did.
fn last_import(bundle: &Bundle) -> Result<Option<import::Outcome>> {
    import::last_outcome(bundle)
}

/// Writes the reports and says what they say.
fn tell(
    bundle: &Bundle,
    contract: &Contract,
    found: &Verification,
    outcome: Option<&import::Outcome>,
) -> Result<Ended> {
    let report = Report::new(bundle, contract, Some(found), outcome);
    report::write(&report, bundle.root())?;
    Ok(shown(&report, bundle))
}

/// What a report says, and where it is.
fn shown(report: &Report, bundle: &Bundle) -> Ended {
    Ended::told(format!("{}\n", report::text(report)))
        .with("result", json!(report))
        .with("digest", bundle.digest())
        .with_place("bundle", bundle.root())
        .with_place("report", &bundle.path("report/report.html"))
}

/// The failure of a verification that did not pass.
fn findings(bundle: &Bundle, found: &Verification) -> Option<Error> {
    const MOST: usize = 10;
    if found.passed() {
        return None;
    }
    let failed =
        |rule: &&verify::Rule| matches!(rule.outcome, Outcome::Failed | Outcome::NotEvaluated);
    let rules: Vec<_> = found.rules.iter().filter(failed).collect();
    let (count, total) = (grouped(rules.len() as u64), grouped(found.rules.len() as u64));
    let are = if rules.len() == 1 { "is" } else { "are" };
    let said = format!("verification: {count} of {total} rules {are} not met");
    let mut error = Error::new(Kind::Findings, said)
        .help(format!("read {}", bundle.path("report/report.html").display()));
    for rule in rules.iter().take(MOST) {
        error = error.at(place_of(rule));
    }
    if rules.len() > MOST {
        error = error.at(format!("and {} more", rules.len() - MOST));
    }
    Some(error)
}

fn place_of(rule: &verify::Rule) -> String {
    let rows = grouped(rule.evaluated);
    match rule.outcome {
        Outcome::NotEvaluated => format!("{}: not evaluated", rule.rule),
        _ if rule.samples.is_empty() => {
            format!("{}: {} of {rows}", rule.rule, grouped(rule.violations))
        }
        _ => {
            let samples = rule.samples.join(", ");
            format!("{}: {} of {rows} ({samples})", rule.rule, grouped(rule.violations))
        }
    }
}
