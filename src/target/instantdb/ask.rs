//! What the app holds, asked in pages of ids.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json, json};

use super::normal::{self, Normal};
use super::shape::{Shape, Side};
use crate::digest::RowDigest;
use crate::error::{Error, Kind, Result};
use crate::instantdb::{Class, Client};
use crate::json;

/// The most of an answer that is taken at once, in bytes; of a single row more.
const MOST: u64 = 64 << 20;
const MOST_OF_ONE: u64 = 1 << 30;

/// Rows of the app as the JSON they are, by id.
pub(super) type Found = BTreeMap<String, String>;

/// The rows of an entity that have these ids. `links` are expanded to the ids they lead to.
pub(super) fn rows(
    client: &Client,
    etype: &str,
    ids: &[String],
    (links, bare): (&[&str], bool),
) -> Result<Found> {
    let form = |ids: &[&str]| {
        let mut options = Map::new();
        options.insert("where".to_owned(), json!({ "id": { "$in": ids } }));
        if bare {
            options.insert("fields".to_owned(), json!(["id"]));
        }
        let mut form = Map::new();
        form.insert("$".to_owned(), Json::Object(options));
        for label in links {
            form.insert((*label).to_owned(), json!({ "$": { "fields": ["id"] } }));
        }
        Json::Object(form)
    };
    let mut found = Found::new();
    let values: Vec<&str> = ids.iter().map(String::as_str).collect();
    asked(client, etype, &values, &form, &mut found)?;
    Ok(found)
}

/// The ids of the rows of an entity that have one of these values, each with its row.
pub(super) fn having(client: &Client, etype: &str, path: &str, values: &[Json]) -> Result<Found> {
    let form = |values: &[&Json]| {
        let mut condition = Map::new();
        condition.insert(path.to_owned(), json!({ "$in": values }));
        json!({ "$": { "where": condition } })
    };
    let mut found = Found::new();
    let values: Vec<&Json> = values.iter().collect();
    asked(client, etype, &values, &form, &mut found)?;
    Ok(found)
}

/// Asks about some values, and about half of them where that is too much.
fn asked<T>(
    client: &Client,
    etype: &str,
    values: &[T],
    form: &dyn Fn(&[T]) -> Json,
    found: &mut Found,
) -> Result<()> {
    let mut open: Vec<&[T]> = vec![values];
    while let Some(values) = open.pop() {
        if values.is_empty() {
            continue;
        }
        let mut query = Map::new();
        query.insert(etype.to_owned(), form(values));
        let most = if values.len() == 1 { MOST_OF_ONE } else { MOST };
        match client.query(&Json::Object(query), most) {
            Ok(answer) => {
                let rows = answer.rows(etype).ok_or_else(|| shapeless(etype))?;
                for row in rows {
                    let id = id_of(row).ok_or_else(|| shapeless(etype))?;
                    found.insert(id, row.to_owned());
                }
            }
            Err(failure) if matches!(failure.class, Class::Halve) && values.len() > 1 => {
                let (first, second) = values.split_at(values.len() / 2);
                open.extend([second, first]);
            }
            Err(failure) => return Err(failure.into_error()),
        }
    }
    Ok(())
}

fn shapeless(etype: &str) -> Error {
    Error::system(format!("the server's answer about `{etype}` has an unknown form"))
        .help("run the same command again; what was done is kept")
}

/// The value of a member as the JSON it is.
pub(super) fn member<'t>(row: &'t str, label: &str) -> Option<&'t str> {
    let members = json::members(row).ok()?;
    members.into_iter().rev().find(|(name, _)| name == label).map(|(_, raw)| raw)
}

fn id_of(row: &str) -> Option<String> {
    member(row, "id").and_then(json::string).and_then(|id| normal::id(&id))
}

/// The ids that an expanded link leads to, and how many of its ends do not exist.
pub(super) fn ends(row: &str, label: &str) -> Result<(BTreeSet<String>, u64)> {
    let odd = || {
        Error::new(Kind::Findings, "the server returns a link in an unknown form")
            .at(format!("`{label}`"))
            .help("look at this link there; nothing more was changed")
    };
    let Some(raw) = member(row, label) else { return Ok((BTreeSet::new(), 0)) };
    let (mut ids, mut dangling) = (BTreeSet::new(), 0);
    for end in json::elements(raw).map_err(|_| odd())? {
        if end == "null" {
            dangling += 1;
        } else {
            ids.insert(id_of(end).ok_or_else(odd)?);
        }
    }
    Ok((ids, dangling))
}

/// The ends of a link table's links from some rows; what does not exist has no entry.
pub(super) fn links(
    client: &Client,
    shape: &Shape,
    side: &Side,
    from: &[String],
) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let found = rows(client, &shape.etype, from, (&[&side.label], true))?;
    found.iter().map(|(id, row)| Ok((id.clone(), ends(row, &side.label)?.0))).collect()
}

/// The columns of a row of the app.
pub(super) struct Theirs<'t> {
    pub(super) raws: Vec<Option<&'t str>>,
    pub(super) values: Vec<Normal<'t>>,
    members: Vec<(std::borrow::Cow<'t, str>, &'t str)>,
}

impl<'t> Theirs<'t> {
    pub(super) fn of(shape: &Shape, row: &'t str) -> Self {
        let members = json::members(row).unwrap_or_default();
        let raw = |label: &str| {
            let found = members.iter().rev().find(|(name, _)| name == label);
            found.map(|(_, raw)| *raw).filter(|raw| *raw != "null")
        };
        let raws: Vec<Option<&str>> =
            shape.columns.iter().map(|column| raw(&column.name)).collect();
        let values = shape.columns.iter().zip(&raws).map(|(column, raw)| {
            raw.map_or(Normal::Absent, |raw| normal::theirs(raw, column.kind))
        });
        let values = values.collect();
        Self { raws, values, members }
    }

    /// The value of any member that is there.
    pub(super) fn member(&self, label: &str) -> Option<&'t str> {
        let found = self.members.iter().rev().find(|(name, _)| name == label);
        found.map(|(_, raw)| *raw).filter(|raw| *raw != "null")
    }
}

/// The digest of a row with that id and these values.
pub(super) fn row_digest(
    digest: &mut RowDigest,
    shape: &Shape,
    id: &str,
    values: &[Normal<'_>],
) -> u128 {
    let named = shape.columns.iter().zip(values);
    let named = named.map(|(column, value)| (column.name.as_str(), value.logical()));
    digest.of(std::iter::once(("id", crate::digest::Value::Text(id))).chain(named))
}

/// The digest of a link.
pub(super) fn pair_digest(digest: &mut RowDigest, key: &[String]) -> u128 {
    let ends = ["from", "to"].into_iter().zip(key);
    digest.of(ends.map(|(name, id)| (name, crate::digest::Value::Text(id))))
}
