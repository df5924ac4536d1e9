//! Contract × Snapshot -> decisions.
