//! What can be checked years later.
