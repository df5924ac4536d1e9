//! An answer as text.

use std::fmt::{self, Write as _};

use super::answer::{
    Answer, AttrStep, Existing, Field, Group, Legacy, LinkStep, LinkedFrom, Made, Neighbour, Order,
    Outcome, Place, Winner,
};
use super::cell::on_one_line;
use crate::error::grouped;

/// Writes an answer for people; nothing in it steers a terminal.
pub fn text(answer: &Answer) -> String {
    let mut out = Lines(String::new());
    out.line(0, &head(answer));
    for row in &answer.legacy {
        legacy(&mut out, row);
    }
    for row in &answer.existing {
        existing(&mut out, row);
    }
    if answer.named > 0 {
        named_by(&mut out, answer);
    }
    out.line(0, "");
    let rows: u64 = answer.searched.iter().map(|file| file.rows).sum();
    let files = answer.searched.len();
    out.line(0, &format!("searched: {} rows in {files} files", grouped(rows)));
    for note in &answer.notes {
        out.line(0, &format!("note: {note}"));
    }
    out.0
}

struct Lines(String);

impl Lines {
    fn line(&mut self, depth: usize, text: &str) {
        // Writing to a `String` cannot fail.
        let _ = writeln!(self.0, "{:depth$}{}", "", on_one_line(text), depth = depth * 2);
    }
}

fn head(answer: &Answer) -> String {
    let (legacy, existing) = (answer.legacy.len(), answer.existing.len());
    let counted = |count: usize, what: &str| match count {
        1 => format!("1 {what} row"),
        _ => format!("{count} {what} rows"),
    };
    let found = match (legacy, existing) {
        (0, 0) => "no row has this id".to_owned(),
        (_, 0) => counted(legacy, "legacy"),
        (0, _) => counted(existing, "existing"),
        _ => format!("{}, {}", counted(legacy, "legacy"), counted(existing, "existing")),
    };
    format!("{}: {found} in {}", answer.id, answer.bundle.name)
}

/// Where a row stands in the export.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "row {} of the export `{}`", self.row, self.source)?;
        match (&self.file, self.at) {
            (Some(file), Some((what, number))) => {
                let file = if *file == self.source { String::new() } else { format!("{file}, ") };
                write!(f, " ({file}{what} {})", grouped(number))
            }
            _ => Ok(()),
        }
    }
}

fn legacy(out: &mut Lines, row: &Legacy) {
    out.line(0, "");
    let id = row.id.as_deref().unwrap_or("without an id");
    out.line(0, &format!("{} {id}", row.entity));
    out.line(1, &format!("stands in {}", row.place));
    for fixes in &row.corrected {
        out.line(1, &format!("corrected since, by a file with the sha256 {fixes}"));
    }
    for field in row.values.iter().flatten() {
        value(out, 2, field);
    }
    outcome(out, &row.outcome);
    if !row.homeless.is_empty() {
        out.line(1, &format!("dropped by rule: the values of {}", row.homeless.join(", ")));
    }
    if !row.left_behind.is_empty() {
        out.line(1, &format!("left behind: the values of {}", row.left_behind.join(", ")));
    }
    for link in &row.dropped_links {
        out.line(1, &format!("dropped: the link {} to {}: {}", link.label, link.to, link.reason));
    }
}

fn value(out: &mut Lines, depth: usize, field: &Field) {
    out.line(depth, &format!("{:<18} {}", field.name, field.value.line()));
}

fn outcome(out: &mut Lines, outcome: &Outcome) {
    match outcome {
        Outcome::Migrated { rows } => {
            out.line(1, "migrated");
            for row in rows {
                made(out, row);
            }
        }
        Outcome::Merged { winner } => {
            out.line(1, &format!("merged: {} stands for it", by_name(winner)));
        }
        Outcome::Quarantined { rule, reason, causes, kept } => {
            out.line(1, &format!("quarantined by `{rule}`: {reason}"));
            for (at, cause) in causes.iter().enumerate() {
                let root = if at + 1 == causes.len() { "root: " } else { "" };
                let row = cause.row.map(|row| format!(", row {row}")).unwrap_or_default();
                let (entity, id) = (&cause.entity, &cause.id);
                let because = format!("{root}{entity} {id}{row}");
                out.line(2, &format!("{because}, by `{}`: {}", cause.rule, cause.reason));
            }
            if let Some(kept) = kept {
                out.line(2, &format!("kept in its place: {}", by_name(kept)));
            }
        }
        Outcome::Dropped { rule } => out.line(1, &format!("dropped by rule: {rule}")),
        Outcome::Unaccounted => out.line(1, "unaccounted: nothing says what became of it"),
    }
}

fn by_name(winner: &Winner) -> String {
    let id = winner.id.as_deref().unwrap_or("without an id");
    let row = winner.row.map(|row| format!(", row {row}")).unwrap_or_default();
    let existed = if winner.existed { " (the app had it before)" } else { "" };
    format!("{} {id}{row}{existed}", winner.entity)
}

