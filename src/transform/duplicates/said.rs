//! What rows of one id say, however they spell it: whether one may stand for another is told by it.

use std::collections::{BTreeMap, BTreeSet};

use crate::digest::{RowDigest, Value};
use crate::error::Result;
use crate::json;
use crate::scan;
use crate::schema::Type;
use crate::snapshot::Extra;
use crate::transform::frame::Run;
use crate::transform::plan::SourcePlan;
use crate::transform::udf;

/// Digests of some rows, by `_row`. Links take part by the ids that their places name, in the order of
/// the places; all else as it stands, text by text, what the contract does not declare included. Rows
/// that hold links of link files have none.
pub(super) fn read(
    run: &Run<'_>,
    source: &SourcePlan,
    mut rows: BTreeSet<usize>,
) -> Result<BTreeMap<i64, u128>> {
    let mut said = BTreeMap::new();
    let Some(table) = run.snapshot.table(&source.entity).filter(|_| !rows.is_empty()) else {
        return Ok(said);
    };
    for file in run.snapshot.meta().links.iter().filter(|file| file.entity == source.entity) {
        scan::scan_if_there(&run.snapshot.path(&file.file), &[Extra::ROW], &mut |row| {
            row.row(0).map(|holder| rows.remove(&holder));
            Ok(())
        })?;
    }
    let attrs = super::content::attrs(run, source);
    let mut columns: Vec<&str> = attrs.iter().map(|(name, _)| name.as_str()).collect();
    for link in &source.links {
        columns.push(&link.label);
        columns.extend(link.also.iter().map(String::as_str));
    }
    let places = columns[attrs.len()..].to_vec();
    columns.extend([Extra::EXTRA, Extra::INVALID]);
    let refs = run.plan.contract.places_of_refs();
    let is_spelling = |name: &str| {
        name == "id" || places.contains(&name) || refs.contains(&(source.entity.as_str(), name))
    };
    let picked: Vec<usize> = rows.into_iter().collect();
    let (mut digest, mut next) = (RowDigest::default(), picked.iter());
    scan::pick(&run.snapshot.path(&table.file), &columns, &picked, &mut |row| {
        let mut at = attrs.len();
        let mut aside: Vec<(String, String)> = Vec::new();
        for link in &source.links {
            let end = at + 1 + link.also.len();
            aside.push((format!("links.{}", link.label), ids((at..end).map(|at| row.text(at)))));
            at = end;
        }
        let extra = json::members(row.text(at).unwrap_or("{}")).unwrap_or_default();
        let extra = extra.into_iter().filter(|(name, _)| !is_spelling(name));
        aside.extend(extra.map(|(name, raw)| (format!("_extra.{name}"), raw.to_owned())));
        aside.extend(row.text(at + 1).map(|raw| (Extra::INVALID.to_owned(), raw.to_owned())));
        let cells = attrs.iter().enumerate().map(|(at, (name, ty))| {
            let raw = (*ty == Type::Any).then(|| row.text(at).map_or(Value::Absent, Value::Text));
            (name.as_str(), raw.unwrap_or_else(|| row.value(at, *ty)))
        });
        let aside = aside.iter().map(|(name, text)| (name.as_str(), Value::Text(text)));
        let digest = digest.of(cells.chain(aside));
        said.extend(next.next().and_then(|row| Some((i64::try_from(*row).ok()?, digest))));
        Ok(())
    })?;
    Ok(said)
}

/// The ids that places name, each once, as one text.
fn ids<'t>(places: impl Iterator<Item = Option<&'t str>>) -> String {
    let mut ids = Vec::new();
    for id in places.flatten().filter_map(udf::id_text) {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    let mut text = Vec::new();
    for id in ids {
        json::write_string(&id, &mut text);
    }
    String::from_utf8_lossy(&text).into_owned()
}
