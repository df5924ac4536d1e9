//! What a legacy row says is in the rows that are built of it: no value lost its content.
//!
//! Judged by the two texts alone: every text, number and truth value of the object is found in what the
//! bundle has, as often as it is said, or it is one that the contract leaves behind. Which member it
//! became is not asked here.

use std::borrow::Cow;

use super::Rule;
use super::cases::Columns;
use super::facts::Audit;
use super::kept_sql;
use super::key;
use super::legacy::Legacy;
use super::object::Object;
use super::read;
use super::rule::Tally;
use super::slots::{self, Slots};
use super::table::Table;
use crate::contract::{Case, Explode, Path, Pattern, Transform};
use crate::digest::Value;
use crate::error::Result;
use crate::json;
use crate::schema::{Schema, Type};

/// How many rows are looked at anew at a time.
const AGAIN: usize = 4096;

/// What is compared.
struct Kept<'a> {
    rule: &'a Explode,
    legacy: &'a Legacy,
    table: &'a Table,
    slots: &'a Slots,
    /// The attributes that hold what cases build.
    attrs: Vec<&'a str>,
}

/// No row built of an object lost what the object says.
pub(super) fn rules(audit: &Audit<'_>, transform: &Transform, out: &mut Vec<Rule>) -> Result<()> {
    let Some(rule) = transform.explode.as_ref().filter(|rule| rule.takes_all) else {
        return Ok(());
    };
    let (source, target) = (&transform.source, &transform.target);
    let of = rule.of.join(" or ");
    let mut tally = Tally::new("content", source, rule.of.first().map_or("", String::as_str))
        .says(format!(
            "what {of} of a {source} row says is in its {target} rows, but for what the contract leaves"
        ))
        .query(kept_sql::query(audit, transform, rule));
    if let Some(slots) = audit.slots(target) {
        let (legacy, table) = (audit.legacy(source)?, audit.table(target)?);
        let attrs = built(&audit.contract.after.schema, transform);
        Kept { rule, legacy, table, slots, attrs }.check(audit, transform, &mut tally)?;
    }
    out.push(tally.finish());
    Ok(())
}

/// The attributes that hold JSON which cases build.
pub(super) fn built<'a>(after: &Schema, transform: &'a Transform) -> Vec<&'a str> {
    let is_json = |name: &&str| {
        let attr = after.entity(&transform.target).and_then(|entity| entity.attr(name));
        attr.is_some_and(|attr| attr.ty == Type::Any)
    };
    transform.case_attrs().into_iter().filter(is_json).collect()
}

