//! Row-wise functions polars has no expression for. Each gives null for null.

use std::borrow::Cow;
use std::collections::BTreeMap;

use polars::prelude::*;
use uuid::Uuid;

use super::codes::{FOLDED, KEPT, OTHERWISE, REFUSED};
use super::explode;
use crate::contract::{Build, Explode, ID_DIGITS, Otherwise, Values};
use crate::digest;
use crate::json::{self, PathValue};
use crate::schema::Type;

/// Blanks of every engine: space, TAB, CR, LF.
const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];

/// An id as it is compared: a UUID in lower case, any other text as it stands, blanks absent.
pub(super) fn id(text: Expr) -> Expr {
    changed(text, "id", |text| match form(text) {
        Form::Mixed => Changed::To(text.to_ascii_lowercase()),
        Form::Other if is_blank(text) => Changed::Absent,
        Form::Lower | Form::Other => Changed::No,
    })
}

/// An id as it is compared; blanks are none.
pub(super) fn id_text(text: &str) -> Option<Cow<'_, str>> {
    match form(text) {
        Form::Mixed => Some(Cow::Owned(text.to_ascii_lowercase())),
        Form::Other if is_blank(text) => None,
        Form::Lower | Form::Other => Some(Cow::Borrowed(text)),
    }
}

/// An id as ids are put in order: a whole number with leading zeros, so that 9 comes before 10.
pub(super) fn id_order(id: Expr) -> Expr {
    changed(id, "id_order", |text| match ordered_id(text) {
        Cow::Borrowed(_) => Changed::No,
        Cow::Owned(text) => Changed::To(text),
    })
}

/// The text by which an id is put in order: of a whole number its value, then its own text.
pub(super) fn ordered_id(id: &str) -> Cow<'_, str> {
    let is_whole =
        !id.is_empty() && id.len() <= ID_DIGITS && id.bytes().all(|b| b.is_ascii_digit());
    if is_whole { Cow::Owned(format!("{id:0>ID_DIGITS$} {id}")) } else { Cow::Borrowed(id) }
}

/// A text; of blanks alone it is absent.
pub(super) fn not_blank(text: Expr) -> Expr {
    changed(text, "not_blank", |text| if is_blank(text) { Changed::Absent } else { Changed::No })
}

/// Whether a text is blanks alone.
pub(super) fn is_blank(text: &str) -> bool {
    text.trim_matches(BLANKS).is_empty()
}

/// What a text is as a UUID in its 36-character form, which is what InstantDB takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// A UUID in lower case.
    Lower,
    /// A UUID with capitals.
    Mixed,
    /// None.
    Other,
}

/// Every id of every row comes through here, so there is no branch for a byte.
fn form(text: &str) -> Form {
    let Ok(bytes) = <&[u8; 36]>::try_from(text.as_bytes()) else { return Form::Other };
    let (mut wrong, mut capital) = (0_u8, 0_u8);
    for (byte, dash) in bytes.iter().zip(&DASHES) {
        let digit = byte.wrapping_sub(b'0') < 10;
        let letter = (byte | 0x20).wrapping_sub(b'a') < 6;
        let is_hex = u8::from(digit | letter);
        let is_dash = u8::from(*byte == b'-');
        wrong |= (dash & (is_dash ^ 1)) | ((dash ^ 1) & (is_hex ^ 1));
        capital |= u8::from(byte.wrapping_sub(b'A') < 6);
    }
    match (wrong, capital) {
        (0, 0) => Form::Lower,
        (0, _) => Form::Mixed,
        _ => Form::Other,
    }
}

/// 1 where a UUID has a dash.
const DASHES: [u8; 36] = {
    let mut dashes = [0; 36];
    dashes[8] = 1;
    dashes[13] = 1;
    dashes[18] = 1;
    dashes[23] = 1;
    dashes
};

/// The id a target row gets for a legacy id: a UUID is kept, any other text is mapped.
pub(super) fn target_id(id: Expr, namespace: &str, target: &str) -> Expr {
    let maker = IdMaker::new(namespace, target);
    changed(id, "target_id", move |text| match form(text) {
        Form::Lower => Changed::No,
        Form::Mixed => Changed::To(text.to_ascii_lowercase()),
        Form::Other => Changed::To(maker.make(text)),
    })
}

/// Whether [`target_id`] maps: 1 for an id that is no UUID.
pub(super) fn is_mapped(id: Expr) -> Expr {
    codes(id, "is_mapped", |text| i32::from(form(text) == Form::Other))
}

