//! Completions and man pages.
