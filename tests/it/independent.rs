//! The contract as plain SQL.
