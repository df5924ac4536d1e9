//! A bundle: the target's rows, what was set aside, and the account of every legacy row.
//!
//! ```text
//! data/bundle.json                          what it is, counts, equations, digests
//! data/contract.toml                        the contract it was made by
//! data/CONTRACT.md                          the same as a document, filled with what was measured
//! data/facts.json                           what was measured on the snapshot
//! data/plan.json                            the schema steps that the target wants
//! data/parquet/<entity>.parquet             one per target entity, in the contract's order
//! data/parquet/links/<entity>.<label>.parquet  links that are no column: (`from`, `to`, `_origin`)
//! data/jsonl/<entity>.jsonl                 the same rows as InstantDB's own lines
//! data/quarantine/<legacy>.parquet|.jsonl   whole legacy rows that could not be migrated, and why
//! data/quarantine/links.parquet             links of migrated rows whose other end is absent
//! data/merged/<legacy>.parquet              legacy rows that another row stands for
//! data/dropped/<legacy>.parquet             legacy rows that a rule drops, and which
//! data/adopted/<legacy>.parquet             migrated rows that stand on an existing target row
//! data/repairs/<target>.parquet             values that did not come from their first source
//! data/ids.parquet                          ids that are no UUID, and what they became
//! data/residue/<legacy>.parquet             what a target row cannot give back of its legacy row
//! data/residue/<legacy>.whole.parquet       legacy rows that stand nowhere else whole
//! data/residue/links/<file>.parquet         the snapshot's link files
//! report/…  import/…  thread.sqlite         beside the seal
//! ```

mod account;
mod aside;
mod built;
mod document;
mod dropped;
mod jsonl;
mod left_behind;
mod links;
mod quarantine;
pub(crate) mod read;
mod residue;
mod rows;
pub(crate) mod sort;
mod table;
mod write;

use std::path::{Path, PathBuf};

use arrow::datatypes::{DataType, Field, Schema as Columns};
use serde::{Deserialize, Serialize};

use crate::bag;
use crate::error::{Error, Result, printable};
use crate::progress::Progress;
use crate::reconcile::SchemaPlan;
use crate::schema::{Has, Link, LinkRules, Schema};
use crate::snapshot;
use crate::storage;
use crate::transform::names;

pub use document::measured;
pub(crate) use jsonl::write_date;
pub use residue::{Beside, Residue, ResidueLinks};
pub(crate) use residue::{HOW, columns as legacy_columns};
pub(crate) use table::value;
pub use write::{folder, write};

/// Version of the bundle format. Since 2 a bundle has a residue; since 3 order, winners and
/// references are those of the source (see [`Meta::is_judged_by_source`]).
pub const FORMAT: u32 = 3;
/// The oldest version that is still read.
pub const OLDEST: u32 = 1;

/// The columns every target table has beside its declared ones.
#[derive(Debug)]
pub struct Origin;

impl Origin {
    /// `Utf8`: [`Origin::MIGRATED`] or [`Origin::EXISTING`].
    pub const ORIGIN: &str = names::ORIGIN;
    /// `Int64`: `_row` of the legacy row (migrated) or of the snapshot's target row (existing).
    pub const SOURCE_ROW: &str = "_source_row";
    /// `Int64`, nullable: creation time in the store, epoch milliseconds: the legacy row's.
    pub const SERVER: &str = "_server_created_at";
    /// `Utf8`, nullable: JSON object of undeclared attributes of an existing row.
    pub const EXTRA: &str = "_extra";
    /// Made from a legacy row.
    pub const MIGRATED: &str = names::MIGRATED;
    /// Was in the app before, carried as it is.
    pub const EXISTING: &str = names::EXISTING;
}

/// The columns a quarantined row has beside all columns of its snapshot table.
#[derive(Debug)]
pub struct Quarantine;

impl Quarantine {
    /// `Utf8`: the rule that refused it, as `items.createdAt required`.
    pub const RULE: &str = "_rule";
    /// `Utf8`: why, in a sentence without payload values.
    pub const REASON: &str = "_reason";
    /// `Utf8`, nullable: for a cascade `<legacy entity>:<id>` of the row whose quarantine led here.
    pub const CAUSE: &str = "_cause";
}

