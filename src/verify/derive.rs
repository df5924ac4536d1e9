//! Re-derives what an attribute must be, row by row, from the snapshot alone.

use std::borrow::Cow;

use super::facts::{Audit, Heir};
use super::key::{self, ABSENT, NONE};
use super::legacy::Legacy;
use super::naming::{Firsts, no_link, type_of};
use super::read::{self, Row};
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

/// What the mapping of values did.
pub(super) const HOWS: [&str; 4] = ["", "value folded", "value kept", "value otherwise"];

/// What the sources of a rule give, for every row of its legacy table.
pub(super) struct Derived {
    /// The place in the rule, from 1; 0 when none has a value.
    from: Vec<u8>,
    /// Place in [`HOWS`].
    mapped: Vec<u8>,
    hash: Vec<u64>,
}

impl Derived {
    /// The hash of the value of a row, the place in the rule it is from, and what the mapping did;
    /// `None` when no source has a value.
    pub(super) fn of(&self, row: usize) -> Option<(u64, usize, &'static str)> {
        let from = usize::from(self.from[row]).checked_sub(1)?;
        Some((self.hash[row], from, HOWS[usize::from(self.mapped[row])]))
    }
}

/// Where a value is read.
enum Place<'a> {
    Column { at: usize, ty: Type },
    Path { at: usize, keys: &'a [String] },
    Server { at: usize },
    Linked(Vec<u64>),
}

/// Derives an attribute for every row of a legacy table.
pub(super) fn derive(audit: &Audit<'_>, transform: &Transform, rule: &AttrRule) -> Result<Derived> {
    let legacy = audit.legacy(&transform.source)?;
    let ty = type_of(&audit.contract.after.schema, &transform.target, &rule.attr);
    let mut derived = Derived {
        from: vec![0; legacy.rows],
        mapped: vec![0; legacy.rows],
        hash: vec![ABSENT; legacy.rows],
    };
    let Some(path) = &legacy.path else { return Ok(derived) };
    let mut columns = Vec::new();
    let mut places = Vec::new();
    for pick in &rule.from {
        places.push(place(audit, transform, pick, &mut columns)?);
    }
    let maker = Maker { audit, rule, ty };
    read::scan(path, &columns, &mut |row| {
        for (at, place) in places.iter().enumerate() {
            let (hash, mapped) = maker.make(place, row);
            if hash != ABSENT {
                derived.from[row.number] = u8::try_from(at + 1).unwrap_or(u8::MAX);
                derived.mapped[row.number] = mapped;
                derived.hash[row.number] = hash;
                break;
            }
        }
        Ok(())
    })?;
    Ok(derived)
}

fn place<'a>(
    audit: &Audit<'_>,
    transform: &Transform,
    pick: &'a Pick,
    columns: &mut Vec<&'a str>,
) -> Result<Place<'a>> {
    let at = columns.len();
    Ok(match pick {
        Pick::Attr(name) => {
            columns.push(name);
            Place::Column {
                at,
                ty: type_of(&audit.contract.before.schema, &transform.source, name),
            }
        }
        Pick::Path { attr, keys } => {
            columns.push(attr);
            Place::Path { at, keys }
        }
        Pick::Server => {
            columns.push(Extra::SERVER);
            Place::Server { at }
        }
        Pick::Linked { link, attr } => Place::Linked(linked(audit, &transform.source, link, attr)?),
    })
}

/// Makes a target value out of a place.
struct Maker<'a> {
    audit: &'a Audit<'a>,
    rule: &'a AttrRule,
    ty: Type,
}

impl Maker<'_> {
    /// The hash of the value, and what the mapping of values did.
    fn make(&self, place: &Place<'_>, row: Row<'_>) -> (u64, u8) {
        match place {
            Place::Linked(hashes) => {
                let hash = hashes[row.number];
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
    match (key::uuid(id), audit.heir_of(entity)) {
        (None, Some(transform)) => {
            key::uuid_text(key::derived(&audit.contract.namespace, &transform.target, id))
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

/// The hashes of what stands behind a link: the linked row's target id, the target id of its own
/// link, or its attribute.
fn linked(audit: &Audit<'_>, source: &str, label: &str, attr: &str) -> Result<Vec<u64>> {
    let schema = &audit.contract.before.schema;
    let link = schema.link(source, label).ok_or_else(|| no_link(source, label))?;
    let named = Firsts::read(audit, source, label)?.ids;
    let target = |entity: &str| {
        audit.heir_of(entity).map_or_else(|| entity.to_owned(), |found| found.target.clone())
    };
    let hash = |id: u128| key::value_hash(Value::Text(&key::uuid_text(id)));
    if attr == "id" {
        let target = target(&link.to);
        return Ok(named
            .into_iter()
            .map(|id| match audit.heir(&link.to, &target, id) {
                Heir::Alive(id) if id != NONE => hash(id),
                _ => ABSENT,
            })
            .collect());
    }
    let other = audit.legacy(&link.to)?;
    let is_attr = schema.entity(&link.to).is_some_and(|found| found.attr(attr).is_some());
    let behind: Vec<u64> = match schema.link(&link.to, attr).filter(|_| !is_attr) {
        Some(next) => {
            // An id is mapped as the row's is, whether that row is in the target or not.
            let firsts = Firsts::read(audit, &link.to, attr)?;
            let id = |id: &u128| match *id {
                NONE => ABSENT,
                id => key::value_hash(Value::Text(&refer(audit, &firsts.text(id), &next.to))),
            };
            firsts.ids.iter().map(id).collect()
        }
        None => attr_hashes(audit, other, attr)?,
    };
    Ok(named.into_iter().map(|id| through(other, &behind, id)).collect())
}

fn attr_hashes(audit: &Audit<'_>, legacy: &Legacy, attr: &str) -> Result<Vec<u64>> {
    let ty = type_of(&audit.contract.before.schema, &legacy.entity, attr);
    let mut hashes = vec![ABSENT; legacy.rows];
    if let Some(path) = &legacy.path {
        read::scan(path, &[attr], &mut |row| {
            hashes[row.number] = key::value_hash(row.value(0, ty));
            Ok(())
        })?;
    }
    Ok(hashes)
}

/// What stands behind the row of this id. A row that was set aside leaves it unsure.
fn through(other: &Legacy, behind: &[u64], id: u128) -> u64 {
    if id == NONE {
        return ABSENT;
    }
    let mut found = ABSENT;
    for row in other.find(id) {
        found = UNSURE;
        if other.is_migrated(row) {
            return behind[row];
        }
    }
    found
}
