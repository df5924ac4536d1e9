//! What was quarantined: every such row shows what the rule says that refused it.

use crate::contract::{AttrRule, LinkHow, LinkRule, Otherwise, Required, Transform};
use crate::verify::Rule;
use crate::verify::facts::Audit;
use crate::verify::legacy::Legacy;
use crate::verify::rule::Tally;
use crate::verify::sql::{self, name, text};
use crate::verify::{id_sql, link_sql, split_sql, unfit, value_sql};

/// One rule a legacy entity that has quarantined rows.
pub(super) fn rules(audit: &Audit<'_>) -> Vec<Rule> {
    let entities = audit.contract.before.schema.entities.iter();
    let legacy = entities.filter_map(|entity| audit.legacy.get(&entity.name));
    legacy.map(|legacy| refused(audit, legacy)).collect()
}

fn refused(audit: &Audit<'_>, legacy: &Legacy) -> Rule {
    let entity = &legacy.entity;
    let file = format!("data/quarantine/{entity}.parquet");
    let columns = ["_row", "_rule", "_invalid", "id"];
    let side = sql::side(audit, &file, &columns);
    let mut shown = vec![
        // The declared type of an attribute is the snapshot's matter: `_invalid` holds what misfits.
        format!(
            "SELECT _row AS r, _rule AS rule FROM {side} WHERE ends_with(_rule, ' fits its type') AND \
             contains(_invalid, split_part(substr(_rule, {}), ' ', 1))",
            entity.len() + 2
        ),
        format!(
            "SELECT _row, _rule FROM {side} WHERE _rule = {} AND NOT coalesce({}, false)",
            text(&format!("{entity}.id present")),
            link_sql::present("id")
        ),
    ];
    let table = sql::legacy(audit, legacy);
    for link in audit.contract.before.schema.columns_of(entity) {
        // Nor is a link any that several rows of the other side hold.
        shown.push(format!(
            "SELECT r, {} FROM ({}) GROUP BY r HAVING count(DISTINCT old) FILTER (k % 1000 = 1) > 1",
            text(&format!("{entity}.{} fits its type", link.label)),
            link_sql::naming(audit, &table, link, "''"),
        ));
    }
    shown.extend(unfit::refused_sql(audit, legacy));
    for transform in audit.contract.transforms_of(entity) {
        shown.extend(by_transform(audit, legacy, transform, &side));
    }
    Tally::new("account", entity, "")
        .says(format!(
            "every quarantined {entity} row shows in the source what the rule says that refused it"
        ))
        .query(format!(
            "SELECT {} FROM {side} q ANTI JOIN ({}) x ON x.r = q._row AND x.rule = q._rule",
            sql::found(audit, "q.id"),
            shown.join(" UNION ALL ")
        ))
        .finish()
}

/// The rows that a rule of a transform may refuse, with its name.
fn by_transform(
    audit: &Audit<'_>,
    legacy: &Legacy,
    transform: &Transform,
    side: &str,
) -> Vec<String> {
    let target = &transform.target;
    let rule = |attr: &str, what: &str| text(&format!("{target}.{attr} {what}"));
    // What hangs on other rows of the target is taken at its word.
    let taken = |name: &str| format!("SELECT _row, _rule FROM {side} WHERE _rule = {name}");
    let made = id_sql::made(audit, transform);
    let existing = sql::existing(audit, target);
    let mut shown = vec![format!(
        "SELECT r, {} FROM (SELECT r, count(*) OVER (PARTITION BY id) AS n FROM ({made})) WHERE n > 1",
        rule("id", "unique")
    )];
    shown.push(if transform.splits() {
        format!("{} AND EXISTS (FROM {existing})", taken(&rule("id", "not taken")))
    } else {
        format!(
            "SELECT r, {} FROM ({made}) m SEMI JOIN {existing} e ON {} = m.id",
            rule("id", "not taken"),
            sql::id("e.id")
        )
    });
    let attrs = audit.contract.after.schema.entity(target).map_or(&[][..], |found| &found.attrs);
    for attr in attrs.iter().filter(|attr| attr.unique) {
        let there =
            format!("{} AND EXISTS (FROM {existing})", taken(&rule(&attr.name, "not taken")));
        shown.extend([taken(&rule(&attr.name, "unique")), there]);
    }
    for found in &transform.attrs {
        let required = attrs.iter().any(|attr| attr.name == found.attr && attr.required);
        shown.extend(by_attr(audit, transform, found, (required, &rule)));
    }
    for found in transform.links.iter().filter(|rule| rule.required != Required::No) {
        shown.extend(by_link(audit, transform, found, (&rule, &taken)));
    }
    if let Some(explode) = &transform.explode {
        shown.push(format!(
            "SELECT c.r, v.rule FROM {} c JOIN {} ON v.kase = c.kase",
            split_sql::cases(audit, legacy, explode),
            split_sql::refused_by(transform, explode),
        ));
    }
    shown
}

/// Gives the name of a rule, by what it is about and what it says.
type Named<'a> = dyn Fn(&str, &str) -> String + 'a;
/// Gives the rows that a rule refused, by its name.
type Taken<'a> = dyn Fn(&str) -> String + 'a;

fn by_attr(
    audit: &Audit<'_>,
    transform: &Transform,
    found: &AttrRule,
    (required, rule): (bool, &Named<'_>),
) -> Vec<String> {
    let mut shown = Vec::new();
    if required && found.missing.is_none() {
        let lacking = value_sql::lacking(audit, transform, found);
        shown.push(format!("SELECT r, {} FROM ({lacking})", rule(&found.attr, "required")));
    }
    let values = found.values.as_ref();
    if values.is_some_and(|values| values.otherwise == Otherwise::Quarantine) {
        let unlisted = value_sql::unlisted(audit, transform, found);
        shown.push(format!("SELECT r, {} FROM ({unlisted})", rule(&found.attr, "listed")));
    }
    shown
}

fn by_link(
    audit: &Audit<'_>,
    transform: &Transform,
    found: &LinkRule,
    (rule, taken): (&Named<'_>, &Taken<'_>),
) -> Vec<String> {
    let (required, migrated) = (rule(&found.label, "required"), rule(&found.label, "migrated"));
    let link = audit.contract.after.schema.link(&transform.target, &found.label);
    let (LinkHow::From { .. }, Some(link)) = (&found.how, link) else {
        return vec![taken(&required), taken(&migrated)];
    };
    let chosen = link_sql::chosen(audit, link, &found.how, transform);
    let legacy = audit.legacy.get(&transform.source);
    let table = legacy.map(|legacy| sql::legacy(audit, legacy)).unwrap_or_default();
    vec![
        format!(
            "SELECT r, {required} FROM ({chosen} SELECT {row} AS r FROM {table} ANTI JOIN m ON m.r = \
             {row})",
            row = name("_row")
        ),
        format!(
            "SELECT r, {migrated} FROM ({chosen} SELECT r FROM m GROUP BY 1 HAVING count(id) = 0)"
        ),
    ]
}
