//! What the code columns of the working files mean.

/// An id was no UUID and was mapped.
pub const ID_MAPPED: i32 = 1;
/// An id was derived from a key.
pub const ID_DERIVED: i32 = 2;
/// An id is that of an existing row.
pub const ID_ADOPTED: i32 = 3;

/// A value matches a listed one only without regard to case.
pub const FOLDED: i32 = 1;
/// A value is not listed and is kept.
pub const KEPT: i32 = 2;
/// A value is not listed and becomes the rule's other value.
pub const OTHERWISE: i32 = 3;
/// A value is not listed and refuses its row.
pub const REFUSED: i32 = 4;

/// Every place of a key has blanks alone, and nothing else stands in: the value is absent.
pub const BLANK: i32 = 5;

/// The code of a place in a rule.
pub fn number(place: usize) -> i32 {
    i32::try_from(place).unwrap_or(i32::MAX)
}
