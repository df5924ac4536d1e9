//! The bundle's rows, read ahead on a thread of their own.

use std::path::Path;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;

use arrow::array::RecordBatch;
use parquet::arrow::ProjectionMask;

use super::{Plan, Rows, Table};
use crate::digest::RowDigest;
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::snapshot;

/// A batch and, when they were asked for, the logical digests of its rows.
type Ahead = (RecordBatch, Vec<u128>);

/// Batches that wait while the store takes one.
const AHEAD: usize = 2;

impl Plan {
    /// Reads every row of a table in the bundle's order, batch by batch; an error stops it.
    ///
    /// # Errors
    /// The file cannot be read, or what `visit` says.
    pub fn scan(
        &self,
        table: &Table,
        progress: &dyn Progress,
        visit: &mut dyn FnMut(&Rows<'_>) -> Result<()>,
    ) -> Result<()> {
        self.read(table, false, progress, visit)
    }

    /// The same, and every row with its logical digest ([`Rows::digest`]).
    ///
    /// # Errors
    /// As [`Plan::scan`].
    pub fn scan_digested(
        &self,
        table: &Table,
        progress: &dyn Progress,
        visit: &mut dyn FnMut(&Rows<'_>) -> Result<()>,
    ) -> Result<()> {
        self.read(table, true, progress, visit)
    }

    fn read(
        &self,
        table: &Table,
        digested: bool,
        progress: &dyn Progress,
        visit: &mut dyn FnMut(&Rows<'_>) -> Result<()>,
    ) -> Result<()> {
        let path = self.root.join(&table.file);
        thread::scope(|scope| {
            let (send, receive) = mpsc::sync_channel(AHEAD);
            let reader = scope.spawn(move || read_ahead(&path, table, digested, &send));
            let taken = take(table, receive, progress, visit);
            let read = reader.join().unwrap_or_else(|_| Err(Error::bug("a reader panicked")));
            // When the taker stopped, the reader only says that nobody listens.
            taken.and(read)
        })
    }
}

fn take(
    table: &Table,
    receive: Receiver<Ahead>,
    progress: &dyn Progress,
    visit: &mut dyn FnMut(&Rows<'_>) -> Result<()>,
) -> Result<()> {
    for (batch, digests) in receive {
        visit(&Rows::of(table, &batch)?.with_digests(&digests))?;
        progress.advance(batch.num_rows() as u64);
    }
    Ok(())
}

fn read_ahead(path: &Path, table: &Table, digested: bool, send: &SyncSender<Ahead>) -> Result<()> {
    let reader = snapshot::scan(path)?;
    let rows = snapshot::batch_rows(reader.metadata(), &ProjectionMask::all());
    let batches = reader.with_batch_size(rows).build().map_err(|error| unreadable(path, error))?;
    let mut digest = RowDigest::default();
    for batch in batches {
        let batch = batch.map_err(|error| unreadable(path, error))?;
        let digests = if digested {
            let rows = Rows::of(table, &batch)?;
            (0..rows.len()).map(|row| digest.of(rows.logical(table, row))).collect()
        } else {
            Vec::new()
        };
        if send.send((batch, digests)).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

fn unreadable(path: &Path, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::damaged("the table cannot be read")
        .at(path.display())
        .help("check the bundle with `rethread check`")
        .because(error)
}
