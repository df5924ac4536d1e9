//! The stores a bundle goes to.
