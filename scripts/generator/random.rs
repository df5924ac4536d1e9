//! Chance without state: every number follows from a seed, a stream and an index.

/// `SplitMix64`'s step and finalizer.
pub(crate) fn mix(value: u64) -> u64 {
    let mut mixed = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// A hash of a place: what is drawn there is the same whenever it is asked for.
pub(crate) fn hash(seed: u64, stream: u64, index: u64) -> u64 {
    mix(seed ^ mix(stream.wrapping_mul(0xd6e8_feb8_6659_fd93) ^ mix(index)))
}

/// Numbers drawn one after the other.
#[derive(Debug, Clone)]
pub(crate) struct Rng(u64);

impl Rng {
    /// Begins at a place.
    pub(crate) fn at(seed: u64, stream: u64, index: u64) -> Self {
        Self(hash(seed, stream, index))
    }

    /// The next 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        let high = (u128::from(self.next()) * u128::from(end)) >> 64;
        u64::try_from(high).unwrap_or(0)
    }

    /// True once in `times`.
    pub(crate) fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// One of some.
    pub(crate) fn pick<T: Copy>(&mut self, some: &[T]) -> T {
        let at = self.below(some.len() as u64);
        some[usize::try_from(at).unwrap_or(0)]
    }
}

/// A permutation of `0..count` that stores nothing: a Feistel network that walks its cycles.
#[derive(Debug, Clone)]
pub(crate) struct Permutation {
    count: u64,
    half: u32,
    key: u64,
}

const ROUNDS: u64 = 4;

impl Permutation {
    /// The permutation of a key.
    pub(crate) fn new(count: u64, key: u64) -> Self {
        let bits = u64::BITS - count.saturating_sub(1).leading_zeros();
        Self { count, half: bits.div_ceil(2).max(1), key }
    }

    /// Where `index` goes.
    pub(crate) fn forward(&self, index: u64) -> u64 {
        self.walk(index, |left, right, round| (right, left ^ self.round(right, round)), 0)
    }

    /// What goes to `place`.
    pub(crate) fn inverse(&self, place: u64) -> u64 {
        let undo = |left, right, round| (right ^ self.round(left, round), left);
        self.walk(place, undo, ROUNDS - 1)
    }

    /// Runs the rounds (`first` = 0 upward, else downward) until the value is below the count.
    fn walk(&self, from: u64, step: impl Fn(u64, u64, u64) -> (u64, u64), first: u64) -> u64 {
        let mask = (1 << self.half) - 1;
        let mut value = from;
        loop {
            let (mut left, mut right) = (value >> self.half, value & mask);
            for round in 0..ROUNDS {
                (left, right) = step(left, right, first.abs_diff(round));
            }
            value = (left << self.half) | right;
            if value < self.count {
                return value;
            }
        }
    }

    fn round(&self, value: u64, round: u64) -> u64 {
        mix(value ^ self.key.wrapping_add(round << 56)) & ((1 << self.half) - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::{Permutation, Rng};

    #[test]
    fn a_permutation_reaches_every_place_once_and_comes_back() {
        for count in [1, 2, 3, 5, 64, 1000, 4097] {
            let permutation = Permutation::new(count, 7);
            let mut places: Vec<u64> = (0..count).map(|n| permutation.forward(n)).collect();
            assert!((0..count).all(|n| permutation.inverse(permutation.forward(n)) == n));
            places.sort_unstable();
            assert_eq!(places, (0..count).collect::<Vec<_>>());
        }
    }

    #[test]
    fn chance_repeats() {
        let draw = |index| Rng::at(1, 2, index).below(1000);
        assert_eq!(draw(3), draw(3));
        assert!((0..100).any(|index| draw(index) != draw(3)));
    }
}
