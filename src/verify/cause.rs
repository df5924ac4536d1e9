//! Causes: a row that is in quarantine because of another names the one that it links to.

use super::facts::Audit;
use super::key;
use super::keyed::Keyed;
use super::legacy::Legacy;
use super::link_sql;
use super::naming::type_of;
use super::over::{Named, Over};
use super::read::Row;
use super::sql;
use crate::bundle::Quarantine;
use crate::contract::{LinkHow, LinkPick, Required};
use crate::error::Result;
use crate::schema::Type;

/// What a rule's name ends with when it sets a row aside because another one was.
const BECAUSE: &str = " migrated";

/// The ways from the rows of a legacy table to rows they cannot do without, beside their own links.
pub(super) struct Ways<'a> {
    overs: Vec<Over<'a>>,
    /// The entity, its rows by a key, and the attribute of the row that is that key.
    keys: Vec<(&'a str, Keyed, (&'a str, Type))>,
}

impl<'a> Ways<'a> {
    pub(super) fn read(audit: &'a Audit<'_>, legacy: &Legacy) -> Result<Self> {
        let mut ways = Self { overs: Vec::new(), keys: Vec::new() };
        for (source, pick) in picks(audit, legacy) {
            match pick {
                LinkPick::Over { by, take } => {
                    ways.overs.push(Over::read(audit, source, (by, take))?);
                }
                LinkPick::Key { attr, entity, key } => {
                    let ty = type_of(&audit.contract.before.schema, source, attr);
                    let keyed = Keyed::read(audit, entity, key)?;
                    ways.keys.push((entity, keyed, (attr, ty)));
                }
                LinkPick::Link(_) | LinkPick::Reverse { .. } => {}
            }
        }
        Ok(ways)
    }

    /// The columns of a quarantined row that are keys.
    pub(super) fn columns(&self) -> impl Iterator<Item = &'a str> {
        self.keys.iter().map(|(.., (attr, _))| *attr)
    }
}

/// The places of the required links that a legacy table fills.
fn picks<'a>(
    audit: &'a Audit<'_>,
    legacy: &Legacy,
) -> impl Iterator<Item = (&'a str, &'a LinkPick)> {
    let entity = legacy.entity.clone();
    let rules = audit.contract.transforms.iter().filter(move |rules| rules.source == entity);
    let links =
        rules.flat_map(|rules| rules.links.iter().map(|rule| (rules.source.as_str(), rule)));
    let required = links.filter(|(_, rule)| rule.required != Required::No);
    required.flat_map(|(source, rule)| {
        let picks = match &rule.how {
            LinkHow::From { picks, .. } => &picks[..],
            LinkHow::SameRow { .. } | LinkHow::Via { .. } => &[],
        };
        picks.iter().map(move |pick| (source, pick))
    })
}

/// Whether a quarantined row names a cause when its rule asks for one, and the cause is a row that it
/// links to and that is in quarantine itself. Its keys begin at this column of the line.
pub(super) fn is_right(
    audit: &Audit<'_>,
    (legacy, row): (&Legacy, usize),
    (rule, cause): (&str, Option<&str>),
    (ways, line, first): (&Ways<'_>, Row<'_>, usize),
) -> Result<bool> {
    let Some(cause) = cause else { return Ok(!rule.ends_with(BECAUSE)) };
    let Some((entity, id)) = cause.split_once(':') else { return Ok(false) };
    let Some(other) = audit.legacy.get(entity) else { return Ok(false) };
    let id = key::link_key(Some(id));
    if !other.find(id).any(|row| other.quarantined[row] > 0) || row >= legacy.rows {
        return Ok(false);
    }
    let links = audit.contract.before.schema.links_on(&legacy.entity);
    for link in links.filter(|link| link.to == entity) {
        let firsts = audit.firsts(&legacy.entity, &link.label)?;
        let several = firsts.several(row).is_some_and(|several| several.contains(&id));
        if several || firsts.id(audit, row) == id {
            return Ok(true);
        }
    }
    let over = ways.overs.iter().filter(|over| over.to == entity).any(|over| match over.of(row) {
        Named::Nothing => false,
        Named::By(other) => over.next().id(audit, other) == id,
        Named::OneOf(ids) => ids.contains(&id),
    });
    let mut keys = ways.keys.iter().enumerate().filter(|(_, (of, ..))| *of == entity);
    let by_key = keys.any(|(at, (_, keyed, (_, ty)))| {
        keyed.of(keyed.key(line.value(first + at, *ty))).any(|row| other.ids[row] == id)
    });
    Ok(over || by_key)
}

/// A count of the rows whose cause is none.
pub(super) fn wrong_sql(audit: &Audit<'_>, legacy: &Legacy) -> String {
    let side = |entity: &str, columns: &[&str]| {
        sql::side(audit, &format!("data/quarantine/{entity}.parquet"), columns)
    };
    let rows = side(&legacy.entity, &["_row", Quarantine::RULE, Quarantine::CAUSE]);
    let table = sql::legacy(audit, legacy);
    let links = audit.contract.before.schema.links_on(&legacy.entity);
    let links = links.map(|link| (link.to.clone(), link_sql::naming(audit, &table, link, "''")));
    let others = picks(audit, legacy).filter(|(_, pick)| !matches!(pick, LinkPick::Link(_)));
    let others = others.map(|(source, pick)| link_sql::named(audit, source, (pick, "''")));
    let named: Vec<String> = links
        .chain(others)
        .filter(|(to, named)| audit.legacy.contains_key(to) && !named.is_empty())
        .map(|(to, named)| {
            let cause = format!("{} || ':' || lower(n.old)", sql::text(&to));
            let refused = side(&to, &["id"]);
            format!(
                "SELECT n.r AS r, {cause} AS c FROM ({named}) n SEMI JOIN {refused} o ON lower(o.id) = \
                 lower(n.old)"
            )
        })
        .chain(["SELECT -1 AS r, '' AS c".to_owned()])
        .collect();
    format!(
        "(SELECT count(*) FROM {rows} q WHERE CASE WHEN q._cause IS NULL THEN q._rule LIKE '%{BECAUSE}' \
         ELSE (q._row, lower(q._cause)) NOT IN (SELECT (r, c) FROM ({})) END)",
        named.join(" UNION ALL ")
    )
}
