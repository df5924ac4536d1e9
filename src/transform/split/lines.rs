//! One line for every target row: the id, the number, and what is built of them.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int32Array, Int64Array, RecordBatch,
    RecordBatchReader as _, StringArray, UInt32Array,
};
use arrow::compute::{cast, take};
use arrow::datatypes::{
    DataType, Field, Float64Type, Int32Type, Int64Type, Schema as Columns, SchemaRef,
};
use arrow::error::ArrowError;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use crate::contract::{Piece, Template};
use crate::error::{Error, Result};
use crate::transform::frame::Run;
use crate::transform::plan::{Split, TargetPlan};
use crate::transform::{names, udf};
use crate::{snapshot, storage};

/// Rows of a batch and of a row group.
const ROWS: usize = 16_384;

/// Writes the lines of the rows of a file, in its order.
pub(super) fn write(
    run: &Run<'_>,
    (target, split): (&TargetPlan, &Split),
    (rows, starts): (&Path, &[u32]),
    to: &Path,
) -> Result<()> {
    let broken = |error: String| Error::bug("the decisions cannot be read").because(error);
    let reader = snapshot::scan(rows)?.with_batch_size(ROWS).build();
    let reader = reader.map_err(|error| broken(error.to_string()))?;
    let makes = udf::IdMaker::new(&run.plan.contract.namespace, &target.entity);
    let mut spread = Spread { target, split, starts, makes, line: 0 };
    let schema = spread.schema(&reader.schema());
    let properties = WriterProperties::builder()
        .set_compression(Compression::UNCOMPRESSED)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_max_row_group_row_count(Some(ROWS))
        .build();
    let failed = |error| Error::system("the decisions cannot be written").because(error);
    let file = storage::scratch(to)?;
    let mut writer =
        ArrowWriter::try_new(file, schema.clone(), Some(properties)).map_err(failed)?;
    for batch in reader {
        let batch = batch.map_err(|error| broken(error.to_string()))?;
        writer.write(&spread.batch(&batch, &schema)?).map_err(failed)?;
    }
    writer.close().map_err(failed)?;
    Ok(())
}

/// Rows on their way to lines.
struct Spread<'a> {
    target: &'a TargetPlan,
    split: &'a Split,
    starts: &'a [u32],
    makes: udf::IdMaker,
    line: i64,
}

