//! What must be true before a target is written to.

use super::{Order, desk};
use crate::contract::Contract;
use crate::digest::micros_text;
use crate::error::{Error, Result};
use crate::target::{Event, Journal, Mode, Plan, Target};

/// How long a dry run counts, in microseconds: a day.
const DAY: i64 = 86_400_000_000;

/// Refuses to act without a passed dry run of the same bundle at the same target, when the contract
/// asks for one. An import that was stopped on its way has passed here before.
pub(super) fn check(
    journal: &Journal<'_>,
    plan: &Plan,
    target: &dyn Target,
    contract: &Contract,
    order: &Order<'_>,
) -> Result<()> {
    if !order.execute || order.embedded || !contract.rollout.dry_run_required {
        return Ok(());
    }
    let stopped = desk::stopped(journal.entries(), Mode::Import);
    if stopped.is_some_and(|(run, _)| desk::compared(journal, &run).is_some()) {
        return Ok(());
    }
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
