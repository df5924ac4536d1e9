//! Values that differ: one value of one migrated row, by the type of its column.

use super::cell::{Cell, text};
use super::fault::Fault;
use super::ground::{Ground, OWN, Target, is_migrated};
use crate::contract::{AttrRule, Constant};
use crate::error::Result;
use crate::schema::{Attr, Type};

/// What kind of column a value is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum On {
    /// Of one type.
    Of(Type),
    /// A text that the contract maps.
    Mapped,
}

/// A column of a target table.
pub(super) struct Column<'a> {
    attr: &'a Attr,
    rule: Option<&'a AttrRule>,
}

/// Another value, or nothing when a value has no place for the fault.
pub(super) type Alter<'a> = dyn Fn(&Column<'_>, &Cell<'_>) -> Option<Cell<'static>> + 'a;

/// Plants another value in the first column that has a place for it.
pub(super) fn plant(ground: &Ground<'_>, on: On, alter: &Alter<'_>) -> Result<Option<Fault>> {
    for target in ground.targets()? {
        for column in columns(ground, &target, on) {
            if let Some(fault) = plant_in(ground, &target, &column, alter)? {
                return Ok(Some(fault));
            }
        }
    }
    Ok(None)
}

fn plant_in(
    ground: &Ground<'_>,
    target: &Target<'_>,
    column: &Column<'_>,
    alter: &Alter<'_>,
) -> Result<Option<Fault>> {
    let name = column.attr.name.as_str();
    let columns = [&OWN[..], &[name]].concat();
    let start = ground.start(target.table.rows);
    let found = target.table.find(&columns, start, &mut |row| {
        let value = if is_migrated(row) { alter(column, &row.cell(name)) } else { None };
        value.map(|value| (row.number, value))
    })?;
    found.map(|(at, value)| target.value(at, (name, &value))).transpose()
}

/// The columns of a target table that are of a kind, from the one whose turn it is.
fn columns<'a>(ground: &'a Ground<'_>, target: &Target<'a>, on: On) -> Vec<Column<'a>> {
    let entity = ground.contract.after.schema.entity(target.entity());
    let attrs = entity.map_or(&[][..], |entity| &entity.attrs);
    let with_rule = |attr: &'a Attr| {
        let rule = target.transform.attrs.iter().find(|rule| rule.attr == attr.name);
        Column { attr, rule }
    };
    let fits = |column: &Column<'_>| match on {
        On::Of(ty) => column.attr.ty == ty,
        On::Mapped => column.rule.is_some_and(|rule| rule.values.is_some()),
    };
    ground.turned(attrs).into_iter().map(with_rule).filter(fits).collect()
}

/// A text changed by a function of texts.
pub(super) fn text_by(
    value: &Cell<'_>,
    change: fn(&str) -> Option<String>,
) -> Option<Cell<'static>> {
    match value {
        Cell::Text(found) => change(found).map(text),
        _ => None,
    }
}

/// A text that the contract maps to, and that is not the one there.
pub(super) fn other_mapped(column: &Column<'_>, value: &Cell<'_>) -> Option<Cell<'static>> {
    let Cell::Text(found) = value else { return None };
    let values = column.rule?.values.as_ref()?;
    let other = values.map.iter().find(|(_, to)| to != found.as_ref());
    other.map(|(_, to)| text(to.as_str()))
}

/// The constant that stands for a missing value, in place of one that was there.
pub(super) fn as_if_missing(column: &Column<'_>, value: &Cell<'_>) -> Option<Cell<'static>> {
    let missing = match column.rule?.missing.as_ref()? {
        Constant::Text(constant) => text(constant.as_str()),
        Constant::Number(number) => Cell::Number(*number),
        Constant::Boolean(constant) => Cell::Boolean(*constant),
    };
    (*value != missing && *value != Cell::Null).then_some(missing)
}

/// Nothing, in place of what was there.
pub(super) fn cleared(_: &Column<'_>, value: &Cell<'_>) -> Option<Cell<'static>> {
    let is_there = match value {
        Cell::Null => false,
        Cell::Text(found) => !found.is_empty() && found != "null",
        _ => true,
    };
    is_there.then_some(Cell::Null)
}

/// Nothing, in place of an empty text.
pub(super) fn null_for_empty(_: &Column<'_>, value: &Cell<'_>) -> Option<Cell<'static>> {
    matches!(value, Cell::Text(found) if found.is_empty()).then_some(Cell::Null)
}

/// An empty text, in place of nothing.
pub(super) fn empty_for_null(_: &Column<'_>, value: &Cell<'_>) -> Option<Cell<'static>> {
    (*value == Cell::Null).then(|| text(""))
}

/// An empty object, in place of nothing.
pub(super) fn object_for_null(_: &Column<'_>, value: &Cell<'_>) -> Option<Cell<'static>> {
    (*value == Cell::Null).then(|| text("{}"))
}

/// A moment, in place of nothing.
pub(super) fn date_for_null(_: &Column<'_>, value: &Cell<'_>) -> Option<Cell<'static>> {
    (*value == Cell::Null).then_some(Cell::Date(1_700_000_000_000_000))
}

/// `false`, in place of nothing.
pub(super) fn false_for_null(_: &Column<'_>, value: &Cell<'_>) -> Option<Cell<'static>> {
    (*value == Cell::Null).then_some(Cell::Boolean(false))
}

/// The other boolean.
pub(super) fn flipped(_: &Column<'_>, value: &Cell<'_>) -> Option<Cell<'static>> {
    match value {
        Cell::Boolean(found) => Some(Cell::Boolean(!found)),
        _ => None,
    }
}

fn moved(value: &Cell<'_>, micros: i64) -> Option<Cell<'static>> {
    match value {
        Cell::Date(found) => found.checked_add(micros).map(Cell::Date),
        _ => None,
    }
}

/// A millisecond later.
pub(super) fn later(_: &Column<'_>, value: &Cell<'_>) -> Option<Cell<'static>> {
    moved(value, 1_000)
}

/// A millisecond earlier.
pub(super) fn earlier(_: &Column<'_>, value: &Cell<'_>) -> Option<Cell<'static>> {
    moved(value, -1_000)
}

/// A microsecond later.
pub(super) fn hair_later(_: &Column<'_>, value: &Cell<'_>) -> Option<Cell<'static>> {
    moved(value, 1)
}

/// An hour later, as a wrong time zone has it.
pub(super) fn hour_later(_: &Column<'_>, value: &Cell<'_>) -> Option<Cell<'static>> {
    moved(value, 3_600_000_000)
}

fn number(value: &Cell<'_>, other: impl Fn(f64) -> f64) -> Option<Cell<'static>> {
    match value {
        // A number that is changed and the same is no fault: `1e300 + 1`, `-0.0`.
        #[allow(clippy::float_cmp, reason = "another number is what is asked for")]
        Cell::Number(found) if other(*found) != *found => Some(Cell::Number(other(*found))),
        _ => None,
    }
}

/// One more.
pub(super) fn more(_: &Column<'_>, value: &Cell<'_>) -> Option<Cell<'static>> {
    number(value, |found| found + 1.0)
}

/// One less.
pub(super) fn less(_: &Column<'_>, value: &Cell<'_>) -> Option<Cell<'static>> {
    number(value, |found| found - 1.0)
}

/// The other sign.
pub(super) fn negated(_: &Column<'_>, value: &Cell<'_>) -> Option<Cell<'static>> {
    number(value, |found| -found)
}

/// The next double there is.
pub(super) fn next_double(_: &Column<'_>, value: &Cell<'_>) -> Option<Cell<'static>> {
    number(value, f64::next_up)
}
