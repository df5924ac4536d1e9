//! Rows in conflict: of those that share an id or a unique value, the one that the contract keeps is
//! migrated, judged by what the source says of them.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use super::Rule;
use super::derive::{self, Sources, UNSURE};
use super::facts::Audit;
use super::id_sql;
use super::key::{self, NONE};
use super::legacy::Legacy;
use super::made::Made;
use super::naming::type_of;
use super::read;
use super::row_order::{Absent, RowOrder};
use super::rule::Tally;
use super::sql;
use super::value_sql;
use crate::bundle::Quarantine;
use crate::contract::{Keep, OrderKey, Piece, Template, Transform};
use crate::digest::{RowDigest, Value};
use crate::error::Result;
use crate::schema::{Attr, Schema, Type};
use crate::snapshot::Extra;

/// How the rule ends that sets a row aside for another one of its id or value.
const UNIQUE: &str = " unique";

/// The rule on the rows of a legacy table that were set aside for another one.
pub(super) fn rules(audit: &Audit<'_>, legacy: &Legacy, out: &mut Vec<Rule>) -> Result<()> {
    if !audit.bundle.meta().is_judged_by_source() {
        return Ok(());
    }
    let (entity, keep) = (&legacy.entity, audit.contract.duplicates.keep(&legacy.entity));
    let mut tally = Tally::new("account", entity, "")
        .says(format!(
            "of {entity} rows with one id or unique value {}",
            match keep {
                Keep::First => "the first by date and content is kept",
                Keep::Last => "the last by date and content is kept",
                Keep::None => "none is kept when they differ",
            }
        ))
        .query(query(audit, legacy, keep));
    for (rule, rows) in set_aside(audit, legacy)? {
        let Some((transform, attr)) = claimed(audit, legacy, &rule) else {
            // The rule names no attribute: that is reported by the rule on reasons.
            continue;
        };
        let claims = claims(audit, transform, attr)?;
        judge(audit, (legacy, keep), (&transform.target, &claims, &rows), &mut tally)?;
    }
    out.push(tally.finish());
    Ok(())
}

/// The rows that were set aside for another one, by rule.
fn set_aside(audit: &Audit<'_>, legacy: &Legacy) -> Result<BTreeMap<String, Vec<usize>>> {
    let mut found: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let (path, _) = audit.file(&format!("data/quarantine/{}.parquet", legacy.entity));
    read::scan_if_there(&path, &[Quarantine::RULE, Extra::ROW], &mut |row| {
        let rule = row.text(0).and_then(|rule| rule.strip_suffix(UNIQUE));
        if let (Some(rule), Some(at)) = (rule, row.row(1).filter(|at| *at < legacy.rows)) {
            found.entry(rule.to_owned()).or_default().push(at);
        }
        Ok(())
    })?;
    Ok(found)
}

/// The transform and the attribute that a rule `<target>.<attr>` is about.
fn claimed<'a>(
    audit: &'a Audit<'_>,
    legacy: &Legacy,
    rule: &'a str,
) -> Option<(&'a Transform, &'a str)> {
    let mut transforms = audit.contract.transforms.iter();
    transforms.find_map(|transform| {
        let attr = rule.strip_prefix(&transform.target)?.strip_prefix('.')?;
        (transform.source == legacy.entity).then_some((transform, attr))
    })
}

/// What rows claim.
struct Claims {
    /// The value that every row claims, as a key; [`NONE`] where it claims none.
    values: Vec<u128>,
    /// Rows of which the value is not known here.
    unsure: BTreeSet<usize>,
}

fn claims(audit: &Audit<'_>, transform: &Transform, attr: &str) -> Result<Claims> {
    let legacy = audit.legacy(&transform.source)?;
    let mut claims = Claims { values: vec![NONE; legacy.rows], unsure: BTreeSet::new() };
    if attr == "id" {
        let made = Made::read(audit, transform)?;
        for (row, value) in claims.values.iter_mut().enumerate() {
            *value = made.of(row).map_or(NONE, |(id, _)| id);
        }
        return Ok(claims);
    }
    let Some(rule) = transform.attrs.iter().find(|rule| rule.attr == attr) else {
        return Ok(claims);
    };
    let derived = derive::derive(audit, transform, rule)?;
    for (row, value) in claims.values.iter_mut().enumerate() {
        match derived.of(row) {
            Some((UNSURE, ..)) => drop(claims.unsure.insert(row)),
            Some((hash, ..)) => *value = u128::from(hash),
            None => {}
        }
    }
    let lack = |claims: &Claims, row| claims.values[row] == NONE && !claims.unsure.contains(&row);
    if let Some(template) = &rule.template {
        let texts = templated(audit, transform, template)?;
        for row in 0..legacy.rows {
            match texts.get(row) {
                _ if !lack(&claims, row) => {}
                Some(Some(text)) => {
                    claims.values[row] = u128::from(key::value_hash(Value::Text(text)));
                }
                _ => drop(claims.unsure.insert(row)),
            }
        }
    } else if let Some(constant) = &rule.missing {
        let after = &audit.contract.after.schema;
        let hash = derive::constant_hash(constant, type_of(after, &transform.target, attr));
        for row in 0..legacy.rows {
            if lack(&claims, row) {
                claims.values[row] = u128::from(hash);
            }
        }
    }
    Ok(claims)
}

