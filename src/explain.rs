//! What became of one row, and why.
