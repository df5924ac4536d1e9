//! Rows to a server.

use std::io::Write as _;

use postgres::CopyInWriter;

use super::{EPOCH, MARK};
use crate::error::{Error, Result};
use crate::pg::{Place, failed, failed_io};

/// Bytes that go out at a time.
const BUFFER: usize = 256 << 10;
/// 4714-11-24 BC, the first moment PostgreSQL holds, in microseconds since 2000.
const FIRST: i64 = -211_813_488_000_000_000;
/// 294277-01-01, the first moment after the last one it holds.
const END: i64 = 9_223_371_331_200_000_000;

/// Writes rows as `COPY … FROM STDIN (FORMAT BINARY)` takes them.
///
/// Every row is begun with the count of its fields, then each field is put in order. A row that was
/// not put whole is an error of the server's, so nothing of it stays.
pub struct Writer<'c, 'p> {
    out: CopyInWriter<'c>,
    place: &'p Place,
    what: String,
    buffer: Vec<u8>,
}

#[allow(clippy::missing_fields_in_debug, reason = "a connection has nothing to show")]
impl std::fmt::Debug for Writer<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("what", &self.what).finish()
    }
}

impl<'c, 'p> Writer<'c, 'p> {
    /// Begins a copy; `what` is what could not be done if it fails, as `the rows cannot be written`.
    pub fn new(out: CopyInWriter<'c>, place: &'p Place, what: &str) -> Self {
        let mut buffer = Vec::with_capacity(BUFFER + (BUFFER >> 2));
        buffer.extend_from_slice(MARK);
        buffer.extend_from_slice(&[0; 8]);
        Self { out, place, what: what.to_owned(), buffer }
    }

    /// Begins a row of so many fields.
    ///
    /// # Errors
    /// The server refuses what was sent before, or is gone.
    pub fn row(&mut self, fields: u16) -> Result<()> {
        self.flush_if_full()?;
        self.buffer.extend_from_slice(&fields.to_be_bytes());
        Ok(())
    }

    /// Puts NULL.
    pub fn null(&mut self) {
        self.buffer.extend_from_slice(&(-1_i32).to_be_bytes());
    }

    /// Puts a text; PostgreSQL refuses one with a NUL.
    ///
    /// # Errors
    /// It is longer than PostgreSQL holds, or the server fails.
    pub fn text(&mut self, text: &str) -> Result<()> {
        self.bytea(text.as_bytes())
    }

    /// Puts bytes as they are.
    ///
    /// # Errors
    /// They are more than PostgreSQL holds, or the server fails.
    pub fn bytea(&mut self, bytes: &[u8]) -> Result<()> {
        self.length(bytes.len())?;
        self.flush_if_full()?;
        // What is large goes out from where it stands, a buffer's length at a time.
        for part in bytes.chunks(BUFFER) {
            self.buffer.extend_from_slice(part);
            self.flush_if_full()?;
        }
        Ok(())
    }

    /// Puts JSON text as `jsonb`.
    ///
    /// # Errors
    /// It is longer than PostgreSQL holds, or the server fails.
    pub fn jsonb(&mut self, text: &str) -> Result<()> {
        self.length(text.len() + 1)?;
        self.buffer.push(1);
        for part in text.as_bytes().chunks(BUFFER) {
            self.buffer.extend_from_slice(part);
            self.flush_if_full()?;
        }
        Ok(())
    }

    /// Puts a UUID out of its 36 characters.
    ///
    /// # Errors
    /// The text is no UUID.
    pub fn uuid(&mut self, text: &str) -> Result<()> {
        let id = uuid::Uuid::try_parse(text).ok().filter(|_| text.len() == 36);
        let id = id.ok_or_else(|| Error::bug(format!("{}: an id is no UUID", self.what)))?;
        self.fixed(id.as_bytes());
        Ok(())
    }

    /// Puts sixteen bytes as a UUID.
    pub fn bytes16(&mut self, bytes: &[u8; 16]) {
        self.fixed(bytes);
    }

    /// Puts a double.
    pub fn float8(&mut self, value: f64) {
        self.fixed(&value.to_be_bytes());
    }

    /// Puts a boolean.
    pub fn bool(&mut self, value: bool) {
        self.fixed(&[u8::from(value)]);
    }

    /// Puts a whole number of eight bytes.
    pub fn int8(&mut self, value: i64) {
        self.fixed(&value.to_be_bytes());
    }

    /// Puts a moment: microseconds since 1970-01-01 UTC.
    ///
    /// # Errors
    /// PostgreSQL holds 4714 BC to 294276 AD.
    pub fn timestamptz(&mut self, micros: i64) -> Result<()> {
        let moment = micros.checked_sub(EPOCH).filter(|moment| (FIRST..END).contains(moment));
        let moment = moment.ok_or_else(|| {
            Error::refused(format!("{}: a date lies beyond those PostgreSQL holds", self.what))
                .at(self.place.shown())
                .help("it holds 4714 BC to 294276 AD: repair the legacy row and export again")
        })?;
        self.int8(moment);
        Ok(())
    }

    /// Ends the copy: how many rows the server took.
    ///
    /// # Errors
    /// The server refuses the rows.
    pub fn finish(mut self) -> Result<u64> {
        self.buffer.extend_from_slice(&(-1_i16).to_be_bytes());
        self.flush()?;
        self.out.finish().map_err(|error| failed(&error, self.place, &self.what))
    }

    fn length(&mut self, bytes: usize) -> Result<()> {
        let length = i32::try_from(bytes).ok().filter(|length| *length < 1 << 30);
        let length = length.ok_or_else(|| {
            Error::refused(format!("{}: a value is longer than 1 GiB", self.what))
                .at(self.place.shown())
        })?;
        self.buffer.extend_from_slice(&length.to_be_bytes());
        Ok(())
    }

    fn fixed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(&[0, 0, 0]);
        // At most 16 bytes.
        self.buffer.push(u8::try_from(bytes.len()).unwrap_or(u8::MAX));
        self.buffer.extend_from_slice(bytes);
    }

    fn flush_if_full(&mut self) -> Result<()> {
        if self.buffer.len() < BUFFER {
            return Ok(());
        }
        self.flush()
    }

    fn flush(&mut self) -> Result<()> {
        let sent = self.out.write_all(&self.buffer).and_then(|()| self.out.flush());
        self.buffer.clear();
        sent.map_err(|error| failed_io(&error, self.place, &self.what))
    }
}
