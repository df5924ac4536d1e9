//! Puts wide rows in the order of their ranks: sorted runs on disk, merged.
//!
//! Ranks are known beforehand, so a payload is moved and never compared. A run is put in order and
//! written by a thread of its own while the next one is gathered. All runs stand in one file, and the
//! merge keeps a small batch of each in memory.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fs::File;
use std::io::{BufReader, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use arrow::array::{AsArray as _, RecordBatch, UInt32Array};
use arrow::compute::interleave_record_batch;
use arrow::datatypes::{DataType, Field, Schema as Columns, SchemaRef, UInt32Type};
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;

use crate::error::{Error, Result};
use crate::storage;

/// Bytes and rows of a batch that comes out.
const BATCH_BYTES: u64 = 4 << 20;
const BATCH_ROWS: usize = 8192;
/// The smallest batch of a run that is worth a read of its own.
const LEAST_BATCH: u64 = 64 << 10;

/// How much memory a sorter may use, and how much will come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    /// Bytes: two runs while they are gathered, then a batch of every run.
    pub(crate) bytes: u64,
    /// Bytes of all rows, as far as it is known.
    pub(crate) expected: u64,
}

impl Room {
    /// Bytes of rows that are sorted in memory at a time.
    fn run(self) -> u64 {
        (self.bytes / 3).max(1 << 20)
    }

    /// Bytes of a batch of a run, so that a batch of each fits.
    fn batch(self) -> u64 {
        let runs = self.expected / self.run() + 1;
        (self.run() / runs).clamp(LEAST_BATCH, BATCH_BYTES)
    }
}

/// Takes batches of ranked rows in any order and gives them back in the order of their ranks.
#[derive(Debug)]
pub(crate) struct Sorter {
    schema: SchemaRef,
    path: PathBuf,
    room: Room,
    held: Held,
    /// Where each run begins in the file.
    runs: Vec<u64>,
    writing: Option<Writing>,
}

/// A run that is being written by its own thread.
type Writing = JoinHandle<Result<File>>;

/// Rows in memory, with the rank, the batch and the place of each.
#[derive(Debug, Default)]
struct Held {
    batches: Vec<Batch>,
    ranks: Vec<(u32, u32, u32)>,
    bytes: u64,
}

/// A batch, and the bytes of each of its rows.
#[derive(Debug)]
struct Batch {
    rows: RecordBatch,
    widths: Vec<u32>,
}

impl Sorter {
    /// A sorter that keeps its runs in a file of its own.
    pub(crate) fn new(schema: SchemaRef, path: PathBuf, room: Room) -> Self {
        Self { schema, path, room, held: Held::default(), runs: Vec::new(), writing: None }
    }

    /// Takes rows with their ranks; no two rows of a sorter share one.
    pub(crate) fn push(&mut self, rows: RecordBatch, ranks: &[u32]) -> Result<()> {
        let at = u32::try_from(self.held.batches.len());
        let at = at.map_err(|_| Error::bug("too many batches in a run"))?;
        let widths = widths(&rows);
        self.held.ranks.extend((0_u32..).zip(ranks).map(|(row, rank)| (*rank, at, row)));
        self.held.bytes += widths.iter().map(|width| u64::from(*width)).sum::<u64>();
        self.held.batches.push(Batch { rows, widths });
        if self.held.bytes >= self.room.run() { self.spill() } else { Ok(()) }
    }

    fn spill(&mut self) -> Result<()> {
        let mut file = self.written()?;
        self.runs.push(file.stream_position().map_err(|error| storage::failed(&self.path, error))?);
        let held = std::mem::take(&mut self.held);
        let (schema, batch, path) = (with_rank(&self.schema), self.room.batch(), self.path.clone());
        let write = move || held.write(file, &path, &schema, batch);
        let thread = std::thread::Builder::new().name("run".to_owned()).spawn(write);
        let none = |error| Error::system("the system gives no more threads").because(error);
        self.writing = Some(thread.map_err(none)?);
        Ok(())
    }

    /// The file of the runs, once the run before is in it.
    fn written(&mut self) -> Result<File> {
        match self.writing.take() {
            Some(writing) => joined(writing.join()),
            None => storage::scratch(&self.path),
        }
    }

