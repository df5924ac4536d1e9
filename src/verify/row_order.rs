//! The order of legacy rows, by what the source says of them and nothing else.

use std::cmp::Ordering;
use std::path::Path;

use super::bits::Bits;
use super::facts::Audit;
use super::key::{self, NONE};
use super::legacy::Legacy;
use super::naming::type_of;
use super::read::{self, Row};
use crate::contract::{AttrRule, OrderKey, Pick};
use crate::digest::Value;
use crate::error::Result;
use crate::schema::Type;
use crate::snapshot::Extra;

/// Where rows without a value come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Absent {
    First,
    Last,
}

/// What puts the rows of a legacy table in order.
pub(super) struct RowOrder<'a> {
    legacy: &'a Legacy,
    keys: Vec<Key>,
    absent: Absent,
    /// Rows of which the source alone does not say where they come.
    unsure: Bits,
}

impl<'a> RowOrder<'a> {
    /// Reads the keys of every row of a legacy table. In bundles before format 3 rows go by the ids that
    /// they have in `target`, where one is named, instead of their own.
    pub(super) fn read(
        audit: &Audit<'_>,
        legacy: &'a Legacy,
        (target, keys): (Option<&str>, &[OrderKey<'_>]),
        absent: Absent,
    ) -> Result<Self> {
        let target = target.filter(|_| !audit.bundle.meta().is_judged_by_source());
        let mut unsure = Bits::new(legacy.rows);
        let before = &audit.contract.before.schema;
        let mut found = Vec::with_capacity(keys.len());
        for key in keys {
            found.push(match key {
                OrderKey::Id => match target {
                    Some(target) => Key::target_ids(audit, legacy, target)?,
                    None => {
                        legacy.own_ids(audit.bundle.meta().is_judged_by_source())?;
                        Key::OwnIds
                    }
                },
                OrderKey::Attr(name) => {
                    let ty = type_of(before, &legacy.entity, name);
                    let file = (legacy.path.as_deref(), legacy.rows);
                    Key::Column(Column::read(file, name, ty)?, ty)
                }
                OrderKey::Rule(rule) => Key::rule(audit, legacy, rule, &mut unsure)?,
            });
        }
        Ok(Self { legacy, keys: found, absent, unsure })
    }

    /// Which of two rows comes first.
    pub(super) fn compare(&self, a: usize, b: usize) -> Ordering {
        let orders = self.keys.iter().map(|key| key.compare(self.legacy, (a, b), self.absent));
        orders.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }

    /// Which of two rows the app showed first. InstantDB's client sorts by whole milliseconds, then by id
    /// (`@instantdb/core` 1.0.67); where the target keeps the ids, rows of one millisecond are shown alike
    /// before and after, and count as equal here.
    pub(super) fn compare_as_shown(&self, a: usize, b: usize) -> Ordering {
        let mut orders = self.keys.iter().map(|key| match key {
            Key::OwnIds => Ordering::Equal,
            Key::Column(column, Type::Date) => column.compare_milliseconds(a, b, self.absent),
            key => key.compare(self.legacy, (a, b), self.absent),
        });
        orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }

    /// Whether the source alone does not say where a row comes.
    pub(super) fn is_unsure(&self, row: usize) -> bool {
        self.unsure.get(row)
    }

    /// Whether a row has a value for every key.
    pub(super) fn has_all(&self, row: usize) -> bool {
        self.keys.iter().all(|key| key.is_there(self.legacy, row))
    }
}

/// The values of one key, by row.
enum Key {
    OwnIds,
    /// The ids of the target rows.
    TargetIds(Vec<u128>),
    Column(Column, Type),
}

impl Key {
    fn target_ids(audit: &Audit<'_>, legacy: &Legacy, target: &str) -> Result<Self> {
        let table = audit.table(target)?;
        let id = |row| legacy.stands(table, row).unwrap_or(NONE);
        Ok(Key::TargetIds((0..legacy.rows).map(id).collect()))
    }

    /// What a rule gives of every row, as far as that can be known without another row.
    fn rule(
        audit: &Audit<'_>,
        legacy: &Legacy,
        rule: &AttrRule,
        unsure: &mut Bits,
    ) -> Result<Self> {
        let [before, after] = [&audit.contract.before.schema, &audit.contract.after.schema];
        let target = audit.contract.id_transform(&legacy.entity).map_or("", |rules| &rules.target);
        let ty = type_of(after, target, &rule.attr);
        let mut columns: Vec<&str> = Vec::new();
        let mut places: Vec<Option<(usize, Type)>> = Vec::new();
        for pick in &rule.from {
            let (name, ty) = match pick {
                Pick::Attr(name) => (name.as_str(), type_of(before, &legacy.entity, name)),
                Pick::Server => (Extra::SERVER, Type::Date),
                Pick::Path { .. } | Pick::Linked { .. } => {
                    places.push(None);
                    continue;
                }
            };
            let known = columns.iter().position(|column| *column == name);
            let at = known.unwrap_or_else(|| {
                columns.push(name);
                columns.len() - 1
            });
            places.push(Some((at, ty)));
        }
        let is_plain = rule.values.is_none() && rule.refers.is_none() && rule.template.is_none();
        let mut values = Column::new(legacy.rows, ty);
        let Some(path) = &legacy.path else { return Ok(Key::Column(values, ty)) };
        read::scan(path, &columns, &mut |row| {
            let value = first(&places, row, &columns);
            if !is_plain || value.is_none() {
                unsure.set(row.number);
            }
            values.push(row.number, value.unwrap_or(Value::Absent));
            Ok(())
        })?;
        Ok(Key::Column(values, ty))
    }

    fn compare(&self, legacy: &Legacy, (a, b): (usize, usize), absent: Absent) -> Ordering {
        match self {
            Key::Column(column, _) => column.compare(a, b, absent),
            Key::TargetIds(ids) => {
                let id = |row: usize| Some(ids[row]).filter(|id| *id != NONE);
                ordered(id(a), id(b), absent)
            }
            Key::OwnIds => ordered(legacy.own_id(a), legacy.own_id(b), absent),
        }
    }

    fn is_there(&self, legacy: &Legacy, row: usize) -> bool {
        match self {
            Key::OwnIds => legacy.ids[row] != NONE,
            Key::TargetIds(ids) => ids[row] != NONE,
            Key::Column(Column::Numbers(_, none), _) => !none.get(row),
            Key::Column(Column::Texts(texts), _) => texts[row].is_some(),
        }
    }
}

/// The first value of a row among some places; nothing where a place comes first that the row alone
/// does not tell.
fn first<'r>(
    places: &[Option<(usize, Type)>],
    row: Row<'r>,
    columns: &[&str],
) -> Option<Value<'r>> {
    for place in places {
        let (at, ty) = (*place)?;
        let value = match columns[at] {
            Extra::SERVER => {
                let micros = row.whole(at).and_then(|ms| ms.checked_mul(1000));
                micros.map_or(Value::Absent, Value::Date)
            }
            _ => row.value(at, ty),
        };
        if !matches!(value, Value::Absent) {
            return Some(value);
        }
    }
    Some(Value::Absent)
}

