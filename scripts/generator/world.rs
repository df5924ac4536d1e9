//! All rows there are, by entity and natural index: how many, whose, with which id, since when.

use super::dirty::Dirt;
use super::random::{self, Permutation, Rng};
use super::shape::{Level, Shape};
use super::{Options, schema};

/// The entities whose rows are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entity {
    /// `context_contexts`
    Context,
    /// `context_events`
    Event,
    /// `story_executions`
    Execution,
    /// `story_steps`
    Step,
    /// `story_parts`
    Part,
    /// `$users`
    User,
    /// `whatsapp_messages`
    Message,
    /// `emails`
    Email,
}

impl Entity {
    /// All of them.
    pub(crate) const ALL: [Entity; 8] = [
        Entity::Context,
        Entity::Event,
        Entity::Execution,
        Entity::Step,
        Entity::Part,
        Entity::User,
        Entity::Message,
        Entity::Email,
    ];

    /// Its name in the store.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Entity::Context => "context_contexts",
            Entity::Event => "context_events",
            Entity::Execution => "story_executions",
            Entity::Step => "story_steps",
            Entity::Part => "story_parts",
            Entity::User => "$users",
            Entity::Message => "whatsapp_messages",
            Entity::Email => "emails",
        }
    }

    /// Whether the migration reads it.
    pub(crate) fn is_legacy(self) -> bool {
        !matches!(self, Entity::User | Entity::Message | Entity::Email)
    }
}

/// Everything a row follows from.
#[derive(Debug, Clone)]
pub(crate) struct World {
    /// What to make.
    pub(crate) options: Options,
    /// Who belongs to whom.
    pub(crate) shape: Shape,
    /// What is planted.
    pub(crate) dirt: Dirt,
    /// Rows are only counted: payloads and ids are left out.
    pub(crate) light: bool,
    families: u64,
    /// Natural index to position by id, by entity.
    pub(crate) by_id: Vec<Permutation>,
    /// Position in the file to position by id, by entity.
    pub(crate) shuffled: Option<Vec<Permutation>>,
    indexed: Vec<Vec<&'static str>>,
}

impl World {
    /// Lays everything out.
    pub(crate) fn new(options: &Options) -> Self {
        let seed = options.seed;
        let shape = if options.sample { Shape::sample(seed) } else { Shape::regular(seed) };
        let mut options = options.clone();
        if options.sample {
            options.parts = shape.parts;
        }
        let families = options.parts.div_ceil(shape.parts);
        let dirt = Dirt::new(&options);
        let (by_id, shuffled) = (Vec::new(), None);
        let archive = options.is_archive();
        let indexed = Entity::ALL.iter().filter(|_| archive).map(|e| schema::indexed(e.name()));
        let indexed = indexed.collect();
        let mut world =
            Self { options, shape, dirt, light: false, families, by_id, shuffled, indexed };
        world.by_id = world.permutations(seed);
        world.shuffled = world.options.shuffle.map(|seed| world.permutations(!seed));
        world
    }

    /// The same rows without payloads and ids, to count them.
    pub(crate) fn without_payloads(&self) -> Self {
        Self { light: true, ..self.clone() }
    }

    fn permutations(&self, seed: u64) -> Vec<Permutation> {
        let key = |entity| random::hash(seed, Stream::Order as u64, entity as u64);
        Entity::ALL.iter().map(|&e| Permutation::new(self.count(e), key(e))).collect()
    }

    /// The attributes of which an archive says that they were never set: those with an index.
    pub(crate) fn indexed(&self, entity: Entity) -> &[&'static str] {
        self.indexed.get(entity as usize).map_or(&[], Vec::as_slice)
    }

    /// How many rows of an entity a family has.
    pub(crate) fn per_family(&self, entity: Entity) -> u64 {
        let some = if self.options.sample { 3 } else { 1 };
        match entity {
            Entity::Context => self.shape.contexts,
            Entity::Event => self.shape.executions * 2,
            Entity::Execution => self.shape.executions,
            Entity::Step => self.shape.steps,
            Entity::Part => self.shape.parts,
            Entity::User => some,
            Entity::Message => 4 * some,
            Entity::Email => 2 * some,
        }
    }

