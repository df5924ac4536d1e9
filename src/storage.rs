//! The only module that creates files. A file appears whole or not at all.

mod log;

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use sha2::{Digest as _, Sha256};

use crate::error::{Error, Result};
pub use log::{Lock, Log};

/// A folder that is being made beside its final place and appears there by one rename.
///
/// Dropped before [`Staged::commit`], it leaves nothing. A killed program leaves the hidden
/// partial folder and its lock, which the next [`Staged::begin`] for the same place takes over.
#[derive(Debug)]
pub struct Staged {
    partial: PathBuf,
    place: PathBuf,
    lock: Lock,
}

impl Staged {
    /// Begins a folder that will stand at `place`.
    ///
    /// # Errors
    /// `place` exists, another process is making it ([`Kind::Busy`](crate::error::Kind::Busy)), or the
    /// disk refuses.
    pub fn begin(place: &Path) -> Result<Self> {
        let name = place
            .file_name()
            .ok_or_else(|| Error::usage(format!("`{}` names no folder", place.display())))?;
        if place.symlink_metadata().is_ok() {
            return Err(Error::usage("the folder to write exists already")
                .at(place.display())
                .help("name another one, or remove it"));
        }
        let parent = parent_of(place);
        create_folder(&parent)?;
        let partial = parent.join(format!(".{}.partial", name.to_string_lossy()));
        let busy = || {
            Error::busy("another run is making this folder right now")
                .at(partial.display())
                .help("wait for it to end, or name another folder")
        };
        // Beside the folder, so that it holds until the folder is at its place.
        let lock = Lock::take(&partial.with_extension("lock"), busy)?;
        let staged = Self { partial: partial.clone(), place: place.to_owned(), lock };
        if place.symlink_metadata().is_ok() {
            return Err(busy());
        }
        remove_folder(&partial)?;
        create_folder(&partial)?;
        Ok(staged)
    }

    /// Where the folder is while it is being made.
    pub fn path(&self) -> &Path {
        &self.partial
    }

    /// Puts the folder, with everything in it on disk, to its place.
    ///
    /// # Errors
    /// The disk refuses; the place is then as it was.
    pub fn commit(self) -> Result<()> {
        sync_folders(&self.partial)?;
        fs::rename(&self.partial, &self.place).map_err(|error| failed(&self.place, error))?;
        sync_folder(&parent_of(&self.place))
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.partial));
        self.lock.remove();
    }
}

/// A file that another library makes beside its final place and that appears there by one rename.
///
/// Dropped before [`StagedFile::commit`], it leaves nothing. A killed program leaves the hidden
/// partial file, which the next [`StagedFile::begin`] for the same place empties.
#[derive(Debug)]
pub struct StagedFile {
    partial: PathBuf,
    place: PathBuf,
    file: File,
    syncing: Option<JoinHandle<io::Result<File>>>,
    committed: bool,
}

impl StagedFile {
    /// Begins an empty file that will stand at `place`.
    ///
    /// # Errors
    /// Another process is making it ([`Kind::Busy`](crate::error::Kind::Busy)), or the disk refuses.
    pub fn begin(place: &Path) -> Result<Self> {
        let name = place
            .file_name()
            .ok_or_else(|| Error::usage(format!("`{}` names no file", place.display())))?;
        let parent = parent_of(place);
        create_folder(&parent)?;
        let partial = parent.join(format!(".{}.partial", name.to_string_lossy()));
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&partial)
            .map_err(|error| failed(&partial, error))?;
        let held = match file.try_lock() {
            Ok(()) => is_still_at(&file, &partial),
            Err(fs::TryLockError::WouldBlock) => false,
            Err(fs::TryLockError::Error(error)) => return Err(failed(&partial, error)),
        };
        if !held {
            return Err(Error::busy("another run is making this file right now")
                .at(partial.display())
                .help("wait for it to end, or name another file"));
        }
        file.set_len(0).map_err(|error| failed(&partial, error))?;
        Ok(Self { partial, place: place.to_owned(), file, syncing: None, committed: false })
    }

    /// Puts on disk what is written so far, on a thread of its own, while it is read again: little is
    /// then left for [`StagedFile::commit`].
    ///
    /// # Errors
    /// The system gives no thread or no second handle.
    pub fn sync_beside(&mut self) -> Result<()> {
        let started = self.file.try_clone().and_then(|file| {
            // The handle lives until the commit: closing it would give up a lock on the file.
            let sync = move || file.sync_data().map(|()| file);
            std::thread::Builder::new().name("sync".to_owned()).spawn(sync)
        });
        self.syncing = Some(started.map_err(|error| failed(&self.partial, error))?);
        Ok(())
    }

    /// Where the file is while it is being made.
    pub fn path(&self) -> &Path {
        &self.partial
    }

    /// Puts the content on disk and the file to its place.
    ///
    /// # Errors
    /// The disk refuses; the place is then as it was.
    pub fn commit(mut self) -> Result<()> {
        let synced = self.syncing.take().map(JoinHandle::join);
        let synced =
            synced.map(|ended| ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        let synced = synced.transpose().and_then(|_| self.file.sync_all());
        synced.map_err(|error| failed(&self.partial, error))?;
        rename(&self.partial, &self.place)?;
        self.committed = true;
        Ok(())
    }
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        if !self.committed {
            drop(fs::remove_file(&self.partial));
        }
    }
}

