//! Typed rows of one block as columns.

use std::sync::Arc;

use arrow::array::{
    ArrayBuilder, ArrayRef, BooleanBuilder, Float64Builder, Int64Builder, StringBuilder,
    TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Field};

use super::counts::Names;
use super::layout::TableLayout;
use super::row::{Pairs, Reader, TypedRow, write_object};
use super::types::Cell;
use crate::digest::{RowDigest, TableDigest, hex_digits};

/// Columns, and how many bytes they take, about.
pub(super) struct Made {
    /// The columns.
    pub(super) arrays: Vec<ArrayRef>,
    /// How many rows they have.
    pub(super) rows: usize,
    /// Bytes of their values.
    pub(super) bytes: usize,
}

enum Builder {
    Text(StringBuilder),
    Number(Float64Builder),
    Boolean(BooleanBuilder),
    Date(TimestampMicrosecondBuilder),
}

impl Builder {
    fn new(field: &Field) -> Self {
        match field.data_type() {
            DataType::Float64 => Builder::Number(Float64Builder::new()),
            DataType::Boolean => Builder::Boolean(BooleanBuilder::new()),
            DataType::Timestamp(..) => {
                Builder::Date(TimestampMicrosecondBuilder::new().with_timezone("UTC"))
            }
            _ => Builder::Text(StringBuilder::new()),
        }
    }

    /// Appends a cell and says how many bytes it takes.
    fn push(&mut self, cell: &Cell<'_>) -> usize {
        match (self, cell) {
            (Builder::Text(column), Cell::Text(text)) => {
                column.append_value(text);
                return text.len();
            }
            (Builder::Text(column), Cell::Json(text)) => {
                column.append_value(text);
                return text.len();
            }
            (Builder::Number(column), Cell::Number(number)) => column.append_value(*number),
            (Builder::Boolean(column), Cell::Boolean(value)) => column.append_value(*value),
            (Builder::Date(column), Cell::Date(micros)) => column.append_value(*micros),
            (Builder::Text(column), _) => column.append_null(),
            (Builder::Number(column), _) => column.append_null(),
            (Builder::Boolean(column), _) => column.append_null(),
            (Builder::Date(column), _) => column.append_null(),
        }
        8
    }

    fn take(&mut self) -> ArrayRef {
        match self {
            Builder::Text(column) => Arc::new(column.finish()),
            Builder::Number(column) => Arc::new(column.finish()),
            Builder::Boolean(column) => Arc::new(column.finish()),
            Builder::Date(column) => Arc::new(column.finish()),
        }
    }
}

/// Rows of one table.
pub(super) struct TableBatch {
    declared: Vec<Builder>,
    row: Int64Builder,
    server: Int64Builder,
    extra: StringBuilder,
    invalid: StringBuilder,
    digest: StringBuilder,
    bytes: usize,
    /// The digests of its rows.
    pub(super) digests: TableDigest,
    /// The undeclared attributes.
    pub(super) extras: Names,
    /// The attributes that did not fit.
    pub(super) invalids: Names,
}

/// What is used again from row to row.
#[derive(Default)]
pub(super) struct Scratch {
    /// Reads the rows.
    pub(super) reader: Reader,
    /// For rows that are not ordinary.
    pub(super) digest: RowDigest,
    /// For a text that is put together.
    pub(super) text: Vec<u8>,
}

impl TableBatch {
    /// Begins with no row.
    pub(super) fn new(layout: &TableLayout) -> Self {
        let own = &layout.columns.fields()[..layout.declared];
        Self {
            declared: own.iter().map(|field| Builder::new(field)).collect(),
            row: Int64Builder::new(),
            server: Int64Builder::new(),
            extra: StringBuilder::new(),
            invalid: StringBuilder::new(),
            digest: StringBuilder::new(),
            bytes: 0,
            digests: TableDigest::default(),
            extras: Names::default(),
            invalids: Names::default(),
        }
    }

    /// Appends the row `at` of the table; `server` is its creation time in the store.
    pub(super) fn push(
        &mut self,
        row: &TypedRow<'_>,
        (at, server): (i64, Option<i64>),
        layout: &TableLayout,
        scratch: &mut Scratch,
    ) {
        for (column, cell) in self.declared.iter_mut().zip(&row.cells) {
            self.bytes += column.push(cell);
        }
        self.row.append_value(at);
        self.server.append_option(server);
        for (name, _, declared) in &row.extra {
            if !declared {
                self.extras.add(name);
            }
        }
        for (name, _) in &row.invalid {
            self.invalids.add(name);
        }
        let extra = row.extra.iter().map(|(name, raw, _)| (name.as_ref(), *raw));
        self.bytes += push_object(&mut self.extra, extra, &mut scratch.text);
        let invalid = row.invalid.iter().map(|(name, raw)| (name.as_ref(), raw.as_ref()));
        self.bytes += push_object(&mut self.invalid, invalid, &mut scratch.text);
        let digest = row.digest(layout, scratch);
        self.digest.append_value(str::from_utf8(&hex_digits(digest)).unwrap_or_default());
        self.digests.add(digest);
        self.bytes += 48;
    }

    /// The columns of its rows.
    pub(super) fn take(&mut self) -> Made {
        let rows = self.row.len();
        let mut arrays: Vec<ArrayRef> = self.declared.iter_mut().map(Builder::take).collect();
        arrays.push(Arc::new(self.row.finish()));
        arrays.push(Arc::new(self.server.finish()));
        arrays.push(Arc::new(self.extra.finish()));
        arrays.push(Arc::new(self.invalid.finish()));
        arrays.push(Arc::new(self.digest.finish()));
        Made { arrays, rows, bytes: std::mem::take(&mut self.bytes) }
    }
}

fn push_object<'m>(
    column: &mut StringBuilder,
    members: impl ExactSizeIterator<Item = (&'m str, &'m str)>,
    text: &mut Vec<u8>,
) -> usize {
    if members.len() == 0 {
        column.append_null();
        return 0;
    }
    write_object(members, text);
    column.append_value(String::from_utf8_lossy(text));
    text.len()
}

/// Pairs of one link.
#[derive(Default)]
pub(super) struct LinksBatch {
    from: StringBuilder,
    to: StringBuilder,
    row: Int64Builder,
    index: Int64Builder,
    bytes: usize,
}

impl LinksBatch {
    /// Appends the pairs of the row `at`, whose id is `from`.
    pub(super) fn push(&mut self, from: Option<&str>, at: i64, pairs: &Pairs<'_>) {
        for (index, to) in (0..).zip(&pairs.ids) {
            self.from.append_option(from);
            self.to.append_value(to);
            self.row.append_value(at);
            self.index.append_value(index);
            self.bytes += from.map_or(0, str::len) + to.len() + 16;
        }
    }

    /// The columns of its pairs.
    pub(super) fn take(&mut self) -> Made {
        let rows = self.row.len();
        let arrays: Vec<ArrayRef> = vec![
            Arc::new(self.from.finish()),
            Arc::new(self.to.finish()),
            Arc::new(self.row.finish()),
            Arc::new(self.index.finish()),
        ];
        Made { arrays, rows, bytes: std::mem::take(&mut self.bytes) }
    }
}
