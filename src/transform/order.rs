//! The global order of a target table: the place of every row, migrated or existing.
//!
//! Rows are put in order key by key: the first key for all of them, each further one only among
//! rows that are still alike, so that one key is in memory at a time. Beside it a row takes
//! [`ROW_BYTES`].

mod within;

use std::cmp::Ordering;
use std::path::Path;

use arrow::array::{Array, AsArray, BooleanArray};
use arrow::compute::filter;
use arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use parquet::arrow::ProjectionMask;
use uuid::Uuid;

use super::frame::Run;
use super::{Decisions, Moves, names, udf};
use crate::error::{Error, Result};
use crate::snapshot;

/// Bytes that a row takes at most while a table is put in order by numbers and UUIDs: the key, its
/// first half beside the row's place, the order, the place.
pub(super) const ROW_BYTES: u64 = 16 + 16 + 4 + 4;

/// The place of every row of a target table, from 0; rows that are not in it have none.
#[derive(Debug, Default)]
pub struct Ranks {
    /// By `_row` of the legacy table, or by line where a row has several: see [`Moves::place`].
    pub migrated: Vec<u32>,
    /// By `_row` of the existing table.
    pub existing: Vec<u32>,
    /// How many rows the target table has.
    pub rows: u32,
}

pub(super) use within::sums;

/// Marks a row that is not in the table.
pub const NO_RANK: u32 = u32::MAX;

/// Sorts the rows of a target table by the contract's order, nulls first, text by bytes. Ties go by
/// the id that a row has in its source; rows of one source row by their number among them, rows
/// without an id by the one they are given.
pub(super) fn rank(run: &Run<'_>, target: &str, decisions: &Decisions) -> Result<Ranks> {
    let plan = run.plan.target(target).map(|(_, plan)| plan);
    let mut keys: Vec<String> = plan.map(|plan| plan.transform.order.clone()).unwrap_or_default();
    keys.retain(|name| name != "id");
    let migrated = decisions.targets.get(target);
    let existing = decisions.existing.get(target);
    let rows = Rows { target, migrated, existing: existing.map(AsRef::as_ref) };
    let keys = keys.iter().map(|name| By::Value(name));
    let mut order = Order::new(rows.count()?)?;
    for key in keys.chain([By::SourceId, By::Nth, By::Id]) {
        if order.is_settled() {
            break;
        }
        order.refine(&rows.key(key)?);
    }
    places(run, &rows, &order)
}

/// One key of the order of a target table.
#[derive(Clone, Copy)]
enum By<'a> {
    /// A target attribute.
    Value(&'a str),
    /// The id in the source: an existing row's own.
    SourceId,
    /// Which of the target rows of its legacy row a row is.
    Nth,
    /// The id in the target.
    Id,
}

impl By<'_> {
    /// The column of a file; `None` where all of its rows are alike.
    fn column(self, rows: &Rows<'_>, is_existing: bool) -> Option<String> {
        let has_lines = rows.migrated.is_some_and(|moves| moves.place == names::LINE);
        match self {
            By::Value(name) => Some(names::value(rows.target, name)),
            By::Id if !is_existing => Some(names::value(rows.target, "id")),
            By::SourceId | By::Id => Some(names::ID.to_owned()),
            By::Nth => (has_lines && !is_existing).then(|| names::NTH.to_owned()),
        }
    }
}

/// The files of decisions about the rows of a target table: migrated ones, then existing ones.
struct Rows<'a> {
    target: &'a str,
    migrated: Option<&'a Moves>,
    existing: Option<&'a Path>,
}

impl Rows<'_> {
    /// The files, the rows in them that do not count, and whether they are the existing ones.
    fn sides(&self) -> impl Iterator<Item = (&Path, &[i64], bool)> {
        let migrated = self.migrated.map(|moves| (moves.file.as_path(), &moves.except[..], false));
        migrated.into_iter().chain(self.existing.map(|path| (path, &[][..], true)))
    }

    fn count(&self) -> Result<usize> {
        let mut rows = 0;
        for (path, except, _) in self.sides() {
            rows += lines_of(path)?.saturating_sub(except.len());
        }
        Ok(rows)
    }

    /// One key of every row.
    fn key(&self, by: By<'_>) -> Result<Key> {
        Key::read(matches!(by, By::SourceId), |key| self.read(by, key))
    }

    fn read(&self, by: By<'_>, key: &mut Key) -> Result<()> {
        for (path, except, is_existing) in self.sides() {
            let column = by.column(self, is_existing);
            let read = column.as_deref().unwrap_or(names::ROW);
            each((path, except), read, &mut |values| match column {
                Some(_) => key.take(values),
                None => {
                    key.numbers.extend(std::iter::repeat_n(0, values.len()));
                    Ok(())
                }
            })?;
        }
        Ok(())
    }
}

