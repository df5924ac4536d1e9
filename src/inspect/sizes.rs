//! How large payloads are: a histogram whose buckets are a sixteenth of their size wide.

use std::collections::BTreeMap;

use serde::Serialize;

/// How large the payloads of a column are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sizes {
    /// How many payloads.
    pub count: u64,
    /// Bytes of all together.
    pub total: u64,
    /// Half of them are no larger, to a sixteenth.
    pub median: u64,
    /// Nine of ten are no larger, to a sixteenth.
    pub p90: u64,
    /// 99 of 100 are no larger, to a sixteenth.
    pub p99: u64,
    /// The largest.
    pub max: u64,
    /// By powers of two: payloads of less than so many bytes and at least half of it.
    pub histogram: Vec<(u64, u64)>,
}

/// Sizes while they pass by.
#[derive(Debug, Default)]
pub(super) struct Spread {
    buckets: BTreeMap<u64, u64>,
    count: u64,
    total: u64,
    max: u64,
}

impl Spread {
    /// Takes a size in.
    pub(super) fn add(&mut self, bytes: u64) {
        *self.buckets.entry(last_of_bucket(bytes)).or_default() += 1;
        self.count += 1;
        self.total += bytes;
        self.max = self.max.max(bytes);
    }

    /// The figures; `None` of nothing.
    pub(super) fn finish(self) -> Option<Sizes> {
        if self.count == 0 {
            return None;
        }
        let mut histogram: BTreeMap<u64, u64> = BTreeMap::new();
        for (bytes, count) in &self.buckets {
            *histogram.entry((bytes + 1).next_power_of_two()).or_default() += count;
        }
        Some(Sizes {
            count: self.count,
            total: self.total,
            median: self.at(50),
            p90: self.at(90),
            p99: self.at(99),
            max: self.max,
            histogram: histogram.into_iter().collect(),
        })
    }

    fn at(&self, percent: u64) -> u64 {
        let wanted = (self.count * percent).div_ceil(100);
        let mut seen = 0;
        for (bytes, count) in &self.buckets {
            seen += count;
            if seen >= wanted {
                return (*bytes).min(self.max);
            }
        }
        self.max
    }
}

/// The largest size of the bucket that a size is in: sizes below 32 have one each.
fn last_of_bucket(bytes: u64) -> u64 {
    let below = bytes.checked_ilog2().unwrap_or_default().saturating_sub(4);
    bytes | ((1 << below) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_right_to_a_sixteenth() {
        let mut spread = Spread::default();
        (1..=1000).for_each(|bytes| spread.add(bytes));
        let sizes = spread.finish().unwrap();
        assert_eq!((sizes.count, sizes.total, sizes.max), (1000, 500_500, 1000));
        for (found, exact) in [(sizes.median, 500), (sizes.p90, 900), (sizes.p99, 990)] {
            assert!(found >= exact && found <= exact + exact / 16, "{found} {exact}");
        }
        assert_eq!(sizes.histogram[..3], [(2, 1), (4, 2), (8, 4)]);
        assert_eq!(sizes.histogram.last(), Some(&(1024, 489)));
    }

    #[test]
    fn small_sizes_are_exact() {
        for bytes in 0..32 {
            assert_eq!(last_of_bucket(bytes), bytes);
        }
        assert_eq!(last_of_bucket(32), 33);
        assert_eq!(last_of_bucket(u64::MAX), u64::MAX);
    }
}
