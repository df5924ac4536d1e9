//! Columns of a snapshot's tables, and ids as small keys.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use arrow::array::{Array as _, ArrayRef, AsArray as _};
use parquet::arrow::ProjectionMask;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::contract::Contract;
use crate::error::{Error, Result};
use crate::snapshot::{self, Snapshot};

/// Takes the columns of one batch, in the order they were asked for.
pub(super) type Visit<'a> = dyn FnMut(&[ArrayRef]) + 'a;

/// Reads some columns of a file from its first row to its last.
pub(super) fn scan(path: &Path, names: &[&str], visit: &mut Visit<'_>) -> Result<()> {
    let builder = snapshot::scan(path)?;
    let schema = builder.schema().clone();
    let roots: Result<Vec<usize>> =
        names.iter().map(|name| schema.index_of(name).map_err(|_| lacks(path, name))).collect();
    let mask = ProjectionMask::roots(builder.parquet_schema(), roots?);
    let rows = snapshot::batch_rows(builder.metadata(), &mask);
    let broken = || Error::damaged("the table cannot be read").at(path.display());
    let reader = builder.with_projection(mask).with_batch_size(rows).build();
    for batch in reader.map_err(|error| broken().because(error))? {
        let batch = batch.map_err(|error| broken().because(error))?;
        let columns = names.iter().map(|name| batch.column_by_name(name).cloned());
        let columns: Option<Vec<ArrayRef>> = columns.collect();
        visit(&columns.ok_or_else(broken)?);
    }
    Ok(())
}

fn lacks(path: &Path, name: &str) -> Error {
    Error::usage(format!("the table has no column `{name}`: another contract typed the snapshot"))
        .at(path.display())
        .help("give the contract that the snapshot was taken by, or export again")
}

/// The text in a row of a column; blanks alone are none.
pub(super) fn text(column: &ArrayRef, row: usize) -> Option<&str> {
    let texts = column.as_string_opt::<i32>()?;
    let text = texts.is_valid(row).then(|| texts.value(row))?;
    let is_blank = |byte: u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    (!text.bytes().all(is_blank)).then_some(text)
}

/// The key of an id, and whether the id is a UUID. A UUID is its own number in either case.
pub(super) fn key(id: &str) -> (u128, bool) {
    let uuid = Some(id).filter(|id| id.len() == 36).and_then(|id| Uuid::try_parse(id).ok());
    uuid.map_or_else(|| (hash(id.as_bytes()), false), |uuid| (uuid.as_u128(), true))
}

/// 128 bits of the SHA-256 of a value.
pub(super) fn hash(value: &[u8]) -> u128 {
    let hash = Sha256::digest(value);
    hash[..16].iter().fold(0, |sum, byte| sum << 8 | u128::from(*byte))
}

/// The ids of every table that legacy links lead to.
pub(super) struct Ids(BTreeMap<String, Vec<u128>>);

impl Ids {
    pub(super) fn read(contract: &Contract, snapshot: &Snapshot) -> Result<Self> {
        let links = &contract.before.schema.links;
        let mut entities: BTreeSet<&str> = links.iter().map(|link| link.to.as_str()).collect();
        // A link that the source holds from its other side leads here too.
        let held = snapshot.meta().links.iter().filter(|held| held.role == "declared");
        let reverse = held.filter_map(|held| {
            let link = links.iter().find(|it| held.is_back_of(it));
            link.map(|link| link.on.as_str())
        });
        entities.extend(reverse);
        let mut ids = BTreeMap::new();
        for entity in entities {
            ids.insert(entity.to_owned(), sorted(snapshot, entity)?);
        }
        Ok(Self(ids))
    }

    /// The place of an id among those of an entity.
    pub(super) fn place(&self, entity: &str, id: u128) -> Option<usize> {
        self.0.get(entity)?.binary_search(&id).ok()
    }
}

/// The ids of a table, in order, each once.
fn sorted(snapshot: &Snapshot, entity: &str) -> Result<Vec<u128>> {
    let Some(table) = snapshot.table(entity).filter(|table| table.rows > 0) else {
        return Ok(Vec::new());
    };
    let mut ids = Vec::with_capacity(usize::try_from(table.rows).unwrap_or_default());
    scan(&snapshot.path(&table.file), &["id"], &mut |columns| {
        let rows = 0..columns[0].len();
        ids.extend(rows.filter_map(|row| text(&columns[0], row).map(|id| key(id).0)));
    })?;
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}
