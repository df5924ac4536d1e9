//! A bundle and its snapshot, opened by what they say of themselves: no seal is checked.

use std::path::{Path, PathBuf};

use super::table::Table;
use crate::bundle::{self, Meta};
use crate::contract::{self, Contract, Overrides};
use crate::error::{Error, Result};
use crate::schema::{Schema, Type};
use crate::snapshot;
use crate::storage;

/// A bundle to be asked, with its snapshot when that is there.
#[derive(Debug, Clone)]
pub struct Files {
    pub(super) root: PathBuf,
    pub(super) meta: Meta,
    pub(super) digest: String,
    pub(super) contract: Contract,
    pub(super) snapshot: Option<(PathBuf, snapshot::Meta)>,
}

impl Files {
    /// Opens a bundle by its description; the seal of a large one cannot be checked in the time an
    /// answer may take.
    ///
    /// # Errors
    /// A description cannot be read, or the snapshot is another one.
    pub fn open(root: &Path, snapshot: Option<&Path>) -> Result<Self> {
        let (meta, digest) = bundle::described(root)?;
        let place = root.join("data/contract.toml");
        let text = storage::read_text(&place)?;
        let name = place.display().to_string();
        let contract = contract::load(&text, &name, &Overrides::default())?;
        let snapshot = snapshot.map(|place| described(place, &meta)).transpose()?;
        Ok(Self { root: root.to_owned(), meta, digest, contract, snapshot })
    }

    /// A file of the bundle; `None` when it has no such file.
    pub(super) fn of_bundle(&self, file: &str) -> Result<Option<Table>> {
        Table::open(&self.root.join(file))
    }

    /// The file of a table of the snapshot.
    pub(super) fn snapshot_file(&self, entity: &str) -> Option<(PathBuf, String)> {
        let (root, meta) = self.snapshot.as_ref()?;
        let table = meta.tables.iter().find(|table| table.entity == entity)?;
        Some((root.join(&table.file), table.file.clone()))
    }

    /// A table of the snapshot.
    pub(super) fn of_snapshot(&self, entity: &str) -> Result<Option<Table>> {
        match self.snapshot_file(entity) {
            Some((path, _)) => Table::open(&path),
            None => Ok(None),
        }
    }

    /// A target table of the bundle.
    pub(super) fn target(&self, entity: &str) -> Result<Option<Table>> {
        match self.meta.tables.iter().find(|table| table.entity == entity) {
            Some(table) => self.of_bundle(&table.file),
            None => Ok(None),
        }
    }

    /// The type of a column of a legacy table.
    pub(super) fn legacy_type(&self, entity: &str, column: &str) -> Type {
        type_of(&self.contract.before.schema, entity, column)
    }

    /// The type of a column of a target table.
    pub(super) fn target_type(&self, entity: &str, column: &str) -> Type {
        type_of(&self.contract.after.schema, entity, column)
    }

    /// The target id of a legacy id.
    pub(super) fn target_id(&self, target: &str, id: &str) -> String {
        if super::table::is_uuid(id) {
            return id.to_ascii_lowercase();
        }
        let space =
            uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, self.contract.namespace.as_bytes());
        let name = format!("{target}:{id}");
        uuid::Uuid::new_v5(&space, name.as_bytes()).hyphenated().to_string()
    }
}

fn described(place: &Path, bundle: &Meta) -> Result<(PathBuf, snapshot::Meta)> {
    let (meta, digest) = snapshot::described(place)?;
    if digest == bundle.snapshot.digest {
        return Ok((place.to_owned(), meta));
    }
    let (digest, name) = (&bundle.snapshot.digest, bundle.snapshot_name());
    Err(Error::usage("the bundle was made from another snapshot")
        .at(place.display())
        .help(format!("name the snapshot with the digest {digest} (`{name}`)")))
}

/// The type of a column; one that is no attribute is text.
fn type_of(schema: &Schema, entity: &str, column: &str) -> Type {
    let aside = [snapshot::Extra::EXTRA, snapshot::Extra::INVALID];
    let attr = schema.entity(entity).and_then(|entity| entity.attr(column));
    let other = if aside.contains(&column) { Type::Any } else { Type::String };
    attr.map_or(other, |attr| attr.ty)
}
