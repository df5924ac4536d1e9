//! Order: of every target table, of rows within a link, and one row for each.

use std::cmp::Ordering;

use super::Rule;
use super::facts::{Audit, Legacy, Table};
use super::key::{self, NONE};
use super::link;
use super::read::{self, Row};
use super::resolve::type_of;
use super::rule::Tally;
use super::sql;
use crate::contract::{Check, CheckWhat, Transform};
use crate::digest::Value;
use crate::error::{Result, grouped};
use crate::schema::Type;

/// The order of every target table, then the written rules on order and pairs.
pub(super) fn rules(audit: &Audit<'_>, out: &mut Vec<Rule>) -> Result<()> {
    for entity in &audit.contract.after.schema.entities {
        if let Some(transform) = audit.contract.transform_into(&entity.name) {
            out.push(global(audit, transform)?);
        }
    }
    for check in &audit.contract.checks {
        match &check.what {
            CheckWhat::Bijection { source, target, unless_adopted } => {
                out.push(bijection(audit, check, (source, target), *unless_adopted)?);
            }
            CheckWhat::Sequence { source, target, within, by } => {
                out.push(sequence(audit, check, (source, target), (within, by))?);
            }
            // Those go along with the values.
            CheckWhat::Same { .. } => {}
        }
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
            (Held::Null, _) => Ordering::Less,
            (_, Held::Null) => Ordering::Greater,
            (Held::Text(a), Held::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
            (Held::Number(a), Held::Number(b)) => a.cmp(b),
            (Held::Text(_), Held::Number(_)) => Ordering::Greater,
            (Held::Number(_), Held::Text(_)) => Ordering::Less,
        }
    }
}

fn global(audit: &Audit<'_>, transform: &Transform) -> Result<Rule> {
    let (target, table) = (&transform.target, audit.table(&transform.target)?);
    let mut columns: Vec<&str> = transform.order.iter().map(String::as_str).collect();
    if columns.last() != Some(&"id") {
        columns.push("id");
    }
    let schema = &audit.contract.after.schema;
    let types: Vec<Type> = columns.iter().map(|name| type_of(schema, target, name)).collect();
    let mut tally = Tally::new("order", target, "")
        .says(format!("{target} is in the order of {}", columns.join(", ")))
        .query(global_sql(audit, target, &columns));
    let mut last: Option<Vec<Held>> = None;
    read::scan_if_there(&table.path, &columns, &mut |row| {
        let next: Vec<Held> =
            types.iter().enumerate().map(|(at, ty)| Held::of(row.value(at, *ty))).collect();
        let order = last.as_ref().map_or(Ordering::Less, |last| {
            let pairs = last.iter().zip(&next).map(|(last, next)| last.order(next));
            pairs.fold(Ordering::Equal, Ordering::then)
        });
        tally.check(order == Ordering::Less, || {
            format!("{} comes after the next in order", table.place(row.number))
        });
        last = Some(next);
        Ok(())
    })?;
    Ok(tally.finish())
}

