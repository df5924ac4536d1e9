//! Finds rows in Parquet files by one text, and reads only those rows.
//!
//! A page of texts is looked through as the bytes it is; only pages that may hold the text are decoded.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection,
};
use parquet::basic::Encoding;
use parquet::column::page::{Page, PageReader as _};
use parquet::file::serialized_reader::SerializedPageReader;
use parquet::file::statistics::Statistics;

use super::cell::{Cell, Record};
use crate::error::Result;
use crate::scan::{self, Row};
use crate::schema::Type;
use crate::storage;

/// A text to be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Needle {
    text: String,
    /// A UUID is the same in either case.
    folded: bool,
}

impl Needle {
    /// An id: a UUID in any case, any other text as it stands.
    pub(super) fn id(text: &str) -> Self {
        let folded = is_uuid(text);
        let text = if folded { text.to_ascii_lowercase() } else { text.to_owned() };
        Self { text, folded }
    }

    /// A text as it stands.
    pub(super) fn exact(text: &str) -> Self {
        Self { text: text.to_owned(), folded: false }
    }

    /// Whether a text is the one.
    pub(super) fn is(&self, text: &str) -> bool {
        if self.folded { self.text.eq_ignore_ascii_case(text) } else { self.text == text }
    }

    fn may_be_in(&self, bytes: &[u8]) -> bool {
        let text = self.text.as_bytes();
        if memchr::memmem::find(bytes, text).is_some() {
            return true;
        }
        // Most tables have no capitals in their ids, which is told faster than turned into lower case.
        let has_capitals = memchr::memchr3(b'A', b'B', b'C', bytes).is_some()
            || memchr::memchr3(b'D', b'E', b'F', bytes).is_some();
        self.folded
            && has_capitals
            && memchr::memmem::find(&bytes.to_ascii_lowercase(), text).is_some()
    }
}

/// Whether a text is a UUID of 36 characters.
pub(super) fn is_uuid(text: &str) -> bool {
    let is_right = |(at, byte): (usize, u8)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    text.len() == 36 && text.bytes().enumerate().all(is_right)
}

/// A Parquet file, open.
pub(super) struct Table {
    path: PathBuf,
    file: Arc<File>,
    metadata: ArrowReaderMetadata,
}

impl Table {
    /// Opens a file; `None` where there is none.
    pub(super) fn open(path: &Path) -> Result<Option<Self>> {
        if !path.exists() {
            return Ok(None);
        }
        let file = storage::open(path)?;
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let metadata = ArrowReaderMetadata::load(&file, options)
            .map_err(|error| scan::unreadable(path).because(error))?;
        Ok(Some(Self { path: path.to_owned(), file: Arc::new(file), metadata }))
    }

    /// How many rows it has.
    pub(super) fn rows(&self) -> usize {
        let rows = self.metadata.metadata().file_metadata().num_rows();
        usize::try_from(rows).unwrap_or_default()
    }

    /// The rows whose text in a column is this one, ascending.
    pub(super) fn find(&self, column: &str, needle: &Needle) -> Result<Vec<usize>> {
        let mut found = Vec::new();
        let Some(leaf) = self.leaf(column) else { return Ok(found) };
        for group in self.groups() {
            let spans = self.spans(leaf, &group, needle)?;
            self.visit(&[column], &group, &spans, &mut |row, values| {
                if values.text(0).is_some_and(|text| needle.is(text)) {
                    found.push(row);
                }
            })?;
        }
        Ok(found)
    }

    /// The rows whose whole number in a column is this one, ascending.
    pub(super) fn find_number(&self, column: &str, number: i64) -> Result<Vec<usize>> {
        let mut found = Vec::new();
        let Some(leaf) = self.leaf(column) else { return Ok(found) };
        for group in self.groups().into_iter().filter(|group| self.may_hold(leaf, group, number)) {
            let all = 0..group.rows.len();
            self.visit(&[column], &group, &[all], &mut |row, values| {
                if values.whole(0) == Some(number) {
                    found.push(row);
                }
            })?;
        }
        Ok(found)
    }

