//! One bit a row.

/// One bit for each of some rows; they take memory once one is set.
#[derive(Debug, Clone, Default)]
pub(super) struct Bits {
    words: Vec<u64>,
    rows: usize,
}

impl Bits {
    /// No bit of so many rows is set.
    pub(super) fn new(rows: usize) -> Self {
        Self { words: Vec::new(), rows }
    }

    pub(super) fn set(&mut self, row: usize) {
        if self.words.is_empty() {
            self.words = vec![0; self.rows.div_ceil(64)];
        }
        self.words[row / 64] |= 1 << (row % 64);
    }

    pub(super) fn get(&self, row: usize) -> bool {
        self.words.get(row / 64).is_some_and(|word| word >> (row % 64) & 1 == 1)
    }

    /// How many are set.
    pub(super) fn count(&self) -> u64 {
        self.words.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// Whether none is set.
    pub(super) fn is_clear(&self) -> bool {
        self.words.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_set_one_by_one() {
        let mut bits = Bits::new(130);
        assert!(bits.is_clear() && !bits.get(129) && bits.count() == 0);
        for row in [0, 63, 64, 129, 129] {
            bits.set(row);
        }
        let set: Vec<usize> = (0..130).filter(|row| bits.get(*row)).collect();
        assert_eq!((set, bits.count()), (vec![0, 63, 64, 129], 4));
    }
}
