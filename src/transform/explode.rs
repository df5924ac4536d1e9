//! Which case of a contract a legacy row is, and what is built out of its object.
//!
//! Engine-neutral: it reads one object, and writes JSON out of the texts that stand in it. Nothing of
//! a payload is rebuilt.

use std::borrow::Cow;

use crate::contract::{
    Build, Case, Constant, Demand, Explode, MustBe, Path, Pattern, Unlisted, When,
};
use crate::json::{self, Object};

/// The code of a row whose value is no object.
pub const NO_OBJECT: i32 = -1;

/// The code of a row that no case lists.
pub const UNLISTED: i32 = -2;

/// The code of a row that cases list of which none answers for all that it says.
pub const NOT_WHOLE: i32 = -3;

/// The case of a row, by its place, or why it has none. `values` are those of the columns that may
/// have the object.
pub fn case_of(rule: &Explode, values: &[Option<&str>], attr: Option<&str>) -> i32 {
    let there = || values.iter().copied().flatten();
    let Some(first) = there().next() else { return NO_OBJECT };
    if rule.takes_all && there().any(|text| text != first && json::has_content(text)) {
        return NOT_WHOLE;
    }
    if !json::is_object(first) {
        return if rule.takes_all && json::has_content(first) { UNLISTED } else { NO_OBJECT };
    }
    let Some(object) = Object::read(first) else { return UNLISTED };
    let Some(kind) = kind(rule, &object, attr) else { return UNLISTED };
    let source = Source { text: first, object, kind: Some(kind), by: rule.by.clone() };
    let mut code = UNLISTED;
    for (at, _) in rule.cases.iter().enumerate().filter(|(_, case)| source.is_of(case)) {
        if !rule.takes_all || source.is_whole(&rule.cases[at]) {
            return i32::try_from(at).unwrap_or(UNLISTED);
        }
        code = NOT_WHOLE;
    }
    code
}

/// The places of those paths at which a case that makes rows of a row leaves a value behind.
pub fn left(
    rule: &Explode,
    paths: &[&Path],
    values: &[Option<&str>],
    attr: Option<&str>,
) -> Vec<usize> {
    let case = usize::try_from(case_of(rule, values, attr)).ok().map(|at| &rule.cases[at]);
    let object = values.iter().copied().flatten().next().and_then(Object::read);
    let (Some(case), Some(object)) = (case.filter(|case| !case.rows.is_empty()), object) else {
        return Vec::new();
    };
    let says = |path: &Path| object.raw(path).is_some_and(json::has_content);
    (0..paths.len()).filter(|at| rule.drops(case, paths[*at]) && says(paths[*at])).collect()
}

/// The text that picks the case.
fn kind<'t>(rule: &Explode, object: &Object<'t>, attr: Option<&'t str>) -> Option<Cow<'t, str>> {
    object.text(&rule.by).or_else(|| attr.map(Cow::Borrowed))
}

/// Whether a row of a case, or without one, is quarantined.
pub fn is_refused(rule: &Explode, case: i32) -> bool {
    let unlisted = match case {
        NO_OBJECT => rule.no_object,
        UNLISTED => rule.otherwise,
        NOT_WHOLE => Unlisted::Quarantine,
        _ => return false,
    };
    unlisted == Unlisted::Quarantine
}

/// How many target rows a row of a case becomes; a refused one counts as one.
pub fn results(rule: &Explode, case: i32) -> usize {
    let listed = usize::try_from(case).ok().and_then(|at| rule.cases.get(at));
    listed.map_or_else(|| usize::from(is_refused(rule, case)), |case| case.rows.len())
}

/// The most target rows that a row becomes.
pub fn most(rule: &Explode) -> usize {
    rule.cases.iter().map(|case| case.rows.len()).max().unwrap_or(0)
}

/// What fills an attribute in one of the rows that a row of a case becomes.
pub fn value<'r>(rule: &'r Explode, case: i32, nth: i32, attr: &str) -> Option<&'r Build> {
    let (case, nth) = (usize::try_from(case).ok()?, usize::try_from(nth).ok()?);
    let row = rule.cases.get(case)?.rows.get(nth)?;
    row.iter().find(|(name, _)| name == attr).map(|(_, value)| value)
}

/// The name of the rule that drops rows of a case.
pub fn drop_rule(rule: &Explode, target: &str, case: i32) -> String {
    let of = rule.of.first().map_or("", String::as_str);
    let listed = usize::try_from(case).ok().and_then(|at| rule.cases.get(at));
    match (listed, case) {
        (Some(case), _) => {
            let listed =
                |is: &[Pattern]| is.iter().map(Pattern::spelled).collect::<Vec<_>>().join(" or ");
            let when =
                case.when.as_ref().filter(|_| rule.takes_all).map_or_else(String::new, |it| {
                    format!(" and {} is \"{}\"", it.path.join("."), listed(&it.is))
                });
            format!("{target}.{of} is {}{when}", listed(&case.is))
        }
        (None, NO_OBJECT) => format!("{target}.{of} is no object"),
        (None, _) => format!("{target}.{of} not listed"),
    }
}

