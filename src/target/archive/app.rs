//! The source archive that everything but the target model is carried over from.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};

use zip::result::ZipError;
use zip::{ZipArchive, ZipWriter};

use super::lines;
use super::model;
use super::write::{CONFIG, entity_of, options};
use crate::app::Rules;
use crate::contract::Contract;
use crate::error::{Error, Result};
use crate::progress::Silent;
use crate::snapshot::SourceMeta;
use crate::{source, storage};

/// The largest `config.json` that is read, in bytes: the exporter's own limit.
const LARGEST: u64 = 64 << 20;

/// A source archive, as a zip or as its unzipped folder.
pub(super) struct App {
    place: PathBuf,
    /// Its schema.
    pub(super) schema: model::App,
    /// Its permission rules.
    pub(super) rules: Rules,
    /// Text of its `config.json`.
    pub(super) config: String,
    /// Its row counts, by entity.
    pub(super) counts: Vec<(String, u64)>,
    /// Its files in their order, `config.json` and folders left out.
    pub(super) files: Vec<Carried>,
    zip: Option<ZipArchive<BufReader<File>>>,
}

/// One file of a source archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Carried {
    /// Its name in the archive.
    pub(super) name: String,
    /// Its size in bytes.
    pub(super) size: u64,
    index: usize,
}

impl App {
    /// Opens the very archive that a snapshot was taken from.
    ///
    /// # Errors
    /// It cannot be read, or is another one.
    pub(super) fn open(place: &Path, meta: &SourceMeta, contract: &Contract) -> Result<Self> {
        let mut from = source::open(place)?;
        let found = from.identify(&Silent)?;
        if found.sha256 != meta.sha256 {
            return Err(Error::refused("this is not the archive that the snapshot was taken from")
                .at(format!("{}: SHA-256 {}", place.display(), found.sha256))
                .at(format!("the snapshot's `{}`: SHA-256 {}", meta.name, meta.sha256))
                .help("name the archive as it was exported, with `--source FILE`"));
        }
        let head = from.head(contract)?;
        let zip = if place.is_dir() { None } else { Some(open_zip(place)?) };
        let mut app = Self {
            place: place.to_owned(),
            schema: model::App {
                text: head.schema_text.unwrap_or_default(),
                schema: head.schema.unwrap_or_default(),
            },
            rules: head.app.rules,
            config: String::new(),
            counts: head.counts.unwrap_or_default(),
            files: Vec::new(),
            zip,
        };
        let mut files = app.list()?;
        let config = files.iter().position(|file| file.name == CONFIG);
        let config = config
            .map(|at| files.remove(at))
            .ok_or_else(|| Error::damaged("`config.json` is missing").at(place.display()))?;
        app.config = app.text(&config)?;
        app.files = files;
        Ok(app)
    }

    fn list(&mut self) -> Result<Vec<Carried>> {
        let Some(zip) = &self.zip else { return list_folder(&self.place) };
        let mut files = Vec::new();
        for index in 0..zip.len() {
            let entry = zip.by_index_data(index).map_err(|error| damaged(&self.place, error))?;
            let name = entry.name().map_err(|error| damaged(&self.place, error))?.into_owned();
            if entry.encrypted() {
                return Err(Error::refused("a file of the source archive is encrypted")
                    .at(format!("{}: {name}", self.place.display()))
                    .help("name a backup archive as InstantDB writes it"));
            }
            if !name.ends_with('/') {
                files.push((entry.header_start(), Carried { name, size: entry.size(), index }));
            }
        }
        files.sort_by_key(|(start, _)| *start);
        Ok(files.into_iter().map(|(_, file)| file).collect())
    }

    fn text(&mut self, file: &Carried) -> Result<String> {
        let place = self.at(file);
        let mut text = String::new();
        self.read(file, &mut |input| {
            input.take(LARGEST).read_to_string(&mut text).map_err(|error| broken(&place, error))?;
            Ok(())
        })?;
        Ok(text)
    }

    /// Where a file stands, for messages.
    pub(super) fn at(&self, file: &Carried) -> String {
        format!("{}: {}", self.place.display(), file.name)
    }

    /// Passes the content of a file; its checksum is checked when it is read to its end.
    ///
    /// # Errors
    /// It cannot be read, or what `visit` says.
    pub(super) fn read(
        &mut self,
        file: &Carried,
        visit: &mut dyn FnMut(&mut dyn Read) -> Result<()>,
    ) -> Result<()> {
        match &mut self.zip {
            Some(zip) => {
                let entry = zip.by_index(file.index);
                visit(&mut entry.map_err(|error| damaged(&self.place, error))?)
            }
            None => visit(&mut BufReader::new(storage::open(&self.place.join(&file.name))?)),
        }
    }

