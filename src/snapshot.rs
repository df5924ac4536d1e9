//! A sealed snapshot: the source's tables as Parquet, typed by the contract, with nothing lost.
//!
//! ```text
//! data/snapshot.json            what it is, where it came from, what it holds
//! data/schema.json              the app's InstantDB schema, when the source carries one
//! data/app.json                 its permission rules, webhooks and emails, as far as the source knows them
//! data/tables/<entity>.parquet  the legacy tables, and the target tables that exist already
//! data/links/<entity>.<label>.parquet  links no column of those tables holds: (`from`, `to`);
//!                               lower-cased, with a number where two names would be alike
//! ```
//!
//! A table has `id`, a column per declared attribute, a column per declared has-one link (the id as
//! text), then the columns of [`Extra`]. Rows stand in the order of the source.

mod batch;
mod block;
mod clashes;
mod counts;
mod dates;
mod flow;
mod labels;
mod layout;
mod rebuild;
mod row;
mod tables;
mod take;
mod types;
mod write;
mod zones;

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use arrow::datatypes::{DataType, Field, Schema as Columns, TimeUnit};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use serde::{Deserialize, Serialize};

use crate::app::AppSettings;
use crate::bag;
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::schema::{Link, Schema, Type};
pub use crate::source::SourceMeta;
use crate::storage;

pub(crate) use counts::OTHER_NAMES;
pub(crate) use dates::number_date;
pub use dates::{ParsedDate, parse_date};
pub(crate) use rebuild::{Member, Rebuild, Rebuilt, object};
pub use take::take;
pub(crate) use take::taken;
pub(crate) use write::Table as TableFile;

/// What is known of the app around the rows.
const APP: &str = "data/app.json";

/// Version of the snapshot format.
pub const FORMAT: u32 = 1;
/// Version of the format of a snapshot some of whose rows were replaced: it has [`Meta::replays`].
pub const REPLAYED: u32 = 2;

/// The columns every table has beside its declared ones.
#[derive(Debug)]
pub struct Extra;

impl Extra {
    /// `Int64`: position of the row in the source's table, from 0.
    pub const ROW: &str = "_row";
    /// `Int64`, nullable: creation time of the row in the store, epoch milliseconds.
    pub const SERVER: &str = "_server_created_at";
    /// `Utf8`, nullable: JSON object of what the columns alone cannot rebuild: undeclared
    /// attributes, and a declared one whose column holds it in another form.
    pub const EXTRA: &str = "_extra";
    /// `Utf8`, nullable: JSON object of declared attributes and links whose value did not fit, as
    /// they were; their column is null. A key that stood twice has the array of its values.
    pub const INVALID: &str = "_invalid";
    /// `Utf8`: logical digest of the row (32 hexadecimal digits) over all of it but `_row` and
    /// `_server_created_at`; members of `_extra` and `_invalid` take part as `_extra.<name>`,
    /// `_invalid.<name>`.
    pub const DIGEST: &str = "_digest";
}

/// `data/snapshot.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meta {
    /// [`FORMAT`], or [`REPLAYED`].
    pub format: u32,
    /// Program and version, as `rethread 0.2.0`.
    pub program: String,
    /// Where the rows came from.
    pub source: SourceMeta,
    /// The ledger of rows that were corrected since, first to last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replays: Vec<Replay>,
    /// The tables, legacy ones first, each side in contract order.
    pub tables: Vec<TableMeta>,
    /// The link files.
    pub links: Vec<LinksMeta>,
    /// What the contract does not name.
    pub unmapped: Unmapped,
}

/// Rows that were corrected and taken back in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    /// Digest of the snapshot whose rows were replaced.
    pub snapshot: String,
    /// Digest of the bundle that had set them aside.
    pub bundle: String,
    /// SHA-256 of the file of corrections.
    pub fixes: String,
    /// The rows, by entity and place.
    pub rows: Vec<Replaced>,
}

/// A row that was replaced.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replaced {
    /// Its entity.
    pub entity: String,
    /// Its place in the source's table.
    pub row: u64,
    /// Its logical digest before.
    pub from: String,
    /// Its logical digest now.
    pub to: String,
}

