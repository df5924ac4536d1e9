//! Re-derives what an attribute must be, row by row, from the snapshot alone.

use std::borrow::Cow;

use super::bits::Bits;
use super::facts::{Audit, Heir};
use super::firsts::Firsts;
use super::key::{self, ABSENT, NONE};
use super::legacy::Legacy;
use super::naming::type_of;
use super::read::{self, Row};
use super::refs;
use super::value;
use crate::contract::{AttrRule, Constant, Otherwise, Pick, Transform, Values};
use crate::digest::Value;
use crate::error::Result;
use crate::json::{self, PathValue};
use crate::schema::Type;
use crate::snapshot::Extra;

/// The hash of a value that cannot be known from the snapshot alone.
pub(super) const UNSURE: u64 = u64::MAX;
/// The hash of a value that no migrated row may have: its rule quarantines the row.
const REFUSED: u64 = u64::MAX - 1;

/// The hash of a key of blanks alone: it is no value, and a repair tells of it.
const BLANK: u64 = u64::MAX - 2;

/// What the mapping of values did.
pub(super) const HOWS: [&str; 4] = ["", "value folded", "value kept", "value otherwise"];
/// What a repair says of a key of blanks alone, in whose place nothing stands in.
pub(super) const BLANKS: &str = "value blank";

/// What the sources of a rule give in a row.
#[derive(Clone, Copy)]
pub(super) enum Found {
    /// The hash of a value, the place in the rule it is from, and the place in [`HOWS`] of what the
    /// mapping did.
    Value(u64, usize, u8),
    /// No source has a value; whether one has a key of blanks alone.
    Nothing(bool),
}

/// What the sources of a rule give, for every row of its legacy table.
pub(super) struct Derived {
    /// The place in the rule, from 1; 0 when none has a value.
    from: Vec<u8>,
    /// Place in [`HOWS`].
    mapped: Vec<u8>,
    hash: Vec<u64>,
    /// The rows in which a key of blanks alone is no value, and no source has another.
    blank: Bits,
}

impl Derived {
    /// The hash of the value of a row, the place in the rule it is from, and what the mapping did;
    /// `None` when no source has a value.
    pub(super) fn of(&self, row: usize) -> Option<(u64, usize, &'static str)> {
        let from = usize::from(self.from[row]).checked_sub(1)?;
        Some((self.hash[row], from, HOWS[usize::from(self.mapped[row])]))
    }

    /// Whether no source has a value, and one has a key of blanks alone.
    pub(super) fn is_blank(&self, row: usize) -> bool {
        self.blank.get(row)
    }
}

/// Where a value is read.
enum Place<'a> {
    Column { at: usize, ty: Type },
    Path { at: usize, keys: &'a [String] },
    Server { at: usize },
    Linked(Linked<'a>),
}

/// Derives an attribute for every row of a legacy table.
pub(super) fn derive(audit: &Audit<'_>, transform: &Transform, rule: &AttrRule) -> Result<Derived> {
    let legacy = audit.legacy(&transform.source)?;
    let mut derived = Derived {
        from: vec![0; legacy.rows],
        mapped: vec![0; legacy.rows],
        hash: vec![ABSENT; legacy.rows],
        blank: Bits::new(legacy.rows),
    };
    let Some(path) = &legacy.path else { return Ok(derived) };
    let mut columns = Vec::new();
    let sources = Sources::read(audit, transform, rule, &mut columns)?;
    read::scan(path, &columns, &mut |row| {
        match sources.of(row) {
            Found::Value(hash, from, mapped) => {
                derived.from[row.number] = u8::try_from(from + 1).unwrap_or(u8::MAX);
                derived.mapped[row.number] = mapped;
                derived.hash[row.number] = hash;
            }
            Found::Nothing(true) => derived.blank.set(row.number),
            Found::Nothing(false) => {}
        }
        Ok(())
    })?;
    Ok(derived)
}

/// The sources of a rule, to be asked row by row.
pub(super) struct Sources<'a> {
    places: Vec<Place<'a>>,
    maker: Maker<'a>,
    /// The places of a `ref`, of which the first whose row is there counts.
    refs: Option<refs::Places<'a>>,
}

