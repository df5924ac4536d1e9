//! The server's own backups: list, make, download.

use std::io::{self, Read, Write as _};
use std::path::Path;

use reqwest::header::{CONTENT_ENCODING, HeaderValue};
use reqwest::{Response, Url};
use serde::Deserialize;

use super::Client;
use super::failure::Failure;
use super::gate::TRIES;
use super::send::Call;
use crate::error::{Error, Result, grouped};
use crate::secret::Secret;
use crate::storage::{self, HashingFile, Written};

/// A backup that can be downloaded.
#[derive(Debug, Clone, Deserialize)]
pub struct Backup {
    /// Its id.
    pub id: String,
    /// When it was taken, as the server says it.
    #[serde(default, rename = "backup_at")]
    pub taken_at: Option<String>,
}

/// How far the making of a backup is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobStatus {
    /// It has not begun.
    Waiting,
    /// It is being made.
    Processing,
    /// It can be downloaded.
    Completed,
    /// The server failed.
    Errored,
    /// Somebody stopped it.
    Cancelled,
}

/// The making of a backup.
#[derive(Debug, Clone, Deserialize)]
pub struct Job {
    /// Its id.
    pub id: String,
    /// The backup, once there is one.
    #[serde(default, rename = "app_backup_id")]
    pub backup: Option<String>,
    /// How far it is.
    #[serde(rename = "job_status")]
    pub status: JobStatus,
}

/// A file of a backup.
#[derive(Debug, Clone, Deserialize)]
pub struct BackupFile {
    /// Its name: `config.json`, or `entities/<entity>.jsonl`.
    pub name: String,
    /// Its size in bytes, packed or unpacked, when the server says it.
    #[serde(default)]
    pub size: Option<u64>,
}

#[derive(Deserialize)]
struct Backups {
    backups: Vec<Backup>,
}

#[derive(Deserialize)]
struct Started {
    job: Job,
}

#[derive(Deserialize)]
struct Files {
    files: Vec<BackupFile>,
}

#[derive(Deserialize)]
struct Signed {
    url: String,
}

fn read<T: for<'de> Deserialize<'de>>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok()
}

impl Client {
    /// The backups there are, newest first.
    ///
    /// # Errors
    /// The server cannot be reached, refuses, or answers something else.
    pub fn backups(&self) -> Result<Vec<Backup>, Failure> {
        let call = Call::get(&["dash", "apps", self.app_id(), "backups"]);
        self.again(&call, &|text| read::<Backups>(text).map(|found| found.backups))
    }

    /// Begins a backup. It does no harm twice, so it is repeated; the server makes one at a time.
    ///
    /// # Errors
    /// As [`Client::backups`].
    pub fn create_backup(&self, description: &str) -> Result<Job, Failure> {
        let body = serde_json::json!({ "description": description }).to_string();
        let call = Call::post(&["dash", "apps", self.app_id(), "backups"], body);
        self.again(&call, &|text| read::<Started>(text).map(|found| found.job))
    }

    /// How far the making of a backup is.
    ///
    /// # Errors
    /// As [`Client::backups`].
    pub fn backup_job(&self, id: &str) -> Result<Job, Failure> {
        let call = Call::get(&["dash", "apps", self.app_id(), "backup-jobs", id]);
        self.again(&call, &|text| read::<Started>(text).map(|found| found.job))
    }

    /// The files of a backup.
    ///
    /// # Errors
    /// As [`Client::backups`].
    pub fn backup_files(&self, backup: &str) -> Result<Vec<BackupFile>, Failure> {
        let call = Call::get(&["dash", "apps", self.app_id(), "backups", backup, "files"]);
        self.again(&call, &|text| read::<Files>(text).map(|found| found.files))
            .map_err(Failure::of_backup)
    }

    /// Where a file of a backup can be fetched for an hour; who knows the address may fetch it, so
    /// it is a secret.
    ///
    /// # Errors
    /// As [`Client::backups`].
    pub fn file_url(&self, backup: &str, name: &str) -> Result<Secret, Failure> {
        let route = ["dash", "apps", self.app_id(), "backups", backup, "file-url"];
        let call = Call::get(&route).with("name", name);
        self.again(&call, &|text| read::<Signed>(text).map(|found| Secret::new(found.url)))
            .map_err(Failure::of_backup)
    }

