//! Rows by day; by week, month or year where they span a long time.

use std::collections::BTreeMap;

use chrono::{Datelike as _, Days, Months, NaiveDate};
use serde::{Deserialize, Serialize};

use super::Moved;
use super::count::{Counts, Key};
use super::plan::Figure;

/// Rows of a legacy table and of the target table it fills, over time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Series {
    /// The legacy entity.
    pub source: String,
    /// The target entity.
    pub target: String,
    /// The target attribute that gives the time.
    pub attr: String,
    /// The contract's rule that demands the order of these rows, when it has one.
    pub rule: Option<String>,
    /// What a point stands for.
    pub unit: Unit,
    /// The points, in order of time, without gaps.
    pub points: Vec<Point>,
    /// Rows before the first point.
    pub earlier: Moved,
    /// Rows after the last point.
    pub later: Moved,
    /// Rows without a time.
    pub undated: Moved,
    /// Whether the difference of every point is explained by rows that went elsewhere; absent when a
    /// legacy row becomes several.
    pub explained: Option<bool>,
}

/// What a point of a series stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// A day, UTC.
    Day,
    /// A week from Monday.
    Week,
    /// A month.
    Month,
    /// A year.
    Year,
}

/// Rows of a day, week, month or year.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// Its first day, as `2026-03-01`.
    pub from: String,
    /// The rows.
    pub rows: Moved,
}

/// The days that are counted one by one: 1900 to 2199. Others are earlier or later than all of them.
const FIRST: i64 = -25_567;
const LAST: i64 = 84_005;
/// From this many days on a series is drawn by weeks, by months, by years.
const LONG: [i64; 3] = [130, 900, 4000];
/// The share of the rows that may lie outside what is drawn, when that makes it much shorter.
const STRAY: u64 = 500;

const MICROS_A_DAY: i64 = 86_400_000_000;
/// 1970-01-01 as chrono counts days.
const EPOCH: i64 = 719_163;

/// The day of a moment, within those that are counted.
pub(super) fn day(micros: i64) -> i64 {
    micros.div_euclid(MICROS_A_DAY).clamp(FIRST - 1, LAST + 1)
}

impl Unit {
    fn of(days: i64) -> Self {
        match days {
            days if days < LONG[0] => Unit::Day,
            days if days < LONG[1] => Unit::Week,
            days if days < LONG[2] => Unit::Month,
            _ => Unit::Year,
        }
    }

    /// The first day of what a day belongs to.
    fn begin(self, day: NaiveDate) -> Option<NaiveDate> {
        match self {
            Unit::Day => Some(day),
            Unit::Week => {
                day.checked_sub_days(Days::new(day.weekday().num_days_from_monday().into()))
            }
            Unit::Month => day.with_day(1),
            Unit::Year => NaiveDate::from_ymd_opt(day.year(), 1, 1),
        }
    }

    /// The first day of the next one.
    fn next(self, begin: NaiveDate) -> Option<NaiveDate> {
        match self {
            Unit::Day => begin.checked_add_days(Days::new(1)),
            Unit::Week => begin.checked_add_days(Days::new(7)),
            Unit::Month => begin.checked_add_months(Months::new(1)),
            Unit::Year => begin.checked_add_months(Months::new(12)),
        }
    }
}

/// The series of a figure; none when no row has a time.
pub(super) fn series(
    figure: &Figure<'_>,
    rule: Option<&str>,
    counts: &Counts,
    comparable: bool,
) -> Option<Series> {
    let by_day: BTreeMap<i64, &Moved> = counts
        .rows
        .iter()
        .filter_map(|(key, moved)| match key {
            Key::Day(day) => Some((*day, moved)),
            _ => None,
        })
        .collect();
    let (first, last) = span(&by_day)?;
    let unit = Unit::of(last - first);
    let (mut earlier, mut later) = (Moved::default(), Moved::default());
    let mut bins: BTreeMap<NaiveDate, Moved> = BTreeMap::new();
    let mut begin = unit.begin(date(first)?)?;
    while begin <= date(last)? {
        bins.insert(begin, Moved::default());
        begin = unit.next(begin)?;
    }
    for (day, moved) in by_day {
        if day < first {
            earlier.add(moved);
        } else if day > last {
            later.add(moved);
        } else {
            bins.entry(unit.begin(date(day)?)?).or_default().add(moved);
        }
    }
    let undated = counts.rows.get(&Key::Absent).copied().unwrap_or_default();
    let points: Vec<Point> =
        bins.into_iter().map(|(from, rows)| Point { from: from.to_string(), rows }).collect();
    let drawn = points.iter().map(|point| &point.rows);
    let holds = drawn.chain([&earlier, &later, &undated]).all(Moved::is_explained);
    let known = comparable && !figure.elsewhere;
    Some(Series {
        source: figure.source.to_owned(),
        target: figure.target.to_owned(),
        attr: figure.after.to_owned(),
        rule: rule.map(str::to_owned),
        unit,
        points,
        earlier,
        later,
        undated,
        explained: known.then_some(holds),
    })
}

fn date(day: i64) -> Option<NaiveDate> {
    NaiveDate::from_num_days_from_ce_opt(i32::try_from(day + EPOCH).ok()?)
}

/// The first and the last day to be drawn: all of them, but for a few strays far away.
fn span(by_day: &BTreeMap<i64, &Moved>) -> Option<(i64, i64)> {
    let weight = |moved: &Moved| moved.before + moved.after;
    let inside: Vec<(i64, u64)> = by_day
        .iter()
        .filter(|(day, _)| (FIRST..=LAST).contains(*day))
        .map(|(day, moved)| (*day, weight(moved)))
        .collect();
    let (first, last) = (inside.first()?.0, inside.last()?.0);
    let few = inside.iter().map(|(_, rows)| rows).sum::<u64>() / STRAY;
    let near_first = edge(inside.iter(), few)?;
    let near_last = edge(inside.iter().rev(), few)?;
    let is_far = last - first >= LONG[0] && (last - first) > 4 * (near_last - near_first).max(1);
    if is_far && near_first <= near_last {
        Some((near_first, near_last))
    } else {
        Some((first, last))
    }
}

/// The first day after more than a few rows.
fn edge<'a>(mut days: impl Iterator<Item = &'a (i64, u64)>, few: u64) -> Option<i64> {
    let mut passed = 0;
    let found = days.find(|(_, rows)| {
        passed += rows;
        passed > few
    });
    found.map(|(day, _)| *day)
}
