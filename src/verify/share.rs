//! Reads a Parquet file on several threads: each takes the next batch, and what comes of the batches
//! is taken in their order.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use parquet::arrow::arrow_reader::ParquetRecordBatchReader;

use super::read::{self, Batch};
use crate::error::{Error, Result};
use crate::threads;

/// What goes on with the batches of a file.
pub(super) struct Shared<Beside, Work, Take> {
    /// Reads what goes with the next so many rows; called in the order of the file.
    pub(super) beside: Beside,
    /// Looks at a batch; called on several threads.
    pub(super) work: Work,
    /// Takes what came of a batch; called in the order of the file.
    pub(super) take: Take,
}

struct Feed<Beside> {
    reader: ParquetRecordBatchReader,
    beside: Beside,
    batches: usize,
    rows: usize,
}

struct Taker<P, Take> {
    early: BTreeMap<usize, P>,
    taken: usize,
    take: Take,
    failed: Option<(usize, Error)>,
}

/// Reads the named columns of every row on several threads, as many batches in memory as there are
/// threads. What comes of it is the same on any number of them.
pub(super) fn share<B: Send, P: Send>(
    path: &Path,
    columns: &[&str],
    threads: usize,
    shared: Shared<
        impl FnMut(usize) -> Result<B> + Send,
        impl Fn(&Batch, B) -> Result<P> + Sync,
        impl FnMut(P) -> Result<()> + Send,
    >,
) -> Result<()> {
    let Shared { beside, work, take } = shared;
    let reader = read::reader(path, columns, None)?;
    let feed = Mutex::new(Some(Feed { reader, beside, batches: 0, rows: 0 }));
    let taker = Mutex::new(Taker { early: BTreeMap::new(), taken: 0, take, failed: None });
    threads::each(threads, &|| {
        while let Some((number, batch)) = next(&feed, path, columns) {
            let found = batch.and_then(|(batch, beside)| work(&batch, beside));
            let Ok(mut taker) = taker.lock() else { return };
            if found.is_err()
                && let Ok(mut feed) = feed.lock()
            {
                *feed = None;
            }
            taker.put(number, found);
        }
    });
    match taker.into_inner() {
        Ok(Taker { failed: Some((_, error)), .. }) => Err(error),
        _ => Ok(()),
    }
}

/// The next batch with its number; none at the end and after a failure.
fn next<B>(
    feed: &Mutex<Option<Feed<impl FnMut(usize) -> Result<B>>>>,
    path: &Path,
    columns: &[&str],
) -> Option<(usize, Result<(Batch, B)>)> {
    let mut feed = feed.lock().ok()?;
    let Feed { reader, beside, batches, rows } = feed.as_mut()?;
    let batch = reader.next()?.map_err(|error| read::unreadable(path).because(error));
    let batch = batch.and_then(|batch| {
        let beside = beside(batch.num_rows())?;
        let batch = Batch::of(&batch, columns, *rows);
        *rows += batch.count;
        Ok((batch, beside))
    });
    *batches += 1;
    Some((*batches - 1, batch))
}

impl<P, Take: FnMut(P) -> Result<()>> Taker<P, Take> {
    /// Takes what came of the batch of this number, once all before it are taken.
    fn put(&mut self, number: usize, found: Result<P>) {
        match found {
            Ok(found) => drop(self.early.insert(number, found)),
            Err(error) => self.fail(number, error),
        }
        while let Some(found) = self.early.remove(&self.taken) {
            if let Err(error) = (self.take)(found) {
                self.fail(self.taken, error);
            }
            self.taken += 1;
        }
    }

    fn fail(&mut self, number: usize, error: Error) {
        if self.failed.as_ref().is_none_or(|(first, _)| number < *first) {
            self.failed = Some((number, error));
        }
    }
}
