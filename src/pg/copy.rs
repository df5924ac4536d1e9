//! Rows to and from a server in the binary form of `COPY`.

mod read;
mod write;

pub use read::{Cells, Reader};
pub use write::Writer;

/// What every binary copy begins with, before two four-byte fields: flags, and an extension's length.
const MARK: &[u8] = b"PGCOPY\n\xff\r\n\0";

/// Microseconds from 1970-01-01 to 2000-01-01, where PostgreSQL counts from.
const EPOCH: i64 = 946_684_800_000_000;

/// The moment `-infinity`, as PostgreSQL counts.
const BEFORE_ALL: i64 = i64::MIN;
/// The moment `infinity`.
const AFTER_ALL: i64 = i64::MAX;

/// A moment of PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// `-infinity`.
    Before,
    /// Microseconds since 1970-01-01 UTC.
    At(i64),
    /// `infinity`.
    After,
}

impl Moment {
    /// Reads the eight bytes of a `timestamp` or `timestamptz`.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        Some(match i64::from_be_bytes(bytes.try_into().ok()?) {
            BEFORE_ALL => Moment::Before,
            AFTER_ALL => Moment::After,
            micros => Moment::At(micros.checked_add(EPOCH)?),
        })
    }
}
