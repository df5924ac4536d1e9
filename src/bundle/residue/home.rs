//! Which columns of a legacy table its home gives back, and what is left of each row.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Int32Array, StringArray};
use arrow::compute::kernels::cmp::not_distinct;
use arrow::compute::{cast, nullif};
use arrow::datatypes::{DataType, Field, Int32Type};

use crate::bundle::{Origin, read, rows};
use crate::contract::{LinkHow, LinkPick, Pick, Transform};
use crate::error::{Error, Result};
use crate::json;
use crate::snapshot::Extra;
use crate::transform::{Plan, TargetPlan, codes};

/// What goes before the name of a legacy column while it goes through the sorter.
const PREFIX: &str = "legacy:";

/// The name without that.
pub(super) fn plain(name: &str) -> &str {
    name.strip_prefix(PREFIX).unwrap_or(name)
}

/// The target table whose rows give back most of a legacy table.
pub(in crate::bundle) struct Home {
    /// The legacy entity.
    pub(super) source: String,
    columns: Vec<Column>,
    fields: Vec<Field>,
}

/// A column of the legacy table.
struct Column {
    name: String,
    ty: DataType,
    given: Given,
}

/// Which column of the target has the value of a legacy column.
enum Given {
    /// None.
    No,
    /// This one; the values are compared.
    Compared(String),
    /// This one, wherever the value is absent or came from the first place of its rule.
    Carried(String),
    /// This one, where the value came from a later place of its rule.
    Later(String, i32),
}

impl Home {
    /// How a target table gives back a legacy one; `None` when it is not that one's home.
    pub(in crate::bundle) fn of(plan: &Plan, target: &str) -> Option<Self> {
        let (source, target) = plan.target(target)?;
        let transform = plan.contract.id_transform(&source.entity)?;
        // Where a row becomes several ones, none of them is all of it.
        if transform.target != target.entity || transform.explode.is_some() {
            return None;
        }
        let columns: Vec<Column> = super::columns(&plan.before, &source.entity)
            .into_iter()
            .filter(|field| field.name() != Extra::ROW)
            .map(|field| Column {
                given: given(plan, (transform, target), field.name()),
                ty: field.data_type().clone(),
                name: field.name().clone(),
            })
            .collect();
        let field = |column: &Column| {
            Field::new(format!("{PREFIX}{}", column.name), column.ty.clone(), true)
        };
        let mut fields: Vec<Field> = columns.iter().map(field).collect();
        fields.push(Field::new(PREFIX, DataType::Utf8, true));
        Some(Self { source: source.entity.clone(), columns, fields })
    }

    /// The columns of the residue on their way, without the row.
    pub(in crate::bundle) fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The columns of the legacy table that are read for it.
    pub(in crate::bundle) fn reads(&self) -> impl Iterator<Item = String> {
        self.columns.iter().map(|column| column.name.clone())
    }

    /// The columns that it gives back: legacy column, target column.
    pub(super) fn given(&self) -> Vec<(String, String)> {
        let pair = |column: &Column| match &column.given {
            Given::Compared(target) | Given::Carried(target) => {
                Some((column.name.clone(), target.clone()))
            }
            Given::No | Given::Later(..) => None,
        };
        self.columns.iter().filter_map(pair).collect()
    }

    /// What the rows of a batch leave: `wide` gives a column of their legacy rows, `made` one of the
    /// target rows or of the codes beside them.
    pub(in crate::bundle) fn residue(
        &self,
        rows: usize,
        wide: impl Fn(&str) -> Result<ArrayRef>,
        made: impl Fn(&str) -> Result<ArrayRef>,
    ) -> Result<Vec<ArrayRef>> {
        let mut left = Vec::with_capacity(self.fields.len());
        let mut notes: Vec<(usize, usize)> = Vec::new();
        for (at, column) in self.columns.iter().enumerate() {
            let value = cast(&wide(&column.name)?, &column.ty).map_err(read::arrow_failed)?;
            let back = match &column.given {
                Given::No => {
                    left.push(value);
                    continue;
                }
                Given::Compared(target) => {
                    let target = cast(&made(target)?, &column.ty).map_err(read::arrow_failed)?;
                    not_distinct(&value, &target).map_err(read::arrow_failed)?
                }
                Given::Carried(target) => {
                    is_one(&hows(&made, target)?, |how| how.unwrap_or(0) == 0)
                }
                Given::Later(target, code) => {
                    is_one(&hows(&made, target)?, |how| how == Some(*code))
                }
            };
            let is_later = matches!(column.given, Given::Later(..));
            if back.true_count() != if is_later { 0 } else { rows } {
                let told = (0..rows).filter(|row| back.value(*row) == is_later);
                notes.extend(told.map(|row| (row, at)));
            }
            left.push(nullif(&value, &back).map_err(read::arrow_failed)?);
        }
        left.push(Arc::new(self.told(rows, notes)));
        Ok(left)
    }