/// The id derived from a key: `uuid5(ns, "<target>:<key>")`.
pub(super) fn derived_id(key: Expr, namespace: &str, target: &str) -> Expr {
    let maker = IdMaker::new(namespace, target);
    texts(key, "derived_id", move |text| Some(Cow::Owned(maker.make(text))))
}

/// Makes ids out of keys.
pub(super) struct IdMaker {
    namespace: Uuid,
    target: String,
}

impl IdMaker {
    pub(super) fn new(namespace: &str, target: &str) -> Self {
        let namespace = Uuid::new_v5(&Uuid::NAMESPACE_URL, namespace.as_bytes());
        Self { namespace, target: target.to_owned() }
    }

    pub(super) fn make(&self, key: &str) -> String {
        self.id(key).hyphenated().to_string()
    }

    /// The key of the id that a target row gets for a legacy id.
    pub(super) fn key128(&self, id: &str) -> u128 {
        match form(id) {
            Form::Lower | Form::Mixed => key128(id),
            Form::Other => self.id(id).as_u128(),
        }
    }

    fn id(&self, key: &str) -> Uuid {
        let name = format!("{}:{key}", self.target);
        Uuid::new_v5(&self.namespace, name.as_bytes())
    }
}

/// 128 bits of an id: a UUID is its own number, any other text has those of its digest.
pub(super) fn key128(id: &str) -> u128 {
    let number = Some(id).filter(|id| form(id) != Form::Other);
    let number = number.and_then(|id| Uuid::try_parse(id).ok());
    number.unwrap_or_else(|| Uuid::new_v5(&Uuid::NAMESPACE_OID, id.as_bytes())).as_u128()
}

/// Words about a text, or nothing.
pub(super) fn words<F>(text: Expr, say: F) -> Expr
where
    F: Fn(&str) -> Option<&'static str> + Send + Sync + 'static,
{
    texts(text, "words", move |text| say(text).map(Cow::Borrowed))
}

/// The text at a JSON path; whole numbers and booleans are not text.
pub(super) fn path_text(value: Expr, keys: &[String]) -> Expr {
    let keys = keys.to_vec();
    texts(value, "path", move |text| match json::at_path(text, &keys) {
        PathValue::Text(text) => Some(Cow::Owned(text)),
        _ => None,
    })
}

/// The whole number at a JSON path, as text that casts to a double.
pub(super) fn path_whole(value: Expr, keys: &[String]) -> Expr {
    let keys = keys.to_vec();
    texts(value, "path", move |text| match json::at_path(text, &keys) {
        PathValue::Whole(whole) => Some(Cow::Owned(whole.to_string())),
        _ => None,
    })
}

/// The boolean at a JSON path, as 0 or 1.
pub(super) fn path_boolean(value: Expr, keys: &[String]) -> Expr {
    let keys = keys.to_vec();
    texts(value, "path", move |text| match json::at_path(text, &keys) {
        PathValue::Boolean(yes) => Some(Cow::Borrowed(if yes { "1" } else { "0" })),
        _ => None,
    })
}

/// A text as a JSON string.
pub(super) fn json_string(text: Expr) -> Expr {
    texts(text, "json_string", |text| {
        let mut out = Vec::with_capacity(text.len() + 2);
        json::write_string(text, &mut out);
        String::from_utf8(out).ok().map(Cow::Owned)
    })
}

/// A number as a person writes it: whole ones without a fraction.
pub(super) fn number_text(number: Expr) -> Expr {
    number.map_with_fmt_str(
        |column| {
            let numbers = column.f64()?;
            let texts: StringChunked =
                numbers.iter().map(|number| number.map(|number| format!("{number}"))).collect();
            Ok(texts.with_name(column.name().clone()).into_column())
        },
        |_, field| Ok(Field::new(field.name.clone(), DataType::String)),
        "number_text",
    )
}

/// What a mapping makes of a text.
pub(super) fn mapping(value: Expr, values: &Values) -> Expr {
    let map = Mapping::new(values);
    texts(value, "values", move |text| map.of(text).0.map(|text| Cow::Owned(text.to_owned())))
}

/// How a mapping came to it.
pub(super) fn mapping_code(value: Expr, values: &Values) -> Expr {
    let map = Mapping::new(values);
    codes(value, "values_code", move |text| map.of(text).1)
}

struct Mapping {
    exact: BTreeMap<String, String>,
    folded: BTreeMap<String, String>,
    otherwise: Otherwise,
}

