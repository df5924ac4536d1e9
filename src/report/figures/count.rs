//! Counts the rows of a table for every figure that wants it, in one pass.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::Moved;
use super::columns::{Column, scan};
use super::days;
use super::fates::Fates;
use super::plan::{Figure, What};
use super::sizes;
use crate::bundle::{Bundle, Origin};
use crate::error::Result;
use crate::snapshot::Extra;

/// How many different values are counted; further ones are counted together.
const MOST_VALUES: usize = 1000;
/// How many characters of a value tell it from others.
const MOST_CHARS: usize = 120;

/// What rows are counted by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    /// There is no value.
    Absent,
    /// A day, from 1970-01-01.
    Day(i64),
    /// A value.
    Text(String),
    /// A size, by its power of two.
    Size(u32),
    /// Any value beyond those that are counted one by one.
    Other,
}

/// Rows by key.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) rows: BTreeMap<Key, Moved>,
    /// Bytes of all payloads, before and after.
    pub(super) bytes: [u64; 2],
    /// Bytes of the largest payload, before and after.
    pub(super) largest: [u64; 2],
}

impl Counts {
    pub(super) fn add(&mut self, other: Self) {
        for (key, moved) in other.rows {
            self.rows.entry(key).or_default().add(&moved);
        }
        for side in 0..2 {
            self.bytes[side] += other.bytes[side];
            self.largest[side] = self.largest[side].max(other.largest[side]);
        }
    }

    fn count(&mut self, key: Key, moved: &Moved) {
        let is_new = matches!(key, Key::Text(_)) && !self.rows.contains_key(&key);
        let key = if is_new && self.rows.len() >= MOST_VALUES { Key::Other } else { key };
        self.rows.entry(key).or_default().add(moved);
    }

    fn measure(&mut self, bytes: u64, side: Side) {
        let side = usize::from(side == Side::After);
        self.bytes[side] += bytes;
        self.largest[side] = self.largest[side].max(bytes);
    }
}

/// Which table: the snapshot's or the bundle's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Before,
    After,
}

/// A table to be read.
pub(super) struct Job<'a> {
    side: Side,
    entity: &'a str,
    pub(super) rows: u64,
    path: PathBuf,
}

impl<'a> Job<'a> {
    pub(super) fn new(side: Side, entity: &'a str, rows: u64, path: PathBuf) -> Self {
        Self { side, entity, rows, path }
    }

    /// Counts the rows for every figure that is about this table.
    pub(super) fn count(
        &self,
        bundle: &Bundle,
        figures: &[Figure<'_>],
    ) -> Result<Vec<(usize, Counts)>> {
        let wanted = |figure: &Figure<'_>| match self.side {
            Side::Before => figure.source == self.entity,
            Side::After => figure.target == self.entity,
        };
        let ours: Vec<usize> = (0..figures.len()).filter(|at| wanted(&figures[*at])).collect();
        if ours.is_empty() {
            return Ok(Vec::new());
        }
        let fates = match self.side {
            Side::Before => Fates::read(bundle, self.entity)?,
            Side::After => Fates::default(),
        };
        let mut names = vec![match self.side {
            Side::Before => Extra::ROW,
            Side::After => Origin::ORIGIN,
        }];
        let mut places: Vec<Vec<usize>> = Vec::new();
        for at in &ours {
            let mine = match self.side {
                Side::Before => figures[*at].before.clone(),
                Side::After => vec![figures[*at].after],
            };
            places.push((names.len()..names.len() + mine.len()).collect());
            names.extend(mine);
        }
        let mut counts: Vec<Counts> = ours.iter().map(|_| Counts::default()).collect();
        scan(&self.path, &names, &mut |columns, rows| {
            for ((at, places), counts) in ours.iter().zip(&places).zip(&mut counts) {
                self.batch((&figures[*at], places), (columns, rows), &fates, counts);
            }
            Ok(())
        })?;
        Ok(ours.into_iter().zip(counts).collect())
    }

    fn batch(
        &self,
        (figure, places): (&Figure<'_>, &[usize]),
        (columns, rows): (&[Column], usize),
        fates: &Fates,
        counts: &mut Counts,
    ) {
        for row in 0..rows {
            let moved = match self.side {
                Side::Before => fates.of(columns[0].whole(row), figure.target),
                Side::After if columns[0].text(row) == Some(Origin::MIGRATED) => {
                    Moved { after: 1, ..Moved::default() }
                }
                // What was there before is carried and no part of the comparison.
                Side::After => continue,
            };
            let key = match figure.what {
                What::Days { .. } => {
                    let moment = places.iter().find_map(|at| columns[*at].moment(row));
                    moment.map_or(Key::Absent, |micros| Key::Day(days::day(micros)))
                }
                What::Values(_) => {
                    let text = places.iter().find_map(|at| columns[*at].text(row));
                    text.map_or(Key::Absent, |text| {
                        Key::Text(text.chars().take(MOST_CHARS).collect())
                    })
                }
                What::Sizes => match places.iter().find_map(|at| columns[*at].length(row)) {
                    Some(bytes) => {
                        counts.measure(bytes, self.side);
                        Key::Size(sizes::bin(bytes))
                    }
                    None => Key::Absent,
                },
            };
            counts.count(key, &moved);
        }
    }
}
