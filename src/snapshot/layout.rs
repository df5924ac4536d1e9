//! What the files of a snapshot are to be: known before its source is read.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use super::labels::{Files, Labels, Meanings};
use super::row::Shape;
use super::{TableMeta, columns, declared};
use crate::contract::Contract;
use crate::schema::Schema;

/// The tables and link files of a snapshot.
pub(super) struct Layout {
    /// What every label means, and the link files there may be.
    pub(super) labels: Labels,
    /// A table for every entity of the contract, legacy ones first.
    pub(super) tables: Vec<TableLayout>,
    has_one: Vec<bool>,
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
    /// The names of those.
    pub(super) names: Vec<String>,
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
        let has_one = labels.links.iter().map(|links| links.has_one).collect();
        Self { labels, tables, has_one, nothing: Meanings::default() }
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
            has_one: &self.has_one,
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
        Self {
            meta,
            columns: Arc::new(columns(schema, entity)),
            declared: own.len(),
            names: own.iter().map(|field| field.name().clone()).collect(),
        }
    }
}
