//! A snapshot as a source: its rows as they were, the corrected ones as their lines have them.

use super::Wanted;
use super::fixes::{Fix, Fixes, is_same};
use crate::app::AppSettings;
use crate::contract::Contract;
use crate::error::{Error, Result, grouped};
use crate::progress::Progress;
use crate::schema::Schema;
use crate::snapshot::{Rebuild, Rebuilt, Snapshot, SourceMeta};
use crate::source::{At, Form, Head, Row, Source, Visit, app_schema};
use crate::storage;

/// A snapshot some of whose rows are replaced.
pub(super) struct Replaying<'a> {
    snapshot: &'a Snapshot,
    contract: &'a Contract,
    fixes: &'a Fixes,
    schema_text: Option<String>,
    schema: Option<Schema>,
    app: AppSettings,
}

impl<'a> Replaying<'a> {
    pub(super) fn new(wanted: &Wanted<'a>, fixes: &'a Fixes) -> Result<Self> {
        let (bundle, snapshot) = (wanted.bundle, wanted.snapshot);
        if bundle.meta().snapshot.digest != snapshot.digest() {
            return Err(Error::usage("the bundle was made from another snapshot")
                .at(snapshot.root().display()));
        }
        let place = snapshot.path("data/schema.json");
        let schema_text = if place.exists() { Some(storage::read_text(&place)?) } else { None };
        let wrong = |said: String| Error::damaged(said).at(place.display());
        let schema = schema_text.as_deref().map(app_schema).transpose().map_err(wrong)?;
        let app = snapshot.app()?;
        Ok(Self { snapshot, contract: wanted.contract, fixes, schema_text, schema, app })
    }

    fn table(&self, rebuild: &Rebuild<'_>, entity: &str, visit: &mut Visit<'_>) -> Result<()> {
        let Some(table) = self.snapshot.table(entity) else { return Ok(()) };
        let name = self.snapshot.path(&table.file).display().to_string();
        let mut text = Vec::new();
        rebuild.table(table, &mut |number, row| {
            let line = self.fixes.of(entity, number);
            let (row, at) = match &line {
                Some(line) => (corrected(row, self.fixes.fix(line)?), self.fixes.at(line)),
                None => (row, At::TableRow(&name, number + 1)),
            };
            pass(rebuild, entity, &row, at, (&mut text, visit))
        })
    }
}

fn pass(
    rebuild: &Rebuild<'_>,
    entity: &str,
    row: &Rebuilt,
    at: At<'_>,
    (text, visit): (&mut Vec<u8>, &mut Visit<'_>),
) -> Result<()> {
    rebuild.write(entity, row, text);
    let text = std::str::from_utf8(text)
        .map_err(|error| Error::bug("a row became no UTF-8 text").because(error))?;
    visit(Row { entity, text, form: Form::Object, server_created_at: row.server, at })
}

/// A row as its line has it. The links that other tables hold for it stay, unless the line names them.
/// Of a value that stands in a column and aside, the one that was changed counts.
fn corrected(old: Rebuilt, fix: Fix) -> Rebuilt {
    let Fix { members, mut extra, mut invalid, server } = fix;
    let is_as_before = |name: &str, raw: &str| {
        let before = old.columns.iter().find(|(column, _)| column == name);
        before.is_some_and(|(_, before)| is_same(before, raw))
    };
    let changed =
        |name: &str| members.iter().any(|(own, raw)| own == name && !is_as_before(name, raw));
    extra.retain(|(name, _)| !changed(name));
    invalid.retain(|(name, _)| !changed(name));
    let mut links = old.links;
    links.retain(|(label, _)| members.iter().all(|(name, _)| name != label));
    Rebuilt {
        columns: members,
        links,
        extra,
        invalid,
        server: server.or(old.server),
        digest: String::new(),
    }
}

impl Source for Replaying<'_> {
    fn identify(&self, _progress: &dyn Progress) -> Result<SourceMeta> {
        Ok(self.snapshot.meta().source.clone())
    }

    fn head(&mut self, _contract: &Contract) -> Result<Head> {
        let (schema_text, schema) = (self.schema_text.clone(), self.schema.clone());
        Ok(Head { schema_text, schema, counts: None, app: self.app.clone() })
    }

    fn read(
        &mut self,
        _contract: &Contract,
        visit: &mut Visit<'_>,
        progress: &dyn Progress,
    ) -> Result<(SourceMeta, Vec<(String, u64)>)> {
        let meta = self.snapshot.meta();
        let rebuild = Rebuild::new(self.snapshot, self.contract, self.schema.as_ref());
        let total = meta.tables.iter().map(|table| table.rows).sum();
        progress.begin("replay", Some(total));
        let mut entities = Vec::new();
        for table in meta.tables.iter().filter(|table| table.present) {
            self.table(&rebuild, &table.entity, visit)?;
            progress.advance(table.rows);
            entities.push((table.entity.clone(), table.rows));
        }
        let mut text = Vec::new();
        for (entity, rows) in &meta.unmapped.entities {
            entities.push((entity.clone(), *rows));
            if meta.links.iter().all(|links| links.entity != *entity) {
                continue;
            }
            rebuild.other(entity, *rows, &mut |_, row| {
                pass(&rebuild, entity, &row, At::Named(entity), (&mut text, visit))
            })?;
        }
        let fixed: usize =
            self.fixes.by_entity().values().map(std::collections::BTreeMap::len).sum();
        let (fixed, total) = (grouped(fixed as u64), grouped(total));
        progress.done(&format!("{fixed} of {total} rows replaced"));
        Ok((meta.source.clone(), entities))
    }
}