impl<'a> Sources<'a> {
    /// Adds the columns that have to be read.
    pub(super) fn read(
        audit: &'a Audit<'a>,
        transform: &Transform,
        rule: &'a AttrRule,
        columns: &mut Vec<&'a str>,
    ) -> Result<Self> {
        let schema = &audit.contract.after.schema;
        let ty = type_of(schema, &transform.target, &rule.attr);
        let attr = schema.entity(&transform.target).and_then(|entity| entity.attr(&rule.attr));
        let is_key = audit.is_judged_by_source() && attr.is_some_and(|attr| rule.is_key(attr));
        let maker = Maker { audit, rule, ty, is_key };
        if let Some(entity) = rule.refers.as_ref().filter(|_| audit.is_judged_by_source()) {
            let refs = Some(refs::Places::read(audit, transform, (rule, entity), columns)?);
            return Ok(Self { places: Vec::new(), maker, refs });
        }
        let places = rule.from.iter().map(|pick| place(audit, transform, (pick, is_key), columns));
        let places: Vec<Place<'a>> = places.collect::<Result<_>>()?;
        Ok(Self { places, maker, refs: None })
    }

    /// The text of what they give in a row, as a template writes it; `None` where they give nothing, or
    /// what they give is mapped or stands where no text is at hand.
    pub(super) fn text(&self, row: Row<'_>) -> Option<String> {
        if self.maker.rule.values.is_some() {
            return None;
        }
        if let Some(refs) = &self.refs {
            let id = refs.of(row).map(|(id, _)| id).filter(|id| *id != NONE)?;
            return Some(key::uuid_text(id));
        }
        let Found::Value(hash, from, _) = self.of(row) else { return None };
        match &self.places[from] {
            Place::Column { at, ty } if hash != UNSURE => value::value_text(row.value(*at, *ty)),
            Place::Linked(linked) => linked.text(row.number),
            Place::Column { .. } | Place::Server { .. } | Place::Path { .. } => None,
        }
    }

    /// What the sources give in a row.
    pub(super) fn of(&self, row: Row<'_>) -> Found {
        if let Some(refs) = &self.refs {
            return refs.of(row).map_or(Found::Nothing(false), |(id, from)| {
                let (hash, mapped) = self.maker.referred(id);
                Found::Value(hash, from, mapped)
            });
        }
        let mut is_blank = false;
        for (from, place) in self.places.iter().enumerate() {
            match self.maker.make(place, row) {
                (ABSENT, _) => {}
                (BLANK, _) => is_blank = true,
                (hash, mapped) => return Found::Value(hash, from, mapped),
            }
        }
        Found::Nothing(is_blank)
    }
}

fn place<'a>(
    audit: &'a Audit<'a>,
    transform: &Transform,
    (pick, is_key): (&'a Pick, bool),
    columns: &mut Vec<&'a str>,
) -> Result<Place<'a>> {
    let mut column = |name: &'a str| {
        let known = columns.iter().position(|column| *column == name);
        known.unwrap_or_else(|| {
            columns.push(name);
            columns.len() - 1
        })
    };
    Ok(match pick {
        Pick::Attr(name) => Place::Column {
            at: column(name),
            ty: type_of(&audit.contract.before.schema, &transform.source, name),
        },
        Pick::Path { attr, keys } => Place::Path { at: column(attr), keys },
        Pick::Server => Place::Server { at: column(Extra::SERVER) },
        Pick::Linked { link, attr } => {
            Place::Linked(Linked::read(audit, &transform.source, (link, attr), is_key)?)
        }
    })
}

/// Makes a target value out of a place.
struct Maker<'a> {
    audit: &'a Audit<'a>,
    rule: &'a AttrRule,
    ty: Type,
    /// Whether blanks alone are no value.
    is_key: bool,
}

