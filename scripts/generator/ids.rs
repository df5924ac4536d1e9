//! Ids that follow from the index.

use super::defects::Defect;
use super::shape::Level;
use super::value::Value;
use super::world::{Entity, Stream, World};

impl World {
    /// The UUID of a row: its place in the order of ids above, chance below.
    pub(crate) fn uuid(&self, entity: Entity, n: u64) -> String {
        if self.light {
            return String::new();
        }
        let step = (1_u64 << 60) / self.count(entity).max(1);
        let mut rng = self.rng(Stream::Id, entity, n);
        let high = self.by_id[entity as usize].forward(n) * step + rng.below(step);
        uuid_text(high, rng.next())
    }

    /// The id of a row as text.
    pub(crate) fn id(&self, entity: Entity, n: u64) -> String {
        if self.leaf(entity, n) != Some(Defect::OddId) {
            return self.uuid(entity, n);
        }
        match entity {
            Entity::Context => format!("thread_{}", self.uuid(entity, n)),
            Entity::Event => format!("evt_{}", self.uuid(entity, n)),
            Entity::Execution => format!("exec/{n}"),
            Entity::Step => {
                let (family, local) = self.place(entity, n);
                let share = self.shape.share_of(Level::Steps, family, local);
                let execution = self.at(Entity::Execution, family, share.parent);
                format!("{}:{}", self.uuid(Entity::Execution, execution), local - share.start)
            }
            _ => (n + 1_000_000).to_string(),
        }
    }

    /// The id of a row as its JSON member has it: a part's odd one is a number.
    pub(crate) fn id_value(&self, entity: Entity, n: u64) -> Value {
        let text = self.id(entity, n);
        let number = entity == Entity::Part && self.leaf(entity, n) == Some(Defect::OddId);
        if number { Value::Raw(text) } else { Value::Text(text) }
    }
}

/// The uuid of 124 bits: version 4 and its variant stand where they must, so the order of `high`
/// is the order of the texts.
pub(crate) fn uuid_text(high: u64, low: u64) -> String {
    let bits = [
        (high >> 12) << 16 | 0x4000 | (high & 0xfff),
        0x8000_0000_0000_0000 | (low & 0x3fff_ffff_ffff_ffff),
    ];
    let mut text = String::with_capacity(36);
    for (at, byte) in bits.into_iter().flat_map(u64::to_be_bytes).enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push(char::from(HEX[usize::from(byte >> 4)]));
        text.push(char::from(HEX[usize::from(byte & 15)]));
    }
    text
}

const HEX: &[u8; 16] = b"0123456789abcdef";
