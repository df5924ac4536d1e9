//! What the other rules take from bundle and snapshot as it is: the time in the store.

use crate::contract::Transform;
use crate::verify::Rule;
use crate::verify::facts::Audit;
use crate::verify::rule::Tally;
use crate::verify::sql;

/// One rule a transform.
pub(super) fn rules(audit: &Audit<'_>) -> Vec<Rule> {
    audit.contract.transforms.iter().map(|transform| server_times(audit, transform)).collect()
}

fn server_times(audit: &Audit<'_>, transform: &Transform) -> Rule {
    let target = &transform.target;
    let legacy = audit.legacy.get(&transform.source);
    let legacy = legacy.map(|legacy| sql::legacy(audit, legacy)).unwrap_or_default();
    Tally::new("value", target, "_server_created_at")
        .says(format!("every migrated {target} row has the creation time that its source row has"))
        .query(format!(
            "SELECT {} FROM {} t JOIN {legacy} s ON s._row = t._source_row WHERE t._origin = \
             'migrated' AND t._server_created_at IS DISTINCT FROM s._server_created_at",
            sql::found(audit, "t.id"),
            sql::target(audit, target),
        ))
        .finish()
}
