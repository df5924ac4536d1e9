//! The order of legacy rows as SQL has it.

use super::facts::Audit;
use super::sql;
use super::value_sql;
use crate::contract::OrderKey;

/// What an `ORDER BY` over rows of a legacy table is made of.
pub(super) struct OrderSql {
    /// Joins that give the keys.
    pub(super) joins: String,
    /// The keys, in order.
    pub(super) keys: Vec<String>,
}

/// The keys of the rows of a legacy entity, whose table goes by `alias`. In bundles before format 3 ids
/// are those of the target rows.
pub(super) fn order(
    audit: &Audit<'_>,
    entity: &str,
    (alias, keys): (&str, &[OrderKey<'_>]),
) -> OrderSql {
    let main = audit.contract.id_transform(entity);
    let mut order = OrderSql { joins: String::new(), keys: Vec::new() };
    for (at, key) in keys.iter().enumerate() {
        let name = format!("{alias}{at}");
        let own = sql::ordered_id(&format!("{alias}.id"));
        order.keys.push(match (key, main) {
            (OrderKey::Attr(attr), _) => format!("{alias}.{}", sql::name(attr)),
            (OrderKey::Rule(rule), Some(main)) => {
                let gives = value_sql::gives(audit, main, rule);
                order.joins.push_str(&format!(
                    " LEFT JOIN ({gives}) {name} ON {name}.r = {alias}._row"
                ));
                format!("{name}.v")
            }
            (OrderKey::Id, Some(main)) if !audit.bundle.meta().is_judged_by_source() => {
                order.joins.push_str(&format!(
                    " LEFT JOIN (SELECT _source_row AS r, id FROM {} WHERE _origin = 'migrated') {name} ON \
                     {name}.r = {alias}._row",
                    sql::target(audit, &main.target)
                ));
                format!("{name}.id")
            }
            (OrderKey::Id | OrderKey::Rule(_), _) => own,
        });
    }
    order
}
