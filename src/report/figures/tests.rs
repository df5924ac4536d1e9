use super::count::{Counts, Key};
use super::plan::{Figure, What};
use super::*;
use crate::contract::{AttrRule, Constant, Otherwise, Pick, Values as Mapping};

const DAY: i64 = 20_000;

fn figure(what: What<'_>) -> Figure<'_> {
    Figure { source: "old", target: "new", before: vec!["at"], after: "at", elsewhere: false, what }
}

fn counts(rows: impl IntoIterator<Item = (Key, Moved)>) -> Counts {
    Counts { rows: rows.into_iter().collect(), ..Counts::default() }
}

fn same(rows: u64) -> Moved {
    Moved { before: rows, after: rows, ..Moved::default() }
}

fn series(rows: impl IntoIterator<Item = (i64, Moved)>) -> Series {
    let rows = rows.into_iter().map(|(day, moved)| (Key::Day(day), moved));
    days::series(&figure(What::Days { rule: None }), None, &counts(rows), true).unwrap()
}

#[test]
fn days_without_rows_are_points_too() {
    let found = series([(DAY, same(3)), (DAY + 3, same(1))]);
    let points: Vec<_> = found.points.iter().map(|it| (it.from.as_str(), it.rows.after)).collect();
    assert_eq!(
        points,
        [("2024-10-04", 3), ("2024-10-05", 0), ("2024-10-06", 0), ("2024-10-07", 1)]
    );
    assert_eq!((found.unit, found.explained), (Unit::Day, Some(true)));
}

#[test]
fn a_long_time_is_told_by_week_month_and_year_and_no_row_is_lost() {
    for (days, unit) in [(200, Unit::Week), (2000, Unit::Month), (9000, Unit::Year)] {
        let found = series((DAY..DAY + days).map(|day| (day, same(2))));
        assert_eq!(found.unit, unit);
        assert!(found.points.len() < 150, "{}", found.points.len());
        let rows: u64 = found.points.iter().map(|point| point.rows.before).sum();
        assert_eq!(rows, 2 * u64::try_from(days).unwrap());
    }
}

#[test]
fn a_few_rows_far_away_do_not_stretch_the_axis() {
    let usual = (DAY..DAY + 30).map(|day| (day, same(100)));
    let far = [(-25_568, same(1)), (0, same(2)), (80_000, same(1)), (84_006, same(1))];
    let found = series(usual.chain(far));
    assert_eq!((found.unit, found.points.len()), (Unit::Day, 30));
    assert_eq!((found.earlier.before, found.later.before), (3, 2));
}

#[test]
fn a_difference_that_nothing_explains_is_told() {
    let aside = Moved { before: 5, merged: 1, quarantined: 1, adopted: 1, after: 2, dropped: 0 };
    assert_eq!(series([(DAY, aside)]).explained, Some(true));
    let lost = Moved { after: 1, ..aside };
    assert_eq!(series([(DAY, lost)]).explained, Some(false));
    let moved = [(DAY, Moved { after: 4, ..same(5) }), (DAY + 1, Moved { after: 6, ..same(5) })];
    assert_eq!(series(moved).explained, Some(false), "a row that moved to another day");
}

fn rule(otherwise: Otherwise) -> AttrRule {
    let text = |from: &str, to: &str| (from.to_owned(), to.to_owned());
    AttrRule {
        values: Some(Mapping {
            map: vec![text("run", "running"), text("RUN", "loud"), text("done", "completed")],
            fold_case: true,
            otherwise,
        }),
        missing: Some(Constant::Text("completed".to_owned())),
        ..sample_rule()
    }
}

fn sample_rule() -> AttrRule {
    AttrRule {
        attr: "status".to_owned(),
        from: vec![Pick::Attr("status".to_owned())],
        template: None,
        missing: None,
        values: None,
        refers: None,
        built: None,
    }
}

#[test]
fn values_are_mapped_as_the_rule_says_and_compared() {
    let rule = rule(Otherwise::Keep);
    let text = |text: &str| Key::Text(text.to_owned());
    let before = |rows, quarantined| Moved { before: rows, quarantined, ..Moved::default() };
    let after = |rows| Moved { after: rows, ..Moved::default() };
    let mut rows = vec![
        (text("run"), before(4, 1)),
        (text("RUN"), before(2, 0)),
        (text("Run"), before(1, 0)),
        (text("odd"), Moved { before: 1, after: 1, ..Moved::default() }),
        (Key::Absent, before(3, 0)),
        (text("running"), after(4)),
        (text("loud"), after(2)),
        (text("completed"), after(3)),
    ];
    let figure = figure(What::Values(&rule));
    let found = values::values(&figure, &rule, &counts(rows.clone()), true).unwrap();
    assert_eq!(found.agrees, Some(true), "{found:?}");
    let becomes: Vec<_> = found
        .before
        .iter()
        .map(|it| (it.value.as_deref(), it.becomes.as_deref(), it.rows, it.migrated))
        .collect();
    assert_eq!(
        becomes,
        [
            (Some("run"), Some("running"), 4, 3),
            (None, Some("completed"), 3, 3),
            (Some("RUN"), Some("loud"), 2, 2),
            (Some("Run"), Some("running"), 1, 1),
            (Some("odd"), Some("odd"), 1, 1),
        ]
    );
    rows[5].1.after -= 1;
    rows[6].1.after += 1;
    let found = values::values(&figure, &rule, &counts(rows.clone()), true).unwrap();
    assert_eq!(found.agrees, Some(false), "one status was flipped");
    let found = values::values(&figure, &rule, &counts(rows), false).unwrap();
    assert_eq!(found.agrees, None, "rows were split");
}

#[test]
fn sizes_stand_in_powers_of_two() {
    let sizes: Vec<u32> = [0, 1, 2, 3, 4, 1023, 1024, u64::MAX].map(sizes::bin).to_vec();
    assert_eq!(sizes, [0, 0, 1, 1, 2, 9, 10, 63]);
    let rows = [(Key::Size(0), same(1)), (Key::Size(2), same(2)), (Key::Size(63), same(1))];
    let found = sizes::sizes(&figure(What::Sizes), &counts(rows), true).unwrap();
    assert_eq!(found.bins.len(), 64);
    assert_eq!((found.bins[2].from, found.bins[2].below, found.bins[2].rows.before), (4, 8, 2));
    assert_eq!((found.bins[63].below, found.explained), (u64::MAX, Some(true)));
}
