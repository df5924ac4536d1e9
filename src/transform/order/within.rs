//! Rows put in order each within its group, and what stands before each.

use std::path::Path;

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Int64Type};

use super::{Key, Order, each, lines_of, too_many};
use crate::error::{Error, Result};
use crate::transform::names;

/// Goes through the rows of a file of facts, group by group, each in the order of some columns,
/// what is absent last, ties by `ids`, one after another; for every row the sum of the counts before it
/// in its group.
pub(in crate::transform) fn sums(
    path: &Path,
    group: &str,
    (by, ids): (&[String], [&str; 2]),
    counts: &[u32],
) -> Result<Vec<u32>> {
    in_row_order(path)?;
    let mut order = Order::new(lines_of(path)?)?;
    order.refine(&key(path, group)?);
    let groups = order.alike.clone();
    for column in by {
        order.refine(&absence(path, column)?);
        order.refine(&key(path, column)?);
    }
    for id in ids {
        order.refine(&key(path, id)?);
    }
    let mut sums = vec![0; counts.len()];
    for (from, to) in groups {
        let mut sum = 0_u32;
        for row in &order.rows[from as usize..to as usize] {
            sums[*row as usize] = sum;
            sum = sum.checked_add(counts[*row as usize]).ok_or_else(too_many)?;
        }
    }
    Ok(sums)
}

/// The places of lines are taken for rows: every row has its line.
fn in_row_order(path: &Path) -> Result<()> {
    let mut next = 0_i64;
    each((path, &[]), names::ROW, &mut |values| {
        for row in values.as_primitive::<Int64Type>().values() {
            if *row != next {
                return Err(Error::bug("the facts are not in the order of their rows"));
            }
            next += 1;
        }
        Ok(())
    })
}

fn key(path: &Path, column: &str) -> Result<Key> {
    Key::read(column == names::ID, |key| each((path, &[]), column, &mut |values| key.take(values)))
}

/// A key that puts rows with a value before rows without.
fn absence(path: &Path, column: &str) -> Result<Key> {
    let mut key = Key::default();
    each((path, &[]), column, &mut |values| {
        let is_null = |row| *values.data_type() == DataType::Null || values.is_null(row);
        key.numbers.extend((0..values.len()).map(|row| u64::from(is_null(row))));
        Ok(())
    })?;
    Ok(key)
}
