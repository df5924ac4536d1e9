//! Rows that share a value, without keeping values: 16 bytes a row, of a bounded number of rows at a time.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Float64Type, TimestampMicrosecondType};

use super::rows::{self, Place, Row};
use crate::digest::{self, Value};
use crate::error::Result;

/// Rows whose hashes are kept at a time.
pub(super) const MOST: u64 = 2 << 20;
/// How many values are named, and how many rows of each.
const NAMED: usize = 3;

/// Rows of other ids that share a value.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Shared {
    /// How many rows.
    pub(super) rows: u64,
    /// The first ids of the first values, by id.
    pub(super) groups: Vec<Vec<String>>,
}

/// Counts them; `most` rows are looked at in a pass.
pub(super) fn look(place: &Place<'_>, most: u64) -> Result<Shared> {
    let parts = place.rows.div_ceil(most).max(1);
    let mut rows = 0;
    let mut first = BTreeSet::new();
    for part in 0..parts {
        let mut hashes = Vec::new();
        let mut buffer = Vec::new();
        rows::each(place, false, &mut |row| {
            if let Some(value) = hash(row, &mut buffer)
                && value % parts == part
            {
                hashes.push((value, short(row.name().as_bytes())));
            }
        })?;
        // The same row twice is no second row.
        hashes.sort_unstable();
        hashes.dedup();
        let runs = hashes.chunk_by(|a, b| a.0 == b.0).filter(|run| run.len() > 1);
        let mut shared = Vec::new();
        for run in runs {
            rows += run.len() as u64;
            shared.push(run[0].0);
        }
        if !shared.is_empty() {
            earliest(place, &shared, &mut first)?;
        }
    }
    Ok(Shared { rows, groups: named(place, &first)? })
}

/// The first ids that hold one of these values, and its hash: one id of each value.
fn earliest(place: &Place<'_>, shared: &[u64], first: &mut BTreeSet<(String, u64)>) -> Result<()> {
    let mut buffer = Vec::new();
    rows::each(place, false, &mut |row| {
        let Some(value) = hash(row, &mut buffer) else { return };
        if shared.binary_search(&value).is_err() {
            return;
        }
        let name = row.name();
        match first.iter().find(|(_, found)| *found == value).cloned() {
            Some((earlier, _)) if earlier <= name => return,
            Some(later) => drop(first.remove(&later)),
            None => {}
        }
        first.insert((name, value));
        if first.len() > NAMED {
            first.pop_last();
        }
    })
}

/// The first ids of each value.
fn named(place: &Place<'_>, first: &BTreeSet<(String, u64)>) -> Result<Vec<Vec<String>>> {
    if first.is_empty() {
        return Ok(Vec::new());
    }
    let mut ids: BTreeMap<u64, BTreeSet<String>> = BTreeMap::new();
    let mut buffer = Vec::new();
    rows::each(place, false, &mut |row| {
        let Some(value) = hash(row, &mut buffer) else { return };
        if first.iter().any(|(_, found)| *found == value) {
            let group = ids.entry(value).or_default();
            group.insert(row.name());
            if group.len() > NAMED {
                group.pop_last();
            }
        }
    })?;
    let groups = first.iter().filter_map(|(_, value)| ids.remove(value));
    Ok(groups.map(|group| group.into_iter().collect()).collect())
}

/// The hash of a row's value; `None` where it has none.
fn hash(row: &Row<'_>, buffer: &mut Vec<u8>) -> Option<u64> {
    let (column, at) = (row.value, row.at);
    if column.is_null(at) {
        return None;
    }
    let value = if let Some(texts) = column.as_string_opt::<i32>() {
        Value::Text(texts.value(at))
    } else if let Some(numbers) = column.as_primitive_opt::<Float64Type>() {
        Value::Number(numbers.value(at))
    } else if let Some(dates) = column.as_primitive_opt::<TimestampMicrosecondType>() {
        Value::Date(dates.value(at))
    } else {
        Value::Boolean(column.as_boolean_opt()?.value(at))
    };
    buffer.clear();
    digest::write_value(value, buffer);
    Some(short(buffer))
}

#[allow(clippy::cast_possible_truncation, reason = "the lower half of the hash")]
fn short(bytes: &[u8]) -> u64 {
    digest::of_canonical(bytes) as u64
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use arrow::array::{Float64Array, RecordBatch, StringArray};
    use parquet::arrow::ArrowWriter;

    use super::*;

    fn file(folder: &tempfile::TempDir, rows: &[(&str, Option<&str>)], numbers: bool) -> PathBuf {
        let ids: StringArray = rows.iter().map(|(id, _)| Some(*id)).collect();
        let texts = rows.iter().map(|(_, value)| *value);
        let column: arrow::array::ArrayRef = if numbers {
            let numbers = texts.map(|text| text.and_then(|text| text.parse().ok()));
            Arc::new(numbers.collect::<Float64Array>())
        } else {
            Arc::new(texts.collect::<StringArray>())
        };
        let columns = [("id", Arc::new(ids) as arrow::array::ArrayRef), ("value", column)];
        let batch = RecordBatch::try_from_iter_with_nullable(
            columns.into_iter().map(|(name, column)| (name, column, true)),
        );
        let path = folder.path().join("rows.parquet");
        let out = crate::storage::scratch(&path).unwrap();
        let batch = batch.unwrap();
        let mut writer = ArrowWriter::try_new(out, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        path
    }

    fn check(rows: &[(&str, Option<&str>)], numbers: bool, expected: (u64, &[&[&str]])) {
        let folder = tempfile::TempDir::new().unwrap();
        let path = file(&folder, rows, numbers);
        let groups = expected.1.iter().map(|ids| ids.iter().map(|id| (*id).to_owned()).collect());
        let expected = Shared { rows: expected.0, groups: groups.collect() };
        // The same in one pass and in many, and whatever the order of rows.
        for most in [1, 2, 1000] {
            let place = Place::of(path.clone(), rows.len() as u64);
            assert_eq!(look(&place, most).unwrap(), expected, "{most} rows a pass");
        }
        let reversed: Vec<_> = rows.iter().rev().copied().collect();
        std::fs::remove_file(&path).unwrap();
        let place = Place::of(file(&folder, &reversed, numbers), rows.len() as u64);
        assert_eq!(look(&place, MOST).unwrap(), expected, "from the end");
    }

    #[test]
    fn rows_that_share_a_value_are_found_in_any_number_of_passes() {
        let (a, b, c, d) = (Some("a"), Some("b"), Some("c"), Some("d"));
        check(&[("1", a), ("2", None), ("3", None), ("4", b)], false, (0, &[]));
        check(&[("1", a), ("1", a), ("2", b)], false, (0, &[]));
        check(&[("1", a), ("2", a), ("2", a)], false, (2, &[&["1", "2"]]));
        let many = [
            ("9", a),
            ("8", b),
            ("7", c),
            ("6", d),
            ("5", d),
            ("4", c),
            ("3", b),
            ("2", a),
            ("1", a),
            ("0", a),
            ("x", Some("e")),
        ];
        let groups: &[&[&str]] = &[&["0", "1", "2"], &["3", "8"], &["4", "7"]];
        check(&many, false, (10, groups));
    }

    #[test]
    fn numbers_are_the_same_by_value() {
        let rows = [("1", Some("1")), ("2", Some("1.0")), ("3", Some("1.5")), ("4", Some("-0"))];
        check(&rows, true, (2, &[&["1", "2"]]));
    }
}
