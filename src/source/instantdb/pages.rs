//! The way without a backup: all rows by queries, in shards of ids that begin alike.
//!
//! The ids of all entities are read first, then the rows in shards small enough for a page, then the
//! ids once more by other shards. The server answers a shard that it does not understand with nothing
//! or with everything; both are noticed.

mod config;
mod shard;

use std::io::Write as _;
use std::path::Path;

use serde_json::{Map, Value, json};

use self::shard::Shard;
use super::super::rows::LONGEST_ROW;
use super::is_plain;
use crate::error::{Error, Result, grouped};
use crate::instantdb::{Answer, AppSchema, Class, Client, Failure};
use crate::json;
use crate::progress::Progress;
use crate::storage::{self, HashingFile};

/// The most bytes of an answer that holds several rows.
const PAGE_BYTES: u64 = 64 << 20;

/// An app whose rows are read by pages.
pub(super) struct Pages<'a> {
    client: &'a Client,
    schema: &'a AppSchema,
    page: usize,
}

/// An id, and where its row stands in an answer.
type Found<'t> = (u128, &'t str);

impl<'a> Pages<'a> {
    /// At most `page` rows are asked for at once.
    pub(super) fn new(client: &'a Client, schema: &'a AppSchema, page: usize) -> Self {
        Self { client, schema, page: page.max(1) }
    }

    /// Writes the app into a folder, in the form of an unzipped archive.
    pub(super) fn fetch(&self, folder: &Path, progress: &dyn Progress) -> Result<()> {
        storage::create_folder(&folder.join("entities"))?;
        let entities = self.entities()?;
        let total = entities.len() as u64;
        progress.begin("list the rows", Some(total));
        let mut before = Vec::new();
        for entity in &entities {
            before.push(self.ids(entity, 1)?);
            progress.advance(1);
        }
        progress.done(&format!("{} rows", grouped(rows(&before))));
        progress.begin("read the rows page by page", Some(rows(&before)));
        for (entity, ids) in entities.iter().zip(&before) {
            self.table(entity, ids, folder, progress)?;
        }
        progress.done(&format!("{} rows", grouped(rows(&before))));
        progress.begin("list the rows again", Some(total));
        for (entity, ids) in entities.iter().zip(&before) {
            self.compare(entity, ids)?;
            progress.advance(1);
        }
        progress.done("the same rows");
        let counts = entities.iter().zip(&before).map(|(entity, ids)| (*entity, ids.len()));
        let rules = self.client.rules().map_err(Failure::into_error)?;
        let config =
            config::text(self.schema, &rules, self.client.app_id(), &counts.collect::<Vec<_>>());
        storage::write_new(&folder.join("config.json"), config.as_bytes()).map(drop)
    }

    /// The app's own entities, and the users and files that the server keeps for it.
    fn entities(&self) -> Result<Vec<&str>> {
        let kept = |name: &str| !name.starts_with('$') || ["$users", "$files"].contains(&name);
        let names: Vec<&str> =
            self.schema.entities().into_iter().filter(|name| kept(name)).collect();
        match names.iter().find(|name| !is_plain(name)) {
            Some(name) => Err(Error::refused("an entity has a name that no file can have")
                .at(format!("`{name}`"))
                .help("take a backup from the app's dashboard and name that file")),
            None => Ok(names),
        }
    }

    /// How many ids are asked for at once.
    fn listed(&self) -> usize {
        self.page.saturating_mul(20)
    }

    /// All ids of an entity in order, read by shards of `digits` digits.
    fn ids(&self, entity: &str, digits: usize) -> Result<Vec<u128>> {
        let mut ids = Vec::new();
        let most = self.listed();
        let mut shards = Shard::all(digits);
        while let Some(shard) = shards.pop() {
            let mut options = json!({ "limit": most + 1, "fields": ["id"] });
            shard.narrow(&mut options);
            match self.ask(entity, options, &[], PAGE_BYTES) {
                Ok(answer) => {
                    let found = self.found(&answer, entity, &shard)?;
                    if found.len() <= most {
                        ids.extend(found.iter().map(|(id, _)| id));
                        continue;
                    }
                }
                Err(failure) if matches!(failure.class, Class::Halve) && !shard.is_whole() => {}
                Err(failure) => return Err(failure.into_error().at(format!("`{entity}`"))),
            }
            shards.extend(shard.split());
        }
        if ids.is_empty() {
            self.check_none(entity)?;
        }
        Ok(ids)
    }

    /// Checks by a query without a shard that an entity has no rows.
    fn check_none(&self, entity: &str) -> Result<()> {
        let options = json!({ "limit": 1, "fields": ["id"] });
        let answer = self.ask(entity, options, &[], PAGE_BYTES).map_err(Failure::into_error)?;
        match answer.rows(entity) {
            Some(rows) if rows.is_empty() => Ok(()),
            Some(_) => Err(no_shards(entity)),
            None => Err(silent(entity)),
        }
    }

