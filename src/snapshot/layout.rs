//! What the files of a snapshot are to be: known before its source is read.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use super::labels::{Files, Labels, Meanings};
use super::row::Shape;
use super::types::Holds;
use super::{Extra, TableMeta, columns, declared};
use crate::contract::Contract;
use crate::json;
use crate::schema::{Schema, Type};

/// The tables and link files of a snapshot.
pub(super) struct Layout {
    /// What every label means, and the link files there may be.
    pub(super) labels: Labels,
    /// A table for every entity of the contract, legacy ones first.
    pub(super) tables: Vec<TableLayout>,
    holds: Vec<Holds>,
    nothing: Meanings,
}

/// One table.
pub(super) struct TableLayout {
    /// Its description, without its rows.
    pub(super) meta: TableMeta,
    /// All its columns.
    pub(super) columns: SchemaRef,
    /// How many of them are the entity's own.
    pub(super) declared: usize,
    /// Which columns hold values that hardly repeat: payloads, and what is unique.
    pub(super) wide: Vec<String>,
    /// The names of the entity's own.
    pub(super) names: Vec<String>,
    /// The places of those and `"name":`, in the order they have in a canonical object.
    pub(super) keys: Vec<(usize, Vec<u8>)>,
}

impl Layout {
    /// The files for a contract and the schema of the app, when the source has it.
    pub(super) fn new(contract: &Contract, app: Option<&Schema>) -> Self {
        let labels = Labels::new(contract, app);
        let mut files = Files::default();
        let mut tables = Vec::new();
        let (before, after) = (&contract.before.schema, &contract.after.schema);
        for (side, schema) in [("legacy", before), ("target", after)] {
            for entity in &schema.entities {
                let file = files.name("data/tables", &entity.name);
                tables.push(TableLayout::new(schema, &entity.name, side, file));
            }
        }
        let holds = labels.links.iter().map(Holds::of).collect();
        Self { labels, tables, holds, nothing: Meanings::default() }
    }

    /// The place of an entity's table.
    pub(super) fn table(&self, entity: &str) -> Option<usize> {
        self.tables.iter().position(|table| table.meta.entity == entity)
    }

    /// What a row of an entity may hold; `table` is the place of its table.
    pub(super) fn shape(&self, entity: &str, table: Option<usize>) -> Shape<'_> {
        Shape {
            meanings: self.labels.of(entity).unwrap_or(&self.nothing),
            columns: table.map_or(0, |table| self.tables[table].declared),
            holds: &self.holds,
        }
    }
}

impl TableLayout {
    fn new(schema: &Schema, entity: &str, side: &str, file: String) -> Self {
        let own = declared(schema, entity);
        let types = schema.entity(entity).map_or(&[][..], |entity| &entity.attrs);
        let named = own.iter().enumerate().map(|(at, field)| {
            let attr = at.checked_sub(1).and_then(|at| types.get(at));
            let ty = attr.map_or(if at == 0 { "string" } else { "link" }, |attr| attr.ty.name());
            (field.name().clone(), ty.to_owned())
        });
        let wide = types.iter().filter(|attr| attr.ty == Type::Any || attr.unique);
        let wide = wide.map(|attr| attr.name.clone());
        let fixed = ["id", Extra::DIGEST].map(str::to_owned);
        let wide = wide.chain(fixed).collect();
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
        let names: Vec<String> = own.iter().map(|field| field.name().clone()).collect();
        Self {
            meta,
            columns: Arc::new(columns(schema, entity)),
            declared: own.len(),
            wide,
            keys: keys(&names),
            names,
        }
    }
}

fn keys(names: &[String]) -> Vec<(usize, Vec<u8>)> {
    let written = names.iter().map(|name| {
        let mut key = Vec::new();
        json::write_string(name, &mut key);
        key
    });
    let mut keys: Vec<(usize, Vec<u8>)> = written.enumerate().collect();
    keys.sort_by(|a, b| a.1.cmp(&b.1));
    for (_, key) in &mut keys {
        key.push(b':');
    }
    keys
}
