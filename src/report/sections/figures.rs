//! What is drawn, each with a table that says the same; and the first of it: rows over time.

use super::{Block, Cell, Detail, Drawing, Figure, Mark, Section, Table, clip, counted};
use crate::error::grouped;
use crate::report::Report;
use crate::report::figures::{Moved, Series, Unit};

/// How many figures of a kind are drawn.
pub(super) const MOST: usize = 12;

/// Columns that show rows before, with what went elsewhere, and a line that shows rows after.
#[derive(Debug)]
pub(in crate::report) struct Columns {
    /// What the horizontal axis shows.
    pub(in crate::report) axis: String,
    /// What the vertical axis shows.
    pub(in crate::report) unit: String,
    pub(in crate::report) spots: Vec<Spot>,
    /// Whether the horizontal axis is time, whose labels are left out evenly.
    pub(in crate::report) is_time: bool,
}

/// A column.
#[derive(Debug)]
pub(in crate::report) struct Spot {
    /// Its label on the axis.
    pub(in crate::report) label: String,
    pub(in crate::report) rows: Moved,
}

/// Horizontal bars in groups.
#[derive(Debug)]
pub(in crate::report) struct Bars {
    pub(in crate::report) unit: String,
    pub(in crate::report) lines: Vec<Line>,
}

/// A line of a bar chart.
#[derive(Debug)]
pub(in crate::report) enum Line {
    /// A group begins.
    Group(String),
    /// Rows before that have a value; of them, rows that went elsewhere.
    Before(String, u64, u64),
    /// Rows after, and how many there should be.
    After(String, u64, u64),
}

/// Rows over time.
pub(super) fn time(report: &Report, detail: Detail) -> Option<Section> {
    let all = &report.figures.as_ref()?.series;
    let (first, others) = all.split_first()?;
    let mut blocks = vec![Block::Table(summary(all, detail))];
    if detail.full {
        let folded = others.iter().take(MOST).flat_map(|series| series_blocks(series, detail));
        let folded: Vec<Block> = folded.collect();
        blocks = series_blocks(first, detail);
        blocks.push(Block::Table(summary(all, detail)));
        if !folded.is_empty() {
            let count = counted(others.len() as u64, "other table", "other tables");
            blocks.push(Block::Group(format!("{count} over time"), folded));
        }
    }
    Some(Section {
        id: "time",
        title: "Over time",
        lead: "Legacy rows by their own time, and the target rows made from them. Where the line is \
               below the columns, the difference is rows that were merged, set aside, dropped by rule \
               or that stand on an existing row."
            .to_owned(),
        blocks,
    })
}

fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Day => "day",
        Unit::Week => "week",
        Unit::Month => "month",
        Unit::Year => "year",
    }
}

fn sum(series: &Series) -> Moved {
    let mut sum = Moved::default();
    let points = series.points.iter().map(|point| &point.rows);
    for rows in points.chain([&series.earlier, &series.later, &series.undated]) {
        sum.before += rows.before;
        sum.merged += rows.merged;
        sum.quarantined += rows.quarantined;
        sum.dropped += rows.dropped;
        sum.adopted += rows.adopted;
        sum.after += rows.after;
    }
    sum
}

pub(super) fn agreement(agrees: Option<bool>) -> Cell {
    let (mark, word) = mark(agrees);
    Cell::Mark(mark, word)
}

pub(super) fn mark(agrees: Option<bool>) -> (Mark, &'static str) {
    match agrees {
        Some(true) => (Mark::Good, "agrees"),
        Some(false) => (Mark::Bad, "differs"),
        None => (Mark::Neutral, "not comparable"),
    }
}

fn summary(all: &[Series], detail: Detail) -> Table {
    let columns = [
        ("legacy table", false),
        ("target table", false),
        ("from", false),
        ("to", false),
        ("rows before", true),
        ("went elsewhere", true),
        ("rows after", true),
        ("every point", false),
    ];
    Table::new("Rows over time, summed up", &columns).fill(detail, all.iter(), |series| {
        let (first, last) = (series.points.first(), series.points.last());
        let rows = sum(series);
        vec![
            Cell::name(&series.source),
            Cell::name(&series.target),
            first.map_or(Cell::Empty, |point| Cell::name(&point.from)),
            last.map_or(Cell::Empty, |point| Cell::name(&point.from)),
            Cell::Count(rows.before),
            Cell::Count(rows.aside()),
            Cell::Count(rows.after),
            agreement(series.explained),
        ]
    })
}

fn series_blocks(series: &Series, detail: Detail) -> Vec<Block> {
    let (each, rows) = (unit(series.unit), sum(series));
    let title = format!("`{}` per {each}, before and after", clip(&series.source, 60));
    let ordered = series.rule.as_deref();
    let ordered = ordered.map(|rule| format!(" Their order: {}.", clip(rule, 160)));
    let stray: Vec<String> = [
        ("before the first", series.earlier),
        ("after the last", series.later),
        ("without a time", series.undated),
    ]
    .into_iter()
    .filter(|(_, rows)| rows.before + rows.after > 0)
    .map(|(what, rows)| {
        format!("{what}: {} before, {} after", grouped(rows.before), grouped(rows.after))
    })
    .collect();
    let stray =
        if stray.is_empty() { String::new() } else { format!(" Not drawn: {}.", stray.join("; ")) };
    let said = format!(
        "{} before, {} after, over {}.{}{stray}",
        counted(rows.before, "row", "rows"),
        grouped(rows.after),
        counted(series.points.len() as u64, each, &format!("{each}s")),
        ordered.unwrap_or_default()
    );
    let spots = series.points.iter();
    let spots = spots.map(|point| Spot { label: point.from.clone(), rows: point.rows }).collect();
    let axis = format!("{} ({each}, UTC)", clip(&series.attr, 40));
    let columns = Columns { axis, unit: "rows".to_owned(), spots, is_time: true };
    let names = points(&series.points, |point| point.from.clone(), |point| point.rows);
    vec![
        Block::Figure(Figure {
            title: title.clone(),
            said,
            mark: Some(mark(series.explained)),
            drawing: Drawing::Columns(columns),
        }),
        Block::Folded(moved_table(&format!("The same as a table: {title}"), each, &names, detail)),
    ]
}

pub(super) fn points<T>(
    all: &[T],
    name: impl Fn(&T) -> String,
    rows: impl Fn(&T) -> Moved,
) -> Vec<(String, Moved)> {
    all.iter().map(|it| (name(it), rows(it))).collect()
}

/// Rows of every column of a drawing.
pub(super) fn moved_table(
    caption: &str,
    first: &'static str,
    rows: &[(String, Moved)],
    detail: Detail,
) -> Table {
    type Part = (&'static str, fn(&Moved) -> u64);
    let parts: [Part; 4] = [
        ("merged", |rows| rows.merged),
        ("quarantined", |rows| rows.quarantined),
        ("dropped by rule", |rows| rows.dropped),
        ("on existing rows", |rows| rows.adopted),
    ];
    let parts: Vec<Part> =
        parts.into_iter().filter(|(_, of)| rows.iter().any(|(_, it)| of(it) > 0)).collect();
    let mut columns = vec![(first, false), ("before", true)];
    columns.extend(parts.iter().map(|(name, _)| (*name, true)));
    columns.push(("after", true));
    Table::new(caption, &columns).fill(detail, rows.iter(), |(name, rows)| {
        let mut row = vec![Cell::words(name), Cell::Count(rows.before)];
        row.extend(parts.iter().map(|(_, of)| Cell::Count(of(rows))));
        row.push(Cell::Count(rows.after));
        row
    })
}