/// What `reason` says in `data/quarantine/links.parquet`.
#[derive(Debug)]
pub struct Reason;

impl Reason {
    /// The row at the other end is in the source and was set aside.
    pub const QUARANTINED: &str = names::QUARANTINED;
    /// The link names another row by a place that counts before this one.
    pub const OTHER_PLACE: &str = names::OTHER_PLACE;
}

/// `data/bundle.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meta {
    /// [`FORMAT`].
    pub format: u32,
    /// Program and version, as `rethread 0.2.0`.
    pub program: String,
    /// Digest of the snapshot. Since format 3 its name is empty: the folder may be called otherwise
    /// and hold the same, see [`Meta::snapshot_name`].
    pub snapshot: Named,
    /// Name and digest of the contract.
    pub contract: Named,
    /// The source the snapshot was taken from.
    pub source: snapshot::SourceMeta,
    /// Program and version that took the snapshot, where it was another one than made the bundle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_by: Option<String>,
    /// Target tables in contract order.
    pub tables: Vec<TableMeta>,
    /// Link files.
    pub links: Vec<LinksMeta>,
    /// One equation a legacy table: `rows = migrated + merged + quarantined + dropped`.
    pub equations: Vec<Equation>,
    /// One equation a target table that had rows: `rows = carried + merged + only_links`.
    pub existing: Vec<Existing>,
    /// Legacy link values by link: `values = migrated + merged + quarantined + dropped +
    /// dropped_rows`.
    pub link_equations: Vec<LinkEquation>,
    /// Values of `ref` attributes by attribute: `values = there + quarantined + dropped`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refs: Vec<Refs>,
    /// The lines of `data/quarantine/links.parquet`, by link and reason; empty before format 3.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<Lost>,
    /// Repairs by rule.
    pub repairs: Vec<Repair>,
    /// Quarantined rows by legacy entity and rule.
    pub quarantine: Vec<Quarantined>,
    /// How many ids were no UUID and were mapped, by legacy entity.
    pub mapped_ids: Vec<(String, u64)>,
    /// Attributes without a home: legacy entity, attribute, rows of the snapshot that have one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped_values: Vec<(String, String, u64)>,
    /// What the contract does not name.
    pub unmapped: snapshot::Unmapped,
    /// What the source has and the target does not get: by kind, entity and name. Since format 3.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_behind: Vec<LeftBehind>,
    /// What rebuilds each legacy table; empty in format 1.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub residue: Vec<Residue>,
    /// The snapshot's link files, as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub residue_links: Vec<ResidueLinks>,
}

impl Meta {
    /// Whether the bundle keeps to format 3: ties in an order go by the source's own ids, winners are
    /// chosen by what the source says and not by how it spells it, a `ref` leads to a row that is
    /// there where one is named, and another spelling of a link or a derived id is no repair.
    /// Bundles of earlier formats are verified by the rules they were made by.
    pub fn is_judged_by_source(&self) -> bool {
        self.format >= 3
    }

    /// What a reader must know of the programs that made the bundle and took its snapshot: a sentence
    /// each, none where both are this one's.
    pub fn remarks(&self) -> Vec<String> {
        let older = (self.format < FORMAT).then(|| {
            format!(
                "The bundle has format {}, made by {}: it is verified by the rules of that format, which \
                 do not judge references, rows that the target shows in another order, and what is left \
                 behind.",
                self.format, self.program
            )
        });
        let taken = self.taken_by.as_ref().map(|by| {
            format!(
                "The snapshot was taken by {by}, which may have read less of the source: export the source \
                 again to be sure."
            )
        });
        older.into_iter().chain(taken).collect()
    }

    /// How many link values are left behind.
    pub fn left_links(&self) -> u64 {
        let links = self.left_behind.iter().filter(|left| left.kind == LeftKind::Link);
        links.map(|left| left.count).sum()
    }

