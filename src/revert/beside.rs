//! Target rows and their residue, put together to legacy rows.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::compute::kernels::cmp::eq;
use arrow::compute::{concat_batches, filter_record_batch, interleave};
use arrow::datatypes::SchemaRef;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;

use crate::bundle::{Beside, Bundle, HOW, Origin, read};
use crate::error::{Error, Result};
use crate::snapshot::Extra;

/// Rows of one file, as many at a time as are asked for.
struct Rows {
    reader: ParquetRecordBatchReader,
    path: PathBuf,
    rest: Option<RecordBatch>,
}

impl Rows {
    fn open(path: &Path) -> Result<Self> {
        let reader = read::columns(path, None, None)?;
        Ok(Self { reader, path: path.to_owned(), rest: None })
    }

    /// The next rows, so many or all there are.
    fn take(&mut self, count: usize) -> Result<Option<RecordBatch>> {
        let (mut found, mut rows) = (Vec::new(), 0);
        while rows < count {
            let batch = match self.rest.take() {
                Some(batch) => Some(batch),
                None => read::next(&mut self.reader, &self.path)?,
            };
            let Some(batch) = batch else { break };
            let taken = batch.num_rows().min(count - rows);
            if taken < batch.num_rows() {
                self.rest = Some(batch.slice(taken, batch.num_rows() - taken));
            }
            found.push(batch.slice(0, taken));
            rows += taken;
        }
        match found.first().map(RecordBatch::schema) {
            Some(schema) => concat_batches(&schema, &found).map(Some).map_err(read::arrow_failed),
            None => Ok(None),
        }
    }
}

/// Takes rebuilt rows: the batch, and by row the legacy row that the residue says it is of, when that
/// is another one.
pub(super) type Take<'a> = dyn FnMut(RecordBatch, &[(usize, Option<i64>)]) -> Result<()> + 'a;

/// Puts the legacy rows together that have a home. Rows whose target row and residue are of different
/// legacy rows are passed on as such.
pub(super) fn rows(
    bundle: &Bundle,
    beside: &Beside,
    schema: &SchemaRef,
    take: &mut Take<'_>,
) -> Result<()> {
    let meta = bundle.meta().tables.iter().find(|table| table.entity == beside.target);
    let meta = meta.ok_or_else(|| gone(bundle, &beside.target))?;
    let path = bundle.path(&meta.file);
    let mut reader = read::columns(&path, None, None)?;
    let mut residue = Rows::open(&bundle.path(&beside.file))?;
    let place = |target: &str| bundle.path(&beside.file).display().to_string() + ", " + target;
    while let Some(batch) = read::next(&mut reader, &path)? {
        let origins = read::text(&batch, Origin::ORIGIN)?;
        let migrated = eq(&origins, &StringArray::new_scalar(Origin::MIGRATED));
        let migrated = migrated.and_then(|migrated| filter_record_batch(&batch, &migrated));
        let target = migrated.map_err(read::arrow_failed)?;
        if target.num_rows() == 0 {
            continue;
        }
        let Some(left) = residue.take(target.num_rows())? else { break };
        let target = target.slice(0, left.num_rows());
        let pair = Pair { target: &target, left: &left, given: &beside.given };
        let (sources, places) =
            (read::whole(&target, Origin::SOURCE_ROW)?, read::whole(&left, Extra::ROW)?);
        let odd: Vec<(usize, Option<i64>)> = odd(&sources, &places).collect();
        let rebuilt = pair.rebuilt(schema).map_err(|error| error.at(place(&beside.target)))?;
        take(rebuilt, &odd)?;
    }
    Ok(())
}

fn gone(bundle: &Bundle, entity: &str) -> Error {
    Error::damaged(format!("the bundle has no table `{entity}`"))
        .at(bundle.path("data/bundle.json").display())
}

fn odd(sources: &Int64Array, places: &Int64Array) -> impl Iterator<Item = (usize, Option<i64>)> {
    let both = sources.iter().zip(places.iter()).enumerate();
    both.filter(|(_, (source, place))| source != place).map(|(at, (source, _))| (at, source))
}

/// Target rows beside their residue.
struct Pair<'a> {
    target: &'a RecordBatch,
    left: &'a RecordBatch,
    given: &'a [(String, String)],
}

/// By column, the rows that are not where the others have it: in the residue, or in a target column.
type Otherwise = BTreeMap<String, Vec<(usize, Option<String>)>>;

impl Pair<'_> {
    fn rebuilt(&self, schema: &SchemaRef) -> Result<RecordBatch> {
        let otherwise = self.otherwise()?;
        let columns = schema.fields().iter().map(|field| {
            let ty = field.data_type();
            let name = field.name().as_str();
            let given = self.given.iter().find(|(column, _)| column == name);
            let usual = match given {
                Some((_, target)) => column(self.target, target, ty)?,
                None => column(self.left, name, ty)?,
            };
            match otherwise.get(name) {
                None => Ok(usual),
                Some(rows) => self.mixed(name, usual, rows),
            }
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        RecordBatch::try_new(schema.clone(), columns).map_err(|error| {
            Error::damaged("a residue does not fit its legacy table").because(error)
        })
    }

    fn mixed(
        &self,
        name: &str,
        usual: ArrayRef,
        rows: &[(usize, Option<String>)],
    ) -> Result<ArrayRef> {
        let ty = usual.data_type().clone();
        let mut sources: Vec<ArrayRef> = vec![usual, column(self.left, name, &ty)?];
        let mut named: BTreeMap<&str, usize> = BTreeMap::new();
        let mut picked: Vec<(usize, usize)> = (0..sources[0].len()).map(|row| (0, row)).collect();
        for (row, from) in rows {
            picked[*row].0 = match from {
                None => 1,
                Some(from) => match named.get(from.as_str()) {
                    Some(at) => *at,
                    None => {
                        sources.push(column(self.target, from, &ty)?);
                        named.insert(from, sources.len() - 1);
                        sources.len() - 1
                    }
                },
            };
        }
        let sources: Vec<&dyn Array> = sources.iter().map(Arc::as_ref).collect();
        interleave(&sources, &picked).map_err(read::arrow_failed)
    }

    fn otherwise(&self) -> Result<Otherwise> {
        let hows = read::text(self.left, HOW)?;
        let mut found = Otherwise::new();
        if hows.null_count() == hows.len() {
            return Ok(found);
        }
        for (row, how) in hows.iter().enumerate() {
            let Some(how) = how else { continue };
            let how: BTreeMap<String, Option<String>> =
                serde_json::from_str(how).map_err(|error| {
                    Error::damaged(format!("`{HOW}` of a residue cannot be read")).because(error)
                })?;
            for (column, from) in how {
                found.entry(column).or_default().push((row, from));
            }
        }
        Ok(found)
    }
}

fn column(batch: &RecordBatch, name: &str, ty: &arrow::datatypes::DataType) -> Result<ArrayRef> {
    if batch.column_by_name(name).is_none() {
        return Err(Error::damaged(format!("there is no column `{name}`")));
    }
    read::column(batch, name, ty)
}
