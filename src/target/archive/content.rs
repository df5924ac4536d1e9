//! What goes into the archive, looked through before a byte is written.

use std::collections::{BTreeMap, BTreeSet};

use super::app::{App, Carried};
use super::lines::Line;
use super::links::pairs;
use super::model::{self, Model};
use super::routes;
use super::rows::{Pairs, Rows};
use super::schema_text::{Object, quoted};
use super::tally::Tally;
use super::write::{entity_of, stripped, target_lines};
use crate::app::Rules;
use crate::bundle;
use crate::contract::Contract;
use crate::error::{Error, Result, grouped};
use crate::json;
use crate::progress::Progress;
use crate::reconcile::{GivenRules, Permissions};
use crate::schema::{Has, Schema};
use crate::target::Plan;
use crate::target::faults::Faults;

/// Everything the archive is made of.
pub(super) struct Content {
    /// The source archive, when there is an app around the rows.
    pub(super) app: Option<App>,
    /// The merged schema.
    pub(super) model: Model,
    /// Who may see and change the rows.
    pub(super) permissions: Permissions,
    /// What is known of the app's own rules.
    pub(super) rules: Rules,
    /// Text of `config.json`.
    pub(super) config: String,
    /// What every table adds up to.
    pub(super) tallies: BTreeMap<String, Tally>,
    /// Links that are written onto rows, by entity.
    pairs: BTreeMap<String, Pairs>,
}

/// Where the rows of one file come from.
pub(super) enum Origin {
    /// The bundle.
    Bundle,
    /// The source archive, as they are.
    Copied(Carried),
    /// The source archive, without the links and rows that are left out.
    Stripped(Carried),
}

impl Content {
    /// Merges the schema and looks through every row.
    ///
    /// # Errors
    /// The schemas contradict each other, or a server could not restore a row: named.
    pub(super) fn new(
        mut app: Option<App>,
        plan: &Plan,
        contract: &Contract,
        (drop_legacy, progress): (bool, &dyn Progress),
    ) -> Result<Self> {
        let schema = app.as_ref().map(|app| &app.schema);
        let model = model::merge(schema, contract, &plan.meta.links, drop_legacy)?;
        let rules = rules(app.as_ref(), plan, contract)?;
        let none = Schema::default();
        let schema = schema.map_or(&none, |app| &app.schema);
        let permissions = Permissions::new(&GivenRules {
            contract,
            rules: &rules,
            schema,
            moved: &routes::moved(schema, &model.schema, &model.routes, &plan.meta.links),
            renamed: &[],
            legacy_goes: drop_legacy || app.is_none(),
        });
        permissions.judge()?;
        let mut faults = Faults::default();
        let pairs = pairs(plan, &model.routes, &mut faults)?;
        if let Some(app) = &mut app {
            for file in app.files.clone().iter().filter(|file| entity_of(&file.name).is_none()) {
                app.check(file)?;
            }
        }
        let (config, tallies) = (String::new(), BTreeMap::new());
        let mut content = Self { app, model, permissions, rules, config, tallies, pairs };
        content.tally(plan, &mut faults, progress)?;
        content.judge_links(&mut faults);
        faults.refuse(
            |values| format!("an InstantDB server could not restore {values}"),
            "repair these rows in the source and export again, or let the contract set them aside \
             (`[target] unfit = \"quarantine\"`); nothing was written",
        )?;
        content.tell_left_out();
        content.config = content.config_text(plan);
        Ok(content)
    }

    /// The files of rows, by name.
    pub(super) fn entities(&self, plan: &Plan) -> Vec<(String, Origin)> {
        let mut found = BTreeMap::new();
        for (entity, file) in self.app.as_ref().map(App::entities).unwrap_or_default() {
            if self.model.gone.contains(&entity) {
                continue;
            }
            let strip = self.model.dropped.iter().any(|(on, _)| *on == entity)
                || self.tallies.get(&entity).is_some_and(|tally| tally.left_out > 0);
            let origin = if strip { Origin::Stripped(file) } else { Origin::Copied(file) };
            found.insert(entity, origin);
        }
        for table in &plan.meta.tables {
            if table.rows > 0 || found.contains_key(&table.entity) {
                found.insert(table.entity.clone(), Origin::Bundle);
            }
        }
        found.into_iter().collect()
    }

