//! Corrected rows taken back in: a new snapshot, with the ledger going on.