fn ordered<T: Ord + Copy>(a: Option<T>, b: Option<T>, absent: Absent) -> Ordering {
    // `None` is less than any value.
    match (a.is_some(), b.is_some(), absent) {
        (true, false, Absent::Last) => Ordering::Less,
        (false, true, Absent::Last) => Ordering::Greater,
        _ => a.cmp(&b),
    }
}

/// The values of a column, by row.
pub(super) enum Column {
    /// Numbers that sort as the values do, and the rows without one.
    Numbers(Vec<u64>, Bits),
    Texts(Vec<Option<Box<str>>>),
}

impl Column {
    fn new(rows: usize, ty: Type) -> Self {
        match ty {
            Type::String | Type::Any => Column::Texts(vec![None; rows]),
            Type::Number | Type::Boolean | Type::Date => {
                Column::Numbers(vec![0; rows], Bits::new(rows))
            }
        }
    }

    /// Reads a column of a table with so many rows.
    pub(super) fn read((path, rows): (Option<&Path>, usize), name: &str, ty: Type) -> Result<Self> {
        let mut column = Self::new(rows, ty);
        if let Some(path) = path {
            read::scan(path, &[name], &mut |row| {
                column.push(row.number, row.value(0, ty));
                Ok(())
            })?;
        }
        Ok(column)
    }

    fn push(&mut self, row: usize, value: Value<'_>) {
        match (self, value) {
            (Column::Texts(texts), Value::Text(text) | Value::Json(text)) => {
                texts[row] = Some(Box::from(text));
            }
            (Column::Texts(_), _) => {}
            (Column::Numbers(numbers, none), value) => match number(value) {
                Some(number) => numbers[row] = number,
                None => none.set(row),
            },
        }
    }

    /// Which of two rows comes first.
    pub(super) fn compare(&self, a: usize, b: usize, absent: Absent) -> Ordering {
        match self {
            Column::Numbers(..) => ordered(self.number(a), self.number(b), absent),
            Column::Texts(texts) => ordered(texts[a].as_deref(), texts[b].as_deref(), absent),
        }
    }

    /// Which of two moments comes first, in whole milliseconds.
    pub(super) fn compare_milliseconds(&self, a: usize, b: usize, absent: Absent) -> Ordering {
        let moment = |row| self.number(row).map(|order| key::whole(order).div_euclid(1000));
        ordered(moment(a), moment(b), absent)
    }

    fn number(&self, row: usize) -> Option<u64> {
        match self {
            Column::Numbers(numbers, none) => (!none.get(row)).then_some(numbers[row]),
            Column::Texts(_) => None,
        }
    }
}

fn number(value: Value<'_>) -> Option<u64> {
    match value {
        Value::Number(number) => Some(key::number_order(number)),
        Value::Date(micros) => Some(key::whole_order(micros)),
        Value::Boolean(value) => Some(u64::from(value)),
        Value::Absent | Value::Text(_) | Value::Json(_) => None,
    }
}
