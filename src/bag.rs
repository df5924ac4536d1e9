//! BagIt 1.0 (RFC 8493): seals a folder so that `sha256sum -c manifest-sha256.txt` and
//! `bagit.py --validate` accept it, and checks one more strictly than BagIt asks.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Read;
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::thread;

use sha2::{Digest as _, Sha256};

use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::storage::{self, Written};
use crate::threads::side_by_side;

const DECLARATION: &str = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";
const MANIFEST: &str = "manifest-sha256.txt";
const TAG_MANIFEST: &str = "tagmanifest-sha256.txt";
/// Files that are hashed at a time at most: more would wait for the disk.
const MOST_FILES: usize = 8;

/// The files of a bag's payload while it is being made: path from the bag's root (`data/…`), and
/// what was written there.
pub type Payload = BTreeMap<String, Written>;

/// Seals a folder whose payload is written: the manifest comes last.
///
/// `info` becomes `bag-info.txt`, one `Label: value` a line; no date is written, so that the same
/// payload always gives the same bag.
///
/// # Errors
/// The disk refuses.
pub fn seal(root: &Path, payload: &Payload, info: &[(&str, String)]) -> Result<()> {
    let bytes: u64 = payload.values().map(|written| written.bytes).sum();
    let mut tags = Payload::new();
    let mut tag = |name: &str, text: &str| -> Result<()> {
        tags.insert(name.to_owned(), storage::write_new(&root.join(name), text.as_bytes())?);
        Ok(())
    };
    let mut lines = String::new();
    for (label, value) in info {
        // Writing to a `String` cannot fail.
        let _ = writeln!(lines, "{label}: {}", value.replace(['\n', '\r'], " "));
    }
    let _ = writeln!(lines, "Payload-Oxum: {bytes}.{}", payload.len());
    tag("bag-info.txt", &lines)?;
    tag("bagit.txt", DECLARATION)?;
    tag(MANIFEST, &manifest_text(payload))?;
    storage::write_new(&root.join(TAG_MANIFEST), manifest_text(&tags).as_bytes())?;
    Ok(())
}

fn manifest_text(files: &Payload) -> String {
    files.iter().map(|(path, written)| format!("{}  {path}\n", written.sha256)).collect()
}

/// The digest of a sealed folder: the SHA-256 of its payload manifest.
///
/// # Errors
/// The folder has no manifest.
pub fn digest(root: &Path) -> Result<String> {
    Ok(sha256_hex(storage::read_text(&root.join(MANIFEST))?.as_bytes()))
}

/// The payload of a sealed folder as its manifest lists it, for a copy to be sealed: what the files are
/// is taken from there, their sizes from the disk.
///
/// # Errors
/// The manifest cannot be read, or lists what is not there.
pub fn payload(root: &Path) -> Result<Payload> {
    let mut wrong = Vec::new();
    let mut payload = Payload::new();
    for (path, sha256) in manifest(root, MANIFEST, &mut wrong)? {
        let place = root.join(&path);
        let bytes = place.metadata().map_err(|error| storage::failed(&place, error))?.len();
        payload.insert(path, Written { bytes, sha256 });
    }
    match wrong.first() {
        None => Ok(payload),
        Some(line) => Err(Error::damaged("the manifest cannot be read").at(line)),
    }
}

/// Reads the description a sealed folder has of itself: a `what` of one of these format versions.
///
/// # Errors
/// It cannot be read, or is of another version.
pub fn description<M: serde::de::DeserializeOwned>(
    root: &Path,
    file: &str,
    (what, formats): (&str, RangeInclusive<u32>),
    format_of: fn(&M) -> u32,
) -> Result<M> {
    let path = root.join(file);
    let meta: M = serde_json::from_str(&storage::read_text(&path)?).map_err(|error| {
        Error::damaged(format!("the {what}'s description cannot be read"))
            .at(path.display())
            .help(format!("the {what} may be of a newer version of this program"))
            .because(error)
    })?;
    let found = format_of(&meta);
    if formats.contains(&found) {
        return Ok(meta);
    }
    let (oldest, newest) = (formats.start(), formats.end());
    let read = if oldest == newest { newest.to_string() } else { format!("{oldest} to {newest}") };
    Err(Error::usage(format!("the {what} has format {found}, this program reads {read}"))
        .at(path.display())
        .help("use the program version it names"))
}

/// SHA-256 of some bytes in hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    storage::hex(&Sha256::digest(bytes))
}

/// Whether a folder looks like a sealed one at all.
pub fn is_sealed(root: &Path) -> bool {
    root.join(MANIFEST).is_file() && root.join("bagit.txt").is_file()
}

