//! The report's sections, the same for Markdown and HTML: tables of cells and figures to be drawn, not
//! escaped yet.

mod accounts;
mod beside;
mod cutover;
mod figures;
mod flow;
mod links;
mod noted;
mod plan;
mod proofs;
mod sizes;
mod values;
mod written;

use std::borrow::Cow;

use super::Report;
use crate::error::{grouped, printable};
use crate::verify::Outcome;

pub(super) use figures::{Bars, Columns, Line, Spot};
pub(super) use flow::{Flow, flow};

/// How much of long lists is shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Detail {
    /// Rows of a table.
    pub(super) rows: usize,
    /// Whether every rule shows its query.
    pub(super) queries: bool,
    /// Whether figures are drawn and long lists folded away; else only what fits a review.
    pub(super) full: bool,
}

/// One section.
#[derive(Debug)]
pub(super) struct Section {
    /// Its anchor.
    pub(super) id: &'static str,
    /// Its title.
    pub(super) title: &'static str,
    /// A paragraph that says what it shows; names stand in backticks.
    pub(super) lead: String,
    /// What it shows.
    pub(super) blocks: Vec<Block>,
}

/// A part of a section.
#[derive(Debug)]
pub(super) enum Block {
    /// A table.
    Table(Table),
    /// A table that only shows when asked for.
    Folded(Table),
    /// Paragraphs in order.
    Steps(Vec<String>),
    /// Commands and what each does.
    Commands(Vec<(String, String)>),
    /// A heading below the section's.
    Heading(String),
    /// A paragraph; names stand in backticks.
    Text(String),
    /// A list.
    List(Vec<String>),
    /// Blocks that only show when asked for, under a title.
    Group(String, Vec<Block>),
    /// Something to be drawn; a table that says the same follows it.
    Figure(Figure),
}

/// Something to be drawn.
#[derive(Debug)]
pub(super) struct Figure {
    /// What it shows.
    pub(super) title: String,
    /// What there is to see in it, for those who do not see it.
    pub(super) said: String,
    /// How what it compares came out.
    pub(super) mark: Option<(Mark, &'static str)>,
    /// The drawing.
    pub(super) drawing: Drawing,
}

/// A drawing.
#[derive(Debug)]
pub(super) enum Drawing {
    /// Columns before, a line after.
    Columns(Columns),
    /// Horizontal bars in groups.
    Bars(Bars),
}

/// A table.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) caption: String,
    /// The header of each column, and whether it holds counts.
    pub(super) columns: Vec<(Cow<'static, str>, bool)>,
    pub(super) rows: Vec<Vec<Cell>>,
    /// How many rows are not shown.
    pub(super) more: u64,
}

/// A cell.
#[derive(Debug)]
pub(super) enum Cell {
    /// Words; names stand in backticks.
    Words(String),
    /// A name or an id.
    Code(String),
    /// Words under each other.
    Lines(Vec<String>),
    /// A count.
    Count(u64),
    /// Whether something holds, and the word for it.
    Mark(Mark, &'static str),
    /// Shares of a whole: migrated, merged, quarantined, dropped.
    Shares([u64; 4]),
    /// A link's rules: rows looked at, links missing, and how they came out.
    Ends(u64, u64, Outcome),
    /// A query.
    Query(String),
    /// Nothing.
    Empty,
}

/// Whether something holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Good,
    /// Something to know of, which stops nothing.
    Noted,
    Bad,
    Neutral,
}

impl Table {
    fn new(caption: impl Into<String>, columns: &[(&'static str, bool)]) -> Self {
        let columns = columns.iter().map(|(name, counts)| (Cow::Borrowed(*name), *counts));
        Self { caption: caption.into(), columns: columns.collect(), rows: Vec::new(), more: 0 }
    }

    /// Takes the first rows in and counts the others.
    fn fill<T>(
        mut self,
        detail: Detail,
        all: impl ExactSizeIterator<Item = T>,
        row: impl FnMut(T) -> Vec<Cell>,
    ) -> Self {
        self.more = all.len().saturating_sub(detail.rows) as u64;
        self.rows = all.take(detail.rows).map(row).collect();
        self
    }
}

impl Cell {
    /// A name or an id out of the data, cut when it is long.
    fn name(text: &str) -> Self {
        Cell::Code(clip(text, 80))
    }

    fn words(text: &str) -> Self {
        Cell::Words(clip(text, 300))
    }

    fn holds(holds: bool) -> Self {
        if holds { Cell::Mark(Mark::Good, "holds") } else { Cell::Mark(Mark::Bad, "violated") }
    }

    fn outcome(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Passed => Cell::holds(true),
            Outcome::Noted => Cell::Mark(Mark::Noted, "noted"),
            Outcome::Failed => Cell::holds(false),
            Outcome::NotEvaluated => Cell::Mark(Mark::Bad, "not evaluated"),
            Outcome::NothingThere => Cell::Mark(Mark::Neutral, "nothing there"),
        }
    }
}

/// A text without control characters or line ends, and no longer than so many characters.
pub(super) fn clip(text: &str, most: usize) -> String {
    let mut start: String = text.chars().take(most + 1).collect();
    let cut = start.chars().count() > most;
    if cut {
        start.pop();
    }
    let shown = printable(&start.replace(['\n', '\r', '\t'], " "));
    if cut { format!("{shown}…") } else { shown }
}

/// All sections that have something to say.
pub(super) fn sections(report: &Report, detail: Detail) -> Vec<Section> {
    let all = [
        proofs::violated(report, detail),
        noted::noted(report, detail),
        accounts::counts(report, detail),
        figures::time(report, detail),
        values::values(report, detail),
        sizes::sizes(report, detail),
        links::matrix(report, detail),
        proofs::order(report, detail),
        accounts::repairs(report, detail),
        accounts::quarantine(report, detail),
        plan::plan(report, detail),
        cutover::cutover(report, detail),
        written::contract(report, detail),
        accounts::targets(report, detail),
        proofs::import(report, detail),
        beside::legacy_links(report, detail),
        beside::ids(report, detail),
        beside::dropped(report, detail),
        proofs::rules(report, detail),
        proofs::hashes(report, detail),
        next(report),
    ];
    all.into_iter().flatten().collect()
}

fn next(report: &Report) -> Option<Section> {
    if report.next.is_empty() {
        return None;
    }
    Some(Section {
        id: "next",
        title: "What to do next",
        lead: String::new(),
        blocks: vec![Block::Steps(report.next.clone())],
    })
}

/// `1 row`, `2 rows`.
pub(super) fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { many })
}