/// One table of a snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableMeta {
    /// The entity.
    pub entity: String,
    /// `legacy` or `target`.
    pub side: String,
    /// Path from the snapshot's root.
    pub file: String,
    /// How many rows.
    pub rows: u64,
    /// Whether the source had the entity at all.
    pub present: bool,
    /// Name and type (`string number boolean date any link`) of every declared column.
    pub columns: Vec<(String, String)>,
    /// Logical digest of the table: sum of its `_digest`s.
    pub digest: String,
    /// Rows with something in `_invalid`, by attribute.
    pub invalid: Vec<(String, u64)>,
}

/// One link file of a snapshot. Its columns: `from` `Utf8` (id of a row of `entity`; null when the
/// row has none), `to` `Utf8`
/// (id of a row of `target`), `_row` `Int64` (row of `entity` that held it), `_index` `Int64`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinksMeta {
    /// The entity whose rows hold the link.
    pub entity: String,
    /// The label there.
    pub label: String,
    /// The entity the ids belong to, when the source or the contract says it.
    pub target: String,
    /// `declared` when the contract's model has this link (held from its reverse side, or
    /// has-many), `carried` when it is a link of the app that the contract does not name, with a
    /// legacy or target entity at one end or at both.
    pub role: String,
    /// Whether a row of `entity` holds at most one.
    pub has_one: bool,
    /// The label that `target` sees the link by, when it has one; unknown of an older snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_as: Option<String>,
    /// Whether the link is declared on `target`, and `entity` is its reverse side.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_reverse: bool,
    /// Path from the snapshot's root.
    pub file: String,
    /// How many pairs.
    pub rows: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl LinksMeta {
    /// Whether it holds a link of the contract's models from its reverse side, under the contract's
    /// label or under the app's.
    pub fn is_back_of(&self, link: &Link) -> bool {
        let by_label = link.back() == Some((&self.entity, &self.label));
        let by_other = self.is_reverse && self.seen_as.as_ref() == Some(&link.label);
        self.role == "declared"
            && self.entity == link.to
            && self.target == link.on
            && (by_label || by_other)
    }
}

/// What a contract does not name.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unmapped {
    /// Entities of the app and their rows.
    pub entities: Vec<(String, u64)>,
    /// Undeclared attributes (entity, attribute) and how many rows have them.
    pub attrs: Vec<(String, String, u64)>,
}

/// A snapshot whose seal was checked.
#[derive(Debug, Clone)]
pub struct Snapshot {
    root: PathBuf,
    meta: Meta,
    digest: String,
}

impl Snapshot {
    /// Opens a snapshot after checking every byte of it, and its row counts against the Parquet
    /// footers.
    ///
    /// # Errors
    /// [`crate::error::Kind::Damaged`] when it is not as it was sealed.
    pub fn open(root: &Path, progress: &dyn Progress) -> Result<Self> {
        bag::check(root, progress)?;
        let meta: Meta = bag::description(
            root,
            "data/snapshot.json",
            ("snapshot", FORMAT..=REPLAYED),
            |meta: &Meta| meta.format,
        )?;
        let counted = meta.tables.iter().map(|table| (&table.file, table.rows));
        for (file, rows) in counted.chain(meta.links.iter().map(|links| (&links.file, links.rows)))
        {
            check_rows(&root.join(file), rows)?;
        }
        Ok(Self { root: root.to_owned(), digest: bag::digest(root)?, meta })
    }

    /// What a snapshot says about itself, without its files: nothing was checked, and no file is found.
    ///
    /// # Errors
    /// The description cannot be read.
    pub(crate) fn outline(root: &Path) -> Result<Self> {
        let format = |meta: &Meta| meta.format;
        let described = ("snapshot", FORMAT..=REPLAYED);
        let meta = bag::description(root, "data/snapshot.json", described, format)?;
        // Below a file there is none.
        Ok(Self { root: root.join("bagit.txt"), meta, digest: bag::digest(root)? })
    }

    /// Its folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What it says about itself.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// SHA-256 of its manifest.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The table of an entity.
    pub fn table(&self, entity: &str) -> Option<&TableMeta> {
        self.meta.tables.iter().find(|table| table.entity == entity)
    }

    /// What is known of the app around the rows; of a snapshot of an older program, nothing.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn app(&self) -> Result<AppSettings> {
        let place = self.path(APP);
        if !place.exists() {
            return Ok(AppSettings::default());
        }
        serde_json::from_str(&storage::read_text(&place)?).map_err(|error| {
            Error::damaged("what is said of the app is not readable")
                .at(place.display())
                .because(error)
        })
    }

    /// Where a file of it stands.
    pub fn path(&self, file: &str) -> PathBuf {
        self.root.join(file)
    }
}