    /// How people call the snapshot: the name of its folder in earlier formats, else the source's.
    pub fn snapshot_name(&self) -> &str {
        let named = Some(self.snapshot.name.as_str()).filter(|name| !name.is_empty());
        named.unwrap_or(&self.source.name)
    }
}

/// Something of the source that the target does not get, and that no row was refused for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeftBehind {
    /// What kind of thing it is.
    pub kind: LeftKind,
    /// The entity.
    pub entity: String,
    /// The attribute or the label; empty for an entity.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// How many rows of the source have it; of a link, how many values; of what has rules in the schema,
    /// how many of them are lost.
    pub count: u64,
    /// Up to [`LeftBehind::SAMPLES`] of them: ids of rows, or `<id> - <id>` of both ends of a link as the
    /// target has them; of a rule of the schema, what it says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<String>,
}

impl LeftBehind {
    /// How many rows or values it names.
    pub const SAMPLES: usize = 3;

    /// An id as a sample has it.
    pub(crate) fn sample(id: Option<&str>) -> String {
        const MOST: usize = 64;
        let Some(id) = id else { return "no id".to_owned() };
        match id.char_indices().nth(MOST) {
            Some((end, _)) => format!("{}…", printable(&id[..end])),
            None => printable(id),
        }
    }
}

/// A kind of things that are left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftKind {
    /// An attribute of a legacy entity that the contract does not declare.
    Attribute,
    /// An entity of the app that the contract does not declare: its rows stay in the app.
    Entity,
    /// A link of migrated rows to rows that are in the target, which does not follow them.
    Link,
    /// A rule of the app's schema about a link or an attribute, which the target does not have.
    SchemaRule,
}

/// A name and a digest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// The name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// SHA-256 in hexadecimal.
    pub digest: String,
}

/// One target table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableMeta {
    /// The entity.
    pub entity: String,
    /// Path of its Parquet file from the bundle's root.
    pub file: String,
    /// Path of its JSONL file.
    pub jsonl: String,
    /// How many rows.
    pub rows: u64,
    /// Of them, from legacy rows.
    pub migrated: u64,
    /// Of them, carried as they were.
    pub existing: u64,
    /// Logical digest over `id`, attributes and has-one links.
    pub digest: String,
}

/// One link file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinksMeta {
    /// The entity that holds the label.
    pub entity: String,
    /// The label.
    pub label: String,
    /// The entity it leads to.
    pub target: String,
    /// Whether it is a link of the app that the contract does not name (`carried`) or a has-many of
    /// the target model (`declared`).
    pub role: String,
    /// A carried link as the target's schema has it; since format 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<Declared>,
    /// Path from the bundle's root.
    pub file: String,
    /// How many pairs.
    pub rows: u64,
    /// Logical digest over `from` and `to`.
    pub digest: String,
}

/// What a carried link is beside its forward side. What it demands holds in every row of the target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Declared {
    /// The label that the entity it leads to sees it by, when it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverse: Option<String>,
    /// A row of the forward side has one at most.
    pub has_one: bool,
    /// A row of the reverse side is had by one at most.
    pub reverse_has_one: bool,
    /// What else it demands.
    pub rules: LinkRules,
    /// The link files of the snapshot that hold it.
    pub of: Vec<HeldIn>,
}

/// A link file of the snapshot that holds a carried link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeldIn {
    /// The entity whose rows hold it there.
    pub entity: String,
    /// The label there.
    pub label: String,
    /// Whether those rows are on the reverse side of the target's link.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_turned: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl LinksMeta {
    /// A carried link as the target's schema has it.
    pub fn link(&self) -> Option<Link> {
        let declared = self.declared.as_ref()?;
        let has = |one: bool| if one { Has::One } else { Has::Many };
        Some(Link {
            name: format!("{}_{}", self.entity, self.label),
            on: self.entity.clone(),
            label: self.label.clone(),
            has: has(declared.has_one),
            to: self.target.clone(),
            reverse: declared.reverse.clone(),
            reverse_has: has(declared.reverse_has_one),
            rules: declared.rules,
            also: Vec::new(),
        })
    }
}

