//! Verification put to the test: faults planted in a copy of a bundle, each to be caught.
