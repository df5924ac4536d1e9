//! The bundle's rows as steps of a transaction.

use super::normal::{self, Normal};
use super::shape::{Field, Shape};
use crate::bundle;
use crate::instantdb::Attr;
use crate::json;
use crate::schema::Type;
use crate::target::{Image, Rows, Value};

/// The values of a row in the shape's order, as the server keeps them.
pub(super) fn values<'a>(shape: &Shape, rows: &Rows<'a>, row: usize) -> Vec<Normal<'a>> {
    shape.columns.iter().map(|field| normal::ours(rows.value(field.at, row))).collect()
}

/// Steps that belong together, and what must be true of the app once they are done.
#[derive(Debug, Clone)]
pub(super) struct Unit {
    /// The row's id, or both ends of a link.
    pub(super) key: Vec<String>,
    /// The steps as JSON, separated by commas.
    pub(super) steps: String,
    /// How many triples they write.
    pub(super) triples: usize,
    pub(super) goal: Goal,
}

/// What must be true of the app once a unit is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Goal {
    /// The row is there, and these columns of the shape have values with these digests.
    Holds(Vec<(usize, u128)>),
    /// The same, or the row is not there.
    HoldsIfThere(Vec<(usize, u128)>),
    /// The row is not there.
    Gone,
    /// The link is there, or is not.
    Linked(bool),
}

/// Writes steps about one row.
pub(super) struct Steps<'s> {
    etype: &'s str,
    id: &'s str,
    out: Vec<u8>,
    triples: usize,
}

impl<'s> Steps<'s> {
    pub(super) fn new(etype: &'s str, id: &'s str) -> Self {
        Self { etype, id, out: Vec::new(), triples: 0 }
    }

    fn head(&mut self, op: &str) {
        if !self.out.is_empty() {
            self.out.push(b',');
        }
        self.out.extend_from_slice(format!("[\"{op}\",").as_bytes());
        json::write_string(self.etype, &mut self.out);
        self.out.push(b',');
        json::write_string(self.id, &mut self.out);
    }

    /// A step with an object of members.
    fn members<'m>(&mut self, op: &str, members: impl Iterator<Item = (&'m str, Vec<u8>)>) {
        self.head(op);
        self.out.extend_from_slice(b",{");
        for (at, (label, raw)) in members.enumerate() {
            if at > 0 {
                self.out.push(b',');
            }
            json::write_string(label, &mut self.out);
            self.out.push(b':');
            self.out.extend_from_slice(&raw);
            self.triples += 1;
        }
        self.out.extend_from_slice(b"}]");
    }

    /// Writes attributes; the row is made where it is not there.
    pub(super) fn update<'m>(&mut self, members: impl Iterator<Item = (&'m str, Vec<u8>)>) {
        self.triples += 1;
        self.members("update", members);
    }

    /// Links, when there is anything to link.
    pub(super) fn link(&mut self, links: &[(&str, &str)]) {
        self.linking("link", links);
    }

    /// Takes links away, when there are any.
    pub(super) fn unlink(&mut self, links: &[(&str, &str)]) {
        self.linking("unlink", links);
    }

    fn linking(&mut self, op: &str, links: &[(&str, &str)]) {
        if !links.is_empty() {
            self.members(op, links.iter().map(|(label, to)| (*label, quoted(to))));
        }
    }

    pub(super) fn delete(&mut self) {
        self.head("delete");
        self.out.push(b']');
        self.triples += 4;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    pub(super) fn unit(self, key: Vec<String>, goal: Goal) -> Unit {
        // Every part is UTF-8: names, ids and JSON texts.
        let steps = String::from_utf8(self.out).unwrap_or_default();
        Unit { key, steps, triples: self.triples, goal }
    }
}

fn quoted(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    json::write_string(text, &mut out);
    out
}

/// A value as JSON, in the form in which the bundle's lines have it; payload as the text it is.
fn raw(value: Value<'_>) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    match value {
        Value::Null | Value::Whole(_) | Value::Json("null") => return None,
        Value::Text(text) => json::write_string(text, &mut out),
        Value::Number(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::Boolean(value) => out.extend_from_slice(value.to_string().as_bytes()),
        Value::Date(micros) => bundle::write_date(micros, &mut out),
        Value::Json(text) => out.extend_from_slice(text.as_bytes()),
    }
    Some(out)
}

/// A row of the bundle on its way.
pub(super) struct Line<'r, 'a> {
    pub(super) shape: &'r Shape,
    pub(super) rows: &'r Rows<'a>,
    pub(super) row: usize,
    pub(super) id: &'r str,
    /// What the app held, when the row is replaced.
    pub(super) image: Option<&'r Image>,
}