/// Reads one column of a file, batch by batch, without the rows that do not count.
pub(super) fn each(
    (path, except): (&Path, &[i64]),
    column: &str,
    take: &mut dyn FnMut(&dyn Array) -> Result<()>,
) -> Result<()> {
    let builder = snapshot::scan(path)?;
    let missing = |_| Error::bug(format!("column `{column}` is not in the decisions"));
    let wanted = [column, names::ROW];
    let at = wanted.map(|name| builder.schema().index_of(name));
    let (at, row) = (at[0].as_ref().map_err(missing).copied()?, at[1].as_ref().ok().copied());
    let places =
        if except.is_empty() { vec![at] } else { [Some(at), row].into_iter().flatten().collect() };
    let mask = ProjectionMask::roots(builder.parquet_schema(), places);
    let broken = |error: String| Error::bug("the decisions cannot be read").because(error);
    let reader = builder.with_projection(mask).with_batch_size(65_536).build();
    for batch in reader.map_err(|error| broken(error.to_string()))? {
        let batch = batch.map_err(|error| broken(error.to_string()))?;
        let values = batch.column_by_name(column);
        let values = values.ok_or_else(|| broken("a column is gone".to_owned()))?;
        if except.is_empty() {
            take(values)?;
            continue;
        }
        let rows =
            batch.column_by_name(names::ROW).and_then(|rows| rows.as_primitive_opt::<Int64Type>());
        let rows = rows.ok_or_else(|| broken("the rows have no number".to_owned()))?;
        let counts: BooleanArray =
            rows.values().iter().map(|row| Some(except.binary_search(row).is_err())).collect();
        take(&filter(values, &counts).map_err(|error| broken(error.to_string()))?)?;
    }
    Ok(())
}

/// One key of all rows, as numbers that sort as the values do; the absent one is 0.
#[derive(Default)]
struct Key {
    /// The values are ids of the source.
    are_ids: bool,
    numbers: Vec<u64>,
    ids: Vec<u128>,
    texts: Option<Texts>,
    /// A text was no UUID in lower case.
    is_odd: bool,
    /// Rows whose 0 is a value.
    zeros: Vec<u32>,
}

/// Texts one after another, and where each ends; the places of absent ones.
#[derive(Default)]
struct Texts {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    absent: Vec<u32>,
}

impl Texts {
    fn push(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.bytes.extend_from_slice(text.as_bytes()),
            None => self.absent.extend(u32::try_from(self.ends.len())),
        }
        self.ends.push(self.bytes.len());
    }

    fn of(&self, row: u32) -> Option<&[u8]> {
        let at = row as usize;
        let from = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        let is_absent = from == self.ends[at] && self.absent.binary_search(&row).is_ok();
        (!is_absent).then(|| &self.bytes[from..self.ends[at]])
    }
}

impl Key {
    /// Reads the values of a key, ids of the source or others.
    fn read(are_ids: bool, mut read: impl FnMut(&mut Self) -> Result<()>) -> Result<Self> {
        let mut key = Self { are_ids, ..Self::default() };
        read(&mut key)?;
        if key.is_odd {
            // Some text is no UUID: all of them are compared as texts.
            key = Self { are_ids, texts: Some(Texts::default()), ..Self::default() };
            read(&mut key)?;
        }
        Ok(key)
    }

    fn take(&mut self, values: &dyn Array) -> Result<()> {
        match values.data_type() {
            DataType::Utf8 => self.take_texts(values.as_string::<i32>().iter()),
            DataType::LargeUtf8 => self.take_texts(values.as_string::<i64>().iter()),
            DataType::Utf8View => self.take_texts(values.as_string_view().iter()),
            DataType::Float64 => {
                let numbers = values.as_primitive::<Float64Type>().iter();
                self.numbers.extend(numbers.map(|number| number.map_or(0, number_order)));
            }
            DataType::Timestamp(..) => {
                let micros = values.as_primitive::<TimestampMicrosecondType>().iter();
                self.numbers.extend(micros.map(|micros| micros.map_or(0, whole_order)));
            }
            DataType::Int64 => {
                let numbers = values.as_primitive::<Int64Type>().iter();
                self.numbers.extend(numbers.map(|number| number.map_or(0, whole_order)));
            }
            DataType::Int32 => {
                let numbers = values.as_primitive::<Int32Type>().iter();
                let order = |number: i32| whole_order(i64::from(number));
                self.numbers.extend(numbers.map(|number| number.map_or(0, order)));
            }
            DataType::Boolean => {
                let values = values.as_boolean().iter();
                self.numbers
                    .extend(values.map(|value| value.map_or(0, |value| 1 + u64::from(value))));
            }
            DataType::Null => self.take_texts(std::iter::repeat_n(None, values.len())),
            other => return Err(Error::bug(format!("rows cannot be ordered by {other}"))),
        }
        Ok(())
    }

