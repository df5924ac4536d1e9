//! The tables and link files of a snapshot while its source is read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::labels::{Files, Labels, Meanings};
use super::row::{Shape, TypedRow};
use super::write::{LinksWriter, TableWriter};
use super::{LinksMeta, TableMeta, Unmapped, columns, declared};
use crate::bag::Payload;
use crate::contract::Contract;
use crate::error::{Error, Result};
use crate::schema::Schema;
use crate::source::Row;

/// So many undeclared names an entity may have; the rest are counted together, so that names made
/// out of data cannot fill the memory.
const NAMES: usize = 10_000;
/// What the rest is counted as.
const OTHER_NAMES: &str = "…";

/// Takes rows of every entity in.
pub(super) struct Tables {
    root: PathBuf,
    labels: Labels,
    has_one: Vec<bool>,
    open: Vec<Open>,
    links: Vec<Option<LinksWriter>>,
    /// Entities without a table, and how many rows were read.
    others: BTreeMap<String, u64>,
    nothing: Meanings,
}

struct Open {
    meta: TableMeta,
    writer: TableWriter,
    extra: Counts,
    invalid: Counts,
}

#[derive(Default)]
struct Counts(BTreeMap<String, u64>);

impl Counts {
    fn add(&mut self, name: &str) {
        let full = self.0.len() >= NAMES && !self.0.contains_key(name);
        let name = if full { OTHER_NAMES } else { name };
        match self.0.get_mut(name) {
            Some(count) => *count += 1,
            None => drop(self.0.insert(name.to_owned(), 1)),
        }
    }
}

impl Tables {
    /// Begins a table for every entity of the contract, legacy ones first.
    pub(super) fn begin(root: &Path, contract: &Contract, app: Option<&Schema>) -> Result<Self> {
        let labels = Labels::new(contract, app);
        let mut files = Files::default();
        let mut tables = Vec::new();
        let (before, after) = (&contract.before.schema, &contract.after.schema);
        for (side, schema) in [("legacy", before), ("target", after)] {
            for entity in &schema.entities {
                let file = files.name("data/tables", &entity.name);
                tables.push(Open::begin(root, schema, &entity.name, (side, file))?);
            }
        }
        Ok(Self {
            root: root.to_owned(),
            has_one: labels.links.iter().map(|links| links.has_one).collect(),
            links: labels.links.iter().map(|_| None).collect(),
            labels,
            open: tables,
            others: BTreeMap::new(),
            nothing: Meanings::default(),
        })
    }

    /// Takes one row in.
    pub(super) fn push(&mut self, row: Row<'_>) -> Result<()> {
        let table = self.open.iter_mut().find(|table| table.meta.entity == row.entity);
        let shape = Shape {
            meanings: self.labels.of(row.entity).unwrap_or(&self.nothing),
            columns: table.as_ref().map_or(0, |table| table.writer.columns()),
            has_one: &self.has_one,
        };
        let typed =
            TypedRow::new(shape, row.object).map_err(|error| no_object(&row).because(error))?;
        let at = match table {
            Some(table) => table.push(&typed, row.server_created_at)?,
            None => {
                refuse_misfit(&row, &typed, shape.meanings)?;
                count(&mut self.others, row.entity)
            }
        };
        if typed.pairs.is_empty() {
            return Ok(());
        }
        self.push_pairs(&typed, i64::try_from(at).unwrap_or(i64::MAX))
    }

    fn push_pairs(&mut self, row: &TypedRow<'_>, at: i64) -> Result<()> {
        for pairs in &row.pairs {
            let writer = match &mut self.links[pairs.file] {
                Some(writer) => writer,
                empty => {
                    let path = self.root.join(&self.labels.links[pairs.file].file);
                    empty.insert(LinksWriter::create(&path)?)
                }
            };
            writer.push(row.id(), at, pairs)?;
        }
        Ok(())
    }

