//! Order within a link: the file keeps the order of the source, and so does the target's own sort key.

use std::cmp::Ordering;

use super::Rule;
use super::bits::Bits;
use super::facts::Audit;
use super::key::{self, NONE};
use super::legacy::Legacy;
use super::naming::{no_link, type_of};
use super::read;
use super::row_order::{Absent, Column, RowOrder};
use super::row_order_sql::{self, OrderSql};
use super::rule::Tally;
use super::sql;
use super::table::{NO_ROW, Table, narrow};
use crate::contract::{AttrRule, Check, Contract, OrderKey, Pick};
use crate::error::{Result, grouped};
use crate::schema::Type;

/// A written rule on the order of rows within a link.
pub(super) struct Sequence<'a> {
    pub(super) check: &'a Check,
    pub(super) source: &'a str,
    pub(super) target: &'a str,
    pub(super) within: &'a str,
    pub(super) by: &'a [String],
}

/// Within every row that a link leads to, the file keeps the order of the source; and the target, which
/// sorts by its own attributes of the same meaning, shows no row before one that was before it.
///
/// `id` as a key is the row's own id in the source; in bundles before format 3, the one it has in the
/// target.
pub(super) fn rules(audit: &Audit<'_>, rule: &Sequence<'_>, out: &mut Vec<Rule>) -> Result<()> {
    let (legacy, table) = (audit.legacy(rule.source)?, audit.table(rule.target)?);
    let to = match audit.contract.after.schema.link(rule.target, rule.within) {
        Some(link) => audit.table(&link.to)?,
        None => return Err(no_link(rule.target, rule.within)),
    };
    let keys = rule.keys(audit);
    let order = RowOrder::read(audit, legacy, (Some(rule.target), &keys), Absent::First)?;
    let mut kept = rule.kept(audit, legacy);
    let mut shown = Shown::read(audit, rule, (legacy, table, to))?;
    let mut groups = vec![Group::default(); to.rows()];
    let mut found = (NONE, None);
    read::scan_if_there(&table.path, &[rule.within], &mut |link| {
        let (row, id) = (link.number, key::link_key(link.text(0)));
        let source = table.migrated(row).filter(|source| *source < legacy.rows);
        if id != found.0 {
            found = (id, to.find(id));
        }
        let (Some(source), Some(group)) = (source, found.1) else { return Ok(()) };
        if !order.has_all(source) || order.is_unsure(source) {
            kept.skip();
            return Ok(());
        }
        let group = &mut groups[group];
        let before = group.last.row().and_then(|last| table.migrated(last));
        let moved = before.map_or(Ordering::Less, |before| order.compare(before, source));
        kept.check(moved != Ordering::Greater, || table.place(row));
        if let Some(shown) = &mut shown {
            let is_coarse = !shown.changed.get(found.1.unwrap_or_default());
            let compare = |at| {
                if is_coarse {
                    order.compare_as_shown(at, source)
                } else {
                    order.compare(at, source)
                }
            };
            let moved = before.map_or(Ordering::Less, compare);
            shown.look(table, group, (row, moved))?;
        }
        group.last = At(narrow(row)?);
        Ok(())
    })?;
    if kept.skipped() > 0 {
        let skipped = grouped(kept.skipped());
        kept.add_words(&format!(" ({skipped} rows lack a key in the source: not evaluated)"));
    }
    out.push(kept.finish());
    out.extend(shown.map(|shown| shown.tally.finish()));
    Ok(())
}

/// A row of the target table, or none yet.
#[derive(Clone, Copy)]
struct At(u32);

impl At {
    fn row(self) -> Option<usize> {
        Some(self.0).filter(|at| *at != NO_ROW).map(|at| at as usize)
    }
}

impl Default for At {
    fn default() -> Self {
        At(NO_ROW)
    }
}

/// What was seen of the rows within one row.
#[derive(Clone, Copy, Default)]
struct Group {
    last: At,
    /// Of the rows that the source puts before the last one, the one that the target shows last.
    top: At,
    /// The same of the rows that the source puts where the last one is.
    alike: At,
}

/// How the target shows rows: by its own attributes that the keys of the source go to. Dates count in whole
/// milliseconds, as InstantDB's client sorts them (`@instantdb/core` 1.0.67), then ids.
struct Shown {
    keys: Vec<Option<(Column, Type)>>,
    /// By row that the link leads to: whether a row within it has another id than in the source.
    changed: Bits,
    tally: Tally,
}

