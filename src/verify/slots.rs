//! The places of target rows where a legacy row becomes several, or numbered ones: every row that a
//! legacy row must become has a slot, and every target row is told its own by its id.

use super::bits::Bits;
use super::cases::Cases;
use super::facts::Audit;
use super::key;
use super::made::{How, Made};
use super::numbers;
use super::table::{Table, narrow};
use crate::contract::Transform;
use crate::error::Result;

/// No slot: the id of the row is none that its legacy row gives.
const NONE: u16 = u16::MAX;

/// The slots of a transform that splits or numbers.
pub(super) struct Slots {
    /// By legacy row: its first slot; then how many there are.
    starts: Vec<u32>,
    /// By target row: which of the rows of its legacy row it is.
    nths: Vec<u16>,
    /// By legacy row: the number before the first of its rows; empty where rows are not numbered.
    numbers: Vec<u32>,
}

impl Slots {
    /// Tells every target row by its id, and numbers the legacy rows.
    pub(super) fn read(audit: &Audit<'_>, transform: &Transform) -> Result<Self> {
        let (legacy, table) = (audit.legacy(&transform.source)?, audit.table(&transform.target)?);
        let cases = legacy.onto(&transform.target).and_then(|onto| onto.cases.as_ref());
        let mut starts = Vec::with_capacity(legacy.rows + 1);
        let mut next = 0;
        for row in 0..legacy.rows {
            starts.push(narrow(next)?);
            next += cases.map_or(1, |cases| cases.count(row));
        }
        starts.push(narrow(next)?);
        let mut slots = Self { starts, nths: vec![NONE; table.rows()], numbers: Vec::new() };
        let made = Made::read(audit, transform)?;
        for row in 0..table.rows() {
            if let Some(source) = table.migrated(row).filter(|source| *source < legacy.rows) {
                let id = (table.ids[row], slots.count(source));
                slots.nths[row] = nth(audit, transform, &made, (source, id));
            }
        }
        if let Some(number) = &transform.number {
            let wants = |row: usize| slots.count(row);
            slots.numbers = numbers::before(audit, transform, number, (&made, &wants))?;
        }
        Ok(slots)
    }

    /// How many target rows a legacy row must become.
    pub(super) fn count(&self, row: usize) -> usize {
        (self.starts[row + 1] - self.starts[row]) as usize
    }

    /// How many slots there are.
    pub(super) fn len(&self) -> usize {
        self.starts.last().map_or(0, |last| *last as usize)
    }

    /// Whether no two target rows have the same slot.
    pub(super) fn is_once(&self, table: &Table, rows: usize) -> bool {
        let mut seen = Bits::new(self.len());
        (0..table.rows()).all(|row| {
            let source = table.migrated(row).filter(|source| *source < rows);
            let Some(slot) = source.and_then(|source| self.of(row, source)) else { return true };
            let is_new = !seen.get(slot);
            seen.set(slot);
            is_new
        })
    }

    /// The first slot of a legacy row.
    pub(super) fn start(&self, row: usize) -> usize {
        self.starts[row] as usize
    }

    /// Which of the rows of its legacy row a target row is.
    pub(super) fn nth(&self, target_row: usize) -> Option<usize> {
        Some(self.nths[target_row]).filter(|nth| *nth != NONE).map(usize::from)
    }

    /// The slot of a target row made from this legacy row.
    pub(super) fn of(&self, target_row: usize, source: usize) -> Option<usize> {
        self.nth(target_row).map(|nth| self.start(source) + nth)
    }

    /// The slot of the row with this id, made from this legacy row.
    pub(super) fn with_id(
        &self,
        audit: &Audit<'_>,
        transform: &Transform,
        (made, source, id): (&Made<'_>, usize, u128),
    ) -> Option<usize> {
        let nth = nth(audit, transform, made, (source, (id, self.count(source))));
        (nth != NONE).then(|| self.start(source) + usize::from(nth))
    }

    /// The number of one of the rows of a legacy row, where they are numbered.
    #[allow(clippy::cast_precision_loss, reason = "numbers of rows stay far below 2^53")]
    pub(super) fn number(&self, source: usize, nth: usize) -> Option<f64> {
        self.numbers.get(source).map(|before| f64::from(*before) + nth as f64)
    }
}

/// Which of so many rows of a legacy row has an id: the first has the one the row gives, the others
/// have it derived from that.
fn nth(
    audit: &Audit<'_>,
    transform: &Transform,
    made: &Made<'_>,
    (source, (id, count)): (usize, (u128, usize)),
) -> u16 {
    let Some((first, how)) = made.of(source) else { return NONE };
    if matches!(how, How::None | How::Adopted) || count == 0 {
        return NONE;
    }
    if id == first {
        return 0;
    }
    let text = key::uuid_text(first);
    let derived =
        |nth: &u16| id == key::derived(&audit.space, &transform.target, &format!("{text}:{nth}"));
    (1..u16::try_from(count).unwrap_or(NONE)).find(derived).unwrap_or(NONE)
}

/// The cases of a legacy table that is split.
pub(super) fn cases<'a>(audit: &'a Audit<'_>, transform: &Transform) -> Option<&'a Cases> {
    let legacy = audit.legacy.get(&transform.source)?;
    legacy.onto(&transform.target)?.cases.as_ref()
}
