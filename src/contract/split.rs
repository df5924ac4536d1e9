//! How one legacy row becomes several target rows, as plain data.

use super::{Constant, Transform};

/// One legacy row becomes the rows of the first case that matches it.
#[derive(Debug, Clone, PartialEq)]
pub struct Explode {
    /// Columns of type `any`, tried in order: the first present value is the object.
    pub of: Vec<String>,
    /// Keys of the path in the object whose text picks the case.
    pub by: Path,
    /// A text attribute of the row that stands in where the object has no text there.
    pub otherwise_by: Option<String>,
    /// What becomes of a row whose value is no object, or absent.
    pub no_object: Unlisted,
    /// What becomes of a row that no case lists, and of one whose object has a key twice or a key
    /// that is no text (half a surrogate pair): such an object is not looked into.
    pub otherwise: Unlisted,
    /// Whether a case is only of an object all of whose content it answers for ([`Case::answers`]): so it
    /// is since format 2 of contracts. Then one that has content in two of the columns is of none.
    pub takes_all: bool,
    /// Paths whose values have no home in any row: the rows with content there are counted.
    pub drop: Vec<Path>,
    /// Tried in order.
    pub cases: Vec<Case>,
}

/// What becomes of a row without a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unlisted {
    /// It becomes no row, counted as dropped by rule.
    Drop,
    /// It is quarantined.
    Quarantine,
}

/// A kind of rows, and what each becomes.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// The text is one of these.
    pub is: Vec<Pattern>,
    /// And this holds too.
    pub when: Option<When>,
    /// The target rows, in their order: attributes and what fills them. None drops the row.
    pub rows: Vec<Vec<(String, Build)>>,
    /// Further paths whose values have no home in the rows.
    pub drop: Vec<Path>,
    /// Every path whose content a case answers for: what its rows take, what picks it, what it drops.
    pub answers: Vec<Path>,
}

/// Keys of objects, outermost first; none is the whole object.
pub type Path = Vec<String>;

/// A text, or how it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// The whole text.
    Exact(String),
    /// Its beginning, written with a `*` after it.
    Begins(String),
}

impl Pattern {
    /// Whether a text is meant.
    pub fn fits(&self, text: &str) -> bool {
        match self {
            Pattern::Exact(whole) => text == whole,
            Pattern::Begins(start) => text.starts_with(start.as_str()),
        }
    }

    /// As the contract writes it.
    pub fn spelled(&self) -> String {
        match self {
            Pattern::Exact(whole) => whole.clone(),
            Pattern::Begins(start) => format!("{start}*"),
        }
    }
}

/// A second condition of a case: the text at a path of the object is one of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct When {
    /// Keys of the path.
    pub path: Path,
    /// The texts.
    pub is: Vec<Pattern>,
}

/// What fills an attribute, or a place within a JSON value that is built.
#[derive(Debug, Clone, PartialEq)]
pub enum Build {
    /// Always the same.
    Constant(Constant),
    /// The JSON value at a path of the object, as the text it is; its member is left out when
    /// nothing stands there or a key on the way stands twice.
    Path {
        /// The path.
        of: Path,
        /// What must stand there; an object in which it does not is not of the case.
        demand: Demand,
    },
    /// What follows the first `mark` in a text; left out when the text or the mark is not there.
    After {
        /// The mark.
        mark: String,
        /// The path of the text; the path that picks the case gives what picked it.
        of: Path,
        /// Whether an object in which nothing follows the mark may be of the case.
        optional: bool,
    },
    /// The object itself, as the text it is.
    Whole,
    /// An object, its members in this order.
    Object(Vec<(String, Build)>),
    /// An array.
    Array(Vec<Build>),
}

/// What must stand at a path that a case takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demand {
    /// Whether nothing may stand there.
    pub optional: bool,
    /// What stands there otherwise.
    pub must_be: MustBe,
}

/// What a value must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MustBe {
    /// Any JSON, `null` too.
    Any,
    /// A text. `null` is nothing.
    Text,
    /// A text that is not empty. `null` and the empty text are nothing.
    FilledText,
}

impl Build {
    /// Visits what fills an attribute, and everything in it.
    pub fn each<'b>(&'b self, visit: &mut dyn FnMut(&'b Build)) {
        visit(self);
        match self {
            Build::Object(members) => members.iter().for_each(|(_, value)| value.each(visit)),
            Build::Array(items) => items.iter().for_each(|value| value.each(visit)),
            Build::Constant(_) | Build::Path { .. } | Build::After { .. } | Build::Whole => {}
        }
    }
}

impl Explode {
    /// Every path whose values have no home, by any case.
    pub fn dropped(&self) -> Vec<&Path> {
        let own = self.cases.iter().flat_map(|case| &case.drop);
        let mut found: Vec<&Path> = self.drop.iter().chain(own).collect();
        found.sort();
        found.dedup();
        found
    }

    /// Whether the values at a path have no home in the rows of a case; in those that take the whole
    /// object they have one.
    pub fn drops(&self, case: &Case, path: &Path) -> bool {
        !case.answers.contains(&Path::new())
            && (self.drop.contains(path) || case.drop.contains(path))
    }

    /// What a path is called: in the first of the columns, which may be another.
    pub fn named(&self, path: &Path) -> String {
        format!("{}.{}", self.of.first().map_or("", String::as_str), path.join("."))
    }
}

impl Case {
    /// Visits everything that fills attributes of its rows.
    pub fn each<'b>(&'b self, visit: &mut dyn FnMut(&'b Build)) {
        self.rows.iter().flatten().for_each(|(_, build)| build.each(visit));
    }

    /// The paths that its rows take.
    pub fn takes(&self) -> Vec<&Path> {
        const WHOLE: &Path = &Path::new();
        let mut found = Vec::new();
        self.each(&mut |build| match build {
            Build::Path { of, .. } | Build::After { of, .. } => found.push(of),
            Build::Whole => found.push(WHOLE),
            Build::Constant(_) | Build::Object(_) | Build::Array(_) => {}
        });
        found
    }
}

/// Target rows are numbered from 0 among those whose link leads to the same row.
///
/// Numbered are the rows that no rule refuses, that no other legacy row stands for and that a case
/// does not drop; a row that exists in the target already keeps its number among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbering {
    /// The target attribute that gets the number.
    pub attr: String,
    /// Label of the required target link whose rows are numbered each on their own.
    pub within: String,
    /// Legacy attributes (or `id`) that give the order, what is absent last; ties go by the id in
    /// the target, and the rows of one legacy row follow one another.
    pub by: Vec<String>,
}

impl Transform {
    /// Whether a legacy row may become another number of rows than one, or its rows are numbered.
    pub fn splits(&self) -> bool {
        self.explode.is_some() || self.number.is_some()
    }

    /// The attributes that cases fill.
    pub fn case_attrs(&self) -> Vec<&str> {
        let cases = self.explode.iter().flat_map(|explode| &explode.cases);
        let rows = cases.flat_map(|case| &case.rows);
        let mut found: Vec<&str> = rows.flatten().map(|(attr, _)| attr.as_str()).collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}
