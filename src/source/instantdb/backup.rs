//! The way by a backup: find or make one, and download what of it is read.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use super::is_plain;
use crate::error::{Error, Result, grouped};
use crate::instantdb::{BackupFile, Class, Client, Failure, Job, JobStatus};
use crate::progress::Progress;
use crate::storage;

/// The longest wait for a backup that is being made.
const PATIENCE: Duration = Duration::from_hours(2);

/// The id of the newest backup, if there is one.
pub(super) fn newest(client: &Client, progress: &dyn Progress) -> Result<Option<String>, Failure> {
    progress.begin("look for a backup", None);
    let found = client.backups()?.into_iter().next();
    progress.done(match &found {
        Some(backup) => backup.taken_at.as_deref().unwrap_or("1 backup"),
        None => "there is none",
    });
    Ok(found.map(|backup| backup.id))
}

/// Makes a backup and waits for it.
pub(super) fn fresh(client: &Client, progress: &dyn Progress) -> Result<Option<String>, Failure> {
    progress.begin("make a backup", None);
    let mut job = client.create_backup(crate::PROGRAM)?;
    let (mut pause, mut waited) = (Duration::from_secs(1), Duration::ZERO);
    loop {
        match (job.status, job.backup.take()) {
            (JobStatus::Completed, Some(backup)) => {
                progress.done("1 backup");
                return Ok(Some(backup));
            }
            (JobStatus::Waiting | JobStatus::Processing, _) if waited < PATIENCE => {}
            (status, _) => return Err(unmade(&job, status)),
        }
        client.sleep(pause);
        waited += pause;
        pause = (pause * 2).min(Duration::from_secs(10));
        job = client.backup_job(&job.id)?;
    }
}

fn unmade(job: &Job, status: JobStatus) -> Failure {
    let said = match status {
        JobStatus::Waiting | JobStatus::Processing => "the backup is still not made after 2 hours",
        JobStatus::Completed => "the server made a backup that it does not name",
        JobStatus::Errored => "the server failed to make a backup",
        JobStatus::Cancelled => "somebody stopped the making of the backup",
    };
    let error = Error::system(said)
        .at(format!("backup job {}", job.id))
        .help("run the same command again later, or take the newest backup there is");
    Failure::ended(Class::Fatal(error))
}

/// Downloads `config.json` and the tables of a backup into a folder.
pub(super) fn fetch(
    client: &Client,
    backup: &str,
    folder: &Path,
    progress: &dyn Progress,
) -> Result<()> {
    let files = read_files(client.backup_files(backup).map_err(Failure::into_error)?)?;
    storage::create_folder(&folder.join("entities"))?;
    progress.begin("download the backup", Some(files.len() as u64));
    let mut bytes = 0;
    for file in &files {
        bytes += client.download(backup, file, &folder.join(&file.name))?.bytes;
        progress.advance(1);
    }
    progress.done(&format!("{} files, {} bytes", grouped(files.len() as u64), grouped(bytes)));
    Ok(())
}

/// The files that are read, in the order they are listed.
fn read_files(files: Vec<BackupFile>) -> Result<Vec<BackupFile>> {
    let wrong = |said: &str| {
        Error::damaged(said).help("take a backup from the app's dashboard and name that file")
    };
    let (mut kept, mut names) = (Vec::new(), BTreeSet::new());
    for file in files {
        let table = file.name.strip_prefix("entities/");
        if table.is_none() && file.name != "config.json" {
            continue;
        }
        let entity = table.map(|table| table.strip_suffix(".jsonl").unwrap_or_default());
        if entity.is_some_and(|entity| !is_plain(entity)) {
            return Err(wrong("a file of the backup has a name that no table has").at(file.name));
        }
        if !names.insert(file.name.to_lowercase()) {
            return Err(wrong("a file of the backup is listed twice").at(file.name));
        }
        kept.push(file);
    }
    if !names.contains("config.json") {
        return Err(wrong("the backup has no `config.json`"));
    }
    Ok(kept)
}
