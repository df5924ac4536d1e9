//! Target rows that differ.

use std::path::PathBuf;

use super::{Rows, SAMPLES, Table};
use crate::bundle::Bundle;
use crate::contract::Contract;
use crate::digest::{RowDigest, Value};
use crate::error::{Error, Result};
use crate::scan;
use crate::schema::Type;

/// One side of a comparison: the file of a table and its columns.
struct Side {
    path: Option<PathBuf>,
    columns: Vec<(String, Type)>,
}

impl Side {
    fn of((bundle, contract): (&Bundle, &Contract), entity: &str) -> Self {
        let schema = &contract.after.schema;
        let meta = bundle.meta().tables.iter().find(|table| table.entity == entity);
        let attrs = schema.entity(entity).map(|entity| &entity.attrs[..]).unwrap_or_default();
        let mut columns: Vec<(String, Type)> =
            attrs.iter().map(|attr| (attr.name.clone(), attr.ty)).collect();
        columns.extend(schema.columns_of(entity).map(|link| (link.label.clone(), Type::String)));
        Self { path: meta.map(|table| bundle.path(&table.file)), columns }
    }

    /// Reads some columns of every row; the first of them is the id.
    fn each(
        &self,
        columns: &[(String, Type)],
        visit: &mut dyn FnMut(u128, &str, u128) -> Result<()>,
    ) -> Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let names: Vec<&str> =
            std::iter::once("id").chain(columns.iter().map(|(name, _)| name.as_str())).collect();
        let mut digests = RowDigest::default();
        scan::scan(path, &names, &mut |row| {
            let id = row.text(0).ok_or_else(|| {
                Error::damaged("a target row has no id").at(format!(
                    "{}, row {}",
                    path.display(),
                    row.number
                ))
            })?;
            let values = columns.iter().enumerate();
            let values = values.map(|(at, (name, ty))| (name.as_str(), row.value(at + 1, *ty)));
            let digest = digests.of(values);
            visit(key(id, &mut RowDigest::default()), id, digest)
        })
    }

    /// The digests of all rows by id, in the order of ids.
    fn digests(&self) -> Result<Vec<(u128, u128)>> {
        let mut found = Vec::new();
        self.each(&self.columns, &mut |id, _, digest| {
            found.push((id, digest));
            Ok(())
        })?;
        found.sort_unstable();
        Ok(found)
    }

    /// Rows with these keys, which ascend, and the ids of the first of them.
    fn named(&self, keys: &[u128]) -> Result<Rows> {
        let first = &keys[..keys.len().min(SAMPLES)];
        let mut samples = Vec::new();
        if !first.is_empty() {
            self.each(&[], &mut |id, text, _| {
                if first.contains(&id) {
                    samples.push(text.to_owned());
                }
                Ok(())
            })?;
        }
        samples.sort();
        Ok(Rows { rows: keys.len() as u64, samples })
    }
}

/// An id in 16 bytes: a UUID as it is, any other by its digest.
fn key(id: &str, digest: &mut RowDigest) -> u128 {
    uuid::Uuid::parse_str(id)
        .map_or_else(|_| digest.of([("id", Value::Text(id))]), |uuid| uuid.as_u128())
}

/// What changed in a target table.
pub(super) fn compare(
    before: (&Bundle, &Contract),
    after: (&Bundle, &Contract),
    entity: &str,
) -> Result<Table> {
    let (old, new) = (Side::of(before, entity), Side::of(after, entity));
    let (gone, added, changed) = split(&old.digests()?, &new.digests()?);
    let mut values = Vec::new();
    for column in columns(&old, &new) {
        let differ = differing(&old, &new, &column, &changed)?;
        if !differ.is_empty() {
            values.push((column, new.named(&differ)?));
        }
    }
    Ok(Table {
        entity: entity.to_owned(),
        gone: old.named(&gone)?,
        new: new.named(&added)?,
        changed: new.named(&changed)?,
        values,
    })
}

/// The columns of both sides, those of the later one first.
fn columns(old: &Side, new: &Side) -> Vec<String> {
    let mut found: Vec<String> = new.columns.iter().map(|(name, _)| name.clone()).collect();
    let rest = old.columns.iter().map(|(name, _)| name);
    let rest: Vec<String> = rest.filter(|name| !found.contains(name)).cloned().collect();
    found.extend(rest);
    found
}

/// Ids that only the one has, only the other has, and that both have with other values; of rows that
/// share an id each counts.
fn split(old: &[(u128, u128)], new: &[(u128, u128)]) -> (Vec<u128>, Vec<u128>, Vec<u128>) {
    let (mut gone, mut added, mut changed) = (Vec::new(), Vec::new(), Vec::new());
    let (mut a, mut b) = (0, 0);
    while a < old.len() || b < new.len() {
        match (old.get(a), new.get(b)) {
            (Some(one), Some(other)) if one.0 == other.0 => {
                if one.1 != other.1 {
                    changed.push(one.0);
                }
                (a, b) = (a + 1, b + 1);
            }
            (Some(one), other) if other.is_none_or(|other| one.0 < other.0) => {
                gone.push(one.0);
                a += 1;
            }
            (_, Some(other)) => {
                added.push(other.0);
                b += 1;
            }
            _ => break,
        }
    }
    (gone, added, changed)
}

/// Which of some rows differ in a column.
fn differing(old: &Side, new: &Side, column: &str, changed: &[u128]) -> Result<Vec<u128>> {
    if changed.is_empty() {
        return Ok(Vec::new());
    }
    let values = |side: &Side| -> Result<Vec<u128>> {
        let mut found = vec![0; changed.len()];
        let of_it = side.columns.iter().find(|(name, _)| name == column).cloned();
        let of_it: Vec<(String, Type)> = of_it.into_iter().collect();
        side.each(&of_it, &mut |id, _, digest| {
            if let Ok(at) = changed.binary_search(&id) {
                found[at] = digest;
            }
            Ok(())
        })?;
        Ok(found)
    };
    let (old, new) = (values(old)?, values(new)?);
    let pairs = changed.iter().zip(old.iter().zip(&new));
    Ok(pairs.filter(|(_, (old, new))| old != new).map(|(id, _)| *id).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_told_apart_by_id_and_digest() {
        let old = [(1, 10), (2, 20), (3, 30)];
        let new = [(2, 20), (3, 31), (4, 40)];
        assert_eq!(split(&old, &new), (vec![1], vec![4], vec![3]));
        assert_eq!(split(&old, &old), (vec![], vec![], vec![]));
        assert_eq!(split(&[], &new), (vec![], vec![2, 3, 4], vec![]));
    }
}
