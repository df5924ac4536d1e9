//! `rethread` turns what an app exported from InstantDB under the legacy *story* model into the
//! *thread* model, and proves that nothing was lost.
//!
//! The modules are the pipeline's stages, in order:
//!
//! 1. [`schema`]: entities, attributes, links, types: the words every stage shares; [`app`]: what an
//!    app has around its rows.
//! 2. [`contract`]: the *Before/After Migration Contract* as data. It names every entity; no other
//!    module knows one.
//! 3. [`source`]: where legacy rows come from: a backup archive, a dataset envelope, a folder, a
//!    PostgreSQL database.
//! 4. [`snapshot`]: the source's tables as sealed Parquet, with nothing lost.
//! 5. [`reconcile`], [`document`]: the schema push that the contract wants, and the contract as the
//!    document it is.
//! 6. [`transform`]: contract × snapshot -> decisions on narrow columns (polars).
//! 7. [`bundle`]: the target's rows in order, the quarantine, and the account of every row;
//!    [`inspect`], [`compare`], [`replay`] and [`revert`] answer by it.
//! 8. [`verify`]: re-reads snapshot and bundle on its own ways; only a [`verify::VerifiedBundle`]
//!    can be imported. [`explain`] tells of one row, [`trial`] tries the verification itself.
//! 9. [`target`]: the stores a bundle goes to.
//! 10. [`import`]: a verified bundle into a target, read back; [`audit`] looks at all of it again.
//! 11. [`report`]: what happened, as text, Markdown, HTML, JSON, CSV and for build servers.
//!
//! The modules below them serve every stage and know none: [`bag`], [`storage`], [`json`],
//! [`digest`], [`progress`], [`resources`], [`secret`], [`pg`], [`instantdb`], [`error`].

pub mod schema;
pub mod app;
pub mod contract;
pub mod source;
pub mod snapshot;
pub mod reconcile;
pub mod document;
pub mod transform;
pub mod bundle;
pub mod inspect;
pub mod compare;
pub mod replay;
pub mod revert;
pub mod verify;
pub mod explain;
pub mod trial;
pub mod target;
pub mod import;
pub mod audit;
pub mod report;

pub mod bag;
pub mod storage;
mod scan;
mod threads;
pub mod json;
pub mod digest;
pub mod progress;
pub mod resources;
pub mod secret;
pub mod pg;
pub mod instantdb;
pub mod error;

/// Program and version, as every snapshot, bundle and report names it.
pub const PROGRAM: &str = concat!("rethread ", env!("CARGO_PKG_VERSION"));
