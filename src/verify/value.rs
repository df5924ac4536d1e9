//! Values: what a rule derives from the snapshot is what the bundle has, and every value that is not
//! from its first source is listed as a repair.

use super::Rule;
use super::derive::{self, Derived, UNSURE};
use super::facts::Audit;
use super::key::{self, ABSENT};
use super::naming::type_of;
use super::read::{self, Row};
use super::repair::Listed;
use super::rows::Counted;
use super::rule::Tally;
use super::split::Own;
use super::table::Table;
use super::value_sql;
use super::whole;
use crate::contract::{AttrRule, Check, CheckWhat, Pick, Piece, Transform};
use crate::digest::{self, Value};
use crate::error::Result;
use crate::schema::Type;

/// One rule of the values and one of the repairs for every attribute of a target table; the written
/// `same` rules go along, because they read the same columns. When the rows were seen to be as they
/// must be, they were counted; else the values are looked at one by one.
pub(super) fn rules(
    audit: &Audit<'_>,
    transform: &Transform,
    counted: Option<&Counted>,
    out: &mut Vec<Rule>,
) -> Result<()> {
    let listed = match counted {
        Some(_) => Listed::default(),
        None => Listed::read(audit, &transform.target)?,
    };
    let attrs = audit.contract.after.schema.entity(&transform.target);
    let attrs = attrs.map_or(&[][..], |entity| &entity.attrs);
    for (at, (rule, _)) in whole::rules_of(audit, transform).iter().enumerate() {
        let checked = Checked { audit, transform, rule, listed: &listed, ty: attrs[at].ty };
        match counted {
            Some(counted) => checked.passed(counted.rows, counted.unsure[at], out),
            None => checked.run(out)?,
        }
    }
    Ok(())
}

/// The `same` rules on an attribute, and the attribute of the source that it must be.
pub(super) fn same_as<'a>(
    audit: &'a Audit<'_>,
    transform: &'a Transform,
    attr: &'a str,
) -> impl Iterator<Item = (&'a Check, &'a String)> {
    audit.contract.checks.iter().flat_map(move |check| {
        let pairs = match &check.what {
            CheckWhat::Same { pairs } => &pairs[..],
            _ => &[],
        };
        let of = |pair: &&(String, String, String, String)| {
            pair.0 == transform.target && pair.1 == attr && pair.2 == transform.source
        };
        let source = move |pair: &'a (String, String, String, String)| (check, &pair.3);
        pairs.iter().filter(of).map(source).collect::<Vec<_>>()
    })
}

/// One attribute under its rule.
struct Checked<'a> {
    audit: &'a Audit<'a>,
    transform: &'a Transform,
    rule: &'a AttrRule,
    listed: &'a Listed,
    ty: Type,
}

/// The three things that are told of an attribute.
struct Tallies {
    value: Tally,
    repair: Tally,
    told: usize,
    same: Vec<Tally>,
}

impl Tallies {
    fn finish(mut self, out: &mut Vec<Rule>) {
        if self.value.skipped() > 0 {
            let skipped = crate::error::grouped(self.value.skipped());
            self.value.add_words(&format!(" ({skipped} rows hang on a row that was set aside)"));
        }
        out.push(self.value.finish());
        out.push(self.repair.finish());
        out.extend(self.same.into_iter().map(Tally::finish));
    }
}

