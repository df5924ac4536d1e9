//! What a case answers for: every path of an object whose content its rows take, that picks it, or that
//! it leaves behind on purpose.

use super::fields::Fields;
use super::misfit::{Place, quoted};
use super::split::{Build, Case, Path, Pattern};
use super::transforms::Scope;

/// What all cases of a rule have in common.
pub(super) struct All<'a> {
    /// The path whose text picks the case.
    pub(super) by: &'a Path,
    /// What none of them has a home for.
    pub(super) drop: Vec<(Path, Place)>,
}

/// `drop = ["a.b"]`: paths whose values have no home.
pub(super) fn drop(scope: &Scope<'_>, fields: &Fields<'_>) -> Vec<(Path, Place)> {
    let mut found: Vec<(Path, Place)> = Vec::new();
    for (said, place) in fields.texts("drop").unwrap_or_default() {
        let path: Path = said.split('.').map(str::to_owned).collect();
        if path.iter().any(String::is_empty) {
            scope.misfits.add(place, format!("the path {} has an empty key", quoted(said)));
        }
        if found.iter().any(|(other, _)| holds(other, &path) || holds(&path, other)) {
            scope.misfits.add(place, format!("{} is dropped already", quoted(said)));
        }
        found.push((path, place));
    }
    found
}

/// Whether a path leads to another one, or to what holds it.
fn holds(outer: &[String], inner: &[String]) -> bool {
    inner.starts_with(outer)
}

/// Adds what a case drops, and all that it answers for.
pub(super) fn of(scope: &Scope<'_>, all: &All<'_>, mut case: Case, fields: &Fields<'_>) -> Case {
    let own = drop(scope, fields);
    for (path, place) in &own {
        if all.drop.iter().any(|(other, _)| holds(other, path) || holds(path, other)) {
            let said = format!("{} is dropped by all cases", quoted(&path.join(".")));
            scope.misfits.add(*place, said);
        }
    }
    case.drop = own.iter().map(|(path, _)| path.clone()).collect();
    let takes = case.takes();
    for (path, place) in all.drop.iter().chain(&own) {
        let is_taken = |taken: &&Path| holds(taken, path) || holds(path, taken);
        if takes.iter().filter(|taken| !taken.is_empty()).any(is_taken) {
            let said = format!("{} is dropped, and a row takes it", quoted(&path.join(".")));
            scope.misfits.add(*place, said);
        }
    }
    let dropped: Vec<Path> = all.drop.iter().chain(&own).map(|(path, _)| path.clone()).collect();
    let when = case.when.as_ref();
    let picks = [(all.by, &case.is[..])];
    if scope.format >= 2 {
        for (path, is) in picks.into_iter().chain(when.map(|when| (&when.path, &when.is[..]))) {
            rests(scope, (&case, &dropped), (path, is), fields.place());
        }
    }
    let mut answers: Vec<Path> = takes.into_iter().cloned().collect();
    answers.extend(std::iter::once(all.by).chain(when.map(|when| &when.path)).cloned());
    answers.extend(dropped);
    answers.sort();
    answers.dedup();
    case.answers = answers;
    case
}

/// What follows the beginning of a text that picks a case is content too.
fn rests(
    scope: &Scope<'_>,
    (case, dropped): (&Case, &[Path]),
    (path, is): (&Path, &[Pattern]),
    place: Place,
) {
    let is_home = |start: &str| {
        let mut found = dropped.contains(path);
        case.each(&mut |build| {
            found |= match build {
                Build::Whole => true,
                Build::Path { of, .. } => holds(of, path),
                Build::After { mark, of, .. } => of == path && start.contains(mark.as_str()),
                Build::Constant(_) | Build::Object(_) | Build::Array(_) => false,
            };
        });
        found
    };
    // A path with an empty key is a misfit of its own.
    for pattern in is.iter().filter(|_| !path.iter().any(String::is_empty)) {
        if let Pattern::Begins(start) = pattern
            && !case.rows.is_empty()
            && !is_home(start)
        {
            let (name, path) = (quoted(&pattern.spelled()), quoted(&path.join(".")));
            let said = format!("what follows {name} has no home: take it, or drop {path}");
            scope.misfits.add(place, said);
        }
    }
}