/// The text that a template builds of what the rules of its parts give, by row; `None` where a part is not
/// there or not known.
fn templated(
    audit: &Audit<'_>,
    transform: &Transform,
    template: &Template,
) -> Result<Vec<Option<String>>> {
    let legacy = audit.legacy(&transform.source)?;
    let mut columns = Vec::new();
    let mut parts = Vec::new();
    for piece in &template.pieces {
        parts.push(match piece {
            Piece::Text(text) => Part::Text(text),
            Piece::Attr(name) => match transform.attrs.iter().find(|rule| rule.attr == *name) {
                Some(rule) => Part::Of(Sources::read(audit, transform, rule, &mut columns)?),
                None => return Ok(Vec::new()),
            },
        });
    }
    if columns.is_empty() {
        columns.push("id");
    }
    let mut texts = vec![None; legacy.rows];
    let Some(path) = &legacy.path else { return Ok(texts) };
    read::scan(path, &columns, &mut |row| {
        let part = |part: &Part<'_>| match part {
            Part::Text(text) => Some((*text).to_owned()),
            Part::Of(sources) => sources.text(row),
        };
        texts[row.number] = parts.iter().map(part).collect();
        Ok(())
    })?;
    Ok(texts)
}

/// A part of a template.
enum Part<'a> {
    Text(&'a str),
    /// What the rule of an attribute gives.
    Of(Sources<'a>),
}

/// Compares every row that was set aside with those of its value that were not.
fn judge(
    audit: &Audit<'_>,
    (legacy, keep): (&Legacy, Keep),
    (target, claims, rows): (&str, &Claims, &[usize]),
    tally: &mut Tally,
) -> Result<()> {
    let values = &claims.values;
    let wanted: BTreeSet<u128> = rows.iter().map(|row| values[*row]).collect();
    let mut rivals: BTreeMap<u128, Vec<usize>> = BTreeMap::new();
    for (row, value) in values.iter().enumerate().filter(|(_, value)| wanted.contains(value)) {
        let is_new = legacy.onto(target).is_none_or(|onto| onto.adopted(row).is_none());
        if *value != NONE && is_new {
            rivals.entry(*value).or_default().push(row);
        }
    }
    let compared: BTreeSet<usize> =
        rivals.values().flatten().copied().chain(rows.iter().copied()).collect();
    let contents = Contents::read(audit, legacy, &compared)?;
    for row in rows {
        if claims.unsure.contains(row) {
            // Which rows have its value is not known here; one alone can have no rival.
            tally.check(legacy.rows > 1, || legacy.place(*row));
            continue;
        }
        let rivals = rivals.get(&values[*row]).map_or(&[][..], Vec::as_slice);
        let others = || rivals.iter().copied().filter(|other| other != row);
        let mut standing =
            others().filter(|other| legacy.is_migrated(*other) || legacy.merged_times[*other] > 0);
        let is_right = match keep {
            Keep::None => standing.next().is_none() && others().next().is_some(),
            Keep::First | Keep::Last => {
                let wrong = if keep == Keep::First { Ordering::Less } else { Ordering::Greater };
                // The row that was kept may have been set aside after all, for another value.
                others().next().is_some()
                    && standing.all(|kept| contents.compare(*row, kept) != wrong)
            }
        };
        tally.check(is_right, || legacy.place(*row));
    }
    Ok(())
}

/// What rows say, whatever the layout of their source: dates in declared order, then the digest of all
/// declared values and of the ids that links name, then the row's own id.
struct Contents<'a> {
    dates: RowOrder<'a>,
    digests: BTreeMap<usize, u128>,
    own: RowOrder<'a>,
}

