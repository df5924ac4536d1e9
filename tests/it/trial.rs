//! Faults planted in a bundle.