/// An object that rows are built out of.
#[derive(Debug)]
pub struct Source<'t> {
    text: &'t str,
    object: Object<'t>,
    kind: Option<Cow<'t, str>>,
    by: Vec<String>,
}

impl<'t> Source<'t> {
    /// Reads the object of a row that has a case.
    pub fn read(rule: &Explode, text: &'t str, attr: Option<&'t str>) -> Option<Self> {
        let object = Object::read(text)?;
        let kind = kind(rule, &object, attr);
        Some(Self { text, object, kind, by: rule.by.clone() })
    }

    /// Whether the texts that pick a case pick this one.
    fn is_of(&self, case: &Case) -> bool {
        let fits = |is: &[Pattern], text: Option<&str>| {
            text.is_some_and(|text| is.iter().any(|is| is.fits(text)))
        };
        let when = |when: &When| fits(&when.is, self.object.text(&when.path).as_deref());
        fits(&case.is, self.kind.as_deref()) && case.when.as_ref().is_none_or(when)
    }

    /// Whether all that a case needs is there, and it answers for all that is there.
    fn is_whole(&self, case: &Case) -> bool {
        let mut lacks = false;
        case.each(&mut |build| {
            lacks |= match build {
                Build::Path { of, demand } => !is_met(*demand, self.object.raw(of)),
                Build::After { mark, of, optional } => {
                    !optional && self.after(mark, of).is_none_or(|rest| rest.is_empty())
                }
                _ => false,
            };
        });
        let answers: Vec<&[String]> = case.answers.iter().map(Vec::as_slice).collect();
        !lacks && is_answered(self.object.members(), &answers)
    }

    /// What follows a mark in the text at a path.
    fn after(&self, mark: &str, of: &Path) -> Option<String> {
        let text = if *of == self.by { self.kind.clone() } else { self.object.text(of) };
        Some(text?.split_once(mark)?.1.to_owned())
    }

    /// Appends what a rule builds, as JSON; false, and nothing, when there is nothing.
    pub fn build(&self, value: &Build, out: &mut Vec<u8>) -> bool {
        match value {
            Build::Constant(value) => constant(value, out),
            Build::Whole => out.extend_from_slice(self.text.as_bytes()),
            Build::Path { of, demand } => match self.object.raw(of) {
                Some(raw) if is_there(demand.must_be, raw) => out.extend_from_slice(raw.as_bytes()),
                _ => return false,
            },
            Build::After { mark, of, .. } => {
                let Some(rest) = self.after(mark, of) else { return false };
                json::write_string(&rest, out);
            }
            Build::Object(members) => {
                out.push(b'{');
                let mut has = false;
                for (key, value) in members {
                    let start = out.len();
                    if has {
                        out.push(b',');
                    }
                    json::write_string(key, out);
                    out.push(b':');
                    if self.build(value, out) { has = true } else { out.truncate(start) }
                }
                out.push(b'}');
            }
            Build::Array(items) => {
                out.push(b'[');
                let mut has = false;
                for value in items {
                    let start = out.len();
                    if has {
                        out.push(b',');
                    }
                    if self.build(value, out) { has = true } else { out.truncate(start) }
                }
                out.push(b']');
            }
        }
        true
    }
}

/// Whether a value is what a rule takes.
fn is_there(must_be: MustBe, raw: &str) -> bool {
    match must_be {
        MustBe::Any => true,
        MustBe::Text => raw.starts_with('"'),
        MustBe::FilledText => raw.starts_with('"') && raw != "\"\"",
    }
}

/// Whether what stands at a path, or nothing, is what a rule demands.
fn is_met(demand: Demand, raw: Option<&str>) -> bool {
    let Demand { optional, must_be } = demand;
    match raw {
        Some(raw) if is_there(must_be, raw) => true,
        raw => optional && !raw.is_some_and(json::has_content),
    }
}

