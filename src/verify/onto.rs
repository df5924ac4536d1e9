//! Which target rows the rows of a legacy table became.

use super::cases::Cases;
use super::table::NO_ROW;

/// Which target rows the rows of a legacy table became.
pub(super) struct Onto {
    pub(super) target: String,
    /// How often a legacy row was migrated.
    pub(super) seen: Vec<u8>,
    /// By legacy row: the first target row it became, or [`NO_ROW`].
    pub(super) at: Vec<u32>,
    /// Legacy rows that stand on an existing row, by row: (row, id).
    pub(super) adopted: Vec<(u32, u128)>,
    /// Which rows each becomes, where a contract splits them.
    pub(super) cases: Option<Cases>,
}

impl Onto {
    /// Whether no legacy row became two target rows.
    pub(super) fn is_once(&self) -> bool {
        self.seen.iter().all(|seen| *seen <= 1)
    }

    /// How many target rows a legacy row becomes when nothing is the matter with it.
    pub(super) fn wanted(&self, row: usize) -> usize {
        self.cases.as_ref().map_or(1, |cases| cases.count(row))
    }

    /// The target row a legacy row became.
    pub(super) fn at(&self, row: usize) -> Option<usize> {
        Some(self.at[row]).filter(|at| *at != NO_ROW).map(|at| at as usize)
    }

    /// The id of the existing row a legacy row stands on.
    pub(super) fn adopted(&self, row: usize) -> Option<u128> {
        let from = self.adopted.partition_point(|(at, _)| (*at as usize) < row);
        self.adopted.get(from).filter(|(at, _)| *at as usize == row).map(|(_, id)| *id)
    }

    /// How often a legacy row became a target row or stands on one.
    pub(super) fn times(&self, row: usize) -> usize {
        let from = self.adopted.partition_point(|(at, _)| (*at as usize) < row);
        let adopted = self.adopted[from..].iter().take_while(|(at, _)| *at as usize == row);
        usize::from(self.seen[row]) + adopted.count()
    }
}
