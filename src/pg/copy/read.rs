//! Rows from a server.

use std::io::Read as _;

use postgres::CopyOutReader;

use super::MARK;
use crate::error::{Error, Result};
use crate::pg::{Place, failed_io};

/// Reads rows as `COPY … TO STDOUT (FORMAT BINARY)` gives them, one at a time.
pub struct Reader<'c, 'p> {
    input: CopyOutReader<'c>,
    place: &'p Place,
    what: String,
    fields: usize,
    bytes: Vec<u8>,
    spans: Vec<Option<(usize, usize)>>,
    rows: u64,
}

#[allow(clippy::missing_fields_in_debug, reason = "a connection has nothing to show")]
impl std::fmt::Debug for Reader<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("what", &self.what).field("rows", &self.rows).finish()
    }
}

/// The cells of one row.
#[derive(Debug, Clone, Copy)]
pub struct Cells<'r> {
    bytes: &'r [u8],
    spans: &'r [Option<(usize, usize)>],
}

impl<'r> Cells<'r> {
    /// The bytes of a cell; `None` is NULL.
    pub fn get(&self, at: usize) -> Option<&'r [u8]> {
        let (from, to) = (*self.spans.get(at)?)?;
        self.bytes.get(from..to)
    }

    /// The text of a cell; `None` is NULL or no UTF-8.
    pub fn text(&self, at: usize) -> Option<&'r str> {
        std::str::from_utf8(self.get(at)?).ok()
    }
}

impl<'c, 'p> Reader<'c, 'p> {
    /// Begins to read rows of so many fields; `what` is what could not be done if it fails, as
    /// `the table cannot be read`.
    ///
    /// # Errors
    /// The server fails, or sends something else.
    pub fn new(
        input: CopyOutReader<'c>,
        fields: usize,
        place: &'p Place,
        what: &str,
    ) -> Result<Self> {
        let mut reader = Self {
            input,
            place,
            what: what.to_owned(),
            fields,
            bytes: Vec::new(),
            spans: Vec::new(),
            rows: 0,
        };
        let mut head = [0; MARK.len() + 8];
        reader.exact(&mut head)?;
        let (mark, rest) = head.split_at(MARK.len());
        let flags = u32::from_be_bytes([rest[0], rest[1], rest[2], rest[3]]);
        let extension = u32::from_be_bytes([rest[4], rest[5], rest[6], rest[7]]);
        // The upper half of the flags is what a reader must understand.
        if mark != MARK || flags >> 16 != 0 {
            return Err(reader.wrong("its rows do not begin as rows do"));
        }
        reader.take(extension as usize)?;
        Ok(reader)
    }

    /// The next row; `None` after the last.
    ///
    /// # Errors
    /// The server fails, or the rows are cut off.
    pub fn next_row(&mut self) -> Result<Option<Cells<'_>>> {
        let mut count = [0; 2];
        self.exact(&mut count)?;
        self.bytes.clear();
        self.spans.clear();
        match i16::from_be_bytes(count) {
            -1 => return self.end(),
            count if usize::try_from(count) == Ok(self.fields) => {}
            _ => return Err(self.wrong("a row has another count of fields")),
        }
        for _ in 0..self.fields {
            let mut length = [0; 4];
            self.exact(&mut length)?;
            let span = match i32::from_be_bytes(length) {
                -1 => None,
                length => {
                    let length =
                        usize::try_from(length).map_err(|_| self.wrong("a field has no length"))?;
                    let from = self.bytes.len();
                    self.take(length)?;
                    Some((from, self.bytes.len()))
                }
            };
            self.spans.push(span);
        }
        self.rows += 1;
        Ok(Some(Cells { bytes: &self.bytes, spans: &self.spans }))
    }

    /// Rows read so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    fn end(&mut self) -> Result<Option<Cells<'_>>> {
        let mut more = [0; 1];
        let read = self.input.read(&mut more);
        match read.map_err(|error| failed_io(&error, self.place, &self.what))? {
            0 => Ok(None),
            _ => Err(self.wrong("something follows the last row")),
        }
    }

    fn exact(&mut self, bytes: &mut [u8]) -> Result<()> {
        match self.input.read_exact(bytes) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                Err(self.wrong("the rows are cut off"))
            }
            Err(error) => Err(failed_io(&error, self.place, &self.what)),
        }
    }

    /// Appends so many bytes to the row.
    fn take(&mut self, length: usize) -> Result<()> {
        let limit = length as u64;
        let read = self.input.by_ref().take(limit).read_to_end(&mut self.bytes);
        match read {
            Ok(read) if read == length => Ok(()),
            Ok(_) => Err(self.wrong("the rows are cut off")),
            Err(error) => Err(failed_io(&error, self.place, &self.what)),
        }
    }

    fn wrong(&self, said: &str) -> Error {
        Error::system(format!("{}: {said}", self.what))
            .at(self.place.shown())
            .help("run the same command again")
    }
}
