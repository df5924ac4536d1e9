//! How one legacy row becomes several target rows, as plain data.

use super::{Constant, Transform};

/// One legacy row becomes the rows of the first case that matches it.
#[derive(Debug, Clone, PartialEq)]
pub struct Explode {
    /// Columns of type `any`, tried in order: the first present value is the object.
    pub of: Vec<String>,
    /// Keys of the path in the object whose text picks the case.
    pub by: Vec<String>,
    /// A text attribute of the row that stands in where the object has no text there.
    pub otherwise_by: Option<String>,
    /// What becomes of a row whose value is no object, or absent.
    pub no_object: Unlisted,
    /// What becomes of a row that no case lists, and of one whose object has a key twice or a key
    /// that is no text (half a surrogate pair): such an object is not looked into.
    pub otherwise: Unlisted,
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
}

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
    pub path: Vec<String>,
    /// The texts.
    pub is: Vec<Pattern>,
}

/// What fills an attribute, or a place within a JSON value that is built.
#[derive(Debug, Clone, PartialEq)]
pub enum Build {
    /// Always the same.
    Constant(Constant),
    /// The JSON value at a path of the object, as the text it is; its member is left out when
    /// nothing stands there or a key on the way stands twice. `null` is a value.
    Path(Vec<String>),
    /// What follows the first `mark` in a text; left out when the text or the mark is not there.
    After {
        /// The mark.
        mark: String,
        /// The path of the text; the path that picks the case gives what picked it.
        of: Vec<String>,
    },
    /// The object itself, as the text it is.
    Whole,
    /// An object, its members in this order.
    Object(Vec<(String, Build)>),
    /// An array.
    Array(Vec<Build>),
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