    /// Reads every byte of a file, for its checksum alone.
    ///
    /// # Errors
    /// It is damaged.
    pub(super) fn check(&mut self, file: &Carried) -> Result<()> {
        let place = self.at(file);
        self.read(file, &mut |input| {
            io::copy(input, &mut io::sink()).map_err(|error| broken(&place, error)).map(drop)
        })
    }

    /// Passes every line of an entity's file.
    ///
    /// # Errors
    /// It cannot be read, or what `visit` says.
    pub(super) fn lines(
        &mut self,
        file: &Carried,
        visit: &mut dyn FnMut(&str) -> Result<()>,
    ) -> Result<()> {
        let place = self.at(file);
        self.read(file, &mut |input| lines::each(input, &place, visit))
    }

    /// Copies a file into another archive: the bytes it is compressed to, where it is compressed.
    ///
    /// # Errors
    /// The disk fails.
    pub(super) fn copy<W: Write + Seek>(
        &mut self,
        file: &Carried,
        out: &mut ZipWriter<W>,
        failed: &dyn Fn(ZipError) -> Error,
    ) -> Result<()> {
        if let Some(zip) = &mut self.zip {
            let entry = zip.by_index_raw(file.index);
            let entry = entry.map_err(|error| damaged(&self.place, error))?;
            return out.raw_copy_file(entry).map_err(failed);
        }
        out.start_file(&file.name, options(file.size)).map_err(failed)?;
        let path = self.place.join(&file.name);
        let mut input = BufReader::new(storage::open(&path)?);
        io::copy(&mut input, out).map_err(|error| failed(ZipError::Io(error))).map(drop)
    }

    /// The files with rows, by entity.
    pub(super) fn entities(&self) -> Vec<(String, Carried)> {
        let files = self.files.iter();
        let mut found: Vec<_> = files
            .filter_map(|file| Some((entity_of(&file.name)?.to_owned(), file.clone())))
            .collect();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        found
    }
}

fn open_zip(place: &Path) -> Result<ZipArchive<BufReader<File>>> {
    let file = BufReader::with_capacity(1 << 18, storage::open(place)?);
    ZipArchive::new(file).map_err(|error| damaged(place, error))
}

