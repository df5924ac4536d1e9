//! The answer key: a JSON line for every row that a defect reaches.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use super::tables::Planted;
use super::value::{Row, Value};

/// An answer key that is being written.
pub(crate) struct Key {
    file: Option<BufWriter<File>>,
    lines: u64,
    entity: &'static str,
}

impl Key {
    /// Begins a key; without a path it only counts.
    pub(crate) fn create(path: Option<&Path>) -> io::Result<Self> {
        Ok(Self { file: path.map(create).transpose()?, lines: 0, entity: "" })
    }

    /// Names the table of the rows that follow.
    pub(crate) fn table(&mut self, entity: &'static str) {
        self.entity = entity;
    }

    /// Writes what was planted in the row at a position of its table.
    pub(crate) fn write(
        &mut self,
        row: &Row,
        position: u64,
        planted: &[Planted],
    ) -> io::Result<()> {
        for (defect, expect) in planted {
            self.lines += 1;
            let Some(file) = &mut self.file else { continue };
            let mut id = String::new();
            match row.get("id") {
                Some(Value::Raw(number)) => Value::Text(number.clone()).write(&mut id),
                Some(value) => value.write(&mut id),
                None => id.push_str("null"),
            }
            writeln!(
                file,
                "{{\"entity\":\"{}\",\"id\":{id},\"row\":{position},\"defect\":\"{}\",\
                 \"expect\":\"{expect}\"}}",
                self.entity,
                defect.name()
            )?;
        }
        Ok(())
    }

    /// Puts it on disk and says how many lines it has.
    pub(crate) fn finish(self) -> io::Result<u64> {
        if let Some(mut file) = self.file {
            file.flush()?;
        }
        Ok(self.lines)
    }
}

/// Creates a file, or empties the one that is there, and the folders above it.
pub(crate) fn create(path: &Path) -> io::Result<BufWriter<File>> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
    Ok(BufWriter::with_capacity(1 << 20, file))
}
