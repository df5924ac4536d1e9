//! Whether a case answers for all of an object, as SQL: what it needs is there, and what is there is under
//! one of its paths.

use super::split_sql::{after, path, text_at};
use super::sql::text;
use crate::contract::{Build, Case, Demand, Explode, MustBe, Path};

/// Whether JSON as DuckDB writes it says anything.
pub(super) fn content(json: &str) -> String {
    format!("coalesce({json} NOT IN ('null', '\"\"', '[]', '{{}}'), false)")
}

/// The JSON at a path of an object.
fn at(object: &str, keys: &[String]) -> String {
    format!("json_extract({object}, {})::VARCHAR", path(keys))
}

/// Whether a value is what a rule takes; `None` where it takes any.
pub(super) fn fits(object: &str, (must_be, of): (MustBe, &Path)) -> Option<String> {
    let is_text = format!("coalesce(json_type({object}, {}) = 'VARCHAR', false)", path(of));
    match must_be {
        MustBe::Any => None,
        MustBe::Text => Some(is_text),
        MustBe::FilledText => Some(format!("({is_text} AND {})", content(&at(object, of)))),
    }
}

/// Whether a case answers for the object `o`, whose kind is `kind`.
pub(super) fn answers(rule: &Explode, case: &Case) -> String {
    let mut all = Vec::new();
    case.each(&mut |build| match build {
        Build::Path { of, demand } => all.extend(is_met(of, *demand)),
        Build::After { mark, of, optional: false } => {
            let from = if *of == rule.by { "kind".to_owned() } else { text_at("o", of) };
            all.push(format!("coalesce({} <> '', false)", after(&from, mark)));
        }
        _ => {}
    });
    if !case.answers.contains(&Path::new()) {
        let all_paths: Vec<&[String]> = case.answers.iter().map(Vec::as_slice).collect();
        members(&[], &all_paths, &mut all);
    }
    if all.is_empty() { "true".to_owned() } else { all.join(" AND ") }
}

/// What stands at a path, or nothing, is what a rule demands.
fn is_met(of: &Path, Demand { optional, must_be }: Demand) -> Option<String> {
    let there = fits("o", (must_be, of));
    match (there, optional) {
        (None, true) => None,
        (None, false) => Some(format!("json_type(o, {}) IS NOT NULL", path(of))),
        (Some(there), false) => Some(there),
        (Some(there), true) => Some(format!("({there} OR NOT {})", content(&at("o", of)))),
    }
}

/// Every member of the object at a path says nothing, is under one of the paths that go on from there,
/// or its own members are.
fn members(own: &[String], on: &[&[String]], all: &mut Vec<String>) {
    let mut keys: Vec<&String> = on.iter().map(|path| &path[0]).collect();
    keys.sort();
    keys.dedup();
    let known: Vec<String> = keys.iter().map(|key| text(key)).collect();
    let (names, values) = match own {
        [] => ("json_keys(o)".to_owned(), "json_extract(o, '$.*')".to_owned()),
        own => {
            let at = path(own);
            let every = format!("{}.*'", at.trim_end_matches('\''));
            (format!("json_keys(o, {at})"), format!("json_extract(o, {every})"))
        }
    };
    let none = format!(
        "len(list_filter(list_zip({names}, {values}::VARCHAR[]), lambda x: x[1] NOT IN ({}) AND {})) = 0",
        known.join(", "),
        content("x[2]")
    );
    all.push(if own.is_empty() {
        none
    } else {
        format!(
            "CASE WHEN json_type(o, {}) = 'OBJECT' THEN len({names}) = len(list_distinct({names})) AND \
             {none} ELSE NOT {} END",
            path(own),
            content(&at("o", own))
        )
    });
    for key in keys {
        let rests: Vec<&[String]> =
            on.iter().filter(|path| path[0] == *key).map(|path| &path[1..]).collect();
        if rests.iter().all(|rest| !rest.is_empty()) {
            let inner: Path = own.iter().chain([key]).cloned().collect();
            members(&inner, &rests, all);
        }
    }
}