/// Where the rows of a legacy table went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Equation {
    /// The legacy entity.
    pub source: String,
    /// Rows in the snapshot.
    pub rows: u64,
    /// Rows that became target rows.
    pub migrated: u64,
    /// Rows that another row stands for.
    pub merged: u64,
    /// Rows set aside.
    pub quarantined: u64,
    /// Of the quarantined ones, rows without an id and without a value: links that were set on an id
    /// that was never created. No limit counts them.
    #[serde(default, skip_serializing_if = "is_none")]
    pub only_links: u64,
    /// Rows that a rule drops (`data/dropped`).
    #[serde(default, skip_serializing_if = "is_none")]
    pub dropped: u64,
    /// Of the migrated ones, rows that stand on an existing row, by target entity.
    pub adopted: Vec<(String, u64)>,
    /// Where one row becomes several: target entity, migrated rows, target rows made of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub split: Vec<(String, u64, u64)>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

impl Equation {
    /// Whether every row is accounted for.
    pub fn holds(&self) -> bool {
        self.rows == self.migrated + self.merged + self.quarantined + self.dropped
    }
}

/// Where the rows of a target table that existed before went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Existing {
    /// The target entity.
    pub entity: String,
    /// Rows in the snapshot.
    pub rows: u64,
    /// Rows carried.
    pub carried: u64,
    /// Rows equal to another existing row of the same id.
    pub merged: u64,
    /// Rows without an id and without a value, which are left out: links that were set on an id that was
    /// never created.
    #[serde(default, skip_serializing_if = "is_none")]
    pub only_links: u64,
}

/// Where the values of a legacy link went. A link that the other side holds has an equation of its own
/// under that side's label; what is taken up there goes on in the equation of the link itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkEquation {
    /// The legacy entity, or the other entity of a carried link.
    pub source: String,
    /// Its label.
    pub label: String,
    /// Rows of the snapshot that name a row by it; of a link file, its pairs.
    pub values: u64,
    /// Values that became target links.
    pub migrated: u64,
    /// Values of merged rows.
    pub merged: u64,
    /// Values of quarantined rows; since format 3 also those of migrated rows whose other end was
    /// quarantined (`data/quarantine/links.parquet`).
    pub quarantined: u64,
    /// Values of migrated rows that lead to no row for another reason, all of them before format 3
    /// (`data/quarantine/links.parquet`).
    pub dropped: u64,
    /// Values of rows that a rule drops.
    #[serde(default, skip_serializing_if = "is_none")]
    pub dropped_rows: u64,
}

/// Where the values of a `ref` attribute lead, of migrated rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refs {
    /// The target entity.
    pub target: String,
    /// Its attribute.
    pub attr: String,
    /// Legacy rows that give an id.
    pub values: u64,
    /// Of them, those whose id is that of a row of the target.
    pub there: u64,
    /// Those whose id is that of a quarantined row.
    pub quarantined: u64,
    /// Those that lead to no row for another reason.
    pub dropped: u64,
}

/// How many values of a link or a `ref` attribute lead to no row for one reason.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lost {
    /// The entity whose rows name the others.
    pub source: String,
    /// The label of the link there, or `<target entity>.<attribute>` of a `ref`.
    pub label: String,
    /// The reason.
    pub reason: String,
    /// How many.
    pub rows: u64,
}

/// How often a rule did not take its first source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repair {
    /// The target entity.
    pub target: String,
    /// The attribute or link; `id` for ids.
    pub attr: String,
    /// What was done, as `from $server`, `missing = "open"`, `value kept`.
    pub how: String,
    /// In how many rows.
    pub rows: u64,
}

/// How many rows of a legacy entity a rule set aside.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quarantined {
    /// The legacy entity.
    pub source: String,
    /// The rule.
    pub rule: String,
    /// How many rows.
    pub rows: u64,
}

/// A bundle whose seal was checked; what it says is not verified yet.
#[derive(Debug, Clone)]
pub struct Bundle {
    root: PathBuf,
    meta: Meta,
    digest: String,
    schema_plan: Option<SchemaPlan>,
}