impl Shown {
    /// `None` where the contract does not say what the target sorts by.
    fn read(
        audit: &Audit<'_>,
        rule: &Sequence<'_>,
        (legacy, table, to): (&Legacy, &Table, &Table),
    ) -> Result<Option<Self>> {
        if !audit.bundle.meta().is_judged_by_source() {
            return Ok(None);
        }
        let Some(names) = rule.shown_by(audit.contract) else { return Ok(None) };
        let after = &audit.contract.after.schema;
        let key = |name: &&str| match *name {
            "id" => Ok(None),
            name => {
                let file = (table.path.exists().then_some(table.path.as_path()), table.rows());
                let ty = type_of(after, rule.target, name);
                Ok(Some((Column::read(file, name, ty)?, ty)))
            }
        };
        let keys = names.iter().map(key).collect::<Result<_>>()?;
        let tally = Tally::new("sequence", rule.target, rule.within)
            .says(format!(
                "{}: sorted by its own {}, {} shows the rows of a {} in the order of {}",
                rule.check.rule,
                names.join(", "),
                rule.target,
                rule.within,
                rule.source
            ))
            .query(rule.shown_sql(audit, &names))
            .allows(audit.contract.rollout.max_reordered, audit.legacy_rows());
        let changed = changed((legacy, table, to), rule.within)?;
        Ok(Some(Self { keys, changed, tally }))
    }

    /// Looks at the next row of a group, which the source puts after the last one or where it is.
    fn look(
        &mut self,
        table: &Table,
        group: &mut Group,
        (row, moved): (usize, Ordering),
    ) -> Result<()> {
        if moved != Ordering::Equal {
            group.top = self.later(table, group.top, group.alike);
            group.alike = At::default();
        }
        let before = group.top.row();
        let right = before.is_none_or(|top| self.compare(table, top, row) != Ordering::Greater);
        self.tally.check(right, || table.place(row));
        group.alike = self.later(table, group.alike, At(narrow(row)?));
        Ok(())
    }

    fn later(&self, table: &Table, a: At, b: At) -> At {
        match (a.row(), b.row()) {
            (Some(one), Some(other)) if self.compare(table, one, other) == Ordering::Greater => a,
            (_, Some(_)) => b,
            (_, None) => a,
        }
    }

    fn compare(&self, table: &Table, a: usize, b: usize) -> Ordering {
        let mut orders = self.keys.iter().map(|key| match key {
            Some((column, Type::Date)) => column.compare_milliseconds(a, b, Absent::First),
            Some((column, _)) => column.compare(a, b, Absent::First),
            None => table.ids[a].cmp(&table.ids[b]),
        });
        orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }
}

/// The rows of `to` within which a migrated row has another id than in the source.
fn changed((legacy, table, to): (&Legacy, &Table, &Table), within: &str) -> Result<Bits> {
    let is_changed = |row: usize| {
        let source = table.migrated(row).filter(|source| *source < legacy.rows);
        source.is_some_and(|source| table.ids[row] != legacy.ids[source])
    };
    let mut changed = Bits::new(to.rows());
    if (0..table.rows()).any(is_changed) {
        read::scan_if_there(&table.path, &[within], &mut |link| {
            let at = to.find(key::link_key(link.text(0)));
            if let Some(at) = at.filter(|_| is_changed(link.number)) {
                changed.set(at);
            }
            Ok(())
        })?;
    }
    Ok(changed)
}

