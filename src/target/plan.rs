//! What goes into a store: tables, columns and values, the same for every store.

use std::path::PathBuf;

use crate::bundle::{Bundle, LinksMeta, Meta, Origin, TableMeta};
use crate::contract::{self, Contract, Overrides};
use crate::digest;
use crate::error::Result;
use crate::schema::{Attr, Has, Schema, Type};
use crate::storage;

/// All that goes into a store: the tables in the bundle's order, and where they come from.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The bundle's folder.
    pub root: PathBuf,
    /// The bundle's description.
    pub meta: Meta,
    /// The target model.
    pub schema: Schema,
    /// Entity tables in contract order, then link tables.
    pub tables: Vec<Table>,
    /// SHA-256 of the bundle's manifest.
    pub bundle: String,
    /// SHA-256 of the contract.
    pub contract: String,
    /// Program and version that made the bundle.
    pub program: String,
}

/// One table of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The entity, or `<entity>.<label>` for a link table.
    pub name: String,
    /// The label, when it is a link table.
    pub link: Option<String>,
    /// Path of its Parquet file from the bundle's root.
    pub file: String,
    /// Its columns.
    pub columns: Vec<Column>,
    /// How many rows the bundle has.
    pub rows: u64,
    /// Of them, made from legacy rows; of a link table unknown.
    pub migrated: Option<u64>,
    /// The bundle's logical digest.
    pub digest: String,
}

impl Table {
    /// The columns that together name a row.
    pub fn keys(&self) -> impl Iterator<Item = (usize, &Column)> {
        self.columns.iter().enumerate().filter(|(_, column)| column.role == Role::Key)
    }

    /// The columns that take part in the logical digest.
    pub fn logical(&self) -> impl Iterator<Item = (usize, &Column)> {
        self.columns.iter().enumerate().filter(|(_, column)| column.role != Role::Lineage)
    }
}

/// One column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: ColumnKind,
    /// What it is for.
    pub role: Role,
    /// Every row has a value.
    pub required: bool,
    /// No two rows share a value.
    pub unique: bool,
    /// The store keeps an index on it.
    pub indexed: bool,
    /// The table whose `id` it holds.
    pub leads_to: Option<String>,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// Text, an id among them.
    Text,
    /// A double.
    Number,
    /// True or false.
    Boolean,
    /// Microseconds since 1970-01-01 UTC.
    Date,
    /// JSON text.
    Json,
    /// A whole number.
    Whole,
}

/// What a column is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It names the row.
    Key,
    /// It is content: an attribute or a link.
    Content,
    /// It tells where the row came from, and is not part of the logical digest.
    Lineage,
}

/// One value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// Nothing.
    Null,
    /// Text.
    Text(&'a str),
    /// A double.
    Number(f64),
    /// True or false.
    Boolean(bool),
    /// Microseconds since 1970-01-01 UTC.
    Date(i64),
    /// JSON text.
    Json(&'a str),
    /// A whole number.
    Whole(i64),
}

impl<'a> Value<'a> {
    /// The value as it takes part in a logical digest; whole numbers never do.
    pub fn logical(self) -> digest::Value<'a> {
        match self {
            Value::Null | Value::Whole(_) => digest::Value::Absent,
            Value::Text(text) => digest::Value::Text(text),
            Value::Number(number) => digest::Value::Number(number),
            Value::Boolean(value) => digest::Value::Boolean(value),
            Value::Date(micros) => digest::Value::Date(micros),
            Value::Json(text) => digest::Value::Json(text),
        }
    }
}

impl Plan {
    /// What a bundle holds, as tables of a store.
    pub fn new(bundle: &Bundle, contract: &Contract) -> Self {
        let (meta, schema) = (bundle.meta(), &contract.after.schema);
        let entities = meta.tables.iter().map(|table| entity_table(table, schema));
        let links = meta.links.iter().map(|links| link_table(links, meta));
        Self {
            root: bundle.root().to_owned(),
            meta: meta.clone(),
            schema: schema.clone(),
            tables: entities.chain(links).collect(),
            bundle: bundle.digest().to_owned(),
            contract: meta.contract.digest.clone(),
            program: meta.program.clone(),
        }
    }

    /// The contract that the bundle was made by.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn contract(&self) -> Result<Contract> {
        let path = self.root.join("data/contract.toml");
        let text = storage::read_text(&path)?;
        contract::load(&text, &path.display().to_string(), &Overrides::default())
    }

    /// How many rows all tables have.
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).sum()
    }
}

fn entity_table(table: &TableMeta, schema: &Schema) -> Table {
    let attrs = schema.entity(&table.entity).map_or(&[][..], |entity| &entity.attrs);
    let links = schema.columns_of(&table.entity).map(|link| Column {
        unique: link.reverse_has == Has::One,
        indexed: true,
        leads_to: Some(link.to.clone()),
        ..column(&link.label, ColumnKind::Text, Role::Content)
    });
    let columns =
        std::iter::once(key("id")).chain(attrs.iter().map(attr_column)).chain(links).chain([
            Column { required: true, ..column(Origin::ORIGIN, ColumnKind::Text, Role::Lineage) },
            Column {
                required: true,
                ..column(Origin::SOURCE_ROW, ColumnKind::Whole, Role::Lineage)
            },
            column(Origin::SERVER, ColumnKind::Whole, Role::Lineage),
            column(Origin::EXTRA, ColumnKind::Json, Role::Lineage),
        ]);
    Table {
        name: table.entity.clone(),
        link: None,
        file: table.file.clone(),
        columns: columns.collect(),
        rows: table.rows,
        migrated: Some(table.migrated),
        digest: table.digest.clone(),
    }
}

fn attr_column(attr: &Attr) -> Column {
    let kind = match attr.ty {
        Type::String => ColumnKind::Text,
        Type::Number => ColumnKind::Number,
        Type::Boolean => ColumnKind::Boolean,
        Type::Date => ColumnKind::Date,
        Type::Any => ColumnKind::Json,
    };
    Column {
        required: attr.required,
        unique: attr.unique,
        indexed: attr.indexed,
        ..column(&attr.name, kind, Role::Content)
    }
}

/// A link table; a side whose entity is no table of the bundle leads nowhere in the store.
fn link_table(links: &LinksMeta, meta: &Meta) -> Table {
    let known = |entity: &String| {
        meta.tables.iter().any(|table| table.entity == *entity).then(|| entity.clone())
    };
    let origin = column(Origin::ORIGIN, ColumnKind::Text, Role::Lineage);
    Table {
        name: format!("{}.{}", links.entity, links.label),
        link: Some(links.label.clone()),
        file: links.file.clone(),
        columns: vec![
            Column { leads_to: known(&links.entity), ..key("from") },
            Column { leads_to: known(&links.target), indexed: true, ..key("to") },
            Column { required: true, ..origin },
        ],
        rows: links.rows,
        migrated: None,
        digest: links.digest.clone(),
    }
}

fn key(name: &str) -> Column {
    Column { required: true, ..column(name, ColumnKind::Text, Role::Key) }
}

fn column(name: &str, kind: ColumnKind, role: Role) -> Column {
    let name = name.to_owned();
    Column { name, kind, role, required: false, unique: false, indexed: false, leads_to: None }
}