impl Line<'_, '_> {
    fn value(&self, field: &Field) -> Value<'_> {
        self.rows.value(field.at, self.row)
    }

    fn text(&self, field: &Field) -> Option<&str> {
        match self.value(field) {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    fn goal(&self, wanted: impl Fn(&Field) -> bool) -> Vec<(usize, u128)> {
        let fields = self.shape.columns.iter().enumerate().filter(|(_, field)| wanted(field));
        fields.map(|(at, field)| (at, normal::ours(self.value(field)).digest())).collect()
    }

    /// The row with its links, those excepted that lead to rows which come later.
    pub(super) fn brought(&self, extra: Option<&str>) -> Unit {
        let mut steps = Steps::new(&self.shape.etype, self.id);
        let attrs = self.shape.columns.iter().filter(|field| !field.is_link);
        let attrs = attrs.filter_map(|field| {
            let held =
                self.image.is_some_and(|image| image.get(&field.name).is_some_and(Option::is_some));
            let lost = held.then(|| b"null".to_vec());
            raw(self.value(field)).or(lost).map(|raw| (field.name.as_str(), raw))
        });
        let extras = extra.filter(|_| self.image.is_none());
        let extras = extras.map(|text| extras_of(self.shape, text)).unwrap_or_default();
        let extras = extras.iter().map(|(label, raw)| (label.as_str(), raw.clone()));
        steps.update(attrs.chain(extras));
        let now = |field: &&Field| field.is_link && !field.is_late;
        let links: Vec<(&str, &str)> = self
            .shape
            .columns
            .iter()
            .filter(now)
            .filter_map(|field| Some((field.name.as_str(), self.text(field)?)))
            .collect();
        steps.link(&links);
        let goal =
            self.goal(|field| !field.is_late && (!field.is_link || self.text(field).is_some()));
        steps.unit(vec![self.id.to_owned()], Goal::Holds(goal))
    }

    /// The links that lead to rows which come later.
    pub(super) fn late_links(&self) -> Option<Unit> {
        let late = |field: &Field| field.is_late && self.text(field).is_some();
        let fields = self.shape.columns.iter().filter(|field| late(field));
        let links: Vec<(&str, &str)> =
            fields.filter_map(|field| Some((field.name.as_str(), self.text(field)?))).collect();
        let mut steps = Steps::new(&self.shape.etype, self.id);
        steps.link(&links);
        let goal = Goal::Holds(self.goal(late));
        (!steps.is_empty()).then(|| steps.unit(vec![self.id.to_owned()], goal))
    }

    /// What a replaced row gives up before anything is written: links that go, and unique values
    /// and links that change, for another row may take them.
    pub(super) fn released(&self) -> Option<Unit> {
        let image = self.image?;
        let mut attrs = Vec::new();
        let mut links = Vec::new();
        let mut goal = Vec::new();
        for (at, field) in self.shape.columns.iter().enumerate() {
            let Some(Some(held)) = image.get(&field.name) else { continue };
            let (there, here) = (normal::theirs(held, field.kind), normal::ours(self.value(field)));
            let goes = here == Normal::Absent || field.unique;
            if there.digest() == here.digest() || !goes || field.required {
                continue;
            }
            match (&there, field.is_link) {
                (Normal::Text(to), true) => links.push((field.name.as_str(), to.to_string())),
                (_, true) => continue,
                (_, false) => attrs.push(field.name.as_str()),
            }
            goal.push((at, Normal::Absent.digest()));
        }
        freed(self.shape, self.id, (&attrs, &links), goal)
    }
}

/// Attributes set to null and links taken away.
pub(super) fn freed(
    shape: &Shape,
    id: &str,
    (attrs, links): (&[&str], &[(&str, String)]),
    goal: Vec<(usize, u128)>,
) -> Option<Unit> {
    let mut steps = Steps::new(&shape.etype, id);
    if !attrs.is_empty() {
        steps.update(attrs.iter().map(|label| (*label, b"null".to_vec())));
    }
    let links: Vec<(&str, &str)> = links.iter().map(|(label, to)| (*label, to.as_str())).collect();
    steps.unlink(&links);
    (!steps.is_empty()).then(|| steps.unit(vec![id.to_owned()], Goal::HoldsIfThere(goal)))
}

/// Members of what the contract does not name that the app has attributes for.
pub(super) fn extras_of(shape: &Shape, extra: &str) -> Vec<(String, Vec<u8>)> {
    let members = json::members(extra).unwrap_or_default();
    let known = |name: &str| shape.extras.iter().find(|attr| attr.label == name);
    let mut found: Vec<(String, Vec<u8>)> = Vec::new();
    for (name, raw) in members {
        let fits = known(&name).is_some_and(|attr| fits(attr, raw));
        if fits && raw != "null" && found.iter().all(|(other, _)| *other != name) {
            found.push((name.into_owned(), raw.as_bytes().to_vec()));
        }
    }
    found
}

/// Whether an attribute of the app takes a value.
fn fits(attr: &Attr, raw: &str) -> bool {
    let value = Value::Json(raw);
    if attr.unique || super::limits::refused(value, attr.indexed).is_some() {
        return false;
    }
    let first = raw.bytes().next().unwrap_or_default();
    match attr.checked {
        None | Some(Type::Any) => true,
        Some(Type::String) => first == b'"',
        Some(Type::Number) => first == b'-' || first.is_ascii_digit(),
        Some(Type::Boolean) => matches!(first, b't' | b'f'),
        Some(Type::Date) => {
            matches!(normal::theirs(raw, crate::target::ColumnKind::Date), Normal::Date(_))
        }
    }
}
