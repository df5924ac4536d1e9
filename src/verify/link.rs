//! Links: both ends are there, what is required is there, and each is the one the source names.

use super::Rule;
use super::bits::Bits;
use super::facts::Audit;
use super::holders::Held;
use super::key::{self, NONE};
use super::link_sql;
use super::naming::no_link;
use super::read;
use super::repair::{Listed, is_listed_as};
use super::resolve::{self, Judged, Verdict};
use super::rule::Tally;
use super::table::Table;
use crate::contract::{LinkHow, LinkRule, Required, Transform};
use crate::error::Result;
use crate::schema::Link;

/// The rules of a has-one link of a target table.
pub(super) fn rules(audit: &Audit<'_>, link: &Link, out: &mut Vec<Rule>) -> Result<()> {
    let (table, to) = (audit.table(&link.on)?, audit.table(&link.to)?);
    let Some(transform) = audit.contract.transform_into(&link.on) else {
        let mut ends = ends(audit, link);
        read::scan_if_there(&table.path, &[&link.label], &mut |row| {
            ends.check(is_there(to, row.text(0)), || table.place(row.number));
            Ok(())
        })?;
        out.push(ends.finish());
        return Ok(());
    };
    let rule = transform.links.iter().find(|rule| rule.label == link.label);
    let expected = Expected::read(audit, transform, rule, link)?;
    let of = (link, rule, transform);
    let mut repaired = Repaired::read(audit, of, &expected)?;
    let (mut ends, mut right) = (ends(audit, link), right(audit, of, &expected));
    let mut required = required(audit, of);
    let mut columns = vec![link.label.as_str()];
    columns.extend(expected.beside());
    let rows = audit.legacy(&transform.source)?.rows;
    let mut held = Held::read(audit, of, (table, &expected))?;
    read::scan_if_there(&table.path, &columns, &mut |row| {
        let (text, source) = (row.text(0), table.migrated(row.number));
        let beside = columns.get(1).and_then(|_| row.text(1));
        // A UUID in lower case is its own key; anything else leads nowhere.
        let lower = text.and_then(key::lower_uuid).filter(|id| *id != NONE);
        let value = lower.unwrap_or_else(|| key::link_key(text));
        let place = || table.place(row.number);
        let is_named = source.filter(|source| *source < rows);
        let is_named = is_named.is_some_and(|source| expected.is_there(source, value));
        ends.check(is_named && lower.is_some() || is_there(to, text), place);
        let Some(source) = source else { return Ok(()) };
        if let Some((tally, always)) = &mut required {
            let wanted = *always || source < rows && expected.wants(source, beside.is_some());
            tally.check(!wanted || text.is_some(), place);
        }
        let is_right = source < rows
            && (is_named
                || expected.allows(
                    audit,
                    (&transform.source, source),
                    value,
                    key::link_key(beside),
                )
                || (value == NONE && expected.must_be(source).is_some()));
        let is_right = is_right && held.allows(&expected, source, value);
        right.check(is_right, place);
        if let Some(repaired) = repaired.as_mut().filter(|_| source < rows) {
            let slot = audit.slot(&link.on, row.number, source);
            repaired.check(&link.label, (source, slot, value), place);
        }
        Ok(())
    })?;
    out.push(ends.finish());
    out.extend(required.map(|(tally, _)| tally.finish()));
    out.push(right.finish());
    out.extend(repaired.map(|repaired| repaired.finish(&link.label)));
    Ok(())
}

/// Every link is null or the id of a row that is there.
fn ends(audit: &Audit<'_>, link: &Link) -> Tally {
    let words = format!("every {}.{} is the id of a {} row", link.on, link.label, link.to);
    Tally::new("link", &link.on, &link.label).says(words).query(link_sql::ends(audit, link))
}

fn is_there(to: &Table, value: Option<&str>) -> bool {
    value.is_none_or(|id| key::is_lower_uuid(id) && to.find(key::id_key(id)).is_some())
}

