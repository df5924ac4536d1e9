//! `verify --self-test`: faults planted in a copy of the bundle, each to be caught.

use std::fmt::Write as _;

use rethread::bundle::Bundle;
use rethread::error::{Error, Kind, Result, printable};
use rethread::progress::Progress;
use rethread::resources::Resources;
use rethread::trial::{self, Fate, Trial, Tried};
use serde_json::json;

use crate::args::Verify;
use crate::render::Ended;
use crate::{contracts, folders};

/// Runs the command.
pub(crate) fn run(it: &Verify, resources: &Resources, progress: &dyn Progress) -> Result<Ended> {
    let bundle = Bundle::open(&it.bundle, progress)?;
    let contract = contracts::of_bundle(&bundle)?;
    let snapshot = folders::snapshot_for(bundle.meta(), &it.origin, progress)?;
    let found = trial::run(&bundle, &snapshot, &contract, resources, progress)?;
    Ok(Ended::told(text(&found))
        .with("result", json!(found))
        .with("score", score(&found))
        .failing(failure(&found)))
}

/// A table of the faults, and the score in the last line.
fn text(found: &Trial) -> String {
    let mut out = String::new();
    let kinds = found.faults.iter().map(|tried| tried.kind.chars().count());
    let width = kinds.max().unwrap_or_default();
    for tried in &found.faults {
        let said = match tried.fate {
            Fate::Caught => format!("caught       {}: {}", rules(tried), tried.said),
            Fate::Unnamed => format!("NOT NAMED    {}, told by {}", tried.place, rules(tried)),
            Fate::Missed => format!("NOT CAUGHT   {}", tried.place),
            Fate::NotPlanted => format!("not planted  {}", tried.said),
        };
        // Writing to a `String` cannot fail, here and below.
        let _ = writeln!(out, "{:width$}  {}", tried.kind, printable(&said).replace('\n', "\\n"));
    }
    for finding in &found.findings {
        let _ = writeln!(out, "without a fault: {}", printable(finding).replace('\n', "\\n"));
    }
    let _ = writeln!(out, "{}", score(found));
    out
}

/// The rule that caught a fault, and how many more did.
fn rules(tried: &Tried) -> String {
    match &tried.rules[..] {
        [] => "no rule".to_owned(),
        [one] => one.clone(),
        [one, more @ ..] => format!("{one} and {} more", more.len()),
    }
}

/// `43 of 43 caught, 2 not planted (why; why)`.
fn score(found: &Trial) -> String {
    if !found.findings.is_empty() {
        return "nothing planted: the copy without a fault does not pass".to_owned();
    }
    let mut said = format!("{} of {} caught", found.count(Fate::Caught), found.planted());
    let not = found.faults.iter().filter(|tried| tried.fate == Fate::NotPlanted);
    let mut why: Vec<&str> = not.map(|tried| tried.said.as_str()).collect();
    why.sort_unstable();
    why.dedup();
    if !why.is_empty() {
        let _ =
            write!(said, ", {} not planted ({})", found.count(Fate::NotPlanted), why.join("; "));
    }
    said
}

fn failure(found: &Trial) -> Option<Error> {
    const MOST: usize = 10;
    if found.passed() {
        return None;
    }
    if let Some(first) = found.findings.first() {
        let error = Error::new(Kind::Findings, "the bundle does not pass as it is").at(first);
        return Some(error.help("verify it without `--self-test`, and try again when it passes"));
    }
    let wrong = |tried: &&Tried| matches!(tried.fate, Fate::Unnamed | Fate::Missed);
    let wrong: Vec<&Tried> = found.faults.iter().filter(wrong).collect();
    let said = match wrong.len() {
        0 => "no fault could be planted".to_owned(),
        count => format!("{count} of {} planted faults were not caught", found.planted()),
    };
    let places = wrong.iter().take(MOST).map(|tried| format!("{}: {}", tried.kind, tried.place));
    let help = "do not rely on this verification; tell the makers of this program";
    Some(places.fold(Error::new(Kind::Findings, said).help(help), Error::at))
}