    /// Downloads a file of a backup to a place where nothing is, unpacked, and checks its size. A
    /// try that fails leaves nothing and asks for another address.
    ///
    /// # Errors
    /// The server refuses, all tries failed, or the disk does.
    pub fn download(&self, backup: &str, file: &BackupFile, to: &Path) -> Result<Written> {
        let mut tried = 0;
        loop {
            tried += 1;
            let url = self.file_url(backup, &file.name).map_err(Failure::into_error)?;
            let said = match self.fetch(&url, file, to) {
                Ok(written) => return Ok(written),
                Err(Stop::Disk(error)) => {
                    storage::remove_if_there(to)?;
                    return Err(error);
                }
                Err(Stop::Network(said)) => said,
            };
            storage::remove_if_there(to)?;
            if !self.back_off(tried) {
                let said =
                    format!("a file of the backup cannot be fetched in {TRIES} tries: {said}");
                return Err(Error::system(said)
                    .at(format!("backup {backup}: {}", file.name))
                    .help("run the same command again later"));
            }
        }
    }

    fn fetch(&self, url: &Secret, file: &BackupFile, to: &Path) -> Result<Written, Stop> {
        let broken = |_| Stop::from("its address is no URL that may be fetched");
        let url = Url::parse(url.expose()).map_err(broken)?;
        if !self.address.allows(&url) {
            return Err(Stop::from("its address is not encrypted"));
        }
        let files = self.files().map_err(|error| Stop::from(error.message.as_str()))?;
        let response = self.runtime.block_on(async { files.get(url).send().await });
        let response = response.map_err(|error| Stop::from(cause(&error)))?;
        if response.status().as_u16() != 200 {
            return Err(Stop::Network(format!("the store answers {}", response.status().as_u16())));
        }
        let packed = match response.headers().get(CONTENT_ENCODING).map(HeaderValue::as_bytes) {
            Some(b"zstd") => true,
            None | Some(b"identity") => false,
            Some(_) => return Err(Stop::from("it is packed in an unknown way")),
        };
        let mut body = Body { client: self, response, chunk: Vec::new(), at: 0, total: 0 };
        let written = if packed {
            let unpacked = zstd::stream::read::Decoder::new(&mut body);
            copy(unpacked.map_err(|_| Stop::from("it cannot be unpacked"))?, to)?
        } else {
            copy(&mut body, to)?
        };
        match file.size {
            Some(size) if size != written.bytes && size != body.total => Err(Stop::Network(
                format!("it has {} bytes of {}", grouped(written.bytes), grouped(size)),
            )),
            _ => Ok(written),
        }
    }
}

/// Why a download ended early.
enum Stop {
    Disk(Error),
    Network(String),
}

impl From<&str> for Stop {
    fn from(said: &str) -> Self {
        Self::Network(said.to_owned())
    }
}

fn cause(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() { "there was no answer in time" } else { "the connection failed" }
}

fn copy(mut from: impl Read, to: &Path) -> Result<Written, Stop> {
    let mut file = HashingFile::create(to).map_err(Stop::Disk)?;
    let mut buffer = vec![0; 1 << 17];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return file.finish().map_err(Stop::Disk),
            Ok(read) => file
                .write_all(&buffer[..read])
                .map_err(|error| Stop::Disk(storage::failed(to, error)))?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {
                return Err(Stop::from("the connection broke off"));
            }
            Err(_) => return Err(Stop::from("it is cut off or cannot be unpacked")),
        }
    }
}

/// The bytes of a download, as they come.
struct Body<'a> {
    client: &'a Client,
    response: Response,
    chunk: Vec<u8>,
    at: usize,
    total: u64,
}

impl Read for Body<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.chunk.len() {
            match self.client.runtime.block_on(self.response.chunk()) {
                Ok(Some(chunk)) => {
                    self.total += chunk.len() as u64;
                    (self.chunk, self.at) = (chunk.to_vec(), 0);
                }
                Ok(None) => return Ok(0),
                // The failure underneath may name the signed address.
                Err(_) => return Err(io::ErrorKind::ConnectionAborted.into()),
            }
        }
        let taken = buffer.len().min(self.chunk.len() - self.at);
        buffer[..taken].copy_from_slice(&self.chunk[self.at..self.at + taken]);
        self.at += taken;
        Ok(taken)
    }
}
