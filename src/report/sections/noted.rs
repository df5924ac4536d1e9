//! What people must know of and what stops nothing.

use super::{Block, Cell, Detail, Section, Table};
use crate::bundle::LeftKind;
use crate::report::{Report, noted};

/// What verification notes and what is left behind.
pub(super) fn noted(report: &Report, detail: Detail) -> Option<Section> {
    let mut blocks = Vec::new();
    if !report.remarks.is_empty() {
        blocks.push(Block::List(report.remarks.clone()));
    }
    if !report.notes.is_empty() {
        let columns = [("what", false), ("how many", true), ("first ones", false)];
        let table = Table::new("Noted: counted, and no reason to fail", &columns);
        blocks.push(Block::Table(table.fill(detail, report.notes.iter(), |it| {
            vec![Cell::words(&it.what), Cell::Count(it.count), first_ones(&it.samples)]
        })));
    }
    if !report.left_behind.is_empty() {
        let columns =
            [("what", false), ("name", false), ("rows or values", true), ("first ones", false)];
        let table = Table::new("Left behind: read, and not in the target", &columns);
        blocks.push(Block::Table(table.fill(detail, report.left_behind.iter(), |left| {
            vec![
                Cell::Words(kind_name(left.kind).to_owned()),
                Cell::name(&noted::name_of(left)),
                Cell::Count(left.count),
                first_ones(&left.samples),
            ]
        })));
    }
    (!blocks.is_empty()).then(|| Section {
        id: "noted",
        title: "What you should know",
        lead: "What is noted was counted in the migrated rows, for somebody to look at; it stops nothing \
               but where the contract sets a limit. What is left behind was read and is not in the target: it is still \
               in the source, and in the snapshot (attributes in its `_extra` column, links in \
               `data/links`); other entities stay in the app."
            .to_owned(),
        blocks,
    })
}

fn first_ones(samples: &[String]) -> Cell {
    if samples.is_empty() {
        return Cell::Empty;
    }
    Cell::Lines(samples.iter().map(|sample| super::clip(sample, 100)).collect())
}

/// What kind of thing is left behind.
fn kind_name(kind: LeftKind) -> &'static str {
    match kind {
        LeftKind::Attribute => "attribute",
        LeftKind::Entity => "entity",
        LeftKind::Link => "link",
        LeftKind::SchemaRule => "rule of the schema",
    }
}