impl Mapping {
    fn new(values: &Values) -> Self {
        let exact: BTreeMap<_, _> = values.map.iter().cloned().collect();
        let fold = |(from, to): &(String, String)| (from.to_ascii_lowercase(), to.clone());
        let folded = if values.fold_case {
            values.map.iter().rev().map(fold).collect()
        } else {
            BTreeMap::new()
        };
        Self { exact, folded, otherwise: values.otherwise.clone() }
    }

    fn of<'a>(&'a self, text: &'a str) -> (Option<&'a str>, i32) {
        if let Some(to) = self.exact.get(text) {
            return (Some(to), 0);
        }
        if let Some(to) = self.folded.get(&text.to_ascii_lowercase()) {
            return (Some(to), FOLDED);
        }
        match &self.otherwise {
            Otherwise::Keep => (Some(text), KEPT),
            Otherwise::Quarantine => (None, REFUSED),
            Otherwise::Value(crate::contract::Constant::Text(to)) => (Some(to), OTHERWISE),
            Otherwise::Value(_) => (None, OTHERWISE),
        }
    }
}

/// The case of a row, by the columns that may have its object and the attribute that stands in: see
/// [`explode::case_of`].
pub(super) fn case(of: Vec<Expr>, attr: Option<Expr>, rule: &Explode) -> Expr {
    let (rule, count) = (rule.clone(), of.len());
    let mut args = of.into_iter().chain(attr);
    let first = args.next().unwrap_or(lit(NULL));
    let args: Vec<Expr> = args.collect();
    first.map_many(
        move |columns| {
            let texts = columns.iter().map(|column| column.str());
            let texts: Vec<&StringChunked> = texts.collect::<PolarsResult<_>>()?;
            let (objects, attrs) = texts.split_at(count);
            let mut values = Vec::with_capacity(count);
            let case = |at: usize| {
                values.clear();
                values.extend(objects.iter().map(|texts| texts.get(at)));
                let attr = attrs.first().and_then(|attrs| attrs.get(at));
                explode::case_of(&rule, &values, attr)
            };
            let cases: Int32Chunked = (0..columns[0].len()).map(case).map(Some).collect();
            Ok(cases.with_name(columns[0].name().clone()).into_column())
        },
        &args,
        |_, fields| Ok(Field::new(fields[0].name.clone(), DataType::Int32)),
    )
}

/// What a case fills an attribute with in its `nth` row: JSON, or a constant as text.
pub(super) fn built(
    object: Expr,
    case: Expr,
    attr: Option<Expr>,
    (rule, name, nth): (&Explode, &str, i32),
    is_json: bool,
) -> Expr {
    let (rule, name) = (rule.clone(), name.to_owned());
    let args: Vec<Expr> = std::iter::once(case).chain(attr).collect();
    object.map_many(
        move |columns| {
            let (objects, cases) = (columns[0].str()?, columns[1].i32()?);
            let attrs = columns.get(2).map(|column| column.str()).transpose()?;
            let made = |(at, object): (usize, Option<&str>)| {
                let value = explode::value(&rule, cases.get(at)?, nth, &name)?;
                if let (Build::Constant(value), false) = (value, is_json) {
                    return Some(explode::plain(value));
                }
                let attr = attrs.and_then(|attrs| attrs.get(at));
                let mut out = Vec::new();
                let source = explode::Source::read(&rule, object?, attr)?;
                source.build(value, &mut out).then(|| String::from_utf8(out).ok())?
            };
            let texts: StringChunked = objects.iter().enumerate().map(made).collect();
            Ok(texts.with_name(columns[0].name().clone()).into_column())
        },
        &args,
        |_, fields| Ok(Field::new(fields[0].name.clone(), DataType::String)),
    )
}

/// The place, among sorted names, of the first name that a JSON object has.
pub(super) fn first_member(object: Expr, names: Vec<String>) -> Expr {
    codes_or_null(object, "first_member", move |text| {
        let members = json::members(text).ok()?;
        let at = members.iter().filter_map(|(name, _)| {
            names.iter().position(|wanted| wanted.as_str() == name.as_ref())
        });
        at.min().and_then(|at| i32::try_from(at).ok())
    })
}