/// What a link must be, row by row.
pub(super) enum Expected<'a> {
    Judged(Judged<'a>),
    SameRow(&'a Table),
    /// The label on this table, and the links of the rows it leads to; where that label may lack a row
    /// that the source names, what the source says of it.
    Via(&'a str, &'a Table, Vec<u128>, Option<Judged<'a>>),
    Null,
}

impl<'a> Expected<'a> {
    fn read(
        audit: &'a Audit<'_>,
        transform: &Transform,
        rule: Option<&'a LinkRule>,
        link: &Link,
    ) -> Result<Self> {
        let Some(rule) = rule else { return Ok(Expected::Null) };
        Ok(match &rule.how {
            LinkHow::From { .. } => {
                Expected::Judged(resolve::judge(audit, transform, &rule.how, &link.to)?)
            }
            LinkHow::SameRow { target } => Expected::SameRow(audit.table(target)?),
            LinkHow::Via { link: via, take } => {
                let schema = &audit.contract.after.schema;
                let over = schema
                    .link(&transform.target, via)
                    .ok_or_else(|| no_link(&transform.target, via))?;
                let table = audit.table(&over.to)?;
                let first = transform.links.iter().find(|rule| rule.label == *via);
                let may_lack = first.filter(|first| is_over_optional(audit, rule, first));
                let judged =
                    may_lack.map(|first| resolve::judge(audit, transform, &first.how, &over.to));
                Expected::Via(via, table, links(table, take)?, judged.transpose()?)
            }
        })
    }

    /// The label that has to be read beside the link's own.
    fn beside(&self) -> Option<&str> {
        match self {
            Expected::Via(label, ..) => Some(label),
            _ => None,
        }
    }

    /// Whether a link must be this id, which is that of a row that is there.
    fn is_there(&self, source: usize, link: u128) -> bool {
        matches!(self, Expected::Judged(judged) if judged.is_there(source, link))
    }

    /// Whether a link that is required when its source is there is so for a row.
    fn wants(&self, source: usize, beside: bool) -> bool {
        match self {
            Expected::Judged(judged) => judged.names_existing(source),
            Expected::Via(_, _, _, judged) => {
                beside || judged.as_ref().is_some_and(|judged| judged.names_existing(source))
            }
            _ => true,
        }
    }

    /// The row that a row must link to unless another holds it, and the place of the rule that names it.
    pub(super) fn must_be(&self, source: usize) -> Option<(u128, usize)> {
        match self {
            Expected::Judged(judged) => judged.must_be(source),
            _ => None,
        }
    }

    /// Whether a link of this id is right for a row made from this legacy row.
    fn allows(&self, audit: &Audit<'_>, source: (&str, usize), link: u128, beside: u128) -> bool {
        match self {
            Expected::Judged(judged) => judged.allows(source.1, link).is_some(),
            Expected::SameRow(table) => {
                let legacy = audit.legacy(source.0);
                let id = legacy.ok().and_then(|legacy| legacy.stands(table, source.1));
                id.unwrap_or(NONE) == link
            }
            Expected::Via(_, table, links, _) => {
                table.find(beside).map_or(NONE, |row| links[row]) == link
            }
            Expected::Null => link == NONE,
        }
    }
}

/// Whether a link that is required when its source is there goes over one that need not be: then the
/// source is asked for the row in between.
pub(super) fn is_over_optional(audit: &Audit<'_>, rule: &LinkRule, first: &LinkRule) -> bool {
    audit.is_judged_by_source()
        && rule.required == Required::WhenSourceExists
        && first.required == Required::No
        && matches!(first.how, LinkHow::From { .. })
}

/// The links of a column, by row.
pub(super) fn links(table: &Table, label: &str) -> Result<Vec<u128>> {
    let mut links = Vec::with_capacity(table.rows());
    read::scan_if_there(&table.path, &[label], &mut |row| {
        links.push(key::link_key(row.text(0)));
        Ok(())
    })?;
    Ok(links)
}

/// Which rows of a table have a link.
pub(super) fn held_by(table: &Table, label: &str) -> Result<Bits> {
    let mut held = Bits::new(table.rows());
    read::scan_if_there(&table.path, &[label], &mut |row| {
        if key::link_key(row.text(0)) != NONE {
            held.set(row.number);
        }
        Ok(())
    })?;
    Ok(held)
}

/// A link, its rule and its transform.
pub(super) type Of<'a> = (&'a Link, Option<&'a LinkRule>, &'a Transform);

/// The rule on a required link, and whether it is so for every row.
fn required(audit: &Audit<'_>, (link, rule, transform): Of<'_>) -> Option<(Tally, bool)> {
    let rule = rule.filter(|rule| rule.required != Required::No)?;
    let (always, when) = match rule.required {
        Required::Yes => (true, ""),
        _ => (false, ", when the source has it"),
    };
    let words = format!("every {} row links to its {} row{when}", link.on, link.to);
    let tally = Tally::new("link", &link.on, &link.label)
        .says(words)
        .query(link_sql::required(audit, link, rule, transform));
    Some((tally, always))
}

fn right(audit: &Audit<'_>, (link, rule, transform): Of<'_>, expected: &Expected<'_>) -> Tally {
    let what = match expected {
        Expected::Judged(_) => "is the row that its source row names".to_owned(),
        Expected::SameRow(_) => "is the row that the same source row became".to_owned(),
        Expected::Via(via, ..) => format!("is the one of its {via}"),
        Expected::Null => "is null: the contract has no rule for it".to_owned(),
    };
    let words = format!("every {}.{} {what}", link.on, link.label);
    Tally::new("link", &link.on, &link.label)
        .says(words)
        .query(link_sql::right(audit, link, rule, transform))
}

/// Every link that is not from its first source is listed as a repair.
struct Repaired<'a> {
    judged: &'a Judged<'a>,
    listed: Listed,
    told: usize,
    tally: Tally,
}