    /// The files behind the rows: `files/*`, then what else there is, in the source's order.
    pub(super) fn others(&self) -> Vec<Carried> {
        let files = self.app.iter().flat_map(|app| &app.files);
        let mut others: Vec<Carried> =
            files.filter(|file| entity_of(&file.name).is_none()).cloned().collect();
        others.sort_by_key(|file| !file.name.starts_with("files/"));
        others
    }

    /// Passes the lines of one file as they are written.
    ///
    /// # Errors
    /// A source fails, or what `visit` says.
    pub(super) fn each_line(
        &mut self,
        entity: &str,
        origin: &Origin,
        plan: &Plan,
        visit: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let (Origin::Copied(file) | Origin::Stripped(file)) = origin else {
            let mut sums = (Tally::default(), Faults::default());
            return self.rows_of(entity, plan, (&mut sums.0, &mut sums.1, false), visit);
        };
        let Some(app) = &mut self.app else { return Ok(()) };
        let (model, mut out) = (&self.model, Vec::new());
        app.lines(file, &mut |text| {
            stripped(entity, text, model, &mut out);
            visit(&out)
        })
    }

    fn rows_of(
        &self,
        entity: &str,
        plan: &Plan,
        sums: (&mut Tally, &mut Faults, bool),
        visit: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let Some(table) = plan.meta.tables.iter().find(|table| table.entity == entity) else {
            return Ok(());
        };
        let none = Pairs::new();
        let pairs = self.pairs.get(entity).unwrap_or(&none);
        let rows = Rows::new(entity, &self.model, pairs);
        target_lines(&plan.root.join(&table.jsonl), &rows, sums, visit)
    }

    /// Adds up every table.
    fn tally(&mut self, plan: &Plan, faults: &mut Faults, progress: &dyn Progress) -> Result<()> {
        let links = self.model.schema.links.iter();
        let ours = links.filter(|link| plan.schema.entity(&link.on).is_some());
        let looked_at: BTreeSet<String> = ours.map(|link| link.to.clone()).collect();
        for (entity, origin) in self.entities(plan) {
            let mut tally = Tally::default();
            match &origin {
                Origin::Bundle => {
                    self.rows_of(&entity, plan, (&mut tally, faults, true), &mut |_| {
                        progress.advance(1);
                        Ok(())
                    })?;
                    self.judge_pairs(&entity, &mut tally, faults);
                }
                Origin::Copied(file) | Origin::Stripped(file) => {
                    tally = self.other(&entity, file)?;
                    if !looked_at.contains(&entity) {
                        tally.ids = Vec::new();
                    }
                }
            }
            tally.sort();
            self.tallies.insert(entity, tally);
        }
        Ok(())
    }

    /// Adds up a table that is carried over, as it will be.
    fn other(&mut self, entity: &str, file: &Carried) -> Result<Tally> {
        let mut tally = Tally::default();
        let Some(app) = &mut self.app else { return Ok(tally) };
        let (model, mut out) = (&self.model, Vec::new());
        let place = app.at(file);
        let is_link = |label: &str| model.schema.link(entity, label).is_some();
        let no_row = || {
            Error::damaged("a line is not of the form `{\"entity\":{…},\"createdAt\":<ms>}`")
                .at(&place)
        };
        let strips = model.dropped.iter().any(|(on, _)| on == entity);
        app.lines(file, &mut |text| {
            let line = Line::parse(text).ok_or_else(no_row)?;
            if line.id().is_none() {
                tally.left_out += 1;
                return Ok(());
            }
            if !strips {
                tally.bytes += text.len() as u64 + 1;
                tally.add(&line, is_link);
                return Ok(());
            }
            stripped(entity, text, model, &mut out);
            tally.bytes += out.len() as u64;
            let text = std::str::from_utf8(&out).unwrap_or_default();
            tally.add(&Line::parse(text).ok_or_else(no_row)?, is_link);
            Ok(())
        })?;
        Ok(tally)
    }

    /// Says which rows of the source a server could not restore.
    fn tell_left_out(&mut self) {
        for (entity, tally) in self.tallies.iter().filter(|(_, tally)| tally.left_out > 0) {
            let rows = grouped(tally.left_out);
            self.model.told.push(format!(
                "`{entity}`: lines without an id are left out, for no server restores them: {rows}"
            ));
        }
    }

    /// Notes links that are to be written onto rows that are not there.
    fn judge_pairs(&self, entity: &str, tally: &mut Tally, faults: &mut Faults) {
        tally.sort();
        for (label, pairs) in self.pairs.get(entity).into_iter().flatten() {
            for (from, _) in pairs.iter().filter(|(from, _)| !tally.has(*from)) {
                let id = uuid::Uuid::from_u128(*from).to_string();
                faults.add(entity, format!("a link of no row (`{label}`)"), &id);
            }
        }
    }

