//! The ids and one column of a snapshot's table, row by row.

use std::path::PathBuf;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use parquet::arrow::ProjectionMask;

use crate::error::{Error, Result};
use crate::json;
use crate::snapshot::{self, Extra, Snapshot};

/// Where the values of an attribute or a link stand.
#[derive(Debug)]
pub(super) struct Place<'a> {
    file: PathBuf,
    id: &'static str,
    column: &'a str,
    /// Some row has something that did not fit that column.
    pub(super) has_misfits: bool,
    /// How many rows there are.
    pub(super) rows: u64,
}

/// One row.
pub(super) struct Row<'a> {
    batch: &'a RecordBatch,
    /// The column.
    pub(super) value: &'a ArrayRef,
    id: &'a ArrayRef,
    invalid: Option<&'a ArrayRef>,
    label: &'a str,
    /// Its place in the column.
    pub(super) at: usize,
}

impl<'a> Place<'a> {
    /// A column of the entity's table, or a link file.
    pub(super) fn find(snapshot: &Snapshot, entity: &str, label: &'a str) -> Option<Self> {
        let table = snapshot.table(entity)?;
        if table.columns.iter().any(|(name, _)| name == label) {
            return Some(Self {
                file: snapshot.path(&table.file),
                id: "id",
                column: label,
                has_misfits: table.invalid.iter().any(|(name, rows)| name == label && *rows > 0),
                rows: table.rows,
            });
        }
        let links = snapshot.meta().links.iter();
        let links = links.filter(|links| links.role == "declared");
        let found =
            links.into_iter().find(|links| links.entity == entity && links.label == label)?;
        Some(Self {
            file: snapshot.path(&found.file),
            id: "from",
            column: "to",
            has_misfits: false,
            rows: found.rows,
        })
    }
}

#[cfg(test)]
impl Place<'static> {
    /// The column `value` of a file.
    pub(super) fn of(file: PathBuf, rows: u64) -> Self {
        Self { file, id: "id", column: "value", has_misfits: false, rows }
    }
}

impl Row<'_> {
    /// Its id; its place in the table where it has none.
    pub(super) fn name(&self) -> String {
        if let Some(ids) = self.id.as_string_opt::<i32>()
            && ids.is_valid(self.at)
        {
            return ids.value(self.at).to_owned();
        }
        let rows = self.batch.column_by_name(Extra::ROW);
        let rows = rows.and_then(|rows| rows.as_primitive_opt::<Int64Type>());
        rows.map_or_else(String::new, |rows| format!("row {}", rows.value(self.at)))
    }

    /// Whether its value did not fit the type of the column.
    pub(super) fn misfits(&self) -> bool {
        let Some(texts) = self.invalid.and_then(|column| column.as_string_opt::<i32>()) else {
            return false;
        };
        texts.is_valid(self.at)
            && json::members(texts.value(self.at))
                .is_ok_and(|members| members.iter().any(|(name, _)| name == self.label))
    }
}

/// Visits every row; what did not fit is only read where it is asked for and there is some.
pub(super) fn each(
    place: &Place<'_>,
    with_misfits: bool,
    visit: &mut dyn FnMut(&Row<'_>),
) -> Result<()> {
    let broken = || Error::damaged("the table cannot be read").at(place.file.display());
    let builder = snapshot::scan(&place.file)?;
    let wanted = |name: &str| {
        name == place.id
            || name == place.column
            || name == Extra::ROW
            || (name == Extra::INVALID && with_misfits && place.has_misfits)
    };
    let roots = builder.schema().fields().iter().enumerate();
    let roots = roots.filter(|(_, field)| wanted(field.name())).map(|(at, _)| at);
    let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
    let rows = snapshot::batch_rows(builder.metadata(), &mask);
    let reader = builder.with_projection(mask).with_batch_size(rows).build();
    for batch in reader.map_err(|error| broken().because(error))? {
        let batch = batch.map_err(|error| broken().because(error))?;
        let (Some(value), Some(id)) =
            (batch.column_by_name(place.column), batch.column_by_name(place.id))
        else {
            return Err(broken());
        };
        let invalid = batch.column_by_name(Extra::INVALID);
        for at in 0..batch.num_rows() {
            visit(&Row { batch: &batch, value, id, invalid, label: place.column, at });
        }
    }
    Ok(())
}