    /// How many rows of an entity there are, duplicates aside. The last family may lack parts.
    pub(crate) fn count(&self, entity: Entity) -> u64 {
        match entity {
            Entity::Part => self.options.parts,
            _ => self.families * self.per_family(entity),
        }
    }

    /// The family of a row, and its place there.
    pub(crate) fn place(&self, entity: Entity, n: u64) -> (u64, u64) {
        let size = self.per_family(entity);
        (n / size, n % size)
    }

    /// The row at a place of a family.
    pub(crate) fn at(&self, entity: Entity, family: u64, local: u64) -> u64 {
        family * self.per_family(entity) + local
    }

    /// What is drawn for a row in a stream.
    pub(crate) fn rng(&self, stream: Stream, entity: Entity, n: u64) -> Rng {
        Rng::at(self.options.seed, stream as u64 | (entity as u64) << 8, n)
    }

    /// When a context began, epoch milliseconds.
    pub(crate) fn context_time(&self, n: u64) -> i64 {
        let two_years = 63_072_000_000;
        EPOCH + signed(self.rng(Stream::Time, Entity::Context, n).below(two_years))
    }

    /// When an execution was triggered, answered, or wrote its `step`th step.
    pub(crate) fn execution_time(&self, n: u64, moment: Moment) -> i64 {
        let (family, local) = self.place(Entity::Execution, n);
        let share = self.shape.share_of(Level::Executions, family, local);
        let context = self.at(Entity::Context, family, share.parent);
        let mut rng = self.rng(Stream::Time, Entity::Execution, n);
        let begun = (local - share.start) * 300_000 + 50 + rng.below(200_000);
        let answered = if rng.once_in(32) { 0 } else { 2000 + rng.below(60_000) };
        let after = match moment {
            Moment::Triggered => 0,
            Moment::Began => 5,
            Moment::Step(step) => 10 + step * 1500 + rng.below(1000),
            Moment::Answered => answered,
        };
        self.context_time(context) + signed(begun + after)
    }
}

/// 2024-01-01.
const EPOCH: i64 = 1_704_067_200_000;

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A moment in the life of an execution.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Moment {
    /// Its trigger was received.
    Triggered,
    /// It began.
    Began,
    /// It wrote a step.
    Step(u64),
    /// It answered.
    Answered,
}

/// What chance is for, so that one draw does not move another. The numbers below are levels.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stream {
    /// Order of ids and rows.
    Order = 16,
    /// The low bits of ids.
    Id,
    /// Times.
    Time,
    /// Values of a row.
    Row,
    /// Its payload.
    Payload,
    /// Its links.
    Link,
    /// What does not exist.
    Nowhere,
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::shape::Level;
    use super::super::{Kind, Links, Options};
    use super::{Entity, World};

    fn world(parts: u64) -> World {
        World::new(&Options {
            kind: Kind::Archive,
            parts,
            seed: 3,
            dirty: 0.0,
            links: Links::Forward,
            payload_percent: 100,
            shuffle: None,
            plain: false,
            sample: false,
            out: PathBuf::new(),
            key: None,
        })
    }

    #[test]
    fn ids_rise_with_the_position_and_are_v4() {
        let world = world(5000);
        let at = |position| world.uuid(Entity::Part, world.by_id[4].inverse(position));
        let ids: Vec<String> = (0..5000).map(at).collect();
        assert!(ids.is_sorted() && ids.windows(2).all(|pair| pair[0] != pair[1]));
        assert!(ids.iter().all(|id| id.len() == 36 && &id[14..15] == "4"));
        assert!(ids.iter().all(|id| "89ab".contains(&id[19..20])));
    }

    #[test]
    fn every_child_is_in_the_share_of_its_parent() {
        let world = world(1000);
        for family in 0..5 {
            for part in 0..world.shape.parts {
                let share = world.shape.share_of(Level::Parts, family, part);
                let same = world.shape.share(Level::Parts, family, share.parent);
                assert!((same.start..same.end).contains(&part));
            }
        }
    }
}
