//! The contract: its limits, its blanks, and the document it is.

use super::{Block, Cell, Detail, Mark, Section, Table, clip};
use crate::document::{self, Document};
use crate::report::Report;

/// The contract's limits and blanks.
#[allow(clippy::unnecessary_wraps, reason = "every section may be absent; this one never is")]
pub(super) fn contract(report: &Report, detail: Detail) -> Option<Section> {
    let columns = [("limit", false), ("allows", false), ("the data has", true), ("outcome", false)];
    let table = Table::new("Limits of the contract", &columns);
    let mut blocks = vec![Block::Table(table.fill(detail, report.limits.iter(), |limit| {
        vec![
            Cell::name(&limit.name),
            Cell::words(&limit.allows),
            Cell::Count(limit.count),
            if limit.holds {
                Cell::Mark(Mark::Good, "within")
            } else {
                Cell::Mark(Mark::Bad, "exceeded")
            },
        ]
    }))];
    if !report.blanks.is_empty() {
        let table = Table::new("Blanks to fill", &[("blank", false)]);
        blocks.push(Block::Table(
            table.fill(detail, report.blanks.iter(), |blank| vec![Cell::name(blank)]),
        ));
    }
    if detail.full
        && let Some(document) = &report.document
    {
        blocks.extend(document_blocks(document, detail));
    }
    Some(Section {
        id: "contract",
        title: "Contract",
        lead: format!(
            "`{}`: {}. The bundle keeps it as `data/contract.toml` and, filled in, as \
             `data/CONTRACT.md`.",
            clip(&report.contract.name, 80),
            clip(&report.scope, 200)
        ),
        blocks,
    })
}

/// How long a paragraph of the document may be, in characters.
const PARAGRAPH: usize = 2000;

/// The sections of the document, each to be opened.
fn document_blocks(document: &Document, detail: Detail) -> Vec<Block> {
    let mut blocks = vec![Block::Heading(clip(&document.title, 160))];
    blocks.extend(document.sections.iter().map(|section| {
        let shown = section.blocks.iter().take(detail.rows);
        let shown: Vec<Block> = shown.map(|block| document_block(block, detail)).collect();
        Block::Group(format!("{}. {}", section.number, clip(&section.title, 120)), shown)
    }));
    blocks
}

fn document_block(block: &document::Block, detail: Detail) -> Block {
    match block {
        document::Block::Heading(text) => Block::Heading(clip(text, 160)),
        document::Block::Text(text) => Block::Text(clip(text, PARAGRAPH)),
        document::Block::List(items) => {
            let mut shown: Vec<String> =
                items.iter().take(detail.rows).map(|item| clip(item, PARAGRAPH)).collect();
            let more = items.len().saturating_sub(detail.rows);
            if more > 0 {
                shown.push(format!("and {more} more"));
            }
            Block::List(shown)
        }
        document::Block::Table { columns, rows } => {
            let mut table = Table::new("", &[]);
            table.columns = columns.iter().map(|name| (clip(name, 60).into(), false)).collect();
            Block::Table(table.fill(detail, rows.iter(), |row| {
                row.iter().map(|cell| Cell::words(cell)).collect()
            }))
        }
    }
}
