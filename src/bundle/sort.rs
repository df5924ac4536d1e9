//! Puts wide rows in the order of their ranks without holding them: sorted runs on disk, merged.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};

use arrow::array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow::buffer::OffsetBuffer;
use arrow::compute::interleave_record_batch;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;

use crate::error::{Error, Result};
use crate::storage;

/// Bytes of rows that are sorted in memory at a time.
const RUN_BYTES: usize = 64 << 20;
/// Bytes and rows of a batch that comes out, or is kept in a run.
const BATCH_BYTES: usize = 4 << 20;
const BATCH_ROWS: usize = 8192;

/// Takes batches of ranked rows in any order and gives them back in the order of their ranks.
#[derive(Debug)]
pub(super) struct Sorter {
    schema: SchemaRef,
    folder: PathBuf,
    held: Vec<RecordBatch>,
    ranks: Vec<(u32, u32, u32)>,
    bytes: usize,
    runs: Vec<PathBuf>,
}

impl Sorter {
    /// A sorter that keeps its runs in a folder of its own.
    pub(super) fn new(schema: SchemaRef, folder: PathBuf) -> Self {
        let (held, ranks, runs) = (Vec::new(), Vec::new(), Vec::new());
        Self { schema, folder, held, ranks, bytes: 0, runs }
    }

    /// Takes rows with their ranks; no two rows of a sorter share one.
    pub(super) fn push(&mut self, batch: RecordBatch, ranks: &[u32]) -> Result<()> {
        let at =
            u32::try_from(self.held.len()).map_err(|_| Error::bug("too many batches in a run"))?;
        self.ranks.extend((0_u32..).zip(ranks).map(|(row, rank)| (*rank, at, row)));
        self.bytes += (0..batch.num_rows()).map(|row| row_bytes(&batch, row)).sum::<usize>();
        self.held.push(batch);
        if self.bytes >= RUN_BYTES { self.spill() } else { Ok(()) }
    }

    fn spill(&mut self) -> Result<()> {
        let path = self.folder.join(format!("run-{}.arrow", self.runs.len()));
        let file = storage::scratch(&path)?;
        let written = self.write_run(file);
        self.runs.push(path);
        self.held.clear();
        self.bytes = 0;
        written
    }

    fn write_run(&mut self, file: BufWriter<File>) -> Result<()> {
        let ranked = with_rank(&self.schema);
        let mut writer = StreamWriter::try_new(file, &ranked).map_err(failed)?;
        self.ranks.sort_unstable();
        let order = std::mem::take(&mut self.ranks);
        let mut at = 0;
        while at < order.len() {
            let end = self.chunk_end(&order, at);
            let batch = gather(&self.held, &order[at..end])?;
            let ranks: UInt32Array = order[at..end].iter().map(|(rank, ..)| *rank).collect();
            let mut columns = batch.columns().to_vec();
            columns.push(std::sync::Arc::new(ranks));
            let batch = RecordBatch::try_new(ranked.clone(), columns).map_err(failed)?;
            writer.write(&batch).map_err(failed)?;
            at = end;
        }
        writer.finish().map_err(failed)
    }

    fn chunk_end(&self, order: &[(u32, u32, u32)], start: usize) -> usize {
        let mut bytes = 0;
        let mut end = start;
        while end < order.len() && end - start < BATCH_ROWS && bytes < BATCH_BYTES {
            let (_, batch, row) = order[end];
            bytes += row_bytes(&self.held[batch as usize], row as usize);
            end += 1;
        }
        end
    }

    /// Gives every batch, in order, to `take`, and removes the runs.
    pub(super) fn finish(mut self, mut take: impl FnMut(&RecordBatch) -> Result<()>) -> Result<()> {
        if self.runs.is_empty() {
            self.ranks.sort_unstable();
            let order = std::mem::take(&mut self.ranks);
            let mut at = 0;
            while at < order.len() {
                let end = self.chunk_end(&order, at);
                take(&gather(&self.held, &order[at..end])?)?;
                at = end;
            }
            return Ok(());
        }
        if !self.held.is_empty() {
            self.spill()?;
        }
        Merge::open(&self.runs)?.run(take)?;
        storage::remove_folder(&self.folder)
    }
}

fn with_rank(schema: &SchemaRef) -> SchemaRef {
    let mut fields: Vec<_> = schema.fields().iter().cloned().collect();
    let rank = arrow::datatypes::Field::new("_rank", DataType::UInt32, false);
    fields.push(std::sync::Arc::new(rank));
    std::sync::Arc::new(arrow::datatypes::Schema::new(fields))
}

fn gather(held: &[RecordBatch], order: &[(u32, u32, u32)]) -> Result<RecordBatch> {
    let batches: Vec<&RecordBatch> = held.iter().collect();
    let places: Vec<(usize, usize)> =
        order.iter().map(|(_, batch, row)| (*batch as usize, *row as usize)).collect();
    interleave_record_batch(&batches, &places).map_err(failed)
}

/// The bytes of a row's texts, and eight for any other column.
fn row_bytes(batch: &RecordBatch, row: usize) -> usize {
    batch.columns().iter().map(|column| value_bytes(column, row)).sum()
}

fn value_bytes(column: &ArrayRef, row: usize) -> usize {
    let span = |offsets: &OffsetBuffer<i32>| {
        usize::try_from(offsets[row + 1] - offsets[row]).unwrap_or_default()
    };
    match column.as_any().downcast_ref::<arrow::array::StringArray>() {
        Some(texts) => span(texts.offsets()) + 4,
        None => 8,
    }
}