impl Kept<'_> {
    /// Where the bundle has the very text that is built anew, that one is looked into; the others are
    /// read again.
    fn check(&self, audit: &Audit<'_>, transform: &Transform, tally: &mut Tally) -> Result<()> {
        let Some(path) = &self.legacy.path else { return Ok(()) };
        let Some(cases) = slots::cases(audit, transform) else { return Ok(()) };
        let sums = self.sums()?;
        let mut again: Vec<(usize, Said)> = Vec::new();
        let mut names = Vec::new();
        let columns = Columns::new(self.rule, &mut names);
        read::scan(path, &names, &mut |row| {
            let at = row.number;
            let onto = self.legacy.onto(&self.table.entity);
            let is_there = onto.is_some_and(|onto| onto.seen[at] > 0);
            let case = cases.case(self.rule, at).filter(|_| is_there);
            let (Some(case), Ok(object)) = (case, columns.object(self.rule, row)) else {
                return Ok(());
            };
            let said = Said::of(self.rule, case, &object);
            let (start, mut found, mut is_same) = (self.slots.start(at), Vec::new(), true);
            for (nth, made) in case.rows.iter().enumerate() {
                let text = |attr: &&str| {
                    let build = made.iter().find(|(name, _)| name == attr).map(|(_, build)| build);
                    build.and_then(|build| object.build(self.rule, build))
                };
                let texts: Vec<Option<String>> = self.attrs.iter().map(text).collect();
                is_same &= sums[start + nth] == sum(texts.iter().map(Option::as_deref));
                texts.iter().flatten().for_each(|text| leaves(text, &mut found));
            }
            if is_same {
                tally.check(said.lost(found) == 0, || self.legacy.place(at));
            } else {
                again.push((at, said));
            }
            if again.len() >= AGAIN {
                self.again(&std::mem::take(&mut again), tally)?;
            }
            Ok(())
        })?;
        self.again(&again, tally)
    }

    /// By slot, a sum of what the attributes hold.
    fn sums(&self) -> Result<Vec<u64>> {
        let mut sums = vec![0; self.slots.len()];
        read::scan_if_there(&self.table.path, &self.attrs, &mut |row| {
            let source = self.table.migrated(row.number).filter(|at| *at < self.legacy.rows);
            if let Some(slot) = source.and_then(|source| self.slots.of(row.number, source)) {
                sums[slot] = sum((0..self.attrs.len()).map(|at| row.text(at)));
            }
            Ok(())
        })?;
        Ok(sums)
    }

    /// Looks at rows of which the bundle has something else than what is built anew.
    fn again(&self, rows: &[(usize, Said)], tally: &mut Tally) -> Result<()> {
        let place = |source: usize| rows.binary_search_by_key(&source, |(at, _)| *at).ok();
        let (mut found, mut made) = (vec![Vec::new(); rows.len()], vec![Vec::new(); rows.len()]);
        let mut wanted = Vec::new();
        for row in (0..self.table.rows()).filter(|_| !rows.is_empty()) {
            if let Some(at) = self.table.migrated(row).and_then(place) {
                wanted.push((row, at));
            }
        }
        let targets: Vec<usize> = wanted.iter().map(|(row, _)| *row).collect();
        read::pick(&self.table.path, &self.attrs, &targets, &mut |row| {
            let (target, at) = wanted[row.number];
            made[at].push(target);
            (0..self.attrs.len()).filter_map(|column| row.text(column)).for_each(|text| {
                leaves(text, &mut found[at]);
            });
            Ok(())
        })?;
        for ((row, said), (found, made)) in rows.iter().zip(found.into_iter().zip(made)) {
            let lost = said.lost(found);
            tally.check(lost == 0, || {
                let made: Vec<String> = made.iter().map(|row| self.table.place(*row)).collect();
                format!("{}: {lost} not in {}", self.legacy.place(*row), made.join(", "))
            });
        }
        Ok(())
    }
}

fn sum<'t>(texts: impl Iterator<Item = Option<&'t str>>) -> u64 {
    let hash = |text: Option<&str>| key::value_hash(text.map_or(Value::Absent, Value::Json));
    let folded = texts.enumerate().map(|(at, text)| key::folded(at, hash(text)));
    // A row that is not there has no sum of texts.
    folded.fold(1, u64::wrapping_add)
}

/// What an object says that must not be lost.
struct Said {
    /// The hashes of its values.
    values: Vec<u64>,
    /// What follows the beginning of a text that picked the case, and longer ends of that text: one of
    /// them must be there.
    rests: Vec<Vec<u64>>,
}

impl Said {
    fn of(rule: &Explode, case: &Case, object: &Object<'_>) -> Self {
        let mut left: Vec<Path> = rule.drop.iter().chain(&case.drop).cloned().collect();
        let (mut values, mut rests) = (Vec::new(), Vec::new());
        let when = case.when.as_ref().map(|when| (&when.path, &when.is));
        for (path, is) in [(&rule.by, &case.is)].into_iter().chain(when) {
            let text = object.picked(rule, path);
            let starts = is.iter().filter_map(|pattern| match pattern {
                Pattern::Begins(start) => Some(start.len()),
                Pattern::Exact(_) => None,
            });
            let is_left = left.contains(path);
            let start =
                starts.filter(|_| !is_left && !is.iter().any(|it| is_exact(it, text.as_deref())));
            if let (Some(start), Some(text)) = (start.max(), &text) {
                rests.extend(text.get(start..).filter(|rest| !rest.is_empty()).map(|_| {
                    let ends = (0..=start).filter_map(|from| text.get(from..));
                    ends.map(|end| key::value_hash(Value::Text(end))).collect()
                }));
            }
            left.push(path.clone());
        }
        object.others(&left).into_iter().for_each(|value| leaves(value, &mut values));
        values.sort_unstable();
        Self { values, rests }
    }

