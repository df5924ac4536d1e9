//! `config.json` of a backup archive: the app's schema and its row counts.

use crate::app::{self, Rules};
use crate::error::{Error, Result, grouped};
use crate::json;
use crate::schema::{Attr, Entity, Has, Link, LinkRules, OnDelete, Schema, Type};
use crate::source::{Head, SourceMeta};

/// The largest `config.json` that is read, in bytes.
pub(super) const LARGEST: u64 = 64 << 20;

/// What a backup says about itself.
#[derive(Debug, Default, Clone)]
pub(super) struct Config {
    /// What it says before its rows.
    pub(super) head: Head,
    title: Option<String>,
    app_id: Option<String>,
    taken_at: Option<String>,
}

impl Config {
    /// Reads the text of a `config.json` that stands at `place`.
    pub(super) fn parse(text: &str, place: &str) -> Result<Self> {
        let wrong = |what: String| {
            Error::damaged(what)
                .at(place)
                .help("name a backup archive as InstantDB writes it, or download it again")
        };
        let members = json::members(text.trim_start_matches('\u{feff}'))
            .map_err(|error| wrong("`config.json` is no JSON object".to_owned()).because(error))?;
        let mut config = Self::default();
        let mut rules = None;
        for (key, raw) in members {
            match key.as_ref() {
                "schema" if raw != "null" => {
                    config.head.schema = Some(schema(raw).map_err(wrong)?);
                    config.head.schema_text = Some(raw.to_owned());
                }
                "counts" if raw != "null" => config.head.counts = Some(counts(raw).map_err(wrong)?),
                "rules" => rules = Some(raw),
                "webhooks" => config.head.app.webhooks = app::webhooks(raw),
                "emailTemplates" => config.head.app.email_templates = app::email_templates(raw),
                "title" => config.title = said(raw),
                "appId" => config.app_id = said(raw),
                "backupAt" => config.taken_at = said(raw),
                _ => {}
            }
        }
        // A backup of before 2026-08-12 has neither, whatever rules the app had (instantdb/instant#2860).
        let rules = rules.filter(|raw| *raw != "null" || config.taken_at.is_some());
        if let Some(raw) = rules {
            let said = |said| wrong(format!("`rules` of `config.json`: {said}"));
            config.head.app.rules = Rules::parse(raw).map_err(said)?;
        }
        if config.head.counts.is_none() {
            return Err(wrong("`config.json` has no `counts`".to_owned()));
        }
        Ok(config)
    }

    /// Adds what it says to the description of the source.
    pub(super) fn describe(self, meta: &mut SourceMeta) {
        meta.title = self.title;
        meta.app_id = self.app_id;
        meta.taken_at = self.taken_at;
    }

    /// The rows of all entities.
    pub(super) fn total(&self) -> u64 {
        self.counts().iter().map(|(_, rows)| rows).sum()
    }

    fn counts(&self) -> &[(String, u64)] {
        self.head.counts.as_deref().unwrap_or_default()
    }

    /// Compares the counts with what was read, and gives the entities the backup has.
    ///
    /// # Errors
    /// [`crate::error::Kind::Damaged`] with every difference.
    pub(super) fn reconcile(
        &self,
        mut read: Vec<(String, u64)>,
        place: &str,
    ) -> Result<Vec<(String, u64)>> {
        let mut wrong = Vec::new();
        for (entity, rows) in &read {
            if !self.counts().iter().any(|(counted, _)| counted == entity) {
                let rows = grouped(*rows);
                wrong.push(format!("`{entity}`: {rows} read, `counts` does not name it"));
            }
        }
        for (entity, expected) in self.counts() {
            match read.iter().find(|(name, _)| name == entity) {
                Some((_, rows)) if rows == expected => {}
                Some((_, rows)) => wrong.push(format!(
                    "`{entity}`: {} read, `counts` says {}",
                    grouped(*rows),
                    grouped(*expected)
                )),
                None if *expected == 0 => read.push((entity.clone(), 0)),
                None => wrong.push(format!(
                    "`{entity}`: `entities/{entity}.jsonl` is missing, `counts` says {}",
                    grouped(*expected)
                )),
            }
        }
        if wrong.is_empty() {
            return Ok(read);
        }
        let said = "the rows are not those that `counts` of `config.json` says";
        let mut error = Error::damaged(said).help("the backup is not whole: download it again");
        error.at = std::iter::once(place.to_owned()).chain(wrong).collect();
        Err(error)
    }
}

