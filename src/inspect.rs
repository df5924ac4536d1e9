//! What a snapshot or a bundle holds, in figures.
