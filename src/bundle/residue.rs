//! What target rows cannot give back of their legacy rows, so that a bundle alone rebuilds the legacy
//! tables ([`crate::revert`]).
//!
//! A legacy table has at most one *home*: the target table that keeps its ids, when each of its rows
//! becomes one row there. A rule that takes a plain column as it is makes the target *give back* that
//! column; everything else a target row cannot say stands in the residue:
//!
//! ```text
//! data/residue/<legacy>.parquet        a row for every migrated row of the home, in the home's order:
//!                                      `_row`, the columns of the snapshot's table (null where the
//!                                      home gives the value back), `_how`
//! data/residue/<legacy>.whole.parquet  rows that are neither there nor in quarantine, in the order of
//!                                      the source: merged, adopted, of a table without a home
//! data/residue/links/<file>.parquet    the snapshot's link files, byte for byte
//! ```
//!
//! `_how` is null, or a JSON object of the columns that are otherwise in this row: `{"<column>":null}`
//! when the value (or its absence) stands here, `{"<column>":"<target column>"}` when that column of
//! the target row has it. So a payload is never stored twice because a rule has several sources.

mod home;
mod whole;

use std::io;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{RecordBatch, StringArray};
use arrow::compute::filter_record_batch;
use arrow::compute::kernels::cmp::eq;
use arrow::datatypes::{DataType, Field, Schema as Columns, SchemaRef};
use serde::{Deserialize, Serialize};

use super::table::Table;
use super::write::Writing;
use super::{Origin, read};
use crate::error::{Error, Result};
use crate::schema::{Schema, Type};
use crate::snapshot::Extra;
use crate::storage::{self, HashingFile};

pub(super) use home::Home;
pub(super) use whole::write as whole;

/// `Utf8`, nullable: the columns of a residue row that are not where the others have them.
pub(crate) const HOW: &str = "_how";

/// What rebuilds one legacy table, beside its quarantined rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Residue {
    /// The legacy entity.
    pub source: String,
    /// The table's path from the snapshot's root.
    pub table: String,
    /// Its rows there.
    pub rows: u64,
    /// Its logical digest there.
    pub digest: String,
    /// What its home does not give back; absent where it has no home.
    pub beside: Option<Beside>,
    /// Path of the rows that stand nowhere else whole.
    pub whole: String,
    /// How many they are.
    pub whole_rows: u64,
}

/// What the rows of a target table do not give back of a legacy table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Beside {
    /// The target entity: the home.
    pub target: String,
    /// Path of the residue.
    pub file: String,
    /// Its rows: as many as the home has migrated ones.
    pub rows: u64,
    /// Columns the home gives back, where `_how` does not say otherwise: legacy column, target column.
    pub given: Vec<(String, String)>,
}

/// A link file of the snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResidueLinks {
    /// The entity whose rows hold the link.
    pub entity: String,
    /// The label there.
    pub label: String,
    /// Its path from the snapshot's root.
    pub links: String,
    /// Its path from the bundle's root.
    pub file: String,
    /// How many pairs.
    pub rows: u64,
    /// SHA-256 of the file in the snapshot.
    pub sha256: String,
}

impl Residue {
    /// Its files and their rows.
    pub fn files(&self) -> impl Iterator<Item = (&String, u64)> {
        let beside = self.beside.iter().map(|beside| (&beside.file, beside.rows));
        beside.chain([(&self.whole, self.whole_rows)])
    }
}

/// The columns of a legacy row: those of its table, without the digest, which follows from them.
pub(crate) fn columns(schema: &Schema, entity: &str) -> Vec<Field> {
    let columns = crate::snapshot::columns(schema, entity);
    let fields = columns.fields().iter().map(|field| field.as_ref().clone());
    fields.filter(|field| field.name() != Extra::DIGEST).collect()
}