/// Checks every file of a sealed folder against its manifests.
///
/// Beyond BagIt: no file under `data/` that the manifest does not list, no symbolic link, no two
/// names that differ by case alone, the declaration to the letter. Files beside the seal (reports,
/// imports, the embedded database) are not looked at.
///
/// # Errors
/// [`crate::error::Kind::Damaged`] with every difference found; or the disk fails.
pub fn check(root: &Path, progress: &dyn Progress) -> Result<()> {
    if !is_sealed(root) {
        return Err(Error::damaged("the folder is no sealed snapshot or bundle")
            .at(root.display())
            .help("name the folder that holds `bagit.txt` and `manifest-sha256.txt`"));
    }
    let mut wrong = Vec::new();
    if fs::read(root.join("bagit.txt")).ok().as_deref() != Some(DECLARATION.as_bytes()) {
        wrong.push("bagit.txt: is not the declaration this program writes".to_owned());
    }
    let tags = manifest(root, TAG_MANIFEST, &mut wrong)?;
    for name in ["bag-info.txt", "bagit.txt", MANIFEST] {
        if !tags.contains_key(name) {
            wrong.push(format!("{TAG_MANIFEST}: does not list `{name}`"));
        }
    }
    let payload = manifest(root, MANIFEST, &mut wrong)?;
    progress.begin("check", Some((tags.len() + payload.len()) as u64));
    let listed: Vec<(&String, &String)> = tags.iter().chain(&payload).collect();
    let size = |path: &str| root.join(path).metadata().map_or(0, |meta| meta.len());
    let sizes: Vec<u64> = listed.iter().map(|(path, _)| size(path)).collect();
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let found = side_by_side(cores.min(MOST_FILES), &sizes, |at| {
        let wrong = check_file(root, listed[at].0, listed[at].1);
        progress.advance(1);
        wrong
    })?;
    wrong.extend(found.into_iter().flatten());
    unlisted(root, &payload, &mut wrong)?;
    case_clashes(&payload, &mut wrong);
    progress.done(&format!("{} files", tags.len() + payload.len()));
    if wrong.is_empty() {
        return Ok(());
    }
    let places = wrong.iter().map(|line| format!("{}/{line}", root.display()));
    let mut error = Error::damaged("the sealed folder is not as it was sealed")
        .help("take it from a copy again, or make it again; never edit a sealed folder");
    error.at = places.collect();
    Err(error)
}

fn manifest(root: &Path, name: &str, wrong: &mut Vec<String>) -> Result<BTreeMap<String, String>> {
    let text = match storage::read_text(&root.join(name)) {
        Ok(text) => text,
        Err(error) if root.join(name).exists() => return Err(error),
        Err(_) => {
            wrong.push(format!("{name}: is missing"));
            return Ok(BTreeMap::new());
        }
    };
    let mut files = BTreeMap::new();
    for (at, line) in text.lines().enumerate() {
        let entry = line.split_once("  ").filter(|(hash, path)| {
            hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) && is_plain(path)
        });
        match entry {
            Some((hash, path)) => {
                if files.insert(path.to_owned(), hash.to_owned()).is_some() {
                    wrong.push(format!("{name}, line {}: lists `{path}` again", at + 1));
                }
            }
            None => wrong.push(format!("{name}, line {}: is no `<sha256>  <path>`", at + 1)),
        }
    }
    Ok(files)
}

fn is_plain(path: &str) -> bool {
    !path.starts_with('/')
        && path.split('/').all(|part| !part.is_empty() && part != ".." && part != ".")
}

/// What is wrong with one file of a bag.
fn check_file(root: &Path, path: &str, expected: &str) -> Result<Option<String>> {
    let place = root.join(path);
    Ok(match place.symlink_metadata() {
        Err(_) => Some(format!("{path}: is missing")),
        Ok(meta) if !meta.is_file() => Some(format!("{path}: is no plain file")),
        Ok(_) if sha256_of(&place)?.sha256 != expected.to_ascii_lowercase() => {
            Some(format!("{path}: its content has changed"))
        }
        Ok(_) => None,
    })
}

/// Hashes a file as it stands.
///
/// # Errors
/// It cannot be read.
pub fn sha256_of(path: &Path) -> Result<Written> {
    let mut file = storage::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 18];
    let mut bytes = 0;
    loop {
        let read = file.read(&mut buffer).map_err(|error| storage::failed(path, error))?;
        if read == 0 {
            return Ok(Written { bytes, sha256: storage::hex(&hash.finalize()) });
        }
        hash.update(&buffer[..read]);
        bytes += read as u64;
    }
}

fn unlisted(
    root: &Path,
    payload: &BTreeMap<String, String>,
    wrong: &mut Vec<String>,
) -> Result<()> {
    let mut folders = vec![PathBuf::from("data")];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        let place = root.join(&folder);
        for entry in fs::read_dir(&place).map_err(|error| storage::failed(&place, error))? {
            let entry = entry.map_err(|error| storage::failed(&place, error))?;
            let path = folder.join(entry.file_name());
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(path),
                _ => found.push(path.to_string_lossy().into_owned()),
            }
        }
    }
    found.sort();
    for path in found.iter().filter(|path| !payload.contains_key(*path)) {
        wrong.push(format!("{path}: is not listed in {MANIFEST}"));
    }
    Ok(())
}

fn case_clashes(payload: &BTreeMap<String, String>, wrong: &mut Vec<String>) {
    let mut folded: BTreeMap<String, &str> = BTreeMap::new();
    for path in payload.keys() {
        if let Some(other) = folded.insert(path.to_lowercase(), path) {
            wrong.push(format!("{path}: differs from `{other}` by case alone"));
        }
    }
}
