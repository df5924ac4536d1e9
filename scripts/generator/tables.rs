//! The tables and the order of their rows.

use super::defects::Defect;
use super::value::Row;
use super::world::{Entity, Stream, World};
use super::{answers, others, random, rows};

/// A line of the answer key to be: what was planted in a row, and what is to become of it.
pub(crate) type Planted = (Defect, String);

/// Takes a row and what was planted in it.
pub(crate) type Visit<'a> = dyn FnMut(Row, Vec<Planted>) -> std::io::Result<()> + 'a;

/// One table of the data.
#[derive(Debug)]
pub(crate) enum Table {
    /// Rows that are computed.
    Computed(Entity),
    /// The few rows of the target's model that the app has already.
    Existing(&'static str, Vec<Row>),
}

impl Table {
    /// Its name in the store.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Table::Computed(entity) => entity.name(),
            Table::Existing(name, _) => name,
        }
    }

    /// Gives every row in its order.
    pub(crate) fn visit(&self, world: &World, visit: &mut Visit<'_>) -> std::io::Result<()> {
        match self {
            Table::Computed(entity) => world.visit(*entity, visit),
            Table::Existing(_, rows) => {
                rows.iter().try_for_each(|row| visit(row.clone(), Vec::new()))
            }
        }
    }
}

impl World {
    /// The tables in the order they are written: by name.
    pub(crate) fn tables(&self) -> Vec<Table> {
        let computed = Entity::ALL.into_iter().filter(|e| e.is_legacy() || !self.options.plain);
        let mut tables: Vec<Table> = computed.map(Table::Computed).collect();
        tables.extend(others::existing(self));
        tables.sort_by_key(Table::name);
        tables
    }

    fn visit(&self, entity: Entity, visit: &mut Visit<'_>) -> std::io::Result<()> {
        let mut give = |n, copy| {
            visit(rows::row(self, entity, n, copy), answers::account(self, entity, n, copy))
        };
        let natural = |position| {
            let by_id = &self.by_id[entity as usize];
            by_id.inverse(match &self.shuffled {
                Some(shuffled) => shuffled[entity as usize].forward(position),
                None => position,
            })
        };
        for n in (0..self.count(entity)).map(natural) {
            give(n, self.first_copy(entity, n))?;
            if self.shuffled.is_none() && self.copies(entity, n) == 2 {
                give(n, 1 - self.first_copy(entity, n))?;
            }
        }
        if self.shuffled.is_none() || self.dirt.is_none() {
            return Ok(());
        }
        let twice = |n: &u64| self.copies(entity, *n) == 2;
        (0..self.count(entity))
            .map(natural)
            .filter(twice)
            .try_for_each(|n| give(n, 1 - self.first_copy(entity, n)))
    }

    /// How many rows have this id.
    fn copies(&self, entity: Entity, n: u64) -> u64 {
        match self.leaf(entity, n) {
            Some(Defect::IdenticalDuplicate | Defect::ConflictingDuplicate) => 2,
            _ => 1,
        }
    }

    /// Which of two rows comes first: chance, since no rule may lean on it.
    fn first_copy(&self, entity: Entity, n: u64) -> u64 {
        match self.leaf(entity, n) {
            Some(Defect::ConflictingDuplicate) => {
                let seed = self.options.shuffle.unwrap_or(self.options.seed);
                random::hash(seed, Stream::Order as u64, n) & 1
            }
            _ => 0,
        }
    }
}
