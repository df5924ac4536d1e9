//! What became of each row of a legacy table: a bit a row for each fate but the usual one.

use std::collections::BTreeMap;

use super::Moved;
use super::columns::scan;
use crate::bundle::Bundle;
use crate::error::Result;
use crate::snapshot::Extra;

/// The rows of a legacy table that became no target row.
#[derive(Default)]
pub(super) struct Fates {
    merged: Bits,
    quarantined: Bits,
    dropped: Bits,
    adopted: BTreeMap<String, Bits>,
}

impl Fates {
    /// Reads what the bundle says of a legacy table.
    pub(super) fn read(bundle: &Bundle, source: &str) -> Result<Self> {
        let mut fates = Self::default();
        for (folder, bits) in [
            ("merged", &mut fates.merged),
            ("quarantine", &mut fates.quarantined),
            ("dropped", &mut fates.dropped),
        ] {
            let path = bundle.path(&format!("data/{folder}/{source}.parquet"));
            if path.exists() {
                scan(&path, &[Extra::ROW], &mut |columns, rows| {
                    (0..rows).filter_map(|row| columns[0].whole(row)).for_each(|row| bits.set(row));
                    Ok(())
                })?;
            }
        }
        let path = bundle.path(&format!("data/adopted/{source}.parquet"));
        if path.exists() {
            let adopted = &mut fates.adopted;
            scan(&path, &[Extra::ROW, "entity"], &mut |columns, rows| {
                let (rows_of, entities) = (&columns[0], &columns[1]);
                let of = |row: usize| rows_of.whole(row).zip(entities.text(row));
                for (at, entity) in (0..rows).filter_map(of) {
                    adopted.entry(entity.to_owned()).or_default().set(at);
                }
                Ok(())
            })?;
        }
        Ok(fates)
    }

    /// A row as it counts for a target table.
    pub(super) fn of(&self, row: Option<i64>, target: &str) -> Moved {
        let mut moved = Moved { before: 1, ..Moved::default() };
        let Some(row) = row else { return moved };
        if self.quarantined.get(row) {
            moved.quarantined = 1;
        } else if self.merged.get(row) {
            moved.merged = 1;
        } else if self.dropped.get(row) {
            moved.dropped = 1;
        } else if self.adopted.get(target).is_some_and(|bits| bits.get(row)) {
            moved.adopted = 1;
        }
        moved
    }
}

/// One bit a row, as far as the last one set.
#[derive(Default)]
struct Bits(Vec<u64>);

impl Bits {
    fn set(&mut self, row: i64) {
        let Ok(row) = usize::try_from(row) else { return };
        if self.0.len() <= row / 64 {
            self.0.resize(row / 64 + 1, 0);
        }
        self.0[row / 64] |= 1 << (row % 64);
    }

    fn get(&self, row: i64) -> bool {
        let Ok(row) = usize::try_from(row) else { return false };
        self.0.get(row / 64).is_some_and(|word| word >> (row % 64) & 1 == 1)
    }
}
