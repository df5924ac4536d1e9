//! Order within a link: the file keeps the order of the source.

use std::cmp::Ordering;
use std::fmt::Write as _;

use super::Rule;
use super::facts::Audit;
use super::key::{self, NONE};
use super::legacy::Legacy;
use super::naming::{no_link, type_of};
use super::read::{self, Row};
use super::rule::Tally;
use super::sql;
use super::table::Table;
use crate::contract::Check;
use crate::digest::Value;
use crate::error::{Result, grouped};
use crate::schema::Type;

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
pub(super) fn sequence(
    audit: &Audit<'_>,
    check: &Check,
    (source, target): (&str, &str),
    (within, by): (&str, &[String]),
) -> Result<Rule> {
    let (legacy, table) = (audit.legacy(source)?, audit.table(target)?);
    let schema = &audit.contract.after.schema;
    let to = match schema.link(target, within) {
        Some(link) => audit.table(&link.to)?,
        None => return Err(no_link(target, within)),
    };
    let mut tally = Tally::new("sequence", target, within)
        .says(format!(
            "{}: within a {within}, {target} keeps the order of {source} by {}",
            check.rule,
            by.join(", ")
        ))
        .query(sequence_sql(audit, legacy, (target, within), by));
    let keys = Keys::read(audit, legacy, by)?;
    let mut last: Vec<u32> = vec![u32::MAX; to.rows()];
    let mut found = (NONE, None);
    read::scan_if_there(&table.path, &[within], &mut |link| {
        let (row, id) = (link.number, key::link_key(link.text(0)));
        let source = table.migrated(row).filter(|source| *source < legacy.rows);
        if id != found.0 {
            found = (id, to.find(id));
        }
        let (Some(source), Some(group)) = (source, found.1) else { return Ok(()) };
        if !keys.there[source] {
            tally.skip();
            return Ok(());
        }
        let before = Some(last[group]).filter(|at| *at != u32::MAX).map(|at| at as usize);
        last[group] = u32::try_from(row).unwrap_or(u32::MAX);
        let order = before
            .map_or(Some(Ordering::Less), |before| keys.order(by, (table, before), (table, row)));
        match order {
            Some(order) => tally.check(order != Ordering::Greater, || table.place(row)),
            None => tally.skip(),
        }
        Ok(())
    })?;
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
        if from == to {
            return Some(Ordering::Equal);
        }
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
    if !sql::is_there(audit, &format!("data/parquet/{target}.parquet")) {
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
        let _ = write!(equal, "p{at} = k{at} AND ");
    }
    let there: Vec<String> = keys.iter().map(|key| format!("{key} IS NOT NULL")).collect();
    let link = format!("t.{}", sql::name(within));
    let other = audit.contract.after.schema.link(target, within).map(|link| link.to.clone());
    format!(
        "SELECT {} FROM (SELECT *, {} FROM (SELECT t.id AS i, {link} AS g, t.file_row_number AS f, {} \
         FROM {} t JOIN {} s ON s._row = t._source_row SEMI JOIN \
         {} o ON o.id = {link} WHERE t._origin = 'migrated' AND {}) WINDOW w AS (PARTITION BY g \
         ORDER BY f)) WHERE p0 IS NOT NULL AND ({})",
        sql::found(audit, "i"),
        lag.join(", "),
        columns.join(", "),
        sql::numbered(audit, &sql::target(audit, target)),
        sql::legacy(audit, legacy),
        sql::target(audit, &other.unwrap_or_default()),
        there.join(" AND "),
        greater.join(" OR ")
    )
}
