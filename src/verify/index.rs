//! Finds rows by the keys of their ids.

use super::key::{self, NONE};

/// The rows of a table by the keys of their ids, in about six bytes a row.
///
/// Rows stand in buckets of about two by a mix of their key, and in a bucket by key, then row: ids
/// that were made to fall together are still found by halving.
pub(super) struct Index {
    shift: u32,
    /// Where every bucket begins in `rows`, and where the last one ends.
    starts: Vec<u32>,
    rows: Vec<u32>,
    twins: bool,
}

impl Index {
    /// All rows whose key is not [`NONE`].
    pub(super) fn new(ids: &[u128]) -> Self {
        let bits = ids.len().max(2).ilog2();
        let shift = 64 - bits;
        let mut starts = vec![0_u32; (1 << bits) + 1];
        for id in ids.iter().filter(|id| **id != NONE) {
            starts[bucket(*id, shift) + 1] += 1;
        }
        let mut total = 0;
        for start in &mut starts {
            total += *start;
            *start = total;
        }
        let mut rows = vec![0; total as usize];
        for (row, id) in (0_u32..).zip(ids).filter(|(_, id)| **id != NONE) {
            let next = &mut starts[bucket(*id, shift)];
            rows[*next as usize] = row;
            *next += 1;
        }
        // Every bucket now begins where the one before it did.
        starts.rotate_right(1);
        starts[0] = 0;
        let mut twins = false;
        for ends in starts.windows(2) {
            let bucket = &mut rows[ends[0] as usize..ends[1] as usize];
            if bucket.len() > 1 {
                bucket.sort_unstable_by_key(|row| (ids[*row as usize], *row));
                twins |= bucket.windows(2).any(|two| ids[two[0] as usize] == ids[two[1] as usize]);
            }
        }
        Self { shift, starts, rows, twins }
    }

    /// Whether two rows share a key.
    pub(super) fn has_twins(&self) -> bool {
        self.twins
    }

    /// The rows with a key, in order; `ids` are the keys it was made of.
    pub(super) fn find(&self, ids: &[u128], id: u128) -> impl Iterator<Item = usize> {
        let at = bucket(id, self.shift);
        let rows = &self.rows[self.starts[at] as usize..self.starts[at + 1] as usize];
        let from = rows.partition_point(|row| ids[*row as usize] < id);
        rows[from..].iter().map(|row| *row as usize).take_while(move |row| ids[*row] == id)
    }
}

fn bucket(id: u128, shift: u32) -> usize {
    usize::try_from(key::spread(id) >> shift).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_found_by_its_key() {
        for rows in [0, 1, 2, 3, 5, 1000] {
            // Every seventh row has the key of another, every eleventh none.
            let id = |row: u128| if row.is_multiple_of(11) { NONE } else { row - row % 7 / 6 };
            let ids: Vec<u128> = (0..rows).map(id).collect();
            let index = Index::new(&ids);
            for wanted in 1..rows + 3 {
                let rows = ids.iter().enumerate().filter(|(_, id)| **id == wanted);
                let rows: Vec<usize> = rows.map(|(row, _)| row).collect();
                assert_eq!(index.find(&ids, wanted).collect::<Vec<_>>(), rows, "{wanted}");
            }
            assert_eq!(index.find(&ids, NONE).count(), 0);
            assert_eq!(index.has_twins(), rows > 6);
        }
    }
}
