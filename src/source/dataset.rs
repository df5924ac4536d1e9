//! A dataset envelope: one JSON file with rows by entity, read as a stream.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::hashed::Hashed;
use super::rows::{At, Tally, described, file_meta};
use super::splitter::Splitter;
use super::{Form, Head, Source, SourceMeta, Visit};
use crate::contract::Contract;
use crate::error::{Error, Result};
use crate::json;
use crate::progress::Progress;

/// `{"payload":{"data":{…}}}`, `{"data":{…}}`, `{"payload":{…}}`, or `{…}` itself, where `{…}` has
/// a list of rows by entity.
#[derive(Debug)]
pub(super) struct Dataset {
    path: PathBuf,
}

impl Dataset {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }
}

impl Source for Dataset {
    fn identify(&self, progress: &dyn Progress) -> Result<SourceMeta> {
        file_meta("dataset", &self.path, progress)
    }

    fn head(&mut self, _contract: &Contract) -> Result<Head> {
        Ok(Head::default())
    }

    fn read(
        &mut self,
        contract: &Contract,
        visit: &mut Visit<'_>,
        progress: &dyn Progress,
    ) -> Result<(SourceMeta, Vec<(String, u64)>)> {
        let text = Splitter::new(Hashed::open(&self.path)?, self.path.clone());
        let tally = Tally::begin(visit, progress, None);
        let mut walk = Walk { text, contract, tally, seen: BTreeSet::new() };
        walk.text.skip_mark()?;
        walk.text.expect(b'{')?;
        walk.object(Level::Root)?;
        if walk.text.peek()?.is_some() {
            return Err(walk.text.wrong("something follows the JSON"));
        }
        let read = walk.tally.finish();
        let sha256 = walk.text.into_input().finish()?;
        Ok((described("dataset", &self.path, sha256), read))
    }
}

/// How deep in its envelope an object stands.
#[derive(Clone, Copy)]
enum Level {
    Root,
    Payload,
    Data,
}

impl Level {
    /// Where an object under this key leads.
    fn inner(self, key: &str) -> Option<Self> {
        match (self, key) {
            (Level::Root, "payload") => Some(Level::Payload),
            (Level::Root | Level::Payload, "data") => Some(Level::Data),
            _ => None,
        }
    }
}

struct Walk<'a, 'v> {
    text: Splitter<Hashed>,
    contract: &'a Contract,
    tally: Tally<'a, 'v>,
    seen: BTreeSet<String>,
}

impl Walk<'_, '_> {
    /// Goes through the object that was entered. It calls itself twice at most.
    fn object(&mut self, level: Level) -> Result<()> {
        let mut first = true;
        while self.text.next(first, b'}')? {
            first = false;
            let key = self.key()?;
            self.text.expect(b':')?;
            match (self.text.peek()?, level.inner(&key)) {
                (Some(b'{'), Some(inner)) => {
                    self.text.expect(b'{')?;
                    self.object(inner)?;
                }
                (Some(b'['), _) => self.rows(&key)?,
                (Some(b'n'), _) => self.text.skip()?,
                _ if self.names(&key) => {
                    return Err(self.text.wrong(&format!("`{key}` is no list of rows")));
                }
                _ => self.text.skip()?,
            }
        }
        Ok(())
    }

    fn key(&mut self) -> Result<String> {
        if self.text.peek()? == Some(b'"') {
            let (_, bytes) = self.text.value()?;
            let key = std::str::from_utf8(bytes).ok().and_then(json::string);
            if let Some(key) = key {
                return Ok(key.into_owned());
            }
        }
        Err(self.text.wrong("the JSON is broken: a key is missing or is no text"))
    }

    /// Whether the contract has an entity of that name.
    fn names(&self, entity: &str) -> bool {
        let sides = [&self.contract.before.schema, &self.contract.after.schema];
        sides.iter().any(|schema| schema.entity(entity).is_some())
    }

    /// Passes the rows of an entity on. A list beside the entities that holds something else than
    /// objects is none of theirs, and is skipped.
    fn rows(&mut self, entity: &str) -> Result<()> {
        if self.seen.contains(entity) {
            return Err(self.text.wrong(&format!("`{entity}` stands twice in the file")));
        }
        self.seen.insert(entity.to_owned());
        self.tally.entity(entity);
        self.text.expect(b'[')?;
        let mut element = 0;
        let mut skipping = false;
        while self.text.next(element == 0, b']')? {
            element += 1;
            let is_object = self.text.peek()? == Some(b'{');
            if element == 1 && !is_object && !self.names(entity) {
                self.tally.forget();
                skipping = true;
            }
            if skipping {
                self.text.skip()?;
                continue;
            }
            if !is_object {
                let place = At::Element(self.text.name(), entity, element, self.text.offset());
                return Err(Error::damaged("the element is no JSON object")
                    .at(place)
                    .help("every element of an entity's list is a row"));
            }
            self.row(entity, element)?;
        }
        Ok(())
    }

    fn row(&mut self, entity: &str, element: u64) -> Result<()> {
        let name = self.text.name().to_owned();
        let (at, bytes) = self.text.value()?;
        let place = At::Element(&name, entity, element, at);
        let object = simdutf8::basic::from_utf8(bytes).map_err(|error| {
            Error::damaged("the element is no UTF-8 text")
                .at(place)
                .help("take the source again: JSON files are UTF-8")
                .because(error)
        })?;
        self.tally.row(object, Form::Object, None, place)
    }
}