    /// Gives every batch, in order, to `take`, and removes the runs.
    pub(crate) fn finish(mut self, mut take: impl FnMut(RecordBatch) -> Result<()>) -> Result<()> {
        if self.runs.is_empty() {
            let held = std::mem::take(&mut self.held);
            return held.ordered(BATCH_BYTES, |rows, _| take(rows));
        }
        if !self.held.ranks.is_empty() {
            self.spill()?;
        }
        drop(self.written()?);
        Merge::open(&self.path, &self.runs)?.run(take)?;
        storage::remove_if_there(&self.path)
    }
}

impl Drop for Sorter {
    /// Waits for the thread, so that nothing writes into a folder that is being removed.
    fn drop(&mut self) {
        if let Some(writing) = self.writing.take() {
            drop(writing.join());
        }
    }
}

/// What a thread came to; its panic goes on here.
fn joined<T>(ended: std::thread::Result<Result<T>>) -> Result<T> {
    ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

impl Held {
    /// Gives the rows in the order of their ranks, in batches, with the ranks.
    fn ordered(
        mut self,
        batch: u64,
        mut take: impl FnMut(RecordBatch, &[(u32, u32, u32)]) -> Result<()>,
    ) -> Result<()> {
        self.ranks.sort_unstable();
        let batches: Vec<&RecordBatch> = self.batches.iter().map(|batch| &batch.rows).collect();
        let mut at = 0;
        while at < self.ranks.len() {
            let order = &self.ranks[at..self.end_of(at, batch)];
            let places: Vec<(usize, usize)> =
                order.iter().map(|(_, batch, row)| (*batch as usize, *row as usize)).collect();
            take(interleave_record_batch(&batches, &places).map_err(failed)?, order)?;
            at += order.len();
        }
        Ok(())
    }

    fn end_of(&self, start: usize, most: u64) -> usize {
        let (mut bytes, mut end) = (0, start);
        while end < self.ranks.len() && end - start < BATCH_ROWS && bytes < most {
            let (_, batch, row) = self.ranks[end];
            bytes += u64::from(self.batches[batch as usize].widths[row as usize]);
            end += 1;
        }
        end
    }

    /// Writes the rows as a run.
    fn write(self, file: File, path: &Path, schema: &SchemaRef, batch: u64) -> Result<File> {
        let file = std::io::BufWriter::with_capacity(1 << 18, file);
        let failed = |error| failed_at(path, error);
        let mut writer = StreamWriter::try_new(file, schema).map_err(failed)?;
        self.ordered(batch, |rows, order| {
            let ranks: UInt32Array = order.iter().map(|(rank, ..)| *rank).collect();
            let mut columns = rows.columns().to_vec();
            columns.push(Arc::new(ranks));
            let rows = RecordBatch::try_new(schema.clone(), columns).map_err(failed)?;
            writer.write(&rows).map_err(failed)
        })?;
        writer.finish().map_err(failed)?;
        let mut file = writer.into_inner().map_err(failed)?;
        file.flush().map_err(|error| storage::failed(path, error))?;
        file.into_inner().map_err(|error| storage::failed(path, error.into_error()))
    }
}

fn with_rank(schema: &SchemaRef) -> SchemaRef {
    let mut fields: Vec<_> = schema.fields().iter().cloned().collect();
    fields.push(Arc::new(Field::new("_rank", DataType::UInt32, false)));
    Arc::new(Columns::new(fields))
}

/// The bytes of every row: its texts, and eight for any other column.
fn widths(batch: &RecordBatch) -> Vec<u32> {
    let plain = u32::try_from(8 * batch.num_columns()).unwrap_or(u32::MAX);
    let mut widths = vec![plain; batch.num_rows()];
    for column in batch.columns() {
        let Some(texts) = column.as_string_opt::<i32>() else { continue };
        for (width, ends) in widths.iter_mut().zip(texts.offsets().windows(2)) {
            *width = width.saturating_add((ends[1] - ends[0]).unsigned_abs());
        }
    }
    widths
}

/// A merge of sorted runs, a small batch of each in memory.
struct Merge {
    runs: Vec<StreamReader<BufReader<File>>>,
    heads: BinaryHeap<Reverse<(u32, usize)>>,
    batches: BTreeMap<usize, (usize, Batch)>,
    open: Vec<Cursor>,
    next_batch: usize,
}

struct Cursor {
    batch: usize,
    row: usize,
    ranks: UInt32Array,
}

impl Merge {
    fn open(path: &Path, starts: &[u64]) -> Result<Self> {
        let mut merge = Self {
            runs: Vec::new(),
            heads: BinaryHeap::new(),
            batches: BTreeMap::new(),
            open: Vec::new(),
            next_batch: 0,
        };
        for (run, start) in starts.iter().enumerate() {
            let mut file = storage::open(path)?;
            file.seek(SeekFrom::Start(*start)).map_err(|error| storage::failed(path, error))?;
            let file = BufReader::with_capacity(1 << 16, file);
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
        let ranks = batch.column(last).as_primitive_opt::<UInt32Type>().cloned();
        let ranks = ranks.ok_or_else(|| Error::bug("a run has no ranks"))?;
        let columns: Vec<usize> = (0..last).collect();
        let rows = batch.project(&columns).map_err(failed)?;
        let widths = widths(&rows);
        self.heads.push(Reverse((ranks.value(0), run)));
        self.batches.insert(self.next_batch, (run, Batch { rows, widths }));
        self.open[run] = Cursor { batch: self.next_batch, row: 0, ranks };
        self.next_batch += 1;
        Ok(())
    }

    fn run(mut self, mut take: impl FnMut(RecordBatch) -> Result<()>) -> Result<()> {
        let mut places: Vec<(usize, usize)> = Vec::new();
        let mut bytes = 0;
        while let Some(Reverse((_, run))) = self.heads.pop() {
            let cursor = &mut self.open[run];
            let (batch, row) = (cursor.batch, cursor.row);
            places.push((batch, row));
            cursor.row += 1;
            if let Some((_, found)) = self.batches.get(&batch) {
                bytes += u64::from(found.widths[row]);
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
        take: &mut impl FnMut(RecordBatch) -> Result<()>,
    ) -> Result<()> {
        if places.is_empty() {
            return Ok(());
        }
        let slots: BTreeMap<usize, usize> =
            self.batches.keys().enumerate().map(|(slot, batch)| (*batch, slot)).collect();
        let batches: Vec<&RecordBatch> =
            self.batches.values().map(|(_, batch)| &batch.rows).collect();
        let slot = |(batch, row): &(usize, usize)| slots.get(batch).map(|slot| (*slot, *row));
        let slotted: Option<Vec<(usize, usize)>> = places.iter().map(slot).collect();
        let slotted = slotted.ok_or_else(|| Error::bug("a merged batch is gone"))?;
        let merged = interleave_record_batch(&batches, &slotted).map_err(failed)?;
        let open = &self.open;
        self.batches.retain(|batch, (run, _)| open[*run].batch == *batch);
        places.clear();
        take(merged)
    }
}

fn failed(error: ArrowError) -> Error {
    failed_at(Path::new("the working folder"), error)
}

fn failed_at(path: &Path, error: ArrowError) -> Error {
    match error {
        ArrowError::IoError(_, error) => storage::failed(path, error),
        error => Error::system("the rows could not be put in order").because(error),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::StringArray;
    use arrow::datatypes::{Field, Schema};

    use super::*;

    fn sorted(rows: &[u32], width: usize, batch: usize, room: Room) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let schema = Arc::new(Schema::new(vec![Field::new("text", DataType::Utf8, false)]));
        let mut sorter = Sorter::new(schema.clone(), folder.path().join("runs"), room);
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
        assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none(), "the runs are removed");
        found
    }

    fn check(count: u32, width: usize, batch: usize, bytes: u64) {
        let rows: Vec<u32> = (0..count).map(|at| (at * 7919 + 13) % count).collect();
        let expected: Vec<String> = (0..count).map(|rank| format!("{rank:08}")).collect();
        let room = Room { bytes, expected: u64::from(count) * width as u64 };
        assert_eq!(sorted(&rows, width, batch, room), expected);
    }

    #[test]
    fn rows_come_back_in_order_in_memory_and_from_runs() {
        let enough = 1 << 40;
        check(0, 0, 1, enough);
        check(1, 10, 1, enough);
        check(10_007, 10, 1000, enough);
        check(10_007, 1000, 1000, 0); // ten runs of a mebibyte
        check(2_003, 100_000, 17, 96 << 20); // 200 MB: several runs
        check(101, 3_000_000, 1, 96 << 20); // rows near the size of a batch
    }

    #[test]
    fn the_batches_of_all_runs_fit_the_room() {
        for (bytes, expected) in [(300 << 20, 20 << 30), (96 << 20, 1 << 30), (3 << 30, 1 << 20)] {
            let room = Room { bytes, expected };
            let runs = expected / room.run() + 1;
            assert!(runs * room.batch() <= bytes.max(runs * LEAST_BATCH), "{room:?}");
        }
    }
}
