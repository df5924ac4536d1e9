//! One legacy table: its rows from wherever they stand, in the order of the source.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{BooleanArray, Int64Array, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Schema as Columns, SchemaRef};

use super::digests::Digests;
use super::out::Out;
use super::same::Same;
use super::{TableProof, Wrong, beside, said};
use crate::bundle::sort::{Room, Sorter};
use crate::bundle::{self, Bundle, Residue, read};
use crate::contract::Contract;
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::snapshot::{Extra, Snapshot};

/// Bytes that rows on their way take where no limit is set.
pub(super) const BUFFERS: u64 = 256 << 20;

/// What one table is rebuilt from.
pub(super) struct Job<'a> {
    pub(super) bundle: &'a Bundle,
    pub(super) contract: &'a Contract,
    pub(super) residue: &'a Residue,
    pub(super) snapshot: Option<&'a Snapshot>,
    pub(super) work: &'a Path,
    pub(super) buffers: u64,
}

/// Rebuilds one table.
pub(super) fn table(
    job: &Job<'_>,
    out: Option<&Out>,
    progress: &dyn Progress,
) -> Result<TableProof> {
    let Job { residue, bundle, contract, .. } = *job;
    let schema = &contract.before.schema;
    let columns = bundle::legacy_columns(schema, &residue.source);
    let columns = Arc::new(Columns::new(columns));
    let mut seen = Seen::new(residue.rows)?;
    let sorter = gathered(job, &columns, &mut seen)?;
    let mut digests = Digests::new(bundle, schema, &residue.source)?;
    let mut same = match job.snapshot {
        Some(snapshot) => Same::open(snapshot, &residue.source, columns)?,
        None => None,
    };
    let mut file = out.map(|out| out.table(contract, residue)).transpose()?;
    sorter.finish(|batch| {
        let rows = digests.add(&batch)?;
        if let Some(same) = &mut same {
            same.compare(&batch, &mut seen.wrong)?;
        }
        if let Some(file) = &mut file {
            file.write(&batch, &rows)?;
        }
        progress.advance(batch.num_rows() as u64);
        Ok(())
    })?;
    if let Some(file) = file {
        file.finish()?;
    }
    seen.missing();
    let mut first = seen.wrong.first;
    first.extend(said(residue, job.snapshot));
    let (rebuilt_rows, rebuilt) = (digests.table.rows, digests.table.hex());
    let is_told = rebuilt == residue.digest && rebuilt_rows == residue.rows;
    Ok(TableProof {
        entity: residue.source.clone(),
        rows: residue.rows,
        rebuilt_rows,
        digest: residue.digest.clone(),
        rebuilt,
        differing: seen.wrong.count,
        same: is_told && first.is_empty(),
        first,
    })
}

/// The rows of a table from its three places.
fn gathered(job: &Job<'_>, columns: &SchemaRef, seen: &mut Seen) -> Result<Sorter> {
    let Job { bundle, residue, .. } = *job;
    let quarantine = format!("data/quarantine/{}.parquet", residue.source);
    let plain = [quarantine.as_str(), &residue.whole];
    let home = residue.beside.as_ref().map(|beside| {
        let table = bundle.meta().tables.iter().find(|table| table.entity == beside.target);
        (beside, table.map(|table| table.file.as_str()))
    });
    let homes = home.iter().flat_map(|(beside, table)| [Some(beside.file.as_str()), *table]);
    let mut expected = 0;
    for file in plain.into_iter().map(Some).chain(homes).flatten() {
        expected += read::decoded_bytes(&bundle.path(file), None)?;
    }
    let runs = job.work.join(format!("{}.runs", residue.source));
    let room = Room { bytes: job.buffers, expected };
    let mut sorter = Sorter::new(columns.clone(), runs, room);
    for file in plain {
        let path = bundle.path(file);
        let mut reader = read::columns(&path, None, None)?;
        while let Some(batch) = read::next(&mut reader, &path)? {
            let rows = projected(&batch, columns, file)?;
            seen.push(&mut sorter, rows, &[], file)?;
        }
    }
    if let Some((beside, _)) = home {
        beside::rows(bundle, beside, columns, &mut |rows, odd| {
            seen.push(&mut sorter, rows, odd, &beside.file)
        })?;
    }
    Ok(sorter)
}

