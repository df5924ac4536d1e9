//! The object of a legacy row that a contract splits: which case it is, and what its rows are built of.
//! Derived anew from the contract alone.

use std::borrow::Cow;

use super::key;
use crate::contract::{Build, Case, Constant, Explode, MustBe, Path, Unlisted};
use crate::digest::Value;
use crate::json;

/// The code of a row that cases list and none answers for.
pub(super) const NOT_WHOLE: u16 = u16::MAX - 2;
/// The code of a row that becomes none: a rule drops it.
pub(super) const DROPPED: u16 = u16::MAX - 1;
/// The code of a row that a rule refuses.
pub(super) const REFUSED: u16 = u16::MAX;

/// An object of which every key stands once.
pub(super) struct Object<'t> {
    text: &'t str,
    members: Vec<(Cow<'t, str>, &'t str)>,
    /// The text that picks the case.
    kind: Option<Cow<'t, str>>,
}

impl<'t> Object<'t> {
    /// The object of a row, the first of the values of its columns, with the attribute that may stand in
    /// for its kind; else what becomes of the row.
    pub(super) fn of(
        rule: &Explode,
        values: &[&'t str],
        beside: Option<&'t str>,
    ) -> Result<Self, u16> {
        let fate = |unlisted| match unlisted {
            Unlisted::Drop => DROPPED,
            Unlisted::Quarantine => REFUSED,
        };
        let blanks = [' ', '\t', '\r', '\n'];
        let says = |text: &&str| rule.takes_all && json::has_content(text);
        let Some((text, others)) = values.split_first() else { return Err(fate(rule.no_object)) };
        if others.iter().any(|other| other != text && says(other)) {
            return Err(NOT_WHOLE);
        }
        if !text.trim_start_matches(blanks).starts_with('{') {
            return Err(fate(if says(text) { rule.otherwise } else { rule.no_object }));
        }
        let members = json::members(text).map_err(|_| fate(rule.otherwise))?;
        let mut keys = std::collections::BTreeSet::new();
        if !members.iter().all(|(key, _)| keys.insert(key.as_ref())) {
            return Err(fate(rule.otherwise));
        }
        let mut object = Self { text, members, kind: None };
        object.kind = object.text_at(&rule.by).or(beside.map(Cow::Borrowed));
        Ok(object)
    }

    /// The case of a row, or what becomes of it without one.
    pub(super) fn case(&self, rule: &Explode) -> u16 {
        let fits = |is: &[crate::contract::Pattern], text: Option<&str>| {
            text.is_some_and(|text| is.iter().any(|pattern| pattern.fits(text)))
        };
        let mut is_listed = false;
        for (at, case) in (0_u16..NOT_WHOLE).zip(&rule.cases) {
            let when = case.when.as_ref();
            let holds = when.is_none_or(|when| fits(&when.is, self.text_at(&when.path).as_deref()));
            if fits(&case.is, self.kind.as_deref()) && holds {
                if !rule.takes_all || self.is_answered(rule, case) {
                    return at;
                }
                is_listed = true;
            }
        }
        match rule.otherwise {
            _ if is_listed => NOT_WHOLE,
            Unlisted::Drop => DROPPED,
            Unlisted::Quarantine => REFUSED,
        }
    }

    /// Whether what a case needs is there, and every value that says something is under one of its paths.
    fn is_answered(&self, rule: &Explode, case: &Case) -> bool {
        let mut needs = Vec::new();
        case.each(&mut |build| needs.push(build));
        let is_met = |build: &&Build| match build {
            Build::Path { of, demand } => {
                let there = self.at(of);
                let nothing = demand.optional && !there.is_some_and(json::has_content);
                nothing || there.is_some_and(|json| fits(demand.must_be, json))
            }
            Build::After { optional: false, .. } => {
                self.build(rule, build).is_some_and(|rest| json::has_content(&rest))
            }
            _ => true,
        };
        needs.iter().all(is_met) && self.others(&case.answers).is_empty()
    }

    /// The values that say something and are under none of some paths.
    pub(super) fn others(&self, paths: &[Path]) -> Vec<&'t str> {
        let mut found = Vec::new();
        // What is still to be looked at: a value with what is left of the paths that lead on.
        let all: Vec<&[String]> = paths.iter().map(Vec::as_slice).collect();
        let mut open = vec![(self.text, all)];
        while let Some((value, paths)) = open.pop() {
            if !json::has_content(value) || paths.iter().any(|path| path.is_empty()) {
                continue;
            }
            let members = json::members(value).unwrap_or_default();
            let mut keys: Vec<&str> = members.iter().map(|(key, _)| key.as_ref()).collect();
            keys.sort_unstable();
            if paths.is_empty() || members.is_empty() || keys.windows(2).any(|it| it[0] == it[1]) {
                found.push(value);
                continue;
            }
            for (key, value) in members {
                let on = paths.iter().filter(|path| path[0] == key).map(|path| &path[1..]);
                open.push((value, on.collect()));
            }
        }
        found
    }

