//! One JSON value as a declared type.

use std::borrow::Cow;

use super::dates::{ParsedDate, number_date, parse_date};
use crate::json;
use crate::schema::Type;
use crate::snapshot::LinksMeta;

/// A typed value of one column.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell<'a> {
    Null,
    Text(Cow<'a, str>),
    Number(f64),
    Boolean(bool),
    Date(i64),
    /// JSON text as it was.
    Json(&'a str),
}

/// How a value stands to its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// The column says all of it.
    Whole,
    /// The column has it in another form: the value as it was goes to `_extra`.
    Reshaped,
    /// The column cannot have it: the value as it was goes to `_invalid`.
    Misfit,
}

const NULL: (Cell<'static>, Fit) = (Cell::Null, Fit::Whole);
const MISFIT: (Cell<'static>, Fit) = (Cell::Null, Fit::Misfit);
/// An id of blanks alone: there is none.
const BLANK: (Cell<'static>, Fit) = (Cell::Null, Fit::Reshaped);

/// The value of an attribute.
pub(super) fn attribute(ty: Type, raw: &str) -> (Cell<'_>, Fit) {
    if raw == "null" {
        return NULL;
    }
    let cell = match ty {
        Type::String => json::string(raw).map(Cell::Text),
        Type::Number => number(raw).map(Cell::Number),
        Type::Boolean => boolean(raw).map(Cell::Boolean),
        Type::Any => (!is_too_deep(raw)).then_some(Cell::Json(raw)),
        Type::Date => {
            return date(raw).map_or(MISFIT, |date| {
                (Cell::Date(date.micros), if date.exact { Fit::Whole } else { Fit::Reshaped })
            });
        }
    };
    cell.map_or(MISFIT, |cell| (cell, Fit::Whole))
}

fn boolean(raw: &str) -> Option<bool> {
    match raw {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

fn date(raw: &str) -> Option<ParsedDate> {
    match raw.as_bytes().first()? {
        b'"' => parse_date(&json::string(raw)?),
        _ => number_date(raw),
    }
}

/// A number that a double holds: exactly when it is written as an integer.
fn number(raw: &str) -> Option<f64> {
    let is_number = raw.bytes().next().is_some_and(|byte| byte == b'-' || byte.is_ascii_digit());
    let value: f64 = raw.parse().ok().filter(|value: &f64| is_number && value.is_finite())?;
    if !is_integer(raw) || raw.len() <= 15 {
        return Some(value);
    }
    // A double's integer part prints exactly.
    (format!("{value:.0}") == raw).then_some(value)
}

/// Whether a JSON value is written as an integer.
fn is_integer(raw: &str) -> bool {
    let digits = raw.strip_prefix('-').unwrap_or(raw);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a JSON value is nested deeper than any reader of it goes.
fn is_too_deep(raw: &str) -> bool {
    if memchr::memchr2_iter(b'[', b'{', raw.as_bytes()).take(json::MAX_DEPTH + 1).count()
        <= json::MAX_DEPTH
    {
        return false;
    }
    let bytes = raw.as_bytes();
    let (mut at, mut depth) = (0, 0_usize);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => at = end_of_string(bytes, at),
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > json::MAX_DEPTH {
            return true;
        }
        at += 1;
    }
    false
}

/// Where the closing quote of a string stands.
fn end_of_string(bytes: &[u8], mut at: usize) -> usize {
    loop {
        at += 1;
        match memchr::memchr2(b'"', b'\\', bytes.get(at..).unwrap_or_default()) {
            None => return bytes.len(),
            Some(skipped) => at += skipped,
        }
        if bytes[at] == b'"' {
            return at;
        }
        at += 1;
    }
}

/// The value of an attribute that may hold the id of a linked row: a text, of which blanks alone are
/// no id, or a whole number, as in [`id`].
pub(super) fn scalar(raw: &str) -> (Cell<'_>, Fit) {
    match reference(raw) {
        (Cell::Text(text), _) if is_blank(&text) => BLANK,
        typed => typed,
    }
}

/// The value of a text that a rule reads as the id of a row: a whole number too, as in [`id`]. Blanks
/// alone stay, as other rules may take the text as it is.
pub(super) fn reference(raw: &str) -> (Cell<'_>, Fit) {
    if is_integer(raw) {
        return (Cell::Text(Cow::Borrowed(raw)), Fit::Reshaped);
    }
    attribute(Type::String, raw)
}

/// The value of `id`.
pub(super) fn id(raw: &str) -> (Cell<'_>, Fit) {
    match one_id(raw) {
        _ if raw == "null" => NULL,
        OneId::Blank => BLANK,
        OneId::Plain(id) => (Cell::Text(id), Fit::Whole),
        OneId::Other(id) if is_integer(raw) => (Cell::Text(id), Fit::Reshaped),
        OneId::Other(_) | OneId::Misfit => MISFIT,
    }
}

/// The value of a has-one link that is a column.
pub(super) fn link(raw: &str) -> (Cell<'_>, Fit) {
    let Ids { mut ids, form } = ids(raw);
    match (ids.pop(), form) {
        (_, Form::Misfit) => MISFIT,
        (None, Form::Nothing) => NULL,
        (None, _) => BLANK,
        (Some(id), Form::One) => (Cell::Text(id), Fit::Whole),
        (Some(id), _) if ids.iter().all(|other| *other == id) => (Cell::Text(id), Fit::Reshaped),
        _ => MISFIT,
    }
}

/// How many ids a row holds by a link that is no column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// At most one: several fit no row.
    One,
    /// One as the app has it, which the target loosens where a row has several.
    OneOrMore,
    Many,
}

impl Holds {
    /// What the rows of a link file hold.
    pub(super) fn of(links: &LinksMeta) -> Self {
        match (links.has_one, links.role.as_str()) {
            (true, "carried") => Holds::OneOrMore,
            (true, _) => Holds::One,
            (false, _) => Holds::Many,
        }
    }
}

/// The ids of a link that is no column: those that are ids, and how the whole fits.
pub(super) fn linked(raw: &str, holds: Holds) -> (Vec<Cow<'_, str>>, Fit) {
    let Ids { ids, form } = ids(raw);
    let several = ids.windows(2).any(|pair| pair[0] != pair[1]);
    let fit = match form {
        Form::Misfit => Fit::Misfit,
        _ if holds == Holds::One && several => Fit::Misfit,
        Form::Nothing => Fit::Whole,
        Form::One if holds != Holds::Many => Fit::Whole,
        Form::List if holds == Holds::Many || several => Fit::Whole,
        _ => Fit::Reshaped,
    };
    (ids, fit)
}

struct Ids<'a> {
    ids: Vec<Cow<'a, str>>,
    form: Form,
}

enum Form {
    /// Null or an empty list.
    Nothing,
    /// One id as text.
    One,
    /// A list of ids as texts.
    List,
    /// Ids in any other form, or blanks in the place of some or all.
    Other,
    /// Something that is no id.
    Misfit,
}

fn ids(raw: &str) -> Ids<'_> {
    if raw == "null" {
        return Ids { ids: Vec::new(), form: Form::Nothing };
    }
    if !raw.starts_with('[') {
        let (ids, form) = match one_id(raw) {
            OneId::Plain(id) => (vec![id], Form::One),
            OneId::Other(id) => (vec![id], Form::Other),
            OneId::Blank => (Vec::new(), Form::Other),
            OneId::Misfit => (Vec::new(), Form::Misfit),
        };
        return Ids { ids, form };
    }
    let elements = json::elements(raw).unwrap_or_default();
    let mut ids = Vec::with_capacity(elements.len());
    let mut form = if elements.is_empty() { Form::Nothing } else { Form::List };
    for element in elements {
        let (id, other) = match one_id(element) {
            OneId::Plain(id) => (Some(id), None),
            OneId::Other(id) => (Some(id), Some(Form::Other)),
            OneId::Blank => (None, Some(Form::Other)),
            OneId::Misfit => (None, Some(Form::Misfit)),
        };
        ids.extend(id);
        form = match other {
            Some(other) if !matches!(form, Form::Misfit) => other,
            _ => form,
        };
    }
    Ids { ids, form }
}

/// What one value says of an id.
enum OneId<'a> {
    /// `"id"`.
    Plain(Cow<'a, str>),
    /// `7` or `{"id": …}`.
    Other(Cow<'a, str>),
    /// Null or blanks alone, in an object too: no id.
    Blank,
    /// Anything else.
    Misfit,
}

fn one_id(raw: &str) -> OneId<'_> {
    match raw.as_bytes().first() {
        Some(b'"') => match json::string(raw) {
            Some(id) if is_blank(&id) => OneId::Blank,
            Some(id) => OneId::Plain(id),
            None => OneId::Misfit,
        },
        Some(b'{') => match only_id(raw).map(one_id) {
            Some(OneId::Plain(id) | OneId::Other(id)) => OneId::Other(id),
            Some(OneId::Blank) => OneId::Blank,
            Some(OneId::Misfit) | None => OneId::Misfit,
        },
        _ if raw == "null" => OneId::Blank,
        _ if is_integer(raw) => OneId::Other(Cow::Borrowed(raw)),
        _ => OneId::Misfit,
    }
}

/// The one `id` of an object, unless it is an object itself.
fn only_id(raw: &str) -> Option<&str> {
    let mut ids = json::members(raw).ok()?.into_iter().filter(|(key, _)| key == "id");
    match (ids.next(), ids.next()) {
        (Some((_, id)), None) if !id.starts_with('{') => Some(id),
        _ => None,
    }
}

/// Whether a text is blanks alone: space, TAB, CR, LF.
fn is_blank(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Cell<'_> {
        Cell::Text(Cow::Borrowed(text))
    }

    fn check(ty: Type, raw: &str, expected: &(Cell<'_>, Fit)) {
        assert_eq!(attribute(ty, raw), *expected, "{} {raw}", ty.name());
    }

    #[test]
    fn values_fit_their_types() {
        use Fit::{Reshaped, Whole};
        for (ty, raw, cell, fit) in [
            (Type::String, r#""a\u0000\n""#, text("a\0\n"), Whole),
            (Type::String, r#""""#, text(""), Whole),
            (Type::String, "null", Cell::Null, Whole),
            (Type::Number, "-1.50", Cell::Number(-1.5), Whole),
            (Type::Number, "1e3", Cell::Number(1000.0), Whole),
            (Type::Number, "9007199254740992", Cell::Number(9_007_199_254_740_992.0), Whole),
            (Type::Number, "9007199254740994", Cell::Number(9_007_199_254_740_994.0), Whole),
            (Type::Number, "-10000000000000000000000", Cell::Number(-1e22), Whole),
            (Type::Boolean, "false", Cell::Boolean(false), Whole),
            (Type::Date, "1.5", Cell::Date(1500), Whole),
            (Type::Date, r#""1970-01-01T00:00:01Z""#, Cell::Date(1_000_000), Whole),
            (Type::Date, r#""1970-01-01T00:00:00.0000015Z""#, Cell::Date(1), Reshaped),
            (Type::Any, r#"{"a": [ 1.0 ]}"#, Cell::Json(r#"{"a": [ 1.0 ]}"#), Whole),
            (Type::Any, r#""\ud800""#, Cell::Json(r#""\ud800""#), Whole),
            (Type::Any, "null", Cell::Null, Whole),
        ] {
            check(ty, raw, &(cell, fit));
        }
    }

    #[test]
    fn what_does_not_fit_is_set_aside() {
        for (ty, raw) in [
            (Type::String, "1"),
            (Type::String, r#""\ud800""#),
            (Type::String, r#"{"a":1}"#),
            (Type::Number, r#""1""#),
            (Type::Number, "true"),
            (Type::Number, "9007199254740993"),
            (Type::Number, "123456789012345678901234567890"),
            (Type::Number, "1e400"),
            (Type::Boolean, "0"),
            (Type::Boolean, r#""true""#),
            (Type::Date, "true"),
            (Type::Date, r#""""#),
            (Type::Date, r#""1704164645678""#),
            (Type::Date, "{}"),
            (Type::Date, "1e30"),
        ] {
            check(ty, raw, &MISFIT);
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| format!("{}\"[[\\\"\"{}", "[".repeat(depth), "]".repeat(depth));
        let many = format!("[{}{{}}]", "{},".repeat(5000));
        assert_eq!(attribute(Type::Any, &nested(1000)).1, Fit::Whole);
        assert_eq!(attribute(Type::Any, &many).1, Fit::Whole);
        assert_eq!(attribute(Type::Any, &nested(1001)), MISFIT);
        assert_eq!(attribute(Type::Any, &nested(5000)), MISFIT);
        assert_eq!(link(&nested(5000)), MISFIT);
        assert_eq!(id(&nested(5000)), MISFIT);
    }

    #[test]
    fn ids_are_text() {
        assert_eq!(id(r#""a""#), (text("a"), Fit::Whole));
        assert_eq!(id(r#"" A ""#), (text(" A "), Fit::Whole));
        assert_eq!(id("7"), (text("7"), Fit::Reshaped));
        assert_eq!(id("null"), NULL);
        for raw in [r#"" \t""#, r#""""#, r#""\r\n""#] {
            assert_eq!(id(raw), BLANK, "{raw}");
        }
        for raw in ["7.5", "true", "[]", r#"{"id":"a"}"#, r#""\ud800""#] {
            assert_eq!(id(raw), MISFIT, "{raw}");
        }
    }

    #[test]
    fn ids_in_attributes_are_texts_or_whole_numbers() {
        for raw in ["7", "0", "90071992547409931234"] {
            assert_eq!(scalar(raw), (text(raw), Fit::Reshaped));
            assert_eq!(reference(raw), (text(raw), Fit::Reshaped));
        }
        assert_eq!(scalar(r#""7""#), (text("7"), Fit::Whole));
        assert_eq!((scalar(r#"" ""#), reference(r#"" ""#)), (BLANK, (text(" "), Fit::Whole)));
        for raw in ["7.5", "true", "[]", "[7]", r#"{"id":7}"#] {
            assert_eq!((scalar(raw), reference(raw)), (MISFIT, MISFIT), "{raw}");
        }
    }

    #[test]
    fn links_are_ids_in_any_form() {
        use Fit::{Misfit, Reshaped, Whole};
        for (raw, column, ids, one, many) in [
            ("null", NULL, vec![], Whole, Whole),
            ("[]", NULL, vec![], Whole, Whole),
            (r#""a""#, (text("a"), Whole), vec!["a"], Whole, Reshaped),
            ("7", (text("7"), Reshaped), vec!["7"], Reshaped, Reshaped),
            (r#"["a"]"#, (text("a"), Reshaped), vec!["a"], Reshaped, Whole),
            (r#"["a","a"]"#, (text("a"), Reshaped), vec!["a", "a"], Reshaped, Whole),
            (r#"["a","b"]"#, MISFIT, vec!["a", "b"], Misfit, Whole),
            (r#"{"id":"a","x":[]}"#, (text("a"), Reshaped), vec!["a"], Reshaped, Reshaped),
            (r#"[{"id":"a"}]"#, (text("a"), Reshaped), vec!["a"], Reshaped, Reshaped),
            (r#"["a",{"id":7}]"#, MISFIT, vec!["a", "7"], Misfit, Reshaped),
            (r#"["a",null]"#, (text("a"), Reshaped), vec!["a"], Reshaped, Reshaped),
            ("[null,7]", (text("7"), Reshaped), vec!["7"], Reshaped, Reshaped),
            (r#"["a"," ","a"]"#, (text("a"), Reshaped), vec!["a", "a"], Reshaped, Reshaped),
            (r#"["a"," ",{}]"#, MISFIT, vec!["a"], Misfit, Misfit),
            (r#"[{}," "]"#, MISFIT, vec![], Misfit, Misfit),
            (r#"" ""#, BLANK, vec![], Reshaped, Reshaped),
            (r#""""#, BLANK, vec![], Reshaped, Reshaped),
            (r#"["\t"]"#, BLANK, vec![], Reshaped, Reshaped),
            ("[null]", BLANK, vec![], Reshaped, Reshaped),
            (r#"{"id":null}"#, BLANK, vec![], Reshaped, Reshaped),
            (r#"[{"id":""}]"#, BLANK, vec![], Reshaped, Reshaped),
            ("{}", MISFIT, vec![], Misfit, Misfit),
            (r#"{"id":"a","id":"a"}"#, MISFIT, vec![], Misfit, Misfit),
            (r#"{"id":{"id":"a"}}"#, MISFIT, vec![], Misfit, Misfit),
            (r#"[["a"]]"#, MISFIT, vec![], Misfit, Misfit),
            ("1.5", MISFIT, vec![], Misfit, Misfit),
        ] {
            assert_eq!(link(raw), column, "{raw}");
            let ids: Vec<Cow<'_, str>> = ids.into_iter().map(Cow::Borrowed).collect();
            assert_eq!(linked(raw, Holds::One), (ids.clone(), one), "{raw}");
            assert_eq!(linked(raw, Holds::Many), (ids, many), "{raw}");
        }
    }
}
