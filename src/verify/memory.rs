//! How much memory the rows of a verification take. Payloads take none: they pass by in batches.

use crate::bundle::Bundle;
use crate::contract::{Contract, Transform};
use crate::snapshot::Snapshot;

/// Bytes of a target row: its id (16), where it came from (4), its place by id (6).
const TARGET: u64 = 26;
/// Bytes of a legacy row: its id (16), its place by id (6), whether it was set aside (2).
const LEGACY: u64 = 24;
/// Bytes of a legacy row for each target it becomes a row of: which one (4), how often (1).
const ONTO: u64 = 5;
/// Bytes of a legacy row for each link: the row it names.
const LINK: u64 = 4;
/// Bytes of a legacy row that is split: its case (2), where its rows begin (4), their number (4), and
/// which of them each is, of about two (4).
const SPLIT: u64 = 14;
/// Bytes of a row while rules look at it: sums of values (8) or the links of a table (7), hashes of
/// unique values (8), order keys of source and target (18), as many at a time as there are threads.
const RULES: u64 = 28;

/// The bytes that the rows of both folders take at the peak, by their descriptions.
pub(super) fn rows(bundle: &Bundle, snapshot: &Snapshot, contract: &Contract) -> u64 {
    let target: u64 = bundle.meta().tables.iter().map(|table| table.rows * TARGET).sum();
    let tables = snapshot.meta().tables.iter().filter(|table| table.side == "legacy");
    let legacy: u64 = tables
        .map(|table| {
            let links = contract.before.schema.links_on(&table.entity).count() as u64;
            let onto = contract.transforms_of(&table.entity).count() as u64;
            let split = contract.transforms_of(&table.entity).any(Transform::splits);
            let split = if split { SPLIT } else { 0 };
            table.rows * (LEGACY + links * LINK + onto * ONTO + split)
        })
        .sum();
    let most = bundle.meta().tables.iter().map(|table| table.rows).max().unwrap_or_default();
    target + legacy + most * 2 * RULES
}
