//! How many rows one link leads to the same row: the largest groups, in bounded memory.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use crate::error::Result;
use crate::scan;

/// Ids that are counted at a time.
const MOST: usize = 100_000;
/// Groups that are listed.
const LARGEST: usize = 10;

/// The rows of a table by the row that a link leads to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Groups {
    /// The link.
    pub link: String,
    /// How many groups; at least so many when there are more than are counted.
    pub groups: u64,
    /// Whether there are more. Those that are listed are still the largest, unless none has more than
    /// a hundred-thousandth of the rows.
    pub more: bool,
    /// The largest, by rows, then id.
    pub largest: Vec<Group>,
}

/// One group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    /// The id of the row that the link leads to.
    pub id: String,
    /// How many rows.
    pub rows: u64,
}

/// Counts ids by the method of Misra and Gries: when there are too many, each loses one, and those
/// that are frequent remain.
#[derive(Debug, Default)]
pub(super) struct Counter {
    counts: BTreeMap<String, u64>,
    more: bool,
}

impl Counter {
    /// Takes the id of a row in.
    pub(super) fn add(&mut self, id: &str) {
        if let Some(count) = self.counts.get_mut(id) {
            *count += 1;
        } else if self.counts.len() < MOST {
            self.counts.insert(id.to_owned(), 1);
        } else {
            self.more = true;
            self.counts.retain(|_, count| {
                *count -= 1;
                *count > 0
            });
        }
    }

    /// The largest groups; where ids were lost, the rows of those that remain are counted again.
    pub(super) fn finish(mut self, path: &Path, link: &str) -> Result<Groups> {
        if self.more {
            self.counts.values_mut().for_each(|count| *count = 0);
            scan::scan(path, &[link], &mut |row| {
                if let Some(count) = row.text(0).and_then(|id| self.counts.get_mut(id)) {
                    *count += 1;
                }
                Ok(())
            })?;
        }
        let groups = if self.more { MOST } else { self.counts.len() } as u64;
        let mut largest: Vec<(String, u64)> = self.counts.into_iter().collect();
        largest.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        largest.truncate(LARGEST);
        let largest = largest.into_iter().map(|(id, rows)| Group { id, rows }).collect();
        Ok(Groups { link: link.to_owned(), groups, more: self.more, largest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frequent_remain() {
        let mut counter = Counter::default();
        for at in 0..150_000 {
            counter.add(&format!("rare {at}"));
            if at % 100 == 0 {
                counter.add("frequent");
            }
        }
        assert!(counter.more && counter.counts.len() <= MOST);
        assert!(counter.counts.contains_key("frequent"));
    }
}
