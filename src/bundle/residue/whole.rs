//! Legacy rows that no target row gives back and no quarantine holds.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int32Type, Schema as Columns};
use parquet::arrow::arrow_reader::{RowSelection, RowSelector};

use super::{Beside, Residue};
use crate::bundle::table::Table;
use crate::bundle::write::Writing;
use crate::bundle::{Equation, read};
use crate::error::{Error, Result};
use crate::transform::{Outcome, SourcePlan, codes, names};

/// Writes the whole rows of a legacy table, and says what rebuilds it.
pub(in crate::bundle) fn write(
    writing: &mut Writing<'_>,
    source: &SourcePlan,
    equation: &Equation,
    beside: Option<Beside>,
) -> Result<Residue> {
    let table = writing.snapshot.table(&source.entity);
    let table = table.ok_or_else(|| Error::bug("a table is gone"))?;
    let path = writing.snapshot.path(&table.file);
    let selection = selection(writing, source, beside.as_ref(), table.rows)?;
    let fields = super::columns(&writing.plan.before, &source.entity);
    let names: Vec<String> = fields.iter().map(|field| field.name().clone()).collect();
    let schema = Arc::new(Columns::new(fields));
    let file = format!("data/residue/{}.whole.parquet", source.entity);
    let payload = super::payload(&writing.plan.before, &source.entity);
    let mut whole = Table::with_payload(&writing.root.join(&file), schema.clone(), &payload)?;
    let mut whole_rows = 0;
    let mut reader = read::columns(&path, Some(&names), Some(selection))?;
    while let Some(batch) = read::next(&mut reader, &path)? {
        let columns = schema.fields().iter();
        let columns = columns.map(|field| read::column(&batch, field.name(), field.data_type()));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        whole_rows += batch.num_rows() as u64;
        whole.write(&RecordBatch::try_new(schema.clone(), columns).map_err(read::arrow_failed)?)?;
    }
    writing.payload.insert(file.clone(), whole.finish()?);
    let beside_rows = beside.as_ref().map_or(0, |beside| beside.rows);
    if beside_rows + whole_rows + equation.quarantined != table.rows {
        return Err(Error::bug(format!("the rows of `{}` are not all kept", source.entity)));
    }
    Ok(Residue {
        source: source.entity.clone(),
        table: table.file.clone(),
        rows: table.rows,
        digest: table.digest.clone(),
        beside,
        whole: file,
        whole_rows,
    })
}

/// The rows to keep: of a table with a home those set aside there, of any other all but the
/// quarantined ones.
fn selection(
    writing: &Writing<'_>,
    source: &SourcePlan,
    beside: Option<&Beside>,
    rows: u64,
) -> Result<RowSelection> {
    let path = &writing.decisions.sources[&source.entity].aside;
    let (mut quarantined, mut others) = (BTreeSet::new(), BTreeSet::new());
    let mut reader = read::columns(path, None, None)?;
    while let Some(batch) = read::next(&mut reader, path)? {
        let code = |name: &str| read::column(&batch, name, &DataType::Int32);
        let outcomes = code(names::OUTCOME)?;
        let hows = beside.map(|home| code(&names::how(&home.target, "id"))).transpose()?;
        let places = read::whole(&batch, names::ROW)?;
        let (outcomes, hows) = (
            outcomes.as_primitive::<Int32Type>(),
            hows.as_ref().map(AsArray::as_primitive::<Int32Type>),
        );
        for (at, place) in places.values().iter().enumerate() {
            let is_adopted = hows.is_some_and(|hows| hows.value(at) == codes::ID_ADOPTED);
            if outcomes.value(at) == Outcome::Quarantined as i32 {
                quarantined.insert(*place);
            } else if outcomes.value(at) != Outcome::Migrated as i32 || is_adopted {
                others.insert(*place);
            }
        }
    }
    Ok(match beside {
        Some(_) => selected(&others, true, rows),
        None => selected(&quarantined, false, rows),
    })
}

/// The rows of a set, or all the others.
fn selected(set: &BTreeSet<i64>, wanted: bool, rows: u64) -> RowSelection {
    let rows = usize::try_from(rows).unwrap_or(usize::MAX);
    let select = |count, wanted| {
        if wanted { RowSelector::select(count) } else { RowSelector::skip(count) }
    };
    let (mut selectors, mut next) = (Vec::new(), 0);
    for row in set.iter().filter_map(|row| usize::try_from(*row).ok()) {
        if row > next {
            selectors.push(select(row - next, !wanted));
        }
        selectors.push(select(1, wanted));
        next = row + 1;
    }
    if rows > next {
        selectors.push(select(rows - next, !wanted));
    }
    RowSelection::from(selectors)
}
