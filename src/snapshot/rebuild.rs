//! A snapshot's rows as the JSON objects they were: typed again, they give the same tables.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::path::Path;

use super::labels::{Labels, Meaning};
use super::types::{self, Fit};
use super::{Extra, LinksMeta, Snapshot, TableMeta};
use crate::contract::Contract;
use crate::digest::Value;
use crate::error::{Error, Result};
use crate::json;
use crate::scan::{self, Row};
use crate::schema::{Schema, Type};

/// A name and its value as JSON text.
pub(crate) type Member = (String, String);

/// One row of a snapshot, as it was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Rebuilt {
    /// The declared columns.
    pub(crate) columns: Vec<Member>,
    /// The links that no column holds.
    pub(crate) links: Vec<Member>,
    /// The members of `_extra`; the values as they were, whatever the columns say.
    pub(crate) extra: Vec<Member>,
    /// The members of `_invalid`.
    pub(crate) invalid: Vec<Member>,
    /// Its creation time in the store.
    pub(crate) server: Option<i64>,
    /// The logical digest of the row.
    pub(crate) digest: String,
}

/// What rows are rebuilt by.
pub(crate) struct Rebuild<'s> {
    snapshot: &'s Snapshot,
    contract: &'s Contract,
    labels: Labels,
}

impl<'s> Rebuild<'s> {
    /// Rebuilds the rows of a snapshot that a contract and the app's schema typed.
    pub(crate) fn new(
        snapshot: &'s Snapshot,
        contract: &'s Contract,
        app: Option<&Schema>,
    ) -> Self {
        Self { snapshot, contract, labels: Labels::new(contract, app) }
    }

    /// Visits every row of a table in its order.
    pub(crate) fn table(
        &self,
        table: &TableMeta,
        visit: &mut dyn FnMut(u64, Rebuilt) -> Result<()>,
    ) -> Result<()> {
        let legacy = table.side == "legacy";
        let side = if legacy { &self.contract.before } else { &self.contract.after };
        let attrs = side.schema.entity(&table.entity).map_or(&[][..], |entity| &entity.attrs);
        let types: BTreeMap<&str, Type> =
            attrs.iter().map(|attr| (attr.name.as_str(), attr.ty)).collect();
        let names = table.columns.iter().map(|(name, _)| name.as_str());
        let aside = [Extra::EXTRA, Extra::INVALID, Extra::SERVER, Extra::DIGEST];
        let columns: Vec<&str> = names.chain(aside).collect();
        let declared = table.columns.len();
        let mut held = self.held(&table.entity)?;
        let path = self.snapshot.path(&table.file);
        let mut number = 0;
        scan::scan(&path, &columns, &mut |row| {
            let mut rebuilt = Rebuilt {
                server: row.whole(declared + 2),
                extra: object(&path, row.text(declared))?,
                invalid: object(&path, row.text(declared + 1))?,
                digest: row.text(declared + 3).unwrap_or_default().to_owned(),
                ..Rebuilt::default()
            };
            for (at, name) in columns[..declared].iter().enumerate() {
                let ty = types.get(name).copied().unwrap_or(Type::String);
                let text = text(row, at, ty);
                rebuilt.columns.extend(text.map(|text| ((*name).to_owned(), text)));
            }
            for links in &mut held {
                rebuilt.links.extend(links.of(number)?.map(|(_, member)| member));
            }
            number += 1;
            visit(number - 1, rebuilt)
        })
    }

    /// Visits so many rows of an entity that has no table: what is kept of them are their links.
    pub(crate) fn other(
        &self,
        entity: &str,
        rows: u64,
        visit: &mut dyn FnMut(u64, Rebuilt) -> Result<()>,
    ) -> Result<()> {
        let mut held = self.held(entity)?;
        for number in 0..rows {
            let mut rebuilt = Rebuilt::default();
            for links in &mut held {
                let Some((id, member)) = links.of(number)? else { continue };
                if let Some(id) = id.filter(|_| rebuilt.columns.is_empty()) {
                    rebuilt.columns.push(("id".to_owned(), string(&id)));
                }
                rebuilt.links.push(member);
            }
            visit(number, rebuilt)?;
        }
        Ok(())
    }

    /// The link files that the rows of an entity hold.
    fn held(&self, entity: &str) -> Result<Vec<Held>> {
        let links = self.snapshot.meta().links.iter().filter(|links| links.entity == entity);
        links.map(|links| Held::open(&self.snapshot.path(&links.file), links)).collect()
    }

