//! Answers about one row.
