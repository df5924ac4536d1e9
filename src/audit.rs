//! Everything about a bundle that can be checked without a network, years later.
