//! Where rows go.

use std::io;

use super::columns::Folder;
use super::config::Head;
use super::lines::{Archive, Dataset, Lines};
use super::value::Row;
use super::{Kind, Options};

/// Takes rows, table by table.
pub(crate) trait Sink {
    /// Begins a table.
    fn begin(&mut self, table: &'static str) -> io::Result<()>;
    /// Takes a row of it.
    fn row(&mut self, row: Row) -> io::Result<()>;
    /// Ends it.
    fn end(&mut self) -> io::Result<()>;
    /// Ends the whole.
    fn finish(&mut self) -> io::Result<()>;
}

/// Opens what the options name.
pub(crate) fn open(options: &Options, head: &Head) -> io::Result<Box<dyn Sink>> {
    Ok(match options.kind {
        Kind::Archive => Box::new(Archive::create(options, head)?),
        Kind::ArchiveFolder => Box::new(Lines::archive(&options.out, head)?),
        Kind::Jsonl => Box::new(Lines::plain(&options.out)?),
        Kind::Dataset => Box::new(Dataset::create(&options.out)?),
        Kind::Parquet => Box::new(Folder::create(options)?),
    })
}