    /// The column [`super::HOW`]: by row, the columns that are not as the others have them.
    fn told(&self, rows: usize, mut notes: Vec<(usize, usize)>) -> StringArray {
        notes.sort_unstable();
        let mut notes = notes.into_iter().peekable();
        let text = |row: usize| {
            let mut out = Vec::new();
            while let Some((_, at)) = notes.next_if(|(of, _)| *of == row) {
                out.push(if out.is_empty() { b'{' } else { b',' });
                json::write_string(&self.columns[at].name, &mut out);
                out.push(b':');
                match &self.columns[at].given {
                    Given::Later(target, _) => json::write_string(target, &mut out),
                    _ => out.extend_from_slice(b"null"),
                }
            }
            if out.is_empty() {
                return None;
            }
            out.push(b'}');
            Some(String::from_utf8_lossy(&out).into_owned())
        };
        (0..rows).map(text).collect()
    }
}

fn hows(made: &impl Fn(&str) -> Result<ArrayRef>, attr: &str) -> Result<Int32Array> {
    let codes = made(&rows::how(attr))?;
    codes
        .as_primitive_opt::<Int32Type>()
        .cloned()
        .ok_or_else(|| Error::bug(format!("the codes of `{attr}` are no numbers")))
}

fn is_one(hows: &Int32Array, is_it: impl Fn(Option<i32>) -> bool) -> BooleanArray {
    hows.iter().map(|how| Some(is_it(how))).collect()
}

fn given(plan: &Plan, (transform, target): (&Transform, &TargetPlan), name: &str) -> Given {
    if name == "id" {
        let keeps = transform.id.from.first().is_some_and(|from| from == "id");
        return if keeps { Given::Compared("id".to_owned()) } else { Given::No };
    }
    if name == Extra::SERVER {
        return Given::Compared(Origin::SERVER.to_owned());
    }
    let link = transform.links.iter().find(|rule| match &rule.how {
        LinkHow::From { picks, .. } => picks.first() == Some(&LinkPick::Link(name.to_owned())),
        LinkHow::SameRow { .. } | LinkHow::Via { .. } => false,
    });
    if let Some(rule) = link {
        return Given::Compared(rule.label.clone());
    }
    let Some(ty) = plan.before.entity(&transform.source).and_then(|entity| entity.attr(name))
    else {
        return Given::No;
    };
    let is_type = |attr: &str| {
        let found = plan.after.entity(&transform.target).and_then(|entity| entity.attr(attr));
        found.is_some_and(|found| found.ty == ty.ty)
    };
    let pick = Pick::Attr(name.to_owned());
    let carried = |attr: &str| target.carried.iter().any(|rule| rule.attr == attr);
    let first = transform.attrs.iter().find(|rule| {
        let plain = rule.values.is_none() && rule.refers.is_none();
        rule.from.first() == Some(&pick) && plain && is_type(&rule.attr)
    });
    if let Some(rule) = first {
        let attr = rule.attr.clone();
        return if carried(&attr) { Given::Carried(attr) } else { Given::Compared(attr) };
    }
    let later = target.carried.iter().find_map(|rule| {
        let at = rule.from.iter().position(|from| *from == pick)?;
        Some(Given::Later(rule.attr.clone(), codes::number(at)))
    });
    later.unwrap_or(Given::No)
}
