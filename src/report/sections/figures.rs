//! What is drawn: rows over time, values, payload sizes; each with a table that says the same.

use super::{Block, Cell, Detail, Drawing, Figure, Mark, Section, Table, clip, counted};
use crate::error::grouped;
use crate::report::Report;
use crate::report::figures::{Moved, Series, Sizes, Unit, Values};

/// How many figures of a kind are drawn.
const MOST: usize = 12;

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

fn agreement(agrees: Option<bool>) -> Cell {
    let (mark, word) = mark(agrees);
    Cell::Mark(mark, word)
}

fn mark(agrees: Option<bool>) -> (Mark, &'static str) {
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

fn points<T>(
    all: &[T],
    name: impl Fn(&T) -> String,
    rows: impl Fn(&T) -> Moved,
) -> Vec<(String, Moved)> {
    all.iter().map(|it| (name(it), rows(it))).collect()
}

/// Rows of every column of a drawing.
fn moved_table(
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

/// Values that a rule maps.
pub(super) fn values(report: &Report, detail: Detail) -> Option<Section> {
    let all = &report.figures.as_ref()?.values;
    if all.is_empty() {
        return None;
    }
    let mut blocks = Vec::new();
    if detail.full {
        blocks.extend(all.iter().take(MOST).flat_map(|values| value_blocks(values, detail)));
    } else {
        let columns = [
            ("legacy table", false),
            ("target attribute", false),
            ("values", true),
            ("rule", false),
        ];
        let table = Table::new("Values that a rule maps", &columns);
        blocks.push(Block::Table(table.fill(detail, all.iter(), |values| {
            vec![
                Cell::name(&values.source),
                Cell::name(&format!("{}.{}", values.target, values.attr)),
                Cell::Count(values.after.len() as u64),
                agreement(values.agrees),
            ]
        })));
    }
    let differ = all.iter().filter(|values| values.agrees == Some(false)).count() as u64;
    Some(Section {
        id: "values",
        title: "Statuses and types",
        lead: format!(
            "Legacy values, what the contract's rules make of them, and the values the target has. {}",
            match differ {
                0 => "The target has each value as often as the rule makes it.".to_owned(),
                _ => format!(
                    "{} from what the rule makes.",
                    counted(differ, "attribute differs", "attributes differ")
                ),
            }
        ),
        blocks,
    })
}

fn value_name(value: Option<&str>) -> String {
    value.map_or_else(|| "(none)".to_owned(), |value| format!("“{}”", clip(value, 60)))
}

fn value_blocks(values: &Values, detail: Detail) -> Vec<Block> {
    let attr = format!("`{}.{}`", clip(&values.target, 60), clip(&values.attr, 60));
    let mut lines = Vec::new();
    for after in &values.after {
        lines.push(Line::Group(value_name(after.value.as_deref())));
        for before in values.before.iter().filter(|before| before.becomes == after.value) {
            let name = value_name(before.value.as_deref());
            lines.push(Line::Before(
                name,
                before.rows,
                before.rows - before.migrated.min(before.rows),
            ));
        }
        lines.push(Line::After(value_name(after.value.as_deref()), after.rows, after.expected));
    }
    let lost: Vec<_> = values
        .before
        .iter()
        .filter(|before| !values.after.iter().any(|after| after.value == before.becomes))
        .collect();
    if !lost.is_empty() {
        lines.push(Line::Group("no row of the target".to_owned()));
        lines.extend(lost.into_iter().map(|before| {
            let name = value_name(before.value.as_deref());
            Line::Before(name, before.rows, before.rows - before.migrated.min(before.rows))
        }));
    }
    let said = match values.agrees {
        Some(true) => {
            "The target has each value as often as the rule makes it of the migrated rows."
        }
        Some(false) => "The target has some value more or less often than the rule makes it.",
        None => "Whether the target has each value as often as the rule makes it cannot be told.",
    };
    let title = format!("{attr} out of `{}`", clip(&values.source, 60));
    let bars = Bars { unit: "rows".to_owned(), lines };
    let columns =
        [("legacy value", false), ("becomes", false), ("rows before", true), ("migrated", true)];
    let before = Table::new("Before, and what the rule makes of it", &columns);
    let mut before = before.fill(detail, values.before.iter(), |it| {
        vec![
            Cell::Words(value_name(it.value.as_deref())),
            Cell::Words(value_name(it.becomes.as_deref())),
            Cell::Count(it.rows),
            Cell::Count(it.migrated),
        ]
    });
    before.more += values.more;
    let columns = [
        ("target value", false),
        ("by the rule", true),
        ("in the target", true),
        ("outcome", false),
    ];
    let after = Table::new("After, and how often there should be", &columns);
    let after = after.fill(detail, values.after.iter(), |it| {
        vec![
            Cell::Words(value_name(it.value.as_deref())),
            Cell::Count(it.expected),
            Cell::Count(it.rows),
            agreement(values.agrees.map(|_| it.expected == it.rows)),
        ]
    });
    vec![
        Block::Figure(Figure {
            title: title.clone(),
            said: said.to_owned(),
            mark: Some(mark(values.agrees)),
            drawing: Drawing::Bars(bars),
        }),
        Block::Group(
            format!("The same as tables: {title}"),
            vec![Block::Table(before), Block::Table(after)],
        ),
    ]
}

/// Sizes of payloads.
pub(super) fn sizes(report: &Report, detail: Detail) -> Option<Section> {
    let all = &report.figures.as_ref()?.sizes;
    if all.is_empty() {
        return None;
    }
    let columns = [
        ("target attribute", false),
        ("legacy table", false),
        ("bytes before", true),
        ("bytes after", true),
        ("largest before", true),
        ("largest after", true),
        ("every size", false),
    ];
    let table = Table::new("JSON payloads, summed up", &columns);
    let table = table.fill(detail, all.iter(), |sizes| {
        vec![
            Cell::name(&format!("{}.{}", sizes.target, sizes.attr)),
            Cell::name(&sizes.source),
            Cell::Count(sizes.bytes_before),
            Cell::Count(sizes.bytes_after),
            Cell::Count(sizes.largest_before),
            Cell::Count(sizes.largest_after),
            agreement(sizes.explained),
        ]
    });
    let mut blocks = Vec::new();
    if detail.full {
        let mut largest: Vec<&Sizes> = all.iter().collect();
        largest.sort_by_key(|sizes| std::cmp::Reverse(sizes.bytes_before));
        blocks.extend(largest.into_iter().take(MOST).flat_map(|sizes| size_blocks(sizes, detail)));
    }
    blocks.push(Block::Table(table));
    Some(Section {
        id: "sizes",
        title: "Payload sizes",
        lead: "Rows by the bytes of their JSON payload, in powers of two. Payloads are carried as \
               the text they are, so the two agree but for rows that went elsewhere."
            .to_owned(),
        blocks,
    })
}

fn bytes(count: u64) -> String {
    match count {
        0..1024 => format!("{count} B"),
        1024..1_048_576 => format!("{} KiB", count >> 10),
        _ => format!("{} MiB", count >> 20),
    }
}

fn size_blocks(sizes: &Sizes, detail: Detail) -> Vec<Block> {
    let title = format!("Sizes of `{}.{}`", clip(&sizes.target, 60), clip(&sizes.attr, 60));
    let said = format!(
        "{} before and {} after; the largest has {}.{}",
        counted(sizes.bytes_before, "byte", "bytes"),
        grouped(sizes.bytes_after),
        counted(sizes.largest_before.max(sizes.largest_after), "byte", "bytes"),
        match sizes.absent.before + sizes.absent.after {
            0 => String::new(),
            _ => format!(
                " Without a payload: {} before, {} after.",
                grouped(sizes.absent.before),
                grouped(sizes.absent.after)
            ),
        }
    );
    let spots = sizes.bins.iter();
    let spots = spots.map(|bin| Spot { label: bytes(bin.from), rows: bin.rows }).collect();
    let axis = "bytes of the payload, from".to_owned();
    let columns = Columns { axis, unit: "rows".to_owned(), spots, is_time: false };
    let name = |bin: &crate::report::figures::Bin| {
        format!("{} to {} bytes", grouped(bin.from), grouped(bin.below.saturating_sub(1)))
    };
    let names = points(&sizes.bins, name, |bin| bin.rows);
    vec![
        Block::Figure(Figure {
            title: title.clone(),
            said,
            mark: Some(mark(sizes.explained)),
            drawing: Drawing::Columns(columns),
        }),
        Block::Folded(moved_table(
            &format!("The same as a table: {title}"),
            "size",
            &names,
            detail,
        )),
    ]
}