    /// Writes the rows of an entity in the order of their ids.
    fn table(
        &self,
        entity: &str,
        ids: &[u128],
        folder: &Path,
        progress: &dyn Progress,
    ) -> Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let path = folder.join("entities").join(format!("{entity}.jsonl"));
        let mut file = HashingFile::create(&path)?;
        let mut shards = Shard::all(0);
        while let Some(shard) = shards.pop() {
            let expected = shard.of(ids);
            if expected.is_empty() {
                continue;
            }
            let fits = expected.len() <= self.page;
            let lines = if fits { self.page(entity, &shard, expected)? } else { None };
            match lines {
                Some(lines) => {
                    file.write_all(&lines).map_err(|error| storage::failed(&path, error))?;
                    progress.advance(expected.len() as u64);
                }
                None => shards.extend(shard.split()),
            }
        }
        file.finish().map(drop)
    }

    /// The lines of a shard; `None` when it is too much at once.
    fn page(&self, entity: &str, shard: &Shard, expected: &[u128]) -> Result<Option<Vec<u8>>> {
        let many: Vec<&str> = self
            .schema
            .of(entity)
            .filter(|attr| attr.is_link && attr.is_many)
            .map(|attr| attr.label.as_str())
            .collect();
        let most = if expected.len() > 1 { PAGE_BYTES } else { LONGEST_ROW };
        let mut options = json!({ "limit": self.page + 1 });
        shard.narrow(&mut options);
        let answer = match self.ask(entity, options, &many, most) {
            Ok(answer) => answer,
            Err(failure) if matches!(failure.class, Class::Halve) && expected.len() > 1 => {
                return Ok(None);
            }
            Err(failure) => return Err(failure.into_error().at(format!("`{entity}`"))),
        };
        let found = self.found(&answer, entity, shard)?;
        if found.iter().map(|(id, _)| id).ne(expected) {
            return Err(moved(entity, expected.len(), found.len()));
        }
        let mut lines = Vec::new();
        for (_, row) in found {
            line(entity, row, &many, &mut lines)?;
        }
        Ok(Some(lines))
    }

    /// Lists the ids of an entity again, by other shards.
    fn compare(&self, entity: &str, before: &[u128]) -> Result<()> {
        let digits = if before.len() <= self.listed() { 0 } else { 2 };
        let after = self.ids(entity, digits)?;
        if after == before {
            return Ok(());
        }
        Err(moved(entity, before.len(), after.len()))
    }

    fn ask(
        &self,
        entity: &str,
        options: Value,
        many: &[&str],
        most: u64,
    ) -> Result<Answer, Failure> {
        let mut asked = Map::new();
        asked.insert("$".to_owned(), options);
        for label in many {
            asked.insert((*label).to_owned(), json!({ "$": { "fields": ["id"] } }));
        }
        self.client.query(&json!({ entity: asked }), most)
    }

    /// The rows of a shard by their ids, in order and each once.
    fn found<'t>(&self, answer: &'t Answer, entity: &str, shard: &Shard) -> Result<Vec<Found<'t>>> {
        let mut found = Vec::new();
        for row in answer.rows(entity).ok_or_else(|| silent(entity))? {
            let id = id_of(row).ok_or_else(|| {
                Error::damaged("the server sends a row without an id")
                    .at(format!("instantdb://{}: `{entity}`", self.client.app_id()))
            })?;
            if !shard.holds(id) {
                return Err(no_shards(entity));
            }
            found.push((id, row));
        }
        found.sort_unstable_by_key(|(id, _)| *id);
        found.dedup_by_key(|(id, _)| *id);
        Ok(found)
    }
}

fn rows(ids: &[Vec<u128>]) -> u64 {
    ids.iter().map(|ids| ids.len() as u64).sum()
}

fn id_of(row: &str) -> Option<u128> {
    let members = json::members(row).ok()?;
    let id = json::string(members.iter().find(|(key, _)| key == "id")?.1)?;
    uuid::Uuid::parse_str(&id).ok().map(|id| id.as_u128())
}

/// Writes a row as a line of a backup: has-many links as lists of ids in order.
fn line(entity: &str, row: &str, many: &[&str], out: &mut Vec<u8>) -> Result<()> {
    out.extend_from_slice(b"{\"entity\":{");
    for (at, (key, raw)) in json::members(row).unwrap_or_default().into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        json::write_string(&key, out);
        out.push(b':');
        if many.contains(&key.as_ref()) {
            let ids = linked(raw).ok_or_else(|| {
                Error::refused(
                    "a link leads to a row that is not there, and pages do not say to which",
                )
                .at(format!("`{entity}.{key}`"))
                .help("take a backup, which says it, or remove the link in the app")
            })?;
            out.extend_from_slice(json!(ids).to_string().as_bytes());
        } else {
            // A line break between values would end the line; none stands within a string.
            out.extend(
                raw.bytes().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }),
            );
        }
    }
    out.extend_from_slice(b"},\"createdAt\":null}\n");
    Ok(())
}

/// The ids of expanded links.
fn linked(raw: &str) -> Option<Vec<String>> {
    let rows = json::elements(raw).ok()?;
    let ids: Option<Vec<u128>> = rows.into_iter().map(id_of).collect();
    let mut ids = ids?;
    ids.sort_unstable();
    Some(ids.into_iter().map(|id| uuid::Uuid::from_u128(id).to_string()).collect())
}

fn moved(entity: &str, before: usize, after: usize) -> Error {
    let counts = (grouped(before as u64), grouped(after as u64));
    Error::system("the app was written to while it was read")
        .at(format!("`{entity}`: {} rows before, {} after, not the same ones", counts.0, counts.1))
        .help("make the app read-only while it is exported, or take a backup")
}

fn no_shards(entity: &str) -> Error {
    Error::refused("the server does not divide rows by their ids, so they cannot be read by pages")
        .at(format!("`{entity}`"))
        .help("take a backup")
}

fn silent(entity: &str) -> Error {
    Error::damaged("the server's answer does not speak of the entity that was asked for")
        .at(format!("`{entity}`"))
}
