//! Values on their way back: rows of a query that asks for a table's columns by [`super::load::asked`].

use crate::digest::{self, RowDigest};
use crate::pg::copy::{Cells, Moment};
use crate::target::{Column, ColumnKind};

/// A value of a row; `None` when it is nothing this program writes.
fn read<'r>(cells: &Cells<'r>, at: usize, kind: ColumnKind) -> Option<digest::Value<'r>> {
    let Some(bytes) = cells.get(at) else { return Some(digest::Value::Absent) };
    Some(match kind {
        ColumnKind::Text => digest::Value::Text(cells.text(at)?),
        ColumnKind::Json => digest::Value::Json(cells.text(at)?),
        ColumnKind::Number => digest::Value::Number(f64::from_be_bytes(bytes.try_into().ok()?)),
        ColumnKind::Boolean => digest::Value::Boolean(bytes == [1]),
        ColumnKind::Date => match Moment::read(bytes)? {
            Moment::At(micros) => digest::Value::Date(micros),
            Moment::Before | Moment::After => return None,
        },
        ColumnKind::Whole => digest::Value::Absent,
    })
}

/// The logical digest of a row whose columns begin at `first`. One with values that this program
/// never writes is digested so that no row of ours equals it.
pub(super) fn digest_of(
    cells: &Cells<'_>,
    first: usize,
    columns: &[&Column],
    digest: &mut RowDigest,
) -> u128 {
    let values: Option<Vec<_>> = columns
        .iter()
        .enumerate()
        .map(|(at, column)| {
            read(cells, first + at, column.kind).map(|value| (column.name.as_str(), value))
        })
        .collect();
    if let Some(values) = values {
        return digest.of(values);
    }
    let bytes = |at| cells.get(first + at).map(crate::storage::hex).unwrap_or_default();
    let texts: Vec<String> = (0..columns.len()).map(bytes).collect();
    let values = columns.iter().zip(&texts);
    let values = values.map(|(column, text)| (column.name.as_str(), digest::Value::Text(text)));
    digest.of(values.chain([("", digest::Value::Text("not ours"))]))
}

/// A digest out of the sixteen bytes of a UUID; `None` is NULL, or no digest.
pub(super) fn stored(cells: &Cells<'_>, at: usize) -> Option<u128> {
    Some(u128::from_be_bytes(cells.get(at)?.try_into().ok()?))
}

/// The key of a row whose key columns begin at `first`.
pub(super) fn key_of(cells: &Cells<'_>, first: usize, count: usize) -> Vec<String> {
    (0..count).map(|at| cells.text(first + at).unwrap_or_default().to_owned()).collect()
}
