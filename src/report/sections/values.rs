//! Values that a rule maps, before and after.

use super::figures::{Bars, Line, MOST, agreement, mark};
use super::{Block, Cell, Detail, Drawing, Figure, Section, Table, clip, counted};
use crate::report::Report;
use crate::report::figures::Values;

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
    let said = match values.agrees {
        Some(true) => {
            "The target has each value as often as the rule makes it of the migrated rows."
        }
        Some(false) => "The target has some value more or less often than the rule makes it.",
        None => "Whether the target has each value as often as the rule makes it cannot be told.",
    };
    let title = format!("{attr} out of `{}`", clip(&values.source, 60));
    let bars = Bars { unit: "rows".to_owned(), lines: lines(values) };
    let [before, after] = tables(values, detail);
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

/// The bars: for every target value what becomes it, then what there is.
fn lines(values: &Values) -> Vec<Line> {
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
    lines
}

/// The values before and after as tables.
fn tables(values: &Values, detail: Detail) -> [Table; 2] {
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
    [before, after]
}