/// What a snapshot says about itself and the SHA-256 of its manifest, without a look at its files:
/// enough to find something in it, never to trust it.
///
/// # Errors
/// The description cannot be read.
pub fn described(root: &Path) -> Result<(Meta, String)> {
    let what = ("snapshot", FORMAT..=REPLAYED);
    let meta = bag::description(root, "data/snapshot.json", what, |meta: &Meta| meta.format)?;
    Ok((meta, bag::digest(root)?))
}

/// Compares the rows a description gives with those the Parquet footer gives.
///
/// # Errors
/// They differ, or the file is no Parquet.
pub fn check_rows(path: &Path, rows: u64) -> Result<()> {
    let found = parquet_rows(path)?;
    if found == rows {
        return Ok(());
    }
    Err(Error::damaged(format!("the table has {found} rows, its description says {rows}"))
        .at(path.display())
        .help("take it from a copy again, or make it again"))
}

fn parquet_rows(path: &Path) -> Result<u64> {
    let reader = SerializedFileReader::new(storage::open(path)?)
        .map_err(|error| not_parquet(path).because(error))?;
    u64::try_from(reader.metadata().file_metadata().num_rows()).map_err(|_| not_parquet(path))
}

fn not_parquet(path: &Path) -> Error {
    Error::damaged("the table is no readable Parquet file").at(path.display())
}

/// Opens a Parquet file for reading by arrow.
///
/// # Errors
/// It is missing or no Parquet.
pub fn scan(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<std::fs::File>> {
    ParquetRecordBatchReaderBuilder::try_new(storage::open(path)?)
        .map_err(|error| not_parquet(path).because(error))
}

/// Bytes of decoded rows a batch aims at.
const BATCH_BYTES: u64 = 8 << 20;
/// Rows of a batch at most.
const BATCH_ROWS: u64 = 8192;

/// How many rows of some columns to read at a time, so that a batch of the widest row group keeps to
/// a few megabytes.
pub fn batch_rows(metadata: &ParquetMetaData, columns: &ProjectionMask) -> usize {
    let groups = metadata.row_groups().iter().filter(|group| group.num_rows() > 0);
    let widest = groups.map(|group| {
        let bytes: i64 = (0..group.num_columns())
            .filter(|column| columns.leaf_included(*column))
            .map(|column| group.column(column).uncompressed_size())
            .sum();
        u64::try_from(bytes / group.num_rows()).unwrap_or_default().max(1)
    });
    let rows = widest.max().map_or(BATCH_ROWS, |bytes| (BATCH_BYTES / bytes).clamp(1, BATCH_ROWS));
    usize::try_from(rows).unwrap_or(1)
}

/// The declared columns of an entity's table: `id`, attributes, has-one links.
pub fn declared(schema: &Schema, entity: &str) -> Vec<Field> {
    let attrs = schema.entity(entity).map_or(&[][..], |entity| &entity.attrs);
    std::iter::once(Field::new("id", DataType::Utf8, true))
        .chain(attrs.iter().map(|attr| Field::new(&attr.name, data_type(attr.ty), true)))
        .chain(schema.columns_of(entity).map(|link| Field::new(&link.label, DataType::Utf8, true)))
        .collect()
}

/// All columns of an entity's table.
pub fn columns(schema: &Schema, entity: &str) -> Columns {
    let mut fields = declared(schema, entity);
    fields.push(Field::new(Extra::ROW, DataType::Int64, false));
    fields.push(Field::new(Extra::SERVER, DataType::Int64, true));
    fields.push(Field::new(Extra::EXTRA, DataType::Utf8, true));
    fields.push(Field::new(Extra::INVALID, DataType::Utf8, true));
    fields.push(Field::new(Extra::DIGEST, DataType::Utf8, false));
    Columns::new(fields)
}

/// How a type is kept in Parquet: dates as microseconds UTC, JSON as text.
pub fn data_type(ty: Type) -> DataType {
    match ty {
        Type::String | Type::Any => DataType::Utf8,
        Type::Number => DataType::Float64,
        Type::Boolean => DataType::Boolean,
        Type::Date => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
    }
}