/// A text or a number as text.
fn said(raw: &str) -> Option<String> {
    match json::string(raw) {
        Some(text) => Some(text.into_owned()),
        None if raw.len() < 40 && raw != "null" && !raw.starts_with(['{', '[']) => {
            Some(raw.to_owned())
        }
        None => None,
    }
}

fn counts(raw: &str) -> Result<Vec<(String, u64)>, String> {
    let members = json::members(raw).map_err(|_| "`counts` is no JSON object".to_owned())?;
    let mut counts: Vec<(String, u64)> = Vec::new();
    for (entity, raw) in members {
        let rows = raw.parse().map_err(|_| format!("`counts.{entity}` is no count"))?;
        counts.push((entity.into_owned(), rows));
    }
    counts.sort();
    match counts.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        Some(pair) => Err(format!("`counts` names `{}` twice", pair[0].0)),
        None => Ok(counts),
    }
}

/// Parses InstantDB's schema: `entities.<etype>.attrs.<label>`, `links.<name>.forward|reverse`.
pub(crate) fn schema(raw: &str) -> Result<Schema, String> {
    let mut schema = Schema::default();
    for (name, raw) in object(raw, "schema.entities", "entities")? {
        let mut attrs = Vec::new();
        for (label, raw) in object(raw, &format!("schema.entities.{name}.attrs"), "attrs")? {
            if label != "id" {
                attrs.push(attr(label, raw)?);
            }
        }
        schema.entities.push(Entity { name, attrs, optional: true });
    }
    for (name, raw) in object(raw, "schema.links", "links")? {
        schema.links.push(link(name, raw)?);
    }
    Ok(schema)
}

fn attr(name: String, raw: &str) -> Result<Attr, String> {
    let config = member(raw, "config").unwrap_or("{}");
    let is_set = |raw: &str, key: &str| member(raw, key) == Some("true");
    let ty = member(raw, "valueType").and_then(json::string);
    if !raw.starts_with('{') {
        return Err(format!("the attribute `{name}` of the schema is no JSON object"));
    }
    Ok(Attr {
        ty: ty.and_then(|ty| Type::parse(&ty)).unwrap_or(Type::Any),
        required: is_set(raw, "required"),
        unique: is_set(config, "unique"),
        indexed: is_set(config, "indexed"),
        name,
    })
}

fn link(name: String, raw: &str) -> Result<Link, String> {
    let text = |side: &str, key: &str| {
        let value = member(raw, side).and_then(|side| member(side, key)).and_then(json::string);
        value.map(std::borrow::Cow::into_owned)
    };
    let need = |side: &str, key: &str| {
        text(side, key).ok_or_else(|| format!("`schema.links.{name}.{side}.{key}` is missing"))
    };
    let has = |side: &str| match text(side, "has").as_deref() {
        Some("one") => Has::One,
        _ => Has::Many,
    };
    let on_delete = |side: &str| text(side, "onDelete").as_deref().and_then(OnDelete::parse);
    let required = member(raw, "forward").and_then(|side| member(side, "required"));
    let reverse = text("reverse", "label");
    // Without a reverse nothing may say which entity the ids belong to (INSTANTDB, added).
    let to = match &reverse {
        Some(_) => need("reverse", "on")?,
        None => text("reverse", "on").unwrap_or_default(),
    };
    Ok(Link {
        on: need("forward", "on")?,
        label: need("forward", "label")?,
        has: has("forward"),
        to,
        reverse,
        reverse_has: has("reverse"),
        rules: LinkRules {
            required: required == Some("true"),
            on_delete: on_delete("forward"),
            on_delete_reverse: on_delete("reverse"),
        },
        also: Vec::new(),
        name,
    })
}

/// The members of `raw.<key>`; none when it is absent or null.
fn object<'t>(raw: &'t str, place: &str, key: &str) -> Result<Vec<(String, &'t str)>, String> {
    let wrong = || format!("`{place}` is no JSON object");
    let members = json::members(raw).map_err(|_| wrong())?;
    let Some((_, raw)) = members.into_iter().find(|(name, raw)| name == key && *raw != "null")
    else {
        return Ok(Vec::new());
    };
    let members = json::members(raw).map_err(|_| wrong())?;
    Ok(members.into_iter().map(|(name, raw)| (name.into_owned(), raw)).collect())
}

fn member<'t>(raw: &'t str, key: &str) -> Option<&'t str> {
    json::members(raw).ok()?.into_iter().find(|(name, _)| name == key).map(|(_, raw)| raw)
}
