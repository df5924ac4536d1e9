//! Logical digests of legacy rows, with the ids that link files hold for them.

use std::path::Path;

use arrow::array::{Array, RecordBatch};
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;

use crate::bundle::{Bundle, read, value};
use crate::digest::{RowDigest, TableDigest, Value};
use crate::error::Result;
use crate::json;
use crate::schema::{Schema, Type};
use crate::snapshot::Extra;

/// Digests the rows of one legacy table, which come in their order.
pub(super) struct Digests {
    columns: Vec<(String, Type)>,
    links: Vec<Pairs>,
    row: RowDigest,
    /// The sum so far.
    pub(super) table: TableDigest,
}

impl Digests {
    pub(super) fn new(bundle: &Bundle, schema: &Schema, entity: &str) -> Result<Self> {
        let attrs = schema.entity(entity).map_or(&[][..], |entity| &entity.attrs);
        let mut columns = vec![("id".to_owned(), Type::String)];
        columns.extend(attrs.iter().map(|attr| (attr.name.clone(), attr.ty)));
        columns.extend(schema.columns_of(entity).map(|link| (link.label.clone(), Type::String)));
        let links = bundle.meta().residue_links.iter().filter(|links| links.entity == entity);
        let links = links.map(|links| Pairs::open(&links.label, &bundle.path(&links.file)));
        let links = links.collect::<Result<Vec<_>>>()?;
        Ok(Self { columns, links, row: RowDigest::default(), table: TableDigest::default() })
    }

    /// The digests of the rows of a batch.
    pub(super) fn add(&mut self, batch: &RecordBatch) -> Result<Vec<u128>> {
        let rows = read::whole(batch, Extra::ROW)?;
        let (extra, invalid) =
            (read::text(batch, Extra::EXTRA)?, read::text(batch, Extra::INVALID)?);
        let mut digests = Vec::with_capacity(batch.num_rows());
        for row in 0..batch.num_rows() {
            let mut aside: Vec<(String, String)> = Vec::new();
            for (name, column) in [(Extra::EXTRA, &extra), (Extra::INVALID, &invalid)] {
                if column.is_valid(row) {
                    let members = json::members(column.value(row)).unwrap_or_default();
                    let named = |(key, raw): (_, &str)| (format!("{name}.{key}"), raw.to_owned());
                    aside.extend(members.into_iter().map(named));
                }
            }
            for pairs in &mut self.links {
                let ids = pairs.of(rows.value(row))?;
                if !ids.is_empty() {
                    aside.push((pairs.label.clone(), id_set(ids)));
                }
            }
            let cells = self.columns.iter().filter_map(|(name, ty)| {
                Some((name.as_str(), value(batch.column_by_name(name)?, row, *ty)))
            });
            let aside = aside.iter().map(|(name, raw)| (name.as_str(), Value::Json(raw)));
            let digest = self.row.of(cells.chain(aside));
            self.table.add(digest);
            digests.push(digest);
        }
        Ok(digests)
    }
}

/// Ids as a sorted JSON array.
fn id_set(mut ids: Vec<String>) -> String {
    ids.sort_unstable();
    let mut out = vec![b'['];
    for (at, id) in ids.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        json::write_string(id, &mut out);
    }
    out.push(b']');
    String::from_utf8_lossy(&out).into_owned()
}

/// The pairs of one link file, in the order of the rows that hold them.
struct Pairs {
    label: String,
    reader: ParquetRecordBatchReader,
    path: std::path::PathBuf,
    batch: Option<RecordBatch>,
    at: usize,
}

impl Pairs {
    fn open(label: &str, path: &Path) -> Result<Self> {
        let reader = read::columns(path, None, None)?;
        Ok(Self { label: label.to_owned(), reader, path: path.to_owned(), batch: None, at: 0 })
    }

    /// The ids of a row; those of rows before it are passed over.
    fn of(&mut self, row: i64) -> Result<Vec<String>> {
        let mut found = Vec::new();
        loop {
            let Some(batch) = &self.batch else {
                self.batch = read::next(&mut self.reader, &self.path)?;
                self.at = 0;
                if self.batch.is_none() {
                    return Ok(found);
                }
                continue;
            };
            let (rows, to) = (read::whole(batch, Extra::ROW)?, read::text(batch, "to")?);
            while self.at < batch.num_rows() && rows.value(self.at) <= row {
                if rows.value(self.at) == row {
                    found.push(to.value(self.at).to_owned());
                }
                self.at += 1;
            }
            if self.at < batch.num_rows() {
                return Ok(found);
            }
            self.batch = None;
        }
    }
}