/// Whether paths lead to all content of an object's members.
fn is_answered(members: &[(Cow<'_, str>, &str)], paths: &[&[String]]) -> bool {
    let is_one = |value: &str, rests: &[&[String]]| {
        rests.iter().any(|rest| rest.is_empty()) || {
            let inner = if rests.is_empty() { None } else { Object::read(value) };
            inner.is_some_and(|inner| is_answered(inner.members(), rests))
        }
    };
    paths.iter().any(|path| path.is_empty())
        || members.iter().filter(|(_, value)| json::has_content(value)).all(|(key, value)| {
            let on = paths.iter().filter(|path| path[0] == *key).map(|path| &path[1..]);
            is_one(value, &on.collect::<Vec<_>>())
        })
}

/// A constant as a text attribute holds it.
pub fn plain(value: &Constant) -> String {
    match value {
        Constant::Text(text) => text.clone(),
        Constant::Number(number) => number.to_string(),
        Constant::Boolean(is) => is.to_string(),
    }
}

fn constant(value: &Constant, out: &mut Vec<u8>) {
    match value {
        Constant::Text(text) => json::write_string(text, out),
        Constant::Number(number) => out.extend_from_slice(format!("{number}").as_bytes()),
        Constant::Boolean(is) => out.extend_from_slice(is.to_string().as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(is: Vec<Pattern>, when: Option<When>, rows: Vec<Vec<(String, Build)>>) -> Case {
        Case { is, when, rows, drop: Vec::new(), answers: Vec::new() }
    }

    fn rule() -> Explode {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let exact = |text: &str| Pattern::Exact(text.to_owned());
        let demand = Demand { optional: true, must_be: MustBe::Any };
        let path = |key: &str| Build::Path { of: vec![key.to_owned()], demand };
        let text = |text: &str| Build::Constant(Constant::Text(text.to_owned()));
        let members = vec![
            ("gone".to_owned(), path("gone")),
            ("t\"".to_owned(), text("a\"\n")),
            ("v".to_owned(), path("v")),
            ("gone too".to_owned(), path("gone")),
            (
                "l".to_owned(),
                Build::Array(vec![
                    path("gone"),
                    Build::Constant(Constant::Number(1.0)),
                    Build::Constant(Constant::Boolean(true)),
                    Build::After { mark: "-".to_owned(), of: texts(&["kind"]), optional: true },
                ]),
            ),
            ("w".to_owned(), Build::Whole),
        ];
        let row = vec![("json".to_owned(), Build::Object(members))];
        let when = When { path: texts(&["state"]), is: vec![exact("done")] };
        Explode {
            of: texts(&["part"]),
            by: texts(&["kind"]),
            otherwise_by: Some("kind".to_owned()),
            no_object: Unlisted::Drop,
            otherwise: Unlisted::Quarantine,
            takes_all: false,
            drop: Vec::new(),
            cases: vec![
                case(vec![Pattern::Begins("x-".to_owned())], Some(when), vec![row.clone(); 2]),
                case(vec![exact("y"), exact("x-a")], None, vec![row]),
                case(vec![exact("z")], None, Vec::new()),
            ],
        }
    }

    #[test]
    fn the_first_case_that_matches_counts() {
        let rule = rule();
        for (object, attr, expected) in [
            (Some(r#"{"kind":"x-a","state":"done"}"#), None, 0),
            (Some(r#"{"kind":"x-a","state":"else"}"#), None, 1),
            (Some(r#"{"kind":"x-b"}"#), None, UNLISTED),
            (Some(r#"{"kind":"x-","state":"done"}"#), Some("y"), 0),
            (Some(r#"{"kind":7}"#), Some("y"), 1),
            (Some(r#"{"kind":"q"}"#), Some("y"), UNLISTED),
            (Some("{}"), Some("z"), 2),
            (Some(r#"{"a":1,"a":1}"#), Some("y"), UNLISTED),
            (Some("[]"), Some("y"), NO_OBJECT),
            (None, Some("y"), NO_OBJECT),
        ] {
            assert_eq!(case_of(&rule, &[object], attr), expected, "{object:?} {attr:?}");
        }
        let rows = [0, 1, 2, NO_OBJECT, UNLISTED].map(|case| results(&rule, case));
        assert_eq!(rows, [2, 1, 0, 0, 1]);
        assert!(is_refused(&rule, UNLISTED) && !is_refused(&rule, NO_OBJECT));
        let names = [2, NO_OBJECT, UNLISTED].map(|case| drop_rule(&rule, "t", case));
        assert_eq!(names, ["t.part is z", "t.part is no object", "t.part not listed"]);
    }

    #[test]
    fn what_is_built_is_json_of_the_texts_that_stand_there() {
        let rule = rule();
        let text = r#"{"v": [1.50,{"a":1,"a":2}] }"#;
        let source = Source::read(&rule, text, Some("x-y-z")).unwrap();
        let mut out = Vec::new();
        assert!(source.build(value(&rule, 0, 1, "json").unwrap(), &mut out));
        let made = String::from_utf8(out).unwrap();
        let expected = format!(
            r#"{{"t\"":"a\"\u000a","v":[1.50,{{"a":1,"a":2}}],"l":[1,true,"y-z"],"w":{text}}}"#
        );
        assert_eq!(made, expected);
        let mut none = Vec::new();
        let Some(Build::Object(members)) = value(&rule, 0, 0, "json") else { panic!("an object") };
        assert!(!source.build(&members[0].1, &mut none) && none.is_empty());
        assert!(value(&rule, 0, 2, "json").is_none() && value(&rule, 0, 0, "other").is_none());
    }
}
