//! Rules that make several rows of one, notes and limits, in words.

use super::{constant, template};
use crate::contract::blanks::toml_text;
use crate::contract::{
    Build, Case, Demand, Explode, Limit, MustBe, Note, NoteWhat, Numbering, Path, Pattern, Unlisted,
};
use crate::error::grouped;

/// `number`.
pub(crate) fn numbering(number: &Numbering) -> String {
    let by = number.by.join(", ");
    format!("numbered from 0 within {} by {by} of the legacy row", number.within)
}

/// `explode` and its cases: lines with their level.
pub(crate) fn explode(explode: &Explode) -> Vec<(usize, String)> {
    let of = explode.of.join(", else ");
    let by = explode.by.join(".");
    let or = explode
        .otherwise_by
        .as_ref()
        .map_or_else(String::new, |name| format!("; where it has no such text, by {name}"));
    let mut lines = vec![(1, format!("becomes rows by {by} in the JSON of {of}{or}"))];
    for case in &explode.cases {
        lines.push((2, case_head(case)));
        lines.extend(dropped(&case.drop).map(|said| (3, said)));
        for row in &case.rows {
            let attrs = row.iter().map(|(attr, value)| format!("{attr} = {}", build(value)));
            lines.push((3, attrs.collect::<Vec<_>>().join("; ")));
        }
    }
    let unlisted = |what: Unlisted| match what {
        Unlisted::Drop => "dropped by rule",
        Unlisted::Quarantine => "quarantined",
    };
    if explode.takes_all {
        let said =
            "a case is only of an object all of whose content it takes, drops, or is picked by";
        lines.push((2, format!("{said}; of one that lacks something: quarantined")));
    }
    lines.extend(dropped(&explode.drop).map(|said| (2, format!("by every case {said}"))));
    let none = if explode.takes_all { "nothing there" } else { "no object" };
    lines.push((2, format!("{none}: {}", unlisted(explode.no_object))));
    lines.push((2, format!("any other: {}", unlisted(explode.otherwise))));
    lines
}

/// A case of `explode`: what it is about, and how many rows it gives.
pub(crate) fn case_head(case: &Case) -> String {
    let when = case.when.as_ref().map_or_else(String::new, |when| {
        format!(" when {} is {}", when.path.join("."), patterns(&when.is))
    });
    let becomes = match case.rows.len() {
        0 => "no row: dropped by rule".to_owned(),
        1 => "1 row".to_owned(),
        rows => format!("{rows} rows"),
    };
    format!("{}{when}: {becomes}", patterns(&case.is))
}

/// The paths that have no home.
fn dropped(paths: &[Path]) -> Option<String> {
    let names: Vec<String> = paths.iter().map(|path| path.join(".")).collect();
    (!names.is_empty()).then(|| format!("dropped, and counted: {}", names.join(", ")))
}

fn patterns(patterns: &[Pattern]) -> String {
    let texts = patterns.iter().map(|pattern| toml_text(&pattern.spelled()));
    texts.collect::<Vec<_>>().join(" or ")
}

fn build(value: &Build) -> String {
    match value {
        Build::Constant(value) => constant(value),
        Build::Path { of, demand } => format!("{}{}", of.join("."), demanded(*demand)),
        Build::After { mark, of, optional } => {
            let or = if *optional { IF_ANY } else { "" };
            format!("what follows {} in {}{or}", toml_text(mark), of.join("."))
        }
        Build::Whole => "the whole object".to_owned(),
        Build::Object(members) => {
            let members = members.iter().map(|(key, value)| format!("{key}: {}", build(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
        Build::Array(items) => {
            let items: Vec<String> = items.iter().map(build).collect();
            format!("[{}]", items.join(", "))
        }
    }
}

const IF_ANY: &str = " (if any)";

/// What must stand at a path.
fn demanded(Demand { optional, must_be }: Demand) -> String {
    let or = if optional { ", if any" } else { "" };
    match must_be {
        MustBe::Any if optional => IF_ANY.to_owned(),
        MustBe::Any => String::new(),
        MustBe::Text => format!(" (a text{or})"),
        MustBe::FilledText => format!(" (a text that is not empty{or})"),
    }
}

/// A note and its limit.
pub(crate) fn note(note: &Note) -> String {
    let Note { note, one: _, what, max } = note;
    let looks: Vec<String> = what.single().iter().map(noted).collect();
    let limit = match max {
        Limit::Any => String::new(),
        max => format!("; {}", limit(*max)),
    };
    format!("{note}: {}{limit}", looks.join(", "))
}

/// What a note looks for.
pub(crate) fn noted(what: &NoteWhat) -> String {
    let each = |columns: &[(String, String)], said: &dyn Fn(&str, &str) -> String| {
        let each = columns.iter().map(|(entity, name)| said(entity, name));
        each.collect::<Vec<_>>().join(", ")
    };
    match what {
        NoteWhat::Null(columns) => {
            each(columns, &|entity, name| format!("rows of {entity} without {name}"))
        }
        NoteWhat::Text(columns) => {
            each(columns, &|entity, name| format!("rows of {entity} whose {name} is a text"))
        }
        NoteWhat::Unlike { column: (entity, name), template: text } => {
            format!("rows of {entity} whose {name} is not {}", template(text))
        }
        NoteWhat::Shared { target, by } => {
            format!("rows of {target} that share {} with another", by.join(", "))
        }
        NoteWhat::Differ { column: (entity, label), over, take } => {
            format!("rows of {entity} whose {label} is not the {take} of their {over}")
        }
    }
}

/// How many a limit allows.
pub(crate) fn limit(limit: Limit) -> String {
    match limit {
        Limit::Any => "any number".to_owned(),
        Limit::Rows(rows) => format!("at most {}", grouped(rows)),
        Limit::Percent(share) => format!("at most {share}% of the legacy rows"),
    }
}
