//! Progress of a long step, as seen from outside the library.

/// Hears how far a stage is. The library never prints; the binary draws.
pub trait Progress: Sync {
    /// A step begins: what it is, and how many units it has when that is known.
    fn begin(&self, step: &str, total: Option<u64>);
    /// So many more units are done.
    fn advance(&self, units: u64);
    /// The step is done; `outcome` is one line about it.
    fn done(&self, outcome: &str);
    /// The work is at a point where a kill must do no harm: beside a journal entry, a commit, a
    /// rename. Tests stop the program there.
    fn reached(&self, _point: &str) {}
}

/// Hears nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _step: &str, _total: Option<u64>) {}
    fn advance(&self, _units: u64) {}
    fn done(&self, _outcome: &str) {}
}