/// Whether the locked file is the one the name leads to: the run that held it before may have
/// renamed or removed it in between.
#[cfg(unix)]
fn is_still_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(held), Ok(named)) => held.dev() == named.dev() && held.ino() == named.ino(),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_still_at(_file: &File, path: &Path) -> bool {
    path.exists()
}

/// What a finished file is: its size in bytes and its SHA-256 in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 of the content, 64 hexadecimal digits.
    pub sha256: String,
}

/// A new file that hashes what is written to it. It goes into a folder that is staged, or is
/// temporary: it is created under the name it is given.
#[derive(Debug)]
pub struct HashingFile {
    file: BufWriter<File>,
    path: PathBuf,
    hash: Sha256,
    bytes: u64,
    /// How much of it was put on disk, or is being put there, before the end.
    synced: u64,
    syncing: Option<JoinHandle<io::Result<()>>>,
}

/// Bytes after which the disk is set to work while the next ones are made: what is left at the end is
/// then little.
const SYNC_BYTES: u64 = 32 << 20;

impl HashingFile {
    /// Creates a file that does not exist yet, and the folders above it.
    ///
    /// # Errors
    /// It exists, or the disk refuses.
    pub fn create(path: &Path) -> Result<Self> {
        create_folder(&parent_of(path))?;
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(path)
            .map_err(|error| failed(path, error))?;
        let file = BufWriter::with_capacity(1 << 18, file);
        let (hash, syncing) = (Sha256::new(), None);
        Ok(Self { file, path: path.to_owned(), hash, bytes: 0, synced: 0, syncing })
    }

    /// Puts on disk what is written so far, on a thread of its own, one at a time.
    fn sync_beside(&mut self) -> io::Result<()> {
        if self.syncing.as_ref().is_some_and(|syncing| !syncing.is_finished()) {
            return Ok(());
        }
        self.sync_ended()?;
        let file = self.file.get_ref().try_clone()?;
        let sync = move || file.sync_data();
        self.syncing = Some(std::thread::Builder::new().name("sync".to_owned()).spawn(sync)?);
        self.synced = self.bytes;
        Ok(())
    }

    fn sync_ended(&mut self) -> io::Result<()> {
        let ended = self.syncing.take().map(JoinHandle::join);
        ended.map_or(Ok(()), |ended| ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    }

    /// Puts the content on disk and says what was written.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn finish(mut self) -> Result<Written> {
        self.file
            .flush()
            .and_then(|()| self.sync_ended())
            .and_then(|()| self.file.get_ref().sync_all())
            .map_err(|error| failed(&self.path, error))?;
        Ok(Written { bytes: self.bytes, sha256: hex(&self.hash.finalize()) })
    }
}

