//! The quarantined rows, and which of them a line corrects.

use std::collections::BTreeMap;

use super::Wanted;
use super::fixes::Said;
use crate::bundle::Bundle;
use crate::contract::Contract;
use crate::error::{Error, Result};
use crate::json;
use crate::scan;
use crate::snapshot::Extra;

/// What a line is of.
pub(super) enum Of {
    /// A quarantined row.
    Row(String, u64),
    /// A row that is not quarantined.
    Sound(String, u64),
}

/// The quarantined rows by entity, with their ids.
pub(super) struct Aside<'c> {
    contract: &'c Contract,
    rows: BTreeMap<String, BTreeMap<u64, Option<String>>>,
}

impl<'c> Aside<'c> {
    /// Reads the rows of a bundle's quarantine.
    pub(super) fn read(bundle: &Bundle, contract: &'c Contract) -> Result<Self> {
        let mut rows = BTreeMap::new();
        for entity in &contract.before.schema.entities {
            let path = bundle.path(&format!("data/quarantine/{}.parquet", entity.name));
            let mut ids = BTreeMap::new();
            scan::scan_if_there(&path, &[Extra::ROW, "id"], &mut |row| {
                let number = row.row(0).map(|row| row as u64);
                ids.extend(number.map(|number| (number, row.text(1).map(str::to_owned))));
                Ok(())
            })?;
            rows.insert(entity.name.clone(), ids);
        }
        Ok(Self { contract, rows })
    }

    /// The row a line corrects.
    pub(super) fn row(&self, said: &Said<'_>, wanted: &Wanted<'_>) -> Result<Of> {
        let id = said.members.iter().find(|(name, _)| name == "id");
        let id = id.and_then(|(_, raw)| json::string(raw));
        let id = id.as_deref();
        let entity = self.entity(said)?;
        let entities = self.rows.iter().filter(|(name, _)| entity.is_none_or(|it| it == *name));
        let mut found: Vec<(&String, u64)> = Vec::new();
        for (name, rows) in entities.clone() {
            match said.row {
                Some(row) => found.extend(rows.contains_key(&row).then_some((name, row))),
                None => {
                    let same = rows.iter().filter(|(_, own)| id.is_some() && own.as_deref() == id);
                    found.extend(same.map(|(row, _)| (name, *row)));
                }
            }
        }
        if found.len() > 1 {
            // The id tells rows of several entities apart.
            found.retain(|(name, row)| self.rows[*name][row].as_deref() == id);
        }
        match found[..] {
            [(name, row)] => Ok(Of::Row(name.clone(), row)),
            [] => self.sound((said.row, entity), wanted),
            _ => Err(Error::usage("the line fits several quarantined rows")
                .help("name the row's entity and place: `\"table\":\"<entity>\",\"row\":<row>`")),
        }
    }

    /// A row that is there and not quarantined.
    fn sound(&self, (row, entity): (Option<u64>, Option<&str>), wanted: &Wanted<'_>) -> Result<Of> {
        let tables = self.rows.keys().filter(|name| entity.is_none_or(|it| it == **name));
        let has_row = |name: &&String| {
            let table = wanted.snapshot.table(name);
            row.zip(table).is_some_and(|(row, table)| row < table.rows)
        };
        let mut tables = tables.filter(has_row);
        match (tables.next(), row) {
            (Some(name), Some(row)) => Ok(Of::Sound(name.clone(), row)),
            _ => Err(Error::usage("the line fits no quarantined row").help(
                "correct lines of the bundle's own `data/quarantine/<entity>.jsonl`, and leave \
                 `row` as it is",
            )),
        }
    }

    /// The legacy entity a line is of: the one it names, or the one of its rule.
    fn entity(&self, said: &Said<'_>) -> Result<Option<&str>> {
        if let Some(table) = &said.table {
            let known = self.rows.keys().find(|name| *name == table);
            let unknown = || {
                Error::usage(format!("`{table}` is no legacy entity of the contract"))
                    .help("leave `table` out, or name the entity of the quarantine's file")
            };
            return known.map(|name| Some(name.as_str())).ok_or_else(unknown);
        }
        let Some(rule) = &said.rule else { return Ok(None) };
        let is_of =
            |entity: &str| rule.strip_prefix(entity).is_some_and(|rest| rest.starts_with('.'));
        let sources = self.rows.keys().map(|name| (name.as_str(), name.as_str()));
        let targets = self.contract.transforms.iter();
        let targets = targets.map(|rules| (rules.target.as_str(), rules.source.as_str()));
        let named = sources.chain(targets).filter(|(entity, _)| is_of(entity));
        Ok(named.max_by_key(|(entity, _)| entity.len()).map(|(_, source)| source))
    }
}