/// A merge of sorted runs, a small batch of each in memory.
struct Merge {
    runs: Vec<StreamReader<BufReader<File>>>,
    heads: BinaryHeap<Reverse<(u32, usize)>>,
    batches: BTreeMap<usize, (usize, RecordBatch)>,
    open: Vec<Cursor>,
    next_batch: usize,
}

struct Cursor {
    batch: usize,
    row: usize,
    ranks: UInt32Array,
}

impl Merge {
    fn open(paths: &[PathBuf]) -> Result<Self> {
        let mut merge = Self {
            runs: Vec::new(),
            heads: BinaryHeap::new(),
            batches: BTreeMap::new(),
            open: Vec::new(),
            next_batch: 0,
        };
        for (run, path) in paths.iter().enumerate() {
            let file = BufReader::with_capacity(1 << 16, storage::open(path)?);
            merge.runs.push(StreamReader::try_new(file, None).map_err(failed)?);
            let ranks = UInt32Array::from(Vec::<u32>::new());
            merge.open.push(Cursor { batch: 0, row: 0, ranks });
            merge.refill(run)?;
        }
        Ok(merge)
    }

    /// Moves a run to its next batch and puts its first row among the heads.
    fn refill(&mut self, run: usize) -> Result<()> {
        let Some(batch) = self.runs[run].next() else { return Ok(()) };
        let batch = batch.map_err(failed)?;
        let last = batch.num_columns() - 1;
        let ranks = batch.column(last).as_any().downcast_ref::<UInt32Array>().cloned();
        let ranks = ranks.ok_or_else(|| Error::bug("a run has no ranks"))?;
        let columns: Vec<usize> = (0..last).collect();
        let rows = batch.project(&columns).map_err(failed)?;
        self.heads.push(Reverse((ranks.value(0), run)));
        self.batches.insert(self.next_batch, (run, rows));
        self.open[run] = Cursor { batch: self.next_batch, row: 0, ranks };
        self.next_batch += 1;
        Ok(())
    }

    fn run(mut self, mut take: impl FnMut(&RecordBatch) -> Result<()>) -> Result<()> {
        let mut places: Vec<(usize, usize)> = Vec::new();
        let mut bytes = 0;
        while let Some(Reverse((_, run))) = self.heads.pop() {
            let cursor = &mut self.open[run];
            let (batch, row) = (cursor.batch, cursor.row);
            places.push((batch, row));
            cursor.row += 1;
            if let Some((_, rows)) = self.batches.get(&batch) {
                bytes += row_bytes(rows, row);
            }
            if cursor.row < cursor.ranks.len() {
                let rank = cursor.ranks.value(cursor.row);
                self.heads.push(Reverse((rank, run)));
            } else {
                self.refill(run)?;
            }
            if places.len() >= BATCH_ROWS || bytes >= BATCH_BYTES {
                self.emit(&mut places, &mut take)?;
                bytes = 0;
            }
        }
        self.emit(&mut places, &mut take)
    }

    fn emit(
        &mut self,
        places: &mut Vec<(usize, usize)>,
        take: &mut impl FnMut(&RecordBatch) -> Result<()>,
    ) -> Result<()> {
        if places.is_empty() {
            return Ok(());
        }
        let slots: BTreeMap<usize, usize> =
            self.batches.keys().enumerate().map(|(slot, batch)| (*batch, slot)).collect();
        let batches: Vec<&RecordBatch> = self.batches.values().map(|(_, rows)| rows).collect();
        let slot = |(batch, row): &(usize, usize)| slots.get(batch).map(|slot| (*slot, *row));
        let slotted: Option<Vec<(usize, usize)>> = places.iter().map(slot).collect();
        let slotted = slotted.ok_or_else(|| Error::bug("a merged batch is gone"))?;
        let merged = interleave_record_batch(&batches, &slotted).map_err(failed)?;
        let open = &self.open;
        self.batches.retain(|batch, (run, _)| open[*run].batch == *batch);
        places.clear();
        take(&merged)
    }
}

fn failed(error: ArrowError) -> Error {
    match error {
        ArrowError::IoError(_, error) => storage::failed(Path::new("the working folder"), error),
        error => Error::system("the rows could not be put in order").because(error),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::StringArray;
    use arrow::datatypes::{Field, Schema};

    use super::*;

    fn sorted(rows: &[u32], width: usize, batch: usize) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let schema = Arc::new(Schema::new(vec![Field::new("text", DataType::Utf8, false)]));
        let mut sorter = Sorter::new(schema.clone(), folder.path().join("runs"));
        for ranks in rows.chunks(batch) {
            let texts: StringArray =
                ranks.iter().map(|rank| Some(format!("{rank:08}{}", "x".repeat(width)))).collect();
            let rows = RecordBatch::try_new(schema.clone(), vec![Arc::new(texts)]).unwrap();
            sorter.push(rows, ranks).unwrap();
        }
        let mut found = Vec::new();
        sorter
            .finish(|batch| {
                let texts = batch.column(0).as_any().downcast_ref::<StringArray>().unwrap();
                found.extend(texts.iter().map(|text| text.unwrap()[..8].to_owned()));
                Ok(())
            })
            .unwrap();
        found
    }

    fn check(count: u32, width: usize, batch: usize) {
        let rows: Vec<u32> = (0..count).map(|at| (at * 7919 + 13) % count).collect();
        let expected: Vec<String> = (0..count).map(|rank| format!("{rank:08}")).collect();
        assert_eq!(sorted(&rows, width, batch), expected);
    }

    #[test]
    fn rows_come_back_in_order_in_memory_and_from_runs() {
        check(0, 0, 1);
        check(1, 10, 1);
        check(10_007, 10, 1000);
        check(2_003, 100_000, 17); // 200 MB: several runs
        check(101, 3_000_000, 1); // rows near the size of a batch
    }
}
