//! Measures a snapshot: how large it is, and what holds in it today.
//!
//! Only narrow columns are read, one kind of look after the other, so payloads cost nothing. What is
//! kept of a row at a time is 16 bytes (its id, or a value that should be unique; 8 for its number
//! within a group), beside 16 for each row that links lead to: less than the transform needs.

mod columns;
mod values;
mod links;
mod groups;

use parquet::file::metadata::RowGroupMetaData;

use super::{SnapshotFacts, TableFacts};
use crate::contract::Contract;
use crate::error::Result;
use crate::schema::Entity;
use crate::snapshot::{self, Snapshot, TableMeta};
use crate::storage;
use columns::Ids;

/// Measures a snapshot as a contract reads it. The same snapshot and contract give the same facts.
///
/// # Errors
/// A file cannot be read, or was typed by another contract.
pub fn measure(contract: &Contract, snapshot: &Snapshot) -> Result<SnapshotFacts> {
    let meta = snapshot.meta();
    let tables: Result<Vec<TableFacts>> =
        meta.tables.iter().map(|table| table_facts(snapshot, table)).collect();
    let ids = Ids::read(contract, snapshot)?;
    let mut invariants = Vec::new();
    for entity in &contract.before.schema.entities {
        let Some(table) = snapshot.table(&entity.name).filter(|table| table.rows > 0) else {
            continue;
        };
        let look = Look { contract, snapshot, table, entity, ids: &ids };
        look.values(&mut invariants)?;
        look.links(&mut invariants)?;
        look.groups(&mut invariants)?;
    }
    Ok(SnapshotFacts {
        digest: snapshot.digest().to_owned(),
        source: meta.source.clone(),
        tables: tables?,
        invariants,
        unmapped: meta.unmapped.clone(),
    })
}

/// One legacy table that is looked at.
struct Look<'a> {
    contract: &'a Contract,
    snapshot: &'a Snapshot,
    table: &'a TableMeta,
    entity: &'a Entity,
    ids: &'a Ids,
}

fn table_facts(snapshot: &Snapshot, table: &TableMeta) -> Result<TableFacts> {
    let path = snapshot.path(&table.file);
    let file = storage::open(&path)?.metadata().map_err(|error| storage::failed(&path, error))?;
    let builder = snapshot::scan(&path)?;
    let bytes = builder.metadata().row_groups().iter().map(RowGroupMetaData::total_byte_size);
    let value_bytes = u64::try_from(bytes.sum::<i64>()).unwrap_or_default();
    Ok(TableFacts {
        entity: table.entity.clone(),
        legacy: table.side == "legacy",
        present: table.present,
        rows: table.rows,
        file_bytes: file.len(),
        value_bytes,
    })
}
