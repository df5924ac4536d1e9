//! Rows by a value that a rule maps: what there was, what the rule makes of it, what there is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::count::{Counts, Key};
use super::plan::Figure;
use crate::contract::{AttrRule, Constant, Otherwise};

/// How many values are told one by one.
const MOST: usize = 60;

/// The values of an attribute that a rule maps, before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Values {
    /// The legacy entity.
    pub source: String,
    /// The legacy attributes, of which the first that is there counts.
    pub from: Vec<String>,
    /// The target entity.
    pub target: String,
    /// The target attribute.
    pub attr: String,
    /// Legacy values, up to 60, the most frequent first.
    pub before: Vec<Before>,
    /// Target values, up to 60, the most frequent first.
    pub after: Vec<After>,
    /// How many further values there are, before and after.
    pub more: u64,
    /// Whether the target has each value as often as the rule makes it out of the legacy rows; absent
    /// when that cannot be told.
    pub agrees: Option<bool>,
}

/// A legacy value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Before {
    /// The value; absent where the rows have none.
    pub value: Option<String>,
    /// What the rule makes of it; absent when nothing.
    pub becomes: Option<String>,
    /// Legacy rows that have it.
    pub rows: u64,
    /// Of them, rows that were migrated.
    pub migrated: u64,
}

/// A target value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct After {
    /// The value; absent where the rows have none.
    pub value: Option<String>,
    /// Rows that should have it: the migrated rows, each mapped by the rule.
    pub expected: u64,
    /// Rows that have it, of those made from legacy rows.
    pub rows: u64,
}

/// The values of a figure; none when there is no row.
pub(super) fn values(
    figure: &Figure<'_>,
    rule: &AttrRule,
    counts: &Counts,
    comparable: bool,
) -> Option<Values> {
    let mut before = Vec::new();
    let mut after: BTreeMap<Option<String>, [u64; 2]> = BTreeMap::new();
    let mut known = comparable && !figure.elsewhere;
    for (key, moved) in &counts.rows {
        let value = match key {
            Key::Text(text) => Some(text.clone()),
            Key::Absent => None,
            _ => {
                known = false;
                continue;
            }
        };
        if moved.after > 0 {
            after.entry(value.clone()).or_default()[1] += moved.after;
        }
        if moved.before > 0 {
            let becomes = becomes(rule, value.as_deref());
            let migrated = moved.before - moved.aside().min(moved.before);
            if migrated > 0 {
                after.entry(becomes.clone()).or_default()[0] += migrated;
            }
            before.push(Before { value, becomes, rows: moved.before, migrated });
        }
    }
    if before.is_empty() && after.is_empty() {
        return None;
    }
    before.sort_by(|a, b| b.rows.cmp(&a.rows).then_with(|| a.value.cmp(&b.value)));
    let after = after.into_iter();
    let mut after: Vec<After> =
        after.map(|(value, [expected, rows])| After { value, expected, rows }).collect();
    after.sort_by(|a, b| b.rows.cmp(&a.rows).then_with(|| a.value.cmp(&b.value)));
    let agrees = after.iter().all(|it| it.expected == it.rows);
    let more = before.len().saturating_sub(MOST) + after.len().saturating_sub(MOST);
    before.truncate(MOST);
    after.truncate(MOST);
    Some(Values {
        source: figure.source.to_owned(),
        from: figure.before.iter().map(|name| (*name).to_owned()).collect(),
        target: figure.target.to_owned(),
        attr: figure.after.to_owned(),
        before,
        after,
        more: more as u64,
        agrees: known.then_some(agrees),
    })
}

/// What a rule makes of a value.
fn becomes(rule: &AttrRule, value: Option<&str>) -> Option<String> {
    let Some(value) = value else { return rule.missing.as_ref().map(text) };
    let mapping = rule.values.as_ref()?;
    let exact = mapping.map.iter().find(|(from, _)| from == value);
    let folded = || mapping.map.iter().find(|(from, _)| from.eq_ignore_ascii_case(value));
    if let Some((_, to)) = exact.or_else(|| mapping.fold_case.then(folded).flatten()) {
        return Some(to.clone());
    }
    match &mapping.otherwise {
        Otherwise::Keep => Some(value.to_owned()),
        Otherwise::Quarantine => None,
        Otherwise::Value(constant) => Some(text(constant)),
    }
}

fn text(constant: &Constant) -> String {
    match constant {
        Constant::Text(text) => text.clone(),
        Constant::Number(number) => number.to_string(),
        Constant::Boolean(is_so) => is_so.to_string(),
    }
}
