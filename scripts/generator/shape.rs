//! Who belongs to whom, without storing it: rows come in families of a fixed size, and a family is
//! split among its parents by weights that follow from the seed.

use std::cell::RefCell;

use super::random;

/// How many rows of each kind a family has. It has two events an execution: trigger and reaction.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    /// Contexts in a family.
    pub(crate) contexts: u64,
    /// Executions in a family.
    pub(crate) executions: u64,
    /// Steps in a family.
    pub(crate) steps: u64,
    /// Parts in a family.
    pub(crate) parts: u64,
    seed: u64,
    sample: bool,
    last: RefCell<[Cut; 3]>,
}

/// How a family was split.
#[derive(Debug, Clone, Default)]
struct Cut {
    family: u64,
    ends: Vec<u64>,
}

/// What is split among what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// Executions among contexts.
    Executions,
    /// Steps among executions.
    Steps,
    /// Parts among steps.
    Parts,
}

/// A parent and its children, all counted within the family.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Share {
    /// The parent.
    pub(crate) parent: u64,
    /// Its first child.
    pub(crate) start: u64,
    /// The first child of the next parent.
    pub(crate) end: u64,
}

/// The sample's contexts: one of 200 events, and one of none.
const SAMPLE_CONTEXTS: [u64; 12] = [100, 3, 4, 0, 2, 5, 1, 3, 4, 2, 3, 3];

impl Shape {
    /// The families of generated data.
    pub(crate) fn regular(seed: u64) -> Self {
        Self {
            contexts: 4,
            executions: 20,
            steps: 40,
            parts: 200,
            seed,
            sample: false,
            last: RefCell::default(),
        }
    }

    /// The one family of the sample; its weights add up, so that every share is exact.
    pub(crate) fn sample(seed: u64) -> Self {
        Self {
            contexts: 12,
            executions: 130,
            steps: 260,
            parts: 707,
            seed,
            sample: true,
            last: RefCell::default(),
        }
    }

    /// The share a child is in.
    pub(crate) fn share_of(&self, level: Level, family: u64, child: u64) -> Share {
        self.with_ends(level, family, |ends| share(ends, ends.partition_point(|end| *end <= child)))
    }

    /// The share of a parent.
    pub(crate) fn share(&self, level: Level, family: u64, parent: u64) -> Share {
        let parent = usize::try_from(parent).unwrap_or(0);
        self.with_ends(level, family, |ends| share(ends, parent))
    }

    /// Where the share of every parent of a family ends. A row asks for the same ones again and
    /// again, so the last are kept.
    fn with_ends<T>(&self, level: Level, family: u64, ask: impl Fn(&[u64]) -> T) -> T {
        let cut = &mut self.last.borrow_mut()[level as usize];
        if cut.ends.is_empty() || cut.family != family {
            let (parents, children) = match level {
                Level::Executions => (self.contexts, self.executions),
                Level::Steps => (self.executions, self.steps),
                Level::Parts => (self.steps, self.parts),
            };
            let sum: u64 = self.weights(level, family, parents).sum();
            let mut weights = 0;
            cut.family = family;
            cut.ends.clear();
            cut.ends.extend(self.weights(level, family, parents).map(|weight| {
                weights += weight;
                children * weights / sum
            }));
        }
        ask(&cut.ends)
    }

    /// The weights of parents; the last one's is never 0, so neither is their sum.
    fn weights(&self, level: Level, family: u64, parents: u64) -> impl Iterator<Item = u64> {
        let mut chances = 0;
        (0..parents).map(move |parent| {
            if self.sample {
                return sample_weight(level, parent);
            }
            chances = match parent % 8 {
                0 => random::hash(self.seed, level as u64, (family << 8) | parent),
                _ => chances >> 8,
            };
            let chance = chances & 0xff;
            match level {
                Level::Executions if parent + 1 == self.contexts => 1 + chance % 8,
                Level::Executions if chance < 16 => 0,
                Level::Executions => 1 + chance % 10,
                Level::Steps => 1 + chance % 4,
                Level::Parts => 1 + chance % 9,
            }
        })
    }
}

fn share(ends: &[u64], parent: usize) -> Share {
    let at = parent.min(ends.len() - 1);
    Share { parent: at as u64, start: if at == 0 { 0 } else { ends[at - 1] }, end: ends[at] }
}

fn sample_weight(level: Level, parent: u64) -> u64 {
    match level {
        Level::Executions => usize::try_from(parent)
            .ok()
            .and_then(|parent| SAMPLE_CONTEXTS.get(parent).copied())
            .unwrap_or(0),
        Level::Steps => 2,
        Level::Parts if parent == 0 => 60,
        Level::Parts => 2 + u64::from(parent.is_multiple_of(2)),
    }
}
