//! The second built-in contract.
