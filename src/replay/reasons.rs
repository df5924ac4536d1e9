//! What was set aside, by reason.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::bundle::{Bundle, Quarantine, Quarantined};
use crate::error::Result;
use crate::scan;
use crate::snapshot::Extra;

/// The rows that one rule set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// The entity, the rule and how many rows.
    pub count: Quarantined,
    /// Why, in a sentence.
    pub reason: String,
    /// For a cascade, how many rows began it.
    pub roots: u64,
    /// The first of these, by the rows they took with them.
    pub first_roots: Vec<Root>,
    /// The first rows.
    pub samples: Vec<Sample>,
}

/// A row whose quarantine took others with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Root {
    /// `<entity>:<id>`.
    pub row: String,
    /// The rule that refused it.
    pub rule: String,
    /// How many rows of the reason it took with it.
    pub rows: u64,
}

/// A quarantined row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sample {
    /// Its id.
    pub id: Option<String>,
    /// Its place in the source's table, from 0.
    pub row: u64,
    /// `<entity>:<id>` of the row whose quarantine led here.
    pub cause: Option<String>,
}

/// Lists what was set aside by rule, with so many rows and roots each; of one rule when it is named.
///
/// # Errors
/// A table of the quarantine cannot be read.
pub fn reasons(bundle: &Bundle, rule: Option<&str>, limit: usize) -> Result<Vec<Reason>> {
    let counts = bundle.meta().quarantine.iter();
    let counts: Vec<&Quarantined> =
        counts.filter(|count| rule.is_none_or(|rule| count.rule == rule)).collect();
    let chains = Chains::read(bundle)?;
    let mut found = Vec::new();
    for count in counts {
        found.push(of(bundle, count, &chains, limit)?);
    }
    Ok(found)
}

fn of(bundle: &Bundle, count: &Quarantined, chains: &Chains, limit: usize) -> Result<Reason> {
    let path = bundle.path(&format!("data/quarantine/{}.parquet", count.source));
    let columns = ["id", Extra::ROW, Quarantine::RULE, Quarantine::REASON, Quarantine::CAUSE];
    let mut reason = Reason {
        count: count.clone(),
        reason: String::new(),
        roots: 0,
        first_roots: Vec::new(),
        samples: Vec::new(),
    };
    let mut roots: BTreeMap<&str, u64> = BTreeMap::new();
    scan::scan_if_there(&path, &columns, &mut |row| {
        if row.text(2) != Some(&count.rule) {
            return Ok(());
        }
        if reason.reason.is_empty() {
            row.text(3).unwrap_or_default().clone_into(&mut reason.reason);
        }
        if let Some(root) = row.text(4).and_then(|cause| chains.root(cause)) {
            *roots.entry(root).or_default() += 1;
        }
        if reason.samples.len() < limit {
            reason.samples.push(Sample {
                id: row.text(0).map(str::to_owned),
                row: row.row(1).unwrap_or_default() as u64,
                cause: row.text(4).map(str::to_owned),
            });
        }
        Ok(())
    })?;
    reason.roots = roots.len() as u64;
    let mut roots: Vec<(&str, u64)> = roots.into_iter().collect();
    roots.sort_by_key(|(row, rows)| (std::cmp::Reverse(*rows), *row));
    let root = |(row, rows): (&str, u64)| {
        let rule = chains.links.get(row).map(|link| link.rule.clone()).unwrap_or_default();
        Root { row: row.to_owned(), rule, rows }
    };
    reason.first_roots = roots.into_iter().take(limit).map(root).collect();
    Ok(reason)
}

/// The quarantined rows that are causes, by `<entity>:<id>`.
struct Chains {
    links: BTreeMap<String, Link>,
}

struct Link {
    rule: String,
    cause: Option<String>,
}

impl Chains {
    fn read(bundle: &Bundle) -> Result<Self> {
        let mut links = BTreeMap::new();
        for equation in &bundle.meta().equations {
            let entity = &equation.source;
            let path = bundle.path(&format!("data/quarantine/{entity}.parquet"));
            let columns = ["id", Quarantine::RULE, Quarantine::CAUSE];
            scan::scan_if_there(&path, &columns, &mut |row| {
                let Some(id) = row.text(0) else { return Ok(()) };
                // A cause names a UUID in lower case.
                let id = if id.len() == 36 { id.to_ascii_lowercase() } else { id.to_owned() };
                links.entry(format!("{entity}:{id}")).or_insert_with(|| Link {
                    rule: row.text(1).unwrap_or_default().to_owned(),
                    cause: row.text(2).map(str::to_owned),
                });
                Ok(())
            })?;
        }
        Ok(Self { links })
    }

    /// Where a chain of causes begins.
    fn root(&self, cause: &str) -> Option<&str> {
        let (mut at, mut link) = self.links.get_key_value(cause)?;
        // A chain is no longer than there are rows; a circle would be damage.
        for _ in 0..self.links.len() {
            let next = link.cause.as_ref().and_then(|cause| self.links.get_key_value(cause));
            let Some(next) = next else { return Some(at) };
            (at, link) = next;
        }
        None
    }
}