impl<'a> Contents<'a> {
    fn read(audit: &'a Audit<'_>, legacy: &'a Legacy, rows: &BTreeSet<usize>) -> Result<Self> {
        let before = &audit.contract.before.schema;
        let dates: Vec<OrderKey<'_>> =
            dates(before, &legacy.entity).map(|attr| OrderKey::Attr(&attr.name)).collect();
        let dates = RowOrder::read(audit, legacy, (None, &dates), Absent::First)?;
        let own = RowOrder::read(audit, legacy, (None, &[OrderKey::Id]), Absent::First)?;
        let mut contents = Self { dates, digests: BTreeMap::new(), own };
        let Some(path) = &legacy.path else { return Ok(contents) };
        let spelled = |attr: &&Attr| {
            let mut links = before.columns_of(&legacy.entity);
            !links.any(|link| link.also.contains(&attr.name))
        };
        let attrs = before.entity(&legacy.entity).map_or(&[][..], |entity| &entity.attrs);
        let attrs: Vec<&Attr> = attrs.iter().filter(spelled).collect();
        let mut columns: Vec<&str> = attrs.iter().map(|attr| attr.name.as_str()).collect();
        if columns.is_empty() {
            columns.push("id");
        }
        let picked: Vec<usize> = rows.iter().copied().collect();
        let (mut digest, mut at) = (RowDigest::default(), 0);
        let links: Vec<_> = before.columns_of(&legacy.entity).collect();
        read::pick(path, &columns, &picked, &mut |row| {
            let number = picked[at];
            at += 1;
            let named = links.iter().map(|link| {
                let firsts = audit.firsts(&link.on, &link.label)?;
                Ok((link.label.as_str(), firsts.text(audit, number)))
            });
            let named = named.collect::<Result<Vec<_>>>()?;
            let ids = named
                .iter()
                .map(|(label, id)| (*label, id.as_deref().map_or(Value::Absent, Value::Text)));
            let cells = attrs.iter().enumerate();
            let cells = cells.map(|(at, attr)| (attr.name.as_str(), row.value(at, attr.ty)));
            contents.digests.insert(number, digest.of(cells.chain(ids)));
            Ok(())
        })?;
        Ok(contents)
    }

    fn compare(&self, a: usize, b: usize) -> Ordering {
        let digests = || self.digests.get(&a).cmp(&self.digests.get(&b));
        self.dates.compare(a, b).then_with(digests).then_with(|| self.own.compare(a, b))
    }
}

/// The dates of a legacy entity, in declared order.
fn dates<'s>(before: &'s Schema, entity: &str) -> impl Iterator<Item = &'s Attr> {
    let attrs = before.entity(entity).map_or(&[][..], |entity| &entity.attrs);
    attrs.iter().filter(|attr| attr.ty == Type::Date)
}

/// Rows that were set aside for one that their dates put on the other side.
fn query(audit: &Audit<'_>, legacy: &Legacy, keep: Keep) -> String {
    let (before, after) = (&audit.contract.before.schema, &audit.contract.after.schema);
    let file = format!("data/quarantine/{}.parquet", legacy.entity);
    let aside = sql::side(audit, &file, &["_row", Quarantine::RULE]);
    let dates: Vec<String> =
        dates(before, &legacy.entity).map(|attr| sql::name(&attr.name)).collect();
    let (mut equal, mut wrong) = (String::new(), vec!["false".to_owned()]);
    for date in &dates {
        let (first, last) = if keep == Keep::First { ("q", "k") } else { ("k", "q") };
        let sooner = format!(
            "({first}.{date} < {last}.{date} OR ({first}.{date} IS NULL AND {last}.{date} IS NOT NULL))"
        );
        wrong.push(format!("({equal}{sooner})"));
        equal.push_str(&format!("q.{date} IS NOT DISTINCT FROM k.{date} AND "));
    }
    let wrong = if keep == Keep::None { "true".to_owned() } else { wrong.join(" OR ") };
    let table = sql::legacy(audit, legacy);
    let merged = sql::side(audit, &format!("data/merged/{}.parquet", legacy.entity), &["_row"]);
    let mut parts = Vec::new();
    for transform in audit.contract.transforms_of(&legacy.entity) {
        let unique = after.entity(&transform.target).map_or(&[][..], |entity| &entity.attrs);
        let unique = unique.iter().filter(|attr| attr.unique).map(|attr| attr.name.as_str());
        for attr in std::iter::once("id").chain(unique) {
            let rule = transform.attrs.iter().find(|rule| rule.attr == attr);
            let values = match (attr, rule) {
                ("id", _) => format!("SELECT r, id AS v FROM ({})", id_sql::made(audit, transform)),
                (_, Some(rule)) => value_sql::claims(audit, transform, rule),
                (_, None) => continue,
            };
            let stands = sql::stands(audit, legacy, &transform.target);
            parts.push(format!(
                "SELECT a._row FROM {aside} a JOIN ({values}) x ON x.r = a._row WHERE a._rule = {} AND x.v \
                 IS NOT NULL AND NOT EXISTS (SELECT 1 FROM ({values}) y WHERE y.v = x.v AND y.r <> x.r)",
                sql::text(&format!("{}.{attr}{UNIQUE}", transform.target))
            ));
            parts.push(format!(
                "SELECT a._row AS r FROM {aside} a JOIN ({values}) x ON x.r = a._row JOIN ({values}) y ON \
                 y.v = x.v AND y.r <> x.r JOIN {table} q ON q._row = x.r JOIN {table} k ON k._row = y.r \
                 WHERE a._rule = {} AND y.r IN (SELECT r FROM {stands} UNION ALL SELECT _row FROM {merged}) \
                 AND ({wrong})",
                sql::text(&format!("{}.{attr}{UNIQUE}", transform.target))
            ));
        }
    }
    format!(
        "SELECT count(DISTINCT r) FROM (SELECT -1 AS r WHERE false UNION ALL {})",
        parts.join(" UNION ALL ")
    )
}
