//! Section 6: dry-run gate, canary, limits, rollback, and where the bundle stands.

use super::words::{blank, code, heading, or_blank, plain, table, text};
use super::{Block, BundleFacts, Import, Measured};
use crate::contract::{Contract, Limit, Rollout, Unfit, limit_words};
use crate::error::grouped;

/// The section.
pub(super) fn blocks(contract: &Contract, measured: &Measured) -> Vec<Block> {
    let Rollout {
        dry_run_required,
        canary,
        max_quarantined,
        max_repaired,
        max_reordered,
        max_left_behind,
        rollback_trigger,
        rollback_action,
    } = &contract.rollout;
    let gate = if *dry_run_required {
        "required: a target outside the bundle's folder takes no bundle that it has not rehearsed in \
         the last 24 hours"
    } else {
        "optional"
    };
    let counts = measured.bundle.as_ref().map(Counts::of);
    let triggers = if rollback_trigger.is_empty() {
        blank("rollout.rollback_trigger")
    } else {
        rollback_trigger.iter().map(|trigger| plain(trigger)).collect::<Vec<_>>().join("; ")
    };
    let row = |name: &str, value: String| [name.to_owned(), value];
    let rows = [
        row("Dry-run gate", gate.to_owned()),
        row("Canary", or_blank("rollout.canary", canary)),
        row(
            "Quarantined rows",
            limit(*max_quarantined, counts.as_ref().map(|it| (it.quarantined, it.rows))),
        ),
        row(
            "Repaired values",
            limit(*max_repaired, counts.as_ref().map(|it| (it.repaired, it.rows))),
        ),
        row("Rows shown in another order", limit(*max_reordered, None)),
        row(
            "Link values left behind",
            limit(*max_left_behind, counts.as_ref().map(|it| (it.left_links, it.rows))),
        ),
        row("Rollback trigger", triggers),
        row("Rollback action", or_blank("rollout.rollback_action", rollback_action)),
    ];
    let unfit = (contract.unfit == Unfit::Quarantine)
        .then(|| row("Rows that not every store holds", "quarantined".to_owned()));
    let rows = rows.into_iter().chain(unfit);
    let mut blocks = vec![table(["What", "Decision"], rows), heading("Where it stands")];
    match measured.imports.as_deref() {
        None => blocks.push(text("⚠ not measured: `rethread status` says where a bundle stands")),
        Some([]) => blocks.push(text("No import yet, and no dry run.")),
        Some(imports) => {
            let columns = ["Target", "State", "Since", "What was done"];
            blocks.push(table(columns, imports.iter().map(standing)));
        }
    }
    blocks
}

/// Sums of a bundle that limits are about.
struct Counts {
    rows: u64,
    quarantined: u64,
    repaired: u64,
    left_links: u64,
}

impl Counts {
    fn of(bundle: &BundleFacts) -> Self {
        let parts = bundle.quarantine.iter().map(|(_, _, rows)| rows);
        Self {
            rows: bundle.legacy_rows,
            quarantined: parts.sum::<u64>().saturating_sub(bundle.only_links),
            repaired: bundle.repairs.iter().map(|it| it.rows).sum(),
            left_links: bundle.left_links,
        }
    }
}

fn limit(limit: Limit, counted: Option<(u64, u64)>) -> String {
    let said = limit_words(limit);
    let Some((count, total)) = counted else { return said };
    let within = if limit.allows(count, total) { "within it" } else { "⚠ over it" };
    format!("{said}; there are {}, {within}", grouped(count))
}

fn standing(import: &Import) -> [String; 4] {
    let Import { target, name, state, at, said } = import;
    [format!("{} {}", plain(target), code(name)), code(state), plain(at), plain(said)]
}
