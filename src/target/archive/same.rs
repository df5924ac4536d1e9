//! Compares what would be written with a file that stands there, without writing.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use crate::error::Result;
use crate::storage;

/// So many differing bytes are surely no header that is filled in later.
const MOST: usize = 1 << 16;

/// A file that is "written to": what differs from it is remembered.
#[derive(Debug)]
pub(super) struct Same {
    file: File,
    at: u64,
    end: u64,
    /// Places that differ; a zip's writer comes back to fill in its headers.
    differing: BTreeSet<u64>,
    different: bool,
    buffer: Vec<u8>,
}

impl Same {
    /// Begins to compare with a file.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn with(path: &Path) -> Result<Self> {
        let (differing, buffer) = (BTreeSet::new(), Vec::new());
        let file = storage::open(path)?;
        Ok(Self { file, at: 0, end: 0, differing, different: false, buffer })
    }

    /// Whether every byte and the length were the same.
    pub(super) fn is_same(&self) -> bool {
        let length = self.file.metadata().map(|meta| meta.len()).ok();
        !self.different && self.differing.is_empty() && length == Some(self.end)
    }
}

impl Same {
    /// Compares byte by byte.
    fn compare(&mut self, bytes: &[u8]) {
        for (place, (is, wanted)) in (self.at..).zip(self.buffer.iter().zip(bytes)) {
            if is == wanted {
                self.differing.remove(&place);
            } else {
                self.differing.insert(place);
            }
        }
    }
}

impl Write for Same {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.different {
            self.buffer.clear();
            self.file.seek(SeekFrom::Start(self.at))?;
            (&self.file).take(bytes.len() as u64).read_to_end(&mut self.buffer)?;
            self.different = self.buffer.len() < bytes.len();
            if self.buffer != bytes || !self.differing.is_empty() {
                self.compare(bytes);
            }
            self.different |= self.differing.len() > MOST;
        }
        self.at += bytes.len() as u64;
        self.end = self.end.max(self.at);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Same {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::End(by) => self.end.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = place.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(stands: &[u8], expected: bool) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        storage::write_new(&path, stands).unwrap();
        let mut same = Same::with(&path).unwrap();
        same.write_all(b"\0\0\0\0rows").unwrap();
        same.seek(SeekFrom::Start(0)).unwrap();
        same.write_all(b"head").unwrap();
        assert_eq!(same.is_same(), expected, "{stands:?}");
        assert_eq!(std::fs::read(&path).unwrap(), stands);
    }

    #[test]
    fn only_the_same_bytes_are_the_same() {
        check(b"headrows", true);
        for other in [&b"headrowt"[..], b"heabrows", b"headrow", b"headrowss", b"", b"\0\0\0\0rows"]
        {
            check(other, false);
        }
    }
}