    /// The JSON at a path, as it stands. On the way a key that stands twice leads nowhere.
    fn at(&self, path: &[String]) -> Option<&'t str> {
        let (first, rest) = path.split_first()?;
        let own = self.members.iter().find(|(key, _)| key == first);
        rest.iter().try_fold(own?.1, |value, key| {
            let members = json::members(value).ok()?;
            let named: Vec<&str> =
                members.iter().filter(|(name, _)| name == key).map(|(_, value)| *value).collect();
            match named[..] {
                [only] => Some(only),
                _ => None,
            }
        })
    }

    /// The text at a path by which a case is picked: where that is `by`, the kind.
    pub(super) fn picked(&self, rule: &Explode, path: &Path) -> Option<Cow<'t, str>> {
        if *path == rule.by { self.kind.clone() } else { self.text_at(path) }
    }

    /// Whether something is said at a path.
    pub(super) fn says(&self, path: &Path) -> bool {
        self.at(path).is_some_and(json::has_content)
    }

    fn text_at(&self, path: &[String]) -> Option<Cow<'t, str>> {
        json::string(self.at(path)?)
    }

    /// The hash of what a rule builds for an attribute.
    pub(super) fn hash(&self, rule: &Explode, build: &Build, is_json: bool) -> u64 {
        match build {
            Build::Constant(constant) if !is_json => key::value_hash(match constant {
                Constant::Text(text) => Value::Text(text),
                Constant::Number(number) => Value::Number(*number),
                Constant::Boolean(value) => Value::Boolean(*value),
            }),
            build => {
                let built = self.build(rule, build);
                key::value_hash(built.as_deref().map_or(Value::Absent, Value::Json))
            }
        }
    }

    /// What a rule builds, as JSON; `None` for nothing.
    pub(super) fn build(&self, rule: &Explode, build: &Build) -> Option<String> {
        let quoted = |text: &str| {
            let mut out = Vec::new();
            json::write_string(text, &mut out);
            String::from_utf8_lossy(&out).into_owned()
        };
        Some(match build {
            Build::Constant(Constant::Text(text)) => quoted(text),
            Build::Constant(Constant::Number(number)) => key::number_text(*number),
            Build::Constant(Constant::Boolean(value)) => value.to_string(),
            Build::Path { of, demand } => {
                self.at(of).filter(|json| fits(demand.must_be, json))?.to_owned()
            }
            Build::After { mark, of, .. } => {
                quoted(self.picked(rule, of)?.split_once(mark.as_str())?.1)
            }
            Build::Whole => self.text.to_owned(),
            Build::Object(members) => {
                let member = |(name, build): &(String, Build)| {
                    self.build(rule, build).map(|value| format!("{}:{value}", quoted(name)))
                };
                format!("{{{}}}", members.iter().filter_map(member).collect::<Vec<_>>().join(","))
            }
            Build::Array(items) => {
                let items = items.iter().filter_map(|build| self.build(rule, build));
                format!("[{}]", items.collect::<Vec<_>>().join(","))
            }
        })
    }
}

/// Whether a value is what a rule takes.
fn fits(must_be: MustBe, json: &str) -> bool {
    must_be == MustBe::Any
        || json.starts_with('"') && (must_be == MustBe::Text || json::has_content(json))
}
