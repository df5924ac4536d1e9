//! Rows by the size of a JSON payload, in powers of two.

use serde::{Deserialize, Serialize};

use super::Moved;
use super::count::{Counts, Key};
use super::plan::Figure;

/// Sizes of a JSON attribute before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sizes {
    /// The legacy entity.
    pub source: String,
    /// The legacy attributes, of which the first that is there counts.
    pub from: Vec<String>,
    /// The target entity.
    pub target: String,
    /// The target attribute.
    pub attr: String,
    /// Rows by size, from the smallest size there is to the largest, without gaps.
    pub bins: Vec<Bin>,
    /// Rows without a payload.
    pub absent: Moved,
    /// Bytes of all payloads of the legacy rows.
    pub bytes_before: u64,
    /// Bytes of all payloads of the target rows made from them.
    pub bytes_after: u64,
    /// Bytes of the largest payload before.
    pub largest_before: u64,
    /// Bytes of the largest payload after.
    pub largest_after: u64,
    /// Whether the difference of every size is explained by rows that went elsewhere; absent when a
    /// legacy row becomes several.
    pub explained: Option<bool>,
}

/// Rows whose payload has a size of some range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bin {
    /// Bytes from.
    pub from: u64,
    /// Bytes up to and without.
    pub below: u64,
    /// The rows.
    pub rows: Moved,
}

/// The power of two below or at a size.
pub(super) fn bin(bytes: u64) -> u32 {
    bytes.max(1).ilog2()
}

/// The sizes of a figure; none when no row has a payload.
pub(super) fn sizes(figure: &Figure<'_>, counts: &Counts, comparable: bool) -> Option<Sizes> {
    let at = |key: &Key| match key {
        Key::Size(power) => Some(*power),
        _ => None,
    };
    let powers: Vec<u32> = counts.rows.keys().filter_map(at).collect();
    let (first, last) = (*powers.first()?, *powers.last()?);
    let bins: Vec<Bin> = (first..=last)
        .map(|power| Bin {
            from: if power == 0 { 0 } else { 1 << power },
            below: 1_u64.checked_shl(power + 1).unwrap_or(u64::MAX),
            rows: counts.rows.get(&Key::Size(power)).copied().unwrap_or_default(),
        })
        .collect();
    let holds = bins.iter().all(|bin| bin.rows.is_explained());
    let known = comparable && !figure.elsewhere;
    Some(Sizes {
        source: figure.source.to_owned(),
        from: figure.before.iter().map(|name| (*name).to_owned()).collect(),
        target: figure.target.to_owned(),
        attr: figure.after.to_owned(),
        bins,
        absent: counts.rows.get(&Key::Absent).copied().unwrap_or_default(),
        bytes_before: counts.bytes[0],
        bytes_after: counts.bytes[1],
        largest_before: counts.largest[0],
        largest_after: counts.largest[1],
        explained: known.then_some(holds),
    })
}
