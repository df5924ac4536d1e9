//! Order: of every target table, of rows within a link, and one row for each.

use std::cmp::Ordering;
use std::fmt::Write as _;

use super::Rule;
use super::facts::Audit;
use super::key;
use super::legacy::Legacy;
use super::naming::type_of;
use super::own_ids::OwnId;
use super::read;
use super::rule::Tally;
use super::sequence::{self, Sequence};
use super::slots::Slots;
use super::sql;
use super::table::Table;
use crate::contract::{Check, CheckWhat, Transform};
use crate::digest::Value;
use crate::error::Result;
use crate::schema::Type;

/// The order of a target table.
pub(super) fn rules(audit: &Audit<'_>, entity: &str, out: &mut Vec<Rule>) -> Result<()> {
    if let Some(transform) = audit.contract.transform_into(entity) {
        out.push(global(audit, transform)?);
    }
    Ok(())
}

/// A written rule on order or pairs.
pub(super) fn written(audit: &Audit<'_>, check: &Check, out: &mut Vec<Rule>) -> Result<()> {
    match &check.what {
        CheckWhat::Bijection { source, target, unless_adopted } => {
            out.push(bijection(audit, check, (source, target), *unless_adopted)?);
        }
        CheckWhat::Sequence { source, target, within, by } => {
            sequence::rules(audit, &Sequence { check, source, target, within, by }, out)?;
        }
        // Those go along with the values.
        CheckWhat::Same { .. } => {}
    }
    Ok(())
}

/// A value that is kept from one row to the next.
#[derive(PartialEq)]
enum Held {
    Null,
    Text(String),
    Number(u64),
}

impl Held {
    fn of(value: Value<'_>) -> Self {
        match value {
            Value::Absent => Held::Null,
            Value::Text(text) | Value::Json(text) => Held::Text(text.to_owned()),
            Value::Number(number) => Held::Number(key::number_order(number)),
            Value::Date(micros) => Held::Number(key::whole_order(micros)),
            Value::Boolean(value) => Held::Number(u64::from(value)),
        }
    }

    /// Nulls first, text by bytes.
    fn order(&self, next: &Self) -> Ordering {
        match (self, next) {
            (Held::Null, Held::Null) => Ordering::Equal,
            (Held::Text(a), Held::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
            (Held::Number(a), Held::Number(b)) => a.cmp(b),
            (Held::Null, _) | (Held::Number(_), Held::Text(_)) => Ordering::Less,
            (_, Held::Null) | (Held::Text(_), Held::Number(_)) => Ordering::Greater,
        }
    }
}

/// The table is in the declared order; ties go by the ids that the rows have in the source, rows of one
/// legacy row by their number among them. Before format 3 ties went by the ids in the target.
fn global(audit: &Audit<'_>, transform: &Transform) -> Result<Rule> {
    let (target, table) = (&transform.target, audit.table(&transform.target)?);
    let by_source = audit.bundle.meta().is_judged_by_source();
    let declared = transform.order.iter().map(String::as_str);
    let columns: Vec<&str> = declared.filter(|name| *name != "id").collect();
    let schema = &audit.contract.after.schema;
    let types: Vec<Type> = columns.iter().map(|name| type_of(schema, target, name)).collect();
    let last_key = if by_source { "id of the source" } else { "id" };
    let words = columns.iter().copied().chain([last_key]).collect::<Vec<_>>().join(", ");
    let mut tally = Tally::new("order", target, "")
        .says(format!("{target} is in the order of {words}"))
        .query(global_sql(audit, transform, &columns));
    let ties = Ties::read(audit, transform, table)?;
    let mut last: Option<Vec<Held>> = None;
    read::scan_if_there(
        &table.path,
        if columns.is_empty() { &["id"] } else { &columns },
        &mut |row| {
            let next: Vec<Held> =
                types.iter().enumerate().map(|(at, ty)| Held::of(row.value(at, *ty))).collect();
            let order = last.as_ref().map_or(Ordering::Less, |last| {
                let mut orders = last.iter().zip(&next).map(|(last, next)| last.order(next));
                let differs = orders.find(|order| order.is_ne());
                differs.unwrap_or_else(|| ties.order(row.number - 1, row.number))
            });
            tally.check(order == Ordering::Less, || {
                format!("{} comes after the next in order", table.place(row.number))
            });
            last = Some(next);
            Ok(())
        },
    )?;
    Ok(tally.finish())
}

/// What puts rows in order that no declared key tells apart.
struct Ties<'a> {
    table: &'a Table,
    /// Of the source; none in older formats.
    own: Option<(&'a Legacy, Option<&'a Slots>)>,
}

impl<'a> Ties<'a> {
    fn read(audit: &'a Audit<'_>, transform: &Transform, table: &'a Table) -> Result<Self> {
        if !audit.bundle.meta().is_judged_by_source() {
            return Ok(Self { table, own: None });
        }
        let legacy = audit.legacy(&transform.source)?;
        let slots = audit.slots(&transform.target);
        legacy.own_ids(true)?;
        Ok(Self { table, own: Some((legacy, slots)) })
    }

    fn order(&self, a: usize, b: usize) -> Ordering {
        let Self { table, own } = self;
        let by_id = || table.ids[a].cmp(&table.ids[b]);
        let Some((legacy, slots)) = own else { return by_id() };
        let id = |row: usize| match table.migrated(row) {
            Some(source) if source < legacy.rows => legacy.own_id(source),
            Some(_) => None,
            None => Some(OwnId::Uuid(table.ids[row])),
        };
        let nth = |row: usize| slots.and_then(|slots| slots.nth(row));
        id(a).cmp(&id(b)).then_with(|| nth(a).cmp(&nth(b))).then_with(by_id)
    }
}