impl Write for HashingFile {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.file.write_all(buffer)?;
        self.hash.update(buffer);
        self.bytes += buffer.len() as u64;
        if self.bytes - self.synced >= SYNC_BYTES {
            self.sync_beside()?;
        }
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Gives a file that is read only a second place in a working folder: the same file where the file system
/// can, else a copy.
///
/// # Errors
/// There is a file at the second place, or the disk refuses.
pub fn share(from: &Path, to: &Path) -> Result<()> {
    create_folder(&parent_of(to))?;
    if fs::hard_link(from, to).is_ok() {
        return Ok(());
    }
    let mut copy = scratch(to)?;
    io::copy(&mut open(from)?, &mut copy).map(drop).map_err(|error| failed(to, error))
}

/// Creates a temporary file in a working folder: no hash, no sync.
///
/// # Errors
/// It exists, or the disk refuses.
pub fn scratch(path: &Path) -> Result<File> {
    create_folder(&parent_of(path))?;
    let made = OpenOptions::new().write(true).create_new(true).open(path);
    made.map_err(|error| failed(path, error))
}

/// Writes a small new file and says what was written.
///
/// # Errors
/// It exists, or the disk refuses.
pub fn write_new(path: &Path, content: &[u8]) -> Result<Written> {
    let mut file = HashingFile::create(path)?;
    file.write_all(content).map_err(|error| failed(path, error))?;
    file.finish()
}

/// Writes a small file in one step: what stands at `path` is the old content or the new one.
///
/// # Errors
/// The disk refuses; the old content then stands.
pub fn replace(path: &Path, content: &[u8]) -> Result<()> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    // Two programs may do this at once; the last one stands.
    let (name, process) = (name.unwrap_or_default(), std::process::id());
    let partial = path.with_file_name(format!(".{name}.{process}.partial"));
    remove_if_there(&partial)?;
    write_new(&partial, content)?;
    rename(&partial, path)
}

/// Renames a finished file to its final place, replacing what stands there, and puts that on disk.
///
/// # Errors
/// The disk refuses; the place is then as it was.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).map_err(|error| failed(to, error))?;
    sync_folder(&parent_of(to))
}

/// Removes a file that may be there.
///
/// # Errors
/// It is there and cannot be removed.
pub fn remove_if_there(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(path, error)),
        _ => Ok(()),
    }
}

/// Removes a folder of temporary files and everything in it.
///
/// # Errors
/// The disk refuses.
pub fn remove_folder(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(path, error)),
        _ => Ok(()),
    }
}

/// Makes a folder and those above it, where they are missing.
///
/// # Errors
/// The disk refuses.
pub fn create_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|error| failed(path, error))
}

/// Opens a file for reading.
///
/// # Errors
/// It is missing or cannot be read.
pub fn open(path: &Path) -> Result<File> {
    File::open(path).map_err(|error| failed(path, error))
}

/// Reads a small text file.
///
/// # Errors
/// It is missing, cannot be read, or is no UTF-8.
pub fn read_text(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|error| failed(path, error))
}

/// An IO failure at a path, in the user's terms.
pub fn failed(path: &Path, error: io::Error) -> Error {
    let said = match error.kind() {
        io::ErrorKind::NotFound => "there is no such file or folder".to_owned(),
        io::ErrorKind::PermissionDenied => "the permission is missing".to_owned(),
        io::ErrorKind::StorageFull => "the disk is full".to_owned(),
        _ => format!("the disk or the file system failed: {error}"),
    };
    let failure = Error::system(said).at(path.display());
    match error.kind() {
        io::ErrorKind::StorageFull => failure
            .help("free some room and run the same command again: nothing was left half-written")
            .because(error),
        _ => failure.because(error),
    }
}

/// Hexadecimal digits of some bytes.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Where a file that need not exist yet is to stand: where links lead to.
///
/// # Errors
/// A folder, a pipe or a device stands there.
pub fn place_of_file(path: &Path) -> Result<PathBuf> {
    let is_link = path.symlink_metadata().is_ok_and(|meta| meta.is_symlink());
    let place = if is_link { full_path(path) } else { path.to_owned() };
    match place.metadata() {
        Ok(meta) if meta.is_dir() => Err(Error::usage("a folder stands where the file goes")
            .at(path.display())
            .help("name a file")),
        Ok(meta) if !meta.is_file() => Err(Error::usage("what stands there is no plain file")
            .at(path.display())
            .help("name a file; this one is left as it is")),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(path, error)),
        _ => Ok(place),
    }
}

/// The one full path of a file that need not exist, with links followed.
pub fn full_path(path: &Path) -> PathBuf {
    let mut full = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    // As many as Linux follows.
    for _ in 0..40 {
        let Ok(to) = fs::read_link(&full) else { break };
        full = parent_of(&full).join(to);
    }
    if let Ok(real) = fs::canonicalize(&full) {
        return real;
    }
    match (full.parent().map(fs::canonicalize), full.file_name()) {
        (Some(Ok(parent)), Some(name)) => parent.join(name),
        _ => full,
    }
}

fn parent_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn sync_folders(root: &Path) -> Result<()> {
    for entry in fs::read_dir(root).map_err(|error| failed(root, error))? {
        let path = entry.map_err(|error| failed(root, error))?.path();
        if path.symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
            sync_folders(&path)?;
        }
    }
    sync_folder(root)
}

fn sync_folder(path: &Path) -> Result<()> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(|error| failed(path, error))
}