/// Whether a text, JSON or plain, holds what not every store does.
pub(super) fn unfit(text: Expr, ty: Type) -> Expr {
    let is_json = ty == Type::Any;
    text.map_with_fmt_str(
        move |column| {
            let unfit = |text: &str| {
                let found = json::escapes(text);
                text.contains('\0') || (is_json && (found.nul || found.lone_surrogate))
            };
            let found: BooleanChunked = column.str()?.iter().map(|text| text.map(unfit)).collect();
            Ok(found.with_name(column.name().clone()).into_column())
        },
        |_, field| Ok(Field::new(field.name.clone(), DataType::Boolean)),
        "unfit",
    )
}

/// 64 bits of a text's digest: equal texts have equal keys.
pub(super) fn key64(text: Expr) -> Expr {
    text.map_with_fmt_str(
        |column| {
            let keys: UInt64Chunked =
                column.str()?.iter().map(|text| text.map(|text| fnv(text.as_bytes()))).collect();
            Ok(keys.with_name(column.name().clone()).into_column())
        },
        |_, field| Ok(Field::new(field.name.clone(), DataType::UInt64)),
        "key64",
    )
}

/// FNV-1a, with a final mix.
fn fnv(bytes: &[u8]) -> u64 {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The digest of a JSON value by value, as 32 hexadecimal digits.
pub(super) fn json_digest(value: Expr) -> Expr {
    texts(value, "json_digest", |text| {
        let digest = digest::RowDigest::default().of([("", digest::Value::Json(text))]);
        Some(Cow::Owned(digest::row_hex(digest)))
    })
}

/// What a function makes of a text that it mostly leaves as it is.
enum Changed {
    No,
    To(String),
    Absent,
}

/// As [`texts`]; a column in which nothing changes is passed on as it is, without a copy.
fn changed<F>(input: Expr, name: &'static str, make: F) -> Expr
where
    F: Fn(&str) -> Changed + Send + Sync + 'static,
{
    input.map_with_fmt_str(
        move |column| {
            let values = column.str()?;
            let differs = |text: &&str| !matches!(make(text), Changed::No);
            let Some(first) = values.iter().position(|text| text.as_ref().is_some_and(differs))
            else {
                return Ok(column.clone());
            };
            let mut builder = StringChunkedBuilder::new(column.name().clone(), values.len());
            for (at, value) in values.iter().enumerate() {
                match value.map(|text| (text, if at < first { Changed::No } else { make(text) })) {
                    Some((text, Changed::No)) => builder.append_value(text),
                    Some((_, Changed::To(text))) => builder.append_value(text),
                    Some((_, Changed::Absent)) | None => builder.append_null(),
                }
            }
            Ok(builder.finish().into_column())
        },
        |_, field| Ok(Field::new(field.name.clone(), DataType::String)),
        name,
    )
}

fn texts<F>(input: Expr, name: &'static str, make: F) -> Expr
where
    F: for<'a> Fn(&'a str) -> Option<Cow<'a, str>> + Send + Sync + 'static,
{
    input.map_with_fmt_str(
        move |column| {
            let values = column.str()?;
            let mut builder = StringChunkedBuilder::new(column.name().clone(), values.len());
            for value in values.iter() {
                builder.append_option(value.and_then(&make));
            }
            Ok(builder.finish().into_column())
        },
        |_, field| Ok(Field::new(field.name.clone(), DataType::String)),
        name,
    )
}

fn codes<F>(input: Expr, name: &'static str, make: F) -> Expr
where
    F: Fn(&str) -> i32 + Send + Sync + 'static,
{
    codes_or_null(input, name, move |text| Some(make(text)))
}

fn codes_or_null<F>(input: Expr, name: &'static str, make: F) -> Expr
where
    F: Fn(&str) -> Option<i32> + Send + Sync + 'static,
{
    input.map_with_fmt_str(
        move |column| {
            let codes: Int32Chunked =
                column.str()?.iter().map(|text| text.and_then(&make)).collect();
            Ok(codes.with_name(column.name().clone()).into_column())
        },
        |_, field| Ok(Field::new(field.name.clone(), DataType::Int32)),
        name,
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_uuid_is_told_by_its_form(text in "[0-9a-fA-Fg/:@G` -]{35,37}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}") {
            let is_uuid = text.len() == 36
                && text.bytes().enumerate().all(|(at, byte)| match at {
                    8 | 13 | 18 | 23 => byte == b'-',
                    _ => byte.is_ascii_hexdigit(),
                });
            let is_lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
            let expected = match (is_uuid, is_lower) {
                (true, true) => Form::Lower,
                (true, false) => Form::Mixed,
                _ => Form::Other,
            };
            prop_assert_eq!(form(&text), expected);
        }
    }
}
