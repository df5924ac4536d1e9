//! Contracts with faults.
