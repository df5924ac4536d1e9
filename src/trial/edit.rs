//! A file written again with other rows or lines in place of some. Nothing but those, and the batch or
//! the line that is being copied, is held in memory.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;

use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::cell::Row;
use super::table;
use crate::error::{Error, Result};
use crate::storage::{self, HashingFile, Written};

/// In place of a row of a file, from 0, these rows.
pub(super) type Rows = BTreeMap<usize, Vec<Row>>;
/// In place of a line, these lines, without their ends.
pub(super) type Lines = BTreeMap<usize, Vec<Vec<u8>>>;

/// Bytes of a row group, encoded, at which it is closed.
const GROUP_BYTES: usize = 32 << 20;
/// Rows of a row group at most.
const GROUP_ROWS: usize = 65_536;

/// Writes a Parquet file again.
pub(super) fn rows(from: &Path, to: &Path, edits: &Rows) -> Result<Written> {
    let (schema, batches) = table::batches(from)?;
    let level = ZstdLevel::try_new(1).map_err(failed)?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .build();
    let file = HashingFile::create(to)?;
    let mut writer = ArrowWriter::try_new(file, schema, Some(properties)).map_err(failed)?;
    let mut start = 0;
    for batch in batches {
        let batch = batch?;
        let mut done = 0;
        for (row, instead) in edits.range(start..start + batch.num_rows()) {
            let at = row - start;
            writer.write(&batch.slice(done, at - done)).map_err(failed)?;
            for row in instead {
                writer.write(&row.0).map_err(failed)?;
            }
            done = at + 1;
        }
        writer.write(&batch.slice(done, batch.num_rows() - done)).map_err(failed)?;
        if writer.in_progress_size() >= GROUP_BYTES {
            writer.flush().map_err(failed)?;
        }
        start += batch.num_rows();
    }
    writer.into_inner().map_err(failed)?.finish()
}

/// Writes a file of lines again.
pub(super) fn lines(from: &Path, to: &Path, edits: &Lines) -> Result<Written> {
    let mut reader = BufReader::with_capacity(1 << 18, storage::open(from)?);
    let mut writer = HashingFile::create(to)?;
    let mut line = Vec::new();
    let (read, wrote) = (|error| storage::failed(from, error), |error| storage::failed(to, error));
    for number in 0.. {
        line.clear();
        if reader.read_until(b'\n', &mut line).map_err(read)? == 0 {
            break;
        }
        match edits.get(&number) {
            None => writer.write_all(&line).map_err(wrote)?,
            Some(instead) => {
                for line in instead {
                    writer.write_all(line).and_then(|()| writer.write_all(b"\n")).map_err(wrote)?;
                }
            }
        }
    }
    writer.finish()
}

/// A line of a file, without its end.
///
/// # Errors
/// The file has no such line, or cannot be read.
pub(super) fn line(path: &Path, number: usize) -> Result<Vec<u8>> {
    let mut reader = BufReader::with_capacity(1 << 18, storage::open(path)?);
    let mut line = Vec::new();
    for _ in 0..=number {
        line.clear();
        reader.read_until(b'\n', &mut line).map_err(|error| storage::failed(path, error))?;
    }
    match line.pop() {
        Some(b'\n') => Ok(line),
        _ => Err(Error::bug(format!("there is no line {number}")).at(path.display())),
    }
}

fn failed(error: ParquetError) -> Error {
    match error {
        ParquetError::External(inner) => match inner.downcast::<std::io::Error>() {
            Ok(error) => storage::failed(Path::new("the copy"), *error),
            Err(error) => Error::system("a table could not be written").because(error),
        },
        error => Error::system("a table could not be written").because(error),
    }
}
