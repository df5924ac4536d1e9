//! The id that every legacy row gives its target row.

use super::facts::{Audit, Heir};
use super::key::{self, NONE};
use super::naming::{Naming, type_of};
use super::read::{self, Row};
use super::value;
use crate::contract::Transform;
use crate::error::Result;
use crate::schema::Type;

/// How an id came about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    None,
    Kept,
    Mapped,
    Derived,
    /// The row stands on the existing row of this id.
    Adopted,
}

/// The id that every row of a legacy table gives a target row.
pub(super) struct Made {
    pub(super) ids: Vec<u128>,
    pub(super) hows: Vec<How>,
    /// For mapped ids: the hash of what `data/ids.parquet` says of it.
    pub(super) lines: Vec<(usize, u128)>,
}

/// Where a part of an id is read.
enum Part {
    Own,
    Attr { at: usize, ty: Type },
    Link { at: usize, naming: Naming, to: String },
}

impl Made {
    pub(super) fn read(audit: &Audit<'_>, transform: &Transform) -> Result<Self> {
        let legacy = audit.legacy(&transform.source)?;
        let mut made = Self {
            ids: vec![NONE; legacy.rows],
            hows: vec![How::None; legacy.rows],
            lines: Vec::new(),
        };
        let Some(path) = &legacy.path else { return Ok(made) };
        let mut columns = vec!["id".to_owned()];
        let from = parts(audit, transform, &transform.id.from, &mut columns)?;
        let derive = match &transform.id.derive {
            Some(names) => Some(parts(audit, transform, names, &mut columns)?),
            None => None,
        };
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        read::scan(path, &columns, &mut |row| {
            let (id, how, line) = make(audit, transform, (&from, derive.as_deref()), row);
            made.ids[row.number] = id;
            made.hows[row.number] = how;
            made.lines.extend(line.map(|line| (row.number, line)));
            Ok(())
        })?;
        Ok(made)
    }
}

fn parts(
    audit: &Audit<'_>,
    transform: &Transform,
    names: &[String],
    columns: &mut Vec<String>,
) -> Result<Vec<Part>> {
    let schema = &audit.contract.before.schema;
    let mut parts = Vec::new();
    for name in names {
        let at = columns.len();
        parts.push(match schema.link(&transform.source, name) {
            _ if name == "id" => Part::Own,
            Some(link) => {
                let naming = Naming::read(audit, link)?;
                columns.extend(naming.columns.iter().cloned());
                Part::Link { at, naming, to: link.to.clone() }
            }
            None => {
                columns.push(name.clone());
                Part::Attr { at, ty: type_of(schema, &transform.source, name) }
            }
        });
    }
    Ok(parts)
}

impl Part {
    fn text(&self, row: Row<'_>) -> Option<String> {
        match self {
            Part::Own => as_id(row.text(0)?),
            Part::Attr { at, ty } => as_id(&value::value_text(row.value(*at, *ty))?),
            Part::Link { at, naming, .. } => naming.text(row, *at, key::link_key(row.text(0))),
        }
    }
}

/// A text as an id: a UUID in lower case, blanks absent.
fn as_id(text: &str) -> Option<String> {
    match key::uuid(text) {
        Some(_) => Some(text.to_ascii_lowercase()),
        None => (!key::is_blank(text)).then(|| text.to_owned()),
    }
}

fn make(
    audit: &Audit<'_>,
    transform: &Transform,
    (from, derive): (&[Part], Option<&[Part]>),
    row: Row<'_>,
) -> (u128, How, Option<u128>) {
    let (namespace, target) = (&audit.contract.namespace, &transform.target);
    for part in from {
        let Some(text) = part.text(row) else { continue };
        match part {
            Part::Link { to, .. } => {
                if let Heir::Alive(id) = audit.heir(to, target, key::id_key(&text)) {
                    return (id, How::Adopted, None);
                }
            }
            _ if key::uuid(&text).is_some() => return (key::id_key(&text), How::Kept, None),
            _ => {
                let id = key::derived(namespace, target, &text);
                return (id, How::Mapped, Some(line(&text, &key::uuid_text(id))));
            }
        }
    }
    let texts: Option<Vec<String>> =
        derive.and_then(|parts| parts.iter().map(|part| part.text(row)).collect());
    match texts {
        Some(texts) => (key::derived(namespace, target, &texts.join(":")), How::Derived, None),
        None => (NONE, How::None, None),
    }
}

/// The hash of a line of `data/ids.parquet`.
pub(super) fn line(from: &str, to: &str) -> u128 {
    key::hash128(format!("{to} {from}").as_bytes())
}