impl Spread<'_> {
    /// The columns of the rows, and those of a line.
    fn schema(&self, rows: &SchemaRef) -> SchemaRef {
        let id = names::value(&self.target.entity, "id");
        let mut fields: Vec<Field> = Vec::new();
        for field in rows.fields() {
            let is_id = *field.name() == id;
            let ty = if is_id { DataType::Utf8 } else { field.data_type().clone() };
            fields.push(Field::new(field.name(), ty, true));
        }
        fields.push(Field::new(names::LINE, DataType::Int64, true));
        fields.push(Field::new(names::NTH, DataType::Int32, true));
        let mut late = |attr: &str, ty| {
            fields.push(Field::new(names::value(&self.target.entity, attr), ty, true));
        };
        if let Some(number) = &self.split.number {
            late(&number.attr, DataType::Float64);
        }
        for (attr, _) in &self.split.built {
            late(attr, DataType::Utf8);
        }
        Arc::new(Columns::new(fields))
    }

    fn batch(&mut self, rows: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
        let results = column(rows, names::RESULTS)?;
        let results = results.as_primitive::<Int32Type>();
        let (mut from, mut nth) = (Vec::new(), Vec::new());
        for (row, count) in (0_u32..).zip(results.iter()) {
            for n in 0..count.unwrap_or(0) {
                from.push(row);
                nth.push(n);
            }
        }
        let from = UInt32Array::from(from);
        let mut columns: Vec<ArrayRef> = Vec::new();
        for values in rows.columns() {
            columns.push(take(values, &from, None).map_err(failed)?);
        }
        let count = i64::try_from(nth.len()).map_err(|_| Error::bug("too many lines"))?;
        let lines: Int64Array = (self.line..self.line + count).collect::<Vec<_>>().into();
        self.line += count;
        columns.push(Arc::new(lines));
        columns.push(Arc::new(Int32Array::from(nth.clone())));
        self.ids(rows, &nth, &mut columns)?;
        self.late(schema, &nth, &mut columns)?;
        RecordBatch::try_new(schema.clone(), columns).map_err(failed)
    }

    /// Gives every line but the first of its row an id derived from that of the first.
    fn ids(&self, rows: &RecordBatch, nth: &[i32], columns: &mut [ArrayRef]) -> Result<()> {
        let place = |name: String| {
            let found = rows.schema().index_of(&name);
            found.map_err(|_| Error::bug(format!("column `{name}` is not in the decisions")))
        };
        let at = place(names::value(&self.target.entity, "id"))?;
        let ids = text(&columns[at])?;
        let made = ids.iter().zip(nth).map(|(id, n)| match (id, n) {
            (Some(first), 1..) => Some(self.makes.make(&format!("{first}:{n}"))),
            (id, _) => id.map(str::to_owned),
        });
        columns[at] = Arc::new(made.collect::<StringArray>());
        let at = place(names::how(&self.target.entity, "id"))?;
        let hows = cast(&columns[at], &DataType::Int32).map_err(failed)?;
        let hows = hows.as_primitive::<Int32Type>().iter().zip(nth);
        let hows: Int32Array = hows.map(|(how, n)| how.filter(|_| *n == 0)).collect();
        columns[at] = cast(&hows, columns[at].data_type()).map_err(failed)?;
        Ok(())
    }

    /// Adds the number, and what is built of the line.
    fn late(&self, schema: &SchemaRef, nth: &[i32], columns: &mut Vec<ArrayRef>) -> Result<()> {
        if self.split.number.is_some() {
            let row = schema.index_of(names::ROW).map_err(failed)?;
            let rows = columns[row].as_primitive::<Int64Type>().values().iter().zip(nth);
            let numbers = rows.map(|(row, n)| {
                let start = usize::try_from(*row).ok().and_then(|row| self.starts.get(row));
                start.map(|start| f64::from(*start) + f64::from(*n))
            });
            let numbers: Option<Vec<f64>> = numbers.collect();
            let numbers = numbers.ok_or_else(|| Error::bug("a row has no number"))?;
            columns.push(Arc::new(Float64Array::from(numbers)));
        }
        for (_, template) in &self.split.built {
            let built = self.built(template, schema, columns)?;
            columns.push(Arc::new(built));
        }
        Ok(())
    }

    fn built(
        &self,
        template: &Template,
        schema: &SchemaRef,
        columns: &[ArrayRef],
    ) -> Result<StringArray> {
        let mut texts: Vec<Option<String>> = vec![Some(String::new()); columns[0].len()];
        for piece in &template.pieces {
            let values = match piece {
                Piece::Text(text) => {
                    texts.iter_mut().flatten().for_each(|built| built.push_str(text));
                    continue;
                }
                Piece::Attr(name) => {
                    let at = schema.index_of(&names::value(&self.target.entity, name));
                    &columns[at.map_err(failed)?]
                }
            };
            if *values.data_type() == DataType::Float64 {
                let numbers = values.as_primitive::<Float64Type>().iter();
                append(&mut texts, numbers.map(|number| number.map(|number| number.to_string())));
            } else {
                append(&mut texts, text(values)?.iter());
            }
        }
        Ok(texts.into_iter().collect())
    }
}

/// Appends a piece to every text; where it is absent, so is the text.
fn append<T: AsRef<str>>(texts: &mut [Option<String>], pieces: impl Iterator<Item = Option<T>>) {
    for (text, piece) in texts.iter_mut().zip(pieces) {
        match (text.as_mut(), piece) {
            (Some(text), Some(piece)) => text.push_str(piece.as_ref()),
            _ => *text = None,
        }
    }
}

fn column<'a>(rows: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef> {
    let missing = || Error::bug(format!("column `{name}` is not in the decisions"));
    rows.column_by_name(name).ok_or_else(missing)
}

fn text(values: &ArrayRef) -> Result<StringArray> {
    Ok(cast(values, &DataType::Utf8).map_err(failed)?.as_string::<i32>().clone())
}

fn failed(error: ArrowError) -> Error {
    Error::bug("rows could not be split").because(error)
}
