//! A file whose SHA-256 is taken while it is read.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use sha2::{Digest as _, Sha256};

use crate::error::Result;
use crate::storage;

/// How much is read at a time of what only the hash needs.
const CHUNK: usize = 1 << 18;

/// A file that is hashed from its first byte to its last; whoever reads it may skip parts of it.
pub(super) struct Hashed {
    file: File,
    path: PathBuf,
    hash: Sha256,
    /// Where the next byte is read.
    at: u64,
    /// How many bytes from the first on are in the hash.
    known: u64,
    in_order: Rc<Cell<bool>>,
}

impl Hashed {
    /// Opens a file.
    ///
    /// # Errors
    /// It is missing or cannot be read.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = storage::open(path)?;
        let (hash, in_order) = (Sha256::new(), Rc::new(Cell::new(false)));
        Ok(Self { file, path: path.to_owned(), hash, at: 0, known: 0, in_order })
    }

    /// Set it once the file is read from its beginning to its end: what is skipped from then on is
    /// hashed on the way, while it is at hand.
    pub(super) fn in_order(&self) -> Rc<Cell<bool>> {
        Rc::clone(&self.in_order)
    }

    /// Hashes what nobody read, and gives the SHA-256 of the whole in hexadecimal.
    ///
    /// # Errors
    /// The disk fails.
    pub(super) fn finish(mut self) -> Result<String> {
        self.hash_until(u64::MAX).map_err(|error| storage::failed(&self.path, error))?;
        Ok(storage::hex(&self.hash.finalize()))
    }

    fn hash_until(&mut self, end: u64) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(self.known))?;
        let mut buffer = vec![0; CHUNK];
        while self.known < end {
            let most = usize::try_from(end - self.known).unwrap_or(CHUNK).min(CHUNK);
            let read = match self.file.read(&mut buffer[..most]) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.hash.update(&buffer[..read]);
            self.known += read as u64;
        }
        Ok(())
    }
}

impl Read for Hashed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at > self.known && self.in_order.get() {
            self.hash_until(self.at)?;
            self.file.seek(SeekFrom::Start(self.at))?;
        }
        let read = self.file.read(buffer)?;
        let end = self.at + read as u64;
        if (self.at..end).contains(&self.known) {
            let from = usize::try_from(self.known - self.at).unwrap_or(read);
            self.hash.update(&buffer[from..read]);
            self.known = end;
        }
        self.at = end;
        Ok(read)
    }
}

impl Seek for Hashed {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = self.file.seek(to)?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bag;

    /// The hash after reading these ranges, one after the other.
    fn hash_of(ranges: &[(u64, usize)], in_order: bool) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        let content: Vec<u8> = (0..700_000_u32).map(|n| n.to_le_bytes()[n as usize % 3]).collect();
        storage::write_new(&path, &content).unwrap();
        let mut file = Hashed::open(&path).unwrap();
        file.in_order().set(in_order);
        for (from, bytes) in ranges {
            let mut found = vec![0; *bytes];
            file.seek(SeekFrom::Start(*from)).unwrap();
            file.read_exact(&mut found).unwrap();
            let from = usize::try_from(*from).unwrap();
            assert_eq!(found, content[from..from + bytes], "{from} {bytes}");
        }
        let hash = file.finish().unwrap();
        assert_eq!(hash, bag::sha256_of(&path).unwrap().sha256);
        hash
    }

    #[test]
    fn the_hash_is_that_of_the_whole_however_it_is_read() {
        for ranges in [
            &[][..],
            &[(0, 700_000)],
            &[(699_000, 1000), (0, 10), (5, 100), (50, 10), (90, 400_000), (600_000, 7)],
            &[(300_000, 10), (300_010, 10), (0, 20)],
        ] {
            assert_eq!(hash_of(ranges, false), hash_of(ranges, true));
        }
    }
}