    /// How many values are not among those found.
    fn lost(&self, mut found: Vec<u64>) -> usize {
        found.sort_unstable();
        let (mut lost, mut at) = (0, 0);
        for value in &self.values {
            while found.get(at).is_some_and(|found| found < value) {
                at += 1;
            }
            if found.get(at) == Some(value) { at += 1 } else { lost += 1 }
        }
        let is_there = |ends: &&Vec<u64>| ends.iter().any(|end| found.binary_search(end).is_ok());
        lost + self.rests.iter().filter(|ends| !is_there(ends)).count()
    }
}

fn is_exact(pattern: &Pattern, text: Option<&str>) -> bool {
    matches!(pattern, Pattern::Exact(whole) if text == Some(whole))
}

/// The hashes of the texts, numbers and truth values in JSON; an empty text says nothing.
fn leaves(json: &str, out: &mut Vec<u64>) {
    let bytes = json.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        match bytes[at] {
            b'"' => {
                at += 1;
                while bytes.get(at).is_some_and(|byte| *byte != b'"') {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                at += 1;
                let text = json.get(start..at).unwrap_or_default();
                let next = bytes.get(at..).unwrap_or_default().trim_ascii_start().first();
                if next != Some(&b':') && text != "\"\"" {
                    let text = json::string(text).unwrap_or(Cow::Borrowed(text));
                    out.push(key::value_hash(Value::Text(&text)));
                }
            }
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => {
                let ends = |byte: &u8| b",]} \t\r\n".contains(byte);
                at += bytes[at..].iter().position(ends).unwrap_or(bytes.len() - at);
                if bytes[start] != b'n' {
                    // Another hash than that of the same as a text.
                    out.push(key::folded(1, key::value_hash(Value::Json(&json[start..at]))));
                }
            }
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_json_says_are_its_texts_numbers_and_truth_values() {
        let found = |json: &str| {
            let mut found = Vec::new();
            leaves(json, &mut found);
            found
        };
        let json = r#" {"a\":b" : "x\"y:", "k":[1.50,true , null,"",{"c":-1e3}], "d":"\u0041" } "#;
        assert_eq!(found(json), found(r#"["x\"y:",1.50,true,-1e3,"A"]"#));
        assert_eq!(found(json).len(), 5);
        for json in ["null", "{}", "[[], \"\"]", "{\"k\":{\"n\":null}}"] {
            assert!(found(json).is_empty(), "{json}");
        }
        assert_ne!(found("1"), found("\"1\""));
    }

    #[test]
    fn a_value_is_lost_that_is_found_less_often_than_it_is_said() {
        let said = |values: &[u64]| Said { values: values.to_vec(), rests: Vec::new() };
        for (values, found, lost) in [
            (&[1, 2, 2][..], &[2, 1, 2, 3][..], 0),
            (&[1, 2, 2], &[2, 1], 1),
            (&[1, 2], &[], 2),
            (&[], &[1], 0),
        ] {
            assert_eq!(said(values).lost(found.to_vec()), lost, "{values:?} {found:?}");
        }
        let rests = Said { values: Vec::new(), rests: vec![vec![5, 6]] };
        assert_eq!((rests.lost(vec![6]), rests.lost(vec![7])), (0, 1));
    }
}
