//! The rebuilt tables and link files as a folder, laid out as the snapshot's.

use std::io;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::SchemaRef;

use crate::bundle::{Residue, read};
use crate::contract::Contract;
use crate::digest::row_hex;
use crate::error::{Error, Result};
use crate::schema::Type;
use crate::snapshot::{self, Extra, TableFile};
use crate::storage::{self, HashingFile, Staged};

/// A folder in the making.
pub(super) struct Out(Staged);

impl Out {
    /// Begins the folder, which must not be there.
    pub(super) fn begin(place: &Path) -> Result<Self> {
        if place.symlink_metadata().is_ok() {
            return Err(Error::usage("something stands where the rebuilt tables go")
                .at(place.display())
                .help("name a folder that is not there yet"));
        }
        Ok(Self(Staged::begin(place)?))
    }

    /// Begins a table.
    pub(super) fn table(&self, contract: &Contract, residue: &Residue) -> Result<Table> {
        let schema = &contract.before.schema;
        let columns = Arc::new(snapshot::columns(schema, &residue.source));
        let attrs = schema.entity(&residue.source).map_or(&[][..], |entity| &entity.attrs);
        let wide = attrs.iter().filter(|attr| attr.ty == Type::Any || attr.unique);
        let wide = wide.map(|attr| attr.name.clone());
        let wide: Vec<String> = wide.chain(["id", Extra::DIGEST].map(str::to_owned)).collect();
        let path = self.0.path().join(plain(&residue.table)?);
        Ok(Table { file: TableFile::create(&path, columns.clone(), &wide)?, columns })
    }

    /// Copies a link file.
    pub(super) fn copy(&self, from: &Path, to: &str) -> Result<()> {
        let mut copy = HashingFile::create(&self.0.path().join(plain(to)?))?;
        io::copy(&mut storage::open(from)?, &mut copy)
            .map_err(|error| storage::failed(from, error))?;
        copy.finish().map(drop)
    }

    /// Puts the folder to its place.
    pub(super) fn commit(self) -> Result<()> {
        self.0.commit()
    }
}

/// A path that a bundle gives, when it stays in the folder.
fn plain(path: &str) -> Result<&str> {
    let is_plain =
        |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains('\\');
    if path.split('/').all(is_plain) && path.starts_with("data/") {
        return Ok(path);
    }
    Err(Error::damaged("the bundle names a file outside of its snapshot"))
}

/// A rebuilt table.
pub(super) struct Table {
    file: TableFile,
    columns: SchemaRef,
}

impl Table {
    /// Appends rows with their digests.
    pub(super) fn write(&mut self, batch: &RecordBatch, digests: &[u128]) -> Result<()> {
        let digests: StringArray = digests.iter().map(|digest| Some(row_hex(*digest))).collect();
        let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
        columns.push(Arc::new(digests));
        let text = |column: &ArrayRef| {
            let texts = column.as_string_opt::<i32>();
            texts.map_or(8 * column.len(), |texts| texts.value_data().len())
        };
        let bytes = columns.iter().map(text).sum();
        let rows = RecordBatch::try_new(self.columns.clone(), columns);
        self.file.append(rows.map_err(read::arrow_failed)?, bytes)
    }

    /// Ends the file.
    pub(super) fn finish(self) -> Result<()> {
        self.file.finish().map(drop)
    }
}