impl Maker<'_> {
    /// The hash of the target id of a `ref`, and what the mapping of values did.
    fn referred(&self, id: u128) -> (u64, u8) {
        match (id, &self.rule.values) {
            (NONE, _) => (UNSURE, 0),
            (id, None) => (key::uuid_hash(id), 0),
            (id, Some(values)) => map(&key::uuid_text(id), values),
        }
    }

    /// The hash of the value, and what the mapping of values did.
    fn make(&self, place: &Place<'_>, row: Row<'_>) -> (u64, u8) {
        match place {
            Place::Linked(linked) => {
                let hash = linked.hash(row.number);
                let plain = hash == ABSENT || self.rule.values.is_none();
                (if plain { hash } else { UNSURE }, 0)
            }
            Place::Server { at } => match row.whole(*at).and_then(|ms| ms.checked_mul(1000)) {
                Some(micros) if self.ty == Type::Date => (key::value_hash(Value::Date(micros)), 0),
                Some(_) => (UNSURE, 0),
                None => (ABSENT, 0),
            },
            Place::Column { at, ty } => self.finish(row.value(*at, *ty)),
            Place::Path { at, keys } => {
                let found = row.text(*at).map(|text| json::at_path(text, keys));
                match (found, self.ty) {
                    (None | Some(PathValue::Absent), _) => (ABSENT, 0),
                    (Some(PathValue::Text(text)), Type::String | Type::Any) => {
                        self.finish(Value::Text(&text))
                    }
                    #[allow(
                        clippy::cast_precision_loss,
                        reason = "a number of the store is a double"
                    )]
                    (Some(PathValue::Whole(whole)), Type::Number) => {
                        self.finish(Value::Number(whole as f64))
                    }
                    (Some(PathValue::Boolean(value)), Type::Boolean) => {
                        self.finish(Value::Boolean(value))
                    }
                    (Some(_), Type::Any) => (UNSURE, 0),
                    (Some(_), _) => (ABSENT, 0),
                }
            }
        }
    }

    fn finish(&self, value: Value<'_>) -> (u64, u8) {
        let Value::Text(text) = value else { return (self.fit(value), 0) };
        // An id of blanks alone is absent.
        if self.rule.refers.is_some() && key::is_blank(text) {
            return (ABSENT, 0);
        }
        if self.is_key && key::is_blank(text) {
            return (BLANK, 0);
        }
        let text = match &self.rule.refers {
            Some(entity) => Cow::Owned(refer(self.audit, text, entity)),
            None => Cow::Borrowed(text),
        };
        match &self.rule.values {
            Some(values) => map(&text, values),
            None => (self.fit(Value::Text(&text)), 0),
        }
    }

    /// The hash of a value as the target's type has it.
    fn fit(&self, value: Value<'_>) -> u64 {
        match (self.ty, value) {
            (_, Value::Absent)
            | (Type::String, Value::Text(_))
            | (Type::Number, Value::Number(_))
            | (Type::Boolean, Value::Boolean(_))
            | (Type::Date, Value::Date(_))
            | (Type::Any, Value::Json(_)) => key::value_hash(value),
            (Type::Any, Value::Text(text)) => {
                let mut out = Vec::new();
                json::write_string(text, &mut out);
                key::value_hash(Value::Json(&String::from_utf8_lossy(&out)))
            }
            (Type::Any, Value::Number(number)) => {
                key::value_hash(Value::Json(&key::number_text(number)))
            }
            (Type::Any, Value::Boolean(value)) => {
                key::value_hash(Value::Json(if value { "true" } else { "false" }))
            }
            _ => UNSURE,
        }
    }
}

/// The id of a legacy row as the target has it.
fn refer(audit: &Audit<'_>, id: &str, entity: &str) -> String {
    match (key::uuid(id), audit.contract.id_transform(entity)) {
        (None, Some(transform)) => {
            key::uuid_text(key::derived(&audit.space, &transform.target, id))
        }
        (None, None) => id.to_owned(),
        _ => id.to_ascii_lowercase(),
    }
}

fn map(text: &str, values: &Values) -> (u64, u8) {
    let hash = |text: &str| key::value_hash(Value::Text(text));
    if let Some((_, to)) = values.map.iter().find(|(from, _)| from == text) {
        return (hash(to), 0);
    }
    let folded = values.map.iter().find(|(from, _)| from.eq_ignore_ascii_case(text));
    match (folded.filter(|_| values.fold_case), &values.otherwise) {
        (Some((_, to)), _) => (hash(to), 1),
        (None, Otherwise::Keep) => (hash(text), 2),
        (None, Otherwise::Quarantine) => (REFUSED, 0),
        (None, Otherwise::Value(constant)) => (constant_hash(constant, Type::String), 3),
    }
}

/// The hash of a constant as a target's type has it.
pub(super) fn constant_hash(constant: &Constant, ty: Type) -> u64 {
    match (constant, ty) {
        (Constant::Text(text), Type::Any) => {
            let mut out = Vec::new();
            json::write_string(text, &mut out);
            key::value_hash(Value::Json(&String::from_utf8_lossy(&out)))
        }
        (Constant::Text(text), _) => key::value_hash(Value::Text(text)),
        (Constant::Number(number), Type::Any) => {
            key::value_hash(Value::Json(&key::number_text(*number)))
        }
        (Constant::Number(number), _) => key::value_hash(Value::Number(*number)),
        (Constant::Boolean(value), Type::Any) => {
            key::value_hash(Value::Json(if *value { "true" } else { "false" }))
        }
        (Constant::Boolean(value), _) => key::value_hash(Value::Boolean(*value)),
    }
}

