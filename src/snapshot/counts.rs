//! How many rows have each of the names that no column has.

use std::collections::BTreeMap;

/// So many names an entity may have; the rest are counted together, so that names made out of data
/// cannot fill the memory.
const NAMES: usize = 10_000;
/// What the rest is counted as.
pub(crate) const OTHER_NAMES: &str = "…";

/// Names of one block, in the order they first appear.
#[derive(Default)]
pub(super) struct Names {
    order: Vec<(String, u64)>,
    places: BTreeMap<String, usize>,
}

impl Names {
    /// Counts a name.
    pub(super) fn add(&mut self, name: &str) {
        if let Some(at) = self.places.get(name) {
            self.order[*at].1 += 1;
            return;
        }
        self.places.insert(name.to_owned(), self.order.len());
        self.order.push((name.to_owned(), 1));
    }
}

/// Names of an entity.
#[derive(Default)]
pub(super) struct Counts(BTreeMap<String, u64>);

impl Counts {
    /// Adds the names of the next block.
    pub(super) fn add(&mut self, names: Names) {
        for (name, rows) in names.order {
            let full = self.0.len() >= NAMES && !self.0.contains_key(&name);
            let name = if full { OTHER_NAMES.to_owned() } else { name };
            *self.0.entry(name).or_default() += rows;
        }
    }

    /// The names, sorted, and how many rows have them.
    pub(super) fn into_sorted(self) -> impl Iterator<Item = (String, u64)> {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_count_as_their_rows_do() {
        let names = |from: usize, to: usize| {
            let mut names = Names::default();
            (from..to).for_each(|n| names.add(&format!("{:05}", NAMES * 2 - n)));
            names
        };
        let mut counts = Counts::default();
        counts.add(names(0, NAMES - 1));
        counts.add(names(NAMES - 3, NAMES + 5));
        let found: Vec<(String, u64)> = counts.into_sorted().collect();
        assert_eq!(found.len(), NAMES + 1);
        assert_eq!(found[0], ("10001".to_owned(), 1));
        assert_eq!(found[1], ("10002".to_owned(), 2));
        assert_eq!(found[NAMES], (OTHER_NAMES.to_owned(), 5));
    }
}