fn list_folder(root: &Path) -> Result<Vec<Carried>> {
    let mut folders = vec![root.to_owned()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(|error| storage::failed(&folder, error))? {
            let path = entry.map_err(|error| storage::failed(&folder, error))?.path();
            let meta = path.metadata().map_err(|error| storage::failed(&path, error))?;
            if meta.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(root).unwrap_or(&path);
            let parts = name.components().map(|part| part.as_os_str().to_str());
            let parts: Option<Vec<&str>> = parts.collect();
            let name = parts
                .map(|parts| parts.join("/"))
                .ok_or_else(|| Error::usage("a file's name is no UTF-8 text").at(path.display()))?;
            files.push(Carried { name, size: meta.len(), index: 0 });
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

/// An archive that is no whole zip.
pub(super) fn damaged(place: &Path, error: ZipError) -> Error {
    match error {
        ZipError::Io(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
            storage::failed(place, error)
        }
        error => Error::damaged("the archive is no zip file, or is damaged")
            .at(place.display())
            .help("take it again")
            .because(error),
    }
}

/// A failing read of a file in an archive.
pub(super) fn broken(place: &str, error: io::Error) -> Error {
    Error::damaged("a file of the archive is damaged")
        .at(place)
        .help("take it again")
        .because(error)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::SeekFrom;

    use zip::write::FullFileOptions;
    use zip::{CompressionMethod, ExtraField};

    use super::*;

    const PAGE: usize = 1 << 16;
    static ZEROS: [u8; PAGE] = [0; PAGE];

    /// A file that keeps only what is not zero.
    #[derive(Default)]
    struct Holes {
        pages: BTreeMap<u64, Vec<u8>>,
        at: u64,
        len: u64,
    }

    impl Holes {
        /// What is left of the page at the cursor: its number, the place in it, and its bytes.
        fn here(&self, wanted: usize) -> (u64, usize, usize) {
            let inside = usize::try_from(self.at % PAGE as u64).unwrap();
            (self.at / PAGE as u64, inside, wanted.min(PAGE - inside))
        }
    }

    impl Write for Holes {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let (page, inside, length) = self.here(bytes.len());
            let bytes = &bytes[..length];
            if self.pages.contains_key(&page) || *bytes != ZEROS[..length] {
                let kept = self.pages.entry(page).or_insert_with(|| ZEROS.to_vec());
                kept[inside..inside + length].copy_from_slice(bytes);
            }
            self.at += length as u64;
            self.len = self.len.max(self.at);
            Ok(length)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Read for Holes {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let left = usize::try_from(self.len.saturating_sub(self.at)).unwrap_or(usize::MAX);
            let (page, inside, length) = self.here(out.len().min(left));
            let kept = self.pages.get(&page).map_or(&ZEROS[..], |page| page);
            out[..length].copy_from_slice(&kept[inside..inside + length]);
            self.at += length as u64;
            Ok(length)
        }
    }

    impl Seek for Holes {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.at = match to {
                SeekFrom::Start(at) => at,
                SeekFrom::End(by) => self.len.strict_add_signed(by),
                SeekFrom::Current(by) => self.at.strict_add_signed(by),
            };
            Ok(self.at)
        }
    }

    /// Size, CRC, time in the local form, time in UTC, and how many ZIP64 fields.
    type Told = (u64, u32, Option<zip::DateTime>, Option<u32>, usize);

    fn told<R: Read + Seek>(zip: &mut ZipArchive<R>) -> BTreeMap<String, Told> {
        let mut found = BTreeMap::new();
        for index in 0..zip.len() {
            let mut entry = zip.by_index(index).unwrap();
            let utc = entry.extra_data_fields().find_map(|field| match field {
                ExtraField::ExtendedTimestamp(time) => time.mod_time(),
                _ => None,
            });
            let wide =
                |field: &&ExtraField| matches!(field, ExtraField::Zip64ExtendedInformation(_));
            let wide = entry.extra_data_fields().filter(wide).count();
            let name = entry.name().unwrap().into_owned();
            // The CRC is compared at the end of the content.
            let read = io::copy(&mut entry, &mut io::sink()).unwrap();
            assert_eq!(read, entry.size(), "{name}");
            found.insert(name, (read, entry.crc32(), entry.last_modified(), utc, wide));
        }
        found
    }

    /// instant-cli writes zips whose every entry has a ZIP64 field and a time in UTC.
    #[test]
    fn an_archive_past_4_gib_is_copied_as_it_is() {
        let huge = 4_400_000_000_u64;
        let time = zip::DateTime::from_date_and_time(2026, 8, 21, 10, 11, 12).unwrap();
        let options = || {
            let options: FullFileOptions<'_, '_> = FullFileOptions::default();
            let options = options.compression_method(CompressionMethod::Stored).large_file(true);
            let options = options.last_modified_time(time);
            options.with_extended_timestamp(Some(1_787_307_072), None, None).unwrap()
        };
        let mut zip = ZipWriter::new(Holes::default());
        zip.start_file("files/early", options()).unwrap();
        zip.write_all(b"early").unwrap();
        zip.start_file("files/huge", options()).unwrap();
        let zeros = vec![0; 1_000_000];
        for _ in 0..huge / 1_000_000 {
            zip.write_all(&zeros).unwrap();
        }
        zip.start_file("files/late", options()).unwrap();
        zip.write_all(b"late").unwrap();
        let made = zip.finish().unwrap();
        let place = tempfile::NamedTempFile::new().unwrap();
        let mut file = place.as_file();
        file.set_len(made.len).unwrap();
        for (page, bytes) in &made.pages {
            file.seek(SeekFrom::Start(page * PAGE as u64)).unwrap();
            let left = usize::try_from(made.len - page * PAGE as u64).unwrap_or(PAGE);
            file.write_all(&bytes[..left.min(PAGE)]).unwrap();
        }
        let mut app = App {
            place: place.path().to_owned(),
            schema: model::App::default(),
            rules: Rules::Unknown,
            config: String::new(),
            counts: Vec::new(),
            files: Vec::new(),
            zip: Some(open_zip(place.path()).unwrap()),
        };
        let mut out = ZipWriter::new(Holes::default());
        for file in app.list().unwrap() {
            app.copy(&file, &mut out, &|error| panic!("{error}")).unwrap();
        }
        let mut copy = ZipArchive::new(out.finish().unwrap()).unwrap();
        let (before, after) = (told(app.zip.as_mut().unwrap()), told(&mut copy));
        assert_eq!(after["files/huge"].0, huge);
        for (name, (size, crc, local, utc, _)) in &before {
            let is = &after[name];
            assert_eq!((size, crc, local, utc), (&is.0, &is.1, &is.2, &is.3), "{name}");
            assert!(is.4 <= 1, "{name} has {} ZIP64 fields", is.4);
            assert_eq!(*utc, Some(1_787_307_072), "{name}");
        }
        assert_eq!(before.len(), after.len());
    }
}
