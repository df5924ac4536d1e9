//! Sizes of payloads, before and after.

use super::figures::{Columns, MOST, Spot, agreement, mark, moved_table, points};
use super::{Block, Cell, Detail, Drawing, Figure, Section, Table, clip, counted};
use crate::error::grouped;
use crate::report::Report;
use crate::report::figures::{Bin, Sizes};

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
    let name = |bin: &Bin| {
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
