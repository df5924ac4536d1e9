//! The contract as a document in a bundle, and what a bundle says in one.

use super::{Bundle, Meta};
use crate::contract::Contract;
use crate::document::{
    self, BundleFacts, Equation, MadeTable, Measured, Repairs, SnapshotFacts, Split,
};
use crate::error::{Error, Result, grouped};
use crate::progress::Progress;
use crate::reconcile::SchemaPlan;
use crate::snapshot::Snapshot;
use crate::storage;

const DOCUMENT: &str = "data/CONTRACT.md";
const FACTS: &str = "data/facts.json";

/// The files of a bundle that say what its contract demands and what its snapshot shows: path and text.
pub(super) fn files(
    contract: &Contract,
    snapshot: &Snapshot,
    (meta, schema): (&Meta, &SchemaPlan),
    progress: &dyn Progress,
) -> Result<[(&'static str, String); 2]> {
    progress.begin("measure", None);
    let found = document::measure(contract, snapshot)?;
    let text = serde_json::to_string_pretty(&found);
    let text = text.map_err(|error| Error::bug("facts cannot be written").because(error))?;
    let all = found.invariants.len() as u64;
    let hold = found.invariants.iter().filter(|it| it.broken == 0).count() as u64;
    progress.done(&format!("{} of {} invariants hold today", grouped(hold), grouped(all)));
    let measured = Measured {
        snapshot: Some(found),
        schema: Some(schema.clone()),
        bundle: Some(facts(meta)),
        ..Measured::default()
    };
    let document = document::document(contract, &measured);
    Ok([(DOCUMENT, document::markdown(&document)), (FACTS, format!("{text}\n"))])
}

/// What a bundle knows of a document: its own counts, and what its snapshot showed when it was made.
///
/// # Errors
/// What it keeps of its snapshot cannot be read.
pub fn measured(bundle: &Bundle) -> Result<Measured> {
    let path = bundle.path(FACTS);
    let snapshot: Option<SnapshotFacts> = if path.exists() {
        let found = serde_json::from_str(&storage::read_text(&path)?);
        Some(found.map_err(|error| {
            Error::damaged("what the bundle says of its snapshot cannot be read")
                .at(path.display())
                .because(error)
        })?)
    } else {
        None
    };
    let schema = bundle.schema_plan().cloned();
    Ok(Measured { snapshot, schema, bundle: Some(facts(bundle.meta())), ..Measured::default() })
}

fn facts(meta: &Meta) -> BundleFacts {
    let split = meta.equations.iter().flat_map(|it| {
        it.split.iter().map(|(target, rows, made)| Split {
            source: it.source.clone(),
            target: target.clone(),
            rows: *rows,
            made: *made,
        })
    });
    let tables = meta.tables.iter().map(|it| MadeTable {
        entity: it.entity.clone(),
        migrated: it.migrated,
        existing: it.existing,
    });
    let repairs = meta.repairs.iter().map(|it| Repairs {
        target: it.target.clone(),
        attr: it.attr.clone(),
        how: it.how.clone(),
        rows: it.rows,
    });
    let refused = meta.quarantine.iter().map(|it| (it.source.clone(), it.rule.clone(), it.rows));
    BundleFacts {
        program: meta.program.clone(),
        tables: tables.collect(),
        legacy_rows: meta.equations.iter().map(|it| it.rows).sum(),
        only_links: meta.equations.iter().map(|it| it.only_links).sum(),
        rows: rows(meta),
        split: split.collect(),
        dropped_values: meta.dropped_values.clone(),
        links: links(meta),
        repairs: repairs.collect(),
        quarantine: refused.collect(),
        left_links: meta.left_links(),
    }
}

/// Where something went; the last part is told only where there is any.
fn parts(parts: &[(&str, u64)], if_any: (&str, u64)) -> Vec<(String, u64)> {
    let if_any = Some(&if_any).filter(|(_, count)| *count > 0);
    parts.iter().chain(if_any).map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

fn rows(meta: &Meta) -> Vec<Equation> {
    let legacy = meta.equations.iter().map(|it| {
        let [migrated, merged] = [("migrated", it.migrated), ("merged", it.merged)];
        let parts = parts(
            &[migrated, merged, ("quarantined", it.quarantined)],
            ("dropped by rule", it.dropped),
        );
        Equation { of: it.source.clone(), total: it.rows, parts }
    });
    let existing = meta.existing.iter().map(|it| {
        let parts =
            parts(&[("carried", it.carried), ("merged", it.merged)], ("only links", it.only_links));
        Equation { of: it.entity.clone(), total: it.rows, parts }
    });
    legacy.chain(existing).collect()
}

fn links(meta: &Meta) -> Vec<Equation> {
    let links = meta.link_equations.iter().map(|it| {
        let [migrated, merged] = [("migrated", it.migrated), ("merged", it.merged)];
        let [quarantined, dropped] = [("quarantined", it.quarantined), ("dropped", it.dropped)];
        let parts = parts(
            &[migrated, merged, quarantined, dropped],
            ("of rows dropped by rule", it.dropped_rows),
        );
        Equation { of: format!("{}.{}", it.source, it.label), total: it.values, parts }
    });
    let refs = meta.refs.iter().map(|it| {
        let parts = [("there", it.there), ("quarantined", it.quarantined), ("dropped", it.dropped)];
        let of = format!("{}.{}", it.target, it.attr);
        Equation { of, total: it.values, parts: self::parts(&parts, ("", 0)) }
    });
    links.chain(refs).collect()
}