fn global_sql(audit: &Audit<'_>, transform: &Transform, columns: &[&str]) -> String {
    let target = &transform.target;
    if !sql::is_there(audit, &format!("data/parquet/{target}.parquet")) {
        return "SELECT 0".to_owned();
    }
    let rows = sql::numbered(audit, &sql::target(audit, target));
    let legacy = audit.legacy.get(&transform.source);
    let legacy = legacy.filter(|_| audit.bundle.meta().is_judged_by_source());
    let (rows, ties) = match legacy {
        None => (format!("(SELECT * FROM {rows})"), &["id"][..]),
        Some(legacy) => {
            let (nth, slots) = if transform.splits() {
                let slots = super::split_sql::slots(audit, transform);
                ("x.nth", format!(" LEFT JOIN {slots} x ON x.r = t._source_row AND x.id = t.id"))
            } else {
                ("0", String::new())
            };
            let own = format!(
                "CASE WHEN t._origin = 'migrated' THEN {} ELSE t.id END",
                sql::ordered_id("s.id")
            );
            let rows = format!(
                "(SELECT t.*, {own} AS own_id, {nth} AS own_nth FROM {rows} t LEFT JOIN {} s ON t._origin \
                 = 'migrated' AND s._row = t._source_row{slots})",
                sql::legacy(audit, legacy)
            );
            (rows, &["own_id", "own_nth", "id"][..])
        }
    };
    let mut equal = String::new();
    let mut less = Vec::new();
    for column in columns.iter().chain(ties) {
        let (now, last) = (format!("t.{}", sql::name(column)), format!("p.{}", sql::name(column)));
        less.push(format!("({equal}({last} < {now} OR ({last} IS NULL AND {now} IS NOT NULL)))"));
        let _ = write!(equal, "{last} IS NOT DISTINCT FROM {now} AND ");
    }
    format!(
        "WITH o AS MATERIALIZED {rows} SELECT {} FROM o t JOIN o p ON p.file_row_number = \
         t.file_row_number - 1 WHERE NOT coalesce({}, false)",
        sql::found(audit, "t.id"),
        less.join(" OR ")
    )
}

/// Every migrated row has one target row of its own.
fn bijection(
    audit: &Audit<'_>,
    check: &Check,
    (source, target): (&str, &str),
    unless_adopted: bool,
) -> Result<Rule> {
    let (legacy, table) = (audit.legacy(source)?, audit.table(target)?);
    let exempt = if unless_adopted { ", adopted ones aside" } else { "" };
    let mut tally = Tally::new("bijection", target, "")
        .says(format!(
            "{}: every migrated {source} row is one {target} row of its own{exempt}",
            check.rule
        ))
        .query(bijection_sql(audit, legacy, target, unless_adopted));
    let onto = legacy.onto(target);
    for row in (0..legacy.rows).filter(|row| legacy.is_migrated(*row)) {
        let seen = onto.map_or(0, |onto| onto.seen[row]);
        let adopted = onto.is_some_and(|onto| onto.adopted(row).is_some());
        // A row of its own: no other row of the table has its id.
        let own = onto.and_then(|onto| onto.at(row)).is_none_or(|at| table.is_alone(at));
        let wanted = onto.map_or(1, |onto| onto.wanted(row));
        let right =
            (usize::from(seen) == wanted && own) || (seen == 0 && adopted && unless_adopted);
        tally.check(right, || format!("{}: {seen} rows", legacy.place(row)));
    }
    Ok(tally.finish())
}

fn bijection_sql(audit: &Audit<'_>, legacy: &Legacy, target: &str, unless_adopted: bool) -> String {
    let migrated: Vec<String> = legacy
        .onto
        .iter()
        .map(|onto| format!("SELECT r FROM {}", sql::stands(audit, legacy, &onto.target)))
        .collect();
    let side = format!("data/adopted/{}.parquet", legacy.entity);
    let adopted = sql::side(audit, &side, &["_row", "entity"]);
    let exempt = if unless_adopted {
        format!(
            "AND NOT (t.n IS NULL AND s._row IN (SELECT _row FROM {adopted} WHERE entity = {}))",
            sql::text(target)
        )
    } else {
        String::new()
    };
    let rules = audit.contract.transform_into(target).and_then(|rules| rules.explode.as_ref());
    let (wanted, cases) = match rules {
        Some(rule) => {
            let cases = super::split_sql::cases(audit, legacy, rule);
            ("c.results", format!(" LEFT JOIN {cases} c ON c.r = s._row"))
        }
        None => ("1", String::new()),
    };
    format!(
        "SELECT {} FROM {} s SEMI JOIN ({}) m ON m.r = s._row LEFT JOIN (SELECT _source_row AS \
         r, count(*) AS n, bool_and(alone) AS alone FROM (SELECT *, count(*) OVER (PARTITION BY \
         id) = 1 AS alone FROM {}) WHERE _origin = 'migrated' GROUP BY 1) t ON t.r = s._row{cases} WHERE \
         NOT (coalesce(t.n, 0) = {wanted} AND t.alone) {exempt}",
        sql::found(audit, "s.id"),
        sql::legacy(audit, legacy),
        migrated.join(" UNION ALL "),
        sql::target(audit, target),
    )
}