    /// Reads all columns of these rows, which ascend; `ty` gives a column's type.
    pub(super) fn records(&self, rows: &[usize], ty: &dyn Fn(&str) -> Type) -> Result<Vec<Record>> {
        let names: Vec<String> =
            self.metadata.schema().fields().iter().map(|field| field.name().clone()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        self.some(&names, rows, ty)
    }

    /// As [`Table::records`], of some columns.
    pub(super) fn some(
        &self,
        names: &[&str],
        rows: &[usize],
        ty: &dyn Fn(&str) -> Type,
    ) -> Result<Vec<Record>> {
        let mut found = Vec::new();
        for group in self.groups() {
            let inside = rows.iter().filter(|row| group.rows.contains(row));
            let spans: Vec<_> =
                inside.map(|row| row - group.rows.start).map(|at| at..at + 1).collect();
            self.visit(names, &group, &spans, &mut |row, values| {
                let cells = names
                    .iter()
                    .enumerate()
                    .map(|(at, name)| ((*name).to_owned(), Cell::of(values, at, ty(name))));
                found.push(Record { row, cells: cells.collect() });
            })?;
        }
        Ok(found)
    }

    fn leaf(&self, column: &str) -> Option<usize> {
        self.metadata.schema().index_of(column).ok()
    }

    fn groups(&self) -> Vec<Group> {
        let mut start = 0;
        let groups = self.metadata.metadata().row_groups().iter().enumerate();
        groups
            .map(|(at, group)| {
                let rows = usize::try_from(group.num_rows()).unwrap_or_default();
                let rows = start..start + rows;
                start = rows.end;
                Group { at, rows }
            })
            .collect()
    }

    /// The rows of a group, from its first, whose pages may hold a text.
    fn spans(&self, leaf: usize, group: &Group, needle: &Needle) -> Result<Vec<Range<usize>>> {
        let failed = |error| scan::unreadable(&self.path).because(error);
        let chunk = self.metadata.metadata().row_group(group.at).column(leaf);
        let rows = group.rows.len();
        let mut pages =
            SerializedPageReader::new(Arc::clone(&self.file), chunk, rows, None).map_err(failed)?;
        let (mut spans, mut start, mut in_dictionary) = (Vec::new(), 0, false);
        while let Some(page) = pages.get_next_page().map_err(failed)? {
            let may = match page.encoding() {
                _ if matches!(page, Page::DictionaryPage { .. }) => {
                    in_dictionary = needle.may_be_in(page.buffer());
                    continue;
                }
                Encoding::PLAIN => needle.may_be_in(page.buffer()),
                Encoding::RLE_DICTIONARY => in_dictionary,
                _ => true,
            };
            let end = (start + page.num_values() as usize).min(rows);
            if may {
                spans.push(start..end);
            }
            start = end;
        }
        Ok(spans)
    }

    /// Whether the least and the greatest number of a group leave room for this one.
    fn may_hold(&self, leaf: usize, group: &Group, number: i64) -> bool {
        let chunk = self.metadata.metadata().row_group(group.at).column(leaf);
        match chunk.statistics() {
            Some(Statistics::Int64(known)) => {
                known.min_opt().is_none_or(|least| *least <= number)
                    && known.max_opt().is_none_or(|greatest| number <= *greatest)
            }
            _ => true,
        }
    }

    /// Visits some columns of some rows of a group.
    fn visit(
        &self,
        names: &[&str],
        group: &Group,
        spans: &[Range<usize>],
        visit: &mut dyn FnMut(usize, Row<'_>),
    ) -> Result<()> {
        if spans.is_empty() {
            return Ok(());
        }
        let failed = |error| scan::unreadable(&self.path).because(error);
        let file = self.file.try_clone().map_err(|error| storage::failed(&self.path, error))?;
        let builder =
            ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone());
        let places = names.iter().filter_map(|name| self.leaf(name));
        let mask = ProjectionMask::roots(builder.parquet_schema(), places);
        let mut places = spans.iter().cloned().flatten();
        let selection =
            RowSelection::from_consecutive_ranges(spans.iter().cloned(), group.rows.len());
        let builder = builder
            .with_projection(mask)
            .with_row_groups(vec![group.at])
            .with_row_selection(selection)
            .with_batch_size(1024);
        for batch in builder.build().map_err(failed)? {
            let batch = batch.map_err(|error| scan::unreadable(&self.path).because(error))?;
            let batch = scan::Batch::of(&batch, names, 0);
            for (row, at) in batch.rows().zip(places.by_ref()) {
                visit(group.rows.start + at, row);
            }
        }
        Ok(())
    }
}

/// A row group: its place, and the rows of the file that it has.
struct Group {
    at: usize,
    rows: Range<usize>,
}