impl<'a> Repaired<'a> {
    fn read(
        audit: &Audit<'_>,
        (link, _, transform): Of<'_>,
        expected: &'a Expected<'_>,
    ) -> Result<Option<Self>> {
        let Expected::Judged(judged) = expected else { return Ok(None) };
        let words = format!(
            "every {}.{} that is not from its first source is listed as a repair",
            link.on, link.label
        );
        let tally = Tally::new("repair", &link.on, &link.label)
            .says(words)
            .query(link_sql::repaired(audit, link, transform));
        let listed = Listed::read_of(audit, &link.on, Some(&link.label))?;
        Ok(Some(Self { judged, listed, told: 0, tally }))
    }

    fn check(
        &mut self,
        label: &str,
        (source, slot, value): (usize, Option<usize>, u128),
        place: impl FnOnce() -> String,
    ) {
        // A row whose id is none that its source gives is told by the rule on ids.
        let Some(slot) = slot else { return };
        // A link that is none the source names is told by the rule on that.
        let right = match self.judged.of(source) {
            Verdict::Must(id, how) if id == value => {
                let how = self.judged.hows.get(usize::from(how)).map_or("", String::as_str);
                is_listed_as(&self.listed, label, slot, &[how])
            }
            _ => {
                let may = self.judged.allows(source, value);
                may.is_none_or(|may| is_listed_as(&self.listed, label, slot, &may))
            }
        };
        self.told += self.listed.of(label, slot).count();
        self.tally.check(right, place);
    }

    fn finish(mut self, label: &str) -> Rule {
        let strays = self.listed.total(label).saturating_sub(self.told) as u64;
        if strays > 0 {
            self.tally
                .violate(strays, || format!("{strays} listed of rows that were not migrated"));
        }
        self.tally.finish()
    }
}