    /// A row's JSON object.
    pub(crate) fn write(&self, entity: &str, row: &Rebuilt, out: &mut Vec<u8>) {
        out.clear();
        out.push(b'{');
        let is_aside =
            |name: &str| row.extra.iter().chain(&row.invalid).any(|(aside, _)| aside == name);
        let plain = row.columns.iter().chain(&row.links);
        for (name, raw) in plain.filter(|(name, _)| !is_aside(name)).chain(&row.extra) {
            push(name, raw, out);
        }
        for (name, raw) in &row.invalid {
            match json::elements(raw) {
                // What stood twice stands twice again.
                Ok(values) if values.len() > 1 && !self.is_misfit(entity, name, raw) => {
                    for raw in values {
                        push(name, raw, out);
                    }
                }
                _ => push(name, raw, out),
            }
        }
        out.push(b'}');
    }

    /// Whether a value of its own does not fit its label.
    fn is_misfit(&self, entity: &str, label: &str, raw: &str) -> bool {
        let fit = match self.labels.of(entity).and_then(|labels| labels.of(label)) {
            Some(Meaning::Id) => types::id(raw).1,
            Some(Meaning::Attr(_, ty)) => types::attribute(ty, raw).1,
            Some(Meaning::Scalar(_)) => types::scalar(raw).1,
            Some(Meaning::Ref(_)) => types::reference(raw).1,
            Some(Meaning::Link(_)) => types::link(raw).1,
            Some(Meaning::Pairs(file)) => {
                types::linked(raw, types::Holds::of(&self.labels.links[file])).1
            }
            None => Fit::Whole,
        };
        fit == Fit::Misfit
    }
}

fn push(name: &str, raw: &str, out: &mut Vec<u8>) {
    if out.len() > 1 {
        out.push(b',');
    }
    json::write_string(name, out);
    out.push(b':');
    out.extend_from_slice(raw.as_bytes());
}

/// The members of an object that stands in a column of its own.
pub(crate) fn object(path: &Path, text: Option<&str>) -> Result<Vec<Member>> {
    let members = json::members(text.unwrap_or("{}")).map_err(|error| {
        Error::damaged("what stands beside the columns is no JSON object")
            .at(path.display())
            .because(error)
    })?;
    Ok(members.into_iter().map(|(name, raw)| (name.into_owned(), raw.to_owned())).collect())
}

/// The value of a column as JSON text.
fn text(row: Row<'_>, column: usize, ty: Type) -> Option<String> {
    Some(match row.value(column, ty) {
        Value::Absent => return None,
        Value::Text(text) => string(text),
        Value::Json(text) => text.to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Boolean(value) => value.to_string(),
        Value::Date(micros) => milliseconds(micros),
    })
}

/// A text as a JSON string.
fn string(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len() + 2);
    json::write_string(text, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// A moment as a number of milliseconds, to the microsecond.
fn milliseconds(micros: i64) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    let (millis, rest) = (micros.unsigned_abs() / 1000, micros.unsigned_abs() % 1000);
    if rest == 0 { format!("{sign}{millis}") } else { format!("{sign}{millis}.{rest:03}") }
}

/// A pair of a link file: the row that holds it, that row's id, and the id it names.
type Pair = (u64, Option<String>, String);

/// The links of one label, in the order of the rows that hold them.
struct Held {
    label: String,
    has_one: bool,
    pairs: Peekable<Box<dyn Iterator<Item = Result<Pair>>>>,
}

impl Held {
    fn open(path: &Path, links: &LinksMeta) -> Result<Self> {
        const NAMES: [&str; 3] = [Extra::ROW, "from", "to"];
        let place = path.to_owned();
        let batches = scan::reader(path, &NAMES, None)?.map(move |batch| {
            let batch = batch.map_err(|error| scan::unreadable(&place).because(error))?;
            let batch = scan::Batch::of(&batch, &NAMES, 0);
            let pair = |row: Row<'_>| {
                let number = row.row(0).unwrap_or_default() as u64;
                let from = row.text(1).map(str::to_owned);
                (number, from, row.text(2).unwrap_or_default().to_owned())
            };
            Ok(batch.rows().map(pair).collect::<Vec<Pair>>())
        });
        let pairs = batches.flat_map(|batch| match batch {
            Ok(pairs) => pairs.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        });
        let pairs: Box<dyn Iterator<Item = Result<Pair>>> = Box::new(pairs);
        Ok(Self { label: links.label.clone(), has_one: links.has_one, pairs: pairs.peekable() })
    }

    /// The id of a row and what it holds; rows are asked for in their order.
    fn of(&mut self, row: u64) -> Result<Option<(Option<String>, Member)>> {
        let (mut id, mut ids) = (None, Vec::new());
        while let Some(next) =
            self.pairs.next_if(|pair| pair.as_ref().map_or(true, |pair| pair.0 <= row))
        {
            let (_, from, to) = next?;
            id = from;
            ids.push(string(&to));
        }
        let raw = match (ids.len(), self.has_one) {
            (0, _) => return Ok(None),
            // The same id twice is one.
            (_, true) if ids.iter().all(|id| *id == ids[0]) => ids.swap_remove(0),
            _ => format!("[{}]", ids.join(",")),
        };
        Ok(Some((id, (self.label.clone(), raw))))
    }
}