    fn take_texts<'t>(&mut self, texts: impl Iterator<Item = Option<&'t str>>) {
        if let Some(kept) = &mut self.texts {
            for text in texts {
                let id = text.filter(|_| self.are_ids).map(udf::ordered_id);
                kept.push(id.as_deref().or(text));
            }
            return;
        }
        for text in texts {
            let number = text.map_or(Some(0), lower_uuid);
            self.is_odd |= number.is_none();
            if text.is_some() && number == Some(0) {
                self.zeros.extend(u32::try_from(self.ids.len()));
            }
            self.ids.push(number.unwrap_or_default());
        }
    }

    /// The first 64 bits by which a row is compared.
    fn high(&self, row: u32) -> u64 {
        let at = row as usize;
        if let Some(texts) = &self.texts {
            let mut first = [0; 8];
            for (to, from) in first.iter_mut().zip(texts.of(row).unwrap_or_default()) {
                *to = *from;
            }
            return u64::from_be_bytes(first);
        }
        match self.ids.get(at) {
            #[allow(clippy::cast_possible_truncation, reason = "the upper half is taken")]
            Some(id) => (*id >> 64) as u64,
            None => self.numbers[at],
        }
    }

    fn compare(&self, a: u32, b: u32) -> Ordering {
        if let Some(texts) = &self.texts {
            return texts.of(a).cmp(&texts.of(b));
        }
        let is_there = |row: u32| self.zeros.binary_search(&row).is_ok();
        match (self.ids.get(a as usize), self.ids.get(b as usize)) {
            (Some(0), Some(0)) => is_there(a).cmp(&is_there(b)),
            (Some(a), Some(b)) => a.cmp(b),
            _ => self.numbers[a as usize].cmp(&self.numbers[b as usize]),
        }
    }
}

/// The number of a UUID of 36 characters in lower case, which sorts as its text does.
fn lower_uuid(text: &str) -> Option<u128> {
    let is_plain = text.len() == 36 && !text.bytes().any(|byte| byte.is_ascii_uppercase());
    if is_plain { Uuid::try_parse_ascii(text.as_bytes()).ok().map(|id| id.as_u128()) } else { None }
}

