//! Rows set aside, and taken back in.
