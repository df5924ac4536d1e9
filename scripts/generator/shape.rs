//! Who belongs to whom, without storing it: rows come in families of a fixed size, and a family is
//! split among its parents by weights that follow from the seed.

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
        Self { contexts: 4, executions: 20, steps: 40, parts: 200, seed, sample: false }
    }

    /// The one family of the sample; its weights add up, so that every share is exact.
    pub(crate) fn sample(seed: u64) -> Self {
        Self { contexts: 12, executions: 130, steps: 260, parts: 707, seed, sample: true }
    }

    /// The share a child is in.
    pub(crate) fn share_of(&self, level: Level, family: u64, child: u64) -> Share {
        self.find(level, family, |share| child < share.end)
    }

    /// The share of a parent.
    pub(crate) fn share(&self, level: Level, family: u64, parent: u64) -> Share {
        self.find(level, family, |share| share.parent == parent)
    }

    fn find(&self, level: Level, family: u64, wanted: impl Fn(&Share) -> bool) -> Share {
        let (parents, children) = match level {
            Level::Executions => (self.contexts, self.executions),
            Level::Steps => (self.executions, self.steps),
            Level::Parts => (self.steps, self.parts),
        };
        let sum: u64 = (0..parents).map(|parent| self.weight(level, family, parent)).sum();
        let mut share = Share { parent: 0, start: 0, end: 0 };
        let mut weights = 0;
        for parent in 0..parents {
            weights += self.weight(level, family, parent);
            share = Share { parent, start: share.end, end: children * weights / sum };
            if wanted(&share) {
                break;
            }
        }
        share
    }

    /// The weights of parents; the last one's is never 0, so neither is their sum.
    fn weight(&self, level: Level, family: u64, parent: u64) -> u64 {
        if self.sample {
            return sample_weight(level, parent);
        }
        let chance = random::hash(self.seed, level as u64, (family << 8) | parent);
        match level {
            Level::Executions if parent + 1 == self.contexts => 1 + chance % 8,
            Level::Executions if chance & 0xf00 == 0 => 0,
            Level::Executions => 1 + chance % 10,
            Level::Steps => 1 + chance % 4,
            Level::Parts => 1 + chance % 9,
        }
    }
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