/// What stands behind a link: the linked row's target id, the target id of its own link, or its
/// attribute.
struct Linked<'a> {
    audit: &'a Audit<'a>,
    firsts: &'a Firsts,
    behind: Behind<'a>,
}

enum Behind<'a> {
    /// The id of the row in this target.
    Id(String),
    /// The id that the row names by a link.
    Link(&'a Legacy, &'a Firsts),
    /// The hashes of an attribute, by row.
    Attr(&'a Legacy, Vec<u64>),
}

impl<'a> Linked<'a> {
    fn read(
        audit: &'a Audit<'a>,
        source: &str,
        (label, attr): (&str, &str),
        is_key: bool,
    ) -> Result<Self> {
        let schema = &audit.contract.before.schema;
        let firsts = audit.firsts(source, label)?;
        let to = &firsts.to;
        let behind = if attr == "id" {
            Behind::Id(
                audit
                    .contract
                    .id_transform(to)
                    .map_or_else(|| to.clone(), |found| found.target.clone()),
            )
        } else {
            let other = audit.legacy(to)?;
            let is_attr = schema.entity(to).is_some_and(|found| found.attr(attr).is_some());
            match schema.link(to, attr).filter(|_| !is_attr) {
                Some(_) => Behind::Link(other, audit.firsts(to, attr)?),
                None => Behind::Attr(other, attr_hashes(audit, other, attr, is_key)?),
            }
        };
        Ok(Self { audit, firsts, behind })
    }

    /// The target id of the linked row.
    fn id(&self, target: &str, row: usize) -> Option<u128> {
        match self.firsts.heir(self.audit, target, row) {
            Heir::Alive(id) if id != NONE => Some(id),
            _ => None,
        }
    }

    fn text(&self, row: usize) -> Option<String> {
        match &self.behind {
            Behind::Id(target) => self.id(target, row).map(key::uuid_text),
            Behind::Link(..) | Behind::Attr(..) => None,
        }
    }

    fn hash(&self, row: usize) -> u64 {
        match &self.behind {
            Behind::Id(target) => self.id(target, row).map_or(ABSENT, key::uuid_hash),
            Behind::Link(other, next) => self.through(other, row, |row| self.id_hash(next, row)),
            Behind::Attr(other, hashes) => self.through(other, row, |row| hashes[row]),
        }
    }

    /// An id is mapped as the row's is, whether that row is in the target or not.
    fn id_hash(&self, next: &Firsts, row: usize) -> u64 {
        match next.id(self.audit, row) {
            NONE => ABSENT,
            id => match next.odd_text(id) {
                None => key::uuid_hash(id),
                Some(text) => key::value_hash(Value::Text(&refer(self.audit, text, &next.to))),
            },
        }
    }

    /// What stands behind the row that a row names. Several rows of its id that were set aside leave it
    /// unsure, unless the same stands behind all of them (in bundles before format 3, even then).
    fn through(&self, other: &Legacy, row: usize, behind: impl Fn(usize) -> u64) -> u64 {
        let Some(named) = self.firsts.row(row) else { return ABSENT };
        let rows: Vec<usize> = other.alike(named).collect();
        match (rows.iter().find(|row| self.audit.counts(other, **row)), &rows[..]) {
            (Some(row), _) | (None, [row]) => behind(*row),
            (None, [first, others @ ..]) if self.audit.is_judged_by_source() => {
                let first = behind(*first);
                if others.iter().all(|row| behind(*row) == first) { first } else { UNSURE }
            }
            _ => UNSURE,
        }
    }
}

fn attr_hashes(audit: &Audit<'_>, legacy: &Legacy, attr: &str, is_key: bool) -> Result<Vec<u64>> {
    let ty = type_of(&audit.contract.before.schema, &legacy.entity, attr);
    let mut hashes = vec![ABSENT; legacy.rows];
    if let Some(path) = &legacy.path {
        read::scan(path, &[attr], &mut |row| {
            hashes[row.number] = match row.value(0, ty) {
                Value::Text(text) if is_key && key::is_blank(text) => BLANK,
                value => key::value_hash(value),
            };
            Ok(())
        })?;
    }
    Ok(hashes)
}
