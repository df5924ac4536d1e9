//! Rows as JSON: archives, folders of lines, one envelope.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::Options;
use super::config::Head;
use super::key::create;
use super::schema::SERVER;
use super::sink::Sink;
use super::value::{Row, push};

/// The line of an archive.
fn archive_line(row: &Row, line: &mut String) {
    line.clear();
    line.push_str("{\"entity\":{");
    row.write_members(line);
    push(line, format_args!("}},\"createdAt\":{}}}\n", row.created));
}

/// The object of a kind that knows no line of its own for the row's time.
fn object(row: &Row, line: &mut String) {
    line.clear();
    line.push('{');
    row.write_members(line);
    push(line, format_args!(",\"{SERVER}\":{}}}", row.created));
}

/// A backup archive: a zip written from front to back.
pub(crate) struct Archive {
    zip: Option<ZipWriter<BufWriter<File>>>,
    options: SimpleFileOptions,
    line: String,
    block: Vec<u8>,
}

impl Archive {
    /// Begins the file with `config.json`.
    pub(crate) fn create(options: &Options, head: &Head) -> io::Result<Self> {
        let level = if options.sample { 9 } else { 1 };
        let entry = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(level))
            .last_modified_time(DateTime::default())
            .large_file(head.large);
        let mut zip = ZipWriter::new(create(&options.out)?);
        zip.start_file("config.json", entry)?;
        zip.write_all(head.config.as_bytes())?;
        Ok(Self { zip: Some(zip), options: entry, line: String::new(), block: Vec::new() })
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Some(zip) = &mut self.zip {
            zip.write_all(&self.block)?;
        }
        self.block.clear();
        Ok(())
    }
}

impl Sink for Archive {
    fn begin(&mut self, table: &'static str) -> io::Result<()> {
        if let Some(zip) = &mut self.zip {
            zip.start_file(format!("entities/{table}.jsonl"), self.options)?;
        }
        Ok(())
    }

    fn row(&mut self, row: Row) -> io::Result<()> {
        archive_line(&row, &mut self.line);
        self.block.extend_from_slice(self.line.as_bytes());
        if self.block.len() > 1 << 17 { self.flush() } else { Ok(()) }
    }

    fn end(&mut self) -> io::Result<()> {
        self.flush()
    }

    fn finish(&mut self) -> io::Result<()> {
        self.zip.take().map_or(Ok(()), |zip| zip.finish()?.flush())
    }
}

/// A folder of `<entity>.jsonl`.
pub(crate) struct Lines {
    folder: PathBuf,
    wrapped: bool,
    file: Option<BufWriter<File>>,
    line: String,
}

impl Lines {
    /// An unzipped archive.
    pub(crate) fn archive(out: &Path, head: &Head) -> io::Result<Self> {
        let mut config = create(&out.join("config.json"))?;
        config.write_all(head.config.as_bytes())?;
        config.flush()?;
        let folder = out.join("entities");
        Ok(Self { folder, wrapped: true, file: None, line: String::new() })
    }

    /// A folder of plain objects.
    pub(crate) fn plain(out: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(out)?;
        Ok(Self { folder: out.to_owned(), wrapped: false, file: None, line: String::new() })
    }
}

impl Sink for Lines {
    fn begin(&mut self, table: &'static str) -> io::Result<()> {
        self.file = Some(create(&self.folder.join(format!("{table}.jsonl")))?);
        Ok(())
    }

    fn row(&mut self, row: Row) -> io::Result<()> {
        if self.wrapped {
            archive_line(&row, &mut self.line);
        } else {
            object(&row, &mut self.line);
            self.line.push('\n');
        }
        self.file.as_mut().map_or(Ok(()), |file| file.write_all(self.line.as_bytes()))
    }

    fn end(&mut self) -> io::Result<()> {
        self.file.take().map_or(Ok(()), |mut file| file.flush())
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One file `{"payload":{"data":{…}}}`.
pub(crate) struct Dataset {
    file: BufWriter<File>,
    line: String,
    tables: u64,
    rows: u64,
}

impl Dataset {
    /// Begins the file.
    pub(crate) fn create(out: &Path) -> io::Result<Self> {
        let mut file = create(out)?;
        file.write_all(b"{\"payload\":{\"data\":{")?;
        Ok(Self { file, line: String::new(), tables: 0, rows: 0 })
    }
}

impl Sink for Dataset {
    fn begin(&mut self, table: &'static str) -> io::Result<()> {
        let comma = if self.tables > 0 { "," } else { "" };
        (self.tables, self.rows) = (self.tables + 1, 0);
        write!(self.file, "{comma}\n\"{table}\":[")
    }

    fn row(&mut self, row: Row) -> io::Result<()> {
        object(&row, &mut self.line);
        self.file.write_all(if self.rows > 0 { b",\n" } else { b"\n" })?;
        self.rows += 1;
        self.file.write_all(self.line.as_bytes())
    }

    fn end(&mut self) -> io::Result<()> {
        self.file.write_all(b"]")
    }

    fn finish(&mut self) -> io::Result<()> {
        self.file.write_all(b"\n}},\"success\":true}\n")?;
        self.file.flush()
    }
}
