//! Figures as text.

use std::fmt::Write as _;

use super::{Column, Figures, Groups, Sizes, Table, Values};
use crate::error::{grouped, printable};

/// Writes figures for people; nothing in them steers a terminal.
pub fn text(figures: &Figures) -> String {
    let rows: u64 = figures.tables.iter().map(|table| table.rows).sum();
    let tables = figures.tables.len();
    let mut out =
        format!("{} {}\n{} rows in {tables} tables\n", figures.what, figures.digest, grouped(rows));
    for found in &figures.tables {
        table(&mut out, found);
    }
    for (entity, label, pairs) in &figures.links {
        let (name, pairs) = (one_line(&format!("{entity}.{label}")), grouped(*pairs));
        // Writing to a `String` cannot fail, here and below.
        let _ = writeln!(out, "\nlink {name}: {pairs} pairs");
    }
    out
}

fn one_line(text: &str) -> String {
    printable(text).replace('\n', "\\n")
}

fn table(out: &mut String, table: &Table) {
    let (rows, bytes) = (grouped(table.rows), grouped(table.bytes));
    let (entity, side) = (one_line(&table.entity), &table.side);
    let _ = writeln!(out, "\n{entity} ({side}): {rows} rows, {bytes} bytes");
    for found in table.columns.iter().filter(|_| table.rows > 0) {
        column(out, found, table.rows);
    }
    for found in table.groups.iter().filter(|groups| groups.groups > 0) {
        groups(out, found);
    }
}

fn column(out: &mut String, column: &Column, rows: u64) {
    let per_mille = u128::from(column.filled) * 1000 / u128::from(rows.max(1));
    let filled = format!("{}.{} %", per_mille / 10, per_mille % 10);
    let (name, ty) = (one_line(&column.name), &column.ty);
    let _ = write!(out, "  {name:<24} {ty:<8} {filled:>7}");
    if let Some(span) = &column.span {
        let _ = write!(out, "  {} to {}", span.least, span.greatest);
    }
    if let Some(found) = &column.values {
        let _ = write!(out, "  {}", values(found));
    }
    out.push('\n');
    if let Some(found) = &column.sizes {
        sizes(out, found);
    }
    if let Some(found) = &column.parts {
        let found = found.iter().map(|it| format!("{} {}", it.sdk, grouped(it.rows)));
        let found = found.collect::<Vec<_>>().join(", ");
        let _ = writeln!(out, "    parts by the version of the AI SDK that wrote them: {found}");
    }
}

fn values(values: &Values) -> String {
    if values.more {
        return format!("more than {} values", grouped(values.distinct));
    }
    let value =
        |value: &super::Value| format!("\"{}\" {}", one_line(&value.value), grouped(value.rows));
    values.counts.iter().map(value).collect::<Vec<_>>().join(", ")
}

fn sizes(out: &mut String, sizes: &Sizes) {
    let [total, median, p90, p99, max] =
        [sizes.total, sizes.median, sizes.p90, sizes.p99, sizes.max].map(grouped);
    let _ =
        writeln!(out, "    {total} bytes: median {median}, 90 % {p90}, 99 % {p99}, largest {max}");
    let most = sizes.histogram.iter().map(|(_, count)| *count).max().unwrap_or(1).max(1);
    for (below, count) in &sizes.histogram {
        let width = usize::try_from(count * 40 / most).unwrap_or_default();
        let bar = "#".repeat(width.max(1));
        let _ = writeln!(out, "    < {:>13} {:>13} {bar}", grouped(*below), grouped(*count));
    }
}

fn groups(out: &mut String, groups: &Groups) {
    let more = if groups.more { "more than " } else { "" };
    let link = one_line(&groups.link);
    let _ = writeln!(out, "  by {link}: {more}{} groups; the largest:", grouped(groups.groups));
    for group in &groups.largest {
        let _ = writeln!(out, "    {:>13} {}", grouped(group.rows), one_line(&group.id));
    }
}
