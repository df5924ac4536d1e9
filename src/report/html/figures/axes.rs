//! Axes: round steps, lines of the grid, labels.

use super::super::svg::{Anchor, Svg, length};
use crate::error::grouped;

/// The counts an axis names, from 0 to one at or above the largest value.
pub(super) fn ticks(largest: u64, most: u64) -> Vec<u64> {
    let largest = largest.max(1);
    let mut step = 1_u64;
    'found: loop {
        for factor in [1, 2, 5] {
            let wanted = step.saturating_mul(factor);
            if largest.div_ceil(wanted) <= most {
                step = wanted;
                break 'found;
            }
        }
        step = step.saturating_mul(10);
    }
    (0..=largest.div_ceil(step)).map(|at| at.saturating_mul(step)).collect()
}

/// A count on an axis.
pub(super) fn label(count: u64) -> String {
    let short = |unit: u64, name: &str| {
        let tenths = count / (unit / 10);
        match tenths % 10 {
            0 => format!("{}{name}", grouped(tenths / 10)),
            rest => format!("{}.{rest}{name}", grouped(tenths / 10)),
        }
    };
    match count {
        0..100_000 => grouped(count),
        100_000..1_000_000 => short(1000, "k"),
        1_000_000..1_000_000_000 => short(1_000_000, "M"),
        _ => short(1_000_000_000, "G"),
    }
}

/// Counts along one direction.
#[derive(Debug, Clone)]
pub(super) struct Scale {
    pub(super) ticks: Vec<u64>,
    from: f64,
    to: f64,
}

impl Scale {
    /// A scale from a place (for 0) to a place (for its largest tick).
    pub(super) fn new(largest: u64, most: u64, (from, to): (f64, f64)) -> Self {
        Self { ticks: ticks(largest, most), from, to }
    }

    /// Where a count stands.
    pub(super) fn at(&self, count: u64) -> f64 {
        let top = length(self.ticks.last().copied().unwrap_or(1));
        self.from + (self.to - self.from) * length(count) / top
    }

    /// Draws the lines of the grid and their labels beside a drawing.
    pub(super) fn vertical(&self, svg: &mut Svg, (left, right): (f64, f64)) {
        for tick in &self.ticks {
            let y = self.at(*tick);
            let class = if *tick == 0 { "axis" } else { "grid" };
            svg.line(class, (left, y), (right, y));
            svg.text("tick", (left - 6.0, y + 4.0), Anchor::End, &label(*tick));
        }
    }

    /// Draws the lines of the grid and their labels below a drawing.
    pub(super) fn horizontal(&self, svg: &mut Svg, (top, bottom): (f64, f64)) {
        for tick in &self.ticks {
            let x = self.at(*tick);
            let class = if *tick == 0 { "axis" } else { "grid" };
            svg.line(class, (x, top), (x, bottom));
            svg.text("tick", (x, bottom + 15.0), Anchor::Middle, &label(*tick));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_has_round_steps_and_room_for_the_largest() {
        let cases: [(u64, u64, &[u64]); 4] = [
            (0, 4, &[0, 1]),
            (7, 4, &[0, 2, 4, 6, 8]),
            (100, 4, &[0, 50, 100]),
            (1_234, 4, &[0, 500, 1_000, 1_500]),
        ];
        for (largest, most, expected) in cases {
            assert_eq!(ticks(largest, most), expected, "{largest}");
        }
        assert!(ticks(u64::MAX, 4).len() <= 6, "the largest count ends too");
        assert_eq!(label(1_250_000), "1.2M");
        assert_eq!(label(99_999), "99,999");
        assert_eq!(label(150_000), "150k");
    }
}
