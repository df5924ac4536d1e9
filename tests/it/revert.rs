//! The reverse transform.