impl Bundle {
    /// Opens a bundle after checking every byte of it, and its row counts against the footers.
    ///
    /// # Errors
    /// [`crate::error::Kind::Damaged`] when it is not as it was sealed.
    pub fn open(root: &Path, progress: &dyn Progress) -> Result<Self> {
        bag::check(root, progress)?;
        let meta = description(root)?;
        let tables = meta.tables.iter().map(|table| (&table.file, table.rows));
        let links = meta.links.iter().map(|links| (&links.file, links.rows));
        let residue = meta.residue.iter().flat_map(Residue::files);
        let carried = meta.residue_links.iter().map(|links| (&links.file, links.rows));
        for (file, rows) in tables.chain(links).chain(residue).chain(carried) {
            snapshot::check_rows(&root.join(file), rows)?;
        }
        let schema_plan = schema_plan_of(root)?;
        Ok(Self { root: root.to_owned(), digest: bag::digest(root)?, meta, schema_plan })
    }

    /// The schema steps that the target wants; a bundle of an earlier version has none.
    pub fn schema_plan(&self) -> Option<&SchemaPlan> {
        self.schema_plan.as_ref()
    }

    /// What a bundle says about itself, without its files: nothing was checked, and no file is found.
    ///
    /// # Errors
    /// The description cannot be read.
    pub(crate) fn outline(root: &Path) -> Result<Self> {
        let (meta, digest) = described(root)?;
        // Below a file there is none.
        Ok(Self { root: root.join("bagit.txt"), meta, digest, schema_plan: None })
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

    /// Where a file of it stands.
    pub fn path(&self, file: &str) -> PathBuf {
        self.root.join(file)
    }
}

/// Where a bundle keeps its schema plan.
pub(crate) const SCHEMA_PLAN: &str = "data/plan.json";

/// The schema plan of the bundle in a folder, which was checked.
///
/// # Errors
/// It cannot be read.
pub(crate) fn schema_plan_of(root: &Path) -> Result<Option<SchemaPlan>> {
    let path = root.join(SCHEMA_PLAN);
    if !path.exists() {
        return Ok(None);
    }
    let plan = serde_json::from_str(&storage::read_text(&path)?);
    plan.map(Some).map_err(|error| {
        Error::damaged("the schema plan cannot be read").at(path.display()).because(error)
    })
}

/// What a bundle says about itself and the SHA-256 of its manifest, without a look at its files:
/// enough to list it, never to trust it.
///
/// # Errors
/// The description cannot be read.
pub fn described(root: &Path) -> Result<(Meta, String)> {
    Ok((description(root)?, bag::digest(root)?))
}

fn description(root: &Path) -> Result<Meta> {
    let format = |meta: &Meta| meta.format;
    bag::description(root, "data/bundle.json", ("bundle", OLDEST..=FORMAT), format)
}

/// The name of the bundle that a snapshot and a contract give: 16 hexadecimal digits.
/// From format 2 on the format takes part, so that a bundle of an earlier one is not found done.
pub fn bundle_id(
    snapshot_digest: &str,
    contract_digest: &str,
    (program, format): (&str, u32),
) -> String {
    let mut key = format!("{snapshot_digest}\n{contract_digest}\n{program}\n");
    if format > 1 {
        key += &format!("{format}\n");
    }
    bag::sha256_hex(key.as_bytes())[..16].to_owned()
}

/// All columns of a target entity's table: the declared ones of the snapshot's tables, then those
/// of [`Origin`].
pub fn columns(schema: &Schema, entity: &str) -> Columns {
    let mut fields = snapshot::declared(schema, entity);
    fields.push(Field::new(Origin::ORIGIN, DataType::Utf8, false));
    fields.push(Field::new(Origin::SOURCE_ROW, DataType::Int64, false));
    fields.push(Field::new(Origin::SERVER, DataType::Int64, true));
    fields.push(Field::new(Origin::EXTRA, DataType::Utf8, true));
    Columns::new(fields)
}