    /// Ends every file; `entities` are those the source had.
    pub(super) fn finish(
        self,
        entities: &[(String, u64)],
        payload: &mut Payload,
    ) -> Result<(Vec<TableMeta>, Vec<LinksMeta>, Unmapped)> {
        let mut unmapped = Unmapped::default();
        let mut tables = Vec::new();
        for table in self.open {
            let names = table.extra.0.iter();
            let entity = &table.meta.entity;
            unmapped.attrs.extend(names.map(|(name, rows)| (entity.clone(), name.clone(), *rows)));
            tables.push(table.finish(entities, payload)?);
        }
        for (entity, rows) in entities {
            if !tables.iter().any(|table| table.entity == *entity) {
                unmapped.entities.push((entity.clone(), *rows));
            }
        }
        unmapped.entities.sort();
        unmapped.attrs.sort();
        let mut links = Vec::new();
        for (mut meta, writer) in self.labels.links.into_iter().zip(self.links) {
            let Some(writer) = writer else { continue };
            let (written, rows) = writer.finish()?;
            payload.insert(meta.file.clone(), written);
            meta.rows = rows;
            links.push(meta);
        }
        Ok((tables, links, unmapped))
    }
}

fn no_object(row: &Row<'_>) -> Error {
    Error::damaged(format!("a row of `{}` is no JSON object that can be read", row.entity))
        .at(row.at)
        .help("repair the row at its place, or take the source again")
}

/// Of another entity's row only its links are kept: one that cannot be read must not be passed over.
fn refuse_misfit(row: &Row<'_>, typed: &TypedRow<'_>, labels: &Meanings) -> Result<()> {
    let mut misfits = typed.invalid.iter().filter(|(label, _)| labels.of(label).is_some());
    let Some((label, _)) = misfits.next() else { return Ok(()) };
    let said = format!("the link `{}.{label}` holds something that is no id", row.entity);
    Err(Error::damaged(said)
        .at(row.at)
        .help("repair the row at its place, or take the source again"))
}

fn count(others: &mut BTreeMap<String, u64>, entity: &str) -> u64 {
    if let Some(rows) = others.get_mut(entity) {
        *rows += 1;
        return *rows - 1;
    }
    others.insert(entity.to_owned(), 1);
    0
}

impl Open {
    fn begin(root: &Path, schema: &Schema, entity: &str, place: (&str, String)) -> Result<Self> {
        let (side, file) = place;
        let own = declared(schema, entity);
        let types = schema.entity(entity).map_or(&[][..], |entity| &entity.attrs);
        let named = own.iter().enumerate().map(|(at, field)| {
            let attr = at.checked_sub(1).and_then(|at| types.get(at));
            let ty = attr.map_or(if at == 0 { "string" } else { "link" }, |attr| attr.ty.name());
            (field.name().clone(), ty.to_owned())
        });
        let meta = TableMeta {
            entity: entity.to_owned(),
            side: side.to_owned(),
            rows: 0,
            present: false,
            columns: named.collect(),
            digest: String::new(),
            invalid: Vec::new(),
            file,
        };
        let path = root.join(&meta.file);
        let writer = TableWriter::create(&path, columns(schema, entity), own.len())?;
        Ok(Self { meta, writer, extra: Counts::default(), invalid: Counts::default() })
    }

    /// Takes a row in and says where it stands in the table.
    fn push(&mut self, row: &TypedRow<'_>, server: Option<i64>) -> Result<u64> {
        for (name, _, declared) in &row.extra {
            if !declared {
                self.extra.add(name);
            }
        }
        for (name, _) in &row.invalid {
            self.invalid.add(name);
        }
        self.writer.push(row, server.or(row.server))?;
        self.meta.rows += 1;
        Ok(self.meta.rows - 1)
    }

    fn finish(self, entities: &[(String, u64)], payload: &mut Payload) -> Result<TableMeta> {
        let mut meta = self.meta;
        let (written, digest) = self.writer.finish()?;
        payload.insert(meta.file.clone(), written);
        meta.rows = digest.rows;
        meta.digest = digest.hex();
        meta.present = entities.iter().any(|(entity, _)| *entity == meta.entity);
        meta.invalid = self.invalid.0.into_iter().collect();
        Ok(meta)
    }
}
