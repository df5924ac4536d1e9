//! The reverse transform: the legacy tables again, out of a bundle, and their digests beside the
//! snapshot's.