/// A double as a number above 0 that sorts as it does; what is no number comes last.
fn number_order(number: f64) -> u64 {
    if number.is_nan() {
        return u64::MAX;
    }
    let bits = (number + 0.0).to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

/// A whole number as one above 0 that sorts as it does.
fn whole_order(whole: i64) -> u64 {
    (whole.max(i64::MIN + 1)).cast_unsigned() ^ 1 << 63
}

/// Rows in the order of the keys so far.
struct Order {
    rows: Vec<u32>,
    /// Groups of rows that no key tells apart yet: from, to.
    alike: Vec<(u32, u32)>,
}

impl Order {
    fn new(rows: usize) -> Result<Self> {
        let count =
            u32::try_from(rows).ok().filter(|rows| *rows != NO_RANK).ok_or_else(too_many)?;
        let alike = if count > 1 { vec![(0, count)] } else { Vec::new() };
        Ok(Self { rows: (0..count).collect(), alike })
    }

    fn is_settled(&self) -> bool {
        self.alike.is_empty()
    }

    /// Puts the rows of every group in the order of one more key.
    fn refine(&mut self, key: &Key) {
        let mut alike = Vec::new();
        let mut pairs: Vec<(u64, u32)> = Vec::new();
        for (from, to) in std::mem::take(&mut self.alike) {
            let group = &mut self.rows[from as usize..to as usize];
            pairs.clear();
            pairs.extend(group.iter().map(|row| (key.high(*row), *row)));
            // The rows' own places are no part of the order: they only make it the same every time.
            pairs.sort_unstable();
            for (place, (_, row)) in group.iter_mut().zip(&pairs) {
                *place = *row;
            }
            let mut start = 0;
            while start < pairs.len() {
                let high = pairs[start].0;
                let count = pairs[start..].iter().take_while(|pair| pair.0 == high).count();
                settle(&mut group[start..start + count], key, from + as_place(start), &mut alike);
                start += count;
            }
        }
        self.alike = alike;
    }
}

/// Sorts rows whose first 64 bits are alike by all of the key, and notes those it does not tell apart.
fn settle(rows: &mut [u32], key: &Key, first: u32, alike: &mut Vec<(u32, u32)>) {
    if rows.len() < 2 {
        return;
    }
    rows.sort_unstable_by(|a, b| key.compare(*a, *b).then(a.cmp(b)));
    let mut start = 0;
    for group in rows.chunk_by(|a, b| key.compare(*a, *b) == Ordering::Equal) {
        if group.len() > 1 {
            alike.push((first + as_place(start), first + as_place(start + group.len())));
        }
        start += group.len();
    }
}

fn as_place(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(NO_RANK)
}

/// Turns the order into the place of every row of the source tables.
fn places(run: &Run<'_>, rows: &Rows<'_>, order: &Order) -> Result<Ranks> {
    let mut ranks = vec![NO_RANK; order.rows.len()];
    for (rank, row) in (0_u32..).zip(&order.rows) {
        ranks[*row as usize] = rank;
    }
    let rows_of = |entity: &str| {
        let rows = run.snapshot.table(entity).map_or(0, |table| table.rows);
        usize::try_from(rows).unwrap_or_default()
    };
    let source = match rows.migrated {
        Some(moves) if moves.place == names::LINE => lines_of(&moves.file)?,
        _ => run.plan.target(rows.target).map_or(0, |(source, _)| rows_of(&source.entity)),
    };
    let mut found = Ranks {
        migrated: vec![NO_RANK; source],
        existing: vec![NO_RANK; rows_of(rows.target)],
        rows: as_place(order.rows.len()),
    };
    let mut next = 0;
    for (path, except, is_existing) in rows.sides() {
        let places = if is_existing { &mut found.existing } else { &mut found.migrated };
        let place = rows.migrated.filter(|_| !is_existing).map_or(names::ROW, |rows| rows.place);
        each((path, except), place, &mut |values| {
            for row in values.as_primitive::<Int64Type>().values() {
                let place = usize::try_from(*row).ok().and_then(|row| places.get_mut(row));
                let missing = || Error::bug("a decided row is not a row of its table");
                *place.ok_or_else(missing)? = ranks[next];
                next += 1;
            }
            Ok(())
        })?;
    }
    Ok(found)
}

fn lines_of(path: &Path) -> Result<usize> {
    let lines = snapshot::scan(path)?.metadata().file_metadata().num_rows();
    usize::try_from(lines).map_err(|_| too_many())
}

fn too_many() -> Error {
    Error::usage("a table has more than 4,294,967,294 rows")
}

#[cfg(test)]
mod tests {
    use arrow::array::{Float64Array, StringArray};
    use proptest::prelude::*;

    use super::*;

    fn key(column: &dyn Array) -> Key {
        let mut key = Key::default();
        key.take(column).unwrap();
        if key.is_odd {
            key = Key { texts: Some(Texts::default()), ..Key::default() };
            key.take(column).unwrap();
        }
        key
    }

    fn text() -> impl Strategy<Value = Option<String>> {
        let uuid = (0_u128..4).prop_map(|id| Some(Uuid::from_u128(id << 60 | id).to_string()));
        prop_oneof![Just(None), "[a-c]{0,12}".prop_map(Some), uuid]
    }

    proptest! {
        #[test]
        fn rows_are_ordered_as_their_values(
            texts in prop::collection::vec((text(), prop::option::of(-2_i8..3)), 0..60),
            only_ids in any::<bool>(),
        ) {
            let texts: Vec<(Option<String>, Option<f64>)> = texts
                .into_iter()
                .map(|(text, number)| {
                    let text = text.filter(|text| !only_ids || text.len() == 36);
                    (text, number.map(f64::from))
                })
                .collect();
            let mut order = Order::new(texts.len()).unwrap();
            let first: StringArray = texts.iter().map(|(text, _)| text.as_deref()).collect();
            let second: Float64Array = texts.iter().map(|(_, number)| *number).collect();
            order.refine(&key(&first));
            order.refine(&key(&second));
            let found: Vec<_> = order.rows.iter().map(|row| texts[*row as usize].clone()).collect();
            let mut expected = texts.clone();
            expected.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.partial_cmp(&b.1).unwrap()));
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn numbers_keep_their_order() {
        let numbers = [f64::NEG_INFINITY, -1.5, -0.0, 0.5, 2.0, f64::INFINITY, f64::NAN];
        let ordered: Vec<u64> = numbers.iter().map(|number| number_order(*number)).collect();
        assert!(ordered.windows(2).all(|pair| pair[0] < pair[1]) && ordered[0] > 0);
        assert_eq!(number_order(-0.0), number_order(0.0));
        assert!(whole_order(i64::MIN) > 0 && whole_order(-1) < whole_order(0));
    }
}
