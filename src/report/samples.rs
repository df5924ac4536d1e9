//! The first quarantined rows of every rule: ids, places and reasons, never payload.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int64Type};
use parquet::arrow::ProjectionMask;

use super::{Reason, Sample};
use crate::bundle::{Bundle, Quarantine, Quarantined};
use crate::error::{Error, Result};
use crate::snapshot::{self, Extra};

/// How many quarantined rows of a rule a report names.
const SAMPLES: usize = 3;
/// How many reasons of quarantine get samples.
const SAMPLED: usize = 100;

/// The reasons of quarantine, each with its first rows.
pub(super) fn quarantine(bundle: &Bundle) -> Vec<Reason> {
    let counts = &bundle.meta().quarantine;
    let mut wanted: BTreeMap<&str, BTreeMap<&str, Vec<Sample>>> = BTreeMap::new();
    for count in counts.iter().take(SAMPLED) {
        wanted.entry(&count.source).or_default().entry(&count.rule).or_default();
    }
    for (source, rules) in &mut wanted {
        if let Err(error) = read_samples(bundle, source, rules) {
            // The bundle was checked before; the report still says what could not be read.
            let (id, row, cause) = (None, None, None);
            let reason = format!("its samples cannot be read: {error}");
            for samples in rules.values_mut() {
                samples.push(Sample {
                    id: id.clone(),
                    row,
                    reason: reason.clone(),
                    cause: cause.clone(),
                });
            }
        }
    }
    let reason = |count: &Quarantined| Reason {
        samples: wanted
            .get_mut(count.source.as_str())
            .and_then(|rules| rules.remove(count.rule.as_str()))
            .unwrap_or_default(),
        count: count.clone(),
    };
    counts.iter().map(reason).collect()
}

const COLUMNS: [&str; 5] =
    ["id", Extra::ROW, Quarantine::RULE, Quarantine::REASON, Quarantine::CAUSE];

/// Reads the first rows of every rule out of an entity's quarantine.
fn read_samples(
    bundle: &Bundle,
    source: &str,
    rules: &mut BTreeMap<&str, Vec<Sample>>,
) -> Result<()> {
    let path = bundle.path(&format!("data/quarantine/{source}.parquet"));
    let unreadable = || Error::damaged("the quarantine cannot be read").at(path.display());
    let file = snapshot::scan(&path)?;
    let columns = ProjectionMask::columns(file.parquet_schema(), COLUMNS);
    let file = file.with_projection(columns).with_batch_size(1024).build();
    for batch in file.map_err(|error| unreadable().because(error))? {
        take_samples(&batch.map_err(|error| unreadable().because(error))?, rules);
        if rules.values().all(|samples| samples.len() >= SAMPLES) {
            break;
        }
    }
    Ok(())
}

fn take_samples(batch: &RecordBatch, rules: &mut BTreeMap<&str, Vec<Sample>>) {
    for row in 0..batch.num_rows() {
        let Some(rule) = text(batch, Quarantine::RULE, row) else { continue };
        let Some(samples) = rules.get_mut(rule.as_str()) else { continue };
        if samples.len() < SAMPLES {
            samples.push(Sample {
                id: text(batch, "id", row),
                row: whole(batch, Extra::ROW, row),
                reason: text(batch, Quarantine::REASON, row).unwrap_or_default(),
                cause: text(batch, Quarantine::CAUSE, row),
            });
        }
    }
}

fn text(batch: &RecordBatch, column: &str, row: usize) -> Option<String> {
    let array = batch.column_by_name(column).filter(|array| array.is_valid(row))?;
    match array.data_type() {
        DataType::Utf8 => Some(array.as_string::<i32>().value(row).to_owned()),
        DataType::LargeUtf8 => Some(array.as_string::<i64>().value(row).to_owned()),
        DataType::Utf8View => Some(array.as_string_view().value(row).to_owned()),
        _ => None,
    }
}

fn whole(batch: &RecordBatch, column: &str, row: usize) -> Option<i64> {
    let array = batch.column_by_name(column).filter(|array| array.is_valid(row))?;
    Some(array.as_primitive_opt::<Int64Type>()?.value(row))
}
