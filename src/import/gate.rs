//! What must be true before a target is written to.

use super::{Order, desk};
use crate::contract::{self, Contract};
use crate::digest::micros_text;
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::target::{Event, Journal, Mode, Plan, Target};

/// How long a dry run counts, in microseconds: a day.
const DAY: i64 = 86_400_000_000;

/// Refuses to act outside the bundle's own folder while the contract has blanks, and, when it asks for
/// one, without a passed dry run of the same bundle at the same target. An import that was stopped on
/// its way has passed here before.
pub(super) fn check(
    journal: &Journal<'_>,
    plan: &Plan,
    target: &dyn Target,
    contract: &Contract,
    order: &Order<'_>,
) -> Result<()> {
    if !order.execute || order.embedded {
        return Ok(());
    }
    let stopped = desk::stopped(journal.entries(), Mode::Import);
    if stopped.is_some_and(|(run, _)| desk::compared(journal, &run).is_some()) {
        return Ok(());
    }
    filled(contract)?;
    if contract.rollout.dry_run_required { rehearsed(journal, plan, target) } else { Ok(()) }
}

/// Says that blanks are left where nothing is refused for it: a dry run, the embedded database.
pub(super) fn warn(contract: &Contract, order: &Order<'_>, progress: &dyn Progress) {
    let blanks = contract::blanks(contract);
    if blanks.is_empty() || (order.execute && !order.embedded) {
        return;
    }
    progress.begin("warning", None);
    progress.done(&format!(
        "the contract has blanks that nobody filled ({}); no other target takes this bundle by \
         `--execute`",
        blanks.join(", ")
    ));
}

/// Refuses a contract with blanks, names each and how it is filled.
fn filled(contract: &Contract) -> Result<()> {
    let blanks = contract::purposes(contract);
    let Some((first, _)) = blanks.first() else { return Ok(()) };
    let help = format!(
        "fill them in a release file (`rethread contract init --out release.toml` starts one) or by \
         `--set {first}=…`, then transform again with `--release release.toml`: a bundle keeps the \
         contract it was made by"
    );
    let error = Error::refused("the contract has blanks that nobody filled").help(help);
    let named = blanks.iter().map(|(key, what)| format!("`{key}`: {what}"));
    Err(named.fold(error, Error::at))
}

/// Refuses when no passed dry run of a day at most is on record.
fn rehearsed(journal: &Journal<'_>, plan: &Plan, target: &dyn Target) -> Result<()> {
    // Text order is time order.
    let since = micros_text(journal.now() - DAY);
    let identity = target.identity();
    let mut fits = false;
    let mut last = None;
    for entry in journal.entries() {
        match &entry.event {
            Event::Begun { bundle, identity: other, .. } => {
                fits = *bundle == plan.bundle && *other == identity;
            }
            Event::Rehearsed if fits => last = Some(entry),
            _ => {}
        }
    }
    let help = "run the same command without `--execute` first; it writes nothing";
    match last {
        Some(entry) if entry.at >= since => Ok(()),
        Some(entry) => Err(Error::refused("the dry run of this bundle is more than a day old")
            .at(format!("`{}`, {}", target.name(), entry.at))
            .help(help)),
        None => Err(Error::refused("the contract asks for a dry run before the import")
            .at(format!(
                "`rollout.dry_run = \"required\"`; none of this bundle into `{}` is on record",
                target.name()
            ))
            .help(help)),
    }
}