impl Checked<'_> {
    fn run(&self, out: &mut Vec<Rule>) -> Result<()> {
        let derived = derive::derive(self.audit, self.transform, self.rule)?;
        let own = Own::read(self.audit, self.transform, (&self.rule.attr, self.ty))?;
        let table = self.audit.table(&self.transform.target)?;
        let mut tallies = self.tallies();
        let mut raws = Vec::new();
        for (_, source) in same_as(self.audit, self.transform, &self.rule.attr) {
            raws.push(self.raw(source)?);
        }
        let mut columns = vec![self.rule.attr.as_str()];
        let pieces = self.rule.template.as_ref().map_or(&[][..], |template| &template.pieces);
        columns.extend(pieces.iter().filter_map(|piece| match piece {
            Piece::Attr(name) => Some(name.as_str()),
            Piece::Text(_) => None,
        }));
        let rows = self.audit.legacy(&self.transform.source)?.rows;
        read::scan_if_there(&table.path, &columns, &mut |row| {
            match table.migrated(row.number) {
                Some(source) if source < rows => {
                    self.row(table, (&derived, &raws, own.as_ref()), (row, source), &mut tallies);
                }
                // A row from nowhere is told by the account.
                _ => {}
            }
            Ok(())
        })?;
        let strays = self.listed.total(&self.rule.attr).saturating_sub(tallies.told) as u64;
        if strays > 0 {
            tallies
                .repair
                .violate(strays, || format!("{strays} listed of rows that were not migrated"));
        }
        tallies.finish(out);
        Ok(())
    }

    /// So many rows are as they must be; of some the value cannot be known.
    fn passed(&self, rows: u64, unsure: u64, out: &mut Vec<Rule>) {
        let mut tallies = self.tallies();
        tallies.value.check_all(rows - unsure, 0, String::new);
        tallies.value.skip_all(unsure);
        tallies.repair.check_all(rows, 0, String::new);
        tallies.same.iter_mut().for_each(|tally| tally.check_all(rows, 0, String::new));
        tallies.finish(out);
    }

    fn tallies(&self) -> Tallies {
        let (target, attr) = (&self.transform.target, &self.rule.attr);
        let value = Tally::new("value", target, attr)
            .says(format!("every {target}.{attr} is what its rule gives of the source row"))
            .query(value_sql::value(self.audit, self.transform, self.rule));
        let repair = Tally::new("repair", target, attr)
            .says(format!(
                "every {target}.{attr} that is not from its first source is listed as a repair"
            ))
            .query(value_sql::repair(self.audit, self.transform, self.rule));
        let same = same_as(self.audit, self.transform, attr).map(|(check, source_attr)| {
            let source = &self.transform.source;
            let words = format!("{}: {target}.{attr} = {source}.{source_attr}", check.rule);
            let sql = value_sql::same(self.audit, self.transform, attr, source_attr);
            Tally::new("same", target, attr).says(words).query(sql)
        });
        Tallies { value, repair, told: 0, same: same.collect() }
    }

    /// The hashes of a source attribute as it is.
    fn raw(&self, attr: &str) -> Result<Vec<u64>> {
        let rule = AttrRule {
            built: None,
            attr: self.rule.attr.clone(),
            from: vec![Pick::Attr(attr.to_owned())],
            template: None,
            missing: None,
            values: None,
            refers: None,
        };
        let derived = derive::derive(self.audit, self.transform, &rule)?;
        let rows = self.audit.legacy(&self.transform.source)?.rows;
        Ok((0..rows).map(|row| derived.of(row).map_or(ABSENT, |(hash, ..)| hash)).collect())
    }

    fn row(
        &self,
        table: &Table,
        (derived, raws, own): (&Derived, &[Vec<u64>], Option<&Own<'_>>),
        (row, source): (Row<'_>, usize),
        tallies: &mut Tallies,
    ) {
        let place = || table.place(row.number);
        let attr = &self.rule.attr;
        let found = key::value_hash(row.value(0, self.ty));
        // A row whose id is none that its source gives is told by the rule on ids.
        let slot = self.audit.slot(&self.transform.target, row.number, source);
        let Some(slot) = slot else { return tallies.value.skip() };
        let (expected, how, mapped) = match own {
            Some(own) => (own.of(source, slot), String::new(), ""),
            None => self.expected(derived, row, source),
        };
        if expected == UNSURE {
            tallies.value.skip();
        } else {
            tallies.value.check(found == expected, place);
        }
        let mut listed: Vec<&str> = self.listed.of(attr, slot).collect();
        tallies.told += listed.len();
        let mut wanted: Vec<&str> =
            [how.as_str(), mapped].into_iter().filter(|how| !how.is_empty()).collect();
        listed.sort_unstable();
        wanted.sort_unstable();
        tallies.repair.check(listed == wanted, place);
        for (tally, raw) in tallies.same.iter_mut().zip(raws) {
            // Where the source is null a listed repair may stand in for it.
            let stands_in = raw[source] == ABSENT && !listed.is_empty();
            tally.check(raw[source] == found || stands_in, place);
        }
    }

    /// The hash of what the value must be, and what the repairs say of it.
    fn expected(
        &self,
        derived: &Derived,
        row: Row<'_>,
        source: usize,
    ) -> (u64, String, &'static str) {
        if let Some((hash, from, mapped)) = derived.of(source) {
            let how = match from {
                0 => String::new(),
                from => format!("from {}", spelled(&self.rule.from[from])),
            };
            return (hash, how, mapped);
        }
        let repair =
            |how: &str| if self.rule.from.is_empty() { String::new() } else { how.to_owned() };
        if let Some(text) = self.template(row) {
            return (key::value_hash(Value::Text(&text)), repair("template"), "");
        }
        match &self.rule.missing {
            Some(constant) => (derive::constant_hash(constant, self.ty), repair("missing"), ""),
            None if derived.is_blank(source) => (ABSENT, String::new(), derive::BLANKS),
            None => (ABSENT, String::new(), ""),
        }
    }

    /// The text a template gives of the attributes beside it; they follow it in the projection.
    fn template(&self, row: Row<'_>) -> Option<String> {
        let mut text = String::new();
        let mut column = 0;
        for piece in &self.rule.template.as_ref()?.pieces {
            match piece {
                Piece::Text(piece) => text.push_str(piece),
                Piece::Attr(name) => {
                    column += 1;
                    let schema = &self.audit.contract.after.schema;
                    let ty = type_of(schema, &self.transform.target, name);
                    text.push_str(&value_text(row.value(column, ty))?);
                }
            }
        }
        Some(text)
    }
}

/// A value as a template writes it.
pub(super) fn value_text(value: Value<'_>) -> Option<String> {
    Some(match value {
        Value::Absent => return None,
        Value::Text(text) | Value::Json(text) => text.to_owned(),
        Value::Number(number) => key::number_text(number),
        Value::Boolean(value) => value.to_string(),
        Value::Date(micros) => digest::micros_text(micros),
    })
}

/// A place of a rule as the contract spells it.
pub(super) fn spelled(pick: &Pick) -> String {
    match pick {
        Pick::Attr(name) => name.clone(),
        Pick::Path { attr, keys } => format!("{attr}.{}", keys.join(".")),
        Pick::Server => "$server".to_owned(),
        Pick::Linked { link, attr } => format!("{link}.{attr}"),
    }
}
