//! The bundle beside the app: what would be created, changed, left; what is in the way; what can
//! never be held.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::ask::{self, Theirs};
use super::normal::{self, Normal};
use super::shape::{Shape, Side};
use super::{limits, wire};
use crate::digest::{RowDigest, TableDigest};
use crate::error::Result;
use crate::instantdb::Client;
use crate::progress::Progress;
use crate::target::faults::Faults;
use crate::target::{BeforeWriter, Held, Image, OnConflict, Plan, Rows, Standing, Table, Value};

/// The column of a link's image that holds where it led.
pub(super) const LED: &str = "to";

/// How a comparison is done.
#[derive(Clone, Copy)]
pub(super) struct How<'a> {
    pub(super) client: &'a Client,
    pub(super) policy: OnConflict,
    pub(super) page: usize,
}

/// Compares every table; gives what is to be said as well.
pub(super) fn all(
    how: How<'_>,
    plan: &Plan,
    shapes: &[Shape],
    (before, progress): (&mut BeforeWriter<'_>, &dyn Progress),
) -> Result<(Vec<Standing>, Vec<String>)> {
    let (mut never, mut rounded) = (Faults::default(), Faults::default());
    let mut standings = Vec::new();
    for (table, shape) in plan.tables.iter().zip(shapes) {
        let standing = Standing { table: table.name.clone(), ..Standing::default() };
        let mut one = Comparing {
            how,
            table,
            shape,
            before: &mut *before,
            never: &mut never,
            rounded: &mut rounded,
            standing,
            held: TableDigest::default(),
            digest: RowDigest::default(),
            suspects: Vec::new(),
            updated: BTreeSet::new(),
        };
        plan.scan(table, progress, &mut |rows| {
            for from in (0..rows.len()).step_by(how.page) {
                let page = from..rows.len().min(from + how.page);
                match &shape.side {
                    None => one.rows(rows, page)?,
                    Some(side) => one.links(rows, page, side)?,
                }
            }
            Ok(())
        })?;
        standings.push(one.end()?);
    }
    never.refuse(
        |values| format!("the app can never hold {values}"),
        "change these rows where they come from, or let the contract set them aside \
         (`[target] unfit = \"quarantine\"`); nothing was sent",
    )?;
    let notes = rounded
        .told()
        .map(|told| format!("the app keeps decimals as doubles, so these lose digits: {told}"));
    Ok((standings, notes.collect()))
}

struct Comparing<'a, 'b> {
    how: How<'a>,
    table: &'a Table,
    shape: &'a Shape,
    before: &'a mut BeforeWriter<'b>,
    never: &'a mut Faults,
    rounded: &'a mut Faults,
    standing: Standing,
    held: TableDigest,
    digest: RowDigest,
    /// Rows that hold a unique value of the bundle's, under which label, and whether they can give it
    /// up before it is taken: not when every row must have one.
    suspects: Vec<(String, String, bool)>,
    /// Rows that will be changed.
    updated: BTreeSet<String>,
}

/// The ids of a page, as the server takes them.
pub(super) fn page_ids(
    table: &Table,
    rows: &Rows<'_>,
    page: std::ops::Range<usize>,
    end: usize,
) -> Vec<String> {
    let ids: BTreeSet<String> =
        page.filter_map(|row| normal::id(rows.key(table, row).get(end)?)).collect();
    ids.into_iter().collect()
}

impl Comparing<'_, '_> {
    fn rows(&mut self, rows: &Rows<'_>, page: std::ops::Range<usize>) -> Result<()> {
        let ids = page_ids(self.table, rows, page.clone(), 0);
        let found = ask::rows(self.how.client, &self.shape.etype, &ids, (&[], false))?;
        let mut wanted: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        for row in page {
            let key = rows.key(self.table, row);
            let id = normal::id(&key[0]);
            let held = id.as_ref().and_then(|id| found.get(id));
            let is_sent = self.row(rows, row, &key, held)?;
            if !is_sent {
                continue;
            }
            self.check(rows, row, &key);
            for field in self.shape.columns.iter().filter(|field| field.unique) {
                if let Some(value) = asked_form(&normal::ours(rows.value(field.at, row))) {
                    wanted
                        .entry(field.name.clone())
                        .or_default()
                        .insert(value, key[0].to_lowercase());
                }
            }
        }
        self.find_taken(&wanted)
    }

    /// Decides about a row; true when it will be sent.
    fn row(
        &mut self,
        rows: &Rows<'_>,
        row: usize,
        key: &[String],
        held: Option<&String>,
    ) -> Result<bool> {
        let Some(held) = held else {
            self.standing.counts.created += 1;
            return Ok(true);
        };
        let theirs = Theirs::of(self.shape, held);
        let ours = wire::values(self.shape, rows, row);
        let found = ask::row_digest(&mut self.digest, self.shape, &key[0], &theirs.values);
        let wanted = ask::row_digest(&mut self.digest, self.shape, &key[0], &ours);
        self.held.add(found);
        let name = &self.table.name;
        if found == wanted {
            self.standing.counts.unchanged += 1;
            return self.before.unchanged(name, key).map(|()| false);
        }
        let image = || {
            let raws = self.shape.columns.iter().zip(&theirs.raws);
            raws.map(|(field, raw)| (field.name.clone(), raw.map(str::to_owned))).collect()
        };
        self.conflict(key, image)
    }

    /// Decides about a row that has other content there; true when it will be sent.
    fn conflict(&mut self, key: &[String], image: impl FnOnce() -> Image) -> Result<bool> {
        let name = &self.table.name;
        match self.how.policy {
            OnConflict::Refuse => {
                self.standing.in_the_way.add(|| key.join(" -> "));
                self.before.in_the_way(name, key)?;
                Ok(false)
            }
            OnConflict::Keep => {
                self.standing.counts.kept += 1;
                self.before.kept(name, key)?;
                Ok(false)
            }
            OnConflict::Replace => {
                self.standing.counts.updated += 1;
                self.updated.insert(key[0].to_lowercase());
                self.before.changes(name, key, image())?;
                Ok(true)
            }
        }
    }

    /// Notes what of a row the server can never hold.
    fn check(&mut self, rows: &Rows<'_>, row: usize, key: &[String]) {
        let (name, id) = (&self.table.name, key.join(" -> "));
        if normal::id(&key[0]).is_none() {
            return self.never.add(name, "the id is no UUID of 36 characters", &id);
        }
        let mut bytes = 0;
        for field in &self.shape.columns {
            let value = rows.value(field.at, row);
            if let Value::Text(text) | Value::Json(text) = value {
                bytes += text.len();
            }
            let why = match value {
                Value::Text(id) if field.is_link => {
                    normal::id(id).is_none().then_some("leads to what is no UUID of 36 characters")
                }
                value => limits::refused(value, field.indexed || field.unique),
            };
            if limits::is_rounded(value) {
                self.rounded.add(name, format!("`{}`", field.name), &id);
            }
            if let Some(why) = why {
                return self.never.add(name, format!("`{}` {why}", field.name), &id);
            }
        }
        if bytes > limits::ROW_BYTES || self.shape.columns.len() + 1 > limits::ROW_TRIPLES {
            self.never.add(name, "a row is more than one transaction takes", &id);
        }
    }

    /// Finds rows of the app that hold a unique value of the bundle's under another id.
    fn find_taken(&mut self, wanted: &BTreeMap<String, BTreeMap<String, String>>) -> Result<()> {
        let etype = &self.shape.etype;
        for field in self.shape.columns.iter().filter(|field| field.unique) {
            let Some(wanted) = wanted.get(&field.name) else { continue };
            let path =
                if field.is_link { format!("{}.id", field.name) } else { field.name.clone() };
            let values: Vec<Json> =
                wanted.keys().filter_map(|raw| serde_json::from_str(raw).ok()).collect();
            for (id, row) in ask::having(self.how.client, etype, &path, &values)? {
                let held = ask::member(&row, &field.name).unwrap_or("null");
                let held = asked_form(&normal::theirs(held, field.kind)).unwrap_or_default();
                if wanted.get(&held) == Some(&id) {
                    continue;
                }
                self.suspects.push((id, field.name.clone(), !field.required));
            }
        }
        Ok(())
    }

    fn links(&mut self, rows: &Rows<'_>, page: std::ops::Range<usize>, side: &Side) -> Result<()> {
        let client = self.how.client;
        let from = page_ids(self.table, rows, page.clone(), 0);
        let found = ask::links(client, self.shape, side, &from)?;
        let to = page_ids(self.table, rows, page.clone(), 1);
        let targets = ask::rows(client, &side.to, &to, (&[&side.other], true))?;
        let made = |end: usize| self.table.columns[end].leads_to.is_some();
        let (from_made, to_made) = (made(0), made(1));
        for row in page {
            let key = rows.key(self.table, row);
            let (Some(from), Some(to)) = (normal::id(&key[0]), normal::id(&key[1])) else {
                let key = key.join(" -> ");
                self.never.add(&self.table.name, "an end is no UUID of 36 characters", &key);
                continue;
            };
            let held = found.get(&from);
            if held.is_some_and(|held| held.contains(&to)) {
                self.held.add(ask::pair_digest(&mut self.digest, &key));
                self.standing.counts.unchanged += 1;
                self.before.unchanged(&self.table.name, &key)?;
                continue;
            }
            if (held.is_none() && !from_made) || (!targets.contains_key(&to) && !to_made) {
                let why = "one of its ends is a row that neither the app nor the bundle has";
                self.never.add(&self.table.name, why, &key.join(" -> "));
            }
            if let Some(row) = targets.get(&to).filter(|_| side.unique) {
                let (others, _) = ask::ends(row, &side.other)?;
                let others = others.into_iter().filter(|other| *other != from);
                self.suspects.extend(others.map(|other| (other, side.label.clone(), false)));
            }
            match held.filter(|held| side.one && !held.is_empty()) {
                None => self.standing.counts.created += 1,
                Some(held) => {
                    let led = held.iter().next().cloned();
                    self.conflict(&key, || Image::from([(LED.to_owned(), led)]))?;
                }
            }
        }
        Ok(())
    }

    fn end(mut self) -> Result<Standing> {
        self.suspects.sort();
        self.suspects.dedup();
        for (id, label, gives_up) in &self.suspects {
            if *gives_up && self.updated.contains(id) {
                continue;
            }
            self.standing.in_the_way.add(|| format!("{id} holds a `{label}` of the bundle's"));
            self.before.in_the_way(&self.table.name, std::slice::from_ref(id))?;
        }
        let Self { mut standing, held, .. } = self;
        standing.before = Held { rows: held.rows, digest: held.hex() };
        Ok(standing)
    }
}

/// The JSON of a unique value to ask for; dates stand in many forms and are not asked for.
fn asked_form(value: &Normal<'_>) -> Option<String> {
    match value {
        Normal::Text(text) => Some(Json::from(text.as_ref()).to_string()),
        Normal::Number(number) => Some(Json::from(*number).to_string()),
        Normal::Boolean(value) => Some(value.to_string()),
        Normal::Absent | Normal::Date(_) | Normal::Json(_) => None,
    }
}
