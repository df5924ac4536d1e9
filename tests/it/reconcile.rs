//! The schema steps of a migration.
