//! Ids that places of a link hold beside the one that counts: each is listed.

use std::collections::BTreeMap;

use super::Rule;
use super::facts::Audit;
use super::files::Dropped;
use super::legacy::Legacy;
use super::link_sql;
use super::rule::Tally;
use crate::error::Result;

/// Every id that another place of a link of a migrated row holds is listed, and no other; bundles before
/// format 3 are not asked.
pub(super) fn rules(
    audit: &Audit<'_>,
    legacy: &Legacy,
    dropped: &Dropped,
    out: &mut Vec<Rule>,
) -> Result<()> {
    if !audit.is_judged_by_source() {
        return Ok(());
    }
    let entity = &legacy.entity;
    let mut tally = Tally::new("account", entity, "")
        .says(format!(
            "every id of a migrated {entity} row that is in a place of a link and is not the one that \
             counts is listed"
        ))
        .query(link_sql::other_places(audit, legacy));
    // By label or attribute, row and id: how often it is held, less how often it is listed.
    let mut left: BTreeMap<(&str, usize, u128), i64> = BTreeMap::new();
    for link in audit.contract.before.schema.columns_of(entity) {
        for (row, place, id) in audit.firsts(entity, &link.label)?.others() {
            let scalar = usize::from(*place).checked_sub(1).and_then(|at| link.also.get(at));
            let row = *row as usize;
            if legacy.is_migrated(row) {
                *left.entry((scalar.unwrap_or(&link.label), row, *id)).or_default() += 1;
            }
        }
    }
    for (label, lines) in dropped.others(entity) {
        for (row, _, id) in lines {
            *left.entry((label, *row, *id)).or_default() -= 1;
        }
    }
    for ((label, row, _), left) in &left {
        tally.check(*left == 0, || format!("{}, `{label}`", legacy.place(*row)));
    }
    out.push(tally.finish());
    Ok(())
}
