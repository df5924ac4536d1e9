//! Files that stay open: a growing log, and a lock.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::{create_folder, failed, is_still_at, parent_of, sync_folder};
use crate::error::{Error, Result};

/// A file of lines that only grows. A line that a kill cut off is dropped when it is opened again.
#[derive(Debug)]
pub struct Log {
    file: File,
    path: PathBuf,
}

impl Log {
    /// Opens or creates it, and gives the whole lines in it.
    ///
    /// # Errors
    /// The disk refuses, or it holds no text.
    pub fn open(path: &Path) -> Result<(Self, String)> {
        let is_new = !path.exists();
        let text = if is_new { String::new() } else { Self::read(path)? };
        let file = OpenOptions::new().create(true).append(true).open(path);
        let file = file.map_err(|error| failed(path, error))?;
        file.set_len(text.len() as u64).map_err(|error| failed(path, error))?;
        if is_new {
            sync_folder(&parent_of(path))?;
        }
        Ok((Self { file, path: path.to_owned() }, text))
    }

    /// The whole lines of such a file.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(path: &Path) -> Result<String> {
        let mut bytes = fs::read(path).map_err(|error| failed(path, error))?;
        bytes.truncate(bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1));
        String::from_utf8(bytes).map_err(|error| {
            Error::damaged("the file is no text").at(path.display()).because(error)
        })
    }

    /// Appends a line and waits until it is on disk.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn append(&mut self, line: &[u8]) -> Result<()> {
        let written = self.file.write_all(line).and_then(|()| self.file.sync_data());
        written.map_err(|error| failed(&self.path, error))
    }
}

/// A lock on a name: one process at a time, given back by the system when that ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
    path: PathBuf,
}

impl Lock {
    /// Takes the lock of a file, which it makes. A file that a killed run left behind is taken over.
    ///
    /// # Errors
    /// Another process holds it, or the disk refuses.
    pub fn take(path: &Path, busy: impl FnOnce() -> Error) -> Result<Self> {
        create_folder(&parent_of(path))?;
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path);
        let file = file.map_err(|error| failed(path, error))?;
        match file.try_lock() {
            Ok(()) if is_still_at(&file, path) => Ok(Self { _file: file, path: path.to_owned() }),
            Ok(()) | Err(fs::TryLockError::WouldBlock) => Err(busy()),
            Err(fs::TryLockError::Error(error)) => Err(failed(path, error)),
        }
    }

    /// Removes its file, while the lock still holds: whoever waits for it finds that it is gone.
    pub(super) fn remove(&self) {
        drop(fs::remove_file(&self.path));
    }
}
