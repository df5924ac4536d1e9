//! Figures about snapshots and bundles.