impl Sequence<'_> {
    /// What the source is put in order by: a key without a value goes on as the rule of the target
    /// attribute does.
    fn keys<'c>(&'c self, audit: &'c Audit<'_>) -> Vec<OrderKey<'c>> {
        if !audit.bundle.meta().is_judged_by_source() {
            return self.by.iter().map(|name| OrderKey::named(name)).collect();
        }
        let mut keys = audit.contract.order_by(self.source, self.by);
        keys.truncate(self.by.len());
        keys
    }

    fn kept(&self, audit: &Audit<'_>, legacy: &Legacy) -> Tally {
        let words = format!(
            "{}: within a {}, {} keeps the order of {} by {}",
            self.check.rule,
            self.within,
            self.target,
            self.source,
            self.by.join(", ")
        );
        let query = self.kept_sql(audit, legacy);
        Tally::new("sequence", self.target, self.within).says(words).query(query)
    }

    /// The target attributes that the keys go to: the target sorts by them.
    fn shown_by<'c>(&self, contract: &'c Contract) -> Option<Vec<&'c str>> {
        let transform = contract.transform_into(self.target)?;
        let takes = |name: &str| {
            let number = transform.number.as_ref();
            let number = number.filter(|number| number.by.iter().any(|by| by == name));
            let rule = || {
                let takes = |pick: &Pick| matches!(pick, Pick::Attr(it) if it == name);
                let place = |rule: &&AttrRule| rule.from.iter().position(takes);
                let rules = transform.attrs.iter().filter(|rule| place(rule).is_some());
                rules.min_by_key(|rule| (place(rule), rule.attr != name))
            };
            match number {
                _ if name == "id" => Some("id"),
                Some(number) => Some(number.attr.as_str()),
                None => rule().map(|rule| rule.attr.as_str()),
            }
        };
        self.by.iter().map(|name| takes(name)).collect()
    }

    /// The migrated rows with their group, as `i`, `g` and `f` (place in the file), and these columns.
    fn rows_sql(&self, audit: &Audit<'_>, legacy: &Legacy, columns: &[String]) -> String {
        let OrderSql { joins, keys } = self.keys_sql(audit);
        let there: Vec<String> = keys.iter().map(|key| format!("{key} IS NOT NULL")).collect();
        let link = format!("t.{}", sql::name(self.within));
        let other = audit.contract.after.schema.link(self.target, self.within);
        let other = other.map_or("", |link| &link.to);
        format!(
            "SELECT t.id AS i, {link} AS g, t.file_row_number AS f, {} FROM {} t JOIN {} s ON s._row = \
             t._source_row{joins} SEMI JOIN {} o ON o.id = {link} WHERE t._origin = 'migrated' AND {}",
            columns.join(", "),
            sql::numbered(audit, &sql::target(audit, self.target)),
            sql::legacy(audit, legacy),
            sql::target(audit, other),
            there.join(" AND "),
        )
    }

    fn keys_sql(&self, audit: &Audit<'_>) -> OrderSql {
        if audit.bundle.meta().is_judged_by_source() {
            return row_order_sql::order(audit, self.source, ("s", &self.keys(audit)));
        }
        let key = |name: &String| match name.as_str() {
            "id" => "t.id".to_owned(),
            name => format!("s.{}", sql::name(name)),
        };
        OrderSql { joins: String::new(), keys: self.by.iter().map(key).collect() }
    }

    fn is_there(&self, audit: &Audit<'_>) -> bool {
        sql::is_there(audit, &format!("data/parquet/{}.parquet", self.target))
    }

    fn kept_sql(&self, audit: &Audit<'_>, legacy: &Legacy) -> String {
        if !self.is_there(audit) {
            return "SELECT 0".to_owned();
        }
        let keys = self.keys_sql(audit).keys;
        let columns: Vec<String> =
            keys.iter().enumerate().map(|(at, key)| format!("{key} AS k{at}")).collect();
        let lag: Vec<String> =
            (0..keys.len()).map(|at| format!("lag(k{at}) OVER w AS p{at}")).collect();
        let (mut equal, mut greater) = (String::new(), Vec::new());
        for at in 0..keys.len() {
            greater.push(format!("({equal}p{at} > k{at})"));
            equal.push_str(&format!("p{at} = k{at} AND "));
        }
        format!(
            "SELECT {} FROM (SELECT *, {} FROM ({}) WINDOW w AS (PARTITION BY g ORDER BY f)) WHERE p0 IS \
             NOT NULL AND ({})",
            sql::found(audit, "i"),
            lag.join(", "),
            self.rows_sql(audit, legacy, &columns),
            greater.join(" OR ")
        )
    }

    /// Rows that the target shows before one that the source puts before them.
    fn shown_sql(&self, audit: &Audit<'_>, names: &[&str]) -> String {
        let Some(legacy) = audit.legacy.get(self.source).filter(|_| self.is_there(audit)) else {
            return "SELECT 0".to_owned();
        };
        let before = &audit.contract.before.schema;
        let (keys, named) = (self.keys_sql(audit).keys, self.keys(audit));
        let (mut columns, mut ours) = (vec!["t.id = lower(s.id) AS same".to_owned()], Vec::new());
        for (at, (named, key)) in named.iter().zip(keys).enumerate() {
            let ty = match named {
                OrderKey::Id => None,
                OrderKey::Attr(name) => Some(type_of(before, self.source, name)),
                OrderKey::Rule(rule) => {
                    let main = audit.contract.id_transform(self.source);
                    let target = main.map_or(self.target, |main| &main.target);
                    Some(type_of(&audit.contract.after.schema, target, &rule.attr))
                }
            };
            // As `RowOrder::compare_as_shown`.
            ours.push(match ty {
                None => format!("CASE WHEN kept THEN NULL ELSE k{at} END"),
                // What a rule gives are microseconds already.
                Some(Type::Date) => {
                    let is_rule = matches!(named, OrderKey::Rule(_));
                    let micros =
                        if is_rule { format!("k{at}") } else { format!("epoch_us(k{at})") };
                    format!("CASE WHEN kept THEN floor({micros} / 1000) ELSE {micros} END")
                }
                Some(_) => format!("k{at}"),
            });
            columns.push(format!("{key} AS k{at}"));
        }
        let mut theirs = Vec::new();
        for (at, name) in names.iter().enumerate() {
            let column = format!("t.{}", sql::name(name));
            let ty = type_of(&audit.contract.after.schema, self.target, name);
            let is_date = *name != "id" && ty == Type::Date;
            let key = if is_date { format!("floor(epoch_us({column}) / 1000)") } else { column };
            columns.push(format!("{key} AS t{at}"));
            theirs.push(format!("t{at} NULLS FIRST"));
        }
        format!(
            "SELECT {} FROM (SELECT *, max(theirs) OVER (PARTITION BY g ORDER BY ours RANGE BETWEEN \
             UNBOUNDED PRECEDING AND 1 PRECEDING) AS top FROM (SELECT i, g, dense_rank() OVER (PARTITION \
             BY g ORDER BY {}) AS ours, dense_rank() OVER (PARTITION BY g ORDER BY {}) AS theirs FROM \
             (SELECT *, bool_and(same) OVER (PARTITION BY g) AS kept FROM ({})))) WHERE theirs < top",
            sql::found(audit, "i"),
            ours.join(", "),
            theirs.join(", "),
            self.rows_sql(audit, legacy, &columns),
        )
    }
}