    /// Notes rows that share what only one may hold.
    fn judge_links(&self, faults: &mut Faults) {
        let links = self.model.schema.links.iter();
        for link in links.filter(|link| link.reverse_has == Has::One) {
            let tally = self.tallies.get(&link.on);
            let Some(pairs) = tally.and_then(|tally| tally.links.get(&link.label)) else {
                continue;
            };
            for (_, from) in pairs.windows(2).filter(|w| w[0].0 == w[1].0).map(|w| w[1]) {
                let said = format!(
                    "another row leads to the same row of `{}`, which only one may (`{}`)",
                    link.to, link.label
                );
                faults.add(&link.on, said, &uuid::Uuid::from_u128(from).to_string());
            }
        }
    }

    fn config_text(&self, plan: &Plan) -> String {
        let counts = self.counts(plan);
        let mut object = Object::default();
        for (entity, rows) in &counts {
            object.put(entity, &rows.to_string());
        }
        let counts = object.finish();
        let triples: u64 = self.tallies.values().map(|tally| tally.triples).sum();
        let triples = triples.to_string();
        let rules = self.permissions.rules.text();
        let mut ours =
            vec![("counts", &counts), ("tripleCount", &triples), ("schema", &self.model.text)];
        if self.permissions.rules != self.rules {
            ours.push(("rules", &rules));
        }
        let known = self.app.as_ref().map_or_else(|| minimal(plan), |app| app.config.clone());
        let known = json::members(known.trim_start_matches('\u{feff}')).unwrap_or_default();
        let mut object = Object::default();
        for (name, raw) in &known {
            let raw = ours.iter().find(|(ours, _)| ours == name).map_or(*raw, |(_, text)| text);
            object.put(name, raw);
        }
        for (name, raw) in ours.iter().filter(|(ours, _)| !known.iter().any(|(n, _)| n == ours)) {
            object.put(name, raw);
        }
        object.finish()
    }

    /// How many rows every entity of the archive has, by name.
    pub(super) fn counts(&self, plan: &Plan) -> BTreeMap<String, u64> {
        let known = self.app.iter().flat_map(|app| &app.counts).map(|(entity, _)| entity);
        let ours = plan.meta.tables.iter().map(|table| &table.entity);
        let kept = known.chain(ours).filter(|entity| !self.model.gone.contains(*entity));
        let rows = |entity: &String| self.tallies.get(entity).map_or(0, |tally| tally.rows);
        kept.map(|entity| (entity.clone(), rows(entity))).collect()
    }
}

/// A `config.json` of no app: the members a backup has, in its order.
fn minimal(plan: &Plan) -> String {
    let source = &plan.meta.source;
    let text = |text: &Option<String>| text.as_deref().map_or("null".to_owned(), quoted);
    let mut object = Object::default();
    for (name, raw) in [
        ("counts", "null".to_owned()),
        ("tripleCount", "null".to_owned()),
        ("schema", "null".to_owned()),
        ("rules", "null".to_owned()),
        ("webhooks", "[]".to_owned()),
        ("emailTemplates", "[]".to_owned()),
        ("authorizedRedirectOrigins", "[]".to_owned()),
        ("title", quoted(source.title.as_deref().unwrap_or(&source.name))),
        ("appId", text(&source.app_id)),
        ("backupAt", text(&source.taken_at)),
        ("isn", "null".to_owned()),
        ("description", quoted(&format!("thread model by {}", plan.program))),
    ] {
        object.put(name, &raw);
    }
    object.finish()
}

/// What is known of the app's permission rules: by its archive, or by what the snapshot was taken from.
fn rules(app: Option<&App>, plan: &Plan, contract: &Contract) -> Result<Rules> {
    let (before, after) = (&contract.before.schema, &contract.after.schema);
    if let Some(app) = app {
        return Ok(app.rules.clone());
    }
    let mut known =
        bundle::schema_plan_of(&plan.root)?.map(|plan| plan.app.rules).unwrap_or_default();
    if let Rules::Known(rules) = &mut known {
        // Entities that are not in the archive need none.
        let is_there = |name: &str| {
            name.starts_with('$')
                || name == "attrs"
                || [before, after].iter().any(|it| it.entity(name).is_some())
        };
        rules.retain(|name, _| is_there(name));
    }
    Ok(known)
}
