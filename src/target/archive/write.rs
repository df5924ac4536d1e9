//! The zip as a server restores it: `config.json`, `entities/*.jsonl` by name, `files/*`, the rest.
//!
//! The same bundle, source and options give the same bytes: times are 1980-01-01, the order is fixed.

use std::io::{BufReader, Seek, Write};
use std::path::Path;

use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, System, ZipWriter};

use super::content::{Content, Origin};
use super::lines::{self, Line};
use super::model::Model;
use super::rows::Rows;
use super::tally::Tally;
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::target::Plan;
use crate::target::faults::Faults;
use crate::{json, storage};

/// The archive's first file.
pub(super) const CONFIG: &str = "config.json";

/// The entity whose rows a file holds.
pub(super) fn entity_of(name: &str) -> Option<&str> {
    name.strip_prefix("entities/")?.strip_suffix(".jsonl")
}

/// How a file of a size is written; one that comes near 4 GiB gets a zip64 header.
pub(super) fn options(size: u64) -> SimpleFileOptions {
    SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::default())
        .system(System::Unix)
        .unix_permissions(0o644)
        .large_file(size >= 0xf000_0000)
}

/// Writes the whole archive.
///
/// # Errors
/// A source or the disk fails.
pub(super) fn write<W: Write + Seek>(
    out: W,
    place: &Path,
    content: &mut Content,
    (plan, progress): (&Plan, &dyn Progress),
) -> Result<W> {
    let failed = |error: ZipError| match error {
        ZipError::Io(error) => storage::failed(place, error),
        error => Error::bug("the archive cannot be written").because(error),
    };
    let mut zip = ZipWriter::new(out);
    zip.start_file(CONFIG, options(content.config.len() as u64)).map_err(failed)?;
    let write_failed = |error| storage::failed(place, error);
    zip.write_all(content.config.as_bytes()).map_err(write_failed)?;
    for (entity, origin) in content.entities(plan) {
        let bytes = content.tallies.get(&entity).map_or(0, |tally| tally.bytes);
        let name = format!("entities/{entity}.jsonl");
        if let (Origin::Copied(file), Some(app)) = (&origin, &mut content.app) {
            app.copy(file, &mut zip, &failed)?;
            continue;
        }
        zip.start_file(name, options(bytes)).map_err(failed)?;
        let mut lines = 0;
        content.each_line(&entity, &origin, plan, &mut |text| {
            lines += 1;
            if lines % 1000 == 0 {
                progress.advance(1000);
            }
            zip.write_all(text).map_err(write_failed)
        })?;
        progress.advance(lines % 1000);
    }
    for file in content.others() {
        if let Some(app) = &mut content.app {
            app.copy(&file, &mut zip, &failed)?;
        }
    }
    zip.finish().map_err(failed)
}

/// Passes the lines of a target table as they go into the archive, taking them into a tally; one that
/// is not kept begins anew with every line.
pub(super) fn target_lines(
    path: &Path,
    rows: &Rows<'_>,
    (tally, faults, is_kept): (&mut Tally, &mut Faults, bool),
    visit: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let mut out = Vec::new();
    let input = BufReader::new(storage::open(path)?);
    lines::each(input, &path.display().to_string(), &mut |text| {
        out.clear();
        rows.write(text, &mut out, tally, faults);
        if !is_kept {
            *tally = Tally::default();
        }
        visit(&out)
    })
}

/// A line of another entity without the links that are left out; nothing of a row without an id: the
/// server's restore ends at it (`S/restore.clj`), and what it is must be a link on an id that was never
/// created.
pub(super) fn stripped(entity: &str, text: &str, model: &Model, out: &mut Vec<u8>) {
    out.clear();
    let Some(line) = Line::parse(text).filter(|line| line.id().is_some()) else { return };
    out.extend_from_slice(b"{\"entity\":{");
    let mut first = true;
    for (label, raw) in &line.members {
        if model.dropped.contains(&(entity.to_owned(), label.to_string())) {
            continue;
        }
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
        json::write_string(label, out);
        out.push(b':');
        out.extend_from_slice(raw.as_bytes());
    }
    out.push(b'}');
    if let Some(time) = line.created_at {
        out.extend_from_slice(b",\"createdAt\":");
        out.extend_from_slice(time.as_bytes());
    }
    out.extend_from_slice(b"}\n");
}
