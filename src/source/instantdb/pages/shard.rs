//! Shards of an entity's rows: those whose ids begin alike.

use serde_json::{Value, json};

/// The ids that begin with some hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shard {
    /// The digits, at the front of 32.
    start: u128,
    digits: usize,
}

impl Shard {
    /// All shards of so many digits, the first one last.
    pub(super) fn all(digits: usize) -> Vec<Self> {
        let mut shards = vec![Self { start: 0, digits: 0 }];
        for _ in 0..digits {
            shards = shards.into_iter().flat_map(Self::split).collect();
        }
        shards
    }

    /// The sixteen shards of one digit more, the first one last.
    pub(super) fn split(self) -> impl Iterator<Item = Self> {
        let digits = (self.digits + 1).min(32);
        (0..16_u128)
            .rev()
            .map(move |digit| Self { start: self.start | digit << (128 - 4 * digits), digits })
    }

    /// Whether it is a single id.
    pub(super) fn is_whole(self) -> bool {
        self.digits == 32
    }

    /// The beginning of its ids as text, with dashes where ids have them.
    pub(super) fn prefix(self) -> String {
        let text = uuid::Uuid::from_u128(self.start).to_string();
        let dashes = [8, 12, 16, 20].iter().filter(|at| self.digits > **at).count();
        text[..self.digits + dashes].to_owned()
    }

    /// Asks for it in the options of a query; the shard of all ids asks for nothing.
    pub(super) fn narrow(self, options: &mut Value) {
        if self.digits > 0 {
            options["where"] = json!({ "$entityIdStartsWith": self.prefix() });
        }
    }

    fn end(self) -> u128 {
        let rest = 128 - 4 * self.digits;
        self.start | u128::MAX.checked_shr(u32::try_from(128 - rest).unwrap_or(128)).unwrap_or(0)
    }

    /// Whether an id is one of it.
    pub(super) fn holds(self, id: u128) -> bool {
        (self.start..=self.end()).contains(&id)
    }

    /// Those of sorted ids that are of it.
    pub(super) fn of(self, ids: &[u128]) -> &[u128] {
        let from = ids.partition_point(|id| *id < self.start);
        let to = ids.partition_point(|id| *id <= self.end());
        &ids[from..to]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_holds_the_ids_that_begin_with_its_prefix() {
        let id = uuid::Uuid::parse_str("0123abcd-4567-489a-9bcd-ef0123456789").expect("an id");
        let mut shard = Shard::all(0)[0];
        for digits in 0..=32 {
            assert!(id.to_string().starts_with(&shard.prefix()), "{}", shard.prefix());
            assert!(shard.holds(id.as_u128()), "{digits}");
            assert!(shard.of(&[0, id.as_u128(), u128::MAX]).contains(&id.as_u128()));
            assert_eq!(shard.is_whole(), digits == 32);
            shard = shard.split().find(|shard| shard.holds(id.as_u128())).expect("one of 16");
        }
        assert_eq!(shard.prefix(), id.to_string());
    }

    #[test]
    fn shards_come_in_the_order_of_their_ids() {
        let mut shards = Shard::all(2);
        let first: Vec<String> = (0..18).filter_map(|_| shards.pop().map(Shard::prefix)).collect();
        assert_eq!((first[0].as_str(), first[1].as_str(), first[16].as_str()), ("00", "01", "10"));
        assert_eq!(shards.len(), 256 - 18);
    }
}