fn made(out: &mut Lines, made: &Made) {
    let row = made.row.map(|row| format!(", row {row}")).unwrap_or_default();
    out.line(2, &format!("-> {} {}{row}", made.entity, made.id));
    out.line(3, &format!("{:<18} {}: {}", "id", made.id_is, made.id_rule));
    if made.id_is == "existing" {
        out.line(3, "stands on a row that the app had before, which is carried as it is");
    }
    for step in &made.attrs {
        out.line(3, &attr(step));
    }
    for step in &made.links {
        out.line(3, &link(step));
    }
    linked_from(out, &made.linked_from);
    if let Some(found) = &made.order {
        order(out, found);
    }
}

fn attr(step: &AttrStep) -> String {
    let Some(output) = &step.output else {
        return format!("{:<18} none: {}", step.attr, step.rule);
    };
    let mut said = format!("{:<18} {}", step.attr, output.line());
    if let Some(from) = &step.from {
        said.push_str(&format!(" <- {from}"));
    }
    if let Some(of) = &step.of {
        said.push_str(&format!(" of {of}"));
    }
    if let Some(input) = step.input.as_ref().filter(|input| *input != output) {
        said.push_str(&format!(" = {}", input.line()));
    }
    said + &repaired(&step.repairs)
}

fn repaired(repairs: &[String]) -> String {
    if repairs.is_empty() { String::new() } else { format!(" (repair: {})", repairs.join(", ")) }
}

fn link(step: &LinkStep) -> String {
    let Some(output) = &step.output else {
        let input = step.input.as_ref().map(|id| format!(" (the row names {id})"));
        return format!("{:<18} none: {}{}", step.label, step.rule, input.unwrap_or_default());
    };
    let mut said = format!("{:<18} -> {} {output}", step.label, step.to);
    if !step.is_there {
        said.push_str(", which is not in the bundle");
    }
    if let Some(from) = &step.from {
        said.push_str(&format!(" <- {from}"));
    }
    if let Some(input) = step.input.as_ref().filter(|input| *input != output) {
        said.push_str(&format!(" = {input}"));
    }
    said + &repaired(&step.repairs)
}

fn linked_from(out: &mut Lines, links: &[LinkedFrom]) {
    for link in links {
        let rows = if link.rows == 1 { "row" } else { "rows" };
        let said = format!("{} {rows} of {} by {}", grouped(link.rows), link.entity, link.label);
        out.line(3, &format!("linked from {said}"));
    }
}

fn order(out: &mut Lines, order: &Order) {
    let beside = neighbours(order.before.as_ref(), order.after.as_ref());
    let by = if order.by.is_empty() { "order".to_owned() } else { order.by.join(", ") };
    match order.rows {
        1 => out.line(3, &format!("the only row by {by}")),
        rows => out.line(3, &format!("of {} rows by {by}: {beside}", grouped(rows))),
    }
    for Group { within, of, row, rows, before, after } in &order.groups {
        let beside = neighbours(before.as_ref(), after.as_ref());
        let place = format!("{} of {}", grouped(row + 1), grouped(*rows));
        out.line(3, &format!("within {within} {of}, {place}: {beside}"));
    }
}

fn neighbours(before: Option<&Neighbour>, after: Option<&Neighbour>) -> String {
    let said = |neighbour: Option<&Neighbour>, what: &str, none: &str| match neighbour {
        None => none.to_owned(),
        Some(neighbour) => {
            let values = neighbour.values.iter().map(|field| field.value.line());
            format!("{what} {} ({})", neighbour.id, values.collect::<Vec<_>>().join(", "))
        }
    };
    format!("{}, {}", said(before, "after", "the first"), said(after, "before", "the last"))
}

fn existing(out: &mut Lines, row: &Existing) {
    out.line(0, "");
    out.line(0, &format!("{} {}", row.entity, row.id));
    let source = row.source_row.map(|at| format!(", row {at} of the export")).unwrap_or_default();
    out.line(1, &format!("existed before: row {}{source}, carried as it is", row.row));
    for field in &row.values {
        value(out, 2, field);
    }
    linked_from(out, &row.linked_from);
    order(out, &row.order);
}

fn named_by(out: &mut Lines, answer: &Answer) {
    out.line(0, "");
    let links = if answer.named == 1 { "link names" } else { "links name" };
    out.line(0, &format!("{} other {links} it", grouped(answer.named)));
    for link in &answer.named_by {
        let dropped = link.dropped.as_ref().map(|why| format!(", dropped: {why}"));
        let dropped = dropped.unwrap_or_default();
        let (entity, label) = (&link.entity, &link.label);
        out.line(1, &format!("{entity}.{label}: {} -> {}{dropped}", link.from, link.to));
    }
}