/// The columns of a legacy entity that hold payload.
fn payload(schema: &Schema, entity: &str) -> Vec<String> {
    let attrs = schema.entity(entity).map_or(&[][..], |entity| &entity.attrs);
    let wide = attrs.iter().filter(|attr| attr.ty == Type::Any).map(|attr| attr.name.clone());
    wide.chain([Extra::EXTRA, Extra::INVALID].map(str::to_owned)).collect()
}

/// Writes the residue of one home while its rows pass by in order.
pub(super) struct Ledger(Option<Open>);

struct Open {
    source: String,
    target: String,
    given: Vec<(String, String)>,
    file: String,
    schema: SchemaRef,
    /// The name of each column while it goes through the sorter.
    names: Vec<String>,
    table: Table,
    rows: u64,
}

impl Ledger {
    /// Begins the residue of a target table; nothing when it is no home.
    pub(super) fn begin(writing: &Writing<'_>, target: &str) -> Result<Self> {
        let Some(home) = Home::of(writing.plan, target) else { return Ok(Self(None)) };
        let source = home.source.clone();
        let mut fields = vec![Field::new(Extra::ROW, DataType::Int64, false)];
        let mut names = vec![Origin::SOURCE_ROW.to_owned()];
        for column in home.fields() {
            let name = home::plain(column.name());
            let name = if name.is_empty() { HOW } else { name };
            fields.push(column.clone().with_name(name));
            names.push(column.name().clone());
        }
        let schema = Arc::new(Columns::new(fields));
        let file = format!("data/residue/{source}.parquet");
        let payload = payload(&writing.plan.before, &source);
        let place = writing.root.join(&file);
        let table = Table::with_payload(&place, schema.clone(), &payload)?;
        let (target, given) = (target.to_owned(), home.given());
        Ok(Self(Some(Open { source, target, given, file, schema, names, table, rows: 0 })))
    }

    /// Takes rows of the target, of which the existing ones have no residue.
    pub(super) fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let Some(open) = &mut self.0 else { return Ok(()) };
        let origins = read::text(batch, Origin::ORIGIN)?;
        let migrated = eq(&origins, &StringArray::new_scalar(Origin::MIGRATED));
        let migrated = migrated.map_err(read::arrow_failed)?;
        let column =
            |(name, field): (&String, &Arc<Field>)| read::column(batch, name, field.data_type());
        let columns = open.names.iter().zip(open.schema.fields()).map(column);
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let rows = RecordBatch::try_new(open.schema.clone(), columns);
        let rows = rows.and_then(|rows| filter_record_batch(&rows, &migrated));
        let rows = rows.map_err(read::arrow_failed)?;
        open.rows += rows.num_rows() as u64;
        open.table.write(&rows)
    }

    /// Ends the residue, and says of which legacy table it is.
    pub(super) fn finish(self, writing: &mut Writing<'_>) -> Result<Option<(String, Beside)>> {
        let Some(Open { source, target, given, file, table, rows, .. }) = self.0 else {
            return Ok(None);
        };
        writing.payload.insert(file.clone(), table.finish()?);
        Ok(Some((source, Beside { target, file, rows, given })))
    }
}

/// Copies the snapshot's link files.
pub(super) fn links(writing: &mut Writing<'_>) -> Result<Vec<ResidueLinks>> {
    let mut found = Vec::new();
    for links in &writing.snapshot.meta().links {
        let name = Path::new(&links.file).file_name().unwrap_or_default().to_string_lossy();
        let file = format!("data/residue/links/{name}");
        let from = writing.snapshot.path(&links.file);
        let mut copy = HashingFile::create(&writing.root.join(&file))?;
        io::copy(&mut storage::open(&from)?, &mut copy)
            .map_err(|error| storage::failed(&from, error))?;
        let written = copy.finish()?;
        let sha256 = written.sha256.clone();
        if writing.payload.insert(file.clone(), written).is_some() {
            return Err(Error::bug("two link files have one name"));
        }
        found.push(ResidueLinks {
            entity: links.entity.clone(),
            label: links.label.clone(),
            links: links.file.clone(),
            file,
            rows: links.rows,
            sha256,
        });
    }
    Ok(found)
}