fn projected(batch: &RecordBatch, columns: &SchemaRef, file: &str) -> Result<RecordBatch> {
    let lacking = |name: &str| Error::damaged(format!("there is no column `{name}`")).at(file);
    let column = |field: &Arc<arrow::datatypes::Field>| match batch.column_by_name(field.name()) {
        Some(_) => read::column(batch, field.name(), field.data_type()),
        None => Err(lacking(field.name())),
    };
    let found = columns.fields().iter().map(column).collect::<Result<Vec<_>>>()?;
    RecordBatch::try_new(columns.clone(), found).map_err(read::arrow_failed)
}

/// Which rows of a table were seen, and what is wrong with them.
struct Seen {
    bits: Vec<u64>,
    rows: u64,
    wrong: Wrong,
}

impl Seen {
    fn new(rows: u64) -> Result<Self> {
        let words = usize::try_from(rows.div_ceil(64));
        let words = words.map_err(|_| Error::usage("the table is too large for this machine"))?;
        Ok(Self { bits: vec![0; words], rows, wrong: Wrong::default() })
    }

    /// Whether this row is one of the table and seen for the first time.
    fn is_new(&mut self, row: i64) -> bool {
        let Some(row) = u64::try_from(row).ok().filter(|row| *row < self.rows) else {
            return false;
        };
        let Some(word) = usize::try_from(row / 64).ok().and_then(|at| self.bits.get_mut(at)) else {
            return false;
        };
        let bit = 1 << (row % 64);
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    /// Passes rows on that are seen for the first time; `odd` are those of a target row that is of
    /// another legacy row than its residue.
    fn push(
        &mut self,
        sorter: &mut Sorter,
        batch: RecordBatch,
        odd: &[(usize, Option<i64>)],
        file: &str,
    ) -> Result<()> {
        let places: Int64Array = read::whole(&batch, Extra::ROW)?;
        let mut kept = vec![true; batch.num_rows()];
        for (at, source) in odd {
            kept[*at] = false;
            let (row, source) = (places.value(*at), source.unwrap_or(-1));
            self.wrong.add(|| {
                format!(
                    "row {row}: its residue in {file} stands beside a row of legacy row {source}"
                )
            });
        }
        for (at, kept) in kept.iter_mut().enumerate().filter(|(_, kept)| **kept) {
            let row = places.value(at);
            *kept = self.is_new(row);
            if !*kept {
                self.wrong.add(|| format!("row {row}: stands in {file} and elsewhere, or is none"));
            }
        }
        let kept = BooleanArray::from(kept);
        let is_all = kept.true_count() == batch.num_rows();
        let batch = if is_all { Ok(batch) } else { filter_record_batch(&batch, &kept) };
        let batch = batch.map_err(read::arrow_failed)?;
        let places = read::whole(&batch, Extra::ROW)?;
        let ranks: Result<Vec<u32>, _> =
            places.values().iter().map(|row| u32::try_from(*row)).collect();
        let ranks =
            ranks.map_err(|_| Error::usage("the table has more rows than can be sorted"))?;
        sorter.push(batch, &ranks)
    }

    /// Notes the rows that were not seen.
    fn missing(&mut self) {
        for row in 0..self.rows {
            let word = usize::try_from(row / 64).ok().and_then(|at| self.bits.get(at));
            if word.is_some_and(|word| word & (1 << (row % 64)) == 0) {
                self.wrong.add(|| format!("row {row}: stands nowhere in the bundle"));
            }
        }
    }
}