fn global_sql(audit: &Audit<'_>, target: &str, columns: &[&str]) -> String {
    if !audit.file(&format!("data/parquet/{target}.parquet")).1 {
        return "SELECT 0".to_owned();
    }
    let mut equal = String::new();
    let mut less = Vec::new();
    for column in columns {
        let (now, last) = (format!("t.{}", sql::name(column)), format!("p.{}", sql::name(column)));
        less.push(format!("({equal}({last} < {now} OR ({last} IS NULL AND {now} IS NOT NULL)))"));
        equal.push_str(&format!("{last} IS NOT DISTINCT FROM {now} AND "));
    }
    let rows = format!(
        "(SELECT * FROM read_parquet({}, file_row_number = true))",
        sql::target(audit, target)
    );
    format!(
        "SELECT count(*) FROM {rows} t JOIN {rows} p ON p.file_row_number = t.file_row_number - 1 \
         WHERE NOT coalesce({}, false)",
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
        let right = (seen == 1 && own) || (seen == 0 && adopted && unless_adopted);
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
    format!(
        "SELECT count(*) FROM {} s SEMI JOIN ({}) m ON m.r = s._row LEFT JOIN (SELECT _source_row AS \
         r, count(*) AS n, bool_and(alone) AS alone FROM (SELECT *, count(*) OVER (PARTITION BY \
         id) = 1 AS alone FROM {}) WHERE _origin = 'migrated' GROUP BY 1) t ON t.r = s._row WHERE \
         NOT (coalesce(t.n, 0) = 1 AND t.alone) {exempt}",
        sql::legacy(audit, legacy),
        migrated.join(" UNION ALL "),
        sql::target(audit, target),
    )
}

/// The source's order keys, as numbers that sort as they do.
struct Keys {
    /// One a key; the rows that lack one have none.
    columns: Vec<Vec<u64>>,
    whole: Vec<bool>,
    /// Whether a row has every key.
    there: Vec<bool>,
}

/// Within every row that a link leads to, the file keeps the order of the source. `id` as a key is
/// the id that the row has in the target.
fn sequence(
    audit: &Audit<'_>,
    check: &Check,
    (source, target): (&str, &str),
    (within, by): (&str, &[String]),
) -> Result<Rule> {
    let (legacy, table) = (audit.legacy(source)?, audit.table(target)?);
    let schema = &audit.contract.after.schema;
    let to = match schema.link(target, within) {
        Some(link) => audit.table(&link.to)?,
        None => return Err(super::resolve::no_link(target, within)),
    };
    let mut tally = Tally::new("sequence", target, within)
        .says(format!(
            "{}: within a {within}, {target} keeps the order of {source} by {}",
            check.rule,
            by.join(", ")
        ))
        .query(sequence_sql(audit, legacy, (target, within), by));
    let keys = Keys::read(audit, legacy, by)?;
    let links = link::links(table, within)?;
    let mut last: Vec<u32> = vec![u32::MAX; to.rows()];
    for row in 0..table.rows() {
        let Some(source) = table.migrated(row).filter(|source| *source < legacy.rows) else {
            continue;
        };
        let Some(group) = Some(links[row]).filter(|id| *id != NONE).and_then(|id| to.find(id))
        else {
            continue;
        };
        if !keys.there[source] {
            tally.skip();
            continue;
        }
        let before = Some(last[group]).filter(|at| *at != u32::MAX).map(|at| at as usize);
        last[group] = u32::try_from(row).unwrap_or(u32::MAX);
        let order = before
            .map_or(Some(Ordering::Less), |before| keys.order(by, (table, before), (table, row)));
        match order {
            Some(order) => tally.check(order != Ordering::Greater, || table.place(row)),
            None => tally.skip(),
        }
    }
    if tally.skipped() > 0 {
        let skipped = grouped(tally.skipped());
        tally.add_words(&format!(" ({skipped} rows lack a key in the source: not evaluated)"));
    }
    Ok(tally.finish())
}

impl Keys {
    fn read(audit: &Audit<'_>, legacy: &Legacy, by: &[String]) -> Result<Self> {
        let names: Vec<&str> = by.iter().filter(|name| *name != "id").map(String::as_str).collect();
        let mut keys = Self {
            columns: vec![vec![0; legacy.rows]; names.len()],
            whole: vec![true; legacy.rows],
            there: vec![true; legacy.rows],
        };
        let Some(path) = &legacy.path else { return Ok(keys) };
        let schema = &audit.contract.before.schema;
        let types: Vec<Type> =
            names.iter().map(|name| type_of(schema, &legacy.entity, name)).collect();
        read::scan(path, &names, &mut |row| {
            keys.take(row, &types);
            Ok(())
        })?;
        Ok(keys)
    }

    fn take(&mut self, row: Row<'_>, types: &[Type]) {
        for (at, ty) in types.iter().enumerate() {
            self.columns[at][row.number] = match row.value(at, *ty) {
                Value::Absent => {
                    self.there[row.number] = false;
                    0
                }
                Value::Number(number) => key::number_order(number),
                Value::Date(micros) => key::whole_order(micros),
                Value::Boolean(value) => u64::from(value),
                Value::Text(text) | Value::Json(text) => {
                    self.whole[row.number] &= text.len() <= 8;
                    let mut first = [0; 8];
                    let length = text.len().min(8);
                    first[..length].copy_from_slice(&text.as_bytes()[..length]);
                    u64::from_be_bytes(first)
                }
            };
        }
    }

    /// How the source orders the rows that two target rows were made from; `None` when their keys
    /// are too long to tell.
    fn order(
        &self,
        by: &[String],
        (table, a): (&Table, usize),
        (_, b): (&Table, usize),
    ) -> Option<Ordering> {
        let (from, to) = (table.migrated(a)?, table.migrated(b)?);
        let mut column = 0;
        for name in by {
            let order = if name == "id" {
                table.ids[a].cmp(&table.ids[b])
            } else {
                column += 1;
                let keys = &self.columns[column - 1];
                keys[from].cmp(&keys[to])
            };
            if order != Ordering::Equal {
                return Some(order);
            }
            if name != "id" && !(self.whole[from] && self.whole[to]) {
                return None;
            }
        }
        Some(Ordering::Equal)
    }
}

fn sequence_sql(
    audit: &Audit<'_>,
    legacy: &Legacy,
    (target, within): (&str, &str),
    by: &[String],
) -> String {
    if !audit.file(&format!("data/parquet/{target}.parquet")).1 {
        return "SELECT 0".to_owned();
    }
    let key = |name: &String| {
        if name == "id" { "t.id".to_owned() } else { format!("s.{}", sql::name(name)) }
    };
    let keys: Vec<String> = by.iter().map(key).collect();
    let columns: Vec<String> =
        keys.iter().enumerate().map(|(at, key)| format!("{key} AS k{at}")).collect();
    let lag: Vec<String> =
        (0..keys.len()).map(|at| format!("lag(k{at}) OVER w AS p{at}")).collect();
    let (mut equal, mut greater) = (String::new(), Vec::new());
    for at in 0..keys.len() {
        greater.push(format!("({equal}p{at} > k{at})"));
        equal.push_str(&format!("p{at} = k{at} AND "));
    }
    let there: Vec<String> = keys.iter().map(|key| format!("{key} IS NOT NULL")).collect();
    let link = format!("t.{}", sql::name(within));
    let other = audit.contract.after.schema.link(target, within).map(|link| link.to.clone());
    format!(
        "SELECT count(*) FROM (SELECT *, {} FROM (SELECT {link} AS g, t.file_row_number AS f, {} FROM \
         read_parquet({}, file_row_number = true) t JOIN {} s ON s._row = t._source_row SEMI JOIN \
         {} o ON o.id = {link} WHERE t._origin = 'migrated' AND {}) WINDOW w AS (PARTITION BY g \
         ORDER BY f)) WHERE p0 IS NOT NULL AND ({})",
        lag.join(", "),
        columns.join(", "),
        sql::target(audit, target),
        sql::legacy(audit, legacy),
        sql::target(audit, &other.unwrap_or_default()),
        there.join(" AND "),
        greater.join(" OR ")
    )
}
